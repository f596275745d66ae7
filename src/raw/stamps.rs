//! Stamps contain the state of each slot, in one byte per slot.
//!
//! Below the cursor, a slot without a stamp of the current epoch has an owner, holds a value that
//! was not published, or is in a shard or a pending refill. A stamp marks a slot as published, as
//! vacant, or as one of the two ends of a handle's open run. A stamp with a mark is never zero. So
//! zeroed stamps have no marks, and are the stamps of an empty arena. A stamp of an earlier epoch
//! is *stale*: its slot has no mark in the current epoch.
//!
//! # Orderings
//!
//! - `E1 publish → get`: [`Stamps::publish`] or [`Stamps::publish_run`] (Release) after the value
//!   is written, and [`Stamps::is_published`] (Acquire) before it is read.
//! - `E2 return → reuse`, for a slot below the cursor: [`Stamps::mark_vacant`] (Release) after the
//!   old owner's last access, and [`Stamps::claim_vacant`] (Acquire) before the new owner's first
//!   access. (The other parts of E2 are in `cursor.rs` and `shards.rs`.)
//!
//! All other operations are Relaxed. Run marks are interpreted only under exclusive access, which
//! is ordered after every write of a run mark. While the arena is shared, a run mark only means
//! "neither published nor vacant".

#![forbid(unsafe_code)]

use core::ops::Range;

use super::clock::Clock;
use super::epoch::{Epoch, Mark};
use super::sync::{AccessTracker, AtomicBool, AtomicMut, AtomicU8, Ordering, const_fn};

/// The stamp of one slot, in one byte. Under loom it also contains the slot's [`AccessTracker`].
#[cfg_attr(not(all(test, loom)), repr(transparent))]
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU8, AccessTracker);

impl Stamp {
    const_fn! {
        /// Creates a stamp without a mark. All its bits are zero. Hence zeroed memory is a valid
        /// stamp too, except under loom.
        pub(crate) fn new() -> Self {
            Stamp(AtomicU8::new(0), AccessTracker::new())
        }
    }
}

/// The stamps of a shared arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamps<'a> {
    stamps: &'a [Stamp],
    /// The epoch of the clock, which cannot change while the arena is shared. Copied here so that
    /// loops need not reload it.
    epoch: Epoch,
    stamped: &'a AtomicBool,
}

impl<'a> Stamps<'a> {
    #[inline]
    pub(crate) fn new(stamps: &'a [Stamp], clock: &'a Clock) -> Self {
        Stamps { stamps, epoch: clock.epoch, stamped: &clock.stamped }
    }

    /// Returns the stamps as a slice.
    #[inline]
    pub(crate) fn as_slice(self) -> &'a [Stamp] {
        self.stamps
    }

    /// Returns the stamps of the slots below `bound`.
    #[inline]
    pub(crate) fn up_to(self, bound: usize) -> Self {
        Stamps { stamps: &self.stamps[..bound], ..self }
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.stamps.len()
    }

    /// Returns whether the value of this slot may be read. Returns `false` if `index` is out of
    /// bounds.
    #[inline]
    pub(crate) fn is_published(self, index: usize) -> bool {
        // `Published` and `PublishedBeforeRun` are the two lowest marks, so one comparison tests
        // for both.
        let (published, marks) = (self.epoch.stamp(Mark::Published), Mark::Vacant as u8);
        // Acquire: E1, pairs with the Release in `publish` and `publish_run`. A thread that sees
        // the stamp sees the value.
        self.stamps.get(index).is_some_and(|stamp| stamp.0.load(Ordering::Acquire).wrapping_sub(published) < marks)
    }

    /// Reports an access to the slot's value to loom. Does nothing without loom.
    #[inline(always)]
    pub(crate) fn track(self, index: usize, access: impl Fn(&AccessTracker)) {
        if cfg!(all(test, loom)) {
            access(&self.stamps[index].1);
        }
    }

    /// Publishes the value that the caller has written to this slot, which it owns. `mark` is
    /// `Published` or `PublishedBeforeRun`. Before this call the caller must have opened a run in
    /// this epoch or called [`note_stamped`](Self::note_stamped), either of which records that
    /// stamps are written.
    #[inline]
    pub(crate) fn publish(self, index: usize, mark: Mark) {
        debug_assert!(matches!(mark, Mark::Published | Mark::PublishedBeforeRun));
        // Release: E1, pairs with the Acquire in `is_published`. Writing the value happens before
        // reading it.
        self.set(index, self.epoch.stamp(mark), Ordering::Release);
    }

    /// Publishes the values of a run, each with the mark `Published` (see
    /// [`publish`](Self::publish)). Checks the bounds once, so that the compiler can unroll the
    /// loop if the length is a constant.
    #[inline]
    pub(crate) fn publish_run(self, run: Range<usize>) {
        debug_assert!(run.start <= run.end && run.end <= self.len());
        let published = self.epoch.stamp(Mark::Published);
        if let Some(stamps) = self.stamps.get(run) {
            for stamp in stamps {
                // Release: E1, as in `publish`.
                stamp.0.store(published, Ordering::Release);
            }
        }
    }

    /// Marks a slot below the cursor vacant. The caller owns the slot and gives up its ownership.
    pub(crate) fn mark_vacant(self, index: usize) {
        self.note_stamped();
        let vacant = self.epoch.stamp(Mark::Vacant);
        // Release: E2, pairs with the Acquire in `claim_vacant`. The caller's accesses to the slot
        // and to its stamp happen before those of the next owner.
        self.set(index, vacant, Ordering::Release);
    }

    /// Claims the slot if it is vacant. Returns whether the caller now owns it.
    #[inline]
    pub(crate) fn claim_vacant(self, index: usize) -> bool {
        let stamp = &self.stamps[index].0;
        let vacant = self.epoch.stamp(Mark::Vacant);
        // Relaxed: a guess that the exchange confirms. The load avoids exchanges that would fail.
        stamp.load(Ordering::Relaxed) == vacant
            // Acquire: E2, pairs with the Release in `mark_vacant`. Relaxed on failure: another
            // thread has claimed the slot.
            && stamp.compare_exchange(vacant, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Returns whether the slot is vacant. Another thread may claim it at any time.
    #[inline]
    pub(crate) fn is_vacant(self, index: usize) -> bool {
        // Relaxed: a guess, which `claim_vacant` confirms.
        self.stamps[index].0.load(Ordering::Relaxed) == self.epoch.stamp(Mark::Vacant)
    }

    #[inline]
    pub(crate) fn epoch(self) -> Epoch {
        self.epoch
    }

    /// Writes run marks at the ends of a run that the caller owns. The run can then be reclaimed if
    /// its handle is leaked.
    #[inline]
    pub(crate) fn open(self, run: Range<usize>) {
        debug_assert!(!run.is_empty() && run.end <= self.len());
        self.note_stamped();
        if let Some([others @ .., end]) = self.stamps.get(run) {
            if let [start, ..] = others {
                self.mark(start, Mark::RunStart);
            }
            self.mark(end, Mark::RunEnd);
        }
    }

    /// Splits an open run into two open runs. The first has `len` slots. Neither is empty.
    #[inline]
    pub(crate) fn split(self, run: Range<usize>, len: usize) {
        debug_assert!(0 < len && len < run.len() && run.end <= self.len());
        // The marks at `run.start` and at `run.end - 1` already exist. A run of one slot has only a
        // `RunEnd`. If the first run has one slot, its `RunEnd` overwrites the `RunStart`.
        if let Some((first, second)) = self.stamps.get(run).and_then(|run| run.split_at_checked(len)) {
            if let [.., end] = first {
                self.mark(end, Mark::RunEnd);
            }
            if let [start, _, ..] = second {
                self.mark(start, Mark::RunStart);
            }
        }
    }

    /// Clears the run marks of an open run.
    #[inline]
    pub(crate) fn close(self, run: Range<usize>) {
        debug_assert!(!run.is_empty() && run.end <= self.len());
        if let Some([start, others @ ..]) = self.stamps.get(run) {
            // Relaxed, both: as in `clear`.
            start.0.store(0, Ordering::Relaxed);
            if let [.., end] = others {
                end.0.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Returns whether the slot was vacant in `epoch`, which is the current or the previous epoch.
    /// Used by the threads of a parallel iterator, which share the stamps while the iterator has
    /// exclusive access to the arena.
    #[cfg(feature = "rayon")]
    #[inline]
    pub(crate) fn is_vacant_in(self, epoch: Epoch, index: usize) -> bool {
        // Relaxed: no thread writes a stamp during that exclusive access, and earlier writes happen
        // before it.
        epoch.mark_of(self.stamps[index].0.load(Ordering::Relaxed)) == Some(Mark::Vacant)
    }

    /// Clears the stamp of a slot that the caller owns.
    #[inline]
    pub(crate) fn clear(self, index: usize) {
        // Relaxed: to other threads the stamp means "neither published nor vacant" before and after
        // this store. E2 orders this store before the next owner's stores to the stamp.
        self.set(index, 0, Ordering::Relaxed);
    }

    #[inline]
    fn mark(self, stamp: &Stamp, mark: Mark) {
        // Relaxed: run marks are interpreted only under exclusive access. To other threads the mark
        // only means "neither published nor vacant".
        stamp.0.store(self.epoch.stamp(mark), Ordering::Relaxed);
    }

    /// Stores a stamp. Ignores an index that is out of bounds, which no caller passes. A panic
    /// instead would force callers in hot loops to keep their state in memory for unwinding.
    #[inline(always)]
    fn set(self, index: usize, stamp: u8, ordering: Ordering) {
        debug_assert!(index < self.len());
        if let Some(place) = self.stamps.get(index) {
            place.0.store(stamp, ordering);
        }
    }

    /// Records that stamps are written in this epoch.
    #[inline]
    pub(crate) fn note_stamped(self) {
        // Relaxed, both: the flag matters only under exclusive access. After the first store,
        // threads only load the flag, so its cache line stays shared.
        if !self.stamped.load(Ordering::Relaxed) {
            self.stamped.store(true, Ordering::Relaxed);
        }
    }
}

/// The stamps of an arena under exclusive access.
#[derive(Debug)]
pub(crate) struct StampsMut<'a> {
    stamps: &'a mut [Stamp],
    clock: &'a mut Clock,
}

impl<'a> StampsMut<'a> {
    #[inline]
    pub(crate) fn new(stamps: &'a mut [Stamp], clock: &'a mut Clock) -> Self {
        StampsMut { stamps, clock }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.stamps.len()
    }

    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        self.clock.epoch
    }

    /// Returns a shared view of the stamps.
    #[inline]
    pub(crate) fn as_shared(&self) -> Stamps<'_> {
        Stamps::new(self.stamps, self.clock)
    }

    /// Returns an index at or above which no slot has been stamped since the epoch last wrapped.
    /// `bound` is the position of the cursor.
    pub(crate) fn stamped_bound(&mut self, bound: usize) -> usize {
        if self.clock.stamped.read_mut() { self.clock.stamped_bound.max(bound) } else { self.clock.stamped_bound }
    }

    /// Returns the mark of the slot in the current epoch.
    #[inline]
    pub(crate) fn mark_of(&mut self, index: usize) -> Option<Mark> {
        self.mark_in(self.clock.epoch, index)
    }

    /// Returns the mark of the slot in `epoch`, which is the current or the previous epoch.
    #[inline]
    pub(crate) fn mark_in(&mut self, epoch: Epoch, index: usize) -> Option<Mark> {
        epoch.mark_of(self.stamps[index].0.read_mut())
    }

    #[inline]
    pub(crate) fn mark(&mut self, index: usize, mark: Mark) {
        self.clock.stamped.write_mut(true);
        self.stamps[index].0.write_mut(self.clock.epoch.stamp(mark));
    }

    #[inline]
    pub(crate) fn clear(&mut self, index: usize) {
        self.stamps[index].0.write_mut(0);
    }

    /// Records in the statistics that slots below `written` may have been written to.
    /// `take_written` has reset the cursor's bound on written slots to 0. So the caller, which then
    /// zeroes these slots, records the bound here.
    pub(crate) fn remember_written(&mut self, written: usize) {
        self.clock.history.written = self.clock.history.written.max(written);
    }

    /// Ends the epoch and returns it. Every stamp and every key becomes stale. The caller ensures
    /// that no slot at or above `bound` has a stamp of the ending epoch.
    ///
    /// O(1), except in one of every `EPOCHS - 1` calls, in which the epoch wraps. That call is
    /// linear in the number that [`stamped_bound`](Self::stamped_bound) returns. A caller that
    /// drops the values can still read the marks of the ended epoch with
    /// [`mark_in`](Self::mark_in).
    pub(crate) fn end_epoch(&mut self, bound: usize) -> Epoch {
        let stamped = self.clock.stamped.read_mut();
        if self.clock.epoch == Epoch::LAST {
            let bound = if stamped { self.clock.stamped_bound.max(bound) } else { self.clock.stamped_bound };
            for stamp in &mut self.stamps[..bound] {
                let byte = stamp.0.read_mut();
                // Only nonzero stamps are overwritten, so pages that were never written to still
                // use no memory.
                if byte != 0 {
                    stamp.0.write_mut(Epoch::LAST.mark_of(byte).map_or(0, |mark| Epoch::FIRST.stamp(mark)));
                }
            }
            self.clock.epoch = Epoch::FIRST;
            self.clock.stamped_bound = 0;
        }
        if stamped {
            self.clock.stamped_bound = self.clock.stamped_bound.max(bound);
            self.clock.stamped.write_mut(false);
        }
        self.clock.history.epochs += 1;
        self.clock.generation.end();
        let ended = self.clock.epoch;
        self.clock.epoch = ended.next();
        ended
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::epoch::EPOCHS;

    #[test]
    fn an_epoch_that_ends_stays_readable_and_says_nothing_in_the_next() {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; 4], Clock::new());
        let mut stamps = StampsMut::new(&mut bytes, &mut clock);
        for _ in 0..3 * usize::from(EPOCHS) {
            assert!((0..4).all(|index| stamps.mark_of(index).is_none()));
            stamps.mark(1, Mark::Published);
            stamps.mark(2, Mark::Vacant);
            let ended = stamps.end_epoch(3);
            assert_eq!(stamps.mark_in(ended, 1), Some(Mark::Published));
            assert_eq!(stamps.mark_in(ended, 2), Some(Mark::Vacant));
        }
    }

    #[test]
    fn a_stale_stamp_is_cleared_when_the_epoch_wraps() {
        for resets in 1..=3 * usize::from(EPOCHS) {
            let (mut bytes, mut clock) = ([const { Stamp::new() }; 2], Clock::new());
            let mut stamps = StampsMut::new(&mut bytes, &mut clock);
            // Stamps the slot in the second epoch, because the first one does not recur.
            stamps.end_epoch(0);
            stamps.mark(1, Mark::Published);
            stamps.end_epoch(2);
            for reset in 1..resets {
                // Some of the epochs in between stamp only slot 0.
                if reset % 2 == 0 {
                    stamps.mark(0, Mark::Published);
                }
                stamps.end_epoch(1);
            }
            assert_eq!(stamps.mark_of(1), None, "after {resets} resets");
        }
    }

    #[test]
    fn a_wrap_leaves_unwritten_stamps_alone() {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; 2], Clock::new());
        // A sentinel in place of zero, which shows whether a wrap writes to this stamp. No stamp is
        // written in any epoch of this test, so no wrap may write to it.
        bytes[1].0.write_mut(7);
        let mut stamps = StampsMut::new(&mut bytes, &mut clock);
        for _ in 0..=EPOCHS {
            stamps.end_epoch(2);
        }
        assert_eq!(stamps.stamps[1].0.read_mut(), 7);
    }

    #[test]
    fn a_run_that_was_split_is_marked_like_two() {
        for (len, middle) in (2..=5).flat_map(|len| (1..len).map(move |middle| (len, middle))) {
            let (bytes, clock) = ([const { [const { Stamp::new() }; 5] }; 2], Clock::new());
            let [split, opened] = [0, 1].map(|i| Stamps::new(&bytes[i], &clock));
            split.open(0..len);
            split.split(0..len, middle);
            opened.open(0..middle);
            opened.open(middle..len);
            let marks = |i: usize| bytes[i].each_ref().map(|stamp| stamp.0.load(Ordering::Relaxed));
            assert_eq!(marks(0), marks(1), "{len} slots split at {middle}");
        }
    }

    #[test]
    fn a_run_is_published_slot_by_slot() {
        let (bytes, clock) = ([const { Stamp::new() }; 4], Clock::new());
        let stamps = Stamps::new(&bytes, &clock);
        stamps.publish_run(1..1);
        stamps.publish_run(1..3);
        assert_eq!([0, 1, 2, 3].map(|index| stamps.is_published(index)), [false, true, true, false]);
    }

    #[test]
    fn neighbouring_runs_of_one_two_and_three_cannot_be_confused() {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; 7], Clock::new());
        let stamps = Stamps::new(&bytes, &clock);
        for run in [0..1, 1..2, 2..4, 4..7] {
            stamps.open(run);
        }
        let mut stamps = StampsMut::new(&mut bytes, &mut clock);
        let marks: [_; 7] = core::array::from_fn(|index| stamps.mark_of(index));
        use Mark::{RunEnd, RunStart};
        assert_eq!(
            marks,
            [Some(RunEnd), Some(RunEnd), Some(RunStart), Some(RunEnd), Some(RunStart), None, Some(RunEnd)]
        );
    }
}
