//! `Local`, `Reservation`, `Iter`, `IterMut` and `Drain` borrow the arena, so they cannot outlive
//! it.
use atomicarena::{AtomicArena, Drain, Iter, IterMut, Local, Reservation};

fn local<'a>() -> Local<'a, u32> {
    let arena = AtomicArena::with_capacity(1);
    arena.local() //~ E0515
}

fn reservation<'a>() -> Reservation<'a, u32> {
    let arena = AtomicArena::with_capacity(1);
    arena.reserve(1).unwrap() //~ E0515
}

fn iter<'a>() -> Iter<'a, u32> {
    let arena = AtomicArena::with_capacity(1);
    arena.iter() //~ E0515
}

fn iter_mut<'a>() -> IterMut<'a, u32> {
    let mut arena = AtomicArena::with_capacity(1);
    arena.iter_mut() //~ E0515
}

fn drain<'a>() -> Drain<'a, u32> {
    let mut arena = AtomicArena::with_capacity(1);
    arena.drain() //~ E0515
}

// The handle is not used again, but its drop accesses the arena.
fn dropped_after_the_arena() {
    let _local;
    let arena = AtomicArena::<u32>::with_capacity(1);
    _local = arena.local(); //~ E0597
}

fn dropped_with_the_arena_gone() {
    let arena = AtomicArena::<u32>::with_capacity(1);
    let _run = arena.reserve(1);
    drop(arena); //~ E0505
}

fn main() {}
