//! No slot is lost: returns, panics and leaks.

use super::*;

#[test]
fn two_returns_meet() {
    explore(2, |ground| {
        let going = [Held::new(&ground, 1), Held::new(&ground, 1)].map(Held::return_slots);
        going.into_iter().for_each(|going| going.join().unwrap());
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        // Whatever the order of the returns, the whole arena is free under exclusive access.
        assert_eq!(ground.arena.as_mut_slice(), Some(&mut [][..]));
        assert!(ground.alloc_run(2).is_some());
    });
}

#[test]
fn two_returns_meet_a_single() {
    explore(2, |ground| {
        let going = [Held::new(&ground, 1), Held::new(&ground, 1)].map(Held::return_slots);
        let got = ground.alloc();
        going.into_iter().for_each(|going| going.join().unwrap());
        ground.assert_exact(usize::from(got.is_some()));
    });
}

#[test]
fn a_refused_single_beside_a_return() {
    explore(1, |ground| {
        let held = Held::new(&ground, 1);
        let other = spawn(&ground, Ground::alloc);
        let going = held.return_slots();
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        assert!(got <= 1);
        ground.assert_exact(got);
    });
}

#[test]
fn a_late_refusal_beside_a_return() {
    explore(2, |ground| {
        let held = Held::new(&ground, 2);
        // This request may find the cursor at the end, and then be delayed until the run is
        // returned and this thread has taken slots of that run.
        let other = spawn(&ground, Ground::alloc);
        let going = held.return_slots();
        let mine = [ground.alloc(), ground.alloc()].into_iter().flatten().count();
        let theirs = usize::from(other.join().unwrap().is_some());
        going.join().unwrap();
        ground.assert_exact(mine + theirs);
    });
}

#[test]
fn a_returned_run_retracts_the_cursor_beside_refused_singles() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).return_slots();
        let other = spawn(&ground, Ground::alloc);
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        // Returning the run retracts the cursor even if refused requests have moved it past the
        // end.
        assert!(got > 0 || ground.arena.index_bound() == 0);
        assert!(got == 2 || ground.alloc_run(2 - got).is_some(), "the returned slots serve no run");
    });
}

#[test]
fn an_overshot_cursor_is_reset_beside_a_return() {
    explore(1, |ground| {
        let held = Held::new(&ground, 1);
        assert_eq!((ground.alloc(), ground.alloc()), (None, None));
        // Each of these requests adds 1 to the cursor. If the cursor is then too far past the end
        // (`OVERSHOOT_LIMIT`), it is set back to the end.
        let other = spawn(&ground, |ground| [ground.alloc(), ground.alloc()].into_iter().flatten().count());
        held.return_slots().join().unwrap();
        assert!(other.join().unwrap() <= 1);
        ground.assert_exact(ground.arena.count());
    });
}

#[test]
fn a_panic_in_a_closure_returns_the_slot_beside_a_single() {
    explore(1, |ground| {
        let other = spawn(&ground, |ground| {
            let give_up = || ground.arena.publish_with(|index| panic!("{}", ground.write_value(index)));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(give_up)).map(|full| full.map(|_| ()).is_err())
        });
        let got = ground.alloc();
        // Either the closure panicked, or the request was refused because the first thread had
        // taken the slot.
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
            let mut local = ground.local(4); // its run has three or four slots
            local.alloc(0).unwrap();
            local.publish(1).unwrap();
            local.alloc(2).unwrap(); // lies in the open run, so it is leaked
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
