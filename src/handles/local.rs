//! A handle that owns a run of slots, from which one thread allocates without contention.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroUsize;
use core::ops::Range;
use core::ptr::NonNull;

use crate::arena::AtomicArena;
#[cfg(target_has_atomic = "64")]
use crate::arena::Key;
use crate::arena::Source;
use crate::error::Full;
use crate::handles::Reservation;
use crate::handles::own_run::{OwnRun, Room, with_run};
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::stamps::Stamp;
use crate::storage::Storage;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Returns a handle with its own run of slots, for a thread that stores many values.
    ///
    /// A new run occupies at most 64 KiB and at most a sixteenth of the slots that are not handed
    /// out yet, but always has at least one slot. So one handle does not take all remaining slots
    /// at once: `k` handles that take one run each leave about `(15/16)^k` of them, or more, to
    /// others. An idle handle keeps its run, and requests of other threads may be refused in the
    /// meantime. Therefore an arena with `Local`s needs spare capacity.
    ///
    /// Costs nothing, because the first run is taken when the first value is stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1_000);
    /// let mut firsts = Vec::new();
    /// std::thread::scope(|scope| {
    ///     let workers: Vec<_> = (0..4)
    ///         .map(|worker| {
    ///             let arena = &arena;
    ///             scope.spawn(move || {
    ///                 let mut local = arena.local();
    ///                 let first = local.alloc(worker * 100).unwrap();
    ///                 for i in 1..100 {
    ///                     local.alloc(worker * 100 + i).unwrap();
    ///                 }
    ///                 first
    ///             })
    ///         })
    ///         .collect();
    ///     // The values outlive the handle and the thread.
    ///     firsts.extend(workers.into_iter().map(|worker| worker.join().unwrap()));
    /// });
    /// assert_eq!(firsts, [&0, &100, &200, &300]);
    /// assert_eq!(arena.count(), 400);
    /// ```
    #[inline]
    pub fn local(&self) -> Local<'_, T> {
        Local::new(self.view(), OwnRun::default_lengths::<T>())
    }

    /// Returns a handle like that of [`local`](Self::local), whose new runs have at most `slots`
    /// slots.
    ///
    /// In addition, a new run has at most a sixteenth of the slots that are not handed out yet, but
    /// at least one slot. A handle that stores values one by one withholds at most `slots` free
    /// slots from other threads. So if `handles` such handles store `values` values in total, a
    /// capacity of `values + (handles - 1) * slots` is enough.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use std::num::NonZeroUsize;
    ///
    /// let arena = AtomicArena::with_capacity(1_000);
    /// let mut local = arena.local_with_batch(NonZeroUsize::new(8).unwrap());
    /// local.alloc(1).unwrap();
    /// assert!(arena.count() <= 8);
    /// drop(local);
    /// assert_eq!(arena.count(), 1);
    /// ```
    #[inline]
    pub fn local_with_batch(&self, slots: NonZeroUsize) -> Local<'_, T> {
        Local::new(self.view(), OwnRun::new(slots.get(), slots.get()))
    }
}

/// A handle that owns a run of slots, and takes a new run when the current one is used up.
///
/// It has the same methods as the arena for storing values. They take `&mut self`, but the
/// references that they return borrow the arena and can outlive the handle. Storing a value costs
/// an increment of an index and a store. Memory to which all threads write is accessed only if the
/// values do not fit in the current run.
///
/// # Where the slots come from
///
/// A request is served by the first of these that has enough slots:
///
/// 1. The rest of the current run.
/// 2. The current run, extended in place by one atomic read-modify-write, if it ends at the
///    *cursor*, the end of the slots that were handed out.
/// 3. A fresh run, if the request fits in half of it or is for one slot. The rest of the current
///    run is then returned, as if the handle were dropped.
/// 4. The arena, as if there were no handle. The current run is kept.
///
/// So a single `Local` in a new arena hands out the indices 0, 1, 2 and so on, for any mixture of
/// values, slices and reservations. It leaves a gap only where a reservation returns slots.
///
/// # Dropping and leaking
///
/// Dropping a `Local` returns its unused slots. This costs one atomic read-modify-write, and an
/// update of the count of handles (see [`AtomicArena::reserve`]). If the slots directly above them
/// are taken, or shards are active (see [`in_order`](AtomicArena::in_order)), it may instead cost
/// one byte written per slot and one read-modify-write per 1,024 slots. Dropping is lock-free but
/// not wait-free, because other threads can make a read-modify-write fail, which is then repeated.
///
/// Leaking a `Local` (`mem::forget`) may leak the owned values in its current run. The rest of that
/// run stays lost until the next exclusive access to the arena. Values of earlier runs, published
/// values and reservations are not affected.
///
/// # Threads
///
/// `Send` if `T: Send`, because the receiving thread may store values that another thread then
/// drops. Not `Sync`, because each thread is meant to use a handle of its own. An [`OwnedLocal`]
/// keeps the arena alive, so it can be stored in a struct or moved into a task.
///
/// Not async-signal-safe: a signal handler must not create, use or drop a `Local`, except in the
/// arenas that [`AtomicArena`](AtomicArena#threads) names.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
///
/// let arena = AtomicArena::with_capacity(1_000);
/// let mut words: Vec<&mut String> = Vec::new();
/// std::thread::scope(|scope| {
///     let workers = ["to be", "or not"].map(|text| {
///         let mut local = arena.local();
///         scope.spawn(move || -> Vec<_> {
///             text.split(' ').map(|word| local.alloc(word.to_string()).unwrap()).collect()
///         })
///     });
///     workers.into_iter().for_each(|worker| words.extend(worker.join().unwrap()));
/// });
/// assert_eq!(words, ["to", "be", "or", "not"]);
/// ```
///
#[cfg_attr(feature = "alloc", doc = "[`OwnedLocal`]: crate::OwnedLocal")]
#[cfg_attr(not(feature = "alloc"), doc = "[`OwnedLocal`]: crate#features")]
pub struct Local<'a, T> {
    view: ArenaRef<'a, T>,
    run: OwnRun,
    /// Dropping this handle moves the run to this place. If it is `None`, dropping returns the
    /// unused slots to the arena.
    home: Option<&'a mut OwnRun>,
    /// Makes the handle invariant in `T`, because values are stored through it. (`view` is
    /// covariant.)
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the handle owns only unused slots, which hold no values. If `T: Send`, any thread may
// store values in them. Sending the handle also sends a reference to the arena, which is `Sync` if
// `T: Send`.
unsafe impl<T: Send> Send for Local<'_, T> {}

impl<'a, T> Local<'a, T> {
    #[inline]
    fn new(view: ArenaRef<'a, T>, run: OwnRun) -> Self {
        Local { view, run, home: None, marker: PhantomData }
    }

    /// Returns a `Local` that takes over the run of an owned handle from `home`. Dropping the
    /// `Local` stores the run in `home` again.
    ///
    /// # Safety
    ///
    /// The run in `home` is empty or belongs to the arena of `view`.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    #[inline]
    pub(super) unsafe fn lent(view: ArenaRef<'a, T>, home: &'a mut OwnRun) -> Self {
        let none = OwnRun::new(home.batch, home.ceiling);
        Local { view, run: core::mem::replace(home, none), home: Some(home), marker: PhantomData }
    }

    /// Stores a value and returns a mutable reference to it.
    ///
    /// Costs an increment of an index and a store. Taking a new run costs one atomic
    /// read-modify-write. Wait-free, except that taking a new run is lock-free, like
    /// [`AtomicArena::reserve`].
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the value, if neither this handle nor the arena has a free slot.
    /// Other handles may have free slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let name = local.alloc("Ada").unwrap();
    /// assert_eq!(local.alloc("Grace").unwrap_err().into_inner(), "Grace");
    /// drop(local);
    /// assert_eq!(*name, "Ada"); // outlives the handle
    /// ```
    #[inline]
    pub fn alloc(&mut self, value: T) -> Result<&'a mut T, Full<T>> {
        if !self.has_slot() {
            return Err(Full::new(value, 1, 0));
        }
        Ok(self.fill(value))
    }

    /// Stores the result of `make`. The compiler can often construct it in its slot. `make` may use
    /// the arena.
    ///
    /// Has the same cost and progress guarantee as [`alloc`](Self::alloc), apart from the call of
    /// `make`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if neither this handle nor the arena has a free slot.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The slot stays with this handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let page = local.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// assert!(local.alloc_with(|| [0u8; 4096]).is_err());
    /// ```
    #[inline]
    pub fn alloc_with<F: FnOnce() -> T>(&mut self, make: F) -> Result<&'a mut T, Full<F>> {
        if !self.has_slot() {
            return Err(Full::new(make, 1, 0));
        }
        Ok(self.fill(make()))
    }

    /// Stores the result of `make`, which may fail. If it fails, the slot stays with this handle.
    ///
    /// The outer error is that of the arena, and the inner error is that of `make`. `make` is
    /// called only if there is a free slot. It may use the arena.
    ///
    /// Has the same cost and progress guarantee as [`alloc`](Self::alloc), apart from the call of
    /// `make`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if neither this handle nor the arena has a free slot. Returns
    /// `Ok(Err(_))`, with the error of `make`, if `make` fails.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The slot stays with this handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::<u32>::with_capacity(1);
    /// let mut local = arena.local();
    /// assert!(local.alloc_try_with(|| "seven".parse()).unwrap().is_err());
    /// assert_eq!(local.alloc_try_with(|| "7".parse()).unwrap(), Ok(&mut 7)); // in the same slot
    /// assert!(local.alloc_try_with(|| "8".parse()).is_err());
    /// ```
    #[inline]
    pub fn alloc_try_with<F, E>(&mut self, make: F) -> Result<Result<&'a mut T, E>, Full<F>>
    where
        F: FnOnce() -> Result<T, E>,
    {
        if !self.has_slot() {
            return Err(Full::new(make, 1, 0));
        }
        Ok(make().map(|value| self.fill(value)))
    }

    /// Stores a value that every thread can read from then on. Returns its index and a shared
    /// reference.
    ///
    /// Costs one more store than [`alloc`](Self::alloc), and has the same progress guarantee.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the value, if neither this handle nor the arena has a free slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let (index, value) = local.publish(7).unwrap();
    /// assert_eq!(arena.get(index), Some(value)); // at once, from any thread
    /// assert!(local.publish(8).is_err());
    /// ```
    #[inline]
    pub fn publish(&mut self, value: T) -> Result<(usize, &'a T), Full<T>>
    where
        T: Sync,
    {
        if !self.has_slot() {
            return Err(Full::new(value, 1, 0));
        }
        Ok(self.fill_and_publish(value))
    }

    /// Publishes the result of `make`, which receives the index of the value. `make` may use the
    /// arena.
    ///
    /// Has the same cost and progress guarantee as [`publish`](Self::publish), apart from the call
    /// of `make`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if neither this handle nor the arena has a free slot.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The slot stays with this handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let (index, id) = local.publish_with(|index| index).unwrap();
    /// assert_eq!(index, *id);
    /// assert!(local.publish_with(|index| index).is_err());
    /// ```
    #[inline]
    pub fn publish_with<F: FnOnce(usize) -> T>(&mut self, make: F) -> Result<(usize, &'a T), Full<F>>
    where
        T: Sync,
    {
        if !self.has_slot() {
            return Err(Full::new(make, 1, 0));
        }
        let value = make(self.run.next);
        Ok(self.fill_and_publish(value))
    }

    /// Publishes a value like [`publish`](Self::publish), and returns a key instead of an index.
    ///
    /// Costs one more load and one more comparison than `publish`. The first key of an epoch also
    /// costs two atomic read-modify-writes. Has the same progress guarantee as
    /// [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the value, if neither this handle nor the arena has a free slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let (key, value) = local.publish_keyed("first").unwrap();
    /// assert_eq!(arena.get_keyed(key), Some(value));
    /// assert_eq!(local.publish_keyed("second").unwrap_err().into_inner(), "second");
    /// drop(local);
    /// arena.reset();
    /// assert_eq!(arena.get_keyed(key), None);
    /// ```
    #[cfg(target_has_atomic = "64")]
    #[inline]
    pub fn publish_keyed(&mut self, value: T) -> Result<(Key<T>, &'a T), Full<T>>
    where
        T: Sync,
    {
        let (index, value) = self.publish(value)?;
        Ok((Key::of(self.view, index), value))
    }

    /// Copies a slice into contiguous slots. The copy belongs to the caller.
    ///
    /// Costs an increment of an index and a `memcpy`. If the slice does not fit in the rest of the
    /// run, also costs one atomic read-modify-write. If a fresh run then replaces the current one,
    /// returning the rest costs as much as dropping a [`Local`]. Wait-free while the slice fits in
    /// the rest of the run, otherwise lock-free, like [`AtomicArena::reserve`].
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// [`Full::remaining`] is the number of slots left at the cursor. Nothing is copied in that
    /// case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let mut local = arena.local();
    /// let slice = local.alloc_slice_copy(&[1, 2, 3]).unwrap();
    /// drop(local);
    /// slice[0] = 10;
    /// assert_eq!(slice, [10, 2, 3]);
    /// ```
    #[inline]
    pub fn alloc_slice_copy(&mut self, src: &[T]) -> Result<&'a mut [T], Full<()>>
    where
        T: Copy,
    {
        Ok(self.copied(src)?.finish())
    }

    /// Clones a slice into contiguous slots. The clones belong to the caller.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy),
    /// apart from the calls of `clone`, which may use the arena.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped, and their slots are
    /// unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let words = [String::from("one"), String::from("two")];
    /// assert_eq!(arena.local().alloc_slice_clone(&words).unwrap(), words);
    /// ```
    #[inline]
    pub fn alloc_slice_clone(&mut self, src: &[T]) -> Result<&'a mut [T], Full<()>>
    where
        T: Clone,
    {
        Ok(self.cloned(src)?.finish())
    }

    /// Fills `len` contiguous slots with `f(0)`, `f(1)` and so on. The values belong to the caller.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy),
    /// apart from the calls of `f`, which may use the arena.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length. `f`
    /// is not called in that case.
    ///
    /// # Panics
    ///
    /// Panics if `f` panics. The values made so far are dropped, and their slots are unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// assert_eq!(arena.local().alloc_slice_with(4, |i| i * i).unwrap(), [0, 1, 4, 9]);
    /// ```
    #[inline]
    pub fn alloc_slice_with(&mut self, len: usize, f: impl FnMut(usize) -> T) -> Result<&'a mut [T], Full<()>> {
        Ok(self.made_with(len, f)?.finish())
    }

    /// Stores the items of an iterator in contiguous slots. The values belong to the caller.
    ///
    /// The `len` of the iterator is called once and determines the number of slots. Items beyond
    /// that number stay in the iterator, which is dropped. If the iterator ends early, the slice is
    /// shorter, and the other slots are unused again.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy),
    /// apart from the calls of the iterator, which may use the arena.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator unchanged, if neither this handle nor the arena has a
    /// run of the required length.
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The items stored so far are dropped, and their slots are
    /// unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let mut local = arena.local();
    /// assert_eq!(local.alloc_from_iter([1, 2]).unwrap(), [1, 2]);
    /// let mut rest = local.alloc_from_iter([3, 4]).unwrap_err().into_inner();
    /// assert_eq!(rest.next(), Some(3));
    /// ```
    #[inline]
    pub fn alloc_from_iter<I>(&mut self, iter: I) -> Result<&'a mut [T], Full<I::IntoIter>>
    where
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        Ok(self.collected(iter.into_iter())?.finish())
    }

    /// Moves an array into contiguous slots. The values belong to the caller.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy).
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the array, if neither this handle nor the arena has a run of the
    /// required length.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let mut local = arena.local();
    /// let [a, b] = local.alloc_array(["a", "b"]).unwrap();
    /// assert_eq!((*a, *b), ("a", "b"));
    /// assert_eq!(local.alloc_array(["c", "d"]).unwrap_err().into_inner(), ["c", "d"]);
    /// ```
    #[inline]
    pub fn alloc_array<const N: usize>(&mut self, values: [T; N]) -> Result<&'a mut [T; N], Full<[T; N]>> {
        Ok(self.array(values)?.finish_array())
    }

    /// Moves the values of a vector into contiguous slots, and frees the memory of the vector. The
    /// values belong to the caller.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy),
    /// plus one call of the allocator to free the vector.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the vector unchanged, if neither this handle nor the arena has a run
    /// of the required length.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let boxed = vec![Box::new(1), Box::new(2)]; // moved, not cloned
    /// assert_eq!(*arena.local().alloc_vec(boxed).unwrap()[1], 2);
    /// ```
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn alloc_vec(&mut self, values: Vec<T>) -> Result<&'a mut [T], Full<Vec<T>>> {
        Ok(self.moved(values)?.finish())
    }

    /// Clones a prefix of a slice into contiguous slots. The clones belong to the caller.
    ///
    /// The slots are found as in [`reserve_up_to`](Self::reserve_up_to), and the prefix has as many
    /// values as slots are found. The returned slice may therefore be shorter than `src`, or empty.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy),
    /// apart from the calls of `clone`, which may use the arena.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped, and their slots are
    /// unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let mut local = arena.local();
    /// assert_eq!(local.alloc_prefix_clone(&[1, 2]), [1, 2]);
    /// assert_eq!(local.alloc_prefix_clone(&[3, 4]), [3]);
    /// assert_eq!(local.alloc_prefix_clone(&[4]), []);
    /// ```
    #[inline]
    pub fn alloc_prefix_clone(&mut self, src: &[T]) -> &'a mut [T]
    where
        T: Clone,
    {
        self.prefix_cloned(src).finish()
    }

    /// Copies a slice into contiguous slots and publishes it. From then on every thread can read
    /// the values.
    ///
    /// Returns the index of the first value, and the slice. The index of an empty slice is the
    /// capacity.
    ///
    /// Other threads may see the values appear one by one. [`get_slice`](AtomicArena::get_slice)
    /// returns all of them or nothing.
    ///
    /// Has the cost of [`alloc_slice_copy`](Self::alloc_slice_copy) plus one byte written per
    /// value, and the same progress guarantee.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// Nothing is copied in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let (first, values) = arena.local().publish_slice_copy(&[5, 6, 7]).unwrap();
    /// assert_eq!((values, arena.get(first + 1)), (&[5, 6, 7][..], Some(&6)));
    /// ```
    // Always inlined, because returning the result through memory takes longer than storing a short
    // run.
    #[inline(always)]
    pub fn publish_slice_copy(&mut self, src: &[T]) -> Result<(usize, &'a [T]), Full<()>>
    where
        T: Copy + Sync,
    {
        Ok(self.copied(src)?.publish())
    }

    /// Clones a slice into contiguous slots and publishes it. From then on every thread can read
    /// the values.
    ///
    /// Returns the index of the first value, and the slice. The index of an empty slice is the
    /// capacity.
    ///
    /// No value is visible before the last has been cloned. After that, other threads may see the
    /// values appear one by one. [`get_slice`](AtomicArena::get_slice) returns all of them or
    /// nothing.
    ///
    /// Has the same cost and progress guarantee as
    /// [`publish_slice_copy`](Self::publish_slice_copy), apart from the calls of `clone`, which may
    /// use the arena.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped without having been
    /// visible, and their slots are unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let words = [String::from("one"), String::from("two")];
    /// let (first, stored) = arena.local().publish_slice_clone(&words).unwrap();
    /// assert_eq!(arena.get_slice(first..first + 2), Some(stored));
    /// ```
    // Always inlined, for the same reason as `publish_slice_copy`.
    #[inline(always)]
    pub fn publish_slice_clone(&mut self, src: &[T]) -> Result<(usize, &'a [T]), Full<()>>
    where
        T: Clone + Sync,
    {
        Ok(self.cloned(src)?.publish())
    }

    /// Stores the items of an iterator in contiguous slots and publishes them. From then on every
    /// thread can read them.
    ///
    /// Returns the index of the first value, and the slice. The index of an empty slice is the
    /// capacity, even if the iterator promised values and yielded none.
    ///
    /// The `len` of the iterator is called once and determines the number of slots. Items beyond
    /// that number stay in the iterator, which is dropped. If the iterator ends early, the slice is
    /// shorter, and the other slots are unused again.
    ///
    /// No value is visible before the last has been stored and the iterator has been dropped. After
    /// that, other threads may see the values appear one by one.
    /// [`get_slice`](AtomicArena::get_slice) returns all of them or nothing.
    ///
    /// Has the same cost and progress guarantee as
    /// [`publish_slice_copy`](Self::publish_slice_copy), apart from the calls of the iterator,
    /// which may use the arena.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator unchanged, if neither this handle nor the arena has a
    /// run of the required length.
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The items stored so far are dropped without having been
    /// visible, and their slots are unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let (first, squares) = arena.local().publish_from_iter((1..4).map(|n| n * n)).unwrap();
    /// assert_eq!((squares, arena.get(first + 1)), (&[1, 4, 9][..], Some(&4)));
    /// ```
    // Always inlined, for the same reason as `publish_slice_copy`.
    #[inline(always)]
    pub fn publish_from_iter<I>(&mut self, iter: I) -> Result<(usize, &'a [T]), Full<I::IntoIter>>
    where
        T: Sync,
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        Ok(self.collected(iter.into_iter())?.publish())
    }

    /// Moves an array into contiguous slots and publishes it. From then on every thread can read
    /// the values.
    ///
    /// Returns the index of the first value, and the array. The index of an empty array is the
    /// capacity.
    ///
    /// Other threads may see the values appear one by one. [`get_slice`](AtomicArena::get_slice)
    /// returns all of them or nothing.
    ///
    /// Has the same cost and progress guarantee as
    /// [`publish_slice_copy`](Self::publish_slice_copy).
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the array, if neither this handle nor the arena has a run of the
    /// required length.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let (first, [a, b]) = arena.local().publish_array(["a", "b"]).unwrap();
    /// assert_eq!((*a, *b, arena.get(first + 1)), ("a", "b", Some(&"b")));
    /// ```
    // Always inlined, for the same reason as `publish_slice_copy`.
    #[inline(always)]
    pub fn publish_array<const N: usize>(&mut self, values: [T; N]) -> Result<(usize, &'a [T; N]), Full<[T; N]>>
    where
        T: Sync,
    {
        Ok(self.array(values)?.publish_array())
    }

    /// Takes `n` contiguous slots, to be filled step by step.
    ///
    /// The reservation is a separate handle, which may outlive this `Local`. Dropping, finishing or
    /// leaking it does not affect the values of this `Local`, and vice versa. Slots that the
    /// reservation returns do not rejoin the run of this `Local`.
    ///
    /// Costs an increment of an index, and one byte written at each end of the reservation and of
    /// the remaining run. Unless the reservation takes the whole rest, it is counted as one more
    /// handle, at the cost that [`AtomicArena::reserve`] states. If the reservation does not fit in
    /// the rest of the run, also costs one atomic read-modify-write. If a fresh run then replaces
    /// the current one, returning the rest costs as much as dropping a [`Local`]. Wait-free while
    /// the reservation fits in the rest of the run, otherwise lock-free, like
    /// `AtomicArena::reserve`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// [`Full::remaining`] is the number of slots left at the cursor. No slot is taken in that
    /// case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let mut local = arena.local();
    /// let mut run = local.reserve(3).unwrap();
    /// local.alloc(100).unwrap(); // the handle continues after the reservation
    /// run.fill_from_iter(1..);
    /// let (first, slice) = run.publish();
    /// assert_eq!((first, slice), (0, &[1, 2, 3][..]));
    /// ```
    // Always inlined, so that the `Local` and the reservation stay in registers. Keeping them in
    // memory would double the cost.
    #[inline(always)]
    pub fn reserve(&mut self, n: usize) -> Result<Reservation<'a, T>, Full<()>> {
        let (start, written) = if self.run.has_room(n) {
            (self.split_next(n), 1)
        } else {
            match self.reserve_slow(n, false) {
                Ok((run, written)) => (run.start, written),
                Err(left) => return Err(Full::new((), n, left)),
            }
        };
        // SAFETY: `split_next` and `reserve_slow` give us the `n` slots from `start` on, marked as
        // an open run and counted as a handle. If they come from our run, there is at least one,
        // and a closure that panicked may have written to the first, which was not noted. Writes to
        // the others were noted by `return_slots`. If `n` is 0, `reserve_slow` returns an empty run
        // at the capacity.
        Ok(unsafe { Reservation::from_open(self.view, start, n, written) })
    }

    /// Takes at most `n` contiguous slots, to be filled step by step. The reservation may be empty.
    ///
    /// If there are no `n` contiguous free slots, takes all slots left at the cursor. If the
    /// current run ends at the cursor, also takes the rest of that run, which directly precedes
    /// those slots. (It then takes both even if `n` contiguous slots are vacant elsewhere.) If no
    /// slot is left at the cursor, takes one slot from a shard, or one vacant slot. If no such slot
    /// exists either, takes the rest of the current run.
    ///
    /// Has the same cost and progress guarantee as [`reserve`](Self::reserve).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100);
    /// let mut local = arena.local();
    /// local.alloc(0).unwrap();
    /// let mut run = local.reserve_up_to(usize::MAX);
    /// assert_eq!((run.first_index(), run.capacity()), (1, 99));
    /// assert_eq!(run.fill_from_iter(1..), 99);
    /// run.finish();
    /// assert!(local.reserve_up_to(1).is_full());
    /// ```
    #[inline]
    pub fn reserve_up_to(&mut self, n: usize) -> Reservation<'a, T> {
        let (start, len, written) = if self.run.has_room(n) {
            (self.split_next(n), n, 1)
        } else {
            match self.reserve_slow(n, true) {
                Ok((run, written)) => (run.start, run.len(), written),
                Err(_) => (self.view.capacity(), 0, 0),
            }
        };
        // SAFETY: as in `reserve`. If there are no slots, `start` is the capacity.
        unsafe { Reservation::from_open(self.view, start, len, written) }
    }

    /// Splits the next `len` slots off the run, for a reservation, and returns the first of them.
    /// The run must have room for them.
    #[inline(always)]
    fn split_next(&mut self, len: usize) -> usize {
        let start = self.run.next;
        // SAFETY: the unused slots of our run are slots of the arena.
        unsafe { self.view.assert_in_bounds(&self.run.unused()) };
        self.run.split_off(self.view, len);
        start
    }

    /// Calls [`OwnRun::reserve`], not inlined.
    #[inline]
    fn reserve_slow(&mut self, len: usize, part: bool) -> Result<(Range<usize>, usize), usize> {
        self.on_slow_path(|run, view| run.reserve(view, len, part))
    }

    /// Takes a new run if the current one is used up. Returns whether the run has an unused slot.
    #[inline]
    fn has_slot(&mut self) -> bool {
        self.run.next != self.run.end || matches!(self.find_room(1, false), Room::Own(_))
    }

    /// Fills the next slot. The run must not be used up.
    #[inline]
    fn fill(&mut self, value: T) -> &'a mut T {
        // SAFETY: we own the slots of our run, and those from `next` on hold no values. `next` is
        // moved past this slot, so only the returned reference reaches it.
        let value = unsafe { self.view.fill(self.run.next, value) };
        self.run.next += 1;
        value
    }

    /// Fills and publishes the next slot. The run must not be used up.
    #[inline]
    fn fill_and_publish(&mut self, value: T) -> (usize, &'a T) {
        let index = self.run.advance_published(self.view.stamps(), 1);
        // SAFETY: the slot was the next slot of our run, so we own it and it holds no value. We
        // opened the run in this epoch, which cannot end while the handle exists.
        (index, unsafe { self.view.publish(index, value, self.run.mark_before()) })
    }

    /// Calls [`OwnRun::make_room`], not inlined.
    #[inline]
    fn find_room(&mut self, len: usize, part: bool) -> Room {
        self.on_slow_path(|run, view| run.make_room(view, len, part))
    }

    /// Calls `slow_path` by way of a function that is not inlined.
    #[inline]
    fn on_slow_path<R>(&mut self, slow_path: impl FnOnce(&mut OwnRun, ArenaRef<'_, T>) -> R) -> R {
        let (header, stamps, slots) = self.view.into_raw_parts();
        // SAFETY: the first three arguments are the parts of `self.view`, to whose arena the run
        // belongs.
        let (run, result) = unsafe { with_run(header, stamps, slots, self.run, slow_path) };
        self.run = run;
        result
    }
}

/// Strings.
impl<'a> Local<'a, u8> {
    /// Copies a string into contiguous bytes. The copy belongs to the caller.
    ///
    /// Has the same cost and progress guarantee as [`alloc_slice_copy`](Self::alloc_slice_copy).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// Nothing is copied in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let names = AtomicArena::with_capacity(1_000);
    /// let mut local = names.local();
    /// let name: &str = local.alloc_str("Grace").unwrap();
    /// assert_eq!(name, "Grace");
    /// ```
    #[inline]
    pub fn alloc_str(&mut self, src: &str) -> Result<&'a mut str, Full<()>> {
        // SAFETY: the bytes are a copy of a `str`, so they are valid UTF-8.
        Ok(unsafe { core::str::from_utf8_unchecked_mut(self.alloc_slice_copy(src.as_bytes())?) })
    }

    /// Copies a string into contiguous bytes and publishes it. From then on every thread can read
    /// the bytes.
    ///
    /// Returns the index of the first byte, and the string. The index of an empty string is the
    /// capacity.
    ///
    /// Other threads may see the bytes appear one by one. [`get_slice`](AtomicArena::get_slice)
    /// returns all of them or nothing.
    ///
    /// Has the same cost and progress guarantee as
    /// [`publish_slice_copy`](Self::publish_slice_copy).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if neither this handle nor the arena has a run of the required length.
    /// Nothing is copied in that case.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let names = AtomicArena::with_capacity(1_000);
    /// let (first, name) = names.local().publish_str("Grace").unwrap();
    /// assert_eq!(names.get_slice(first..first + 5), Some(name.as_bytes()));
    /// ```
    // Always inlined, for the same reason as `publish_slice_copy`.
    #[inline(always)]
    pub fn publish_str(&mut self, src: &str) -> Result<(usize, &'a str), Full<()>> {
        let (first, bytes) = self.publish_slice_copy(src.as_bytes())?;
        // SAFETY: the bytes are a copy of a `str`, so they are valid UTF-8.
        Ok((first, unsafe { core::str::from_utf8_unchecked(bytes) }))
    }
}

impl<'a, T> Source<'a, T> for &mut Local<'a, T> {
    #[inline(always)]
    fn view(&self) -> ArenaRef<'a, T> {
        self.view
    }

    #[inline(always)]
    fn take_slots(&mut self, len: usize) -> Result<usize, usize> {
        if self.run.has_room(len) {
            return Ok(self.run.next);
        }
        match self.find_room(len, false) {
            Room::Own(_) => Ok(self.run.next),
            Room::Arena(slots) => Ok(slots.start),
            Room::None(left) => Err(left),
        }
    }

    #[inline(always)]
    fn take_slots_up_to(&mut self, len: usize) -> (usize, usize) {
        if self.run.has_room(len) {
            return (self.run.next, len);
        }
        match self.find_room(len, true) {
            Room::Own(len) => (self.run.next, len),
            Room::Arena(slots) => (slots.start, slots.len()),
            Room::None(_) => (self.view.capacity(), 0),
        }
    }

    #[inline(always)]
    fn keep_slots(&mut self, start: usize, taken: usize, filled: usize) {
        if self.run.is_next(start, taken) {
            self.run.next += filled;
        } else {
            self.view.keep_slots(start, taken, filled);
        }
    }

    #[inline(always)]
    fn publish_slots(&mut self, start: usize, taken: usize, filled: usize) {
        if self.run.is_next(start, taken) {
            self.run.publish_next(self.view.stamps(), filled);
        } else {
            self.view.publish_slots(start, taken, filled);
        }
    }

    #[inline(always)]
    fn return_slots(&mut self, start: usize, taken: usize) {
        if self.run.is_next(start, taken) {
            // The slots stay in the run, but may have been written to. This is noted in the arena
            // now, so that the handle needs no field for it.
            self.view.note_written(start + taken);
        } else {
            self.view.return_slots(start, taken);
        }
    }
}

impl<T> Drop for Local<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let (header, stamps, slots) = self.view.into_raw_parts();
        // SAFETY: the first three arguments are the parts of `self.view`, to whose arena the run
        // belongs.
        unsafe { end(header, stamps, slots, self.run, self.home.take()) };
    }
}

/// Stores the run in `home`. If there is no home, returns the unused slots to the arena, and
/// subtracts the handle from the count of handles.
///
/// Like `with_run`, it is not inlined and takes the run by value. It does not return the run,
/// because then the other slow paths of the same `Local` took longer.
///
/// # Safety
///
/// The first three arguments are the parts of an `ArenaRef`, as [`ArenaRef::into_raw_parts`]
/// returns them. The run is empty or belongs to that arena.
#[cold]
#[inline(never)]
unsafe fn end<T>(header: &Header, stamps: &[Stamp], slots: NonNull<T>, mut run: OwnRun, home: Option<&mut OwnRun>) {
    if let Some(home) = home {
        *home = run;
        return;
    }
    // SAFETY: the caller passes the parts of an `ArenaRef`, for which the requirements of `new`
    // hold.
    let view = unsafe { ArenaRef::new(header, stamps, slots) };
    run.end(view);
}

impl<T> fmt::Debug for Local<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("unused", &self.run.unused()).finish_non_exhaustive()
    }
}
