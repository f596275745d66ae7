//! Parallel iterators, and runs that all workers fill. Each value is dropped once, even after
//! panics, early stops and wrong lengths.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomicarena::{AtomicArena, StaticArena};
use rayon::iter::plumbing::{Consumer, Folder, Producer, ProducerCallback, Reducer, UnindexedConsumer, bridge};
use rayon::prelude::*;

use crate::payload::{
    Counted, Ledger, assert_room, mined, mixed, panic_of, punch_holes, run_after, runs_from_cursor, scaled,
};

/// Runs `f` on four workers, whatever the number of processors.
fn among_workers<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap().install(f)
}

// ---- published values

#[test]
fn par_iter_yields_what_iter_yields() {
    let ledger = Ledger::new();
    let arena = mixed(&ledger);
    let met: Vec<_> = among_workers(|| arena.par_iter().map(|(index, value)| (index, value.id)).collect());
    assert_eq!(met, [(1, 1), (3, 2)]);
    assert!(arena.iter().map(|(index, value)| (index, value.id)).eq(met));
    assert_eq!(AtomicArena::<u8>::with_capacity(4).par_iter().count(), 0);
}

#[test]
fn par_iter_yields_every_published_value_once_and_in_order() {
    let n = scaled(100_000, 200);
    let arena = AtomicArena::with_capacity(n);
    for value in 0..n {
        match value % 3 {
            0 => drop(arena.alloc(value)),
            _ => drop(arena.publish(value)),
        }
    }
    let met: Vec<_> = among_workers(|| arena.par_iter().map(|(index, &value)| (index, value)).collect());
    assert!(met.into_iter().eq((0..n).filter(|value| value % 3 != 0).map(|value| (value, value))));
    let found = among_workers(|| arena.par_iter().find_any(|&(index, _)| index > n / 2));
    assert!(found.is_some_and(|(index, &value)| index == value));
    let iter = arena.par_iter();
    assert_eq!((iter.clone().count(), iter.count()), (n - n.div_ceil(3), n - n.div_ceil(3)));
}

#[test]
fn workers_publish_while_others_read() {
    let n = scaled(10_000, 50);
    let arena = AtomicArena::with_capacity(n);
    among_workers(|| {
        (0..n).into_par_iter().for_each(|value| {
            arena.publish([value; 2]).unwrap();
            if value % 97 == 0 {
                assert!(arena.par_iter().all(|(_, [a, b])| a == b));
            }
        });
    });
    assert_eq!(arena.par_iter().map(|(_, [value, _])| value).sum::<usize>(), n * (n - 1) / 2);
}

// ---- exclusive references

#[test]
fn par_iter_mut_yields_what_iter_mut_yields() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    let met: Vec<_> = among_workers(|| arena.par_iter_mut().map(|(index, value)| (index, value.id)).collect());
    assert_eq!(met, [(0, 0), (1, 1), (3, 2), (4, 3)]);
    assert!(arena.iter_mut().map(|(index, value)| (index, value.id)).eq(met));
    assert_eq!(ledger.dropped(), 0);
}

#[test]
fn par_iter_mut_yields_each_value_once() {
    let n = scaled(100_000, 200);
    let mut arena = AtomicArena::with_capacity(n);
    punch_holes(&arena);
    among_workers(|| arena.par_iter_mut().for_each(|(index, value)| *value += index));
    assert!(arena.iter_mut().all(|(index, &mut value)| value == 2 * index));
    assert_eq!(arena.count(), n / 2);
    // The references outlive the iterator, and all exist at once.
    let mut lent: Vec<_> = among_workers(|| arena.par_iter_mut().collect());
    lent.iter_mut().for_each(|(_, value)| **value = 1);
    assert_eq!(arena.iter_mut().map(|(_, value)| *value).sum::<usize>(), n / 2);
}

#[test]
fn the_work_is_split() {
    let mut arena = AtomicArena::with_capacity(100);
    arena.fill_with(|index| index + 1);
    // Each part of the work adds one sum to the list. No part is empty.
    let parts = |sums: Vec<usize>| (sums.len() > 1 && !sums.contains(&0), sums.iter().sum());
    let lent = among_workers(|| arena.par_iter_mut().fold(|| 0, |sum, (_, value)| sum + *value).collect());
    assert_eq!(parts(lent), (true, 5050));
    let given = among_workers(|| arena.par_drain().fold(|| 0, |sum, value| sum + value).collect());
    assert_eq!(parts(given), (true, 5050));
    // A single value cannot be split.
    arena.alloc(7).unwrap();
    let lent = among_workers(|| arena.par_iter_mut().fold(|| 0, |sum, (_, value)| sum + *value).collect());
    assert_eq!(parts(lent), (false, 7));
}

#[test]
fn leaked_values_are_not_yielded() {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(8);
    arena.alloc(ledger.value()).unwrap();
    let mut leaked = arena.reserve(3).unwrap();
    leaked.push(ledger.value()).unwrap();
    mem::forget(leaked);
    arena.alloc_array([ledger.value(), ledger.value()]).unwrap();
    let first = run_after(1, 3) + 3;
    let met = among_workers(|| arena.par_iter_mut().map(|(index, _)| index).collect::<Vec<_>>());
    assert_eq!(met, [0, first, first + 1]);
    assert_eq!(among_workers(|| arena.par_drain().map(|value| value.id).collect::<Vec<_>>()), [0, 2, 3]);
    assert_eq!(ledger.alive(), [1]);
    assert_room(&arena, 8, || ledger.value());
}

// ---- values moved out

#[test]
fn par_drain_yields_each_value_once_and_leaves_an_empty_arena() {
    let ledger = Ledger::new();
    // The drain reads the stamps of the epoch that it ends, after it has begun the next one.
    for round in 1..=60 {
        let mut arena = mixed(&ledger);
        let drain = arena.par_drain();
        let ids: Vec<_> = among_workers(|| drain.map(|value| value.id % 4).collect());
        assert_eq!(ids, [0, 1, 2, 3]);
        assert_eq!((ledger.made(), ledger.dropped()), (4 * round, 4 * round));
        assert_eq!((arena.count(), arena.get(1).is_some()), (0, false));
    }
    let mut arena = AtomicArena::with_capacity(8);
    // There are more rounds than epochs that the stamps distinguish.
    for _ in 0..120 {
        let hole = arena.reserve(1).unwrap();
        arena.publish(ledger.made()).unwrap();
        arena.alloc(ledger.made()).unwrap();
        drop(hole);
        assert_eq!(among_workers(|| arena.par_drain().collect::<Vec<_>>()), [ledger.made(); 2]);
    }
    assert_room(&arena, 8, || 0);
}

#[test]
fn a_drain_that_never_runs_drops_its_values_and_a_leaked_one_leaks_them() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    drop(arena.par_drain());
    assert_eq!((ledger.dropped(), arena.count()), (4, 0));
    arena.alloc(ledger.value()).unwrap();
    mem::forget(arena.par_drain());
    assert_eq!((ledger.dropped(), arena.count()), (4, 0));
    assert_room(&arena, 8, || ledger.value());
    drop(arena);
    assert_eq!(ledger.alive(), [4]);
}

#[test]
fn a_drain_that_stops_early_drops_the_rest() {
    let ledger = Ledger::new();
    let n = scaled(10_000, 100);
    let mut arena = AtomicArena::with_capacity(n);
    arena.fill_with(|_| ledger.value());
    let found = among_workers(|| arena.par_drain().find_any(|value| value.id > n / 3)).unwrap();
    assert_eq!(ledger.alive(), [found.id]);
    drop(found);
    assert_eq!((arena.count(), ledger.dropped()), (0, n));
    // This consumer takes no value.
    arena.alloc(ledger.value()).unwrap();
    assert!(among_workers(|| arena.par_drain().take_any(0).collect::<Vec<_>>()).is_empty());
    assert_eq!((arena.count(), ledger.dropped()), (0, n + 1));
}

#[test]
fn a_panic_while_draining_drops_each_value_once() {
    let ledger = Ledger::new();
    let n = scaled(10_000, 100);
    let mut arena = AtomicArena::with_capacity(n);
    arena.fill_with(|_| ledger.value());
    let message = panic_of(|| among_workers(|| arena.par_drain().for_each(|value| assert!(value.id != n / 2, "met"))));
    assert_eq!((message.as_str(), ledger.dropped(), arena.count()), ("met", n, 0));
    assert_room(&arena, n, || ledger.value());
}

#[test]
fn a_panic_in_the_drop_of_a_value_still_drops_the_others() {
    let ledger = Ledger::new();
    let mut arena = mined(&ledger);
    assert_eq!(panic_of(|| drop(arena.par_drain())), "bomb 2");
    assert_eq!((ledger.dropped(), arena.count()), (5, 0));
    let mut arena = mined(&ledger);
    assert_eq!(panic_of(|| among_workers(|| arena.par_drain().for_each(drop))), "bomb 7");
    assert_eq!((ledger.dropped(), arena.count()), (10, 0));
}

#[test]
fn an_arena_is_consumed_in_parallel() {
    let ledger = Ledger::new();
    let ids: BTreeSet<_> = among_workers(|| mixed(&ledger).into_par_iter().map(|value| value.id).collect());
    assert_eq!((ids, ledger.dropped()), (BTreeSet::from([0, 1, 2, 3]), 4));
    drop(mixed(&ledger).into_par_iter());
    assert_eq!(ledger.dropped(), 8);
    let arena = StaticArena::<_, 4>::new();
    arena.alloc(ledger.value()).unwrap();
    assert_eq!(among_workers(|| arena.into_par_iter().count()), 1);
    assert_eq!(ledger.dropped(), 9);
}

// ---- a run that all workers fill

#[test]
fn a_run_is_filled_in_order() {
    let n = scaled(100_000, 300);
    let mut arena = runs_from_cursor(AtomicArena::with_capacity(n + 2));
    arena.alloc(7).unwrap();
    arena.alloc(8).unwrap();
    let workers = Mutex::new(BTreeSet::new());
    let squares = (0..n).into_par_iter().with_max_len(10).map(|place| {
        workers.lock().unwrap().insert(rayon::current_thread_index());
        place.wrapping_mul(place)
    });
    let run = among_workers(|| arena.alloc_from_par_iter(squares)).unwrap();
    assert!(run.iter().copied().eq((0..n).map(|place| place.wrapping_mul(place))));
    run[0] = 5;
    assert!(workers.into_inner().unwrap().iter().all(Option::is_some), "a value was not made by a worker");
    assert!(arena.is_full());
    assert_eq!(arena.as_mut_slice().unwrap()[..4], [7, 8, 5, 1]);
}

#[test]
fn a_run_that_does_not_fit_returns_the_iterator_and_takes_nothing() {
    let arena = AtomicArena::with_capacity(4);
    let asked = AtomicUsize::new(0);
    let values = (0..5).into_par_iter().inspect(|_| drop(asked.fetch_add(1, Ordering::Relaxed).to_string()));
    let full = arena.alloc_from_par_iter(values).unwrap_err();
    assert_eq!((full.requested(), full.remaining(), arena.count()), (5, 4, 0));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(full.into_inner().sum::<i32>(), 10);
    assert_room(&arena, 4, || 0);
}

#[test]
fn runs_of_zero_and_one_and_of_zero_sized_values() {
    let arena = AtomicArena::with_capacity(3);
    assert_eq!(arena.alloc_from_par_iter(Vec::new()).unwrap(), [""; 0]);
    assert_eq!(arena.alloc_from_par_iter(["one"]).unwrap(), ["one"]);
    // The cursor is at the end, with a vacant slot below it, so one slot can be allocated.
    let hole = arena.reserve(1).unwrap();
    arena.alloc("two").unwrap();
    drop(hole);
    assert_eq!(arena.alloc_from_par_iter(vec!["hole"]).unwrap(), ["hole"]);
    assert!(arena.is_full() && arena.alloc_from_par_iter(Vec::new()).is_ok());

    thread_local!(static DROPS: Cell<usize> = const { Cell::new(0) });
    struct Unit;
    impl Drop for Unit {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    let mut arena = AtomicArena::with_capacity(1000);
    let units = (0..1000).into_par_iter().map(|_| Unit);
    assert_eq!(among_workers(|| arena.alloc_from_par_iter(units).unwrap().len()), 1000);
    assert_eq!(DROPS.get(), 0);
    arena.reset();
    assert_eq!(DROPS.get(), 1000);
}

#[test]
fn a_panic_while_filling_drops_each_value_once_and_returns_every_slot() {
    let ledger = Ledger::new();
    let n = scaled(5_000, 60);
    let arena = AtomicArena::with_capacity(n);
    for at in [0, 1, n / 2, n - 1] {
        let values = (0..n).into_par_iter().with_max_len(7).map(|place| {
            assert!(place != at, "met");
            ledger.value()
        });
        assert_eq!(panic_of(|| among_workers(|| drop(arena.alloc_from_par_iter(values)))), "met");
        assert_eq!(ledger.alive(), Vec::<usize>::new());
        assert_eq!(arena.count(), 0);
    }
    assert_eq!(arena.alloc_from_par_iter((0..n).into_par_iter().map(|_| ledger.value())).unwrap().len(), n);
}

#[test]
fn the_iterator_may_use_the_arena() {
    let arena = AtomicArena::with_capacity(40);
    let values = (0..20).into_par_iter().map(|n| *arena.alloc(n).unwrap());
    assert!(among_workers(|| arena.alloc_from_par_iter(values)).unwrap().iter().copied().eq(0..20));
    assert!(arena.is_full());
}

// ---- iterators with a wrong length

/// Reports different lengths, and produces too few or too many values. The arena must not trust it.
struct Liar<'a> {
    ledger: &'a Ledger,
    /// The results of the first, the second, and every later call of `len`.
    lengths: [usize; 3],
    told: Cell<usize>,
    /// The numbers of values by which each part is too short and too long.
    fewer: usize,
    more: usize,
}

impl<'a> Liar<'a> {
    fn new(ledger: &'a Ledger, lengths: [usize; 3], fewer: usize, more: usize) -> Self {
        Liar { ledger, lengths, told: Cell::new(0), fewer, more }
    }
}

impl<'a> ParallelIterator for Liar<'a> {
    type Item = Counted<'a>;

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }
}

impl IndexedParallelIterator for Liar<'_> {
    fn drive<C: Consumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge(self, consumer)
    }

    fn len(&self) -> usize {
        let told = self.told.get();
        self.told.set((told + 1).min(2));
        self.lengths[told]
    }

    fn with_producer<B: ProducerCallback<Self::Item>>(self, callback: B) -> B::Output {
        callback.callback(Piece { ledger: self.ledger, len: self.lengths[2], fewer: self.fewer, more: self.more })
    }
}

struct Piece<'a> {
    ledger: &'a Ledger,
    len: usize,
    fewer: usize,
    more: usize,
}

impl<'a> Producer for Piece<'a> {
    type Item = Counted<'a>;
    type IntoIter = std::vec::IntoIter<Counted<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.ledger.values(self.len.saturating_sub(self.fewer) + self.more).into_iter()
    }

    fn split_at(self, index: usize) -> (Self, Self) {
        let upper = self.len.saturating_sub(index);
        (Piece { len: index, ..self }, Piece { len: upper, ..self })
    }
}

#[test]
fn a_wrong_length_fills_a_whole_run_or_none() {
    let ledger = Ledger::new();
    let n = scaled(1_000, 40);
    for lengths in
        [[n; 3], [n, n / 2, n / 2], [n / 2, n, n], [n, n, n / 2], [n, n, 2 * n], [n, 2 * n, n], [n, n, 0], [0, n, n]]
    {
        for (fewer, more) in [(0, 0), (1, 0), (n, 0), (0, 1), (0, n)] {
            let arena = AtomicArena::with_capacity(n);
            let fill =
                || among_workers(|| arena.alloc_from_par_iter(Liar::new(&ledger, lengths, fewer, more)).unwrap().len());
            match catch_unwind(AssertUnwindSafe(fill)) {
                Ok(len) => {
                    assert_eq!((len, arena.count()), (lengths[0], lengths[0]));
                    assert_eq!(ledger.alive().len(), len, "an extra value was not dropped");
                }
                Err(_) => {
                    assert_eq!((ledger.alive().len(), arena.count()), (0, 0));
                    assert_room(&arena, n, || ledger.value());
                }
            }
            let honest = lengths == [n; 3] && (fewer, more) == (0, 0);
            assert!(!honest || arena.is_full());
            drop(arena);
            assert_eq!(ledger.alive(), Vec::<usize>::new());
        }
    }
}

#[test]
fn a_wrong_length_is_named_in_the_panic() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(10);
    let fill = |lengths| panic_of(|| drop(arena.alloc_from_par_iter(Liar::new(&ledger, lengths, 0, 0))));
    assert_eq!(fill([10, 7, 7]), "a parallel iterator of length 10 produced 7 items");
    assert_eq!(among_workers(|| fill([4, 10, 10])), "a parallel iterator splits beyond its length");
}

/// Uses the consumer in a way that no correct iterator does.
struct Abuser<'a>(&'a Ledger, Abuse);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Abuse {
    GivesNothing,
    GivesTheLowerHalf,
    GivesTheUpperHalf,
    Swaps,
    LeavesAGap,
    Forgets,
    GoesOnWhenFull,
    SplitsBehindTheEnd,
}

const ABUSES: [Abuse; 8] = {
    use Abuse::*;
    [GivesNothing, GivesTheLowerHalf, GivesTheUpperHalf, Swaps, LeavesAGap, Forgets, GoesOnWhenFull, SplitsBehindTheEnd]
};

impl<'a> ParallelIterator for Abuser<'a> {
    type Item = Counted<'a>;

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        self.drive(consumer)
    }
}

impl IndexedParallelIterator for Abuser<'_> {
    fn drive<C: Consumer<Self::Item>>(self, consumer: C) -> C::Result {
        let Abuser(ledger, abuse) = self;
        let fill = |consumer: C, values| consumer.into_folder().consume_iter(ledger.values(values)).complete();
        let split = |consumer: C| consumer.split_at(4);
        match abuse {
            Abuse::GivesNothing => consumer.into_folder().complete(),
            Abuse::GivesTheLowerHalf => fill(split(consumer).0, 4),
            Abuse::GivesTheUpperHalf => fill(split(consumer).1, 4),
            Abuse::Swaps => {
                let (lower, upper, reducer) = split(consumer);
                reducer.reduce(fill(upper, 4), fill(lower, 4))
            }
            Abuse::LeavesAGap => {
                let (lower, upper, reducer) = split(consumer);
                reducer.reduce(fill(lower, 3), fill(upper, 4))
            }
            Abuse::Forgets => {
                let (lower, upper, _) = split(consumer);
                mem::forget(fill(lower, 4));
                fill(upper, 4)
            }
            Abuse::GoesOnWhenFull => {
                let mut folder = consumer.into_folder();
                assert!(!folder.full());
                for _ in 0..20 {
                    folder = folder.consume(ledger.value());
                }
                assert!(folder.full());
                folder.complete()
            }
            Abuse::SplitsBehindTheEnd => fill(consumer.split_at(9).0, 9),
        }
    }

    fn len(&self) -> usize {
        8
    }

    fn with_producer<B: ProducerCallback<Self::Item>>(self, _: B) -> B::Output {
        unreachable!("it is driven")
    }
}

#[test]
fn an_iterator_that_misuses_the_consumer_gets_no_run() {
    for abuse in ABUSES {
        let ledger = Ledger::new();
        let arena = AtomicArena::with_capacity(8);
        let fill = || arena.alloc_from_par_iter(Abuser(&ledger, abuse)).map(|run| run.len()).ok();
        let len = catch_unwind(AssertUnwindSafe(fill)).ok().flatten();
        let (left, leaked) = match abuse {
            Abuse::GoesOnWhenFull => (Some(8), 8), // the values after the eighth are dropped
            Abuse::Forgets => (None, 4),
            _ => (None, 0),
        };
        assert_eq!((len, ledger.alive().len(), arena.count()), (left, leaked, left.unwrap_or(0)), "{abuse:?}");
        assert_room(&arena, 8 - left.unwrap_or(0), || ledger.value());
    }
}

/// The object whose drop panics during the call, after all values are in their slots.
enum Dropped {
    TheIterator,
    AValueTooMany,
}

struct Dropper<'a>(&'a Ledger, Dropped);

/// An iterator that panics when it is dropped.
struct Bomb<I>(I);

impl<I: Iterator> Iterator for Bomb<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

impl<I> Drop for Bomb<I> {
    fn drop(&mut self) {
        panic!("an iterator is dropped");
    }
}

impl<'a> ParallelIterator for Dropper<'a> {
    type Item = Counted<'a>;

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        self.drive(consumer)
    }
}

impl IndexedParallelIterator for Dropper<'_> {
    fn drive<C: Consumer<Self::Item>>(self, consumer: C) -> C::Result {
        let (folder, values) = (consumer.into_folder(), self.0.values(4));
        match self.1 {
            Dropped::TheIterator => folder.consume_iter(Bomb(values.into_iter())).complete(),
            Dropped::AValueTooMany => folder.consume_iter(values).consume(self.0.bomb()).complete(),
        }
    }

    fn len(&self) -> usize {
        4
    }

    fn with_producer<B: ProducerCallback<Self::Item>>(self, _: B) -> B::Output {
        unreachable!("it is driven")
    }
}

#[test]
fn a_panic_in_the_drop_of_the_iterator_or_of_an_extra_value_keeps_no_value() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(8);
    for (dropped, message) in [(Dropped::TheIterator, "an iterator is dropped"), (Dropped::AValueTooMany, "bomb 8")] {
        assert_eq!(panic_of(|| drop(arena.alloc_from_par_iter(Dropper(&ledger, dropped)))), message);
        assert_eq!((ledger.alive(), arena.count()), (vec![], 0));
    }
    assert_room(&arena, 8, || ledger.value());
}

// ---- a `Local` for each part of the work

#[test]
fn references_from_the_locals_of_workers_outlive_them_and_no_slot_is_lost() {
    let ledger = Ledger::new();
    let n = scaled(20_000, 100);
    let arena = AtomicArena::with_capacity(2 * n);
    let mut values: Vec<&mut Counted<'_>> = among_workers(|| {
        let workers = (0..n).into_par_iter().with_max_len(64);
        workers.map_init(|| arena.local(), |local, _| local.alloc(ledger.value()).unwrap()).collect()
    });
    assert_eq!((values.len(), arena.count()), (n, n), "a `Local` has not returned its rest");
    values.sort_by_key(|value| value.id);
    assert!(values.iter().map(|value| value.id).eq(0..n));
    assert_room(&arena, n, || ledger.value());
    drop(arena);
    assert_eq!(ledger.dropped(), 2 * n);
}

#[test]
fn debug_shows_the_slots() {
    let mut arena = runs_from_cursor(AtomicArena::with_capacity(3));
    arena.publish(7).unwrap();
    arena.publish(8).unwrap();
    assert_eq!(format!("{:?}", arena.par_iter()), "ParIter { slots: 0..2, .. }");
    assert_eq!(format!("{:?}", arena.par_iter_mut()), "ParIterMut { slots: 0..2, .. }");
    assert_eq!(format!("{:?}", arena.par_drain()), "ParDrain { slots: 0..2, .. }");
    assert!(format!("{:?}", arena.into_par_iter()).starts_with("ParIntoIter { arena: AtomicArena {"));
}
