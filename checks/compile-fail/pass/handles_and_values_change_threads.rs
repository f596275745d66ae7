//! Handles, the arena itself, and iterators that own or borrow values mutably can move to another
//! thread if the values can.
use std::cell::Cell;
use std::thread;

use atomicarena::AtomicArena;

fn main() {
    let mut arena = AtomicArena::with_capacity(40);
    let (mut local, mut run) = (arena.local(), arena.reserve(2).unwrap());
    thread::scope(|scope| {
        scope.spawn(move || local.alloc(Cell::new(1)).unwrap().set(2));
        scope.spawn(move || {
            run.push(Cell::new(3)).unwrap();
            run.finish()[0].set(4);
        });
    });
    let all = arena.iter_mut();
    let sum = thread::scope(|scope| scope.spawn(move || all.map(|(_, cell)| cell.get()).sum::<u32>()).join().unwrap());
    assert_eq!(sum, 6);
    let drain = arena.drain();
    assert_eq!(thread::scope(|scope| scope.spawn(move || drain.count()).join().unwrap()), 2);
    arena.alloc(Cell::new(5)).unwrap();
    let values = thread::spawn(move || arena.into_iter()).join().unwrap();
    assert_eq!(thread::spawn(move || values.map(|cell| cell.get()).sum::<u32>()).join().unwrap(), 5);
}
