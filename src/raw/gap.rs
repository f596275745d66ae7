//! A run of free bytes, described by one atomic word. Any thread can take bytes from its start.
//!
//! # Taking more than is left
//!
//! A thread with an exclusive number takes bytes from the run of its shard with one addition to the
//! word (`take_once`), which is faster than a compare-exchange. Before the addition, it reads the
//! word and sees that enough bytes are left. If another thread changes the gap between the two, the
//! addition may take other bytes than expected, or more than are left. In the second case, the
//! thread owns all bytes that were left, and the length of the gap becomes negative. Such a gap is
//! empty. Its end, which is the sum of its start and its length, is unchanged, so refills and
//! returned runs can extend it like any other empty gap.
//!
//! # Orderings
//!
//! - B1, return → take: each operation that puts bytes into a gap is Release (`install`,
//!   `extend_down`, `put`). Each operation that takes bytes out of a gap is Acquire
//!   (`take_with`, `take_once`, and an `install` that displaces a rest). While the bump is shared,
//!   every change of a gap's word is a read-modify-write, so the release sequences are not broken.

#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::ops::{Range, RangeInclusive};

use super::sync::{AtomicMut, AtomicUsize, Ordering, const_fn};
use super::thread_id::note_contention;

/// The low `START_BITS` bits of a gap's word contain the offset of the first byte of the gap, and
/// the other bits contain the length of the gap in bytes. If the length is 0, the offset is the end
/// of the bytes that were taken last, or 0 in a new gap. If the length is negative, it is stored
/// modulo `1 << LEN_BITS`, and the offset is above the end.
const START_BITS: u32 = usize::BITS - LEN_BITS;
const LEN_BITS: u32 = 25;

/// The length of a gap is always greater than the negative of this number.
pub(super) const MAX_EXCESS: usize = 1 << 20;

/// The maximum number of bytes in a gap.
pub(super) const MAX_LEN: usize = (1 << LEN_BITS) - MAX_EXCESS;

/// The maximum end of a gap. The offset of a gap with a negative length must fit in its bits, too.
pub(super) const MAX_END: usize = (1usize << START_BITS).saturating_sub(MAX_EXCESS);

/// The number of bytes in a line. The cursor of a bump with shards counts lines.
pub(crate) const LINE: usize = 1 << LINE_BITS;
pub(super) const LINE_BITS: u32 = 6;

/// A run of free bytes.
#[derive(Debug)]
pub(super) struct Gap(AtomicUsize);

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

/// Returns the offset in `word`.
#[inline]
fn start(word: usize) -> usize {
    word & ((1 << START_BITS) - 1)
}

#[inline]
fn unpack(word: usize) -> Range<usize> {
    let (start, len) = (start(word), word >> START_BITS);
    if len > MAX_LEN {
        // The length is negative.
        let end = start - ((1 << LEN_BITS) - len);
        return end..end;
    }
    start..start + len
}

#[inline]
fn pack(run: Range<usize>) -> usize {
    debug_assert!(run.len() <= MAX_LEN);
    run.len() << START_BITS | run.start
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
        // Relaxed: an estimate.
        unpack(self.0.load(Ordering::Relaxed))
    }

    /// Takes bytes from the start of the gap. `len` receives the bytes in the gap, and returns how
    /// many of them to take, or `None` to take none.
    #[inline]
    fn take_with(&self, len: impl Fn(&Range<usize>) -> Option<usize>) -> Option<Range<usize>> {
        // Relaxed, also on failure: a guess that the exchange confirms. If `len` returns `None`, no
        // byte is accessed, so no ordering is needed.
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let rest = unpack(word);
            let end = rest.start + len(&rest)?;
            // Acquire: B1, the bytes may have had an owner before. The exchange is strong, so a
            // failure shows contention.
            match self.0.compare_exchange(word, pack(end..rest.end), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(rest.start..end),
                Err(now) => word = now,
            }
            note_contention();
        }
    }

    /// Takes bytes for `layout`, and the padding that aligns them. The padding is at the start of
    /// the returned range. Returns `None` if the gap has too few bytes. `base` is the address of
    /// byte 0, and is a multiple of `LINE`.
    #[inline]
    pub(super) fn take(&self, base: usize, layout: Layout) -> Option<Range<usize>> {
        self.take_with(|rest| {
            // The base is a multiple of `LINE`, so only the padding for larger alignments depends
            // on it.
            let address = if layout.align() <= LINE { rest.start } else { base + rest.start };
            let len = size_with_padding(address, layout);
            (len <= rest.len()).then_some(len)
        })
    }

    /// Takes all bytes, if their number is in this range.
    pub(super) fn take_all(&self, len: &RangeInclusive<usize>) -> Option<Range<usize>> {
        self.take_with(|rest| len.contains(&rest.len()).then_some(rest.len()))
    }

    /// Takes the `len` bytes from `start` on, if the gap starts there and has enough bytes. Returns
    /// whether they were taken.
    #[inline]
    pub(super) fn take_next(&self, start: usize, len: usize) -> bool {
        self.take_with(|rest| (rest.start == start && len <= rest.len()).then_some(len)).is_some()
    }

    /// Takes bytes for `layout`, and the padding that aligns them. The padding is at the start of
    /// the returned range. The error contains bytes that the caller now owns instead, usually none.
    ///
    /// The gap must be the run of a shard, and at most one thread at a time may call this for the
    /// gap: the thread whose exclusive number is that of the shard. If a signal handler interrupts
    /// the call and allocates, calls are nested. Each of them decreases the length by at most the
    /// limit of a run, so the length stays above `-MAX_EXCESS` if at most 15 calls are in progress.
    ///
    /// This is the inlined fast path, so it has no loop. The common case, which needs no padding,
    /// has a branch of its own, so that it does not wait for the calculation of the padding.
    #[inline]
    pub(super) fn take_once(&self, layout: Layout) -> Result<Range<usize>, Range<usize>> {
        // Relaxed: a guess. The old word, which the addition returns, shows what was taken.
        let word = self.0.load(Ordering::Relaxed);
        let misaligned = start(word) & (layout.align() - 1);
        if layout.align() > LINE {
            Err(0..0)
        } else if misaligned == 0 {
            self.take_exactly(word, layout.size())
        } else {
            let padding = layout.align() - misaligned;
            self.take_exactly(word, padding + layout.size())
        }
    }

    /// Takes `taken` bytes from the start of the gap if its word is `word`. If the word shows fewer
    /// bytes, takes nothing. If the word has changed, takes up to `taken` bytes from the new start,
    /// and returns them as the error.
    #[inline]
    fn take_exactly(&self, word: usize, taken: usize) -> Result<Range<usize>, Range<usize>> {
        #[cold]
        #[inline(never)]
        fn taken_from(word: usize, taken: usize) -> Range<usize> {
            let rest = unpack(word);
            rest.start..rest.end.min(rest.start + taken)
        }

        // `taken` is at most `isize::MAX`, because the padding is less than the alignment. The
        // length of a shard's run is at most half of `MAX_LEN`, so its upper bit is the sign.
        if taken as isize > word as isize >> START_BITS {
            return Err(0..0);
        }
        // Acquire: B1, the bytes may have had an owner before.
        let now = self.0.fetch_add(taken.wrapping_sub(taken << START_BITS), Ordering::Acquire);
        if now == word { Ok(start(word)..start(word) + taken) } else { Err(taken_from(now, taken)) }
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
        loop {
            let rest = unpack(word);
            if rest.start != run.end || rest.len() + run.len() > limit {
                return false;
            }
            let extended = pack(run.start..rest.end);
            // Release: B1, the caller's accesses happen before those of the next owner.
            match self.0.compare_exchange_weak(word, extended, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
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
        unpack(word).len() < bound
            && self.0.compare_exchange(word, pack(run), Ordering::Release, Ordering::Relaxed).is_ok()
    }

    pub(super) fn clear_mut(&mut self) {
        self.0.write_mut(0);
    }
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn additions_that_take_more_than_is_left_keep_the_end() {
        let len = MAX_EXCESS / 16;
        let gap = Gap(AtomicUsize::new(pack(MAX_END - len..MAX_END)));
        // Each of the nested calls has read the word before the first one takes the bytes.
        let word = gap.0.load(Ordering::Relaxed);
        assert_eq!(gap.take_exactly(word, len), Ok(MAX_END - len..MAX_END));
        for _ in 0..15 {
            assert_eq!(gap.take_exactly(word, len).map_err(|taken| taken.len()), Err(0));
            assert_eq!(gap.rest(), MAX_END..MAX_END);
        }
        let layout = Layout::from_size_align(1, 1).unwrap();
        assert_eq!((gap.take(0, layout), gap.take_once(layout).map_err(|taken| taken.len())), (None, Err(0)));
        assert!(gap.extend_down(MAX_END - 8..MAX_END, len));
        assert_eq!(gap.take_once(layout), Ok(MAX_END - 8..MAX_END - 7));
    }

    #[test]
    fn the_longest_gap_has_all_its_bytes() {
        let gap = Gap(AtomicUsize::new(0));
        assert!(gap.put(0..MAX_LEN, 1));
        assert_eq!(gap.rest(), 0..MAX_LEN);
        assert!(gap.take_next(0, MAX_LEN));
        assert_eq!(gap.rest(), MAX_LEN..MAX_LEN);
    }
}
