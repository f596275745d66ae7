//! The same tests with every kind of memory.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::mem::{self, MaybeUninit};
use std::num::NonZeroUsize;
use std::thread;

use atomicarena::{AtomicArena, Borrowed, Heap, Inline, StaticArena, Storage};

use crate::payload::{Counted, Ledger, assert_room, panic_of, runs_from_cursor, scaled};

/// The number of slots of every arena here.
const CAPACITY: usize = 64;

/// Memory for an arena in borrowed bytes.
type Bytes = Vec<MaybeUninit<u8>>;

/// A kind of memory.
trait Place {
    type Storage<'m, T: 'm>: Storage<T> + Debug;

    /// Creates an arena with `CAPACITY` slots. It may lie in `bytes`, which is empty at first.
    fn arena<'m, T: 'm>(bytes: &'m mut Bytes) -> AtomicArena<T, Self::Storage<'m, T>>;
}

struct OnHeap;

impl Place for OnHeap {
    type Storage<'m, T: 'm> = Heap<T>;

    fn arena<'m, T: 'm>(_: &'m mut Bytes) -> AtomicArena<T, Heap<T>> {
        AtomicArena::with_capacity(CAPACITY)
    }
}

struct InPlace;

impl Place for InPlace {
    type Storage<'m, T: 'm> = Inline<T, CAPACITY>;

    fn arena<'m, T: 'm>(_: &'m mut Bytes) -> AtomicArena<T, Inline<T, CAPACITY>> {
        StaticArena::new()
    }
}

/// Borrowed bytes that begin `BEHIND` bytes after a multiple of 64.
struct InBytes<const BEHIND: usize>;

impl<const BEHIND: usize> Place for InBytes<BEHIND> {
    type Storage<'m, T: 'm> = Borrowed<'m, T>;

    fn arena<'m, T: 'm>(bytes: &'m mut Bytes) -> AtomicArena<T, Borrowed<'m, T>> {
        // This is enough for the slots, the stamps and, unless the slots are zero-sized, padding to
        // align them. It is too little for another slot.
        let lining_up = if size_of::<T>() == 0 { 0 } else { align_of::<T>() - 1 };
        let len = CAPACITY * (size_of::<T>() + 1) + lining_up;
        // Not zeros, because the arena must not rely on them.
        bytes.resize(len + 2 * 64, MaybeUninit::new(0xa5));
        let first = bytes.as_ptr().align_offset(64) + BEHIND;
        AtomicArena::in_bytes(&mut bytes[first..first + len]).unwrap()
    }
}

#[cfg(all(feature = "mapped", not(miri)))]
mod system {
    use atomicarena::{AtomicArena, HugePages, Mapped};

    use super::{Bytes, CAPACITY, Place};

    pub(super) struct Pages;

    impl Place for Pages {
        type Storage<'m, T: 'm> = Mapped<T>;

        fn arena<'m, T: 'm>(_: &'m mut Bytes) -> AtomicArena<T, Mapped<T>> {
            AtomicArena::mapped(CAPACITY).build().unwrap()
        }
    }

    /// Huge pages if the system has them, prefaulted, and locked in RAM if that is granted.
    pub(super) struct ReadyPages;

    impl Place for ReadyPages {
        type Storage<'m, T: 'm> = Mapped<T>;

        fn arena<'m, T: 'm>(_: &'m mut Bytes) -> AtomicArena<T, Mapped<T>> {
            let pages = AtomicArena::mapped(CAPACITY).huge_pages(HugePages::Transparent);
            pages.prefault(true).lock_in_ram(true).allow_fallback(true).build().unwrap()
        }
    }
}

/// Runs every test with each of the given kinds of memory.
macro_rules! over {
    ($($(#[$meta:meta])* $name:ident: $place:ty),* $(,)?) => {$(
        $(#[$meta])*
        mod $name {
            over! {
                @tests $place,
                one_value, many_values, a_reservation, a_local, published_values_are_read, full_is_an_error,
                unfilled_slots_are_returned, a_panic_loses_no_slot, leaked_handles_are_settled, exclusive_access,
                drain_moves_everything_out, into_iter_moves_everything_out, every_value_is_dropped_once,
                a_panic_in_a_drop_still_drops_the_others, reset_empties_through_every_epoch,
                a_stale_stamp_is_never_valid_again, reset_zeroed_leaves_no_byte, publish_all_publishes_all,
                compact_closes_the_holes, compact_after_compact, values_of_every_shape, threads_fill_the_arena,
                threads_contend_for_the_last_slots, debug_shows_the_numbers,
                stats_over_resets, a_key_ends_with_its_epoch,
            }
        }
    )*};
    (@tests $place:ty, $($test:ident),* $(,)?) => {$(
        #[test]
        fn $test() {
            super::$test::<$place>();
        }
    )*};
}

over! {
    heap: super::OnHeap,
    inline: super::InPlace,
    borrowed: super::InBytes<0>,
    borrowed_off_by_one: super::InBytes<1>,
    borrowed_off_by_seven: super::InBytes<7>,
    #[cfg(all(feature = "mapped", not(miri)))]
    mapped: super::system::Pages,
    #[cfg(all(feature = "mapped", not(miri)))]
    mapped_and_ready: super::system::ReadyPages,
}

// ---- filling and reading

fn one_value<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = runs_from_cursor(P::arena::<u64>(&mut bytes));
    assert_eq!((arena.capacity(), arena.count(), arena.index_bound()), (CAPACITY, 0, 0));
    let owned = arena.alloc(1).unwrap();
    *owned += 1;
    assert_eq!((*owned, arena.index_of(owned)), (2, Some(0)));
    assert_eq!(*arena.alloc_with(|| 3).unwrap(), 3);
    assert_eq!(arena.publish(4).unwrap(), (2, &4));
    assert_eq!(arena.publish_with(|index| index as u64 * 10).unwrap(), (3, &30));
    assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (4, CAPACITY - 4, 4));
    assert_eq!(*owned, 2);
}

fn many_values<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = runs_from_cursor(P::arena::<u16>(&mut bytes));
    let first = arena.alloc_slice_copy(&[1, 2, 3]).unwrap();
    first[2] = 7;
    assert_eq!(arena.alloc_slice_clone(&[4, 5]).unwrap(), [4, 5]);
    assert_eq!(arena.alloc_slice_with(2, |i| i as u16).unwrap(), [0, 1]);
    assert_eq!(arena.alloc_from_iter(5..8).unwrap(), [5, 6, 7]);
    assert_eq!(arena.alloc_array([8, 9]).unwrap(), &[8, 9]);
    assert_eq!(arena.alloc_vec(vec![10; 9]).unwrap(), [10; 9]);
    assert_eq!(arena.count(), 21);
    assert_eq!(arena.alloc_slice_copy(&[0; CAPACITY]).unwrap_err().remaining(), CAPACITY - 21);
    assert_eq!(arena.alloc_prefix_clone(&[11; CAPACITY]), [11; CAPACITY - 21]);
    assert_eq!(arena.index_of(&first[2]), Some(2));
    assert_eq!(*first, [1, 2, 7]);
    assert!(arena.is_full());
}

fn a_reservation<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = P::arena::<u64>(&mut bytes);
    let mut run = arena.reserve(10).unwrap();
    assert_eq!((run.capacity(), run.first_index()), (10, 0));
    run.push(1).unwrap();
    assert_eq!(run.fill_from_iter(2..4), 2);
    assert_eq!(*run, [1, 2, 3]);
    assert_eq!(run.publish(), (0, &[1, 2, 3][..]));
    assert_eq!(arena.get_slice(0..3), Some(&[1, 2, 3][..]));
    let rest = arena.reserve_up_to(usize::MAX);
    assert_eq!((rest.capacity(), rest.first_index()), (CAPACITY - 3, 3));
    drop(rest);
    assert_room(&arena, CAPACITY - 3, || 0);
}

fn a_local<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = P::arena::<u64>(&mut bytes);
    let mut local = arena.local_with_batch(NonZeroUsize::new(4).unwrap());
    let first = local.alloc(1).unwrap();
    let (index, _) = local.publish(2).unwrap();
    let mut others = arena.local();
    while others.publish(3).is_ok() {}
    while local.alloc(4).is_ok() {}
    drop((local, others));
    assert_eq!((*first, arena.get(index)), (1, Some(&2)));
    assert_room(&arena, 0, || 0);
}

fn published_values_are_read<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = P::arena::<String>(&mut bytes);
    for i in 0..CAPACITY {
        if i % 3 == 0 {
            arena.alloc(format!("owned {i}")).unwrap();
        } else {
            assert_eq!(arena.publish(format!("{i}")).unwrap().0, i);
        }
    }
    for i in 0..CAPACITY {
        let expected = (i % 3 != 0).then(|| format!("{i}"));
        assert_eq!(arena.get(i), expected.as_ref());
        assert_eq!(arena.get_wrapping(i + CAPACITY), expected.as_ref());
    }
    assert_eq!((arena.get(CAPACITY), arena.get(usize::MAX)), (None, None));
    assert_eq!(arena.iter().count(), CAPACITY - CAPACITY.div_ceil(3));
    assert!(arena.iter().all(|(i, text)| *text == format!("{i}")));
    assert!(arena.get_slice(1..3).is_some() && arena.get_slice(1..4).is_none());
}

fn full_is_an_error<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = P::arena::<String>(&mut bytes);
    assert_room(&arena, CAPACITY, || String::from("x"));
    assert_eq!(arena.alloc("late".into()).unwrap_err().into_inner(), "late");
    let full = arena.publish("late".into()).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (1, 0));
    assert_eq!(arena.local().alloc("late".into()).unwrap_err().into_inner(), "late");
    assert_eq!(arena.reserve(2).unwrap_err().requested(), 2);
    assert!(arena.reserve_up_to(2).is_full());
    assert_eq!(arena.alloc_vec(vec!["a".into(), "b".into()]).unwrap_err().into_inner(), ["a", "b"]);
}

// ---- returned slots

fn unfilled_slots_are_returned<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = P::arena::<u64>(&mut bytes);
    // The four unfilled slots of `low` become vacant, because `high` follows them. Returning `high`
    // retracts the cursor.
    let mut low = arena.reserve(5).unwrap();
    let high = arena.reserve(5).unwrap();
    low.push(1).unwrap();
    assert_eq!(low.finish(), [1]);
    drop(high);
    let local = arena.local().alloc(2).unwrap();
    assert_eq!(*local, 2);
    assert_room(&arena, CAPACITY - 2, || 0);
}

fn a_panic_loses_no_slot<P: Place>() {
    let mut bytes = Bytes::new();
    let ledger = Ledger::with_clones(3);
    let arena = P::arena::<Counted<'_>>(&mut bytes);
    assert_eq!(panic_of(|| drop(arena.alloc_with(|| panic!("made nothing")))), "made nothing");
    let values = ledger.values(6);
    assert_eq!(panic_of(|| drop(arena.alloc_slice_clone(&values))), "clone refused");
    assert_eq!((ledger.made(), ledger.dropped()), (9, 3));
    assert_room(&arena, CAPACITY, || ledger.value());
}

fn leaked_handles_are_settled<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    let first = arena.publish(1).unwrap().0;
    mem::forget(arena.reserve(3).unwrap());
    let second = arena.publish(2).unwrap().0;
    let mut local = arena.local_with_batch(NonZeroUsize::new(3).unwrap());
    let third = local.publish(3).unwrap().0;
    mem::forget(local);
    mem::forget(arena.reserve(1).unwrap());
    assert!(first < second && second < third);
    assert!(arena.iter_mut().eq([(first, &mut 1), (second, &mut 2), (third, &mut 3)]));
    assert!(arena.as_mut_slice().is_none());
    assert_eq!(arena.iter().count(), 3);
    assert_room(&arena, CAPACITY - 3, || 0);
}

// ---- exclusive access

fn exclusive_access<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    arena.publish(1).unwrap();
    arena.alloc(2).unwrap();
    *arena.get_mut(1).unwrap() += 40;
    assert_eq!(arena.get_mut(2), None);
    assert_eq!(arena.as_mut_slice(), Some(&mut [1, 42][..]));
    assert_eq!(arena.fill_with(|i| i as u64)[..3], [1, 42, 2]);
    assert!(arena.is_full() && arena.get(0) == Some(&1) && arena.get(2).is_none());
    for (index, value) in &mut arena {
        *value = index as u64;
    }
    assert_eq!(arena.as_mut_slice().unwrap().iter().sum::<u64>(), (0..CAPACITY as u64).sum());
    arena.reset();
    assert_eq!(arena.fill_default(), [0; CAPACITY]);
}

fn drain_moves_everything_out<P: Place>() {
    let mut bytes = Bytes::new();
    let ledger = Ledger::new();
    let mut arena = P::arena(&mut bytes);
    for round in 0..3 {
        arena.alloc(ledger.value()).unwrap();
        drop(arena.reserve(2));
        arena.publish(ledger.value()).unwrap();
        arena.alloc(ledger.value()).unwrap();
        let mut drain = arena.drain();
        assert_eq!(drain.next().unwrap().id, 3 * round);
        assert_eq!(drain.next_back().unwrap().id, 3 * round + 2);
        drop(drain);
        assert_eq!(ledger.dropped(), 3 * (round + 1));
        assert!(arena.is_empty());
    }
    arena.alloc(ledger.value()).unwrap();
    mem::forget(arena.drain());
    assert_eq!((arena.count(), ledger.alive()), (0, vec![9]));
    assert_room(&arena, CAPACITY, || ledger.value());
}

fn into_iter_moves_everything_out<P: Place>() {
    let mut bytes = Bytes::new();
    let ledger = Ledger::new();
    let arena = P::arena(&mut bytes);
    let hole = arena.reserve(2).unwrap();
    for _ in 0..5 {
        arena.publish(ledger.value()).unwrap();
    }
    drop(hole);
    let mut values = arena.into_iter();
    assert_eq!((values.len(), values.next().unwrap().id), (5, 0));
    drop(values);
    assert_eq!(ledger.dropped(), 5);
}

// ---- drops

fn every_value_is_dropped_once<P: Place>() {
    let ledger = Ledger::new();
    let mut bytes = Bytes::new();
    {
        let mut arena = P::arena(&mut bytes);
        for _ in 0..3 {
            while arena.alloc(ledger.value()).is_ok() {}
            arena.reset();
            assert_eq!(ledger.alive(), []);
        }
        for i in 0..CAPACITY / 2 {
            if i % 2 == 0 {
                arena.publish(ledger.value()).unwrap();
            } else {
                let mut run = arena.reserve(2).unwrap();
                run.push(ledger.value()).unwrap();
                if i % 4 == 1 {
                    drop(run);
                } else {
                    run.publish();
                }
            }
        }
        assert_eq!(ledger.alive().len(), CAPACITY / 2 - CAPACITY / 8);
    }
    assert_eq!(ledger.dropped(), ledger.made());
}

fn a_panic_in_a_drop_still_drops_the_others<P: Place>() {
    let ledger = Ledger::new();
    let mut bytes = Bytes::new();
    let mut arena = P::arena(&mut bytes);
    let fill = |arena: &AtomicArena<_, _>| {
        for _ in 0..3 {
            arena.alloc(ledger.value()).unwrap();
        }
        arena.publish(ledger.bomb()).unwrap();
        while arena.publish(ledger.value()).is_ok() {}
    };
    fill(&arena);
    assert!(panic_of(|| arena.reset()).starts_with("bomb"));
    assert_eq!((ledger.alive(), arena.count()), (vec![], 0));
    fill(&arena);
    assert!(panic_of(|| arena.reset_zeroed()).starts_with("bomb"));
    assert_eq!((ledger.alive(), arena.count()), (vec![], 0));
    fill(&arena);
    assert!(panic_of(|| drop(arena)).starts_with("bomb"));
    assert_eq!(ledger.alive(), []);
}

// ---- epochs

fn reset_empties_through_every_epoch<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    for round in 0..scaled(600, 60) {
        let (index, _) = arena.publish(round as u64).unwrap();
        arena.alloc_slice_copy(&[1, 2]).unwrap();
        if round % 5 == 0 {
            drop((arena.reserve(3), arena.reserve(2)));
            mem::forget(arena.reserve(1));
        }
        assert_eq!((index, arena.get(0), arena.get(1)), (0, Some(&(round as u64)), None));
        arena.reset();
        assert_eq!((arena.count(), arena.get(0), arena.iter().count()), (0, None, 0));
    }
    assert_room(&arena, CAPACITY, || 0);
}

fn a_stale_stamp_is_never_valid_again<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    for i in 0..CAPACITY {
        arena.publish(i as u64).unwrap();
    }
    for _ in 0..scaled(600, 60) {
        arena.reset();
        // The values are owned, so they leave the stamps of an early epoch in place.
        arena.alloc_slice_copy(&[0; CAPACITY]).unwrap();
        assert_eq!(arena.iter().count(), 0);
        assert!(arena.as_mut_slice().is_some());
    }
}

fn reset_zeroed_leaves_no_byte<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<[u8; 3]>(&mut bytes);
    for round in 0..2 {
        arena.alloc([0x55; 3]).unwrap();
        let mut run = arena.reserve(9).unwrap();
        run.fill_from_iter([[0x77; 3]; 5]);
        drop(run);
        if round == 1 {
            arena.compact();
        }
        arena.reset_zeroed();
        // The arena is borrowed again after the reset, whose writes invalidate every earlier
        // pointer to a value.
        let mut run = arena.reserve(6).unwrap();
        assert_eq!(run.first_index(), 0);
        for slot in run.spare_capacity_mut() {
            // SAFETY: the last slot that was written is the sixth or a later one. `reset_zeroed`
            // wrote zeros to every slot up to it. Any initialized bytes are a valid `[u8; 3]`.
            assert_eq!(unsafe { slot.assume_init_read() }, [0; 3]);
        }
    }
}

fn publish_all_publishes_all<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    arena.alloc_slice_copy(&[1, 2]).unwrap();
    let hole = arena.reserve(1).unwrap();
    arena.alloc(3).unwrap();
    drop(hole);
    arena.publish_all();
    assert!(arena.iter().eq([(0, &1), (1, &2), (3, &3)]));
}

// ---- compact

fn compact_closes_the_holes<P: Place>() {
    let mut bytes = Bytes::new();
    let ledger = Ledger::new();
    let mut arena = P::arena(&mut bytes);
    // Holes of 2, 1 and 3 slots. One of them is leaked, with a value in it.
    let first = arena.reserve(2).unwrap();
    arena.alloc(ledger.value()).unwrap();
    arena.publish(ledger.value()).unwrap();
    let second = arena.reserve(1).unwrap();
    arena.publish(ledger.value()).unwrap();
    let mut third = arena.reserve(3).unwrap();
    third.push(ledger.value()).unwrap();
    arena.alloc(ledger.value()).unwrap();
    drop((first, second));
    mem::forget(third);

    let ids: Vec<_> = arena.compact().iter().map(|value| value.id).collect();
    assert_eq!((ids, ledger.dropped()), (vec![0, 1, 2, 4], 0));
    assert_eq!((arena.count(), arena.index_bound(), arena.iter().count()), (4, 4, 0));
    arena.publish_all();
    assert!(arena.iter().map(|(index, value)| (index, value.id)).eq([(0, 0), (1, 1), (2, 2), (3, 4)]));
    assert_room(&arena, CAPACITY - 4, || ledger.value());
    arena.reset();
    assert_eq!(ledger.alive(), [3], "not exactly the leaked values are alive");
}

fn compact_after_compact<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<usize>(&mut bytes);
    assert_eq!(arena.compact(), []);
    for round in 0..scaled(200, 60) {
        let kept = arena.count();
        let hole = arena.reserve(1 + round % 3).unwrap();
        arena.publish(round).unwrap();
        drop(hole);
        assert_eq!(arena.compact().len(), kept + 1);
        assert_eq!(arena.compact().last(), Some(&round));
        assert_eq!(arena.iter().count(), 0);
        if kept > CAPACITY / 2 {
            assert!(arena.drain().eq(round - kept..=round));
        }
    }
    // Now the cursor will be at the end, and every other slot vacant.
    arena.reset();
    let runs: Vec<_> = (0..CAPACITY).map(|_| arena.reserve(1).unwrap()).collect();
    for (index, mut run) in runs.into_iter().enumerate() {
        if index % 2 == 1 {
            run.push(index).unwrap();
            run.publish();
        }
    }
    assert!(arena.compact().iter().copied().eq((1..CAPACITY).step_by(2)));
    assert_room(&arena, CAPACITY / 2, || 0);
}

// ---- shapes and threads

fn values_of_every_shape<P: Place>() {
    fn check<P: Place, T: Sync>(mut make: impl FnMut() -> T) {
        let mut bytes = Bytes::new();
        let mut arena = P::arena::<T>(&mut bytes);
        assert_eq!(arena.capacity(), CAPACITY);
        let (_, value) = arena.publish(make()).ok().unwrap();
        assert_eq!(std::ptr::from_ref(value).addr() % align_of::<T>(), 0);
        assert!(arena.alloc(make()).is_ok());
        assert_eq!(arena.compact().len(), 2);
        assert_room(&arena, CAPACITY - 2, &mut make);
        arena.reset();
        assert_eq!(arena.fill_with(|_| make()).len(), CAPACITY);
    }
    #[repr(align(64))]
    struct Line(#[expect(dead_code)] [u8; 70]);
    #[repr(align(64))]
    struct Nothing;
    check::<P, _>(|| ());
    check::<P, _>(|| Nothing);
    check::<P, _>(|| -> [String; 0] { [] });
    check::<P, _>(|| 7_u8);
    check::<P, _>(|| [7_u8; 3]);
    check::<P, _>(|| 7_u128);
    check::<P, _>(|| Line([1; 70]));
    check::<P, _>(|| Box::new(7) as Box<dyn Debug + Sync>);
}

fn threads_fill_the_arena<P: Place>()
where
    for<'m> P::Storage<'m, usize>: Sync,
{
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<usize>(&mut bytes);
    for _ in 0..scaled(60, 2) {
        thread::scope(|scope| {
            for worker in 0..4 {
                let arena = &arena;
                scope.spawn(move || {
                    let mut local = arena.local_with_batch(NonZeroUsize::new(2).unwrap());
                    // Values take 48 of the 64 slots. The others are spare, because a handle may
                    // hold one more slot, and a pair must find two adjacent slots.
                    for i in 0..3 {
                        let value = worker * 100 + i;
                        let (index, _) = arena.publish(value).unwrap();
                        assert_eq!(arena.get(index), Some(&value));
                        local.publish(value + 10).unwrap();
                        assert_eq!(arena.alloc_slice_copy(&[value; 2]).unwrap(), [value; 2]);
                    }
                });
            }
        });
        let values: BTreeSet<_> = arena.iter().map(|(_, value)| *value).collect();
        assert_eq!((values.len(), arena.count()), (24, 48));
        arena.reset();
    }
}

fn threads_contend_for_the_last_slots<P: Place>()
where
    for<'m> P::Storage<'m, usize>: Sync,
{
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<usize>(&mut bytes);
    for round in 0..scaled(60, 2) {
        let stored: usize = thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|worker| {
                    let arena = &arena;
                    scope.spawn(move || {
                        drop(arena.reserve(worker + round % 7));
                        (0..CAPACITY).filter(|_| arena.alloc(worker).is_ok()).count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!((stored, arena.is_full()), (CAPACITY, true));
        arena.reset();
    }
}

fn debug_shows_the_numbers<P: Place>() {
    let mut bytes = Bytes::new();
    let arena = runs_from_cursor(P::arena::<u64>(&mut bytes));
    arena.alloc(1).unwrap();
    arena.alloc(2).unwrap();
    let text = format!("{arena:?}");
    let numbers = "AtomicArena { capacity: 64, count: 2, vacant: 0, handles: 0, high_water: 2, resets: 0, bytes: ";
    assert!(text.starts_with(numbers) && text.ends_with(", .. }"), "{text}");
}

fn stats_over_resets<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    let new = arena.stats();
    assert_eq!((new.capacity, new.count, new.high_water, new.resets), (CAPACITY, 0, 0, 0));
    assert_eq!(new.bytes - new.overhead, CAPACITY * 8);
    assert!(new.overhead >= CAPACITY, "less than a byte beside each slot");
    arena.alloc_slice_copy(&[1; 40]).unwrap();
    arena.reset();
    arena.alloc_slice_copy(&[1; 20]).unwrap();
    arena.reset_zeroed();
    arena.alloc_slice_copy(&[1; 30]).unwrap();
    let stats = arena.stats();
    assert_eq!((stats.count, stats.high_water, stats.resets), (30, 40, 2));
    assert_eq!((stats.bytes, stats.overhead), (new.bytes, new.overhead));
}

fn a_key_ends_with_its_epoch<P: Place>() {
    let mut bytes = Bytes::new();
    let mut arena = P::arena::<u64>(&mut bytes);
    let mut stale = Vec::new();
    for round in 0..scaled(110, 3) as u64 {
        let (key, _) = arena.publish_keyed(round).unwrap();
        assert!(stale.iter().all(|&key| arena.get_keyed(key).is_none()));
        assert_eq!((arena.get_keyed(key), arena.key_at(0), arena.key_at(1)), (Some(&round), Some(key), None));
        stale.push(key);
        match round % 4 {
            0 => arena.reset(),
            1 => arena.reset_zeroed(),
            2 => drop(arena.drain()),
            _ => {
                arena.compact();
                arena.publish_all();
            }
        }
        assert_eq!(arena.get_keyed(key), None);
        assert_eq!(arena.get_keyed_mut(key), None);
        arena.reset();
    }
}
