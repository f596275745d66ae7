//! References into a checked-out arena outlive neither the guard nor a reset or drain. A guard does
//! not outlive its pool.
use std::sync::Arc;

use atomicarena::{ArenaPool, Checkout, OwnedCheckout};

fn owned(pool: &ArenaPool<u32>) {
    let arena = pool.checkout().unwrap();
    let value = arena.alloc(1).unwrap();
    drop(arena); //~ E0505
    *value = 2;
}

fn published(pool: &Arc<ArenaPool<u32>>) {
    let arena = pool.checkout_owned().unwrap();
    let (_, value) = arena.publish(1).unwrap();
    drop(arena); //~ E0505
    assert_eq!(*value, 1);
}

fn out_of_a_scope(pool: &ArenaPool<String>) -> &mut String {
    pool.checkout().unwrap().alloc(String::new()).unwrap() //~ E0515
}

fn handle(pool: &ArenaPool<u32>) {
    let arena = pool.checkout().unwrap();
    let mut local = arena.local();
    drop(arena); //~ E0505
    local.alloc(1).unwrap();
}

fn over_reset(arena: &mut Checkout<'_, u32>) {
    let value = arena.alloc(1).unwrap();
    arena.reset(); //~ E0502
    *value = 2;
}

fn over_drain(mut arena: OwnedCheckout<u32>) {
    let value = arena.alloc(1).unwrap();
    let drained = arena.drain(); //~ E0502
    *value = 2;
    drop(drained);
}

fn guard_over_pool() {
    let pool = ArenaPool::<u32>::new(1, 1);
    let arena = pool.checkout().unwrap();
    drop(pool); //~ E0505
    arena.alloc(1).unwrap();
}

fn main() {}
