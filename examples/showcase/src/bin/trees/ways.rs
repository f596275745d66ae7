//! The three ways to store trees: in one bump that all threads share, on the heap, and in a bump
//! for each thread.

use std::mem;

use allocator_api2::vec::Vec as ArenaVec;
use atomicarena::AtomicBump;
use bumpalo_herd::{Herd, Member};

use crate::tree::{BumpFull, Ground, Group, Note, Tree};

/// The memory of all trees.
pub(crate) trait Space: Sync {
    type Ground<'a>: Ground
    where
        Self: 'a;

    /// Returns the value through which one thread stores trees.
    fn ground(&self) -> Self::Ground<'_>;

    /// Returns the number of bytes that the trees use, or that their chunks take, if it is known.
    /// `threads` is the greatest number of threads that have stored trees at the same time.
    fn used(&self, threads: usize) -> Option<usize>;

    /// Frees what is not freed by dropping the trees.
    fn free(&mut self);
}

impl Space for AtomicBump {
    type Ground<'a> = &'a AtomicBump;

    fn ground(&self) -> &AtomicBump {
        self
    }

    fn used(&self, _: usize) -> Option<usize> {
        Some(AtomicBump::used(self))
    }

    fn free(&mut self) {
        self.reset();
    }
}

/// The lists have the bump as their allocator. They can be sent to another thread and grow there,
/// because a reference to the bump is `Send`. Nothing in the bump is dropped.
impl<'a> Ground for &'a AtomicBump {
    type Text = &'a str;
    type List = ArenaVec<Tree<Self>, &'a AtomicBump>;
    type Group = &'a mut Group<Self>;
    type Note = &'a Note<Self>;

    fn text(&self, text: &str) -> Result<&'a str, BumpFull> {
        self.alloc_str(text).map(|text| &*text).map_err(|_| BumpFull)
    }

    fn share(&self, text: &&'a str) -> &'a str {
        text
    }

    fn list(&self, trees: impl ExactSizeIterator<Item = Tree<Self>>) -> Result<Self::List, BumpFull> {
        let mut list = ArenaVec::new_in(*self);
        reserve(&mut list, trees.len())?;
        list.extend(trees);
        Ok(list)
    }

    fn group(&self, group: Group<Self>) -> Result<Self::Group, BumpFull> {
        self.alloc(group).map_err(|_| BumpFull)
    }

    fn note(&self, note: Note<Self>) -> Result<Self::Note, BumpFull> {
        self.alloc(note).map(|note| &*note).map_err(|_| BumpFull)
    }

    fn append(&self, list: &mut Self::List, tree: Tree<Self>) -> Result<(), BumpFull> {
        reserve(list, 1)?;
        list.push(tree);
        Ok(())
    }
}

/// `extend` and `push` alone would abort the program when the bump is full.
fn reserve<T>(list: &mut ArenaVec<T, &AtomicBump>, more: usize) -> Result<(), BumpFull> {
    list.try_reserve_exact(more).map_err(|_| BumpFull)
}

/// The global allocator.
#[derive(Clone, Copy)]
pub(crate) struct Heap;

impl Space for Heap {
    type Ground<'a> = Heap;

    fn ground(&self) -> Heap {
        Heap
    }

    fn used(&self, _: usize) -> Option<usize> {
        None
    }

    fn free(&mut self) {}
}

impl Ground for Heap {
    type Text = String;
    type List = Vec<Tree<Self>>;
    type Group = Box<Group<Self>>;
    type Note = Box<Note<Self>>;

    fn text(&self, text: &str) -> Result<String, BumpFull> {
        Ok(text.to_owned())
    }

    fn share(&self, text: &String) -> String {
        text.clone()
    }

    fn list(&self, trees: impl ExactSizeIterator<Item = Tree<Self>>) -> Result<Self::List, BumpFull> {
        Ok(trees.collect())
    }

    fn group(&self, group: Group<Self>) -> Result<Self::Group, BumpFull> {
        Ok(Box::new(group))
    }

    fn note(&self, note: Note<Self>) -> Result<Self::Note, BumpFull> {
        Ok(Box::new(note))
    }

    fn append(&self, list: &mut Self::List, tree: Tree<Self>) -> Result<(), BumpFull> {
        list.reserve_exact(1);
        list.push(tree);
        Ok(())
    }
}

impl Space for Herd {
    type Ground<'a> = Member<'a>;

    fn ground(&self) -> Member<'_> {
        self.get()
    }

    fn used(&self, threads: usize) -> Option<usize> {
        let members: Vec<_> = (0..threads).map(|_| self.get()).collect();
        Some(members.iter().map(|member| member.as_bump().allocated_bytes()).sum())
    }

    fn free(&mut self) {
        self.reset();
    }
}

/// Each thread has a bump. A vector with the bump as its allocator would not outlive the `Member`
/// of the thread, and could not be sent to another thread. Hence a list is a slice, and appending
/// to it copies it.
impl<'h> Ground for Member<'h> {
    type Text = &'h str;
    type List = &'h mut [Tree<Self>];
    type Group = &'h mut Group<Self>;
    type Note = &'h Note<Self>;

    fn text(&self, text: &str) -> Result<&'h str, BumpFull> {
        Ok(self.alloc_str(text))
    }

    fn share(&self, text: &&'h str) -> &'h str {
        text
    }

    fn list(&self, trees: impl ExactSizeIterator<Item = Tree<Self>>) -> Result<Self::List, BumpFull> {
        Ok(self.alloc_slice_fill_iter(trees))
    }

    fn group(&self, group: Group<Self>) -> Result<Self::Group, BumpFull> {
        Ok(self.alloc(group))
    }

    fn note(&self, note: Note<Self>) -> Result<Self::Note, BumpFull> {
        Ok(self.alloc(note))
    }

    fn append(&self, list: &mut Self::List, tree: Tree<Self>) -> Result<(), BumpFull> {
        let (len, mut last) = (list.len() + 1, Some(tree));
        let old = mem::take(list);
        let take = |at: usize| match old.get_mut(at) {
            Some(tree) => mem::replace(tree, Tree::Sign(' ')),
            None => last.take().expect("one tree more"),
        };
        *list = self.alloc_slice_fill_with(len, take);
        Ok(())
    }
}
