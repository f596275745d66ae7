//! Parallel iterators, by the traits of `rayon`; and a run that all its workers fill.
//!
//! None of the iterators is indexed: which slots hold a value is known only slot by slot, so a range of slots can be
//! halved, but not be cut behind its n-th value.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, needs_drop};
use core::ops::Range;
use core::ptr;

use rayon::iter::plumbing::{Consumer, Folder, Reducer, UnindexedConsumer, UnindexedProducer, bridge_unindexed};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelDrainFull, ParallelIterator};

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::stamp::Epoch;
use crate::storage::{Heap, Storage};
use crate::view::View;
use crate::view_mut::Live;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Stores what a parallel iterator gives in a run of slots, in its order, which then belongs to the caller.
    ///
    /// The length is asked for first, and so many slots are taken at once; then all workers write to them, each to its
    /// part. What the iterator would give beyond that is not asked for.
    ///
    /// For an iterator that does not know its length, or whose results need not lie side by side, give each worker a
    /// [`Local`](crate::Local): what that returns outlives the workers, too.
    ///
    /// Costs a [`reserve`](Self::reserve), a store for each value, and what rayon takes to hand out the work, for which it
    /// may allocate. Lock-free, as `reserve`, but for the iterator, and for waiting until the workers are done.
    ///
    /// # Errors
    ///
    /// [`Full`], with the iterator as it was, when there is no run of that length.
    ///
    /// # Panics
    ///
    /// When the iterator does, or when it gives less than it said. What it gave is dropped, and every slot goes back. (What
    /// it gives beyond that is dropped, or not asked for.)
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use rayon::prelude::*;
    ///
    /// let arena = AtomicArena::with_capacity(1_000);
    /// let squares = arena.alloc_from_par_iter((0..500_usize).into_par_iter().map(|n| n * n)).unwrap();
    /// assert_eq!((squares.len(), squares[20]), (500, 400));
    ///
    /// let full = arena.alloc_from_par_iter(0..501).unwrap_err();
    /// assert_eq!((full.remaining(), full.into_inner().sum::<usize>()), (500, 125_250));
    ///
    /// // One `Local` for each worker (more exactly: for each piece of work).
    /// let odd: Vec<&mut usize> = (0..500)
    ///     .into_par_iter()
    ///     .filter(|n| n % 2 == 1)
    ///     .map_init(|| arena.local(), |local, n| local.alloc(n).unwrap())
    ///     .collect();
    /// assert_eq!((odd.len(), *odd[3], arena.remaining()), (250, 7, 250));
    /// ```
    pub fn alloc_from_par_iter<I>(&self, iter: I) -> Result<&mut [T], Full<I::Iter>>
    where
        T: Send,
        I: IntoParallelIterator<Item = T, Iter: IndexedParallelIterator>,
    {
        let iter = iter.into_par_iter();
        let len = iter.len();
        let mut run = match self.reserve(len) {
            Ok(run) => run,
            Err(full) => return Err(Full::new(iter, full.requested(), full.remaining())),
        };
        let slots = run.as_mut_ptr();
        // The slots are those of `run`, which are ours alone. They stay so as long as a stretch or a piece of them can be
        // used: neither outlives this call, for the iterator knows them only as types that it was given for the call.
        // So no piece of another call gets in here either (of values without size `slots` could not tell).
        let all = iter.drive(Stretch { slots, places: 0..len, marker: PhantomData });
        let whole = all.slots == slots && all.places == (0..len);
        assert!(whole, "a parallel iterator of {len} values gave {}", all.places.len());
        all.release();
        // SAFETY: the slots 0 to `len` hold values. Stretches are parted and never copied, and pieces only become one where
        // they meet: so the piece that was all of them was the only one with any, and it is gone.
        unsafe { run.set_len(len) };
        Ok(run.finish())
    }
}

/// Slots of a run that are ours alone, and hold no value: what one worker is to fill.
struct Stretch<'r, T> {
    /// The first slot of the run.
    slots: *mut T,
    places: Range<usize>,
    marker: PhantomData<&'r mut T>,
}

// SAFETY: as good as `&'r mut [MaybeUninit<T>]`; values that another thread has made are put in.
unsafe impl<T: Send> Send for Stretch<'_, T> {}

/// Values side by side in a run, which are ours: dropped, it drops them.
struct Piece<'r, T> {
    /// The first slot of the run.
    slots: *mut T,
    /// Which of the slots hold our values.
    places: Range<usize>,
    /// Where the stretch ends that we fill. Invariant: from `places.end` on it is still ours, and holds no value.
    end: usize,
    marker: PhantomData<&'r mut T>,
}

// SAFETY: the values are ours and are sent along.
unsafe impl<T: Send> Send for Piece<'_, T> {}

impl<T> Piece<'_, T> {
    /// The values are no longer ours.
    fn release(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl<T> Drop for Piece<'_, T> {
    fn drop(&mut self) {
        let first = self.slots.wrapping_add(self.places.start);
        // SAFETY: these slots hold values, which are ours, and which nobody looks at again.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(first, self.places.len())) };
    }
}

impl<'r, T: Send> Consumer<T> for Stretch<'r, T> {
    type Folder = Piece<'r, T>;
    type Reducer = Join;
    type Result = Piece<'r, T>;

    fn split_at(self, index: usize) -> (Self, Self, Join) {
        let Range { start, end } = self.places;
        assert!(index <= end - start, "a parallel iterator gives more than it said");
        let middle = start + index;
        (Stretch { places: start..middle, ..self }, Stretch { places: middle..end, ..self }, Join)
    }

    fn into_folder(self) -> Piece<'r, T> {
        let Range { start, end } = self.places;
        Piece { slots: self.slots, places: start..start, end, marker: PhantomData }
    }

    fn full(&self) -> bool {
        false
    }
}

impl<T: Send> Folder<T> for Piece<'_, T> {
    type Result = Self;

    fn consume(self, value: T) -> Self {
        self.consume_iter([value])
    }

    /// What comes beyond the end is not asked for.
    fn consume_iter<I: IntoIterator<Item = T>>(mut self, iter: I) -> Self {
        let mut iter = iter.into_iter();
        while self.places.end < self.end {
            let Some(value) = iter.next() else { break };
            // SAFETY: below the end of our stretch, so ours alone, and without a value.
            unsafe { self.slots.add(self.places.end).write(value) };
            self.places.end += 1;
        }
        // While the values are still ours to drop: the drop of an iterator, or of a value that is too many, may panic.
        drop(iter);
        self
    }

    fn complete(self) -> Self {
        self
    }

    fn full(&self) -> bool {
        self.places.end == self.end
    }
}

/// Makes one piece of two that are neighbours. If something is missing between them, the upper one is dropped, and missed
/// at the end.
struct Join;

impl<'r, T> Reducer<Piece<'r, T>> for Join {
    fn reduce(self, mut lower: Piece<'r, T>, upper: Piece<'r, T>) -> Piece<'r, T> {
        if lower.slots == upper.slots && lower.places.end == upper.places.start {
            lower.places.end = upper.places.end;
            lower.end = upper.end;
            upper.release();
        }
        lower
    }
}

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
    view: View<'a, T>,
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
    view: View<'a, T>,
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
