//! A run of free bytes in one atomic word, from which any thread takes bytes.
//!
//! # Orderings
//!
//! - B1, return → take: whatever puts bytes into a gap is a Release operation (`install`,
//!   `extend_down`, `put`). Whatever takes bytes out of it is an Acquire operation (`take`,
//!   `take_next`, and the displacing `install`). Every change of a gap's word is a
//!   read-modify-write, so each continues the release sequences of those before it.

#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::ops::Range;

use crate::raw::sync::{AtomicMut, AtomicUsize, Ordering, const_fn};

/// The word of a gap: in its low bits the number of bytes that are left, above them the offset of
/// the first of these bytes or, if none is left, the end of the last one. A gap that never held a
/// byte is 0.
const LEN_BITS: u32 = 25;

/// The longest run that a gap can hold.
pub(super) const MAX_LEN: usize = (1 << LEN_BITS) - 1;

/// What the cursor of a bump with gaps counts, in bytes.
pub(super) const LINE: usize = 1 << LINE_BITS;
pub(super) const LINE_BITS: u32 = 6;

/// A run of free bytes.
#[derive(Debug)]
pub(super) struct Gap(AtomicUsize);

/// Returns what to add to the word of a gap to take `taken` bytes from its beginning.
#[inline(always)]
fn moved_up(taken: usize) -> usize {
    (taken << LEN_BITS) - taken
}

/// The size of `layout`, and what it takes to align it behind `address`. Does not overflow: a
/// layout keeps its size and its alignment together below `isize::MAX` and one.
#[inline]
pub(super) fn size_with_padding(address: usize, layout: Layout) -> usize {
    /// Behind a branch, so that the usual case does not wait for the calculation.
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

    /// The bytes that are left.
    #[inline]
    pub(super) fn rest(&self) -> Range<usize> {
        // Relaxed: an estimate, or a guess that an exchange confirms.
        unpack(self.0.load(Ordering::Relaxed))
    }

    /// Takes bytes for `layout`, with those that it takes to align them: they are the last of what
    /// is returned. `base` is the address of byte 0, a multiple of `LINE`.
    #[inline]
    pub(super) fn take(&self, base: usize, layout: Layout) -> Option<Range<usize>> {
        // Relaxed, also on failure: either too little is left, or the value is a guess that the
        // exchange confirms.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (start, len) = (word >> LEN_BITS, word & MAX_LEN);
            // Which lines begin at a multiple of a larger alignment depends on the base.
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

    /// Takes bytes for `layout`, and returns where they begin, unless another thread interferes.
    /// Not for an alignment larger than a line. Written for the inlined fast path: without a loop,
    /// and with the usual case by itself, so that it does not wait for the calculation of the
    /// other.
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

    /// Takes that many bytes from what `word` says, unless the gap has changed.
    #[inline]
    fn take_exactly(&self, word: usize, taken: usize) -> bool {
        // Acquire: B1, the bytes may have had an owner before. Relaxed on failure: taken anew.
        let rest = word + moved_up(taken);
        self.0.compare_exchange(word, rest, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes `len` bytes if they begin at `start`. Returns whether it did.
    #[inline]
    pub(super) fn take_next(&self, start: usize, len: usize) -> bool {
        // Relaxed, and on failure: a guess that the exchange confirms.
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

    /// Puts the run of a refill in, unless another thread has done so. Returns the rest that the
    /// run displaces, which then belongs to the caller. That rest is empty if the run extends it to
    /// at most `limit` bytes.
    ///
    /// The end of a gap that refills name only increases, by this. Hence a gap that ends where the
    /// run does, or later, has had the run, and an exchange that was computed before fails.
    pub(super) fn install(&self, run: Range<usize>, limit: usize) -> Range<usize> {
        // Relaxed, and on failure: a guess that the exchange confirms. (If it shows that the run is
        // in, the caller's next Release passes that on by coherence.)
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let rest = unpack(word);
            if rest.end >= run.end {
                return 0..0;
            }
            let extends = rest.end == run.start && rest.len() + run.len() <= limit;
            let (installed, displaced) = if extends { (rest.start..run.end, 0..0) } else { (run.clone(), rest) };
            // Release: B1, as the refill may have taken what was returned to the cursor. Acquire:
            // B1, the displaced bytes become the caller's.
            match self.0.compare_exchange(word, pack(installed), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return displaced,
                Err(now) => word = now,
            }
        }
    }

    /// Puts a run back that ends where the rest begins, if both together have at most `limit`
    /// bytes. Returns whether it did. Does not change where the gap ends.
    #[inline]
    pub(super) fn extend_down(&self, run: Range<usize>, limit: usize) -> bool {
        // Relaxed, and on failure: a guess that the exchange confirms.
        let mut word = self.0.load(Ordering::Relaxed);
        while word >> LEN_BITS == run.end && (word & MAX_LEN) + run.len() <= limit {
            let extended = word - (run.len() << LEN_BITS) + run.len();
            // Release: B1, our accesses come before those of the next owner.
            match self.0.compare_exchange_weak(word, extended, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Puts a run in if fewer than `bound` bytes are left, which are lost then. Returns whether it
    /// did. Not for a gap that refills name, as its end may decrease.
    pub(super) fn put(&self, run: Range<usize>, bound: usize) -> bool {
        // Relaxed: a guess that the exchange confirms.
        let word = self.0.load(Ordering::Relaxed);
        // Release: B1, our accesses come before those of the next owner. Relaxed on failure:
        // another thread uses the gap.
        word & MAX_LEN < bound && self.0.compare_exchange(word, pack(run), Ordering::Release, Ordering::Relaxed).is_ok()
    }

    pub(super) fn clear_mut(&mut self) {
        self.0.write_mut(0);
    }
}
