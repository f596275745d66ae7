//! The behaviours that the Go library `AtomicArena` tests, and the faults that were measured in it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use atomicarena::{AtomicArena, CapacityError};

use crate::payload::{SHARDS_FORCED, Writers, assert_room, cursor_after, fill_up, scaled};

// ---- its behaviours

#[derive(Clone, Debug, Default, PartialEq)]
struct Point {
    x: i32,
    y: i32,
}

#[test]
fn a_size_of_zero_is_an_error() {
    assert!(matches!(AtomicArena::<i32>::try_with_capacity(0), Err(CapacityError::Zero)));
}

#[test]
fn one_int() {
    let arena = AtomicArena::with_capacity(10);
    let value = arena.alloc(42).unwrap();
    assert_eq!(*value, 42);
    *value = 43;
    assert_eq!(*value, 43);
}

#[test]
fn one_struct() {
    let arena = AtomicArena::with_capacity(10);
    let point = arena.alloc(Point { x: 1, y: 2 }).unwrap();
    point.x = 5;
    assert_eq!(*point, Point { x: 5, y: 2 });
}

#[test]
fn a_request_beyond_the_capacity_is_an_error() {
    let arena = AtomicArena::with_capacity(2);
    arena.alloc(1).unwrap();
    arena.alloc(2).unwrap();
    assert_eq!(arena.alloc(3).unwrap_err().into_inner(), 3);
}

#[test]
fn append_slice_stores_an_exact_fit_and_refuses_one_too_many() {
    let arena = AtomicArena::with_capacity(5);
    assert_eq!(arena.alloc_slice_copy(&[1, 2, 3]).unwrap(), &[1, 2, 3]);
    assert!(arena.alloc_slice_copy(&[4, 5, 6]).is_err());
    assert_eq!(arena.alloc_slice_copy(&[4, 5]).unwrap(), &[4, 5]);
    assert!(arena.alloc_slice_copy(&[6]).is_err());
}

#[test]
fn alloc_slice_stores_the_prefix_that_fits() {
    let arena = AtomicArena::with_capacity(5);
    assert_eq!(arena.alloc_prefix_clone(&[1, 2, 3]), &[1, 2, 3]);
    assert_eq!(arena.alloc_prefix_clone(&[4, 5, 6]), &[4, 5]);
    assert_eq!(arena.alloc_prefix_clone(&[7]), &[]);
}

#[test]
fn reserve_lends_a_run_to_fill() {
    let arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(3).unwrap();
    run.fill_from_iter(1..);
    assert_eq!(run.finish(), &[1, 2, 3]);
    assert!(arena.reserve(2).is_err());
}

#[test]
fn make_slice_fills_the_rest_with_zero_values_and_returns_everything() {
    let mut arena = AtomicArena::with_capacity(4);
    arena.alloc(Point { x: 1, y: 2 }).unwrap();
    let all = arena.fill_default();
    assert_eq!(all.len(), 4);
    assert_eq!(all[0], Point { x: 1, y: 2 });
    assert!(all[1..].iter().all(|point| *point == Point::default()));
}

#[test]
fn ptr_at_counts_modulo_the_size() {
    let arena = AtomicArena::with_capacity(4);
    for value in [10, 11, 12, 13] {
        arena.publish(value).unwrap();
    }
    let ring: Vec<_> = (0..10).map(|i| *arena.get_wrapping(i).unwrap()).collect();
    assert_eq!(ring, [10, 11, 12, 13, 10, 11, 12, 13, 10, 11]);
}

#[test]
fn reset_and_reuse() {
    let mut arena = AtomicArena::with_capacity(3);
    for round in 0..4 {
        assert_eq!(fill_up(&arena, || round), 3);
        arena.reset();
    }
    assert_room(&arena, 3, || 0);
}

#[test]
fn reset_clears_values() {
    let mut arena = AtomicArena::with_capacity(3);
    arena.publish(7).unwrap();
    arena.reset();
    assert_eq!((arena.get(0), arena.get_wrapping(0)), (None, None));
    assert_eq!(arena.get_mut(0), None);
    arena.publish(8).unwrap();
    arena.reset_zeroed();
    assert_eq!((arena.get(0), arena.get_wrapping(0)), (None, None));
    assert_eq!(arena.get_mut(0), None);
    assert_eq!(arena.fill_default(), [0, 0, 0]);
}

#[test]
fn n_threads_fill_exactly_n_slots_and_the_next_is_refused() {
    let threads = scaled(64, 8);
    let arena = AtomicArena::with_capacity(threads);
    thread::scope(|scope| {
        for i in 0..threads {
            let arena = &arena;
            scope.spawn(move || arena.publish(i).map(|_| ()).unwrap());
        }
    });
    assert!(arena.publish(0).is_err());
    let mut values: Vec<_> = arena.iter().map(|(_, v)| *v).collect();
    values.sort();
    assert!(values.into_iter().eq(0..threads));
}

#[test]
fn readers_while_another_fills() {
    let n = scaled(5_000, 50);
    let arena = AtomicArena::with_capacity(n);
    let writers = Writers::new(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _writer = writers.begin();
            (0..n).for_each(|i| assert_eq!(arena.publish(Box::new(i)).unwrap().0, i));
        });
        for _ in 0..2 {
            scope.spawn(|| {
                for i in 0..n {
                    assert_eq!(**writers.wait_for(|| arena.get(i)), i);
                    assert_eq!(arena.get_wrapping(i + n).map(|value| **value), Some(i));
                }
            });
        }
    });
}

// ---- its faults: each test is named after a fault, and shows that this crate does not have it

#[test]
fn fault_1_a_bulk_request_that_cannot_fit_makes_single_ones_fail() {
    let (chunks, chunk) = (scaled(20, 4), scaled(2_000, 10));
    let n = 2 * chunks * chunk;
    let arena = AtomicArena::with_capacity(n + 1);
    arena.alloc(0).unwrap();
    let attempts = AtomicUsize::new(0);
    let (in_bulk, one_by_one) = (Writers::new(1), Writers::new(2));
    thread::scope(|scope| {
        let _writer = in_bulk.begin();
        let refused = [(); 2].map(|()| {
            let (arena, attempts, in_bulk, one_by_one) = (&arena, &attempts, &in_bulk, &one_by_one);
            scope.spawn(move || {
                let _writer = one_by_one.begin();
                let mut refused = 0;
                for _ in 0..chunks {
                    // Wait until the thread with the bulk requests has made another attempt.
                    let seen = attempts.load(Ordering::Relaxed);
                    in_bulk.wait_for(|| (attempts.load(Ordering::Relaxed) != seen).then_some(()));
                    refused += (0..chunk).filter(|&i| arena.alloc(i).is_err()).count();
                }
                refused
            })
        });
        let mut fitted = 0;
        while !one_by_one.have_ended() {
            // One slot is taken, so neither request can ever fit.
            fitted += usize::from(arena.reserve(n + 1).is_ok());
            fitted += usize::from(arena.alloc_slice_with(n + 1, |i| i).is_ok());
            attempts.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(refused.map(|thread| thread.join().unwrap()), [0, 0]);
        assert_eq!(fitted, 0);
    });
    assert!(arena.is_full());
}

#[test]
fn fault_2_a_rolled_back_bulk_request_hands_one_slot_out_twice() {
    const SLOTS: usize = scaled(2_000, 24);
    // The bulk thread has made an attempt in each round below `begun`. The other thread has ended
    // the rounds below `ended`.
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let arenas: Vec<_> = (0..scaled(50, 5)).map(|_| AtomicArena::with_capacity(SLOTS)).collect();
    let (in_bulk, one_by_one) = (Writers::new(1), Writers::new(1));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _writer = in_bulk.begin();
            for (round, arena) in arenas.iter().enumerate() {
                arena.alloc(0).unwrap();
                let mut fitted = 0;
                while ended.load(Ordering::Acquire) <= round && !one_by_one.have_ended() {
                    fitted += usize::from(arena.alloc_slice_with(SLOTS, |i| i).is_ok());
                    fitted += usize::from(arena.reserve(SLOTS).is_ok());
                    begun.store(round + 1, Ordering::Release);
                }
                assert_eq!(fitted, 0);
            }
        });
        let _writer = one_by_one.begin();
        let mut handed_out = Vec::new();
        for (round, arena) in arenas.iter().enumerate() {
            in_bulk.wait_for(|| (begun.load(Ordering::Acquire) > round).then_some(()));
            // A refusal does not end this iterator, because with this fault, requests after a
            // refusal would hand out a slot twice.
            let slots = (0..4 * SLOTS).filter_map(|i| arena.index_of(arena.alloc(i).ok()?));
            handed_out.push(slots.collect::<Vec<_>>());
            ended.store(round + 1, Ordering::Release);
        }
        for mut slots in handed_out {
            if SHARDS_FORCED {
                // The bulk thread has a shard of its own, and the rest of that shard is stolen
                // last.
                slots.sort_unstable();
            }
            assert!(slots.iter().copied().eq(1..SLOTS), "{slots:?}");
        }
    });
}

#[test]
fn fault_3_a_huge_bulk_length_wraps_and_moves_the_counter_back() {
    struct Huge(usize);
    impl Iterator for Huge {
        type Item = usize;
        fn next(&mut self) -> Option<usize> {
            panic!("the iterator must not be used")
        }
    }
    impl ExactSizeIterator for Huge {
        fn len(&self) -> usize {
            self.0
        }
    }
    let arena = AtomicArena::with_capacity(8);
    for expected in 0..8 {
        for back in 0..12 {
            // Many of these lengths, added to the cursor, would wrap to a slot below the cursor.
            let huge = usize::MAX - back;
            let full = arena.alloc_slice_with(huge, |_| panic!()).map(|_| ()).unwrap_err();
            assert_eq!((full.requested(), full.remaining()), (huge, 8 - cursor_after(expected)));
            assert!(arena.reserve(huge).is_err());
            assert!(arena.alloc_from_iter(Huge(huge)).is_err());
        }
        assert_eq!(arena.index_of(arena.alloc(expected).unwrap()), Some(expected));
        assert_eq!((arena.count(), arena.index_bound()), (expected + 1, cursor_after(expected + 1)));
    }
    // The single values have filled the arena.
    assert_eq!(arena.reserve_up_to(usize::MAX).capacity(), 0);
}

#[test]
fn fault_4_clearing_with_the_counter_past_the_end_writes_beyond_the_buffer() {
    // Arenas of one size are often adjacent in memory, so a write beyond one of them changes the
    // next. A memory checker detects such a write in the other cases.
    let mut arenas = [(); 3].map(|()| AtomicArena::with_capacity(32));
    for arena in &arenas {
        assert_eq!(fill_up(arena, || 0xAB_u8), 32);
        for _ in 0..scaled(10_000, 20) {
            assert!(arena.alloc(1).is_err());
            assert!(arena.alloc_slice_copy(&[1; 32]).is_err());
        }
    }
    let [before, arena, behind] = &mut arenas;
    arena.reset_zeroed();
    assert_eq!(arena.fill_default(), [0; 32]);
    for neighbour in [before, behind] {
        assert_eq!(neighbour.as_mut_slice(), Some(&mut [0xAB; 32][..]));
    }
}

#[test]
fn fault_5_a_reset_after_failing_requests_bricks_the_arena() {
    // A race with the reset is impossible, because `reset` takes `&mut self`. Requests that failed
    // before it must have no effect after it.
    let mut arena = AtomicArena::with_capacity(16);
    for round in 0..scaled(200, 5) {
        let refused: usize = thread::scope(|scope| {
            let threads = [1, 2, 3].map(|bulk| {
                let arena = &arena;
                scope.spawn(move || {
                    let single = (0..20).filter(|_| arena.alloc(round).is_err()).count();
                    let many = (0..20).filter(|_| arena.reserve(bulk).is_err()).count();
                    single + usize::from(many == 20)
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(refused >= 60 - 16, "only {refused} requests failed");
        assert_eq!(arena.count(), 16);
        if round % 2 == 0 {
            arena.reset()
        } else {
            arena.reset_zeroed()
        }
        assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (0, 16, 0));
    }
    // An error that outlives the reset reports the old numbers and has no effect.
    assert_eq!(fill_up(&arena, || 1), 16);
    let full = arena.alloc(5).unwrap_err();
    arena.reset();
    assert_eq!((full.remaining(), arena.remaining()), (0, 16));
    assert_eq!(full.into_inner(), 5);
    assert_room(&arena, 16, || 0);
}

#[test]
fn fault_6_what_was_kept_over_a_reset_reads_the_new_values() {
    // A reference that outlives the reset does not compile. An index may outlive it.
    let mut arena = AtomicArena::with_capacity(4);
    let (index, value) = arena.publish(7).unwrap();
    assert_eq!(*value, 7);
    arena.reset();
    assert_eq!(arena.get(index), None);
    let owned = arena.alloc(8).unwrap();
    assert_eq!(arena.get(index), None, "the slot of an owned value is visible");
    *owned = 9;
    assert_eq!(arena.iter().count(), 0);
}

#[test]
fn fault_7_values_stored_in_bulk_are_invisible_by_index() {
    let mut arena = AtomicArena::with_capacity(6);
    let single = arena.publish(1).unwrap().0;
    let mut run = arena.reserve(2).unwrap();
    run.fill_from_iter([2, 3]);
    let run = run.publish().0;
    let published = [single, run, run + 1];
    assert_eq!(published.map(|i| arena.get(i).copied()), [Some(1), Some(2), Some(3)]);
    assert_eq!(published.map(|i| arena.get_wrapping(i + 6).copied()), [Some(1), Some(2), Some(3)]);

    // Owned values, single or in bulk, are invisible until `publish_all` publishes them.
    let single = arena.index_of(arena.alloc(4).unwrap()).unwrap();
    let run = arena.index_of(&arena.alloc_slice_copy(&[5, 6]).unwrap()[0]).unwrap();
    let owned = [single, run, run + 1];
    assert_eq!(owned.map(|i| arena.get(i)), [None; 3]);
    arena.publish_all();
    assert_eq!(owned.map(|i| arena.get(i).copied()), [Some(4), Some(5), Some(6)]);
    let mut all = [published, owned].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
}
