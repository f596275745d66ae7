//! How an arena is made.

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

/// Building.
#[cfg(feature = "alloc")]
impl<T> AtomicArena<T> {
    /// An empty arena of that many slots, on the heap.
    ///
    /// Two allocations: `capacity * size_of::<T>()` bytes for the slots, which are not touched, and `capacity` zeroed
    /// bytes beside them, with 4 KiB more from 16,384 slots on. Constant time, as far as the allocator has fresh memory.
    ///
    /// # Panics
    ///
    /// When the capacity is 0, or its bytes exceed `isize::MAX`. When the allocator refuses, as
    /// [`handle_alloc_error`](alloc::alloc::handle_alloc_error) does. [`try_with_capacity`](Self::try_with_capacity)
    /// returns an error instead.
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

    /// As [`with_capacity`](Self::with_capacity), with an error where that panics or aborts.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] says what was wrong, and the numbers.
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
    /// An empty arena of `N` slots, where it is declared. `N` of 0 does not compile.
    pub const fn new() -> Self {
        AtomicArena { storage: Inline::new(), marker: PhantomData }
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
    /// An empty arena in the bytes given, of as many slots as fit, whatever their alignment.
    ///
    /// For memory that comes from elsewhere: a section of the linker's, a pool, an area for DMA. The bytes hold the slots
    /// and one byte for each, and nothing else; the latter are cleared, which takes time linear in their number. For as
    /// long as the arena lives the bytes are its own; afterwards they are yours again, with whatever is in them.
    ///
    /// # Errors
    ///
    /// [`CapacityError::Zero`] when not even one slot fits.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use std::mem::MaybeUninit;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1024];
    /// let arena = AtomicArena::<u64, _>::in_bytes(&mut memory).unwrap();
    /// assert!(arena.capacity() >= 112); // 9 bytes each, and a few to line them up
    /// arena.publish(7).unwrap();
    /// assert_eq!(arena.get(0), Some(&7));
    ///
    /// let mut eight = [MaybeUninit::uninit(); 8]; // a value, but not the byte beside it
    /// assert!(AtomicArena::<u64, _>::in_bytes(&mut eight).is_err());
    /// ```
    pub fn in_bytes(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        Borrowed::new(bytes).map(AtomicArena::from_storage)
    }
}

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// The same arena, which from now on hands out slots in the order of their indices, however many threads ask.
    ///
    /// An arena of 16,384 slots or more notices when threads fight for its cursor, and then lets each take single slots
    /// from a run of its own, a shard, until somebody has `&mut` of the arena: two threads are some ten times faster then than with one
    /// cursor. It is as exact (what is left of any shard is handed out before the arena is full), but which index comes next
    /// then depends on the thread, and a run that goes back serves requests for one slot only, until then. This keeps one cursor always, for who needs indices without gaps while threads are at work, or runs that go
    /// back whole.
    ///
    /// Without the feature `std`, on targets of less than 64 bits, in place or in borrowed bytes, and beyond 2^33 slots every
    /// arena is so.
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
    /// assert_eq!(arena.index_bound(), 40_000); // no gap below
    /// ```
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.view_mut().meta.disable_shards();
        self
    }
}
