//! A `Local` that keeps its arena alive.

use alloc::sync::Arc;
use core::fmt;

use super::local::Local;
use super::own_run::OwnRun;
use crate::arena::AtomicArena;
use crate::storage::{Heap, Storage};

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Returns a handle like [`local`](Self::local), except that it keeps the arena alive. It can
    /// be stored in a struct, or moved into a task or a thread that is not scoped.
    ///
    /// Costs one atomic read-modify-write on the count of the `Arc`. The first run is taken when
    /// the first value is stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, OwnedLocal};
    /// use std::sync::Arc;
    ///
    /// /// Owns its handle. A `Local` cannot be stored beside the arena that it borrows.
    /// struct Worker {
    ///     names: OwnedLocal<String>,
    /// }
    ///
    /// impl Worker {
    ///     fn add(&mut self, name: &str) -> usize {
    ///         self.names.local().publish(name.to_string()).unwrap().0
    ///     }
    /// }
    ///
    /// let arena = Arc::new(AtomicArena::with_capacity(100));
    /// let mut worker = Worker { names: arena.local_owned() };
    /// let index = std::thread::spawn(move || worker.add("Ada")).join().unwrap();
    /// assert_eq!(arena.get(index).unwrap(), "Ada");
    /// ```
    pub fn local_owned(self: &Arc<Self>) -> OwnedLocal<T, S> {
        OwnedLocal { arena: Arc::clone(self), run: OwnRun::default_lengths::<T>() }
    }
}

/// A [`Local`] without a lifetime, which keeps its arena alive. Created by
/// [`AtomicArena::local_owned`].
///
/// Values are stored through the [`Local`] that [`local`](Self::local) returns. References to them
/// live as long as the borrow of this handle. Indices and keys remain valid after that.
///
/// Dropping or leaking this handle has the same effects as dropping or leaking a `Local`. It also
/// drops or leaks a reference to the arena. Therefore an arena with a leaked `OwnedLocal` is never
/// dropped.
///
/// `Send` and `Sync` if `T: Send`.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use std::sync::Arc;
///
/// let arena = Arc::new(AtomicArena::with_capacity(100));
/// let mut owned = arena.local_owned();
/// let mut local = owned.local();
/// let (first, _) = local.publish_slice_copy(&[1, 2]).unwrap();
/// let (a, b) = (local.alloc(3).unwrap(), local.alloc(4).unwrap());
/// std::mem::swap(a, b);
/// drop(local);
/// // The next `Local` continues where this one ended.
/// assert_eq!(owned.local().publish(5).unwrap().0, 4);
/// drop(owned);
/// assert_eq!((arena.get(first), arena.count()), (Some(&1), 5));
/// ```
pub struct OwnedLocal<T, S: Storage<T> = Heap<T>> {
    arena: Arc<AtomicArena<T, S>>,
    /// A run of this arena. Empty while a `Local` borrows this handle.
    run: OwnRun,
}

impl<T, S: Storage<T>> OwnedLocal<T, S> {
    /// Returns a [`Local`] that borrows this handle and continues with its run.
    ///
    /// Costs a few moves, and as many again when the `Local` is dropped. So call this method once
    /// before a loop rather than in each iteration. Wait-free.
    ///
    /// Leaking the `Local` leaks its current run. The next `Local` then starts without a run.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use std::sync::Arc;
    ///
    /// let arena = Arc::new(AtomicArena::with_capacity(100));
    /// let mut owned = arena.local_owned();
    /// let mut local = owned.local();
    /// let words = [local.alloc("one").unwrap(), local.alloc("two").unwrap()];
    /// assert_eq!(words, [&"one", &"two"]);
    /// ```
    #[inline]
    pub fn local(&mut self) -> Local<'_, T> {
        // SAFETY: the run is empty at first. Afterwards only `Local`s of this arena write to the
        // field. So the run is empty or belongs to this arena.
        unsafe { Local::lent(self.arena.view(), &mut self.run) }
    }

    /// Returns the arena.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use std::sync::Arc;
    ///
    /// let arena = Arc::new(AtomicArena::with_capacity(100));
    /// let mut owned = arena.local_owned();
    /// let (index, _) = owned.local().publish(7).unwrap();
    /// assert_eq!(owned.arena().get(index), Some(&7));
    /// ```
    #[inline]
    pub fn arena(&self) -> &Arc<AtomicArena<T, S>> {
        &self.arena
    }
}

impl<T, S: Storage<T>> Drop for OwnedLocal<T, S> {
    fn drop(&mut self) {
        self.run.end(self.arena.view());
    }
}

impl<T, S: Storage<T>> fmt::Debug for OwnedLocal<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedLocal").field("unused", &self.run.unused()).finish_non_exhaustive()
    }
}
