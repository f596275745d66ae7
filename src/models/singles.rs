//! Each slot is handed out once, and no request is refused while a slot is free.

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

// No spurious `Full`.

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
        // The run was returned at the cursor and did not become vacant, so it serves a run.
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
        // One slot holds a value the whole time.
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
