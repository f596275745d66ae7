//! Parallel iterators, by the traits of `rayon`; and (`fill.rs`) a run that all its workers fill.
//!
//! None of the iterators is indexed: which slots hold a value is known only slot by slot, so a range of slots can be
//! halved, but not be cut behind its n-th value.

mod collect;

use core::fmt;
use core::marker::PhantomData;
use core::mem::needs_drop;
use core::ops::Range;
use core::ptr;

use rayon::iter::plumbing::{Folder, UnindexedConsumer, UnindexedProducer, bridge_unindexed};
use rayon::iter::{IntoParallelIterator, ParallelDrainFull, ParallelIterator};

use crate::arena::AtomicArena;
use crate::raw::arena_mut::Live;
use crate::raw::arena_ref::ArenaRef;
use crate::raw::epoch::Epoch;
use crate::storage::{Heap, Storage};

/// The published values with their indices, in parallel. Made by `par_iter`, as [`Iter`](crate::Iter) by
/// [`iter`](AtomicArena::iter).
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

// SAFETY: as good as `&'a [T]`: lends `&T` and nothing else.
unsafe impl<T: Sync> Send for ParIter<'_, T> {}
// SAFETY: as above.
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

/// Slots of an arena that nobody else can touch. Those that were not vacant in that epoch hold a value.
struct Part<'a, T> {
    view: ArenaRef<'a, T>,
    slots: Range<usize>,
    epoch: Epoch,
    /// `view` is covariant in `T`; through us values are written to and moved out.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: as good as `&'a mut [T]`.
unsafe impl<T: Send> Send for Part<'_, T> {}
// SAFETY: as above; `&Part` gives nothing.
unsafe impl<T: Sync> Sync for Part<'_, T> {}

impl<'a, T> Part<'a, T> {
    /// # Safety
    ///
    /// `live` was just said by `live` or `take` of the arena's view.
    unsafe fn new<S: Storage<T>>(arena: &'a mut AtomicArena<T, S>, live: Live) -> Self {
        let (slots, epoch) = live.into_parts();
        // The borrow is exclusive for `'a`, even if the view is one that can be shared.
        Part { view: arena.view(), slots, epoch, marker: PhantomData }
    }

    /// Parts with the lower half, unless there is nothing to halve.
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

    /// The next slot that holds a value, and where it is. It is not ours any more then.
    #[inline]
    fn next(&mut self) -> Option<(usize, *mut T)> {
        let (stamps, epoch) = (self.view.stamps(), self.epoch);
        let index = self.slots.find(|&index| !stamps.is_vacant_in(epoch, index))?;
        Some((index, self.view.slot(index)))
    }
}

/// The values, owned and published, with their indices, in parallel. Made by `par_iter_mut`, as
/// [`IterMut`](crate::IterMut) by [`iter_mut`](AtomicArena::iter_mut).
///
/// Where the iterator is to be indexed, iterate over the slice of [`as_mut_slice`](AtomicArena::as_mut_slice) or
/// [`compact`](AtomicArena::compact).
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
        // SAFETY: just said by `live`.
        ParIterMut { part: unsafe { Part::new(self, live) } }
    }
}

/// The values of some slots, lent out.
struct Lent<'a, T>(Part<'a, T>);

impl<'a, T> Iterator for Lent<'a, T> {
    type Item = (usize, &'a mut T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (index, slot) = self.0.next()?;
        // SAFETY: the slot holds a value, nobody else can touch the arena for `'a`, and no slot comes twice: neither from a
        // part, nor in two.
        Some((index, unsafe { &mut *slot }))
    }
}

/// The values, moved out in parallel. Made by `par_drain`, as [`Drain`](crate::Drain) by
/// [`drain`](AtomicArena::drain).
///
/// The arena is empty from the call on. What nobody took is dropped: with this, if it never runs; by the worker whose part
/// it was in, if that panics or has found what it sought. Forgotten, it leaks the values.
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
        // SAFETY: just said by `take`.
        ParDrain { values: Given(unsafe { Part::new(self, live) }) }
    }
}

/// The values of some slots, which are ours: dropped, it drops them.
struct Given<'a, T>(Part<'a, T>);

impl<T> Iterator for Given<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let (_, slot) = self.0.next()?;
        // SAFETY: the slot held a value when the epoch ended, the epoch made it ours, and no slot comes twice: neither
        // from a part, nor in two.
        Some(unsafe { slot.read() })
    }
}

impl<T> Drop for Given<'_, T> {
    fn drop(&mut self) {
        /// Goes on where a panic stopped. Each slot is passed before its value is dropped.
        struct Rest<'r, 'a, T>(&'r mut Part<'a, T>);

        impl<T> Rest<'_, '_, T> {
            fn run(&mut self) {
                while let Some((_, slot)) = self.0.next() {
                    // SAFETY: as in `next`; it is never looked at again.
                    unsafe { ptr::drop_in_place(slot) };
                }
            }
        }

        impl<T> Drop for Rest<'_, '_, T> {
            fn drop(&mut self) {
                self.run();
            }
        }

        if needs_drop::<T>() {
            Rest(&mut self.0).run();
        }
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

/// The values, moved out in parallel of an arena that is gone when this is. Made by `into_par_iter`, as
/// [`IntoIter`](crate::IntoIter) by `into_iter`.
///
/// Where the iterator is to be indexed, iterate over the vector of [`into_vec`](AtomicArena::into_vec).
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
