//! A reference into an arena cannot be used after the arena was moved, dropped, replaced, or
//! converted to an iterator, a vector or a boxed slice.
use atomicarena::{AtomicArena, StaticArena};

fn moved() {
    let arena = AtomicArena::with_capacity(1);
    let value = arena.alloc(1).unwrap();
    let moved = arena; //~ E0505
    *value = 2;
    drop(moved);
}

fn inline_moved() {
    let arena = StaticArena::<u32, 1>::new();
    let value = arena.alloc(1).unwrap();
    let moved = Box::new(arena); //~ E0505
    *value = 2;
    drop(moved);
}

fn dropped() {
    let arena = AtomicArena::with_capacity(1);
    let value = arena.alloc(1).unwrap();
    drop(arena); //~ E0505
    *value = 2;
}

fn replaced() {
    let mut arena = AtomicArena::with_capacity(1);
    let value = arena.alloc(1).unwrap();
    arena = AtomicArena::with_capacity(2); //~ E0506
    *value = 2;
    drop(arena);
}

fn swapped(mut arena: StaticArena<u32, 1>, mut other: StaticArena<u32, 1>) {
    let value = arena.alloc(1).unwrap();
    std::mem::swap(&mut arena, &mut other); //~ E0502
    *value = 2;
}

fn taken_apart() {
    let arena = AtomicArena::with_capacity(1);
    let (_, value) = arena.publish(1).unwrap();
    let values = arena.into_iter(); //~ E0505
    println!("{value}");
    drop(values);
}

fn made_a_vector() {
    let arena = AtomicArena::with_capacity(1);
    let value = arena.alloc(1).unwrap();
    let vector = arena.into_vec(); //~ E0505
    *value = 2;
    drop(vector);
}

fn made_a_boxed_slice() {
    let arena = AtomicArena::with_capacity(1);
    let mut run = arena.reserve(1).unwrap();
    let boxed = arena.into_boxed_slice(); //~ E0505
    run.push(1).unwrap();
    drop(boxed);
}

fn main() {}
