//! If the `Drop` of a value can follow a reference, the referent must outlive the arena. So such
//! values cannot refer to each other.
use std::cell::Cell;
use std::mem::MaybeUninit;

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

fn on_the_heap() {
    let arena = AtomicArena::with_capacity(2);
    let a: &Node<'_> = arena.alloc(node()).unwrap(); //~ E0597
    let b: &Node<'_> = arena.alloc(node()).unwrap();
    a.next.set(Some(b));
    b.next.set(Some(a));
}

fn in_bytes() {
    let mut bytes = [MaybeUninit::uninit(); 256];
    let arena = AtomicArena::<Node<'_>, _>::in_bytes(&mut bytes).unwrap();
    let a: &Node<'_> = arena.alloc(node()).unwrap(); //~ E0597
    a.next.set(Some(a));
}

fn in_a_mapping() {
    let arena = AtomicArena::mapped(1).build().unwrap();
    let a: &Node<'_> = arena.alloc(node()).unwrap(); //~ E0597
    a.next.set(Some(a));
}

fn inside_another_type() {
    let arena = Some(Box::new(AtomicArena::with_capacity(1)));
    let a: &Vec<Node<'_>> = arena.as_ref().unwrap().alloc(vec![node()]).unwrap(); //~ E0597
    a[0].next.set(Some(&a[0]));
}

fn at_what_dies_first() {
    let arena = AtomicArena::with_capacity(1);
    let neighbour = node();
    arena.alloc(node()).unwrap().next.set(Some(&neighbour)); //~ E0597
}

fn main() {}
