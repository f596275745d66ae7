//! Bare loops without a container. A container that stores values in the same way must do at least
//! this work.

use std::{
    arch::asm,
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    subject::{Kind, Plan, Subject, tally},
    work::Element,
};

/// Memory for values, which begins at a cache line if possible, and is accessed without any check.
pub struct Slots<T> {
    slots: Box<[MaybeUninit<UnsafeCell<T>>]>,
    /// The index of the first aligned slot.
    first: usize,
    taken: AtomicUsize,
}

// SAFETY: a thread writes only to slots that it took from `taken`, and no other thread takes them.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    pub fn new(len: usize) -> Self {
        let slots = Box::new_uninit_slice(len + 64);
        let first = slots.as_ptr().align_offset(64);
        Self { slots, first: if first < 64 { first } else { 0 }, taken: AtomicUsize::new(0) }
    }

    /// Takes `len` slots that no other thread has, and returns the first of them.
    pub fn take(&self, len: usize) -> *mut T {
        // Relaxed: with any ordering, an addition gives each slot to only one thread.
        let start = self.taken.fetch_add(len, Ordering::Relaxed);
        self.at(start)
    }

    #[inline(always)]
    fn at(&self, index: usize) -> *mut T {
        // SAFETY: `first` is less than 64, and `index` is at most the `len` of `new`, because the
        // plan bounds the number of puts. There are 64 slots more than `len`.
        unsafe { UnsafeCell::raw_get(self.slots.as_ptr().add(self.first + index).cast()) }
    }

    /// Returns all values that were put.
    pub fn values(&mut self) -> &mut [T] {
        let len = *self.taken.get_mut();
        // SAFETY: before a thread ended, it wrote all slots that it had taken.
        unsafe { std::slice::from_raw_parts_mut(self.at(0), len) }
    }

    /// Drops the values and starts again.
    pub fn clear(&mut self) {
        let values: *mut [T] = self.values();
        *self.taken.get_mut() = 0;
        // SAFETY: the slots hold values, and no code accesses the values from now on.
        unsafe { values.drop_in_place() };
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The next slot of one thread.
pub struct Pen<T>(*mut T);

macro_rules! loops {
    ($(#[$doc:meta])* $subject:ident, $name:literal, $after:block) => {
        $(#[$doc])*
        pub struct $subject<T> {
            slots: Slots<T>,
            share: usize,
        }

        impl<T: Element> Subject<T> for $subject<T> {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::Limit;
            const RESETS: bool = true;
            type Handle<'a> = Pen<T>;
            type Place = *const T;

            fn with_room(plan: &Plan) -> Self {
                Self { slots: Slots::new(plan.puts * plan.threads), share: plan.puts }
            }

            fn handle(&self) -> Pen<T> {
                Pen(self.slots.take(self.share))
            }

            #[inline(always)]
            fn put(pen: &mut Pen<T>, value: T) -> *const T {
                let place = pen.0;
                // SAFETY: `place` is within the share that this thread took, because the plan
                // bounds the number of puts.
                unsafe {
                    place.write(value);
                    pen.0 = place.add(1);
                }
                $after
                place
            }

            fn look(&self, place: *const T) -> u64 {
                // SAFETY: the put has written the value, and no value has been dropped and nothing
                // has been reset since then.
                unsafe { (*place).digest() }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                tally(self.slots.values().iter().map(T::digest))
            }

            fn reset(&mut self) {
                self.slots.clear();
            }
        }
    };
}

loops!(
    /// A loop of stores that the compiler may vectorise.
    StoreLoop, "a store loop", {}
);

loops!(
    /// A loop of stores, one value at a time.
    StoreOneByOne, "a store loop, one by one", {
        // SAFETY: the assembly is empty. It only keeps two iterations of the loop apart.
        unsafe { asm!("", options(nomem, nostack, preserves_flags)) }
    }
);

/// A shared counter that hands out slots without a check for the end.
pub struct FetchAddAndStore<T>(Slots<T>);

impl<T: Element> Subject<T> for FetchAddAndStore<T> {
    const NAME: &'static str = "one fetch_add and a store";
    const KIND: Kind = Kind::Limit;
    const RESETS: bool = true;
    type Handle<'a> = &'a Slots<T>;
    type Place = *const T;

    fn with_room(plan: &Plan) -> Self {
        Self(Slots::new(plan.puts * plan.threads))
    }

    fn handle(&self) -> &Slots<T> {
        &self.0
    }

    #[inline(always)]
    fn put(slots: &mut &Slots<T>, value: T) -> *const T {
        let place = slots.take(1);
        // SAFETY: the plan bounds the number of puts, so the slot exists, and no other thread has
        // it.
        unsafe { place.write(value) };
        place
    }

    fn look(&self, place: *const T) -> u64 {
        // SAFETY: the put has written the value, and no value has been dropped and nothing has been
        // reset since then.
        unsafe { (*place).digest() }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.values().iter().map(T::digest))
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}
