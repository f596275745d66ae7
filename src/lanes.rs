//! Runs of slots at fixed places, from which any thread takes one slot at a time: for threads that would fight for the
//! cursor. (A `Local` is one thread's, and has a handle; a lane is whoever's, and has none.)
//!
//! A lane holds the rest of one run. Each thread takes from a lane of its own, as far as there are enough, and moves
//! the cursor only when that is used up. What no thread has taken is free for all: who finds the cursor at the end
//! takes from whatever lane has something left.
//!
//! # Why no run is ever out of sight
//!
//! A run is taken from the cursor and put into a lane by two exchanges. Between them it stands in the cursor's own word:
//! beside the next slot that word says which lane the run is *in transit* to, and where it began (where it ends follows
//! from that). Whoever meets a run in transit puts it into its lane before doing what he came for. So at every instant
//! each free slot is at the cursor, in transit, in a lane, or vacant, and each of these is where everybody looks.
//!
//! # Why no run is put into a lane twice
//!
//! *A lane's word is never the same twice between two calls with `&mut` of the arena.* Then whoever put off an exchange
//! finds that it fails. It is so because the runs of a lane lie ever higher: the cursor is not lowered to below the end of a
//! run that went into a lane. Only a give-back lowers it, from the end of the caller's run to its start, and the caller's
//! run came from the cursor itself; it is apart from each lane's run, none of which ends above it, so all end at or
//! below its start. A slot that came from a lane goes back as a vacant one (see `Cursor::give_back`).
//!
//! - A run goes into a lane that is used up, and whose last run ended below the end of this one. The thread that moved
//!   the cursor has seen it used up *after* it read the cursor, and no run can have been put into it since, for then the
//!   cursor would have moved, and not have come back.
//! - The word of the cursor is cleared of a run in transit by an exchange that names run and lane. The same word does not
//!   come again: the next slot would have to be the same, and the run a lower one.
//!
//! # Orderings
//!
//! - `E2 give back -> hand out`, through a lane: the Release of a give-back; the Acquire of whoever moves the cursor, or
//!   meets the run in transit; then E3.
//! - `E3 open -> take`: [`Lane::open`] (Release) after the cursor was read; [`Lane::take`] (Acquire) before the first
//!   access of the new owner. Between them stand only read-modify-writes of the lane's word.
//! - `E4 move -> look`, in `cursor.rs`: who finds the cursor at the end has to find the lanes as they were when it got
//!   there. The exchange that moves the cursor, and that which clears it of the run in transit (both Release); the load
//!   of the cursor before lanes are looked at (Acquire).

#![forbid(unsafe_code)]

use core::ops::Range;

use crate::sync::{AtomicUsize, CachePadded, Exclusive, Ordering, const_fn};

/// Whether arenas have few lanes and short runs, and use them from the first slot on: for tests.
pub(crate) const FORCED: bool = cfg!(lanes = "forced");

const SMALL: bool = FORCED || cfg!(all(test, loom));

/// How many lanes an arena has that has any.
pub(crate) const LANES: usize = if SMALL { 2 } else { 32 };

/// The ceiling of a run in bytes, and in slots.
const RUN_BYTES: usize = 64 << 10;
const MAX_RUN: usize = if SMALL { 2 } else { 8 << 10 };

/// A run is at most this share of what is left at the cursor, and at least one slot. So the rests of all lanes together
/// are less than a quarter of what was left when they were taken.
const SHARE: usize = if SMALL { 1 } else { 4 * LANES };

/// From so many slots on an arena has lanes: they weigh 4 KiB, and a run of a small arena would be a few slots.
const MIN_CAPACITY: usize = if SMALL { 1 } else { 16 << 10 };

/// The word of the cursor, from the lowest bit on: the next slot; the lane that a run is in transit to, and one, or 0;
/// the lower bits of where that run begins.
const NEXT_BITS: u32 = 35;
const LANE_BITS: u32 = 6;
const START_BITS: u32 = 64 - NEXT_BITS - LANE_BITS;

/// Half of what the word has room for, so that the cursor can stand past the end.
const MAX_CAPACITY: usize = if usize::BITS == 64 { 1 << (NEXT_BITS - 1) } else { 0 };

const _: () = assert!(LANES < 1 << LANE_BITS && MAX_RUN < 1 << LEFT_BITS);

/// The word of a lane, from the lowest bit on: how many slots are left; the first of them, or the end of the run.
const LEFT_BITS: u32 = 16;
const LEFT: usize = (1 << LEFT_BITS) - 1;

/// Whether an arena of that capacity has lanes: a thread must have a number, and the cursor's word room for a run in
/// transit.
pub(crate) const fn has_lanes(capacity: usize) -> bool {
    cfg!(feature = "std") && MIN_CAPACITY <= capacity && capacity <= MAX_CAPACITY
}

/// A run of slots from which any thread takes one at a time. All bits zero is one that never had a run.
#[derive(Debug)]
pub(crate) struct Lane(CachePadded<AtomicUsize>);

impl Lane {
    const_fn! {
        pub(crate) fn new() -> Self {
            Lane(CachePadded(AtomicUsize::new(0)))
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

    pub(crate) fn is_used_up(&self) -> bool {
        // Relaxed: E4 says how new it is.
        self.0.load(Ordering::Relaxed) & LEFT == 0
    }

    /// Puts a run in that is in transit to this lane, unless another has done so.
    fn open(&self, run: Range<usize>) {
        // Relaxed, and on failure: at least as new as what the thread saw that moved the cursor (it did so by a Release,
        // which the caller has acquired). So whatever else it is, it is what another has made of it with this run.
        let word = self.0.load(Ordering::Relaxed);
        let rest = Self::rest(word);
        if rest.is_empty() && rest.end < run.end {
            let opened = run.start << LEFT_BITS | run.len();
            // Release: E3, pairs with the Acquire in `take`.
            let _ = self.0.compare_exchange(word, opened, Ordering::Release, Ordering::Relaxed);
        }
    }

    /// What is left, which the caller takes. The lane is as new.
    pub(crate) fn close_mut(&mut self) -> Range<usize> {
        let rest = Self::rest(self.0.read_mut());
        self.0.write_mut(0);
        rest
    }
}

/// A run in transit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transit {
    pub(crate) lane: usize,
    pub(crate) run: Range<usize>,
}

/// The lanes of an arena, which are `LANES` or none, and what the word of its cursor says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes<'a> {
    lanes: &'a [Lane],
    /// How many slots the arena has.
    capacity: usize,
    /// The longest run. The same at every call, as it decides where a run in transit ends.
    longest: usize,
}

impl<'a> Lanes<'a> {
    /// `slot_size` is in bytes.
    #[inline]
    pub(crate) fn new(lanes: &'a [Lane], capacity: usize, slot_size: usize) -> Self {
        let in_bytes = RUN_BYTES / if slot_size == 0 { 1 } else { slot_size };
        Lanes { lanes, capacity, longest: in_bytes.clamp(1, MAX_RUN) }
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.lanes.is_empty()
    }

    /// The lane of the thread with that number.
    #[inline]
    pub(crate) fn of_thread(self, number: usize) -> usize {
        number % LANES
    }

    #[inline]
    pub(crate) fn lane(self, index: usize) -> &'a Lane {
        &self.lanes[index]
    }

    /// All of them, beginning with that one.
    pub(crate) fn from(self, index: usize) -> impl Iterator<Item = &'a Lane> {
        let (before, rest) = self.lanes.split_at(index.min(self.lanes.len()));
        rest.iter().chain(before)
    }

    /// What the word of the cursor says of the next slot. May be past the end.
    #[inline]
    pub(crate) fn next(self, word: usize) -> usize {
        if self.is_empty() { word } else { word & ((1 << NEXT_BITS) - 1) }
    }

    /// What the word of the cursor says of a run in transit.
    ///
    /// The run began so far below the next slot at the most: its length, and how far past the end the cursor may stand, and
    /// one for each thread that has moved it without looking. That is less than the lower bits of its start can tell apart.
    #[inline]
    pub(crate) fn transit(self, word: usize) -> Option<Transit> {
        let next = self.next(word);
        if next == word {
            return None;
        }
        let lane = (word >> NEXT_BITS & ((1 << LANE_BITS) - 1)) - 1;
        let below = next.wrapping_sub(word >> (NEXT_BITS + LANE_BITS)) & ((1 << START_BITS) - 1);
        let start = next - below;
        Some(Transit { lane, run: start..self.run_end(start) })
    }

    /// The word of a cursor that has just been moved over the run that begins at `start`, which is below the end.
    pub(crate) fn word(self, lane: usize, start: usize) -> usize {
        self.run_end(start) | (lane + 1) << NEXT_BITS | start << (NEXT_BITS + LANE_BITS)
    }

    /// Where a run ends that begins there.
    fn run_end(self, start: usize) -> usize {
        start + ((self.capacity - start) / SHARE).clamp(1, self.longest)
    }

    /// Puts a run into its lane.
    pub(crate) fn open(self, transit: &Transit) {
        self.lanes[transit.lane].open(transit.run.clone());
    }

    /// How many slots are in lanes or in transit, when the cursor's word is this. Exact when nothing else is going on.
    pub(crate) fn left(self, word: usize) -> usize {
        // Relaxed: an estimate.
        let rests = self.lanes.iter().map(|lane| Lane::rest(lane.0.load(Ordering::Relaxed)));
        let moving = self.transit(word);
        let rests = rests.enumerate().map(|(index, rest)| match &moving {
            Some(transit) if transit.lane == index && rest.end < transit.run.end => transit.run.len(),
            _ => rest.len(),
        });
        rests.sum()
    }
}
