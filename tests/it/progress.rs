//! A thread that stops in the middle of an operation, for any length of time, blocks no other
//! thread.

use std::sync::Barrier;
use std::thread;

use atomicarena::AtomicArena;

const CAPACITY: usize = 64;

/// Runs `stop` on a thread. In the middle of an operation, `stop` calls the function that it
/// receives. That function returns only after another thread has performed operations of every kind
/// on the arena. Meanwhile the stopped thread may hold at most `held` slots.
fn others_go_on(held: usize, stop: impl FnOnce(&AtomicArena<usize>, &dyn Fn()) + Send) {
    let arena = AtomicArena::with_capacity(CAPACITY);
    let (stopped, go_on) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            stop(&arena, &|| {
                stopped.wait();
                go_on.wait();
            });
        });
        stopped.wait();
        let free = arena.remaining();
        assert!(free >= CAPACITY - held);
        do_everything(&arena);
        // Every free slot can be allocated.
        assert!((0..arena.remaining()).all(|_| arena.alloc(0).is_ok()));
        assert!(arena.alloc(0).is_err());
        go_on.wait();
    });
    let mut arena = arena;
    arena.reset();
    assert_eq!(arena.alloc_slice_with(CAPACITY, |index| index).unwrap().len(), CAPACITY);
}

/// Performs operations of every kind with `&self`.
fn do_everything(arena: &AtomicArena<usize>) {
    *arena.alloc(1).unwrap() += 1;
    arena.alloc_with(|| 2).unwrap();
    let (index, _) = arena.publish(3).unwrap();
    assert_eq!(arena.get(index), Some(&3));
    arena.publish_with(|index| index).unwrap();
    arena.alloc_slice_copy(&[4; 3]).unwrap();
    arena.alloc_slice_clone(&[5; 2]).unwrap();
    arena.alloc_slice_with(2, |place| place).unwrap();
    arena.alloc_from_iter([6, 7]).unwrap();
    arena.alloc_array([8; 2]).unwrap();
    arena.alloc_vec(vec![9; 2]).unwrap();
    arena.alloc_prefix_clone(&[10; 2]);
    assert!(arena.reserve(CAPACITY + 1).is_err());
    arena.reserve(2).unwrap().push(11).unwrap();
    let mut run = arena.reserve_up_to(2);
    run.fill_from_iter(12..);
    let (first, slice) = run.publish();
    assert_eq!(arena.get_slice(first..first + 2), Some(slice));
    let mut local = arena.local();
    local.alloc(13).unwrap();
    let (index, value) = local.publish(14).unwrap();
    assert_eq!(arena.index_of(value), Some(index));
    drop(local);
    assert!(arena.iter().count() >= 5);
    assert!(arena.get_wrapping(index + CAPACITY).is_some());
}

#[test]
fn in_the_closure_of_alloc_with() {
    others_go_on(1, |arena, stand| {
        arena.alloc_with(|| [stand()].len()).unwrap();
    });
}

#[test]
fn in_the_closure_of_publish_with() {
    others_go_on(1, |arena, stand| {
        let (index, _) = arena
            .publish_with(|index| {
                stand();
                index
            })
            .unwrap();
        assert_eq!(arena.get(index), Some(&index));
    });
}

#[test]
fn in_the_closure_of_alloc_slice_with() {
    others_go_on(4, |arena, stand| {
        arena.alloc_slice_with(4, |place| if place == 2 { [stand()].len() } else { place }).unwrap();
    });
}

#[test]
fn in_an_iterator() {
    others_go_on(4, |arena, stand| {
        let values = [0, 1, 2, 3].into_iter().inspect(|&value| {
            if value == 1 {
                stand()
            }
        });
        assert_eq!(arena.alloc_from_iter(values).unwrap(), [0, 1, 2, 3]);
    });
}

#[test]
fn with_a_reservation() {
    others_go_on(8, |arena, stand| {
        let mut run = arena.reserve(8).unwrap();
        run.push(1).unwrap();
        stand();
        assert_eq!(run.finish(), [1]);
    });
}

#[test]
fn with_a_local() {
    others_go_on(CAPACITY / 16, |arena, stand| {
        let mut local = arena.local();
        local.publish(1).unwrap();
        stand();
        local.alloc_with(|| 2).ok();
    });
}

#[test]
fn in_the_middle_of_an_iteration() {
    others_go_on(2, |arena, stand| {
        arena.publish(1).unwrap();
        arena.publish(2).unwrap();
        let mut iter = arena.iter();
        assert_eq!(iter.next(), Some((0, &1)));
        stand();
        assert_eq!(iter.next(), Some((1, &2)));
    });
}
