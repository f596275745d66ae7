//! Many values at once: contiguous, all or nothing.
//!
//! What runs no foreign code between taking the slots and writing the values copies straight into
//! its run and writes no stamp. What does run foreign code does so on a [`Reservation`], which
//! answers panics, and iterators that lie.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::ops::Range;
use core::ptr;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::storage::Storage;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Copies the slice into a run of slots, which then belongs to the caller.
    ///
    /// Costs one compare-and-swap and a `memcpy`. Lock-free, as [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no run of that length. Nothing is touched then.
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
        match self.view().take_run(src.len()) {
            // SAFETY: `T: Copy`, so the bytes are as good as the values; the run is ours and of
            // that length.
            Ok(run) => Ok(unsafe { self.copy_into(run, src.as_ptr()) }),
            Err(left) => Err(Full::new((), src.len(), left)),
        }
    }

    /// Clones the slice into a run of slots, which then belongs to the caller.
    ///
    /// Lock-free, as [`reserve`](Self::reserve), between the calls of `clone`.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no run of that length. Nothing is cloned then.
    ///
    /// # Panics
    ///
    /// When a `clone` does; the clones made until then are dropped, and every slot goes back.
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
    pub fn alloc_slice_clone(&self, src: &[T]) -> Result<&mut [T], Full<()>>
    where
        T: Clone,
    {
        let mut run = self.reserve(src.len())?;
        run.fill_from_iter(src.iter().cloned());
        Ok(run.finish())
    }

    /// Fills a run of `len` slots with what `f` makes of 0, 1, 2 and so on. The run then belongs to
    /// the caller.
    ///
    /// Lock-free, as [`reserve`](Self::reserve), between the calls of `f`.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no run of that length. `f` is not called then.
    ///
    /// # Panics
    ///
    /// When `f` does; the values made until then are dropped, and every slot goes back.
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
        let mut run = self.reserve(len)?;
        run.fill_from_iter((0..len).map(f));
        Ok(run.finish())
    }

    /// Stores what the iterator gives in a run of slots, which then belongs to the caller.
    ///
    /// The length is asked for once, and so many slots are taken. What the iterator would give
    /// beyond it is not asked for; what is missing gives a shorter slice, and the slots that were
    /// too many go back.
    ///
    /// Lock-free, as [`reserve`](Self::reserve), between the calls of `next`.
    ///
    /// # Errors
    ///
    /// [`Full`], with the iterator as it was, when there is no run of that length.
    ///
    /// # Panics
    ///
    /// When the iterator does; what it gave until then is dropped, and every slot goes back.
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
        let iter = iter.into_iter();
        match self.reserve(iter.len()) {
            Ok(mut run) => {
                run.fill_from_iter(iter);
                Ok(run.finish())
            }
            Err(full) => Err(Full::new(iter, full.requested(), full.remaining())),
        }
    }

    /// Moves the array into a run of slots, which then belongs to the caller.
    ///
    /// Costs one compare-and-swap and a move. Lock-free, as [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`Full`], with the array, when there is no run of that length.
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
        match self.view().take_run(N) {
            Ok(run) => {
                let slots = self.view().slot(run.start).cast::<[T; N]>();
                // SAFETY: the run is ours, of `N` contiguous slots without values, and we pass on
                // the only way to it.
                Ok(unsafe {
                    slots.write(values);
                    &mut *slots
                })
            }
            Err(left) => Err(Full::new(values, N, left)),
        }
    }

    /// Moves the values of the vector into a run of slots, which then belongs to the caller. The
    /// vector's memory is freed.
    ///
    /// Costs one compare-and-swap and a `memcpy`; the allocator is called to free. Lock-free, as
    /// [`reserve`](Self::reserve), but for the allocator.
    ///
    /// # Errors
    ///
    /// [`Full`], with the vector, when there is no run of that length.
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
    pub fn alloc_vec(&self, mut values: Vec<T>) -> Result<&mut [T], Full<Vec<T>>> {
        match self.view().take_run(values.len()) {
            Ok(run) => {
                // SAFETY: 0 is less than any capacity. From here on the values are no longer the
                // vector's.
                unsafe { values.set_len(0) };
                // SAFETY: so they are ours to move; the run is ours and of that length.
                Ok(unsafe { self.copy_into(run, values.as_ptr()) })
            }
            Err(left) => {
                let requested = values.len();
                Err(Full::new(values, requested, left))
            }
        }
    }

    /// Clones as much of the slice, from its beginning, as fits in one run of slots, which then
    /// belongs to the caller. The length of the result says how much that was; it may be 0.
    ///
    /// Lock-free, as [`reserve_up_to`](Self::reserve_up_to), between the calls of `clone`.
    ///
    /// # Panics
    ///
    /// When a `clone` does; the clones made until then are dropped, and every slot goes back.
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
    pub fn alloc_prefix_clone(&self, src: &[T]) -> &mut [T]
    where
        T: Clone,
    {
        let mut run = self.reserve_up_to(src.len());
        run.fill_from_iter(src.iter().cloned());
        run.finish()
    }

    /// # Safety
    ///
    /// - The caller owns the run, and nobody else has a way to it; it passes on the only one.
    /// - `src` points to `run.len()` values, which the caller may move out.
    #[inline]
    unsafe fn copy_into(&self, run: Range<usize>, src: *const T) -> &mut [T] {
        let view = self.view();
        // SAFETY: `src` and the run hold that many values and slots (the caller). They do not
        // overlap: the run was just taken, so no value lies in it. Afterwards each slot of it holds
        // one.
        unsafe {
            ptr::copy_nonoverlapping(src, view.slot(run.start), run.len());
            view.slice_mut(run)
        }
    }
}

impl<S: Storage<u8>> AtomicArena<u8, S> {
    /// Copies the string into a run of bytes, which then belongs to the caller.
    ///
    /// Costs one compare-and-swap and a `memcpy`. Lock-free, as [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no run of that length. Nothing is touched then.
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
        let bytes = self.alloc_slice_copy(src.as_bytes())?;
        // SAFETY: the bytes of a `str`.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
    }
}
