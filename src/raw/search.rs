//! Where a thread searches for a single vacant slot. All of it is a guess: any value is correct.

#![forbid(unsafe_code)]

use super::summary::BLOCK;
use super::sync::{AtomicUsize, Ordering, const_fn};

/// Zeroed memory is a valid new one.
#[derive(Debug)]
pub(super) struct Search {
    /// One more than the slot at which the next search starts, or 0 before the first one.
    start: AtomicUsize,
    /// The last slot that was not found at the start of the search, and how many vacant slots its
    /// block had left then.
    last: AtomicUsize,
    left: AtomicUsize,
}

impl Search {
    const_fn! {
        pub(super) fn new() -> Self {
            Search { start: AtomicUsize::new(0), last: AtomicUsize::new(0), left: AtomicUsize::new(0) }
        }
    }

    /// Returns the slot at which the next search starts. Returns `None` before the first one.
    #[inline]
    pub(super) fn start(&self) -> Option<usize> {
        // Relaxed: a guess.
        self.start.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Lets the next search start at this slot: the last one that was returned, or the one after
    /// the last one that was found.
    #[inline]
    pub(super) fn start_at(&self, index: usize) {
        // Relaxed: a guess.
        self.start.store(index + 1, Ordering::Relaxed);
    }

    /// Notes that a search from `start` found `index`, and that its block has `left` other vacant
    /// slots. Returns whether other threads have claimed slots of that block since the last call.
    pub(super) fn is_shared(&self, start: usize, index: usize, left: usize) -> bool {
        // Relaxed, all: a guess.
        let last = self.last.load(Ordering::Relaxed);
        let expected = self.left.load(Ordering::Relaxed);
        self.last.store(index, Ordering::Relaxed);
        self.left.store(left, Ordering::Relaxed);
        // This thread has claimed the slots between the last one and the start.
        let claimed = start.wrapping_sub(last);
        last / BLOCK == index / BLOCK && claimed < BLOCK && left + claimed < expected
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_shared_if_it_has_fewer_slots_than_one_thread_has_left() {
        let search = Search::new();
        assert_eq!(search.start(), None);
        assert!(!search.is_shared(0, 10, 100));
        // The slots 11 to 14 were claimed at the start of a search, and then 20.
        assert!(!search.is_shared(15, 20, 95));
        // Another thread has claimed one.
        assert!(search.is_shared(21, 30, 93));
        // Slots were returned, or the block is another one.
        assert!(!search.is_shared(31, 40, 500));
        assert!(!search.is_shared(41, BLOCK, 7));
        assert!(!search.is_shared(0, BLOCK + 1, 6));
    }
}
