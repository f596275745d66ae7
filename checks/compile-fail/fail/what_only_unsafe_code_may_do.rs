//! `set_len` does not check that the slots hold values, so it is `unsafe`.
use atomicarena::AtomicArena;

fn main() {
    let arena = AtomicArena::<u32>::with_capacity(2);
    let mut run = arena.reserve(2).unwrap();
    run.set_len(2); //~ E0133
}
