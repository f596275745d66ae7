//! An arena that nobody else can touch, without the question where its bytes come from.

use core::marker::PhantomData;
use core::mem::needs_drop;
use core::ops::Range;
use core::ptr::{self, NonNull};

use crate::raw::arena_ref::Header;
use crate::raw::epoch::{Epoch, Mark};
use crate::raw::settle::MetadataMut;
use crate::raw::stamps::Stamp;

/// An arena that nobody else can touch.
#[derive(Debug)]
pub struct ArenaMut<'a, T> {
    pub(crate) meta: MetadataMut<'a>,
    slots: NonNull<T>,
    marker: PhantomData<&'a mut T>,
}

impl<'a, T> ArenaMut<'a, T> {
    /// # Safety
    ///
    /// As for [`ArenaRef::new`](crate::raw::arena_ref::ArenaRef::new); and for `'a` the slots are
    /// accessed through this view alone.
    #[inline]
    pub(crate) unsafe fn new(header: &'a mut Header, stamps: &'a mut [Stamp], slots: NonNull<T>) -> Self {
        ArenaMut { meta: header.metadata_mut(stamps), slots, marker: PhantomData }
    }

    /// Where the slot is.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> *mut T {
        debug_assert!(index <= self.meta.capacity());
        self.slots.as_ptr().wrapping_add(index)
    }

    /// The end of what was handed out.
    #[inline]
    pub(crate) fn bound(&mut self) -> usize {
        self.meta.bound()
    }

    #[inline]
    pub(crate) fn settle(&mut self) {
        self.meta.settle();
    }

    /// Whether the slot holds a value. The arena must be settled.
    #[inline]
    pub(crate) fn holds(&mut self, index: usize) -> bool {
        index < self.bound() && self.meta.stamps.mark_of(index) != Some(Mark::Vacant)
    }

    /// The slots that hold a value. Leaked runs are settled first.
    pub(crate) fn live(&mut self) -> Live {
        self.settle();
        Live { slots: 0..self.bound(), vacant: self.meta.vacant(), epoch: self.meta.stamps.epoch() }
    }

    /// Begins a new epoch, in which the arena is empty, and returns the old one. What the slots
    /// hold is forgotten, not dropped.
    pub(crate) fn restart(&mut self) -> Epoch {
        self.meta.restart()
    }

    /// Begins a new epoch, in which the arena is empty, and returns the slots that held a value in
    /// the old one, which are the caller's to drop or to move out before anything is stored.
    pub(crate) fn take(&mut self) -> Live {
        let live = self.live();
        Live { epoch: self.restart(), ..live }
    }

    /// Fills every free slot with what `f` makes of its index. The arena must be settled.
    #[inline]
    pub(crate) fn fill(&mut self, mut f: impl FnMut(usize) -> T) {
        /// Keeps the cursor in a register while the loop runs, and stores it even when `f` panics.
        struct Filled<'f, 'a> {
            next: usize,
            meta: &'f mut MetadataMut<'a>,
        }

        impl Drop for Filled<'_, '_> {
            #[inline]
            fn drop(&mut self) {
                self.meta.move_cursor(self.next);
            }
        }

        let (next, end) = (self.bound(), self.meta.capacity());
        if self.meta.has_vacant() {
            for index in 0..next {
                if self.meta.stamps.mark_of(index) == Some(Mark::Vacant) {
                    let value = f(index);
                    // SAFETY: the slot is vacant, so it holds no value, and it is ours as the arena
                    // is.
                    unsafe { self.slot(index).write(value) };
                    self.meta.occupy(index..index + 1);
                }
            }
        }
        let slots = self.slot(0);
        let mut filled = Filled { next, meta: &mut self.meta };
        while filled.next < end {
            let value = f(filled.next);
            // SAFETY: above the cursor and below the end: the slot holds no value, and is ours as
            // the arena is.
            unsafe { slots.add(filled.next).write(value) };
            filled.next += 1;
        }
    }

    /// Moves the values down over the vacant slots, and begins a new epoch, in which all of them
    /// are owned.
    ///
    /// RunState no foreign code: values are moved, not dropped.
    pub(crate) fn compact(&mut self) {
        self.settle();
        let end = self.bound();
        let mut filled = end;
        if self.meta.has_vacant() {
            filled = 0;
            let mut next = 0;
            while next < end {
                let run = next..self.next_vacant(next, end);
                if filled != run.start {
                    // SAFETY: the slots of the run hold values, and `run.len()` slots from `filled`
                    // on do not, or are of the run itself: all below them were moved further down,
                    // or are vacant. All are ours as the arena is, and the values that stay behind
                    // above `filled` are not looked at again: the new epoch begins below them.
                    unsafe { ptr::copy(self.slot(run.start), self.slot(filled), run.len()) };
                }
                filled += run.len();
                next = run.end + 1;
            }
        }
        self.restart();
        self.meta.move_cursor(filled);
    }

    /// The first vacant slot at or above `index`, or `end`.
    fn next_vacant(&mut self, index: usize, end: usize) -> usize {
        (index..end).find(|&index| self.meta.stamps.mark_of(index) == Some(Mark::Vacant)).unwrap_or(end)
    }

    /// The slots below the cursor.
    ///
    /// # Safety
    ///
    /// Each of them holds a value.
    #[inline]
    pub(crate) unsafe fn into_slice(mut self) -> &'a mut [T] {
        // SAFETY: the slots hold values (the caller), are contiguous, are in one allocation of at
        // most `isize::MAX` bytes, and nobody else can touch them for `'a` (`ArenaMut::new`).
        unsafe { core::slice::from_raw_parts_mut(self.slot(0), self.bound()) }
    }

    /// Zeroes every byte of a slot that was written since the last time, with writes that no
    /// compiler may leave out.
    pub(crate) fn zero(&mut self) {
        let written = self.meta.take_written();
        self.meta.stamps.remember_written(written);
        let bytes = written * size_of::<T>();
        let slots = self.slots.as_ptr().cast::<u8>();
        let head = slots.align_offset(align_of::<usize>()).min(bytes);
        let words = (bytes - head) / size_of::<usize>();
        let tail = head + words * size_of::<usize>();
        for byte in (0..head).chain(tail..bytes) {
            // SAFETY: within the slots that were written, which are nobody's now: the arena is
            // empty and ours alone.
            unsafe { slots.add(byte).write_volatile(0) };
        }
        for word in 0..words {
            // SAFETY: as above; aligned, since `head` is the offset to the first aligned address.
            unsafe { slots.add(head).cast::<usize>().add(word).write_volatile(0) };
        }
    }
}

/// The slots of an epoch that hold a value, and that were not yet gone through. Their stamps say
/// which do; the count of the vacant ones only tells how many values are left.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    slots: Range<usize>,
    /// How many of them are vacant.
    vacant: usize,
    epoch: Epoch,
}

impl Live {
    #[inline]
    pub(crate) fn next<T>(&mut self, view: &mut ArenaMut<'_, T>) -> Option<usize> {
        loop {
            let index = self.slots.next()?;
            if self.holds(view, index) {
                return Some(index);
            }
        }
    }

    #[inline]
    pub(crate) fn next_back<T>(&mut self, view: &mut ArenaMut<'_, T>) -> Option<usize> {
        loop {
            let index = self.slots.next_back()?;
            if self.holds(view, index) {
                return Some(index);
            }
        }
    }

    #[inline]
    fn holds<T>(&mut self, view: &mut ArenaMut<'_, T>, index: usize) -> bool {
        let vacant = view.meta.stamps.mark_in(self.epoch, index) == Some(Mark::Vacant);
        self.vacant -= usize::from(vacant);
        !vacant
    }

    /// The slots, of which those that were not vacant in that epoch hold a value.
    #[cfg(feature = "rayon")]
    pub(crate) fn into_parts(self) -> (Range<usize>, Epoch) {
        (self.slots, self.epoch)
    }

    /// How many values are left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant
    }

    /// Drops the values that are left. If one panics the others are dropped all the same; a second
    /// panic aborts.
    ///
    /// # Safety
    ///
    /// The slots are the caller's (see [`ArenaMut::take`]).
    pub(crate) unsafe fn drop_rest<T>(&mut self, view: &mut ArenaMut<'_, T>) {
        // SAFETY: each slot that `next` returns holds a value, which is the caller's, and `next`
        // never returns it again.
        unsafe { drop_each(|| self.next(view).map(|index| view.slot(index))) };
    }
}

/// Drops the values at the addresses that `next` returns, until it returns `None`.
///
/// If dropping a value panics, the other values are still dropped. A second panic aborts.
///
/// # Safety
///
/// Each address is that of a value that the caller owns. `next` returns it once, and no code
/// accesses the value afterwards.
pub(crate) unsafe fn drop_each<T>(next: impl FnMut() -> Option<*mut T>) {
    /// Continues after a panic. `next` has passed a value before the value is dropped.
    struct Rest<T, F: FnMut() -> Option<*mut T>> {
        next: F,
        marker: PhantomData<*mut T>,
    }

    impl<T, F: FnMut() -> Option<*mut T>> Rest<T, F> {
        fn run(&mut self) {
            while let Some(value) = (self.next)() {
                // SAFETY: the caller owns the value, and no code accesses it afterwards (the
                // caller of `drop_each`).
                unsafe { ptr::drop_in_place(value) };
            }
        }
    }

    impl<T, F: FnMut() -> Option<*mut T>> Drop for Rest<T, F> {
        fn drop(&mut self) {
            self.run();
        }
    }

    if needs_drop::<T>() {
        Rest { next, marker: PhantomData }.run();
    }
}
