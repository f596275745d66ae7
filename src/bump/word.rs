//! The packed word of a bump's cursor, pure functions.

#![forbid(unsafe_code)]

use core::ops::Range;

/// From the lowest bit on: the next line; one bit that a bump leaves clear; the shard that a refill
/// is pending for, and one, or 0; the low bits of the first line of that refill.
const NEXT_BITS: u32 = 34;
const SHARD_SHIFT: u32 = NEXT_BITS + 1;
const SHARD_BITS: u32 = 6;
const START_SHIFT: u32 = SHARD_SHIFT + SHARD_BITS;
const START_BITS: u32 = 64 - START_SHIFT;

/// How many lines a cursor can count.
pub(super) const MAX_LINES: usize = if usize::BITS == 64 { 1 << (NEXT_BITS - 1) } else { 0 };

/// The word of a cursor that counts lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) usize);

impl Word {
    /// The word of a cursor at that line, with no refill pending.
    #[inline]
    pub(super) fn at(next: usize) -> Word {
        Word(next)
    }

    /// The word of a cursor that was just advanced over `lines` for that shard.
    pub(super) fn pending(lines: Range<usize>, shard: usize) -> Word {
        let word = lines.end as u64 | (shard as u64 + 1) << SHARD_SHIFT | (lines.start as u64) << START_SHIFT;
        Word(word as usize)
    }

    #[inline]
    pub(super) fn next(self) -> usize {
        (self.0 as u64 & ((1 << NEXT_BITS) - 1)) as usize
    }

    /// The lines of the pending refill, and its shard.
    #[inline]
    pub(super) fn refill(self) -> Option<(Range<usize>, usize)> {
        let word = self.0 as u64;
        let shard = (word >> SHARD_SHIFT & ((1 << SHARD_BITS) - 1)) as usize;
        if shard == 0 {
            return None;
        }
        // A refill is far shorter than the low bits can tell apart, and the cursor stands at its
        // end.
        let len = (self.next() as u64).wrapping_sub(word >> START_SHIFT) & ((1 << START_BITS) - 1);
        Some((self.next() - len as usize..self.next(), shard - 1))
    }
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_word_names_the_pending_refill() {
        for start in [0, 1, (1 << START_BITS) - 1, 1 << START_BITS, MAX_LINES - 1] {
            for len in [1, 2, 512] {
                for shard in [0, 1, 31] {
                    let word = Word::pending(start..start + len, shard);
                    assert_eq!((word.next(), word.refill()), (start + len, Some((start..start + len, shard))));
                }
            }
            assert_eq!((Word::at(start).next(), Word::at(start).refill()), (start, None));
        }
    }
}
