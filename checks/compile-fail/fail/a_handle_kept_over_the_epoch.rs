//! Handles and iterators borrow the arena, so they must be gone before a method ends the epoch. For
//! the same reason no value can be stored while a `Drain` exists.
use atomicarena::AtomicArena;

fn reservation_over_reset(mut arena: AtomicArena<u32>) {
    let run = arena.reserve(2).unwrap();
    arena.reset(); //~ E0502
    run.finish();
}

fn reservation_over_drain(mut arena: AtomicArena<u32>) {
    let run = arena.reserve_up_to(2);
    arena.drain(); //~ E0502
    run.publish();
}

// The reservation is not used again, but its drop returns slots.
fn reservation_dropped_after_reset(mut arena: AtomicArena<u32>) {
    let _run = arena.reserve(2).unwrap();
    arena.reset(); //~ E0502
}

fn local_over_reset(mut arena: AtomicArena<u32>) {
    let mut local = arena.local();
    arena.reset(); //~ E0502
    let _ = local.alloc(1);
}

fn local_over_reset_zeroed(mut arena: AtomicArena<u32>) {
    let mut local = arena.local();
    arena.reset_zeroed(); //~ E0502
    let _ = local.publish(1);
}

fn local_dropped_after_drain(mut arena: AtomicArena<u32>) {
    let _local = arena.local();
    arena.drain(); //~ E0502
}

fn local_over_compact(mut arena: AtomicArena<u32>) {
    let mut local = arena.local();
    arena.compact(); //~ E0502
    let _ = local.alloc(1);
}

fn iter_over_reset(mut arena: AtomicArena<u32>) {
    let iter = arena.iter();
    arena.reset(); //~ E0502
    iter.count();
}

fn iter_over_drain(mut arena: AtomicArena<u32>) {
    let iter = (&arena).into_iter();
    arena.drain(); //~ E0502
    iter.count();
}

fn iter_mut_over_reset(mut arena: AtomicArena<u32>) {
    let iter = arena.iter_mut();
    arena.reset(); //~ E0499
    iter.count();
}

fn drain_over_alloc(mut arena: AtomicArena<u32>) {
    let drain = arena.drain();
    arena.alloc(1).unwrap(); //~ E0502
    drain.count();
}

fn main() {}
