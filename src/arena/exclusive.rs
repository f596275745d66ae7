//! Methods that require exclusive access to the arena.

use super::AtomicArena;
use crate::error::IndexError;
use crate::iter::{Drain, IntoIter, Iter, IterMut};
use crate::on_drop::OnDrop;
use crate::raw::epoch::Mark;
use crate::storage::Storage;

/// Methods that require exclusive access, which the borrow checker guarantees.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Returns a mutable reference to the value at `index`, owned or published, or `None` if there
    /// is none.
    ///
    /// O(1) amortized, with two exceptions:
    ///
    /// - If a handle was leaked, its slots are reclaimed, which takes time linear in
    ///   [`index_bound`](Self::index_bound).
    /// - If shards have been in use, the state of each unused slot in them is written, which costs
    ///   a write of one byte per slot.
    ///
    /// Each cost arises once, in the next call of a method that takes `&mut self`. A
    /// [`reset`](Self::reset) of values that need no drop avoids both.
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
        // SAFETY: the slot holds a value, and the reference borrows the arena exclusively.
        view.holds(index).then(|| unsafe { &mut *view.slot(index) })
    }

    /// Returns mutable references to the values at several indices, owned or published.
    ///
    /// The references are in the order of `indices`.
    ///
    /// The cost does not depend on the size of the arena, except as stated for
    /// [`get_mut`](Self::get_mut). It is quadratic in `N`, because each index is compared with all
    /// earlier indices. For many indices, use [`iter_mut`](Self::iter_mut) or
    /// [`as_mut_slice`](Self::as_mut_slice).
    ///
    /// # Errors
    ///
    /// Returns [`IndexError`] for the first index that is out of range, whose slot holds no value,
    /// or that equals an earlier index.
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
    /// let out_of_range = IndexError::OutOfRange { index: 4, capacity: 4 };
    /// assert_eq!(arena.get_disjoint_mut([0, 4]), Err(out_of_range));
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
        // SAFETY: each slot holds a value and occurs once in `indices`. The references borrow the
        // arena exclusively.
        Ok(indices.map(|index| unsafe { &mut *view.slot(index) }))
    }

    /// Returns an iterator over mutable references to all values, owned and published, with their
    /// indices.
    ///
    /// The values are in index order. A complete iteration takes time linear in
    /// [`index_bound`](Self::index_bound).
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

    /// Removes all values and returns an iterator over them, in index order.
    ///
    /// The arena is empty as soon as this method returns. If the `Drain` is dropped, it drops the
    /// remaining values. If it is leaked, it leaks them.
    ///
    /// Costs as much as a [`reset`](Self::reset) of values that need no drop, and additionally what
    /// [`get_mut`](Self::get_mut) states. If slots below a value are free, also reads one word per
    /// 1,024 slots. Iterating then costs one load for each slot below the
    /// [`index_bound`](Self::index_bound) before the call, and one move per value.
    ///
    /// # Panics
    ///
    /// Dropping the `Drain` panics if dropping a remaining value panics. The other values are still
    /// dropped.
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

    /// Returns all values as one slice, or `None` if a slot below
    /// [`index_bound`](Self::index_bound) holds no value.
    ///
    /// There may be such slots if slots were returned below a value, if a handle was leaked, or if
    /// shards had unused slots (see [`in_order`](Self::in_order)). [`compact`](Self::compact)
    /// closes the gaps.
    ///
    /// O(1), except as stated for [`get_mut`](Self::get_mut).
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
        let view = self.settled();
        let whole = !view.meta.has_vacant();
        // SAFETY: the arena is settled and no slot is vacant, so every slot below the cursor holds
        // a value.
        whole.then(|| unsafe { view.into_slice() })
    }

    /// Publishes all values.
    ///
    /// Use this method to share values that many threads have stored as owned values, once these
    /// threads no longer use the arena.
    ///
    /// Linear in [`index_bound`](Self::index_bound): one byte is written per value.
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

    /// Fills every free slot by calling `f` with its index, and returns the whole arena as one
    /// slice.
    ///
    /// The new values are owned. [`publish_all`](Self::publish_all) publishes them.
    ///
    /// Linear in the number of free slots or, if any of them is below
    /// [`index_bound`](Self::index_bound), in the capacity.
    ///
    /// # Panics
    ///
    /// Panics if `f` panics. The values made before the panic are kept.
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
        // SAFETY: every slot now holds a value.
        unsafe { view.into_slice() }
    }

    /// Fills every free slot with the default value of `T`, and returns the whole arena as one
    /// slice.
    ///
    /// Has the cost of [`fill_with`](Self::fill_with). The new values are owned.
    ///
    /// # Panics
    ///
    /// Panics if `T::default` panics. The values made before the panic are kept.
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

    /// Drops all values and makes every slot free.
    ///
    /// If `T` needs drop, the cost is linear in [`index_bound`](Self::index_bound).
    ///
    /// If `T` needs no drop, this method is O(1), except for one call in 50. That call clears the
    /// state of every slot that was published, held by a handle, or returned since the previous
    /// such call. It takes about 1 ns per slot below the highest [`index_bound`](Self::index_bound)
    /// in that time: 9 ms in an arena of 10 million published `u64`, where the other 49 calls take
    /// less than 1 µs. Owned values that were allocated without a handle leave no state to clear.
    ///
    /// # Panics
    ///
    /// Panics if dropping a value panics. The other values are still dropped, and the arena is
    /// empty and usable. If a second drop panics during unwinding, the process aborts, as it does
    /// for a `Vec`.
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

    /// Drops all values, makes every slot free, and overwrites the slots with zeros.
    ///
    /// The compiler cannot remove these writes. No byte that has been written since the last call
    /// stays readable in the current memory of the arena. There are two limits:
    ///
    /// - A [`StaticArena`](crate::StaticArena) that was moved has also left a copy in its previous
    ///   place.
    /// - An arena that is dropped does not zero its slots.
    ///
    /// Linear in the number of bytes handed out since the last call.
    ///
    /// # Panics
    ///
    /// Panics if dropping a value panics, like [`reset`](Self::reset). The slots are still zeroed.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(32);
    /// arena.alloc_str("correct horse battery staple").unwrap();
    /// arena.reset_zeroed(); // the passphrase is no longer in memory
    /// assert!(arena.is_empty());
    /// ```
    pub fn reset_zeroed(&mut self) {
        // The slots are zeroed even if dropping a value panics.
        OnDrop::new(self, |arena| arena.storage.view_mut().zero()).reset();
    }
}

impl<T, S: Storage<T>> IntoIterator for AtomicArena<T, S> {
    type Item = T;
    type IntoIter = IntoIter<T, S>;

    /// Returns an iterator that moves all values out of the arena, in index order.
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
