//! References into an arena do not outlive it.
use atomicarena::{AtomicArena, StaticArena};

fn owned<'a>() -> &'a mut u32 {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(1).unwrap() //~ E0515
}

fn published<'a>() -> &'a u32 {
    let arena = AtomicArena::with_capacity(1);
    arena.publish(1).unwrap().1 //~ E0515
}

fn slice<'a>() -> &'a mut [u32] {
    let arena = AtomicArena::with_capacity(1);
    arena.reserve_up_to(1).finish() //~ E0515
}

fn by_a_local<'a>() -> &'a mut u32 {
    let arena = AtomicArena::with_capacity(1);
    arena.local().alloc(1).unwrap() //~ E0515
}

fn inline<'a>() -> &'a mut u32 {
    let arena = StaticArena::<u32, 1>::new();
    arena.alloc(1).unwrap() //~ E0515
}

fn read_after() -> u32 {
    let value;
    {
        let arena = AtomicArena::with_capacity(1);
        arena.publish(1).unwrap();
        value = arena.get(0).unwrap(); //~ E0597
    }
    *value
}

// Has the bounds of `std::thread::spawn`.
fn spawn(_: impl FnOnce() + Send + 'static) {}

fn in_a_thread() {
    let arena = AtomicArena::with_capacity(1);
    let value = arena.alloc(1).unwrap(); //~ E0597
    spawn(move || *value = 2);
}

fn main() {}
