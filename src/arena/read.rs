//! Methods that read a shared arena.

use core::ops::{Index, Range};

use super::AtomicArena;
use crate::error::IndexError;
use crate::iter::{Iter, Values};
use crate::storage::Storage;

/// Methods that read published values and counts.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Returns the published value at `index`, or `None` if the slot holds no published value or
    /// does not exist.
    ///
    /// Costs one load and a comparison. To read many values in order, [`iter`](Self::iter) is
    /// faster. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let (index, _) = arena.publish('a').unwrap();
    /// arena.alloc('b').unwrap();
    /// assert_eq!(arena.get(index), Some(&'a'));
    /// assert_eq!(arena.get(1), None); // owned, not published
    /// assert_eq!((arena.get(2), arena.get(3)), (None, None)); // free, and out of range
    /// ```
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T>
    where
        T: Sync,
    {
        self.view().get(index)
    }

    /// Returns the values of a range of slots as one slice, or `None` if a slot of the range holds
    /// no published value or does not exist.
    ///
    /// An empty range within the capacity gives an empty slice.
    ///
    /// Linear in the length of the range. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// for c in ['a', 'b', 'c'] {
    ///     arena.publish(c).unwrap();
    /// }
    /// assert_eq!(arena.get_slice(1..3), Some(&['b', 'c'][..]));
    /// assert_eq!(arena.get_slice(1..4), None);
    /// ```
    pub fn get_slice(&self, range: Range<usize>) -> Option<&[T]>
    where
        T: Sync,
    {
        let view = self.view();
        if range.start > range.end || range.end > view.capacity() {
            return None;
        }
        let published = range.clone().all(|index| view.stamps().is_published(index));
        // SAFETY: every slot of the range is published, so its value does not change until the
        // epoch ends (see `ArenaRef::get`).
        published.then(|| unsafe { view.slice(range) })
    }

    /// Returns the published value at `index` modulo the capacity, as if the arena were a ring.
    ///
    /// Costs one more division than [`get`](Self::get). Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.publish('a').unwrap();
    /// assert_eq!((arena.get_wrapping(4), arena.get_wrapping(5)), (Some(&'a'), None));
    /// ```
    #[inline]
    pub fn get_wrapping(&self, index: usize) -> Option<&T>
    where
        T: Sync,
    {
        let view = self.view();
        view.get(index % view.capacity())
    }

    /// Returns an iterator over the published values and their indices, in index order.
    ///
    /// The end of the iterator is the [`index_bound`](Self::index_bound) at the time of this call.
    /// The iterator yields every value that was published before the call. It may also yield values
    /// that are published below its end while it runs.
    ///
    /// A complete iteration takes time linear in `index_bound()`. This method and the iterator are
    /// wait-free. The iterator is double-ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// arena.publish('a').unwrap();
    /// arena.alloc('b').unwrap(); // owned, not published
    /// arena.publish('c').unwrap();
    /// assert!(arena.iter().eq([(0, &'a'), (2, &'c')]));
    /// ```
    #[inline]
    pub fn iter(&self) -> Iter<'_, T>
    where
        T: Sync,
    {
        Iter::new(self.view())
    }

    /// Returns an iterator over the published values, in index order.
    ///
    /// Yields the same values as [`iter`](Self::iter), without their indices.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// arena.publish(1).unwrap();
    /// arena.alloc(2).unwrap(); // owned, not published
    /// arena.publish(3).unwrap();
    /// assert!(arena.values().eq(&[1, 3]));
    /// assert_eq!(arena.values().sum::<i32>(), 4);
    /// ```
    #[inline]
    pub fn values(&self) -> Values<'_, T>
    where
        T: Sync,
    {
        Values::new(self.iter())
    }

    /// Returns the index of the slot that contains `value`, or `None` if no slot of this arena
    /// does.
    ///
    /// Also returns `None` for a reference that does not start at a slot. (There are such
    /// references if `T` is an array, because the slots can be viewed as one flat slice.) Returns
    /// `None` if `T` is zero-sized, because such values have no location.
    ///
    /// O(1) and wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let slice = arena.alloc_slice_copy(&[1, 2, 3]).unwrap();
    /// assert_eq!(arena.index_of(&slice[2]), Some(2));
    /// assert_eq!(arena.index_of(&3), None);
    /// ```
    #[inline]
    pub fn index_of(&self, value: &T) -> Option<usize> {
        let view = self.view();
        let offset = core::ptr::from_ref(value).addr().wrapping_sub(view.slot(0).addr());
        let index = offset.checked_div(size_of::<T>())?;
        (index < view.capacity() && offset % size_of::<T>() == 0).then_some(index)
    }

    /// Returns the number of slots.
    ///
    /// O(1) and wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// assert_eq!(AtomicArena::<u8>::with_capacity(7).capacity(), 7);
    /// ```
    #[inline]
    pub fn capacity(&self) -> usize {
        self.view().capacity()
    }

    /// Returns the number of slots that hold a value, or are held by a handle or by a call in
    /// progress.
    ///
    /// The result is exact if no other thread uses the arena during the call. Otherwise it is an
    /// estimate, which may never have been the true value. Do not conclude from it that the arena
    /// is empty or full.
    ///
    /// Costs two loads if shards are not active and no slot is vacant (see [`alloc`](Self::alloc)).
    /// If shards are active, the method also reads a cache line for each of 32 shards, which other
    /// threads write to. If slots are vacant, it also reads a word for each 1,024 slots below
    /// [`index_bound`](Self::index_bound). Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.alloc('a').unwrap();
    /// assert_eq!(arena.count(), 1);
    /// ```
    #[inline]
    pub fn count(&self) -> usize {
        self.view().count()
    }

    /// Returns an upper bound on the indices in use.
    ///
    /// No slot at or above it is in use. Slots below it may be free.
    ///
    /// The bound is current if no other thread uses the arena during the call. Otherwise it may be
    /// out of date when the method returns. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// let (index, _) = arena.publish('a').unwrap();
    /// assert!(index < arena.index_bound());
    /// ```
    #[inline]
    pub fn index_bound(&self) -> usize {
        self.view().bound()
    }

    /// Returns the number of free slots, which is `capacity() - count()`.
    ///
    /// All of them can be allocated one by one. A request for a run is served if it fits in the
    /// slots left at the cursor, in the shard of this thread, or in contiguous vacant slots (see
    /// [`alloc`](Self::alloc)). It does not find slots in other threads' shards, and it does not
    /// combine slots from two of these places.
    ///
    /// The result is exact under the same condition as that of [`count`](Self::count). The two
    /// methods have the same cost. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.alloc('a').unwrap();
    /// assert_eq!(arena.remaining(), 1);
    /// ```
    #[inline]
    pub fn remaining(&self) -> usize {
        self.view().remaining()
    }

    /// Returns `true` if [`remaining`](Self::remaining) is 0.
    ///
    /// While other threads use the arena, the result is an estimate. Costs one load until the
    /// cursor reaches the end. From then on it costs two or three loads and, as long as shards may
    /// hold slots, one for each of 32 shards. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.alloc_array(['a', 'b']).unwrap();
    /// assert!(arena.is_full());
    /// ```
    #[inline]
    pub fn is_full(&self) -> bool {
        self.view().is_full()
    }

    /// Returns `true` if [`count`](Self::count) is 0.
    ///
    /// While other threads use the arena, the result is an estimate. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc('a').unwrap();
    /// arena.reset();
    /// assert!(arena.is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

impl<T: Sync, S: Storage<T>> Index<usize> for AtomicArena<T, S> {
    type Output = T;

    /// Returns the published value at `index`, like [`get`](AtomicArena::get).
    ///
    /// # Panics
    ///
    /// Panics if the slot holds no published value or does not exist.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// let (index, _) = arena.publish('a').unwrap();
    /// assert_eq!(arena[index], 'a');
    /// ```
    ///
    /// ```should_panic
    /// # let arena = atomicarena::AtomicArena::with_capacity(2);
    /// arena.alloc('b').unwrap(); // owned, not published
    /// arena[0];
    /// ```
    #[inline]
    #[track_caller]
    fn index(&self, index: usize) -> &T {
        match self.get(index) {
            Some(value) => value,
            None => not_published(index, self.capacity()),
        }
    }
}

#[cold]
#[track_caller]
fn not_published(index: usize, capacity: usize) -> ! {
    if index < capacity {
        panic!("slot {index} holds no published value: `publish` it, or call `publish_all`, or use `get`");
    }
    panic!("{}", IndexError::OutOfRange { index, capacity });
}
