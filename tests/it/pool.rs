//! `ArenaPool`: arenas are returned empty, whatever their holders do.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use atomicarena::{ArenaPool, AtomicArena, CapacityError, Checkout, Inline, StaticArena, Storage};

use crate::allocations::{assert_no_request, metered, short_of_memory};
use crate::payload::{Dice, Ledger, assert_room, panic_of, scaled};

/// Asserts that every arena is in the pool and empty, and has room for `capacity` values.
#[track_caller]
fn assert_whole<T: Default, S: Storage<T>>(pool: &ArenaPool<T, S>, capacity: usize) {
    assert_eq!(pool.available(), pool.arenas());
    let all: Vec<_> = (0..pool.arenas()).map(|_| pool.checkout().unwrap()).collect();
    assert!(pool.checkout().is_none());
    assert_eq!(pool.available(), 0);
    for arena in &all {
        assert_eq!(arena.index_bound(), 0);
        assert_room(arena, capacity, T::default);
    }
}

// ---- checkout and return

#[test]
fn each_arena_is_lent_once() {
    let pool = ArenaPool::new(3, 2);
    let all: Vec<_> = (0..3).map(|_| pool.checkout().unwrap()).collect();
    let addresses: Vec<_> = all.iter().map(|arena| &raw const **arena).collect();
    assert!((0..3).all(|i| !addresses[..i].contains(&addresses[i])));
    assert!(pool.checkout().is_none() && pool.checkout().is_none());
    for (i, arena) in all.iter().enumerate() {
        assert_eq!((arena.capacity(), arena.count()), (2, 0));
        arena.alloc(i).unwrap();
    }
    assert_eq!((pool.arenas(), pool.available()), (3, 0));
    drop(all);
    assert_whole(&pool, 2);
}

#[test]
fn arenas_are_returned_in_any_order() {
    let pool = ArenaPool::<u8>::new(4, 1);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let mut all: [_; 4] = std::array::from_fn(|_| pool.checkout());
        for (back, &which) in order.iter().enumerate() {
            assert_eq!(pool.available(), back);
            assert!(all[which].take().is_some());
        }
        assert_whole(&pool, 1);
    }
}

#[test]
fn as_many_arenas_are_touched_as_are_checked_out_at_once() {
    let pool = ArenaPool::<u8>::new(8, 1);
    let mut seen = Vec::new();
    let mut held: [_; 3] = std::array::from_fn(|_| pool.checkout());
    let mut dice = Dice::new(1);
    for _ in 0..scaled(200, 40) {
        seen.extend(held.iter().flatten().map(|arena| &raw const **arena));
        let (back, out) = (dice.roll(3), dice.roll(3));
        held[back] = None;
        if held[out].is_none() {
            held[out] = pool.checkout();
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
}

#[test]
fn values_are_dropped_when_the_arena_is_returned() {
    let ledger = Ledger::new();
    let pool = ArenaPool::new(1, 4);
    for round in 1..=60 {
        let arena = pool.checkout().unwrap();
        arena.alloc(ledger.value()).unwrap();
        arena.publish(ledger.value()).unwrap();
        let mut local = arena.local();
        local.alloc(ledger.value()).unwrap();
        assert_eq!(arena.iter().count(), 1, "the number of published values, without those of earlier rounds");
        drop(local);
        drop(arena);
        assert_eq!((ledger.made(), ledger.dropped()), (3 * round, 3 * round));
    }
}

#[test]
fn handles_leaked_by_one_holder_cost_the_next_nothing() {
    let pool = ArenaPool::new(1, 8);
    let arena = pool.checkout().unwrap();
    mem::forget((arena.reserve(3), arena.local().alloc(1)));
    let mut local = arena.local();
    local.publish(2).unwrap();
    mem::forget(local);
    drop(arena);
    assert_whole(&pool, 8);
}

#[test]
fn the_holder_has_exclusive_access() {
    let pool = ArenaPool::new(1, 4);
    let mut arena = pool.checkout().unwrap();
    thread::scope(|scope| {
        for worker in 0..4 {
            let arena = &arena;
            scope.spawn(move || arena.alloc(worker).unwrap());
        }
    });
    arena.publish_all();
    arena.as_mut_slice().unwrap().sort();
    assert_eq!(arena.get_slice(0..4), Some(&[0, 1, 2, 3][..]));
    assert!(arena.drain().eq(0..4));
    arena.alloc(5).unwrap();
    arena.reset();
    assert!(arena.is_empty());
}

#[test]
fn an_arena_swapped_in_is_returned_to_the_pool() {
    let ledger = Ledger::new();
    let pool = ArenaPool::new(1, 4);
    let mut held = pool.checkout().unwrap();
    held.alloc(ledger.value()).unwrap();
    let other = AtomicArena::with_capacity(2);
    other.publish(ledger.value()).unwrap();
    let mine = mem::replace(&mut *held, other);
    drop(held);
    assert_eq!((mine.capacity(), ledger.alive()), (4, vec![0]));
    let held = pool.checkout().unwrap();
    assert_eq!((held.capacity(), held.count()), (2, 0));
}

#[test]
fn neither_checkout_nor_return_requests_memory() {
    let pool = Arc::new(ArenaPool::<u64>::new(3, 4));
    let ((), meter) = metered(|| {
        let (first, second) = (pool.checkout(), pool.checkout_owned());
        first.as_ref().unwrap().alloc(1).unwrap();
        second.as_ref().unwrap().publish(2).unwrap();
        drop(first);
        assert!(pool.checkout().is_some());
        drop(second);
    });
    assert_eq!((meter.requests, meter.returns), (0, 0));
    let all = [pool.checkout(), pool.checkout(), pool.checkout()];
    assert_no_request("a refusal", || assert!(pool.checkout().is_none() && pool.checkout_owned().is_none()));
    drop(all);
}

// ---- owned guards

#[test]
fn an_owned_checkout_keeps_the_pool_alive() {
    let ledger = Ledger::new();
    let pool = Arc::new(ArenaPool::new(2, 4));
    let held = pool.checkout_owned().unwrap();
    drop(pool);
    held.alloc(ledger.value()).unwrap();
    assert_eq!(ledger.dropped(), 0);
    drop(held);
    assert_eq!(ledger.dropped(), 1);
}

#[test]
fn an_owned_checkout_is_returned_from_a_thread_without_a_scope() {
    let pool = Arc::new(ArenaPool::new(1, 4));
    let (send, receive) = mpsc::channel();
    let worker = thread::spawn(move || {
        let arena: atomicarena::OwnedCheckout<String> = receive.recv().unwrap();
        arena.alloc("here".to_string()).unwrap().len()
    });
    let arena = pool.checkout_owned().unwrap();
    arena.alloc("there".to_string()).unwrap();
    assert!(pool.checkout_owned().is_none() && pool.checkout().is_none());
    send.send(arena).unwrap();
    assert_eq!(worker.join().unwrap(), 4);
    assert_whole(&pool, 4);
}

#[test]
fn a_leaked_checkout_removes_its_arena_until_the_pool_is_dropped() {
    let ledger = Ledger::new();
    let pool = ArenaPool::new(2, 1);
    let lost = pool.checkout().unwrap();
    lost.alloc(ledger.value()).unwrap();
    mem::forget(lost);
    let kept = pool.checkout().unwrap();
    assert!(pool.checkout().is_none());
    drop(kept);
    assert_eq!((pool.available(), ledger.dropped()), (1, 0));
    drop(pool);
    assert_eq!(ledger.dropped(), 1);
}

// ---- panics

#[test]
fn a_panic_while_holding_an_arena_returns_it() {
    let ledger = Ledger::new();
    let pool = Arc::new(ArenaPool::new(1, 2));
    let hold = |arena: &AtomicArena<_>| {
        arena.alloc(ledger.value()).unwrap();
        panic!("while holding one");
    };
    let message = "while holding one";
    assert_eq!(panic_of(|| hold(&*pool.checkout().unwrap())), message);
    assert_eq!((pool.available(), ledger.dropped()), (1, 1));
    assert_eq!(panic_of(|| hold(&*pool.checkout_owned().unwrap())), message);
    assert_eq!((pool.available(), ledger.dropped()), (1, 2));
    assert_room(&pool.checkout().unwrap(), 2, || ledger.value());
}

#[test]
fn a_panic_in_the_drop_of_a_value_returns_the_arena() {
    let ledger = Ledger::new();
    let pool = Arc::new(ArenaPool::new(2, 3));
    let _other = pool.checkout();
    let fill = |arena: &AtomicArena<_>| {
        arena.alloc(ledger.value()).unwrap();
        arena.publish(ledger.bomb()).unwrap();
        arena.alloc(ledger.value()).unwrap();
    };
    let held = pool.checkout().unwrap();
    fill(&held);
    assert_eq!(panic_of(|| drop(held)), "bomb 1");
    assert_eq!((pool.available(), ledger.dropped()), (1, 3));
    let held = pool.checkout_owned().unwrap();
    fill(&held);
    assert_eq!(panic_of(|| drop(held)), "bomb 4");
    assert_eq!((pool.available(), ledger.dropped(), Arc::strong_count(&pool)), (1, 6, 1));
    assert_room(&pool.checkout().unwrap(), 3, || ledger.value());
}

#[test]
fn pool_and_checkout_are_unwind_safe() {
    fn safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    type T = std::cell::Cell<u8>;
    safe::<ArenaPool<T>>();
    safe::<Checkout<'static, T>>();
    safe::<atomicarena::OwnedCheckout<T>>();
}

// ---- constructors

#[test]
fn new_reports_the_reason() {
    assert_eq!(panic_of(|| drop(ArenaPool::<u8>::new(0, 1))), "a pool needs at least one arena");
    assert_eq!(panic_of(|| drop(ArenaPool::<u8>::new(1, 0))), CapacityError::Zero.to_string());
    assert!(panic_of(|| drop(ArenaPool::<u64>::new(1, usize::MAX))).starts_with(&usize::MAX.to_string()));
}

#[test]
fn try_new_reports_the_reason() {
    let refused = |arenas, capacity| ArenaPool::<u64>::try_new(arenas, capacity).unwrap_err();
    assert_eq!(refused(0, 1), CapacityError::Zero);
    assert!(refused(0, 1).to_string().ends_with("a pool needs at least one arena"));
    assert_eq!(refused(1, 0), CapacityError::Zero);
    assert_eq!(refused(1, usize::MAX), CapacityError::TooLarge { capacity: usize::MAX, slot_size: 8 });
    let slot_size = size_of::<AtomicArena<u64>>();
    assert_eq!(refused(usize::MAX, 1), CapacityError::TooLarge { capacity: usize::MAX, slot_size });
    assert_whole(&ArenaPool::<u64>::try_new(2, 5).unwrap(), 5);
}

#[test]
fn try_new_survives_every_refusal_of_the_allocator() {
    // The arena of seats (`src/pool.rs`) makes one request, for its stamps only, because its slots
    // are zero-sized. The table of arenas makes one, and each pooled arena makes two.
    let needed = metered(|| ArenaPool::<u64>::try_new(3, 5).unwrap()).1.requests;
    assert!(needed >= 8);
    for granted in 0..needed {
        let (refused, meter) = short_of_memory(granted, || ArenaPool::<u64>::try_new(3, 5).unwrap_err());
        assert!(matches!(refused, CapacityError::OutOfMemory { .. }), "{refused:?}");
        // The table of arenas may have been refused, so it is not enough to advise fewer slots.
        assert!(refused.to_string().ends_with("request a smaller arena or pool"), "{refused}");
        assert_eq!(meter.returns, granted, "granted memory was not freed");
    }
    assert!(short_of_memory(needed, || ArenaPool::<u64>::try_new(3, 5)).0.is_ok());
}

#[test]
fn from_arenas_survives_every_refusal_of_the_allocator() {
    let made = || ArenaPool::from_arenas([const { StaticArena::<u64, 4>::new() }; 3]);
    let needed = metered(|| made().unwrap()).1.requests;
    assert!(needed >= 2);
    for granted in 0..needed {
        let refused = short_of_memory(granted, || made().unwrap_err()).0;
        assert!(matches!(refused, CapacityError::OutOfMemory { bytes: 1.. }), "{refused:?}");
    }
}

#[test]
fn a_pool_of_existing_arenas_resets_them() {
    let ledger = Ledger::new();
    let used = AtomicArena::with_capacity(3);
    used.publish(ledger.value()).unwrap();
    let pool = ArenaPool::from_arenas([used, AtomicArena::with_capacity(3)]).unwrap();
    assert_eq!((pool.arenas(), ledger.dropped()), (2, 1));
    let all = [pool.checkout().unwrap(), pool.checkout().unwrap()];
    all.iter().for_each(|arena| assert_room(arena, 3, || ledger.value()));
    let none = ArenaPool::from_arenas(std::iter::empty::<AtomicArena<u8>>());
    assert_eq!(none.unwrap_err(), CapacityError::Zero);
}

#[test]
fn static_arenas_in_a_pool_do_not_move() {
    let pool: ArenaPool<u64, Inline<u64, 8>> = ArenaPool::from_arenas((0..3).map(|_| StaticArena::new())).unwrap();
    let held = pool.checkout().unwrap();
    let value = &raw const *held.alloc(7).unwrap();
    drop(held);
    let held = pool.checkout().unwrap();
    assert_eq!(&raw const *held.alloc(8).unwrap(), value);
    drop(held);
    assert_whole(&pool, 8);
}

#[test]
#[cfg(all(feature = "mapped", not(miri)))]
fn a_holder_can_decommit_a_mapped_arena() {
    let pool = ArenaPool::from_arenas((0..2).map(|_| AtomicArena::<u64, _>::mapped(1 << 20).build().unwrap())).unwrap();
    let mut held = pool.checkout().unwrap();
    held.alloc_slice_copy(&[7; 1000]).unwrap();
    held.reset_decommit().unwrap();
    drop(held);
    assert_eq!((pool.available(), pool.checkout().unwrap().count()), (2, 0));
}

#[test]
fn zero_sized_and_over_aligned_values() {
    #[derive(Debug, Default)]
    #[repr(align(4096))]
    struct Page(#[expect(dead_code)] u8);
    let capacity = scaled(1_000, 30);
    let pool = ArenaPool::<()>::new(2, capacity);
    pool.checkout().unwrap().publish(()).unwrap();
    assert_whole(&pool, capacity);
    let pool = ArenaPool::<Page>::new(2, 3);
    pool.checkout().unwrap().alloc(Page(1)).unwrap();
    assert_whole(&pool, 3);
}

#[test]
fn debug_shows_the_numbers() {
    let pool = Arc::new(ArenaPool::<u8>::new(2, 4));
    let held = pool.checkout_owned().unwrap();
    held.alloc(1).unwrap();
    assert_eq!(format!("{pool:?}"), "ArenaPool { arenas: 2, available: 1, .. }");
    assert_eq!(format!("{held:?}"), format!("OwnedCheckout({:?})", *held));
    let free = pool.checkout().unwrap();
    assert_eq!(format!("{free:?}"), format!("Checkout({:?})", *free));
    assert!(format!("{free:?}").starts_with("Checkout(AtomicArena { capacity: 4, count: 0, "));
}

// ---- many threads

const THREADS: usize = 4;

#[test]
fn no_two_threads_hold_one_arena() {
    let rounds = scaled(20_000, 8);
    for arenas in [1, THREADS - 1, THREADS + 1] {
        let pool = Arc::new(ArenaPool::<usize>::new(arenas, 8));
        let refused = AtomicUsize::new(0);
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (pool, refused, barrier) = (&pool, &refused, &barrier);
                scope.spawn(move || {
                    let mut dice = Dice::new(thread as u64);
                    let hold = |arena: &AtomicArena<usize>, values: usize| {
                        assert_eq!((arena.count(), arena.iter().next()), (0, None), "the arena is not empty");
                        for place in 0..values {
                            assert_eq!(
                                arena.publish(thread).unwrap(),
                                (place, &thread),
                                "another holder fills the arena"
                            );
                        }
                        assert!(arena.iter().all(|(_, &value)| value == thread));
                    };
                    barrier.wait();
                    for _ in 0..rounds {
                        let values = dice.roll(9);
                        match dice.roll(3) {
                            0 => pool.checkout_owned().map(|arena| hold(&arena, values)),
                            _ => pool.checkout().map(|arena| hold(&arena, values)),
                        }
                        .unwrap_or_else(|| {
                            refused.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert!(arenas < THREADS || refused.into_inner() == 0, "refused although there was an arena for each thread");
        assert_eq!(Arc::strong_count(&pool), 1);
        assert_whole(&pool, 8);
    }
}

#[test]
fn arenas_are_returned_whole_from_threads_that_panic_leak_and_pass_them_on() {
    let rounds = scaled(2_000, 10);
    let ledger = Ledger::new();
    let pool = ArenaPool::new(THREADS - 1, 6);
    thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<Checkout<'_, _>>();
        for thread in 0..THREADS {
            let (pool, ledger, send) = (&pool, &ledger, send.clone());
            scope.spawn(move || {
                let mut dice = Dice::new(thread as u64);
                for _ in 0..rounds {
                    let Some(arena) = pool.checkout() else { continue };
                    arena.alloc(ledger.value()).unwrap();
                    match dice.roll(4) {
                        0 => drop(arena),
                        1 => send.send(arena).unwrap(),
                        2 => {
                            arena.publish(ledger.bomb()).unwrap();
                            arena.alloc(ledger.value()).unwrap();
                            assert!(catch_unwind(AssertUnwindSafe(|| drop(arena))).is_err());
                        }
                        _ => mem::forget(arena.reserve(2)),
                    }
                }
            });
        }
        drop(send);
        // Another thread returns the arenas.
        scope.spawn(move || receive.into_iter().for_each(drop));
    });
    assert_eq!(ledger.alive(), Vec::<usize>::new());
    let all: Vec<_> = (1..THREADS).map(|_| pool.checkout().unwrap()).collect();
    assert!(pool.checkout().is_none());
    all.iter().for_each(|arena| assert_room(arena, 6, || ledger.value()));
}
