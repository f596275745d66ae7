//! The bulk methods, which store contiguous values. Except for `alloc_prefix_clone`, they store all
//! values or none.

use std::cell::Cell;

use atomicarena::AtomicArena;

use crate::payload::{Ledger, assert_room, panic_of, punch_holes, run_after, runs_from_cursor, scaled};

/// Reports a length of `said`, whatever the length of `values`, and counts the calls of `len` and
/// `next`.
struct Liar<'a, I> {
    said: usize,
    len_calls: &'a Cell<usize>,
    next_calls: &'a Cell<usize>,
    values: I,
}

impl<I: Iterator> Iterator for Liar<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.next_calls.set(self.next_calls.get() + 1);
        self.values.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.said, Some(self.said))
    }
}

impl<I: Iterator> ExactSizeIterator for Liar<'_, I> {
    /// The first call returns `said`. Every later call returns a different, wrong length.
    fn len(&self) -> usize {
        self.len_calls.set(self.len_calls.get() + 1);
        if self.len_calls.get() == 1 { self.said } else { usize::MAX / 2 }
    }
}

#[derive(Default)]
struct Calls {
    len: Cell<usize>,
    next: Cell<usize>,
}

impl Calls {
    fn liar<I>(&self, said: usize, values: I) -> Liar<'_, I> {
        Liar { said, len_calls: &self.len, next_calls: &self.next, values }
    }
}

// ---- requests that fit, and requests that do not

#[test]
fn an_exact_fit_is_stored_by_every_method() {
    let arena = AtomicArena::with_capacity(4);
    assert_eq!(arena.alloc_slice_copy(&[1, 2, 3, 4]).unwrap(), &[1, 2, 3, 4]);
    assert!(arena.is_full());

    let arena = AtomicArena::with_capacity(4);
    let words = ["a", "b", "c", "d"].map(String::from);
    assert_eq!(arena.alloc_slice_clone(&words).unwrap(), &words);
    assert!(arena.is_full());

    let arena = AtomicArena::with_capacity(4);
    assert_eq!(arena.alloc_slice_with(4, |i| i * 10).unwrap(), &[0, 10, 20, 30]);
    assert!(arena.is_full());

    let arena = AtomicArena::with_capacity(4);
    assert_eq!(arena.alloc_from_iter(words.clone()).unwrap(), &words);
    assert!(arena.is_full());

    let arena = AtomicArena::with_capacity(4);
    assert_eq!(arena.alloc_array(words.clone()).unwrap(), &words);
    assert!(arena.is_full());

    let arena = AtomicArena::with_capacity(4);
    assert_eq!(arena.alloc_vec(words.to_vec()).unwrap(), &words);
    assert!(arena.is_full());

    let arena = AtomicArena::with_capacity(4);
    assert_eq!(arena.alloc_str("näh").unwrap(), "näh");
    assert!(arena.is_full());
}

/// Asserts that `slice` is the four published values that fill the arena, and that `first` is the
/// index of the first value.
#[track_caller]
fn assert_published<T: PartialEq + std::fmt::Debug + Sync>(arena: &AtomicArena<T>, first: usize, slice: &[T]) {
    assert_eq!((first, arena.get_slice(0..4)), (0, Some(slice)));
    assert!(std::ptr::eq(arena.get(3).unwrap(), &slice[3]));
    assert!(arena.is_full());
}

#[test]
fn an_exact_fit_is_published_by_every_method() {
    let arena = AtomicArena::with_capacity(4);
    let (first, slice) = arena.publish_slice_copy(&[1, 2, 3, 4]).unwrap();
    assert_eq!(slice, [1, 2, 3, 4]);
    assert_published(&arena, first, slice);

    let words = ["a", "b", "c", "d"].map(String::from);
    let arena = AtomicArena::with_capacity(4);
    let (first, slice) = arena.publish_slice_clone(&words).unwrap();
    assert_eq!(slice, words);
    assert_published(&arena, first, slice);

    let arena = AtomicArena::with_capacity(4);
    let (first, slice) = arena.publish_from_iter(words.clone()).unwrap();
    assert_eq!(slice, words);
    assert_published(&arena, first, slice);

    let arena = AtomicArena::with_capacity(4);
    let (first, array): (usize, &[String; 4]) = arena.publish_array(words.clone()).unwrap();
    assert_eq!(*array, words);
    assert_published(&arena, first, array);

    let arena = AtomicArena::with_capacity(4);
    let (first, text): (usize, &str) = arena.publish_str("näh").unwrap();
    assert_eq!(text, "näh");
    assert_published(&arena, first, text.as_bytes());
}

#[test]
fn one_value_too_many_is_refused_by_every_method_and_nothing_is_taken() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(5));
    arena.alloc(9_u8).unwrap();
    arena.alloc(9).unwrap();
    let numbers = |requested: usize, remaining: usize| assert_eq!((requested, remaining), (4, 3));
    for _ in 0..5 {
        let full = arena.alloc_slice_copy(&[1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.alloc_slice_clone(&[1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.alloc_slice_with(4, |_| panic!("called")).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.alloc_from_iter([1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.alloc_array([1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.alloc_vec(vec![1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.alloc_str("four").unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.reserve(4).map(|_| ()).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.publish_slice_copy(&[1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.publish_slice_clone(&[1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.publish_from_iter([1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        let full = arena.publish_array([1; 4]).unwrap_err();
        numbers(full.requested(), full.remaining());
        assert_eq!(full.into_inner(), [1; 4]);
        let full = arena.publish_str("four").unwrap_err();
        numbers(full.requested(), full.remaining());
        assert_eq!((arena.count(), arena.index_bound()), (2, 2));
    }
    assert_eq!(arena.alloc_slice_copy(&[1; 3]).unwrap().len(), 3);
    assert!(arena.is_full());
}

#[test]
fn runs_are_contiguous_and_follow_one_another() {
    let arena = AtomicArena::with_capacity(10);
    arena.alloc(0_u32).unwrap();
    let first: &[u32] = arena.alloc_slice_copy(&[1, 2]).unwrap();
    let second: &[u32] = arena.alloc_from_iter([3, 4, 5]).unwrap();
    let third: &[u32; 2] = arena.alloc_array([6, 7]).unwrap();
    let index = |value| arena.index_of(value).unwrap();
    let at = run_after(1, 2);
    assert_eq!(first.iter().map(index).collect::<Vec<_>>(), [at, at + 1]);
    assert_eq!(second.iter().map(index).collect::<Vec<_>>(), [at + 2, at + 3, at + 4]);
    assert_eq!(third.iter().map(index).collect::<Vec<_>>(), [at + 5, at + 6]);
}

#[test]
fn slices_can_be_written_and_kept_together() {
    let arena = AtomicArena::with_capacity(6);
    let a = arena.alloc_slice_copy(&[1, 2, 3]).unwrap();
    let b = arena.alloc_slice_copy(&[4, 5, 6]).unwrap();
    a.swap_with_slice(b);
    assert_eq!((&*a, &*b), (&[4, 5, 6][..], &[1, 2, 3][..]));
}

#[test]
fn an_empty_request_always_succeeds() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(1_u8).unwrap();
    for _ in 0..3 {
        assert_eq!(arena.alloc_slice_copy(&[]).unwrap(), &[]);
        assert_eq!(arena.alloc_slice_clone(&[]).unwrap(), &[]);
        assert_eq!(arena.alloc_slice_with(0, |_| panic!("called")).unwrap(), &[]);
        assert_eq!(arena.alloc_from_iter([]).unwrap(), &[]);
        assert_eq!(arena.alloc_array([]).unwrap(), &[]);
        assert_eq!(arena.alloc_vec(Vec::new()).unwrap(), &[]);
        assert_eq!(arena.alloc_str("").unwrap(), "");
        assert_eq!(arena.alloc_prefix_clone(&[]), &[]);
        // The index of an empty slice is the capacity.
        assert_eq!(arena.publish_slice_copy(&[]).unwrap(), (1, &[][..]));
        assert_eq!(arena.publish_slice_clone(&[]).unwrap(), (1, &[][..]));
        assert_eq!(arena.publish_from_iter([]).unwrap(), (1, &[][..]));
        assert_eq!(arena.publish_array([]).unwrap(), (1, &[]));
        assert_eq!(arena.publish_str("").unwrap(), (1, ""));
        assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (1, 0, 1));
        assert_eq!(arena.iter().count(), 0);
    }
}

#[test]
fn a_run_is_served_by_vacant_slots_only_if_they_lie_side_by_side() {
    let arena = AtomicArena::with_capacity(8);
    punch_holes(&arena);
    assert!(arena.alloc_slice_copy(&[1, 2]).is_err());
    arena.alloc_slice_copy(&[1]).unwrap();
    arena.alloc_from_iter([2]).unwrap();
    arena.alloc_array([3]).unwrap();
    arena.alloc_vec(vec![4]).unwrap();
    let full = arena.alloc_slice_copy(&[5]).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (1, 0));
}

/// Returns an arena in which each slot holds a value, except for the given runs, which are vacant.
fn with_vacant_runs(capacity: usize, vacant: &[std::ops::Range<usize>]) -> AtomicArena<usize> {
    let arena = AtomicArena::with_capacity(capacity);
    let mut all: Vec<_> = (0..capacity).map(|_| arena.reserve(1).unwrap()).collect();
    all.sort_by_key(|run| run.first_index());
    let (holes, full): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|slot| vacant.iter().any(|run| run.contains(&slot.first_index())));
    for mut slot in full {
        slot.push(usize::MAX).unwrap();
        slot.finish();
    }
    drop(holes);
    assert_eq!((arena.remaining(), arena.index_bound()), (vacant.iter().map(ExactSizeIterator::len).sum(), capacity));
    arena
}

#[test]
fn vacant_slots_side_by_side_serve_every_method() {
    type Store = fn(&AtomicArena<usize>) -> Option<usize>;
    let methods: [Store; 9] = [
        |arena| arena.index_of(&arena.alloc_slice_copy(&[1, 2, 3]).ok()?[0]),
        |arena| arena.index_of(&arena.alloc_slice_clone(&[1, 2, 3]).ok()?[0]),
        |arena| arena.index_of(&arena.alloc_slice_with(3, |i| i).ok()?[0]),
        |arena| arena.index_of(&arena.alloc_from_iter([1, 2, 3]).ok()?[0]),
        |arena| arena.index_of(&arena.alloc_array([1, 2, 3]).ok()?[0]),
        |arena| arena.index_of(&arena.alloc_vec(vec![1, 2, 3]).ok()?[0]),
        |arena| {
            Some(arena.alloc_prefix_clone(&[1, 2, 3]))
                .filter(|all| all.len() == 3)
                .map(|all| arena.index_of(&all[0]))?
        },
        |arena| {
            let mut run = arena.reserve(3).ok()?;
            run.fill_from_iter(1..);
            Some(run.publish().0)
        },
        |arena| {
            let mut run = arena.reserve_up_to(3);
            run.fill_from_iter(1..);
            Some(run.finish()).filter(|all| all.len() == 3).map(|all| arena.index_of(&all[0]))?
        },
    ];
    for store in methods {
        // Each method stores three values. Vacant runs of one or two slots are too short for them.
        let mut arena = with_vacant_runs(20, &[1..3, 5..8, 10..11, 12..18]);
        let mut got: Vec<_> = (0..3).map(|_| store(&arena)).collect();
        got.sort_unstable();
        assert_eq!(got, [Some(5), Some(12), Some(15)]);
        // The remaining slots are free, but at most two of them are contiguous.
        assert_eq!(arena.remaining(), 3);
        assert_eq!(arena.reserve(3).unwrap_err().remaining(), 0);
        assert_eq!(arena.reserve(2).unwrap().first_index(), 1);
        assert_room(&arena, 3, || 0);
        assert_eq!(arena.iter_mut().count(), 20);
    }
}

/// Each block of 1,024 slots has its own count of vacant slots, so a run across a border is counted
/// in two blocks.
#[test]
fn vacant_slots_side_by_side_are_found_across_the_borders_of_counted_blocks() {
    let rows = [
        (1_020..1_030, [0..1, 2_040..2_048]),
        (1_015..1_024, [0..0, 1_025..1_030]),
        (1_024..1_034, [1_000..1_009, 2_047..2_052]),
        (2_040..2_050, [0..0, 0..0]),
        (1_000..2_100, [5..600, 0..0]),
    ];
    for (run, [before, behind]) in rows.into_iter().take(scaled(5, 2)) {
        let (len, holes) = (run.len(), [before, run.clone(), behind]);
        let mut arena = with_vacant_runs(3_000, &holes);
        let free = arena.remaining();
        assert_eq!(arena.reserve(len + 1).unwrap_err().remaining(), 0);
        let mut slots = arena.reserve(len).unwrap();
        assert_eq!(slots.first_index(), run.start);
        assert_eq!(slots.fill_from_iter(run.clone()), len);
        assert_eq!(slots.publish().0, run.start);
        assert!(arena.reserve(len).is_err());
        assert_room(&arena, free - len, || 0);
        assert_eq!(arena.iter_mut().count(), 3_000);
        assert!(arena.iter().map(|(index, value)| (index, *value)).eq(run.map(|index| (index, index))));
    }
}

#[test]
fn bulk_values_of_zero_size_are_counted() {
    let mut arena = runs_from_cursor(AtomicArena::with_capacity(10));
    assert_eq!(arena.alloc_slice_copy(&[(); 4]).unwrap().len(), 4);
    assert_eq!(arena.alloc_vec(vec![(); 5]).unwrap().len(), 5);
    assert!(arena.alloc_array([(); 2]).is_err() && arena.publish_slice_copy(&[(); 2]).is_err());
    assert_room(&arena, 1, || ());
    assert_eq!(arena.drain().count(), 10);
}

#[test]
fn published_values_of_no_size_have_indices() {
    let arena = AtomicArena::with_capacity(9).in_order();
    assert_eq!(arena.publish_slice_clone(&[(); 4]).unwrap(), (0, &[(); 4][..]));
    assert_eq!(arena.publish_array([(); 2]).unwrap(), (4, &[(); 2]));
    assert_eq!(arena.publish_from_iter([(); 3]).unwrap().0, 6);
    assert_eq!((arena.iter().count(), arena.get_slice(0..9).unwrap().len()), (9, 9));
}

// ---- what is not visible while user code runs

#[test]
fn nothing_is_visible_before_the_last_value_is_made_or_after_a_panic() {
    // If user code allocates a slot above the run, returning the run cannot retract the cursor. The
    // slots become vacant instead.
    for (neighbour, panic_at) in [(false, 9), (true, 9), (false, 0), (false, 3), (true, 0), (true, 3)] {
        let ledger = Ledger::new();
        let arena = runs_from_cursor(AtomicArena::with_capacity(8));
        let look = |made: usize| {
            assert_eq!((arena.iter().count(), arena.stats().handles), (0, 0));
            assert!((0..8).all(|index| arena.get(index).is_none()), "visible after {made} of 4");
            if neighbour && made == 0 {
                arena.alloc(ledger.value()).unwrap();
            }
            assert_ne!(made, panic_at, "here");
        };
        let mut published = None;
        let iter = (0..4).map(|made| {
            look(made);
            ledger.value()
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            published = Some(arena.publish_from_iter(iter).unwrap());
        }));
        let neighbours = usize::from(neighbour);
        match published {
            Some((first, slice)) => {
                assert!(done.is_ok() && panic_at == 9);
                assert_eq!(arena.get_slice(first..first + 4).map(<[_]>::len), Some(slice.len()));
                assert_eq!((arena.count(), ledger.dropped()), (4 + neighbours, 0));
                assert_room(&arena, 4 - neighbours, || ledger.value());
            }
            None => {
                assert!(done.is_err());
                assert_eq!((arena.iter().count(), arena.count()), (0, neighbours));
                assert_eq!(ledger.dropped(), panic_at);
                assert_eq!(arena.stats().high_water, if neighbour { arena.index_bound() } else { 4 });
                assert_room(&arena, 8 - neighbours, || ledger.value());
                assert_eq!(arena.iter().count(), 0);
            }
        }
    }
}

#[test]
fn a_clone_that_panics_publishes_nothing() {
    let ledger = Ledger::with_clones(2);
    let source = ledger.values(4);
    let arena = AtomicArena::with_capacity(5);
    assert_eq!(panic_of(|| _ = arena.publish_slice_clone(&source)), "clone refused");
    assert_eq!((ledger.alive(), arena.iter().count()), (vec![0, 1, 2, 3], 0));
    assert_room(&arena, 5, || ledger.value());
    assert_eq!(arena.iter().count(), 0);
}

#[test]
fn an_iterator_whose_drop_panics_stores_nothing() {
    struct Mine<I>(I);
    impl<I: Iterator> Iterator for Mine<I> {
        type Item = I::Item;
        fn next(&mut self) -> Option<I::Item> {
            self.0.next()
        }
    }
    impl<I: ExactSizeIterator> ExactSizeIterator for Mine<I> {
        fn len(&self) -> usize {
            self.0.len()
        }
    }
    impl<I> Drop for Mine<I> {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(4);
    assert_eq!(panic_of(|| _ = arena.publish_from_iter(Mine(ledger.values(3).into_iter()))), "dropped");
    assert_eq!(panic_of(|| _ = arena.alloc_from_iter(Mine(ledger.values(3).into_iter()))), "dropped");
    assert_eq!((arena.count(), arena.iter().count(), ledger.dropped()), (0, 0, 6));
    assert_room(&arena, 4, || ledger.value());
}

#[test]
fn methods_that_fill_a_run_before_they_return_count_no_handle() {
    let arena = AtomicArena::<usize>::with_capacity(100);
    let handles = || arena.stats().handles;
    assert_eq!(arena.alloc_slice_with(3, |_| handles()).unwrap(), [0; 3]);
    assert_eq!(arena.alloc_from_iter((0..3).map(|_| handles())).unwrap(), [0; 3]);
    assert_eq!(arena.publish_from_iter((0..3).map(|_| handles())).unwrap().1, [0; 3]);
    // User code leaks a reservation during the call. Its slots are counted and reclaimed
    // independently of the call.
    arena
        .alloc_slice_with(2, |place| {
            std::mem::forget(arena.reserve(2).unwrap());
            place
        })
        .unwrap();
    let mut arena = arena;
    assert_eq!((arena.stats().handles, arena.iter_mut().count()), (2, 11));
    assert_room(&arena, 89, || 0);
}

#[test]
fn a_panic_counts_the_whole_slice_as_written() {
    let arena = AtomicArena::with_capacity(20);
    panic_of(|| _ = arena.alloc_slice_with(8, |place| assert_eq!(place, 0, "here")));
    assert_eq!((arena.count(), arena.stats().high_water), (0, 8));
    // Slots that an iterator did not fill do not count as written.
    let calls = Calls::default();
    arena.alloc_from_iter(calls.liar(16, [(); 3].into_iter())).unwrap();
    assert_eq!((arena.count(), arena.stats().high_water), (3, 8));
}

// ---- alloc_slice_clone, alloc_slice_with

#[test]
fn alloc_slice_with_passes_the_position_in_the_slice() {
    let arena = AtomicArena::with_capacity(8);
    arena.alloc(99).unwrap();
    assert_eq!(arena.alloc_slice_with(3, |i| i).unwrap(), &[0, 1, 2]);
    assert_eq!(arena.alloc_slice_with(3, |i| i).unwrap(), &[0, 1, 2]);
}

#[test]
fn alloc_slice_clone_leaves_the_source_unchanged() {
    let ledger = Ledger::new();
    let source = ledger.values(3);
    let arena = AtomicArena::with_capacity(3);
    let clones = arena.alloc_slice_clone(&source).unwrap();
    assert_eq!(clones.iter().map(|v| v.id).collect::<Vec<_>>(), [3, 4, 5]);
    drop(arena);
    assert_eq!(ledger.alive(), [0, 1, 2]);
    drop(source);
    assert_eq!(ledger.dropped(), 6);
}

#[test]
fn a_clone_that_panics_midway_returns_every_slot() {
    let ledger = Ledger::with_clones(2);
    let source = ledger.values(4);
    let arena = AtomicArena::with_capacity(5);
    let message = panic_of(|| _ = arena.alloc_slice_clone(&source));
    assert_eq!(message, "clone refused");
    assert_eq!(ledger.alive(), [0, 1, 2, 3], "not exactly the values of the source are alive");
    assert_room(&arena, 5, || ledger.value());
    drop(arena);
    drop(source);
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn a_closure_that_panics_midway_returns_every_slot() {
    for at in 0..4 {
        let ledger = Ledger::new();
        let arena = AtomicArena::with_capacity(6);
        arena.alloc(ledger.value()).unwrap();
        panic_of(|| {
            let _ = arena.alloc_slice_with(4, |i| {
                assert_ne!(i, at, "here");
                ledger.value()
            });
        });
        assert_eq!((ledger.made(), ledger.dropped()), (1 + at, at));
        assert_room(&arena, 5, || ledger.value());
        drop(arena);
        assert_eq!(ledger.dropped(), ledger.made());
    }
}

#[test]
fn a_panic_midway_below_a_neighbour_leaves_vacant_slots() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(8);
    panic_of(|| {
        let _ = arena.alloc_slice_with(4, |i| {
            if i == 2 {
                arena.alloc(ledger.value()).unwrap();
                panic!("midway");
            }
            ledger.value()
        });
    });
    assert_eq!((ledger.made(), ledger.dropped()), (3, 2));
    assert_eq!((arena.count(), arena.remaining()), (1, 7));
    assert_room(&arena, 7, || ledger.value());
    drop(arena);
    assert_eq!(ledger.dropped(), ledger.made());
}

// ---- iterators

#[test]
fn an_iterator_shorter_than_its_len_gives_a_shorter_slice() {
    let arena = AtomicArena::with_capacity(6);
    let calls = Calls::default();
    let slice = arena.alloc_from_iter(calls.liar(5, 0..3)).unwrap();
    assert_eq!(slice, &[0, 1, 2]);
    assert_eq!(calls.len.get(), 1, "the number of calls of `len`");
    assert_room(&arena, 3, || 0);
}

#[test]
fn publish_from_iter_believes_no_length_either() {
    let arena = AtomicArena::with_capacity(6).in_order();
    let calls = Calls::default();
    assert_eq!(arena.publish_from_iter(calls.liar(5, 0..3)).unwrap(), (0, &[0, 1, 2][..]));
    assert_eq!((calls.len.get(), calls.next.get()), (1, 4));
    let calls = Calls::default();
    assert_eq!(arena.publish_from_iter(calls.liar(2, 0..)).unwrap(), (3, &[0, 1][..]));
    assert_eq!((calls.len.get(), calls.next.get()), (1, 2));
    // Nothing was stored, so the index is the capacity.
    let calls = Calls::default();
    assert_eq!(arena.publish_from_iter(calls.liar(1, 0..0)).unwrap(), (6, &[][..]));
    for said in [2, usize::MAX] {
        let calls = Calls::default();
        let full = arena.publish_from_iter(calls.liar(said, 0..2)).map(|_| ()).unwrap_err();
        assert_eq!((full.requested(), full.remaining(), calls.next.get()), (said, 1, 0));
        assert_eq!(full.into_inner().values, 0..2);
    }
    assert_eq!(arena.iter().map(|(index, _)| index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_room(&arena, 1, || 0);
}

#[test]
fn an_iterator_longer_than_its_len_is_not_read_to_its_end() {
    let arena = AtomicArena::with_capacity(6);
    let calls = Calls::default();
    let slice = arena.alloc_from_iter(calls.liar(2, 0..)).unwrap();
    assert_eq!(slice, &[0, 1]);
    assert_eq!((calls.len.get(), calls.next.get()), (1, 2));
    assert_room(&arena, 4, || 0);
}

#[test]
fn an_iterator_of_length_zero_is_not_read() {
    let arena = AtomicArena::with_capacity(2);
    let calls = Calls::default();
    assert_eq!(arena.alloc_from_iter(calls.liar(0, 0..)).unwrap(), &[]);
    assert_eq!((calls.len.get(), calls.next.get()), (1, 0));
    assert_room(&arena, 2, || 0);
}

#[test]
fn an_iterator_that_ends_at_once_takes_no_slot() {
    let arena = AtomicArena::<u32>::with_capacity(4);
    let calls = Calls::default();
    assert_eq!(arena.alloc_from_iter(calls.liar(4, std::iter::empty())).unwrap(), &[]);
    assert_room(&arena, 4, || 0);
}

#[test]
fn an_iterator_whose_len_is_too_large_is_returned_unused() {
    let arena = AtomicArena::with_capacity(4);
    for said in [5, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
        let calls = Calls::default();
        let full = arena.alloc_from_iter(calls.liar(said, 0..2)).map(|_| ()).unwrap_err();
        assert_eq!((full.requested(), full.remaining()), (said, 4));
        assert_eq!((calls.len.get(), calls.next.get()), (1, 0));
        assert_eq!(full.into_inner().values, 0..2);
    }
    assert_room(&arena, 4, || 0);
}

#[test]
fn a_short_iterator_below_a_neighbour_leaves_vacant_slots() {
    let arena = AtomicArena::with_capacity(8);
    let calls = Calls::default();
    let values = (0..2).inspect(|_| drop(arena.alloc(100)));
    let slice = arena.alloc_from_iter(calls.liar(5, values)).unwrap();
    assert_eq!(slice, &[0, 1]);
    assert_eq!((arena.count(), arena.remaining()), (4, 4));
    assert_room(&arena, 4, || 0);
}

#[test]
fn an_iterator_that_panics_returns_every_slot() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(4);
    panic_of(|| {
        let values = (0..4).map(|i| if i == 3 { panic!("at {i}") } else { ledger.value() });
        let _ = arena.alloc_from_iter(values);
    });
    assert_eq!((ledger.made(), ledger.dropped()), (3, 3));
    assert_room(&arena, 4, || ledger.value());
}

#[test]
fn a_len_that_panics_takes_nothing() {
    struct NoLength;
    impl Iterator for NoLength {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            None
        }
    }
    impl ExactSizeIterator for NoLength {
        fn len(&self) -> usize {
            panic!("no length")
        }
    }
    let arena = AtomicArena::with_capacity(2);
    assert_eq!(panic_of(|| _ = arena.alloc_from_iter(NoLength)), "no length");
    assert_room(&arena, 2, || 0);
}

#[test]
fn an_iterator_may_allocate_in_the_same_arena() {
    let arena = AtomicArena::<u32>::with_capacity(8);
    let outer = arena.alloc_from_iter((0..3).map(|i| *arena.alloc(i + 10).unwrap())).unwrap();
    assert_eq!(outer, &[10, 11, 12]);
    assert_eq!(arena.count(), 6);

    let nested = arena.alloc_from_iter((0..1).map(|_| arena.alloc_slice_copy(&[5]).unwrap()[0])).unwrap();
    assert_eq!(nested, &[5]);
    assert!(arena.is_full());

    let arena = AtomicArena::<u32>::with_capacity(8);
    let inner = |i| arena.publish_array([i, i + 10]).unwrap().1[1];
    let (first, outer) = arena.publish_from_iter((0..2).map(inner)).unwrap();
    assert_eq!((outer, arena.get_slice(first..first + 2)), (&[10, 11][..], Some(outer)));
    assert_eq!((arena.count(), arena.iter().count()), (6, 6));
}

#[test]
fn clone_may_allocate_in_the_same_arena() {
    struct Copies<'a>(&'a AtomicArena<Copies<'a>>, u32);
    impl Clone for Copies<'_> {
        fn clone(&self) -> Self {
            let spare = self.0.alloc(Copies(self.0, self.1 + 100)).map_err(|_| "full").unwrap();
            Copies(self.0, spare.1)
        }
    }
    let arena = AtomicArena::with_capacity(4);
    let source = [Copies(&arena, 1), Copies(&arena, 2)];
    let clones = arena.alloc_slice_clone(&source).unwrap();
    assert_eq!([clones[0].1, clones[1].1], [101, 102]);
    assert!(arena.is_full());
}

// ---- alloc_vec, alloc_array

#[test]
fn alloc_vec_moves_its_values() {
    // A clone would panic, because the ledger allows none.
    let ledger = Ledger::with_clones(0);
    let arena = AtomicArena::with_capacity(5);
    let mut values = ledger.values(5);
    values.reserve(100);
    let slice = arena.alloc_vec(values).unwrap();
    assert_eq!(slice.iter().map(|v| v.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!((ledger.made(), ledger.dropped()), (5, 0));
    drop(arena);
    assert_eq!(ledger.dropped(), 5);
}

#[test]
fn a_refused_vec_is_returned_unchanged() {
    let ledger = Ledger::new();
    let arena = AtomicArena::with_capacity(2);
    let mut values = ledger.values(3);
    values.reserve(10);
    let (address, capacity) = (values.as_ptr(), values.capacity());
    let values = arena.alloc_vec(values).unwrap_err().into_inner();
    assert_eq!((values.as_ptr(), values.capacity(), values.len()), (address, capacity, 3));
    assert_eq!(ledger.dropped(), 0);
}

#[test]
fn alloc_array_moves_its_values_and_keeps_the_length_in_the_type() {
    let ledger = Ledger::with_clones(0);
    let arena = AtomicArena::with_capacity(4);
    let [a, b, c] = arena.alloc_array([ledger.value(), ledger.value(), ledger.value()]).unwrap();
    assert_eq!([a.id, b.id, c.id], [0, 1, 2]);
    let back = arena.alloc_array([ledger.value(), ledger.value()]).unwrap_err().into_inner();
    assert_eq!(back.len(), 2);
    assert_eq!(ledger.dropped(), 0);
    drop(back);
    drop(arena);
    assert_eq!((ledger.made(), ledger.dropped()), (5, 5));
}

#[test]
fn alloc_array_of_nothing_succeeds_in_a_full_arena() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(String::new()).unwrap();
    let none: &mut [String; 0] = arena.alloc_array([]).unwrap();
    assert!(none.is_empty());
}

// ---- alloc_str

#[test]
fn alloc_str_returns_mutable_text() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(16));
    let greeting = arena.alloc_str("grüß").unwrap();
    let name = arena.alloc_str("gott").unwrap();
    greeting.make_ascii_uppercase();
    assert_eq!((&*greeting, &*name), ("GRüß", "gott"));
    assert_eq!(arena.count(), 10);
    let full = arena.alloc_str("1234567").unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (7, 6));
}

// ---- alloc_prefix_clone

#[test]
fn alloc_prefix_clone_stores_what_fits() {
    let arena = AtomicArena::with_capacity(5);
    let words = ["a", "b", "c"].map(String::from);
    assert_eq!(arena.alloc_prefix_clone(&words), &words);
    assert_eq!(arena.alloc_prefix_clone(&words), &words[..2]);
    assert_eq!(arena.alloc_prefix_clone(&words), &words[..0]);
    assert!(arena.is_full());
}

#[test]
fn alloc_prefix_clone_uses_one_vacant_slot_when_the_cursor_is_at_the_end() {
    let arena = AtomicArena::with_capacity(4);
    punch_holes(&arena);
    for _ in 0..2 {
        assert_eq!(arena.alloc_prefix_clone(&[7, 8, 9]), &[7]);
    }
    assert_eq!(arena.alloc_prefix_clone(&[7, 8, 9]), &[]);
}

#[test]
fn alloc_prefix_clone_clones_no_more_than_fits() {
    let ledger = Ledger::new();
    let source = ledger.values(5);
    let arena = AtomicArena::with_capacity(2);
    assert_eq!(arena.alloc_prefix_clone(&source).len(), 2);
    assert_eq!(ledger.made(), 7);
}

#[test]
fn a_clone_that_panics_in_alloc_prefix_clone_returns_every_slot() {
    let ledger = Ledger::with_clones(1);
    let source = ledger.values(3);
    let arena = AtomicArena::with_capacity(2);
    panic_of(|| _ = arena.alloc_prefix_clone(&source));
    assert_eq!(ledger.alive(), [0, 1, 2]);
    assert_room(&arena, 2, || ledger.value());
}
