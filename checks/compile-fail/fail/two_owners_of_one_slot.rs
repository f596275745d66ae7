//! There are never two `&mut` to one slot, nor a `&mut` and a `&`.
use atomicarena::AtomicArena;

fn get_mut_twice(mut arena: AtomicArena<u32>) {
    let first = arena.get_mut(0).unwrap();
    let second = arena.get_mut(0).unwrap(); //~ E0499
    std::mem::swap(first, second);
}

fn iter_mut_twice(mut arena: AtomicArena<u32>) {
    let mut first = arena.iter_mut();
    let mut second = arena.iter_mut(); //~ E0499
    std::mem::swap(first.next().unwrap().1, second.next().unwrap().1);
}

fn iter_mut_and_iter(mut arena: AtomicArena<u32>) {
    let (_, owned) = arena.iter_mut().next().unwrap();
    let seen = arena.iter().next(); //~ E0502
    *owned = 1;
    drop(seen);
}

fn whole_and_part(mut arena: AtomicArena<u32>) {
    let whole = arena.as_mut_slice().unwrap();
    let part = arena.get_mut(0).unwrap(); //~ E0499
    std::mem::swap(&mut whole[0], part);
}

fn spare_slots_twice(arena: AtomicArena<u32>) {
    let mut run = arena.reserve(2).unwrap();
    let first = run.spare_capacity_mut();
    let second = run.spare_capacity_mut(); //~ E0499
    first[0].write(1);
    second[0].write(2);
}

fn filled_and_pushed(arena: AtomicArena<u32>) {
    let mut run = arena.reserve(2).unwrap();
    run.push(1).unwrap();
    let first = &mut run[0];
    run.push(2).unwrap(); //~ E0499
    *first = 3;
}

fn finished_and_kept(arena: AtomicArena<u32>) {
    let mut run = arena.reserve(1).unwrap();
    let first = &mut run[0];
    let slice = run.finish(); //~ E0505
    std::mem::swap(first, &mut slice[0]);
}

fn main() {}
