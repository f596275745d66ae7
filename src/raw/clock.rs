//! The current epoch of an arena, and statistics on earlier epochs.

#![forbid(unsafe_code)]

use super::epoch::Epoch;
use super::generation::Generation;
use super::sync::{AtomicBool, const_fn};

/// The current epoch of an arena, and what the arena records about stamps, keys and earlier epochs.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(super) epoch: Epoch,
    /// Whether a stamp was written in this epoch. The first thread that writes a stamp sets this
    /// flag. An arena writes no stamps if it hands out only owned values, has no handles, and has
    /// no vacant slots. Then the flag stays `false`, and the stamps are not touched when the epoch
    /// wraps.
    pub(super) stamped: AtomicBool,
    /// No slot at or above this index has a stamp of an earlier epoch.
    pub(super) stamped_bound: usize,
    /// Identifies this epoch in keys. (`epoch` cannot, because it recurs after a wrap and in other
    /// arenas.)
    pub(crate) generation: Generation,
    pub(crate) history: History,
}

/// Statistics on earlier epochs. The algorithm does not depend on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// The number of epochs that have ended.
    pub(crate) epochs: u64,
    /// Every slot that was written to before the slots were last zeroed, or their pages last
    /// decommitted, is below this index. `RunState::written` and the cursor bound the writes since
    /// then.
    pub(crate) written: usize,
}

impl Clock {
    const_fn! {
        pub(crate) fn new() -> Self {
            Clock {
                epoch: Epoch::FIRST,
                stamped: AtomicBool::new(false),
                stamped_bound: 0,
                generation: Generation::new(),
                history: History { epochs: 0, written: 0 },
            }
        }
    }
}
