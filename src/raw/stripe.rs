//! A stripe of the count of open handles.

#![forbid(unsafe_code)]

use super::sync::{AtomicMut, AtomicUsize, Ordering, const_fn};

/// The numbers of handles that were opened and that were closed. If one word counted both, each
/// update would have to wait until the store of the previous one can be read. Zeroed memory is a
/// valid new stripe.
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

    /// Returns the same as [`open`](Self::open), and resets the counts.
    pub(super) fn take(&mut self) -> usize {
        let open = self.opened.read_mut().wrapping_sub(self.closed.read_mut());
        self.opened.write_mut(0);
        self.closed.write_mut(0);
        open
    }
}
