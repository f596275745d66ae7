//! Who gets which slots. Knows no values: only numbers of slots, and their stamps.
//!
//! The cursor parts the slots that were handed out (below) from those that never were in this epoch (at and above).
//! One slot is taken by adding one, a run by a compare-and-swap that moves only when the run fits. What comes back
//! lowers the cursor if it ends there, and is marked vacant otherwise; vacant slots are handed out one by one when
//! the cursor has reached the end. When threads fight for the cursor, single slots come from shards (`shards.rs`).
//!
//! # Why a slot never has two owners
//!
//! *At or above the cursor no slot has an owner.* Every step keeps that:
//!
//! - Adding one below the end gives the slot at the cursor to whoever added, and to nobody else. So does the exchange
//!   that takes a run, for slots that were at or above the cursor.
//! - Adding one at or past the end gives nothing, and is not taken back. A cursor past the end says the same as one at
//!   the end: every slot is below it. Where it stands beyond there nobody asks, but that it must not wrap: who finds it
//!   far past the end sets it back to the end.
//! - A give-back swaps the end of its run for its start; a run that ends at the end of the arena goes back from wherever
//!   past it the cursor stands. That the cursor may have moved and come back meanwhile (ABA) hurts nothing: whatever
//!   happened, it says now that nothing above the run has an owner, and the run itself was the caller's all the time.
//!   Nobody has a one to take back, which would lower the cursor after that, onto a slot that has an owner.
//! - A vacant slot is below the cursor, and its stamp passes from one owner to the next by a compare-and-swap.
//! - Under `&mut` of the arena the cursor is lowered over slots that are vacant, raised over slots that were just filled,
//!   and set to 0 when the epoch ends, which takes every slot from its owner.
//!
//! # Orderings
//!
//! - `E2 give back -> hand out`, at the cursor: the compare-and-swap in `retract` (Release) after the last access of the old
//!   owner; the addition in [`Cursor::take_fast`] and the compare-and-swap in `try_take_run` (Acquire) before the first of
//!   the new one. Between them stand only read-modify-writes of the cursor, whoever makes them, so the release sequence is
//!   never broken. (The other halves of E2 are in `stamp.rs` and `shards.rs`, and E3 and E4 there.)
//!
//! All else is Relaxed: the counts lead nobody to a value.

#![forbid(unsafe_code)]

use core::ops::Range;

use crate::raw::shards::{self, Shard, ShardMode, Shards};
use crate::raw::stamps::Stamps;
use crate::raw::sync::{AtomicUsize, CachePadded, Ordering, const_fn};

/// How far past the end the cursor may stand before it is set back. Any number will do that leaves room above the capacity
/// for it and for every thread (the stamps alone bound the capacity to `isize::MAX`), and is seldom reached.
const OVERSHOOT_LIMIT: usize = if cfg!(all(test, loom)) { 1 } else { 1 << 16 };

/// How often it is noted which thread takes a single slot from the cursor: once in so many.
pub(super) const SAMPLE_INTERVAL: usize = 64;

/// Where the count of handles stops counting, so that it never wraps.
const MAX_HANDLES: usize = usize::MAX / 2 + 1;

/// The shared state of an arena beside its stamps.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The slot that is handed out next. At or past the end there is none. Beside it, where there are shards, a run that
    /// is in transit to one (see `shards.rs`).
    ///
    /// Invariant: no slot at or above it has an owner or a stamp of this epoch.
    pub(super) next: CachePadded<AtomicUsize>,
    /// What changes with runs, not with values; on a line apart from `next`.
    pub(super) runs: CachePadded<RunState>,
}

/// What became of taking a slot the simple way.
pub(crate) enum FastPath {
    Taken(usize),
    /// There is none.
    Full,
    /// Ask [`Cursor::take_slow`], and tell it this.
    Slow(Option<usize>),
}

#[derive(Debug)]
pub(super) struct RunState {
    /// Vacant slots: counted before they are marked, and claimed before they are uncounted.
    ///
    /// Invariant: at least the number of slots that are marked vacant; under `&mut` of the arena equal to it.
    pub(super) vacant: AtomicUsize,
    /// Where the search for a vacant slot begins. Any slot will do; the last that was vacated is a good guess.
    pub(super) search_start: AtomicUsize,
    /// Handles that have, or may have, an open run. Not zero under `&mut` of the arena: one was leaked.
    pub(super) open_handles: AtomicUsize,
    /// No slot at or above both it and the cursor was written since the slots were last zeroed.
    pub(super) written: AtomicUsize,
    /// Who took a slot whose number is a multiple of `SAMPLE_INTERVAL`, the last time; and how often in a row that was another
    /// than the time before.
    pub(super) last_sample: AtomicUsize,
}

impl Cursor {
    const_fn! {
        pub(crate) fn new() -> Self {
            Cursor {
                next: CachePadded(AtomicUsize::new(0)),
                runs: CachePadded(RunState {
                    vacant: AtomicUsize::new(0),
                    search_start: AtomicUsize::new(0),
                    open_handles: AtomicUsize::new(0),
                    written: AtomicUsize::new(0),
                    last_sample: AtomicUsize::new(0),
                }),
            }
        }
    }

    /// The end of what was handed out: every slot with an owner or a value is below it.
    #[inline]
    pub(crate) fn bound(&self, stamps: Stamps<'_>, shards: Shards<'_>) -> usize {
        // Relaxed: only an index; who reads a slot does so on the strength of its stamp.
        shards.next(self.next.load(Ordering::Relaxed)).min(stamps.len())
    }

    /// How many slots hold a value or have an owner. Exact when nothing else is going on.
    #[inline]
    pub(crate) fn count(&self, stamps: Stamps<'_>, shards: Shards<'_>) -> usize {
        // Relaxed: an estimate. They are not read at one instant, so their difference may never have been true, and is
        // kept from wrapping.
        let (word, vacant) = (self.next.load(Ordering::Relaxed), self.runs.vacant.load(Ordering::Relaxed));
        let in_shards = if shards.are_in_use(word) { shards.left(word) } else { 0 };
        shards.next(word).min(stamps.len()).saturating_sub(vacant + in_shards)
    }

    /// How many handles have, or may have, an open run, and the mark `written`: for who wants to know.
    pub(crate) fn handles_and_written(&self) -> (usize, usize) {
        // Relaxed, both: estimates.
        (self.runs.open_handles.load(Ordering::Relaxed), self.runs.written.load(Ordering::Relaxed))
    }

    /// Takes a slot, if it is as simple as that: from the cursor, or from this thread's shard. `end` is the capacity.
    ///
    /// At or past the end the addition stays: what each of the others then reads says the same.
    #[inline]
    pub(crate) fn take_fast<'l>(&self, end: usize, mode: &ShardMode, shards: impl FnOnce() -> &'l [Shard]) -> FastPath {
        if mode.is_active() {
            return shards::take(shards()).map_or(FastPath::Slow(None), FastPath::Taken);
        }
        // Acquire: E2, pairs with the Release in `retract`: the slot may have had an owner before. E4, pairs with the Release
        // in `refill` and `complete`: if this is the end, shards are looked at.
        let word = self.next.fetch_add(1, Ordering::Acquire);
        if word < end && word % SAMPLE_INTERVAL != 0 {
            FastPath::Taken(word)
        } else if word.wrapping_sub(end) < OVERSHOOT_LIMIT && self.has_no_vacant() {
            // Not so if the word says that shards are in use: that is far past the end.
            FastPath::Full
        } else {
            FastPath::Slow(Some(word))
        }
    }

    #[inline]
    fn has_no_vacant(&self) -> bool {
        // Relaxed: whoever knows that a give-back is done is ordered after its count (coherence); the slot itself is
        // handed over by its stamp.
        self.runs.vacant.load(Ordering::Relaxed) == 0
    }

    /// Takes a slot, `None` when there is none. `word` is what the cursor was, if one was added to it.
    pub(crate) fn take_slow(&self, stamps: Stamps<'_>, shards: Shards<'_>, word: Option<usize>) -> Option<usize> {
        match word {
            None => self.refill(stamps, shards),
            Some(word) if word < stamps.len() => {
                self.detect_contention(shards);
                Some(word)
            }
            Some(word) => self.take_at_end(stamps, shards, word),
        }
    }

    fn take_at_end(&self, stamps: Stamps<'_>, shards: Shards<'_>, word: usize) -> Option<usize> {
        if let Some(refill) = shards.pending(word) {
            self.help_refill(shards, word, &refill);
        }
        let next = shards.next(word);
        if next < stamps.len() {
            return Some(next);
        }
        if next - stamps.len() >= OVERSHOOT_LIMIT {
            self.clamp_to_end(stamps, shards);
        }
        self.steal_or_claim(stamps, shards, word)
    }

    /// Sets a cursor that is far past the end back to it. Each of the others can make the exchange fail once, by an
    /// addition; then it is here, too, or the cursor is no longer far.
    fn clamp_to_end(&self, stamps: Stamps<'_>, shards: Shards<'_>) {
        let end = stamps.len();
        let far = |word| shards.pending(word).is_none() && shards.next(word) >= end + OVERSHOOT_LIMIT;
        // Relaxed, both: all that is past the end says the same. A read-modify-write, so it does not end a release
        // sequence of E2 or E4.
        let _ = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| far(word).then_some(shards.at(end, word)));
    }

    /// Takes a slot where nothing is left at the cursor: from any shard, or a vacant one. `word` is that of the cursor at the
    /// end, read with Acquire; if it speaks of a run in transit, that is in its shard by now.
    pub(super) fn steal_or_claim(&self, stamps: Stamps<'_>, shards: Shards<'_>, word: usize) -> Option<usize> {
        let in_shards = if shards.are_in_use(word) { shards.take_any() } else { None };
        in_shards.or_else(|| self.claim_vacant(stamps))
    }

    /// Takes a run from the cursor. `want` is told where it would begin and how many slots are left there, which is at
    /// least one, and says how many to take; it may be asked several times. When it says 0, or nothing is left, the
    /// error is how many were, and the cursor's word.
    #[inline]
    fn try_take_run(
        &self,
        stamps: Stamps<'_>,
        shards: Shards<'_>,
        want: impl Fn(usize, usize) -> usize,
    ) -> Result<Range<usize>, (usize, usize)> {
        // Acquire, and on failure below: E4, pairs with the Release in `refill` and `complete`: a run may be in transit, and
        // who is refused may look at shards.
        let mut word = self.next.load(Ordering::Acquire);
        loop {
            if let Some(refill) = shards.pending(word) {
                self.help_refill(shards, word, &refill);
                // Acquire: as above.
                word = self.next.load(Ordering::Acquire);
                continue;
            }
            let start = shards.next(word);
            let left = stamps.len().saturating_sub(start);
            let len = if left == 0 { 0 } else { want(start, left) };
            debug_assert!(len <= left);
            if len == 0 {
                return Err((left, word));
            }
            let end = start + len;
            // Acquire: E2, pairs with the Release in `retract`: the slots may have had an owner before.
            match self.next.compare_exchange_weak(word, shards.at(end, word), Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Ok(start..end),
                Err(now) => word = now,
            }
        }
    }

    /// Takes a run of `len` slots from the cursor; the error is how many were left there.
    #[inline]
    pub(crate) fn take_run(&self, stamps: Stamps<'_>, shards: Shards<'_>, len: usize) -> Result<Range<usize>, usize> {
        let whole = |_, left| if len <= left { len } else { 0 };
        self.try_take_run(stamps, shards, whole).map_err(|(left, _)| left)
    }

    /// Takes up to `len` slots in one run from the cursor, or else one that is left over elsewhere, or none. `len` is told
    /// where the run would begin and how many slots are left there, which is at least one, and says how many to take, at
    /// least one; it may be asked several times.
    #[inline]
    pub(crate) fn take_up_to(
        &self,
        stamps: Stamps<'_>,
        shards: Shards<'_>,
        len: impl Fn(usize, usize) -> usize,
    ) -> Option<Range<usize>> {
        self.try_take_run(stamps, shards, len)
            .or_else(|(_, word)| self.steal_or_claim(stamps, shards, word).map(|index| index..index + 1).ok_or(()))
            .ok()
    }

    /// Takes a vacant slot, `None` when each was seen taken.
    ///
    /// Looks at every slot once: one that was vacant when the search began, and is not when its turn comes, was taken
    /// by another. So it is linear in the capacity while the count is not zero; runs that come back and are handed out
    /// in order amortise it, since the search begins where the last one was found.
    pub(crate) fn claim_vacant(&self, stamps: Stamps<'_>) -> Option<usize> {
        if self.has_no_vacant() {
            return None;
        }
        // Relaxed: a guess.
        let start = self.runs.search_start.load(Ordering::Relaxed);
        let index = (start..stamps.len()).chain(0..start).find(|&index| stamps.claim_vacant(index))?;
        // Relaxed, both: a guess, and a count. The Acquire of the claim orders it after the count's addition.
        self.runs.search_start.store(index, Ordering::Relaxed);
        self.runs.vacant.fetch_sub(1, Ordering::Relaxed);
        Some(index)
    }

    /// Gives back a run that the caller owns, without stamps. Its slots below `written` may have been written to.
    pub(crate) fn give_back(&self, stamps: Stamps<'_>, shards: Shards<'_>, run: Range<usize>, written: usize) {
        if run.is_empty() {
            return;
        }
        if written > run.start {
            // Relaxed: read by who has `&mut` of the arena. Also for a run that becomes vacant: the next owner of one of
            // its slots may give it back by the cursor without having written to it.
            self.runs.written.fetch_max(written, Ordering::Relaxed);
        }
        if !self.retract(stamps, shards, run.clone()) {
            self.vacate(stamps, run);
        }
    }

    /// Lowers the cursor from the end of a run that the caller owns to its start, unless it stands elsewhere, or shards are
    /// in use.
    #[inline]
    fn retract(&self, stamps: Stamps<'_>, shards: Shards<'_>, run: Range<usize>) -> bool {
        let mut next = run.end;
        // Release: E2, pairs with the Acquire in `take_fast`, `try_take_run` and `refill`: our accesses come before those of
        // the next owner. Relaxed on failure: a number.
        while let Err(now) = self.next.compare_exchange(next, run.start, Ordering::Release, Ordering::Relaxed) {
            // History the end is as good as at it.
            if shards.are_in_use(now) || now.min(stamps.len()) != run.end {
                return false;
            }
            next = now;
        }
        true
    }

    #[cold]
    fn vacate(&self, stamps: Stamps<'_>, run: Range<usize>) {
        // Relaxed, both: see `claim_vacant`.
        self.runs.vacant.fetch_add(run.len(), Ordering::Relaxed);
        self.runs.search_start.store(run.start, Ordering::Relaxed);
        for index in run {
            stamps.mark_vacant(index);
        }
    }

    /// Announces a handle that will have an open run; until [`handle_closed`](Self::handle_closed) it may be leaked.
    #[inline]
    pub(crate) fn handle_opened(&self) {
        // Relaxed: read by who has `&mut` of the arena.
        if self.runs.open_handles.fetch_add(1, Ordering::Relaxed) >= MAX_HANDLES {
            // Relaxed: as above. Only leaked handles can be so many. Then the count stays up here: those alive take at
            // least a byte of memory each, so they cannot bring it down to zero.
            self.runs.open_handles.store(MAX_HANDLES, Ordering::Relaxed);
        }
    }

    /// The handle has no open run any more and never will.
    #[inline]
    pub(crate) fn handle_closed(&self) {
        // Relaxed: as above.
        self.runs.open_handles.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::clock::Clock;
    use crate::raw::stamps::Stamp;
    use crate::raw::sync::AtomicMut;

    fn take_one(cursor: &Cursor, stamps: Stamps<'_>) -> Option<usize> {
        match cursor.take_fast(stamps.len(), none().mode, || &[]) {
            FastPath::Taken(index) => Some(index),
            FastPath::Full => None,
            FastPath::Slow(word) => cursor.take_slow(stamps, none(), word),
        }
    }

    fn none() -> Shards<'static> {
        static HINT: ShardMode = ShardMode::new();
        Shards::new(&[], &HINT, 0, 1)
    }

    #[test]
    fn the_cursor_stays_near_the_end() {
        let (bytes, clock) = ([const { Stamp::new() }; 2], Clock::new());
        let (stamps, mut cursor) = (Stamps::new(&bytes, &clock), Cursor::new());
        assert_eq!((take_one(&cursor, stamps), take_one(&cursor, stamps)), (Some(0), Some(1)));
        for _ in 0..3 * OVERSHOOT_LIMIT {
            assert_eq!(take_one(&cursor, stamps), None);
            assert!((2..=2 + OVERSHOOT_LIMIT).contains(&cursor.next.read_mut()));
        }
        assert_eq!((cursor.bound(stamps, none()), cursor.count(stamps, none())), (2, 2));
        cursor.give_back(stamps, none(), 1..2, 1);
        assert_eq!((take_one(&cursor, stamps), take_one(&cursor, stamps)), (Some(1), None));
    }

    #[test]
    fn a_handle_that_was_closed_is_not_taken_for_leaked() {
        let mut cursor = Cursor::new();
        cursor.handle_opened();
        cursor.handle_opened();
        cursor.handle_closed();
        assert_eq!(cursor.runs.open_handles.read_mut(), 1);
        cursor.handle_closed();
        assert_eq!(cursor.runs.open_handles.read_mut(), 0);
    }

    #[test]
    fn the_count_of_leaked_handles_does_not_wrap() {
        let mut cursor = Cursor::new();
        cursor.runs.open_handles.write_mut(MAX_HANDLES - 1);
        for _ in 0..3 {
            cursor.handle_opened();
            assert_eq!(cursor.runs.open_handles.read_mut(), MAX_HANDLES);
        }
    }

    #[test]
    fn what_goes_back_raises_the_mark_to_where_it_was_written_to() {
        let (bytes, clock) = ([const { Stamp::new() }; 8], Clock::new());
        let (stamps, mut cursor) = (Stamps::new(&bytes, &clock), Cursor::new());
        cursor.advance_mut(8);
        for (run, written, mark) in [(5..8, 5, 0), (4..5, 5, 5), (1..3, 2, 5)] {
            cursor.give_back(stamps, none(), run, written);
            assert_eq!(cursor.runs.written.read_mut(), mark);
        }
    }
}
