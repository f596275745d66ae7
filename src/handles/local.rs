//! One thread's run of slots, refilled by itself: the fast path of a busy thread.

use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroUsize;
use core::ops::Range;
use core::ptr::NonNull;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::epoch::Mark;
use crate::raw::stamps::{Stamp, Stamps};
use crate::storage::Storage;

/// The ceiling of a run in bytes, where the caller sets none in slots. Where two runs meet, one core fetches ahead what
/// another writes to: with runs of 16 KiB that made two threads a third slower at 64 bytes a value.
const RUN_BYTES: usize = 64 << 10;

/// A run begins small, and doubles from refill to refill up to its ceiling.
const FIRST_RUN_BYTES: usize = 512;

/// A run is at most this share of what is left at the cursor, and at least one slot.
const RUN_FRACTION: usize = if cfg!(all(test, loom)) { 2 } else { 16 };

/// RunState end at an address that is a multiple of this, so that two threads do not write to one line; or, where slots do
/// not line up with it, at the last slot that begins before one.
const CACHE_LINE: usize = 64;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// A handle with a run of slots of its own, for a thread that allocates much.
    ///
    /// A run is at most 64 KiB, and at most a sixteenth of what is left when it is taken (but at least one slot), so
    /// that near the end many threads share what is left: `k` handles that take a run one after another take at most
    /// `1 - (15/16)^k` of it, and a slot each. A handle that then idles keeps its run; others are refused while it
    /// does, so an arena that is used through `Local`s wants room to spare.
    ///
    /// Costs one addition to a shared counter; slots are taken when the first value comes.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1_000);
    /// let mut firsts = Vec::new();
    /// std::thread::scope(|scope| {
    ///     let workers: Vec<_> = (0..4)
    ///         .map(|worker| {
    ///             let arena = &arena;
    ///             scope.spawn(move || {
    ///                 let mut local = arena.local();
    ///                 let first = local.alloc(worker * 100).unwrap();
    ///                 for i in 1..100 {
    ///                     local.alloc(worker * 100 + i).unwrap();
    ///                 }
    ///                 first
    ///             })
    ///         })
    ///         .collect();
    ///     // What was allocated outlives the handle and the thread.
    ///     firsts.extend(workers.into_iter().map(|worker| worker.join().unwrap()));
    /// });
    /// assert_eq!(firsts, [&0, &100, &200, &300]);
    /// assert_eq!(arena.count(), 400);
    /// ```
    #[inline]
    pub fn local(&self) -> Local<'_, T> {
        let slots = |bytes: usize| (bytes / size_of::<T>().max(1)).max(1);
        Local::new(self.view(), slots(FIRST_RUN_BYTES), slots(RUN_BYTES))
    }

    /// As [`local`](Self::local), with runs of at most `slots` slots, from the first on.
    ///
    /// A run is still at most a sixteenth of what is left, but at least one slot. A handle keeps less than `slots` from the
    /// others: an arena of `values + (handles - 1) * slots` slots never refuses one of as many handles before all of them
    /// together have stored so many values (and nothing else is allocated).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use std::num::NonZeroUsize;
    ///
    /// let arena = AtomicArena::with_capacity(1_000);
    /// let mut local = arena.local_with_batch(NonZeroUsize::new(8).unwrap());
    /// local.alloc(1).unwrap();
    /// assert!(arena.count() <= 8);
    /// drop(local);
    /// assert_eq!(arena.count(), 1);
    /// ```
    #[inline]
    pub fn local_with_batch(&self, slots: NonZeroUsize) -> Local<'_, T> {
        Local::new(self.view(), slots.get(), slots.get())
    }
}

/// One thread's run of slots, refilled by itself.
///
/// Its methods take `&mut self`, and yet return references that live as long as the borrow of the arena: they outlive
/// the handle. An allocation is a bump and a store; only a refill touches what other threads touch.
///
/// Dropped, it gives its unused slots back, which costs an exchange; or, where others took slots behind them or shards are in
/// use, a byte for each. Wait-free, but lock-free at the very end of the arena while others are refused. Leaked (`mem::forget`), it leaks the values of its present run, and the
/// rest of that run until the next call with `&mut` of the arena; nothing else.
///
/// `Send` if `T: Send`: the slots that it holds go with it, and its values were `Send` anyway. Not `Sync`: every thread
/// makes its own, which is the point of it.
pub struct Local<'a, T> {
    view: ArenaRef<'a, T>,
    /// The open run: marked at both ends and ours, unless it is empty. What it holds below `next` are owned values,
    /// given to the caller.
    run: Range<usize>,
    /// Whether what marks its beginning is the value that we have published before it, and not its first slot.
    behind_published: bool,
    /// The slot that is filled next. Invariant: `run.start <= next <= run.end`.
    next: usize,
    /// How long the next run shall be at the most, in slots, and how long any.
    batch: usize,
    ceiling: usize,
    /// `view` is covariant in `T`; through us a value is put in.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: sends along slots without values, into which `T: Send` may be put from any thread.
unsafe impl<T: Send> Send for Local<'_, T> {}

impl<'a, T> Local<'a, T> {
    #[inline]
    fn new(view: ArenaRef<'a, T>, batch: usize, ceiling: usize) -> Self {
        view.handle_opened();
        Local { view, run: 0..0, behind_published: false, next: 0, batch, ceiling, marker: PhantomData }
    }

    /// Stores a value, which then belongs to the caller.
    ///
    /// Wait-free while the run lasts; a refill is lock-free, as [`AtomicArena::reserve`].
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, when this handle has no slot and the arena has none. Other handles may hold free ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let name = local.alloc("Ada").unwrap();
    /// assert_eq!(local.alloc("Grace").unwrap_err().into_inner(), "Grace");
    /// drop(local);
    /// assert_eq!(*name, "Ada"); // outlives the handle
    /// ```
    #[inline]
    pub fn alloc(&mut self, value: T) -> Result<&'a mut T, Full<T>> {
        if !self.has_slot() {
            return Err(Full::new(value, 1, 0));
        }
        Ok(self.fill(value))
    }

    /// Stores what `make` makes, in place where the compiler can.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc).
    ///
    /// # Panics
    ///
    /// When `make` does; no slot is used then.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let page = local.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// assert!(local.alloc_with(|| [0u8; 4096]).is_err());
    /// ```
    #[inline]
    pub fn alloc_with<F: FnOnce() -> T>(&mut self, make: F) -> Result<&'a mut T, Full<F>> {
        if !self.has_slot() {
            return Err(Full::new(make, 1, 0));
        }
        Ok(self.fill(make()))
    }

    /// Stores a value, and returns its index and a reference: from now on every thread can read it.
    ///
    /// Progress as [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, as [`alloc`](Self::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let (index, value) = local.publish(7).unwrap();
    /// assert_eq!(arena.get(index), Some(value)); // at once, from any thread
    /// assert!(local.publish(8).is_err());
    /// ```
    #[inline]
    pub fn publish(&mut self, value: T) -> Result<(usize, &'a T), Full<T>>
    where
        T: Sync,
    {
        if !self.has_slot() {
            return Err(Full::new(value, 1, 0));
        }
        Ok(self.fill_and_publish(value))
    }

    /// Stores what `make` makes of the index that the value will have, and publishes it.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc).
    ///
    /// # Panics
    ///
    /// When `make` does; no slot is used then.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let mut local = arena.local();
    /// let (index, id) = local.publish_with(|index| index).unwrap();
    /// assert_eq!(index, *id);
    /// assert!(local.publish_with(|index| index).is_err());
    /// ```
    #[inline]
    pub fn publish_with<F: FnOnce(usize) -> T>(&mut self, make: F) -> Result<(usize, &'a T), Full<F>>
    where
        T: Sync,
    {
        if !self.has_slot() {
            return Err(Full::new(make, 1, 0));
        }
        let value = make(self.next);
        Ok(self.fill_and_publish(value))
    }

    /// Whether there is a slot to fill, after a refill if need be.
    #[inline]
    fn has_slot(&mut self) -> bool {
        if self.next != self.run.end {
            return true;
        }
        let (header, stamps, slots) = self.view.into_raw_parts();
        // SAFETY: the parts of our view.
        self.run = unsafe { refill(header, stamps, slots, self.run.clone(), self.behind_published, self.batch) };
        self.behind_published = false;
        self.next = self.run.start;
        self.batch = self.batch.saturating_mul(2).min(self.ceiling);
        !self.run.is_empty()
    }

    /// Fills the next slot, which is there.
    #[inline]
    fn fill(&mut self, value: T) -> &'a mut T {
        // SAFETY: the slot is one of our run that was not filled yet; we pass on the only way to it.
        let value = unsafe { self.view.fill(self.next, value) };
        self.next += 1;
        value
    }

    /// Fills and publishes the next slot, which is there. The run is closed up to it and opened again behind it, so
    /// that a leak of the handle does not take along what came before.
    #[inline]
    fn fill_and_publish(&mut self, value: T) -> (usize, &'a T) {
        let index = self.next;
        self.next += 1;
        if self.run.start != index {
            // Owned values lie between. They are the caller's, and no longer ours to leak.
            unmark_start(self.view.stamps(), self.run.start, self.behind_published);
        }
        self.run.start = self.next;
        self.behind_published = true;
        // Overwrites the mark of the run's first slot, or of its last, if one of them stood here.
        let mark = if self.run.is_empty() { Mark::Published } else { Mark::PublishedBeforeRun };
        // SAFETY: the slot is one of our run that was not filled yet, and the run was opened.
        (index, unsafe { self.view.publish(index, value, mark) })
    }
}

/// Erases the marks of an open run, if there is one.
fn unmark(stamps: Stamps<'_>, run: Range<usize>, behind_published: bool) {
    if !run.is_empty() {
        unmark_start(stamps, run.start, behind_published);
        stamps.clear(run.end - 1);
    }
}

/// Erases the mark of the beginning of an open run.
#[inline]
fn unmark_start(stamps: Stamps<'_>, start: usize, behind_published: bool) {
    if behind_published {
        // Published again, because a reader may find this stamp and not the first.
        stamps.publish(start - 1, Mark::Published);
    } else {
        stamps.clear(start);
    }
}

/// Ends a run that is used up, and takes another of at most `batch` slots. Empty when the arena is full.
///
/// # Safety
///
/// The first three are the parts of a view.
#[cold]
#[inline(never)]
unsafe fn refill<T>(
    header: &Header,
    stamps: &[Stamp],
    slots: NonNull<T>,
    used: Range<usize>,
    behind_published: bool,
    batch: usize,
) -> Range<usize> {
    // SAFETY: the parts of a view (the caller).
    let view = unsafe { ArenaRef::new(header, stamps, slots) };
    unmark(view.stamps(), used, behind_published);
    let run = view.take_for_handle(|start, left| {
        let len = batch.min(left / RUN_FRACTION).max(1);
        // Back to the last boundary before its end, unless that would leave nothing.
        let past_line =
            ((view.slot(start).addr() + len * size_of::<T>()) % CACHE_LINE).checked_div(size_of::<T>()).unwrap_or(0);
        if past_line < len { len - past_line } else { len }
    });
    match run {
        Some(run) => {
            view.stamps().open(run.clone());
            run
        }
        None => 0..0,
    }
}

impl<T> Drop for Local<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let (header, stamps, slots) = self.view.into_raw_parts();
        // SAFETY: the parts of our view.
        unsafe { close(header, stamps, slots, self.run.clone(), self.behind_published, self.next) };
    }
}

/// Ends the run, gives back its slots from `next` on, and the handle with it.
///
/// # Safety
///
/// The first three are the parts of a view.
#[cold]
#[inline(never)]
unsafe fn close<T>(
    header: &Header,
    stamps: &[Stamp],
    slots: NonNull<T>,
    run: Range<usize>,
    behind_published: bool,
    next: usize,
) {
    // SAFETY: the parts of a view (the caller).
    let view = unsafe { ArenaRef::new(header, stamps, slots) };
    unmark(view.stamps(), run.clone(), behind_published);
    // A value that panicked may have been under construction in place, in the first of them.
    view.give_back(next..run.end, run.end.min(next + 1));
    view.handle_closed();
}

impl<T> fmt::Debug for Local<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("unused", &(self.next..self.run.end)).finish_non_exhaustive()
    }
}
