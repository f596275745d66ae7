//! `Local`: a handle with its own run of slots.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use atomicarena::{AtomicArena, Full, Local, OwnedLocal, Reservation};

use crate::payload::{
    Counted, Dice, Ledger, SHARDS_FORCED, assert_room, fill_up, panic_of, punch_holes, runs_from_cursor, scaled,
};

/// The capacity of arenas that a test fills again and again.
const ROOM: usize = scaled(1_000, 200);

fn slots(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Allocates through the handles in turn until one is refused, and then through each handle until
/// it is refused. Returns the number of values of each handle, and the total after the turn with
/// the first refusal.
fn take_turns(locals: &mut [Local<'_, usize>], capacity: usize) -> (Vec<usize>, usize) {
    let mut got = vec![0; locals.len()];
    let mut first_refusal = None;
    // There are enough turns for one handle to take every slot.
    for _ in 0..=capacity {
        for (local, got) in locals.iter_mut().zip(&mut got) {
            match local.alloc(0) {
                Ok(_) => *got += 1,
                Err(_) => _ = first_refusal.get_or_insert(()),
            }
        }
        if first_refusal.is_some() {
            break;
        }
    }
    let total = got.iter().sum();
    // Continue until every handle is refused.
    for (local, got) in locals.iter_mut().zip(&mut got) {
        *got += (0..=capacity).take_while(|_| local.alloc(0).is_ok()).count();
    }
    (got, total)
}

// ---- several handles

#[test]
fn four_locals_used_in_turn_each_get_some_of_sixteen_slots() {
    for ceiling in [None, Some(1), Some(8), Some(16), Some(usize::MAX)] {
        let arena = AtomicArena::with_capacity(16);
        let mut locals = [(); 4].map(|()| match ceiling {
            None => arena.local(),
            Some(ceiling) => arena.local_with_batch(slots(ceiling)),
        });
        let (got, _) = take_turns(&mut locals, 16);
        assert!(got.iter().all(|&got| got > 0), "{got:?} with {ceiling:?}");
        assert_eq!(got.iter().sum::<usize>(), 16, "{got:?} with {ceiling:?}");
        assert!(arena.is_full());
    }
}

#[test]
fn of_a_thousand_slots_half_are_used_before_the_first_refusal() {
    const CAPACITY: usize = scaled(1000, 160);
    for ceiling in [None, Some(1), Some(100), Some(1000), Some(usize::MAX)] {
        let arena = AtomicArena::with_capacity(CAPACITY);
        let mut locals = [(); 4].map(|()| match ceiling {
            None => arena.local(),
            Some(ceiling) => arena.local_with_batch(slots(ceiling)),
        });
        let (got, total) = take_turns(&mut locals, CAPACITY);
        assert!(total >= CAPACITY / 2, "refused at {total}: {got:?} with {ceiling:?}");
        assert_eq!(got.iter().sum::<usize>(), CAPACITY, "{got:?} with {ceiling:?}");
    }
}

#[test]
fn a_single_local_gets_every_slot() {
    for capacity in [1, 2, 3, 7, 64, scaled(1000, 130)] {
        let arena = AtomicArena::with_capacity(capacity);
        let mut local = arena.local();
        let mut indices = BTreeSet::new();
        for _ in 0..capacity {
            assert!(indices.insert(local.publish(0_u8).unwrap().0));
        }
        assert!(indices.into_iter().eq(0..capacity));
        let full = local.publish(1).unwrap_err();
        assert_eq!((full.requested(), full.remaining(), full.into_inner()), (1, 0, 1));
        assert_room(&arena, 0, || 0);
    }
}

#[test]
fn a_local_and_the_arena_itself_share_without_loss() {
    let arena = AtomicArena::with_capacity(100);
    let mut local = arena.local_with_batch(slots(8));
    let mut taken = 0;
    loop {
        let own = local.alloc(1).is_ok();
        let other = arena.alloc(2).is_ok();
        taken += usize::from(own) + usize::from(other);
        if !own && !other {
            break;
        }
    }
    assert_eq!(taken, 100);
}

#[test]
fn a_local_uses_vacant_slots_at_the_end() {
    let arena = AtomicArena::with_capacity(16);
    punch_holes(&arena);
    let mut local = arena.local();
    let mut indices: Vec<_> = (0..8).map(|_| local.publish(0).unwrap().0).collect();
    indices.sort();
    assert_eq!(indices, [0, 2, 4, 6, 8, 10, 12, 14]);
    assert!(local.alloc(0).is_err());
}

#[test]
fn a_refused_local_succeeds_once_slots_are_returned() {
    let arena = AtomicArena::with_capacity(4);
    let held = arena.reserve(4).unwrap();
    let mut local = arena.local();
    assert!(local.alloc(1).is_err());
    assert!(local.alloc(1).is_err());
    drop(held);
    for _ in 0..4 {
        local.alloc(1).unwrap();
    }
    assert!(local.alloc(1).is_err());
}

#[test]
fn the_batch_is_an_upper_limit() {
    let arena = AtomicArena::<u32>::with_capacity(scaled(10_000, 300));
    for batch in [1, 2, 8] {
        let before = arena.count();
        let mut local = arena.local_with_batch(slots(batch));
        local.alloc(0).unwrap();
        let held = arena.count() - before;
        assert!((1..=batch).contains(&held), "{held} slots are held with a batch of {batch}");
    }
}

#[test]
fn a_local_that_was_never_used_holds_nothing() {
    let arena = AtomicArena::<u32>::with_capacity(4);
    let locals = [(); 4].map(|()| arena.local());
    assert_eq!(arena.count(), 0);
    let run = arena.reserve(4).unwrap();
    assert_eq!(run.capacity(), 4);
    drop(locals);
}

// ---- what a `Local` returns

#[test]
fn references_outlive_the_local_and_are_usable_together() {
    let arena = AtomicArena::with_capacity(8);
    let (a, b, c, d) = {
        let mut local = arena.local();
        let a = local.alloc(String::from("a")).unwrap();
        let b = local.alloc_with(|| String::from("b")).unwrap();
        let (_, c) = local.publish(String::from("c")).unwrap();
        let (_, d) = local.publish_with(|index| index.to_string()).unwrap();
        (a, b, c, d)
    };
    a.push('!');
    mem::swap(a, b);
    assert_eq!((a.as_str(), b.as_str(), c.as_str(), d.as_str()), ("b", "a!", "c", "3"));
}

#[test]
fn values_that_a_local_publishes_are_visible_at_once() {
    let arena = AtomicArena::with_capacity(64);
    let mut local = arena.local();
    for value in 0..64 {
        let (index, stored) =
            if value % 2 == 0 { local.publish(value).unwrap() } else { local.publish_with(|_| value).unwrap() };
        assert!(std::ptr::eq(arena.get(index).unwrap(), stored));
        assert_eq!(arena.get(index), Some(&value));
        assert_eq!(arena.iter().count(), value + 1);
    }
}

#[test]
fn values_that_a_local_owns_are_not_visible() {
    let mut arena = AtomicArena::with_capacity(8);
    let mut local = arena.local();
    local.alloc(0).unwrap();
    let (index, _) = local.publish(1).unwrap();
    local.alloc(2).unwrap();
    assert_eq!(arena.iter().collect::<Vec<_>>(), [(index, &1)]);
    drop(local);
    assert_eq!(arena.iter().count(), 1);
    assert_eq!(arena.iter_mut().map(|(_, v)| *v).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn publish_with_passes_the_index() {
    let arena = AtomicArena::with_capacity(20);
    let mut local = arena.local_with_batch(slots(3));
    for _ in 0..20 {
        let (index, value) = local.publish_with(|index| index).unwrap();
        assert_eq!((index, arena.get(index)), (*value, Some(&index)));
    }
}

#[test]
fn a_refused_local_returns_the_value_and_the_closure() {
    let arena = AtomicArena::with_capacity(1);
    let mut local = arena.local();
    local.alloc(String::from("a")).unwrap();
    assert_eq!(local.alloc(String::from("b")).unwrap_err().into_inner(), "b");
    assert_eq!(local.publish(String::from("c")).unwrap_err().into_inner(), "c");
    let text = String::from("d");
    assert_eq!(local.alloc_with(move || text).unwrap_err().into_inner()(), "d");
    let text = String::from("e");
    let make = local.publish_with(move |i| text + &i.to_string()).unwrap_err().into_inner();
    assert_eq!(make(7), "e7");
}

#[test]
fn a_panic_in_a_closure_returns_the_slot() {
    let mut arena = AtomicArena::<u32>::with_capacity(6);
    let mut local = arena.local_with_batch(slots(4));
    for round in 0..3 {
        for _ in 0..5 {
            panic_of(|| _ = local.alloc_with(|| panic!()));
            panic_of(|| _ = local.publish_with(|_| panic!()));
        }
        local.alloc(round).unwrap();
    }
    assert_eq!(arena.iter().count(), 0);
    drop(local);
    assert_eq!(arena.iter_mut().map(|(_, v)| *v).collect::<Vec<_>>(), [0, 1, 2]);
    assert_room(&arena, 3, || 9);
}

#[test]
fn a_closure_may_use_the_arena_and_other_locals() {
    let arena = AtomicArena::<u32>::with_capacity(12);
    let mut local = arena.local_with_batch(slots(4));
    let mut other = arena.local_with_batch(slots(4));
    for _ in 0..3 {
        let value = local.alloc_with(|| *arena.alloc(1).unwrap() + *other.publish(2).unwrap().1).unwrap();
        assert_eq!(*value, 3);
    }
    drop((local, other));
    assert_eq!(arena.count(), 9);
    assert_room(&arena, 3, || 0);
}

#[test]
fn debug_of_a_local_works() {
    let arena = AtomicArena::<u32>::with_capacity(4);
    let mut local = arena.local();
    local.alloc(1).unwrap();
    assert!(!format!("{local:?}").is_empty());
}

// ---- dropped

#[test]
fn a_dropped_local_returns_the_rest() {
    for used in 0..=8 {
        let mut arena = AtomicArena::with_capacity(64);
        let mut local = arena.local_with_batch(slots(8));
        for value in 0..used {
            local.alloc(value).unwrap();
        }
        drop(local);
        assert_eq!((arena.count(), arena.remaining()), (used, 64 - used));
        assert!(arena.iter_mut().map(|(_, v)| *v).eq(0..used));
        assert_eq!(arena.reserve(64 - used).unwrap().first_index(), used);
        assert_room(&arena, 64 - used, || 0);
    }
}

#[test]
fn the_rest_of_a_local_below_a_neighbour_becomes_vacant() {
    let mut arena = AtomicArena::with_capacity(64);
    let mut local = arena.local_with_batch(slots(8));
    local.alloc(1).unwrap();
    local.publish(2).unwrap();
    arena.alloc(100).unwrap();
    drop(local);
    assert_eq!((arena.count(), arena.remaining()), (3, 61));
    assert_eq!(arena.iter_mut().map(|(_, v)| *v).collect::<Vec<_>>(), [1, 2, 100]);
    assert_room(&arena, 61, || 0);
}

#[test]
fn many_short_lived_locals_lose_no_slot() {
    let arena = AtomicArena::with_capacity(100);
    for used in 0..10 {
        let mut a = arena.local_with_batch(slots(5));
        let mut b = arena.local_with_batch(slots(7));
        for _ in 0..used / 2 {
            a.alloc(used).unwrap();
            b.publish(used).unwrap();
        }
        drop(a);
        drop(b);
    }
    let stored = (0..10).map(|used| used / 2 * 2).sum();
    assert_eq!(arena.count(), stored);
    assert_room(&arena, 100 - stored, || 0);
}

#[test]
fn values_of_a_local_are_dropped_once() {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(32);
    let mut local = arena.local_with_batch(slots(4));
    for _ in 0..5 {
        local.alloc(ledger.value()).unwrap();
        local.publish(ledger.value()).unwrap();
    }
    drop(local);
    assert_eq!(ledger.dropped(), 0);
    arena.reset();
    assert_eq!((ledger.made(), ledger.dropped()), (10, 10));
    assert_eq!(fill_up(&arena, || ledger.value()), 32);
    drop(arena);
    assert_eq!(ledger.dropped(), 42);
}

#[test]
fn a_local_of_zero_sized_values_works() {
    let mut arena = AtomicArena::with_capacity(10);
    let mut local = arena.local();
    for _ in 0..3 {
        local.alloc(()).unwrap();
        local.publish(()).unwrap();
    }
    drop(local);
    assert_eq!((arena.count(), arena.iter().count()), (6, 3));
    assert_room(&arena, 4, || ());
    assert_eq!(arena.drain().count(), 10);
}

// ---- leaked

/// The capacity of an arena in which a `Local` is leaked. It is large enough for the first run of
/// the `Local` to have room for all values that are stored.
const LEAKED_IN: usize = scaled(4096, 400);

/// Fills slots 0 and 1 with owned values, then leaks a `Local` that has stored an owned value, a
/// published one, and `behind` more owned values.
fn leak_a_local<T: Sync>(arena: &AtomicArena<T>, behind: usize, mut make: impl FnMut() -> T) {
    arena.alloc(make()).unwrap();
    arena.alloc(make()).unwrap();
    let mut local = arena.local_with_batch(slots(64));
    local.alloc(make()).unwrap();
    assert!(arena.count() > 8, "the first run is too short");
    local.publish(make()).unwrap();
    for _ in 0..behind {
        local.alloc(make()).unwrap();
    }
    mem::forget(local);
}

#[test]
fn a_leaked_local_leaks_its_current_run_and_nothing_else() {
    for behind in (1..=5).step_by(scaled(1, 4)) {
        for neighbour in [false, true] {
            let ledger = Ledger::new();
            let mut arena = AtomicArena::with_capacity(LEAKED_IN);
            leak_a_local(&arena, behind, || ledger.value());
            let mut expected = vec![0, 1, 2, 3];
            if neighbour {
                expected.push(ledger.made());
                arena.alloc(ledger.value()).unwrap();
            }
            let mut live: Vec<_> = arena.iter_mut().map(|(_, v)| v.id).collect();
            if SHARDS_FORCED {
                // The slots of the other values may be in a shard, below the slots of the `Local`.
                live.sort_unstable();
            }
            assert_eq!(live, expected, "{behind} behind");
            assert_eq!(arena.iter().map(|(_, v)| v.id).collect::<Vec<_>>(), [3]);
            assert_room(&arena, LEAKED_IN - expected.len(), || ledger.value());
            drop(arena);
            assert_eq!(ledger.alive(), (4..4 + behind).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_local_leaked_directly_after_a_publish_leaks_no_value() {
    let mut arena = runs_from_cursor(AtomicArena::with_capacity(LEAKED_IN));
    leak_a_local(&arena, 0, || 7);
    assert_eq!(arena.iter_mut().count(), 4);
    assert_eq!(arena.as_mut_slice(), Some(&mut [7; 4][..]));
    assert_eq!(arena.reserve(LEAKED_IN - 4).unwrap().first_index(), 4, "the arena has lost slots");
}

#[test]
fn adjacent_leaked_locals_are_told_apart() {
    for batches in [[1, 2, 3], [3, 2, 1], [2, 1, 2], [1, 1, 1], [3, 3, 3]] {
        let mut arena = AtomicArena::with_capacity(LEAKED_IN);
        let mut published = Vec::new();
        for (value, batch) in batches.into_iter().enumerate() {
            let mut local = arena.local_with_batch(slots(batch));
            published.push((local.publish(value).unwrap().0, value));
            mem::forget(local);
        }
        assert_eq!(arena.iter_mut().map(|(i, v)| (i, *v)).collect::<Vec<_>>(), published);
        assert_room(&arena, LEAKED_IN - 3, || 9);
        assert_eq!(arena.iter().map(|(i, v)| (i, *v)).collect::<Vec<_>>(), published);
    }
}

#[test]
fn runs_double_from_half_a_kib_up_to_64_kib() {
    // Under Miri there are fewer values, but they are larger.
    const WORDS: usize = scaled(1, 64);
    let arena = AtomicArena::with_capacity(scaled(1 << 20, 1 << 12));
    let mut local = arena.local();
    let mut held = 0;
    let mut runs = Vec::new();
    for stored in 0..60_000 / WORDS as u64 {
        local.alloc([stored; WORDS]).unwrap();
        if arena.count() > held {
            runs.push((arena.count() - held) * size_of::<[u64; WORDS]>());
            held = arena.count();
        }
    }
    // A run ends at a boundary of a cache line, so it may be shorter by up to one line.
    for (run, bytes) in runs.iter().zip((9..16).map(|bits| 1 << bits).chain([64 << 10; 100])) {
        assert!((bytes - 64..=bytes).contains(run), "{runs:?}");
    }
    assert!(runs.len() > 10);
}

// ---- the grid: where the slots come from

/// Returns a `Local` whose runs have at most 8 slots, after it has used `used` slots of its first
/// run. The arena must have room for several runs.
fn eight_of<T>(arena: &AtomicArena<T>, used: usize, mut make: impl FnMut() -> T) -> Local<'_, T> {
    assert!(arena.remaining() >= 16 * 8);
    let mut local = arena.local_with_batch(slots(8));
    (0..used).for_each(|_| _ = local.alloc(make()).unwrap());
    local
}

/// Returns the number of vacant slots, and the position of the cursor.
fn vacant_and_bound<T>(arena: &AtomicArena<T>) -> (usize, usize) {
    (arena.stats().vacant, arena.index_bound())
}

/// Stores `len` values by one of the methods. Returns the index of the first value, or `None` if
/// the request is refused.
fn store_by(method: usize, local: &mut Local<'_, u8>, arena: &AtomicArena<u8>, len: usize) -> Option<usize> {
    let src = &[7; 256][..len];
    let text = std::str::from_utf8(src).unwrap();
    let at = |slice: &[u8]| slice.first().map_or(arena.capacity(), |first| arena.index_of(first).unwrap());
    Some(match method {
        0 => at(local.alloc_slice_copy(src).ok()?),
        1 => at(local.alloc_slice_clone(src).ok()?),
        2 => at(local.alloc_slice_with(len, |_| 7).ok()?),
        3 => at(local.alloc_from_iter(src.iter().copied()).ok()?),
        4 => at(local.alloc_vec(src.to_vec()).ok()?),
        5 => at(local.alloc_str(text).ok()?.as_bytes()),
        6 => local.publish_slice_copy(src).ok()?.0,
        7 => local.publish_slice_clone(src).ok()?.0,
        8 => local.publish_from_iter(src.iter().copied()).ok()?.0,
        9 => local.publish_str(text).ok()?.0,
        _ => {
            let mut run = local.reserve(len).ok()?;
            assert_eq!(run.fill_from_iter(src.iter().copied()), len);
            run.publish().0
        }
    })
}

const METHODS: usize = 11;

#[test]
fn a_single_local_hands_out_0_1_2_and_so_on_whatever_it_is_asked_for() {
    for (seed, capacity) in (1..=scaled(60, 3) as u64).zip([1, 5, 40, 300, 2_000].into_iter().cycle()) {
        let arena = runs_from_cursor(AtomicArena::<u8>::with_capacity(capacity));
        let mut dice = Dice::new(seed);
        let mut local = match dice.roll(3) {
            0 => arena.local(),
            1 => arena.local_with_batch(slots(1 + dice.roll(20))),
            _ => arena.local_with_batch(slots(capacity)),
        };
        let mut next = 0;
        let mut held: Vec<Reservation<'_, u8>> = Vec::new();
        while next < capacity {
            let longest = if dice.roll(4) == 0 { 60 } else { 6 };
            let len = 1 + dice.roll(longest);
            let left = capacity - next;
            let (first, len) = match dice.roll(METHODS + 9) {
                method if method < METHODS => match store_by(method, &mut local, &arena, len) {
                    Some(first) => (first, len),
                    None => {
                        assert!(len > left || len > 1, "refused {len} of {left}");
                        continue;
                    }
                },
                11 => (arena.index_of(local.alloc(1).unwrap()).unwrap(), 1),
                12 => (arena.index_of(local.alloc_with(|| 1).unwrap()).unwrap(), 1),
                13 => (arena.index_of(local.alloc_try_with(|| Ok::<_, ()>(1)).unwrap().unwrap()).unwrap(), 1),
                14 => (local.publish(1).unwrap().0, 1),
                15 => (local.publish_with(|index| index as u8).unwrap().0, 1),
                16 => (local.publish_keyed(1).unwrap().0.index(), 1),
                17 => match local.alloc_array([1; 3]) {
                    Ok(array) => (arena.index_of(&array[0]).unwrap(), 3),
                    Err(_) => continue,
                },
                18 => {
                    // The reservation may be shorter than `len`. It then has the rest of the run
                    // and the slots left at the cursor.
                    let run = local.reserve_up_to(len);
                    assert_eq!(run.capacity(), len.min(left));
                    let place = (run.first_index(), run.capacity());
                    held.push(run); // its slots stay taken
                    place
                }
                _ => {
                    let clones = local.alloc_prefix_clone(&[7; 64][..len]);
                    assert_eq!(clones.len(), len.min(left));
                    (arena.index_of(&clones[0]).unwrap(), clones.len())
                }
            };
            assert_eq!(first, next, "seed {seed}, capacity {capacity}");
            next += len;
        }
        assert!(arena.is_full() && local.alloc(1).is_err());
    }
}

#[test]
fn a_request_that_fits_in_the_rest_of_the_run_does_not_move_the_cursor() {
    for method in 0..METHODS {
        let arena = AtomicArena::with_capacity(ROOM);
        let mut local = eight_of(&arena, 1, || 0);
        let bound = arena.index_bound();
        assert_eq!(store_by(method, &mut local, &arena, bound - 1), Some(1));
        assert_eq!(vacant_and_bound(&arena), (0, bound));
    }
}

#[test]
fn a_run_that_ends_at_the_cursor_is_extended() {
    for method in 0..METHODS {
        for len in [8, 9, 20, 200] {
            let arena = AtomicArena::with_capacity(1_000);
            let mut local = eight_of(&arena, 3, || 0);
            let bound = arena.index_bound();
            let missing = len - (bound - 3);
            assert_eq!(store_by(method, &mut local, &arena, len), Some(3), "{len} by {method}");
            // The run is extended by the length of a fresh run, or by the number of missing slots.
            let grown = arena.index_bound() - bound;
            assert!(grown == missing || (missing < grown && grown <= 8), "{grown}, and {missing} were missing");
            assert_eq!(arena.stats().vacant, 0);
            assert_eq!(local.publish(1).unwrap().0, 3 + len);
        }
    }
}

#[test]
fn a_run_is_extended_up_to_the_end_of_the_arena() {
    let arena = AtomicArena::with_capacity(200);
    let mut local = eight_of(&arena, 3, || 0);
    let full = local.alloc_slice_copy(&[1; 198]).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (198, 200 - arena.index_bound()));
    assert_eq!(arena.index_of(&local.alloc_slice_copy(&[1; 197]).unwrap()[0]), Some(3));
    assert!(arena.is_full());
}

#[test]
fn a_run_that_cannot_be_extended_is_returned_for_a_fresh_one() {
    for method in 0..METHODS {
        let arena = AtomicArena::with_capacity(ROOM).in_order();
        let mut local = eight_of(&arena, 6, || 0);
        let bound = arena.index_bound();
        arena.alloc(100).unwrap();
        let first = store_by(method, &mut local, &arena, 4).unwrap();
        assert_eq!((first, arena.stats().vacant), (bound + 1, bound - 6), "by {method}");
        assert_eq!(local.publish(1).unwrap().0, bound + 5, "the index after the slice");
        drop(local);
        assert_room(&arena, ROOM - 12, || 0);
    }
}

#[test]
fn a_request_too_long_for_a_fresh_run_is_served_by_the_arena_and_the_rest_stays() {
    for method in 0..METHODS {
        let arena = AtomicArena::with_capacity(ROOM).in_order();
        let mut local = eight_of(&arena, 6, || 0);
        let bound = arena.index_bound();
        arena.alloc(100).unwrap();
        // A run has at most 8 slots, and 5 slots do not fit in half of it.
        assert_eq!(store_by(method, &mut local, &arena, 5), Some(bound + 1), "by {method}");
        assert_eq!(vacant_and_bound(&arena), (0, bound + 6));
        assert_eq!(local.publish(1).unwrap().0, 6, "the rest was not kept");
        assert_eq!(arena.stats().handles, 1);
    }
}

#[test]
fn a_first_run_may_be_twice_the_request() {
    // A first run has 512 bytes, and 300 do not fit in half of it, so the run becomes twice as long
    // as the request.
    let arena = AtomicArena::<u8>::with_capacity(scaled(100_000, 16_000));
    let mut local = arena.local();
    let text = "x".repeat(300);
    local.alloc_str(&text).unwrap();
    assert!((600..600 + 64).contains(&arena.index_bound()), "{}", arena.index_bound());
    assert_eq!(arena.stats().handles, 1);
    // The string is too long for any run, so the handle gets no run.
    let arena = AtomicArena::<u8>::with_capacity(1_000);
    let mut local = arena.local();
    local.alloc_str(&text).unwrap();
    assert_eq!((arena.index_bound(), arena.stats().handles), (300, 0));
}

#[test]
fn runs_of_slices_end_at_cache_lines() {
    let arena = runs_from_cursor(AtomicArena::<u64>::with_capacity(scaled(1 << 16, 1 << 12)));
    let mut locals = [arena.local(), arena.local()];
    for round in 0..scaled(200, 10) {
        // No run is extended, because the other handle's run follows it.
        locals[round % 2].alloc_slice_copy(&[1; 37]).unwrap();
        assert_eq!(arena.reserve(2).unwrap().as_ptr().addr() % 64, 0, "round {round}");
    }
}

#[test]
fn refused_runs_report_what_is_left_at_the_cursor() {
    let arena = AtomicArena::with_capacity(150);
    let mut local = eight_of(&arena, 2, || 0);
    let run = arena.reserve(150 - arena.index_bound() - 3).unwrap();
    let numbers = |full: Full<()>| (full.requested(), full.remaining());
    for _ in 0..2 {
        assert_eq!(numbers(local.alloc_slice_copy(&[1; 10]).unwrap_err()), (10, 3));
        assert_eq!(numbers(local.alloc_slice_clone(&[1; 10]).unwrap_err()), (10, 3));
        assert_eq!(numbers(local.alloc_slice_with(10, |_| panic!("called")).unwrap_err()), (10, 3));
        assert_eq!(numbers(local.alloc_from_iter([1; 10]).unwrap_err().discard()), (10, 3));
        assert_eq!(numbers(local.alloc_array([1; 10]).unwrap_err().discard()), (10, 3));
        assert_eq!(numbers(local.alloc_vec(vec![1; 10]).unwrap_err().discard()), (10, 3));
        assert_eq!(numbers(local.alloc_str("0123456789").unwrap_err()), (10, 3));
        assert_eq!(numbers(local.publish_slice_copy(&[1; 10]).unwrap_err()), (10, 3));
        assert_eq!(numbers(local.publish_slice_clone(&[1; 10]).unwrap_err()), (10, 3));
        assert_eq!(numbers(local.publish_from_iter([1; 10]).unwrap_err().discard()), (10, 3));
        assert_eq!(numbers(local.publish_array([1; 10]).unwrap_err().discard()), (10, 3));
        assert_eq!(numbers(local.publish_str("0123456789").unwrap_err()), (10, 3));
        assert_eq!(numbers(local.reserve(10).map(|_| ()).unwrap_err()), (10, 3));
        assert_eq!(numbers(local.reserve(usize::MAX).map(|_| ()).unwrap_err()), (usize::MAX, 3));
    }
    assert_eq!(local.publish(1).unwrap().0, 2, "the rest was lost");
    drop((run, local));
    assert_room(&arena, 147, || 0);
}

#[test]
fn refused_values_are_returned() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(String::new()).unwrap();
    let mut local = arena.local();
    let words = || ["a", "b"].map(String::from);
    assert_eq!(local.alloc_array(words()).unwrap_err().into_inner(), words());
    assert_eq!(local.publish_array(words()).unwrap_err().into_inner(), words());
    assert_eq!(local.alloc_vec(words().to_vec()).unwrap_err().into_inner(), words());
    assert!(local.alloc_from_iter(words()).unwrap_err().into_inner().eq(words()));
    assert!(local.publish_from_iter(words()).unwrap_err().into_inner().eq(words()));
    assert_eq!(local.publish_keyed(String::from("k")).unwrap_err().into_inner(), "k");
    let make = local.alloc_try_with(|| Ok::<_, ()>(String::from("m"))).unwrap_err().into_inner();
    assert_eq!(make(), Ok(String::from("m")));
}

#[test]
fn up_to_takes_the_rest_of_the_run_with_what_is_left_at_the_cursor() {
    for clones in [false, true] {
        let arena = AtomicArena::with_capacity(200);
        let mut local = eight_of(&arena, 3, || 0);
        let (first, len) = match clones {
            false => {
                let run = local.reserve_up_to(usize::MAX);
                let place = (run.first_index(), run.capacity());
                mem::forget(run);
                place
            }
            true => {
                let clones = local.alloc_prefix_clone(&[1; 300]);
                (arena.index_of(&clones[0]).unwrap(), clones.len())
            }
        };
        assert_eq!((first, len), (3, 197));
        assert!(arena.is_full() && local.reserve_up_to(1).is_full() && local.alloc_prefix_clone(&[1]).is_empty());
    }
}

#[test]
fn up_to_takes_what_is_left_at_the_cursor_then_the_rest_of_the_run() {
    let arena = AtomicArena::with_capacity(200);
    let mut local = eight_of(&arena, 3, || 0);
    let rest = arena.index_bound() - 3;
    let others = arena.reserve(200 - arena.index_bound() - 2).unwrap();
    let run = local.reserve_up_to(50);
    assert_eq!((run.first_index(), run.capacity()), (198, 2));
    assert_eq!(local.alloc_prefix_clone(&[1; 50]).len(), rest, "the length of the rest of the run");
    assert_eq!(local.alloc_prefix_clone(&[1; 50]).len(), 0);
    drop(others);
    drop(run);
    assert_room(&arena, 200 - 3 - rest, || 0);
}

#[test]
fn up_to_takes_a_single_slot_from_elsewhere() {
    let arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    let mut local = arena.local();
    let run = local.reserve_up_to(3);
    assert_eq!((run.capacity(), run.first_index() % 2), (1, 0));
    assert_eq!(local.alloc_prefix_clone(&[1, 2, 3]), [1]);
    assert_eq!(local.alloc_prefix_clone(&[1]), [1]);
    drop((run, local));
    assert_room(&arena, 2, || 0);
}

#[test]
fn an_empty_request_always_fits_in_a_local() {
    let arena = AtomicArena::with_capacity(130);
    let mut fresh = arena.local();
    let mut local = eight_of(&arena, 1, || 0_u8);
    for full in [false, true] {
        if full {
            while local.alloc(0).is_ok() {}
        }
        let bound = vacant_and_bound(&arena);
        for local in [&mut fresh, &mut local] {
            assert_eq!(local.alloc_slice_copy(&[]).unwrap(), &[]);
            assert_eq!(local.alloc_slice_clone(&[]).unwrap(), &[]);
            assert_eq!(local.alloc_slice_with(0, |_| panic!("called")).unwrap(), &[]);
            assert_eq!(local.alloc_from_iter([]).unwrap(), &[]);
            assert_eq!(local.alloc_array([]).unwrap(), &[]);
            assert_eq!(local.alloc_vec(Vec::new()).unwrap(), &[]);
            assert_eq!(local.alloc_prefix_clone(&[]), &[]);
            assert_eq!(local.alloc_str("").unwrap(), "");
            // The index of an empty slice is the capacity.
            assert_eq!(local.publish_slice_copy(&[]).unwrap(), (130, &[][..]));
            assert_eq!(local.publish_slice_clone(&[]).unwrap(), (130, &[][..]));
            assert_eq!(local.publish_from_iter([]).unwrap(), (130, &[][..]));
            assert_eq!(local.publish_array([]).unwrap(), (130, &[]));
            assert_eq!(local.publish_str("").unwrap(), (130, ""));
            for run in [local.reserve(0).unwrap(), local.reserve_up_to(0)] {
                assert_eq!((run.first_index(), run.capacity()), (130, 0));
            }
        }
        assert_eq!((vacant_and_bound(&arena), arena.stats().handles, arena.iter().count()), (bound, 1, 0));
    }
}

#[test]
fn values_of_no_size_have_indices_in_a_local() {
    let mut arena = AtomicArena::with_capacity(100);
    let mut local = arena.local();
    assert_eq!(local.publish_slice_copy(&[(); 3]).unwrap().0, 0);
    assert_eq!(local.alloc_slice_copy(&[(); 3]).unwrap().len(), 3);
    assert_eq!(local.publish_array([(); 2]).unwrap(), (6, &[(); 2]));
    let mut run = local.reserve(4).unwrap();
    assert_eq!((run.first_index(), run.fill_from_iter([(); 2])), (8, 2));
    run.publish();
    assert_eq!(local.publish_from_iter([(); 5]).unwrap().0, 12);
    drop(local);
    assert_eq!((arena.count(), arena.iter_mut().count(), arena.iter().count()), (15, 15, 12));
    assert_room(&arena, 85, || ());
}

// ---- the grid: what it returns

#[test]
fn values_of_every_method_are_usable_together_and_outlive_the_local() {
    let arena = AtomicArena::with_capacity(ROOM);
    let words = || ["a", "b"].map(String::from);
    let (owned, array, (index, published), run, keyed) = {
        let mut local = arena.local();
        let copies = local.alloc_slice_clone(&words()).unwrap();
        let array: &mut [String; 2] = local.alloc_array(words()).unwrap();
        let published: (usize, &[String; 2]) = local.publish_array(words()).unwrap();
        let mut run = local.reserve(2).unwrap();
        run.fill_from_iter(words());
        let keyed = local.publish_keyed(String::from("k")).unwrap();
        (copies, array, published, run, keyed)
    };
    owned.swap_with_slice(array);
    assert_eq!((run.finish(), owned, array), (&mut words()[..], &mut words()[..], &mut words()));
    assert_eq!((arena.get_slice(index..index + 2), arena.get_keyed(keyed.0)), (Some(&published[..]), Some(keyed.1)));
}

#[test]
fn published_slices_are_visible_whole() {
    let arena = AtomicArena::with_capacity(1_000);
    let mut local = arena.local_with_batch(slots(10));
    let mut expected = Vec::new();
    for round in 0..60 {
        let len = round % 7;
        let values: Vec<_> = (0..len).map(|i| round * 10 + i).collect();
        local.alloc(7).unwrap();
        let (first, slice) = match round % 3 {
            0 => local.publish_slice_copy(&values).unwrap(),
            1 => local.publish_slice_clone(&values).unwrap(),
            _ => local.publish_from_iter(values.iter().copied()).unwrap(),
        };
        assert_eq!(slice, values);
        if len != 0 {
            assert_eq!(arena.get_slice(first..first + len), Some(slice));
            expected.extend((first..).zip(values));
        }
    }
    expected.sort();
    assert!(arena.iter().map(|(index, &value)| (index, value)).eq(expected));
}

#[test]
fn a_local_publishes_with_keys() {
    let mut arena = AtomicArena::with_capacity(10);
    let mut local = arena.local();
    let (key, _) = local.publish_keyed('a').unwrap();
    assert_eq!((key, arena.get_keyed(key)), (arena.key_at(0).unwrap(), Some(&'a')));
    drop(local);
    arena.reset();
    assert_eq!(arena.get_keyed(key), None);
}

#[test]
fn alloc_try_with_keeps_the_slot_when_it_fails() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(200);
    let mut local = eight_of(&arena, 1, || ledger.value());
    for round in 0..20 {
        let bound = arena.index_bound();
        assert_eq!(local.alloc_try_with(|| Err(round)).unwrap().unwrap_err(), round);
        panic_of(|| _ = local.alloc_try_with(|| -> Result<_, ()> { panic!() }));
        assert_eq!(arena.index_bound(), bound);
    }
    let value = local.alloc_try_with(|| Ok::<_, ()>(ledger.value())).unwrap().unwrap();
    assert_eq!((arena.index_of(value), ledger.made()), (Some(1), 2));
}

// ---- the grid: user code

/// Calls the method with this number, one of those that fill slots with the results of user code.
/// `step` makes each value, and its argument is the number of values made before. Returns whether
/// the method panicked.
fn fill_with_user_code<'l>(
    method: usize,
    local: &mut Local<'_, Counted<'l>>,
    len: usize,
    step: &dyn Fn(usize) -> Counted<'l>,
) -> bool {
    let made = Cell::new(0);
    let next = || {
        let value = step(made.get());
        made.set(made.get() + 1);
        value
    };
    catch_unwind(AssertUnwindSafe(|| match method {
        0 => _ = local.alloc_slice_with(len, |_| next()).unwrap(),
        1 => _ = local.alloc_from_iter((0..len).map(|_| next())).unwrap(),
        _ => _ = local.publish_from_iter((0..len).map(|_| next())).unwrap(),
    }))
    .is_err()
}

#[test]
fn a_panic_leaves_the_slots_with_the_local_and_nothing_visible() {
    for method in 0..3 {
        // The slots are in the rest of the run, in the extended run, in a fresh run, or outside the
        // run.
        for (len, neighbour) in [(3, false), (40, false), (4, true), (40, true)] {
            for &panic_at in &[1, len, 0, len - 1][..scaled(4, 2)] {
                let ledger = Ledger::new();
                let arena = AtomicArena::with_capacity(ROOM);
                let mut local = eight_of(&arena, 5, || ledger.value());
                if neighbour {
                    arena.alloc(ledger.value()).unwrap();
                }
                let before = ledger.made();
                let step = |made: usize| {
                    assert_eq!(arena.iter().count(), 0, "visible after {made} of {len}");
                    assert_ne!(made, panic_at, "here");
                    ledger.value()
                };
                let panicked = fill_with_user_code(method, &mut local, len, &step);
                assert_eq!(panicked, panic_at < len);
                let stored = if panicked { 0 } else { len };
                assert_eq!(arena.iter().count(), if method == 2 { stored } else { 0 });
                assert_eq!(ledger.dropped(), if panicked { panic_at } else { 0 });
                // If the call panicked, the slots that it took are free again.
                local.alloc(ledger.value()).unwrap();
                drop(local);
                assert_eq!(arena.count(), before + stored + 1);
                assert!(arena.stats().high_water >= if panicked { 5 + len.min(8) } else { 5 + len });
                assert_room(&arena, ROOM - before - stored - 1, || ledger.value());
                drop(arena);
                assert_eq!(ledger.dropped(), ledger.made());
            }
        }
    }
}

#[test]
fn clones_that_panic_are_dropped() {
    for (len, neighbour) in [(3, false), (40, false), (4, true), (40, true)] {
        for publish in [false, true] {
            let ledger = Ledger::with_clones(len - 1);
            let source = ledger.values(len);
            let arena = AtomicArena::with_capacity(ROOM);
            let mut local = eight_of(&arena, 5, || ledger.value());
            if neighbour {
                arena.alloc(ledger.value()).unwrap();
            }
            let message = panic_of(|| match publish {
                false => _ = local.alloc_slice_clone(&source),
                true => _ = local.publish_slice_clone(&source),
            });
            assert_eq!((message.as_str(), ledger.dropped(), arena.iter().count()), ("clone refused", len - 1, 0));
            assert_eq!(panic_of(|| _ = local.alloc_prefix_clone(&source)), "clone refused");
            drop(local);
            assert_room(&arena, ROOM - 5 - usize::from(neighbour), || ledger.value());
            assert_eq!(arena.iter().count(), 0);
        }
    }
}

#[test]
fn user_code_may_use_the_arena_and_leak_in_it() {
    const CAPACITY: usize = scaled(1_000, 500);
    for method in 0..3 {
        for len in [2, scaled(40, 12)] {
            for neighbour in [false, true] {
                let ledger = Ledger::new();
                let mut arena = AtomicArena::with_capacity(CAPACITY);
                let mut local = eight_of(&arena, 5, || ledger.value());
                if neighbour {
                    arena.alloc(ledger.value()).unwrap();
                }
                let step = |_: usize| {
                    arena.alloc(ledger.value()).unwrap();
                    arena.publish(ledger.value()).unwrap();
                    mem::forget(arena.reserve(2).unwrap());
                    let mut other = arena.local();
                    other.publish(ledger.value()).unwrap();
                    mem::forget(other);
                    ledger.value()
                };
                assert!(!fill_with_user_code(method, &mut local, len, &step));
                drop(local);
                assert_eq!(arena.stats().handles, 2 * len);
                let published = arena.iter().count();
                assert_eq!(published, if method == 2 { 3 * len } else { 2 * len });
                assert_eq!(arena.iter_mut().count(), ledger.made());
                assert_room(&arena, CAPACITY - ledger.made(), || ledger.value());
                drop(arena);
                assert_eq!(ledger.dropped(), ledger.made());
            }
        }
    }
}

/// Reports a length of `said`, whatever its real length.
struct Liar<I> {
    said: usize,
    values: I,
}

impl<I: Iterator> Iterator for Liar<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.values.next()
    }
}

impl<I: Iterator> ExactSizeIterator for Liar<I> {
    fn len(&self) -> usize {
        self.said
    }
}

fn liar<I: IntoIterator>(said: usize, values: I) -> Liar<I::IntoIter> {
    Liar { said, values: values.into_iter() }
}

#[test]
fn a_local_believes_no_length() {
    for neighbour in [false, true] {
        for said in [3, 4, 40] {
            let arena = AtomicArena::with_capacity(ROOM).in_order();
            let mut local = eight_of(&arena, 5, || 0);
            if neighbour {
                arena.alloc(0).unwrap();
            }
            let held = 5 + usize::from(neighbour);
            assert_eq!(local.alloc_from_iter(liar(said, 0..2)).unwrap(), [0, 1]);
            assert_eq!(local.alloc_from_iter(liar(2, 0..)).unwrap(), [0, 1]);
            assert_eq!(local.publish_from_iter(liar(said, 0..1)).unwrap().1, [0]);
            assert_eq!(local.publish_from_iter(liar(said, 0..0)).unwrap(), (ROOM, &[][..]));
            let full = local.publish_from_iter(liar(usize::MAX, 0..2)).unwrap_err();
            assert_eq!(full.into_inner().values, 0..2, "the iterator was used");
            drop(local);
            assert_eq!((arena.count(), arena.iter().count()), (held + 5, 1));
            assert_room(&arena, ROOM - held - 5, || 0);
        }
    }
}

#[test]
fn reset_zeroed_clears_values_written_before_a_panic() {
    const SECRET: [u8; 4] = [0xa5; 4];
    for len in [3, 40] {
        let mut arena = AtomicArena::<[u8; 4]>::with_capacity(200);
        arena.fill_with(|_| SECRET);
        arena.reset_zeroed();
        let mut local = arena.local_with_batch(slots(8));
        panic_of(|| {
            let _ = local.alloc_slice_with(len, |place| if place + 1 == len { panic!() } else { SECRET });
        });
        // A reservation and the `Local` return the slots without writing to them, and the cursor is
        // retracted over them.
        let run = local.reserve(len - 1).unwrap();
        drop(local);
        drop(run);
        assert_eq!(arena.count(), 0);
        arena.reset_zeroed();
        let mut run = arena.reserve(len).unwrap();
        let bytes = run.as_mut_ptr().cast::<u8>();
        // SAFETY: the reservation has `len` slots of 4 bytes. The arena was filled and then zeroed,
        // so all these bytes are initialised.
        let bytes = unsafe { std::slice::from_raw_parts(bytes, 4 * len) };
        assert!(bytes.iter().all(|&byte| byte == 0), "{bytes:x?}");
    }
}

#[test]
fn a_slot_in_which_a_closure_panicked_counts_as_written() {
    let arena = AtomicArena::<u32>::with_capacity(200);
    let mut local = arena.local_with_batch(slots(8));
    panic_of(|| _ = local.alloc_with(|| panic!("here")));
    // The reservation takes the whole run, so the `Local` returns nothing.
    let run = local.reserve(arena.index_bound()).unwrap();
    drop(local);
    drop(run);
    assert_eq!(arena.count(), 0);
    assert!(arena.stats().high_water >= 1);
}

// ---- reservations of a local

#[test]
fn a_reservation_and_its_local_are_counted() {
    let arena = AtomicArena::with_capacity(ROOM);
    let handles = || arena.stats().handles;
    let mut local = arena.local_with_batch(slots(8));
    assert_eq!(handles(), 0);
    let first = local.reserve(2).unwrap();
    let rest = arena.index_bound() - 2;
    assert_eq!(handles(), 2);
    let second = local.reserve(rest).unwrap();
    assert_eq!(handles(), 2, "the second reservation took the last slots, but is not counted in place of the `Local`");
    drop(local);
    assert_eq!(handles(), 2);
    drop((first, second));
    assert_eq!((handles(), arena.count()), (0, 0));

    // The `Local` is counted again after a reservation was counted in its place.
    let mut local = arena.local_with_batch(slots(1));
    let run = local.reserve(1).unwrap();
    assert_eq!(handles(), 1);
    local.alloc(1).unwrap();
    assert_eq!(handles(), 2);
    drop(run);
    assert_eq!(handles(), 1);
    drop(local);
    assert_eq!(handles(), 0);

    // The slots come from the arena, and not from a run of the handle.
    let mut local = arena.local_with_batch(slots(8));
    let run = local.reserve(100).unwrap();
    assert_eq!(handles(), 1);
    drop((run, local));
    assert_eq!(handles(), 0);
}

#[test]
fn slots_that_a_reservation_returns_do_not_rejoin_the_local() {
    // The slots are as long as a cache line, so that no line boundary shortens the run.
    let arena = AtomicArena::with_capacity(1_000).in_order();
    let mut local = eight_of(&arena, 1, || [0_u64; 8]);
    let mut run = local.reserve(3).unwrap();
    run.push([1; 8]).unwrap();
    assert_eq!((run.finish().len(), vacant_and_bound(&arena)), (1, (2, 8)));
    assert_eq!(local.publish([1; 8]).unwrap().0, 4);
    drop(local);
    assert_eq!((arena.count(), arena.iter().count()), (3, 1));
    assert_eq!(vacant_and_bound(&arena), (2, 5));
    assert_room(&arena, 997, || [0; 8]);
}

/// The operations of a `Local` before it reserves. They determine the stamp of the slot directly
/// below the reserved run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Nothing,
    Owned,
    Published,
    PublishedAndOwned,
    OwnedAndPublished,
    PublishedSlice,
}

/// Stand for all slots, and for all but one: of the unused slots of the run, or of the reserved
/// slots.
const ALL: usize = usize::MAX;
const ALL_BUT_ONE: usize = ALL - 1;

/// How a handle ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Leaked,
    Dropped,
    Finished,
    Published,
}

#[test]
fn a_local_and_its_reservation_end_in_any_way_and_order() {
    use Before::*;
    let befores = [Nothing, Owned, Published, PublishedAndOwned, OwnedAndPublished, PublishedSlice];
    let ends = [End::Leaked, End::Dropped, End::Finished, End::Published];
    // In each case `len` slots of the first run are reserved, and `filled` of them are filled. Then
    // an owned or a published value may follow.
    let mut cases = 0;
    for before in befores {
        for (len, filled) in [(1, 0), (1, 1), (2, 2), (3, 1), (3, 3), (ALL_BUT_ONE, ALL), (ALL, 1)] {
            for behind in [None, Some(End::Finished), Some(End::Published)] {
                for end in ends {
                    for local_end in [End::Leaked, End::Dropped] {
                        for local_first in [false, true] {
                            cases += 1;
                            if cfg!(miri) && cases % 199 != 0 {
                                continue;
                            }
                            split_and_end(before, len, filled, behind, end, local_end, local_first);
                        }
                    }
                }
            }
        }
    }
}

fn split_and_end(
    before: Before,
    len: usize,
    filled: usize,
    behind: Option<End>,
    end: End,
    local_end: End,
    local_first: bool,
) {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(16 * 16);
    let mut live = Vec::new();
    let mut visible = Vec::new();
    let filled = {
        let mut local = arena.local_with_batch(slots(16));
        assert!(local.alloc_try_with(|| Err(())).unwrap().is_err()); // takes the run
        let publish = |visible: &mut Vec<usize>, local: &mut Local<'_, _>| {
            visible.push(ledger.made());
            local.publish(ledger.value()).unwrap();
        };
        match before {
            Before::Nothing => {}
            Before::Owned => _ = local.alloc(ledger.value()).unwrap(),
            Before::Published => publish(&mut visible, &mut local),
            Before::PublishedAndOwned => {
                publish(&mut visible, &mut local);
                local.alloc(ledger.value()).unwrap();
            }
            Before::OwnedAndPublished => {
                local.alloc(ledger.value()).unwrap();
                publish(&mut visible, &mut local);
            }
            Before::PublishedSlice => {
                visible.extend([0, 1]);
                local.publish_from_iter(ledger.values(2)).unwrap();
            }
        }
        live.extend(0..ledger.made());
        // The run may be shorter than 16 slots, because it ends at a boundary of a cache line.
        let rest = arena.index_bound() - ledger.made();
        assert!(rest > 3);
        let len = match len {
            ALL => rest,
            ALL_BUT_ONE => rest - 1,
            _ => len,
        };
        let filled = filled.min(len);
        let mut run = local.reserve(len).unwrap();
        assert_eq!(run.first_index(), ledger.made());
        let of_run = ledger.made()..ledger.made() + filled;
        run.fill_from_iter(ledger.values(filled));
        match end {
            End::Finished => live.extend(of_run),
            End::Published => {
                live.extend(of_run.clone());
                visible.extend(of_run);
            }
            _ => {}
        }
        // If the `Local` is leaked, owned values in its run are leaked too. Published values are
        // not.
        match behind {
            None => {}
            Some(End::Published) => {
                live.push(ledger.made());
                publish(&mut visible, &mut local);
            }
            Some(_) => {
                if local_end != End::Leaked {
                    live.push(ledger.made());
                }
                local.alloc(ledger.value()).unwrap();
            }
        }
        let end_run = |run: Reservation<'_, _>| match end {
            End::Leaked => mem::forget(run),
            End::Dropped => drop(run),
            End::Finished => _ = run.finish(),
            End::Published => _ = run.publish(),
        };
        let end_local = |local: Local<'_, _>| match local_end {
            End::Leaked => mem::forget(local),
            _ => drop(local),
        };
        if local_first {
            end_local(local);
            end_run(run);
        } else {
            end_run(run);
            end_local(local);
        }
        filled
    };
    live.sort_unstable();
    visible.sort_unstable();
    let case = (before, len, filled, behind, end, local_end, local_first);
    let ids = |arena: &AtomicArena<Counted<'_>>| {
        let mut ids: Vec<_> = arena.iter().map(|(_, value)| value.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&arena), visible, "{case:?}");
    let mut held: Vec<_> = arena.iter_mut().map(|(_, value)| value.id).collect();
    held.sort_unstable();
    assert_eq!(held, live, "{case:?}");
    assert_eq!((ids(&arena), arena.stats().handles), (visible, 0), "{case:?}");
    let made = ledger.made();
    assert_room(&arena, 16 * 16 - live.len(), || ledger.value());
    drop(arena);
    let dropped_run = if end == End::Dropped { filled } else { 0 };
    let leaked = made - live.len() - dropped_run;
    assert_eq!(ledger.alive().len(), leaked, "{case:?}");
    assert_eq!(ledger.dropped(), ledger.made() - leaked, "{case:?}");
}

#[test]
fn a_leaked_local_leaks_one_run_after_an_extension() {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(ROOM);
    let mut local = eight_of(&arena, 5, || ledger.value());
    local.alloc_from_iter(ledger.values(20)).unwrap();
    mem::forget(local);
    assert_eq!(arena.iter_mut().map(|(_, value)| value.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_room(&arena, ROOM - 5, || ledger.value());
    drop(arena);
    assert_eq!(ledger.alive(), (5..25).collect::<Vec<_>>());
}

#[test]
fn a_leaked_local_leaks_nothing_that_it_published_or_took_from_the_arena() {
    let ledger = Ledger::new();
    let mut arena = AtomicArena::with_capacity(ROOM);
    let mut local = eight_of(&arena, 3, || ledger.value());
    arena.alloc(ledger.value()).unwrap();
    local.alloc_from_iter(ledger.values(20)).unwrap();
    local.publish_from_iter(ledger.values(2)).unwrap();
    local.alloc(ledger.value()).unwrap(); // in the run that is leaked
    mem::forget(local);
    assert_eq!((arena.iter().count(), arena.iter_mut().count()), (2, 26));
    assert_room(&arena, ROOM - 26, || ledger.value());
    drop(arena);
    assert_eq!(ledger.alive(), [26]);
}

#[test]
fn a_leaked_reservation_from_the_arena_is_reclaimed() {
    let mut arena = AtomicArena::with_capacity(ROOM);
    let mut local = eight_of(&arena, 1, || 0);
    arena.alloc(1).unwrap(); // so that the run cannot be extended
    let run = local.reserve(20).unwrap();
    assert_eq!(arena.stats().handles, 2);
    mem::forget(run);
    drop(local);
    assert_eq!(arena.stats().handles, 1);
    assert_eq!(arena.iter_mut().map(|(_, value)| *value).sum::<i32>(), 1);
    assert_eq!((arena.stats().handles, arena.count()), (0, 2));
    assert_room(&arena, ROOM - 2, || 2);
}

#[test]
fn a_local_ends_on_another_thread() {
    let arena = AtomicArena::with_capacity(ROOM);
    thread::scope(|scope| {
        for round in 0..scaled(50, 4) {
            let mut local = arena.local_with_batch(slots(8));
            let run = local.reserve(2).unwrap();
            local.publish(round).unwrap();
            scope.spawn(move || {
                local.alloc(round).unwrap();
                drop(run);
                drop(local);
            });
        }
    });
    let stored = 2 * scaled(50, 4);
    assert_eq!((arena.stats().handles, arena.count()), (0, stored));
    assert_room(&arena, ROOM - stored, || 0);
}

#[test]
fn locals_in_threads_store_every_kind() {
    let rounds = scaled(2_000, 20);
    let arena = AtomicArena::<u8>::with_capacity(2 * rounds * 12 + scaled(5_000, 160));
    let stored: usize = thread::scope(|scope| {
        let workers: Vec<_> = (1..=2_u8)
            .map(|name| {
                let arena = &arena;
                scope.spawn(move || {
                    let mut dice = Dice::new(name.into());
                    let mut local = arena.local();
                    let mut kept = Vec::new();
                    for _ in 0..rounds {
                        let src = vec![name; 1 + dice.roll(10)];
                        match dice.roll(4) {
                            0 => kept.push(&*local.alloc_slice_copy(&src).unwrap()),
                            1 => kept.push(local.publish_slice_copy(&src).unwrap().1),
                            2 => {
                                let mut run = local.reserve(src.len()).unwrap();
                                run.fill_from_iter(src.iter().copied());
                                kept.push(run.finish());
                            }
                            _ => kept.push(std::slice::from_ref(local.alloc(name).unwrap())),
                        }
                    }
                    assert!(kept.iter().all(|slice| slice.iter().all(|&value| value == name)));
                    kept.iter().map(|slice| slice.len()).sum::<usize>()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!((arena.count(), arena.stats().handles), (stored, 0));
    assert_room(&arena, arena.capacity() - stored, || 0);
}

// ---- owned

#[test]
fn an_owned_local_continues_from_loan_to_loan() {
    let arena = Arc::new(AtomicArena::with_capacity(ROOM));
    let mut owned: OwnedLocal<u32> = arena.local_owned();
    assert!(Arc::ptr_eq(owned.arena(), &arena));
    for round in 0..20 {
        let mut local = owned.local();
        assert_eq!(local.publish(round).unwrap().0, 2 * round as usize);
        let value = local.alloc(round).unwrap();
        let other = local.alloc_slice_copy(&[]).unwrap();
        *value += other.len() as u32;
    }
    assert_eq!((arena.count() > 40, arena.stats().handles), (true, 1));
    assert!(format!("{owned:?}").starts_with("OwnedLocal"));
    drop(owned);
    assert_eq!((arena.count(), arena.stats().handles), (40, 0));
    let arena = Arc::into_inner(arena).expect("no other handle keeps it alive");
    assert_eq!(arena.into_iter().count(), 40);
}

#[test]
fn an_owned_local_lives_in_a_struct_and_in_a_thread() {
    struct Worker {
        local: OwnedLocal<String>,
        indices: Vec<usize>,
    }
    let arena = Arc::new(AtomicArena::with_capacity(ROOM));
    let workers: Vec<_> = (0..4)
        .map(|name| {
            let mut worker = Worker { local: arena.local_owned(), indices: Vec::new() };
            thread::spawn(move || {
                for i in 0..scaled(100, 5) {
                    worker.indices.push(worker.local.local().publish(format!("{name}/{i}")).unwrap().0);
                }
                worker.indices
            })
        })
        .collect();
    for (name, worker) in workers.into_iter().enumerate() {
        for (i, index) in worker.join().unwrap().into_iter().enumerate() {
            assert_eq!(arena.get(index).unwrap(), &format!("{name}/{i}"));
        }
    }
    assert_eq!((arena.count(), arena.stats().handles), (4 * scaled(100, 5), 0));
}

#[test]
fn an_owned_local_whose_loan_was_leaked_begins_anew() {
    let ledger = Ledger::new();
    {
        let arena = Arc::new(AtomicArena::with_capacity(1_000));
        let mut owned = arena.local_owned();
        owned.local().publish(ledger.value()).unwrap();
        let mut loan = owned.local();
        loan.alloc(ledger.value()).unwrap();
        mem::forget(loan);
        let (index, _) = owned.local().publish(ledger.value()).unwrap();
        assert!(index > 1);
        drop(owned);
        let mut arena = Arc::into_inner(arena).unwrap();
        assert_eq!(arena.iter_mut().map(|(_, value)| value.id).collect::<Vec<_>>(), [0, 2]);
        assert_room(&arena, 998, || ledger.value());
    }
    assert_eq!(ledger.alive(), [1]);
}

#[test]
fn an_owned_local_keeps_its_arena_alive() {
    let ledger = Ledger::new();
    let arena = Arc::new(AtomicArena::with_capacity(10));
    let mut owned = arena.local_owned();
    owned.local().alloc(ledger.value()).unwrap();
    drop(arena);
    let mut local = owned.local();
    let run = local.reserve_up_to(3);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _local = &mut local;
        panic!("with a loan");
    }));
    assert!(panicked.is_err());
    drop(run);
    drop(local);
    owned.local().alloc(ledger.value()).unwrap();
    assert_eq!(ledger.dropped(), 0);
    drop(owned);
    assert_eq!(ledger.dropped(), 2);
}
