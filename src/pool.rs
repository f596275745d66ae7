//! Arenas that come back empty: one for a request, a frame, a batch.
//!
//! Which arena is free is the question that an arena answers of its slots: so beside the arenas stands one of slots
//! without size, a *seat* for each. Who owns a seat has the arena of that number to himself. That no seat has two owners,
//! that none is lost, and that the next owner sees all that the last one did (E2) is what `cursor.rs` and `stamp.rs` argue
//! and the models check. The arenas themselves never move.

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
use crate::storage::{Heap, Storage};

/// A fixed number of arenas, made up front, each of which one holder at a time has to himself.
///
/// [`checkout`](Self::checkout) gives an empty arena, which comes back and is reset when its guard is dropped, on
/// whatever thread that is, and also when its holder panics. For one arena a request, a frame, a batch: the memory of all
/// is known up front, and neither taking one nor giving it back allocates or frees.
///
/// An arena that was never out goes out only when all that were are out (or are just coming back). So memory is touched
/// for about as many arenas as were needed at once.
///
/// # Threads
///
/// The pool is `Send` and `Sync` if `T: Send`: arenas pass from one holder to the next, each with what it holds. A holder
/// may share its arena with other threads, as any arena.
///
/// Neither checkout nor return blocks: both are as `alloc` and the drop of a `Reservation`. What a holder did to an arena
/// happens before what the next one does to it.
///
/// # Leaks
///
/// A guard that is leaked (`mem::forget`) takes its arena out of the pool for good; the arena is dropped with the pool.
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
///             let arena = pool.checkout().expect("as many arenas as threads");
///             let words = arena.alloc_from_iter((0..10).map(|word| format!("{request}/{word}"))).unwrap();
///             assert_eq!(words.len(), 10);
///         }); // the strings are dropped, and the arena is back
///     }
/// });
/// assert_eq!(pool.available(), 2);
///
/// let (first, second) = (pool.checkout(), pool.checkout());
/// assert!(first.is_some_and(|arena| arena.is_empty()) && second.is_some());
/// ```
pub struct ArenaPool<T, S: Storage<T> = Heap<T>> {
    /// As many slots as there are arenas, none of which ever holds a value.
    seats: AtomicArena<()>,
    /// Invariant: empty while its seat is free. Accessed only by the owner of its seat, or with `&mut` of the pool.
    arenas: Vec<UnsafeCell<AtomicArena<T, S>>>,
}

// SAFETY: through a shared pool an arena passes from thread to thread, to one at a time, which asks for `Send` of it. No
// `Sync` is asked for: the pool lends an arena to the owner of its seat alone, and whether that one may share it is for
// the guard to say. The seats are an arena of `()`, which is `Sync`.
unsafe impl<T, S: Storage<T>> Sync for ArenaPool<T, S> where AtomicArena<T, S>: Send {}

// A panic leaves an arena usable (see `AtomicArena`), and brings it back reset.
impl<T, S: Storage<T>> UnwindSafe for ArenaPool<T, S> {}
impl<T, S: Storage<T>> RefUnwindSafe for ArenaPool<T, S> {}

impl<T> ArenaPool<T> {
    /// So many arenas on the heap, each of that capacity.
    ///
    /// Takes the memory of them all, as [`with_capacity`](AtomicArena::with_capacity) does for one, and touches no slot.
    /// An arena has some 500 bytes beside its slots, and 4 KiB more from 16,384 slots on.
    ///
    /// # Panics
    ///
    /// When either number is 0, or when the bytes of an arena, or of all that is kept beside them, exceed `isize::MAX`.
    /// When the allocator refuses, as [`handle_alloc_error`](alloc::alloc::handle_alloc_error) does.
    /// [`try_new`](Self::try_new) returns an error instead.
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
        // A loop, not a closure: a panic names the caller.
        for _ in 0..arenas {
            made.push(UnsafeCell::new(AtomicArena::with_capacity(capacity)));
        }
        ArenaPool { seats, arenas: made }
    }

    /// As [`new`](Self::new), with an error where that panics or aborts.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] says what was wrong, and the numbers; [`Zero`](CapacityError::Zero) when either number is.
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
    /// A pool of these arenas, whatever their memory and their capacities. What they hold is dropped.
    ///
    /// # Errors
    ///
    /// [`CapacityError::Zero`] when there are none, [`OutOfMemory`](CapacityError::OutOfMemory) when the allocator
    /// refuses what keeps them side by side, or the byte beside each. The arenas are dropped then.
    ///
    /// # Panics
    ///
    /// When the iterator does, or the `drop` of a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{ArenaPool, Inline, StaticArena};
    ///
    /// let pool: ArenaPool<u64, Inline<u64, 16>> = ArenaPool::from_arenas([const { StaticArena::new() }; 4]).unwrap();
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

    /// Takes an empty arena out of the pool, until the guard is dropped. `None` when each that was in when the call began
    /// was taken by others.
    ///
    /// Costs one atomic addition; or, when arenas came back in another order than they went out, a search for one of them,
    /// which looks at a byte for each arena at the most, a compare-and-swap and an addition. Never allocates. Progress as
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
    /// arena.as_mut_slice().unwrap().sort(); // the holder has the arena to himself
    /// assert!(pool.checkout().is_none());
    /// drop(arena);
    /// assert!(pool.checkout().unwrap().is_empty());
    /// ```
    pub fn checkout(&self) -> Option<Checkout<'_, T, S>> {
        let seat = self.take_seat()?;
        Some(Checkout { pool: self, seat, marker: PhantomData })
    }

    /// As [`checkout`](Self::checkout), with a guard that keeps the pool alive: for a task, or a thread without a scope.
    ///
    /// Costs the addition to the count of the `Arc` more.
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

    /// How many arenas there are, in the pool or checked out. Constant.
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

    /// How many arenas are in the pool.
    ///
    /// Exact when nothing else is going on. Otherwise an estimate, which may never have been true: whether there is an
    /// arena to be had, only [`checkout`](Self::checkout) tells. Wait-free.
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

    /// The seat is the caller's until he calls [`bring_back`](Self::bring_back).
    fn take_seat(&self) -> Option<usize> {
        let seats = self.seats.view();
        // Before the cursor moves up: those that came back have memory that was touched, those above it may not.
        let back = seats.cursor().claim_vacant(seats.stamps());
        back.or_else(|| Some(seats.take_run(1).ok()?.start))
    }

    /// Empties the arena and gives its seat up.
    ///
    /// # Safety
    ///
    /// The caller owns the seat, and never again uses it or its arena.
    unsafe fn bring_back(&self, seat: usize) {
        /// Gives the seat up even when the `drop` of a value panics: the arena is empty then, too.
        struct GiveUp<'p>(&'p AtomicArena<()>, usize);

        impl Drop for GiveUp<'_> {
            fn drop(&mut self) {
                let seats = self.0.view();
                seats.give_back(self.1..self.1 + 1, self.1);
            }
        }

        let _give_up = GiveUp(&self.seats, seat);
        // SAFETY: the seat is the caller's, and so is the arena, until the seat is given up; the reference ends before.
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

/// An arena that comes back empty to its [`ArenaPool`] when this is dropped. Dereferences to the arena.
///
/// References to its values live as long as this is borrowed, so none outlives the reset. Its drop runs
/// [`reset`](AtomicArena::reset): constant when `T` needs no drop. When the `drop` of a value panics, the others are
/// dropped all the same, and the arena is back before the panic is passed on.
///
/// `&mut` of it is `&mut` of the arena: what is swapped with the arena (`mem::swap`) goes to the pool in its stead.
///
/// `Send` and `Sync` as the arena is, so if `T: Send`: the holder may share the arena, and another thread may
/// bring it back.
#[must_use = "dropped, it brings the arena back"]
pub struct Checkout<'p, T, S: Storage<T> = Heap<T>> {
    pool: &'p ArenaPool<T, S>,
    /// Ours, and with it the arena of that number.
    seat: usize,
    /// `Send` and `Sync` as what we lend, of which the pool asks for less. Not a `&mut` of it: that would claim the arena
    /// until our drop has returned, when it may have its next holder already.
    marker: PhantomData<AtomicArena<T, S>>,
}

/// As [`Checkout`], without a lifetime: it keeps its pool alive. Made by
/// [`ArenaPool::checkout_owned`].
#[cfg(target_has_atomic = "ptr")]
#[must_use = "dropped, it brings the arena back"]
pub struct OwnedCheckout<T, S: Storage<T> = Heap<T>> {
    pool: Arc<ArenaPool<T, S>>,
    /// Ours, and with it the arena of that number.
    seat: usize,
    /// As that of [`Checkout`].
    marker: PhantomData<AtomicArena<T, S>>,
}

macro_rules! checkout {
    ($name:ident $(<$lifetime:lifetime>)?) => {
        impl<T, S: Storage<T>> Deref for $name<$($lifetime,)? T, S> {
            type Target = AtomicArena<T, S>;

            #[inline]
            fn deref(&self) -> &AtomicArena<T, S> {
                // SAFETY: the seat is ours, so nobody but us has a way to the arena, and it is borrowed as we are.
                unsafe { &*self.pool.arenas[self.seat].get() }
            }
        }

        impl<T, S: Storage<T>> DerefMut for $name<$($lifetime,)? T, S> {
            #[inline]
            fn deref_mut(&mut self) -> &mut AtomicArena<T, S> {
                // SAFETY: as in `deref`, and we are borrowed exclusively.
                unsafe { &mut *self.pool.arenas[self.seat].get() }
            }
        }

        impl<T, S: Storage<T>> Drop for $name<$($lifetime,)? T, S> {
            fn drop(&mut self) {
                // SAFETY: the seat is ours, and this is the end of us.
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
