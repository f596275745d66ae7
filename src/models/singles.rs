//! No slot has two owners, and a request is refused only if too few slots are free.

use super::*;

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
fn single_against_run() {
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
fn run_against_run() {
    explore(3, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let (mine, theirs) = (ground.alloc_run(2), other.join().unwrap());
        assert!(mine.is_some() != theirs.is_some());
        ground.assert_exact(2);
    });
}

// No spurious `Full`.

#[test]
fn a_run_that_does_not_fit_takes_nothing() {
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
fn a_free_slot_is_found_beside_a_return() {
    explore(2, |ground| {
        let going = Held::new(&ground, 1).return_slots();
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(1);
    });
}

#[test]
fn a_vacant_slot_is_found_beside_a_return() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        drop(vacant);
        let going = held.return_slots();
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn a_refusal_leaves_no_trace() {
    for refusals in [1, 2] {
        explore(2, move |ground| {
            let held = Held::new(&ground, 2);
            let others: Vec<_> = (0..refusals).map(|_| spawn(&ground, Ground::alloc)).collect();
            assert!(others.into_iter().all(|other| other.join().unwrap().is_none()));
            held.return_slots().join().unwrap();
            // A refused request has advanced the cursor past the end, and the return retracts it
            // nevertheless. (A second one has set it back to the end: `OVERSHOOT_LIMIT`.) So a
            // request for a run gets both slots.
            assert!(ground.alloc_run(2).is_some());
        });
    }
}

#[test]
fn a_count_is_never_too_low() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        drop(vacant);
        let going = held.return_slots();
        let first = ground.alloc().unwrap();
        assert!(ground.arena.remaining() <= 1);
        let second = ground.alloc();
        // Slot 0 is vacant before the return of slot 1 begins. Slot 1 may still be held when a
        // request looks at it.
        assert!(first == 0 || second == Some(0), "a vacant slot is not counted");
        going.join().unwrap();
        ground.assert_exact(2 + usize::from(second.is_some()));
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
