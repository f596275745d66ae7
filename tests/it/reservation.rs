//! `Reservation`: a contiguous run, filled step by step.

use std::mem::{self, MaybeUninit};

use atomicarena::{AtomicArena, StaticArena};

use crate::payload::{Ledger, assert_room, panic_of, punch_holes, run_after, runs_from_cursor};

// ---- reserve, reserve_up_to

#[test]
fn reserve_takes_a_run_at_the_cursor() {
    let arena = runs_from_cursor(AtomicArena::<u32>::with_capacity(9));
    arena.alloc(0).unwrap();
    arena.alloc(0).unwrap();
    let a = arena.reserve(3).unwrap();
    let b = arena.reserve(4).unwrap();
    assert_eq!((a.first_index(), a.capacity(), a.len()), (2, 3, 0));
    assert_eq!((b.first_index(), b.capacity(), b.len()), (5, 4, 0));
    assert!(a.is_empty() && !a.is_full());
    assert!(arena.is_full());
    let full = arena.reserve(1).map(|_| ()).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (1, 0));
}

#[test]
fn a_run_of_zero_slots_always_succeeds() {
    let arena = AtomicArena::with_capacity(2);
    for _ in 0..3 {
        let mut run = arena.reserve(0).unwrap();
        assert_eq!((run.first_index(), run.capacity(), run.len()), (2, 0, 0));
        assert!(run.is_empty() && run.is_full());
        assert_eq!(run.push(5).unwrap_err().into_inner(), 5);
        assert_eq!(run.pop(), None);
        assert_eq!(run.spare_capacity_mut().len(), 0);
        assert_eq!(run.finish(), &[]);
        drop(arena.reserve(0).unwrap());
        mem::forget(arena.reserve(0).unwrap());
        let (index, slice) = arena.reserve(0).unwrap().publish();
        assert_eq!((index, slice), (2, &[][..]));
        if arena.is_full() {
            return;
        }
        arena.alloc_slice_copy(&[1, 2]).unwrap();
    }
}

#[test]
fn reserve_beyond_any_capacity_is_refused() {
    let arena = runs_from_cursor(AtomicArena::<u64>::with_capacity(5));
    arena.alloc(1).unwrap();
    arena.alloc(1).unwrap();
    for n in [4, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
        let full = arena.reserve(n).map(|_| ()).unwrap_err();
        assert_eq!((full.requested(), full.remaining()), (n, 3));
    }
    assert_eq!(arena.reserve(3).unwrap().first_index(), 2);
}

#[test]
fn reserve_up_to_takes_the_rest_at_the_cursor() {
    // `in_order`, because the returned slots are requested again as a run.
    let arena = AtomicArena::with_capacity(8).in_order();
    arena.alloc(0).unwrap();
    let few = arena.reserve_up_to(2);
    assert_eq!((few.first_index(), few.capacity()), (1, 2));
    let all = arena.reserve_up_to(usize::MAX);
    assert_eq!((all.first_index(), all.capacity()), (3, 5));
    let none = arena.reserve_up_to(usize::MAX);
    assert_eq!((none.first_index(), none.capacity()), (8, 0));
    assert_eq!(none.finish(), &[]);
    drop(all);
    let again = arena.reserve_up_to(5);
    assert_eq!((again.first_index(), again.capacity()), (3, 5));
    drop((few, again));
    assert_room(&arena, 7, || 0);
}

#[test]
fn reserve_up_to_zero_takes_nothing() {
    let arena = AtomicArena::<u8>::with_capacity(4);
    let run = arena.reserve_up_to(0);
    assert_eq!((run.first_index(), run.capacity()), (4, 0));
    assert!(arena.is_empty());
}

#[test]
fn reserve_up_to_falls_back_to_one_vacant_slot() {
    let arena = AtomicArena::with_capacity(4);
    punch_holes(&arena);
    let mut runs: Vec<_> = [1, 5, usize::MAX].map(|n| arena.reserve_up_to(n)).into();
    assert_eq!(runs.iter().map(|run| run.capacity()).collect::<Vec<_>>(), [1, 1, 0]);
    let mut firsts = [runs[0].first_index(), runs[1].first_index()];
    firsts.sort();
    assert_eq!(firsts, [0, 2]);
    runs[0].push(7).unwrap();
    assert!(runs[0].is_full());
    drop(runs);
    assert_room(&arena, 2, || 0);
}

// ---- filling

#[test]
fn push_and_pop_behave_like_those_of_vec() {
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(2).unwrap();
    assert_eq!(run.pop(), None);
    run.push(String::from("a")).unwrap();
    run.push(String::from("b")).unwrap();
    assert!(run.is_full());
    let full = run.push(String::from("c")).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (1, 0), "its own numbers, not the arena's");
    assert_eq!(full.into_inner(), "c");
    assert_eq!(run.pop().as_deref(), Some("b"));
    run.push(String::from("d")).unwrap();
    assert_eq!(run.finish(), &["a", "d"]);
}

#[test]
fn the_filled_part_is_a_slice() {
    let arena = AtomicArena::with_capacity(8);
    let mut run = arena.reserve(5).unwrap();
    assert_eq!(run.fill_from_iter([3, 1, 2]), 3);
    assert_eq!((run.len(), run.is_empty(), run.is_full()), (3, false, false));
    run.sort();
    run[0] = 10;
    run.iter_mut().for_each(|v| *v += 1);
    assert_eq!(*run, [11, 3, 4]);
    assert_eq!(run.first(), Some(&11));
    assert!(!format!("{run:?}").is_empty());
}

#[test]
fn truncate_drops_the_rest() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(4).unwrap();
    run.fill_from_iter(ledger.values(4));
    run.truncate(9);
    run.truncate(4);
    assert_eq!((run.len(), ledger.dropped()), (4, 0));
    run.truncate(1);
    assert_eq!((run.len(), ledger.alive()), (1, vec![0]));
    run.truncate(0);
    assert_eq!((run.len(), ledger.dropped()), (0, 4));
    assert_eq!(run.capacity(), 4, "the reservation has lost slots");
}

#[test]
fn a_panic_in_truncate_drops_every_value_once() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(4).unwrap();
    for value in [ledger.value(), ledger.bomb(), ledger.value()] {
        run.push(value).unwrap();
    }
    assert_eq!(panic_of(|| run.truncate(0)), "bomb 1");
    assert_eq!((run.len(), ledger.dropped()), (0, 3));
    drop(run);
    assert_eq!(ledger.dropped(), 3);
    assert_room(&arena, 4, || ledger.value());
}

#[test]
fn fill_from_iter_takes_only_what_fits() {
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(3).unwrap();
    let mut numbers = 0..10;
    run.push(100).unwrap();
    assert_eq!(run.fill_from_iter(numbers.by_ref()), 2);
    assert_eq!(numbers.next(), Some(2), "an item was taken and discarded");
    assert_eq!(run.fill_from_iter(numbers.by_ref()), 0);
    assert_eq!(numbers.next(), Some(3));
    assert_eq!(*run, [100, 0, 1]);
    run.truncate(1);
    assert_eq!(run.fill_from_iter(std::iter::once(7)), 1);
    assert_eq!(*run, [100, 7]);
}

#[test]
fn fill_from_iter_trusts_no_size_hint() {
    struct Endless;
    impl Iterator for Endless {
        type Item = u8;
        fn next(&mut self) -> Option<u8> {
            Some(1)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (0, Some(0))
        }
    }
    struct Boaster;
    impl Iterator for Boaster {
        type Item = u8;
        fn next(&mut self) -> Option<u8> {
            None
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::MAX, None)
        }
    }
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(4).unwrap();
    assert_eq!(run.fill_from_iter(Boaster), 0);
    assert_eq!(run.fill_from_iter(Endless), 4);
    assert_eq!(run.finish(), &[1; 4]);
}

#[test]
fn a_panic_in_fill_from_iter_keeps_the_filled_values() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(4).unwrap();
    panic_of(|| {
        run.fill_from_iter((0..4).map(|i| if i == 2 { panic!("at {i}") } else { ledger.value() }));
    });
    assert_eq!((run.len(), ledger.dropped()), (2, 0));
    run.push(ledger.value()).unwrap();
    assert_eq!(run.finish().iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2]);
    assert_room(&arena, 1, || ledger.value());
    drop(arena);
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn an_iterator_in_fill_from_iter_may_use_the_arena() {
    let arena = AtomicArena::<u32>::with_capacity(6);
    let mut run = arena.reserve(3).unwrap();
    assert_eq!(run.fill_from_iter((0..3).map(|i| *arena.alloc(i + 10).unwrap())), 3);
    assert_eq!(run.finish(), &[10, 11, 12]);
    assert!(arena.is_full());
}

#[test]
fn spare_capacity_and_set_len_fill_by_hand() {
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(4).unwrap();
    run.push(1_u32).unwrap();
    let spare: &mut [MaybeUninit<u32>] = run.spare_capacity_mut();
    assert_eq!(spare.len(), 3);
    spare[0].write(2);
    spare[1].write(3);
    // SAFETY: 3 does not exceed the capacity, and the first three slots are initialised.
    unsafe { run.set_len(3) };
    assert_eq!(*run, [1, 2, 3]);
    assert_eq!(run.spare_capacity_mut().len(), 1);
    assert_eq!(run.finish(), &[1, 2, 3]);
    assert_room(&arena, 1, || 0);
}

#[test]
fn as_mut_ptr_points_at_the_first_slot() {
    let arena = AtomicArena::with_capacity(4);
    arena.alloc(9_u32).unwrap();
    let mut run = arena.reserve(2).unwrap();
    let slots: *mut u32 = run.as_mut_ptr();
    // SAFETY: two slots belong to the reservation, and both are written before the length is set.
    unsafe {
        slots.write(5);
        slots.add(1).write(6);
        run.set_len(2);
    }
    let slice = run.finish();
    assert!(std::ptr::eq(slice.as_ptr(), slots));
    assert_eq!(slice, &[5, 6]);
}

#[test]
fn a_length_set_lower_leaks_and_never_drops() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(3);
    let mut run = arena.reserve(3).unwrap();
    run.fill_from_iter(ledger.values(3));
    // SAFETY: 1 does not exceed the capacity, and the first slot is initialised.
    unsafe { run.set_len(1) };
    drop(run);
    assert_eq!(ledger.alive(), [1, 2]);
    assert_room(&arena, 3, || ledger.value());
}

// ---- extend_from_slice, write

#[test]
fn extend_from_slice_takes_all_or_nothing() {
    let ledger = Ledger::new();
    let source = ledger.values(3);
    let arena = AtomicArena::with_capacity(8);
    let mut run = arena.reserve(5).unwrap();
    run.extend_from_slice(&source).unwrap();
    run.extend_from_slice(&[]).unwrap();
    let full = run.extend_from_slice(&source).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (3, 2), "its own numbers, not the arena's");
    assert_eq!((run.len(), ledger.made()), (3, 6));
    run.extend_from_slice(&source[..2]).unwrap();
    assert!(run.is_full() && run.extend_from_slice(&[]).is_ok() && run.extend_from_slice(&source[..1]).is_err());
    assert_eq!(run.finish().iter().map(|value| value.id).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    drop(arena);
    assert_eq!(ledger.alive(), [0, 1, 2]);
}

#[test]
fn a_clone_that_panics_in_extend_from_slice_appends_nothing() {
    for clones in 0..3 {
        let ledger = Ledger::with_clones(clones);
        let source = ledger.values(3);
        let arena = AtomicArena::with_capacity(8);
        let mut run = arena.reserve(5).unwrap();
        run.push(ledger.value()).unwrap();
        assert_eq!(panic_of(|| _ = run.extend_from_slice(&source)), "clone refused");
        assert_eq!((run.len(), ledger.dropped()), (1, clones));
        drop(run);
        assert_eq!((ledger.alive(), arena.stats().high_water), (vec![0, 1, 2], 4));
        assert_room(&arena, 8, || ledger.value());
    }
}

#[test]
fn a_clone_in_extend_from_slice_may_use_the_arena() {
    struct Copies<'a>(&'a AtomicArena<Copies<'a>>);
    impl Clone for Copies<'_> {
        fn clone(&self) -> Self {
            self.0.alloc(Copies(self.0)).map_err(|_| "full").unwrap();
            Copies(self.0)
        }
    }
    let arena = AtomicArena::with_capacity(6);
    let mut run = arena.reserve(2).unwrap();
    run.extend_from_slice(&[Copies(&arena), Copies(&arena)]).unwrap();
    assert_eq!((run.finish().len(), arena.count()), (2, 4));
}

#[test]
fn extend_from_slice_counts_values_of_no_size() {
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(3).unwrap();
    run.extend_from_slice(&[(); 2]).unwrap();
    assert!(run.extend_from_slice(&[(); 2]).is_err());
    assert_eq!(run.finish().len(), 2);
}

#[test]
fn text_is_written_piece_by_piece() {
    use std::fmt::Write;
    let arena = AtomicArena::with_capacity(20);
    let mut text = arena.reserve(9).unwrap();
    write!(text, "ä-{:02}", 1007).unwrap();
    // The black box keeps the compiler from joining the two pieces.
    let pieces = ["1", "23"].map(std::hint::black_box);
    assert!(write!(text, "{}{}", pieces[0], pieces[1]).is_err());
    assert_eq!(text.len(), 8, "the piece that fits is appended, and no part of the other");
    text.write_char('!').unwrap();
    assert!(text.is_full() && text.write_str("").is_ok() && text.write_char('!').is_err());
    let (first, bytes) = text.publish();
    assert_eq!(std::str::from_utf8(bytes), Ok("ä-10071!"));
    assert_eq!(arena.get_slice(first..first + 9), Some(bytes));
}

#[cfg(feature = "std")]
#[test]
fn bytes_are_written_as_far_as_they_fit() {
    use std::io::{self, Write};
    let arena = AtomicArena::with_capacity(20);
    let mut bytes = arena.reserve(6).unwrap();
    assert_eq!(bytes.write(b"ab").unwrap(), 2);
    bytes.flush().unwrap();
    assert_eq!(io::copy(&mut &b"cde"[..], &mut bytes).unwrap(), 3);
    assert_eq!(bytes.write(b"fg").unwrap(), 1);
    assert_eq!((bytes.write(b"g").unwrap(), bytes.write(b"").unwrap()), (0, 0));
    assert_eq!(bytes.write_all(b"g").unwrap_err().kind(), io::ErrorKind::WriteZero);
    assert_eq!(bytes.finish(), b"abcdef");
}

// ---- finish

#[test]
fn finish_returns_the_unfilled_slots() {
    let arena = AtomicArena::with_capacity(8);
    let mut run = arena.reserve(6).unwrap();
    run.fill_from_iter(0..2);
    assert_eq!(run.finish(), &[0, 1]);
    assert_eq!((arena.count(), arena.remaining()), (2, 6));
    assert_eq!(arena.reserve(6).unwrap().first_index(), 2, "the slots were not returned as a run");
    assert_room(&arena, 6, || 0);
}

#[test]
fn finish_below_a_neighbour_leaves_vacant_slots() {
    let arena = AtomicArena::with_capacity(8);
    let mut run = arena.reserve(4).unwrap();
    arena.alloc(100).unwrap();
    run.push(0).unwrap();
    run.finish();
    assert_eq!((arena.count(), arena.remaining()), (2, 6));
    assert!(arena.reserve(4).is_err(), "three vacant slots served a run of four");
    assert_room(&arena, 6, || 0);
}

#[test]
fn finish_of_an_empty_reservation_returns_everything() {
    let arena = AtomicArena::with_capacity(3);
    for _ in 0..5 {
        assert_eq!(arena.reserve(3).unwrap().finish(), &[]);
    }
    assert_room(&arena, 3, || 0);
}

#[test]
fn the_slice_of_finish_outlives_the_handle_and_is_owned() {
    let mut arena = AtomicArena::with_capacity(3);
    let slice = {
        let mut run = arena.reserve(2).unwrap();
        run.fill_from_iter([1, 2]);
        run.finish()
    };
    slice[0] = 10;
    assert_eq!((arena.get(0), arena.iter().count()), (None, 0));
    assert_eq!(arena.iter_mut().map(|(i, v)| (i, *v)).collect::<Vec<_>>(), [(0, 10), (1, 2)]);
}

// ---- publish

#[test]
fn publish_publishes_the_whole_run() {
    let arena = AtomicArena::with_capacity(8);
    arena.alloc(9).unwrap();
    let mut run = arena.reserve(4).unwrap();
    run.fill_from_iter(10..13);
    let (first, slice) = run.publish();
    assert_eq!((first, slice), (run_after(1, 4), &[10, 11, 12][..]));
    assert_eq!(arena.get_slice(first..first + 3), Some(&[10, 11, 12][..]));
    assert_eq!(arena.get_slice(first..first + 4), None, "the returned slot is published");
    assert_eq!(arena.iter().collect::<Vec<_>>(), [(first, &10), (first + 1, &11), (first + 2, &12)]);
    assert_room(&arena, 4, || 0);
    assert_eq!(arena.get(first + 3), None);
}

#[test]
fn nothing_is_visible_before_publish() {
    for len in 1..=4 {
        let arena = AtomicArena::with_capacity(4);
        let mut run = arena.reserve(len).unwrap();
        for filled in 0..len {
            run.push(filled).unwrap();
            assert_eq!(arena.iter().count(), 0);
            assert!((0..4).all(|index| arena.get(index).is_none()));
            assert!((0..4).all(|index| arena.get_wrapping(index).is_none()));
            assert_eq!(arena.get_slice(0..len), None);
        }
    }
}

#[test]
fn a_run_of_one_in_a_vacant_slot_is_not_visible_before_publish() {
    let mut arena = AtomicArena::with_capacity(4);
    arena.publish(1).unwrap();
    arena.reset();
    punch_holes(&arena);
    let mut run = arena.reserve(1).unwrap();
    let first = run.first_index();
    run.push(7).unwrap();
    assert_eq!(arena.get(first), None);
    let (index, slice) = run.publish();
    assert_eq!((index, slice, arena.get(first)), (first, &[7][..], Some(&7)));
}

// ---- dropped

#[test]
fn a_dropped_reservation_drops_its_values_and_returns_every_slot() {
    for filled in 0..=4 {
        let ledger = Ledger::new();
        let arena = AtomicArena::with_capacity(6);
        arena.alloc(ledger.value()).unwrap();
        let mut run = arena.reserve(4).unwrap();
        run.fill_from_iter(ledger.values(filled));
        drop(run);
        assert_eq!(ledger.dropped(), filled);
        assert_eq!((arena.count(), arena.remaining()), (1, 5));
        assert_room(&arena, 5, || ledger.value());
        drop(arena);
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn runs_dropped_in_any_order_return_every_slot() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let arena = AtomicArena::<u32>::with_capacity(6);
        let mut runs = [1, 2, 3].map(|n| arena.reserve(n).ok());
        for which in order {
            runs[which] = None;
        }
        assert_eq!((arena.count(), arena.remaining()), (0, 6), "{order:?}");
        let mut indices: Vec<_> = (0..6).map(|i| arena.publish(i).unwrap().0).collect();
        indices.sort();
        assert_eq!(indices, [0, 1, 2, 3, 4, 5], "{order:?}");
        assert!(arena.alloc(6).is_err());
    }
}

#[test]
fn a_panic_in_drop_still_returns_every_slot() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(3);
    let mut run = arena.reserve(3).unwrap();
    for value in [ledger.value(), ledger.bomb(), ledger.value()] {
        run.push(value).unwrap();
    }
    assert_eq!(panic_of(|| drop(run)), "bomb 1");
    assert_eq!(ledger.dropped(), 3);
    assert_room(&arena, 3, || ledger.value());
}

#[test]
fn a_drop_may_allocate_in_the_same_arena() {
    static VALUES: StaticArena<Again, 4> = StaticArena::new();

    struct Again(bool);
    impl Drop for Again {
        fn drop(&mut self) {
            if self.0 {
                VALUES.alloc(Again(false)).unwrap();
            }
        }
    }

    let mut run = VALUES.reserve(2).unwrap();
    run.fill_from_iter([Again(true), Again(true)]);
    drop(run);
    assert_eq!((VALUES.count(), VALUES.index_bound()), (2, 4));
}
