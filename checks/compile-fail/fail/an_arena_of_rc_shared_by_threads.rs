//! Values can move between threads through a shared arena, so an arena of `Rc` cannot be shared,
//! not even to call `count`.
use std::rc::Rc;
use std::thread;

use atomicarena::AtomicArena;

fn main() {
    let arena = AtomicArena::with_capacity(2);
    arena.alloc(Rc::new(1)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| arena.count()); //~ E0277
    });
}
