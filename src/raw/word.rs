//! The encoding of the cursor's word as pure functions. (The cursor of the bump allocator uses the
//! same encoding, with lines or bytes in place of slots.)
//!
//! In an arena without shards, the whole word is the index of the next slot. In an arena with
//! shards, the word is packed. From the lowest bit up it contains:
//!
//! - the index of the next slot (34 bits);
//! - whether shards are active (1 bit);
//! - the index of the shard that a pending refill fills, plus one, or 0 if no refill is pending (6
//!   bits);
//! - the low bits of the start of the pending refill's run (23 bits).

#![forbid(unsafe_code)]

const NEXT_BITS: u32 = 34;
const SHARD_BITS: u32 = 6;
const SHARD_SHIFT: u32 = NEXT_BITS + 1;
const START_SHIFT: u32 = SHARD_SHIFT + SHARD_BITS;
const START_BITS: u32 = 64 - START_SHIFT;

const ACTIVE: u64 = 1 << NEXT_BITS;

/// The largest capacity for which the word can be packed, or 0 if a word has too few bits. The
/// field for the next slot has room for twice this number, so that the cursor can move past the
/// end.
pub(crate) const MAX_PACKED_CAPACITY: usize = if usize::BITS == 64 { 1 << (NEXT_BITS - 1) } else { 0 };

/// The largest number of shards that a word can name.
pub(crate) const MAX_SHARDS: usize = (1 << SHARD_BITS) - 1;

/// A value of the cursor, and whether it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    raw: usize,
    packed: bool,
}

impl Word {
    /// Interprets a raw value of the cursor. `packed` tells whether the arena has shards.
    #[inline]
    pub(crate) fn new(raw: usize, packed: bool) -> Self {
        Word { raw, packed }
    }

    #[inline]
    pub(crate) fn raw(self) -> usize {
        self.raw
    }

    /// Returns the index of the next slot, which may be past the end.
    #[inline]
    pub(crate) fn next(self) -> usize {
        if self.packed { (self.raw as u64 & (ACTIVE - 1)) as usize } else { self.raw }
    }

    /// Returns whether shards are active. If not, every shard is used up.
    #[inline]
    pub(crate) fn is_active(self) -> bool {
        self.packed && self.raw as u64 & ACTIVE != 0
    }

    /// Returns whether a refill is pending.
    #[inline]
    pub(crate) fn has_pending(self) -> bool {
        self.packed && self.raw as u64 >> SHARD_SHIFT != 0
    }

    /// Returns the shard of the pending refill, and the start of its run.
    ///
    /// The word contains only the low bits of the start, which are enough: between the start and
    /// the next slot lie only the run itself and one slot for each addition since the refill began.
    /// A thread that adds to the cursor sees the pending refill, and adds again only after the
    /// refill is complete. So the number of additions is at most the number of threads, which is
    /// far less than the 8 million starts that the low bits distinguish.
    #[inline]
    pub(crate) fn pending(self) -> Option<(usize, usize)> {
        if !self.has_pending() {
            return None;
        }
        let (next, raw) = (self.next(), self.raw as u64);
        let shard = (raw >> SHARD_SHIFT & MAX_SHARDS as u64) as usize - 1;
        let below = (next as u64).wrapping_sub(raw >> START_SHIFT) & ((1 << START_BITS) - 1);
        Some((shard, next - below as usize))
    }

    /// Returns the word of a cursor at `next` without a pending refill. Keeps the bit that tells
    /// whether shards are active.
    #[inline]
    pub(crate) fn with_next(self, next: usize) -> Self {
        Word { raw: if self.is_active() { next | active_bit() } else { next }, ..self }
    }

    /// Returns the word of a cursor that has just advanced over the slots `start..end`, where a
    /// refill of `shard` with these slots is pending and shards are active.
    #[inline]
    pub(crate) fn with_pending(self, shard: usize, start: usize, end: usize) -> Self {
        debug_assert!(self.packed);
        let raw = end as u64 | ACTIVE | (shard as u64 + 1) << SHARD_SHIFT | (start as u64) << START_SHIFT;
        Word { raw: raw as usize, ..self }
    }
}

/// Returns the bit of a packed word that is set if shards are active.
pub(crate) const fn active_bit() -> usize {
    ACTIVE as usize
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_pending_refill_is_read_wherever_additions_have_moved_the_cursor() {
        for start in
            [0, 1, 63, (1 << START_BITS) - 1, 1 << START_BITS, MAX_PACKED_CAPACITY / 2, MAX_PACKED_CAPACITY - 1]
        {
            for shard in [0, 1, MAX_SHARDS - 1] {
                for len in [1, 2, 8 << 10] {
                    let begun = Word::new(0, true).with_pending(shard, start, start + len);
                    for added in [0, 1, 1_000] {
                        let word = Word::new(begun.raw() + added, true);
                        assert_eq!(word.pending(), Some((shard, start)));
                        assert_eq!(word.next(), start + len + added);
                        assert!(word.is_active());
                        let cleared = word.with_next(word.next());
                        assert!(!cleared.has_pending() && cleared.is_active());
                        assert_eq!(cleared.next(), word.next());
                    }
                }
            }
        }
    }

    #[test]
    fn without_shards_the_whole_word_is_the_next_slot() {
        let word = Word::new(usize::MAX - 1, false);
        assert_eq!((word.next(), word.is_active(), word.pending()), (usize::MAX - 1, false, None));
        assert_eq!(word.with_next(3).raw(), 3);
    }
}
