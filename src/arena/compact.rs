//! The values side by side, as a slice in the arena or as a vector that outlives it.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::arena::AtomicArena;
use crate::storage::Storage;

/// The values as one slice, whatever holes there are.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Moves the values down over the holes that were left between them, owned and published alike, and returns them as
    /// one slice, in index order.
    ///
    /// The values are numbered anew, from 0. So an index from before would name another value, or none: therefore every
    /// value is owned afterwards, whether one was moved or not, and [`get`](Self::get) answers `None`, until
    /// [`publish_all`](Self::publish_all) publishes them under their new indices. The slots behind them are free, in
    /// one run.
    ///
    /// [`as_mut_slice`](Self::as_mut_slice) moves nothing, keeps what is published, and is `None` when there are holes.
    ///
    /// Holes are left by slots that went back from the middle: the unused ones of a
    /// [`Reservation`](crate::Reservation) or a [`Local`](crate::Local), those of a panic, and what was left in shards, where
    /// threads fought for the cursor (see [`in_order`](Self::in_order)). Without any this takes constant time, but for one call in 50 (see [`reset`](Self::reset)); else time linear in what was handed out.
    /// Drops nothing, so it cannot panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(8);
    /// let unused = arena.reserve(3).unwrap();
    /// let (index, _) = arena.publish("a").unwrap();
    /// arena.alloc("b").unwrap();
    /// drop(unused); // slots 0, 1 and 2 went back
    /// assert_eq!((index, arena.get(index)), (3, Some(&"a")));
    /// assert_eq!(arena.as_mut_slice(), None); // there is a hole
    ///
    /// assert_eq!(arena.compact(), ["a", "b"]);
    /// assert_eq!((arena.get(3), arena.get(0)), (None, None)); // no index from before leads to a wrong value
    /// arena.publish_all();
    /// assert_eq!((arena.get(0), arena.get(1)), (Some(&"a"), Some(&"b")));
    /// assert_eq!(arena.alloc_slice_copy(&["c"; 6]).unwrap().len(), 6);
    /// ```
    pub fn compact(&mut self) -> &mut [T] {
        let mut view = self.view_mut();
        view.compact();
        // SAFETY: every slot below the cursor of a compacted arena holds a value.
        unsafe { view.into_slice() }
    }
}

/// The values without the arena.
#[cfg(feature = "alloc")]
impl<T> AtomicArena<T> {
    /// The values as a vector, in index order: they outlive the arena, and the threads that made them.
    ///
    /// The vector takes over the slots, with the capacity of the arena: nothing is copied, but where there are holes
    /// the values above them are moved down, as by [`compact`](Self::compact). Never allocates; the bytes beside the
    /// slots are freed.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(8);
    /// std::thread::scope(|scope| {
    ///     for name in ["a", "b"] {
    ///         let arena = &arena;
    ///         scope.spawn(move || arena.alloc(name.to_string()).unwrap());
    ///     }
    /// });
    /// let mut names: Vec<String> = arena.into_vec();
    /// names.sort();
    /// assert_eq!((names.as_slice(), names.capacity()), (&["a".to_string(), "b".to_string()][..], 8));
    /// ```
    pub fn into_vec(mut self) -> Vec<T> {
        let len = self.compact().len();
        // SAFETY: a compacted arena holds its values in its first slots.
        unsafe { self.into_storage().into_vec(len) }
    }

    /// The values as a boxed slice, in index order. As [`into_vec`](Self::into_vec), but what is not used is given back
    /// to the allocator, which may move the values.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(8);
    /// arena.alloc_slice_copy(&[1, 2, 3]).unwrap();
    /// let numbers: Box<[i32]> = arena.into_boxed_slice();
    /// assert_eq!(*numbers, [1, 2, 3]);
    /// ```
    pub fn into_boxed_slice(self) -> Box<[T]> {
        self.into_vec().into_boxed_slice()
    }
}
