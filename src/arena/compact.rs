//! Methods that return all values as one slice or as one vector.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::arena::AtomicArena;
use crate::storage::Storage;

/// A method that closes gaps.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Moves all values, owned and published, to the lowest indices and returns them as one slice.
    ///
    /// The values keep their order and are numbered from 0. An old index could then lead to a
    /// different value. Therefore all values are owned after this call, even if none was moved, and
    /// [`get`](Self::get) returns `None` until [`publish_all`](Self::publish_all) publishes them
    /// under their new indices. The free slots form one run above the values.
    ///
    /// [`as_mut_slice`](Self::as_mut_slice) moves no values and does not change what is published,
    /// but it returns `None` if there are gaps.
    ///
    /// A gap consists of returned slots below a slot with a value: unused slots of a
    /// [`Reservation`](crate::Reservation) or a [`Local`](crate::Local), and slots whose value was
    /// not created, for example because of a panic. The slots of a leaked handle and, after
    /// contention, the unused slots of shards are gaps too (see [`in_order`](Self::in_order)).
    ///
    /// Without gaps this operation is O(1), except as stated for [`get_mut`](Self::get_mut), and
    /// except in one of 50 calls (see [`reset`](Self::reset)). With gaps it is linear in
    /// [`index_bound`](Self::index_bound). It drops no value and cannot panic.
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
    /// drop(unused); // returns slots 0, 1, and 2
    /// assert_eq!((index, arena.get(index)), (3, Some(&"a")));
    /// assert_eq!(arena.as_mut_slice(), None); // there is a gap
    ///
    /// assert_eq!(arena.compact(), ["a", "b"]);
    /// assert_eq!((arena.get(3), arena.get(0)), (None, None)); // nothing is published
    /// arena.publish_all();
    /// assert_eq!((arena.get(0), arena.get(1)), (Some(&"a"), Some(&"b")));
    /// assert_eq!(arena.alloc_slice_copy(&["c"; 6]).unwrap().len(), 6);
    /// ```
    pub fn compact(&mut self) -> &mut [T] {
        let mut view = self.view_mut();
        view.compact();
        // SAFETY: after `compact`, every slot below the cursor holds a value.
        unsafe { view.into_slice() }
    }
}

/// Conversions into vectors and boxed slices.
#[cfg(feature = "alloc")]
impl<T> AtomicArena<T> {
    /// Converts the arena into a vector of all values, in index order.
    ///
    /// The vector takes over the slots, and its capacity is that of the arena. No value is copied
    /// unless there are gaps. If there are gaps, the values above them are moved down, as in
    /// [`compact`](Self::compact).
    ///
    /// This method frees the state of the slots and never allocates.
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
    /// assert_eq!(names, ["a", "b"]);
    /// assert_eq!(names.capacity(), 8);
    /// ```
    pub fn into_vec(mut self) -> Vec<T> {
        let len = self.compact().len();
        // SAFETY: after `compact`, the first `len` slots hold the values, and no other slot holds
        // one.
        unsafe { self.into_storage().into_vec(len) }
    }

    /// Converts the arena into a boxed slice of all values, in index order.
    ///
    /// This method calls [`into_vec`](Self::into_vec) and then returns unused memory to the
    /// allocator, which may move the values.
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

#[cfg(feature = "alloc")]
impl<T> From<AtomicArena<T>> for Vec<T> {
    /// Converts the arena into a vector of all values, like [`AtomicArena::into_vec`].
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(8);
    /// arena.alloc_array(["a", "b"]).unwrap();
    /// assert_eq!(Vec::from(arena), ["a", "b"]);
    /// ```
    fn from(arena: AtomicArena<T>) -> Vec<T> {
        arena.into_vec()
    }
}
