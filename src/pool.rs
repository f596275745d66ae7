//! A pool of arenas. Each arena is lent to one holder at a time and returned empty.
//!
//! The pool must keep track of free arenas just as an arena keeps track of free slots. Therefore
//! the pool contains an arena of zero-sized slots, the *seats*, with one seat per pooled arena. The
//! owner of a seat has exclusive access to the arena with the same index. The files in `raw/`
//! argue, and the models check, that no seat has two owners, that no seat is lost, and that the
//! actions of one owner happen before those of the next (E2). The pool never moves its arenas.

#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::arena::AtomicArena;
use crate::error::CapacityError;
use crate::on_drop::OnDrop;
use crate::storage::{Heap, Storage};

/// Lends a fixed number of arenas, each to one holder at a time.
///
/// [`checkout`](Self::checkout) returns a guard for an empty arena. Dropping the guard, on any
/// thread and also during a panic, resets the arena and returns it to the pool. Use a pool for one
/// arena per request, frame or batch. The memory of all arenas is allocated up front, and freed
/// when the pool is dropped.
///
/// An arena that was never used is lent only if every used arena is checked out or is being
/// returned. So the pool touches the memory of about as many arenas as are checked out at once.
/// (Under contention, a pool of 2,048 arenas or more may touch more.)
///
/// # Threads
///
/// The pool is `Send` and `Sync` if `T: Send`. This is necessary because different threads use the
/// same arena, and sufficient because they do so one after another. While a holder has an arena, it
/// may share it with other threads, like any arena.
///
/// Neither checkout nor return blocks. A checkout has the same progress guarantee as
/// [`AtomicArena::alloc`], and a return the same as dropping a [`Reservation`](crate::Reservation).
/// (Dropping the values takes additional time.) The actions of one holder on an arena happen before
/// those of the next holder.
///
/// # Leaks
///
/// Leaking a guard (`mem::forget`) removes its arena from the pool permanently. The arena is
/// dropped with the pool.
///
/// # Examples
///
/// ```
/// use atomicarena::ArenaPool;
///
/// let pool = ArenaPool::new(2, 1_000);
/// std::thread::scope(|scope| {
///     for request in 0..2 {
///         let pool = &pool;
///         scope.spawn(move || {
///             let arena = pool.checkout().expect("one arena per thread");
///             let words = (0..10).map(|word| format!("{request}/{word}"));
///             let words = arena.alloc_from_iter(words).unwrap();
///             assert_eq!(words.len(), 10);
///         }); // the strings are dropped, and the arena is returned
///     }
/// });
/// assert_eq!(pool.available(), 2);
///
/// let (first, second) = (pool.checkout(), pool.checkout());
/// assert!(first.is_some_and(|arena| arena.is_empty()) && second.is_some());
/// ```
pub struct ArenaPool<T, S: Storage<T> = Heap<T>> {
    /// One slot per arena. No slot ever holds a value.
    seats: AtomicArena<()>,
    /// Invariant: an arena is empty while its seat is free. Only the owner of its seat, or code
    /// with a `&mut` to the pool, accesses the arena.
    arenas: Vec<UnsafeCell<AtomicArena<T, S>>>,
}

// SAFETY: a shared pool moves an arena from thread to thread, but lends it to only one holder at a
// time. This requires the arena to be `Send`. The arena need not be `Sync`, because the pool lends
// it only to the owner of its seat, and the type of the guard decides whether other threads can
// share it. The seats are an arena of `()`, which is `Sync`.
unsafe impl<T, S: Storage<T>> Sync for ArenaPool<T, S> where AtomicArena<T, S>: Send {}

// An arena stays usable after a panic (see `AtomicArena`), and its guard resets it.
impl<T, S: Storage<T>> UnwindSafe for ArenaPool<T, S> {}
impl<T, S: Storage<T>> RefUnwindSafe for ArenaPool<T, S> {}

impl<T> ArenaPool<T> {
    /// Creates a pool of `arenas` heap arenas with `capacity` slots each.
    ///
    /// Allocates the memory of all arenas, as [`with_capacity`](AtomicArena::with_capacity) does
    /// for one, and touches no slot. In addition to its slots and their state of one byte each,
    /// each arena takes about 500 bytes. If it has 2,048 slots or more, it also takes up to 4 KiB
    /// for shards, and one word per 1,024 slots.
    ///
    /// # Panics
    ///
    /// Panics if either number is 0, or if the size of an arena or of the table of arenas exceeds
    /// `isize::MAX` bytes. Calls [`handle_alloc_error`](alloc::alloc::handle_alloc_error) if the
    /// allocator refuses an allocation. [`try_new`](Self::try_new) returns an error in all these
    /// cases.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::ArenaPool;
    ///
    /// let pool: ArenaPool<u64> = ArenaPool::new(4, 1_000);
    /// assert_eq!((pool.arenas(), pool.checkout().unwrap().capacity()), (4, 1_000));
    /// ```
    #[track_caller]
    pub fn new(arenas: usize, capacity: usize) -> Self {
        assert!(arenas > 0, "a pool needs at least one arena");
        let seats = AtomicArena::with_capacity(arenas);
        let mut made = Vec::with_capacity(arenas);
        // This is a loop and not a closure, so that the message of a panic names the caller.
        for _ in 0..arenas {
            made.push(UnsafeCell::new(AtomicArena::with_capacity(capacity)));
        }
        ArenaPool { seats, arenas: made }
    }

    /// Creates a pool like [`new`](Self::new), but returns an error where `new` panics or aborts.
    ///
    /// # Errors
    ///
    /// Returns [`CapacityError::Zero`] if either number is 0, and another [`CapacityError`] if an
    /// arena or the table of arenas is too large or the allocator refuses it.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{ArenaPool, CapacityError};
    ///
    /// assert!(ArenaPool::<u8>::try_new(2, 16).is_ok());
    /// assert_eq!(ArenaPool::<u8>::try_new(0, 16).unwrap_err(), CapacityError::Zero);
    /// assert_eq!(ArenaPool::<u8>::try_new(2, 0).unwrap_err(), CapacityError::Zero);
    /// ```
    pub fn try_new(arenas: usize, capacity: usize) -> Result<Self, CapacityError> {
        let headers = Layout::array::<AtomicArena<T>>(arenas)
            .map_err(|_| CapacityError::TooLarge { capacity: arenas, slot_size: size_of::<AtomicArena<T>>() })?;
        let seats = AtomicArena::try_with_capacity(arenas)?;
        let mut made = Vec::new();
        made.try_reserve_exact(arenas).map_err(|_| CapacityError::OutOfMemory { bytes: headers.size() })?;
        for _ in 0..arenas {
            made.push(UnsafeCell::new(AtomicArena::try_with_capacity(capacity)?));
        }
        Ok(ArenaPool { seats, arenas: made })
    }
}

impl<T, S: Storage<T>> ArenaPool<T, S> {
    /// Creates a pool of the given arenas, with any kind of memory and any capacities.
    ///
    /// The arenas are reset, which drops their values.
    ///
    /// # Errors
    ///
    /// Returns [`CapacityError::Zero`] if there are no arenas, and
    /// [`OutOfMemory`](CapacityError::OutOfMemory) if the allocator refuses the table of arenas or
    /// of seats. The arenas are then dropped.
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics, or if dropping a value panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{ArenaPool, Inline, StaticArena};
    ///
    /// let arenas = [const { StaticArena::new() }; 4];
    /// let pool: ArenaPool<u64, Inline<u64, 16>> = ArenaPool::from_arenas(arenas).unwrap();
    /// let arena = pool.checkout().unwrap();
    /// assert_eq!((arena.capacity(), pool.available()), (16, 3));
    /// ```
    pub fn from_arenas(arenas: impl IntoIterator<Item = AtomicArena<T, S>>) -> Result<Self, CapacityError> {
        let mut emptied = Vec::new();
        for mut arena in arenas {
            arena.reset();
            let bytes = (emptied.len() + 1) * size_of_val(&arena);
            emptied.try_reserve(1).map_err(|_| CapacityError::OutOfMemory { bytes })?;
            emptied.push(UnsafeCell::new(arena));
        }
        Ok(ArenaPool { seats: AtomicArena::try_with_capacity(emptied.len())?, arenas: emptied })
    }

    /// Takes an empty arena out of the pool until the returned guard is dropped.
    ///
    /// Returns `None` if every arena is checked out, or if other calls took each arena that was in
    /// the pool when this call began.
    ///
    /// Costs one atomic read-modify-write. If arenas were not returned in the reverse order of
    /// their checkout, the call instead searches for a returned arena. The search reads at most one
    /// byte per arena and costs two or three read-modify-writes. Has the same progress guarantee as
    /// [`AtomicArena::alloc`].
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::ArenaPool;
    ///
    /// let pool = ArenaPool::new(1, 8);
    /// let mut arena = pool.checkout().unwrap();
    /// arena.alloc(2).unwrap();
    /// arena.alloc(1).unwrap();
    /// arena.as_mut_slice().unwrap().sort(); // the holder has exclusive access
    /// assert!(pool.checkout().is_none());
    /// drop(arena);
    /// assert!(pool.checkout().unwrap().is_empty());
    /// ```
    pub fn checkout(&self) -> Option<Checkout<'_, T, S>> {
        let seat = self.take_seat()?;
        Some(Checkout { pool: self, seat, marker: PhantomData })
    }

    /// Takes an arena like [`checkout`](Self::checkout), with a guard that keeps the pool alive.
    ///
    /// The guard can be moved into a task or into a thread without a scope. In addition to the cost
    /// of `checkout`, the call increments the reference count of the `Arc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::ArenaPool;
    /// use std::sync::Arc;
    ///
    /// let pool = Arc::new(ArenaPool::new(1, 8));
    /// let arena = pool.checkout_owned().unwrap();
    /// assert!(pool.checkout_owned().is_none());
    /// let worker = std::thread::spawn(move || *arena.alloc(7).unwrap());
    /// assert_eq!(worker.join().unwrap(), 7);
    /// assert_eq!(pool.available(), 1);
    /// ```
    #[cfg(target_has_atomic = "ptr")]
    pub fn checkout_owned(self: &Arc<Self>) -> Option<OwnedCheckout<T, S>> {
        let seat = self.take_seat()?;
        Some(OwnedCheckout { pool: Arc::clone(self), seat, marker: PhantomData })
    }

    /// Returns the number of arenas, whether in the pool or checked out. The number never changes.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::ArenaPool;
    ///
    /// let pool = ArenaPool::<u8>::new(2, 8);
    /// let _arena = pool.checkout();
    /// assert_eq!(pool.arenas(), 2);
    /// ```
    pub fn arenas(&self) -> usize {
        self.arenas.len()
    }

    /// Returns the number of arenas that are not checked out.
    ///
    /// Exact if no other thread takes or returns arenas during the call. Otherwise the number is an
    /// estimate that may never have been exact, and only [`checkout`](Self::checkout) can tell
    /// whether an arena is free. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::ArenaPool;
    ///
    /// let pool = ArenaPool::<u8>::new(2, 8);
    /// let _arena = pool.checkout();
    /// assert_eq!(pool.available(), 1);
    /// ```
    pub fn available(&self) -> usize {
        self.seats.remaining()
    }

    /// Takes a seat, which the caller owns until it calls [`bring_back`](Self::bring_back).
    fn take_seat(&self) -> Option<usize> {
        let seats = self.seats.view();
        // Returned arenas come first, because their memory was already touched.
        let back = seats.cursor().claim_vacant(&seats.metadata());
        back.or_else(|| seats.take_run(1).ok())
    }

    /// Resets the arena and returns its seat.
    ///
    /// # Safety
    ///
    /// The caller owns the seat, and never uses it or its arena again.
    unsafe fn bring_back(&self, seat: usize) {
        // The seat is returned even if dropping a value panics. The arena is empty in that case
        // too.
        let _return_seat = OnDrop::new(self.seats.view(), |seats| seats.return_run(seat..seat + 1, seat));
        // SAFETY: the caller owns the seat, and thereby the arena, until the seat is returned. This
        // reference ends before that.
        unsafe { &mut *self.arenas[seat].get() }.reset();
    }
}

impl<T, S: Storage<T>> fmt::Debug for ArenaPool<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArenaPool")
            .field("arenas", &self.arenas())
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

/// Gives access to an arena of an [`ArenaPool`], and returns the arena when dropped.
///
/// The guard dereferences to the arena. References to its values borrow the guard, so none outlives
/// the reset.
///
/// Dropping the guard runs [`reset`](AtomicArena::reset), with the cost stated there. If dropping a
/// value panics, the other values are still dropped, and the arena is returned before the panic
/// continues.
///
/// A `&mut` to the guard gives a `&mut` to the arena. If the holder swaps the arena for another one
/// (`mem::swap`), the other arena is returned to the pool.
///
/// The guard is `Send` and `Sync` if the arena is, that is, if `T: Send`. The holder may share the
/// arena, and another thread may return it.
#[must_use = "dropping the guard returns the arena to the pool"]
pub struct Checkout<'p, T, S: Storage<T> = Heap<T>> {
    pool: &'p ArenaPool<T, S>,
    /// Invariant: the guard owns this seat, and thereby the arena with the same index.
    seat: usize,
    /// Makes the guard `Send` and `Sync` only if the arena is. (Without the marker, an arena that
    /// is only `Send` would be enough, because the pool is then `Sync`.) A `&mut` to the arena
    /// cannot replace the marker, because it would assert exclusive access until `drop` returns.
    /// But `drop` returns the seat before that, and then the next holder may already use the arena.
    marker: PhantomData<AtomicArena<T, S>>,
}

/// Gives access to an arena like [`Checkout`], but without a lifetime, because it keeps the pool
/// alive.
///
/// Returned by [`ArenaPool::checkout_owned`].
#[cfg(target_has_atomic = "ptr")]
#[must_use = "dropping the guard returns the arena to the pool"]
pub struct OwnedCheckout<T, S: Storage<T> = Heap<T>> {
    pool: Arc<ArenaPool<T, S>>,
    /// Invariant: as in [`Checkout`].
    seat: usize,
    /// As in [`Checkout`].
    marker: PhantomData<AtomicArena<T, S>>,
}

macro_rules! checkout {
    ($name:ident $(<$lifetime:lifetime>)?) => {
        impl<T, S: Storage<T>> Deref for $name<$($lifetime,)? T, S> {
            type Target = AtomicArena<T, S>;

            #[inline]
            fn deref(&self) -> &AtomicArena<T, S> {
                // SAFETY: the guard owns the seat, so only this guard can reach the arena. The
                // returned reference borrows the guard.
                unsafe { &*self.pool.arenas[self.seat].get() }
            }
        }

        impl<T, S: Storage<T>> DerefMut for $name<$($lifetime,)? T, S> {
            #[inline]
            fn deref_mut(&mut self) -> &mut AtomicArena<T, S> {
                // SAFETY: the guard owns the seat, so only this guard can reach the arena. The
                // returned reference borrows the guard exclusively.
                unsafe { &mut *self.pool.arenas[self.seat].get() }
            }
        }

        impl<T, S: Storage<T>> Drop for $name<$($lifetime,)? T, S> {
            fn drop(&mut self) {
                // SAFETY: the guard owns the seat, and is not used after its `drop`.
                unsafe { self.pool.bring_back(self.seat) };
            }
        }

        impl<T, S: Storage<T>> fmt::Debug for $name<$($lifetime,)? T, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&**self).finish()
            }
        }
    };
}
checkout!(Checkout<'_>);
#[cfg(target_has_atomic = "ptr")]
checkout!(OwnedCheckout);
