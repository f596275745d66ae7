//! Many threads at once. The work is bounded, and the result does not depend on the interleaving.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;

use atomicarena::{AtomicArena, Storage};

use crate::payload::{
    Dice, LARGE, Ledger, SHARDS_FORCED, TAKEN, Writers, assert_room, contend, contended, punch_holes, run_after,
    scaled, unused_in_shards,
};

const THREADS: usize = 4;

/// Runs `f` in `THREADS` threads that start together, and returns their results in order.
fn together<R: Send>(f: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (f, barrier) = (&f, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    f(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Asserts that every number below `n` occurs exactly once.
#[track_caller]
fn assert_each_once(mut indices: Vec<usize>, n: usize) {
    assert_eq!(indices.len(), n);
    indices.sort();
    assert!(indices.into_iter().eq(0..n));
}

// ---- filling

#[test]
fn threads_fill_exactly_every_slot_and_the_next_is_refused() {
    let n = scaled(20_000, 100);
    let arena = AtomicArena::with_capacity(n);
    let got = together(|thread| {
        let mut indices = Vec::new();
        while let Ok(value) = arena.alloc(thread) {
            indices.push(arena.index_of(value).unwrap());
        }
        indices
    });
    assert_each_once(got.concat(), n);
    assert!(arena.alloc(0).is_err());
    assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (n, 0, n));
    let mut stored = [0; THREADS];
    let mut arena = arena;
    arena.iter_mut().for_each(|(_, thread)| stored[*thread] += 1);
    assert!(stored.iter().eq(got.iter().map(Vec::len).collect::<Vec<_>>().iter()));
}

#[test]
fn threads_that_publish_get_different_indices() {
    let n = scaled(10_000, 100);
    let arena = AtomicArena::with_capacity(n);
    let got = together(|_| {
        let mut indices = Vec::new();
        while let Ok((index, value)) = arena.publish_with(|index| index) {
            assert_eq!(index, *value);
            indices.push(index);
        }
        indices
    });
    assert_each_once(got.concat(), n);
    assert!(arena.iter().map(|(i, v)| (i, *v)).eq((0..n).map(|i| (i, i))));
}

#[test]
fn threads_with_locals_fill_exactly_every_slot() {
    let n = scaled(20_000, 100);
    let arena = AtomicArena::with_capacity(n);
    let got = together(|thread| {
        let mut local = arena.local();
        let mut indices = Vec::new();
        while let Ok((index, _)) = local.publish(thread) {
            indices.push(index);
        }
        indices
    });
    // A thread may be refused while another thread still holds slots, which are then returned.
    let taken = got.concat();
    let vacant = n - taken.len();
    assert_room(&arena, vacant, || 0);
    let mut taken = taken;
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len() + vacant, n);
}

#[test]
fn runs_and_single_slots_never_overlap() {
    let n = scaled(20_000, 200);
    let arena = AtomicArena::with_capacity(n);
    let got = together(|thread| {
        let mut dice = Dice::new(thread as u64 + 1);
        let mut local = arena.local_with_batch(7.try_into().unwrap());
        let mut slots: Vec<&mut usize> = Vec::new();
        // Enough rounds for one thread to take everything.
        for _ in 0..8 * n {
            let before = slots.len();
            match dice.roll(5) {
                0 => slots.extend(arena.alloc(0).ok()),
                1 => slots.extend(local.alloc(0).ok()),
                2 => slots.extend(arena.alloc_slice_copy(&[0; 3]).into_iter().flatten()),
                3 => slots.extend(arena.alloc_slice_with(5, |_| 0).into_iter().flatten()),
                _ => {
                    let mut run = arena.reserve_up_to(4);
                    run.fill_from_iter([0, 0]);
                    slots.extend(run.finish());
                }
            }
            if slots.len() == before && arena.is_full() {
                break;
            }
        }
        drop(local);
        // Another owner of one of these slots would overwrite the value.
        for (place, slot) in slots.iter_mut().enumerate() {
            **slot = thread * n + place;
        }
        slots
    });
    let mut indices = Vec::new();
    for (thread, slots) in got.iter().enumerate() {
        for (place, slot) in slots.iter().enumerate() {
            assert_eq!(**slot, thread * n + place);
            indices.push(arena.index_of(slot).unwrap());
        }
    }
    let taken = indices.len();
    indices.sort();
    indices.dedup();
    assert_eq!(indices.len(), taken);
    assert_room(&arena, n - taken, || 0);
}

// ---- reading while others write

#[test]
fn readers_see_whole_values_while_others_publish() {
    let n = scaled(4_000, 60);
    let arena = AtomicArena::with_capacity(n);
    let writers = Writers::new(THREADS / 2);
    let whole = |index: usize, value: &[usize; 4]| assert_eq!(*value, [index, !index, index, !index]);
    let got = together(|thread| {
        if thread % 2 == 0 {
            let _writer = writers.begin();
            let written = std::iter::from_fn(|| arena.publish_with(|index| [index, !index, index, !index]).ok());
            return written.count();
        }
        let mut seen = 0;
        loop {
            // This is read before the iteration, so that the last iteration sees everything.
            let last = writers.have_ended();
            let bound = arena.index_bound();
            let mut now = 0;
            for (index, value) in &arena {
                whole(index, value);
                now += 1;
            }
            assert!(now >= seen, "a value that was seen has disappeared");
            seen = now;
            if let Some(value) = bound.checked_sub(1).and_then(|index| arena.get(index)) {
                whole(bound - 1, value);
            }
            if last {
                return seen;
            }
        }
    });
    assert_eq!(got.iter().step_by(2).sum::<usize>(), n);
    assert!(got.iter().skip(1).step_by(2).all(|&seen| seen == n));
}

#[test]
fn a_published_run_is_seen_whole_or_not_at_all() {
    const RUN: usize = 6;
    let runs = scaled(1_000, 20);
    let arena = AtomicArena::with_capacity(runs * RUN);
    let writers = Writers::new(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _writer = writers.begin();
            for run in 0..runs {
                let mut slots = arena.reserve(RUN).unwrap();
                slots.fill_from_iter((0..RUN).map(|i| Box::new(run * RUN + i)));
                let (first, slice) = slots.publish();
                assert_eq!((first, slice.len()), (run * RUN, RUN));
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                for run in 0..runs {
                    let range = run * RUN..(run + 1) * RUN;
                    let slice = writers.wait_for(|| arena.get_slice(range.clone()));
                    assert!(slice.iter().map(|value| **value).eq(range));
                }
            });
        }
    });
}

#[test]
fn an_index_sent_to_another_thread_finds_its_value() {
    let n = scaled(5_000, 50);
    let arena = AtomicArena::with_capacity(n);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let arena = &arena;
        scope.spawn(move || {
            let mut local = arena.local();
            for i in 0..n {
                let text = i.to_string();
                let index = match i % 2 {
                    0 => arena.publish(text).unwrap().0,
                    _ => local.publish(text).unwrap().0,
                };
                sender.send((i, index)).unwrap();
            }
        });
        scope.spawn(move || {
            for (i, index) in receiver {
                assert_eq!(arena.get(index), Some(&i.to_string()));
            }
        });
    });
    assert_eq!(arena.iter().count(), n);
}

// ---- across a join, across threads

#[test]
fn owned_references_from_a_scope_are_used_after_the_join() {
    let arena = AtomicArena::with_capacity(THREADS * 100);
    let mut all: Vec<&mut String> =
        together(|thread| (0..100).map(|i| arena.alloc(format!("{thread}.{i}")).unwrap()).collect::<Vec<_>>())
            .into_iter()
            .flatten()
            .collect();
    all.iter_mut().for_each(|text| text.push('!'));
    for (place, text) in all.iter().enumerate() {
        assert_eq!(**text, format!("{}.{}!", place / 100, place % 100));
    }
}

#[test]
fn slices_filled_by_threads_are_published_after_the_join() {
    let mut arena = AtomicArena::with_capacity(THREADS * 50);
    together(|thread| {
        arena.alloc_slice_with(50, |i| thread * 50 + i).unwrap();
    });
    assert_eq!(arena.iter().count(), 0);
    arena.publish_all();
    let sums = together(|_| arena.iter().map(|(_, v)| *v).sum::<usize>());
    assert_eq!(sums, [(0..THREADS * 50).sum(); THREADS]);
    assert_eq!(arena.get_slice(0..THREADS * 50).map(<[usize]>::len), Some(THREADS * 50));
}

#[test]
fn handles_and_values_move_to_other_threads() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(16);
    let value = arena.alloc(ledger.value()).unwrap();
    let mut run = arena.reserve(4).unwrap();
    run.push(ledger.value()).unwrap();
    let mut local = arena.local();
    local.alloc(ledger.value()).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || value.id += 100);
        scope.spawn(|| {
            let mut run = run;
            run.push(ledger.value()).unwrap();
            let (first, slice) = run.publish();
            assert_eq!((first, slice.len()), (run_after(1, 4), 2));
        });
        scope.spawn(|| {
            let mut local = local;
            local.publish(ledger.value()).unwrap();
        });
    });
    assert_eq!((arena.count(), arena.iter().count()), (5, 3));
    assert_room(&arena, 11, || ledger.value());
    // The thread changed `id`, which is also the position in the ledger, so it is restored.
    let mut arena = arena;
    arena.get_mut(0).unwrap().id -= 100;
    thread::scope(|scope| scope.spawn(move || drop(arena)).join().unwrap());
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn values_that_are_not_sync_may_be_owned_by_many_threads() {
    use std::cell::Cell;
    let mut arena = AtomicArena::with_capacity(THREADS);
    together(|thread| arena.alloc(Cell::new(0)).unwrap().set(thread + 1));
    assert_eq!(arena.iter_mut().map(|(_, cell)| cell.get()).sum::<usize>(), 10);
}

#[test]
fn an_arena_in_a_static_serves_every_thread() {
    use std::sync::LazyLock;
    static ARENA: LazyLock<AtomicArena<usize>> = LazyLock::new(|| AtomicArena::with_capacity(8));
    let threads: Vec<_> = (0..8).map(|i| thread::spawn(move || ARENA.publish(i).unwrap().1)).collect();
    let mut values: Vec<usize> = threads.into_iter().map(|t| *t.join().unwrap()).collect();
    values.sort();
    assert_eq!(values, [0, 1, 2, 3, 4, 5, 6, 7]);
}

// ---- returning slots

/// Records which slots have an owner. Panics if a slot is taken twice, or returned without having
/// been taken.
struct Owners(Vec<AtomicBool>);

impl Owners {
    fn new(slots: usize) -> Self {
        Self((0..slots).map(|_| AtomicBool::new(false)).collect())
    }

    fn take(&self, slots: std::ops::Range<usize>) {
        for slot in slots {
            assert!(!self.0[slot].swap(true, Ordering::Relaxed), "slot {slot} has two owners");
        }
    }

    fn give(&self, slots: std::ops::Range<usize>) {
        for slot in slots {
            assert!(self.0[slot].swap(false, Ordering::Relaxed));
        }
    }
}

#[test]
fn short_lived_runs_never_overlap_and_are_all_returned() {
    for capacity in [1, 2, 3, 8, 13] {
        let mut arena = AtomicArena::with_capacity(capacity);
        let owners = Owners::new(capacity);
        together(|thread| {
            let mut dice = Dice::new((capacity * THREADS + thread) as u64);
            for _ in 0..scaled(5_000, 30) {
                let asked = 1 + dice.roll(4);
                let run = match dice.roll(3) {
                    0 => Ok(arena.reserve_up_to(asked)),
                    _ => arena.reserve(asked),
                };
                let Ok(mut run) = run else { continue };
                let slots = run.first_index()..run.first_index() + run.capacity();
                owners.take(slots.clone());
                run.fill_from_iter(std::iter::repeat_with(|| Box::new(thread)));
                assert!(run.iter().all(|value| **value == thread));
                owners.give(slots);
            }
        });
        assert_eq!((arena.count(), arena.remaining()), (0, capacity));
        assert_room(&arena, capacity, || Box::new(0));
        arena.reset();
        assert_eq!(arena.reserve(capacity).unwrap().capacity(), capacity);
    }
}

#[test]
fn slots_returned_by_panics_and_short_runs_are_all_found_again() {
    let capacity = scaled(2_000, 60);
    let arena = AtomicArena::with_capacity(capacity);
    let owners = Owners::new(capacity);
    let kept = together(|thread| {
        let mut dice = Dice::new(thread as u64 + 77);
        let mut kept = 0;
        for _ in 0..capacity / 4 {
            match dice.roll(3) {
                0 => {
                    let give_up = || -> usize { resume_unwind(Box::new("quietly")) };
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        let _ = arena.alloc_with(give_up);
                    }));
                }
                1 => {
                    let Ok(mut run) = arena.reserve(3) else { continue };
                    let first = run.first_index();
                    owners.take(first..first + 3);
                    run.push(thread).unwrap();
                    owners.give(first + 1..first + 3);
                    run.finish();
                    kept += 1;
                }
                _ => {
                    let mut local = arena.local_with_batch(5.try_into().unwrap());
                    for _ in 0..2 {
                        let Ok((index, _)) = local.publish(thread) else { break };
                        owners.take(index..index + 1);
                        kept += 1;
                    }
                }
            }
        }
        kept
    });
    let kept: usize = kept.iter().sum();
    assert_eq!(arena.count(), kept);
    assert_room(&arena, capacity - kept, || 0);
}

#[test]
fn no_request_is_refused_while_vacant_slots_change_hands() {
    // In each round, the threads together take fewer slots than are vacant. So a slot is free at
    // all times, and no request may be refused.
    let each = scaled(200, 10);
    let vacant = THREADS * each + THREADS;
    let arena = AtomicArena::with_capacity(2 * vacant);
    punch_holes(&arena);
    for _ in 0..scaled(50, 3) {
        let refused = together(|_| (0..each).filter(|_| arena.reserve(1).is_err()).count());
        assert_eq!(refused, [0; THREADS]);
        assert_eq!(arena.remaining(), vacant);
    }
    assert_room(&arena, vacant, || 0);
}

#[test]
fn threads_take_every_vacant_slot() {
    for _ in 0..scaled(50, 3) {
        let vacant = THREADS * 20;
        let arena = AtomicArena::with_capacity(2 * vacant);
        punch_holes(&arena);
        let refused = together(|_| (0..20).filter(|_| arena.publish(9).is_err()).count());
        assert_eq!(refused, [0; THREADS]);
        assert!(arena.is_full() && arena.alloc(9).is_err());
        assert!(arena.iter().map(|(i, _)| i).eq((0..vacant).map(|i| 2 * i)));
    }
}

#[test]
fn refusals_do_not_disturb_slots_returned_at_the_end() {
    // The last slots are taken and returned while other requests are refused. Both happen at the
    // cursor.
    let arena = AtomicArena::with_capacity(8);
    let owners = Owners::new(8);
    arena.alloc_slice_copy(&[0; 5]).unwrap();
    together(|thread| {
        for round in 0..scaled(20_000, 50) {
            let asked = if thread == 0 { 3 } else { 1 + round % 2 };
            if let Ok(run) = arena.reserve(asked) {
                let slots = run.first_index()..run.first_index() + asked;
                assert!(slots.start >= 5 && slots.end <= 8, "{slots:?}");
                owners.take(slots.clone());
                owners.give(slots);
            }
        }
    });
    assert_eq!((arena.count(), arena.remaining()), (5, 3));
    assert_room(&arena, 3, || 0);
}

#[test]
fn a_local_is_refused_beside_other_refused_requests() {
    // A `Local` requests a run after other threads have moved the cursor past the end.
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(0).unwrap();
    let stored = together(|thread| {
        let mut local = arena.local();
        let requests = 0..scaled(20_000, 50);
        match thread % 2 {
            0 => requests.filter(|&i| local.alloc(i).is_ok() || !arena.reserve_up_to(2).is_empty()).count(),
            _ => requests.filter(|&i| arena.alloc(i).is_ok()).count(),
        }
    });
    assert_eq!(stored, [0; THREADS]);
    assert!(arena.is_full());
}

// ---- index order

/// Lets three threads publish in turn, `turn` values each, with the methods for one value and for
/// several. Returns whether they got consecutive slots.
fn turns_are_in_order<S: Storage<u64> + Sync>(arena: &AtomicArena<u64, S>, turn: usize, turns: usize) -> bool {
    const TAKERS: usize = 3;
    let first = arena.index_bound();
    let all = Mutex::new(Vec::new());
    let publish = |n: usize| {
        let mut all = all.lock().unwrap();
        let end = all.len() + n;
        while all.len() < end {
            match (end - all.len()).min(all.len() % 5) {
                run @ 2.. => {
                    let mut slots = arena.reserve(run).unwrap();
                    assert_eq!(slots.fill_from_iter(std::iter::repeat(7)), run);
                    let first = slots.publish().0;
                    all.extend(first..first + run);
                }
                _ => all.push(arena.publish(7).unwrap().0),
            }
        }
    };
    // No thread ends before the last round of turns, so the threads have different numbers.
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..TAKERS).map(|_| mpsc::channel()).unzip();
    senders[0].send(()).unwrap();
    thread::scope(|scope| {
        for (thread, receiver) in receivers.into_iter().enumerate() {
            let (next, publish) = (senders[(thread + 1) % TAKERS].clone(), &publish);
            scope.spawn(move || {
                for _ in 0..turns {
                    receiver.recv().unwrap();
                    publish(turn);
                    // After the last turn no thread receives any more, so this send may fail.
                    let _ = next.send(());
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert_eq!(all.len(), TAKERS * turns * turn);
    all.into_iter().eq(first..arena.index_bound())
}

/// Checks turns of several lengths, in arenas that are large enough for shards.
fn turns_of_every_length_are_in_order(new: impl Fn(usize) -> AtomicArena<u64>) {
    for capacity in [2_100, scaled(20_000, 2_100)] {
        for turn in [1, 20, 64, 200] {
            let arena = new(capacity);
            let turns = (capacity / turn / 4).min(scaled(usize::MAX, 3)).max(1);
            assert!(turns_are_in_order(&arena, turn, turns), "turns of {turn} in {capacity} slots");
        }
    }
}

#[test]
fn threads_that_take_turns_fill_slots_in_order() {
    if !SHARDS_FORCED {
        turns_of_every_length_are_in_order(AtomicArena::with_capacity);
    }
    turns_of_every_length_are_in_order(|capacity| AtomicArena::with_capacity(capacity).in_order());
}

#[test]
fn in_order_holds_after_every_end_of_an_epoch() {
    // In this epoch, slots are not handed out in order if threads contend.
    let (mut arena, spread) = contended(|| 7);
    assert_eq!(unused_in_shards(&arena) > 0, spread);
    arena.compact();
    arena = arena.in_order();
    let ends: [fn(&mut AtomicArena<u64>); 6] = [
        |_| (),
        AtomicArena::reset,
        AtomicArena::reset_zeroed,
        |arena| assert!(arena.drain().count() > 0),
        |arena| assert!(!arena.compact().is_empty()),
        |arena| {
            mem::forget(arena.reserve(3));
            mem::forget(arena.drain());
        },
    ];
    for (at, end) in ends.into_iter().enumerate() {
        end(&mut arena);
        for _ in 0..scaled(10, 1) {
            contend(&arena, vec![7; 51]);
            assert_eq!(unused_in_shards(&arena), 0, "after the end numbered {at}");
        }
        assert!(turns_are_in_order(&arena, 20, 3));
    }
}

#[test]
fn in_order_keeps_the_values_of_an_arena_with_active_shards() {
    let arena = contended(|| 7).0.in_order();
    assert_eq!((arena.count(), arena.remaining()), (TAKEN, LARGE - TAKEN));
    assert!(turns_are_in_order(&arena, 20, 3));
    let count = arena.count();
    let mut arena = arena;
    assert_eq!((arena.count(), arena.iter_mut().count()), (count, count));
    // The slots that shards held are vacant, so they are found when the cursor is at the end.
    assert_room(&arena, LARGE - count, || 7);
    assert_eq!((arena.count(), arena.iter_mut().count()), (LARGE, LARGE));
}

#[cfg(all(feature = "mapped", not(miri)))]
#[test]
fn in_order_holds_after_reset_decommit() {
    let mut arena = AtomicArena::mapped(LARGE).build().unwrap().in_order();
    for _ in 0..3 {
        contend(&arena, vec![7; 801]);
        assert_eq!(unused_in_shards(&arena), 0);
        assert!(turns_are_in_order(&arena, 65, 4));
        arena.reset_decommit().unwrap();
    }
}
