//! The cursor, and the order in which a request looks for slots.
//!
//! Every slot that has an owner or a value is below the cursor. An addition to the cursor takes one
//! slot. A compare-and-swap takes a run, and advances the cursor only if the run fits. When a run
//! that ends at the cursor is returned, the cursor is retracted. Other returned slots become
//! vacant, and serve requests that the cursor cannot serve (`vacant.rs`). Under contention, shards
//! serve requests, and the cursor is not retracted (`shards.rs`, `refill.rs`).
//!
//! # Why a slot never has two owners
//!
//! *At or above the cursor no slot has an owner.* Every step preserves this:
//!
//! - If the cursor is below the end, an addition gives the slot at the cursor to the adding thread.
//!   The compare-and-swap that takes a run gives the thread the slots from the old value of the
//!   cursor up to the new one.
//! - If the cursor is at or past the end, an addition gives nothing and is not undone. A cursor
//!   past the end is equivalent to one at the end. To rule out overflow, a thread whose addition
//!   returns a value `OVERSHOOT_LIMIT` or more past the end resets the cursor to the end.
//! - A return changes the cursor from the end of the run to its start, with a compare-and-swap.
//!   (For a run that ends at the end of the arena, the expected value may be anything at or past
//!   the end.) The cursor may have moved and returned to the expected value (ABA). This is
//!   harmless: when the exchange succeeds, no slot at or above the end of the run has an owner, and
//!   the caller has owned the run throughout.
//! - No thread undoes an addition by a subtraction. The subtraction could come after the cursor was
//!   retracted from past the end and advanced again, and would then retract it below a slot with an
//!   owner.
//! - A refill advances the cursor over a run whose slots have no owner yet. A compare-and-swap on
//!   the shard's word then gives each of these slots to one thread (`shards.rs`).
//! - A vacant slot is below the cursor. A compare-and-swap on its stamp gives it to one thread.
//! - Under exclusive access the cursor is retracted over vacant slots and advanced over slots that
//!   were just filled. The end of an epoch sets the cursor to 0. At that time no slot has an owner.
//!
//! # Orderings
//!
//! - `E2 return → reuse`, at the cursor: the compare-and-swap in `retract` or `return_fast`
//!   (Release) after the old owner's last access, and the addition in [`Cursor::take_fast`], the
//!   compare-and-swap that takes a run or, for a refill, the load by the thread that begins or
//!   helps it (Acquire) before the new owner's first access. While the arena is shared, every write
//!   of the cursor is a read-modify-write, so the release sequence is not broken. (The other parts
//!   of E2 are in `stamps.rs` and `shards.rs`. `shards.rs` defines E3 and E4.)
//!
//! Operations that form none of these edges are Relaxed, because no value is read on the basis of a
//! count or a bound.

#![forbid(unsafe_code)]

use core::ops::Range;

use super::handle_count::HandleCount;
use super::metadata::Metadata;
use super::shards::{self, Shard, ShardMode};
use super::sync::{AtomicGuess, AtomicUsize, CachePadded, Ordering, const_fn};
use super::vacant::VacantSlots;
use super::word::Word;

/// The distance past the end at which the cursor is reset to the end. The value is large, so that
/// resets are rare. The sum of the capacity, this value and one addition per thread must fit in a
/// `usize`. (The stamps limit the capacity to `isize::MAX`.)
const OVERSHOOT_LIMIT: usize = if cfg!(all(test, loom)) {
    1
} else if cfg!(all(test, miri)) {
    100
} else {
    1 << 16
};

/// In each interval of this number of slots, the first `SAMPLES` are samples: a thread that takes
/// one of them by an addition checks for contention. A power of two, so that computing the
/// remainder is cheap.
const SAMPLE_INTERVAL: usize = 64;

/// The number of samples per interval. One under loom, so that models have fewer interleavings.
const SAMPLES: usize = if cfg!(all(test, loom)) { 1 } else { 2 };

/// Returns whether a thread whose addition has returned this value checks for contention.
///
/// Two adjacent slots are samples, because two threads may take slots strictly in turn. If only
/// every 64th slot were a sample, all samples would go to the same thread.
#[inline]
fn is_sample(raw: usize) -> bool {
    raw % SAMPLE_INTERVAL < SAMPLES
}

/// The cursor of an arena, and what the arena records about its runs.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The index of the next slot. If it is at or past the end, no slot is left at the cursor. In
    /// an arena with shards, the word also records whether shards are active, and the pending
    /// refill, if there is one (see `word.rs`).
    ///
    /// Invariant: no slot at or above this index has an owner or a stamp of this epoch.
    pub(super) next: CachePadded<AtomicUsize>,
    /// State that changes less often than `next`, on a different cache line.
    pub(super) runs: CachePadded<RunState>,
}

#[derive(Debug)]
pub(super) struct RunState {
    pub(super) vacant: VacantSlots,
    /// The number of open handles. If it is not zero under exclusive access, a handle was leaked.
    pub(super) handles: HandleCount,
    /// If a slot is at or above both this index and the cursor, it has not been written to since
    /// the slots were last zeroed.
    pub(super) written: AtomicUsize,
    /// The latest observations of contention (see `refill.rs`).
    pub(super) last_sample: AtomicGuess,
}

/// The result of [`Cursor::take_fast`].
pub(crate) enum FastPath {
    /// The slot was taken.
    Taken(usize),
    /// The slot was taken, and the caller must call [`Cursor::detect_contention`].
    Sampled(usize),
    /// No slot is free.
    Full,
    /// The caller must call [`Cursor::take_slow`] with this argument: the value of the cursor
    /// before the addition, or `None` if the fast path did not add to the cursor.
    Slow(Option<usize>),
}

/// A refusal by the cursor: the number of slots left there, and the word of the cursor, which was
/// read with Acquire.
pub(crate) struct Refused {
    pub(crate) left: usize,
    pub(super) word: Word,
}

impl Cursor {
    const_fn! {
        pub(crate) fn new() -> Self {
            Cursor {
                next: CachePadded(AtomicUsize::new(0)),
                runs: CachePadded(RunState {
                    vacant: VacantSlots::new(),
                    handles: HandleCount::new(),
                    written: AtomicUsize::new(0),
                    last_sample: AtomicGuess::new(0),
                }),
            }
        }
    }

    #[inline]
    pub(crate) fn handles(&self) -> &HandleCount {
        &self.runs.handles
    }

    /// Returns an index at or above which no slot has been written to since the slots were last
    /// zeroed, except slots below the cursor.
    pub(crate) fn written(&self) -> usize {
        // Relaxed: an estimate.
        self.runs.written.load(Ordering::Relaxed)
    }

    /// Returns the cursor, or the capacity if the cursor is past the end. Every slot with an owner
    /// or a value is below this bound.
    #[inline]
    pub(crate) fn bound(&self, meta: &Metadata<'_>) -> usize {
        // Relaxed: only a bound. A thread reads a value only if the stamp of the slot allows it.
        meta.shards.word(self.next.load(Ordering::Relaxed)).next().min(meta.capacity())
    }

    /// Returns the number of slots that hold a value or have an owner. Exact if no other call is in
    /// progress.
    ///
    /// O(1), unless shards are active or a slot is vacant. If shards are active, the call reads
    /// each shard. If a slot is vacant and the arena has a summary, the call is linear in the
    /// number of blocks below the cursor.
    #[inline]
    pub(crate) fn count(&self, meta: &Metadata<'_>) -> usize {
        // Relaxed: an estimate. The numbers are read at different times, so those subtracted may
        // exceed `bound`.
        let word = meta.shards.word(self.next.load(Ordering::Relaxed));
        let in_shards = if word.is_active() { meta.shards.count(word) } else { 0 };
        let bound = word.next().min(meta.capacity());
        bound.saturating_sub(self.runs.vacant.count(meta.summary, bound) + in_shards)
    }

    /// Returns whether no slot is free. Exact if no other call is in progress.
    #[inline]
    pub(crate) fn is_full(&self, meta: &Metadata<'_>) -> bool {
        // Relaxed: an estimate. One load is enough in the common case that slots are left at the
        // cursor.
        let word = meta.shards.word(self.next.load(Ordering::Relaxed));
        word.next() >= meta.capacity()
            && self.runs.vacant.is_none()
            && !(word.is_active() && (word.has_pending() || !meta.shards.are_used_up()))
    }

    /// Takes a slot on the fast path: from the cursor or, if shards are active, from the shard of
    /// this thread. `end` is the capacity.
    #[inline]
    pub(crate) fn take_fast<'l>(&self, end: usize, mode: &ShardMode, shards: impl FnOnce() -> &'l [Shard]) -> FastPath {
        if mode.is_active() {
            return shards::take_fast(shards(), 1).map_or(FastPath::Slow(None), FastPath::Taken);
        }
        // Acquire: E2, pairs with the Release in `retract` and `return_fast`. The slot may have had
        // an owner before. E4, pairs with the Release in `take_sharded` and `help_refill`: if the
        // cursor is at the end, the caller looks at shards.
        let word = self.next.fetch_add(1, Ordering::Acquire);
        if word < end {
            if is_sample(word) { FastPath::Sampled(word) } else { FastPath::Taken(word) }
        } else if word.wrapping_sub(end) < OVERSHOOT_LIMIT && self.runs.vacant.is_none() {
            // Shards need not be searched. They are not active, because the bit for active shards
            // would make the word far larger than the end, and inactive shards have no slots.
            FastPath::Full
        } else {
            FastPath::Slow(Some(word))
        }
    }

    /// Takes a slot on the slow path. Returns `None` if no slot is free. `raw` is the value of the
    /// cursor before the addition of the fast path, if there was one.
    #[inline]
    pub(crate) fn take_slow(&self, meta: &Metadata<'_>, raw: Option<usize>) -> Option<usize> {
        match raw {
            None => {
                self.take_sharded(meta, 1).or_else(|refused| self.steal_or_claim(meta, refused.word).ok_or(())).ok()
            }
            Some(raw) => self.take_at_end(meta, meta.shards.word(raw)),
        }
    }

    /// Claims the slot at which a search of this thread would start, if that slot is vacant and the
    /// cursor is at the end. The caller tries this before [`take_slow`](Self::take_slow), and
    /// passes the same `raw`.
    #[inline(always)]
    pub(crate) fn take_vacant(&self, meta: &Metadata<'_>, raw: Option<usize>) -> Option<usize> {
        // A word at the end, or slightly past it, shows that shards are not active: the bit for
        // active shards would make it far larger. Samples are left to the slow path, because it
        // checks for contention.
        let is_at_end = |raw: &usize| raw.wrapping_sub(meta.capacity()) < OVERSHOOT_LIMIT && !is_sample(*raw);
        raw.filter(is_at_end).and_then(|_| self.runs.vacant.claim_next(meta))
    }

    #[inline]
    fn take_at_end(&self, meta: &Metadata<'_>, word: Word) -> Option<usize> {
        if let Some(refill) = meta.shards.pending(word) {
            self.help_refill(&meta.shards, word, &refill);
        }
        let next = word.next();
        if next < meta.capacity() {
            return Some(next);
        }
        if next - meta.capacity() >= OVERSHOOT_LIMIT {
            self.clamp_to_end(meta);
        }
        if is_sample(next) && !meta.shards.is_empty() {
            // Contention matters at the end too, because each thread adds to the cursor before it
            // claims a vacant slot. Once shards are active, threads no longer add to it.
            self.detect_contention(meta.shards.mode);
        }
        self.steal_or_claim(meta, word)
    }

    /// Resets a cursor that is far past the end to the end.
    ///
    /// Each other thread can make the compare-exchange fail at most once by an addition, because
    /// the call that made the addition then enters this function too.
    #[cold]
    fn clamp_to_end(&self, meta: &Metadata<'_>) {
        let end = meta.capacity();
        // Relaxed, both: all values past the end are equivalent. A read-modify-write does not end a
        // release sequence of E2 or E4.
        let _ = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |raw| {
            let word = meta.shards.word(raw);
            (!word.has_pending() && word.next() >= end + OVERSHOOT_LIMIT).then(|| word.with_next(end).raw())
        });
    }

    /// Takes a slot from a shard, or a vacant slot, when none is left at the cursor. `word` is the
    /// word of a cursor at the end, and was read with Acquire. If it names a refill, that refill
    /// has been completed in the meantime.
    ///
    /// Lock-free: the search is repeated only if another thread has meanwhile retired a rest, or
    /// put back slots that its search for a run had claimed (see `vacant.rs`).
    #[inline]
    fn steal_or_claim(&self, meta: &Metadata<'_>, word: Word) -> Option<usize> {
        debug_assert!(word.next() >= meta.capacity(), "only a cursor at the end shows that shards are drained");
        let vacant = &self.runs.vacant;
        let mut changes = vacant.changes();
        loop {
            let stolen = if word.is_active() { meta.shards.steal_at_end() } else { None };
            if let Some(index) = stolen.or_else(|| vacant.claim(meta)) {
                return Some(index);
            }
            let seen = core::mem::replace(&mut changes, vacant.changes_after_search());
            if seen == changes {
                return None;
            }
        }
    }

    /// Takes a run from the cursor for a handle. `want` is called, possibly several times, with the
    /// slot at the cursor and the number of slots left there, which is not 0. It returns how many
    /// of them to take. The request is refused if no slot is left or if `want` returns 0.
    #[inline]
    pub(crate) fn advance(
        &self,
        meta: &Metadata<'_>,
        want: impl Fn(usize, usize) -> usize,
    ) -> Result<Range<usize>, Refused> {
        // Acquire: E4, pairs with the Release in `take_sharded` and `help_refill`. This thread may
        // help a pending refill, and the caller may look at shards after a refusal.
        let mut word = meta.shards.word(self.next.load(Ordering::Acquire));
        loop {
            if let Some(refill) = meta.shards.pending(word) {
                self.help_refill(&meta.shards, word, &refill);
                // Acquire: E4, as in the load above.
                word = meta.shards.word(self.next.load(Ordering::Acquire));
                continue;
            }
            let start = word.next();
            let left = meta.capacity().saturating_sub(start);
            let len = if left == 0 { 0 } else { want(start, left) };
            debug_assert!(len <= left);
            if len == 0 {
                return Err(Refused { left, word });
            }
            let moved = word.with_next(start + len).raw();
            // Acquire: E2, pairs with the Release in `retract` and `return_fast`. The slots may
            // have had an owner before. Acquire on failure: E4, as in the load above.
            match self.next.compare_exchange_weak(word.raw(), moved, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Ok(start..start + len),
                Err(now) => {
                    if now != word.raw() {
                        self.note_failed_exchange(meta.shards.mode, meta.shards.is_empty());
                    }
                    word = meta.shards.word(now);
                }
            }
        }
    }

    /// Takes a run of `len` slots on the fast path and returns the first slot. The run comes from
    /// the cursor or, if shards are active, from the shard of this thread. `end` is the capacity.
    /// The error is `true` if another thread made the exchange on the cursor fail, which is a sign
    /// of contention.
    #[inline]
    pub(crate) fn take_run_fast<'l>(
        &self,
        end: usize,
        mode: &ShardMode,
        shards: impl FnOnce() -> &'l [Shard],
        len: usize,
    ) -> Result<usize, bool> {
        if mode.is_active() {
            return shards::take_fast(shards(), len).ok_or(false);
        }
        // Relaxed: a guess that the exchange confirms.
        let start = self.next.load(Ordering::Relaxed);
        // If shards are active or a refill is pending, the word is far larger than the end, so the
        // request takes the slow path.
        if start > end || len > end - start {
            return Err(false);
        }
        // Acquire: E2, pairs with the Release in `retract` and `return_fast`. The slots may have
        // had an owner before. Relaxed on failure: the value is only compared.
        let taken = self.next.compare_exchange_weak(start, start + len, Ordering::Acquire, Ordering::Relaxed);
        taken.map_err(|now| now != start)
    }

    /// Takes a run on the slow path and returns the first slot. `contended` is the error of
    /// [`take_run_fast`](Self::take_run_fast). The error of this method is the number of slots left
    /// at the cursor.
    pub(crate) fn take_run_slow(&self, meta: &Metadata<'_>, len: usize, contended: bool) -> Result<usize, usize> {
        if contended {
            self.note_failed_exchange(meta.shards.mode, meta.shards.is_empty());
        }
        self.take_sharded(meta, len).or_else(|refused| {
            let claimed = self.runs.vacant.claim_run(meta, len, self.bound(meta));
            claimed.map(|run| run.start).ok_or(refused.left)
        })
    }

    /// Takes a run of `len` slots. If there is no such run, takes all slots that are left at the
    /// cursor or, if none is left there, one slot from any place. Returns `None` if no slot is
    /// free. `len` is at least 2. `contended` is the error of
    /// [`take_run_fast`](Self::take_run_fast).
    pub(crate) fn take_up_to(&self, meta: &Metadata<'_>, len: usize, contended: bool) -> Option<Range<usize>> {
        if contended {
            self.note_failed_exchange(meta.shards.mode, meta.shards.is_empty());
        }
        loop {
            let refused = match self.take_sharded(meta, len) {
                Ok(start) => return Some(start..start + len),
                Err(refused) => refused,
            };
            if let Some(run) = self.runs.vacant.claim_run(meta, len, self.bound(meta)) {
                return Some(run);
            }
            let Refused { left, word } = refused;
            if left == 0 {
                return self.steal_or_claim(meta, word).map(|index| index..index + 1);
            }
            let (start, end) = (word.next(), word.next() + left);
            // Acquire: E2, as in `advance`. Relaxed on failure: the value is not used.
            let taken =
                self.next.compare_exchange(word.raw(), word.with_next(end).raw(), Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                return Some(start..end);
            }
        }
    }

    /// Claims a vacant slot. Used by callers that prefer vacant slots to the slots at the cursor.
    /// Returns `None` if the search finds none.
    #[cfg(feature = "pool")]
    pub(crate) fn claim_vacant(&self, meta: &Metadata<'_>) -> Option<usize> {
        self.runs.vacant.claim(meta)
    }

    /// Notes that the slots from `start` up to `written`, if any, may have been written to. Usually
    /// called before a run that starts at `start` is returned.
    #[inline]
    pub(crate) fn note_written(&self, start: usize, written: usize) {
        // Relaxed, both: the bound matters only under exclusive access. The load avoids a
        // read-modify-write that would change nothing. The bound is also raised for a run that
        // becomes vacant, because its next owner may return it at the cursor without having written
        // to it.
        if written > start && self.runs.written.load(Ordering::Relaxed) < written {
            self.runs.written.fetch_max(written, Ordering::Relaxed);
        }
    }

    /// Returns a run on the fast path: to the cursor if the run ends there or, if shards are
    /// active, to the shard of this thread if its rest starts where the run ends. The caller owns
    /// the run, which is not empty and has no stamps. Returns whether the run was returned.
    #[inline]
    pub(crate) fn return_fast<'l>(
        &self,
        mode: &ShardMode,
        shards: impl FnOnce() -> &'l [Shard],
        run: &Range<usize>,
    ) -> bool {
        if mode.is_active() {
            return shards::own(shards()).is_some_and(|shard| shard.extend_down(run));
        }
        // Release: E2, as in `retract`. Relaxed on failure: the value is not used.
        self.next.compare_exchange(run.end, run.start, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Returns a run on the slow path: to the cursor, to the shard of this thread, or as vacant
    /// slots. The caller owns the run, which is not empty and has no stamps.
    pub(crate) fn return_slow(&self, meta: &Metadata<'_>, run: Range<usize>) {
        let own = shards::own(meta.shards.as_slice());
        if !self.retract(meta, &run) && !own.is_some_and(|shard| shard.extend_down(&run)) {
            self.runs.vacant.add(meta, run);
        }
    }

    /// Retracts the cursor from the end of a run that the caller owns to its start. Does nothing if
    /// the cursor is elsewhere or shards are active. Returns whether the cursor was retracted.
    fn retract(&self, meta: &Metadata<'_>, run: &Range<usize>) -> bool {
        let mut next = run.end;
        // Release: E2, pairs with the Acquire in `take_fast`, `take_run_fast`, `advance`,
        // `extend_run`, `take_sharded` and `take_up_to`. The caller's accesses happen before those
        // of the next owner. Relaxed on failure: a guess that the next exchange confirms.
        while let Err(now) = self.next.compare_exchange(next, run.start, Ordering::Release, Ordering::Relaxed) {
            // A cursor past the end is equivalent to one at the end.
            if meta.shards.word(now).is_active() || now.min(meta.capacity()) != run.end {
                return false;
            }
            next = now;
        }
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::clock::Clock;
    use crate::raw::shards::Shards;
    use crate::raw::stamps::{Stamp, Stamps};
    use crate::raw::summary::Summary;
    use crate::raw::sync::AtomicMut;

    static MODE: ShardMode = ShardMode::new();

    fn metadata<'a>(bytes: &'a [Stamp], clock: &'a Clock) -> Metadata<'a> {
        let stamps = Stamps::new(bytes, clock);
        let shards = Shards::new(&[], &MODE, bytes.len(), 1);
        Metadata { stamps, summary: Summary::new(&[], stamps.epoch()), shards }
    }

    fn take_one(cursor: &Cursor, meta: &Metadata<'_>) -> Option<usize> {
        match cursor.take_fast(meta.capacity(), &MODE, || &[]) {
            FastPath::Taken(index) | FastPath::Sampled(index) => Some(index),
            FastPath::Full => None,
            FastPath::Slow(word) => cursor.take_slow(meta, word),
        }
    }

    fn take_run(cursor: &Cursor, meta: &Metadata<'_>, len: usize) -> Result<usize, usize> {
        let fast = cursor.take_run_fast(meta.capacity(), &MODE, || &[], len);
        fast.or_else(|contended| cursor.take_run_slow(meta, len, contended))
    }

    fn return_run(cursor: &Cursor, meta: &Metadata<'_>, run: Range<usize>, written: usize) {
        cursor.note_written(run.start, written);
        if !cursor.return_fast(&MODE, || &[], &run) {
            cursor.return_slow(meta, run);
        }
    }

    #[test]
    fn the_cursor_stays_near_the_end() {
        let (bytes, clock) = ([const { Stamp::new() }; 2], Clock::new());
        let (meta, mut cursor) = (&metadata(&bytes, &clock), Cursor::new());
        assert_eq!((take_one(&cursor, meta), take_one(&cursor, meta)), (Some(0), Some(1)));
        for _ in 0..3 * OVERSHOOT_LIMIT {
            assert_eq!(take_one(&cursor, meta), None);
            assert!((2..=2 + OVERSHOOT_LIMIT).contains(&cursor.next.read_mut()));
        }
        assert_eq!((cursor.bound(meta), cursor.count(meta)), (2, 2));
        return_run(&cursor, meta, 1..2, 1);
        assert_eq!((take_one(&cursor, meta), take_one(&cursor, meta)), (Some(1), None));
    }

    /// If a refill were cleared before its run was installed, a thread that then searches the
    /// shards could miss the run.
    #[cfg(all(feature = "std", target_pointer_width = "64"))]
    #[test]
    fn a_cursor_that_names_a_refill_is_not_reset() {
        let (bytes, clock) = ([const { Stamp::new() }; 2], Clock::new());
        let lines = [const { shards::Shard::new() }; shards::SHARDS];
        let meta = Metadata { shards: Shards::new(&lines, &MODE, 2, 1), ..metadata(&bytes, &clock) };
        let (word, _) = meta.shards.begin_refill(meta.shards.word(0), 0, 1..2);
        let (begun, mut cursor) = (word.raw() + OVERSHOOT_LIMIT, Cursor::new());
        cursor.next.write_mut(begun);
        cursor.clamp_to_end(&meta);
        assert_eq!(cursor.next.read_mut(), begun);
        cursor.next.write_mut(word.with_next(2 + OVERSHOOT_LIMIT).raw());
        cursor.clamp_to_end(&meta);
        assert_eq!(meta.shards.word(cursor.next.read_mut()), word.with_next(2));
    }

    #[test]
    fn a_return_raises_the_bound_on_written_slots() {
        let (bytes, clock) = ([const { Stamp::new() }; 8], Clock::new());
        let (meta, cursor) = (&metadata(&bytes, &clock), Cursor::new());
        assert!(take_run(&cursor, meta, 8).is_ok());
        for (run, written, bound) in [(5..8, 5, 0), (4..5, 5, 5), (1..3, 2, 5)] {
            return_run(&cursor, meta, run, written);
            assert_eq!(cursor.written(), bound);
        }
    }

    #[test]
    fn vacant_slots_side_by_side_serve_a_run_when_the_cursor_cannot() {
        let (bytes, clock) = ([const { Stamp::new() }; 8], Clock::new());
        let (meta, cursor) = (&metadata(&bytes, &clock), Cursor::new());
        assert!(take_run(&cursor, meta, 8).is_ok());
        for index in [1, 2, 4, 5, 6] {
            return_run(&cursor, meta, index..index + 1, index);
        }
        assert_eq!(take_run(&cursor, meta, 4), Err(0));
        assert_eq!(take_run(&cursor, meta, 3), Ok(4));
        assert_eq!(cursor.take_up_to(meta, 3, false), Some(1..2));
        assert_eq!(take_run(&cursor, meta, 2), Err(0));
        assert_eq!(cursor.take_up_to(meta, 2, false), Some(2..3));
        assert_eq!(cursor.take_up_to(meta, 2, false), None);
    }
}
