//! A `Key<T>` works only with arenas of `T`. Its value can be borrowed only until the epoch ends.
use atomicarena::{AtomicArena, Key};

fn another_type(arena: &AtomicArena<u8>, key: Key<u16>) {
    arena.get_keyed(key); //~ E0308
}

fn a_number(arena: &AtomicArena<u8>) {
    arena.get_keyed(0); //~ E0308
}

fn what_it_leads_to_ends_with_the_epoch(arena: &mut AtomicArena<u8>, key: Key<u8>) -> Option<u8> {
    let value = arena.get_keyed(key);
    arena.reset(); //~ E0502
    value.copied()
}

fn main() {}
