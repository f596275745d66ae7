//! A reference to an owned value cannot be used after the arena was borrowed exclusively, for
//! example by a method that ends the epoch.
use atomicarena::{AtomicArena, Key, Mapped};

fn over_reset(mut arena: AtomicArena<u32>) {
    let value = arena.alloc(1).unwrap();
    arena.reset(); //~ E0502
    *value = 2;
}

fn over_reset_zeroed(mut arena: AtomicArena<u32>) {
    let values = arena.alloc_slice_copy(&[1, 2]).unwrap();
    arena.reset_zeroed(); //~ E0502
    values[0] = 2;
}

fn over_drain(mut arena: AtomicArena<u32>) {
    let value = arena.alloc_with(|| 1).unwrap();
    let drained = arena.drain(); //~ E0502
    *value = 2;
    drop(drained);
}

fn over_publish_all(mut arena: AtomicArena<u32>) {
    let values = arena.alloc_array([1, 2]).unwrap();
    arena.publish_all(); //~ E0502
    values[0] = 2;
}

fn over_get_mut(mut arena: AtomicArena<u32>) {
    let value = arena.alloc(1).unwrap();
    let same = arena.get_mut(0); //~ E0502
    *value = 2;
    drop(same);
}

fn over_iter_mut(mut arena: AtomicArena<u32>) {
    let values = arena.alloc_vec(vec![1]).unwrap();
    let all = arena.iter_mut(); //~ E0502
    values[0] = 2;
    drop(all);
}

fn over_as_mut_slice(mut arena: AtomicArena<u32>) {
    let values = arena.alloc_from_iter([1]).unwrap();
    let all = arena.as_mut_slice(); //~ E0502
    values[0] = 2;
    drop(all);
}

fn over_fill_with(mut arena: AtomicArena<u8>) {
    let text = arena.alloc_str("text").unwrap();
    let all = arena.fill_with(|_| 0); //~ E0502
    text.make_ascii_uppercase();
    all[0] = 1;
}

fn over_compact(mut arena: AtomicArena<u32>) {
    let value = arena.alloc(1).unwrap();
    let all = arena.compact(); //~ E0502
    *value = 2;
    all[0] = 1;
}

fn over_reset_decommit(mut arena: AtomicArena<u32, Mapped<u32>>) {
    let value = arena.alloc(1).unwrap();
    arena.reset_decommit().unwrap(); //~ E0502
    *value = 2;
}

fn over_get_disjoint_mut(mut arena: AtomicArena<u32>) {
    let value = arena.alloc_try_with(|| Ok::<_, ()>(1)).unwrap().unwrap();
    let all = arena.get_disjoint_mut([0]); //~ E0502
    *value = 2;
    drop(all);
}

fn several_over_reset(mut arena: AtomicArena<u32>) {
    let [first, second] = arena.get_disjoint_mut([0, 1]).unwrap();
    arena.reset(); //~ E0499
    std::mem::swap(first, second);
}

fn over_get_keyed_mut(mut arena: AtomicArena<u32>, key: Key<u32>) {
    let value = arena.alloc(1).unwrap();
    let same = arena.get_keyed_mut(key); //~ E0502
    *value = 2;
    drop(same);
}

fn main() {}
