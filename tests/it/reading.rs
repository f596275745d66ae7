//! Methods that read a shared arena: `get`, `iter`, `index_of`, and the counts. (`stats.rs` tests
//! the numbers in `Stats`.)

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};

use atomicarena::AtomicArena;

use crate::payload::{assert_room, cursor_after, punch_holes, run_after, runs_from_cursor, scaled};

// ---- get and iter

#[test]
fn get_finds_only_published_values() {
    let arena = AtomicArena::with_capacity(4);
    arena.publish(10).unwrap();
    arena.alloc(11).unwrap();
    arena.publish(12).unwrap();
    let found: Vec<_> = (0..6).map(|index| arena.get(index).copied()).collect();
    assert_eq!(found, [Some(10), None, Some(12), None, None, None]);
    assert_eq!(arena.get(usize::MAX), None);
}

#[test]
fn get_slice_requires_every_slot_to_be_published() {
    let arena = AtomicArena::with_capacity(6);
    for value in [10, 11, 12] {
        arena.publish(value).unwrap();
    }
    arena.alloc(13).unwrap();
    arena.publish(14).unwrap();
    assert_eq!(arena.get_slice(0..3), Some(&[10, 11, 12][..]));
    assert_eq!(arena.get_slice(1..2), Some(&[11][..]));
    assert_eq!(arena.get_slice(4..5), Some(&[14][..]));
    for range in [0..4, 3..4, 3..5, 2..5, 4..6, 5..6, 5..7, 0..usize::MAX, 6..7] {
        assert_eq!(arena.get_slice(range.clone()), None, "{range:?}");
    }
    arena.publish(15).unwrap();
    assert_eq!(arena.get_slice(4..6), Some(&[14, 15][..]));
}

#[test]
fn get_slice_takes_any_range_without_a_panic() {
    let arena = AtomicArena::with_capacity(3);
    arena.publish(1).unwrap();
    assert_eq!(arena.get_slice(0..0), Some(&[][..]));
    assert_eq!(arena.get_slice(1..1), Some(&[][..]));
    for (start, end) in [(1, 0), (usize::MAX, 0), (usize::MAX - 1, usize::MAX), (4, 3)] {
        assert_eq!(arena.get_slice(start..end), None, "{start}..{end}");
    }
}

#[test]
fn get_wrapping_takes_the_index_modulo_the_capacity() {
    let arena = AtomicArena::with_capacity(3);
    arena.publish(10).unwrap();
    arena.alloc(11).unwrap();
    arena.publish(12).unwrap();
    for round in 0..4 {
        assert_eq!(arena.get_wrapping(round * 3), Some(&10));
        assert_eq!(arena.get_wrapping(round * 3 + 1), None);
        assert_eq!(arena.get_wrapping(round * 3 + 2), Some(&12));
    }
    assert_eq!(arena.get_wrapping(usize::MAX).copied(), arena.get(usize::MAX % 3).copied());
}

#[test]
fn iter_yields_published_values_in_index_order() {
    let arena = AtomicArena::with_capacity(8);
    arena.alloc(0).unwrap();
    arena.publish(1).unwrap();
    arena.alloc(2).unwrap();
    arena.publish(3).unwrap();
    arena.publish(4).unwrap();
    assert_eq!(arena.iter().collect::<Vec<_>>(), [(1, &1), (3, &3), (4, &4)]);
    assert_eq!((&arena).into_iter().collect::<Vec<_>>(), [(1, &1), (3, &3), (4, &4)]);
}

#[test]
fn iter_ends_at_the_bound_of_its_creation() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(4));
    arena.publish(1).unwrap();
    arena.publish(2).unwrap();
    let iter = arena.iter();
    arena.publish(3).unwrap();
    assert_eq!(iter.collect::<Vec<_>>(), [(0, &1), (1, &2)]);
    assert_eq!(arena.iter().count(), 3);
}

#[test]
fn iter_is_cloneable_and_fused_and_its_size_hint_holds() {
    let arena = AtomicArena::with_capacity(4);
    for value in 0..3 {
        arena.publish(value).unwrap();
    }
    let mut iter = arena.iter();
    assert_eq!(iter.next(), Some((0, &0)));
    assert_eq!(iter.clone().collect::<Vec<_>>(), [(1, &1), (2, &2)]);
    let (low, high) = iter.size_hint();
    assert!(low <= 2 && high.is_none_or(|high| high >= 2), "{low} {high:?}");
    assert_eq!(iter.by_ref().count(), 2);
    arena.publish(3).unwrap();
    assert_eq!((iter.next(), iter.next()), (None, None));
    assert!(!format!("{iter:?}").is_empty());

    fn fused<I: std::iter::FusedIterator + Clone + std::fmt::Debug>(_: I) {}
    fused(arena.iter());
}

#[test]
fn iter_on_a_full_arena_that_refused_ends_at_the_capacity() {
    let arena = AtomicArena::with_capacity(2);
    arena.publish(1).unwrap();
    arena.publish(2).unwrap();
    for _ in 0..100 {
        assert!(arena.publish(3).is_err());
    }
    assert_eq!(arena.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [1, 2]);
}

// ---- index_of

#[test]
fn index_of_finds_owned_and_published_values() {
    let arena = AtomicArena::with_capacity(5);
    let a: &u32 = arena.alloc(1).unwrap();
    let run: &[u32] = arena.alloc_slice_copy(&[2, 3]).unwrap();
    let (index, b) = arena.publish(4).unwrap();
    assert_eq!(arena.index_of(a), Some(0));
    let first = run_after(1, 2);
    assert_eq!(run.iter().map(|v| arena.index_of(v)).collect::<Vec<_>>(), [Some(first), Some(first + 1)]);
    assert_eq!(arena.index_of(b), Some(index));
}

#[test]
fn index_of_rejects_values_outside_the_arena() {
    let arena = AtomicArena::with_capacity(4);
    let other = AtomicArena::with_capacity(4);
    arena.alloc(1_u32).unwrap();
    let stranger = other.alloc(1).unwrap();
    assert_eq!(arena.index_of(stranger), None);
    assert_eq!(arena.index_of(&1), None);
    // 64 adjacent values, all outside the arena.
    let around = [0_u32; 64];
    assert!(around.iter().all(|value| arena.index_of(value).is_none()));
}

#[test]
fn index_of_rejects_a_neighbour_directly_after_the_slots() {
    let mut memory = [MaybeUninit::new(7u8); 33];
    let (inside, outside) = memory.split_at_mut(32);
    // SAFETY: every byte of `memory` was initialised above.
    let neighbour = unsafe { outside[0].assume_init_ref() };
    let arena = AtomicArena::<u8, _>::in_bytes(inside).unwrap();
    let last = arena.alloc_slice_copy(&[1; 16]).unwrap().last().unwrap();
    assert_eq!((arena.capacity(), arena.index_of(last)), (16, Some(15)));
    // `in_bytes` puts the stamps below the slots, unless padding between them would cost a slot.
    // Slots of one byte need no padding, so they end where `inside` ends. So `neighbour` is the
    // byte after the last slot.
    assert_eq!(std::ptr::from_ref(last).wrapping_add(1), std::ptr::from_ref(neighbour));
    assert_eq!(arena.index_of(neighbour), None);
}

#[test]
fn index_of_rejects_a_reference_across_two_slots() {
    let arena = AtomicArena::with_capacity(3);
    let run: &[[u8; 4]] = arena.alloc_slice_copy(&[[0; 4], [1; 4], [2; 4]]).unwrap();
    let bytes = run.as_flattened();
    for start in 0..=8 {
        let window: &[u8; 4] = bytes[start..start + 4].try_into().unwrap();
        let expected = (start % 4 == 0).then_some(start / 4);
        assert_eq!(arena.index_of(window), expected, "at byte {start}");
    }
}

#[test]
fn index_of_is_none_for_zero_sized_values() {
    let arena = AtomicArena::with_capacity(4);
    let value = arena.alloc(()).unwrap();
    assert_eq!(arena.index_of(value), None);
    assert_eq!(arena.index_of(&()), None);
}

// ---- reported numbers

#[test]
fn the_numbers_follow_what_is_stored() {
    let arena = AtomicArena::with_capacity(4);
    for taken in 1..=4 {
        arena.alloc(taken).unwrap();
        assert_eq!((arena.count(), arena.remaining()), (taken, 4 - taken));
        assert_eq!(arena.index_bound(), cursor_after(taken).min(4));
        assert_eq!((arena.is_empty(), arena.is_full()), (false, taken == 4));
    }
    for _ in 0..scaled(1000, 50) {
        assert!(arena.alloc(0).is_err());
    }
    assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (4, 0, 4));
}

#[test]
fn the_numbers_include_what_living_handles_hold() {
    let arena = runs_from_cursor(AtomicArena::<u32>::with_capacity(10));
    let run = arena.reserve(4).unwrap();
    assert_eq!((arena.count(), arena.remaining(), arena.is_empty()), (4, 6, false));
    let rest = arena.reserve(6).unwrap();
    assert_eq!((arena.count(), arena.remaining(), arena.is_full()), (10, 0, true));
    drop(run);
    drop(rest);
    assert_eq!((arena.count(), arena.remaining(), arena.is_empty()), (0, 10, true));
}

#[test]
fn remaining_counts_vacant_slots() {
    let arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    assert_eq!((arena.remaining(), arena.count(), arena.index_bound()), (4, 4, 8));
    assert!(!arena.is_full());
    let full = arena.alloc_slice_copy(&[1, 2]).unwrap_err();
    // No two vacant slots are adjacent, so only slots at the cursor could have served the request,
    // and none is left there. The vacant slots still serve requests for one slot.
    assert_eq!((full.requested(), full.remaining(), arena.remaining()), (2, 0, 4));
    assert_room(&arena, 4, || 0);
}

#[test]
fn debug_requires_nothing_of_the_values() {
    struct Mute;
    let arena = AtomicArena::with_capacity(4);
    arena.alloc(Mute).unwrap();
    arena.publish(Mute).unwrap();
    let text = format!("{arena:?}");
    assert!(text.contains("AtomicArena"), "{text}");
    assert!(text.contains('4'), "the capacity is not in {text}");
}

#[test]
fn the_arena_is_unwind_safe_for_every_value() {
    fn assert<T: UnwindSafe + RefUnwindSafe>() {}
    assert::<AtomicArena<u32>>();
    assert::<AtomicArena<Cell<u32>>>();
    assert::<AtomicArena<&mut u32>>();
    assert::<AtomicArena<Box<dyn Fn()>>>();
}
