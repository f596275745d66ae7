//! RunState of slots at fixed places, from which any thread takes one slot at a time: for threads that would fight for the
//! cursor. (A `Local` is one thread's, and has a handle; a shard is whoever's, and has none.)
//!
//! A shard holds the rest of one run. Each thread takes from a shard of its own, as far as there are enough, and moves
//! the cursor only when that is used up. What no thread has taken is free for all: who finds the cursor at the end
//! takes from whatever shard has something left.
//!
//! # Why no run is ever out of sight
//!
//! A run is taken from the cursor and put into a shard by two exchanges. Between them it stands in the cursor's own word:
//! beside the next slot that word says which shard the run is *in transit* to, and where it began (where it ends follows
//! from that). Whoever meets a run in transit puts it into its shard before doing what he came for. So at every instant
//! each free slot is at the cursor, in transit, in a shard, or vacant, and each of these is where everybody looks.
//!
//! # Why no run is put into a shard twice, or lost
//!
//! *Once shards are in use, which a bit of the cursor's word says, the cursor is only raised*, until somebody has `&mut` of
//! the arena. What is given back meanwhile becomes vacant: the exchange that would lower the cursor names a word without
//! the bit. (Past the end it is set back, to the end; nobody sends a run from there.) So each run lies above all that
//! went into shards before it, and neither a word of the cursor that is below the end or speaks of a run in transit, nor a
//! shard's word, is ever the same twice; whoever put off an exchange finds that it fails.
//!
//! - A thread moves the cursor for a shard that it has seen used up *after* it read the cursor. No run can have been put
//!   into the shard since, for that would have raised the cursor, and the exchange that moves it would fail.
//! - A run goes into a shard that is used up, and whose last run ended below the end of this one; if it is not so, another
//!   has put it in already.
//! - The cursor's word is cleared of a run in transit by an exchange that names the run; the same one does not come again.
//!
//! Who sent a run, or met one in transit, ends its call only when the cursor's word speaks of that run no more. So under
//! `&mut` none is in transit.
//!
//! # Orderings
//!
//! - `E2 give back -> hand out`, through a shard: the Release of a give-back; the Acquire of whoever moves the cursor, or
//!   meets the run in transit; then E3.
//! - `E3 open -> take`: [`Shard::open`] (Release) after the cursor was read; [`Shard::take`] (Acquire) before the first
//!   access of the new owner. Between them stand only read-modify-writes of the shard's word.
//! - `E4 move -> look`, in `cursor.rs`: who finds the cursor at the end has to find the shards as they were when it got
//!   there; and who finds a run in transit, the shard as the thread saw it that sent the run. The exchange that moves the
//!   cursor, and that which clears it of the run in transit (both Release); the load of the cursor before shards are looked
//!   at (Acquire).

#![forbid(unsafe_code)]

use core::ops::Range;

use crate::raw::sync::{AtomicBool, AtomicMut, AtomicUsize, CachePadded, Ordering, const_fn, thread_id};

/// Whether arenas have few shards and short runs, and use them from the first slot on: for tests.
pub(crate) const FORCED: bool = cfg!(shards = "forced");

const TINY: bool = FORCED || cfg!(all(test, loom));

/// How many shards an arena has that has any.
pub(crate) const SHARDS: usize = if TINY { 2 } else { 32 };

/// The ceiling of a run in bytes, and in slots.
const RUN_BYTES: usize = 64 << 10;
const MAX_RUN: usize = if TINY { 2 } else { 8 << 10 };

/// A run is at most this share of what is left at the cursor, and at least one slot.
const RUN_FRACTION: usize = if TINY { 1 } else { SHARDS };

/// From so many slots on an arena has shards: they weigh 4 KiB, and a run of a small arena would be a few slots.
const MIN_CAPACITY: usize = if TINY { 1 } else { 16 << 10 };

/// The word of the cursor, from the lowest bit on: the next slot; whether shards are in use; the shard that a run is in
/// transit to, and one, or 0; the lower bits of where that run begins.
const NEXT_BITS: u32 = 34;
const SHARD_BITS: u32 = 6;
const START_BITS: u32 = 64 - SHARD_SHIFT - SHARD_BITS;
const IN_USE: u64 = 1 << NEXT_BITS;
const SHARD_SHIFT: u32 = NEXT_BITS + 1;
const START_SHIFT: u32 = SHARD_SHIFT + SHARD_BITS;

/// Half of what the word has room for, so that the cursor can stand past the end.
const MAX_CAPACITY: usize = if usize::BITS == 64 { 1 << (NEXT_BITS - 1) } else { 0 };

const _: () = assert!(SHARDS < 1 << SHARD_BITS && MAX_RUN < 1 << LEFT_BITS);

/// The word of a shard, from the lowest bit on: how many slots are left; the first of them, or the end of the run.
const LEFT_BITS: u32 = 16;
const LEFT: usize = (1 << LEFT_BITS) - 1;

/// Whether an arena of that capacity has shards: a thread must have a number, and the cursor's word room for a run in
/// transit.
pub(crate) const fn has_shards(capacity: usize) -> bool {
    cfg!(feature = "std") && MIN_CAPACITY <= capacity && capacity <= MAX_CAPACITY
}

/// A run of slots from which any thread takes one at a time. All bits zero is one that never had a run.
#[derive(Debug)]
pub(crate) struct Shard(CachePadded<AtomicUsize>);

impl Shard {
    const_fn! {
        #[cfg(any(feature = "alloc", test))]
        pub(crate) fn new() -> Self {
            Shard(CachePadded(AtomicUsize::new(0)))
        }
    }

    /// Takes a slot, `None` when none is left.
    #[inline]
    pub(crate) fn take(&self) -> Option<usize> {
        // Relaxed, and on failure: a guess that the exchange confirms; or nothing is left, and then E4 says how new that
        // is.
        let mut word = self.0.load(Ordering::Relaxed);
        while word & LEFT != 0 {
            // One slot on, and one less.
            let rest = word + (1 << LEFT_BITS) - 1;
            // Acquire: E3, pairs with the Release in `open`: the slot may have had an owner before.
            match self.0.compare_exchange_weak(word, rest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(word >> LEFT_BITS),
                Err(now) => word = now,
            }
        }
        None
    }

    /// The slots that are left, and where the next run is.
    #[inline]
    fn rest(word: usize) -> Range<usize> {
        let start = word >> LEFT_BITS;
        start..start + (word & LEFT)
    }

    /// Puts a run in that is in transit to this shard, unless another has done so.
    fn install(&self, run: Range<usize>) {
        // Relaxed, and on failure: at least as new as what the thread saw that moved the cursor (it did so by a Release,
        // which the caller has acquired). So whatever else it is, it is what another has made of it with this run.
        let word = self.0.load(Ordering::Relaxed);
        let rest = Self::rest(word);
        if rest.is_empty() && rest.end < run.end {
            let installed = run.start << LEFT_BITS | run.len();
            // Release: E3, pairs with the Acquire in `take`.
            let _ = self.0.compare_exchange(word, installed, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// What is left, which the caller takes. The shard is as new.
    pub(crate) fn close_mut(&mut self) -> Range<usize> {
        let rest = Self::rest(self.0.read_mut());
        self.0.write_mut(0);
        rest
    }
}

/// Whether it is quicker to take single slots from shards. Stands apart from the cursor, so that who takes them need not
/// look there.
#[derive(Debug)]
pub(crate) struct ShardMode {
    /// Set when threads are seen to fight for the cursor, and cleared under `&mut`. Only a mode: to take a slot from either
    /// is always right. Where it is not set nothing is left in shards, for who has `&mut`.
    active: AtomicBool,
    /// Whether single slots never come from shards, though the arena may have some.
    disabled: bool,
}

impl ShardMode {
    const_fn! {
        pub(crate) fn new() -> Self {
            ShardMode { active: AtomicBool::new(false), disabled: false }
        }
    }

    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        // Relaxed: a mode.
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn activate(&self) {
        // Relaxed: a mode.
        self.active.store(true, Ordering::Relaxed);
    }

    /// Whether single slots come from the cursor alone.
    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// From now on they do.
    pub(crate) fn disable(&mut self) {
        self.active.write_mut(false);
        self.disabled = true;
    }

    /// Forgets that threads fought, in an arena that has shards or not. Returns whether they did.
    pub(crate) fn restart(&mut self, has_shards: bool) -> bool {
        let was = self.active.read_mut();
        self.active.write_mut(FORCED && has_shards && !self.disabled);
        was
    }
}

/// Takes a slot from this thread's shard, `None` when none is left there.
#[inline]
pub(crate) fn take(shards: &[Shard]) -> Option<usize> {
    shards.get(of_thread())?.take()
}

/// Which shard is this thread's.
#[inline]
pub(crate) fn of_thread() -> usize {
    thread_id() % SHARDS
}

/// What the word of the cursor says of the next slot, in an arena with these shards.
#[inline]
pub(crate) fn next(shards: &[Shard], word: usize) -> usize {
    if shards.is_empty() { word } else { (word as u64 & (IN_USE - 1)) as usize }
}

/// Whether the word of the cursor of an arena with these shards says that they are in use. If not, they are all used up.
#[inline]
pub(crate) fn are_in_use(shards: &[Shard], word: usize) -> bool {
    !shards.is_empty() && word as u64 & IN_USE != 0
}

/// Whether the word of the cursor says that a run is in transit, in an arena with these shards.
#[inline]
pub(crate) fn has_pending(shards: &[Shard], word: usize) -> bool {
    !shards.is_empty() && word as u64 >> SHARD_SHIFT != 0
}

/// The bit of the cursor's word that says that shards are in use.
pub(crate) const fn in_use() -> usize {
    IN_USE as usize
}

/// A run in transit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingRefill {
    shard: usize,
    run: Range<usize>,
}

/// The shards of an arena, which are `SHARDS` or none, and what the word of its cursor says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shards<'a> {
    shards: &'a [Shard],
    pub(crate) mode: &'a ShardMode,
    /// How many slots the arena has.
    capacity: usize,
    /// The longest run. The same at every call, as it decides where a run in transit ends.
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
    pub(crate) fn is_empty(self) -> bool {
        self.shards.is_empty()
    }

    #[inline]
    pub(crate) fn shard(self, index: usize) -> &'a Shard {
        &self.shards[index]
    }

    /// Takes a slot from whatever shard has one left; looks at each once, beginning with that of this thread.
    pub(crate) fn take_any(self) -> Option<usize> {
        let (before, rest) = self.shards.split_at(of_thread());
        rest.iter().chain(before).find_map(Shard::take)
    }

    /// What the word of the cursor says of the next slot. May be past the end.
    #[inline]
    pub(crate) fn next(self, word: usize) -> usize {
        next(self.shards, word)
    }

    /// The word of a cursor that stands there, when shards are in use or not as that word says.
    #[inline]
    pub(crate) fn at(self, next: usize, like: usize) -> usize {
        if self.are_in_use(like) { next | in_use() } else { next }
    }

    /// Whether the word of the cursor says that shards are in use.
    #[inline]
    pub(crate) fn are_in_use(self, word: usize) -> bool {
        are_in_use(self.shards, word)
    }

    /// What the word of the cursor says of a run in transit.
    #[inline]
    pub(crate) fn pending(self, word: usize) -> Option<PendingRefill> {
        if has_pending(self.shards, word) { Some(self.read_pending(word)) } else { None }
    }

    /// The run begins as far below the next slot as it is long, and one more for each addition since it was sent. Who has
    /// added meets it, and adds again only when it is in its shard: so these are as many as there are threads at most. The
    /// lower bits of its start tell apart eight millions.
    #[cold]
    fn read_pending(self, word: usize) -> PendingRefill {
        let (next, word) = (self.next(word), word as u64);
        let shard = (word >> SHARD_SHIFT & ((1 << SHARD_BITS) - 1)) as usize - 1;
        let below = (next as u64).wrapping_sub(word >> START_SHIFT) & ((1 << START_BITS) - 1);
        let start = next - below as usize;
        PendingRefill { shard, run: start..self.run_end(start) }
    }

    /// The run that begins at `start`, which is below the end, in transit to that shard; and the word of a cursor that was
    /// just moved over it.
    pub(crate) fn begin_refill(self, shard: usize, start: usize) -> (usize, PendingRefill) {
        let run = start..self.run_end(start);
        let word = run.end as u64 | IN_USE | (shard as u64 + 1) << SHARD_SHIFT | (start as u64) << START_SHIFT;
        (word as usize, PendingRefill { shard, run })
    }

    /// Where a run ends that begins there.
    fn run_end(self, start: usize) -> usize {
        start + ((self.capacity - start) / RUN_FRACTION).clamp(1, self.longest)
    }

    /// Puts a run into its shard.
    pub(crate) fn install(self, refill: &PendingRefill) {
        self.shards[refill.shard].install(refill.run.clone());
    }

    /// How many slots are in shards or in transit, when the cursor's word is this. Exact when nothing else is going on.
    pub(crate) fn left(self, word: usize) -> usize {
        // Relaxed: an estimate.
        let rests = self.shards.iter().map(|shard| Shard::rest(shard.0.load(Ordering::Relaxed)));
        let moving = self.pending(word);
        let rests = rests.enumerate().map(|(index, rest)| match &moving {
            Some(refill) if refill.shard == index && rest.end < refill.run.end => refill.run.len(),
            _ => rest.len(),
        });
        rests.sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_word_of_the_cursor_says_what_was_put_in_wherever_the_cursor_has_gone_since() {
        let (shards, mode) = ([const { Shard::new() }; SHARDS], ShardMode::new());
        let capacity = MAX_CAPACITY;
        for slot_size in [0, 1, 8, 64, RUN_BYTES, RUN_BYTES + 1, usize::MAX] {
            let shards = Shards::new(&shards, &mode, capacity, slot_size);
            for start in [0, 1, 63, (1 << START_BITS) - 1, 1 << START_BITS, capacity / 2, capacity - 1] {
                for shard in [0, 1, SHARDS - 1] {
                    let (word, sent) = shards.begin_refill(shard, start);
                    let len = sent.run.len();
                    assert!(sent.shard == shard && sent.run.start == start && len > 0 && sent.run.end <= capacity);
                    assert!(len == 1 || (len <= MAX_RUN && len * slot_size <= RUN_BYTES));
                    for moved in [0, 1, (1 << START_BITS) - 1 - len] {
                        let word = word + moved;
                        assert_eq!(shards.pending(word), Some(sent.clone()));
                        assert_eq!(shards.next(word), sent.run.end + moved);
                        let cleared = shards.at(shards.next(word), word);
                        assert_eq!((shards.pending(cleared), shards.next(cleared)), (None, sent.run.end + moved));
                        assert!(shards.are_in_use(word) && shards.are_in_use(cleared));
                        assert!(word > capacity && cleared > capacity, "far past the end for who knows of no shards");
                    }
                }
            }
        }
    }

    #[test]
    fn without_shards_the_word_is_the_next_slot() {
        let mode = ShardMode::new();
        let shards = Shards::new(&[], &mode, usize::MAX, 1);
        for word in [0, 1, usize::MAX / 2, usize::MAX] {
            assert_eq!((shards.next(word), shards.pending(word), shards.at(word, word)), (word, None, word));
            assert!(!shards.are_in_use(word));
        }
    }

    #[test]
    fn a_run_goes_into_a_shard_once() {
        let shard = Shard::new();
        shard.install(3..5);
        shard.install(3..5);
        assert_eq!([(); 2].map(|()| shard.take()), [Some(3), Some(4)]);
        shard.install(3..5); // late
        assert_eq!(shard.take(), None);
        shard.install(5..7);
        shard.install(3..5); // later still
        assert_eq!([(); 3].map(|()| shard.take()), [Some(5), Some(6), None]);
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_is_left_is_counted_in_shards_and_pending() {
        let mut places = [const { Shard::new() }; SHARDS];
        places[1].install(0..2);
        {
            let mode = ShardMode::new();
            let shards = Shards::new(&places, &mode, 1 << 20, 8);
            let (word, sent) = shards.begin_refill(0, 2);
            assert_eq!(shards.left(word), 2 + sent.run.len());
            shards.install(&sent);
            assert_eq!(shards.left(word), 2 + sent.run.len());
            assert_eq!(shards.take_any().is_some() as usize + shards.left(word), 2 + sent.run.len());
        }
        let left: usize = places.iter_mut().map(|shard| shard.close_mut().len()).sum();
        assert!(left > 0 && places.iter().all(|shard| shard.take().is_none()));
    }

    #[test]
    fn small_and_huge_arenas_have_none() {
        assert!(!has_shards(MIN_CAPACITY - 1) && !has_shards(MAX_CAPACITY + 1));
        assert_eq!(has_shards(MIN_CAPACITY), cfg!(feature = "std") && usize::BITS == 64);
    }
}
