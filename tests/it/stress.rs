//! Operations of every kind at once, from many threads. The work is bounded, and the result does
//! not depend on the interleaving: each slot has one owner, each value is dropped once, published
//! values are complete and stay, and after the threads have ended every slot without a value can be
//! allocated.
//!
//! The long variants are ignored by default. Their number of rounds is a multiple of
//! `ATOMICARENA_STRESS`.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::thread;

use atomicarena::{AtomicArena, Local, Reservation};

use crate::payload::{Dice, FORCED_RUN, SHARDS_FORCED, Writers, assert_room, scaled};

const THREADS: usize = scaled(4, 3);

/// The greatest number of values that one thread creates in one round.
const MADE: usize = scaled(2_000, 300);

/// The number of rounds of the long variants. Each variant multiplies it by a factor of its own.
fn long() -> usize {
    std::env::var("ATOMICARENA_STRESS").map_or(2_000, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Counts the drops of each value of a round. Each thread has its own counters, one for each value
/// that it may create.
struct Tally(Vec<AtomicU8>);

impl Tally {
    fn new() -> Self {
        Tally((0..THREADS * MADE).map(|_| AtomicU8::new(0)).collect())
    }

    fn drops(&self, id: usize) -> u8 {
        self.0[id].load(Ordering::Relaxed)
    }
}

/// A value that can check its own integrity.
#[derive(Debug)]
struct Load<'t> {
    drops: &'t AtomicU8,
    id: usize,
    /// The number of changes through `&mut` since its creation.
    touched: usize,
    check: [usize; 2],
}

impl<'t> Load<'t> {
    fn new(tally: &'t Tally, id: usize) -> Self {
        Load { drops: &tally.0[id], id, touched: 0, check: Self::checks(id, 0) }
    }

    fn checks(id: usize, touched: usize) -> [usize; 2] {
        [!id ^ touched, id.wrapping_mul(0x9e37_79b9) ^ touched.rotate_left(7)]
    }

    fn touch(&mut self) {
        self.touched += 1;
        self.check = Self::checks(self.id, self.touched);
    }

    #[track_caller]
    fn is_whole(&self) {
        assert_eq!(self.check, Self::checks(self.id, self.touched), "value {} is not whole", self.id);
        assert_eq!(self.drops.load(Ordering::Relaxed), 0, "value {} was dropped", self.id);
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// The state of one thread in one round.
struct Worker<'a, 't> {
    arena: &'a AtomicArena<Load<'t>>,
    tally: &'t Tally,
    dice: Dice,
    /// The number of the next value. `end` is the end of this thread's block of numbers.
    next: usize,
    end: usize,
    owned: Vec<&'a mut Load<'t>>,
    published: Vec<(usize, &'a Load<'t>)>,
    runs: Vec<Reservation<'a, Load<'t>>>,
}

/// The result of a thread: the numbers of the values that it created, and the index and number of
/// each value that is stored.
struct Left {
    made: std::ops::Range<usize>,
    stored: Vec<(usize, usize)>,
}

impl<'a, 't> Worker<'a, 't> {
    fn new(arena: &'a AtomicArena<Load<'t>>, tally: &'t Tally, thread: usize, round: usize) -> Self {
        let next = thread * MADE;
        Worker {
            arena,
            tally,
            dice: Dice::new((round * THREADS + thread) as u64 + 1),
            next,
            end: next + MADE,
            owned: Vec::new(),
            published: Vec::new(),
            runs: Vec::new(),
        }
    }

    fn make(&mut self) -> Load<'t> {
        assert!(self.next < self.end);
        self.next += 1;
        Load::new(self.tally, self.next - 1)
    }

    fn make_some(&mut self) -> Vec<Load<'t>> {
        (0..self.dice.roll(6)).map(|_| self.make()).collect()
    }

    fn work(mut self, steps: usize) -> Left {
        let first = self.next;
        let mut local = self.arena.local();
        for _ in 0..steps {
            match self.dice.roll(5) {
                0 => self.one(),
                1 => self.local(&mut local),
                2 => self.bulk(),
                3 => self.reservation(),
                _ => self.panics(),
            }
            if let Some(value) = self.owned.last_mut() {
                value.touch();
            }
        }
        drop(local);
        while !self.runs.is_empty() {
            self.end_reservation();
        }
        self.left(first)
    }

    fn one(&mut self) {
        let value = self.make();
        match self.dice.roll(4) {
            0 => self.owned.extend(self.arena.alloc(value).ok()),
            1 => self.owned.extend(self.arena.alloc_with(|| value).ok()),
            2 => self.published.extend(self.arena.publish(value).ok()),
            _ => self.published.extend(self.arena.publish_with(|_| value).ok()),
        }
    }

    fn local(&mut self, local: &mut Local<'a, Load<'t>>) {
        for _ in 0..self.dice.roll(5) {
            let value = self.make();
            match self.dice.roll(6) {
                0 => self.owned.extend(local.alloc(value).ok()),
                1 => self.owned.extend(local.alloc_with(|| value).ok()),
                2 => {
                    let values = self.make_some();
                    self.owned.extend(local.alloc_from_iter(values).into_iter().flatten());
                }
                3 => {
                    let stored = local.publish_array([value, self.make(), self.make()]);
                    self.published.extend(stored.into_iter().flat_map(|(first, values)| (first..).zip(values)));
                }
                4 => {
                    let mut run = local.reserve_up_to(self.dice.roll(6));
                    run.fill_from_iter(self.make_some());
                    self.runs.push(run);
                }
                _ => self.published.extend(local.publish(value).ok()),
            }
        }
        while self.runs.len() > 3 {
            self.end_reservation();
        }
        if self.dice.roll(8) == 0 {
            // This returns the rest of the old run.
            let batch = self.dice.roll(9) + 1;
            *local = self.arena.local_with_batch(batch.try_into().unwrap());
        }
    }

    fn bulk(&mut self) {
        let values = self.make_some();
        match self.dice.roll(5) {
            4 => {
                let stored = self.arena.publish_from_iter(values);
                self.published.extend(stored.into_iter().flat_map(|(first, values)| (first..).zip(values)));
            }
            0 => self.owned.extend(self.arena.alloc_vec(values).into_iter().flatten()),
            1 => self.owned.extend(self.arena.alloc_from_iter(values).into_iter().flatten()),
            2 => {
                let array = [self.make(), self.make(), self.make()];
                self.owned.extend(self.arena.alloc_array(array).into_iter().flatten());
            }
            _ => {
                let mut values = values.into_iter();
                let slice = self.arena.alloc_slice_with(values.len(), |_| values.next().unwrap());
                self.owned.extend(slice.into_iter().flatten());
            }
        }
    }

    /// Opens a reservation and stores some values in it. Up to three stay open.
    fn reservation(&mut self) {
        let len = self.dice.roll(8);
        let run = match self.dice.roll(3) {
            0 => Some(self.arena.reserve_up_to(len)),
            _ => self.arena.reserve(len).ok(),
        };
        if let Some(mut run) = run {
            run.fill_from_iter(self.make_some());
            if self.dice.roll(4) == 0 {
                drop(run.pop());
            }
            self.runs.push(run);
        }
        if self.runs.len() > 3 {
            self.end_reservation();
        }
    }

    fn end_reservation(&mut self) {
        let run = self.runs.swap_remove(self.dice.roll(self.runs.len()));
        match self.dice.roll(3) {
            0 => drop(run),
            1 => self.owned.extend(run.finish()),
            _ => {
                let (first, slice) = run.publish();
                assert!(slice.is_empty() || self.arena.get_slice(first..first + slice.len()).is_some());
                self.published.extend((first..).zip(slice));
            }
        }
    }

    /// Runs user code that panics midway. The checks after the round show that nothing remains of
    /// it.
    fn panics(&mut self) {
        let mut values = self.make_some();
        let arena = self.arena;
        quietly(|| match self.dice.roll(3) {
            0 => drop(arena.alloc_with(stop)),
            1 => drop(arena.publish_with(|_| stop())),
            _ => drop(arena.alloc_slice_with(6, |_| values.pop().unwrap_or_else(stop))),
        });
    }

    fn left(self, first: usize) -> Left {
        let mut stored = Vec::new();
        for value in &self.owned {
            value.is_whole();
            stored.push((self.arena.index_of(value).unwrap(), value.id));
        }
        for &(index, value) in &self.published {
            value.is_whole();
            assert!(self.arena.get(index).is_some_and(|seen| std::ptr::eq(seen, value)));
            stored.push((index, value.id));
        }
        Left { made: first..self.next, stored }
    }
}

struct Stop;

/// Panics without calling the panic hook.
fn stop<R>() -> R {
    std::panic::resume_unwind(Box::new(Stop))
}

/// Runs `f`, which may end in [`stop`].
fn quietly(f: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        panic.downcast::<Stop>().map(drop).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

/// Reads all published values repeatedly, and checks that they are complete and stay.
fn read(arena: &AtomicArena<Load<'_>>, writers: &Writers, seed: usize) {
    let mut seen = BTreeMap::new();
    let mut dice = Dice::new(seed as u64 + 1);
    loop {
        let last = writers.have_ended();
        let mut found = 0;
        for (index, value) in arena {
            value.is_whole();
            assert_eq!(arena.index_of(value), Some(index));
            assert_eq!(*seen.entry(index).or_insert(value.id), value.id, "slot {index} has another value");
            found += 1;
        }
        assert_eq!(found, seen.len(), "something published is no longer there");
        let start = dice.roll(arena.capacity());
        for value in arena.get_slice(start..start + dice.roll(4)).into_iter().flatten() {
            value.is_whole();
        }
        if let Some(value) = arena.get_wrapping(start + 3 * arena.capacity()) {
            value.is_whole();
        }
        assert!(arena.count() <= arena.capacity() && arena.index_bound() <= arena.capacity());
        if last {
            return;
        }
        thread::yield_now();
    }
}

/// Checks the results of a round, and empties the arena.
fn check_round(arena: &mut AtomicArena<Load<'_>>, tally: &Tally, steps: usize, round: usize, lefts: Vec<Left>) {
    let mut stored: Vec<_> = lefts.iter().flat_map(|left| &left.stored).copied().collect();
    stored.sort_unstable();
    assert!(stored.windows(2).all(|pair| pair[0].0 < pair[1].0), "a slot has two owners");
    assert!(arena.iter_mut().map(|(index, value)| (index, value.id)).eq(stored.iter().copied()));
    assert_eq!(arena.count(), stored.len(), "round {round} of {steps} steps");

    let made = lefts.iter().flat_map(|left| left.made.clone());
    let live: Vec<_> = made.clone().filter(|&id| tally.drops(id) == 0).collect();
    let mut ids: Vec<_> = stored.iter().map(|&(_, id)| id).collect();
    ids.sort_unstable();
    assert_eq!(live, ids, "the live values are not the stored ones");

    let free = arena.capacity() - stored.len();
    let runs: Vec<_> = (0..=arena.capacity()).map_while(|_| arena.reserve(1).ok()).collect();
    assert_eq!(runs.len(), free, "slots that single requests get");
    drop(runs);
    match round % 4 {
        0 => arena.reset_zeroed(),
        1 => assert_eq!(arena.drain().count(), stored.len()),
        _ => arena.reset(),
    }
    for id in made {
        assert_eq!(tally.drops(id), 1, "value {id} was not dropped once");
        tally.0[id].store(0, Ordering::Relaxed);
    }
    assert!(arena.is_empty());
}

fn everything_at_once(rounds: usize, capacities: &[usize], steps: usize) {
    let tally = Tally::new();
    for &capacity in capacities {
        let mut arena = AtomicArena::with_capacity(capacity);
        for number in 0..rounds {
            let (barrier, writers) = (Barrier::new(THREADS + 1), Writers::new(THREADS));
            let lefts = thread::scope(|scope| {
                let (arena, tally, barrier, writers) = (&arena, &tally, &barrier, &writers);
                let workers: Vec<_> = (0..THREADS)
                    .map(|thread| {
                        scope.spawn(move || {
                            let _writing = writers.begin();
                            barrier.wait();
                            Worker::new(arena, tally, thread, number).work(steps)
                        })
                    })
                    .collect();
                barrier.wait();
                read(arena, writers, number);
                workers.into_iter().map(|worker| worker.join().unwrap()).collect()
            });
            check_round(&mut arena, &tally, steps, number, lefts);
        }
    }
}

/// At the smallest of these capacities most requests are refused, and at the largest few or none.
const CAPACITIES: [usize; 6] = [1, 3, 16, 65, 257, 4_096];

#[test]
fn everything_at_once_and_reset_in_between() {
    everything_at_once(scaled(12, 1), if cfg!(miri) { &CAPACITIES[2..3] } else { &CAPACITIES }, scaled(100, 12));
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn everything_at_once_for_long() {
    everything_at_once(long(), &CAPACITIES, 100);
}

// ---- the faults of the Go original, under load

/// Runs `f` in all threads at once.
fn together(f: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (f, barrier) = (&f, &barrier);
            scope.spawn(move || {
                barrier.wait();
                f(thread);
            });
        }
    });
}

/// Makes requests that cannot fit, some with lengths that would overflow a sum, and checks that
/// they are refused.
fn refused_bulk(arena: &AtomicArena<usize>) {
    let capacity = arena.capacity();
    for len in [capacity + 1, usize::MAX, usize::MAX - capacity, isize::MAX as usize, 2 * capacity] {
        assert!(arena.reserve(len).is_err());
        assert!(arena.alloc_slice_with(len, |_| unreachable!()).is_err());
    }
}

fn refused_bulk_takes_nothing(rounds: usize) {
    let capacity = 64;
    let mut arena = AtomicArena::with_capacity(capacity);
    for _ in 0..rounds {
        let owners: Vec<_> = (0..capacity).map(|_| AtomicBool::new(false)).collect();
        let got = AtomicUsize::new(0);
        let filling = Writers::new(THREADS - 1);
        together(|thread| {
            if thread == 0 {
                // Repeat this while other threads fill the arena, and once more when it is full.
                while !filling.have_ended() {
                    refused_bulk(&arena);
                }
                return refused_bulk(&arena);
            }
            let _filling = filling.begin();
            while let Ok(value) = arena.alloc(thread) {
                let index = arena.index_of(value).unwrap();
                assert!(!owners[index].swap(true, Ordering::Relaxed), "slot {index} was handed out twice");
                *value = index;
                got.fetch_add(1, Ordering::Relaxed);
            }
        });
        // No request for one slot was refused while a slot was free.
        assert_eq!(got.into_inner(), capacity);
        assert!(arena.iter_mut().all(|(index, value)| index == *value));
        arena.reset();
    }
}

#[test]
fn refused_bulk_requests_take_no_slot_from_others() {
    refused_bulk_takes_nothing(scaled(400, 2));
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn refused_bulk_requests_take_no_slot_from_others_for_long() {
    refused_bulk_takes_nothing(100 * long());
}

/// Makes many requests at once that are refused, so that the cursor is past the end as often as
/// possible, and then empties the arena.
fn hammered_then_reset(rounds: usize) {
    const GUARD: usize = 64;
    let mut memory = [MaybeUninit::new(0xa5_u8); GUARD + 300 + GUARD];
    for round in 0..rounds {
        let (before, rest) = memory.split_at_mut(GUARD);
        let (within, after) = rest.split_at_mut(300);
        let mut arena = AtomicArena::<u64, _>::in_bytes(within).unwrap();
        let capacity = arena.capacity();
        for turn in 0..3 {
            together(|_| {
                for _ in 0..capacity {
                    let _ = arena.alloc(u64::MAX);
                    assert!(arena.count() <= capacity);
                    assert!(arena.alloc_slice_copy(&[u64::MAX; 300]).is_err());
                }
            });
            assert!(arena.is_full());
            match (round + turn) % 2 {
                0 => arena.reset_zeroed(),
                _ => arena.reset(),
            }
            // Every slot is free again.
            assert_eq!((arena.count(), arena.remaining()), (0, capacity));
            assert_eq!(arena.alloc_slice_copy(&vec![u64::MAX; capacity]).unwrap().len(), capacity);
            assert!(arena.alloc(0).is_err());
            arena.reset();
        }
        drop(arena);
        for byte in before.iter().chain(after.iter()) {
            // SAFETY: the byte was initialised above.
            assert_eq!(unsafe { byte.assume_init() }, 0xa5, "written beyond the memory");
        }
    }
}

#[test]
fn an_arena_that_refused_many_requests_is_whole_after_a_reset() {
    hammered_then_reset(scaled(50, 1));
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn an_arena_that_refused_many_requests_is_whole_after_a_reset_for_long() {
    hammered_then_reset(10 * long());
}

/// Publishes runs on several threads, and checks that another thread finds the values by index,
/// also modulo the capacity.
fn published_in_bulk_is_visible(rounds: usize) {
    let capacity = 96;
    let mut arena = AtomicArena::with_capacity(capacity);
    for round in 0..rounds {
        let writers = Writers::new(THREADS - 1);
        let next: Vec<_> = (0..THREADS).map(|_| AtomicUsize::new(usize::MAX)).collect();
        together(|thread| {
            if thread > 0 {
                let _writing = writers.begin();
                for len in 1.. {
                    let mut run = arena.reserve_up_to(len % 4 + 1);
                    let first = run.first_index();
                    run.fill_from_iter(first..);
                    if run.is_empty() {
                        break;
                    }
                    let (first, slice) = run.publish();
                    // Release: a thread that reads the index must find the value.
                    next[thread].store(first + slice.len() - 1, Ordering::Release);
                }
                return;
            }
            loop {
                let last = writers.have_ended();
                for index in next.iter().map(|next| next.load(Ordering::Acquire)).filter(|&index| index != usize::MAX) {
                    assert_eq!(arena.get(index), Some(&index), "round {round}");
                    assert_eq!(arena.get_wrapping(index + 5 * capacity), Some(&index));
                }
                if last {
                    return;
                }
            }
        });
        assert!(arena.iter().map(|(index, value)| (index, *value)).eq((0..capacity).map(|index| (index, index))));
        assert_eq!(arena.get_slice(0..capacity).unwrap().len(), capacity);
        arena.reset();
    }
}

#[test]
fn bulk_published_values_are_visible_to_all() {
    published_in_bulk_is_visible(scaled(300, 2));
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn bulk_published_values_are_visible_to_all_for_long() {
    published_in_bulk_is_visible(50 * long());
}

// ---- returning slots

/// Takes slots by one of several methods, and returns all of them.
fn take_and_return(arena: &AtomicArena<usize>, owners: &[AtomicBool], dice: &mut Dice) {
    let slots = |run: &Reservation<'_, usize>| run.first_index()..run.first_index() + run.capacity();
    let enter = |run: &Reservation<'_, usize>| {
        for owned in &owners[slots(run)] {
            assert!(!owned.swap(true, Ordering::Relaxed), "a slot of {:?} has two owners", slots(run));
        }
    };
    let leave = |run: Reservation<'_, usize>| {
        for owned in &owners[slots(&run)] {
            owned.store(false, Ordering::Relaxed);
        }
        drop(run);
    };
    match dice.roll(4) {
        0 => quietly(|| drop(arena.alloc_with(stop))),
        1 => quietly(|| drop(arena.local_with_batch(2.try_into().unwrap()).alloc_with(stop))),
        2 => {
            let runs: Vec<_> = (0..dice.roll(4)).map(|_| arena.reserve_up_to(dice.roll(4))).collect();
            runs.iter().for_each(enter);
            runs.into_iter().for_each(leave);
        }
        _ => {
            let Ok(run) = arena.reserve(dice.roll(3)) else { return };
            enter(&run);
            leave(run);
        }
    }
}

fn all_slots_are_returned(rounds: usize) {
    for capacity in [1, 2, 7, 24] {
        let mut arena = AtomicArena::with_capacity(capacity);
        let owners: Vec<_> = (0..capacity).map(|_| AtomicBool::new(false)).collect();
        for round in 0..rounds {
            together(|thread| {
                let mut dice = Dice::new((round * THREADS + thread) as u64 + 1);
                for _ in 0..scaled(200, 5) {
                    take_and_return(&arena, &owners, &mut dice);
                }
            });
            assert!(arena.is_empty());
            assert_room(&arena, capacity, || 0);
            arena.reset();
        }
    }
}

#[test]
fn slots_returned_under_load_are_all_free_again() {
    all_slots_are_returned(scaled(25, 1));
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn slots_returned_under_load_are_all_free_again_for_long() {
    all_slots_are_returned(long());
}

// ---- shards

/// The number of threads in these tests. On a machine with fewer cores, some threads are
/// interrupted in the middle of a refill. If shards are forced, several threads share each shard.
const CROWD: usize = scaled(6, 3);

/// Takes slots by many methods until `alloc` is refused, and returns some of them to the arena. The
/// result is the slots that were kept.
fn fill_in_every_way(arena: &AtomicArena<usize>, owners: &[AtomicBool], thread: usize, seed: usize) -> Vec<usize> {
    let mut dice = Dice::new(seed as u64 + 1);
    let mut kept = Vec::new();
    let take = |slots: std::ops::Range<usize>| {
        for slot in slots {
            assert!(!owners[slot].swap(true, Ordering::Relaxed), "slot {slot} has two owners");
        }
    };
    // Fills the first `len` slots of the reservation and keeps them. Returns its other slots.
    let keep = |kept: &mut Vec<usize>, mut run: Reservation<'_, usize>, len: usize| {
        let slots = run.first_index()..run.first_index() + run.capacity();
        take(slots.clone());
        let filled = run.fill_from_iter(std::iter::repeat_n(thread, len));
        for owned in &owners[slots.clone()][filled..] {
            owned.store(false, Ordering::Relaxed);
        }
        kept.extend(slots.take(filled));
        run.finish();
    };
    let mut local = arena.local_with_batch(3.try_into().unwrap());
    let mut open: Vec<Reservation<'_, usize>> = Vec::new();
    loop {
        match dice.roll(10) {
            0..3 => {
                let Ok(value) = arena.alloc(thread) else { return kept };
                let index = arena.index_of(value).unwrap();
                take(index..index + 1);
                kept.push(index);
            }
            3 => {
                if let Ok(slice) = arena.alloc_slice_copy(&[thread; 4][..1 + dice.roll(4)]) {
                    let first = arena.index_of(&slice[0]).unwrap();
                    take(first..first + slice.len());
                    kept.extend(first..first + slice.len());
                }
            }
            // These reservations are returned in a different order.
            4 => open.extend(arena.reserve(1 + dice.roll(4))),
            5 if !open.is_empty() => {
                let run = open.swap_remove(dice.roll(open.len()));
                keep(&mut kept, run, 0);
            }
            6 => keep(&mut kept, arena.reserve_up_to(1 + dice.roll(5)), dice.roll(3)),
            7 => quietly(|| drop(arena.alloc_with(stop))),
            8 => {
                if let Ok((index, _)) = local.publish(thread) {
                    take(index..index + 1);
                    kept.push(index);
                }
            }
            _ => {
                if let Ok(run) = local.reserve(1 + dice.roll(3)) {
                    keep(&mut kept, run, dice.roll(2));
                }
            }
        }
    }
}

fn every_slot_has_one_owner(rounds: usize, capacities: &[usize]) {
    for &capacity in capacities {
        let mut arena = AtomicArena::with_capacity(capacity);
        for round in 0..rounds {
            let owners: Vec<_> = (0..capacity).map(|_| AtomicBool::new(false)).collect();
            let barrier = Barrier::new(CROWD);
            let mut kept: Vec<_> = thread::scope(|scope| {
                let (arena, owners, barrier) = (&arena, &owners, &barrier);
                let fill = |thread| {
                    barrier.wait();
                    let kept = fill_in_every_way(arena, owners, thread, round * CROWD + thread);
                    kept.into_iter().map(move |slot| (slot, thread))
                };
                let threads: Vec<_> = (0..CROWD).map(|thread| scope.spawn(move || fill(thread))).collect();
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            });
            // The handles are gone, so exactly the slots that were not kept are free.
            kept.sort_unstable();
            assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0), "a slot was kept twice");
            assert_room(&arena, capacity - kept.len(), || CROWD);
            let values = arena.iter_mut().map(|(index, value)| (index, *value)).filter(|(_, value)| *value != CROWD);
            assert!(values.eq(kept), "round {round}");
            arena.reset();
        }
    }
}

#[test]
fn mixed_requests_leave_each_slot_one_owner() {
    let capacities = if cfg!(miri) { &[40][..] } else { &[7, 40, 300, 5_000] };
    every_slot_has_one_owner(scaled(60, 1), capacities);
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn mixed_requests_leave_each_slot_one_owner_for_long() {
    every_slot_has_one_owner(long(), &[7, 40, 300, 20_000]);
}

/// The longest run that forced shards serve.
const LONGEST_SHARED: usize = if SHARDS_FORCED { FORCED_RUN / 2 } else { 1 };

/// Lets threads take runs of `len` slots and return none. If shards are forced, a rest that is long
/// enough for a request must never be retired. So at the end, all unused slots below the cursor are
/// in the rests of the two shards.
fn what_fits_is_never_retired(rounds: usize, len: usize) {
    let capacity = scaled(100_000, 200);
    let mut arena = AtomicArena::with_capacity(capacity);
    for _ in 0..rounds {
        let barrier = Barrier::new(CROWD);
        let each = (capacity - 100) / CROWD / len;
        thread::scope(|scope| {
            for _ in 0..CROWD {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..each {
                        assert_eq!(arena.alloc_slice_copy(&[7_u8; 8][..len]).unwrap().len(), len);
                    }
                });
            }
        });
        let (taken, bound) = (CROWD * each * len, arena.index_bound());
        assert_eq!(arena.count(), taken);
        let (mut next, mut gaps) = (0, 0);
        for index in arena.iter_mut().map(|(index, _)| index).chain([bound]) {
            gaps += usize::from(index != next);
            next = index + 1;
        }
        assert!(!SHARDS_FORCED || gaps <= 2, "{gaps} gaps, and only two shards");
        assert_room(&arena, capacity - taken, || 8);
        arena.reset();
    }
}

#[test]
fn a_rest_of_single_slots_is_never_retired() {
    what_fits_is_never_retired(scaled(20, 1), 1);
}

/// If shards are forced, a refill is twice as long as one of these runs, so no rest is too short
/// for a run.
#[test]
fn a_rest_of_equal_runs_is_never_retired() {
    what_fits_is_never_retired(scaled(20, 1), LONGEST_SHARED);
}

#[test]
#[ignore = "long: ATOMICARENA_STRESS rounds"]
fn what_fits_is_never_retired_for_long() {
    for len in [1, LONGEST_SHARED] {
        what_fits_is_never_retired(long(), len);
    }
}
