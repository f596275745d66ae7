//! Tests of the numbered invariants in docs/design.md, each with the number in its name. Parts of
//! invariants 11 and 12 say what must not compile, which `checks/compile-fail` tests. Invariant 14
//! is about the models, and `progress` and `allocations` test invariant 15.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;
use std::sync::{Barrier, MutexGuard, OnceLock};
use std::thread;

use atomicarena::{AtomicArena, Drain, Iter, Local, Reservation};

use crate::allocations::metered;
use crate::payload::{Ledger, SHARDS_FORCED, Writers, assert_room, panic_of, punch_holes, runs_from_cursor, scaled};

#[test]
fn invariant_01_a_slot_is_handed_out_once_per_epoch() {
    let new = || AtomicArena::with_capacity(20);
    for (mut arena, in_order) in [(new(), !SHARDS_FORCED), (new().in_order(), true)] {
        for _ in 0..3 {
            let mut given = Vec::new();
            while let Ok((index, _)) = arena.publish(0) {
                given.push(index);
                if let Ok(slice) = arena.alloc_slice_copy(&[1, 2]) {
                    let first = arena.index_of(&slice[0]).unwrap();
                    given.extend([first, first + 1]);
                }
            }
            if !in_order {
                given.sort_unstable();
            }
            assert!(given.iter().copied().eq(0..20), "one thread was not given 0, 1, 2 and so on: {given:?}");
            arena.reset();
        }
    }
}

#[test]
fn invariant_01_a_refusal_beside_a_return_hands_no_slot_out_twice() {
    // Two threads share two free slots. One thread repeatedly takes and returns one slot, and the
    // other takes and returns a run of two, so requests are often refused. Each thread writes its
    // name into the slots that it gets, and must find its name there.
    let arena = AtomicArena::with_capacity(4);
    arena.alloc_slice_copy(&[0; 2]).unwrap();
    let barrier = Barrier::new(2);
    let work = |name: usize| {
        barrier.wait();
        for _ in 0..scaled(20_000, 50) {
            if let Ok(mut run) = arena.reserve(name) {
                run.fill_from_iter(std::iter::repeat(name));
                assert!((2..4).contains(&run.first_index()));
                assert!(run.iter().all(|value| *value == name));
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| work(1));
        scope.spawn(|| work(2));
    });
    assert_room(&arena, 2, || 0);
}

#[test]
fn invariant_02_a_request_that_cannot_fit_touches_nothing() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(10));
    arena.alloc_slice_copy(&[0; 4]).unwrap();
    for n in [7, 8, 100, usize::MAX] {
        let full = arena.reserve(n).map(|_| ()).unwrap_err();
        assert_eq!((full.requested(), full.remaining()), (n, 6));
        assert_eq!((arena.count(), arena.index_bound()), (4, 4));
    }
    assert_eq!(arena.reserve(6).unwrap().first_index(), 4);
}

#[test]
fn invariant_02_vacant_slots_serve_requests_for_one() {
    let arena = AtomicArena::with_capacity(10);
    punch_holes(&arena);
    let full = arena.alloc_slice_copy(&[1, 2]).unwrap_err();
    assert_eq!(full.requested(), 2);
    assert_eq!(arena.remaining(), 5, "the number of free slots, which is not the one in the error");
    arena.alloc(1).unwrap();
    arena.publish(2).unwrap();
    let mut run = arena.reserve(1).unwrap();
    run.push(3).unwrap();
    run.finish();
    let mut local = arena.local();
    local.alloc(4).unwrap();
    local.alloc(5).unwrap();
    assert!(local.alloc(6).is_err() && arena.alloc(6).is_err());
}

#[test]
fn invariant_03_capacity_is_exact() {
    let arena = AtomicArena::<usize>::with_capacity(40);
    let arena = &arena;
    type Act = fn(&AtomicArena<usize>) -> usize;
    let acts: [(&str, Act); 8] = [
        ("a panic in a closure", |arena| {
            panic_of(|| _ = arena.alloc_with(|| panic!()));
            0
        }),
        ("a panic behind a neighbour", |arena| {
            panic_of(|| {
                let _ = arena.alloc_with(|| panic!("{}", arena.alloc(1).unwrap()));
            });
            1
        }),
        ("a panic in a run", |arena| {
            panic_of(|| _ = arena.alloc_slice_with(3, |i| if i == 1 { panic!() } else { i }));
            0
        }),
        ("an iterator shorter than its length", |arena| {
            struct Short;
            impl Iterator for Short {
                type Item = usize;
                fn next(&mut self) -> Option<usize> {
                    None
                }
            }
            impl ExactSizeIterator for Short {
                fn len(&self) -> usize {
                    3
                }
            }
            assert_eq!(arena.alloc_from_iter(Short).unwrap().len(), 0);
            0
        }),
        ("a dropped local", |arena| {
            let mut local = arena.local_with_batch(4.try_into().unwrap());
            local.alloc(1).unwrap();
            local.publish(2).unwrap();
            arena.alloc(3).unwrap();
            3
        }),
        ("a dropped reservation", |arena| {
            let mut run = arena.reserve(3).unwrap();
            run.push(1).unwrap();
            0
        }),
        ("a dropped reservation behind a neighbour", |arena| {
            let mut run = arena.reserve(3).unwrap();
            run.push(1).unwrap();
            arena.alloc(2).unwrap();
            1
        }),
        ("a finished reservation behind a neighbour", |arena| {
            let mut run = arena.reserve(3).unwrap();
            run.push(1).unwrap();
            arena.alloc(2).unwrap();
            run.finish().len() + 1
        }),
    ];
    let mut values = 0;
    for (name, act) in acts {
        values += act(arena);
        assert_eq!((arena.count(), arena.remaining()), (values, 40 - values), "{name}");
    }
    assert_room(arena, 40 - values, || 0);
}

#[test]
fn invariant_03_a_run_of_every_length_is_returned_from_every_position() {
    for taken in 0..4 {
        for n in 1..=4 - taken {
            // `in_order`, because the returned slots are requested again as a run.
            let arena = AtomicArena::with_capacity(4).in_order();
            arena.alloc_slice_with(taken, |i| i).unwrap();
            drop(arena.reserve(n).unwrap());
            panic_of(|| _ = arena.alloc_slice_with(n, |i| if i + 1 == n { panic!() } else { i }));
            panic_of(|| _ = arena.publish_with(|_| panic!()));
            panic_of(|| {
                _ = arena.local_with_batch(n.try_into().unwrap()).alloc_with(|| panic!());
            });
            assert_room(&arena, 4 - taken, || 0);
        }
    }
}

#[test]
fn invariant_04_e1_writes_before_publish_are_visible_after_get() {
    let n = scaled(10_000, 50);
    let arena = AtomicArena::with_capacity(n);
    let writers = Writers::new(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _writer = writers.begin();
            for i in 0..n {
                arena.publish(vec![i; 3]).unwrap();
            }
        });
        scope.spawn(|| {
            for i in 0..n {
                assert_eq!(*writers.wait_for(|| arena.get(i)), [i; 3]);
            }
        });
    });
}

#[test]
fn invariant_04_e2_a_returned_slot_belongs_to_its_next_owner_alone() {
    // Two threads own one slot in turn, and write to it with no synchronization except that of the
    // arena. A tool that checks the memory model detects a missing edge. Without such a tool, the
    // test fails only if a write is lost.
    let arena = AtomicArena::<[usize; 8]>::with_capacity(1);
    thread::scope(|scope| {
        for name in 1..=2 {
            let arena = &arena;
            scope.spawn(move || {
                for _ in 0..scaled(10_000, 50) {
                    if let Ok(mut run) = arena.reserve(1) {
                        run.push([name; 8]).unwrap();
                        run[0].iter_mut().for_each(|value| *value += 10);
                        assert_eq!(run[0], [name + 10; 8]);
                    }
                }
            });
        }
    });
    assert_room(&arena, 1, || [0; 8]);
}

/// The way in which a run of [`every_row_of_runs`] ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Leaked,
    Finished,
    HalfFinished,
    Published,
    Dropped,
}

/// Calls `f` with every row of three runs, each with one to three slots and one way to end. Under
/// Miri, calls it with a sample of the rows.
fn every_row_of_runs(mut f: impl FnMut([(usize, End); 3])) {
    use End::*;
    let ends = [Leaked, Finished, HalfFinished, Published, Dropped];
    let kinds: Vec<_> = (1..=3).flat_map(|len| ends.map(|end| (len, end))).collect();
    let step = scaled(1, 293);
    for row in (0..kinds.len().pow(3)).step_by(step) {
        let n = kinds.len();
        f([kinds[row % n], kinds[row / n % n], kinds[row / n / n]]);
    }
}

#[test]
fn invariant_05_stamps_tell_which_slots_hold_values_beside_any_neighbours() {
    const CAPACITY: usize = 12;
    every_row_of_runs(|row| {
        // An earlier run that was returned must not have left a mark at either end.
        for (before, behind) in [(0, false), (0, true), (3, false), (4, true), (5, false)] {
            let mut arena = AtomicArena::with_capacity(CAPACITY);
            drop(arena.reserve(before).unwrap());
            let mut owned: Vec<usize> = vec![0];
            let mut published: Vec<usize> = Vec::new();
            arena.alloc(0).unwrap();
            let runs = row.map(|(len, _)| arena.reserve(len).unwrap());
            if behind {
                owned.push(arena.alloc_with(|| 0).map(|v| arena.index_of(v).unwrap()).unwrap());
            }
            for (mut run, (len, end)) in runs.into_iter().zip(row) {
                let first = run.first_index();
                let filled = if end == End::HalfFinished { len / 2 } else { len };
                run.fill_from_iter(first..first + filled);
                match end {
                    End::Leaked => mem::forget(run),
                    End::Dropped => drop(run),
                    End::Finished | End::HalfFinished => {
                        run.finish();
                        owned.extend(first..first + filled);
                    }
                    End::Published => {
                        run.publish();
                        published.extend(first..first + len);
                    }
                }
            }
            published.sort_unstable();
            assert!(arena.iter().map(|(i, _)| i).eq(published.iter().copied()), "{row:?}");
            let mut live: Vec<_> = owned.iter().chain(&published).copied().collect();
            live.sort();
            assert!(arena.iter_mut().map(|(i, _)| i).eq(live.iter().copied()), "{row:?}");
            assert!(arena.iter().all(|(i, v)| i == *v), "{row:?}");
            for index in 0..CAPACITY {
                assert_eq!(arena.get_mut(index).is_some(), live.contains(&index), "{row:?}");
            }
            assert_room(&arena, CAPACITY - live.len(), || 0);
            assert_eq!(arena.iter_mut().count(), CAPACITY, "{row:?}");
        }
    });
}

#[test]
fn invariant_05_settling_retracts_the_cursor() {
    let mut arena = AtomicArena::with_capacity(10);
    let runs = [2, 1, 3, 2, 1].map(|n| arena.reserve(n).unwrap());
    for (place, run) in runs.into_iter().enumerate() {
        // The runs are returned and leaked in turn. Returning the last one retracts the cursor.
        if place % 2 == 0 { drop(run) } else { mem::forget(run) }
    }
    assert_eq!(arena.get_mut(0), None);
    assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (0, 10, 0));
    assert_eq!(arena.alloc_slice_copy(&[1; 10]).unwrap().len(), 10);
}

#[test]
fn invariant_06_the_state_is_one_byte_per_slot() {
    const SLOTS: usize = 100_000;
    // A constant overhead is allowed, for example for shards.
    const ROUND: usize = 8 << 10;
    fn check<T>() {
        let (_arena, meter) = metered(|| AtomicArena::<T>::with_capacity(SLOTS));
        let slots = SLOTS * size_of::<T>();
        assert!((slots..=slots + ROUND).contains(&meter.plain_bytes), "slots: {meter:?}");
        assert!((SLOTS..=SLOTS + ROUND).contains(&meter.zeroed_bytes), "stamps: {meter:?}");
    }
    check::<u64>();
    check::<u8>();
    check::<[u64; 3]>();
    check::<(u64, u8)>();
}

#[test]
fn invariant_07_reset_leaves_a_usable_empty_arena_in_every_epoch() {
    fn check<T: Sync>(mut make: impl FnMut() -> T) {
        let mut arena = AtomicArena::with_capacity(8);
        for epoch in 0..scaled(600, 110) {
            assert_eq!(arena.publish(make()).ok().unwrap().0, 0);
            let vacant = arena.reserve(1).unwrap();
            mem::forget(arena.reserve(2).unwrap());
            assert!(arena.alloc(make()).is_ok());
            drop(vacant);
            assert!(arena.iter().map(|(i, _)| i).eq([0]), "epoch {epoch}");
            arena.reset();
            assert!((0..8).all(|index| arena.get(index).is_none()), "epoch {epoch}");
            assert_eq!((arena.count(), arena.remaining()), (0, 8), "epoch {epoch}");
        }
    }
    check(|| 7);
    let ledger = Ledger::new();
    check(|| ledger.value());
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn invariant_08_a_leaked_local_leaks_its_current_run_alone() {
    const CAPACITY: usize = scaled(1024, 128);
    for publish_each in [2, 3, 5, usize::MAX] {
        for used in (0..20).step_by(scaled(1, 3)) {
            let ledger = Ledger::new();
            let mut arena = AtomicArena::with_capacity(CAPACITY);
            let mut local = arena.local_with_batch(4.try_into().unwrap());
            // The start of the current open run. Taking or extending a run moves it, and so does
            // each published value.
            let mut run = 0;
            for place in 0..used {
                let before = arena.count();
                if place % publish_each == 1 {
                    assert_eq!(local.publish(ledger.value()).unwrap().0, place);
                    run = place + 1;
                } else {
                    local.alloc(ledger.value()).unwrap();
                    if arena.count() != before {
                        run = place;
                    }
                }
            }
            mem::forget(local);
            assert!(arena.iter_mut().map(|(_, v)| v.id).eq(0..run), "{publish_each} {used}");
            assert_eq!((arena.count(), arena.remaining()), (run, CAPACITY - run));
            drop(arena);
            assert!(ledger.alive().into_iter().eq(run..used), "{publish_each} {used}");
        }
    }
}

#[test]
fn invariant_09_runs_shrink_towards_the_end() {
    for (capacity, before_a_refusal) in [(16, 4), (scaled(1000, 200), scaled(500, 100))] {
        let arena = AtomicArena::with_capacity(capacity);
        let mut locals = [(); 4].map(|()| arena.local());
        let mut got = [0; 4];
        let turns = (0..4).cycle().take_while(|&turn| {
            let given = locals[turn].alloc(0).is_ok();
            got[turn] += usize::from(given);
            given
        });
        assert!(turns.count() >= before_a_refusal, "{got:?} of {capacity}");
        assert!(got.iter().all(|&got| got > 0), "{got:?} of {capacity}");
    }
}

#[test]
fn invariant_10_the_arena_may_hold_references_into_itself() {
    struct Node<'a> {
        name: String,
        next: Cell<Option<&'a Node<'a>>>,
        edges: RefCell<Vec<&'a Node<'a>>>,
    }
    let arena = AtomicArena::with_capacity(3);
    let node = |name: &str| {
        let name = name.to_owned();
        &*arena.alloc(Node { name, next: Cell::new(None), edges: RefCell::default() }).ok().unwrap()
    };
    let (a, b, c) = (node("a"), node("b"), node("c"));
    a.next.set(Some(b));
    b.next.set(Some(c));
    c.next.set(Some(a));
    a.edges.borrow_mut().extend([a, b, c]);
    let walk: Vec<_> = std::iter::successors(Some(a), |node| node.next.get()).take(4).collect();
    assert_eq!(walk.iter().map(|node| node.name.as_str()).collect::<String>(), "abca");
    assert_eq!(a.edges.borrow().len(), 3);
}

#[test]
fn invariant_10_a_published_graph_with_cycles_drops_what_it_owns() {
    struct Node<'a, 'l> {
        counted: crate::payload::Counted<'l>,
        next: OnceLock<&'a Node<'a, 'l>>,
    }
    let ledger = Ledger::new();
    {
        let arena = AtomicArena::with_capacity(2);
        let node = || Node { counted: ledger.value(), next: OnceLock::new() };
        let (_, a) = arena.publish(node()).ok().unwrap();
        let (_, b) = arena.publish(node()).ok().unwrap();
        assert!(a.next.set(b).is_ok() && b.next.set(a).is_ok());
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(a.next.get().unwrap().next.get().unwrap().counted.id, 0));
        });
        assert_eq!(ledger.dropped(), 0);
    }
    assert_eq!(ledger.dropped(), 2);
}

#[test]
fn invariant_10_a_value_may_point_at_its_own_slot() {
    struct Own<'a>(OnceCell<&'a Own<'a>>);
    let arena = AtomicArena::with_capacity(1);
    let own = &*arena.alloc(Own(OnceCell::new())).ok().unwrap();
    assert!(own.0.set(own).is_ok());
    assert!(std::ptr::eq(*own.0.get().unwrap(), own));
}

#[test]
fn invariant_11_values_of_different_lifetimes_stay_in_separate_arenas() {
    // If `AtomicArena` were covariant, a short-lived string could be stored in an arena of static
    // ones.
    let statics: AtomicArena<&'static str> = AtomicArena::with_capacity(2);
    let text = String::from("short");
    let shorts: AtomicArena<&str> = AtomicArena::with_capacity(2);
    shorts.alloc(text.as_str()).unwrap();
    shorts.alloc("static").unwrap();
    let mut run = statics.reserve(1).unwrap();
    run.push("static").unwrap();
    let kept: &'static str = run.finish()[0];
    drop(shorts);
    drop(text);
    assert_eq!(kept, "static");
}

/// Whether a type implements a trait. If it does, the inherent constant exists and shadows the
/// constant of the trait, which always exists.
macro_rules! implements {
    ($kind:ty: $bound:path) => {{
        #[allow(dead_code)]
        trait Otherwise {
            const HOLDS: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Ask<T: ?Sized>(PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ?Sized + $bound> Ask<T> {
            const HOLDS: bool = true;
        }
        <Ask<$kind>>::HOLDS
    }};
}

#[test]
fn invariant_11_send_and_sync_require_exactly_what_they_need() {
    type Guard = MutexGuard<'static, u32>;
    const { assert!(implements!(Guard: Sync) && !implements!(Guard: Send)) };

    const { assert!(implements!(AtomicArena<u32>: Send) && implements!(AtomicArena<u32>: Sync)) };
    // `Cell` is `Send` but not `Sync`. Owned values only move between threads, so the arena is
    // both.
    const { assert!(implements!(AtomicArena<Cell<u32>>: Send)) };
    const { assert!(implements!(AtomicArena<Cell<u32>>: Sync)) };
    // `Guard` is `Sync` but not `Send`. Another thread could receive the value and drop it, so the
    // arena is neither.
    const { assert!(!implements!(AtomicArena<Guard>: Send)) };
    const { assert!(!implements!(AtomicArena<Guard>: Sync)) };
    const { assert!(!implements!(AtomicArena<Rc<u32>>: Send)) };
    const { assert!(!implements!(AtomicArena<Rc<u32>>: Sync)) };

    const { assert!(implements!(Local<'static, u32>: Send)) };
    const { assert!(implements!(Local<'static, Cell<u32>>: Send)) };
    const { assert!(!implements!(Local<'static, Guard>: Send)) };
    const { assert!(!implements!(Local<'static, Rc<u32>>: Send)) };
    const { assert!(!implements!(Local<'static, Rc<u32>>: Sync)) };

    const { assert!(implements!(Reservation<'static, u32>: Send)) };
    const { assert!(implements!(Reservation<'static, Cell<u32>>: Send)) };
    const { assert!(!implements!(Reservation<'static, Guard>: Send)) };
    const { assert!(!implements!(Reservation<'static, Rc<u32>>: Send)) };
    const { assert!(!implements!(Reservation<'static, Rc<u32>>: Sync)) };
    const { assert!(!implements!(Reservation<'static, Cell<u32>>: Sync)) };

    const { assert!(implements!(Iter<'static, u32>: Send) && implements!(Iter<'static, u32>: Sync)) };
    const { assert!(!implements!(Iter<'static, Rc<u32>>: Send)) };
    const { assert!(implements!(Drain<'static, Cell<u32>>: Send)) };
    const { assert!(!implements!(Drain<'static, Guard>: Send)) };
    const { assert!(!implements!(Drain<'static, Rc<u32>>: Send)) };
    const { assert!(!implements!(Drain<'static, Rc<u32>>: Sync)) };
}

#[test]
fn invariant_12_owned_becomes_published_by_a_reservation_or_exclusively() {
    let mut arena = AtomicArena::with_capacity(4);
    let mut run = arena.reserve(2).unwrap();
    run.fill_from_iter([1, 2]);
    run[0] = 10;
    assert_eq!(run.publish(), (0, &[10, 2][..]));
    *arena.alloc(3).unwrap() = 30;
    assert_eq!(arena.get(2), None);
    arena.publish_all();
    assert_eq!(arena.get_slice(0..3), Some(&[10, 2, 30][..]));
}

#[test]
fn invariant_13_values_of_every_shape_are_ordinary() {
    fn check<T: Sync>(mut make: impl FnMut() -> T) {
        let mut arena = AtomicArena::with_capacity(9);
        for _ in 0..2 {
            let mut indices = BTreeSet::new();
            assert!(arena.alloc(make()).is_ok());
            let (index, value) = arena.publish(make()).ok().unwrap();
            assert_eq!(std::ptr::from_ref(value).addr() % align_of::<T>(), 0);
            indices.insert(index);
            let mut run = arena.reserve(3).unwrap();
            assert_eq!(run.fill_from_iter([make(), make()]), 2);
            let (first, slice) = run.publish();
            indices.extend(first..first + slice.len());
            indices.insert(arena.local().publish(make()).ok().unwrap().0);
            assert!(arena.iter().map(|(i, _)| i).eq(indices));
            assert_room(&arena, 4, &mut make);
            assert_eq!(arena.as_mut_slice().map(|all| all.len()), Some(9));
            arena.reset();
        }
        assert_eq!(arena.fill_with(|_| make()).len(), 9);
        assert_eq!(arena.into_iter().count(), 9);
    }
    #[repr(align(64))]
    struct Line(#[expect(dead_code)] [u8; 70]);
    #[repr(align(4096))]
    struct Page(#[expect(dead_code)] Box<u8>);
    #[repr(align(4096))]
    struct Nothing;
    check(|| ());
    check(|| Nothing);
    check(|| [(); 0]);
    check(|| -> [String; 0] { [] });
    check(|| 7_u8);
    check(|| [7_u8; 3]);
    check(|| Line([1; 70]));
    check(|| Page(Box::new(1)));
    check(|| Box::new(7) as Box<dyn std::fmt::Debug + Sync>);
    check(|| String::from("text"));
}
