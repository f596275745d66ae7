//! Threads store values in an arena and return references to them, which are used after the threads
//! have been joined. `T` is `Send` but not `Sync`.
use std::cell::Cell;
use std::thread;

use atomicarena::AtomicArena;

fn main() {
    let mut arena = AtomicArena::with_capacity(40);
    let mut all: Vec<&mut Cell<usize>> = Vec::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let arena = &arena;
                scope.spawn(move || {
                    let mut local = arena.local();
                    let mut mine: Vec<&mut Cell<usize>> = vec![arena.alloc(Cell::new(thread)).unwrap()];
                    mine.extend(local.alloc(Cell::new(thread)));
                    mine.extend(arena.alloc_slice_with(3, |_| Cell::new(thread)).unwrap());
                    let mut run = arena.reserve(2).unwrap();
                    run.fill_from_iter([Cell::new(thread), Cell::new(thread)]);
                    mine.extend(run.finish());
                    mine
                })
            })
            .collect();
        all.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
    });
    all.iter_mut().for_each(|cell| *cell.get_mut() += 1);
    assert_eq!(all.iter().map(|cell| cell.get()).sum::<usize>(), 7 * (1 + 2 + 3 + 4));
    assert_eq!(arena.drain().count(), 28);
}
