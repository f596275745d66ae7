//! The run of a `Local`: extending, replacing, splitting and returning it, and publishing its
//! values.

use core::ops::Range;
use core::ptr::NonNull;

use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::epoch::Mark;
use crate::raw::stamps::{Stamp, Stamps};

/// The default maximum length of a run, in bytes. Long runs have few boundaries. At a boundary
/// between two runs, a core may prefetch cache lines that another core writes. With runs of 16 KiB,
/// this made two threads a third slower for values of 64 bytes.
const RUN_BYTES: usize = 64 << 10;

/// The default maximum length of the first run, in bytes. Each time a run is taken or extended,
/// this maximum doubles for the next run, up to `RUN_BYTES`.
const FIRST_RUN_BYTES: usize = 512;

/// A new run has at most `1 / RUN_FRACTION` of the slots left at the cursor, but at least one slot.
const RUN_FRACTION: usize = if cfg!(all(test, loom)) { 2 } else { 16 };

/// If possible, a run ends at an address that is a multiple of this number, so that no two threads
/// write to the same cache line. (If a slot crosses such an address, the run ends before or after
/// this slot.) Models must not depend on addresses, so under loom every address is a multiple.
const CACHE_LINE: usize = if cfg!(all(test, loom)) { 1 } else { 64 };

/// The run of a `Local`, and the limits on the length of its next run.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnRun {
    /// If there is an open run, the slot whose stamp marks its start. This is its first slot or, if
    /// `mark < published_end`, the slot directly before it, which holds a published value.
    pub(super) mark: usize,
    /// The end of the values that were published last since the run was taken or extended, or 0 if
    /// none were. (If the start were stored instead, splitting off a reservation would change one
    /// more field.)
    pub(super) published_end: usize,
    /// The slot to fill next. Invariant: `start() <= next <= end`.
    pub(super) next: usize,
    /// The end of the run. If `start() != end`, the slots from `start()` to `end` belong to this
    /// handle, and there are run marks at both ends. Otherwise there is no open run.
    ///
    /// `end` is 0 before the first run, after a reservation has taken over the whole rest, and
    /// after a call of the method `end`. While it is 0, the handle is not counted.
    pub(super) end: usize,
    /// The maximum length of the next run, in slots, unless a request needs a longer one.
    pub(super) batch: usize,
    /// The maximum length of a run, in slots. Only extending a run may exceed it.
    pub(super) ceiling: usize,
}

/// The outcome of a request that does not fit in the rest of the run.
pub(super) enum Room {
    /// The request gets this number of slots of the run, from `next` on. The number is not 0.
    Own(usize),
    /// The request gets these slots, which are not in the run and belong to the caller. There are
    /// none if the request is for no slots, or if it accepts fewer slots but none is free.
    Arena(Range<usize>),
    /// The request is refused. The cursor has this number of slots left.
    None(usize),
}

impl OwnRun {
    pub(super) const fn new(batch: usize, ceiling: usize) -> Self {
        OwnRun { mark: 0, published_end: 0, next: 0, end: 0, batch, ceiling }
    }

    pub(super) fn default_lengths<T>() -> Self {
        let slots = |bytes: usize| (bytes / size_of::<T>().max(1)).max(1);
        OwnRun::new(slots(FIRST_RUN_BYTES), slots(RUN_BYTES))
    }

    /// Returns the start of the open run. The slots from there to `next` hold owned values.
    #[inline]
    fn start(&self) -> usize {
        self.mark.max(self.published_end)
    }

    #[inline]
    pub(super) fn unused(&self) -> Range<usize> {
        self.next..self.end
    }

    /// Returns the number of unused slots.
    #[inline]
    pub(super) fn rest(&self) -> usize {
        self.end - self.next
    }

    /// Returns whether the `len` slots from `start` on, which the caller owns, are the next slots
    /// of the run. Returns `false` if `len` is 0.
    #[inline]
    pub(super) fn is_next(&self, start: usize, len: usize) -> bool {
        // Slots that were taken from the cursor may also start at `next`, directly after a used-up
        // run. The second condition excludes them.
        start == self.next && self.has_room(len)
    }

    /// Returns whether `len` slots fit in the rest of the run. Returns `false` if `len` is 0,
    /// because `len - 1` then wraps to the largest number.
    #[inline]
    pub(super) fn has_room(&self, len: usize) -> bool {
        len.wrapping_sub(1) < self.rest()
    }

    /// Publishes the values in the next `len` slots, which the caller has filled. Afterwards the
    /// open run starts after them, so that leaking the handle does not leak published values.
    #[inline]
    pub(super) fn publish_next(&mut self, stamps: Stamps<'_>, len: usize) {
        let first = self.next;
        let last = self.advance_published(stamps, len);
        stamps.publish_run(first..last);
        stamps.publish(last, self.mark_before());
    }

    /// Moves the start of the run past the next `len` slots, and returns the last of them. The
    /// caller then publishes these slots. If the first or the last slot of the run is among them,
    /// its new stamp overwrites its run mark.
    #[inline]
    pub(super) fn advance_published(&mut self, stamps: Stamps<'_>, len: usize) -> usize {
        // Not `start() != next`: if this is called in a loop, the compiler can then omit both
        // comparisons.
        if self.published_end != self.next && self.mark != self.next {
            // The slots from `start()` to `next`, which hold owned values, leave the open run. The
            // mark at its start is cleared, so that leaking this handle no longer leaks these
            // values.
            self.unmark_start(stamps);
        }
        self.next += len;
        self.published_end = self.next;
        self.mark = self.next - 1;
        self.mark
    }

    /// Returns the mark for the last of the values that
    /// [`advance_published`](Self::advance_published) has moved past.
    #[inline]
    pub(super) fn mark_before(&self) -> Mark {
        if self.next == self.end { Mark::Published } else { Mark::PublishedBeforeRun }
    }

    /// Clears the mark at the start of the run, which is not empty.
    #[inline]
    pub(super) fn unmark_start(&self, stamps: Stamps<'_>) {
        if self.mark < self.published_end {
            // The value is published again with Release (E1), because a reader may see this stamp
            // instead of the earlier one.
            stamps.publish(self.mark, Mark::Published);
        } else {
            stamps.clear(self.mark);
        }
    }

    /// Clears the run marks, if there are any.
    pub(super) fn unmark(&self, stamps: Stamps<'_>) {
        if self.start() != self.end {
            self.unmark_start(stamps);
            stamps.clear(self.end - 1);
        }
    }

    /// Opens a run that was just taken or extended. The caller has cleared the marks of the
    /// previous run.
    pub(super) fn open<T>(&mut self, view: ArenaRef<'_, T>, run: Range<usize>) {
        if self.end == 0 {
            view.handle_opened();
        }
        view.stamps().open(run.clone());
        (self.mark, self.published_end, self.next, self.end) = (run.start, 0, run.start, run.end);
        self.batch = self.batch.saturating_mul(2).min(self.ceiling);
    }

    /// Clears the run marks and returns the unused slots to the arena. Afterwards the run is empty.
    pub(super) fn retire<T>(&mut self, view: ArenaRef<'_, T>) {
        self.unmark(view.stamps());
        // The first unused slot may be partly written, because a closure may have panicked while it
        // constructed a value there.
        view.return_run(self.next..self.end, self.end.min(self.next + 1));
        (self.mark, self.next) = (self.end, self.end);
    }

    /// Returns the length of a new run or of an extension, if the cursor is at `start` and has
    /// `left` slots left.
    pub(super) fn refill_len<T>(&self, view: ArenaRef<'_, T>, start: usize, left: usize) -> usize {
        let len = self.batch.min(left / RUN_FRACTION).max(1);
        // The run is shortened to the last cache line boundary, unless it would then be empty.
        let past_line = past_line(view, start + len);
        if past_line < len { len - past_line } else { len }
    }

    /// Returns the length of a fresh run for a request for `len` slots. Returns 0 if the request is
    /// for more than one slot and does not fit in half of the longest run that is allowed.
    pub(super) fn fresh_len<T>(&self, view: ArenaRef<'_, T>, start: usize, left: usize, len: usize) -> usize {
        let refill = self.refill_len(view, start, left);
        if len == 1 || len <= refill / 2 {
            return refill;
        }
        let longest = self.ceiling.min(left / RUN_FRACTION);
        if len > longest / 2 {
            return 0;
        }
        // The run is extended to the next cache line boundary, as far as `longest` allows.
        (2 * len + before_line(view, start + 2 * len)).min(longest)
    }

    /// Finds `len` slots for a request that does not fit in the rest of the run. If `part` is true,
    /// fewer slots are acceptable.
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
            // A request for one slot is always served from the run of the handle (`Local::fill`
            // relies on this), so a new run replaces the used-up one. Retiring the old run clears
            // its marks, so that leaking the handle no longer leaks the values in the old run.
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
            // The old run is retired first, so that the handle never holds two runs.
            self.retire(view);
            if let Some(run) = fresh(self) {
                self.open(view, run);
                return Room::Own(len);
            }
            // Another thread has moved the cursor in the meantime. The handle now has no run. It
            // must not be counted, because there may be at most as many counted handles as slots.
            self.end(view);
        }
        if part {
            let run = view.take_up_to(len);
            return if run.is_empty() && self.rest() != 0 { Room::Own(self.rest()) } else { Room::Arena(run) };
        }
        view.take_run(len).map_or_else(Room::None, |start| Room::Arena(start..start + len))
    }

    /// Finds `len` slots for a reservation, or fewer if `part` is true, as
    /// [`make_room`](Self::make_room) does. Unless there are none, marks them as an open run and
    /// counts them as a handle. Also returns how many slots at the start of the run may have been
    /// written to without a call of [`ArenaRef::note_written`]. The error is the number of slots
    /// left at the cursor.
    pub(super) fn reserve<T>(
        &mut self,
        view: ArenaRef<'_, T>,
        len: usize,
        part: bool,
    ) -> Result<(Range<usize>, usize), usize> {
        match self.make_room(view, len, part) {
            Room::Own(len) => {
                let start = self.next;
                self.split_off(view, len);
                Ok((start..start + len, 1))
            }
            Room::Arena(run) => {
                if !run.is_empty() {
                    view.handle_opened();
                    view.stamps().open(run.clone());
                }
                Ok((run, 0))
            }
            Room::None(left) => Err(left),
        }
    }

    /// Splits the next `len` slots off the run for a reservation. Afterwards they are marked as an
    /// open run and counted as a handle.
    #[inline(always)]
    pub(super) fn split_off<T>(&mut self, view: ArenaRef<'_, T>, len: usize) {
        let stamps = view.stamps();
        if self.mark != self.next {
            // From now on the open run starts at `next`, so that leaking this handle or the
            // reservation does not leak the owned values in the slots from `start()` to `next`. If
            // the stamp of a published value marks the start of the run, the mark moves to the slot
            // `next`, because ending the reservation clears only marks in its own slots.
            self.unmark_start(stamps);
            stamps.open(self.unused());
            self.mark = self.next;
        }
        if len == self.rest() {
            // The reservation takes over the run marks, and is counted in place of this handle.
            *self = OwnRun::new(self.batch, self.ceiling);
        } else {
            view.handle_split();
            stamps.split(self.unused(), len);
            self.next += len;
            self.mark = self.next;
        }
    }

    /// Retires the run. If the handle is counted, subtracts it from the count.
    pub(super) fn end<T>(&mut self, view: ArenaRef<'_, T>) {
        self.retire(view);
        if self.end != 0 {
            view.handle_closed();
        }
        *self = OwnRun::new(self.batch, self.ceiling);
    }
}

/// Returns the number of slots below `end` that begin in the same cache line as the slot `end`.
fn past_line<T>(view: ArenaRef<'_, T>, end: usize) -> usize {
    (view.slot(end).addr() % CACHE_LINE).checked_div(size_of::<T>()).unwrap_or(0)
}

/// Returns the number of slots from `start` on that fit before the next cache line boundary.
/// Returns 0 if `start` is at a boundary.
fn before_line<T>(view: ArenaRef<'_, T>, start: usize) -> usize {
    (view.slot(start).addr().wrapping_neg() % CACHE_LINE).checked_div(size_of::<T>()).unwrap_or(0)
}

/// Calls `slow_path` with the run and a view of the arena. Not inlined. It takes the run by value
/// and returns it, so that in a hot loop the `Local` stays in registers.
///
/// # Safety
///
/// The first three arguments are the parts of an `ArenaRef`, as [`ArenaRef::into_raw_parts`]
/// returns them. The run is empty or belongs to that arena.
#[cold]
#[inline(never)]
pub(super) unsafe fn with_run<T, R>(
    header: &Header,
    stamps: &[Stamp],
    slots: NonNull<T>,
    mut run: OwnRun,
    slow_path: impl FnOnce(&mut OwnRun, ArenaRef<'_, T>) -> R,
) -> (OwnRun, R) {
    // SAFETY: the caller passes the parts of an `ArenaRef`, for which the requirements of `new`
    // hold.
    let view = unsafe { ArenaRef::new(header, stamps, slots) };
    let result = slow_path(&mut run, view);
    (run, result)
}
