//! The number of handles that may have an open run. A leaked handle stays counted until the next
//! exclusive access. A nonzero count at that time shows that there may be runs to reclaim.
//!
//! The count is striped. A thread with an exclusive number updates the stripe in its shard with a
//! load and a store, because no other thread writes that stripe. All other threads share one stripe
//! and update it atomically. A handle may be closed on a different stripe from the one on which it
//! was opened, so only the wrapping sum over all stripes is meaningful. Each counted handle owns,
//! or has used in this epoch, at least one slot of its own. So the sum is at most the number of
//! slots.
//!
//! A signal handler on the same thread could run between the load and the store, and its update
//! would be lost. Therefore handles are not async-signal-safe.
//!
//! # Orderings
//!
//! Every operation is Relaxed. The count matters only under exclusive access, which is ordered
//! after all operations on handles. When a thread number passes to another thread, the stripe
//! passes with it. The number is returned with Release and taken with Acquire, which orders the
//! accesses of the two threads (`thread_id.rs`).

#![forbid(unsafe_code)]

use super::shards::{self, Shard};
use super::stripe::Stripe;
use super::sync::{AtomicBool, AtomicMut, AtomicUsize, Ordering, const_fn};

#[derive(Debug)]
pub(crate) struct HandleCount {
    /// Whether a handle has been opened since the stripes were last read under exclusive access. If
    /// not, they need not be read.
    any: AtomicBool,
    /// The stripe of all threads without an exclusive number, or of all threads if the arena has no
    /// shards.
    shared: Stripe,
}

impl HandleCount {
    const_fn! {
        pub(crate) fn new() -> Self {
            HandleCount { any: AtomicBool::new(false), shared: Stripe::new() }
        }
    }

    /// Counts a handle.
    #[inline]
    pub(crate) fn opened(&self, shards: &[Shard]) {
        self.increment(shards::exclusive(shards), |stripe| &stripe.opened);
        // Relaxed, both: see the module documentation. The flag is stored only if it is not yet
        // set, so that a thread with a stripe of its own does not write to this shared cache line
        // each time.
        if !self.any.load(Ordering::Relaxed) {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Counts a handle that was split off an open handle. The open handle has already set `any`.
    #[inline]
    pub(crate) fn split(&self, shards: &[Shard]) {
        self.increment(shards::exclusive_if_assigned(shards), |stripe| &stripe.opened);
    }

    /// Subtracts one from the count, for a handle that ends or no longer has an open run.
    #[inline]
    pub(crate) fn closed(&self, shards: &[Shard]) {
        self.increment(shards::exclusive_if_assigned(shards), |stripe| &stripe.closed);
    }

    #[inline]
    fn increment(&self, exclusive: Option<&Shard>, counter: impl Fn(&Stripe) -> &AtomicUsize) {
        // Relaxed, all: see the module documentation.
        match exclusive {
            Some(shard) => {
                let counter = counter(shard.handles());
                counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            }
            None => {
                counter(&self.shared).fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns the number of counted handles. Exact if no other call is in progress. Otherwise it
    /// may be off by at most the number of handles that are opened or closed during this call.
    pub(crate) fn sum(&self, shards: &[Shard]) -> usize {
        let stripes = shards.iter().map(|shard| shard.handles().open());
        let sum = stripes.fold(self.shared.open(), usize::wrapping_add);
        if sum as isize > 0 { sum } else { 0 }
    }

    /// Returns whether a handle was leaked, and resets the count.
    #[inline]
    pub(crate) fn take_leaked(&mut self, shards: &mut [Shard]) -> bool {
        self.any.read_mut() && self.take_sum(shards) != 0
    }

    #[cold]
    fn take_sum(&mut self, shards: &mut [Shard]) -> usize {
        self.any.write_mut(false);
        let stripes = shards.iter_mut().map(|shard| shard.handles_mut().take());
        stripes.fold(self.shared.take(), usize::wrapping_add)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::shards::SHARDS;

    #[test]
    fn only_the_sum_over_all_stripes_counts() {
        let mut lines = [const { Shard::new() }; SHARDS];
        let mut count = HandleCount::new();
        {
            let (with, without): (&[Shard], &[Shard]) = (&lines, &[]);
            count.opened(with);
            count.opened(without);
            assert_eq!(count.sum(with), 2);
            // If this thread has an exclusive number, the first handle was opened on another
            // stripe.
            count.closed(without);
            count.closed(without);
            assert_eq!(count.sum(with), 0);
            count.opened(with);
            count.closed(without);
            count.closed(without);
            assert_eq!(count.sum(with), 0, "a sum read while handles are opened and closed is never negative");
            count.opened(without);
        }
        assert!(!count.take_leaked(&mut lines));
        count.opened(&lines);
        assert!(count.take_leaked(&mut lines));
        assert!(!count.take_leaked(&mut lines));
    }
}
