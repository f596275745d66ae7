//! What an arena says of itself, in numbers.

#![forbid(unsafe_code)]

use core::fmt;

use crate::arena::AtomicArena;
use crate::storage::Storage;

/// How full an arena is, was, and what it takes. Made by [`AtomicArena::stats`].
///
/// Slots are counted one by one, memory in bytes. What changes while others use the arena is as exact as
/// [`count`](AtomicArena::count): an estimate then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many slots there are.
    pub capacity: usize,
    /// How many slots hold a value, or are held by a handle or by a call in progress.
    pub count: usize,
    /// How many slots below [`index_bound`](AtomicArena::index_bound) are free. They are handed out one by one: a run of
    /// several is not found among them.
    pub vacant: usize,
    /// How many handles have slots of their own: each [`Local`](crate::Local), and each
    /// [`Reservation`](crate::Reservation) but empty ones. One that was leaked counts until the next call with `&mut` of
    /// the arena.
    pub handles: usize,
    /// The high-water mark, over all resets: no value was ever stored at an index at or above it, and the present
    /// `index_bound` is not above it.
    ///
    /// A bound, not a count of values: slots that were vacant below a value count, and so do those that a handle holds now
    /// or that were vacant when the cursor was drawn back; and one more slot of a `Local` that gave back the rest of its run.
    /// Where threads have fought for the cursor (see
    /// [`in_order`](AtomicArena::in_order)), the slots that lay ready for them count, too.
    pub high_water: usize,
    /// How often the arena was emptied or its values were numbered anew: the calls of [`reset`](AtomicArena::reset),
    /// [`reset_zeroed`](AtomicArena::reset_zeroed), [`drain`](AtomicArena::drain), [`compact`](AtomicArena::compact) and
    /// `reset_decommit`.
    pub resets: u64,
    /// How many bytes the arena takes, wherever they lie: its slots, the byte beside each, and its counters; of a mapping
    /// all of it. Pages that were not touched count, for they are address space; what an allocator needs for itself does
    /// not.
    pub bytes: usize,
    /// How many of these bytes are not slots.
    pub overhead: usize,
}

/// Numbers for who watches.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// How full the arena is, was, and what it takes.
    ///
    /// Loads, as [`count`](Self::count), and a few more; no number is kept for this on the way to a value. Wait-free.
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
    /// assert_eq!((stats.capacity, stats.count, stats.vacant, stats.handles), (1_000, 2, 2, 0));
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

    /// How many values are published, found out by looking.
    ///
    /// Linear in what was handed out: a load for each slot below [`index_bound`](Self::index_bound). Sees what
    /// [`iter`](Self::iter) would. Wait-free.
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
