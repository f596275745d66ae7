//! What is said of a slot: epoch and kind in one byte beside the values.
//!
//! Below the cursor "owned" is the default and needs no word. A stamp marks what is not: a
//! published slot, a vacant one, and the two ends of a run that is open in a handle. Zero was never
//! said by anybody, so zeroed memory is an arena in which nothing was said; a stamp of an earlier
//! epoch says nothing either.
//!
//! # Orderings
//!
//! - `E1 publish -> get`: [`Stamps::publish`] (Release) after the value is written;
//!   [`Stamps::is_published`] (Acquire) before it is read.
//! - `E2 give back -> hand out`, for a slot below the cursor: [`Stamps::mark_vacant`] (Release)
//!   after its owner's last access; [`Stamps::claim_vacant`] (Acquire) before its next owner's
//!   first. (The other half of E2 is in `cursor.rs`.)
//!
//! All else is Relaxed: what it says is for who has `&mut` of the arena, and was synchronised by
//! getting it. To others a mark only means "neither published nor vacant".

#![forbid(unsafe_code)]

use core::ops::Range;

use super::clock::Clock;
use super::epoch::{Epoch, Mark};
use super::sync::{AccessTracker, AtomicBool, AtomicMut, AtomicU8, Ordering, const_fn};

/// The stamp of one slot: a byte. (And, for loom, the trace of the slot.)
#[cfg_attr(not(all(test, loom)), repr(transparent))]
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU8, AccessTracker);

impl Stamp {
    const_fn! {
        /// Says nothing. All bits zero, so zeroed memory is as good (but not for loom).
        pub(crate) fn new() -> Self {
            Stamp(AtomicU8::new(0), AccessTracker::new())
        }
    }
}

/// The stamps of an arena, shared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamps<'a> {
    stamps: &'a [Stamp],
    /// That of the clock, which cannot change while this lives. A copy, so that a loop need not
    /// load it again and again.
    epoch: Epoch,
    stamped: &'a AtomicBool,
}

impl<'a> Stamps<'a> {
    #[inline]
    pub(crate) fn new(stamps: &'a [Stamp], clock: &'a Clock) -> Self {
        Stamps { stamps, epoch: clock.epoch, stamped: &clock.stamped }
    }

    /// The first argument of [`new`](Self::new).
    #[inline]
    pub(crate) fn as_slice(self) -> &'a [Stamp] {
        self.stamps
    }

    /// Those of the first slots alone.
    #[inline]
    pub(crate) fn up_to(self, bound: usize) -> Self {
        Stamps { stamps: &self.stamps[..bound], ..self }
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.stamps.len()
    }

    /// Whether the value of this slot may be read. `false` beyond the end.
    #[inline]
    pub(crate) fn is_published(self, index: usize) -> bool {
        // `Published` and `PublishedBeforeRun` are neighbours.
        let (published, marks) = (self.epoch.stamp(Mark::Published), Mark::Vacant as u8);
        // Acquire: E1, pairs with the Release in `publish`: whoever sees the stamp sees the value.
        self.stamps.get(index).is_some_and(|stamp| stamp.0.load(Ordering::Acquire).wrapping_sub(published) < marks)
    }

    /// Tells the models of an access to the slot itself. Nothing without loom.
    #[inline(always)]
    pub(crate) fn track(self, index: usize, access: impl Fn(&AccessTracker)) {
        if cfg!(all(test, loom)) {
            access(&self.stamps[index].1);
        }
    }

    /// Lets every thread read the value of this slot, which the caller owns and has written. The
    /// caller has opened a run in this epoch, or called [`note_stamped`](Self::note_stamped).
    /// `mark` is `Published` or `PublishedBeforeRun`.
    #[inline]
    pub(crate) fn publish(self, index: usize, mark: Mark) {
        debug_assert!(matches!(mark, Mark::Published | Mark::PublishedBeforeRun));
        // Release: E1, pairs with the Acquire in `is_published`: the value was written before.
        self.set(index, self.epoch.stamp(mark), Ordering::Release);
    }

    /// Gives up a slot below the cursor, which the caller owned.
    pub(crate) fn mark_vacant(self, index: usize) {
        self.note_stamped();
        let vacant = self.epoch.stamp(Mark::Vacant);
        // Release: E2, pairs with the Acquire in `claim_vacant`: our accesses to the slot, and the
        // erasing of our stamps, come before those of the next owner.
        self.set(index, vacant, Ordering::Release);
    }

    /// Takes the slot if it is vacant; then it is the caller's.
    #[inline]
    pub(crate) fn claim_vacant(self, index: usize) -> bool {
        let stamp = &self.stamps[index].0;
        let vacant = self.epoch.stamp(Mark::Vacant);
        // Relaxed: a glance that spares the exchange where it must fail; nothing is read on its
        // strength.
        stamp.load(Ordering::Relaxed) == vacant
            // Acquire: E2, pairs with the Release in `mark_vacant`. Relaxed on failure: the slot is
            // somebody else's.
            && stamp.compare_exchange(vacant, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Whether the slot was seen vacant. Another thread may claim it at any time.
    #[inline]
    pub(crate) fn is_vacant(self, index: usize) -> bool {
        // Relaxed: a guess, which `claim_vacant` confirms.
        self.stamps[index].0.load(Ordering::Relaxed) == self.epoch.stamp(Mark::Vacant)
    }

    #[inline]
    pub(crate) fn epoch(self) -> Epoch {
        self.epoch
    }

    /// Marks the ends of a run that its handle may leak. The caller owns the run.
    #[inline]
    pub(crate) fn open(self, run: Range<usize>) {
        debug_assert!(!run.is_empty());
        self.note_stamped();
        if run.len() > 1 {
            self.mark(run.start, Mark::RunStart);
        }
        self.mark(run.end - 1, Mark::RunEnd);
    }

    /// Erases the marks at the ends of an open run.
    #[inline]
    pub(crate) fn close(self, run: Range<usize>) {
        debug_assert!(!run.is_empty());
        self.clear(run.start);
        self.clear(run.end - 1);
    }

    /// Whether the slot was vacant in that epoch, which is this one or the one before it. For who
    /// has `&mut` of the arena, and parts it among workers of his.
    #[cfg(feature = "rayon")]
    #[inline]
    pub(crate) fn is_vacant_in(self, epoch: Epoch, index: usize) -> bool {
        // Relaxed: nobody writes a stamp meanwhile, and what was written before came with the
        // `&mut`.
        epoch.mark_of(self.stamps[index].0.load(Ordering::Relaxed)) == Some(Mark::Vacant)
    }

    /// Takes back what was said of a slot that the caller owns.
    #[inline]
    pub(crate) fn clear(self, index: usize) {
        // Relaxed: read by who has `&mut` of the arena, and ordered before the next owner's stamps
        // by E2.
        self.set(index, 0, Ordering::Relaxed);
    }

    #[inline]
    fn mark(self, index: usize, mark: Mark) {
        // Relaxed: read by who has `&mut` of the arena; to others it only means "not published, not
        // vacant".
        self.set(index, self.epoch.stamp(mark), Ordering::Relaxed);
    }

    /// An index beyond the end, which no caller has, does nothing: a panic here would make every
    /// caller in a hot loop keep its state where unwinding finds it.
    #[inline(always)]
    fn set(self, index: usize, stamp: u8, ordering: Ordering) {
        debug_assert!(index < self.len());
        if let Some(place) = self.stamps.get(index) {
            place.0.store(stamp, ordering);
        }
    }

    /// Remembers that stamps were written in this epoch.
    #[inline]
    pub(crate) fn note_stamped(self) {
        // Relaxed, both: read by who has `&mut` of the arena. The load keeps the line shared after
        // the first store.
        if !self.stamped.load(Ordering::Relaxed) {
            self.stamped.store(true, Ordering::Relaxed);
        }
    }
}

/// The stamps of an arena that nobody else can touch.
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

    /// The stamps as a shared arena has them.
    #[inline]
    pub(crate) fn as_shared(&self) -> Stamps<'_> {
        Stamps::new(self.stamps, self.clock)
    }

    /// A bound on the slots that were stamped since the epoch last wrapped, if the cursor stands at
    /// `bound`.
    pub(crate) fn stamped_bound(&mut self, bound: usize) -> usize {
        if self.clock.stamped.read_mut() { self.clock.stamped_bound.max(bound) } else { self.clock.stamped_bound }
    }

    /// What was said of the slot in this epoch.
    #[inline]
    pub(crate) fn mark_of(&mut self, index: usize) -> Option<Mark> {
        self.mark_in(self.clock.epoch, index)
    }

    /// What was said of the slot in that epoch, which is this one or the one before it.
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

    /// The slots are zeroed, and were written to below `written`.
    pub(crate) fn remember_written(&mut self, written: usize) {
        self.clock.history.written = self.clock.history.written.max(written);
    }

    /// Ends the epoch, which makes every stamp and every key stale, and returns it. `bound` is an
    /// index at or above which nothing was said in it.
    ///
    /// Constant, but once in `EPOCHS - 1` calls, when the epoch wraps: then the stamps up to the
    /// highest that was written since the last time are gone through. What the ending epoch said is
    /// still there afterwards, for who drops its values.
    pub(crate) fn end_epoch(&mut self, bound: usize) -> Epoch {
        let stamped = self.clock.stamped.read_mut();
        if self.clock.epoch == Epoch::LAST {
            let bound = if stamped { self.clock.stamped_bound.max(bound) } else { self.clock.stamped_bound };
            for stamp in &mut self.stamps[..bound] {
                let byte = stamp.0.read_mut();
                // Untouched pages are read, not written: they stay the operating system's.
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
            stamps.mark(1, Mark::Published);
            stamps.end_epoch(2);
            for _ in 1..resets {
                stamps.end_epoch(0);
            }
            assert_eq!(stamps.mark_of(1), None, "after {resets} resets");
        }
    }

    #[test]
    fn a_wrap_leaves_stamps_alone_that_nobody_wrote() {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; 2], Clock::new());
        // A byte that no epoch wrote stands for a page that must not be touched.
        bytes[1].0.write_mut(7);
        let mut stamps = StampsMut::new(&mut bytes, &mut clock);
        for _ in 0..=EPOCHS {
            stamps.end_epoch(2);
        }
        assert_eq!(stamps.stamps[1].0.read_mut(), 7);
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
