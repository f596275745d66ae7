//! Vacant slots: counting them and searching for them, while other threads return slots or search.

use super::*;

/// Explores `model` on an arena whose cursor is at the end. The slots below `vacant` are vacant,
/// and the others hold a value.
fn explore_vacant(capacity: usize, vacant: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore(capacity, move |ground| {
        let run = ground.reserve(vacant);
        (vacant..capacity).for_each(|_| assert!(ground.alloc().is_some()));
        drop(run);
        model(ground);
    });
}

#[test]
fn one_of_two_searches_for_a_run_succeeds() {
    explore_vacant(4, 3, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let got = [ground.alloc_run(2), other.join().unwrap()].into_iter().flatten().count();
        assert_eq!(got, 1);
        ground.assert_exact(3);
    });
}

#[test]
fn one_of_two_searches_for_overlapping_windows_succeeds() {
    explore_vacant(5, 4, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(3));
        let got = [ground.alloc_run(3), other.join().unwrap()].into_iter().flatten().count();
        assert_eq!(got, 1);
        ground.assert_exact(4);
    });
}

#[test]
fn two_searches_for_a_run_of_different_lengths() {
    explore_vacant(5, 4, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(3));
        let held = match (ground.alloc_run(2), other.join().unwrap()) {
            (Some(_), None) => 2,
            (None, Some(_)) => 3,
            (mine, theirs) => panic!("{mine:?} and {theirs:?}"),
        };
        ground.assert_exact(1 + held);
    });
}

#[test]
fn a_search_for_a_run_beside_a_single() {
    explore_vacant(3, 2, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let held = match (ground.alloc(), other.join().unwrap()) {
            (Some(_), None) => 1,
            (None, Some(_)) => 2,
            (mine, theirs) => panic!("{mine:?} and {theirs:?}"),
        };
        ground.assert_exact(1 + held);
    });
}

#[test]
fn a_search_for_a_run_beside_two_singles() {
    explore_vacant(4, 3, |ground| {
        let other = spawn(&ground, |ground| ground.alloc_run(2));
        let held = ground.alloc_times(2) + other.join().unwrap().map_or(0, |_| 2);
        assert!((2..=3).contains(&held));
        ground.assert_exact(1 + held);
    });
}

#[test]
fn a_search_for_a_run_continues_above_a_claimed_slot() {
    explore_vacant(5, 4, |ground| {
        // Whichever slot the other thread takes, two contiguous slots are left.
        let other = spawn(&ground, Ground::alloc);
        assert!(ground.alloc_run(2).is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(4);
    });
}

#[test]
fn a_search_for_a_run_beside_a_return() {
    explore(4, |ground| {
        let (low, held) = (ground.reserve(2), Held::new(&ground, 1));
        ground.alloc().unwrap();
        drop(low);
        let going = held.return_slots();
        let got = ground.alloc_run(3);
        going.join().unwrap();
        assert!(got.is_some() || ground.alloc_run(3).is_some(), "no run was found in three vacant slots");
        ground.assert_exact(4);
    });
}

#[test]
fn a_search_for_a_run_across_two_blocks() {
    explore(7, |ground| {
        let (low, held) = (ground.reserve(3), Held::new(&ground, 3));
        ground.alloc().unwrap();
        drop(low);
        let going = held.return_slots();
        // A block has four slots, so this run spans two blocks.
        let got = ground.alloc_run(5);
        going.join().unwrap();
        ground.assert_exact(1 + got.map_or(0, |_| 5));
    });
}

#[test]
fn a_returned_slot_is_found_while_another_is_counted() {
    explore(3, |ground| {
        let (going, mine) = (Held::new(&ground, 1), Held::new(&ground, 1));
        ground.alloc().unwrap();
        let going = going.return_slots();
        mine.return_slots_here();
        // At least the slot that this thread has returned is free.
        assert!(ground.alloc().is_some());
        going.join().unwrap();
        ground.assert_exact(2);
    });
}

#[test]
fn a_returned_slot_is_found_while_another_is_uncounted() {
    explore(3, |ground| {
        let (vacant, mine) = (ground.reserve(1), Held::new(&ground, 1));
        ground.alloc().unwrap();
        drop(vacant);
        let other = spawn(&ground, Ground::alloc);
        mine.return_slots_here();
        assert!(ground.alloc().is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(3);
    });
}

#[test]
fn a_vacant_slot_is_found_when_the_epochs_of_its_count_recur() {
    explore(2, |mut ground| {
        let reset = |ground: &mut Arc<Ground>| Arc::get_mut(ground).unwrap().arena.reset();
        let vacate_slot = |ground: &Ground| {
            let run = ground.reserve(1);
            assert_eq!(ground.alloc(), Some(1));
            drop(run);
        };
        // The first epoch does not recur. The second one recurs after 50 resets.
        reset(&mut ground);
        vacate_slot(&ground);
        (0..50).for_each(|_| reset(&mut ground));
        vacate_slot(&ground);
        assert_eq!(ground.alloc(), Some(0));
    });
}

#[test]
fn a_run_is_found_behind_a_block_without_vacant_slots() {
    explore(11, |ground| {
        let (low, between, high) = (ground.reserve(4), ground.reserve(4), ground.reserve(2));
        assert_eq!(ground.alloc(), Some(10));
        drop((low, high));
        assert_eq!(ground.alloc_run(3), Some(0));
        // Slot 3 is vacant, the slots of the second block are held, and two slots of the third are
        // vacant.
        assert_eq!(ground.alloc_run(2), Some(8));
        drop(between);
    });
}
