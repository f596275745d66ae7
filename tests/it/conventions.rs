//! Properties that Rust users expect of a container: its traits, the guarantees of its iterators,
//! and its panics.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Debug;
use std::iter::FusedIterator;
use std::mem;

use atomicarena::{AtomicArena, Drain, Heap, IntoIter, Iter, IterMut, Key, Reservation, StaticArena, Values};

use crate::payload::{mixed, panic_of, punch_holes, runs_from_cursor};

#[test]
fn iterators_implement_the_traits_that_hold() {
    fn every<I: DoubleEndedIterator + FusedIterator + Debug>() {}
    fn exact<I: ExactSizeIterator>() {}
    fn cheap<I: Clone>() {}
    every::<Iter<'static, u8>>(); // not exact: other threads may publish meanwhile
    cheap::<Iter<'static, u8>>();
    every::<Values<'static, u8>>();
    cheap::<Values<'static, u8>>();
    every::<IterMut<'static, u8>>();
    exact::<IterMut<'static, u8>>();
    every::<Drain<'static, u8>>();
    exact::<Drain<'static, u8>>();
    every::<IntoIter<u8, Heap<u8>>>();
    exact::<IntoIter<u8, Heap<u8>>>();
}

/// Takes from the front and from the back in turn, and compares the hint with the number of items
/// left at each step.
fn check_exact<I: DoubleEndedIterator + ExactSizeIterator>(mut iter: I, values: usize) {
    for left in (0..values).rev() {
        assert_eq!((iter.len(), iter.size_hint()), (left + 1, (left + 1, Some(left + 1))));
        let item = if left % 2 == 0 { iter.next() } else { iter.next_back() };
        assert!(item.is_some());
    }
    assert!(iter.next().is_none() && iter.next_back().is_none() && iter.next().is_none());
    assert_eq!(iter.size_hint(), (0, Some(0)));
}

#[test]
fn exclusive_iterators_count_values_and_not_slots() {
    let filled = || {
        let arena = AtomicArena::with_capacity(20);
        punch_holes(&arena);
        arena.publish(1).unwrap();
        mem::forget(arena.reserve(3));
        arena.alloc(2).unwrap();
        arena
    };
    let mut arena = filled();
    let values = arena.iter_mut().count();
    assert!(values < arena.index_bound());
    check_exact(arena.iter_mut(), values);
    check_exact(arena.drain(), values);
    check_exact(arena.drain(), 0);
    check_exact(filled().into_iter(), values);
}

#[test]
fn the_size_hint_of_iter_holds_while_others_publish() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(8));
    let mut runs = [arena.reserve(2).unwrap(), arena.reserve(2).unwrap()];
    runs.iter_mut().for_each(|run| _ = run.fill_from_iter(0..));
    let [first, second] = runs;
    second.publish();
    let mut iter = arena.iter();
    assert_eq!(iter.size_hint(), (0, Some(4)));
    first.publish();
    arena.publish(9).unwrap(); // beyond the end of the iterator
    assert_eq!((iter.clone().count(), iter.next_back()), (4, Some((3, &1))));
}

#[test]
fn an_internal_loop_of_iter_yields_what_next_yields() {
    let arena = AtomicArena::with_capacity(9);
    for value in 0..8 {
        match value % 3 {
            1 => _ = arena.alloc(value).unwrap(),
            _ => _ = arena.publish(value).unwrap(),
        }
    }
    for (front, back) in [(0, 0), (1, 0), (2, 1), (1, 3), (6, 0), (7, 7)] {
        let mut iter = arena.iter();
        (0..front).for_each(|_| _ = iter.next());
        (0..back).for_each(|_| _ = iter.next_back());
        let mut again = iter.clone();
        let one_by_one: Vec<_> = std::iter::from_fn(|| again.next()).collect();
        assert_eq!(one_by_one.len(), 5_usize.saturating_sub(front + back));
        let mut inside = Vec::new();
        iter.for_each(|item| inside.push(item));
        assert_eq!(inside, one_by_one);
    }
}

#[test]
fn values_are_those_of_iter_from_both_ends_and_inside() {
    let arena = AtomicArena::with_capacity(9);
    for value in 0..8 {
        match value % 3 {
            1 => _ = arena.alloc(value).unwrap(),
            _ => _ = arena.publish(value).unwrap(),
        }
    }
    for (front, back) in [(0, 0), (1, 0), (2, 1), (1, 3), (6, 0), (7, 7)] {
        let (mut values, mut pairs) = (arena.values(), arena.iter());
        for _ in 0..front {
            assert_eq!(values.next(), pairs.next().map(|(_, value)| value));
        }
        for _ in 0..back {
            assert_eq!(values.next_back(), pairs.next_back().map(|(_, value)| value));
        }
        assert_eq!(values.size_hint(), pairs.size_hint());
        let mut inside = Vec::new();
        values.clone().for_each(|value| inside.push(value));
        assert_eq!(inside, pairs.map(|(_, value)| value).collect::<Vec<_>>());
        assert_eq!(inside.len(), 5_usize.saturating_sub(front + back));
        let one_by_one: Vec<_> = std::iter::from_fn(|| values.next()).collect();
        assert_eq!(one_by_one, inside);
    }
}

#[test]
fn indexing_finds_what_get_finds() {
    let arena = AtomicArena::with_capacity(2);
    arena.publish(String::from("a")).unwrap();
    assert_eq!(arena[0], "a");
    assert!(std::ptr::eq(&arena[0], arena.get(0).unwrap()));
}

#[test]
fn a_failed_indexing_panics_with_advice() {
    let arena = AtomicArena::with_capacity(3);
    arena.alloc(1).unwrap();
    for unpublished in [0, 1, 2] {
        let message = panic_of(|| _ = arena[unpublished]);
        assert!(
            message.starts_with(&format!("slot {unpublished} holds no published value: `publish` it")),
            "{message}"
        );
    }
    assert_eq!(panic_of(|| _ = arena[3]), "index 3 is out of range: the arena has 3 slots");
}

#[test]
fn a_reservation_is_a_slice() {
    fn sum(values: impl AsRef<[u32]>) -> u32 {
        values.as_ref().iter().sum()
    }
    fn double(mut values: impl AsMut<[u32]>) {
        values.as_mut().iter_mut().for_each(|value| *value *= 2);
    }
    let arena = AtomicArena::with_capacity(4);
    let mut run: Reservation<'_, u32> = arena.reserve(3).unwrap();
    run.fill_from_iter(1..3);
    double(&mut run);
    assert_eq!(sum(&run), 6);
}

#[test]
fn a_static_arena_and_an_arena_in_it_have_a_default() {
    #[derive(Default)]
    struct Frame {
        sprites: StaticArena<u32, 4>,
    }
    let frame = Frame::default();
    assert_eq!((frame.sprites.capacity(), frame.sprites.count()), (4, 0));
}

#[test]
fn arenas_work_in_loops_and_keys_in_maps() {
    let ledger = crate::payload::Ledger::new();
    let mut arena = mixed(&ledger);
    let mut found = 0;
    for (index, value) in &arena {
        assert_eq!(arena.index_of(value), Some(index));
        found += 1;
    }
    let names: HashMap<Key<_>, usize> = arena.iter().map(|(index, _)| (arena.key_at(index).unwrap(), index)).collect();
    assert_eq!((names.len(), arena.count_published()), (found, found));
    for (_, value) in &mut arena {
        _ = value.id;
    }
    assert!(arena.into_iter().len() > found);
}

#[test]
fn errors_implement_error_send_and_sync() {
    fn passed_on<E: Error + Send + Sync + 'static>() {}
    passed_on::<atomicarena::Full<String>>();
    passed_on::<atomicarena::CapacityError>();
    passed_on::<atomicarena::IndexError>();
}
