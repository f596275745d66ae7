//! Counts and numbers: open handles, thread numbers, and the bound on the slots that were written
//! to.

use super::*;
use crate::raw::thread_id::IdSet;

impl<T: Value> Ground<T> {
    fn handles(&self) -> usize {
        self.arena.stats().handles
    }

    /// Opens a handle and closes it.
    fn open_and_close(&self) {
        let run = self.reserve(1);
        self.write(run.first_index());
    }
}

#[test]
fn a_handle_is_closed_by_another_thread() {
    explore(4, |ground| {
        let held = with_id(0, || Held::new(&ground, 1));
        assert_eq!(ground.handles(), 1);
        let going = held.return_slots_on(1);
        ground.open_and_close();
        assert!(ground.handles() <= 1);
        going.join().unwrap();
        assert_eq!(ground.handles(), 0);
        ground.assert_exact(0);
    });
}

/// Explores a thread with the first id, which leaks a handle, beside a thread with the second id,
/// which opens and closes one.
fn explore_leaked(ids: [usize; 2]) {
    explore(4, move |ground| {
        let leaking = spawn_on(&ground, ids[0], |ground| mem::forget(ground.reserve(1)));
        let closing = spawn_on(&ground, ids[1], Ground::open_and_close);
        leaking.join().unwrap();
        closing.join().unwrap();
        assert_eq!(ground.handles(), 1);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        assert_eq!(ground.arena.iter_mut().count(), 0);
        assert_eq!(ground.handles(), 0);
        ground.assert_exact(0);
    });
}

#[test]
fn a_leaked_handle_is_counted_by_a_thread_with_a_number() {
    explore_leaked([1, 0]);
}

#[test]
fn a_leaked_handle_is_counted_by_a_thread_without_a_number() {
    // Neither thread has an exclusive number, so both use the shared stripe.
    explore_leaked([2, 3]);
}

#[test]
fn a_leaked_handle_is_counted_by_threads_that_share_a_shard() {
    // Both threads use shard 1, but only the thread with the exclusive number 1 writes to the
    // stripe in that shard.
    explore_leaked([1, 3]);
}

#[test]
fn a_handle_that_another_thread_closes_is_not_taken_for_leaked() {
    explore(4, |ground| {
        // The handle is opened on the shared stripe, and closed on the stripe of thread 0. Neither
        // stripe is then 0, although the handle is closed.
        let going = Held::new(&ground, 1).return_slots_on(0);
        let leaking = spawn_on(&ground, 1, |ground| mem::forget(ground.reserve(1)));
        going.join().unwrap();
        leaking.join().unwrap();
        assert_eq!(ground.handles(), 1);
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        ground.arena.iter_mut();
        assert_eq!(ground.handles(), 0);
        ground.assert_exact(0);
    });
}

#[test]
fn a_number_is_passed_on_with_what_its_thread_wrote() {
    loom::model(|| {
        let numbers = Arc::new((IdSet::new(), [(); EXCLUSIVE_IDS].map(UnsafeCell::new)));
        // The cell of a number represents what the thread with that number writes.
        let use_number = |numbers: &(IdSet, [UnsafeCell<()>; EXCLUSIVE_IDS])| {
            if let Some(id) = numbers.0.take() {
                numbers.1[id].with_mut(|_| ());
                numbers.0.put_back(id);
            }
        };
        let others = [(); 2].map(|()| {
            let numbers = numbers.clone();
            thread::spawn(move || use_number(&numbers))
        });
        use_number(&numbers);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!((0..EXCLUSIVE_IDS).all(|id| numbers.0.take() == Some(id)));
        assert_eq!(numbers.0.take(), None);
    });
}

#[test]
fn the_bound_on_written_slots_is_the_maximum() {
    explore(4, |ground| {
        let held = [(); 2].map(|()| Held::new(&ground, 2));
        let going = held.map(|mut held| {
            // From now on the handle does not know which of its slots were written to.
            held.run.as_mut().unwrap().as_mut_ptr();
            held.return_slots()
        });
        going.into_iter().for_each(|going| going.join().unwrap());
        assert_eq!(ground.arena.view().cursor().written(), 4);
    });
}
