//! Values on the heap, in borrowed bytes, in a mapping or in a `static` may refer to each other in
//! cycles if dropping them cannot follow a reference.
use std::cell::{Cell, OnceCell};
use std::mem::MaybeUninit;

use std::sync::OnceLock;

use atomicarena::{AtomicArena, StaticArena};

struct Node<'a> {
    // The name needs drop, but dropping it cannot access a neighbour.
    name: String,
    next: Cell<Option<&'a Node<'a>>>,
    first: OnceCell<&'a Node<'a>>,
}

impl Node<'_> {
    fn new(name: &str) -> Self {
        Node { name: name.into(), next: Cell::new(None), first: OnceCell::new() }
    }
}

fn on_the_heap() {
    let arena = AtomicArena::with_capacity(3);
    let a: &Node<'_> = arena.alloc(Node::new("a")).unwrap();
    let b: &Node<'_> = arena.alloc(Node::new("b")).unwrap();
    let c: &Node<'_> = arena.local().alloc(Node::new("c")).unwrap();
    a.next.set(Some(b));
    b.next.set(Some(c));
    c.next.set(Some(a));
    assert!(c.first.set(a).is_ok());
    let names: Vec<&str> =
        std::iter::successors(Some(a), |node| node.next.get()).take(4).map(|node| &*node.name).collect();
    assert_eq!(names, ["a", "b", "c", "a"]);
}

fn in_bytes() {
    let mut bytes = [MaybeUninit::uninit(); 512];
    let arena = AtomicArena::<Node<'_>, _>::in_bytes(&mut bytes).unwrap();
    let a: &Node<'_> = arena.alloc(Node::new("a")).unwrap();
    let b: &Node<'_> = arena.alloc(Node::new("b")).unwrap();
    a.next.set(Some(b));
    b.next.set(Some(a));
    assert_eq!(a.next.get().unwrap().next.get().unwrap().name, "a");
}

fn in_a_mapping() {
    let arena = AtomicArena::mapped(2).build().unwrap();
    let a: &Node<'_> = arena.alloc(Node::new("a")).unwrap();
    a.next.set(Some(a));
    assert_eq!(a.next.get().unwrap().name, "a");
}

/// A node that is published, so that every thread can follow the reference in it.
struct Shared {
    next: OnceLock<&'static Shared>,
}

static SHARED: StaticArena<Shared, 2> = StaticArena::new();

fn in_a_static() {
    let (_, a) = SHARED.publish(Shared { next: OnceLock::new() }).ok().unwrap();
    let (_, b) = SHARED.publish(Shared { next: OnceLock::new() }).ok().unwrap();
    assert!(a.next.set(b).is_ok() && b.next.set(a).is_ok());
    std::thread::spawn(move || assert!(std::ptr::eq(*a.next.get().unwrap().next.get().unwrap(), a))).join().unwrap();
}

fn main() {
    on_the_heap();
    in_bytes();
    in_a_mapping();
    in_a_static();
}
