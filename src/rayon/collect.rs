//! A run that all workers fill.

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
        let all = iter.drive(CollectConsumer { slots, places: 0..len, marker: PhantomData });
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
struct CollectConsumer<'r, T> {
    /// The first slot of the run.
    slots: *mut T,
    places: Range<usize>,
    marker: PhantomData<&'r mut T>,
}

// SAFETY: as good as `&'r mut [MaybeUninit<T>]`; values that another thread has made are put in.
unsafe impl<T: Send> Send for CollectConsumer<'_, T> {}

/// Values side by side in a run, which are ours: dropped, it drops them.
struct CollectResult<'r, T> {
    /// The first slot of the run.
    slots: *mut T,
    /// Which of the slots hold our values.
    places: Range<usize>,
    /// Where the stretch ends that we fill. Invariant: from `places.end` on it is still ours, and holds no value.
    end: usize,
    marker: PhantomData<&'r mut T>,
}

// SAFETY: the values are ours and are sent along.
unsafe impl<T: Send> Send for CollectResult<'_, T> {}

impl<T> CollectResult<'_, T> {
    /// The values are no longer ours.
    fn release(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl<T> Drop for CollectResult<'_, T> {
    fn drop(&mut self) {
        let first = self.slots.wrapping_add(self.places.start);
        // SAFETY: these slots hold values, which are ours, and which nobody looks at again.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(first, self.places.len())) };
    }
}

impl<'r, T: Send> Consumer<T> for CollectConsumer<'r, T> {
    type Folder = CollectResult<'r, T>;
    type Reducer = CollectReducer;
    type Result = CollectResult<'r, T>;

    fn split_at(self, index: usize) -> (Self, Self, CollectReducer) {
        let Range { start, end } = self.places;
        assert!(index <= end - start, "a parallel iterator gives more than it said");
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
