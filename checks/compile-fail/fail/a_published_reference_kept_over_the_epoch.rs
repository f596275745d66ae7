//! A reference to a published value cannot be used after the arena was moved or borrowed
//! exclusively, for example by a method that ends the epoch.
use atomicarena::AtomicArena;

fn published_over_reset(mut arena: AtomicArena<u32>) -> u32 {
    let (_, value) = arena.publish(1).unwrap();
    arena.reset(); //~ E0502
    *value
}

fn read_over_reset(mut arena: AtomicArena<u32>) -> u32 {
    let value = arena.get(0).unwrap();
    arena.reset(); //~ E0502
    *value
}

fn slice_over_reset_zeroed(mut arena: AtomicArena<u32>) -> u32 {
    let values = arena.get_slice(0..2).unwrap();
    arena.reset_zeroed(); //~ E0502
    values[0]
}

fn met_over_drain(mut arena: AtomicArena<u32>) -> u32 {
    let (_, value) = arena.iter().next().unwrap();
    arena.drain(); //~ E0502
    *value
}

fn published_over_get_mut(mut arena: AtomicArena<u32>) -> u32 {
    let (index, value) = arena.publish_with(|index| index as u32).unwrap();
    *arena.get_mut(index).unwrap() = 2; //~ E0502
    *value
}

fn wrapped_over_iter_mut(mut arena: AtomicArena<u32>) -> u32 {
    let value = arena.get_wrapping(7).unwrap();
    arena.iter_mut().for_each(|(_, value)| *value = 0); //~ E0502
    *value
}

fn run_over_reset(mut arena: AtomicArena<u32>) -> u32 {
    let (_, values) = arena.reserve(2).unwrap().publish();
    arena.reset(); //~ E0502
    values[0]
}

fn indexed_over_reset(mut arena: AtomicArena<u32>) -> u32 {
    let value = &arena[0];
    arena.reset(); //~ E0502
    *value
}

fn keyed_over_get_disjoint_mut(mut arena: AtomicArena<u32>) -> u32 {
    let (key, value) = arena.publish_keyed(1).unwrap();
    let [same] = arena.get_disjoint_mut([key.index()]).unwrap(); //~ E0502
    *same = 2;
    *value
}

fn arena_put_in_order(arena: AtomicArena<u32>) -> u32 {
    let (_, value) = arena.publish(1).unwrap();
    let _arena = arena.in_order(); //~ E0505
    *value
}

fn main() {}
