//! An unused reservation returns its slots at once, which is probably a mistake.
#![deny(unused_must_use)]
use atomicarena::AtomicArena;

fn main() {
    let arena = AtomicArena::<u32>::with_capacity(2);
    arena.reserve_up_to(2); //~ error
}
