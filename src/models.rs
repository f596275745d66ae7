//! Loom models of the shipping code, one for each edge and each protocol.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib
//! ```
//!
//! Loom sees only what goes through its own cells, and a slot does not. So the shipping code tells a cell beside the
//! slot when it stores a value, and when it lends a published one (`sync::AccessTracker`); and beside each slot stands a second
//! cell, for what the owners and the readers do with the reference they got. An edge that is missing, or a slot with two
//! owners, is an access that loom finds unordered. What must hold whatever the order is asserted after the join.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use std::mem;
use std::num::NonZeroUsize;
use std::vec::Vec;

use crate::sync::set_thread_id;
use crate::{AtomicArena, Key, Local, Reservation};

/// An arena, and a cell beside each slot.
struct Ground {
    arena: AtomicArena<u32>,
    cells: Vec<UnsafeCell<()>>,
}

/// Explores `model` on an arena of that capacity.
fn explore(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    loom::model(move || {
        let cells = (0..capacity).map(|_| UnsafeCell::new(())).collect();
        model(Arc::new(Ground { arena: AtomicArena::with_capacity(capacity), cells }));
    });
}

/// As `explore`, but single slots are taken from shards, of which there are two, in runs of two.
fn explore_shards(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore(capacity, move |ground| {
        ground.arena.view().activate_shards();
        model(ground);
    });
}

/// RunState in a thread whose shard is `shard`. (That of the first thread is 0.)
fn spawn_on<R: 'static>(ground: &Arc<Ground>, shard: usize, run: impl FnOnce(&Ground) -> R + 'static) -> JoinHandle<R> {
    spawn(ground, move |ground| {
        set_thread_id(shard);
        run(ground)
    })
}

fn spawn<R: 'static>(ground: &Arc<Ground>, run: impl FnOnce(&Ground) -> R + 'static) -> JoinHandle<R> {
    let ground = ground.clone();
    thread::spawn(move || run(&ground))
}

impl Ground {
    /// What an owner does with its slot.
    fn write(&self, index: usize) {
        self.cells[index].with_mut(|_| ());
    }

    /// What a reader does with a published slot.
    fn read(&self, index: usize) {
        self.cells[index].with(|_| ());
    }

    /// Allocates, and says which slot it got.
    fn alloc(&self) -> Option<usize> {
        let index = self.arena.index_of(self.arena.alloc(0).ok()?).unwrap();
        self.write(index);
        Some(index)
    }

    fn alloc_run(&self, len: usize) -> Option<usize> {
        let first = self.arena.index_of(&self.arena.alloc_slice_with(len, |_| 0).ok()?[0]).unwrap();
        (first..first + len).for_each(|index| self.write(index));
        Some(first)
    }

    fn publish(&self) -> Option<usize> {
        self.arena.publish_with(|index| self.write_value(index)).ok().map(|(index, _)| index)
    }

    fn write_value(&self, index: usize) -> u32 {
        self.write(index);
        index as u32
    }

    fn get(&self, index: usize) -> bool {
        let value = self.arena.get(index);
        if let Some(&value) = value {
            assert_eq!(value as usize, index);
            self.read(index);
        }
        value.is_some()
    }

    fn reserve(&self, n: usize) -> Reservation<'_, u32> {
        self.arena.reserve(n).unwrap()
    }

    fn local(&self, batch: usize) -> Local<'_, u32> {
        self.arena.local_with_batch(NonZeroUsize::new(batch).unwrap())
    }

    /// No slot is lost and none is had twice: `held` hold values, and every other can be had, one by one.
    fn assert_exact(&self, held: usize) {
        let capacity = self.arena.capacity();
        assert_eq!((self.arena.count(), self.arena.remaining()), (held, capacity - held));
        assert!((held..capacity).all(|_| self.alloc().is_some()), "a free slot cannot be had");
        assert_eq!(self.alloc(), None);
        assert_eq!(self.arena.count(), capacity);
    }
}

/// Has a run of that many slots held on behalf of a thread that gives it back. (A reservation borrows the arena, which
/// a thread of loom cannot.)
struct Held {
    ground: Arc<Ground>,
    run: Option<Reservation<'static, u32>>,
}

impl Held {
    fn new(ground: &Arc<Ground>, n: usize) -> Held {
        let run = ground.reserve(n);
        (run.first_index()..run.first_index() + n).for_each(|index| ground.write(index));
        // SAFETY: `run` borrows from the arena in `ground`, which stays where it is and lives while we do; we drop the
        // run first.
        let run = unsafe { mem::transmute::<Reservation<'_, u32>, Reservation<'static, u32>>(run) };
        Held { ground: ground.clone(), run: Some(run) }
    }

    /// Uses the slots once more, and gives them back in another thread.
    fn give_back(mut self) -> JoinHandle<()> {
        thread::spawn(move || {
            let run = self.run.take().unwrap();
            let first = run.first_index();
            (first..first + run.capacity()).for_each(|index| self.ground.write(index));
            drop(run);
        })
    }
}

// One slot is handed out once.

#[test]
fn single_against_single() {
    explore(2, |ground| {
        let other = spawn(&ground, Ground::alloc);
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(2);
    });
}

#[test]
fn singles_race_for_the_last_slot() {
    explore(1, |ground| {
        let others = [spawn(&ground, Ground::alloc), spawn(&ground, Ground::alloc)];
        let got = others.map(|other| other.join().unwrap()).into_iter().flatten().count();
        assert_eq!(got, 1);
        ground.assert_exact(1);
    });
}

#[test]
fn single_against_bulk() {
    explore(2, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let mine = ground.alloc();
        match other.join().unwrap() {
            Some(_) => assert_eq!(mine, None),
            None => assert!(mine.is_some()),
        }
        ground.assert_exact(ground.arena.count());
    });
}

#[test]
fn bulk_against_bulk() {
    explore(3, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let (mine, theirs) = (ground.alloc_run(2), other.join().unwrap());
        assert!(mine.is_some() != theirs.is_some());
        ground.assert_exact(2);
    });
}

// No spurious full.

#[test]
fn a_bulk_request_that_cannot_fit_hurts_nobody() {
    explore(3, |ground| {
        ground.alloc().unwrap();
        let other = spawn(&ground, |ground| assert_eq!(ground.alloc_run(3), None));
        assert!(ground.alloc().is_some());
        assert!(ground.alloc().is_some());
        other.join().unwrap();
        ground.assert_exact(3);
    });
}

#[test]
fn each_vacant_slot_serves_one() {
    explore(3, |ground| {
        let (run, _) = (ground.reserve(2), ground.alloc());
        drop(run);
        let other = spawn(&ground, Ground::alloc);
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(3);
    });
}

#[test]
fn a_free_slot_is_had_while_another_goes_back() {
    explore(2, |ground| {
        let going = Held::new(&ground, 1).give_back();
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(1);
    });
}

#[test]
fn a_vacant_slot_is_had_while_another_goes_back() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        drop(vacant);
        let going = held.give_back();
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn a_refusal_leaves_no_trace() {
    explore(2, |ground| {
        let held = Held::new(&ground, 2);
        let others = [spawn(&ground, Ground::alloc), spawn(&ground, Ground::alloc)];
        assert_eq!(others.map(|other| other.join().unwrap()), [None, None]);
        held.give_back().join().unwrap();
        // The run went back to the cursor, not to the vacant slots: it serves a run.
        assert!(ground.alloc_run(2).is_some());
    });
}

#[test]
fn the_count_never_falls_below_zero() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        drop(vacant);
        let going = held.give_back();
        let other = spawn(&ground, Ground::alloc);
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        // One slot holds a value all the time.
        assert!((1..=2).contains(&got) && ground.arena.remaining() <= 2);
        going.join().unwrap();
        ground.assert_exact(1 + got);
    });
}

#[test]
fn two_race_for_the_last_vacant_slot() {
    explore(2, |ground| {
        let (run, _) = (ground.reserve(1), ground.alloc());
        drop(run);
        let others = [spawn(&ground, Ground::alloc), spawn(&ground, Ground::alloc)];
        let got = others.map(|other| other.join().unwrap()).into_iter().flatten().count();
        assert_eq!(got, 1);
        ground.assert_exact(2);
    });
}

// E1 publish -> get.

#[test]
fn e1_publish_to_get() {
    explore(2, |ground| {
        let other = spawn(&ground, |ground| (ground.publish(), ground.publish()));
        for index in 0..2 {
            ground.get(index);
        }
        other.join().unwrap();
        assert!(ground.get(0) && ground.get(1));
    });
}

#[test]
fn e1_publish_to_iter() {
    explore(2, |ground| {
        let other = spawn(&ground, |ground| (ground.publish(), ground.publish()));
        ground.arena.iter().for_each(|(index, _)| ground.read(index));
        other.join().unwrap();
        assert_eq!(ground.arena.iter().count(), 2);
    });
}

#[test]
fn e1_reservation_to_get_slice() {
    explore(3, |ground| {
        let other = spawn(&ground, |ground| {
            let mut run = ground.reserve(3);
            run.fill_from_iter([0, 1]);
            (0..2).for_each(|index| ground.write(index));
            run.publish();
        });
        if let Some(slice) = ground.arena.get_slice(0..2) {
            assert_eq!(slice, [0, 1]);
            (0..2).for_each(|index| ground.read(index));
        }
        other.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn e1_local_to_get() {
    explore(4, |ground| {
        let other = spawn(&ground, |ground| {
            let mut local = ground.local(2);
            local.publish_with(|index| ground.write_value(index)).unwrap();
            local.publish_with(|index| ground.write_value(index)).unwrap();
        });
        for index in 0..2 {
            ground.get(index);
        }
        other.join().unwrap();
        ground.assert_exact(2);
    });
}

// E2 give back -> hand out.

#[test]
fn e2_by_the_cursor_to_a_single() {
    explore(1, |ground| {
        let going = Held::new(&ground, 1).give_back();
        let got = ground.alloc();
        going.join().unwrap();
        ground.assert_exact(usize::from(got.is_some()));
    });
}

#[test]
fn e2_by_the_cursor_to_a_run() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).give_back();
        let got = ground.alloc_run(2);
        going.join().unwrap();
        ground.assert_exact(if got.is_some() { 2 } else { 0 });
    });
}

#[test]
fn e2_by_the_cursor_that_came_back_to_where_it_was() {
    explore(2, |ground| {
        let other = spawn(&ground, |ground| {
            let run = ground.arena.reserve(2).ok()?;
            (0..2).for_each(|index| ground.write(index));
            drop(run);
            Some(())
        });
        let got = ground.alloc_run(2);
        assert!(other.join().unwrap().is_some() || got.is_some());
        ground.assert_exact(if got.is_some() { 2 } else { 0 });
    });
}

#[test]
fn e2_by_the_cursor_through_the_addition_of_another() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).give_back();
        let other = spawn(&ground, Ground::alloc);
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        ground.assert_exact(got);
    });
}

#[test]
fn e2_by_a_vacant_slot() {
    explore(2, |ground| {
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        let going = held.give_back();
        let got = ground.alloc();
        going.join().unwrap();
        ground.assert_exact(1 + usize::from(got.is_some()));
    });
}

#[test]
fn e2_to_the_stamp_of_the_next_owner() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).give_back();
        let got = ground.publish();
        going.join().unwrap();
        // The marks that the run's owner erased must not come after the stamp.
        assert!(got.is_none_or(|index| ground.get(index)));
        ground.assert_exact(usize::from(got.is_some()));
    });
}

// Exact capacity.

#[test]
fn two_give_backs_meet() {
    explore(2, |ground| {
        let going = [Held::new(&ground, 1), Held::new(&ground, 1)].map(Held::give_back);
        going.into_iter().for_each(|going| going.join().unwrap());
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        // Whatever the order: with `&mut` the arena is whole again.
        assert_eq!(ground.arena.as_mut_slice(), Some(&mut [][..]));
        assert!(ground.alloc_run(2).is_some());
    });
}

#[test]
fn two_give_backs_meet_a_single() {
    explore(2, |ground| {
        let going = [Held::new(&ground, 1), Held::new(&ground, 1)].map(Held::give_back);
        let got = ground.alloc();
        going.into_iter().for_each(|going| going.join().unwrap());
        ground.assert_exact(usize::from(got.is_some()));
    });
}

#[test]
fn a_refused_single_beside_a_give_back() {
    explore(1, |ground| {
        let held = Held::new(&ground, 1);
        let other = spawn(&ground, Ground::alloc);
        let going = held.give_back();
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        assert!(got <= 1);
        ground.assert_exact(got);
    });
}

#[test]
fn a_late_refusal_beside_a_give_back() {
    explore(2, |ground| {
        let held = Held::new(&ground, 2);
        // History the end, while the run goes back and another takes from it.
        let other = spawn(&ground, Ground::alloc);
        let going = held.give_back();
        let mine = [ground.alloc(), ground.alloc()].into_iter().flatten().count();
        let theirs = usize::from(other.join().unwrap().is_some());
        going.join().unwrap();
        ground.assert_exact(mine + theirs);
    });
}

#[test]
fn a_run_goes_back_to_the_cursor_beside_those_who_are_refused() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).give_back();
        let other = spawn(&ground, Ground::alloc);
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        // However far past the end the cursor stood.
        assert!(got == 2 || ground.alloc_run(2 - got).is_some(), "what came back serves no run");
    });
}

#[test]
fn the_cursor_is_set_back_beside_a_give_back() {
    explore(1, |ground| {
        let held = Held::new(&ground, 1);
        assert_eq!((ground.alloc(), ground.alloc()), (None, None));
        // Farther past the end than it may stay.
        let other = spawn(&ground, |ground| [ground.alloc(), ground.alloc()].into_iter().flatten().count());
        held.give_back().join().unwrap();
        assert!(other.join().unwrap() <= 1);
        ground.assert_exact(ground.arena.count());
    });
}

#[test]
fn a_panic_in_a_closure_gives_the_slot_back_beside_a_single() {
    explore(1, |ground| {
        let other = spawn(&ground, |ground| {
            let give_up = || ground.arena.publish_with(|index| panic!("{}", ground.write_value(index)));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(give_up)).map(|full| full.map(|_| ()).is_err())
        });
        let got = ground.alloc();
        // Either the closure ran, and panicked, or it came back because the slot was taken.
        assert!(other.join().unwrap().unwrap_or(true));
        ground.assert_exact(usize::from(got.is_some()));
    });
}

#[test]
fn local_refill_against_local_drop() {
    explore(6, |ground| {
        let fill = |ground: &Ground| {
            let mut local = ground.local(2);
            for _ in 0..3 {
                local.alloc_with(|| 0).map(|slot| ground.write(ground.arena.index_of(slot).unwrap())).unwrap();
            }
        };
        let other = spawn(&ground, move |ground| ground.local(2).alloc(0).is_ok());
        fill(&ground);
        assert!(other.join().unwrap());
        ground.assert_exact(4);
    });
}

#[test]
fn a_leaked_local_is_settled() {
    explore(8, |ground| {
        let other = spawn(&ground, |ground| {
            let mut local = ground.local(4); // one slot of the run stays unused
            local.alloc(0).unwrap();
            local.publish(1).unwrap();
            local.alloc(2).unwrap(); // in the run that is leaked
            mem::forget(local);
        });
        assert!(ground.alloc().is_some());
        other.join().unwrap();
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        let mut values: Vec<u32> = ground.arena.iter_mut().map(|(_, value)| *value).collect();
        values.sort();
        assert_eq!(values, [0, 0, 1]);
        assert_eq!(ground.arena.iter().count(), 1);
        ground.assert_exact(3);
    });
}

#[test]
fn a_leaked_reservation_beside_a_single_is_settled() {
    explore(4, |ground| {
        let other = spawn(&ground, |ground| mem::forget(ground.reserve(2)));
        assert!(ground.alloc().is_some());
        other.join().unwrap();
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 1);
        ground.assert_exact(1);
    });
}

// Where these meet.

#[test]
fn a_refill_beside_a_single_past_the_end() {
    explore(1, |ground| {
        ground.alloc().unwrap();
        let other = spawn(&ground, Ground::alloc);
        assert!(ground.local(1).alloc(0).is_err());
        assert_eq!(other.join().unwrap(), None);
        ground.assert_exact(1);
    });
}

#[test]
fn reserve_up_to_has_a_free_slot_while_another_goes_back() {
    explore(2, |ground| {
        let going = Held::new(&ground, 1).give_back();
        let run = ground.arena.reserve_up_to(1);
        assert_eq!(run.capacity(), 1);
        ground.write(run.first_index());
        drop(run);
        going.join().unwrap();
        ground.assert_exact(0);
    });
}

#[test]
fn local_has_a_vacant_slot_while_another_goes_back() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        drop(vacant);
        let going = held.give_back();
        let mut local = ground.local(2);
        let (index, _) = local.publish_with(|index| ground.write_value(index)).unwrap();
        drop(local);
        going.join().unwrap();
        assert!(ground.get(index));
        ground.assert_exact(2);
    });
}

#[test]
fn the_vacant_slots_below_the_hint_are_found() {
    explore(4, |ground| {
        let (a, _, b, _) = (ground.reserve(1), ground.alloc(), ground.reserve(1), ground.alloc());
        drop(a);
        drop(b); // the mode
        let other = spawn(&ground, Ground::alloc);
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(4);
    });
}

#[test]
fn a_vacant_slot_goes_back_by_the_cursor() {
    explore(2, |ground| {
        let (low, high) = (Held::new(&ground, 1), Held::new(&ground, 1));
        let going = [low.give_back(), high.give_back()];
        let run = ground.arena.reserve_up_to(2);
        for index in run.first_index()..run.first_index() + run.capacity() {
            ground.write(index);
        }
        drop(run);
        if let Some(first) = ground.alloc_run(2) {
            assert_eq!(first, 0);
        }
        going.into_iter().for_each(|going| going.join().unwrap());
        let held = ground.arena.count();
        assert!(held == 0 || held == 2);
        ground.assert_exact(held);
    });
}

#[test]
fn the_tail_of_a_reservation_goes_back_beside_a_single() {
    explore(3, |ground| {
        let other = spawn(&ground, |ground| {
            let mut run = ground.reserve(2);
            (0..2).for_each(|i| ground.write(run.first_index() + i));
            run.push(run.first_index() as u32).unwrap();
            run.publish().0
        });
        let mine = ground.alloc().unwrap();
        let theirs = other.join().unwrap();
        assert_ne!(mine, theirs);
        assert!(ground.get(theirs));
        ground.assert_exact(2);
    });
}

#[test]
fn counts_and_iter_beside_all() {
    explore(3, |ground| {
        let first = ground.publish().unwrap();
        let going = Held::new(&ground, 1).give_back();
        let other = spawn(&ground, Ground::publish);
        let seen = ground.get(1);
        let indices: Vec<usize> = ground
            .arena
            .iter()
            .map(|(index, _)| {
                ground.read(index);
                index
            })
            .collect();
        assert!(indices.contains(&first));
        assert!(!seen || indices.contains(&1));
        assert!(ground.arena.index_bound() >= 1);
        going.join().unwrap();
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(2);
    });
}

#[test]
fn a_panic_gives_a_slot_back_below_the_cursor() {
    explore(2, |ground| {
        let other = spawn(&ground, |ground| {
            let give_up = || ground.arena.publish_with(|index| panic!("{}", ground.write_value(index)));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(give_up)).map(|full| full.map(|_| ()).is_err())
        });
        let got = ground.publish().unwrap();
        assert!(other.join().unwrap().is_err());
        assert!(ground.get(got));
        ground.assert_exact(1);
    });
}

#[test]
fn epochs_wrap_after_a_thread_has_published() {
    explore(2, |ground| {
        let other = spawn(&ground, Ground::publish);
        ground.alloc().unwrap();
        let index = other.join().unwrap().unwrap();
        let mut ground = Arc::try_unwrap(ground).ok().unwrap();
        for _ in 0..60 {
            ground.arena.reset();
            assert_eq!(ground.arena.get(index), None);
        }
        ground.assert_exact(0);
    });
}

#[test]
fn leaked_beside_vacant_is_settled() {
    explore(4, |ground| {
        let held = Held::new(&ground, 1);
        let other = spawn(&ground, |ground| mem::forget(ground.reserve(2)));
        let going = held.give_back();
        let got = ground.alloc();
        other.join().unwrap();
        going.join().unwrap();
        assert!(got.is_some());
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 1);
        ground.assert_exact(1);
    });
}

#[test]
fn one_vacant_and_one_at_the_cursor_serve_two() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        drop(vacant);
        let going = held.give_back();
        let other = spawn(&ground, |ground| {
            let mut run = ground.arena.reserve_up_to(1);
            ground.write(run.first_index());
            run.push(0).unwrap();
            run.finish();
        });
        assert!(ground.alloc().is_some());
        other.join().unwrap();
        going.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn e1_survives_the_second_stamp_of_a_local() {
    explore(8, |ground| {
        let other = spawn(&ground, |ground| {
            let mut local = ground.local(4);
            local.publish_with(|index| ground.write_value(index)).unwrap();
            local.alloc(0).unwrap();
            local.publish_with(|index| ground.write_value(index)).unwrap(); // says `Published` of the first again
        });
        for index in [0, 2] {
            ground.get(index);
        }
        other.join().unwrap();
        assert!(ground.get(0) && !ground.get(1) && ground.get(2));
        ground.assert_exact(3);
    });
}

// Shards.

#[test]
fn shards_single_against_single_in_one_shard() {
    explore_shards(2, |ground| {
        let other = spawn_on(&ground, 0, Ground::alloc);
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_pending_refill_is_in_sight() {
    explore_shards(2, |ground| {
        // One run is all there is, and it is on its way to one of the two shards.
        let other = spawn_on(&ground, 1, Ground::alloc);
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_pending_refill_is_in_sight_of_the_cursor() {
    explore(2, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            ground.arena.view().activate_shards();
            ground.alloc()
        });
        // Does not know of shards, perhaps.
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_pending_refill_is_in_sight_of_a_handle() {
    explore_shards(2, |ground| {
        let other = spawn_on(&ground, 1, Ground::alloc);
        let run = ground.arena.reserve_up_to(1);
        assert_eq!(run.capacity(), 1);
        ground.write(run.first_index());
        drop(run);
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(1);
    });
}

#[test]
fn shards_three_take_three() {
    explore_shards(3, |ground| {
        let others = [0, 1].map(|shard| spawn_on(&ground, shard, Ground::alloc));
        assert!(ground.alloc().is_some());
        assert!(others.into_iter().all(|other| other.join().unwrap().is_some()));
        ground.assert_exact(3);
    });
}

#[test]
fn shards_three_race_for_two() {
    explore_shards(2, |ground| {
        let others = [0, 1].map(|shard| spawn_on(&ground, shard, Ground::alloc));
        let mine = usize::from(ground.alloc().is_some());
        let theirs = others.into_iter().filter_map(|other| other.join().unwrap()).count();
        assert_eq!(mine + theirs, 2);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_two_refill_one() {
    explore_shards(4, |ground| {
        let twice = |ground: &Ground| (ground.alloc().unwrap(), ground.alloc().unwrap());
        let other = spawn_on(&ground, 0, twice);
        twice(&ground);
        other.join().unwrap();
        ground.assert_exact(4);
    });
}

#[test]
fn shards_two_refill_two_again_and_again() {
    explore_shards(5, |ground| {
        let other = spawn_on(&ground, 1, |ground| (ground.alloc().unwrap(), ground.alloc().unwrap()));
        (0..3).for_each(|_| assert!(ground.alloc().is_some()));
        other.join().unwrap();
        ground.assert_exact(5);
    });
}

#[test]
fn shards_against_bulk() {
    explore_shards(4, |ground| {
        let other = spawn_on(&ground, 1, |ground| ground.alloc_run(2));
        assert!(ground.alloc().is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(3);
    });
}

#[test]
fn shards_against_a_local() {
    explore_shards(4, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            let mut local = ground.local(2);
            [(); 2].map(|()| local.publish_with(|index| ground.write_value(index)).unwrap().0)
        });
        assert!(ground.alloc().is_some());
        assert!(other.join().unwrap().into_iter().all(|index| ground.get(index)));
        ground.assert_exact(3);
    });
}

// A run goes back to the cursor only as long as shards are not in use.

#[test]
fn shards_e2_give_back_to_a_shard() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).give_back();
        ground.arena.view().activate_shards();
        let got = ground.alloc();
        going.join().unwrap();
        ground.assert_exact(usize::from(got.is_some()));
    });
}

/// The other thread opens the shard, or does so first.
fn shards_e2_give_back_to_a_shard_beside(shard: usize) {
    explore(2, move |ground| {
        let going = Held::new(&ground, 2).give_back();
        let other = spawn_on(&ground, shard, |ground| {
            ground.arena.view().activate_shards();
            ground.alloc()
        });
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        ground.assert_exact(got);
    });
}

#[test]
fn shards_e2_give_back_to_a_shard_of_two() {
    shards_e2_give_back_to_a_shard_beside(0);
}

#[test]
fn shards_e2_give_back_to_a_shard_of_another() {
    shards_e2_give_back_to_a_shard_beside(1);
}

#[test]
fn shards_e1_publish_to_get() {
    explore_shards(3, |ground| {
        let other = spawn_on(&ground, 1, |ground| (ground.publish(), ground.publish()));
        let seen = ground.get(0);
        let mine = ground.publish().unwrap();
        let (a, b) = other.join().unwrap();
        assert!([a.unwrap(), b.unwrap(), mine].into_iter().all(|index| ground.get(index)));
        assert!(!seen || ground.get(0));
        ground.assert_exact(3);
    });
}

#[test]
fn shards_a_slot_of_a_shard_does_not_go_back_by_the_cursor() {
    explore_shards(3, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            let give_up = || ground.arena.publish_with(|index| panic!("{}", ground.write_value(index)));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(give_up)).map(|full| full.map(|_| ()).is_err())
        });
        assert!(ground.alloc().is_some());
        assert!(ground.alloc().is_some());
        assert!(other.join().unwrap().is_err());
        ground.assert_exact(2);
    });
}

#[test]
fn shards_beside_a_run_that_comes_and_goes() {
    explore_shards(4, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            if let Ok(run) = ground.arena.reserve(2) {
                (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
            }
        });
        let got = [ground.alloc(), ground.alloc(), ground.alloc()].into_iter().flatten().count();
        other.join().unwrap();
        assert!(got >= 2);
        ground.assert_exact(got);
    });
}

#[test]
fn shards_a_late_helper_beside_runs_that_come_and_go() {
    explore_shards(4, |ground| {
        let others = [1, 0].map(|shard| spawn_on(&ground, shard, Ground::alloc));
        if let Ok(run) = ground.arena.reserve(2) {
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        }
        let mine = ground.alloc();
        let theirs: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
        let got = usize::from(mine.is_some()) + theirs.into_iter().flatten().count();
        assert!(got >= 2);
        ground.assert_exact(got);
    });
}

#[test]
fn shards_what_is_left_in_them_is_settled() {
    explore_shards(8, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            mem::forget(ground.reserve(2));
            ground.alloc()
        });
        assert!(ground.publish().is_some());
        assert!(other.join().unwrap().is_some());
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 2);
        assert_eq!((ground.arena.count(), ground.arena.remaining()), (2, 6));
        // Nothing is left in them after a reset either, before which something was.
        assert_eq!(activate_and_alloc(ground, 1), 1);
        ground.arena.reset();
        ground.arena.view().activate_shards();
        assert!(ground.alloc_run(8).is_some());
        assert_eq!(ground.alloc(), None);
    });
}

/// Has `held` values from shards, which are then settled: the cursor says no longer that they are in use, and stands where the
/// first free slot is.
fn explore_settled_shards(capacity: usize, held: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore_shards(capacity, move |mut ground| {
        assert_eq!(alloc_times(&ground, held), held);
        assert_eq!(Arc::get_mut(&mut ground).unwrap().arena.iter_mut().count(), held);
        model(ground);
    });
}

#[test]
fn shards_that_were_settled_lose_nothing() {
    explore_settled_shards(2, 1, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        assert_eq!(alloc_times(&ground, 1) + other.join().unwrap(), 1);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_that_were_settled_come_into_use_beside_a_run_that_goes_back() {
    explore_settled_shards(4, 1, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        if let Ok(run) = ground.arena.reserve(2) {
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        }
        // Who began while the run was held may miss it.
        let got = alloc_times(&ground, 1) + other.join().unwrap();
        assert!(got >= 1);
        ground.assert_exact(1 + got);
    });
}

// Shards come into use beside those who do not know of it.

fn activate_and_alloc(ground: &Ground, times: usize) -> usize {
    ground.arena.view().activate_shards();
    alloc_times(ground, times)
}

/// Allocates so often, and says how often there was a slot.
fn alloc_times(ground: &Ground, times: usize) -> usize {
    (0..times).filter_map(|_| ground.alloc()).count()
}

#[test]
fn shards_beside_additions_past_the_end() {
    explore(2, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        assert_eq!(alloc_times(&ground, 3) + other.join().unwrap(), 2);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_pending_refill_is_met_below_the_end() {
    explore(5, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        assert_eq!(alloc_times(&ground, 2) + other.join().unwrap(), 3);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 3);
        ground.assert_exact(3);
    });
}

#[test]
fn shards_two_meet_a_pending_refill() {
    explore(3, |ground| {
        let sender = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        let other = spawn_on(&ground, 0, |ground| alloc_times(ground, 1));
        assert_eq!(alloc_times(&ground, 1) + other.join().unwrap() + sender.join().unwrap(), 3);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 3);
        ground.assert_exact(3);
    });
}

#[test]
fn shards_counts_beside_a_pending_refill() {
    explore_shards(4, |ground| {
        let other = spawn_on(&ground, 1, |ground| alloc_times(ground, 2));
        assert!(ground.arena.count() <= 4 && ground.arena.remaining() <= 4);
        assert_eq!(alloc_times(&ground, 2) + other.join().unwrap(), 4);
        ground.assert_exact(4);
    });
}

#[test]
fn shards_beside_a_give_back_from_past_the_end() {
    explore(1, |ground| {
        let held = Held::new(&ground, 1);
        assert_eq!(ground.alloc(), None);
        let going = held.give_back();
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        let got = alloc_times(&ground, 2) + other.join().unwrap();
        going.join().unwrap();
        assert!(got <= 1);
        ground.assert_exact(got);
    });
}

#[test]
fn shards_beside_a_run_that_goes_back_as_they_come_into_use() {
    explore(6, |ground| {
        let sender = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 2));
        let other = spawn_on(&ground, 1, |ground| alloc_times(ground, 1));
        if let Ok(run) = ground.arena.reserve(2) {
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        }
        assert_eq!(sender.join().unwrap() + other.join().unwrap(), 3);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 3);
        ground.assert_exact(3);
    });
}

// Keys.

#[test]
fn two_first_keys_are_of_one_epoch() {
    explore(2, |ground| {
        fn keyed(ground: &Ground) -> Key<u32> {
            let key = ground.arena.key_at(ground.publish().unwrap()).unwrap();
            assert!(ground.arena.get_keyed(key).is_some(), "a key that leads nowhere from the beginning");
            key
        }
        let other = spawn(&ground, keyed);
        let keys = [keyed(&ground), other.join().unwrap()];
        assert!(
            keys.iter().all(|key| ground.arena.get_keyed(*key).is_some_and(|value| *value as usize == key.index()))
        );
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        ground.arena.reset();
        ground.publish().unwrap();
        assert!(keys.iter().all(|key| ground.arena.get_keyed(*key).is_none()));
    });
}

#[test]
fn e1_key_to_get_key() {
    explore(1, |ground| {
        let other = spawn(&ground, |ground| ground.publish().and_then(|index| ground.arena.key_at(index)).unwrap());
        let mine = ground.arena.key_at(0);
        if let Some(key) = mine {
            assert_eq!(ground.arena.get_keyed(key), Some(&0));
            ground.read(0);
        }
        let theirs = other.join().unwrap();
        assert!(mine.is_none_or(|mine| mine == theirs));
        assert_eq!(ground.arena.get_keyed(theirs), Some(&0));
    });
}
