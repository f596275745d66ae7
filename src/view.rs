//! An arena without the question where its bytes come from: shared in [`View`], exclusive in [`ViewMut`].
//!
//! Handles and iterators hold one of these, so that they need not name the storage. What turns a number of a slot
//! into memory is here and in the handles that own a run.

use core::marker::PhantomData;
use core::mem::{self, needs_drop};
use core::ops::Range;
use core::ptr::{self, NonNull};

use crate::cursor::Cursor;
use crate::stamp::{Clock, Epoch, Kind, Stamp, Stamps, StampsMut};
use crate::sync::{Trace, const_fn};

/// What an arena holds beside stamps and slots.
#[derive(Debug)]
pub(crate) struct Header {
    cursor: Cursor,
    clock: Clock,
}

impl Header {
    const_fn! {
        pub(crate) fn new() -> Self {
            Header { cursor: Cursor::new(), clock: Clock::new() }
        }
    }
}

/// A shared arena. As good as `&AtomicArena<T, S>`, for any `S`.
#[derive(Debug)]
pub struct View<'a, T> {
    header: &'a Header,
    stamps: Stamps<'a>,
    /// The first of as many slots as there are stamps. They stay where they are for `'a`.
    slots: NonNull<T>,
    marker: PhantomData<&'a T>,
}

impl<T> Clone for View<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T> View<'a, T> {
    /// # Safety
    ///
    /// For `'a`:
    /// - `slots` points to `stamps.len()` slots for `T`, valid for reads and writes, that do not move, and that are
    ///   accessed only through views of these same `header`, `stamps` and `slots`;
    /// - a slot below the cursor holds a `T` as the invariants of the stamps say.
    #[inline]
    pub(crate) unsafe fn new(header: &'a Header, stamps: &'a [Stamp], slots: NonNull<T>) -> Self {
        View { header, stamps: Stamps::new(stamps, &header.clock), slots, marker: PhantomData }
    }

    /// What [`new`](Self::new) was given. For a function that is not inlined: each part travels in a register, where the
    /// view itself would travel as a pointer, and tie whoever holds it to memory.
    #[inline]
    pub(crate) fn parts(self) -> (&'a Header, &'a [Stamp], NonNull<T>) {
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

    #[inline]
    pub(crate) fn capacity(self) -> usize {
        self.stamps.len()
    }

    #[inline]
    pub(crate) fn count(self) -> usize {
        self.cursor().count(self.stamps())
    }

    #[inline]
    pub(crate) fn remaining(self) -> usize {
        self.capacity() - self.count()
    }

    #[inline]
    pub(crate) fn bound(self) -> usize {
        self.cursor().bound(self.stamps())
    }

    /// Where the slot is. Making the pointer is harmless; who uses it must own the slot, or have seen it published.
    #[inline]
    pub(crate) fn slot(self, index: usize) -> *mut T {
        debug_assert!(index <= self.capacity());
        self.slots.as_ptr().wrapping_add(index)
    }

    /// Takes a slot to fill it.
    #[inline]
    pub(crate) fn take_one(self) -> Option<Slot<'a, T>> {
        let index = self.cursor().take_one(self.stamps())?;
        Some(Slot { view: self, index })
    }

    /// Takes `len` slots in one run; `Err` is how many were left.
    #[inline]
    pub(crate) fn take_run(self, len: usize) -> Result<Range<usize>, usize> {
        let end = self.capacity();
        match len {
            0 => Ok(end..end),
            1 => self.take_one().map(|slot| slot.into_run()).ok_or(0),
            _ => self.cursor().take_run(self.stamps(), |_, left| if len <= left { len } else { 0 }),
        }
    }

    /// Takes up to `len` slots in one run from the cursor, or else one vacant slot, or none.
    #[inline]
    pub(crate) fn take_up_to(self, len: impl Fn(usize, usize) -> usize) -> Option<Range<usize>> {
        (self.cursor().take_run(self.stamps(), len).ok())
            .or_else(|| self.cursor().claim_vacant(self.stamps()).map(|index| index..index + 1))
    }

    /// Stores a value in a slot, and lends it out.
    ///
    /// # Safety
    ///
    /// The caller owns the slot, which holds no value, and passes on the only way to it, for `'a`.
    #[inline]
    pub(crate) unsafe fn fill(self, index: usize, value: T) -> &'a mut T {
        // SAFETY: ours alone (the caller). It is not handed out again before the epoch ends, which takes `&mut` of the
        // arena and so outlasts `'a`.
        unsafe { &mut *self.write(index, value) }
    }

    /// Stores a value in a slot, and lets everybody read it. `kind` is one of those that say so.
    ///
    /// # Safety
    ///
    /// The caller owns the slot, which holds no value. It has opened a run in this epoch, or notes that it stamps.
    #[inline]
    pub(crate) unsafe fn publish(self, index: usize, value: T, kind: Kind) -> &'a T {
        // SAFETY: the caller's.
        let slot = unsafe { self.write(index, value) };
        self.stamps().publish(index, kind);
        // SAFETY: nobody writes to a published value before the epoch ends, which takes `&mut` of the arena and so
        // outlasts `'a`. No `&mut` was made of it on the way: the next reader's reference would end one.
        unsafe { &*slot }
    }

    /// # Safety
    ///
    /// The caller owns the slot, which holds no value.
    #[inline]
    unsafe fn write(self, index: usize, value: T) -> *mut T {
        self.stamps().trace(index, Trace::write);
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
        self.stamps().trace(index, Trace::read);
        // SAFETY: a stamp was found, so `index` is below the capacity. The slot is published, so a value was written
        // before (E1), and nobody writes to it, moves it or drops it before the epoch ends, which takes `&mut` of the
        // arena and so outlasts `'a`.
        Some(unsafe { self.slots.add(index).as_ref() })
    }

    /// # Safety
    ///
    /// Every slot of `run` is published, or the caller owns it and it holds a value that nobody else refers to
    /// mutably for `'a`.
    #[inline]
    pub(crate) unsafe fn slice(self, run: Range<usize>) -> &'a [T] {
        // SAFETY: the slots hold values (the caller), are contiguous, and are in one allocation of at most
        // `isize::MAX` bytes (`View::new`); they are not mutated for `'a` (the caller).
        unsafe { core::slice::from_raw_parts(self.slot(run.start), run.len()) }
    }

    /// # Safety
    ///
    /// The caller owns every slot of `run`, each holds a value, and the caller passes on the only way to them, for
    /// `'a`.
    #[inline]
    pub(crate) unsafe fn slice_mut(self, run: Range<usize>) -> &'a mut [T] {
        // SAFETY: as in `slice`, and nobody else refers to the values for `'a` (the caller).
        unsafe { core::slice::from_raw_parts_mut(self.slot(run.start), run.len()) }
    }
}

/// A slot that was taken and not yet filled. Dropped, it goes back, which answers a panic in the code that was to
/// make the value. Needs no mark: it never leaves the call that took it, so while it lives nobody has `&mut`.
pub(crate) struct Slot<'a, T> {
    view: View<'a, T>,
    index: usize,
}

impl<'a, T> Slot<'a, T> {
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
        // SAFETY: the slot was taken, so it is ours alone and holds no value; we pass on the only way to it.
        unsafe { view.fill(index, value) }
    }

    /// Stores the value, and lets everybody read it.
    #[inline]
    pub(crate) fn publish(self, value: T) -> (usize, &'a T) {
        let (view, index) = (self.view, self.index);
        mem::forget(self);
        view.stamps().note();
        // SAFETY: the slot was taken, so it is ours alone and holds no value.
        (index, unsafe { view.publish(index, value, Kind::Published) })
    }
}

impl<T> Drop for Slot<'_, T> {
    #[cold]
    fn drop(&mut self) {
        let run = self.index..self.index + 1;
        // The value may have been under construction in place.
        self.view.cursor().give_back(self.view.stamps(), run.clone(), run.end);
    }
}

/// An arena that nobody else can touch.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    pub(crate) cursor: &'a mut Cursor,
    pub(crate) stamps: StampsMut<'a>,
    slots: NonNull<T>,
    marker: PhantomData<&'a mut T>,
}

impl<'a, T> ViewMut<'a, T> {
    /// # Safety
    ///
    /// As for [`View::new`]; and for `'a` the slots are accessed through this view alone.
    #[inline]
    pub(crate) unsafe fn new(header: &'a mut Header, stamps: &'a mut [Stamp], slots: NonNull<T>) -> Self {
        ViewMut {
            cursor: &mut header.cursor,
            stamps: StampsMut::new(stamps, &mut header.clock),
            slots,
            marker: PhantomData,
        }
    }

    /// Where the slot is.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> *mut T {
        debug_assert!(index <= self.stamps.len());
        self.slots.as_ptr().wrapping_add(index)
    }

    #[inline]
    pub(crate) fn settle(&mut self) {
        self.cursor.settle(&mut self.stamps);
    }

    /// The slots that hold a value. Leaked runs are settled first.
    pub(crate) fn live(&mut self) -> Live {
        self.settle();
        Live { slots: 0..self.cursor.next_mut(), vacant: self.cursor.vacant_mut(), epoch: self.stamps.epoch() }
    }

    /// Begins a new epoch, in which the arena is empty. What the slots hold is forgotten, not dropped.
    pub(crate) fn restart(&mut self) {
        self.stamps.end_epoch(self.cursor.next_mut());
        self.cursor.restart();
    }

    /// Begins a new epoch, in which the arena is empty, and returns the slots that held a value in the old one, which
    /// are the caller's to drop or to move out before anything is stored.
    pub(crate) fn take(&mut self) -> Live {
        let live = self.live();
        let epoch = self.stamps.end_epoch(live.slots.end);
        self.cursor.restart();
        Live { epoch, ..live }
    }

    /// Fills every free slot with what `f` makes of its index. The arena must be settled.
    #[inline]
    pub(crate) fn fill(&mut self, mut f: impl FnMut(usize) -> T) {
        /// Keeps the cursor in a register while the loop runs, and stores it even when `f` panics.
        struct Filled<'c> {
            next: usize,
            cursor: &'c mut Cursor,
        }

        impl Drop for Filled<'_> {
            #[inline]
            fn drop(&mut self) {
                self.cursor.raise_mut(self.next);
            }
        }

        let (next, end) = (self.cursor.next_mut(), self.stamps.len());
        if self.cursor.vacant_mut() != 0 {
            for index in 0..next {
                if self.stamps.kind(index) == Some(Kind::Vacant) {
                    let value = f(index);
                    // SAFETY: the slot is vacant, so it holds no value, and it is ours as the arena is.
                    unsafe { self.slot(index).write(value) };
                    self.stamps.erase(index);
                    self.cursor.uncount_vacant_mut();
                }
            }
        }
        let slots = self.slot(0);
        let mut filled = Filled { next, cursor: self.cursor };
        while filled.next < end {
            let value = f(filled.next);
            // SAFETY: above the cursor and below the end: the slot holds no value, and is ours as the arena is.
            unsafe { slots.add(filled.next).write(value) };
            filled.next += 1;
        }
    }

    /// Moves the values down over the vacant slots, and begins a new epoch, in which all of them are owned.
    ///
    /// Runs no foreign code: values are moved, not dropped.
    pub(crate) fn compact(&mut self) {
        self.settle();
        let end = self.cursor.next_mut();
        let mut filled = end;
        if self.cursor.vacant_mut() != 0 {
            filled = 0;
            let mut next = 0;
            while next < end {
                let run = next..self.next_vacant(next, end);
                if filled != run.start {
                    // SAFETY: the slots of the run hold values, and `run.len()` slots from `filled` on do not, or are
                    // of the run itself: all below them were moved further down, or are vacant. All are ours as the
                    // arena is, and the values that stay behind above `filled` are not looked at again: the new epoch
                    // begins below them.
                    unsafe { ptr::copy(self.slot(run.start), self.slot(filled), run.len()) };
                }
                filled += run.len();
                next = run.end + 1;
            }
        }
        self.restart();
        self.cursor.raise_mut(filled);
    }

    /// The first vacant slot at or above `index`, or `end`.
    fn next_vacant(&mut self, index: usize, end: usize) -> usize {
        (index..end).find(|&index| self.stamps.kind(index) == Some(Kind::Vacant)).unwrap_or(end)
    }

    /// The slots below the cursor.
    ///
    /// # Safety
    ///
    /// Each of them holds a value.
    #[inline]
    pub(crate) unsafe fn into_slice(self) -> &'a mut [T] {
        // SAFETY: the slots hold values (the caller), are contiguous, are in one allocation of at most `isize::MAX`
        // bytes, and nobody else can touch them for `'a` (`ViewMut::new`).
        unsafe { core::slice::from_raw_parts_mut(self.slot(0), self.cursor.next_mut()) }
    }

    /// Zeroes every byte of a slot that was written since the last time, with writes that no compiler may leave out.
    pub(crate) fn zero(&mut self) {
        let bytes = self.cursor.take_written() * size_of::<T>();
        let slots = self.slots.as_ptr().cast::<u8>();
        let head = slots.align_offset(align_of::<usize>()).min(bytes);
        let words = (bytes - head) / size_of::<usize>();
        let tail = head + words * size_of::<usize>();
        for byte in (0..head).chain(tail..bytes) {
            // SAFETY: within the slots that were written, which are nobody's now: the arena is empty and ours alone.
            unsafe { slots.add(byte).write_volatile(0) };
        }
        for word in 0..words {
            // SAFETY: as above; aligned, since `head` is the offset to the first aligned address.
            unsafe { slots.add(head).cast::<usize>().add(word).write_volatile(0) };
        }
    }
}

/// The slots of an epoch that hold a value, and that were not yet gone through. Their stamps say which do; the count of
/// the vacant ones only tells how many values are left.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    slots: Range<usize>,
    /// How many of them are vacant.
    vacant: usize,
    epoch: Epoch,
}

impl Live {
    #[inline]
    pub(crate) fn next<T>(&mut self, view: &mut ViewMut<'_, T>) -> Option<usize> {
        loop {
            let index = self.slots.next()?;
            if self.holds(view, index) {
                return Some(index);
            }
        }
    }

    #[inline]
    pub(crate) fn next_back<T>(&mut self, view: &mut ViewMut<'_, T>) -> Option<usize> {
        loop {
            let index = self.slots.next_back()?;
            if self.holds(view, index) {
                return Some(index);
            }
        }
    }

    #[inline]
    fn holds<T>(&mut self, view: &mut ViewMut<'_, T>, index: usize) -> bool {
        let vacant = view.stamps.kind_in(self.epoch, index) == Some(Kind::Vacant);
        self.vacant -= usize::from(vacant);
        !vacant
    }

    /// How many values are left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant
    }

    /// Drops the values that are left. If one panics the others are dropped all the same; a second panic aborts.
    ///
    /// # Safety
    ///
    /// The slots are the caller's (see [`ViewMut::take`]).
    pub(crate) unsafe fn drop_rest<T>(&mut self, view: &mut ViewMut<'_, T>) {
        /// Goes on where a panic stopped. Each slot is gone from `Live` before its value is dropped.
        struct Rest<'r, 'a, T>(&'r mut Live, &'r mut ViewMut<'a, T>);

        impl<T> Rest<'_, '_, T> {
            fn run(&mut self) {
                while let Some(index) = self.0.next(self.1) {
                    // SAFETY: the slot holds a value, which is ours, and is never looked at again.
                    unsafe { ptr::drop_in_place(self.1.slot(index)) };
                }
            }
        }

        impl<T> Drop for Rest<'_, '_, T> {
            fn drop(&mut self) {
                self.run();
            }
        }

        if needs_drop::<T>() {
            Rest(self, view).run();
        }
    }
}
