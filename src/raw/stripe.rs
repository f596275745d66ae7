//! One stripe of the striped count of open handles.

#![forbid(unsafe_code)]

use super::sync::{AtomicMut, AtomicUsize, Ordering, const_fn};

/// The number of handles that were opened, and the number that were closed. If one word counted
/// both, opening and closing a handle in quick succession would be slower: the second load would
/// have to wait for the first store. Zeroed memory is a valid new stripe.
#[derive(Debug)]
pub(super) struct Stripe {
    pub(super) opened: AtomicUsize,
    pub(super) closed: AtomicUsize,
}

impl Stripe {
    const_fn! {
        pub(super) fn new() -> Self {
            Stripe { opened: AtomicUsize::new(0), closed: AtomicUsize::new(0) }
        }
    }

    /// Returns the number of handles opened minus the number of handles closed, which may wrap.
    pub(super) fn open(&self) -> usize {
        // Relaxed: an estimate.
        self.opened.load(Ordering::Relaxed).wrapping_sub(self.closed.load(Ordering::Relaxed))
    }

    /// Returns the number that [`open`](Self::open) returns, and resets both counts.
    pub(super) fn take(&mut self) -> usize {
        let open = self.opened.read_mut().wrapping_sub(self.closed.read_mut());
        self.opened.write_mut(0);
        self.closed.write_mut(0);
        open
    }
}
