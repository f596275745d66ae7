//! References from a `Local`, a `Reservation` or an `Iter` may outlive it. They live as long as its
//! borrow of the arena.
use atomicarena::{AtomicArena, Iter};

fn owned(arena: &AtomicArena<u32>) -> [&mut u32; 2] {
    let mut local = arena.local();
    [local.alloc(1).unwrap(), local.alloc(2).unwrap()]
}

fn published(arena: &AtomicArena<u32>) -> (&[u32], &u32) {
    let mut run = arena.reserve(2).unwrap();
    run.fill_from_iter(3..);
    (run.publish().1, arena.local().publish(5).unwrap().1)
}

fn met<'a>(iter: &mut Iter<'a, u32>) -> Option<&'a u32> {
    Some(iter.next()?.1)
}

fn main() {
    let mut arena = AtomicArena::with_capacity(8);
    let [a, b] = owned(&arena);
    let (run, value) = published(&arena);
    std::mem::swap(a, b);
    assert_eq!((*a, *b, run, *value), (2, 1, &[3, 4][..], 5));
    assert_eq!(met(&mut arena.iter()), Some(&3));
    // No reference is used from here on, so the arena may be emptied and moved.
    arena.reset();
    let moved = arena;
    assert!(moved.is_empty());
}
