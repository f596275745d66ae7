//! Constructors.

#[cfg(all(feature = "alloc", not(all(test, loom))))]
use alloc::boxed::Box;
#[cfg(all(feature = "alloc", not(all(test, loom))))]
use core::alloc::Layout;
#[cfg(not(all(test, loom)))]
use core::marker::PhantomData;
#[cfg(not(all(test, loom)))]
use core::mem::MaybeUninit;

use super::AtomicArena;
#[cfg(any(feature = "alloc", not(all(test, loom))))]
use crate::error::CapacityError;
#[cfg(feature = "alloc")]
use crate::storage::Heap;
use crate::storage::Storage;
#[cfg(not(all(test, loom)))]
use crate::storage::{Borrowed, Inline};

/// Constructors for arenas on the heap.
#[cfg(feature = "alloc")]
impl<T> AtomicArena<T> {
    /// Creates an empty arena with `capacity` slots on the heap.
    ///
    /// Makes two allocations: `capacity * size_of::<T>()` bytes for the slots, which it does not
    /// access, and `capacity` zeroed bytes for their state. From 2,048 slots on, the second
    /// allocation also contains up to 4 KiB for shards and one word per 1,024 slots. Takes constant
    /// time if the allocator gets the second allocation as zeroed pages from the operating system,
    /// and so need not zero it.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is 0, or if the size of an allocation exceeds `isize::MAX` bytes. Calls
    /// [`handle_alloc_error`](alloc::alloc::handle_alloc_error) if the allocator refuses an
    /// allocation. [`try_with_capacity`](Self::try_with_capacity) returns an error in all these
    /// cases.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena: AtomicArena<String> = AtomicArena::with_capacity(1_000);
    /// assert_eq!((arena.capacity(), arena.count()), (1_000, 0));
    /// ```
    #[track_caller]
    pub fn with_capacity(capacity: usize) -> Self {
        match Heap::new(capacity) {
            Ok(storage) => AtomicArena::from_storage(storage),
            Err((_, Some(refused))) => alloc::alloc::handle_alloc_error(refused),
            Err((error, None)) => panic!("{error}"),
        }
    }

    /// Creates an empty arena on the heap, or returns an error where
    /// [`with_capacity`](Self::with_capacity) panics or aborts.
    ///
    /// # Errors
    ///
    /// Returns [`CapacityError`] if `capacity` is 0, if the size of an allocation exceeds
    /// `isize::MAX` bytes, or if the allocator refuses an allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, CapacityError};
    ///
    /// assert!(AtomicArena::<u8>::try_with_capacity(16).is_ok());
    /// assert_eq!(AtomicArena::<u8>::try_with_capacity(0).unwrap_err(), CapacityError::Zero);
    /// let huge = AtomicArena::<u64>::try_with_capacity(usize::MAX).unwrap_err();
    /// assert_eq!(huge, CapacityError::TooLarge { capacity: usize::MAX, slot_size: 8 });
    /// ```
    pub fn try_with_capacity(capacity: usize) -> Result<Self, CapacityError> {
        Heap::new(capacity).map(AtomicArena::from_storage).map_err(|(error, _)| error)
    }
}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> AtomicArena<T, Inline<T, N>> {
    /// Creates an empty arena with `N` slots, which are part of the value.
    ///
    /// Does not compile if `N` is 0.
    ///
    /// Do not create a large arena on the heap with `Box::new(StaticArena::new())`. That expression
    /// first creates the arena on the stack, which can overflow, and then copies it.
    /// `StaticArena::new_boxed()`, with the feature `alloc`, creates the arena on the heap
    /// directly.
    pub const fn new() -> Self {
        AtomicArena { storage: Inline::new(), marker: PhantomData }
    }

    /// Creates an empty arena with `N` slots in a box, without a copy through the stack.
    ///
    /// Makes one allocation. Writes one byte of state per slot, and does not access the slots. Does
    /// not compile if `N` is 0.
    ///
    /// If the capacity need not be part of the type, [`with_capacity`](AtomicArena::with_capacity)
    /// is the better choice.
    ///
    /// # Panics
    ///
    /// Calls [`handle_alloc_error`](alloc::alloc::handle_alloc_error) if the allocator refuses the
    /// allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::StaticArena;
    ///
    /// // 64 MiB of slots, many times the size of a usual stack.
    /// let arena: Box<StaticArena<u64, { 1 << 23 }>> = StaticArena::new_boxed();
    /// *arena.alloc(7).unwrap() += 1;
    /// assert_eq!(arena.count(), 1);
    /// ```
    #[cfg(feature = "alloc")]
    pub fn new_boxed() -> Box<Self> {
        let layout = Layout::new::<Self>();
        // SAFETY: the size is not 0, because an arena contains its cursor.
        let place = unsafe { alloc::alloc::alloc(layout) }.cast::<Self>();
        if place.is_null() {
            alloc::alloc::handle_alloc_error(layout);
        }
        // SAFETY: `place` was just allocated with the layout of `Self`, so it is valid for writes
        // and aligned, and the box may free it. `write_new` initialises `storage`. The other field
        // has no size, so the whole arena is initialised.
        unsafe {
            Inline::write_new(&raw mut (*place).storage);
            Box::from_raw(place)
        }
    }
}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> Default for AtomicArena<T, Inline<T, N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(all(test, loom)))]
impl<'m, T> AtomicArena<T, Borrowed<'m, T>> {
    /// Creates an empty arena in borrowed memory, with as many slots as fit.
    ///
    /// The memory may come from a linker section, a pool, or an area for DMA, and may have any
    /// alignment. It holds the slots and one byte of state per slot. From 2,048 slots on, it also
    /// holds up to 4 KiB of shards and one word per 1,024 slots. The capacity depends only on the
    /// memory, on `T`, and on the target. Everything except the slots is cleared, which takes time
    /// linear in the number of slots. The arena borrows the memory exclusively and does not clear
    /// it when it is dropped.
    ///
    /// [`bytes_for`](Self::bytes_for) returns the number of bytes that suffices for a given
    /// capacity.
    ///
    /// # Errors
    ///
    /// Returns [`CapacityError::Zero`] if there is no room for one slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::BorrowedArena;
    /// use std::mem::MaybeUninit;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1024];
    /// let arena = BorrowedArena::<u64>::in_bytes(&mut memory).unwrap();
    /// assert!(arena.capacity() >= 112); // 9 bytes per slot, and up to 7 to align them
    /// arena.publish(7).unwrap();
    /// assert_eq!(arena.get(0), Some(&7));
    ///
    /// let mut eight = [MaybeUninit::uninit(); 8]; // room for the value, but not for its state
    /// assert!(BorrowedArena::<u64>::in_bytes(&mut eight).is_err());
    /// ```
    pub fn in_bytes(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        Borrowed::new(bytes).map(AtomicArena::from_storage)
    }

    /// Returns a number of bytes that suffices for an arena with `capacity` slots.
    ///
    /// [`in_bytes`](Self::in_bytes) finds room for at least `capacity` slots in this number of
    /// bytes, whatever their alignment. The number depends only on `T`, on `capacity`, and on the
    /// target.
    ///
    /// # Panics
    ///
    /// Panics if the number exceeds `isize::MAX`. In a constant, this is a compile-time error.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::BorrowedArena;
    /// use std::mem::MaybeUninit;
    ///
    /// const BYTES: usize = BorrowedArena::<u64>::bytes_for(100);
    ///
    /// let mut memory = [MaybeUninit::uninit(); BYTES];
    /// let arena = BorrowedArena::<u64>::in_bytes(&mut memory).unwrap();
    /// assert!(arena.capacity() >= 100);
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn bytes_for(capacity: usize) -> usize {
        match Borrowed::<T>::bytes_for(capacity) {
            Some(bytes) => bytes,
            None => panic!("an arena of this capacity exceeds the address space"),
        }
    }
}

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Disables shards: the arena hands out unused slots in index order, regardless of the number
    /// of threads.
    ///
    /// An arena of 2,048 slots or more detects when threads contend for its cursor, the boundary
    /// between used and unused slots. From then on, until the next exclusive access, it serves each
    /// thread from a shard, which is a run of slots kept in the arena. If two threads allocate
    /// `u64` values one by one in warm memory, shards are about twelve times as fast as the shared
    /// cursor. A request that is long compared with the runs in shards is still served at the
    /// cursor.
    ///
    /// Shards do not change the capacity, because the unused slots of every shard are handed out
    /// before the arena is full. However, with shards the next index depends on the thread, and a
    /// request for a run does not find slots in other threads' shards. Call this method if indices
    /// must have no gaps while threads allocate, or if a long run must be found as long as enough
    /// slots are left.
    ///
    /// Inline arenas never have shards. Neither do arenas of more than 2^33 slots, arenas on
    /// targets of less than 64 bits, and arenas without the feature `std`.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100_000).in_order();
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| (0..10_000).for_each(|i| drop(arena.publish(i))));
    ///     }
    /// });
    /// assert_eq!(arena.index_bound(), 40_000); // no gaps
    /// ```
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.view_mut().meta.disable_shards();
        self
    }
}
