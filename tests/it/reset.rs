//! `reset` and `reset_zeroed`, and the epochs that they end.

use std::mem;

use atomicarena::AtomicArena;

use crate::payload::{
    Ledger, SHARDS_FORCED, assert_room, fill_up, mined, mixed, panic_of, punch_holes, runs_from_cursor, scaled,
};

// ---- reset

#[test]
fn reset_empties_the_arena_and_it_can_be_filled_again() {
    let mut arena = AtomicArena::with_capacity(4);
    for round in 0..5 {
        for place in 0..4 {
            let (index, value) = arena.publish(round * 10 + place).unwrap();
            assert_eq!((index, *value), (place, round * 10 + place));
        }
        assert!(arena.publish(0).is_err());
        arena.reset();
        assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (0, 4, 0));
        assert!(arena.is_empty());
        assert_eq!((arena.iter().count(), arena.iter_mut().count()), (0, 0));
        assert!((0..4).all(|index| arena.get(index).is_none()));
        assert!((0..4).all(|index| arena.get_mut(index).is_none()));
    }
}

#[test]
fn reset_drops_each_value_once() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    arena.reset();
    assert_eq!((ledger.made(), ledger.dropped()), (4, 4));
    arena.reset();
    arena.reset_zeroed();
    drop(arena);
    assert_eq!(ledger.dropped(), 4);
}

#[test]
fn reset_zeroed_drops_each_value_once() {
    let ledger = Ledger::new();
    let mut arena = mixed(&ledger);
    arena.reset_zeroed();
    assert_eq!((ledger.made(), ledger.dropped()), (4, 4));
    assert_room(&arena, 8, || ledger.value());
    drop(arena);
    assert_eq!(ledger.dropped(), 12);
}

#[test]
fn reset_of_an_arena_with_holes_makes_every_slot_free() {
    let mut arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    arena.reset();
    assert_eq!(arena.alloc_slice_copy(&[1; 8]).unwrap().len(), 8);
    arena.reset();
    assert_room(&arena, 8, || 0);
    assert_eq!(arena.iter_mut().count(), 8, "a stale stamp marks a slot as vacant");
}

#[test]
fn a_panic_in_reset_continues_after_the_other_values_were_dropped() {
    for zeroed in [false, true] {
        let ledger = Ledger::new();
        let mut arena = mined(&ledger);
        let message = panic_of(|| if zeroed { arena.reset_zeroed() } else { arena.reset() });
        assert_eq!(message, "bomb 2");
        assert_eq!(ledger.dropped(), 5);
        assert_eq!((arena.count(), arena.iter().count(), arena.iter_mut().count()), (0, 0, 0));
        assert_room(&arena, 5, || ledger.value());
        arena.reset();
        drop(arena);
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn a_panic_in_the_drop_of_the_arena_continues_after_the_other_values_were_dropped() {
    let ledger = Ledger::new();
    let arena = mined(&ledger);
    assert_eq!(panic_of(|| drop(arena)), "bomb 2");
    assert_eq!(ledger.dropped(), 5);
}

#[cfg(all(unix, not(miri)))]
#[test]
fn a_second_panic_in_reset_aborts() {
    let test = "reset::a_second_panic_in_reset_aborts";
    let error = crate::payload::aborts(test, || {
        let ledger = Ledger::new();
        let mut arena = AtomicArena::with_capacity(2);
        arena.alloc(ledger.bomb()).unwrap();
        arena.alloc(ledger.bomb()).unwrap();
        arena.reset();
    });
    assert!(error.contains("bomb 0") && error.contains("bomb 1"), "{error}");
}

// ---- reset_zeroed

/// Returns the bytes of the first `n` slots. Every one of them must have been written or zeroed
/// before.
fn bytes_of(arena: &AtomicArena<[u8; 4]>, n: usize) -> Vec<u8> {
    let mut run = arena.reserve(n).unwrap();
    assert_eq!(run.first_index(), 0);
    let start = run.as_mut_ptr().cast::<u8>();
    // SAFETY: the run has `n` slots of 4 bytes, and the caller has written or zeroed all of them.
    unsafe { std::slice::from_raw_parts(start, 4 * n) }.to_vec()
}

#[test]
fn reset_zeroed_leaves_no_byte_that_was_ever_written() {
    const SECRET: [u8; 4] = [0xA5; 4];
    type Act = fn(&mut AtomicArena<[u8; 4]>);
    let acts: [(&str, Act); 13] = [
        ("alloc", |arena| assert_eq!(fill_up(arena, || SECRET), 8)),
        ("publish", |arena| while arena.publish(SECRET).is_ok() {}),
        ("bulk", |arena| assert_eq!(arena.alloc_slice_copy(&[SECRET; 8]).unwrap().len(), 8)),
        ("a dropped reservation", |arena| {
            arena.reserve(8).unwrap().fill_from_iter([SECRET; 8]);
        }),
        ("pop and finish", |arena| {
            let mut run = arena.reserve(8).unwrap();
            run.fill_from_iter([SECRET; 8]);
            run.truncate(5);
            while run.pop().is_some() {}
            run.finish();
        }),
        ("spare capacity", |arena| {
            let mut run = arena.reserve(8).unwrap();
            run.spare_capacity_mut().iter_mut().for_each(|slot| _ = slot.write(SECRET));
        }),
        ("a leaked reservation", |arena| {
            let mut run = arena.reserve(8).unwrap();
            run.fill_from_iter([SECRET; 8]);
            mem::forget(run);
        }),
        ("a leaked reservation, settled", |arena| {
            let mut run = arena.reserve(8).unwrap();
            run.fill_from_iter([SECRET; 8]);
            mem::forget(run);
            assert!(arena.get_mut(0).is_none());
        }),
        ("drain", |arena| {
            assert_eq!(fill_up(arena, || SECRET), 8);
            assert_eq!(arena.drain().count(), 8);
        }),
        ("reset", |arena| {
            assert_eq!(fill_up(arena, || SECRET), 8);
            arena.reset();
            arena.alloc(SECRET).unwrap();
            arena.reset();
        }),
        ("fill_with", |arena| {
            arena.fill_with(|_| SECRET);
            arena.reset();
        }),
        ("a slot that became vacant, was taken again without a write, and was returned at the cursor", |arena| {
            arena.fill_with(|_| SECRET);
            arena.reset_zeroed();
            let mut low = arena.reserve(1).unwrap();
            low.push(SECRET).unwrap();
            let mut high = [(); 7].map(|()| arena.reserve(1).ok());
            drop(low);
            let low = arena.reserve(1).unwrap();
            assert_eq!(low.first_index(), 0);
            high.iter_mut().rev().for_each(|high| *high = None);
            drop(low);
            assert_eq!((arena.index_bound(), arena.count()), (if SHARDS_FORCED { 8 } else { 0 }, 0));
        }),
        ("a panic midway", |arena| {
            panic_of(|| {
                let _ = arena.alloc_slice_with(8, |i| if i == 7 { panic!() } else { SECRET });
            });
            arena.alloc(SECRET).unwrap();
            // The last slot was never written. It is written now, so that all slots may be read.
            let mut run = arena.reserve_up_to(usize::MAX);
            run.spare_capacity_mut().last_mut().unwrap().write(SECRET);
        }),
    ];
    for (name, act) in acts {
        let mut arena = AtomicArena::with_capacity(8);
        act(&mut arena);
        arena.reset_zeroed();
        assert_eq!(bytes_of(&arena, 8), [0; 32], "{name}");
        // Repeat this in an arena that was zeroed before.
        act(&mut arena);
        arena.reset_zeroed();
        assert_eq!(bytes_of(&arena, 8), [0; 32], "{name}, again");
    }
}

#[test]
fn reset_zeroed_clears_what_a_reservation_wrote_and_popped() {
    let mut arena = AtomicArena::with_capacity(8);
    let mut run = arena.reserve(8).unwrap();
    run.fill_from_iter([[0xA5; 4]; 8]);
    while run.pop().is_some() {}
    run.push([0xA5; 4]).unwrap();
    drop(run);
    arena.reset_zeroed();
    assert_eq!(bytes_of(&arena, 8), [0; 32]);
}

#[test]
fn reset_zeroed_works_for_zero_sized_values_and_with_a_local() {
    let mut empty = AtomicArena::with_capacity(3);
    empty.alloc(()).unwrap();
    empty.reset_zeroed();
    assert_room(&empty, 3, || ());

    let mut arena = AtomicArena::with_capacity(8);
    let mut local = arena.local();
    while local.alloc([0xA5; 4]).is_ok() {}
    drop(local);
    arena.reset_zeroed();
    assert_eq!(bytes_of(&arena, 8), [0; 32]);
}

// ---- the epoch

/// Leaves marks that a reset makes stale: published at 0 and 7, vacant at 2, leaked runs at 3 and
/// 4..6.
fn leave_marks<T: Sync>(arena: &AtomicArena<T>, mut make: impl FnMut() -> T) {
    arena.publish(make()).unwrap();
    arena.alloc(make()).unwrap();
    let vacant = arena.reserve(1).unwrap();
    let leaked = [1, 2].map(|n| arena.reserve(n).unwrap());
    arena.alloc(make()).unwrap();
    arena.publish(make()).unwrap();
    drop(vacant);
    leaked.into_iter().for_each(mem::forget);
}

/// Fills the arena with owned values, and asserts that no stale mark has an effect: no slot is
/// published or vacant.
fn assert_no_mark<T>(arena: &mut AtomicArena<T>, resets: usize, make: impl FnMut() -> T)
where
    T: Sync,
{
    assert_eq!(arena.iter().count(), 0, "after {resets} resets");
    assert_eq!(fill_up(arena, make), 12, "after {resets} resets");
    assert_eq!(arena.iter().count(), 0, "after {resets} resets");
    assert!((0..12).all(|index| arena.get(index).is_none()), "after {resets} resets");
    assert_eq!(arena.get_slice(0..1).map(<[T]>::len), None, "after {resets} resets");
    assert_eq!(arena.iter_mut().count(), 12, "after {resets} resets");
    assert_eq!(arena.as_mut_slice().map(|all| all.len()), Some(12), "after {resets} resets");
}

/// Returns whether this number of resets is 1 or near the first wrap of the epoch.
fn near_first_wrap(resets: usize) -> bool {
    matches!(resets, 1 | 49..=52)
}

/// Returns pairs of numbers of resets: how many precede the marks, and how many lie between the
/// marks and the check. The second numbers include those near the first wraps of the epoch, and
/// those near a wrap of 16 bits.
fn resets() -> impl Iterator<Item = (usize, usize)> {
    let after = (1..=300).chain([65_535, 65_536, 65_537]).filter(|&after| !cfg!(miri) || near_first_wrap(after));
    after.flat_map(|after| [(0, after), (1, after), (17, after)])
}

#[test]
fn stale_marks_have_no_effect_after_the_epoch_wraps_with_copy_values() {
    for (before, resets) in resets() {
        let mut arena = AtomicArena::with_capacity(12);
        (0..before).for_each(|_| arena.reset());
        leave_marks(&arena, || 7_u32);
        (0..resets).for_each(|_| arena.reset());
        assert_no_mark(&mut arena, resets, || 8);
    }
}

#[test]
fn stale_marks_have_no_effect_after_the_epoch_wraps_with_values_to_drop() {
    for (before, resets) in resets() {
        let ledger = Ledger::new();
        let mut arena = AtomicArena::with_capacity(12);
        (0..before).for_each(|_| arena.reset());
        leave_marks(&arena, || ledger.value());
        (0..resets).for_each(|_| arena.reset());
        assert_eq!((ledger.made(), ledger.dropped()), (4, 4));
        assert_no_mark(&mut arena, resets, || ledger.value());
        drop(arena);
        assert_eq!(ledger.dropped(), 16);
    }
}

#[test]
fn a_stale_vacant_mark_has_no_effect_after_the_epoch_wraps() {
    let mut arena = AtomicArena::with_capacity(4);
    arena.reset();
    // The slot becomes vacant, because another value lies above it. No other stamp is written.
    let failed = arena.alloc_try_with(|| {
        arena.alloc(1).unwrap();
        Err::<i32, _>("no value")
    });
    assert!(failed.is_ok_and(|made| made.is_err()));
    for _ in 0..50 {
        arena.reset();
    }
    arena.alloc(10).unwrap();
    arena.alloc(11).unwrap();
    assert!(arena.iter_mut().map(|(_, value)| *value).eq([10, 11]));
}

#[test]
fn a_stale_published_mark_has_no_effect_while_other_slots_are_used() {
    fn check<T: Sync>(mut make: impl FnMut() -> T) {
        let mut arena = runs_from_cursor(AtomicArena::with_capacity(64));
        // The test does not start in the first epoch, which might be a special case.
        (0..3).for_each(|_| arena.reset());
        assert_eq!(arena.alloc_slice_with(40, |_| make()).unwrap().len(), 40);
        let (stale, _) = arena.publish(make()).unwrap();
        assert_eq!(stale, 40);
        for resets in 1..=scaled(1000, 110) {
            arena.reset();
            assert!(arena.get(stale).is_none(), "after {resets} resets");
            arena.publish(make()).unwrap();
            arena.alloc(make()).unwrap();
            assert_eq!(arena.iter().map(|(i, _)| i).collect::<Vec<_>>(), [0]);
            // In some epochs the slot is handed out again, and is owned.
            if resets % 7 == 0 {
                assert_eq!(arena.alloc_slice_with(60, |_| make()).unwrap().len(), 60);
                assert!(arena.get(stale).is_none(), "after {resets} resets");
                assert_eq!(arena.iter_mut().count(), 62);
            }
        }
    }
    check(|| 7_u64);
    let ledger = Ledger::new();
    check(|| ledger.value());
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn marks_of_all_epochs_are_distinguished() {
    let mut arena = AtomicArena::with_capacity(scaled(600, 60));
    // Each epoch publishes the slot after that of the previous epoch, so stamps of different epochs
    // are adjacent.
    for round in 0..arena.capacity() {
        if round > 0 {
            assert_eq!(arena.alloc_slice_copy(&vec![0; round]).unwrap().len(), round);
        }
        let (index, _) = arena.publish(round).unwrap();
        assert_eq!(arena.iter().map(|(i, v)| (i, *v)).collect::<Vec<_>>(), [(index, round)]);
        assert_eq!(arena.iter_mut().count(), round + 1);
        arena.reset();
    }
}

#[test]
fn drain_and_reset_zeroed_leave_no_stale_mark() {
    for rounds in (1..=300).filter(|&rounds| !cfg!(miri) || near_first_wrap(rounds)) {
        let mut arena = AtomicArena::with_capacity(12);
        arena.reset();
        leave_marks(&arena, || 7_u32);
        for round in 0..rounds {
            match round % 3 {
                0 => assert!(arena.drain().count() <= 4),
                1 => arena.reset_zeroed(),
                _ => mem::forget(arena.drain()),
            }
        }
        assert_no_mark(&mut arena, rounds, || 8);
    }
}

#[test]
fn reset_zeroed_clears_all_that_was_written_at_any_alignment_and_nothing_else() {
    use std::mem::MaybeUninit;
    const WORD: usize = size_of::<usize>();
    for (skip, written) in (0..WORD).flat_map(|skip| (1..3 * WORD).map(move |written| (skip, written))) {
        let mut memory = [MaybeUninit::new(0xaa_u8); 8 * WORD];
        let base = memory.as_ptr().addr();
        let mut arena = AtomicArena::<u8, _>::in_bytes(&mut memory[skip..]).unwrap();
        let begin = arena.alloc_slice_copy(&[0xbb; 3 * WORD][..written]).unwrap().as_ptr().addr() - base;
        let end = begin + arena.capacity();
        arena.reset_zeroed();
        drop(arena);
        // SAFETY: every byte was initialised above, and the arena overwrites bytes only with stamps
        // and `u8` values.
        let memory = memory.map(|byte| unsafe { byte.assume_init() });
        assert!(memory[begin..begin + written].iter().all(|&byte| byte == 0), "{written} from {begin}: {memory:x?}");
        assert!(memory[begin + written..end].iter().all(|&byte| byte == 0xaa), "{written} from {begin}: {memory:x?}");
    }
}
