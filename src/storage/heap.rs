//! Memory from the global allocator.

#[cfg(feature = "alloc")]
use alloc::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use core::fmt;
use core::marker::PhantomData;
#[cfg(feature = "alloc")]
use core::ptr::NonNull;

use super::{Memory, Storage, sealed};
#[cfg(feature = "alloc")]
use crate::error::CapacityError;
#[cfg(feature = "alloc")]
use crate::stamp::Stamp;
#[cfg(feature = "alloc")]
use crate::view::Header;
use crate::view::{View, ViewMut};

/// Memory from the global allocator: slots as `Vec<T>` would ask for them, stamps zeroed and apart.
///
/// Without the feature `alloc` there is no value of this type.
pub struct Heap<T> {
    memory: Memory,
    /// Owns values of `T`, and says so to the drop check, which `Memory` does not.
    marker: PhantomData<T>,
}

// SAFETY: see `Storage`. What `Memory` points to is its own, and it cannot be moved while any of it is lent.
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

#[cfg(feature = "alloc")]
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
#[cfg(feature = "alloc")]
unsafe fn destroy<T>(memory: &mut Memory) {
    /// Frees even when the `drop` of a value panics.
    struct Free<'a, T>(&'a mut Memory, PhantomData<T>);

    impl<T> Drop for Free<'_, T> {
        fn drop(&mut self) {
            let capacity = self.0.capacity;
            // SAFETY: `Heap::<T>::new` allocated with these layouts, which it has found to be valid; slots without
            // size were not allocated.
            unsafe {
                let slots = capacity * size_of::<T>();
                if slots != 0 {
                    let layout = Layout::from_size_align_unchecked(slots, align_of::<T>());
                    dealloc(self.0.slots.as_ptr(), layout);
                }
                let stamps = capacity * size_of::<Stamp>();
                let layout = Layout::from_size_align_unchecked(stamps, align_of::<Stamp>());
                dealloc(self.0.stamps.as_ptr().cast(), layout);
            }
        }
    }

    let free = Free::<T>(memory, PhantomData);
    // SAFETY: the memory was made for `T` (the caller).
    unsafe { free.0.drop_values::<T>() };
}

impl<T> fmt::Debug for Heap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}
