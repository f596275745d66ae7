//! Statistics.

#![forbid(unsafe_code)]

use core::fmt;

use crate::arena::AtomicArena;
use crate::storage::Storage;

/// The current and past use of an arena, and its memory.
///
/// Created by [`AtomicArena::stats`]. While other threads use the arena, the numbers that they
/// change are estimates, like [`count`](AtomicArena::count).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of slots.
    pub capacity: usize,
    /// The number of slots that hold a value, or are held by a handle or by a call in progress.
    pub count: usize,
    /// The number of free slots below [`index_bound`](AtomicArena::index_bound): vacant slots, and
    /// slots in shards (see [`alloc`](AtomicArena::alloc)).
    pub vacant: usize,
    /// The number of handles that hold slots.
    ///
    /// Counts each [`Local`](crate::Local) that has a run, even if the run is used up, and each
    /// [`Reservation`](crate::Reservation) that has slots. A leaked handle counts until the next
    /// exclusive access to the arena.
    pub handles: usize,
    /// The high-water mark over all resets.
    ///
    /// No value was ever stored at an index at or above it, and the current `index_bound` does not
    /// exceed it. So it bounds the indices used so far, and does not count values. Slots below it
    /// may never have held a value, for example vacant slots, slots that a handle holds and, after
    /// contention, unused slots of shards (see [`in_order`](AtomicArena::in_order)). The first
    /// unused slot of a run that a `Local` returned may also be below it without ever having held a
    /// value, because a closure that panicked may have written to it.
    pub high_water: usize,
    /// The number of times that the arena was emptied or compacted.
    ///
    /// Counts calls of [`reset`](AtomicArena::reset), [`reset_zeroed`](AtomicArena::reset_zeroed),
    /// [`drain`](AtomicArena::drain), [`compact`](AtomicArena::compact), `reset_decommit`, and
    /// `par_drain`.
    pub resets: u64,
    /// The size of the arena in bytes: the slots, their state, the shards, and the counters. For a
    /// mapped arena, this includes the whole mapping.
    ///
    /// This is a size in the address space, so it includes pages that were never touched. It
    /// excludes the overhead of the allocator.
    pub bytes: usize,
    /// The part of `bytes` that is not slots.
    pub overhead: usize,
}

/// Statistics.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Returns statistics on the arena.
    ///
    /// Costs a few more loads than [`count`](Self::count) and, if the arena has shards, also reads
    /// a cache line for each of 32 shards. Collecting these numbers adds no cost to allocation.
    /// Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::<u64>::with_capacity(1_000);
    /// arena.alloc_slice_copy(&[7; 600]).unwrap();
    /// arena.reset();
    /// arena.publish(1).unwrap();
    /// let unused = arena.reserve(2).unwrap();
    /// arena.publish(2).unwrap();
    /// drop(unused);
    ///
    /// let stats = arena.stats();
    /// assert_eq!((stats.capacity, stats.count), (1_000, 2));
    /// assert_eq!((stats.vacant, stats.handles), (2, 0));
    /// assert_eq!((stats.high_water, stats.resets), (600, 1));
    /// assert_eq!(stats.bytes - stats.overhead, 8_000);
    /// assert!(stats.overhead < 2_000);
    /// ```
    pub fn stats(&self) -> Stats {
        let view = self.view();
        let (bound, count, history) = (view.bound(), view.count(), view.history());
        let bytes = size_of::<Self>() + self.storage().external_bytes();
        Stats {
            capacity: view.capacity(),
            count,
            vacant: bound.saturating_sub(count),
            handles: view.open_handles(),
            high_water: history.written.max(bound),
            resets: history.epochs,
            bytes,
            overhead: bytes - view.capacity() * size_of::<T>(),
        }
    }

    /// Counts the published values, which are those that [`iter`](Self::iter) would yield.
    ///
    /// Costs one load per slot below [`index_bound`](Self::index_bound). Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// arena.publish(1).unwrap();
    /// arena.alloc(2).unwrap();
    /// assert_eq!((arena.count_published(), arena.count()), (1, 2));
    /// ```
    pub fn count_published(&self) -> usize {
        let view = self.view();
        (0..view.bound()).filter(|&index| view.stamps().is_published(index)).count()
    }
}

impl<T, S: Storage<T>> fmt::Debug for AtomicArena<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { capacity, count, vacant, handles, high_water, resets, bytes, overhead } = self.stats();
        f.debug_struct("AtomicArena")
            .field("capacity", &capacity)
            .field("count", &count)
            .field("vacant", &vacant)
            .field("handles", &handles)
            .field("high_water", &high_water)
            .field("resets", &resets)
            .field("bytes", &bytes)
            .field("overhead", &overhead)
            .finish_non_exhaustive()
    }
}
