//! What no container can be faster than.

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

/// Room for values, aligned to a cache line, without any check.
pub struct Slots<T> {
    slots: Box<[MaybeUninit<UnsafeCell<T>>]>,
    /// Where the first aligned one is.
    first: usize,
    taken: AtomicUsize,
}

// SAFETY: whoever writes to a slot took it from `taken`, which nobody else does.
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    pub fn new(len: usize) -> Self {
        let slots = Box::new_uninit_slice(len + 64);
        let first = slots.as_ptr().align_offset(64);
        Self { slots, first: if first < 64 { first } else { 0 }, taken: AtomicUsize::new(0) }
    }

    /// The first of `len` slots that nobody else has.
    pub fn take(&self, len: usize) -> *mut T {
        let start = self.taken.fetch_add(len, Ordering::Relaxed);
        self.at(start)
    }

    #[inline(always)]
    fn at(&self, index: usize) -> *mut T {
        // SAFETY: the plan says how many are put, and there are that many and 64 more.
        unsafe { UnsafeCell::raw_get(self.slots.as_ptr().add(self.first + index).cast()) }
    }

    /// All values that were put.
    pub fn values(&mut self) -> &mut [T] {
        let len = *self.taken.get_mut();
        // SAFETY: every slot that was taken was written before the threads ended.
        unsafe { std::slice::from_raw_parts_mut(self.at(0), len) }
    }

    /// Drops the values and starts anew.
    pub fn clear(&mut self) {
        let values: *mut [T] = self.values();
        *self.taken.get_mut() = 0;
        // SAFETY: they are values, and from now on nobody meets them again.
        unsafe { values.drop_in_place() };
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Where one thread writes next.
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
                // SAFETY: the plan says how many are put, and the slots from here on are ours.
                unsafe {
                    place.write(value);
                    pen.0 = place.add(1);
                }
                $after
                place
            }

            fn look(&self, place: *const T) -> u64 {
                // SAFETY: the put wrote it.
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
    /// A loop of stores, as the compiler likes it best: where it can, several at a time.
    StoreLoop, "a store loop", {}
);

loops!(
    /// A loop of stores, one value at a time.
    StoreOneByOne, "a store loop, one by one", {
        // SAFETY: it is empty. All it does is to keep two rounds of the loop apart.
        unsafe { asm!("", options(nomem, nostack, preserves_flags)) }
    }
);

/// A shared counter that hands out slots, and no end to be checked.
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
        // SAFETY: nobody else has this slot.
        unsafe { place.write(value) };
        place
    }

    fn look(&self, place: *const T) -> u64 {
        // SAFETY: the put wrote it.
        unsafe { (*place).digest() }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.values().iter().map(T::digest))
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}
