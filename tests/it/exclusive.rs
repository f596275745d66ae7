//! Methods with `&mut self`, and `into_iter`. Resets, `compact` and keys have files of their own.

use std::mem;

use atomicarena::{AtomicArena, IndexError};

use crate::payload::{Ledger, assert_room, fill_up, mined, mixed, panic_of, punch_holes};

// ---- get_mut, iter_mut

#[test]
fn get_mut_finds_owned_and_published_values() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    let found: Vec<_> = (0..10).map(|i| arena.get_mut(i).map(|v| v.id)).collect();
    let none = None;
    assert_eq!(found, [Some(0), Some(1), none, Some(2), Some(3), none, none, none, none, none]);
    assert!(arena.get_mut(usize::MAX).is_none());
}

#[test]
fn get_reads_what_get_mut_has_written() {
    let mut arena = AtomicArena::with_capacity(2);
    arena.publish(1).unwrap();
    *arena.get_mut(0).unwrap() = 5;
    assert_eq!(arena.get(0), Some(&5));
}

#[test]
fn get_disjoint_mut_lends_owned_and_published_values_together() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    let many = arena.get_disjoint_mut([4, 0, 3]).unwrap();
    assert_eq!(many.map(|value| value.id), [3, 0, 2]);
    let [last, first] = arena.get_disjoint_mut([4, 0]).unwrap();
    mem::swap(last, first);
    assert_eq!(arena.iter_mut().map(|(_, value)| value.id).collect::<Vec<_>>(), [3, 1, 2, 0]);
    assert_eq!(arena.get_disjoint_mut([]).map(|none| none.len()), Ok(0));
    assert_eq!(arena.get_disjoint_mut([1]).map(|[value]| value.id), Ok(1));
}

#[test]
fn get_disjoint_mut_reports_the_wrong_index_and_the_reason() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger); // slots 0, 1, 3 and 4 of 8 hold values
    let mut error = |indices: [usize; 3]| arena.get_disjoint_mut(indices).map(drop).unwrap_err();
    for nothing in [2, 5, 7] {
        assert_eq!(error([0, nothing, 1]), IndexError::NoValue { index: nothing });
    }
    for beyond in [8, usize::MAX] {
        assert_eq!(error([0, 1, beyond]), IndexError::OutOfRange { index: beyond, capacity: 8 });
    }
    for twice in [[0, 0, 1], [1, 0, 0], [0, 1, 0]] {
        assert_eq!(error(twice), IndexError::Duplicate { index: 0 });
    }
    // The error names the first wrong index in the order of the argument.
    assert_eq!(error([8, 7, 7]), IndexError::OutOfRange { index: 8, capacity: 8 });
    assert_eq!(error([7, 7, 8]), IndexError::NoValue { index: 7 });
    assert_eq!(error([1, 1, 8]), IndexError::Duplicate { index: 1 });
    assert_eq!(ledger.dropped(), 0);
}

#[test]
fn get_disjoint_mut_settles_leaked_runs_and_distinguishes_zero_sized_values() {
    let mut arena = AtomicArena::with_capacity(5);
    arena.alloc(()).unwrap();
    arena.alloc(()).unwrap();
    mem::forget(arena.reserve(2));
    arena.publish(()).unwrap();
    assert_eq!(arena.get_disjoint_mut([0, 4]), Ok([&mut (), &mut ()]));
    assert_eq!(arena.get_disjoint_mut([0, 2]), Err(IndexError::NoValue { index: 2 }));
    assert_eq!(arena.get_disjoint_mut([4, 4]), Err(IndexError::Duplicate { index: 4 }));
}

#[test]
fn iter_mut_yields_every_value_in_index_order() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    let found: Vec<_> = arena.iter_mut().map(|(i, v)| (i, v.id)).collect();
    assert_eq!(found, [(0, 0), (1, 1), (3, 2), (4, 3)]);
    let mut found = Vec::new();
    for (index, value) in &mut arena {
        found.push((index, value.id));
    }
    assert_eq!(found, [(0, 0), (1, 1), (3, 2), (4, 3)]);
}

#[test]
fn the_references_of_iter_mut_are_usable_together() {
    let mut arena = AtomicArena::with_capacity(4);
    arena.alloc_slice_copy(&[1, 2, 3, 4]).unwrap();
    let mut all: Vec<_> = arena.iter_mut().map(|(_, v)| v).collect();
    let (front, back) = all.split_at_mut(2);
    mem::swap(front[0], back[1]);
    assert_eq!(arena.as_mut_slice().unwrap(), &[4, 2, 3, 1]);
}

#[test]
fn iter_mut_after_refusals_ends_at_the_capacity() {
    let mut arena = AtomicArena::with_capacity(3);
    assert_eq!(fill_up(&arena, || 1), 3);
    for _ in 0..100 {
        assert!(arena.alloc(2).is_err());
    }
    assert_eq!(arena.iter_mut().count(), 3);
    assert_eq!(arena.as_mut_slice().map(|all| all.len()), Some(3));
    assert_eq!(arena.drain().count(), 3);
    assert_room(&arena, 3, || 1);
}

// ---- drain

#[test]
fn drain_yields_every_value_in_index_order() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    let values: Vec<_> = arena.drain().collect();
    assert_eq!(values.iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(ledger.dropped(), 0);
    assert_eq!((arena.count(), arena.index_bound(), arena.iter().count()), (0, 0, 0));
    assert_room(&arena, 8, || ledger.value());
    drop(values);
    assert_eq!(ledger.dropped(), 4);
}

#[test]
fn a_dropped_drain_drops_the_rest() {
    for taken in 0..=4 {
        let ledger = Ledger::new();
        let mut arena = mixed(&ledger);
        let values: Vec<_> = arena.drain().take(taken).collect();
        assert_eq!(values.len(), taken);
        assert_eq!(ledger.alive(), (0..taken).collect::<Vec<_>>());
        assert!(arena.is_empty());
        assert_room(&arena, 8, || ledger.value());
        drop((arena, values));
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn a_leaked_drain_leaks_the_rest_and_the_arena_is_empty() {
    for taken in 0..=4 {
        let ledger = Ledger::new();
        let mut arena = mixed(&ledger);
        let mut drain = arena.drain();
        let values: Vec<_> = drain.by_ref().take(taken).collect();
        mem::forget(drain);
        assert_eq!((arena.count(), arena.iter_mut().count()), (0, 0));
        assert_eq!(arena.iter().count(), 0);
        assert_room(&arena, 8, || ledger.value());
        drop((arena, values));
        assert_eq!(ledger.alive(), (taken..4).collect::<Vec<_>>());
    }
}

#[test]
fn a_drain_is_fused() {
    let mut arena = AtomicArena::with_capacity(2);
    arena.alloc(1).unwrap();
    let mut drain = arena.drain();
    assert_eq!((drain.next(), drain.next(), drain.next()), (Some(1), None, None));
}

#[test]
fn a_panic_in_a_dropped_drain_drops_the_others() {
    let ledger = Ledger::new();
    let mut arena = mined(&ledger);
    let mut drain = arena.drain();
    drop(drain.next());
    assert_eq!(panic_of(|| drop(drain)), "bomb 2");
    assert_eq!(ledger.dropped(), 5);
    assert_eq!(arena.iter().count(), 0);
    assert_room(&arena, 5, || ledger.value());
}

// ---- into_iter

#[test]
fn into_iter_yields_every_value_in_index_order() {
    let ledger = Ledger::new();
    let values: Vec<_> = mixed(&ledger).into_iter().collect();
    assert_eq!(values.iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(ledger.dropped(), 0);
    drop(values);
    assert_eq!(ledger.dropped(), 4);
}

#[test]
fn a_dropped_into_iter_drops_the_rest() {
    for taken in 0..=4 {
        let ledger = Ledger::new();
        let values: Vec<_> = mixed(&ledger).into_iter().take(taken).collect();
        assert_eq!(ledger.alive(), (0..taken).collect::<Vec<_>>());
        drop(values);
        assert_eq!(ledger.dropped(), 4);
    }
}

#[test]
fn a_panic_in_a_dropped_into_iter_drops_the_others() {
    let ledger = Ledger::new();
    let mut values = mined(&ledger).into_iter();
    drop(values.next());
    assert_eq!(panic_of(|| drop(values)), "bomb 2");
    assert_eq!(ledger.dropped(), 5);
}

// ---- as_mut_slice

#[test]
fn as_mut_slice_is_some_if_no_slot_below_the_cursor_is_empty() {
    let mut arena = AtomicArena::with_capacity(6);
    assert_eq!(arena.as_mut_slice(), Some(&mut [][..]));
    arena.alloc(1).unwrap();
    arena.publish(2).unwrap();
    arena.alloc_slice_copy(&[3, 4]).unwrap();
    let all = arena.as_mut_slice().unwrap();
    assert_eq!(all, [1, 2, 3, 4]);
    all[1] = 20;
    assert_eq!(arena.get(1), Some(&20));
}

#[test]
fn as_mut_slice_is_none_with_a_vacant_slot_below_the_cursor() {
    let mut arena = AtomicArena::with_capacity(4);
    punch_holes(&arena);
    assert_eq!(arena.as_mut_slice(), None);
    arena.alloc(9).unwrap();
    assert_eq!(arena.as_mut_slice(), None);
    arena.alloc(9).unwrap();
    assert_eq!(arena.as_mut_slice(), Some(&mut [9, 1, 9, 3][..]));
}

#[test]
fn as_mut_slice_ignores_vacant_slots_directly_below_the_cursor() {
    let mut arena = AtomicArena::with_capacity(7);
    arena.alloc(1).unwrap();
    let below = arena.reserve(2).unwrap();
    let above = arena.reserve(3).unwrap();
    drop(below);
    drop(above);
    assert_eq!(arena.as_mut_slice(), Some(&mut [1][..]));
    assert_eq!((arena.index_bound(), arena.remaining()), (1, 6));
    assert_eq!(arena.alloc_slice_copy(&[2; 6]).unwrap().len(), 6, "the arena has lost slots");
}

// ---- publish_all

#[test]
fn publish_all_shows_every_value_and_no_vacant_slot() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    assert_eq!(arena.iter().count(), 2);
    arena.publish_all();
    let seen: Vec<_> = arena.iter().map(|(i, v)| (i, v.id)).collect();
    assert_eq!(seen, [(0, 0), (1, 1), (3, 2), (4, 3)]);
    assert!(arena.get(2).is_none() && arena.get(5).is_none());
    assert_eq!(arena.get_slice(3..5).unwrap().len(), 2);
    assert_room(&arena, 4, || ledger.value());
    assert_eq!(arena.iter().count(), 4, "a value that was stored later is published");
    drop(arena);
    assert_eq!(ledger.dropped(), 8);
}

#[test]
fn publish_all_of_an_empty_arena_does_nothing() {
    let mut arena = AtomicArena::<u32>::with_capacity(3);
    arena.publish_all();
    assert_eq!(arena.iter().count(), 0);
    assert_room(&arena, 3, || 1);
    assert_eq!(arena.iter().count(), 0);
}

// ---- fill_with, fill_default

#[test]
fn fill_with_fills_every_free_slot_and_returns_the_whole_arena() {
    let mut arena = AtomicArena::with_capacity(6);
    arena.publish(100).unwrap();
    let all = arena.fill_with(|index| index);
    assert_eq!(all, [100, 1, 2, 3, 4, 5]);
    all[5] = 50;
    assert_eq!(arena.iter().collect::<Vec<_>>(), [(0, &100)], "a filled value is published");
    assert!(arena.is_full());
    arena.publish_all();
    assert_eq!(arena.get_slice(0..6), Some(&[100, 1, 2, 3, 4, 50][..]));
}

#[test]
fn fill_with_fills_vacant_slots_below() {
    let mut arena = AtomicArena::with_capacity(6);
    punch_holes(&arena);
    let mut asked = Vec::new();
    let all = arena.fill_with(|index| {
        asked.push(index);
        index + 10
    });
    assert_eq!(all, [10, 1, 12, 3, 14, 5]);
    asked.sort();
    assert_eq!(asked, [0, 2, 4]);
    assert_room(&arena, 0, || 0);
    assert_eq!(arena.iter_mut().count(), 6);
}

#[test]
fn fill_with_on_a_full_arena_calls_no_closure() {
    let mut arena = AtomicArena::with_capacity(2);
    arena.alloc_slice_copy(&[1, 2]).unwrap();
    assert_eq!(arena.fill_with(|_| panic!("asked")), [1, 2]);
}

#[test]
fn a_panic_in_fill_with_loses_no_slot_and_drops_nothing_twice() {
    for holes in [false, true] {
        for at in 0..4 {
            let ledger = Ledger::new();
            let mut arena = AtomicArena::with_capacity(8);
            let runs: Vec<_> = (0..4).map(|_| arena.reserve(1).unwrap()).collect();
            for (place, mut run) in runs.into_iter().enumerate() {
                if !holes || place % 2 == 1 {
                    run.push(ledger.value()).unwrap();
                    run.finish();
                }
            }
            let mut calls = 0;
            panic_of(|| {
                arena.fill_with(|_| {
                    assert_ne!(calls, at, "here");
                    calls += 1;
                    ledger.value()
                });
            });
            let live = ledger.made() - ledger.dropped();
            assert_eq!(arena.iter_mut().count(), live, "at {at}, holes: {holes}");
            assert_room(&arena, 8 - live, || ledger.value());
            assert_eq!(arena.as_mut_slice().map(|all| all.len()), Some(8));
            arena.reset();
            assert_eq!(ledger.dropped(), ledger.made());
            assert_room(&arena, 8, || ledger.value());
        }
    }
}

#[test]
fn fill_default_fills_with_the_default() {
    let mut arena = AtomicArena::with_capacity(4);
    arena.alloc(String::from("kept")).unwrap();
    assert_eq!(arena.fill_default(), ["kept", "", "", ""]);
    assert!(arena.is_full());
}

#[test]
fn fill_with_works_for_zero_sized_values() {
    let mut arena = AtomicArena::with_capacity(4);
    arena.alloc(()).unwrap();
    assert_eq!(arena.fill_with(|_| ()).len(), 4);
    assert_eq!(arena.drain().count(), 4);
}

// ---- from both ends

#[test]
fn double_ended_iterators_meet_in_the_middle_and_know_their_length() {
    fn meet<I: DoubleEndedIterator + ExactSizeIterator>(mut iter: I, id: impl Fn(&I::Item) -> usize) {
        assert_eq!(iter.len(), 4);
        assert_eq!(iter.next_back().map(|item| id(&item)), Some(3));
        assert_eq!(iter.next().map(|item| id(&item)), Some(0));
        assert_eq!((iter.len(), iter.size_hint()), (2, (2, Some(2))));
        assert_eq!(iter.next_back().map(|item| id(&item)), Some(2));
        assert_eq!(iter.next_back().map(|item| id(&item)), Some(1));
        assert!(iter.len() == 0 && iter.next().is_none() && iter.next_back().is_none());
    }
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    meet(arena.iter_mut(), |(_, value)| value.id);
    meet(arena.drain(), |value| value.id);
    assert!(arena.is_empty());
    assert_eq!(ledger.dropped(), 4);
    let ledger = Ledger::new();
    meet(mixed(&ledger).into_iter(), |value| value.id);
    assert_eq!(ledger.dropped(), 4);
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    assert!(arena.iter().rev().map(|(index, _)| index).eq([3, 1]));
    drop(arena.drain().next_back());
    assert_eq!(ledger.dropped(), 4, "the values in front were not dropped");
}

#[test]
fn as_mut_slice_is_whole_after_a_vacant_slot_was_claimed_again() {
    let mut arena = AtomicArena::with_capacity(3_000).in_order();
    arena.alloc(0).unwrap();
    let unused = arena.reserve(1).unwrap();
    arena.alloc_slice_with(2_998, |_| 1).unwrap();
    drop(unused);
    assert!(arena.reserve(2).is_err());
    arena.alloc(2).unwrap();
    assert!(arena.is_full());
    let values = arena.as_mut_slice().expect("no slot is vacant");
    assert_eq!(values[..3], [0, 2, 1]);
}
