//! `Inline<T, N>` implements `Drop`, so references in `T` must outlive the arena. Therefore the
//! values of an inline arena on the stack cannot refer to each other, even if they need no drop.
use std::cell::Cell;

use atomicarena::StaticArena;

struct Node<'a>(Cell<Option<&'a Node<'a>>>);

fn main() {
    let arena = StaticArena::<Node<'_>, 2>::new();
    let a: &Node<'_> = arena.alloc(Node(Cell::new(None))).unwrap(); //~ E0597
    let b: &Node<'_> = arena.alloc(Node(Cell::new(Some(a)))).unwrap();
    a.0.set(Some(b));
}
