//! What any thread may ask of a shared arena.

use core::ops::{Index, Range};

use super::AtomicArena;
use crate::error::IndexError;
use crate::iter::Iter;
use crate::storage::Storage;

/// Reading, from any thread.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// The published value at that index. `None` for any other slot, and beyond the end.
    ///
    /// Costs one load and a comparison; who goes through many in order has less to do with [`iter`](Self::iter), and who
    /// keeps references has nothing to do. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let (index, _) = arena.publish('a').unwrap();
    /// arena.alloc('b').unwrap();
    /// assert_eq!((arena.get(index), arena.get(1), arena.get(2), arena.get(3)), (Some(&'a'), None, None, None));
    /// ```
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T>
    where
        T: Sync,
    {
        self.view().get(index)
    }

    /// The values of a range of slots as one slice, when every one of them is published; so an empty range within the
    /// capacity is an empty slice.
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
        // SAFETY: every slot of the range is published, so its value stays as it is until the epoch ends (`ArenaRef::get`).
        published.then(|| unsafe { view.slice(range) })
    }

    /// The published value at that index modulo the capacity: the arena as a ring.
    ///
    /// Costs a division more than [`get`](Self::get). Wait-free.
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

    /// The published values with their indices, in index order, from both ends.
    ///
    /// Ends where the arena ended when the iterator was made. Sees all that was published before that, and what is
    /// published below its end while it runs if it comes by later.
    ///
    /// Linear in what was handed out. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// arena.publish('a').unwrap();
    /// arena.alloc('b').unwrap(); // owned: nobody else sees it
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

    /// The index of the slot in which this value lies. `None` when it does not lie in this arena, for a reference that
    /// spans two slots, and for a `T` without size, whose values lie nowhere.
    ///
    /// Constant. Wait-free.
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

    /// How many slots there are. Constant.
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

    /// How many slots hold a value, or are held by a handle or by a call in progress.
    ///
    /// Exact when nothing else is going on. Otherwise an estimate, which may never have been true: do not conclude from
    /// it that the arena is empty or full.
    ///
    /// Costs two loads; where threads have fought for the cursor 32 more, of lines that they write to. Wait-free.
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

    /// No slot at or above it is in use: indices lie in `0..index_bound()`, with gaps where slots are vacant.
    ///
    /// Exact when nothing else is going on; otherwise it may be out of date when it arrives. Wait-free.
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

    /// How many slots are free: `capacity() - count()`.
    ///
    /// All of them can be had one by one. In one run no more than `capacity() - index_bound()`: a slot that came back
    /// below the cursor, or lies in a shard, is handed out alone, until the next call with `&mut self` finds that nothing lies
    /// behind it.
    ///
    /// Exact when nothing else is going on, and an estimate otherwise, as [`count`](Self::count).
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

    /// Whether no slot is free: as far as [`remaining`](Self::remaining) tells.
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

    /// Whether every slot is free: as far as [`count`](Self::count) tells.
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

    /// The published value at that index, as [`get`](AtomicArena::get).
    ///
    /// # Panics
    ///
    /// When there is none.
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
    /// arena.alloc('b').unwrap(); // owned: nobody else sees it
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
        panic!(
            "slot {index} holds no published value: `publish` it, or `publish_all` what is owned, or ask with `get`"
        );
    }
    panic!("{}", IndexError::OutOfRange { index, capacity });
}
