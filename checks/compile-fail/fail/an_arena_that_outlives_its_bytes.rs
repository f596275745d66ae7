//! Dropping an arena in borrowed bytes accesses the bytes. Until then they must stay alive, and no
//! other code may use them.
use std::mem::MaybeUninit;

use atomicarena::AtomicArena;

fn bytes_that_die_first() {
    let arena;
    {
        let mut bytes = [MaybeUninit::uninit(); 64];
        arena = AtomicArena::<String, _>::in_bytes(&mut bytes).unwrap(); //~ E0597
        arena.alloc(String::new()).unwrap();
    }
}

fn bytes_written_before_the_drop() {
    let mut bytes = [MaybeUninit::uninit(); 64];
    let arena = AtomicArena::<String, _>::in_bytes(&mut bytes).unwrap();
    arena.alloc(String::new()).unwrap();
    bytes[0] = MaybeUninit::new(1); //~ E0506
}

fn bytes_given_twice() {
    let mut bytes = [MaybeUninit::uninit(); 64];
    let _first = AtomicArena::<u8, _>::in_bytes(&mut bytes);
    let _second = AtomicArena::<u8, _>::in_bytes(&mut bytes); //~ E0499
}

fn bytes_moved_before_the_drop() {
    let mut bytes = vec![MaybeUninit::uninit(); 64];
    let _arena = AtomicArena::<String, _>::in_bytes(&mut bytes).unwrap();
    drop(bytes); //~ E0505
}

fn main() {}
