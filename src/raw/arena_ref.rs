//! A shared arena in any kind of memory. (`arena_mut.rs` is its exclusive counterpart.)
//!
//! Handles and shared iterators hold an [`ArenaRef`], so they need not name the storage. Only this
//! file and `arena_mut.rs` turn the index of a slot into an address.

use core::hint;
use core::marker::PhantomData;
use core::mem;
use core::ops::Range;
use core::ptr::NonNull;

use crate::raw::clock::{Clock, History};
use crate::raw::cursor::{Cursor, FastPath};
use crate::raw::epoch::Mark;
#[cfg(target_has_atomic = "64")]
use crate::raw::generation::Generation;
use crate::raw::metadata::Metadata;
use crate::raw::settle::MetadataMut;
use crate::raw::shards::{SHARDS, Shard, ShardMode, Shards};
use crate::raw::stamps::{Stamp, Stamps, StampsMut};
use crate::raw::summary::{BLOCK, Summary};
use crate::raw::sync::{AccessTracker, AtomicUsize, const_fn};

/// The state of an arena, except its stamps and slots.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) cursor: Cursor,
    pub(crate) mode: ShardMode,
    /// The first of `SHARDS` shards, if the arena has any.
    shards: Option<NonNull<Shard>>,
    /// The first word of the summary, if the arena has a summary. There is one word per block of
    /// `BLOCK` slots.
    summary: Option<NonNull<AtomicUsize>>,
    pub(crate) clock: Clock,
}

// SAFETY: the shards and the summary consist of atomics, and belong to the header alone, as if they
// were fields. All other fields are `Send` and `Sync`.
unsafe impl Send for Header {}
// SAFETY: as for `Send`. Atomics may be shared.
unsafe impl Sync for Header {}

impl Header {
    const_fn! {
        pub(crate) fn new() -> Self {
            Header { cursor: Cursor::new(), mode: ShardMode::new(), shards: None, summary: None, clock: Clock::new() }
        }
    }

    /// Creates the header of an arena with shards, with a summary, or with both.
    ///
    /// # Safety
    ///
    /// - `shards`, if any, points to `SHARDS` shards.
    /// - `summary`, if any, points to `capacity.div_ceil(BLOCK)` words, where `capacity` is that of
    ///   the arena.
    /// - The shards and the summary are aligned, and all their words are 0.
    /// - While the header is used, both stay in place and are accessed only through the header.
    #[cfg(any(feature = "alloc", not(all(test, loom))))]
    pub(crate) unsafe fn with_tail(shards: Option<NonNull<Shard>>, summary: Option<NonNull<AtomicUsize>>) -> Self {
        let mut header = Header { shards, summary, ..Self::new() };
        header.mode.deactivate(shards.is_some());
        header
    }

    /// Checks for contention. Does nothing in an arena without shards.
    #[cold]
    #[inline(never)]
    fn detect_contention(&self) {
        if self.shards.is_some() {
            self.cursor.detect_contention(&self.mode);
        }
    }

    #[inline]
    fn shard_slice(&self) -> &[Shard] {
        // SAFETY: `shards` points to `SHARDS` shards (`with_tail`). A `&mut` to a shard requires a
        // `&mut` borrow of the header, which cannot exist while the header is shared.
        self.shards.map_or(&[], |shards| unsafe { core::slice::from_raw_parts(shards.as_ptr(), SHARDS) })
    }

    /// Returns the metadata of the arena. `slot_size` is in bytes.
    #[inline]
    fn metadata<'a>(&'a self, stamps: &'a [Stamp], slot_size: usize) -> Metadata<'a> {
        let (capacity, stamps) = (stamps.len(), Stamps::new(stamps, &self.clock));
        let summary = self.summary.map_or(&[][..], |words| {
            // SAFETY: `words` points to `capacity.div_ceil(BLOCK)` words (`with_tail`). A `&mut` to
            // a word requires a `&mut` borrow of the header, which cannot exist while the header is
            // shared.
            unsafe { core::slice::from_raw_parts(words.as_ptr(), capacity.div_ceil(BLOCK)) }
        });
        Metadata {
            stamps,
            summary: Summary::new(summary, stamps.epoch()),
            shards: Shards::new(self.shard_slice(), &self.mode, capacity, slot_size),
        }
    }

    /// Returns the metadata of the arena for exclusive access.
    #[inline]
    pub(crate) fn metadata_mut<'a>(&'a mut self, stamps: &'a mut [Stamp]) -> MetadataMut<'a> {
        let shards = match self.shards {
            // SAFETY: `shards` points to `SHARDS` shards (`with_tail`). The header is borrowed
            // exclusively, so no other reference to them exists.
            Some(shards) => unsafe { core::slice::from_raw_parts_mut(shards.as_ptr(), SHARDS) },
            None => &mut [],
        };
        let summary = match self.summary {
            // SAFETY: `words` points to one word per block (`with_tail`). The header is borrowed
            // exclusively, so no other reference to them exists.
            Some(words) => unsafe { core::slice::from_raw_parts_mut(words.as_ptr(), stamps.len().div_ceil(BLOCK)) },
            None => &mut [],
        };
        let (cursor, mode) = (&mut self.cursor, &mut self.mode);
        MetadataMut { cursor, stamps: StampsMut::new(stamps, &mut self.clock), summary, shards, mode }
    }

    /// Returns the statistics on earlier epochs, updated by the bound on written slots that the
    /// cursor keeps. If the memory of the arena is replaced, they are copied to the new header.
    pub(crate) fn history(&self) -> History {
        let history = self.clock.history;
        History { written: history.written.max(self.cursor.written()), ..history }
    }
}

/// A reference to a shared arena, for any storage. Equivalent to `&AtomicArena<T, S>` for any `S`.
#[derive(Debug)]
pub struct ArenaRef<'a, T> {
    header: &'a Header,
    stamps: Stamps<'a>,
    /// The first slot. There is one slot for each stamp. The slots do not move during `'a`.
    slots: NonNull<T>,
    marker: PhantomData<&'a T>,
}

impl<T> Clone for ArenaRef<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ArenaRef<'_, T> {}

impl<'a, T> ArenaRef<'a, T> {
    /// # Safety
    ///
    /// During `'a`:
    ///
    /// - `slots` points to `stamps.len()` slots for `T` in one allocation. They are valid for reads
    ///   and writes and do not move.
    /// - The slots are accessed only through an `ArenaRef` or `ArenaMut` of the same `header`,
    ///   `stamps` and `slots`, and through references that these return.
    /// - Each published slot holds a `T`. Under exclusive access, so does each slot below the
    ///   cursor that is not vacant, not in an open run, and not in a shard.
    #[inline]
    pub(crate) unsafe fn new(header: &'a Header, stamps: &'a [Stamp], slots: NonNull<T>) -> Self {
        ArenaRef { header, stamps: Stamps::new(stamps, &header.clock), slots, marker: PhantomData }
    }

    /// Returns the arguments of [`new`](Self::new), for calls of functions that are not inlined.
    /// The parts are passed in registers. An `ArenaRef` would be passed as a pointer, which would
    /// force the caller to keep the `ArenaRef` in memory.
    #[inline]
    pub(crate) fn into_raw_parts(self) -> (&'a Header, &'a [Stamp], NonNull<T>) {
        (self.header, self.stamps.as_slice(), self.slots)
    }

    #[inline]
    pub(crate) fn cursor(self) -> &'a Cursor {
        &self.header.cursor
    }

    #[inline]
    pub(crate) fn stamps(self) -> Stamps<'a> {
        self.stamps
    }

    #[cfg(target_has_atomic = "64")]
    #[inline]
    pub(crate) fn generation(self) -> &'a Generation {
        &self.header.clock.generation
    }

    pub(crate) fn history(self) -> History {
        self.header.history()
    }

    /// Returns the metadata of the arena.
    #[inline]
    pub(crate) fn metadata(self) -> Metadata<'a> {
        self.header.metadata(self.stamps.as_slice(), size_of::<T>())
    }

    /// Counts a handle that will have an open run and may be leaked.
    #[inline]
    pub(crate) fn handle_opened(self) {
        self.cursor().handles().opened(self.header.shard_slice());
    }

    /// Counts a handle that was split off an open handle.
    #[inline]
    pub(crate) fn handle_split(self) {
        self.cursor().handles().split(self.header.shard_slice());
    }

    /// Subtracts one from the count, for a handle that ends or no longer has an open run.
    #[inline]
    pub(crate) fn handle_closed(self) {
        self.cursor().handles().closed(self.header.shard_slice());
    }

    /// Returns the number of handles that are open or were leaked.
    pub(crate) fn open_handles(self) -> usize {
        self.cursor().handles().sum(self.header.shard_slice())
    }

    /// Returns the arena without the slots at or above `bound`, for reading only.
    #[inline]
    pub(crate) fn up_to(self, bound: usize) -> Self {
        ArenaRef { stamps: self.stamps.up_to(bound), ..self }
    }

    #[inline]
    pub(crate) fn capacity(self) -> usize {
        self.stamps.len()
    }

    #[inline]
    pub(crate) fn count(self) -> usize {
        self.cursor().count(&self.metadata())
    }

    #[inline]
    pub(crate) fn is_full(self) -> bool {
        self.cursor().is_full(&self.metadata())
    }

    #[inline]
    pub(crate) fn remaining(self) -> usize {
        self.capacity() - self.count()
    }

    #[inline]
    pub(crate) fn bound(self) -> usize {
        self.cursor().bound(&self.metadata())
    }

    /// Tells the compiler that a run lies within the arena. The compiler can then omit the bounds
    /// checks of its stamps.
    ///
    /// # Safety
    ///
    /// `run.start <= run.end`, and `run.end` is at most [`capacity`](Self::capacity).
    #[inline(always)]
    pub(crate) unsafe fn assert_in_bounds(self, run: &Range<usize>) {
        // SAFETY: the caller guarantees it.
        unsafe { hint::assert_unchecked(run.start <= run.end && run.end <= self.capacity()) };
    }

    /// Returns the address of the slot. Code that dereferences it must own the slot, or must have
    /// seen that the slot is published.
    #[inline]
    pub(crate) fn slot(self, index: usize) -> *mut T {
        debug_assert!(index <= self.capacity());
        self.slots.as_ptr().wrapping_add(index)
    }

    /// Takes one slot, which the caller fills.
    #[inline]
    pub(crate) fn take_one(self) -> Option<SlotGuard<'a, T>> {
        /// Not inlined, and with few parameters, so that the fast path needs few registers.
        #[cold]
        #[inline(never)]
        fn take_slow(header: &Header, stamps: &[Stamp], slot_size: usize, word: Option<usize>) -> Option<usize> {
            let vacant = header.cursor.take_vacant(&header.metadata(stamps, slot_size), word);
            // The metadata is created again, so that it need not be kept in memory during the first
            // call.
            vacant.or_else(|| header.cursor.take_slow(&header.metadata(stamps, slot_size), word))
        }

        let (header, stamps) = (self.header, self.stamps.as_slice());
        let index = match header.cursor.take_fast(stamps.len(), &header.mode, || header.shard_slice()) {
            FastPath::Taken(index) => index,
            FastPath::Sampled(index) => {
                header.detect_contention();
                index
            }
            FastPath::Full => return None,
            FastPath::Slow(word) => take_slow(header, stamps, size_of::<T>(), word)?,
        };
        Some(SlotGuard { view: self, index })
    }

    /// Takes a run of `len` slots and returns the first slot, or the capacity if `len` is 0. The
    /// error is the number of slots left at the cursor.
    #[inline(always)]
    pub(crate) fn take_run(self, len: usize) -> Result<usize, usize> {
        /// Not inlined, as in `take_one`.
        #[cold]
        #[inline(never)]
        fn take_slow(
            header: &Header,
            stamps: &[Stamp],
            slot_size: usize,
            len: usize,
            contended: bool,
        ) -> Result<usize, usize> {
            header.cursor.take_run_slow(&header.metadata(stamps, slot_size), len, contended)
        }

        let (header, stamps) = (self.header, self.stamps.as_slice());
        match len {
            0 => return Ok(stamps.len()),
            1 => return self.take_one().map(|slot| slot.into_index()).ok_or(0),
            _ => {}
        }
        let fast = header.cursor.take_run_fast(stamps.len(), &header.mode, || header.shard_slice(), len);
        fast.or_else(|contended| take_slow(header, stamps, size_of::<T>(), len, contended))
    }

    /// Takes a run of `len` slots, or of fewer if no such run is free (see [`Cursor::take_up_to`]).
    /// The run is empty if no slot is free.
    #[inline(always)]
    pub(crate) fn take_up_to(self, len: usize) -> Range<usize> {
        /// Not inlined, as in `take_one`.
        #[cold]
        #[inline(never)]
        fn take_slow(header: &Header, stamps: &[Stamp], slot_size: usize, len: usize, contended: bool) -> Range<usize> {
            let taken = header.cursor.take_up_to(&header.metadata(stamps, slot_size), len, contended);
            taken.unwrap_or(stamps.len()..stamps.len())
        }

        let (header, stamps) = (self.header, self.stamps.as_slice());
        if len < 2 {
            return self.take_run(len).map_or(stamps.len()..stamps.len(), |start| start..start + len);
        }
        match header.cursor.take_run_fast(stamps.len(), &header.mode, || header.shard_slice(), len) {
            Ok(start) => start..start + len,
            Err(contended) => take_slow(header, stamps, size_of::<T>(), len, contended),
        }
    }

    /// Extends a run of the caller in place (see [`Cursor::extend_run`]).
    #[inline]
    pub(crate) fn extend_run(self, end: usize, growth: impl FnOnce(usize) -> usize) -> Option<usize> {
        self.cursor().extend_run(&self.metadata(), end, growth)
    }

    /// Takes a run for a handle from the cursor (see [`Cursor::advance`]).
    #[inline]
    pub(crate) fn take_fresh_run(self, want: impl Fn(usize, usize) -> usize) -> Option<Range<usize>> {
        self.cursor().advance(&self.metadata(), want).ok()
    }

    /// Records that slots below `bound` may have been written to. Called for slots that stay in the
    /// run of a handle after user code has failed to fill them.
    #[inline]
    pub(crate) fn note_written(self, bound: usize) {
        self.cursor().note_written(0, bound);
    }

    /// Returns a run to the arena. The caller owns the run, and its slots have no marks. Only slots
    /// below `written` may have been written to.
    #[inline]
    pub(crate) fn return_run(self, run: Range<usize>, written: usize) {
        /// Not inlined, as in `take_one`.
        #[cold]
        #[inline(never)]
        fn return_slow(header: &Header, stamps: &[Stamp], slot_size: usize, run: Range<usize>) {
            header.cursor.return_slow(&header.metadata(stamps, slot_size), run);
        }

        let header = self.header;
        if run.is_empty() {
            return;
        }
        header.cursor.note_written(run.start, written);
        if !header.cursor.return_fast(&header.mode, || header.shard_slice(), &run) {
            return_slow(header, self.stamps.as_slice(), size_of::<T>(), run);
        }
    }

    /// Activates shards as if contention had been detected.
    #[cfg(all(test, loom))]
    pub(crate) fn activate_shards(self) {
        self.cursor().activate_shards(&self.metadata().shards);
    }

    /// Stores a value in a slot and returns a mutable reference to it.
    ///
    /// # Safety
    ///
    /// The caller must own the slot, which must hold no value. During `'a` the slot is then
    /// accessed only through the returned reference.
    #[inline]
    pub(crate) unsafe fn fill(self, index: usize, value: T) -> &'a mut T {
        // SAFETY: the caller owns the slot, which holds no value before and holds one afterwards.
        // The caller accesses the slot only through this reference. The slot is not handed out
        // again without a `&mut` borrow of the arena, which cannot exist during `'a`.
        unsafe { &mut *self.write(index, value) }
    }

    /// Stores a value in a slot and publishes it. `mark` is `Published` or `PublishedBeforeRun`.
    ///
    /// # Safety
    ///
    /// The caller must own the slot, which must hold no value. The caller must also have opened a
    /// run in this epoch, or have called [`Stamps::note_stamped`].
    #[inline]
    pub(crate) unsafe fn publish(self, index: usize, value: T, mark: Mark) -> &'a T {
        // SAFETY: the caller owns the slot, which holds no value.
        let slot = unsafe { self.write(index, value) };
        self.stamps().publish(index, mark);
        // SAFETY: the slot holds a value. No thread writes to a published value before the epoch
        // ends, except under exclusive access. That access and the end of the epoch both require a
        // `&mut` borrow of the arena, which cannot exist during `'a`. The pointer is not derived
        // from a `&mut T`, so a reference that another thread creates does not invalidate it.
        unsafe { &*slot }
    }

    /// Stores a value in a slot and returns its address.
    ///
    /// # Safety
    ///
    /// The caller must own the slot, which must hold no value.
    #[inline]
    unsafe fn write(self, index: usize, value: T) -> *mut T {
        self.stamps().track(index, AccessTracker::write);
        let slot = self.slot(index);
        // SAFETY: the caller owns the slot, so it is below the capacity and thus valid for writes
        // (`new`), and no other thread accesses it.
        unsafe { slot.write(value) };
        slot
    }

    /// Returns the published value of the slot, if there is one.
    #[inline]
    pub(crate) fn get(self, index: usize) -> Option<&'a T> {
        if !self.stamps().is_published(index) {
            return None;
        }
        self.stamps().track(index, AccessTracker::read);
        // SAFETY: the slot has a stamp, so `index` is below the capacity. The slot is published, so
        // writing its value happened before (E1). No thread writes to, moves or drops the value
        // without a `&mut` borrow of the arena, which cannot exist during `'a`.
        Some(unsafe { self.slots.add(index).as_ref() })
    }

    /// Returns the values of a run as a slice.
    ///
    /// # Safety
    ///
    /// Every slot of `run` is published, or the caller owns it and it holds a value to which no
    /// mutable reference exists during `'a`.
    #[inline]
    pub(crate) unsafe fn slice(self, run: Range<usize>) -> &'a [T] {
        // SAFETY: the caller guarantees that the slots hold values that are not mutated during
        // `'a`. The slots are contiguous and in one allocation (`ArenaRef::new`), so they take at
        // most `isize::MAX` bytes.
        unsafe { core::slice::from_raw_parts(self.slot(run.start), run.len()) }
    }

    /// Returns the values of a run as a mutable slice.
    ///
    /// # Safety
    ///
    /// The caller owns every slot of `run`, and each holds a value. During `'a` the slots are then
    /// accessed only through the returned slice.
    #[inline]
    pub(crate) unsafe fn slice_mut(self, run: Range<usize>) -> &'a mut [T] {
        // SAFETY: the caller guarantees that the slots hold values, and accesses them only through
        // this slice during `'a`. The slots are contiguous and in one allocation (`ArenaRef::new`),
        // so they take at most `isize::MAX` bytes.
        unsafe { core::slice::from_raw_parts_mut(self.slot(run.start), run.len()) }
    }
}

/// A slot that was taken but not yet filled.
///
/// If the code that creates the value panics, dropping the guard returns the slot. The slot needs
/// no run mark, because the guard never leaves the call that took the slot, and no thread has
/// exclusive access during that call.
pub(crate) struct SlotGuard<'a, T> {
    view: ArenaRef<'a, T>,
    index: usize,
}

impl<'a, T> SlotGuard<'a, T> {
    #[inline]
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    #[inline]
    fn into_index(self) -> usize {
        let index = self.index;
        mem::forget(self);
        index
    }

    /// Stores the value and returns a mutable reference to it.
    #[inline]
    pub(crate) fn fill(self, value: T) -> &'a mut T {
        let (view, index) = (self.view, self.index);
        mem::forget(self);
        // SAFETY: the guard owned the slot, which holds no value. The guard is forgotten, so the
        // slot is accessed only through the returned reference.
        unsafe { view.fill(index, value) }
    }

    /// Stores the value, publishes it, and returns its index and a reference to it.
    #[inline]
    pub(crate) fn publish(self, value: T) -> (usize, &'a T) {
        let (view, index) = (self.view, self.index);
        mem::forget(self);
        view.stamps().note_stamped();
        // SAFETY: the guard owned the slot, which holds no value. `note_stamped` was called above.
        (index, unsafe { view.publish(index, value, Mark::Published) })
    }
}

impl<T> Drop for SlotGuard<'_, T> {
    #[cold]
    fn drop(&mut self) {
        let run = self.index..self.index + 1;
        // The value may be partly written, because the compiler may construct it in place.
        self.view.return_run(run.clone(), run.end);
    }
}
