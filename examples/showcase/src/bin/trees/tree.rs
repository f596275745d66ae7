//! Trees of tokens, and the trait of the ways to store them.

use std::ops::{Deref, DerefMut};

/// The bump has no room for a part of a tree.
#[derive(Debug)]
pub(crate) struct BumpFull;

/// A way to store the parts of trees. Each thread has a value of this type, and stores the parts
/// with it.
pub(crate) trait Ground: Sized {
    type Text: Deref<Target = str> + Send + Sync;
    type List: DerefMut<Target = [Tree<Self>]> + Send + Sync;
    type Group: DerefMut<Target = Group<Self>> + Send + Sync;
    type Note: Deref<Target = Note<Self>> + Send + Sync;

    fn text(&self, text: &str) -> Result<Self::Text, BumpFull>;

    /// Returns a second `Text` with the same contents. In an arena, both refer to the same bytes.
    /// On the heap, it is a copy.
    fn share(&self, text: &Self::Text) -> Self::Text;

    fn list(&self, trees: impl ExactSizeIterator<Item = Tree<Self>>) -> Result<Self::List, BumpFull>;
    fn group(&self, group: Group<Self>) -> Result<Self::Group, BumpFull>;
    fn note(&self, note: Note<Self>) -> Result<Self::Note, BumpFull>;

    /// Appends to a list, which another thread may have stored.
    fn append(&self, list: &mut Self::List, tree: Tree<Self>) -> Result<(), BumpFull>;
}

pub(crate) enum Tree<G: Ground> {
    Word(G::Text),
    Lifetime(G::Text),
    Literal(G::Text),
    /// A comment that documents an item.
    Doc(G::Text),
    Sign(char),
    Group(G::Group),
    /// The last tree of a group after the second pass.
    Note(G::Note),
}

pub(crate) struct Group<G: Ground> {
    pub(crate) bounds: Bounds,
    pub(crate) trees: G::List,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Bounds {
    File,
    Parentheses,
    Brackets,
    Braces,
}

/// What the second pass appends to each group.
pub(crate) struct Note<G: Ground> {
    /// The number of words in the group and in the groups within it.
    pub(crate) words: u64,
    /// The first of the longest words, shared with the tree or copied (see [`Ground::share`]).
    pub(crate) longest: Option<G::Text>,
}

impl<G: Ground> Group<G> {
    /// Returns the number of trees in the group at every depth, including the group itself.
    pub(crate) fn nodes(&self) -> u64 {
        let nodes = |tree: &Tree<G>| if let Tree::Group(group) = tree { group.nodes() } else { 1 };
        1 + self.trees.iter().map(nodes).sum::<u64>()
    }
}

/// Returns whether two trees are equal, even if they are stored in different ways.
pub(crate) fn equal<A: Ground, B: Ground>(a: &Group<A>, b: &Group<B>) -> bool {
    let same = |(a, b): (&Tree<A>, &Tree<B>)| match (a, b) {
        (Tree::Word(a), Tree::Word(b))
        | (Tree::Lifetime(a), Tree::Lifetime(b))
        | (Tree::Literal(a), Tree::Literal(b))
        | (Tree::Doc(a), Tree::Doc(b)) => **a == **b,
        (Tree::Sign(a), Tree::Sign(b)) => a == b,
        (Tree::Group(a), Tree::Group(b)) => equal::<A, B>(a, b),
        (Tree::Note(a), Tree::Note(b)) => a.words == b.words && a.longest.as_deref() == b.longest.as_deref(),
        _ => false,
    };
    a.bounds == b.bounds && a.trees.len() == b.trees.len() && a.trees.iter().zip(&*b.trees).all(same)
}
