//! Shards that serve runs: requests for runs, rests that are extended or retired, and returned runs
//! that extend a shard.

use loom::sync::atomic::{AtomicBool, Ordering};

use super::*;

// Requests for runs. The values take two bytes, so a refill takes up to four slots.

#[test]
fn shards_serve_two_runs_from_one_refill() {
    explore_shards_of(4, |ground: Arc<Ground<u16>>| {
        // Either thread may begin the refill. The other one finds too few slots at the cursor, and
        // must then find them in the shard, which both threads share.
        let other = spawn_on(&ground, 0, |ground| ground.alloc_run(2));
        assert!(ground.alloc_run(2).is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(4);
    });
}

#[test]
fn shards_a_pending_refill_serves_a_run_and_a_single() {
    explore_shards_of(4, |ground: Arc<Ground<u16>>| {
        let other = spawn_on(&ground, 1, |ground| ground.alloc_run(2));
        // There is only one refill. If the other thread begins it, this thread may have to help to
        // complete it, and then steals from the other thread's shard. If this thread begins it, the
        // other thread gets no run, because runs are not stolen.
        assert!(ground.alloc().is_some());
        let held = if other.join().unwrap().is_some() { 3 } else { 1 };
        ground.assert_exact(held);
    });
}

#[test]
fn shards_a_long_run_leaves_the_rest_in_the_shard() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        // Three slots are more than half of a refill, so they are taken from the cursor.
        assert_eq!((ground.alloc_run(2), ground.alloc_run(3), ground.alloc()), (Some(0), Some(4), Some(2)));
        ground.assert_exact(6);
    });
}

// A rest that ends at the cursor is extended upwards by a refill.

/// Explores a thread on shard 1, whose rest is slot 3. A refill extends this rest, unless `others`
/// takes the slots at the cursor first. `others` runs concurrently and returns the number of slots
/// that it took.
fn explore_extended_rest(others: impl Fn(&Arc<Ground<u16>>) -> usize + Send + Sync + 'static) {
    explore_shards_of(8, move |ground| {
        with_id(1, || assert_eq!((ground.alloc_run(2), ground.alloc()), (Some(0), Some(2))));
        let other = spawn_on(&ground, 1, |ground| ground.alloc_run(2));
        let got = others(&ground);
        let held = if other.join().unwrap().is_some() { 5 } else { 3 };
        ground.assert_exact(held + got);
    });
}

#[test]
fn shards_a_rest_is_extended_beside_a_take() {
    explore_extended_rest(|ground| {
        let taker = spawn_on(ground, 3, Ground::alloc);
        assert!(taker.join().unwrap().is_some());
        1
    });
}

#[test]
fn shards_a_rest_is_extended_beside_a_steal() {
    explore_extended_rest(|ground| {
        // If the refill is pending, this thread helps to complete it, and then steals. If it is
        // complete, this thread steals. If it has not begun, this thread refills its own shard.
        assert!(ground.alloc().is_some());
        assert!(ground.alloc().is_some());
        2
    });
}

#[test]
fn shards_a_rest_is_extended_beside_a_late_helper() {
    explore_extended_rest(|ground| {
        // The helper may continue after the thread on shard 1 has taken from the extended rest.
        let helper = spawn_on(ground, 0, Ground::alloc);
        assert!(helper.join().unwrap().is_some());
        1
    });
}

#[test]
fn shards_a_rest_that_ends_at_the_cursor_serves_a_run() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        assert_eq!((ground.alloc_run(2), ground.alloc(), ground.alloc_run(2)), (Some(0), Some(2), Some(3)));
        ground.assert_exact(5);
    });
}

#[test]
fn shards_an_extended_rest_keeps_what_it_had() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        with_id(1, || assert_eq!((ground.alloc_run(2), ground.alloc()), (Some(0), Some(2))));
        let other = spawn_on(&ground, 1, |ground| ground.alloc_run(2));
        assert!(ground.alloc_run(4).is_some() != other.join().unwrap().is_some());
        ground.assert_exact(if ground.arena.count() == 7 { 7 } else { 5 });
    });
}

// A rest that is too short and does not end at the cursor is retired.

/// Leaves slot 3 as the rest of shard 1, and the cursor at slot 7. All other slots below the cursor
/// are held.
fn with_rest_below_the_cursor(ground: &Ground<u16>) {
    with_id(1, || assert_eq!((ground.alloc_run(2), ground.alloc()), (Some(0), Some(2))));
    assert_eq!(ground.alloc_run(3), Some(4));
}

#[test]
fn shards_a_retired_rest_is_found() {
    explore_shards_of(11, |ground: Arc<Ground<u16>>| {
        with_rest_below_the_cursor(&ground);
        let retired = Arc::new(AtomicBool::new(false));
        let other = spawn_on(&ground, 1, {
            let retired = retired.clone();
            move |ground| {
                let run = ground.alloc_run(2);
                retired.store(true, Ordering::Release);
                run
            }
        });
        let long = ground.alloc_run(4).is_some();
        let was_retired = retired.load(Ordering::Acquire);
        // If this thread has taken the last slots at the cursor, slot 3 is the only free slot. The
        // request for one slot may be refused only while slot 3 moves from the shard to the vacant
        // slots.
        let single = ground.alloc().is_some();
        assert!(single || !was_retired);
        let run = other.join().unwrap().is_some();
        assert!(long != run);
        ground.assert_exact(6 + usize::from(long) * 4 + usize::from(run) * 2 + usize::from(single));
    });
}

#[test]
fn shards_a_rest_is_retired_beside_a_take() {
    explore_shards_of(11, |ground: Arc<Ground<u16>>| {
        with_rest_below_the_cursor(&ground);
        let taker = spawn_on(&ground, 3, Ground::alloc);
        assert!(with_id(1, || ground.alloc_run(2)).is_some());
        assert!(taker.join().unwrap().is_some());
        ground.assert_exact(9);
    });
}

#[test]
fn shards_a_rest_that_another_thread_has_installed_is_not_retired() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        let other = spawn_on(&ground, 0, Ground::alloc);
        assert!(ground.alloc().is_some());
        assert!(other.join().unwrap().is_some());
        // One refill of four slots has served both threads.
        assert_eq!(ground.arena.view().metadata().shards.as_slice()[0].rest(), 2..4);
        ground.assert_exact(2);
    });
}

#[test]
fn shards_no_rest_is_retired_for_a_run_that_cannot_be_served() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        with_rest_below_the_cursor(&ground);
        // One slot is left at the cursor.
        let other = spawn_on(&ground, 1, |ground| ground.alloc_run(2));
        assert_eq!(other.join().unwrap(), None);
        assert_eq!(ground.arena.view().metadata().shards.as_slice()[1].rest(), 3..4);
        ground.assert_exact(6);
    });
}

// A returned run extends a shard downwards.

#[test]
fn shards_a_returned_run_extends_a_shard_beside_a_take() {
    explore_shards_of(4, |ground: Arc<Ground<u16>>| {
        let going = Held::new(&ground, 2).return_slots();
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(1);
    });
}

#[test]
fn shards_a_returned_run_extends_a_shard_beside_a_run() {
    explore_shards_of(4, |ground: Arc<Ground<u16>>| {
        let going = Held::new(&ground, 2).return_slots();
        assert!(ground.alloc_run(2).is_some());
        going.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_returned_run_extends_a_shard_beside_a_steal() {
    explore_shards_of(4, |ground: Arc<Ground<u16>>| {
        let going = Held::new(&ground, 2).return_slots();
        let other = spawn_on(&ground, 1, |ground| ground.alloc_times(3));
        going.join().unwrap();
        let got = other.join().unwrap();
        assert!(got >= 2);
        ground.assert_exact(got);
    });
}

#[test]
fn shards_a_returned_run_extends_a_shard_beside_its_refill() {
    explore_shards_of(8, |ground: Arc<Ground<u16>>| {
        // The shard holds the slots 2 and 3, which end at the cursor.
        let going = Held::new(&ground, 2).return_slots();
        assert!(ground.alloc().is_some());
        assert!(ground.alloc_run(2).is_some());
        going.join().unwrap();
        ground.assert_exact(3);
    });
}

#[test]
fn shards_slots_of_a_shard_do_not_retract_the_cursor() {
    explore_shards(4, |ground| {
        // These two slots are the whole run of the shard. The upper one ends at the cursor.
        let (low, high) = (Held::new(&ground, 1), Held::new(&ground, 1));
        let other = spawn_on(&ground, 0, Ground::alloc);
        high.return_slots_here();
        low.return_slots_here();
        assert!(other.join().unwrap().is_some());
        // If the cursor were at 0 again, the next refill would be mistaken for one that was already
        // installed.
        assert!(ground.alloc().is_some());
        ground.assert_exact(2);
    });
}

#[test]
fn shards_a_returned_run_does_not_extend_a_used_up_shard() {
    explore_shards(6, |ground| {
        ground.alloc().unwrap();
        let held = Held::new(&ground, 1);
        // The shard is used up. The following request advances the cursor, so that the shard's last
        // run ends below the cursor.
        assert_eq!(ground.alloc_run(2), Some(2));
        let going = held.return_slots();
        // This request refills the shard.
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(4);
    });
}

#[test]
fn shards_a_retired_rest_was_returned_before() {
    explore_shards_of(19, |ground: Arc<Ground<u8>>| {
        set_thread_id(1);
        assert_eq!((ground.alloc_run(4), ground.alloc_run(2)), (Some(0), Some(4)));
        let held = Held::new(&ground, 1);
        // Slot 7 is left in the shard.
        assert_eq!(ground.alloc_run(5), Some(8));
        let going = held.return_slots_on(3);
        // If slot 6 was returned to the shard, the slots 6 and 7 are retired. One of them then
        // serves the request for one slot.
        assert_eq!((ground.alloc_run(3), ground.alloc_run(3)), (Some(13), Some(16)));
        let got = ground.alloc_times(1);
        going.join().unwrap();
        ground.assert_exact(17 + got);
    });
}
