//! Runs of handles: extended at the cursor, split, leaked, and ended in another thread. The last
//! models are about runs that are taken, filled and published in one call.

use super::*;

/// Publishes a value in a `Local`, and returns its index.
fn publish_in(local: &mut Local<'_, u32>, ground: &Ground) -> usize {
    local.publish_with(|index| ground.write_value(index)).unwrap().0
}

/// Stores a slice of owned values in a `Local`, and returns its first index.
fn slice_in(local: &mut Local<'_, u32>, ground: &Ground, len: usize) -> Option<usize> {
    let slice = local.alloc_slice_with(len, |_| 0).ok()?;
    let first = ground.arena.index_of(&slice[0]).unwrap();
    (first..first + len).for_each(|index| ground.write(index));
    Some(first)
}

/// A `Local` that is moved to another thread. (A thread of loom cannot borrow the arena, so the
/// lifetime of the `Local` is extended to `'static`.)
struct Moving {
    /// Borrows from `ground`, so it is dropped first.
    local: Option<Local<'static, u32>>,
    ground: Arc<Ground>,
}

impl Moving {
    fn new(ground: &Arc<Ground>, local: Local<'_, u32>) -> Moving {
        // SAFETY: `local` borrows from the arena in `ground`, which does not move, and is dropped
        // before `ground`.
        let local = unsafe { mem::transmute::<Local<'_, u32>, Local<'static, u32>>(local) };
        Moving { ground: ground.clone(), local: Some(local) }
    }

    /// Uses the handle in another thread, and drops it there.
    fn go(mut self, run: impl FnOnce(&mut Local<'static, u32>, &Ground) + 'static) -> JoinHandle<()> {
        thread::spawn(move || {
            let mut local = self.local.take().unwrap();
            run(&mut local, &self.ground);
            drop(local);
        })
    }
}

// An extension advances the cursor with a single compare-and-swap.

#[test]
fn extension_against_a_single() {
    explore(6, |ground| {
        let other = spawn(&ground, Ground::alloc);
        let mut local = ground.local(2);
        (0..3).for_each(|_| _ = publish_in(&mut local, &ground));
        drop(local);
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(4);
    });
}

#[test]
fn extension_against_a_run() {
    explore(8, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let mut local = ground.local(2);
        publish_in(&mut local, &ground);
        // The slice gets the last slot of the run and the two slots after it, or three slots
        // elsewhere.
        assert!(slice_in(&mut local, &ground, 3).is_some());
        drop(local);
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(6);
    });
}

#[test]
fn extension_against_extension() {
    explore(8, |ground| {
        let fill = |ground: &Ground| {
            let mut local = ground.local(2);
            [(); 3].map(|()| publish_in(&mut local, ground))
        };
        let other = spawn(&ground, fill);
        let mine = fill(&ground);
        let theirs = other.join().unwrap();
        assert!(mine.into_iter().chain(theirs).all(|index| ground.get(index)));
        ground.assert_exact(6);
    });
}

/// The new run of a `Local` may be below the values that it has published.
#[test]
fn an_owned_value_below_published_ones_is_never_visible() {
    explore(2, |ground| {
        let below = ground.arena.reserve(1).unwrap();
        let mut local = ground.local(2);
        assert_eq!(publish_in(&mut local, &ground), 1);
        drop(below);
        assert_eq!(slice_in(&mut local, &ground, 1), Some(0));
        let other = spawn(&ground, |ground| ground.get(0));
        drop(local);
        assert!(!other.join().unwrap());
        ground.assert_exact(2);
    });
}

/// The slots after the run may be returned just before the run is extended over them.
#[test]
fn e2_to_an_extension() {
    explore(6, |ground| {
        let mut local = ground.local(2);
        assert_eq!(publish_in(&mut local, &ground), 0);
        let going = Held::new(&ground, 2).return_slots();
        (0..2).for_each(|_| _ = publish_in(&mut local, &ground));
        drop(local);
        going.join().unwrap();
        ground.assert_exact(3);
    });
}

#[test]
fn e2_to_an_extension_by_what_is_missing() {
    explore(6, |ground| {
        let mut local = ground.local(2);
        assert_eq!(publish_in(&mut local, &ground), 0);
        let going = Held::new(&ground, 2).return_slots();
        let first = slice_in(&mut local, &ground, 3);
        drop(local);
        going.join().unwrap();
        ground.assert_exact(if first.is_some() { 4 } else { 1 });
    });
}

/// When a run is used up, further slots may come from the arena. They do not belong to the run,
/// even if they directly follow it.
#[test]
fn a_used_up_run_beside_slots_from_the_arena() {
    explore(8, |ground| {
        let mut local = ground.local(2);
        (0..2).for_each(|_| _ = publish_in(&mut local, &ground));
        let going = Held::new(&ground, 2).return_slots();
        // If the cursor was retracted in time, the run is extended. Otherwise the slots of the
        // slice come from the arena.
        assert!(slice_in(&mut local, &ground, 3).is_some());
        publish_in(&mut local, &ground);
        drop(local);
        going.join().unwrap();
        ground.assert_exact(6);
    });
}

#[test]
fn e2_to_a_fresh_run() {
    explore(8, |ground| {
        // The other thread advances the cursor and retracts it again, perhaps between this thread's
        // load and its exchange.
        let other = spawn(&ground, |ground| {
            let run = ground.reserve(2);
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        });
        let mut local = ground.local(4);
        assert!(slice_in(&mut local, &ground, 2).is_some());
        drop(local);
        other.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn extension_beside_shards() {
    explore_shards(8, |ground| {
        let other = spawn_on(&ground, 1, |ground| (ground.alloc(), ground.alloc(), ground.alloc()));
        let mut local = ground.local(2);
        (0..3).for_each(|_| _ = publish_in(&mut local, &ground));
        drop(local);
        assert!(matches!(other.join().unwrap(), (Some(_), Some(_), Some(_))));
        ground.assert_exact(6);
    });
}

#[test]
fn a_fresh_run_helps_a_pending_refill() {
    explore_shards(4, |ground| {
        let other = spawn_on(&ground, 1, Ground::alloc);
        let mut local = ground.local(1);
        publish_in(&mut local, &ground);
        drop(local);
        // Two slots are left for this thread, whether or not the other thread has taken its slot.
        assert!(ground.alloc().is_some() && ground.alloc().is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(4);
    });
}

#[test]
fn extension_as_shards_come_into_use() {
    explore(8, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            ground.arena.view().activate_shards();
            (ground.alloc(), ground.alloc())
        });
        let mut local = ground.local(2);
        (0..3).for_each(|_| _ = publish_in(&mut local, &ground));
        drop(local);
        assert!(matches!(other.join().unwrap(), (Some(_), Some(_))));
        ground.assert_exact(5);
    });
}

#[test]
fn e2_through_a_rest_that_was_retired() {
    explore(13, |ground| {
        let mut local = ground.local(4);
        (0..3).for_each(|_| _ = publish_in(&mut local, &ground));
        // The last slot of the run is written to, but stays unused because the closure panics.
        let give_up = || local.publish_with(|index| panic!("{}", ground.write_value(index))).is_ok();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(give_up)).is_err());
        ground.alloc().unwrap();
        let other = spawn(&ground, |ground| (0..5).filter(|_| ground.alloc().is_some()).count());
        // The slice does not fit in the rest, and the slot after the rest is taken. If enough slots
        // are left at the cursor, the `Local` returns the rest and takes a fresh run. Otherwise the
        // slice gets slots outside the run.
        let first = slice_in(&mut local, &ground, 2);
        drop(local);
        let theirs = other.join().unwrap();
        // If a fresh run is taken, at least four slots are left for the other thread. The returned
        // slot may come too late for the other thread.
        assert!(first.is_some() && theirs >= 4);
        ground.assert_exact(4 + theirs + 2);
    });
}

// A run is split, and either part may be leaked.

/// Leaks or ends each of the two parts of a split run, while another thread reads and allocates.
fn split(leak_run: bool, leak_local: bool) {
    explore(8, move |ground| {
        let mut local = ground.local(4);
        assert_eq!(publish_in(&mut local, &ground), 0);
        let other = spawn(&ground, |ground| {
            ground.get(0);
            ground.alloc().is_some()
        });
        let mut run = local.reserve(2).unwrap();
        run.push(run.first_index() as u32).unwrap();
        ground.write(run.first_index());
        let first = run.first_index();
        let behind = publish_in(&mut local, &ground);
        let kept = if leak_run {
            mem::forget(run);
            None
        } else {
            run.publish();
            Some(first)
        };
        if leak_local {
            mem::forget(local);
        } else {
            drop(local);
        }
        assert!(other.join().unwrap());
        assert!(ground.get(0) && ground.get(behind) && kept.is_none_or(|index| ground.get(index)));
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        let held = 3 + usize::from(kept.is_some());
        assert_eq!(ground.arena.iter_mut().count(), held);
        assert_eq!((ground.arena.stats().handles, ground.arena.iter().count()), (0, held - 1));
        ground.assert_exact(held);
    });
}

#[test]
fn a_split_run_leaked_as_a_whole() {
    split(true, true);
}

#[test]
fn a_split_run_whose_reservation_is_leaked() {
    split(true, false);
}

#[test]
fn a_split_run_whose_local_is_leaked() {
    split(false, true);
}

#[test]
fn a_split_run_that_no_thread_leaks() {
    split(false, false);
}

/// A published value directly before an open run marks the start of the run. So a split writes the
/// stamp of this value a second time.
#[test]
fn e1_survives_a_split() {
    explore(8, |ground| {
        let other = spawn(&ground, |ground| {
            let mut local = ground.local(4);
            publish_in(&mut local, ground);
            drop(local.reserve(1).unwrap());
        });
        ground.get(0);
        other.join().unwrap();
        assert!(ground.get(0));
        ground.assert_exact(1);
    });
}

/// A reservation from a `Local` is returned in another thread while the `Local` is used.
#[test]
fn a_reservation_of_a_local_is_returned_beside_it() {
    explore(6, |ground| {
        let mut local = ground.local(2);
        assert_eq!(publish_in(&mut local, &ground), 0);
        // The reservation takes the last slot of the run, and is counted as a handle in place of
        // the `Local`. When it is returned, the cursor may be retracted over the slot.
        let run = local.reserve(1).unwrap();
        ground.write(run.first_index());
        let going = Held::of(&ground, run).return_slots();
        (0..2).for_each(|_| _ = publish_in(&mut local, &ground));
        drop(local);
        going.join().unwrap();
        assert_eq!(ground.arena.stats().handles, 0);
        ground.assert_exact(3);
    });
}

// The count of handles.

#[test]
fn a_local_that_ends_on_another_thread_is_counted_once() {
    explore(6, |ground| {
        let mut local = ground.local(2);
        publish_in(&mut local, &ground);
        let going = Moving::new(&ground, local).go(|local, ground| _ = publish_in(local, ground));
        let leaked = ground.reserve(1);
        mem::forget(leaked);
        going.join().unwrap();
        assert_eq!(ground.arena.stats().handles, 1);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!((ground.arena.iter_mut().count(), ground.arena.stats().handles), (2, 0));
        ground.assert_exact(2);
    });
}

#[test]
fn a_handle_that_is_leaked_on_another_thread_is_found() {
    explore(6, |ground| {
        let mut local = ground.local(2);
        publish_in(&mut local, &ground);
        let other = spawn(&ground, |ground| mem::forget(ground.reserve(2)));
        drop(local);
        other.join().unwrap();
        assert_eq!(ground.arena.stats().handles, 1);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 1);
        ground.assert_exact(1);
    });
}

#[test]
fn handles_opened_and_closed_crosswise() {
    explore(6, |ground| {
        let (mut mine, mut theirs) = (ground.local(1), ground.local(1));
        publish_in(&mut mine, &ground);
        publish_in(&mut theirs, &ground);
        let going = [mine, theirs].map(|local| Moving::new(&ground, local).go(|_, _| ()));
        mem::forget(ground.reserve(1));
        going.into_iter().for_each(|going| going.join().unwrap());
        assert_eq!(ground.arena.stats().handles, 1);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 2);
        ground.assert_exact(2);
    });
}

// The following models are about runs that are taken, filled and published in one call.

#[test]
fn e1_publish_slice_to_get_slice() {
    explore(3, |ground| {
        let other = spawn(&ground, |ground| {
            ground.arena.publish_from_iter((0..2).map(|index| ground.write_value(index))).unwrap();
        });
        if let Some(slice) = ground.arena.get_slice(0..2) {
            assert_eq!(slice, [0, 1]);
            (0..2).for_each(|index| ground.read(index));
        }
        ground.get(1);
        other.join().unwrap();
        assert!(ground.get(0) && ground.get(1));
        ground.assert_exact(2);
    });
}

#[test]
fn e1_publish_slice_of_a_local_to_get_slice() {
    explore(8, |ground| {
        let other = spawn(&ground, |ground| {
            let mut local = ground.local(4);
            local.publish_from_iter((0..2).map(|index| ground.write_value(index))).unwrap();
            publish_in(&mut local, ground);
        });
        if let Some(slice) = ground.arena.get_slice(0..2) {
            assert_eq!(slice, [0, 1]);
            (0..2).for_each(|index| ground.read(index));
        }
        ground.get(2);
        other.join().unwrap();
        assert!((0..3).all(|index| ground.get(index)));
        ground.assert_exact(3);
    });
}

#[test]
fn a_panic_in_a_slice_returns_it_beside_a_single() {
    explore(3, |ground| {
        let other = spawn(&ground, |ground| {
            let give_up = || {
                // The closure does not know its slot, so it accesses no cell. The arena itself
                // tracks that the slot is written to.
                let value = |place| {
                    assert_eq!(place, 0, "the second value panics");
                    0
                };
                ground.arena.publish_from_iter((0..2).map(value)).map(|_| ()).is_err()
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(give_up)).unwrap_or(true)
        });
        let got = [ground.alloc(), ground.alloc()].into_iter().flatten().count();
        assert!(other.join().unwrap());
        assert_eq!(ground.arena.iter().count(), 0);
        ground.assert_exact(got);
    });
}
