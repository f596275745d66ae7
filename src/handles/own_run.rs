//! The run of a `Local`: how it is filled, extended, refilled, split and returned.

use core::ops::Range;
use core::ptr::NonNull;

use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::epoch::Mark;
use crate::raw::stamps::{Stamp, Stamps};

/// The ceiling of a run in bytes, where the caller sets none in slots. Where two runs meet, one
/// core prefetches what another writes: with runs of 16 KiB that made two threads a third slower at
/// 64 bytes a value.
const RUN_BYTES: usize = 64 << 10;

/// The first run is short, and each is twice as long as the one before, up to the ceiling.
const FIRST_RUN_BYTES: usize = 512;

/// A run is at most this fraction of what is left at the cursor, and at least one slot.
const RUN_FRACTION: usize = if cfg!(all(test, loom)) { 2 } else { 16 };

/// Runs end at an address that is a multiple of this, so that two threads do not write to one cache
/// line. Where slots do not line up with cache lines, a run ends at the last slot that begins
/// before one. Models must not depend on addresses, so under loom no cache line ends a run.
const CACHE_LINE: usize = if cfg!(all(test, loom)) { 1 } else { 64 };

/// The run of a `Local`, and how long its next one will be.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnRun {
    /// Where the open run starts. It holds owned values below `next`, which were given to the
    /// caller.
    pub(super) start: usize,
    /// The slot that is filled next. Invariant: `start <= next <= end`.
    pub(super) next: usize,
    /// Where the run ends. The run is ours, and marked at both ends, unless it is empty.
    ///
    /// 0 before the first run, and after a reservation has taken the last slots: then we are not
    /// counted as a handle.
    pub(super) end: usize,
    /// Whether the mark of its start is that of the value that we published before it, instead of
    /// one at its first slot.
    pub(super) behind_published: bool,
    /// How long the next run will be at most, in slots.
    pub(super) batch: usize,
    /// How long any run will be at most, in slots.
    pub(super) ceiling: usize,
}

/// Where the slots for a request are that did not fit in the rest of the run.
pub(super) enum Room {
    /// At `next`, in the run. There are that many, which is at least one.
    Own(usize),
    /// Outside the run. They belong to the call.
    Arena(Range<usize>),
    /// Nowhere. That many are left at the cursor.
    None(usize),
}

impl OwnRun {
    pub(super) const fn new(batch: usize, ceiling: usize) -> Self {
        OwnRun { start: 0, next: 0, end: 0, behind_published: false, batch, ceiling }
    }

    pub(super) fn default_lengths<T>() -> Self {
        let slots = |bytes: usize| (bytes / size_of::<T>().max(1)).max(1);
        OwnRun::new(slots(FIRST_RUN_BYTES), slots(RUN_BYTES))
    }

    pub(super) fn unused(&self) -> Range<usize> {
        self.next..self.end
    }

    /// How many slots are unused.
    #[inline]
    pub(super) fn rest(&self) -> usize {
        self.end - self.next
    }

    /// Whether `len` slots from `start` on, which belong to the caller, are the next ones of the
    /// run. `false` for 0.
    #[inline]
    pub(super) fn is_next(&self, start: usize, len: usize) -> bool {
        // The second is false for slots at the cursor, right behind a run that is used up.
        start == self.next && self.has_room(len)
    }

    /// Whether `len` slots fit in the rest of the run. `false` for 0, which takes one comparison
    /// like this.
    #[inline]
    pub(super) fn has_room(&self, len: usize) -> bool {
        len.wrapping_sub(1) < self.rest()
    }

    /// The next `len` slots were filled with published values: lets every thread read them. The run
    /// is closed up to there and opened again behind, so that a leak of the handle does not take
    /// along what came before.
    #[inline]
    pub(super) fn publish_next(&mut self, stamps: Stamps<'_>, len: usize) {
        let first = self.next;
        let last = self.advance_published(stamps, len);
        stamps.publish_run(first, last - first);
        stamps.publish(last, self.mark_before());
    }

    /// Moves the start of the run behind the next `len` slots, which are about to be published, and
    /// returns the last of them. Publishing them overwrites the mark of the run's first slot, and
    /// of its last, if they are among them.
    #[inline]
    pub(super) fn advance_published(&mut self, stamps: Stamps<'_>, len: usize) -> usize {
        if self.start != self.next {
            // Owned values lie between. They belong to the caller, and are no longer ours to leak.
            self.unmark_start(stamps);
        }
        self.next += len;
        self.start = self.next;
        self.behind_published = true;
        self.next - 1
    }

    /// The mark of a value that is published right before the run.
    #[inline]
    pub(super) fn mark_before(&self) -> Mark {
        if self.start == self.end { Mark::Published } else { Mark::PublishedBeforeRun }
    }

    /// Erases the mark of the start of the run, which is not empty.
    #[inline]
    pub(super) fn unmark_start(&self, stamps: Stamps<'_>) {
        if self.behind_published {
            // Published again, because a reader may find this stamp instead of the first.
            stamps.publish(self.start - 1, Mark::Published);
        } else {
            stamps.clear(self.start);
        }
    }

    /// Erases the marks of the run.
    pub(super) fn unmark(&self, stamps: Stamps<'_>) {
        if self.start != self.end {
            self.unmark_start(stamps);
            stamps.clear(self.end - 1);
        }
    }

    /// Begins with a run that was just taken. The marks of the one before are gone.
    pub(super) fn open<T>(&mut self, view: ArenaRef<'_, T>, run: Range<usize>) {
        if self.end == 0 {
            view.handle_opened();
        }
        view.stamps().open(run.clone());
        (self.start, self.next, self.end, self.behind_published) = (run.start, run.start, run.end, false);
        self.batch = self.batch.saturating_mul(2).min(self.ceiling);
    }

    /// Erases the marks, and returns the unused slots. Afterwards the run is empty.
    pub(super) fn retire<T>(&mut self, view: ArenaRef<'_, T>) {
        self.unmark(view.stamps());
        // A value may have been under construction in place, in the first of them, when its closure
        // panicked.
        view.return_run(self.next..self.end, self.end.min(self.next + 1));
        (self.start, self.next, self.behind_published) = (self.end, self.end, false);
    }

    /// How long a run is that a refill takes at `start`, where `left` slots are left.
    pub(super) fn refill_len<T>(&self, view: ArenaRef<'_, T>, start: usize, left: usize) -> usize {
        let len = self.batch.min(left / RUN_FRACTION).max(1);
        // Back to the last cache line before its end, unless that would leave nothing.
        let past_line = past_line(view, start + len);
        if past_line < len { len - past_line } else { len }
    }

    /// How long a fresh run is for a request for `len` slots: 0 if the request does not fit in half
    /// of it.
    pub(super) fn fresh_len<T>(&self, view: ArenaRef<'_, T>, start: usize, left: usize, len: usize) -> usize {
        let refill = self.refill_len(view, start, left);
        if len == 1 || len <= refill / 2 {
            return refill;
        }
        let longest = self.ceiling.min(left / RUN_FRACTION);
        if len > longest / 2 {
            return 0;
        }
        // Up to the next cache line, as far as the limit allows.
        (2 * len + before_line(view, start + 2 * len)).min(longest)
    }

    /// Finds room for a request that does not fit in the rest of the run, for `len` slots, or, if
    /// `part`, for as many of them as there are.
    pub(super) fn make_room<T>(&mut self, view: ArenaRef<'_, T>, len: usize, part: bool) -> Room {
        if len == 0 {
            return Room::Arena(view.capacity()..view.capacity());
        }
        let rest = self.rest();
        if self.end != 0 {
            let missing = len - rest;
            let extended = view.extend_run(self.end, |left| match missing <= left {
                true => self.refill_len(view, self.end, left).max(missing),
                false if part => left,
                false => 0,
            });
            if let Some(end) = extended {
                self.unmark(view.stamps());
                self.open(view, self.next..end);
                return Room::Own(self.rest().min(len));
            }
        }
        let fresh = |run: &Self| view.take_fresh_run(|start, left| run.fresh_len(view, start, left, len));
        if len == 1 {
            // Always a run, so that no value is left in the open one before it.
            self.retire(view);
            let run = fresh(self).or_else(|| Some(view.take_up_to(1)).filter(|run| !run.is_empty()));
            return match run {
                Some(run) => {
                    self.open(view, run);
                    Room::Own(1)
                }
                None => Room::None(0),
            };
        }
        let (bound, end) = (view.bound(), view.capacity());
        if bound < end && self.fresh_len(view, bound, end - bound, len) != 0 {
            // Before the fresh run is taken, so that the handle never keeps more than one from the
            // others.
            self.retire(view);
            if let Some(run) = fresh(self) {
                self.open(view, run);
                return Room::Own(len);
            }
            // Another thread has moved the cursor meanwhile. We count no longer: handles never
            // outnumber slots.
            self.end(view);
        }
        let run =
            if part { Some(view.take_up_to(len)).filter(|run| !run.is_empty()).ok_or(0) } else { view.take_run(len) };
        match run {
            Ok(run) => Room::Arena(run),
            Err(_) if part && self.rest() != 0 => Room::Own(self.rest()),
            Err(_) if part => Room::Arena(view.capacity()..view.capacity()),
            Err(left) => Room::None(left),
        }
    }

    /// Parts the next `len` slots from the run, for a reservation: marks them as an open run and
    /// counts them as a handle.
    #[inline(always)]
    pub(super) fn split_off<T>(&mut self, view: ArenaRef<'_, T>, len: usize) {
        let stamps = view.stamps();
        if self.start != self.next || self.behind_published {
            // What lies before belongs to the caller, and is no longer ours to leak. A value that
            // we published there must no longer say that an open run follows: the reservation may
            // end before we do.
            self.unmark_start(stamps);
            stamps.open(self.next..self.end);
            self.behind_published = false;
        }
        if len == self.rest() {
            // The reservation takes over the marks and the count.
            *self = OwnRun::new(self.batch, self.ceiling);
        } else {
            view.handle_split();
            stamps.split(self.next..self.end, self.next + len);
            self.next += len;
            self.start = self.next;
        }
    }

    /// Ends the run, and no longer counts as a handle.
    pub(super) fn end<T>(&mut self, view: ArenaRef<'_, T>) {
        self.retire(view);
        if self.end != 0 {
            view.handle_closed();
        }
        *self = OwnRun::new(self.batch, self.ceiling);
    }
}

/// How many slots, counted back from `end`, begin in the cache line in which the slot `end` begins.
fn past_line<T>(view: ArenaRef<'_, T>, end: usize) -> usize {
    (view.slot(end).addr() % CACHE_LINE).checked_div(size_of::<T>()).unwrap_or(0)
}

/// How many slots from `start` on end in the cache line in which the slot `start` begins.
fn before_line<T>(view: ArenaRef<'_, T>, start: usize) -> usize {
    (view.slot(start).addr().wrapping_neg() % CACHE_LINE).checked_div(size_of::<T>()).unwrap_or(0)
}
/// As [`OwnRun::make_room`]. Not inlined, takes the run by value, and returns it: so that a `Local`
/// in a hot loop stays in registers.
///
/// # Safety
///
/// The first three are the parts of a view.
#[cold]
#[inline(never)]
pub(super) unsafe fn find_room<T>(
    header: &Header,
    stamps: &[Stamp],
    slots: NonNull<T>,
    mut run: OwnRun,
    len: usize,
    part: bool,
) -> (OwnRun, Room) {
    // SAFETY: the parts of a view (the caller).
    let view = unsafe { ArenaRef::new(header, stamps, slots) };
    let room = run.make_room(view, len, part);
    (run, room)
}
