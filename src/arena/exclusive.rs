//! What takes `&mut` of the arena, or the arena itself.

use super::AtomicArena;
use crate::error::IndexError;
use crate::iter::{Drain, IntoIter, Iter, IterMut};
use crate::raw::epoch::Mark;
use crate::storage::Storage;

/// With `&mut self`: the compiler is the lock.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// The value at that index, owned or published. Constant.
    ///
    /// This and the other methods with `&mut self`, but a [`reset`](Self::reset) of values without drop, make slots vacant
    /// that a leaked handle held, which takes time linear in what was handed out, once for each time that happened; and what
    /// is left in shards, a byte for each slot, once for each time that threads fought for the cursor.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc(1).unwrap();
    /// *arena.get_mut(0).unwrap() += 1;
    /// assert_eq!(arena.get_mut(0), Some(&mut 2));
    /// assert_eq!(arena.get_mut(1), None);
    /// ```
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let mut view = self.settled();
        // SAFETY: the slot holds a value, which is borrowed as we are.
        view.holds(index).then(|| unsafe { &mut *view.slot(index) })
    }

    /// The values at several indices at once, owned or published, in the order of the indices.
    ///
    /// Constant in the arena, as [`get_mut`](Self::get_mut); each index is compared with those before it, so for many
    /// [`iter_mut`](Self::iter_mut) or [`as_mut_slice`](Self::as_mut_slice) is better.
    ///
    /// # Errors
    ///
    /// [`IndexError`], for the first index that is out of range, whose slot holds no value, or that was given before.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, IndexError};
    ///
    /// let mut arena = AtomicArena::with_capacity(4);
    /// arena.alloc_array(['a', 'b', 'c']).unwrap();
    /// let [first, last] = arena.get_disjoint_mut([0, 2]).unwrap();
    /// std::mem::swap(first, last);
    /// assert_eq!(arena.as_mut_slice().unwrap(), ['c', 'b', 'a']);
    ///
    /// assert_eq!(arena.get_disjoint_mut([0, 3]), Err(IndexError::NoValue { index: 3 }));
    /// assert_eq!(arena.get_disjoint_mut([0, 4]), Err(IndexError::OutOfRange { index: 4, capacity: 4 }));
    /// assert_eq!(arena.get_disjoint_mut([0, 0]), Err(IndexError::Duplicate { index: 0 }));
    /// ```
    pub fn get_disjoint_mut<const N: usize>(&mut self, indices: [usize; N]) -> Result<[&mut T; N], IndexError> {
        let mut view = self.settled();
        for (at, &index) in indices.iter().enumerate() {
            if index >= view.meta.stamps.len() {
                return Err(IndexError::OutOfRange { index, capacity: view.meta.stamps.len() });
            }
            if !view.holds(index) {
                return Err(IndexError::NoValue { index });
            }
            if indices[..at].contains(&index) {
                return Err(IndexError::Duplicate { index });
            }
        }
        // SAFETY: each slot holds a value and is named once; the values are borrowed as we are.
        Ok(indices.map(|index| unsafe { &mut *view.slot(index) }))
    }

    /// The values, owned and published, with their indices, in index order. Linear in what was handed out.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc(1).unwrap();
    /// arena.publish(2).unwrap();
    /// for (_, value) in arena.iter_mut() {
    ///     *value *= 10;
    /// }
    /// assert!(arena.iter_mut().eq([(0, &mut 10), (1, &mut 20)]));
    /// ```
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        IterMut::new(self.storage.view_mut())
    }

    /// Moves the values out, in index order. The arena is empty from this call on.
    ///
    /// A `Drain` that is dropped drops the values that are left; one that is forgotten leaks them. Constant, and for each value
    /// a look at a byte and a move.
    ///
    /// # Panics
    ///
    /// When the `drop` of a value does that was left in the `Drain`; the others are dropped all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc(String::from("a")).unwrap();
    /// arena.publish(String::from("b")).unwrap();
    /// let strings: Vec<String> = arena.drain().collect();
    /// assert_eq!(strings, ["a", "b"]);
    /// assert!(arena.is_empty());
    /// ```
    pub fn drain(&mut self) -> Drain<'_, T> {
        Drain::new(self.storage.view_mut())
    }

    /// The values as one slice, when every slot below [`index_bound`](Self::index_bound) holds one: when nothing went
    /// back from the middle, and nothing was left in shards (see [`in_order`](Self::in_order)). Constant.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(4);
    /// arena.alloc(2).unwrap();
    /// arena.alloc(1).unwrap();
    /// arena.as_mut_slice().unwrap().sort();
    /// assert_eq!(arena.get_mut(0), Some(&mut 1));
    /// ```
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        let mut view = self.settled();
        let whole = view.meta.vacant() == 0;
        // SAFETY: the arena is settled and no slot is vacant, so each slot below the cursor holds a value.
        whole.then(|| unsafe { view.into_slice() })
    }

    /// Publishes every value: fill the arena with owned values in parallel, join, publish all, share.
    ///
    /// Linear in what was handed out: a byte is written for each slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// *arena.alloc(1).unwrap() += 1;
    /// assert_eq!(arena.get(0), None);
    /// arena.publish_all();
    /// assert_eq!(arena.get(0), Some(&2));
    /// ```
    pub fn publish_all(&mut self)
    where
        T: Sync,
    {
        let mut view = self.storage.view_mut();
        let mut live = view.live();
        while let Some(index) = live.next(&mut view) {
            view.meta.stamps.mark(index, Mark::Published);
        }
    }

    /// Fills every free slot with what `f` makes of its index, and returns the whole arena as one slice.
    ///
    /// The new values are owned, until [`publish_all`](Self::publish_all). Linear in the number of free slots; in the capacity,
    /// where some of them are vacant.
    ///
    /// # Panics
    ///
    /// When `f` does; what it made until then is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(4);
    /// arena.alloc(7).unwrap();
    /// assert_eq!(arena.fill_with(|index| index), [7, 1, 2, 3]);
    /// assert!(arena.is_full());
    /// ```
    pub fn fill_with(&mut self, f: impl FnMut(usize) -> T) -> &mut [T] {
        let mut view = self.settled();
        view.fill(f);
        // SAFETY: every slot holds a value now.
        unsafe { view.into_slice() }
    }

    /// Fills every free slot with the default value, and returns the whole arena as one slice.
    ///
    /// As [`fill_with`](Self::fill_with).
    ///
    /// # Panics
    ///
    /// When `T::default` does; what it made until then is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(3);
    /// arena.alloc(7).unwrap();
    /// assert_eq!(arena.fill_default(), [7, 0, 0]);
    /// ```
    pub fn fill_default(&mut self) -> &mut [T]
    where
        T: Default,
    {
        self.fill_with(|_| T::default())
    }

    /// Empties the arena: its values are dropped, and every slot is free again.
    ///
    /// Constant when `T` needs no drop, whatever was stored; but once in 50 calls the bytes beside the slots are
    /// gone through, if values were published or handles used since the last time. Linear in what was handed out when
    /// `T` needs drop.
    ///
    /// # Panics
    ///
    /// When the `drop` of a value does: the others are dropped all the same, and the arena is empty and usable. When
    /// a second one does while the first panic unwinds, the process aborts, as for a `Vec`.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(1);
    /// let (index, _) = arena.publish(1).unwrap();
    /// arena.reset();
    /// assert_eq!(arena.get(index), None);
    /// assert!(arena.alloc(2).is_ok());
    /// ```
    pub fn reset(&mut self) {
        if core::mem::needs_drop::<T>() {
            drop(self.drain());
        } else {
            self.storage.view_mut().restart();
        }
    }

    /// As [`reset`](Self::reset), and no byte that was written since the last time stays readable: the slots are
    /// overwritten with zeros, by writes that no compiler may leave out.
    ///
    /// Linear in the bytes of what was handed out since then. The memory that the arena has now is meant: a
    /// [`StaticArena`](crate::StaticArena) that was moved has left its bytes behind as well, and an arena that is
    /// dropped does not zero them.
    ///
    /// # Panics
    ///
    /// As [`reset`](Self::reset); the slots are zeroed all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(32);
    /// arena.alloc_str("correct horse battery staple").unwrap();
    /// arena.reset_zeroed(); // the memory no longer knows
    /// assert!(arena.is_empty());
    /// ```
    pub fn reset_zeroed(&mut self) {
        /// Zeroes even when the `drop` of a value panics.
        struct Zero<'a, T, S: Storage<T>>(&'a mut AtomicArena<T, S>);

        impl<T, S: Storage<T>> Drop for Zero<'_, T, S> {
            fn drop(&mut self) {
                self.0.storage.view_mut().zero();
            }
        }

        Zero(self).0.reset();
    }
}

impl<T, S: Storage<T>> IntoIterator for AtomicArena<T, S> {
    type Item = T;
    type IntoIter = IntoIter<T, S>;

    /// Moves the values out, in index order.
    fn into_iter(self) -> IntoIter<T, S> {
        IntoIter::new(self.storage)
    }
}

impl<'a, T, S: Storage<T>> IntoIterator for &'a mut AtomicArena<T, S> {
    type Item = (usize, &'a mut T);
    type IntoIter = IterMut<'a, T>;

    fn into_iter(self) -> IterMut<'a, T> {
        self.iter_mut()
    }
}

impl<'a, T: Sync, S: Storage<T>> IntoIterator for &'a AtomicArena<T, S> {
    type Item = (usize, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
