//! A run of free bytes, described by one atomic word. Any thread can take bytes from its start.
//!
//! # Orderings
//!
//! - B1, return → take: each operation that puts bytes into a gap is Release (`install`,
//!   `extend_down`, `put`). Each operation that takes bytes out of a gap is Acquire (`take`,
//!   `take_once`, `take_next`, and an `install` that displaces a rest). While the bump is shared,
//!   every change of a gap's word is a read-modify-write, so the release sequences are not broken.

#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::ops::Range;

use super::sync::{AtomicMut, AtomicUsize, Ordering, const_fn};

/// The low `LEN_BITS` bits of a gap's word contain the length of the gap in bytes, and the other
/// bits contain the offset of its first byte. In an empty gap, the offset is the end of the bytes
/// that were taken last, or 0 in a new gap.
const LEN_BITS: u32 = 25;

/// The maximum number of bytes in a gap.
pub(super) const MAX_LEN: usize = (1 << LEN_BITS) - 1;

/// The maximum end of a gap.
pub(super) const MAX_END: usize = usize::MAX >> LEN_BITS;

/// The number of bytes in a line. The cursor of a bump with shards counts lines.
pub(crate) const LINE: usize = 1 << LINE_BITS;
pub(super) const LINE_BITS: u32 = 6;

/// A run of free bytes.
#[derive(Debug)]
pub(super) struct Gap(AtomicUsize);

/// Returns the number to add to the word of a gap in order to take `taken` bytes from its start.
#[inline(always)]
fn moved_up(taken: usize) -> usize {
    (taken << LEN_BITS) - taken
}

/// Returns the size of `layout` plus the padding that a block with this layout needs at `address`.
/// The sum does not overflow, because the size and the alignment of a layout add up to at most
/// `isize::MAX + 1`.
#[inline]
pub(super) fn size_with_padding(address: usize, layout: Layout) -> usize {
    /// Marked cold, so that the compiler emits a branch instead of calculating the padding in every
    /// case. The common case, which needs no padding, then does not wait for the calculation.
    #[cold]
    fn padded(misaligned: usize, layout: Layout) -> usize {
        layout.size() + (layout.align() - misaligned)
    }

    let misaligned = address & (layout.align() - 1);
    if misaligned == 0 { layout.size() } else { padded(misaligned, layout) }
}

#[inline]
fn unpack(word: usize) -> Range<usize> {
    let start = word >> LEN_BITS;
    start..start + (word & MAX_LEN)
}

#[inline]
fn pack(run: Range<usize>) -> usize {
    debug_assert!(run.len() <= MAX_LEN);
    run.start << LEN_BITS | run.len()
}

impl Gap {
    const_fn! {
        pub(super) fn new() -> Self {
            Gap(AtomicUsize::new(0))
        }
    }

    /// Returns the offsets of the bytes in the gap.
    #[inline]
    pub(super) fn rest(&self) -> Range<usize> {
        // Relaxed: an estimate. `put` reads the word again.
        unpack(self.0.load(Ordering::Relaxed))
    }

    /// Takes bytes for `layout`, and the padding that aligns them. The padding is at the start of
    /// the returned range. Returns `None` if the gap has too few bytes. `base` is the address of
    /// byte 0, and is a multiple of `LINE`.
    #[inline]
    pub(super) fn take(&self, base: usize, layout: Layout) -> Option<Range<usize>> {
        // Relaxed, also on failure: a guess that the exchange confirms. If it shows too few bytes,
        // no byte is accessed, so no ordering is needed.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (start, len) = (word >> LEN_BITS, word & MAX_LEN);
            // The base is a multiple of `LINE`, so only the padding for larger alignments depends
            // on it.
            let address = if layout.align() <= LINE { start } else { base + start };
            let taken = size_with_padding(address, layout);
            if taken > len {
                return None;
            }
            let rest = word + moved_up(taken);
            // Acquire: B1, the bytes may have had an owner before.
            match self.0.compare_exchange_weak(word, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(start..start + taken),
                Err(now) => word = now,
            }
        }
    }

    /// Takes bytes for `layout` and returns their start. Returns `None` if too few are left, if
    /// another thread changes the gap in the meantime, or if the alignment is larger than a line.
    ///
    /// This is the inlined fast path, so it has no loop. The common case, which needs no padding,
    /// has a branch of its own, so that it does not wait for the calculation of the padding.
    #[inline]
    pub(super) fn take_once(&self, layout: Layout) -> Option<usize> {
        // Relaxed: a guess that the exchange confirms.
        let word = self.0.load(Ordering::Relaxed);
        let (start, left) = (word >> LEN_BITS, word & MAX_LEN);
        let misaligned = start & (layout.align() - 1);
        if layout.align() > LINE {
            None
        } else if misaligned == 0 {
            (layout.size() <= left && self.take_exactly(word, layout.size())).then_some(start)
        } else {
            let padding = layout.align() - misaligned;
            let taken = padding + layout.size();
            (taken <= left && self.take_exactly(word, taken)).then_some(start + padding)
        }
    }

    /// Takes `taken` bytes from the gap if its word is `word`. Returns whether they were taken.
    #[inline]
    fn take_exactly(&self, word: usize, taken: usize) -> bool {
        // Acquire: B1, the bytes may have had an owner before. Relaxed on failure: the value
        // is not used.
        let rest = word + moved_up(taken);
        self.0.compare_exchange(word, rest, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the `len` bytes from `start` on, if the gap starts there and has enough bytes. Returns
    /// whether they were taken.
    #[inline]
    pub(super) fn take_next(&self, start: usize, len: usize) -> bool {
        // Relaxed, also on failure: a guess that the exchange confirms.
        let mut word = self.0.load(Ordering::Relaxed);
        while word >> LEN_BITS == start && len <= word & MAX_LEN {
            let rest = word + (len << LEN_BITS) - len;
            // Acquire: B1, the bytes may have had an owner before.
            match self.0.compare_exchange_weak(word, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Puts the run of a refill into the gap, unless another thread has already done so. If the run
    /// starts where the rest of the gap ends, and both have at most `limit` bytes in total, the run
    /// extends the rest. Otherwise the run displaces the rest. Returns the displaced bytes, which
    /// then belong to the caller.
    ///
    /// While the bump is shared, only this method changes the end of a gap that receives refills.
    /// Each of these refills ends above the previous one, so the end only increases. Hence, if the
    /// gap ends at or above the end of the run, the run has already been installed. Once it has
    /// been installed, a compare-exchange that expects an older word fails, because that word has a
    /// lower end.
    pub(super) fn install(&self, run: Range<usize>, limit: usize) -> Range<usize> {
        // Relaxed, also on failure: a guess that the exchange confirms. If it shows that the run
        // was installed, the caller next clears the refill from the cursor with Release. So, by
        // coherence, a thread that reads the cleared cursor with Acquire then sees this word of the
        // gap or a later one (B2).
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let rest = unpack(word);
            if rest.end >= run.end {
                return 0..0;
            }
            let extends = rest.end == run.start && rest.len() + run.len() <= limit;
            let (installed, displaced) = if extends { (rest.start..run.end, 0..0) } else { (run.clone(), rest) };
            // Release: B1, the bytes of the refill may have been returned to the cursor. Acquire:
            // B1, the displaced bytes pass to the caller.
            match self.0.compare_exchange(word, pack(installed), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return displaced,
                Err(now) => word = now,
            }
        }
    }

    /// Adds `run` below the rest, if the run ends where the rest starts, and the two have at most
    /// `limit` bytes in total. Returns whether the rest was extended. Does not change the end of
    /// the gap.
    #[inline]
    pub(super) fn extend_down(&self, run: Range<usize>, limit: usize) -> bool {
        // Relaxed, also on failure: a guess that the exchange confirms.
        let mut word = self.0.load(Ordering::Relaxed);
        while word >> LEN_BITS == run.end && (word & MAX_LEN) + run.len() <= limit {
            let extended = word - (run.len() << LEN_BITS) + run.len();
            // Release: B1, the caller's accesses happen before those of the next owner.
            match self.0.compare_exchange_weak(word, extended, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Replaces the rest of the gap with `run`, if the rest has fewer than `bound` bytes and no
    /// other thread changes the gap in the meantime. The bytes of the rest are then lost. Returns
    /// whether the rest was replaced. Must not be called for a gap that receives refills, because
    /// the end of the gap may decrease.
    pub(super) fn put(&self, run: Range<usize>, bound: usize) -> bool {
        // Relaxed: a guess that the exchange confirms.
        let word = self.0.load(Ordering::Relaxed);
        // Release: B1, the caller's accesses happen before those of the next owner. Relaxed on
        // failure: the value is not used.
        word & MAX_LEN < bound && self.0.compare_exchange(word, pack(run), Ordering::Release, Ordering::Relaxed).is_ok()
    }

    pub(super) fn clear_mut(&mut self) {
        self.0.write_mut(0);
    }
}
