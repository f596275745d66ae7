//! The summary counts the vacant slots in each block of slots. A search skips blocks without vacant
//! slots.
//!
//! The word of a block contains its count and a tag for the epoch to which the count belongs. A
//! count of another epoch means 0, so ending an epoch need not touch the summary unless the epoch
//! wraps.
//!
//! **A count is never too low.** Slots are counted before they are marked vacant, and claimed
//! before they are uncounted. So a search never skips a block with a vacant slot.

#![forbid(unsafe_code)]

use super::epoch::Epoch;
use super::sync::{AtomicMut, AtomicUsize, Ordering};

/// The number of slots in a block. With 8 bytes per block, the summary takes less than 1 % of the
/// size of the stamps.
pub(crate) const BLOCK: usize = if cfg!(all(test, loom)) { 4 } else { 1 << 10 };

const COUNT_BITS: u32 = 12;
const COUNT: usize = (1 << COUNT_BITS) - 1;

const _: () = assert!(BLOCK <= COUNT);

/// The summary of an arena: a word for each block, or no words at all.
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

    /// Returns the count in a word, or 0 if the word belongs to another epoch.
    #[inline]
    fn count_in(self, word: usize) -> usize {
        if word >> COUNT_BITS == self.epoch.tag() { word & COUNT } else { 0 }
    }

    /// Returns the number of vacant slots of the block. The number is never too low.
    #[inline]
    pub(crate) fn count(self, block: usize) -> usize {
        // Relaxed: if returning a slot happens before this load, then so does the increment of the
        // count, and by coherence the load sees the increment. The count need not provide E2,
        // because the stamp of each slot does.
        self.count_in(self.words[block].load(Ordering::Relaxed))
    }

    /// Returns the number of vacant slots in the first `blocks` blocks. Exact if no other call is
    /// in progress.
    pub(crate) fn sum(self, blocks: usize) -> usize {
        // Relaxed: an estimate.
        self.words[..blocks].iter().map(|word| self.count_in(word.load(Ordering::Relaxed))).sum()
    }

    /// Adds `n` slots, which are not yet marked vacant, to the count of the block. Returns the
    /// previous count.
    pub(crate) fn add(self, block: usize, n: usize) -> usize {
        self.add_if(block, n, |_| true).unwrap_or_else(|before| before)
    }

    /// Adds `n` slots, which are not yet marked vacant, to the count of the block, unless the count
    /// is 0. Returns whether they were added.
    pub(crate) fn add_to_counted(self, block: usize, n: usize) -> bool {
        self.add_if(block, n, |before| before != 0).is_ok()
    }

    #[inline]
    fn add_if(self, block: usize, n: usize, allow: impl Fn(usize) -> bool) -> Result<usize, usize> {
        let tag = self.epoch.tag() << COUNT_BITS;
        // Relaxed, also on failure: a guess that the exchange confirms. If `allow` refuses, the
        // refusal may be due to a wrong guess. This does no harm: the caller of `add_to_counted`
        // then calls `add`, which is correct for any count.
        let mut word = self.words[block].load(Ordering::Relaxed);
        loop {
            let before = self.count_in(word);
            if !allow(before) {
                return Err(before);
            }
            let after = tag | (before + n);
            // Release: E5, the caller's increment of the number of blocks happens before a
            // decrement that undoes it. Acquire: E5, if the count was not 0, another thread has
            // incremented the number of blocks for this block. The caller of `add`, which has
            // incremented the number before this call, then decrements it again. The other thread's
            // increment happens before this decrement.
            match self.words[block].compare_exchange_weak(word, after, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(before),
                Err(now) => word = now,
            }
        }
    }

    /// Subtracts `n` slots, which the caller has claimed, from the count of the block. Returns the
    /// new count.
    pub(crate) fn subtract(self, block: usize, n: usize) -> usize {
        // Acquire: E5, if the new count is 0, the increment of the number of blocks happens before
        // the caller's decrement.
        self.count_in(self.words[block].fetch_sub(n, Ordering::Acquire)) - n
    }
}

/// Clears the counts in these words. Called when the epoch wraps, because tags then recur.
pub(crate) fn clear(words: &mut [AtomicUsize]) {
    for word in words {
        // Only nonzero words are overwritten, so pages that were never written to still use no
        // memory.
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
        assert_eq!(first.count(0), 0);
        assert_eq!((first.add(0, 2), first.add(0, BLOCK - 2)), (0, 2));
        assert_eq!((first.count(0), first.count(1)), (BLOCK, 0));
        let second = Summary::new(&words, Epoch::FIRST.next());
        assert_eq!(second.count(0), 0);
        assert_eq!((second.add(0, 1), second.subtract(0, 1)), (0, 0));
        assert_eq!(second.count(0), 0);
    }
}
