//! A handle that drops values asks as much of them as the arena does.
use std::cell::Cell;

use atomicarena::AtomicArena;

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

fn main() {}
