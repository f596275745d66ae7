//! The two ways to store a tree: in an arena, and in boxes.
//!
//! In the arena, nodes refer to each other by plain references with the lifetime `'a`, which is
//! that of a tree and thus of a frame. An arena that holds references into itself cannot be reset,
//! because they would dangle. Therefore each frame has its own arena, and all arenas lie in the
//! same bytes. The compiler ensures that no link is left when the next frame begins.

use std::mem::MaybeUninit;
use std::num::NonZeroUsize;

use atomicarena::{AtomicArena, Borrowed, BorrowedArena, Full, Local};

use crate::tree::{self, Link, Node, Store};

/// The number of slots that a thread takes at once. Other threads cannot use the unfilled ones, see
/// [`enough`].
const BATCH: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// A reference to a node in the arena.
#[derive(Debug)]
pub(crate) struct InArena<'a>(&'a Node<InArena<'a>>);

impl Link for InArena<'_> {
    fn node(&self) -> &Node<Self> {
        self.0
    }
}

/// The arena of one frame, in bytes that are borrowed for `'m`.
pub(crate) type Arena<'m, 'a> = AtomicArena<Node<InArena<'a>>, Borrowed<'m, Node<InArena<'a>>>>;

/// The bytes in which each frame creates its arena. The arena of the previous frame has then been
/// dropped.
#[derive(Debug)]
pub(crate) struct Ground(Box<[MaybeUninit<u8>]>);

impl Ground {
    /// Allocates enough bytes for an arena of this number of nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        Ground(Box::new_uninit_slice(BorrowedArena::<Node<InArena<'_>>>::bytes_for(nodes)))
    }

    /// Creates an empty arena in the bytes of the previous arena.
    pub(crate) fn arena<'m, 'a>(&'m mut self) -> Arena<'m, 'a> {
        AtomicArena::in_bytes(&mut self.0).expect("there is room for a node")
    }
}

impl<'a> Store for Local<'a, Node<InArena<'a>>> {
    type Link = InArena<'a>;

    fn store(&mut self, node: Node<InArena<'a>>) -> Result<InArena<'a>, Full<()>> {
        Ok(InArena(self.alloc(node).map_err(Full::discard)?))
    }
}

/// Creates the store of one thread.
pub(crate) fn local<'a>(arena: &'a Arena<'_, 'a>) -> Local<'a, Node<InArena<'a>>> {
    arena.local_with_batch(BATCH)
}

/// Returns a number of slots that is enough for every tree: the greatest number of nodes, and the
/// slots that other threads may have taken without filling them.
pub(crate) fn enough(bodies: usize, threads: usize) -> usize {
    tree::most_nodes(bodies) + (threads - 1) * BATCH.get()
}

/// A node in a box.
#[derive(Debug)]
pub(crate) struct Boxed(Box<Node<Boxed>>);

impl Link for Boxed {
    fn node(&self) -> &Node<Self> {
        &self.0
    }
}

/// The other way: each node is a separate allocation, and is freed separately.
pub(crate) struct Boxes;

impl Store for Boxes {
    type Link = Boxed;

    fn store(&mut self, node: Node<Boxed>) -> Result<Boxed, Full<()>> {
        Ok(Boxed(Box::new(node)))
    }
}
