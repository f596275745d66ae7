//! Where the bytes of an arena come from. A storage holds the whole state (header, stamps, slots); the arena is only
//! its face.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::error::CapacityError;
use crate::stamp::Stamp;
use crate::view::{Header, View, ViewMut};

pub(crate) mod sealed {
    /// Keeps [`Storage`](super::Storage) to this crate.
    pub trait Sealed {}
}

/// Where an [`AtomicArena`](crate::AtomicArena) keeps its state: [`Heap`], [`Inline`] or [`Borrowed`]. Sealed.
///
/// # Safety
///
/// An implementation promises that
///
/// - both views name the same header, stamps and slots at every call, and nothing else ever touches them;
/// - their addresses do not change while a view of the storage lives (they may when the storage itself is moved,
///   which it cannot be while it is borrowed);
/// - a new storage is one in which nothing was said: a new header, every stamp zero;
/// - dropping it drops each value that the slots still hold exactly once.
///
/// It is `Send` if `T: Send`, because its values move with it, and `Sync` if `T: Send`, because through a shared
/// arena one thread moves a value in and another, with `&mut`, moves it out. `T: Sync` is not asked for here: what
/// lends `&T` to other threads asks for it on the method.
pub unsafe trait Storage<T>: sealed::Sealed {
    #[doc(hidden)]
    fn view(&self) -> View<'_, T>;
    #[doc(hidden)]
    fn view_mut(&mut self) -> ViewMut<'_, T>;
}

/// Memory that this storage points to. Has a `Drop` that does not name `T`, so that an arena of values that refer to
/// each other can be dropped: a generic one would make the compiler ask that they outlive it strictly.
#[derive(Debug)]
struct Memory {
    header: Header,
    /// The first of `capacity` stamps.
    stamps: NonNull<Stamp>,
    /// The first of `capacity` slots.
    slots: NonNull<u8>,
    capacity: usize,
    /// Drops the values and frees the memory; made where `T` is known.
    destroy: unsafe fn(&mut Memory),
}

impl Memory {
    /// # Safety
    ///
    /// `T` is the type for which this memory was made.
    #[inline]
    unsafe fn view<T>(&self) -> View<'_, T> {
        // SAFETY: `stamps` points to as many stamps as there are slots, and both are this memory's alone until it is
        // dropped; they are behind pointers, so they stay where they are even when the memory is moved.
        unsafe {
            let stamps = core::slice::from_raw_parts(self.stamps.as_ptr(), self.capacity);
            View::new(&self.header, stamps, self.slots.cast())
        }
    }

    /// # Safety
    ///
    /// As for [`view`](Self::view).
    #[inline]
    unsafe fn view_mut<T>(&mut self) -> ViewMut<'_, T> {
        // SAFETY: as in `view`, and `&mut self` says that there is no other view.
        unsafe {
            let stamps = core::slice::from_raw_parts_mut(self.stamps.as_ptr(), self.capacity);
            ViewMut::new(&mut self.header, stamps, self.slots.cast())
        }
    }

    /// # Safety
    ///
    /// As for [`view`](Self::view).
    unsafe fn drop_values<T>(&mut self) {
        // SAFETY: the caller vouches for `T`.
        drop_values(unsafe { self.view_mut::<T>() });
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `destroy` was made for the type of this memory, and is called once.
        unsafe { (self.destroy)(self) };
    }
}

/// Drops every value, and leaves an empty arena.
fn drop_values<T>(mut view: ViewMut<'_, T>) {
    if core::mem::needs_drop::<T>() {
        let mut live = view.take();
        // SAFETY: we have just taken them.
        unsafe { live.drop_rest(&mut view) };
    }
}

#[cfg(feature = "alloc")]
mod heap {
    use alloc::alloc::{Layout, alloc, alloc_zeroed, dealloc};
    use core::mem;

    use super::{Heap, Memory, PhantomData};
    use crate::error::CapacityError;
    use crate::stamp::Stamp;
    use crate::view::Header;
    use core::ptr::NonNull;

    impl<T> Heap<T> {
        pub(crate) fn new(capacity: usize) -> Result<Self, (CapacityError, Option<Layout>)> {
            if capacity == 0 {
                return Err((CapacityError::Zero, None));
            }
            let too_large = |_| (CapacityError::TooLarge { capacity, slot_size: size_of::<T>() }, None);
            let slots_layout = Layout::array::<T>(capacity).map_err(too_large)?;
            let stamps_layout = Layout::array::<Stamp>(capacity).map_err(too_large)?;
            let refused = |layout: Layout| (CapacityError::OutOfMemory { bytes: layout.size() }, Some(layout));

            let slots = if slots_layout.size() == 0 {
                NonNull::<T>::dangling().cast()
            } else {
                // SAFETY: the size is not zero.
                NonNull::new(unsafe { alloc(slots_layout) }).ok_or_else(|| refused(slots_layout))?
            };
            // SAFETY: the capacity is not zero, nor is the size of a stamp.
            let Some(stamps) = NonNull::new(unsafe { alloc_zeroed(stamps_layout) }.cast::<Stamp>()) else {
                if slots_layout.size() != 0 {
                    // SAFETY: just allocated, with this layout.
                    unsafe { dealloc(slots.as_ptr(), slots_layout) };
                }
                return Err(refused(stamps_layout));
            };
            if cfg!(all(test, loom)) {
                for index in 0..capacity {
                    // SAFETY: within the stamps that were just allocated. (Without loom zeroed memory is a `Stamp`.)
                    unsafe { stamps.add(index).write(Stamp::new()) };
                }
            }
            let header = Header::new();
            let memory = Memory { header, stamps, slots, capacity, destroy: destroy::<T> };
            Ok(Heap { memory, marker: PhantomData })
        }
    }

    /// # Safety
    ///
    /// The memory was made by `Heap::<T>::new`, and is not used afterwards.
    unsafe fn destroy<T>(memory: &mut Memory) {
        /// Frees even when the `drop` of a value panics.
        struct Free<'a, T>(&'a mut Memory, PhantomData<T>);

        impl<T> Drop for Free<'_, T> {
            fn drop(&mut self) {
                let capacity = self.0.capacity;
                // SAFETY: `Heap::<T>::new` allocated with these layouts, which it has found to be valid; slots without
                // size were not allocated.
                unsafe {
                    let slots = capacity * mem::size_of::<T>();
                    if slots != 0 {
                        let layout = Layout::from_size_align_unchecked(slots, mem::align_of::<T>());
                        dealloc(self.0.slots.as_ptr(), layout);
                    }
                    let stamps = capacity * mem::size_of::<Stamp>();
                    let layout = Layout::from_size_align_unchecked(stamps, mem::align_of::<Stamp>());
                    dealloc(self.0.stamps.as_ptr().cast(), layout);
                }
            }
        }

        let free = Free::<T>(memory, PhantomData);
        // SAFETY: the memory was made for `T` (the caller).
        unsafe { free.0.drop_values::<T>() };
    }
}

/// Memory from the global allocator: slots as `Vec<T>` would ask for them, stamps zeroed and apart.
///
/// Without the feature `alloc` there is no value of this type.
pub struct Heap<T> {
    memory: Memory,
    /// Owns values of `T`, and says so to the drop check, which `Memory` does not.
    marker: PhantomData<T>,
}

// SAFETY: see `Storage`. The pointers in `Memory` are the only way to what they point to.
unsafe impl<T: Send> Send for Heap<T> {}
// SAFETY: see `Storage`.
unsafe impl<T: Send> Sync for Heap<T> {}

impl<T> sealed::Sealed for Heap<T> {}

// SAFETY: slots and stamps are allocations of their own, freed by `destroy` alone, which drops the values before; the
// stamps were zeroed.
unsafe impl<T> Storage<T> for Heap<T> {
    #[inline]
    fn view(&self) -> View<'_, T> {
        // SAFETY: made for `T`.
        unsafe { self.memory.view() }
    }

    #[inline]
    fn view_mut(&mut self) -> ViewMut<'_, T> {
        // SAFETY: made for `T`.
        unsafe { self.memory.view_mut() }
    }
}

/// Bytes that the caller has from elsewhere, for `'m`.
#[cfg(not(all(test, loom)))]
pub struct Borrowed<'m, T> {
    memory: Memory,
    marker: PhantomData<(T, &'m mut [MaybeUninit<u8>])>,
}

#[cfg(not(all(test, loom)))]
impl<'m, T> Borrowed<'m, T> {
    pub(crate) fn new(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        let (size, base) = (size_of::<T>(), bytes.as_mut_ptr());
        // Where the slots begin when at least `skip` bytes come before them.
        let slots_after = |skip: usize| skip + base.wrapping_add(skip).align_offset(align_of::<T>());
        // With `most` slots less than `size + 1` bytes are left over. Lining up the slots takes less than
        // `align_of::<T>()`, which is at most `size` unless that is 0: so `most - 1` slots fit if `most` do not.
        let most = bytes.len() / (size + 1);
        let fits = |capacity: usize| {
            let (stamps_first, slots_first) = (slots_after(capacity), slots_after(0));
            if size == 0 {
                Some((0, 0))
            } else if stamps_first.checked_add(capacity * size)? <= bytes.len() {
                Some((0, stamps_first))
            } else if slots_first.checked_add(capacity * (size + 1))? <= bytes.len() {
                Some((slots_first + capacity * size, slots_first))
            } else {
                None
            }
        };
        let found = [most, most.saturating_sub(1)].into_iter().filter(|&capacity| capacity > 0);
        let Some((capacity, (stamps, slots))) = found.into_iter().find_map(|n| Some((n, fits(n)?))) else {
            return Err(CapacityError::Zero);
        };
        let stamps_base = base.wrapping_add(stamps).cast::<Stamp>();
        for index in 0..capacity {
            // SAFETY: within the bytes, as just computed; a stamp is one byte without alignment.
            unsafe { stamps_base.add(index).write(Stamp::new()) };
        }
        let slots = if size == 0 { NonNull::<T>::dangling().as_ptr().cast() } else { base.wrapping_add(slots) };
        // SAFETY: both point into a slice, or dangle as a pointer to a type without size may.
        let (stamps, slots) =
            unsafe { (NonNull::new_unchecked(stamps_base), NonNull::new_unchecked(slots.cast::<u8>())) };
        let header = Header::new();
        let memory = Memory { header, stamps, slots, capacity, destroy: Memory::drop_values::<T> };
        Ok(Borrowed { memory, marker: PhantomData })
    }
}

// SAFETY: see `Storage`. The bytes are borrowed exclusively.
unsafe impl<T: Send> Send for Borrowed<'_, T> {}
// SAFETY: see `Storage`.
unsafe impl<T: Send> Sync for Borrowed<'_, T> {}

impl<T> sealed::Sealed for Borrowed<'_, T> {}

// SAFETY: slots and stamps lie in bytes that nobody else can touch for `'m`; `new` zeroes the stamps; `destroy` drops
// the values.
unsafe impl<T> Storage<T> for Borrowed<'_, T> {
    #[inline]
    fn view(&self) -> View<'_, T> {
        // SAFETY: made for `T`.
        unsafe { self.memory.view() }
    }

    #[inline]
    fn view_mut(&mut self) -> ViewMut<'_, T> {
        // SAFETY: made for `T`.
        unsafe { self.memory.view_mut() }
    }
}

/// Everything in the arena itself: no pointer, no allocation. For a `static`, or the stack.
#[cfg(not(all(test, loom)))]
pub struct Inline<T, const N: usize> {
    header: Header,
    stamps: [Stamp; N],
    slots: UnsafeCell<[MaybeUninit<T>; N]>,
}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> Inline<T, N> {
    pub(crate) const fn new() -> Self {
        const { assert!(N > 0, "an arena needs room for at least one slot") };
        Inline {
            header: Header::new(),
            stamps: [const { Stamp::new() }; N],
            slots: UnsafeCell::new([const { MaybeUninit::uninit() }; N]),
        }
    }
}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> Drop for Inline<T, N> {
    fn drop(&mut self) {
        drop_values(self.view_mut());
    }
}

// `Send` if `T: Send`: derived, since it holds its values.
// SAFETY: see `Storage`.
#[cfg(not(all(test, loom)))]
unsafe impl<T: Send, const N: usize> Sync for Inline<T, N> {}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> sealed::Sealed for Inline<T, N> {}

// SAFETY: header, stamps and slots are fields, which stay where they are while the storage is borrowed; `new` makes the
// stamps zero; `drop` drops the values.
#[cfg(not(all(test, loom)))]
unsafe impl<T, const N: usize> Storage<T> for Inline<T, N> {
    #[inline]
    fn view(&self) -> View<'_, T> {
        let slots = NonNull::from(&self.slots).cast();
        // SAFETY: `slots` points to `N` slots inside an `UnsafeCell`, which only the views touch.
        unsafe { View::new(&self.header, &self.stamps, slots) }
    }

    #[inline]
    fn view_mut(&mut self) -> ViewMut<'_, T> {
        let slots = NonNull::from(&mut self.slots).cast();
        // SAFETY: as in `view`, and `&mut self` says that there is no other view.
        unsafe { ViewMut::new(&mut self.header, &mut self.stamps, slots) }
    }
}

macro_rules! debug {
    ($($name:literal, [$($generics:tt)*], $storage:ty;)*) => {$(
        impl<$($generics)*> fmt::Debug for $storage {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        }
    )*};
}
debug! {
    "Heap", [T], Heap<T>;
    "Borrowed", [T], Borrowed<'_, T>;
}
#[cfg(not(all(test, loom)))]
debug! { "Inline", [T, const N: usize], Inline<T, N>; }
