//! While the arena is shared, no thread can write to a published value, because even its publisher
//! gets only `&T`.
use atomicarena::AtomicArena;

fn by_the_publisher(arena: &AtomicArena<u32>) {
    let (_, value) = arena.publish(1).unwrap();
    *value = 2; //~ E0594
}

fn by_a_reader(arena: &AtomicArena<u32>) {
    let value = arena.get(0).unwrap();
    *value = 2; //~ E0594
}

fn by_iteration(arena: &AtomicArena<u32>) {
    for (_, value) in arena {
        *value = 2; //~ E0594
    }
}

fn as_a_slice(arena: &AtomicArena<u32>) {
    let (_, values) = arena.reserve(2).unwrap().publish();
    values[0] = 2; //~ E0594
}

fn main() {}
