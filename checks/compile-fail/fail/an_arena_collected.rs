//! `FromIterator` and `Extend` are missing, because they could not report a full arena. `IndexMut`
//! is missing: `Index` finds published values only, and `get_mut` also finds owned values, so
//! `IndexMut` would contradict one of the two.
use atomicarena::{AtomicArena, Reservation, StaticArena};

fn collected() -> AtomicArena<u8> {
    (0..3).collect() //~ E0277
}

fn collected_in_place() -> StaticArena<u8, 2> {
    (0..3).collect() //~ E0277
}

fn extended(arena: &mut AtomicArena<u8>, mut run: Reservation<'_, u8>) {
    arena.extend(0..3); //~ E0599
    run.extend(0..3); //~ E0599
}

fn written_by_index(arena: &mut AtomicArena<u8>) {
    arena[0] = 1; //~ E0594
}

fn main() {}
