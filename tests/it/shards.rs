//! Arenas whose slots come from shards because of contention, and arenas that must not use shards.
//!
//! If shards are forced, every arena on the heap or in a mapping that is not `in_order`, however
//! small, uses them as soon as it gets a request that they can serve. Otherwise arenas of 2,048
//! slots or more use them once contention has been detected. Whether threads contend depends on the
//! machine. The tests also pass if they do not, and then print a note.

use std::collections::BTreeMap;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, RwLock};
use std::thread;

use atomicarena::{AtomicArena, BorrowedArena};

use crate::payload::{
    Counted, FORCED_RUN, HAS_SHARDS, LARGE, Ledger, SHARDS_FORCED, TAKEN, Writers, assert_room, at_once, contend,
    contended, panic_of, scaled, until_contended, unused_in_shards,
};

/// A small part of `LARGE`.
const FEW: usize = scaled(200, 20);

// ---- N threads, N slots

/// A step that all threads perform in a round. The arguments are the number of the thread and the
/// number of the round.
type Step<'s> = &'s (dyn Fn(usize, usize) + Sync);

/// Runs rounds of steps. All threads perform each step at the same time, and `look` runs after the
/// last step of a round. The threads live through all rounds. The first panic ends the rounds and
/// is resumed.
fn in_step(threads: usize, rounds: usize, steps: &[Step<'_>], mut look: impl FnMut(usize)) {
    let barrier = Barrier::new(threads + 1);
    // This is set only while all threads wait for the next round, so that either all of them begin
    // it or none does.
    let over = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let attempt = |f: &mut dyn FnMut()| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
            failure.lock().unwrap().get_or_insert(panic);
        }
    };
    thread::scope(|scope| {
        for thread in 0..threads {
            let (barrier, over, attempt) = (&barrier, &over, &attempt);
            scope.spawn(move || {
                for round in 0..rounds {
                    barrier.wait();
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    for step in steps {
                        attempt(&mut || step(thread, round));
                        barrier.wait();
                    }
                }
            });
        }
        for round in 0..rounds {
            barrier.wait();
            if over.load(Ordering::Relaxed) {
                return;
            }
            for _ in steps {
                barrier.wait();
            }
            attempt(&mut || look(round));
            over.store(failure.lock().unwrap().is_some(), Ordering::Relaxed);
        }
    });
    if let Some(panic) = failure.into_inner().unwrap() {
        resume_unwind(panic);
    }
}

/// A value that counts its drops.
struct Tallied<'t> {
    id: usize,
    drops: &'t [AtomicUsize],
}

impl Drop for Tallied<'_> {
    fn drop(&mut self) {
        self.drops[self.id].fetch_add(1, Ordering::Relaxed);
    }
}

/// Stores one value and returns its index, or `None` if the arena is full. The last argument is the
/// number of the thread.
type Store = for<'t> fn(&AtomicArena<Tallied<'t>>, Tallied<'t>, usize) -> Option<usize>;

fn by_alloc<'t>(arena: &AtomicArena<Tallied<'t>>, value: Tallied<'t>, _: usize) -> Option<usize> {
    arena.alloc(value).ok().map(|value| arena.index_of(value).unwrap())
}

fn by_publish<'t>(arena: &AtomicArena<Tallied<'t>>, value: Tallied<'t>, _: usize) -> Option<usize> {
    let (index, value) = arena.publish(value).ok()?;
    assert!(arena.get(index).is_some_and(|seen| std::ptr::eq(seen, value)));
    Some(index)
}

/// Stores a value with a method that depends on the thread.
fn by_all_means<'t>(arena: &AtomicArena<Tallied<'t>>, value: Tallied<'t>, thread: usize) -> Option<usize> {
    match thread % 5 {
        0 => by_alloc(arena, value, thread),
        1 => {
            let mut run = arena.reserve(1).ok()?;
            assert!(run.push(value).is_ok());
            Some(run.publish().0)
        }
        2 => arena.local().alloc(value).ok().map(|value| arena.index_of(value).unwrap()),
        3 => by_publish(arena, value, thread),
        _ => arena.alloc_array([value]).ok().map(|array| arena.index_of(&array[0]).unwrap()),
    }
}

/// In even runs each thread stores one value. In odd runs each thread stores values until it is
/// refused. After either, one more request of each thread is refused.
fn n_threads_fill_n_slots(n: usize, runs: usize, store: Store) {
    // In one run a thread creates at most `n + 2` values: `n` that fit, one that does not, and one
    // more.
    let drops: Vec<_> = (0..n * (n + 2)).map(|_| AtomicUsize::new(0)).collect();
    let made: Vec<_> = (0..n).map(|_| AtomicUsize::new(0)).collect();
    let arena = RwLock::new(AtomicArena::with_capacity(n));
    let stored = Mutex::new(BTreeMap::new());

    let store = |thread: usize| {
        let id = thread * (n + 2) + made[thread].fetch_add(1, Ordering::Relaxed);
        let value = Tallied { id, drops: &drops };
        let index = store(&arena.read().unwrap(), value, thread)?;
        stored.lock().unwrap().entry(index).or_insert_with(Vec::new).push(id);
        Some(index)
    };
    let fill = |thread: usize, run: usize| match run % 2 {
        0 => assert!(store(thread).is_some(), "refused although there was a slot for each thread"),
        _ => assert!((0..=n).any(|_| store(thread).is_none()), "never refused"),
    };
    let ask_again = |thread: usize, _: usize| assert_eq!(store(thread), None, "more values than slots were stored");
    in_step(n, runs, &[&fill, &ask_again], |run| {
        let mut arena = arena.write().unwrap();
        let stored: Vec<_> = mem::take(&mut *stored.lock().unwrap()).into_iter().collect();
        assert!(stored.iter().map(|(index, ids)| (*index, ids.len())).eq((0..n).map(|index| (index, 1))), "{stored:?}");
        assert_eq!((arena.count(), arena.remaining(), arena.is_full(), arena.index_bound()), (n, 0, true, n));
        let mut values = arena.iter_mut().map(|(index, value)| (index, value.id));
        assert!(stored.iter().all(|(index, ids)| values.next() == Some((*index, ids[0]))) && values.next().is_none());

        let dropped = || drops.iter().map(|drops| drops.load(Ordering::Relaxed)).sum::<usize>();
        let made: usize = made.iter().map(|made| made.swap(0, Ordering::Relaxed)).sum();
        assert_eq!(dropped(), made - n, "run {run}: not exactly the refused values were dropped");
        match run / 2 % 3 {
            0 => arena.reset(),
            1 => assert_eq!(arena.drain().count(), n),
            _ => arena.reset_zeroed(),
        }
        assert_eq!(dropped(), made);
        assert!(drops.iter().all(|drops| drops.swap(0, Ordering::Relaxed) <= 1), "run {run}: dropped twice");
        assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (0, n, 0));
    });
}

fn threads_fill_as_many_slots(store: Store) {
    for &n in &[1, 2, 3, 5, 8][..scaled(5, 3)] {
        n_threads_fill_n_slots(n, scaled(1_000, 4), store);
    }
}

#[test]
fn n_threads_fill_n_slots_by_alloc() {
    threads_fill_as_many_slots(by_alloc);
}

#[test]
fn n_threads_fill_n_slots_by_publish() {
    threads_fill_as_many_slots(by_publish);
}

#[test]
fn n_threads_fill_n_slots_by_all_methods() {
    threads_fill_as_many_slots(by_all_means);
}

// ---- activation

#[test]
fn shards_are_activated_when_threads_contend() {
    for _ in 0..3 {
        let (arena, active) = contended(|| 7);
        assert_eq!((arena.count(), arena.remaining()), (TAKEN, LARGE - TAKEN));
        assert_eq!(unused_in_shards(&arena) > 0, active);
        // A request for a run is refused if too few slots are left at the cursor, even while shards
        // still serve requests for one slot.
        let at_cursor = LARGE - arena.index_bound();
        assert_eq!(arena.reserve(at_cursor + 1).unwrap_err().remaining(), at_cursor);
        assert_eq!(arena.count(), TAKEN);
        assert_room(&arena, LARGE - TAKEN, || 8);
        assert_eq!(arena.index_bound(), LARGE);
    }
}

#[test]
fn shards_are_activated_when_threads_contend_for_runs() {
    const RUN: usize = 3;
    const RUNS: usize = TAKEN / RUN;
    let ((mut arena, mut firsts), active) = until_contended(|| {
        let arena = AtomicArena::with_capacity(LARGE);
        let run = |()| arena.index_of(&arena.alloc_slice_copy(&[7_usize; RUN]).unwrap()[0]).unwrap();
        let firsts = at_once(vec![(); RUNS], run);
        // Forced shards may have at most two slots, so they serve no run of three.
        let active = SHARDS_FORCED || unused_in_shards(&arena) > 0;
        ((arena, firsts), active)
    });
    let taken = RUNS * RUN;
    assert_eq!((arena.count(), arena.remaining()), (taken, LARGE - taken));
    assert_eq!(unused_in_shards(&arena) > 0, active && FORCED_RUN != 2);
    firsts.sort_unstable();
    assert!(firsts.windows(2).all(|pair| pair[0] + RUN <= pair[1]), "two runs overlap");
    assert_eq!(arena.iter_mut().count(), taken);
    assert_room(&arena, LARGE - taken, || 8);
}

#[test]
fn shards_stay_inactive_with_one_thread_or_in_a_small_arena() {
    let alone = AtomicArena::with_capacity(LARGE);
    (0..TAKEN).for_each(|_| assert!(alone.alloc(7).is_ok()));
    assert_eq!((alone.count(), unused_in_shards(&alone) > 0), (TAKEN, SHARDS_FORCED));
    for _ in 0..scaled(50, 1) {
        let small = AtomicArena::with_capacity(2_047);
        contend(&small, vec![7; 2_001]);
        assert_eq!((small.count(), unused_in_shards(&small) > 0), (2_001, SHARDS_FORCED));
    }
}

#[test]
fn a_reset_deactivates_shards() {
    let ways: [fn(&mut AtomicArena<usize>); 4] = [
        AtomicArena::reset,
        AtomicArena::reset_zeroed,
        |arena| assert_eq!(arena.drain().count(), TAKEN),
        |arena| {
            assert_eq!(arena.compact().len(), TAKEN);
            arena.reset();
        },
    ];
    for empty in ways {
        let (mut arena, _) = contended(|| 7);
        empty(&mut arena);
        assert_eq!((arena.count(), arena.index_bound(), arena.remaining()), (0, 0, LARGE));
        assert!((0..FEW).all(|index| arena.publish(index).unwrap().0 == index));
        assert_eq!((arena.count(), unused_in_shards(&arena)), (FEW, 0));
        arena.alloc(7).unwrap();
        assert_eq!(unused_in_shards(&arena), FORCED_RUN.saturating_sub(1));
    }
}

#[test]
fn exclusive_access_deactivates_shards() {
    let (mut arena, _) = contended(|| 7);
    assert_eq!(arena.get_mut(0), Some(&mut 7));
    let bound = arena.index_bound();
    // Forced shards stay inactive until the first request that they can serve. Before that request,
    // returning a run retracts the cursor.
    for len in [2, 5, LARGE - bound].into_iter().filter(|&len| len > FORCED_RUN / 2) {
        let run = arena.reserve(len).unwrap();
        assert_eq!((run.first_index(), arena.index_bound()), (bound, bound + len));
        drop(run);
        assert_eq!((arena.index_bound(), arena.count()), (bound, TAKEN));
    }
    // Unless shards are forced, a single thread does not activate them again.
    for index in bound..bound + FEW {
        let published = arena.publish(8).unwrap().0;
        assert!(SHARDS_FORCED || (published, arena.index_bound()) == (index, index + 1));
    }
    assert_room(&arena, LARGE - TAKEN - FEW, || 8);
}

#[test]
fn in_order_never_uses_shards() {
    let mut arena = AtomicArena::with_capacity(LARGE).in_order();
    let ways: [fn(&mut AtomicArena<usize>); 5] = [
        |_| (),
        |arena| assert_eq!(arena.as_mut_slice().map(|all| all.len()), Some(TAKEN)),
        |arena| assert_eq!(arena.compact().len(), TAKEN),
        AtomicArena::reset,
        AtomicArena::reset_zeroed,
    ];
    for way in ways {
        for _ in 0..scaled(20, 1) {
            arena.reset();
            contend(&arena, vec![7; TAKEN]);
            way(&mut arena);
            let bound = arena.index_bound();
            assert_eq!((arena.publish(8).unwrap().0, arena.index_bound()), (bound, bound + 1));
            assert_eq!((arena.count(), unused_in_shards(&arena)), (bound + 1, 0));
            drop(arena.reserve(5).unwrap());
            assert_eq!(arena.index_bound(), bound + 1, "the run was not returned to the cursor");
        }
    }
}

#[test]
fn in_order_deactivates_shards() {
    let (arena, _) = contended(|| 7);
    let mut arena = arena.in_order();
    assert_eq!((arena.count(), arena.remaining()), (TAKEN, LARGE - TAKEN));
    assert_eq!(arena.iter_mut().count(), TAKEN);
    let bound = arena.index_bound();
    for index in bound..bound + FEW {
        assert_eq!((arena.publish(8).unwrap().0, arena.index_bound()), (index, index + 1));
        drop(arena.reserve(5).unwrap());
        assert_eq!(arena.index_bound(), index + 1, "the run was not returned to the cursor");
    }
    // The slots that shards held are vacant now, and are used last.
    assert_room(&arena, LARGE - TAKEN - FEW, || 9);
}

#[cfg(all(feature = "mapped", not(miri)))]
#[test]
fn in_order_survives_reset_decommit() {
    let mut arena = AtomicArena::<usize, _>::mapped(LARGE).build().unwrap().in_order();
    for _ in 0..20 {
        contend(&arena, vec![7; TAKEN]);
        assert_eq!((arena.count(), arena.index_bound()), (TAKEN, TAKEN));
        arena.reset_decommit().unwrap();
        assert_eq!((arena.publish(8).unwrap().0, arena.index_bound()), (0, 1));
        arena.reset_decommit().unwrap();
    }
}

#[cfg(all(feature = "mapped", not(miri)))]
#[test]
fn shards_of_a_mapped_arena_survive_reset_decommit() {
    let mut arena = AtomicArena::<usize, _>::mapped(LARGE).build().unwrap();
    for _ in 0..3 {
        let ((), active) = until_contended(|| {
            arena.reset_decommit().unwrap();
            contend(&arena, vec![7; TAKEN]);
            ((), unused_in_shards(&arena) > 0)
        });
        assert_eq!((arena.count(), unused_in_shards(&arena) > 0), (TAKEN, active));
        arena.reset_decommit().unwrap();
        assert_room(&arena, LARGE, || 8);
        arena.reset();
    }
}

/// Shards also work in memory that the arena has not allocated, at any alignment.
#[test]
fn shards_of_borrowed_bytes_serve_contending_threads() {
    let mut bytes = Box::<[u8]>::new_uninit_slice(BorrowedArena::<usize>::bytes_for(LARGE) + 1);
    let mut arena = AtomicArena::<usize, _>::in_bytes(&mut bytes[1..]).unwrap();
    let capacity = arena.capacity();
    // Shards are not forced in borrowed bytes.
    let mut attempts = 0..if HAS_SHARDS { scaled(200, 1) } else { 1 };
    let active = attempts.any(|_| {
        arena.reset();
        contend(&arena, vec![7; TAKEN]);
        assert_eq!((arena.count(), arena.remaining()), (TAKEN, capacity - TAKEN));
        unused_in_shards(&arena) > 0
    });
    assert!(HAS_SHARDS || !active);
    if !active {
        println!("not seen: threads that contend for borrowed bytes");
    }
    assert_room(&arena, capacity - TAKEN, || 8);
    assert_eq!(arena.iter_mut().count(), capacity);
}

// ---- contention

const MANY: usize = scaled(100_000, 120);

/// Several threads store indices until the arena is full. Meanwhile `watch` is called repeatedly.
fn hammer(arena: &AtomicArena<usize>, watch: impl Fn()) {
    const THREADS: usize = 4;
    let writers = Writers::new(THREADS);
    let barrier = Barrier::new(THREADS + 1);
    let stored = AtomicUsize::new(0);
    let given = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (writers, barrier, stored) = (&writers, &barrier, &stored);
                scope.spawn(move || {
                    let _writing = writers.begin();
                    barrier.wait();
                    let next = |_| match thread % 2 {
                        0 => {
                            let value = arena.alloc(0).ok()?;
                            let index = arena.index_of(value).unwrap();
                            *value = index;
                            Some(index)
                        }
                        _ => arena.publish_with(|index| index).ok().map(|(index, _)| index),
                    };
                    let given: Vec<_> = (0..=MANY).map_while(next).collect();
                    stored.fetch_add(given.len(), Ordering::Relaxed);
                    given
                })
            })
            .collect();
        barrier.wait();
        while !writers.have_ended() {
            watch();
            thread::yield_now();
        }
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(stored.into_inner(), MANY);
    let mut all = given.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..MANY), "a slot was handed out twice or never");
    assert_eq!((arena.count(), arena.remaining(), arena.is_full(), arena.index_bound()), (MANY, 0, true, MANY));
    assert!(arena.alloc(0).is_err() && arena.publish(0).is_err());
    let published = given.iter().skip(1).step_by(2).map(Vec::len).sum();
    assert_eq!(arena.iter().filter(|(index, value)| index == *value).count(), published);
}

#[test]
fn contending_threads_fill_the_arena_to_the_last_slot() {
    let mut arena = AtomicArena::with_capacity(MANY);
    for _ in 0..3 {
        hammer(&arena, || assert!(arena.count() <= arena.index_bound() && arena.index_bound() <= MANY));
        assert!(arena.iter_mut().map(|(index, value)| (index, *value)).eq((0..MANY).map(|index| (index, index))));
        arena.reset();
        assert_eq!((arena.count(), arena.remaining(), arena.iter().count()), (0, MANY, 0));
    }
    // The same with shards that are already active, if the threads contend.
    let (arena, _) = contended(|| 7);
    let rest: usize = thread::scope(|scope| {
        let fill = || iter::repeat_with(|| arena.alloc(8).is_ok()).take_while(|given| *given).count();
        [(); 3].map(|()| scope.spawn(fill)).map(|worker| worker.join().unwrap()).into_iter().sum()
    });
    assert_eq!((rest, arena.is_full()), (LARGE - TAKEN, true));
}

#[test]
fn in_order_there_is_no_gap_under_contention() {
    let mut arena = AtomicArena::with_capacity(MANY).in_order();
    for _ in 0..2 {
        hammer(&arena, || {
            let before = arena.index_bound();
            let count = arena.count();
            assert!(before <= count && count <= arena.index_bound());
        });
        arena.reset();
    }
}

// ---- with active shards

/// An arena with active shards, if threads contend on this machine.
struct Used<'l> {
    arena: AtomicArena<Counted<'l>>,
    /// The index and the id of each value, in index order.
    values: Vec<(usize, usize)>,
}

impl<'l> Used<'l> {
    fn new(ledger: &'l Ledger) -> Self {
        until_contended(|| Self::attempt(ledger)).0
    }

    fn attempt(ledger: &'l Ledger) -> (Self, bool) {
        let mut arena = AtomicArena::with_capacity(LARGE);
        contend(&arena, ledger.values(TAKEN));
        // This adds published values and vacant slots.
        let hole = arena.reserve(3).unwrap();
        for _ in 0..10 {
            arena.publish(ledger.value()).unwrap();
        }
        let mut run = arena.reserve(4).unwrap();
        assert_eq!(run.fill_from_iter(ledger.values(3)), 3);
        run.publish();
        drop(hole);
        let published: Vec<_> = arena.iter().map(|(index, value)| (index, value.id)).collect();
        assert_eq!((published.len(), arena.count()), (13, TAKEN + 13));
        let mut values: Vec<_> = arena.iter_mut().map(|(index, value)| (index, value.id)).collect();
        assert_eq!((values.len(), arena.count()), (TAKEN + 13, TAKEN + 13));
        assert!(published.iter().all(|value| values.contains(value)));
        // The exclusive access above has deactivated the shards.
        let (bound, vacant) = (arena.index_bound(), unused_in_shards(&arena));
        let stored = contend(&arena, ledger.values(TAKEN / 16 * 8 + 1));
        values.extend(stored.into_iter().map(|value| (arena.index_of(value).unwrap(), value.id)));
        let active = unused_in_shards(&arena) > vacant;
        assert!(active || arena.index_bound() == bound + values.len() - TAKEN - 13);
        // A run that is returned serves the next request.
        let first = arena.reserve(5).unwrap().first_index();
        assert!(SHARDS_FORCED || arena.reserve(5).unwrap().first_index() == first);
        values.sort_unstable();
        (Used { arena, values }, active)
    }

    fn ids(&self) -> Vec<usize> {
        self.values.iter().map(|&(_, id)| id).collect()
    }
}

#[test]
fn with_active_shards_exclusive_methods_see_exactly_the_values() {
    let ledger = Ledger::new();
    let Used { mut arena, values } = Used::new(&ledger);
    // Only values of earlier attempts have been dropped so far.
    let dropped = ledger.dropped();
    assert!(arena.iter_mut().map(|(index, value)| (index, value.id)).eq(values.iter().copied()));
    assert!(arena.iter_mut().rev().map(|(index, value)| (index, value.id)).eq(values.iter().rev().copied()));
    for index in 0..LARGE {
        let expected = values.binary_search_by_key(&index, |&(index, _)| index).ok().map(|at| values[at].1);
        assert_eq!(arena.get_mut(index).map(|value| value.id), expected, "{index}");
    }
    assert!(arena.as_mut_slice().is_none(), "a slice in spite of a hole");
    arena.publish_all();
    assert!(arena.iter().map(|(index, value)| (index, value.id)).eq(values.iter().copied()));
    assert_room(&arena, LARGE - values.len(), || ledger.value());
    assert_eq!(ledger.dropped(), dropped);
    drop(arena);
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn with_active_shards_the_arena_is_a_slice_if_there_is_no_hole() {
    let (mut arena, _) = contended(|| 7);
    let at: Vec<_> = arena.iter_mut().map(|(index, _)| index).collect();
    let whole = at.iter().copied().eq(0..TAKEN);
    assert_eq!(arena.as_mut_slice().map(|all| all.len()), whole.then_some(TAKEN));
    assert_eq!(arena.compact(), [7; TAKEN]);
    assert_eq!(arena.as_mut_slice(), Some(&mut [7; TAKEN][..]));
    assert_eq!(
        arena.alloc_slice_copy(&vec![8; LARGE - TAKEN]).unwrap().len(),
        LARGE - TAKEN,
        "the other slots are not one run"
    );
}

#[test]
fn with_active_shards_compact_closes_the_holes() {
    let ledger = Ledger::new();
    let mut used = Used::new(&ledger);
    let ids = used.ids();
    assert!(used.arena.compact().iter().map(|value| value.id).eq(ids.iter().copied()));
    assert_eq!((used.arena.count(), used.arena.index_bound()), (ids.len(), ids.len()));
    assert_eq!(used.arena.reserve(LARGE - ids.len()).unwrap().first_index(), ids.len());
    assert!(used.arena.into_vec().into_iter().map(|value| value.id).eq(ids));
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn with_active_shards_every_free_slot_is_filled() {
    let (mut arena, _) = contended(|| usize::MAX);
    drop(arena.reserve(5).unwrap());
    arena.publish(usize::MAX).unwrap();
    let mut made = Vec::new();
    let all = arena.fill_with(|index| {
        made.push(index);
        index
    });
    assert_eq!(all.len(), LARGE);
    let old = all.iter().enumerate().filter(|&(index, value)| *value != index);
    assert_eq!(old.inspect(|(_, value)| assert_eq!(**value, usize::MAX)).count(), TAKEN + 1);
    assert_eq!((made.len(), arena.is_full()), (LARGE - TAKEN - 1, true));
    assert!(arena.alloc(7).is_err());
    let (mut arena, _) = contended(|| 7);
    assert_eq!(arena.fill_default().iter().sum::<usize>(), 7 * TAKEN);
    assert_eq!((arena.remaining(), arena.alloc(7).is_err()), (0, true));
}

#[test]
fn with_active_shards_every_value_can_be_moved_out() {
    let ledger = Ledger::new();
    let mut used = Used::new(&ledger);
    let (ids, dropped) = (used.ids(), ledger.dropped());
    assert!(used.arena.drain().map(|value| value.id).eq(ids.iter().copied()));
    assert_eq!((used.arena.count(), used.arena.remaining()), (0, LARGE));
    assert_eq!(ledger.dropped(), dropped + ids.len());
    drop(used);

    let used = Used::new(&ledger);
    let ids = used.ids();
    assert!(used.arena.into_iter().map(|value| value.id).eq(ids));
    assert_eq!(ledger.dropped(), ledger.made());

    let used = Used::new(&ledger);
    let ids = used.ids();
    let vec = used.arena.into_vec();
    assert_eq!(vec.capacity(), LARGE);
    assert!(vec.iter().map(|value| value.id).eq(ids));
    drop(vec);
    assert_eq!(ledger.dropped(), ledger.made());
    drop(Used::new(&ledger));
    assert_eq!(ledger.dropped(), ledger.made());
}

/// Panics without calling the panic hook.
fn stop<R>() -> R {
    resume_unwind(Box::new("stopped"))
}

#[test]
fn with_active_shards_a_panic_returns_the_slot() {
    let ledger = Ledger::new();
    let used = Used::new(&ledger);
    let (arena, count) = (&used.arena, used.values.len());
    let panics = |thread: usize, round: usize| {
        // A request that does not fit calls no closure.
        let ways = if arena.remaining() > 4 { 3 } else { 2 };
        let message = panic_of(|| match (thread + round) % ways {
            0 => drop(arena.alloc_with(stop)),
            1 => drop(arena.publish_with(|_| stop())),
            _ => drop(arena.alloc_slice_with(4, |i| if i == 3 { stop() } else { ledger.value() })),
        });
        assert_eq!(message, "stopped");
    };
    in_step(2, scaled(20, 6), &[&panics], |round| {
        assert_eq!((arena.count(), arena.remaining()), (count, LARGE - count), "round {round}");
    });
    while arena.remaining() > 1 {
        arena.alloc(ledger.value()).unwrap();
    }
    in_step(1, scaled(20, 6), &[&panics], |_| ());
    assert_room(arena, 1, || ledger.value());
    drop(used);
    assert_eq!(ledger.dropped(), ledger.made());
}

#[test]
fn with_active_shards_leaked_handles_are_settled() {
    let ledger = Ledger::new();
    let mut used = Used::new(&ledger);
    let mut leaked = Vec::new();
    let mut kept = used.ids();
    let arena = &used.arena;
    let made = || ledger.made();

    let mut local = arena.local();
    // Leaking a `Local` leaks only the values after the last published one.
    kept.extend(made()..made() + 4);
    (0..3).for_each(|_| _ = local.alloc(ledger.value()).unwrap());
    local.publish(ledger.value()).unwrap();
    leaked.push(made());
    local.alloc(ledger.value()).unwrap();
    mem::forget(local);

    for len in [1, 2, 5] {
        let mut run = arena.reserve(len).unwrap();
        leaked.push(made());
        run.push(ledger.value()).unwrap();
        mem::forget(run);
        mem::forget(arena.reserve(len).unwrap());
        kept.push(made());
        arena.alloc(ledger.value()).unwrap();
    }
    assert!(arena.count() > kept.len(), "slots of leaked handles count as free");

    kept.sort_unstable();
    let mut ids: Vec<_> = used.arena.iter_mut().map(|(_, value)| value.id).collect();
    ids.sort_unstable();
    assert_eq!((ids, used.arena.count()), (kept.clone(), kept.len()));
    assert_eq!(used.arena.iter().count(), 14);
    assert_room(&used.arena, LARGE - kept.len(), || ledger.value());
    drop(used);
    assert_eq!(ledger.alive(), leaked);
}
