//! `AtomicArena`: constructors, and methods for a single value.

use std::cell::Cell;

use atomicarena::{AtomicArena, CapacityError};

use crate::payload::{Ledger, SHARDS_FORCED, assert_room, cursor_after, panic_of, punch_holes};

// ---- constructors

#[test]
fn a_new_arena_is_empty() {
    let arena = AtomicArena::<u32>::with_capacity(7);
    assert_eq!(arena.capacity(), 7);
    assert_eq!(arena.count(), 0);
    assert_eq!(arena.remaining(), 7);
    assert_eq!(arena.index_bound(), 0);
    assert!(arena.is_empty());
    assert!(!arena.is_full());
    assert_eq!(arena.iter().count(), 0);
    assert_eq!(arena.get(0), None);
}

#[test]
fn try_with_capacity_builds_the_same() {
    let arena = AtomicArena::<u32>::try_with_capacity(3).unwrap();
    assert_eq!(arena.capacity(), 3);
    assert_room(&arena, 3, || 1);
}

#[test]
fn a_capacity_of_one_works() {
    let mut arena = AtomicArena::with_capacity(1);
    for round in 0..3 {
        assert_eq!(*arena.alloc(round).unwrap(), round);
        assert_eq!(arena.alloc(9).unwrap_err().into_inner(), 9);
        arena.reset();
    }
}

#[test]
fn a_capacity_of_zero_is_an_error() {
    assert!(matches!(AtomicArena::<u32>::try_with_capacity(0), Err(CapacityError::Zero)));
    assert!(matches!(AtomicArena::<()>::try_with_capacity(0), Err(CapacityError::Zero)));
}

#[test]
#[should_panic]
fn with_capacity_panics_on_zero() {
    let _ = AtomicArena::<u32>::with_capacity(0);
}

#[test]
#[should_panic]
fn with_capacity_panics_on_overflow() {
    let _ = AtomicArena::<u64>::with_capacity(usize::MAX);
}

#[track_caller]
fn assert_too_large<T>(asked: usize) {
    match AtomicArena::<T>::try_with_capacity(asked) {
        Err(CapacityError::TooLarge { capacity, slot_size }) => {
            assert_eq!((capacity, slot_size), (asked, size_of::<T>()));
        }
        Err(other) => panic!("not TooLarge but {other}"),
        Ok(_) => panic!("an arena of {asked} slots was created"),
    }
}

#[test]
fn a_capacity_beyond_isize_max_bytes_is_too_large() {
    let limit = isize::MAX as usize;
    assert_too_large::<u8>(limit + 1);
    assert_too_large::<u64>(limit / 8 + 1);
    assert_too_large::<[u8; 3]>(limit / 3 + 1);
    assert_too_large::<[u64; 512]>(limit / 4096 + 1);
}

#[test]
fn a_capacity_whose_bytes_wrap_around_is_too_large() {
    assert_too_large::<u8>(usize::MAX);
    assert_too_large::<u64>(usize::MAX);
    // In wrapping arithmetic, 8 times this capacity is 8.
    assert_too_large::<u64>(usize::MAX / 8 + 2);
    assert_too_large::<[u8; 1 << 16]>(usize::MAX - 1);
}

#[test]
fn zero_sized_values_are_bounded_by_their_stamps() {
    assert_too_large::<()>(usize::MAX);
    assert_too_large::<[u64; 0]>(isize::MAX as usize + 1);
}

#[test]
fn a_huge_alignment_does_not_overflow_the_size() {
    #[repr(align(4096))]
    struct Page;
    #[repr(align(4096))]
    struct Full(#[expect(dead_code)] u8);
    assert_too_large::<Page>(usize::MAX);
    assert_too_large::<Full>(isize::MAX as usize / 4096 + 1);
}

// ---- alloc, alloc_with, alloc_try_with

#[test]
fn alloc_stores_the_value_and_lends_it_for_writing() {
    let arena = AtomicArena::with_capacity(2);
    let a = arena.alloc(1_u64).unwrap();
    let b = arena.alloc(2).unwrap();
    *a += 10;
    *b += 20;
    assert_eq!((*a, *b), (11, 22));
    assert_eq!(arena.index_of(a), Some(0));
    assert_eq!(arena.index_of(b), Some(1));
}

#[test]
fn alloc_in_a_full_arena_returns_the_value() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(String::from("first")).unwrap();
    for _ in 0..3 {
        let full = arena.alloc(String::from("second")).unwrap_err();
        assert_eq!((full.requested(), full.remaining()), (1, 0));
        assert_eq!(full.into_inner(), "second");
    }
    assert_eq!((arena.count(), arena.remaining()), (1, 0));
}

#[test]
fn a_refused_value_is_not_dropped_by_the_arena() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(ledger.value()).unwrap();
    let value = arena.alloc(ledger.value()).unwrap_err().into_inner();
    assert_eq!(ledger.dropped(), 0);
    drop(value);
    assert_eq!(ledger.dropped(), 1);
    drop(arena);
    assert_eq!(ledger.dropped(), 2);
}

#[test]
fn alloc_with_builds_the_value() {
    let arena = AtomicArena::with_capacity(1);
    let value = arena.alloc_with(|| String::from("built")).unwrap();
    value.push_str(" in place");
    assert_eq!(value, "built in place");
}

#[test]
fn a_refused_alloc_with_returns_the_closure_uncalled() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(0).unwrap();
    let calls = Cell::new(0);
    let text = String::from("seven");
    let full = arena
        .alloc_with(|| {
            calls.set(calls.get() + 1);
            drop(text);
            7
        })
        .unwrap_err();
    assert_eq!(calls.get(), 0);
    let make = full.into_inner();
    assert_eq!(make(), 7);
    assert_eq!(calls.get(), 1);
}

#[test]
fn a_panic_in_alloc_with_returns_the_slot() {
    let new = || AtomicArena::<u32>::with_capacity(4);
    for (arena, comes_again) in [(new(), !SHARDS_FORCED), (new().in_order(), true)] {
        arena.alloc(1).unwrap();
        for _ in 0..10 {
            let message = panic_of(|| _ = arena.alloc_with(|| panic!("no value")));
            assert_eq!((message.as_str(), arena.count(), arena.remaining()), ("no value", 1, 3));
        }
        let index = arena.index_of(arena.alloc(2).unwrap()).unwrap();
        assert!(index == 1 || (!comes_again && index < 4), "{index}");
        assert_room(&arena, 2, || 3);
    }
}

#[test]
fn a_panic_in_the_last_slot_returns_it() {
    let arena = AtomicArena::<u32>::with_capacity(1);
    for _ in 0..10 {
        panic_of(|| _ = arena.alloc_with(|| panic!()));
    }
    assert_room(&arena, 1, || 0);
}

#[test]
fn a_panic_in_a_vacant_slot_returns_it() {
    let arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    for _ in 0..10 {
        panic_of(|| _ = arena.alloc_with(|| panic!()));
    }
    assert_room(&arena, 4, || 0);
}

#[test]
fn alloc_try_with_stores_the_value_or_returns_the_error() {
    let arena = AtomicArena::with_capacity(2);
    let parse = |text: &str| arena.alloc_try_with(|| text.parse::<u8>()).unwrap();
    for _ in 0..10 {
        assert_eq!(parse("x").unwrap_err(), "x".parse::<u8>().unwrap_err());
    }
    let seven = parse("7").unwrap();
    *seven += 1;
    assert_eq!(*seven, 8);
    // With shards, any of the returned slots may serve the request.
    let index = arena.index_of(seven).unwrap();
    assert!(index == 0 || (SHARDS_FORCED && index < 2), "{index}");
    assert_room(&arena, 1, || 0);
}

#[test]
fn a_refused_alloc_try_with_returns_the_closure_uncalled() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(0).unwrap();
    let mut calls = 0;
    let full = arena.alloc_try_with(|| {
        calls += 1;
        Err::<i32, _>("read")
    });
    let full = full.unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (1, 0));
    assert_eq!(full.into_inner()(), Err("read"));
    assert_eq!(calls, 1);
}

#[test]
fn a_failure_and_a_panic_in_alloc_try_with_return_the_slot_at_any_position() {
    let check = |arena: &AtomicArena<usize>, free| {
        for _ in 0..10 {
            assert_eq!(arena.alloc_try_with(|| Err("no value")).unwrap(), Err("no value"));
            panic_of(|| _ = arena.alloc_try_with(|| -> Result<_, ()> { panic!() }));
        }
        assert_room(arena, free, || 0);
    };
    check(&AtomicArena::with_capacity(1), 1);
    let arena = AtomicArena::with_capacity(8);
    punch_holes(&arena); // a vacant slot serves each request
    check(&arena, 4);
    let arena = AtomicArena::with_capacity(8);
    let outer = arena.alloc_try_with(|| {
        arena.alloc(1).unwrap(); // above the slot that is returned
        Err::<usize, _>(())
    });
    assert_eq!(outer.unwrap(), Err(()));
    assert_eq!(arena.index_bound(), cursor_after(2));
    check(&arena, 7);
}

#[test]
fn a_failed_alloc_try_with_leaves_no_value() {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(2);
    assert!(arena.alloc_try_with(|| Err(ledger.value())).unwrap().is_err());
    assert_eq!((ledger.made(), ledger.dropped()), (1, 1));
    assert!(arena.alloc_try_with(|| Ok::<_, ()>(ledger.value())).unwrap().is_ok());
    assert_eq!(arena.iter_mut().count(), 1);
    drop(arena);
    assert_eq!((ledger.made(), ledger.dropped()), (2, 2));
}

#[test]
fn a_closure_may_allocate_in_the_same_arena() {
    let arena = AtomicArena::<u32>::with_capacity(3);
    let outer = arena
        .alloc_with(|| {
            let a = arena.alloc(10).unwrap();
            let (_, b) = arena.publish(20).unwrap();
            *a + *b
        })
        .unwrap();
    assert_eq!(*outer, 30);
    assert_eq!(arena.index_of(outer), Some(0));
    assert_eq!(arena.get(2), Some(&20));
    assert!(arena.is_full());
}

#[test]
fn a_closure_that_finds_the_arena_full_still_has_its_own_slot() {
    let arena = AtomicArena::<u32>::with_capacity(1);
    let value = arena.alloc_with(|| arena.alloc(5).unwrap_err().into_inner() + 1).unwrap();
    assert_eq!(*value, 6);
}

#[test]
fn a_closure_that_allocates_and_then_panics_returns_only_its_own_slot() {
    let mut arena = AtomicArena::<u32>::with_capacity(8);
    panic_of(|| {
        let _ = arena.alloc_with(|| {
            arena.alloc(1).unwrap();
            arena.publish(2).unwrap();
            panic!()
        });
    });
    assert_eq!(arena.count(), 2);
    assert_eq!(arena.iter_mut().map(|(i, v)| (i, *v)).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    assert_room(&arena, 6, || 3);
    assert_eq!(arena.iter_mut().map(|(_, v)| *v).collect::<Vec<_>>(), [3, 1, 2, 3, 3, 3, 3, 3]);
}

#[test]
fn nested_closures_that_all_panic_return_every_slot() {
    let arena = AtomicArena::<u32>::with_capacity(4);
    panic_of(|| {
        let _ = arena.alloc_with(|| {
            let _ = arena.alloc_with(|| {
                let _ = arena.publish_with(|_| panic!());
                1
            });
            2
        });
    });
    assert_room(&arena, 4, || 0);
}

#[test]
fn a_closure_may_catch_the_panic_of_an_inner_one() {
    let arena = AtomicArena::<u32>::with_capacity(2);
    let value = arena.alloc_with(|| {
        panic_of(|| _ = arena.alloc_with(|| panic!()));
        8
    });
    assert_eq!(*value.unwrap(), 8);
    assert_room(&arena, 1, || 0);
}

// ---- publish, publish_with

#[test]
fn publish_returns_the_index_of_the_value() {
    let arena = AtomicArena::with_capacity(3);
    arena.alloc(String::from("owned")).unwrap();
    let (index, value) = arena.publish(String::from("published")).unwrap();
    assert_eq!((index, value.as_str()), (1, "published"));
    assert!(std::ptr::eq(arena.get(index).unwrap(), value));
    assert_eq!(arena.index_of(value), Some(index));
}

#[test]
fn publish_in_a_full_arena_returns_the_value() {
    let arena = AtomicArena::with_capacity(1);
    arena.publish(String::from("a")).unwrap();
    let full = arena.publish(String::from("b")).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (1, 0));
    assert_eq!(full.into_inner(), "b");
    assert_eq!(arena.iter().count(), 1);
}

#[test]
fn publish_with_passes_the_index_of_the_slot() {
    let arena = AtomicArena::with_capacity(8);
    arena.alloc(99).unwrap();
    for expected in 1..8 {
        let (index, value) = arena.publish_with(|index| index * 2).unwrap();
        assert_eq!((index, *value), (expected, expected * 2));
    }
    assert_eq!(arena.publish_with(|index| index).unwrap_err().into_inner()(5), 5);
}

#[test]
fn publish_with_passes_the_index_of_a_vacant_slot() {
    let arena = AtomicArena::with_capacity(4);
    punch_holes(&arena);
    let mut seen = Vec::new();
    while let Ok((index, value)) = arena.publish_with(|index| index + 100) {
        assert_eq!(*value, index + 100);
        seen.push(index);
    }
    seen.sort();
    assert_eq!(seen, [0, 2]);
}

#[test]
fn a_panic_in_publish_with_returns_the_slot_and_publishes_nothing() {
    let arena = AtomicArena::<u32>::with_capacity(2);
    panic_of(|| _ = arena.publish_with(|_| panic!()));
    assert_eq!((arena.get(0), arena.iter().count()), (None, 0));
    arena.alloc(1).unwrap();
    assert_eq!(arena.get(0), None, "the value of the slot's next owner is published");
    assert_room(&arena, 1, || 0);
}

#[test]
fn a_value_is_not_visible_while_it_is_being_built() {
    let arena = AtomicArena::with_capacity(2);
    let (index, _) = arena
        .publish_with(|index| {
            assert_eq!(arena.get(index), None);
            assert_eq!(arena.iter().count(), 0);
            assert_eq!(arena.get_slice(index..index + 1), None);
            index
        })
        .unwrap();
    assert_eq!(arena.get(index), Some(&index));
}

// ---- lifetime of values

#[test]
fn the_arena_drops_each_value_once() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(6);
    arena.alloc(ledger.value()).unwrap();
    arena.publish(ledger.value()).unwrap();
    arena.alloc_vec(ledger.values(2)).unwrap();
    drop(arena.reserve(1).unwrap());
    assert_eq!(ledger.dropped(), 0);
    drop(arena);
    assert_eq!(ledger.dropped(), 4);
}

#[test]
fn values_do_not_move() {
    let mut arena = AtomicArena::with_capacity(100);
    let addresses: Vec<_> = (0..100_u32).map(|i| std::ptr::from_ref(arena.publish(i).unwrap().1)).collect();
    for (index, &address) in addresses.iter().enumerate() {
        assert!(std::ptr::eq(arena.get(index).unwrap(), address));
    }
    arena.publish_all();
    let mut moved = arena;
    for (index, value) in moved.iter_mut() {
        assert!(std::ptr::eq(value, addresses[index]), "moving the arena moved a value");
    }
}
