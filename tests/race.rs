//! Scenarios for ThreadSanitizer (`checks/thread-sanitizer`), which detects a missing ordering on
//! any machine, even on x86, where it usually has no visible effect. Without the sanitizer this is
//! a quick test that all values arrive whole. The comments name the edges E1 and E2 of
//! `src/raw/mod.rs`, and the edge B1 of `src/raw/budget.rs`.
//!
//! The standard library is not instrumented. The sanitizer therefore does not see the edges of the
//! library's locks, channels and scoped threads, and would report races where there are none. For
//! this reason there is no test harness, and the scenarios use only `spawn` and `join`, with arenas
//! that are in `static`s or leaked. A gate of Relaxed operations makes the threads overlap without
//! an ordering between them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use atomicarena::StaticArena;

/// The number of rounds of each scenario.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 100 };

/// The number of times that a thread takes and returns slots, an arena or bytes in one round.
const TURNS: usize = if cfg!(miri) { 5 } else { 100 };

type Task<R> = Box<dyn FnOnce() -> R + Send>;

fn task<R>(f: impl FnOnce() -> R + Send + 'static) -> Task<R> {
    Box::new(f)
}

/// Runs each task in its own thread, and returns their results in order.
fn together<R: Send + 'static, const N: usize>(tasks: [Task<R>; N]) -> Vec<R> {
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    // All operations are Relaxed, because the gate must not order anything.
    let all = ARRIVED.load(Ordering::Relaxed) + N;
    let threads = tasks.map(|task| {
        thread::spawn(move || {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            while ARRIVED.load(Ordering::Relaxed) < all {
                thread::yield_now();
            }
            task()
        })
    });
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// A value that can check its own integrity. Part of it is behind a pointer.
struct Parts {
    here: [usize; 2],
    there: Box<usize>,
}

impl Parts {
    fn new(number: usize) -> Self {
        Parts { here: [number, !number], there: Box::new(number) }
    }

    fn check(&self) {
        assert_eq!(self.here, [*self.there, !*self.there]);
    }
}

/// Checks each value, and returns the number of values.
fn check<'a>(values: impl Iterator<Item = &'a Parts>) -> usize {
    values.fold(0, |seen, value| {
        value.check();
        seen + 1
    })
}

/// E1: a thread that finds a value by its index, or in an iteration, sees all writes before its
/// publication.
fn publish_then_get() {
    const VALUES: usize = 8;
    static ARENA: StaticArena<Parts, { 2 * VALUES * ROUNDS }> = StaticArena::new();
    for round in 1..=ROUNDS {
        let writer = || {
            task(|| {
                ARENA.publish(Parts::new(1)).ok().unwrap();
                ARENA.publish_with(Parts::new).ok().unwrap();
                let mut local = ARENA.local_with_batch(2.try_into().unwrap());
                local.publish(Parts::new(2)).ok().unwrap();
                local.publish_with(Parts::new).ok().unwrap();
            })
        };
        let by_index = || check((0..ARENA.index_bound()).filter_map(|index| ARENA.get(index)));
        let by_iter = || check(ARENA.iter().map(|(_, value)| value));
        together([writer(), writer(), until(by_index, round * VALUES), until(by_iter, round * VALUES)]);
    }
}

/// E1: a thread that finds a published run, slot by slot or as a slice, sees all writes before its
/// publication.
fn publish_then_get_slice() {
    const RUN: usize = 3;
    static ARENA: StaticArena<Parts, { 2 * RUN * ROUNDS }> = StaticArena::new();
    for round in 1..=ROUNDS {
        let writer = || {
            task(|| {
                let mut run = ARENA.reserve(RUN).unwrap();
                run.push(Parts::new(1)).ok().unwrap();
                run.fill_from_iter((2..).map(Parts::new));
                assert_eq!(run.publish().1.len(), RUN);
            })
        };
        let (runs, slots) = (2 * round, 2 * round * RUN);
        let by_slice = move || check((0..runs).filter_map(|run| ARENA.get_slice(run * RUN..(run + 1) * RUN)).flatten());
        let by_slot = move || check((0..slots).filter_map(|index| ARENA.get_wrapping(index)));
        together([writer(), writer(), until(by_slice, slots), until(by_slot, slots)]);
    }
}

/// Returns a task that calls `look` until the result is at least `all`.
fn until(look: impl Fn() -> usize + Send + 'static, all: usize) -> Task<()> {
    task(move || {
        while look() < all {
            thread::yield_now();
        }
    })
}

/// Returns a task that repeatedly takes a run, writes to it and drops it.
fn turns<const N: usize>(arena: &'static StaticArena<[usize; 2], N>, len: usize) -> Task<()> {
    task(move || {
        for turn in 0..TURNS {
            let Ok(mut run) = arena.reserve(len) else {
                thread::yield_now();
                continue;
            };
            run.fill_from_iter((0..).map(|place| [turn, place]));
            assert!(run.iter().enumerate().all(|(place, value)| *value == [turn, place]));
        }
    })
}

/// E2 at the cursor: a returned run was written by its old owner, and is written by its new one.
/// Each arena has room for one run only, so the run ends at the cursor, and returning it retracts
/// the cursor.
fn return_by_the_cursor() {
    static RUN: StaticArena<[usize; 2], 3> = StaticArena::new();
    // A single slot is taken with an addition, and a run with a compare-exchange.
    static SLOT: StaticArena<[usize; 2], 1> = StaticArena::new();
    for _ in 0..ROUNDS {
        together([turns(&RUN, 3), turns(&RUN, 3), turns(&SLOT, 1), turns(&SLOT, 1)]);
    }
    assert!(RUN.is_empty() && SLOT.is_empty());
}

/// E2 below the cursor: a vacant slot was written by its old owner, and is written by its new one.
fn return_by_vacancy() {
    static ARENA: StaticArena<[usize; 2], 4> = StaticArena::new();
    let mut runs: Vec<_> = (0..4).map(|_| ARENA.reserve(1).unwrap()).collect();
    // The last two slots stay in use, so returning the others does not retract the cursor.
    for mut kept in runs.split_off(2) {
        kept.push([0; 2]).unwrap();
        kept.finish();
    }
    drop(runs);
    for _ in 0..ROUNDS {
        together([turns(&ARENA, 1), turns(&ARENA, 1), turns(&ARENA, 1)]);
    }
    assert_eq!(ARENA.remaining(), 2);
}

/// E2 between different methods: slots written by a reservation go to a `Local`, to `alloc` and to
/// bulk methods.
fn return_to_others() {
    const SLOTS: usize = 64;
    static ARENA: StaticArena<[usize; 2], { SLOTS * ROUNDS }> = StaticArena::new();
    let mut all = 0;
    for round in 1..=ROUNDS {
        let short = || {
            task(move || {
                let mut kept = 0;
                for turn in 0..10 {
                    // All slots of the run are written, and most of its values are then removed.
                    // Returning the unfilled slots retracts the cursor, or makes the slots vacant.
                    let Ok(mut run) = ARENA.reserve(4) else { break };
                    run.fill_from_iter((0..).map(|place| [turn, place]));
                    run.truncate(turn % 2);
                    kept += run.finish().len();
                }
                kept
            })
        };
        let one_by_one = task(move || {
            let mut local = ARENA.local_with_batch(3.try_into().unwrap());
            let mine: Vec<_> = (0..10).filter_map(|turn| local.alloc([turn, round]).ok()).collect();
            drop(local);
            assert!(mine.iter().all(|value| value[1] == round));
            mine.len()
        });
        let in_bulk = task(move || {
            let mut mine = 0;
            for _ in 0..3 {
                let copied = ARENA.alloc_slice_copy(&[[round; 2]; 3]).into_iter().flatten();
                let moved = ARENA.alloc_vec(vec![[round; 2]; 2]).into_iter().flatten();
                let single = ARENA.alloc([round; 2]).into_iter();
                mine += copied.chain(moved).chain(single).map(|value| assert_eq!(*value, [round; 2])).count();
            }
            mine
        });
        all += together([short(), short(), one_by_one, in_bulk]).into_iter().sum::<usize>();
        assert_eq!(ARENA.count(), all);
    }
}

/// Checks that no slot has two owners. If one had, two threads would write to it, and the sanitizer
/// would report this. The written values are visible after the join.
fn alloc_then_join() {
    const EACH: usize = 8;
    static ARENA: StaticArena<[usize; 2], { 4 * EACH * ROUNDS }> = StaticArena::new();
    for round in 0..ROUNDS {
        let owner = |thread: usize| {
            task(move || {
                let mut mine: Vec<&'static mut [usize; 2]> = Vec::new();
                mine.extend(ARENA.alloc([0; 2]));
                mine.extend(ARENA.alloc_with(|| [0; 2]));
                mine.extend(ARENA.alloc_array([[0; 2]; 2]).unwrap());
                mine.extend(ARENA.alloc_slice_with(3, |_| [0; 2]).unwrap());
                let mut run = ARENA.reserve_up_to(1);
                run.push([0; 2]).unwrap();
                mine.extend(run.finish());
                for (place, value) in mine.iter_mut().enumerate() {
                    **value = [thread, place];
                }
                mine
            })
        };
        let all = together([owner(0), owner(1), owner(2), owner(3)]);
        for (thread, mine) in all.iter().enumerate() {
            assert_eq!(mine.len(), EACH);
            assert!(mine.iter().enumerate().all(|(place, value)| **value == [thread, place]));
        }
        assert_eq!(ARENA.count(), 4 * EACH * (round + 1));
    }
}

/// E2 for a whole arena: each holder's accesses to its values and metadata happen before those of
/// the next holder.
#[cfg(feature = "pool")]
fn pass_on_an_arena() {
    let pool: &'static atomicarena::ArenaPool<Parts> = Box::leak(Box::new(atomicarena::ArenaPool::new(2, 4)));
    let holder = |number: usize| {
        task(move || {
            for turn in 0..TURNS {
                let Some(mut arena) = pool.checkout() else { continue };
                arena.alloc(Parts::new(number + turn)).ok().unwrap();
                arena.publish(Parts::new(turn)).ok().unwrap();
                drop(arena.local());
                assert_eq!(check(arena.iter_mut().map(|(_, value)| &*value)), 2);
            }
        })
    };
    for _ in 0..ROUNDS {
        together([holder(1), holder(2), holder(3)]);
    }
    assert_eq!(pool.available(), 2);
}

/// Blocks of a bump. Each thread writes to the bytes that it takes, and reads bytes that another
/// thread has sent to it.
#[cfg(feature = "allocator-api2-02")]
mod bump {
    use std::alloc::Layout;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::thread;

    use allocator_api2_02::alloc::Allocator;
    use allocator_api2_02::vec::Vec;
    use atomicarena::{AtomicBump, StaticBump};

    use super::{ROUNDS, TURNS, Task, task, together};

    type Block = Vec<u8, &'static AtomicBump>;

    /// Returns a new bump with shards, in which `left` bytes are free. These are so few that blocks
    /// soon get bytes that other blocks had.
    fn with_shards(left: usize) -> &'static AtomicBump {
        let bump: &'static AtomicBump = Box::leak(Box::new(AtomicBump::with_capacity(64 << 10)));
        bump.alloc_uninit_slice::<u8>(bump.capacity() - left).unwrap();
        bump
    }

    /// Returns a task that repeatedly takes a block of `len` bytes, grows it to twice its size and
    /// frees it. The result of the task is how often it got a block.
    fn turns(bump: impl Allocator + Send + 'static, len: usize) -> Task<usize> {
        let layout = |len| Layout::from_size_align(len, 8).unwrap();
        task(move || {
            let mut taken = 0;
            for turn in 0..TURNS {
                let Ok(block) = bump.allocate(layout(len)) else {
                    thread::yield_now();
                    continue;
                };
                let (mut block, mut size) = (block.cast::<u8>(), len);
                // SAFETY: the block has `size` bytes, is from this bump, and belongs to this
                // thread. All bytes that are read were written before.
                unsafe {
                    block.write_bytes(turn as u8, len);
                    if let Ok(grown) = bump.grow(block, layout(len), layout(2 * len)) {
                        (block, size) = (grown.cast(), 2 * len);
                        block.add(len).write_bytes(turn as u8, len);
                    }
                    assert!((0..size).all(|place| block.add(place).read() == turn as u8));
                    bump.deallocate(block, layout(size));
                }
                taken += 1;
            }
            taken
        })
    }

    /// B1 at the cursor: the cursor is retracted over a freed block, and another thread advances it
    /// over the same bytes again.
    pub(super) fn return_by_the_cursor() {
        // Only one block fits, so it ends at the cursor. This also holds if shards are forced. The
        // cursor then counts lines of 64 bytes, and the length of the block is a whole number of
        // lines.
        static BUMP: StaticBump<640> = StaticBump::new();
        let taken: usize =
            (0..ROUNDS).flat_map(|_| together([turns(&BUMP, 448), turns(&BUMP, 448), turns(&BUMP, 448)])).sum();
        assert!(taken > 0 && BUMP.used() == 0);
    }

    /// B1 between shards: what one thread frees is stolen by the others.
    pub(super) fn return_to_a_shard() {
        for _ in 0..ROUNDS {
            let bump = with_shards(1 << 10);
            let taken: usize = together([turns(bump, 48), turns(bump, 100), turns(bump, 300)]).into_iter().sum();
            assert!(taken > 0 && bump.used() >= bump.capacity() - (1 << 10));
        }
    }

    /// B1 between threads that free each other's blocks. One thread writes to a block, and then the
    /// next thread reads, grows and frees it.
    pub(super) fn free_elsewhere() {
        for _ in 0..ROUNDS {
            let bump = with_shards(2 << 10);
            let boxes: &'static [AtomicPtr<Block>; 3] =
                Box::leak(Box::new([const { AtomicPtr::new(ptr::null_mut()) }; 3]));
            let sent = |id: usize| {
                task(move || {
                    let mut received = 0;
                    for turn in 0..TURNS {
                        let mut block = Vec::new_in(bump);
                        if block.try_reserve_exact(20 + turn % 50).is_ok() {
                            block.extend_from_slice(&[id as u8; 20]);
                            put(&boxes[(id + 1) % 3], block);
                        }
                        let Some(mut block) = take(&boxes[id]) else {
                            thread::yield_now();
                            continue;
                        };
                        received += 1;
                        // A text is never freed, so only a few are stored.
                        let text = if turn % 16 == 0 { bump.alloc_str("text").ok() } else { None };
                        let from = block[0];
                        assert!(block.iter().all(|&byte| byte == from) && usize::from(from) == (id + 2) % 3);
                        if block.try_reserve_exact(60).is_ok() {
                            block.extend_from_slice(&[id as u8; 60]);
                            assert_eq!((block[19], block[20], block[79]), (from, id as u8, id as u8));
                        }
                        assert!(text.is_none_or(|text| text == "text"));
                    }
                    received
                })
            };
            let received: usize = together([sent(0), sent(1), sent(2)]).into_iter().sum();
            assert!(received > 0);
            boxes.iter().for_each(|place| drop(take(place)));
        }
    }

    /// Sends a block. Drops the one that was sent before and not yet received.
    fn put(place: &AtomicPtr<Block>, block: Block) {
        // Release and Acquire: the sender's writes happen before the receiver's reads.
        let before = place.swap(Box::into_raw(Box::new(block)), Ordering::AcqRel);
        // SAFETY: the pointer is from `Box::into_raw`. The exchange has removed it, so no other
        // thread can have it.
        drop((!before.is_null()).then(|| unsafe { Box::from_raw(before) }));
    }

    fn take(place: &AtomicPtr<Block>) -> Option<Block> {
        let block = place.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: as in `put`.
        (!block.is_null()).then(|| *unsafe { Box::from_raw(block) })
    }
}

fn main() {
    for (name, scenario) in [
        ("publish_then_get", publish_then_get as fn()),
        ("publish_then_get_slice", publish_then_get_slice),
        ("return_by_the_cursor", return_by_the_cursor),
        ("return_by_vacancy", return_by_vacancy),
        ("return_to_others", return_to_others),
        ("alloc_then_join", alloc_then_join),
        #[cfg(feature = "pool")]
        ("pass_on_an_arena", pass_on_an_arena),
        #[cfg(feature = "allocator-api2-02")]
        ("bump_return_by_the_cursor", bump::return_by_the_cursor),
        #[cfg(feature = "allocator-api2-02")]
        ("bump_return_to_a_shard", bump::return_to_a_shard),
        #[cfg(feature = "allocator-api2-02")]
        ("bump_free_elsewhere", bump::free_elsewhere),
    ] {
        println!("{name}");
        scenario();
    }
}
