//! Shards: runs of slots from which any thread can take, for threads that would contend for the
//! cursor.
//!
//! A shard holds the *rest* of one run. Each thread takes from a shard of its own, as far as there
//! are enough shards, and advances the cursor only when its shard cannot serve the request. What no
//! thread has taken belongs to nobody: a thread that finds the cursor at the end steals from any
//! shard.
//!
//! # Why every free slot can be found
//!
//! A run passes from the cursor into a shard by two exchanges. Between them the refill is
//! *pending*, and the cursor's own word says so: beside the next slot it names the shard and where
//! the run starts (its end follows). A thread that reads a pending refill *helps*: it installs the
//! run in its shard before it goes on. So at every moment each free slot is at or above the cursor,
//! in a pending refill, in a shard, or vacant, and a request for one slot looks in each of these
//! places.
//!
//! # Why no run is lost or installed twice
//!
//! While shards are active, which a bit of the cursor's word says, **the cursor is never
//! retracted**. What is returned extends a shard or becomes vacant. Hence no word below the end,
//! and no word with a pending refill, occurs twice. A delayed exchange that expects one of them
//! fails.
//!
//! **The end of a shard never decreases.** Taking moves its start up. A returned run moves its
//! start down, and only if the shard is not used up. Installing moves its end up. Hence the word of
//! a used-up shard does not recur either, once a run was installed. (The word of a shard with slots
//! may recur. This is harmless: taking from it is right whenever the word is what the exchange
//! expects, because the word says all there is to know of the shard.)
//!
//! - A refill is begun only for a shard that was used up, or whose rest ended at the cursor,
//!   *after* the cursor was read. If a run had been installed since, the cursor would have moved,
//!   and the exchange that begins the refill would fail. A used-up shard stays used up until the
//!   refill is installed, because a return does not extend it. A rest that ends at the cursor keeps
//!   its end.
//! - A run is installed if the shard is used up and its last run ended below the end of this one,
//!   or if its rest ends where the run starts. Otherwise another thread has installed it, since
//!   ends only increase.
//! - The exchange that clears a pending refill from the cursor names that refill, whose word does
//!   not recur.
//!
//! A thread that begins or helps a refill returns only after the cursor no longer names it. Hence
//! no refill is pending under exclusive access.
//!
//! # Orderings
//!
//! - `E2 return → reuse`, through a shard: [`Shard::extend_down`] (Release), or the Release of a
//!   return to the cursor and the Acquire of the thread that advances it or meets the pending
//!   refill, followed by E3.
//! - `E3 install → take`: [`Shard::install`] (Release) after the cursor was read; [`Shard::take`]
//!   and [`Shard::retire`] (Acquire) before the new owner's first access. Between them stand only
//!   read-modify-writes of the shard's word.
//! - `E4 advance → look`, in `cursor.rs` and `refill.rs`: a thread that finds the cursor at the end
//!   must find the shards as they were when it got there. A thread that finds a pending refill must
//!   find the shard as the thread saw it that began the refill. The exchanges that begin a refill
//!   and that clear it are Release. The load of the cursor before shards are looked at is Acquire.

#![forbid(unsafe_code)]

use core::ops::Range;

use super::sync::{AtomicBool, AtomicMut, AtomicUsize, CachePadded, Ordering, const_fn};
use super::thread_id::{EXCLUSIVE_IDS, FORCED, TINY, thread_id};
use super::word::{MAX_PACKED_CAPACITY, MAX_SHARDS, Word};

/// The number of shards of an arena that has any: one for each exclusive thread number.
pub(crate) const SHARDS: usize = EXCLUSIVE_IDS;

/// The longest run of a refill, in bytes and in slots.
const RUN_BYTES: usize = if cfg!(all(test, loom)) { 8 } else { 64 << 10 };
const MAX_RUN: usize = if cfg!(shards = "forced") {
    2
} else if TINY {
    8
} else {
    8 << 10
};

/// A refill takes at most this fraction of what is left at the cursor, and at least one slot. A
/// larger part in a small arena, where runs would be so short that refills would contend.
const RUN_FRACTION: usize = if TINY { 1 } else { SHARDS };
const SMALL_RUN_FRACTION: usize = if TINY { 1 } else { 8 };

/// Below this capacity an arena is small.
pub(crate) const SMALL_CAPACITY: usize = 16 << 10;

/// The smallest capacity with shards and a summary. They take 4 KiB, and the runs of a smaller
/// arena would be short.
pub(crate) const MIN_CAPACITY: usize = 2 << 10;

/// The word of a shard, from the lowest bit on: how many slots are left; the first of them, or the
/// end of the last run.
const LEN_BITS: u32 = 16;
const MAX_LEN: usize = (1 << LEN_BITS) - 1;

/// A return extends a rest up to this length, so that the next refill still fits in the word.
const MAX_EXTENDED: usize = MAX_LEN / 2;

const _: () = assert!(SHARDS <= MAX_SHARDS && MAX_RUN + MAX_EXTENDED <= MAX_LEN);

/// Whether the cursor's word has room for a pending refill in an arena of that capacity.
pub(crate) const fn can_have_shards(capacity: usize) -> bool {
    capacity <= MAX_PACKED_CAPACITY
}

/// The cache line of a shard. All bits zero is a new one.
#[derive(Debug)]
pub(crate) struct Shard(CachePadded<ShardState>);

#[derive(Debug)]
struct ShardState {
    /// The rest of the last run that was installed.
    rest: AtomicUsize,
    /// A stripe of the count of open handles. Written only by the thread whose exclusive number is
    /// that of this shard.
    handles: AtomicUsize,
    /// Where searches for a vacant slot start. Any slot will do. The last one that was returned is
    /// a good guess.
    search_start: AtomicUsize,
}

impl Shard {
    const_fn! {
        #[cfg(test)]
        pub(crate) fn new() -> Self {
            Shard(CachePadded(ShardState {
                rest: AtomicUsize::new(0),
                handles: AtomicUsize::new(0),
                search_start: AtomicUsize::new(0),
            }))
        }
    }

    /// Takes `n` slots, at least one, and returns the first. Returns `None` if fewer are left.
    #[inline]
    pub(crate) fn take(&self, n: usize) -> Option<usize> {
        // Relaxed, and on failure: a guess that the exchange confirms. If too few are left, E4 says
        // how recent that is.
        let mut word = self.0.rest.load(Ordering::Relaxed);
        while word & MAX_LEN >= n {
            // The start moves up by `n`, and `n` fewer are left.
            let rest = word + (n << LEN_BITS) - n;
            // Acquire: E3, pairs with the Release in `install`. E2, pairs with the Release in
            // `extend_down`.
            match self.0.rest.compare_exchange_weak(word, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(word >> LEN_BITS),
                Err(now) => word = now,
            }
        }
        None
    }

    #[inline]
    fn unpack(word: usize) -> Range<usize> {
        let start = word >> LEN_BITS;
        start..start + (word & MAX_LEN)
    }

    #[inline]
    fn pack(rest: &Range<usize>) -> usize {
        debug_assert!(rest.len() <= MAX_LEN);
        rest.start << LEN_BITS | rest.len()
    }

    /// The slots that are left. If none is, an empty range at the end of the last run.
    #[inline]
    pub(crate) fn rest(&self) -> Range<usize> {
        // Relaxed: an estimate, or a guess that an exchange confirms.
        Self::unpack(self.0.rest.load(Ordering::Relaxed))
    }

    /// Takes all slots that are left, if they are still these.
    pub(crate) fn retire(&self, rest: &Range<usize>) -> bool {
        let used_up = rest.end..rest.end;
        // Acquire: E3 and E2, as in `take`. Relaxed on failure: read anew.
        let (from, to) = (Self::pack(rest), Self::pack(&used_up));
        self.0.rest.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Installs the run of a pending refill of this shard, unless another thread has done so.
    pub(crate) fn install(&self, run: &Range<usize>) {
        // Relaxed, and on failure: at least as recent as what the thread saw that began the refill.
        // That thread began it with a Release, which the caller has acquired.
        let mut word = self.0.rest.load(Ordering::Relaxed);
        loop {
            let rest = Self::unpack(word);
            let start = if rest.end >= run.end {
                return;
            } else if rest.is_empty() {
                run.start
            } else {
                debug_assert_eq!(rest.end, run.start, "a refill is begun for a rest only if that ends at the cursor");
                rest.start
            };
            let installed = Self::pack(&(start..run.end));
            // Release: E3, pairs with the Acquire in `take`.
            match self.0.rest.compare_exchange(word, installed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Puts a run that the caller owns in front of the rest, if it ends where the rest starts and
    /// the shard is not used up.
    #[inline]
    pub(crate) fn extend_down(&self, run: &Range<usize>) -> bool {
        // Relaxed, and on failure: a guess that the exchange confirms.
        let mut word = self.0.rest.load(Ordering::Relaxed);
        loop {
            let rest = Self::unpack(word);
            // Not a used-up shard: a refill that was begun for it would find it neither used up nor
            // with its end.
            if rest.is_empty() || rest.start != run.end || rest.len() + run.len() > MAX_EXTENDED {
                return false;
            }
            let extended = Self::pack(&(run.start..rest.end));
            // Release: E2, pairs with the Acquire in `take`: the caller's accesses happen before
            // those of the next owner.
            match self.0.rest.compare_exchange_weak(word, extended, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Takes all slots that are left. The shard is then like a new one.
    pub(crate) fn close_mut(&mut self) -> Range<usize> {
        let rest = Self::unpack(self.0.rest.read_mut());
        self.0.rest.write_mut(0);
        rest
    }

    #[inline]
    pub(crate) fn handles(&self) -> &AtomicUsize {
        &self.0.handles
    }

    pub(crate) fn handles_mut(&mut self) -> &mut AtomicUsize {
        &mut self.0.handles
    }

    #[inline]
    pub(crate) fn search_start(&self) -> &AtomicUsize {
        &self.0.search_start
    }
}

/// Whether shards serve requests. Lies apart from the cursor, so that a thread with a shard need
/// not read the cursor.
#[derive(Debug)]
pub(crate) struct ShardMode {
    /// Set when contention is detected, and cleared under exclusive access. A hint: to take a slot
    /// from the cursor or from a shard is always right. Where it is not set under exclusive access,
    /// every shard is used up.
    active: AtomicBool,
    /// Not 0 if shards were active in this epoch or in the one before. Contention is then detected
    /// sooner.
    recently_active: u8,
    /// Whether the cursor is at the end and every shard was found used up after that. No refill is
    /// begun any more, and a used-up shard is not extended. So every shard stays used up until the
    /// next exclusive access.
    drained: AtomicBool,
    /// Whether every request is served by the cursor, although the arena may have shards.
    disabled: bool,
}

impl ShardMode {
    const_fn! {
        pub(crate) fn new() -> Self {
            ShardMode { active: AtomicBool::new(false), recently_active: 0, drained: AtomicBool::new(false), disabled: false }
        }
    }

    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        // Relaxed: a hint.
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn activate(&self) {
        // Relaxed: a hint.
        self.active.store(true, Ordering::Relaxed);
    }

    pub(crate) fn was_active(&self) -> bool {
        self.recently_active != 0
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// From now on every request is served by the cursor.
    pub(crate) fn disable(&mut self) {
        self.active.write_mut(false);
        self.disabled = true;
    }

    /// Forgets that there was contention, and returns whether there was. Where shards are forced
    /// they stay active.
    pub(crate) fn deactivate(&mut self, has_shards: bool) -> bool {
        let was = self.active.read_mut();
        if was {
            self.recently_active = 2;
        }
        self.active.write_mut(FORCED && has_shards && !self.disabled);
        self.drained.write_mut(false);
        was
    }

    /// Does the same at the end of an epoch.
    pub(crate) fn end_epoch(&mut self, has_shards: bool) -> bool {
        self.recently_active = self.recently_active.saturating_sub(1);
        self.deactivate(has_shards)
    }
}

/// The shard of this thread, if there are shards.
#[inline]
pub(crate) fn own(shards: &[Shard]) -> Option<&Shard> {
    shards.get(own_index())
}

/// Takes `n` slots from the shard of this thread.
#[inline]
pub(crate) fn take(shards: &[Shard], n: usize) -> Option<usize> {
    own(shards)?.take(n)
}

/// The shard of this thread, if no other living thread has the same number.
#[inline]
pub(crate) fn exclusive(shards: &[Shard]) -> Option<&Shard> {
    shards.get(thread_id())
}

/// The index of the shard of this thread.
#[inline]
pub(crate) fn own_index() -> usize {
    thread_id() % SHARDS
}

/// A pending refill: the shard that it is for, and the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingRefill {
    shard: usize,
    run: Range<usize>,
}

/// The shards of an arena, `SHARDS` or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shards<'a> {
    shards: &'a [Shard],
    pub(crate) mode: &'a ShardMode,
    /// The number of slots of the arena.
    capacity: usize,
    /// The longest run. The same at every call, because it decides where the run of a pending
    /// refill ends.
    longest: usize,
}

impl<'a> Shards<'a> {
    /// `slot_size` is in bytes.
    #[inline]
    pub(crate) fn new(shards: &'a [Shard], mode: &'a ShardMode, capacity: usize, slot_size: usize) -> Self {
        let longest = if slot_size <= RUN_BYTES / MAX_RUN { MAX_RUN } else { RUN_BYTES.div_ceil(slot_size) };
        Shards { shards, mode, capacity, longest }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &'a [Shard] {
        self.shards
    }

    /// Whether no slot is left in any shard, if no refill is pending.
    pub(crate) fn are_used_up(&self) -> bool {
        // Relaxed: as in `steal_at_end`.
        self.mode.drained.load(Ordering::Relaxed) || self.shards.iter().all(|shard| shard.rest().is_empty())
    }

    /// The shard of this thread, if there are shards.
    #[inline]
    pub(crate) fn own(&self) -> Option<&'a Shard> {
        own(self.shards)
    }

    /// Interprets what the cursor holds.
    #[inline]
    pub(crate) fn word(&self, raw: usize) -> Word {
        Word::new(raw, !self.shards.is_empty())
    }

    /// Takes one slot from any shard. Looks at each once, at that of this thread first.
    ///
    /// The caller has read the cursor at the end with Acquire (E4), and no refill was pending or it
    /// is complete.
    #[inline]
    pub(crate) fn steal_at_end(&self) -> Option<usize> {
        // Relaxed, and the store below: once it is true it stays true, and nothing else is
        // concluded from it.
        if self.mode.drained.load(Ordering::Relaxed) {
            return None;
        }
        let (before, rest) = self.shards.split_at(own_index());
        let stolen = rest.iter().chain(before).find_map(|shard| shard.take(1));
        if stolen.is_none() {
            self.mode.drained.store(true, Ordering::Relaxed);
        }
        stolen
    }

    /// The run that a refill takes if the cursor is at `start`, below the end.
    #[inline]
    pub(crate) fn run_at(&self, start: usize) -> Range<usize> {
        let fraction = if self.capacity < SMALL_CAPACITY { SMALL_RUN_FRACTION } else { RUN_FRACTION };
        start..start + ((self.capacity - start) / fraction).clamp(1, self.longest)
    }

    /// The refill of this thread's shard with that run, and the word of a cursor that was advanced
    /// over the run.
    pub(crate) fn begin_refill(&self, word: Word, run: Range<usize>) -> (Word, PendingRefill) {
        let shard = own_index();
        (word.with_pending(shard, run.start, run.end), PendingRefill { shard, run })
    }

    /// The refill that is pending according to this word.
    #[inline]
    pub(crate) fn pending(&self, word: Word) -> Option<PendingRefill> {
        let (shard, start) = word.pending()?;
        Some(PendingRefill { shard, run: self.run_at(start) })
    }

    /// Installs a pending refill, unless another thread has done so.
    pub(crate) fn install(&self, refill: &PendingRefill) {
        self.shards[refill.shard].install(&refill.run);
    }

    /// The number of slots in shards or in a pending refill, if the cursor holds this word. Exact
    /// if no other call is in progress.
    pub(crate) fn count(&self, word: Word) -> usize {
        let pending = self.pending(word);
        let rests = self.shards.iter().map(Shard::rest).enumerate().map(|(index, rest)| match &pending {
            Some(refill) if refill.shard == index && rest.end < refill.run.end => rest.len() + refill.run.len(),
            _ => rest.len(),
        });
        rests.sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_shard_hands_out_each_slot_of_its_run_once() {
        let shard = Shard::new();
        assert_eq!(shard.take(1), None);
        shard.install(&(3..8));
        assert_eq!(
            [shard.take(1), shard.take(3), shard.take(2), shard.take(1), shard.take(1)],
            [Some(3), Some(4), None, Some(7), None]
        );
        assert_eq!(shard.rest(), 8..8);
    }

    #[test]
    fn a_run_is_installed_once() {
        let shard = Shard::new();
        shard.install(&(3..5));
        shard.install(&(3..5)); // a late helper
        assert_eq!([shard.take(1), shard.take(1)], [Some(3), Some(4)]);
        shard.install(&(3..5)); // a very late one
        assert_eq!(shard.take(1), None);
        shard.install(&(7..9));
        assert_eq!(shard.rest(), 7..9);
    }

    #[test]
    fn a_rest_that_ends_where_a_run_starts_is_extended() {
        let shard = Shard::new();
        shard.install(&(0..4));
        assert_eq!(shard.take(3), Some(0));
        shard.install(&(4..8));
        assert_eq!(shard.rest(), 3..8);
        shard.install(&(4..8)); // a late helper
        assert_eq!(shard.rest(), 3..8);
    }

    #[test]
    fn a_returned_run_extends_only_a_rest_that_it_adjoins() {
        let mut shard = Shard::new();
        shard.install(&(4..8));
        assert_eq!(shard.take(3), Some(4));
        assert!(!shard.extend_down(&(5..6)));
        assert!(shard.extend_down(&(5..7)));
        assert_eq!(shard.rest(), 5..8);
        assert_eq!(shard.take(3), Some(5));
        assert!(!shard.extend_down(&(7..8)), "the shard is used up");
        assert_eq!(shard.close_mut(), 8..8);

        let shard = Shard::new();
        shard.install(&(MAX_EXTENDED..MAX_EXTENDED + 1));
        assert!(!shard.extend_down(&(0..MAX_EXTENDED)));
        assert!(shard.extend_down(&(1..MAX_EXTENDED)));
    }

    #[test]
    fn a_rest_is_retired_as_it_was_seen() {
        let shard = Shard::new();
        shard.install(&(4..8));
        let rest = shard.rest();
        assert_eq!(shard.take(1), Some(4));
        assert!(!shard.retire(&rest));
        assert!(shard.retire(&shard.rest()));
        assert_eq!((shard.rest(), shard.take(1)), (8..8, None));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn slots_are_counted_in_shards_and_in_a_pending_refill() {
        let (shards, mode) = ([const { Shard::new() }; SHARDS], ShardMode::new());
        let shards = Shards::new(&shards, &mode, 1 << 20, 8);
        let idle = shards.word(0);
        let (word, refill) = shards.begin_refill(idle, shards.run_at(0));
        let run = refill.run.len();
        assert_eq!((shards.count(idle), shards.count(word)), (0, run));
        assert_eq!(shards.pending(word).as_ref(), Some(&refill));
        shards.install(&refill);
        assert_eq!((shards.count(word), shards.count(word.with_next(run))), (run, run));
        // A rest that ends at the cursor is extended.
        let (word, refill) = shards.begin_refill(word.with_next(run), shards.run_at(run));
        assert_eq!(shards.count(word), run + refill.run.len());
    }

    #[test]
    fn the_runs_of_refills_end_at_the_capacity() {
        let mode = ShardMode::new();
        for slot_size in [0, 1, 8, 64, RUN_BYTES, RUN_BYTES + 1, usize::MAX] {
            for capacity in [1, 2, 5, 1 << 10, 1 << 20] {
                let shards = Shards::new(&[], &mode, capacity, slot_size);
                let mut start = 0;
                while start < capacity {
                    let run = shards.run_at(start);
                    assert!(run.start == start && !run.is_empty() && run.len() <= shards.longest);
                    start = run.end;
                }
                assert_eq!(start, capacity);
            }
        }
    }
}
