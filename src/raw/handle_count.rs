//! The count of handles that have an open run, or may have one: a handle that was leaked is counted
//! until the next exclusive access, which finds from the count that there are runs to reclaim.
//!
//! The count is striped. A thread with an exclusive number updates the stripe in its shard with a
//! load and a store, because it is the only writer. All other threads share one stripe and update
//! it atomically. A handle may be closed on another stripe than it was opened on, so only the
//! wrapping sum has a meaning. Each counted handle owns, or has used, a slot of its own in this
//! epoch. So there are at most as many as slots, and the sum does not wrap.
//!
//! # Orderings
//!
//! All is Relaxed. The count is needed under exclusive access only, which is ordered after every
//! handle by what granted it. A stripe that passes from one thread to another is handed over with
//! the number (`thread_id.rs`).

#![forbid(unsafe_code)]

use super::shards::{self, Shard};
use super::sync::{AtomicBool, AtomicMut, AtomicUsize, Ordering, const_fn};

#[derive(Debug)]
pub(crate) struct HandleCount {
    /// Whether a handle was opened since the sum was last found to be 0 under exclusive access,
    /// which is thereby spared the stripes.
    any: AtomicBool,
    /// The stripe of all threads without an exclusive number, or of all threads if there are no
    /// shards.
    shared: AtomicUsize,
}

impl HandleCount {
    const_fn! {
        pub(crate) fn new() -> Self {
            HandleCount { any: AtomicBool::new(false), shared: AtomicUsize::new(0) }
        }
    }

    /// Counts a handle. Until [`closed`](Self::closed) it may be leaked.
    #[inline]
    pub(crate) fn opened(&self, shards: &[Shard]) {
        self.add(shards, 1);
        // Relaxed, both: see above. The load keeps the line shared after the first store.
        if !self.any.load(Ordering::Relaxed) {
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Uncounts a handle, which has no open run and never will.
    #[inline]
    pub(crate) fn closed(&self, shards: &[Shard]) {
        self.add(shards, usize::MAX);
    }

    #[inline]
    fn add(&self, shards: &[Shard], delta: usize) {
        // Relaxed, all: see above.
        match shards::exclusive(shards) {
            Some(shard) => {
                let count = shard.handles().load(Ordering::Relaxed);
                shard.handles().store(count.wrapping_add(delta), Ordering::Relaxed);
            }
            None => {
                self.shared.fetch_add(delta, Ordering::Relaxed);
            }
        }
    }

    /// The number of open handles. Exact if no other call is in progress. Otherwise it may be off
    /// by the handles that are being opened and closed.
    pub(crate) fn sum(&self, shards: &[Shard]) -> usize {
        // Relaxed: an estimate.
        let stripes = shards.iter().map(|shard| shard.handles().load(Ordering::Relaxed));
        let sum = stripes.fold(self.shared.load(Ordering::Relaxed), usize::wrapping_add);
        if sum as isize > 0 { sum } else { 0 }
    }

    /// Whether a handle is open under exclusive access, that is, was leaked. Afterwards none is
    /// counted.
    #[inline]
    pub(crate) fn take_leaked(&mut self, shards: &mut [Shard]) -> bool {
        self.any.read_mut() && self.take_sum(shards) != 0
    }

    #[cold]
    fn take_sum(&mut self, shards: &mut [Shard]) -> usize {
        let mut sum = self.shared.read_mut();
        for stripe in shards.iter_mut().map(Shard::handles_mut) {
            sum = sum.wrapping_add(stripe.read_mut());
            stripe.write_mut(0);
        }
        self.shared.write_mut(0);
        self.any.write_mut(false);
        sum
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
            // Closed on another stripe.
            count.closed(without);
            count.closed(without);
            assert_eq!(count.sum(with), 0);
            count.opened(with);
            count.closed(without);
            count.closed(without);
            assert_eq!(count.sum(with), 0, "a sum that is read while handles are counted is not below 0");
            count.opened(without);
        }
        assert!(!count.take_leaked(&mut lines));
        count.opened(&lines);
        assert!(count.take_leaked(&mut lines));
        assert!(!count.take_leaked(&mut lines));
    }
}
