//! A reservation that nobody looks at gives its slots back at once, which nobody wants.
#![deny(unused_must_use)]
use atomicarena::AtomicArena;

fn main() {
    let arena = AtomicArena::<u32>::with_capacity(2);
    arena.reserve_up_to(2); //~ error
}
