//! Why arenas and handles are invariant in `T`: otherwise they could store a reference to a string
//! that the arena outlives.
use atomicarena::{AtomicArena, Local, Reservation};

fn put<'s>(arena: &AtomicArena<&'s str>, text: &'s str) {
    arena.alloc(text).unwrap();
}

fn by_local<'s>(local: &mut Local<'_, &'s str>, text: &'s str) {
    local.alloc(text).unwrap();
}

fn by_reservation<'s>(run: &mut Reservation<'_, &'s str>, text: &'s str) {
    run.push(text).unwrap();
}

fn main() {
    let arena: AtomicArena<&'static str> = AtomicArena::with_capacity(3);
    let (mut local, mut run) = (arena.local(), arena.reserve(1).unwrap());
    {
        let text = String::from("short");
        put(&arena, &text); //~ E0597
        by_local(&mut local, &text); //~ E0597
        by_reservation(&mut run, &text); //~ E0597
    }
}
