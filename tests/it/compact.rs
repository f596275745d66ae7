//! `compact` and `into_vec`, which make the values contiguous. `storages` tests `compact` with
//! every kind of memory.

use std::mem;
use std::thread;

use atomicarena::AtomicArena;

use crate::allocations::metered;
use crate::payload::{Ledger, punch_holes, scaled};

#[test]
fn into_vec_reuses_the_slots() {
    let arena = AtomicArena::with_capacity(10);
    let first = &raw const *arena.alloc(1_u64).unwrap();
    arena.publish(2).unwrap();
    let (vec, meter) = metered(|| arena.into_vec());
    assert_eq!((vec.as_slice(), vec.capacity(), vec.as_ptr()), (&[1, 2][..], 10, first));
    assert_eq!((meter.requests, meter.returns), (0, 1), "requests, and returns of the bytes beside the slots");
    let ((), meter) = metered(|| drop(vec));
    assert_eq!(meter.returns, 1);
}

#[test]
fn a_vector_from_an_arena_takes_over_the_slots() {
    let arena = AtomicArena::with_capacity(8);
    arena.alloc(String::from("a")).unwrap();
    let hole = arena.reserve(1).unwrap();
    let last = std::ptr::from_ref(arena.publish(String::from("b")).unwrap().1);
    drop(hole);
    let (vec, meter) = metered(|| Vec::from(arena));
    assert_eq!((vec.as_slice(), vec.capacity()), (&["a".to_string(), "b".to_string()][..], 8));
    assert_eq!((meter.requests, last.addr() - vec.as_ptr().addr()), (0, 2 * size_of::<String>()));
}

#[test]
fn into_vec_closes_holes_in_place() {
    let mut arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    let first = (&raw const *arena.get_mut(1).unwrap()).wrapping_sub(1);
    let (vec, meter) = metered(|| arena.into_vec());
    assert_eq!((vec.as_slice(), vec.capacity(), vec.as_ptr()), (&[1, 3, 5, 7][..], 8, first));
    assert_eq!((meter.requests, meter.returns), (0, 1));
}

#[test]
fn into_vec_of_an_empty_and_of_a_full_arena() {
    assert_eq!(AtomicArena::<String>::with_capacity(3).into_vec(), Vec::<String>::new());
    let mut arena = AtomicArena::with_capacity(3);
    arena.fill_with(|index| index.to_string());
    let mut vec = arena.into_vec();
    vec.push("3".into());
    assert_eq!(vec, ["0", "1", "2", "3"]);
}

#[test]
fn into_vec_of_zero_sized_and_of_over_aligned_values() {
    #[derive(Debug, PartialEq)]
    #[repr(align(4096))]
    struct Page(u8);
    let arena = AtomicArena::with_capacity(5);
    drop((arena.reserve(1), arena.alloc(()), arena.publish(())));
    assert_eq!(arena.into_vec().len(), 2);
    let arena = AtomicArena::with_capacity(5);
    let hole = arena.reserve(1).unwrap();
    arena.alloc(Page(7)).unwrap();
    drop(hole);
    assert_eq!(arena.into_vec(), [Page(7)]);
}

#[test]
fn values_outlive_arena_and_threads_and_are_dropped_once() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(100);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut local = arena.local();
                for _ in 0..10 {
                    local.alloc(ledger.value()).unwrap();
                    arena.publish(ledger.value()).unwrap();
                }
            });
        }
    });
    let vec = arena.into_vec();
    assert_eq!((vec.len(), ledger.dropped()), (80, 0));
    drop(vec);
    assert_eq!((ledger.made(), ledger.dropped()), (80, 80));
}

#[test]
fn leaked_values_are_not_in_the_vector() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(10);
    arena.alloc(ledger.value()).unwrap();
    let mut leaked = arena.reserve(3).unwrap();
    leaked.push(ledger.value()).unwrap();
    mem::forget(leaked);
    arena.publish(ledger.value()).unwrap();
    let ids: Vec<_> = arena.into_vec().iter().map(|value| value.id).collect();
    assert_eq!((ids, ledger.alive()), (vec![0, 2], vec![1]));
}

#[test]
fn into_boxed_slice_frees_the_unused_slots() {
    let mut arena = AtomicArena::with_capacity(scaled(1000, 100));
    arena.alloc_slice_copy(&[1_u64, 2, 3]).unwrap();
    assert_eq!(*arena.into_boxed_slice(), [1, 2, 3]);
    arena = AtomicArena::with_capacity(2);
    arena.fill_default();
    let (boxed, meter) = metered(|| arena.into_boxed_slice());
    assert_eq!(
        (boxed.len(), meter.requests),
        (2, 0),
        "the length and the number of requests: no slot is unused, so the allocator is not called"
    );
}

#[test]
fn a_panic_in_drop_is_handled_by_the_vector() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(4);
    drop(arena.reserve(1));
    arena.alloc(ledger.bomb()).unwrap();
    arena.alloc(ledger.value()).unwrap();
    let vec = arena.into_vec();
    assert_eq!(crate::payload::panic_of(|| drop(vec)), "bomb 0");
    assert_eq!(ledger.dropped(), 2);
}

#[test]
fn compact_keeps_the_capacity_for_runs() {
    let mut arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    assert!(arena.reserve(2).is_err(), "a run was found, but no two free slots are contiguous");
    assert_eq!(arena.compact(), [1, 3, 5, 7]);
    assert_eq!(arena.alloc_slice_copy(&[9; 4]).unwrap(), [9; 4]);
    assert_eq!(arena.as_mut_slice().unwrap(), [1, 3, 5, 7, 9, 9, 9, 9]);
}

#[test]
fn an_old_index_finds_nothing_after_compact_even_without_holes() {
    let mut arena = AtomicArena::with_capacity(8);
    let (index, _) = arena.publish('a').unwrap();
    assert_eq!((arena.as_mut_slice().unwrap().len(), arena.get(index)), (1, Some(&'a')));
    assert_eq!(arena.compact(), ['a']);
    assert_eq!(arena.get(index), None);
    arena.publish_all();
    assert_eq!(arena.get(index), Some(&'a'));
}
