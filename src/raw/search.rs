//! Where a thread searches for a single vacant slot. Every value is a hint: a wrong one can make a
//! search slow, but not incorrect.

#![forbid(unsafe_code)]

use super::summary::BLOCK;
use super::sync::{AtomicGuess, Ordering, const_fn};

/// The start of the next search, and the result of the last one. Zeroed memory is a valid new
/// `Search`.
#[derive(Debug)]
pub(super) struct Search {
    /// One more than the slot at which the next search starts, or 0 before the first search.
    start: AtomicGuess,
    /// The slot that [`is_shared`](Self::is_shared) noted last.
    last: AtomicGuess,
    /// The number of other vacant slots that the block of `last` had then.
    left: AtomicGuess,
}

impl Search {
    const_fn! {
        pub(super) fn new() -> Self {
            Search { start: AtomicGuess::new(0), last: AtomicGuess::new(0), left: AtomicGuess::new(0) }
        }
    }

    /// Returns the slot at which the next search starts, or `None` before the first search.
    #[inline]
    pub(super) fn start(&self) -> Option<usize> {
        // Relaxed: a hint.
        self.start.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Makes the next search start at `index`. The caller has just returned a run that starts
    /// there, found the slot before it, or chosen another block that starts there.
    #[inline]
    pub(super) fn start_at(&self, index: usize) {
        // Relaxed: a hint.
        self.start.store(index + 1, Ordering::Relaxed);
    }

    /// Notes that a search from `start` found `index`, and that its block has `left` other vacant
    /// slots. Returns whether other threads seem to have claimed slots of that block since the last
    /// call.
    pub(super) fn is_shared(&self, start: usize, index: usize, left: usize) -> bool {
        // Relaxed, all: hints.
        let last = self.last.load(Ordering::Relaxed);
        let expected = self.left.load(Ordering::Relaxed);
        self.last.store(index, Ordering::Relaxed);
        self.left.store(left, Ordering::Relaxed);
        // Between two calls, `claim_next` moves `start` up by one for each slot that it claims. So
        // if no slot was returned in the meantime, this thread has claimed the slots between `last`
        // and `start`, and then `index`.
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
        // This thread has claimed the slots 11 to 14, each at the start of a search, and then slot
        // 20.
        assert!(!search.is_shared(15, 20, 95));
        // Another thread has claimed a slot.
        assert!(search.is_shared(21, 30, 93));
        // In order: slots were returned to the block, the search found a slot in another block, and
        // the search started below the slot that was found last.
        assert!(!search.is_shared(31, 40, 500));
        assert!(!search.is_shared(41, BLOCK, 7));
        assert!(!search.is_shared(0, BLOCK + 1, 6));
    }
}
