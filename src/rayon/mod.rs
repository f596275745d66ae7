//! Parallel iterators, which implement the traits of `rayon`. `collect.rs` fills one run from all
//! workers.
//!
//! None of the iterators is indexed. Only the stamp of each slot tells whether it holds a value, so
//! a range of slots can be halved, but splitting it after its n-th value would require a search.

mod collect;

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use rayon::iter::plumbing::{Folder, UnindexedConsumer, UnindexedProducer, bridge_unindexed};
use rayon::iter::{IntoParallelIterator, ParallelDrainFull, ParallelIterator};

use crate::arena::AtomicArena;
use crate::raw::arena_mut::{Live, drop_each};
use crate::raw::arena_ref::ArenaRef;
use crate::raw::epoch::Epoch;
use crate::storage::{Heap, Storage};

/// Iterates in parallel over the published values with their indices.
///
/// Created by `par_iter`, the parallel counterpart of [`iter`](AtomicArena::iter).
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use rayon::prelude::*;
///
/// let arena = AtomicArena::with_capacity(100);
/// (0..100).into_par_iter().for_each(|n| {
///     arena.publish(n).unwrap();
/// });
/// assert_eq!(arena.par_iter().map(|(_index, n)| n).sum::<usize>(), 4_950);
/// ```
pub struct ParIter<'a, T> {
    view: ArenaRef<'a, T>,
    end: usize,
}

// SAFETY: like `&'a [T]`, a `ParIter` lends `&T` and nothing else.
unsafe impl<T: Sync> Send for ParIter<'_, T> {}
// SAFETY: as for `Send`, and `&ParIter` can only be cloned.
unsafe impl<T: Sync> Sync for ParIter<'_, T> {}

impl<'a, T> ParIter<'a, T> {
    #[inline]
    fn item(&self, index: usize) -> Option<(usize, &'a T)> {
        Some((index, self.view.get(index)?))
    }
}

impl<'a, T: Sync> ParallelIterator for ParIter<'a, T> {
    type Item = (usize, &'a T);

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        (0..self.end).into_par_iter().filter_map(|index| self.item(index)).drive_unindexed(consumer)
    }
}

impl<T> Clone for ParIter<'_, T> {
    fn clone(&self) -> Self {
        ParIter { view: self.view, end: self.end }
    }
}

impl<T> fmt::Debug for ParIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParIter").field("slots", &(0..self.end)).finish_non_exhaustive()
    }
}

impl<'a, T: Sync, S: Storage<T>> IntoParallelIterator for &'a AtomicArena<T, S> {
    type Item = (usize, &'a T);
    type Iter = ParIter<'a, T>;

    fn into_par_iter(self) -> ParIter<'a, T> {
        ParIter { view: self.view(), end: self.view().bound() }
    }
}

/// Consecutive slots of an arena, with exclusive access to them. A slot that was not vacant in
/// `epoch` holds a value.
struct Part<'a, T> {
    view: ArenaRef<'a, T>,
    slots: Range<usize>,
    epoch: Epoch,
    /// Makes the type invariant in `T`, because values can be changed through it. (`view` is
    /// covariant.)
    marker: PhantomData<&'a mut T>,
}

// SAFETY: like `&'a mut [T]`, a `Part` gives exclusive access to values.
unsafe impl<T: Send> Send for Part<'_, T> {}
// SAFETY: `&Part` gives access to no value.
unsafe impl<T: Sync> Sync for Part<'_, T> {}

impl<'a, T> Part<'a, T> {
    /// # Safety
    ///
    /// `ArenaMut::live` or `ArenaMut::take` of this arena has returned `live`, and the arena has
    /// not been used since.
    unsafe fn new<S: Storage<T>>(arena: &'a mut AtomicArena<T, S>, live: Live) -> Self {
        let (slots, epoch) = live.into_parts();
        // The arena is exclusively borrowed for `'a`, although the view is a shared one.
        Part { view: arena.view(), slots, epoch, marker: PhantomData }
    }

    /// Splits off the lower half of the slots. Returns `None` if there are fewer than two.
    fn split(&mut self) -> Option<Self> {
        let half = self.slots.len() / 2;
        if half == 0 {
            return None;
        }
        let middle = self.slots.start + half;
        let lower = self.slots.start..middle;
        self.slots.start = middle;
        Some(Part { slots: lower, ..*self })
    }

    /// Removes the next slot that holds a value, and returns its index and its address.
    #[inline]
    fn next(&mut self) -> Option<(usize, *mut T)> {
        let (stamps, epoch) = (self.view.stamps(), self.epoch);
        let index = self.slots.find(|&index| !stamps.is_vacant_in(epoch, index))?;
        Some((index, self.view.slot(index)))
    }
}

/// Iterates in parallel over all values, owned and published, with their indices.
///
/// Created by `par_iter_mut`, the parallel counterpart of [`iter_mut`](AtomicArena::iter_mut).
///
/// For an indexed parallel iterator, iterate over the slice that
/// [`as_mut_slice`](AtomicArena::as_mut_slice) or [`compact`](AtomicArena::compact) returns.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use rayon::prelude::*;
///
/// let mut arena = AtomicArena::with_capacity(100);
/// arena.alloc_from_par_iter(0..100_usize).unwrap();
/// arena.par_iter_mut().for_each(|(index, value)| *value += index);
/// assert_eq!(arena.get_mut(7), Some(&mut 14));
/// ```
pub struct ParIterMut<'a, T> {
    part: Part<'a, T>,
}

impl<'a, T: Send> ParallelIterator for ParIterMut<'a, T> {
    type Item = (usize, &'a mut T);

    fn drive_unindexed<C: UnindexedConsumer<Self::Item>>(self, consumer: C) -> C::Result {
        bridge_unindexed(Lent(self.part), consumer)
    }
}

impl<'a, T: Send, S: Storage<T>> IntoParallelIterator for &'a mut AtomicArena<T, S> {
    type Item = (usize, &'a mut T);
    type Iter = ParIterMut<'a, T>;

    fn into_par_iter(self) -> ParIterMut<'a, T> {
        let live = self.view_mut().live();
        // SAFETY: `ArenaMut::live` has just returned `live`, and the arena has not been used since.
        ParIterMut { part: unsafe { Part::new(self, live) } }
    }
}

/// Lends the values in the slots of a part.
struct Lent<'a, T>(Part<'a, T>);

impl<'a, T> Iterator for Lent<'a, T> {
    type Item = (usize, &'a mut T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (index, slot) = self.0.next()?;
        // SAFETY: the slot holds a value, and the arena is exclusively borrowed for `'a`. No slot
        // is returned twice, because a part removes a slot before it returns it, and two parts are
        // disjoint.
        Some((index, unsafe { &mut *slot }))
    }
}

/// Moves the values out of the arena in parallel.
///
/// Created by `par_drain`, the parallel counterpart of [`drain`](AtomicArena::drain).
///
/// The call to `par_drain` empties the arena. Values that are not consumed are dropped. If the
/// iterator never runs, dropping it drops them. If a worker panics or stops early, it drops the
/// values left in its part. Leaking the iterator leaks the values.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use rayon::prelude::*;
///
/// let mut arena = AtomicArena::with_capacity(100);
/// arena.alloc_from_par_iter((0..100).into_par_iter().map(|n| n.to_string())).unwrap();
/// let digits: usize = arena.par_drain().map(|number| number.len()).sum();
/// assert_eq!((digits, arena.count()), (190, 0));
/// ```
pub struct ParDrain<'a, T> {
    values: Given<'a, T>,
}

impl<T: Send> ParallelIterator for ParDrain<'_, T> {
    type Item = T;

    fn drive_unindexed<C: UnindexedConsumer<T>>(self, consumer: C) -> C::Result {
        bridge_unindexed(self.values, consumer)
    }
}

impl<'a, T: Send, S: Storage<T>> ParallelDrainFull for &'a mut AtomicArena<T, S> {
    type Item = T;
    type Iter = ParDrain<'a, T>;

    fn par_drain(self) -> ParDrain<'a, T> {
        let live = self.view_mut().take();
        // SAFETY: `ArenaMut::take` has just returned `live`, and the arena has not been used since.
        ParDrain { values: Given(unsafe { Part::new(self, live) }) }
    }
}

/// Owns the values in the slots of a part, and drops them when it is dropped.
struct Given<'a, T>(Part<'a, T>);

impl<T> Iterator for Given<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let (_, slot) = self.0.next()?;
        // SAFETY: the slot held a value when the epoch ended, and `ArenaMut::take` has passed the
        // value on to this iterator. No slot is returned twice, because a part removes a slot
        // before it returns it, and two parts are disjoint.
        Some(unsafe { slot.read() })
    }
}

impl<T> Drop for Given<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this iterator owns the remaining values, and `Part::next` returns each slot once.
        // The iterator is being dropped, so no code accesses the values afterwards.
        unsafe { drop_each(|| self.0.next().map(|(_, slot)| slot)) };
    }
}

macro_rules! producer {
    ($($name:ident => $item:ty),*) => {$(
        impl<'a, T: Send> UnindexedProducer for $name<'a, T> {
            type Item = $item;

            fn split(mut self) -> (Self, Option<Self>) {
                match self.0.split() {
                    Some(lower) => ($name(lower), Some(self)),
                    None => (self, None),
                }
            }

            fn fold_with<F: Folder<Self::Item>>(self, folder: F) -> F {
                folder.consume_iter(self)
            }
        }
    )*};
}
producer!(Lent => (usize, &'a mut T), Given => T);

impl<T> fmt::Debug for ParIterMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParIterMut").field("slots", &self.part.slots).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ParDrain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParDrain").field("slots", &self.values.0.slots).finish_non_exhaustive()
    }
}

/// Moves the values out of an arena in parallel, and owns the arena.
///
/// Created by `into_par_iter`, the parallel counterpart of `into_iter`.
///
/// For an indexed parallel iterator, iterate over the vector that
/// [`into_vec`](AtomicArena::into_vec) returns.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use rayon::prelude::*;
///
/// let arena = AtomicArena::with_capacity(100);
/// arena.alloc_from_par_iter(0..100_usize).unwrap();
/// assert_eq!(arena.into_par_iter().max(), Some(99));
/// ```
pub struct ParIntoIter<T, S: Storage<T> = Heap<T>> {
    arena: AtomicArena<T, S>,
}

impl<T: Send, S: Storage<T> + Send> ParallelIterator for ParIntoIter<T, S> {
    type Item = T;

    fn drive_unindexed<C: UnindexedConsumer<T>>(mut self, consumer: C) -> C::Result {
        self.arena.par_drain().drive_unindexed(consumer)
    }
}

impl<T: Send, S: Storage<T> + Send> IntoParallelIterator for AtomicArena<T, S> {
    type Item = T;
    type Iter = ParIntoIter<T, S>;

    fn into_par_iter(self) -> ParIntoIter<T, S> {
        ParIntoIter { arena: self }
    }
}

impl<T, S: Storage<T>> fmt::Debug for ParIntoIter<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParIntoIter").field("arena", &self.arena).finish()
    }
}
