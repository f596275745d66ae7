//! If the `Drop` of a value can follow a reference, the referent must also outlive any reservation,
//! iterator, guard or pool that may drop the value.
use std::cell::Cell;
use std::sync::Arc;

use atomicarena::{ArenaPool, AtomicArena, ParDrain, ParIntoIter};

struct Node<'a> {
    name: String,
    next: Cell<Option<&'a Node<'a>>>,
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        if let Some(next) = self.next.get() {
            println!("{} looks at {}", self.name, next.name);
        }
    }
}

fn node<'a>() -> Node<'a> {
    Node { name: String::new(), next: Cell::new(None) }
}

fn a_reservation() {
    let arena = AtomicArena::with_capacity(1);
    let mut run = arena.reserve(1).unwrap();
    let neighbour = node();
    run.push(node()).unwrap();
    run[0].next.set(Some(&neighbour)); //~ E0597
}

fn an_arena_by_value() {
    let arena = AtomicArena::with_capacity(1);
    let mut values = arena.into_iter();
    let neighbour = node();
    values.by_ref().for_each(|value: Node<'_>| value.next.set(Some(&neighbour))); //~ E0597
}

fn a_guard_of_a_pool() {
    let pool = ArenaPool::new(1, 2);
    let arena = pool.checkout().unwrap(); //~ E0597
    let a: &Node<'_> = arena.alloc(node()).unwrap(); //~ E0597
    a.next.set(Some(a));
}

fn an_owned_guard_of_a_pool() {
    let pool = Arc::new(ArenaPool::new(1, 2));
    let arena = pool.checkout_owned().unwrap();
    let a: &Node<'_> = arena.alloc(node()).unwrap(); //~ E0597
    a.next.set(Some(a));
}

// The guard is never dropped, but the pool drops the values.
fn a_leaked_guard_of_a_pool() {
    let pool = ArenaPool::new(1, 2);
    let arena = Box::leak(Box::new(pool.checkout().unwrap())); //~ E0597
    let a: &Node<'_> = arena.alloc(node()).unwrap();
    a.next.set(Some(a));
}

fn a_drain_among_workers(drain: for<'d, 'n> fn(&'d mut AtomicArena<Node<'n>>) -> ParDrain<'d, Node<'n>>) {
    fn put<'n>(_: &ParDrain<'_, Node<'n>>, _: &'n Node<'n>) {}
    let mut arena = AtomicArena::with_capacity(1);
    let values = drain(&mut arena);
    let neighbour = node();
    put(&values, &neighbour); //~ E0597
}

fn an_arena_by_value_among_workers(take: for<'n> fn(AtomicArena<Node<'n>>) -> ParIntoIter<Node<'n>>) {
    fn put<'n>(_: &ParIntoIter<Node<'n>>, _: &'n Node<'n>) {}
    let values = take(AtomicArena::with_capacity(1));
    let neighbour = node();
    put(&values, &neighbour); //~ E0597
}

fn main() {}
