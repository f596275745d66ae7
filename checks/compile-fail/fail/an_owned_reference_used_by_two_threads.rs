//! Only one thread at a time can use the `&mut T` of an owned value.
use atomicarena::AtomicArena;

fn in_two_threads(_: impl FnOnce() + Send, _: impl FnOnce() + Send) {}

fn main() {
    let arena = AtomicArena::with_capacity(1);
    let value = arena.alloc(1).unwrap();
    in_two_threads(|| *value = 2, || *value = 3); //~ E0524
}
