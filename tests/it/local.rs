//! `Local`: a run of slots for one thread, which refills itself.

use std::collections::BTreeSet;
use std::mem;
use std::num::NonZeroUsize;

use atomicarena::{AtomicArena, Local};

use crate::payload::{Ledger, assert_room, fill_up, panic_of, punch_holes, scaled};

fn slots(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Allocates from each handle in turn until one is refused, and then from each until it is refused.
/// Returns the count of each handle, and the total at the first refusal.
fn take_turns(locals: &mut [Local<'_, usize>], capacity: usize) -> (Vec<usize>, usize) {
    let mut got = vec![0; locals.len()];
    let mut first_refusal = None;
    // Enough turns for one handle to take everything.
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

/// The capacity of an arena in which a `Local` is leaked. Its first run is long enough for the
/// values that are stored.
const LEAKED_IN: usize = scaled(4096, 400);

/// Fills slots 0 and 1 with owned values, then leaks a `Local` that has stored an owned value, a
/// published one, and `behind` more owned values.
fn leak_a_local<T: Sync>(arena: &AtomicArena<T>, behind: usize, mut make: impl FnMut() -> T) {
    arena.alloc(make()).unwrap();
    arena.alloc(make()).unwrap();
    let mut local = arena.local_with_batch(slots(64));
    local.alloc(make()).unwrap();
    assert!(arena.count() > 8, "the first run is long enough for all that follows");
    local.publish(make()).unwrap();
    for _ in 0..behind {
        local.alloc(make()).unwrap();
    }
    mem::forget(local);
}

#[test]
fn a_leaked_local_leaks_its_current_run_and_nothing_else() {
    for behind in (1..=5).step_by(scaled(1, 2)) {
        for neighbour in [false, true] {
            let ledger = Ledger::new();
            let mut arena = AtomicArena::with_capacity(LEAKED_IN);
            leak_a_local(&arena, behind, || ledger.value());
            let mut expected = vec![0, 1, 2, 3];
            if neighbour {
                expected.push(ledger.made());
                arena.alloc(ledger.value()).unwrap();
            }
            let live: Vec<_> = arena.iter_mut().map(|(_, v)| v.id).collect();
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
    let mut arena = AtomicArena::with_capacity(LEAKED_IN);
    leak_a_local(&arena, 0, || 7);
    assert_eq!(arena.iter_mut().count(), 4);
    assert_eq!(arena.as_mut_slice(), Some(&mut [7; 4][..]));
    assert_eq!(arena.reserve(LEAKED_IN - 4).unwrap().first_index(), 4, "the arena is whole again");
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
    // Under Miri fewer values, which are larger.
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
