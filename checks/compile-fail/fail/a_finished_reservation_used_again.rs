//! `finish` and `publish` consume the reservation, so no method of it can be called afterwards.
use atomicarena::AtomicArena;

fn pushed_after_finish(arena: &AtomicArena<u32>) {
    let mut run = arena.reserve(2).unwrap();
    run.finish();
    run.push(1).unwrap(); //~ E0382
}

fn finished_after_publish(arena: &AtomicArena<u32>) {
    let run = arena.reserve(2).unwrap();
    run.publish();
    run.finish(); //~ E0382
}

fn published_twice(arena: &AtomicArena<u32>) {
    let run = arena.reserve(2).unwrap();
    run.publish();
    run.publish(); //~ E0382
}

fn main() {}
