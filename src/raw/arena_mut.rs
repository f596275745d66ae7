//! An arena in any kind of memory, under exclusive access.

use core::marker::PhantomData;
use core::mem::needs_drop;
use core::ops::Range;
use core::ptr::{self, NonNull};

use crate::raw::arena_ref::Header;
use crate::raw::epoch::{Epoch, Mark};
use crate::raw::settle::MetadataMut;
use crate::raw::stamps::Stamp;

/// An exclusive reference to an arena, for any storage. Equivalent to `&mut AtomicArena<T, S>` for
/// any `S`.
#[derive(Debug)]
pub struct ArenaMut<'a, T> {
    pub(crate) meta: MetadataMut<'a>,
    slots: NonNull<T>,
    marker: PhantomData<&'a mut T>,
}

impl<'a, T> ArenaMut<'a, T> {
    /// # Safety
    ///
    /// As for [`ArenaRef::new`](crate::raw::arena_ref::ArenaRef::new). In addition, during `'a` the
    /// slots are accessed only through this `ArenaMut` and references that it returns.
    #[inline]
    pub(crate) unsafe fn new(header: &'a mut Header, stamps: &'a mut [Stamp], slots: NonNull<T>) -> Self {
        ArenaMut { meta: header.metadata_mut(stamps), slots, marker: PhantomData }
    }

    /// Returns the address of the slot.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> *mut T {
        debug_assert!(index <= self.meta.capacity());
        self.slots.as_ptr().wrapping_add(index)
    }

    /// Returns the cursor, or the capacity if the cursor is past the end. Every slot with a value
    /// is below this bound.
    #[inline]
    pub(crate) fn bound(&mut self) -> usize {
        self.meta.bound()
    }

    #[inline]
    pub(crate) fn settle(&mut self) {
        self.meta.settle();
    }

    /// Returns whether the slot holds a value. The arena must be settled.
    #[inline]
    pub(crate) fn holds(&mut self, index: usize) -> bool {
        index < self.bound() && self.meta.stamps.mark_of(index) != Some(Mark::Vacant)
    }

    /// Settles the arena, and returns the slots that hold a value.
    pub(crate) fn live(&mut self) -> Live {
        self.settle();
        Live { slots: 0..self.bound(), vacant: self.meta.vacant(), epoch: self.meta.stamps.epoch() }
    }

    /// Ends the epoch and returns it. The arena is empty in the new epoch. The values of the ended
    /// epoch are not dropped.
    pub(crate) fn restart(&mut self) -> Epoch {
        self.meta.restart()
    }

    /// Ends the epoch and returns the slots that held a value in it. The arena is empty in the new
    /// epoch. The caller owns the values, and may drop them or move them out until a new value is
    /// stored.
    pub(crate) fn take(&mut self) -> Live {
        let live = self.live();
        Live { epoch: self.restart(), ..live }
    }

    /// Fills every free slot with the result of `f` for its index. The arena must be settled.
    #[inline]
    pub(crate) fn fill(&mut self, mut f: impl FnMut(usize) -> T) {
        /// Keeps the cursor in a register while the loop runs, and stores it even if `f` panics.
        struct Filled<'f, 'a> {
            next: usize,
            meta: &'f mut MetadataMut<'a>,
            unwinding: bool,
        }

        impl Drop for Filled<'_, '_> {
            #[inline]
            fn drop(&mut self) {
                self.meta.move_cursor(self.next);
                if self.unwinding {
                    // `f` may have panicked while it constructed a value in the next slot.
                    self.meta.note_written_below(self.next + 1);
                }
            }
        }

        let (next, end) = (self.bound(), self.meta.capacity());
        if self.meta.has_vacant() {
            for index in 0..next {
                if self.meta.stamps.mark_of(index) == Some(Mark::Vacant) {
                    let value = f(index);
                    // SAFETY: the slot is below the cursor, so it is valid for writes (`new`). It
                    // is vacant, so the write overwrites no value. No other code accesses it,
                    // because this `ArenaMut` has exclusive access.
                    unsafe { self.slot(index).write(value) };
                    self.meta.occupy(index..index + 1);
                }
            }
        }
        let slots = self.slot(0);
        let mut filled = Filled { next, meta: &mut self.meta, unwinding: true };
        while filled.next < end {
            let value = f(filled.next);
            // SAFETY: the slot is below the end, so it is valid for writes (`new`). It is at the
            // cursor, so the write overwrites no value. No other code accesses it, because this
            // `ArenaMut` has exclusive access.
            unsafe { slots.add(filled.next).write(value) };
            filled.next += 1;
        }
        filled.unwinding = false;
    }

    /// Moves the values down over the vacant slots, and ends the epoch. In the new epoch the caller
    /// owns all values.
    ///
    /// Calls no user code, because values are moved and not dropped.
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
                    // SAFETY: the slots of the run hold values. Each of the `run.len()` slots that
                    // start at `filled` holds no value or belongs to the run, because every value
                    // between `filled` and the run was moved down, and the other slots there are
                    // vacant. No other code accesses the slots, because this `ArenaMut` has
                    // exclusive access. Later moves overwrite some of the stale copies in the old
                    // places. The others are at or above the cursor of the new epoch, where no slot
                    // counts as holding a value.
                    unsafe { ptr::copy(self.slot(run.start), self.slot(filled), run.len()) };
                }
                filled += run.len();
                next = run.end + 1;
            }
        }
        self.restart();
        self.meta.move_cursor(filled);
    }

    /// Returns the first vacant slot at or above `index`, or `end` if there is none before `end`.
    fn next_vacant(&mut self, index: usize, end: usize) -> usize {
        (index..end).find(|&index| self.meta.stamps.mark_of(index) == Some(Mark::Vacant)).unwrap_or(end)
    }

    /// Returns the slots below the cursor as a slice.
    ///
    /// # Safety
    ///
    /// Each of these slots holds a value.
    #[inline]
    pub(crate) unsafe fn into_slice(mut self) -> &'a mut [T] {
        // SAFETY: the caller guarantees that the slots hold values. They are contiguous and in one
        // allocation, so they take at most `isize::MAX` bytes. During `'a` they are accessed only
        // through this `ArenaMut` (`ArenaMut::new`), which this method consumes.
        unsafe { core::slice::from_raw_parts_mut(self.slot(0), self.bound()) }
    }

    /// Zeroes every byte of the slots that may have been written since the last call. The writes
    /// are volatile, so that the compiler does not remove them. The arena must be empty.
    pub(crate) fn zero(&mut self) {
        let written = self.meta.take_written();
        self.meta.stamps.remember_written(written);
        let bytes = written * size_of::<T>();
        let slots = self.slots.as_ptr().cast::<u8>();
        let head = slots.align_offset(align_of::<usize>()).min(bytes);
        let words = (bytes - head) / size_of::<usize>();
        let tail = head + words * size_of::<usize>();
        for byte in (0..head).chain(tail..bytes) {
            // SAFETY: the byte is within the slots. The arena is empty, so the write overwrites no
            // value. No other code accesses the slots, because this `ArenaMut` has exclusive
            // access.
            unsafe { slots.add(byte).write_volatile(0) };
        }
        for word in 0..words {
            // SAFETY: the bytes of the word are within the slots, and the write is allowed as for
            // the single bytes above. The address is aligned, because `head` is the offset of the
            // first aligned address.
            unsafe { slots.add(head).cast::<usize>().add(word).write_volatile(0) };
        }
    }
}

/// An iteration over the slots that hold a value of an epoch. The stamps tell which slots these
/// are. The count of vacant slots only tells how many values are left.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    slots: Range<usize>,
    /// The number of vacant slots in `slots`.
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

    /// Returns the slots and the epoch. The slots that were not vacant in that epoch hold a value.
    #[cfg(feature = "rayon")]
    pub(crate) fn into_parts(self) -> (Range<usize>, Epoch) {
        (self.slots, self.epoch)
    }

    /// Returns the number of values that are left.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant
    }

    /// Drops the remaining values. If dropping a value panics, the others are still dropped. A
    /// second panic aborts.
    ///
    /// # Safety
    ///
    /// The caller owns the values (see [`ArenaMut::take`]).
    pub(crate) unsafe fn drop_rest<T>(&mut self, view: &mut ArenaMut<'_, T>) {
        // SAFETY: `next` returns only slots that hold a value, and returns each slot once. The
        // caller owns the values, and no later call of `next` returns the slots again.
        unsafe { drop_each(|| self.next(view).map(|index| view.slot(index))) };
    }
}

/// Drops the values at the addresses that `next` returns, until it returns `None`.
///
/// If dropping a value panics, the others are still dropped. A second panic aborts.
///
/// # Safety
///
/// Each address that `next` returns points to a value that the caller owns. `next` returns each
/// address once, and no code accesses these values after this call.
pub(crate) unsafe fn drop_each<T>(next: impl FnMut() -> Option<*mut T>) {
    /// Drops values until none is left, even if dropping one of them panics. `next` has moved past
    /// a value before the value is dropped, so no value is dropped twice.
    struct Rest<T, F: FnMut() -> Option<*mut T>> {
        next: F,
        marker: PhantomData<*mut T>,
    }

    impl<T, F: FnMut() -> Option<*mut T>> Rest<T, F> {
        fn run(&mut self) {
            while let Some(value) = (self.next)() {
                // SAFETY: the caller of `drop_each` guarantees that it owns the value, and that no
                // code accesses the value afterwards.
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
