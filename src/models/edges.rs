//! E1 and E2: publishing a value happens before reading it, and returning a slot happens before its
//! reuse.

use std::ops::Range;

use super::*;

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

// E2 return → reuse.

#[test]
fn e2_at_the_cursor_to_a_single() {
    explore(1, |ground| {
        let going = Held::new(&ground, 1).return_slots();
        let got = ground.alloc();
        going.join().unwrap();
        ground.assert_exact(usize::from(got.is_some()));
    });
}

#[test]
fn e2_at_the_cursor_to_a_run() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).return_slots();
        let got = ground.alloc_run(2);
        going.join().unwrap();
        ground.assert_exact(if got.is_some() { 2 } else { 0 });
    });
}

/// Explores `take` beside a thread that takes and returns a run. `take` may read the cursor before
/// the run is taken, and exchange it after the run was returned. The result of `take` is the range
/// of slots that it took.
fn explore_retracted_cursor(take: impl Fn(&Ground) -> Range<usize> + Send + Sync + 'static) {
    explore(2, move |ground| {
        let other = spawn(&ground, |ground| {
            let run = ground.arena.reserve(2).ok()?;
            (0..2).for_each(|index| ground.write(index));
            drop(run);
            Some(())
        });
        let got = take(&ground);
        got.clone().for_each(|index| ground.write(index));
        assert!(other.join().unwrap().is_some() || !got.is_empty());
        ground.assert_exact(got.len());
    });
}

#[test]
fn e2_at_a_cursor_that_was_retracted() {
    explore_retracted_cursor(|ground| {
        let first = ground.alloc_run(2);
        first.map_or(0..0, |first| first..first + 2)
    });
}

#[test]
fn e2_at_a_cursor_that_was_retracted_to_a_handle() {
    explore_retracted_cursor(|ground| {
        let index = ground.local(1).alloc(0).ok().and_then(|value| ground.arena.index_of(value));
        index.map_or(0..0, |index| index..index + 1)
    });
}

/// Keeps the slots of a reservation.
fn keep(mut run: Reservation<'_, u32>) -> Range<usize> {
    let got = run.first_index()..run.first_index() + run.capacity();
    run.fill_from_iter(std::iter::repeat(0));
    run.finish();
    got
}

#[test]
fn e2_at_a_cursor_that_was_retracted_on_the_slow_path() {
    explore_retracted_cursor(|ground| {
        let view = ground.arena.view();
        let start = view.cursor().take_run_slow(&view.metadata(), 2, false);
        // SAFETY: this thread has just taken the two slots, so it owns them.
        start.map_or(0..0, |start| keep(unsafe { Reservation::new(view, start, 2) }))
    });
}

#[test]
fn e2_at_a_cursor_that_was_retracted_to_a_shorter_run() {
    explore_retracted_cursor(|ground| keep(ground.arena.reserve_up_to(3)));
}

#[test]
fn e2_at_the_cursor_through_the_addition_of_another() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).return_slots();
        let other = spawn(&ground, Ground::alloc);
        let got = [ground.alloc(), other.join().unwrap()].into_iter().flatten().count();
        going.join().unwrap();
        ground.assert_exact(got);
    });
}

/// Allocates beside the return of a slot that becomes vacant, in an arena of two slots.
fn alloc_beside_a_vacant_slot<S: Storage<u32> + 'static>(ground: Arc<Ground<u32, S>>) {
    let held = Held::new(&ground, 1);
    ground.alloc().unwrap();
    let going = held.return_slots();
    let got = ground.alloc();
    going.join().unwrap();
    ground.assert_exact(1 + usize::from(got.is_some()));
}

#[test]
fn e2_at_a_vacant_slot() {
    explore(2, alloc_beside_a_vacant_slot);
}

#[test]
fn e2_at_a_vacant_slot_without_a_summary() {
    explore_bare(2, alloc_beside_a_vacant_slot);
}

#[test]
fn e2_at_a_vacant_run_without_a_summary() {
    explore_bare(3, |ground| {
        let held = Held::new(&ground, 2);
        ground.alloc().unwrap();
        let going = held.return_slots();
        let got = ground.alloc_run(2);
        going.join().unwrap();
        ground.assert_exact(if got.is_some() { 3 } else { 1 });
    });
}

#[test]
fn e2_to_the_stamp_of_the_next_owner() {
    explore(2, |ground| {
        let going = Held::new(&ground, 2).return_slots();
        let got = ground.publish();
        going.join().unwrap();
        // The old owner cleared the run marks. Clearing them must happen before the new owner
        // writes its stamp.
        assert!(got.is_none_or(|index| ground.get(index)));
        ground.assert_exact(usize::from(got.is_some()));
    });
}
