//! A summary of the stamps: for each block of slots, how many of them are vacant. A search skips
//! the blocks with none.
//!
//! Each block has a word with its count, and with the epoch in which the count was made. A count of
//! another epoch is 0, so ending an epoch need not touch the summary.
//!
//! **A count is never too low.** Vacant slots are counted before they are marked, and claimed
//! before they are uncounted. So a block with a vacant slot is not skipped.

#![forbid(unsafe_code)]

use super::epoch::Epoch;
use super::sync::{AtomicMut, AtomicUsize, Ordering};

/// The number of slots of a block. A word of 8 bytes for each is less than 1 % of what the stamps
/// take.
pub(crate) const BLOCK: usize = if cfg!(all(test, loom)) { 4 } else { 1 << 10 };

const COUNT_BITS: u32 = 12;
const COUNT: usize = (1 << COUNT_BITS) - 1;

const _: () = assert!(BLOCK <= COUNT);

/// The summary of an arena: a word for each block, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary<'a> {
    words: &'a [AtomicUsize],
    epoch: Epoch,
}

impl<'a> Summary<'a> {
    #[inline]
    pub(crate) fn new(words: &'a [AtomicUsize], epoch: Epoch) -> Self {
        Summary { words, epoch }
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.words.is_empty()
    }

    /// The count in a word, which is 0 if the word is of another epoch.
    #[inline]
    fn count_in(self, word: usize) -> usize {
        if word >> COUNT_BITS == self.epoch.tag() { word & COUNT } else { 0 }
    }

    /// Whether a slot of the block may be vacant.
    #[inline]
    pub(crate) fn may_be_vacant(self, block: usize) -> bool {
        // Relaxed: a slot that was vacant before the search began was counted before that
        // (coherence). The slot itself is handed over by its stamp.
        self.count_in(self.words[block].load(Ordering::Relaxed)) != 0
    }

    /// The number of vacant slots in the first `blocks` blocks. Exact if no other call is in
    /// progress.
    pub(crate) fn sum(self, blocks: usize) -> usize {
        // Relaxed: an estimate.
        self.words[..blocks].iter().map(|word| self.count_in(word.load(Ordering::Relaxed))).sum()
    }

    /// Counts `n` more slots of the block, before they are marked vacant. Returns how many were
    /// counted before.
    pub(crate) fn add(self, block: usize, n: usize) -> usize {
        let tag = self.epoch.tag() << COUNT_BITS;
        // Relaxed, and on failure: a guess that the exchange confirms.
        let mut word = self.words[block].load(Ordering::Relaxed);
        loop {
            let before = self.count_in(word);
            let after = tag | (before + n);
            // Release: E5, after the increment of the number of blocks. Acquire: E5, before the
            // caller's decrement, if the block was counted before.
            match self.words[block].compare_exchange_weak(word, after, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return before,
                Err(now) => word = now,
            }
        }
    }

    /// Uncounts `n` slots of the block, which the caller has claimed. Returns how many are counted
    /// still.
    pub(crate) fn subtract(self, block: usize, n: usize) -> usize {
        // Acquire: E5, before the caller's decrement of the number of blocks, if the block is not
        // counted any more.
        self.count_in(self.words[block].fetch_sub(n, Ordering::Acquire)) - n
    }
}

/// Forgets every count. For the end of the last epoch, after which tags recur.
pub(crate) fn clear(words: &mut [AtomicUsize]) {
    for word in words {
        // Untouched pages are read, not written: they stay the operating system's.
        if word.read_mut() != 0 {
            word.write_mut(0);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_another_epoch_is_zero() {
        let words = [const { AtomicUsize::new(0) }; 2];
        let first = Summary::new(&words, Epoch::FIRST);
        assert!(!first.may_be_vacant(0));
        assert_eq!((first.add(0, 2), first.add(0, BLOCK - 2)), (0, 2));
        assert!(first.may_be_vacant(0) && !first.may_be_vacant(1));
        let second = Summary::new(&words, Epoch::FIRST.next());
        assert!(!second.may_be_vacant(0));
        assert_eq!((second.add(0, 1), second.subtract(0, 1)), (0, 0));
        assert!(!second.may_be_vacant(0));
    }
}
