//! A shared arena without the question where its bytes come from. (The exclusive one is in
//! `view_mut.rs`.)
//!
//! Handles and iterators hold a view, so that they need not name the storage. What turns a number
//! of a slot into memory is here and in the handles that own a run.

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

/// What an arena holds beside its stamps and slots.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) cursor: Cursor,
    pub(crate) mode: ShardMode,
    /// The first of `SHARDS` shards, where there are any.
    shards: Option<NonNull<Shard>>,
    /// The first word of the summary, where there is one. It has a word for each `BLOCK` slots.
    summary: Option<NonNull<AtomicUsize>>,
    pub(crate) clock: Clock,
}

// SAFETY: the shards and the summary belong to the header alone, as if they were in it, and consist
// of atomics.
unsafe impl Send for Header {}
// SAFETY: as above.
unsafe impl Sync for Header {}

impl Header {
    const_fn! {
        pub(crate) fn new() -> Self {
            Header { cursor: Cursor::new(), mode: ShardMode::new(), shards: None, summary: None, clock: Clock::new() }
        }
    }

    /// # Safety
    ///
    /// `shards`, if any, points to `SHARDS` shards, and `summary`, if any, to
    /// `capacity.div_ceil(BLOCK)` words for the capacity of the arena. Both are aligned and new
    /// (each word 0), stay in place, and are accessed through the header alone as long as a
    /// reference to the arena is made from it.
    #[cfg(any(feature = "alloc", not(all(test, loom))))]
    pub(crate) unsafe fn with_tail(shards: Option<NonNull<Shard>>, summary: Option<NonNull<AtomicUsize>>) -> Self {
        let mut header = Header { shards, summary, ..Self::new() };
        header.mode.deactivate(shards.is_some());
        header
    }

    #[inline]
    fn shard_slice(&self) -> &[Shard] {
        // SAFETY: there are as many (`with_tail`), and while we are borrowed no `&mut` of us
        // exists.
        self.shards.map_or(&[], |shards| unsafe { core::slice::from_raw_parts(shards.as_ptr(), SHARDS) })
    }

    /// What the algorithm knows of the arena. `slot_size` is in bytes.
    #[inline]
    fn metadata<'a>(&'a self, stamps: &'a [Stamp], slot_size: usize) -> Metadata<'a> {
        let (capacity, stamps) = (stamps.len(), Stamps::new(stamps, &self.clock));
        let summary = self.summary.map_or(&[][..], |words| {
            // SAFETY: there are as many (`with_tail`), and while we are borrowed no `&mut` of us
            // exists.
            unsafe { core::slice::from_raw_parts(words.as_ptr(), capacity.div_ceil(BLOCK)) }
        });
        Metadata {
            stamps,
            summary: Summary::new(summary, stamps.epoch()),
            shards: Shards::new(self.shard_slice(), &self.mode, capacity, slot_size),
        }
    }

    /// The same under exclusive access.
    #[inline]
    pub(crate) fn metadata_mut<'a>(&'a mut self, stamps: &'a mut [Stamp]) -> MetadataMut<'a> {
        let shards = match self.shards {
            // SAFETY: as in `shard_slice`, and we are borrowed exclusively.
            Some(shards) => unsafe { core::slice::from_raw_parts_mut(shards.as_ptr(), SHARDS) },
            None => &mut [],
        };
        let summary = match self.summary {
            // SAFETY: as in `metadata`, and we are borrowed exclusively.
            Some(words) => unsafe { core::slice::from_raw_parts_mut(words.as_ptr(), stamps.len().div_ceil(BLOCK)) },
            None => &mut [],
        };
        let (cursor, mode) = (&mut self.cursor, &mut self.mode);
        MetadataMut { cursor, stamps: StampsMut::new(stamps, &mut self.clock), summary, shards, mode }
    }

    /// What is remembered when the memory of the arena becomes new.
    pub(crate) fn history(&self) -> History {
        let history = self.clock.history;
        History { written: history.written.max(self.cursor.written()), ..history }
    }
}

/// A shared arena. As good as `&AtomicArena<T, S>`, for any `S`.
#[derive(Debug)]
pub struct ArenaRef<'a, T> {
    header: &'a Header,
    stamps: Stamps<'a>,
    /// The first of as many slots as there are stamps. They stay where they are for `'a`.
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
    /// For `'a`:
    /// - `slots` points to `stamps.len()` slots for `T`, valid for reads and writes, that do not
    ///   move, and that are accessed only through views of these same `header`, `stamps` and
    ///   `slots`;
    /// - a slot below the cursor holds a `T` as the invariants of the stamps say.
    #[inline]
    pub(crate) unsafe fn new(header: &'a Header, stamps: &'a [Stamp], slots: NonNull<T>) -> Self {
        ArenaRef { header, stamps: Stamps::new(stamps, &header.clock), slots, marker: PhantomData }
    }

    /// What [`new`](Self::new) was given. For a function that is not inlined: each part travels in
    /// a register, where the view itself would travel as a pointer, and tie whoever holds it to
    /// memory.
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

    /// What the algorithm knows of the arena.
    #[inline]
    pub(crate) fn metadata(self) -> Metadata<'a> {
        self.header.metadata(self.stamps.as_slice(), size_of::<T>())
    }

    /// Counts a handle that will have an open run, and may be leaked.
    #[inline]
    pub(crate) fn handle_opened(self) {
        self.cursor().handles().opened(self.header.shard_slice());
    }

    /// Uncounts a handle, which has no open run any more.
    #[inline]
    pub(crate) fn handle_closed(self) {
        self.cursor().handles().closed(self.header.shard_slice());
    }

    /// The number of handles that are open or were leaked.
    pub(crate) fn open_handles(self) -> usize {
        self.cursor().handles().sum(self.header.shard_slice())
    }

    /// A view of the first slots alone, to read from.
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

    /// Where the slot is. Making the pointer is harmless; who uses it must own the slot, or have
    /// seen it published.
    #[inline]
    pub(crate) fn slot(self, index: usize) -> *mut T {
        debug_assert!(index <= self.capacity());
        self.slots.as_ptr().wrapping_add(index)
    }

    /// Takes a slot to fill it.
    #[inline]
    pub(crate) fn take_one(self) -> Option<SlotGuard<'a, T>> {
        /// Not inlined, and given only what it needs. So the caller keeps little in registers.
        #[cold]
        #[inline(never)]
        fn take_slow(header: &Header, stamps: &[Stamp], slot_size: usize, word: Option<usize>) -> Option<usize> {
            header.cursor.take_slow(&header.metadata(stamps, slot_size), word)
        }

        let (header, stamps) = (self.header, self.stamps.as_slice());
        let index = match header.cursor.take_fast(stamps.len(), &header.mode, || header.shard_slice()) {
            FastPath::Taken(index) => index,
            FastPath::Sampled(index) => {
                if header.shards.is_some() {
                    header.cursor.detect_contention(&header.mode);
                }
                index
            }
            FastPath::Full => return None,
            FastPath::Slow(word) => take_slow(header, stamps, size_of::<T>(), word)?,
        };
        Some(SlotGuard { view: self, index })
    }

    /// Takes a run of `len` slots. The error is how many were left at the cursor.
    #[inline]
    pub(crate) fn take_run(self, len: usize) -> Result<Range<usize>, usize> {
        /// Not inlined, as in `take_one`.
        #[cold]
        #[inline(never)]
        fn take_slow(
            header: &Header,
            stamps: &[Stamp],
            slot_size: usize,
            len: usize,
            contended: bool,
        ) -> Result<Range<usize>, usize> {
            header.cursor.take_run_slow(&header.metadata(stamps, slot_size), len, contended)
        }

        let (header, stamps) = (self.header, self.stamps.as_slice());
        match len {
            0 => return Ok(stamps.len()..stamps.len()),
            1 => return self.take_one().map(|slot| slot.into_run()).ok_or(0),
            _ => {}
        }
        match header.cursor.take_run_fast(stamps.len(), &header.mode, || header.shard_slice(), len) {
            Ok(start) => Ok(start..start + len),
            Err(contended) => take_slow(header, stamps, size_of::<T>(), len, contended),
        }
    }

    /// Takes a run of `len` slots, or of fewer if no place has that many side by side. The run is
    /// empty if no slot is free.
    #[inline]
    pub(crate) fn take_up_to(self, len: usize) -> Range<usize> {
        let taken = if len == 0 { None } else { self.cursor().take_up_to(&self.metadata(), len) };
        taken.unwrap_or(self.capacity()..self.capacity())
    }

    /// Takes a run for a handle: from the cursor (see [`Cursor::advance`]), or else one slot from
    /// anywhere.
    #[inline]
    pub(crate) fn take_for_handle(self, want: impl Fn(usize, usize) -> usize) -> Option<Range<usize>> {
        let meta = self.metadata();
        self.cursor()
            .advance(&meta, want)
            .map_or_else(|refused| self.cursor().take_one_after(&meta, &refused).map(|index| index..index + 1), Some)
    }

    /// Returns a run that the caller owns, without stamps. Its slots below `written` may have been
    /// written to.
    #[inline]
    pub(crate) fn give_back(self, run: Range<usize>, written: usize) {
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

    /// Stores a value in a slot, and lends it out.
    ///
    /// # Safety
    ///
    /// The caller owns the slot, which holds no value, and passes on the only way to it, for `'a`.
    #[inline]
    pub(crate) unsafe fn fill(self, index: usize, value: T) -> &'a mut T {
        // SAFETY: ours alone (the caller). It is not handed out again before the epoch ends, which
        // takes `&mut` of the arena and so outlasts `'a`.
        unsafe { &mut *self.write(index, value) }
    }

    /// Stores a value in a slot, and lets everybody read it. `mark` is one of those that say so.
    ///
    /// # Safety
    ///
    /// The caller owns the slot, which holds no value. It has opened a run in this epoch, or notes
    /// that it stamps.
    #[inline]
    pub(crate) unsafe fn publish(self, index: usize, value: T, mark: Mark) -> &'a T {
        // SAFETY: the caller's.
        let slot = unsafe { self.write(index, value) };
        self.stamps().publish(index, mark);
        // SAFETY: nobody writes to a published value before the epoch ends, which takes `&mut` of
        // the arena and so outlasts `'a`. No `&mut` was made of it on the way: the next reader's
        // reference would end one.
        unsafe { &*slot }
    }

    /// # Safety
    ///
    /// The caller owns the slot, which holds no value.
    #[inline]
    unsafe fn write(self, index: usize, value: T) -> *mut T {
        self.stamps().track(index, AccessTracker::write);
        let slot = self.slot(index);
        // SAFETY: within the slots, and the caller's alone.
        unsafe { slot.write(value) };
        slot
    }

    /// The published value of the slot.
    #[inline]
    pub(crate) fn get(self, index: usize) -> Option<&'a T> {
        if !self.stamps().is_published(index) {
            return None;
        }
        self.stamps().track(index, AccessTracker::read);
        // SAFETY: a stamp was found, so `index` is below the capacity. The slot is published, so a
        // value was written before (E1), and nobody writes to it, moves it or drops it before the
        // epoch ends, which takes `&mut` of the arena and so outlasts `'a`.
        Some(unsafe { self.slots.add(index).as_ref() })
    }

    /// # Safety
    ///
    /// Every slot of `run` is published, or the caller owns it and it holds a value that nobody
    /// else refers to mutably for `'a`.
    #[inline]
    pub(crate) unsafe fn slice(self, run: Range<usize>) -> &'a [T] {
        // SAFETY: the slots hold values (the caller), are contiguous, and are in one allocation of
        // at most `isize::MAX` bytes (`ArenaRef::new`); they are not mutated for `'a` (the caller).
        unsafe { core::slice::from_raw_parts(self.slot(run.start), run.len()) }
    }

    /// # Safety
    ///
    /// The caller owns every slot of `run`, each holds a value, and the caller passes on the only
    /// way to them, for `'a`.
    #[inline]
    pub(crate) unsafe fn slice_mut(self, run: Range<usize>) -> &'a mut [T] {
        // SAFETY: as in `slice`, and nobody else refers to the values for `'a` (the caller).
        unsafe { core::slice::from_raw_parts_mut(self.slot(run.start), run.len()) }
    }
}

/// A slot that was taken and not yet filled. Dropped, it goes back, which answers a panic in the
/// code that was to make the value. Needs no mark: it never leaves the call that took it, so while
/// it lives nobody has `&mut`.
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
    fn into_run(self) -> Range<usize> {
        let index = self.index;
        mem::forget(self);
        index..index + 1
    }

    /// Stores the value, which then belongs to the caller.
    #[inline]
    pub(crate) fn fill(self, value: T) -> &'a mut T {
        let (view, index) = (self.view, self.index);
        mem::forget(self);
        // SAFETY: the slot was taken, so it is ours alone and holds no value; we pass on the only
        // way to it.
        unsafe { view.fill(index, value) }
    }

    /// Stores the value, and lets everybody read it.
    #[inline]
    pub(crate) fn publish(self, value: T) -> (usize, &'a T) {
        let (view, index) = (self.view, self.index);
        mem::forget(self);
        view.stamps().note_stamped();
        // SAFETY: the slot was taken, so it is ours alone and holds no value.
        (index, unsafe { view.publish(index, value, Mark::Published) })
    }
}

impl<T> Drop for SlotGuard<'_, T> {
    #[cold]
    fn drop(&mut self) {
        let run = self.index..self.index + 1;
        // The value may have been under construction in place.
        self.view.give_back(run.clone(), run.end);
    }
}
