//! Leaked reservations, and what methods with `&mut self` do with the slots that they held.

use std::mem;

use atomicarena::AtomicArena;

use crate::payload::{Counted, Ledger, assert_room};

/// Returns an arena whose slots 1 to 6 are in leaked runs of one, two and three slots, in the given
/// order.
fn leak_one_two_three(order: [usize; 3], fill: bool) -> AtomicArena<u32> {
    let arena = AtomicArena::with_capacity(12);
    arena.alloc(100).unwrap();
    let runs = order.map(|n| arena.reserve(n).unwrap());
    arena.alloc(101).unwrap();
    for mut run in runs {
        if fill {
            assert_eq!(run.fill_from_iter(0..), run.capacity());
        }
        mem::forget(run);
    }
    arena
}

#[test]
fn adjacent_leaked_runs_of_one_two_and_three_are_told_apart() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        for fill in [false, true] {
            let mut arena = leak_one_two_three(order, fill);
            let live: Vec<_> = arena.iter_mut().map(|(i, v)| (i, *v)).collect();
            assert_eq!(live, [(0, 100), (7, 101)], "{order:?}, filled: {fill}");

            let mut arena = leak_one_two_three(order, fill);
            assert!((1..7).all(|index| arena.get_mut(index).is_none()), "{order:?}");
            assert_eq!(arena.get_mut(0), Some(&mut 100));
            assert_eq!(arena.get_mut(7), Some(&mut 101));
            assert_eq!(arena.count(), 2);
            assert_room(&arena, 10, || 7);

            let mut arena = leak_one_two_three(order, fill);
            assert_eq!(arena.as_mut_slice(), None);
            assert_eq!(arena.drain().collect::<Vec<_>>(), [100, 101]);
            assert_eq!(arena.into_iter().count(), 0);
        }
    }
}

#[test]
fn a_finished_neighbour_is_not_taken_for_a_leaked_run() {
    for n in 1..=3 {
        let mut arena = AtomicArena::with_capacity(20);
        let [mut before, leaked, mut behind] = [n, n, n].map(|n| arena.reserve(n).unwrap());
        before.fill_from_iter(0..n);
        behind.fill_from_iter(10..10 + n);
        mem::forget(leaked);
        before.finish();
        behind.publish();
        let expected: Vec<_> = (0..n).chain((2 * n..3 * n).map(|i| i - 2 * n + 10)).collect();
        assert_eq!(arena.iter_mut().map(|(_, v)| *v).collect::<Vec<_>>(), expected);
        assert_eq!(arena.iter().map(|(i, _)| i).collect::<Vec<_>>(), (2 * n..3 * n).collect::<Vec<_>>());
        assert_room(&arena, 20 - 2 * n, || 0);
    }
}

#[test]
fn the_values_of_a_leaked_run_are_leaked_with_it() {
    type Act = for<'a, 'b> fn(&'a mut AtomicArena<Counted<'b>>);
    let acts: [(&str, Act); 9] = [
        ("get_mut", |arena| assert!(arena.get_mut(1).is_none())),
        ("iter_mut", |arena| assert_eq!(arena.iter_mut().count(), 2)),
        ("drain", |arena| assert_eq!(arena.drain().count(), 2)),
        ("as_mut_slice", |arena| assert!(arena.as_mut_slice().is_none())),
        ("publish_all", |arena| {
            arena.publish_all();
            assert_eq!(arena.iter().map(|(i, _)| i).collect::<Vec<_>>(), [0, 7]);
        }),
        ("reset", |arena| arena.reset()),
        ("reset_zeroed", |arena| arena.reset_zeroed()),
        ("into_iter", |arena| {
            let empty = AtomicArena::with_capacity(1);
            assert_eq!(mem::replace(arena, empty).into_iter().count(), 2);
        }),
        ("drop", |arena| *arena = AtomicArena::with_capacity(1)),
    ];
    for (name, act) in acts {
        let ledger = Ledger::new();
        let mut arena = AtomicArena::with_capacity(12);
        arena.alloc(ledger.value()).unwrap();
        let runs = [1, 2, 3].map(|n| arena.reserve(n).unwrap());
        arena.publish(ledger.value()).unwrap();
        for mut run in runs {
            run.fill_from_iter(ledger.values(run.capacity()));
            mem::forget(run);
        }
        act(&mut arena);
        let (capacity, live) = (arena.capacity(), arena.count());
        assert!(live == 2 || live == 0, "{name}: {live}");
        assert_room(&arena, capacity - live, || ledger.value());
        drop(arena);
        assert_eq!(ledger.alive(), [2, 3, 4, 5, 6, 7], "{name}");
    }
}

#[test]
fn leaked_runs_at_the_cursor_are_reclaimed() {
    for n in 1..=3 {
        let mut arena = AtomicArena::<u32>::with_capacity(9);
        arena.publish(1).unwrap();
        for _ in 0..2 {
            mem::forget(arena.reserve(n).unwrap());
        }
        assert_eq!(arena.get_mut(5), None);
        assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (1, 8, 1));
        assert_eq!(arena.reserve(8).unwrap().first_index(), 1);
        assert_eq!(arena.as_mut_slice(), Some(&mut [1][..]));
    }
}

#[test]
fn fill_with_fills_leaked_runs_too() {
    let mut arena = leak_one_two_three([1, 2, 3], true);
    let all: Vec<_> = arena.fill_with(|index| index as u32).to_vec();
    assert_eq!(all, [100, 1, 2, 3, 4, 5, 6, 101, 8, 9, 10, 11]);
}

#[test]
fn a_leaked_run_is_never_published() {
    let arena = leak_one_two_three([2, 1, 3], true);
    assert_eq!(arena.iter().count(), 0);
    assert!((0..12).all(|index| arena.get(index).is_none()));
}

#[test]
fn a_handle_that_has_ended_leaves_no_mark() {
    // Each value is as long as a cache line, so that no line boundary shortens a run.
    let value = |number: u64| [number; 8];
    for (publish, used) in [(false, 1), (true, 1), (false, 3), (true, 3), (true, 4)] {
        let mut arena = AtomicArena::with_capacity(128);
        let mut local = arena.local_with_batch(3.try_into().unwrap());
        for number in 0..used {
            if publish {
                local.publish(value(number)).unwrap();
            } else {
                local.alloc(value(number)).unwrap();
            }
        }
        drop(local);
        arena.alloc(value(used)).unwrap();
        // A run of one slot has only an end mark. A start mark that an earlier run has left below
        // it would be taken for the start of this run.
        mem::forget(arena.reserve(1).unwrap());
        assert!(arena.iter_mut().map(|(_, value)| value[0]).eq(0..=used), "{publish} {used}");
    }
}
