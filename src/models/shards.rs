//! Shards: how they are activated, refilled, stolen from, counted and settled, concurrently with
//! other requests and returns.

use super::*;

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
        // There is only one run, and a refill moves it to one of the two shards.
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
        // This thread may not see yet that shards are active.
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
fn shards_a_handle_finds_the_last_slot_in_one() {
    explore_shards(4, |ground| {
        // The handle may read the cursor before, during and after a refill. If it finds the cursor
        // at the end, it must find the rest that the last refill left in a shard.
        let other = spawn_on(&ground, 1, |ground| ground.local(1).alloc(0).is_ok());
        assert_eq!(ground.alloc_times(3), 3);
        assert!(other.join().unwrap());
        ground.assert_exact(4);
    });
}

/// Explores `request` concurrently with refills of shard 1, which has a rest when the thread of the
/// request is spawned. A refill begins only if the rest is used up or ends at the cursor. So a
/// thread that finds a refill pending must also see that the rest is used up or ends where the new
/// run starts. (`Shard::install` asserts this, because a violation would have no other visible
/// effect.)
fn explore_refills_of_a_rest(request: impl Fn(&Ground) -> bool + Copy + Send + Sync + 'static) {
    explore_shards(11, move |ground| {
        assert_eq!((ground.alloc(), ground.alloc()), (Some(0), Some(1)));
        with_id(1, || assert_eq!(ground.alloc(), Some(2)));
        let other = spawn(&ground, request);
        with_id(1, || {
            assert_eq!(ground.alloc_times(2), 2);
            assert!(ground.alloc_run(2).is_some());
            assert_eq!(ground.alloc_times(2), 2);
        });
        assert!(other.join().unwrap());
        ground.assert_exact(10);
    });
}

#[test]
fn shards_a_refill_is_met_by_a_single() {
    explore_refills_of_a_rest(|ground| ground.alloc().is_some());
}

#[test]
fn shards_a_refill_is_met_by_a_handle() {
    explore_refills_of_a_rest(|ground| ground.local(1).alloc(0).is_ok());
}

#[test]
fn shards_a_thread_leaves_its_shard_before_a_refill() {
    explore_shards(10, |ground| {
        // Shard 1 has a rest that does not end at the cursor, so it must not be refilled.
        with_id(1, || assert!(ground.alloc().is_some()));
        with_id(0, || assert_eq!(ground.alloc_times(2), 2));
        let other = spawn_on(&ground, 0, |ground| ground.alloc_times(2));
        // If the other thread refills shard 0 and then takes the slot that this thread is about to
        // take, this thread uses shard 1 from then on. But this request still refills shard 0.
        assert!(ground.alloc().is_some());
        assert_eq!(other.join().unwrap(), 2);
        ground.assert_exact(6);
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
fn shards_are_stolen_from_until_they_are_used_up() {
    explore_shards_of(4, |ground: Arc<Ground<u16>>| {
        // The only refill takes all four slots, so one of the threads steals from the shard of the
        // other one.
        let other = spawn_on(&ground, 1, |ground| ground.alloc_times(2));
        assert_eq!(ground.alloc_times(2) + other.join().unwrap(), 4);
        ground.assert_exact(4);
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
fn shards_against_a_run() {
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

// A run is returned at the cursor only as long as shards are not active.

#[test]
fn shards_e2_return_to_a_shard() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).return_slots();
        ground.arena.view().activate_shards();
        let got = ground.alloc();
        going.join().unwrap();
        ground.assert_exact(usize::from(got.is_some()));
    });
}

/// Explores three threads: one returns a run, one activates shards and takes from `shard`, and the
/// main thread takes from shard 0 or from the cursor.
fn shards_e2_return_to_a_shard_beside(shard: usize) {
    explore(2, move |ground| {
        let going = Held::new(&ground, 2).return_slots();
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
fn shards_e2_return_to_a_shard_of_two() {
    shards_e2_return_to_a_shard_beside(0);
}

#[test]
fn shards_e2_return_to_a_shard_of_another() {
    shards_e2_return_to_a_shard_beside(1);
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
fn shards_a_slot_of_a_shard_does_not_retract_the_cursor() {
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
fn shards_beside_a_run_that_is_taken_and_returned() {
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
fn shards_a_late_helper_beside_a_run_that_is_taken_and_returned() {
    explore_shards(4, |ground| {
        let others = [1, 0].map(|shard| spawn_on(&ground, shard, Ground::alloc));
        if let Ok(run) = ground.arena.reserve(2) {
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        }
        assert!(others.into_iter().all(|other| other.join().unwrap().is_some()));
        ground.assert_exact(2);
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
        // A reset also empties the shards. One of them has a rest after this allocation.
        assert_eq!(activate_and_alloc(ground, 1), 1);
        ground.arena.reset();
        ground.arena.view().activate_shards();
        assert!(ground.alloc_run(8).is_some());
        assert_eq!(ground.alloc(), None);
    });
}

#[test]
fn shards_leave_their_rests_to_an_arena_in_order() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        let other = spawn_on(&ground, 1, Ground::alloc);
        assert!(ground.alloc().is_some() && other.join().unwrap().is_some());
        let Ground { arena, cells } = Arc::try_unwrap(ground).ok().unwrap();
        let ground = Ground { arena: arena.in_order(), cells };
        // The cursor was retracted over the rest that ended at it, and the other rest is vacant.
        assert_eq!(ground.arena.index_bound(), 5);
        ground.assert_exact(2);
    });
}

/// Like `explore_shards`, but first allocates `held` values and settles the arena. Then shards
/// are no longer active, and the cursor is at the first free slot.
fn explore_settled_shards(capacity: usize, held: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore_shards(capacity, move |mut ground| {
        assert_eq!(ground.alloc_times(held), held);
        assert_eq!(Arc::get_mut(&mut ground).unwrap().arena.iter_mut().count(), held);
        model(ground);
    });
}

#[test]
fn shards_that_were_settled_serve_again() {
    explore_shards_of(4, |mut ground: Arc<Ground<u16>>| {
        assert_eq!(ground.alloc(), Some(0));
        assert_eq!(Arc::get_mut(&mut ground).unwrap().arena.iter_mut().count(), 1);
        ground.arena.view().activate_shards();
        // The run of the next refill ends where the last run of this shard ended. It would not be
        // installed if the exclusive access had not reset the shard.
        assert_eq!(ground.alloc(), Some(1));
        ground.assert_exact(2);
    });
}

#[test]
fn shards_that_were_used_up_are_stolen_from_after_a_reset() {
    explore_shards(2, |mut ground| {
        assert_eq!(ground.alloc_times(3), 2);
        Arc::get_mut(&mut ground).unwrap().arena.reset();
        assert_eq!(spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1)).join().unwrap(), 1);
        // The other slot is in the shard of the other thread.
        assert!(ground.alloc().is_some());
    });
}

#[test]
fn shards_that_were_settled_lose_nothing() {
    explore_settled_shards(2, 1, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        assert_eq!(ground.alloc_times(1) + other.join().unwrap(), 1);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_that_were_settled_are_activated_beside_a_return() {
    explore_settled_shards(4, 1, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        if let Ok(run) = ground.arena.reserve(2) {
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        }
        // A request that began while the run was held may miss its slots.
        let got = ground.alloc_times(1) + other.join().unwrap();
        assert!(got >= 1);
        ground.assert_exact(1 + got);
    });
}

// One thread activates shards, and another thread may not see that at once.

fn activate_and_alloc(ground: &Ground, times: usize) -> usize {
    ground.arena.view().activate_shards();
    ground.alloc_times(times)
}

#[test]
fn shards_beside_additions_past_the_end() {
    explore(2, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        assert_eq!(ground.alloc_times(3) + other.join().unwrap(), 2);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_pending_refill_is_met_below_the_end() {
    explore(5, |ground| {
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        assert_eq!(ground.alloc_times(2) + other.join().unwrap(), 3);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 3);
        ground.assert_exact(3);
    });
}

#[test]
fn shards_two_meet_a_pending_refill() {
    explore(3, |ground| {
        let sender = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        let other = spawn_on(&ground, 0, |ground| ground.alloc_times(1));
        assert_eq!(ground.alloc_times(1) + other.join().unwrap() + sender.join().unwrap(), 3);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 3);
        ground.assert_exact(3);
    });
}

#[test]
fn shards_counts_beside_a_pending_refill() {
    explore_shards(4, |ground| {
        let reader = spawn_on(&ground, 1, |ground| {
            assert!(ground.arena.count() <= 4 && ground.arena.remaining() <= 4);
            ground.alloc_times(2)
        });
        assert_eq!(ground.alloc_times(2) + reader.join().unwrap(), 4);
        ground.assert_exact(4);
    });
}

#[test]
fn shards_that_are_not_used_up_are_not_full() {
    explore_shards(2, |ground| {
        assert!(spawn_on(&ground, 1, Ground::alloc).join().unwrap().is_some());
        // One slot is left, in the shard of the other thread.
        assert!(!ground.arena.is_full());
        assert!(ground.alloc().is_some() && ground.arena.is_full());
        ground.assert_exact(2);
    });
}

#[test]
fn shards_beside_a_return_from_past_the_end() {
    explore(1, |ground| {
        let held = Held::new(&ground, 1);
        assert_eq!(ground.alloc(), None);
        let going = held.return_slots();
        let other = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 1));
        let got = ground.alloc_times(2) + other.join().unwrap();
        going.join().unwrap();
        assert!(got <= 1);
        ground.assert_exact(got);
    });
}

#[test]
fn shards_are_activated_beside_a_return() {
    explore(6, |ground| {
        let sender = spawn_on(&ground, 1, |ground| activate_and_alloc(ground, 2));
        let other = spawn_on(&ground, 1, |ground| ground.alloc_times(1));
        if let Ok(run) = ground.arena.reserve(2) {
            (run.first_index()..run.first_index() + 2).for_each(|index| ground.write(index));
        }
        assert_eq!(sender.join().unwrap() + other.join().unwrap(), 3);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 3);
        ground.assert_exact(3);
    });
}
