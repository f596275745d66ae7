//! Methods that store many values in contiguous slots.
//!
//! Each way to make the values is implemented once, for any [`Source`] of slots. The arena itself
//! and a [`Local`](crate::Local) are sources. A [`RunGuard`] owns the slots until all values are
//! made.
//!
//! All of this is inlined into the public methods, even where the compiler would not do so. Passing
//! a guard in memory would take longer than the rest of the call.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::ptr;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::raw::arena_ref::ArenaRef;
use crate::raw::sync::AccessTracker;
use crate::storage::Storage;

/// The arena or a `Local`, as a source of slots for methods that fill the slots before they return.
///
/// `take_slots` and `take_slots_up_to` take contiguous slots, which then belong to the calling
/// method. The method ends its ownership of all of them with one call of `keep_slots`,
/// `publish_slots` or `return_slots`. In this call, `start` is the first slot, and `taken` is the
/// number of slots.
pub(crate) trait Source<'a, T>: Sized {
    fn view(&self) -> ArenaRef<'a, T>;

    /// Takes `len` slots and returns the first. The error is the number of slots left at the
    /// cursor.
    fn take_slots(&mut self, len: usize) -> Result<usize, usize>;

    /// Takes at most `len` slots, possibly none. Returns the first slot and the number of slots.
    fn take_slots_up_to(&mut self, len: usize) -> (usize, usize);

    /// Ends the ownership of the slots. The first `filled` slots hold owned values, and the others
    /// are unused.
    fn keep_slots(&mut self, start: usize, taken: usize, filled: usize);

    /// Publishes the values in the first `filled` slots, and ends the ownership of all slots. The
    /// other slots are unused. `filled` is not 0.
    fn publish_slots(&mut self, start: usize, taken: usize, filled: usize);

    /// Ends the ownership of the slots. They hold no values, but all of them may have been written
    /// to.
    fn return_slots(&mut self, start: usize, taken: usize);

    /// Takes `len` slots, which the returned guard owns. The error is the number of slots left at
    /// the cursor.
    #[inline(always)]
    fn guard(mut self, len: usize) -> Result<RunGuard<'a, T, Self>, usize> {
        let start = self.take_slots(len)?;
        Ok(RunGuard { source: self, start, taken: len, len: 0, marker: PhantomData })
    }

    /// Copies the slice.
    #[inline(always)]
    fn copied(self, src: &[T]) -> Result<RunGuard<'a, T, Self>, Full<()>>
    where
        T: Copy,
    {
        match self.guard(src.len()) {
            // SAFETY: the slice has as many values as the run has slots. The values are `Copy`, so
            // they may be copied out.
            Ok(run) => Ok(unsafe { run.move_from(src.as_ptr()) }),
            Err(left) => Err(Full::new((), src.len(), left)),
        }
    }

    /// Clones the slice.
    #[inline(always)]
    fn cloned(self, src: &[T]) -> Result<RunGuard<'a, T, Self>, Full<()>>
    where
        T: Clone,
    {
        self.made_with(src.len(), |place| src[place].clone())
    }

    /// Stores `make(0)`, `make(1)` and so on.
    #[inline(always)]
    fn made_with(self, len: usize, make: impl FnMut(usize) -> T) -> Result<RunGuard<'a, T, Self>, Full<()>> {
        match self.guard(len) {
            Ok(mut run) => {
                run.fill(make);
                Ok(run)
            }
            Err(left) => Err(Full::new((), len, left)),
        }
    }

    /// Stores the first `iter.len()` items of an iterator.
    #[inline(always)]
    fn collected<I: ExactSizeIterator<Item = T>>(self, iter: I) -> Result<RunGuard<'a, T, Self>, Full<I>> {
        let len = iter.len();
        match self.guard(len) {
            Ok(mut run) => {
                run.collect(iter);
                Ok(run)
            }
            Err(left) => Err(Full::new(iter, len, left)),
        }
    }

    /// Moves the array.
    #[inline(always)]
    fn array<const N: usize>(self, values: [T; N]) -> Result<RunGuard<'a, T, Self>, Full<[T; N]>> {
        match self.guard(N) {
            Ok(run) => {
                let values = ManuallyDrop::new(values);
                // SAFETY: there are `N` values, which no other code reads or drops from now on.
                Ok(unsafe { run.move_from(values.as_ptr()) })
            }
            Err(left) => Err(Full::new(values, N, left)),
        }
    }

    /// Moves the values of the vector, and frees its memory.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    fn moved(self, mut values: Vec<T>) -> Result<RunGuard<'a, T, Self>, Full<Vec<T>>> {
        let len = values.len();
        match self.guard(len) {
            Ok(run) => {
                // SAFETY: 0 is within any capacity. From now on the vector no longer owns the
                // values.
                unsafe { values.set_len(0) };
                // SAFETY: there are `len` values, which no other code reads or drops from now on.
                Ok(unsafe { run.move_from(values.as_ptr()) })
            }
            Err(left) => Err(Full::new(values, len, left)),
        }
    }

    /// Clones as many values from the start of the slice as it finds slots for.
    #[inline(always)]
    fn prefix_cloned(mut self, src: &[T]) -> RunGuard<'a, T, Self>
    where
        T: Clone,
    {
        let (start, taken) = self.take_slots_up_to(src.len());
        let mut run = RunGuard { source: self, start, taken, len: 0, marker: PhantomData };
        run.fill(|place| src[place].clone());
        run
    }
}

impl<'a, T> Source<'a, T> for ArenaRef<'a, T> {
    #[inline(always)]
    fn view(&self) -> ArenaRef<'a, T> {
        *self
    }

    #[inline(always)]
    fn take_slots(&mut self, len: usize) -> Result<usize, usize> {
        self.take_run(len)
    }

    #[inline(always)]
    fn take_slots_up_to(&mut self, len: usize) -> (usize, usize) {
        let run = self.take_up_to(len);
        (run.start, run.len())
    }

    #[inline(always)]
    fn keep_slots(&mut self, start: usize, taken: usize, filled: usize) {
        // None of the returned slots was written to.
        self.return_run(start + filled..start + taken, start + filled);
    }

    #[inline(always)]
    fn publish_slots(&mut self, start: usize, taken: usize, filled: usize) {
        self.stamps().note_stamped();
        self.stamps().publish_run(start..start + filled);
        self.keep_slots(start, taken, filled);
    }

    #[inline(always)]
    fn return_slots(&mut self, start: usize, taken: usize) {
        // The filled slots were written to. The next slot may be partly written, because a closure
        // may have panicked while it constructed a value there. The end of the run is a bound on
        // all of these.
        self.return_run(start..start + taken, start + taken);
    }
}

/// Owns slots that a call has taken and fills before it returns.
///
/// The guard is dropped only if user code panics. It then drops the values made so far and returns
/// every slot. It needs no run marks, and is not counted as a handle, because exclusive access is
/// not possible while it exists: it never leaves the call that took the slots.
pub(crate) struct RunGuard<'a, T, S: Source<'a, T>> {
    source: S,
    /// The first slot.
    start: usize,
    /// The number of slots taken.
    taken: usize,
    /// The number of values, which are in the first slots. Invariant: `len <= taken`.
    len: usize,
    marker: PhantomData<&'a mut T>,
}

impl<'a, T, S: Source<'a, T>> RunGuard<'a, T, S> {
    /// Moves values into all slots.
    ///
    /// # Safety
    ///
    /// `src` points to as many values as there are slots. The caller is allowed to move these
    /// values out.
    #[inline(always)]
    unsafe fn move_from(mut self, src: *const T) -> Self {
        self.track_writes(0..self.taken);
        // SAFETY: the caller guarantees that `src` points to `taken` values, and the run has as
        // many slots. The two do not overlap, because the slots were just taken and hold no values.
        unsafe { ptr::copy_nonoverlapping(src, self.source.view().slot(self.start), self.taken) };
        self.len = self.taken;
        self
    }

    /// Stores the results of `make(0)`, `make(1)` and so on in all slots.
    ///
    /// Not `collect((0..self.taken).map(make))`: with it, cloning four words took 10 % longer.
    #[inline(always)]
    fn fill(&mut self, mut make: impl FnMut(usize) -> T) {
        let first = self.source.view().slot(self.start);
        while self.len < self.taken {
            let value = make(self.len);
            self.track_writes(self.len..self.len + 1);
            // SAFETY: the guard owns the slot, which holds no value yet.
            unsafe { first.add(self.len).write(value) };
            self.len += 1;
        }
    }

    /// Stores the items of an iterator until every slot is filled or the iterator ends, and drops
    /// the iterator. Dropping it runs user code, which may panic. The guard still owns the values
    /// then.
    #[inline(always)]
    fn collect(&mut self, iter: impl Iterator<Item = T>) {
        let first = self.source.view().slot(self.start);
        // The range comes first in the `zip`, so no item is taken for which there is no slot. If
        // the iterator is a slice iterator, `zip` compares the two lengths only once.
        (0..self.taken).zip(iter).for_each(|(place, value)| {
            self.track_writes(place..place + 1);
            // SAFETY: the guard owns the slot, which holds no value yet.
            unsafe { first.add(place).write(value) };
            self.len = place + 1;
        });
    }

    /// Ends the guard and returns the values, which then belong to the caller. Returns the other
    /// slots to the source.
    #[inline(always)]
    pub(crate) fn finish(self) -> &'a mut [T] {
        let mut this = ManuallyDrop::new(self);
        let (start, taken, len) = (this.start, this.taken, this.len);
        this.source.keep_slots(start, taken, len);
        // SAFETY: the guard owned these slots, which hold values, and only the returned slice
        // reaches them. They are not handed out again before the epoch ends. Ending it requires
        // `&mut` of the arena, which cannot exist during `'a`.
        unsafe { this.source.view().slice_mut(start..start + len) }
    }

    /// Like `finish`, for a run of `N` slots that are all filled.
    #[inline(always)]
    pub(crate) fn finish_array<const N: usize>(self) -> &'a mut [T; N] {
        self.finish().try_into().expect("every slot is filled")
    }

    /// Publishes the values. Returns the index of the first value, and the values. If there is no
    /// value, the index is the capacity.
    #[inline(always)]
    pub(crate) fn publish(self) -> (usize, &'a [T]) {
        let mut this = ManuallyDrop::new(self);
        let (view, start, taken, len) = (this.source.view(), this.start, this.taken, this.len);
        if len == 0 {
            this.source.keep_slots(start, taken, 0);
            return (view.capacity(), &[]);
        }
        // SAFETY: the guard owns these slots, so they are slots of the arena.
        unsafe { view.assert_in_bounds(&(start..start + len)) };
        this.source.publish_slots(start, taken, len);
        // SAFETY: each of these slots is published.
        (start, unsafe { view.slice(start..start + len) })
    }

    /// Like `publish`, for a run of `N` slots that are all filled.
    #[inline(always)]
    pub(crate) fn publish_array<const N: usize>(self) -> (usize, &'a [T; N]) {
        let (first, values) = self.publish();
        (first, values.try_into().expect("every slot is filled"))
    }

    /// Under loom, reports that these slots are written to.
    #[inline(always)]
    fn track_writes(&self, places: Range<usize>) {
        if cfg!(all(test, loom)) {
            let stamps = self.source.view().stamps();
            places.for_each(|place| stamps.track(self.start + place, AccessTracker::write));
        }
    }
}

impl<'a, T, S: Source<'a, T>> Drop for RunGuard<'a, T, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard owns these values, and no code reads them again. (If dropping one of
        // them panics, the process aborts, because the guard is dropped only during unwinding.)
        unsafe { ptr::drop_in_place(self.source.view().slice_mut(self.start..self.start + self.len)) };
        self.source.return_slots(self.start, self.taken);
    }
}

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Copies a slice into contiguous slots. The copy belongs to the caller.
    ///
    /// Costs one atomic read-modify-write and a `memcpy`. Lock-free, like
    /// [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). Nothing is changed in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let slice = arena.alloc_slice_copy(&[1, 2, 3]).unwrap();
    /// slice[0] = 10;
    /// assert_eq!(slice, [10, 2, 3]);
    /// let full = arena.alloc_slice_copy(&[4, 5]).unwrap_err();
    /// assert_eq!((full.requested(), full.remaining()), (2, 1));
    /// ```
    #[inline]
    pub fn alloc_slice_copy(&self, src: &[T]) -> Result<&mut [T], Full<()>>
    where
        T: Copy,
    {
        Ok(self.view().copied(src)?.finish())
    }

    /// Clones a slice into contiguous slots. The clones belong to the caller.
    ///
    /// Costs one atomic read-modify-write and the calls of `clone`, which may use this arena.
    /// Lock-free, like [`reserve`](Self::reserve), apart from the calls of `clone`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped, and every slot is
    /// returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let words = [String::from("one"), String::from("two")];
    /// assert_eq!(arena.alloc_slice_clone(&words).unwrap(), words);
    /// ```
    #[inline]
    pub fn alloc_slice_clone(&self, src: &[T]) -> Result<&mut [T], Full<()>>
    where
        T: Clone,
    {
        Ok(self.view().cloned(src)?.finish())
    }

    /// Fills `len` contiguous slots with `f(0)`, `f(1)` and so on. The values belong to the caller.
    ///
    /// Costs one atomic read-modify-write and the calls of `f`, which may use this arena.
    /// Lock-free, like [`reserve`](Self::reserve), apart from the calls of `f`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). `f` is not called in that case.
    ///
    /// # Panics
    ///
    /// Panics if `f` panics. The values made so far are dropped, and every slot is returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// assert_eq!(arena.alloc_slice_with(4, |i| i * i).unwrap(), [0, 1, 4, 9]);
    /// assert!(arena.alloc_slice_with(1, |i| i).is_err());
    /// ```
    #[inline]
    pub fn alloc_slice_with(&self, len: usize, f: impl FnMut(usize) -> T) -> Result<&mut [T], Full<()>> {
        Ok(self.view().made_with(len, f)?.finish())
    }

    /// Stores the items of an iterator in contiguous slots. The values belong to the caller.
    ///
    /// The `len` of the iterator is called once and determines the number of slots. Items beyond
    /// this number stay in the iterator, which is dropped. If the iterator ends early, the slice is
    /// shorter and the other slots are returned.
    ///
    /// Costs one atomic read-modify-write and the calls of `next`, which may use this arena.
    /// Lock-free, like [`reserve`](Self::reserve), apart from the calls of the iterator.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator unchanged, if the arena finds no run of the required
    /// length (see [`reserve`](Self::reserve)).
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The items stored so far are dropped, and every slot is
    /// returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// assert_eq!(arena.alloc_from_iter([1, 2, 3]).unwrap(), [1, 2, 3]);
    /// let mut rest = arena.alloc_from_iter([4, 5]).unwrap_err().into_inner();
    /// assert_eq!(rest.next(), Some(4));
    /// ```
    #[inline]
    pub fn alloc_from_iter<I>(&self, iter: I) -> Result<&mut [T], Full<I::IntoIter>>
    where
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        Ok(self.view().collected(iter.into_iter())?.finish())
    }

    /// Moves an array into contiguous slots. The values belong to the caller.
    ///
    /// Costs one atomic read-modify-write and a move. Lock-free, like [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the array, if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let [a, b] = arena.alloc_array(["a", "b"]).unwrap();
    /// assert_eq!((*a, *b), ("a", "b"));
    /// assert_eq!(arena.alloc_array(["c", "d"]).unwrap_err().into_inner(), ["c", "d"]);
    /// ```
    #[inline]
    pub fn alloc_array<const N: usize>(&self, values: [T; N]) -> Result<&mut [T; N], Full<[T; N]>> {
        Ok(self.view().array(values)?.finish_array())
    }

    /// Moves the values of a vector into contiguous slots, and frees the memory of the vector. The
    /// values belong to the caller.
    ///
    /// Costs one atomic read-modify-write, a `memcpy`, and one call of the allocator to free the
    /// vector. Lock-free, like [`reserve`](Self::reserve), apart from the call of the allocator.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the vector unchanged, if the arena finds no run of the required
    /// length (see [`reserve`](Self::reserve)).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let boxed = vec![Box::new(1), Box::new(2)]; // moved, not cloned
    /// assert_eq!(*arena.alloc_vec(boxed).unwrap()[1], 2);
    /// let more = vec![Box::new(3), Box::new(4)];
    /// assert_eq!(*arena.alloc_vec(more).unwrap_err().into_inner()[0], 3);
    /// ```
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn alloc_vec(&self, values: Vec<T>) -> Result<&mut [T], Full<Vec<T>>> {
        Ok(self.view().moved(values)?.finish())
    }

    /// Clones a slice, or the prefix of it for which [`reserve_up_to`](Self::reserve_up_to) finds
    /// slots, into contiguous slots. The clones belong to the caller.
    ///
    /// The returned slice is as long as the cloned prefix, and may be empty.
    ///
    /// Costs one atomic read-modify-write and the calls of `clone`, which may use this arena.
    /// Lock-free, like [`reserve_up_to`](Self::reserve_up_to), apart from the calls of `clone`.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped, and every slot is
    /// returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// assert_eq!(arena.alloc_prefix_clone(&[1, 2]), [1, 2]);
    /// assert_eq!(arena.alloc_prefix_clone(&[3, 4]), [3]);
    /// assert_eq!(arena.alloc_prefix_clone(&[4]), []);
    /// ```
    #[inline]
    pub fn alloc_prefix_clone(&self, src: &[T]) -> &mut [T]
    where
        T: Clone,
    {
        self.view().prefix_cloned(src).finish()
    }

    /// Copies a slice into contiguous slots and publishes it. From then on every thread can read
    /// the values.
    ///
    /// Returns the index of the first value, and the slice. The index of an empty slice is the
    /// capacity.
    ///
    /// Other threads may see the values appear one by one. [`get_slice`](Self::get_slice) returns
    /// all of them or nothing.
    ///
    /// Costs one atomic read-modify-write, a `memcpy`, and a store of one byte per value.
    /// Lock-free, like [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). Nothing is changed in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let (first, values) = arena.publish_slice_copy(&[5, 6, 7]).unwrap();
    /// assert_eq!(values, [5, 6, 7]);
    /// assert_eq!((arena.get(first), arena.get(first + 2)), (Some(&5), Some(&7)));
    /// assert!(arena.publish_slice_copy(&[8, 9]).is_err());
    /// ```
    #[inline]
    pub fn publish_slice_copy(&self, src: &[T]) -> Result<(usize, &[T]), Full<()>>
    where
        T: Copy + Sync,
    {
        Ok(self.view().copied(src)?.publish())
    }

    /// Clones a slice into contiguous slots and publishes it. From then on every thread can read
    /// the values.
    ///
    /// Returns the index of the first value, and the slice. The index of an empty slice is the
    /// capacity.
    ///
    /// No value is visible before the last has been cloned. After that, other threads may see the
    /// values appear one by one. [`get_slice`](Self::get_slice) returns all of them or nothing.
    ///
    /// Costs one atomic read-modify-write, the calls of `clone`, which may use this arena, and a
    /// store of one byte per value. Lock-free, like [`reserve`](Self::reserve), apart from the
    /// calls of `clone`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped without ever becoming
    /// visible, and every slot is returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let words = [String::from("one"), String::from("two")];
    /// let (first, stored) = arena.publish_slice_clone(&words).unwrap();
    /// assert_eq!(stored, words);
    /// assert_eq!(arena.get_slice(first..first + 2), Some(stored));
    /// ```
    #[inline]
    pub fn publish_slice_clone(&self, src: &[T]) -> Result<(usize, &[T]), Full<()>>
    where
        T: Clone + Sync,
    {
        Ok(self.view().cloned(src)?.publish())
    }

    /// Stores the items of an iterator in contiguous slots and publishes them. From then on every
    /// thread can read them.
    ///
    /// Returns the index of the first value, and the slice. The index of an empty slice is the
    /// capacity, even if the iterator promised values and yielded none.
    ///
    /// The `len` of the iterator is called once and determines the number of slots. Items beyond
    /// this number stay in the iterator, which is dropped. If the iterator ends early, the slice is
    /// shorter and the other slots are returned.
    ///
    /// No value is visible before the last has been stored and the iterator has been dropped. After
    /// that, other threads may see the values appear one by one. [`get_slice`](Self::get_slice)
    /// returns all of them or nothing.
    ///
    /// Costs one atomic read-modify-write, the calls of `next`, which may use this arena, and a
    /// store of one byte per value. Lock-free, like [`reserve`](Self::reserve), apart from the
    /// calls of the iterator.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator unchanged, if the arena finds no run of the required
    /// length (see [`reserve`](Self::reserve)).
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The items stored so far are dropped without ever becoming
    /// visible, and every slot is returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let (first, squares) = arena.publish_from_iter((1..4).map(|n| n * n)).unwrap();
    /// assert_eq!((squares, arena.get(first + 1)), (&[1, 4, 9][..], Some(&4)));
    /// let mut rest = arena.publish_from_iter([7, 8]).unwrap_err().into_inner();
    /// assert_eq!(rest.next(), Some(7));
    /// ```
    #[inline]
    pub fn publish_from_iter<I>(&self, iter: I) -> Result<(usize, &[T]), Full<I::IntoIter>>
    where
        T: Sync,
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        Ok(self.view().collected(iter.into_iter())?.publish())
    }

    /// Moves an array into contiguous slots and publishes it. From then on every thread can read
    /// the values.
    ///
    /// Returns the index of the first value, and the array. The index of an empty array is the
    /// capacity.
    ///
    /// Other threads may see the values appear one by one. [`get_slice`](Self::get_slice) returns
    /// all of them or nothing.
    ///
    /// Costs one atomic read-modify-write, one move of the array, and a store of one byte per
    /// value. Lock-free, like [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the array, if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let (first, [a, b]) = arena.publish_array(["a", "b"]).unwrap();
    /// assert_eq!((*a, *b, arena.get(first + 1)), ("a", "b", Some(&"b")));
    /// assert_eq!(arena.publish_array(["c", "d"]).unwrap_err().into_inner(), ["c", "d"]);
    /// ```
    // Always inlined, because returning the result through memory takes longer than storing a short
    // run.
    #[inline(always)]
    pub fn publish_array<const N: usize>(&self, values: [T; N]) -> Result<(usize, &[T; N]), Full<[T; N]>>
    where
        T: Sync,
    {
        Ok(self.view().array(values)?.publish_array())
    }
}

/// Methods that store strings.
impl<S: Storage<u8>> AtomicArena<u8, S> {
    /// Copies a string into contiguous bytes. The copy belongs to the caller.
    ///
    /// Costs one atomic read-modify-write and a `memcpy`. Lock-free, like
    /// [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). Nothing is changed in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let names = AtomicArena::with_capacity(8);
    /// let name: &str = names.alloc_str("Grace").unwrap();
    /// assert_eq!(name, "Grace");
    /// assert!(names.alloc_str("Hopper").is_err());
    /// ```
    #[inline]
    pub fn alloc_str(&self, src: &str) -> Result<&mut str, Full<()>> {
        // SAFETY: the bytes are a copy of a `str`, so they are valid UTF-8.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(self.alloc_slice_copy(src.as_bytes())?) })
    }

    /// Copies a string into contiguous bytes and publishes it. From then on every thread can read
    /// the bytes.
    ///
    /// Returns the index of the first byte, and the string. The index of an empty string is the
    /// capacity.
    ///
    /// Other threads may see the bytes appear one by one. [`get_slice`](Self::get_slice) returns
    /// all of them or nothing.
    ///
    /// Costs one atomic read-modify-write, a `memcpy`, and a store of one byte of state per byte.
    /// Lock-free, like [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the arena finds no run of the required length (see
    /// [`reserve`](Self::reserve)). Nothing is changed in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let names = AtomicArena::with_capacity(8);
    /// let (first, name) = names.publish_str("Grace").unwrap();
    /// assert_eq!(name, "Grace");
    /// assert_eq!(names.get_slice(first..first + 5), Some(&b"Grace"[..]));
    /// assert!(names.publish_str("Hopper").is_err());
    /// ```
    #[inline]
    pub fn publish_str(&self, src: &str) -> Result<(usize, &str), Full<()>> {
        let (first, bytes) = self.publish_slice_copy(src.as_bytes())?;
        // SAFETY: the bytes are a copy of a `str`, so they are valid UTF-8.
        Ok((first, unsafe { core::str::from_utf8_unchecked(bytes) }))
    }
}
