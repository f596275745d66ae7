//! `Stats`: the numbers that an arena reports. `storages` tests them with every kind of memory.

use std::mem::{self, MaybeUninit};
use std::thread;

use atomicarena::{AtomicArena, StaticArena};

use crate::allocations::metered;
use crate::payload::{Ledger, SHARDS_FORCED, panic_of, punch_holes, runs_from_cursor, scaled, tail_size};

#[test]
fn stats_count_taken_slots_vacant_slots_and_handles() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(100));
    let numbers = || {
        let stats = arena.stats();
        assert_eq!((stats.count, stats.count + stats.vacant), (arena.count(), arena.index_bound()));
        (stats.count, stats.vacant, stats.handles)
    };
    assert_eq!(numbers(), (0, 0, 0));
    let run = arena.reserve(4).unwrap();
    let empty = arena.reserve(0).unwrap();
    let mut local = arena.local_with_batch(1.try_into().unwrap());
    assert_eq!(numbers(), (4, 0, 1)); // `empty` and `local` hold no slot, so they do not count
    local.alloc(1).unwrap();
    assert_eq!(numbers(), (5, 0, 2));
    arena.alloc(2).unwrap();
    arena.alloc(3).unwrap();
    drop((run, empty));
    assert_eq!(numbers(), (3, 4, 1));
    drop(local);
    assert_eq!(numbers(), (3, 4, 0));
}

#[test]
fn a_leaked_handle_counts_until_exclusive_access() {
    let mut arena = AtomicArena::<u8>::with_capacity(100);
    let settle: [fn(&mut AtomicArena<u8>); 3] =
        [|arena| _ = arena.get_mut(0), AtomicArena::reset, |arena| _ = arena.compact()];
    for settle in settle {
        let mut local = arena.local();
        local.alloc(7).unwrap();
        mem::forget(local);
        mem::forget(arena.local()); // never had a run
        mem::forget(arena.reserve(3));
        assert_eq!(arena.stats().handles, 2);
        settle(&mut arena);
        assert_eq!((arena.stats().handles, arena.stats().count), (0, 0));
    }
}

// ---- the high-water mark

#[test]
fn the_high_water_mark_survives_every_way_to_empty_the_arena() {
    let mut arena = AtomicArena::with_capacity(100);
    let mut high = 0;
    let empty: [fn(&mut AtomicArena<u8>); 4] = [
        AtomicArena::reset,
        AtomicArena::reset_zeroed,
        |arena| drop(arena.drain()),
        |arena| {
            arena.compact();
            arena.reset();
        },
    ];
    for round in 0..scaled(120, 4) {
        let len = (round * 37) % 60 + round / 4;
        arena.alloc_slice_with(len, |_| 1).unwrap();
        high = high.max(len);
        assert_eq!(arena.stats().high_water, high, "round {round}");
        empty[round % 4](&mut arena);
        assert_eq!((arena.stats().high_water, arena.stats().count), (high, 0), "round {round}");
    }
}

#[test]
fn the_high_water_mark_ends_at_the_capacity() {
    let arena = AtomicArena::with_capacity(3);
    while arena.publish(1).is_ok() {}
    assert!((0..10).all(|_| arena.alloc(1).is_err()));
    assert_eq!(arena.stats().high_water, 3);
}

#[test]
fn the_high_water_mark_covers_the_slot_in_which_an_iterator_panicked() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(100));
    let mut run = arena.reserve(50).unwrap();
    panic_of(|| _ = run.fill_from_iter((0..50).inspect(|&i| assert!(i < 20, "here"))));
    assert_eq!(run.len(), 20);
    drop(run);
    assert_eq!((arena.count(), arena.stats().high_water), (0, 21));
}

#[test]
fn the_high_water_mark_covers_the_slot_in_which_fill_with_panicked() {
    let mut arena = AtomicArena::with_capacity(100);
    panic_of(|| {
        arena.fill_with(|index| if index == 20 { panic!("here") } else { index });
    });
    assert_eq!((arena.count(), arena.stats().high_water), (20, 21));
}

#[test]
fn the_high_water_mark_covers_values_and_open_handles() {
    let mut arena = runs_from_cursor(AtomicArena::with_capacity(100));
    let run = arena.reserve(50).unwrap();
    assert_eq!(arena.stats().high_water, 50);
    drop(run); // no slot was written
    assert_eq!(arena.stats().high_water, 0);
    let mut run = arena.reserve(50).unwrap();
    run.fill_from_iter(0..20);
    drop(run); // 20 slots were written
    assert_eq!(arena.stats().high_water, 20);
    let hole = arena.reserve(30).unwrap();
    arena.alloc(1).unwrap();
    arena.alloc(1).unwrap();
    drop(hole);
    assert_eq!(arena.stats().high_water, 32); // a vacant slot below a value counts
    arena.compact();
    assert_eq!((arena.index_bound(), arena.stats().high_water), (2, 32));
    let hole = arena.reserve(40).unwrap();
    arena.alloc(1).unwrap();
    arena.alloc(1).unwrap();
    drop(hole);
    assert_eq!(arena.stats().high_water, 44);
}

#[cfg(all(feature = "mapped", not(miri)))]
#[test]
fn reset_decommit_keeps_the_numbers() {
    let mut arena = AtomicArena::mapped(10_000).build().unwrap();
    arena.alloc_slice_with(7_000, |_| 1_u64).unwrap();
    arena.reset_decommit().unwrap();
    arena.alloc_slice_with(10, |_| 1).unwrap();
    arena.reset_zeroed();
    arena.alloc_slice_with(20, |_| 1).unwrap();
    arena.reset_decommit().unwrap();
    let stats = arena.stats();
    assert_eq!((stats.count, stats.high_water, stats.resets), (0, 7_000, 3));
    assert!(stats.bytes >= 90_000 && stats.bytes - stats.overhead == 80_000);
}

#[test]
fn only_the_end_of_an_epoch_counts_as_a_reset() {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(4);
    arena.alloc(ledger.value()).unwrap();
    arena.iter_mut().for_each(drop);
    arena.publish_all();
    _ = arena.as_mut_slice();
    mem::forget(arena.reserve(1));
    assert!(arena.get_mut(3).is_none());
    assert_eq!(arena.stats().resets, 0);
    arena.reset();
    arena.reset_zeroed();
    drop(arena.drain());
    mem::forget(arena.drain());
    arena.compact();
    assert_eq!(arena.stats().resets, 5);
    (0..300).for_each(|_| arena.reset());
    assert_eq!(arena.stats().resets, 305);
}

// ---- bytes

#[test]
fn the_bytes_of_a_heap_arena_are_those_requested() {
    fn check<T>(capacity: usize) {
        let (arena, meter) = metered(|| AtomicArena::<T>::with_capacity(capacity));
        let (stats, (used, again)) = (arena.stats(), metered(|| arena.stats()));
        assert_eq!(stats.bytes, meter.plain_bytes + meter.zeroed_bytes + size_of_val(&arena));
        assert_eq!(stats.overhead, stats.bytes - capacity * size_of::<T>());
        assert_eq!(stats.overhead, size_of_val(&arena) + capacity + tail_size(capacity));
        assert_eq!((used, again.requests), (stats, 0));
    }
    check::<u64>(1_000);
    check::<[u8; 3]>(17);
    check::<()>(9);
    check::<u8>(2_047);
    check::<u8>(2_048);
    check::<u8>(10_000);
    #[repr(align(64))]
    struct Aligned(#[expect(dead_code)] u8);
    check::<Aligned>(5);
}

#[test]
fn a_small_arena_takes_half_a_kilobyte_besides_slots_and_stamps() {
    let arena = AtomicArena::<u64>::with_capacity(1_000);
    assert!(SHARDS_FORCED || arena.stats().bytes <= 512 + 1_000 * (size_of::<u64>() + 1));
}

#[test]
fn the_bytes_of_an_inline_arena_are_its_size() {
    let arena = StaticArena::<u64, 100>::new();
    let stats = arena.stats();
    assert_eq!((stats.bytes, stats.overhead), (size_of_val(&arena), size_of_val(&arena) - 800));
}

#[test]
fn the_bytes_of_a_borrowed_arena_are_those_in_use() {
    let mut memory = [MaybeUninit::uninit(); 1_000];
    let arena = AtomicArena::<u64, _>::in_bytes(&mut memory).unwrap();
    let stats = arena.stats();
    assert_eq!(stats.bytes, size_of_val(&arena) + 9 * arena.capacity());
    assert_eq!(stats.overhead, size_of_val(&arena) + arena.capacity());
}

// ---- numbers that require a scan

#[test]
fn count_published_counts_what_iter_yields() {
    let mut arena = AtomicArena::with_capacity(16);
    punch_holes(&arena);
    assert_eq!(arena.count_published(), arena.iter().count());
    arena.alloc(1).unwrap();
    let owned = arena.count_published();
    arena.publish_all();
    assert_eq!((arena.count_published(), arena.count_published() > owned), (arena.count(), true));
    arena.reset();
    assert_eq!(arena.count_published(), 0);
}

#[test]
fn stats_may_be_read_while_others_allocate() {
    let arena = AtomicArena::with_capacity(64);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for i in 0..scaled(2_000, 8) {
                    drop(arena.reserve_up_to(i % 5));
                    _ = arena.alloc_try_with(|| if i % 40 == 0 { Ok(i) } else { Err(()) });
                }
            });
        }
        for _ in 0..scaled(2_000, 8) {
            let stats = arena.stats();
            assert!(
                stats.count <= 64 && stats.vacant <= 64 && stats.high_water <= 64 && stats.handles <= 2,
                "{stats:?}"
            );
            assert!(arena.count_published() == 0 && !format!("{arena:?}").is_empty());
        }
    });
}
