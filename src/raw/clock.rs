//! The current epoch of an arena, and what is known of earlier ones.

#![forbid(unsafe_code)]

use super::epoch::Epoch;
use super::generation::Generation;
use super::sync::{AtomicBool, const_fn};

/// The present epoch, and what is known about the stamps that were written so far.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(super) epoch: Epoch,
    /// Whether a stamp was written in this epoch. Set by the first who writes one, so that an arena
    /// that only hands out owned values never has its stamps touched, not even when the epoch
    /// wraps.
    pub(super) stamped: AtomicBool,
    /// No slot at or above it has a stamp of an earlier epoch.
    pub(super) stamped_bound: usize,
    /// What the keys of this epoch know it by. (Its byte comes back after a wrap, and is that of
    /// other arenas.)
    pub(crate) generation: Generation,
    pub(crate) history: History,
}

/// What is remembered of earlier epochs, for who wants to know. Nothing depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// How many have ended.
    pub(crate) epochs: u64,
    /// No slot at or above it was written to before the last time that all were zeroed, or their
    /// pages given back.
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
