//! Iterators over the values of an arena, all in index order.
//!
//! An iterator visits every slot below a fixed bound. It reads the stamp of each slot to find out
//! whether the slot holds a value to yield.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::Range;

use crate::raw::arena_mut::{ArenaMut, Live};
use crate::raw::arena_ref::ArenaRef;
use crate::storage::Storage;

/// An iterator over the published values of an arena and their indices.
///
/// Created by [`AtomicArena::iter`](crate::AtomicArena::iter).
pub struct Iter<'a, T> {
    view: ArenaRef<'a, T>,
    slots: Range<usize>,
}

// SAFETY: like `&'a [T]`, an `Iter` lends `&T` and nothing else.
unsafe impl<T: Sync> Send for Iter<'_, T> {}
// SAFETY: as for `Send`. An `&Iter` gives access to values only through a clone.
unsafe impl<T: Sync> Sync for Iter<'_, T> {}

impl<'a, T> Iter<'a, T> {
    #[inline]
    pub(crate) fn new(view: ArenaRef<'a, T>) -> Self {
        let bound = view.bound();
        // The view ends where the range ends, so a loop over the range needs no bounds check for
        // the stamps.
        Iter { view: view.up_to(bound), slots: 0..bound }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (usize, &'a T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.slots.by_ref().find_map(|index| Some((index, self.view.get(index)?)))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.slots.len()))
    }

    /// Runs as one loop. Calling `next` for each value would be a loop within a loop.
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut f: F) -> B {
        self.slots.fold(init, |so_far, index| match self.view.get(index) {
            Some(value) => f(so_far, (index, value)),
            None => so_far,
        })
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.slots.by_ref().rev().find_map(|index| Some((index, self.view.get(index)?)))
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Iter { view: self.view, slots: self.slots.clone() }
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// An iterator over the published values of an arena.
///
/// Created by [`AtomicArena::values`](crate::AtomicArena::values).
pub struct Values<'a, T> {
    iter: Iter<'a, T>,
}

impl<'a, T> Values<'a, T> {
    #[inline]
    pub(crate) fn new(iter: Iter<'a, T>) -> Self {
        Values { iter }
    }
}

impl<'a, T> Iterator for Values<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.iter.next().map(|(_, value)| value)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }

    /// Runs as one loop, like the `fold` of [`Iter`].
    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut f: F) -> B {
        self.iter.fold(init, |so_far, (_, value)| f(so_far, value))
    }
}

impl<T> DoubleEndedIterator for Values<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.iter.next_back().map(|(_, value)| value)
    }
}

impl<T> FusedIterator for Values<'_, T> {}

impl<T> Clone for Values<'_, T> {
    fn clone(&self) -> Self {
        Values { iter: self.iter.clone() }
    }
}

impl<T> fmt::Debug for Values<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("slots", &self.iter.slots).finish_non_exhaustive()
    }
}

/// An iterator over mutable references to all values of an arena, with their indices.
///
/// Created by [`AtomicArena::iter_mut`](crate::AtomicArena::iter_mut).
pub struct IterMut<'a, T> {
    view: ArenaMut<'a, T>,
    live: Live,
}

// SAFETY: like `&'a mut [T]`, an `IterMut` lends `&mut T` and nothing else.
unsafe impl<T: Send> Send for IterMut<'_, T> {}
// SAFETY: as for `Send`, and `&IterMut` lends nothing.
unsafe impl<T: Sync> Sync for IterMut<'_, T> {}

impl<'a, T> IterMut<'a, T> {
    pub(crate) fn new(mut view: ArenaMut<'a, T>) -> Self {
        IterMut { live: view.live(), view }
    }

    #[inline]
    fn item(&self, index: usize) -> (usize, &'a mut T) {
        // SAFETY: the slot holds a value, the arena is borrowed exclusively for `'a`, and `live`
        // yields each slot once.
        (index, unsafe { &mut *self.view.slot(index) })
    }
}

/// An iterator that moves all values out of an arena, which stays usable.
///
/// Created by [`AtomicArena::drain`](crate::AtomicArena::drain). The remaining values are dropped
/// with the iterator. If the iterator is leaked, they are leaked. The arena is empty in both cases.
pub struct Drain<'a, T> {
    view: ArenaMut<'a, T>,
    live: Live,
}

// SAFETY: like `vec::Drain`, a `Drain` owns the remaining values.
unsafe impl<T: Send> Send for Drain<'_, T> {}
// SAFETY: as for `Send`, and `&Drain` lends nothing.
unsafe impl<T: Sync> Sync for Drain<'_, T> {}

impl<'a, T> Drain<'a, T> {
    pub(crate) fn new(mut view: ArenaMut<'a, T>) -> Self {
        Drain { live: view.take(), view }
    }

    #[inline]
    fn item(&self, index: usize) -> T {
        // SAFETY: the slot held a value when the epoch ended. Since then the value belongs to this
        // `Drain`, and `live` yields each slot once.
        unsafe { self.view.slot(index).read() }
    }
}

impl<T> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the remaining values belong to this `Drain`, which is being dropped.
        unsafe { self.live.drop_rest(&mut self.view) };
    }
}

/// An iterator that owns an arena and moves all values out of it.
///
/// Created by `AtomicArena::into_iter`. If the iterator is dropped, the remaining values are
/// dropped, and then the storage of the arena.
pub struct IntoIter<T, S: Storage<T>> {
    storage: S,
    live: Live,
    marker: PhantomData<T>,
}

impl<T, S: Storage<T>> IntoIter<T, S> {
    pub(crate) fn new(mut storage: S) -> Self {
        let live = storage.view_mut().take();
        IntoIter { storage, live, marker: PhantomData }
    }
}

impl<T, S: Storage<T>> Drop for IntoIter<T, S> {
    fn drop(&mut self) {
        // SAFETY: the remaining values belong to this `IntoIter`, which is being dropped.
        unsafe { self.live.drop_rest(&mut self.storage.view_mut()) };
    }
}

impl<T, S: Storage<T>> Iterator for IntoIter<T, S> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let mut view = self.storage.view_mut();
        let index = self.live.next(&mut view)?;
        // SAFETY: the slot held a value when the epoch ended. Since then the value belongs to this
        // `IntoIter`, and `live` yields each slot once.
        Some(unsafe { view.slot(index).read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.live.len(), Some(self.live.len()))
    }
}

impl<T, S: Storage<T>> DoubleEndedIterator for IntoIter<T, S> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        let mut view = self.storage.view_mut();
        let index = self.live.next_back(&mut view)?;
        // SAFETY: the slot held a value when the epoch ended. Since then the value belongs to this
        // `IntoIter`, and `live` yields each slot once.
        Some(unsafe { view.slot(index).read() })
    }
}

impl<T, S: Storage<T>> ExactSizeIterator for IntoIter<T, S> {}
impl<T, S: Storage<T>> FusedIterator for IntoIter<T, S> {}

impl<T, S: Storage<T>> fmt::Debug for IntoIter<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").field("remaining", &self.live.len()).finish_non_exhaustive()
    }
}

macro_rules! exclusive_iterator {
    ($($name:ident => $item:ty),*) => {$(
        impl<'a, T> Iterator for $name<'a, T> {
            type Item = $item;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                self.live.next(&mut self.view).map(|index| self.item(index))
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.live.len(), Some(self.live.len()))
            }
        }

        impl<T> DoubleEndedIterator for $name<'_, T> {
            #[inline]
            fn next_back(&mut self) -> Option<Self::Item> {
                self.live.next_back(&mut self.view).map(|index| self.item(index))
            }
        }

        impl<T> ExactSizeIterator for $name<'_, T> {}
        impl<T> FusedIterator for $name<'_, T> {}

        impl<T> fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("remaining", &self.live.len()).finish_non_exhaustive()
            }
        }
    )*};
}
exclusive_iterator!(IterMut => (usize, &'a mut T), Drain => T);
