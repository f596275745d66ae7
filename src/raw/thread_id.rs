//! Assigns numbers to threads. If a number is free when a thread first needs one, the thread gets
//! an exclusive number.
//!
//! A thread with an exclusive number updates its stripe of the count of handles (`handle_count.rs`)
//! with a load and a store, because no other thread writes that stripe. The number is returned when
//! the thread ends. A later thread inherits the number, and with it the shard and the stripe.
//!
//! A thread without an exclusive number shares the shard of another one. If the two take slots or
//! bytes at the same time, such a thread moves on to another shard (`note_contention`).
//!
//! # Orderings
//!
//! Returning a number (Release) happens before taking it again (Acquire). Every write of the set is
//! a read-modify-write, so the release sequence is not broken. The later thread therefore sees what
//! the earlier thread stored in the stripe of this number in each arena.

#![forbid(unsafe_code)]

#[cfg(any(feature = "std", test))]
use super::sync::{AtomicUsize, Ordering, const_fn};

/// Whether shards are active from the first slot on, in every arena that has room for them. Set
/// only in tests, by `--cfg shards="forced"` or `--cfg shards="runs"`. With `forced`, a refill
/// takes at most two slots, so only a request for one slot begins a refill. With `runs`, a refill
/// takes at most eight slots, so a request for up to four slots begins one.
pub(crate) const FORCED: bool = cfg!(any(shards = "forced", shards = "runs"));

/// Whether there are few shards and short runs, so that tests and models reach every case.
pub(crate) const TINY: bool = FORCED || cfg!(all(test, loom));

/// The number of threads that can have an exclusive number at the same time.
///
/// A thread id below this number is exclusive. Any other id means that the thread has no exclusive
/// number.
pub(crate) const EXCLUSIVE_IDS: usize = if TINY { 2 } else { 32 };

/// The set of numbers that are taken, with one bit for each.
#[cfg(any(feature = "std", test))]
#[derive(Debug)]
pub(crate) struct IdSet(AtomicUsize);

#[cfg(any(feature = "std", test))]
impl IdSet {
    const_fn! {
        pub(crate) fn new() -> Self {
            IdSet(AtomicUsize::new(0))
        }
    }

    /// Takes the lowest free number. Returns `None` if all are taken.
    pub(crate) fn take(&self) -> Option<usize> {
        // Relaxed, also on failure: a guess that the exchange confirms.
        let mut taken = self.0.load(Ordering::Relaxed);
        loop {
            let id = taken.trailing_ones() as usize;
            if id >= EXCLUSIVE_IDS {
                return None;
            }
            // Acquire: pairs with the Release in `put_back`. This thread sees what the previous
            // thread with this number stored.
            match self.0.compare_exchange_weak(taken, taken | 1 << id, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(id),
                Err(now) => taken = now,
            }
        }
    }

    /// Makes a taken number free again. The caller never uses it afterwards.
    pub(crate) fn put_back(&self, id: usize) {
        // Release: pairs with the Acquire in `take`.
        self.0.fetch_and(!(1 << id), Ordering::Release);
    }
}

#[cfg(all(feature = "std", not(all(test, loom))))]
pub(crate) use current::{note_contention, thread_id, thread_id_or_any};

#[cfg(all(feature = "std", not(all(test, loom))))]
mod current {
    use core::cell::Cell;

    use super::{AtomicUsize, EXCLUSIVE_IDS, IdSet, Ordering};

    const UNASSIGNED: usize = usize::MAX;

    static IDS: IdSet = IdSet::new();

    /// Counts the threads without an exclusive number, to spread them over the shards.
    static SHARED: AtomicUsize = AtomicUsize::new(0);

    /// After this many failed exchanges, a thread without an exclusive number uses another shard.
    const CONTENDED_EXCHANGES: u32 = 16;

    std::thread_local! {
        /// The id has no destructor, so reading it costs one load, and other destructors of the
        /// thread may still read it.
        static ID: Cell<usize> = const { Cell::new(UNASSIGNED) };
        static RETURNED: ReturnAtExit = const { ReturnAtExit(Cell::new(None)) };
        /// The number of failed exchanges since the id was last set.
        static FAILED: Cell<u32> = const { Cell::new(0) };
    }

    /// Puts back the thread's exclusive number, if it has one, when the thread ends.
    struct ReturnAtExit(Cell<Option<usize>>);

    impl Drop for ReturnAtExit {
        fn drop(&mut self) {
            if let Some(id) = self.0.get() {
                // A later destructor of this thread may still allocate, but must not use the number
                // that is put back. So the id becomes one that is not exclusive.
                let _ = ID.try_with(|current| current.set(EXCLUSIVE_IDS));
                IDS.put_back(id);
            }
        }
    }

    /// Returns the id of this thread: an exclusive number below `EXCLUSIVE_IDS`, or any other value
    /// if the thread has no exclusive number.
    #[inline]
    pub(crate) fn thread_id() -> usize {
        match ID.try_with(Cell::get) {
            Ok(UNASSIGNED) => assign(),
            Ok(id) => id,
            Err(_) => EXCLUSIVE_IDS,
        }
    }

    /// Returns the id of this thread if the thread already has one. Otherwise returns a value that
    /// is not an exclusive number.
    ///
    /// Calls no function, so that the caller of an inlined fast path need not save its registers.
    #[inline]
    pub(crate) fn thread_id_or_any() -> usize {
        ID.try_with(Cell::get).unwrap_or(UNASSIGNED)
    }

    /// Counts an exchange that failed because another thread had changed the same shard. After
    /// several, the id of a thread without an exclusive number changes, so that the thread uses the
    /// next shard, in every arena. So threads that share a shard soon part, unless all other shards
    /// are in use.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_contention() {
        let id = thread_id();
        if id >= EXCLUSIVE_IDS {
            let _ = FAILED.try_with(|failed| {
                failed.set((failed.get() + 1) % CONTENDED_EXCHANGES);
                if failed.get() == 0 {
                    let _ = ID.try_with(|current| current.set(EXCLUSIVE_IDS + (id + 1) % EXCLUSIVE_IDS));
                }
            });
        }
    }

    #[cold]
    fn assign() -> usize {
        // `try_with` registers the destructor before the number is taken. If the destructor has run
        // already, `try_with` fails and no number is taken, because nothing would return it.
        let exclusive = RETURNED.try_with(|returned| {
            returned.0.set(IDS.take());
            returned.0.get()
        });
        let id = exclusive.ok().flatten().unwrap_or_else(|| {
            // Relaxed: any value will do.
            EXCLUSIVE_IDS + SHARED.fetch_add(1, Ordering::Relaxed) % EXCLUSIVE_IDS
        });
        let _ = ID.try_with(|current| current.set(id));
        // The first access may allocate, like those above.
        let _ = FAILED.try_with(|failed| failed.set(0));
        id
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::sync::Barrier;
        use std::thread;

        /// Threads that run at the same time never have the same exclusive number, even if they
        /// reuse numbers of threads that have ended.
        #[test]
        fn living_threads_have_different_numbers() {
            for _ in 0..3 {
                let barrier = Barrier::new(EXCLUSIVE_IDS / 2);
                let ids: std::vec::Vec<usize> = thread::scope(|scope| {
                    let threads: std::vec::Vec<_> = (0..EXCLUSIVE_IDS / 2)
                        .map(|_| {
                            scope.spawn(|| {
                                let id = thread_id();
                                barrier.wait();
                                assert_eq!(thread_id(), id);
                                id
                            })
                        })
                        .collect();
                    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
                });
                let mut exclusive: std::vec::Vec<_> = ids.into_iter().filter(|&id| id < EXCLUSIVE_IDS).collect();
                let count = exclusive.len();
                exclusive.sort_unstable();
                exclusive.dedup();
                assert_eq!(exclusive.len(), count);
            }
        }

        /// Only a thread without an exclusive number leaves a shard that others use.
        #[test]
        fn contention_changes_only_an_id_that_is_not_exclusive() {
            thread::spawn(|| {
                let id = thread_id();
                for exclusive in [0, EXCLUSIVE_IDS - 1] {
                    ID.with(|current| current.set(exclusive));
                    (0..2 * CONTENDED_EXCHANGES).for_each(|_| note_contention());
                    assert_eq!(thread_id(), exclusive);
                }
                for (shared, next) in [(0, 1), (EXCLUSIVE_IDS - 1, 0)] {
                    ID.with(|current| current.set(EXCLUSIVE_IDS + shared));
                    for _ in 0..CONTENDED_EXCHANGES {
                        assert_eq!(thread_id(), EXCLUSIVE_IDS + shared);
                        note_contention();
                    }
                    assert_eq!(thread_id(), EXCLUSIVE_IDS + next);
                }
                ID.with(|current| current.set(id));
            })
            .join()
            .unwrap();
        }

        /// A destructor that runs after the number was put back does not see an exclusive number.
        #[test]
        fn a_late_destructor_has_no_number() {
            struct Late(Cell<bool>);
            impl Drop for Late {
                fn drop(&mut self) {
                    // Destructors run in an unspecified order, so the number may or may not have
                    // been put back already. If it has, the thread must not use it.
                    let returned = RETURNED.try_with(|returned| returned.0.get()).is_err();
                    assert!(!returned || thread_id() >= EXCLUSIVE_IDS);
                }
            }
            std::thread_local!(static LATE: Late = const { Late(Cell::new(false)) });
            let before_and_after = || {
                LATE.with(|late| late.0.set(true));
                thread_id();
                LATE.with(|late| late.0.set(true));
            };
            thread::spawn(before_and_after).join().unwrap();
            thread::spawn(|| {
                thread_id();
                LATE.with(|late| late.0.set(true));
            })
            .join()
            .unwrap();
        }
    }
}

/// Returns an id that is not exclusive. Without std, threads cannot be distinguished.
#[cfg(all(not(feature = "std"), not(all(test, loom))))]
#[inline]
pub(crate) fn thread_id() -> usize {
    EXCLUSIVE_IDS
}

#[cfg(any(not(feature = "std"), all(test, loom)))]
pub(crate) use self::thread_id as thread_id_or_any;

/// Without std, the id of a thread does not change.
#[cfg(all(not(feature = "std"), not(all(test, loom))))]
pub(crate) fn note_contention() {}

#[cfg(all(test, loom))]
pub(crate) use models::{note_contention, set_thread_id, thread_id};

#[cfg(all(test, loom))]
mod models {
    use core::cell::Cell;

    use super::EXCLUSIVE_IDS;

    loom::thread_local! {
        static ID: Cell<usize> = Cell::new(EXCLUSIVE_IDS);
    }

    /// Returns the id that `set_thread_id` has set. Before the first call of `set_thread_id`, the
    /// id is not exclusive.
    pub(crate) fn thread_id() -> usize {
        ID.with(Cell::get)
    }

    /// Changes an id that is not exclusive, after every failed exchange.
    pub(crate) fn note_contention() {
        let id = thread_id();
        if id >= EXCLUSIVE_IDS {
            set_thread_id(EXCLUSIVE_IDS + (id + 1) % EXCLUSIVE_IDS);
        }
    }

    /// Sets the id of this thread. Models set ids explicitly, because ids must not depend on
    /// earlier executions of the model.
    pub(crate) fn set_thread_id(id: usize) {
        ID.with(|current| current.set(id));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_once_and_again_after_it_was_returned() {
        let ids = IdSet::new();
        assert!((0..EXCLUSIVE_IDS).all(|id| ids.take() == Some(id)));
        assert_eq!(ids.take(), None);
        ids.put_back(1);
        assert_eq!((ids.take(), ids.take()), (Some(1), None));
    }
}
