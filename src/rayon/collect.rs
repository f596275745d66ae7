//! Filling one run from all rayon workers, each of which fills its own part.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::ptr;

use rayon::iter::plumbing::{Consumer, Folder, Reducer};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator};

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::storage::Storage;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Stores the items of a parallel iterator in one run of slots, in order, and returns the
    /// slice.
    ///
    /// The length of the iterator is read once, and determines the number of slots reserved. Then
    /// all workers write to the run, each to its own part. Items beyond this length are dropped or
    /// never produced.
    ///
    /// If the iterator does not know its length, or if the results need not be contiguous, give
    /// each worker a [`Local`](crate::Local). The references that a `Local` returns also outlive
    /// the workers.
    ///
    /// Costs one [`reserve`](Self::reserve), one store per value, and the work of rayon, which may
    /// allocate. Lock-free like `reserve`, apart from the calls of the iterator and from waiting
    /// until all workers are done.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with the unused iterator if the arena finds no run of the required length
    /// (see [`reserve`](Self::reserve)).
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics, or if it produces fewer items than its length. The items that
    /// it produced are then dropped, and every slot is returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use rayon::prelude::*;
    ///
    /// let arena = AtomicArena::with_capacity(1_000);
    /// let squares = (0..500_usize).into_par_iter().map(|n| n * n);
    /// let squares = arena.alloc_from_par_iter(squares).unwrap();
    /// assert_eq!((squares.len(), squares[20]), (500, 400));
    ///
    /// let full = arena.alloc_from_par_iter(0..501).unwrap_err();
    /// assert_eq!((full.remaining(), full.into_inner().sum::<usize>()), (500, 125_250));
    ///
    /// // One `Local` for each part of the work.
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
        // `run` owns the slots exclusively. `drive` is generic over the consumer, so its
        // implementation does not know the types of the consumer and of the result. Therefore it
        // can neither keep a consumer or a result after this call of `alloc_from_par_iter` returns,
        // nor return a result of another call of `alloc_from_par_iter`. (For zero-sized values, the
        // comparison of `slots` below could not detect such a result.)
        let all = iter.drive(CollectConsumer { slots, places: 0..len, marker: PhantomData });
        let whole = all.slots == slots && all.places == (0..len);
        assert!(whole, "a parallel iterator of length {len} produced {} items", all.places.len());
        all.release();
        // SAFETY: the slots 0 to `len` of the run hold values, because they were the places of
        // `all`. Consumers are split and never copied, and two results are joined only if they are
        // adjacent. The result that covers all slots was therefore the only one that owned values,
        // and `release` has released them.
        unsafe { run.set_len(len) };
        Ok(run.finish())
    }
}

/// Consecutive slots of a run, for one worker to fill. The consumer owns them, and they hold no
/// values.
struct CollectConsumer<'r, T> {
    /// The first slot of the run.
    slots: *mut T,
    places: Range<usize>,
    marker: PhantomData<&'r mut T>,
}

// SAFETY: equivalent to `&'r mut [MaybeUninit<T>]`. Another thread stores values in the slots,
// which requires `T: Send`.
unsafe impl<T: Send> Send for CollectConsumer<'_, T> {}

/// Owns consecutive values in a run, and drops them when it is dropped.
struct CollectResult<'r, T> {
    /// The first slot of the run.
    slots: *mut T,
    /// The slots of the run that hold the values.
    places: Range<usize>,
    /// The end of the slots that this result may fill. Invariant: the slots from `places.end` to
    /// `end` belong to this result and hold no value.
    end: usize,
    marker: PhantomData<&'r mut T>,
}

// SAFETY: the result owns its values, and sending the result sends them.
unsafe impl<T: Send> Send for CollectResult<'_, T> {}

impl<T> CollectResult<'_, T> {
    /// Releases the values without dropping them.
    fn release(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl<T> Drop for CollectResult<'_, T> {
    fn drop(&mut self) {
        let first = self.slots.wrapping_add(self.places.start);
        // SAFETY: these slots hold values, which this result owns. The result is being dropped, so
        // no code accesses them afterwards.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(first, self.places.len())) };
    }
}

impl<'r, T: Send> Consumer<T> for CollectConsumer<'r, T> {
    type Folder = CollectResult<'r, T>;
    type Reducer = CollectReducer;
    type Result = CollectResult<'r, T>;

    fn split_at(self, index: usize) -> (Self, Self, CollectReducer) {
        let Range { start, end } = self.places;
        assert!(index <= end - start, "a parallel iterator splits beyond its length");
        let middle = start + index;
        (
            CollectConsumer { places: start..middle, ..self },
            CollectConsumer { places: middle..end, ..self },
            CollectReducer,
        )
    }

    fn into_folder(self) -> CollectResult<'r, T> {
        let Range { start, end } = self.places;
        CollectResult { slots: self.slots, places: start..start, end, marker: PhantomData }
    }

    fn full(&self) -> bool {
        false
    }
}

impl<T: Send> Folder<T> for CollectResult<'_, T> {
    type Result = Self;

    fn consume(self, value: T) -> Self {
        self.consume_iter([value])
    }

    /// Stops when all slots are filled, without producing further items.
    fn consume_iter<I: IntoIterator<Item = T>>(mut self, iter: I) -> Self {
        let mut iter = iter.into_iter();
        while self.places.end < self.end {
            let Some(value) = iter.next() else { break };
            // SAFETY: the slot lies between `places.end` and `end`, so it belongs to this result
            // and holds no value.
            unsafe { self.slots.add(self.places.end).write(value) };
            self.places.end += 1;
        }
        // The iterator is dropped while this result still owns the values, because dropping the
        // iterator, or an item beyond the length, may panic.
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

/// Joins two adjacent results. If a value is missing between them, the upper result is dropped, and
/// the length check at the end fails.
struct CollectReducer;

impl<'r, T> Reducer<CollectResult<'r, T>> for CollectReducer {
    fn reduce(self, mut lower: CollectResult<'r, T>, upper: CollectResult<'r, T>) -> CollectResult<'r, T> {
        if lower.slots == upper.slots && lower.places.end == upper.places.start {
            lower.places.end = upper.places.end;
            lower.end = upper.end;
            upper.release();
        }
        lower
    }
}
