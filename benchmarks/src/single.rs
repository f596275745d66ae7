//! Measurements of single calls: a refusal and a reset. Also the cost of vacant slots, and the
//! share of slots that stay unused.

use std::{
    hint::black_box,
    ptr,
    sync::{Barrier, mpsc},
    thread,
    time::Instant,
};

use anyhow::{Result, ensure};
use atomicarena::{AtomicArena, AtomicBump};
use bumpalo::Bump;

use crate::{
    memory::Counting,
    rounds::median,
    subject::Kind,
    work::{counting, sum},
};

/// A subject that is measured outside the generic loop.
pub struct Single {
    pub name: &'static str,
    pub kind: Kind,
    /// Runs one turn. The arguments are the number of u64 slots, and a seed.
    pub turn: fn(usize, u64) -> Result<f64>,
}

pub const TAKEN: &str = "alloc, taken";
pub const REFUSED: &str = "alloc, refused";

pub const REFUSAL: [Single; 2] =
    [Single { name: TAKEN, kind: Kind::Ours, turn: taken }, Single { name: REFUSED, kind: Kind::Ours, turn: refused }];

/// Tries to store `len` values one by one. Returns the number of values that were stored, and the
/// sum of those that were refused.
#[inline(never)]
fn ask(arena: &AtomicArena<u64>, first: u64, len: usize) -> (usize, u64) {
    let (mut taken, mut back) = (0, 0_u64);
    for value in counting(first, len) {
        match arena.alloc(value) {
            Ok(_) => taken += 1,
            Err(full) => back = back.wrapping_add(full.into_inner()),
        }
    }
    (taken, back)
}

fn taken(slots: usize, seed: u64) -> Result<f64> {
    let mut arena = AtomicArena::with_capacity(slots);
    let start = Instant::now();
    let (taken, _) = ask(&arena, black_box(seed), slots);
    let nanos = start.elapsed().as_secs_f64() * 1e9;
    ensure!(taken == slots, "only {taken} of {slots} values were stored");
    let stored = sum(arena.iter_mut().map(|(_, value)| *value));
    ensure!(stored == sum(counting(seed, slots)), "unexpected values were stored");
    Ok(nanos / slots as f64)
}

fn refused(slots: usize, seed: u64) -> Result<f64> {
    let arena = AtomicArena::with_capacity(slots);
    ask(&arena, seed, slots);
    let first = black_box(!seed);
    let ((nanos, taken, back), allocations) = Counting::during(|| {
        let start = Instant::now();
        let (taken, back) = ask(&arena, first, slots);
        (start.elapsed().as_secs_f64() * 1e9, taken, back)
    });
    ensure!(taken == 0, "a full arena stored {taken} values");
    ensure!(back == sum(counting(first, slots)), "unexpected values were returned");
    ensure!(allocations == 0, "{slots} refusals allocated {allocations} times");
    Ok(nanos / slots as f64)
}

/// Subjects that share a table.
pub struct Table {
    pub what: &'static str,
    pub threads: usize,
    pub unit: &'static str,
    pub subjects: &'static [Single],
}

/// If this number of other threads have a number each, one of them shares the shard of the first
/// thread.
const MAX_WAITING: usize = 64;

/// The number of slots of the arenas in [`VACANT`].
pub const VACANT_SLOTS: usize = 1 << 20;

pub const FAR_APART: &str = "return and reserve, far apart";
pub const TWO_SHARDS: &str = "alloc, two threads with a shard each";
pub const ONE_SHARD: &str = "alloc, two threads, at first with one shard";
pub const AFTER_BURSTS: &str = "8 threads and one iter_mut, repeated; runs of 64";
pub const AFTER_BURST: &str = "a burst of 2 threads; runs of 1,000 that use 10";

pub const VACANT: [Table; 3] = [
    Table {
        what: "two vacant slots, in a full arena of 2^20",
        threads: 1,
        unit: "ns per call",
        subjects: &[Single { name: FAR_APART, kind: Kind::Ours, turn: far_apart }],
    },
    Table {
        what: "u64, by threads that share a shard or do not",
        threads: 2,
        unit: "ns per call",
        subjects: &[
            Single { name: TWO_SHARDS, kind: Kind::Ours, turn: |slots, seed| partners(slots, seed, false) },
            Single { name: ONE_SHARD, kind: Kind::Ours, turn: |slots, seed| partners(slots, seed, true) },
        ],
    },
    Table {
        what: "slots without a value when a run is first refused, of 2^20",
        threads: 1,
        unit: "%",
        subjects: &[
            Single { name: AFTER_BURSTS, kind: Kind::Ours, turn: after_bursts },
            Single { name: AFTER_BURST, kind: Kind::Ours, turn: after_burst },
        ],
    },
];

/// Measures returning a slot of a full arena and reserving it again, for the first and the last
/// slot in turn.
fn far_apart(slots: usize, seed: u64) -> Result<f64> {
    const TIMES: usize = 1_000;
    let mut arena = AtomicArena::with_capacity(slots);
    let mut held = [Some(arena.reserve(1)?), None];
    ask(&arena, black_box(seed), slots - 2);
    held[1] = Some(arena.reserve(1)?);
    ensure!(arena.is_full(), "the arena is not full");
    let start = Instant::now();
    for time in 0..TIMES {
        let one = &mut held[time % 2];
        *one = None;
        *one = Some(arena.reserve(1)?);
    }
    let nanos = start.elapsed().as_secs_f64() * 1e9;
    let mut ends: Vec<usize> = held.iter().flatten().map(|one| one.first_index()).collect();
    ends.sort_unstable();
    ensure!(ends == [0, slots - 1], "the two slots are {ends:?}, not the first and the last");
    drop(held);
    ensure!(
        sum(arena.iter_mut().map(|(_, value)| *value)) == sum(counting(seed, slots - 2)),
        "unexpected values were stored"
    );
    Ok(nanos / TIMES as f64)
}

/// Fills half of an arena from two threads, which share a shard if `shared` is true.
fn partners(slots: usize, seed: u64, shared: bool) -> Result<f64> {
    let share = slots / 4;
    let mut arena = AtomicArena::with_capacity(slots);
    let (numbers, places) = (AtomicArena::<u8>::with_capacity(1 << 12), AtomicBump::with_capacity(1 << 20));
    // Threads that share a shard take adjacent bytes of a bump, once they have a number. Opening a
    // handle gives a thread its number.
    let place = || {
        drop(numbers.reserve(1));
        places.alloc(0_u64).map(|value| ptr::from_mut(value).addr()).expect("room for a few values")
    };
    let ready = Barrier::new(2);
    let work = |first| {
        ready.wait();
        let start = Instant::now();
        let (taken, _) = ask(&arena, black_box(first), share);
        (start, Instant::now(), taken)
    };
    let (own, other) = thread::scope(|scope| {
        // The threads that are not wanted wait. So each of them keeps its number, and the next
        // thread gets another one.
        let mut waiting = Vec::new();
        let partner = loop {
            ensure!(waiting.len() < MAX_WAITING, "no thread is a partner");
            let (tell, told) = mpsc::channel();
            let (begin, begun) = mpsc::channel();
            let (place, work) = (&place, &work);
            let before = place();
            let thread = scope.spawn(move || {
                tell.send(place()).expect("the first thread waits");
                begun.recv().ok().map(|()| work(seed.wrapping_add(1 << 40)))
            });
            let is_shared = told.recv()? == before + size_of::<u64>();
            if is_shared == shared {
                begin.send(())?;
                break thread;
            }
            waiting.push(begin);
        };
        let own = work(seed);
        Ok((own, partner.join().expect("no thread panics").expect("it was told to begin")))
    })?;
    ensure!(own.2 == share && other.2 == share, "not all values were stored");
    let expected = sum(counting(seed, share)).wrapping_add(sum(counting(seed.wrapping_add(1 << 40), share)));
    ensure!(sum(arena.iter_mut().map(|(_, value)| *value)) == expected, "unexpected values were stored");
    Ok((own.1.max(other.1) - own.0.min(other.0)).as_secs_f64() * 1e9 / (2 * share) as f64)
}

/// Lets several threads allocate single values, and waits until all threads have ended.
fn burst(arena: &AtomicArena<u64>, threads: usize, values: usize, seed: u64) {
    let ready = Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                ready.wait();
                ask(arena, black_box(seed), values);
            });
        }
    });
}

/// Returns the percentage of slots without a value.
fn unused(arena: &mut AtomicArena<u64>) -> f64 {
    let used = arena.iter_mut().count();
    100.0 * (arena.capacity() - used) as f64 / arena.capacity() as f64
}

fn after_bursts(slots: usize, seed: u64) -> Result<f64> {
    const THREADS: usize = 8;
    const VALUES: usize = 2_000;
    let mut arena = AtomicArena::with_capacity(slots);
    loop {
        burst(&arena, THREADS, VALUES, seed);
        let unused = unused(&mut arena);
        if arena.reserve(64).is_err() || unused == 0.0 {
            return Ok(unused);
        }
    }
}

fn after_burst(slots: usize, seed: u64) -> Result<f64> {
    let mut arena = AtomicArena::with_capacity(slots);
    burst(&arena, 2, slots / 64, seed);
    while let Ok(mut reserved) = arena.reserve(1_000) {
        reserved.fill_from_iter(counting(seed, 10));
        reserved.publish();
    }
    Ok(unused(&mut arena))
}

pub const RESET_OWNED: &str = "reset, filled by fill_with";
pub const RESET_PUBLISHED: &str = "reset, filled by publish_all";

pub const RESET: [Single; 4] = [
    Single {
        name: RESET_OWNED,
        kind: Kind::Ours,
        turn: |slots, seed| {
            let fill = |arena: &mut AtomicArena<u64>, _, round| {
                ends(arena.fill_with(|index| seed.wrapping_add(index as u64 + round)))
            };
            reset(slots, AtomicArena::with_capacity, fill, AtomicArena::reset, touch_arena)
        },
    },
    Single {
        name: RESET_PUBLISHED,
        kind: Kind::Ours,
        turn: |slots, seed| {
            let fill = |arena: &mut AtomicArena<u64>, slots, round| {
                arena.fill_with(|index| seed.wrapping_add(index as u64 + round));
                arena.publish_all();
                arena.get_slice(0..slots).map_or(0, ends)
            };
            reset(slots, AtomicArena::with_capacity, fill, AtomicArena::reset, touch_arena)
        },
    },
    Single {
        name: "Vec::clear",
        kind: Kind::Peer,
        turn: |slots, seed| {
            let fill = |vec: &mut Vec<u64>, slots, round| {
                vec.extend(counting(seed.wrapping_add(round), slots));
                ends(vec)
            };
            reset(slots, Vec::with_capacity, fill, Vec::clear, |vec| vec.len())
        },
    },
    Single {
        name: "bumpalo, reset",
        kind: Kind::Peer,
        turn: |slots, seed| {
            let make = |slots| Bump::with_capacity(slots * size_of::<u64>());
            let fill = |bump: &mut Bump, slots, round| {
                let first = seed.wrapping_add(round);
                ends(bump.alloc_slice_fill_with(slots, |index| first.wrapping_add(index as u64)))
            };
            // Whether a `Bump` is empty is not checked, because no single method returns the number
            // of used bytes.
            reset(slots, make, fill, Bump::reset, |_| 0)
        },
    },
];

/// Returns the sum of the first and the last value, or 0 if there are fewer than two.
fn ends(filled: &[u64]) -> u64 {
    match filled {
        [first, .., last] => first.wrapping_add(*last),
        _ => 0,
    }
}

/// Accesses what a reset will read and write, so that it is in the cache, and returns the number of
/// values.
fn touch_arena(arena: &mut AtomicArena<u64>) -> usize {
    black_box(arena.get_mut(0));
    if arena.is_full() {
        black_box(arena.alloc(0).is_err());
    }
    arena.count()
}

/// Measures the reset of a filled subject. Returns the median of the resets (of one, for a large
/// subject) in nanoseconds, without the cost of reading the clock.
///
/// The code and the header are warm for every size, because a small subject of the same kind is
/// filled and reset before, and `touch` (except that of a `Bump`) reads the header of the measured
/// subject. This is repeated 999 times, so that the caches recover from filling a gigabyte, because
/// that recovery is not part of a reset.
fn reset<X>(
    slots: usize,
    make: impl Fn(usize) -> X,
    mut fill: impl FnMut(&mut X, usize, u64) -> u64,
    reset: impl Fn(&mut X),
    touch: impl Fn(&mut X) -> usize,
) -> Result<f64> {
    const TINY: usize = 64;
    let (mut subject, mut small) = (make(slots), make(TINY));
    let mut samples = Vec::new();
    // A large subject is reset only once, because filling a gigabyte takes long.
    let times = if slots < 1_000_000 { 9 } else { 1 };
    for round in 0..times {
        ensure!(black_box(fill(&mut subject, slots, round)) != 0, "the subject was not filled");
        let mut nothing = Vec::new();
        for _ in 0..999 {
            ensure!(black_box(fill(&mut small, TINY, round)) != 0, "the subject was not filled");
            timed(&mut small, &reset);
            black_box(touch(&mut subject));
            nothing.push(timed(&mut small, |_| ()));
        }
        let nanos = timed(&mut subject, &reset);
        samples.push((nanos - median(&nothing)).max(0.0));
        ensure!(touch(&mut subject) == 0, "the subject is not empty after a reset");
    }
    Ok(median(&samples))
}

#[inline(always)]
fn timed<X>(subject: &mut X, call: impl Fn(&mut X)) -> f64 {
    let start = Instant::now();
    call(black_box(subject));
    black_box(subject);
    start.elapsed().as_secs_f64() * 1e9
}
