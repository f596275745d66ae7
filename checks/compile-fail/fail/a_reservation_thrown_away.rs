//! The compiler warns of an unused reservation, because its slots are returned at once.
#![deny(unused_must_use)]
use atomicarena::AtomicArena;

fn main() {
    let arena = AtomicArena::<u32>::with_capacity(2);
    arena.reserve_up_to(2); //~ error
}
