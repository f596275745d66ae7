//! Models in which several protocols run at the same time.

use super::*;

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
fn reserve_up_to_finds_a_free_slot_beside_a_return() {
    explore(2, |ground| {
        let going = Held::new(&ground, 1).return_slots();
        let run = ground.arena.reserve_up_to(1);
        assert_eq!(run.capacity(), 1);
        ground.write(run.first_index());
        drop(run);
        going.join().unwrap();
        ground.assert_exact(0);
    });
}

#[test]
fn a_local_finds_a_vacant_slot_beside_a_return() {
    explore(3, |ground| {
        let vacant = ground.reserve(1);
        let held = Held::new(&ground, 1);
        ground.alloc().unwrap();
        drop(vacant);
        let going = held.return_slots();
        let mut local = ground.local(2);
        let (index, _) = local.publish_with(|index| ground.write_value(index)).unwrap();
        drop(local);
        going.join().unwrap();
        assert!(ground.get(index));
        ground.assert_exact(2);
    });
}

#[test]
fn vacant_slots_below_the_search_start_are_found() {
    explore(4, |ground| {
        let (a, _, b, _) = (ground.reserve(1), ground.alloc(), ground.reserve(1), ground.alloc());
        drop(a);
        drop(b); // the next search starts at this slot
        let other = spawn(&ground, Ground::alloc);
        let (mine, theirs) = (ground.alloc().unwrap(), other.join().unwrap().unwrap());
        assert_ne!(mine, theirs);
        ground.assert_exact(4);
    });
}

#[test]
fn a_vacant_slot_is_returned_at_the_cursor() {
    explore(2, |ground| {
        let (low, high) = (Held::new(&ground, 1), Held::new(&ground, 1));
        let going = [low.return_slots(), high.return_slots()];
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
fn the_rest_of_a_reservation_is_returned_beside_a_single() {
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
        let going = Held::new(&ground, 1).return_slots();
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
fn a_panic_returns_a_slot_below_the_cursor() {
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
        let going = held.return_slots();
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
        let going = held.return_slots();
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
fn e1_holds_after_the_second_stamp_of_a_local() {
    explore(8, |ground| {
        let other = spawn(&ground, |ground| {
            let mut local = ground.local(4);
            local.publish_with(|index| ground.write_value(index)).unwrap();
            local.alloc(0).unwrap();
            // This call also writes the stamp of the first value again.
            local.publish_with(|index| ground.write_value(index)).unwrap();
        });
        for index in [0, 2] {
            ground.get(index);
        }
        other.join().unwrap();
        assert!(ground.get(0) && !ground.get(1) && ground.get(2));
        ground.assert_exact(3);
    });
}
