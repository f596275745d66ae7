//! A value that implements `Drop` may refer to a value that is dropped after the arena.
use std::cell::Cell;

use atomicarena::{AtomicArena, StaticArena};

struct Counts<'a>(&'a Cell<u32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn main() {
    let drops = Cell::new(0);
    {
        let arena = AtomicArena::with_capacity(2);
        let inline = StaticArena::<_, 1>::new();
        arena.alloc(Counts(&drops)).unwrap();
        inline.alloc(Counts(&drops)).unwrap();
        let mut run = arena.reserve(1).unwrap();
        run.push(Counts(&drops)).unwrap();
    }
    assert_eq!(drops.get(), 3);
}
