//! An inline arena holds its values, so its `Drop` names their type. On the stack they therefore
//! cannot refer to each other, even if they have nothing to drop.
use std::cell::Cell;

use atomicarena::StaticArena;

struct Node<'a>(Cell<Option<&'a Node<'a>>>);

fn main() {
    let arena = StaticArena::<Node<'_>, 2>::new();
    let a: &Node<'_> = arena.alloc(Node(Cell::new(None))).unwrap(); //~ E0597
    let b: &Node<'_> = arena.alloc(Node(Cell::new(Some(a)))).unwrap();
    a.0.set(Some(b));
}
