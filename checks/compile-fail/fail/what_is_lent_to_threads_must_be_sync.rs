//! Every thread can read a published value, so publishing and reading require `T: Sync`, which
//! `Cell` is not.
use std::cell::Cell;

use atomicarena::{AtomicArena, Key, Local, Reservation};

fn by_the_arena(arena: &AtomicArena<Cell<u8>>) {
    let _ = arena.publish(Cell::new(1)); //~ E0277
    let _ = arena.publish_with(|_| Cell::new(1)); //~ E0277
    arena.get(0); //~ E0277
    arena.get_wrapping(0); //~ E0277
    arena.get_slice(0..1); //~ E0277
    arena.iter(); //~ E0277
    let _ = &arena[0]; //~ E0277
    for _ in arena {} //~ E0277
}

fn by_keys(arena: &AtomicArena<Cell<u8>>, key: Key<Cell<u8>>) {
    let _ = arena.publish_keyed(Cell::new(1)); //~ E0277
    arena.get_keyed(key); //~ E0277
}

fn by_handles(mut local: Local<'_, Cell<u8>>, run: Reservation<'_, Cell<u8>>) {
    let _ = local.publish(Cell::new(1)); //~ E0277
    let _ = local.publish_with(|_| Cell::new(1)); //~ E0277
    run.publish(); //~ E0277
}

fn all(mut arena: AtomicArena<Cell<u8>>) {
    arena.publish_all(); //~ E0277
}

fn main() {}
