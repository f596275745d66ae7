//! The two ways to store a tree: in an arena, and in boxes.
//!
//! The nodes of the first refer to each other by plain references, which is what the lifetime `'a` says: that of a tree,
//! which is that of a frame. An arena that holds references into itself cannot be reset, for then they would dangle; so
//! there is an arena for each frame, and all of them lie in the same bytes. The compiler sees to it that no link is left
//! when the next frame begins.

use std::mem::MaybeUninit;
use std::num::NonZeroUsize;

use atomicarena::{AtomicArena, Borrowed, Full, Local};

use crate::tree::{self, Link, Node, Store};

/// Slots that a thread takes at once. What one thread has taken and not filled another cannot have, see [`enough`].
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

/// The bytes that the arenas lie in, one after another.
#[derive(Debug)]
pub(crate) struct Ground(Box<[MaybeUninit<u8>]>);

impl Ground {
    /// Room for so many nodes: for each its size and a byte, and what it takes to line them up.
    pub(crate) fn new(nodes: usize) -> Self {
        let node = size_of::<Node<InArena<'_>>>();
        Ground(Box::new_uninit_slice(nodes * (node + 1) + align_of::<Node<InArena<'_>>>()))
    }

    /// An empty arena, in the bytes that the one before has left.
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

/// What one thread of several stores nodes with.
pub(crate) fn local<'a>(arena: &'a Arena<'_, 'a>) -> Local<'a, Node<InArena<'a>>> {
    arena.local_with_batch(BATCH)
}

/// With so many slots an arena has room for every tree: the most nodes that there can be, and what the threads beside
/// the one that asks may have taken and not filled.
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

/// The other way: each node is an allocation of its own, and so is its end.
pub(crate) struct Boxes;

impl Store for Boxes {
    type Link = Boxed;

    fn store(&mut self, node: Node<Boxed>) -> Result<Boxed, Full<()>> {
        Ok(Boxed(Box::new(node)))
    }
}
