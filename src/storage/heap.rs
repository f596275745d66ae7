//! Memory from the global allocator.

#[cfg(feature = "alloc")]
use alloc::alloc::{Layout, alloc, alloc_zeroed, dealloc};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
#[cfg(feature = "alloc")]
use core::mem::ManuallyDrop;
#[cfg(feature = "alloc")]
use core::ptr::NonNull;

#[cfg(feature = "alloc")]
use super::header;
use super::{Memory, Storage, metadata_layout, sealed};
#[cfg(feature = "alloc")]
use crate::error::CapacityError;
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::ArenaRef;
#[cfg(feature = "alloc")]
use crate::raw::stamps::Stamp;

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

impl<T> sealed::Sealed<T> for Heap<T> {}

// SAFETY: slots and stamps are allocations of their own, freed by `destroy` alone, which drops the values before; the
// stamps were zeroed.
unsafe impl<T> Storage<T> for Heap<T> {
    #[inline]
    fn view(&self) -> ArenaRef<'_, T> {
        // SAFETY: made for `T`.
        unsafe { self.memory.view() }
    }

    #[inline]
    fn view_mut(&mut self) -> ArenaMut<'_, T> {
        // SAFETY: made for `T`.
        unsafe { self.memory.view_mut() }
    }

    fn external_bytes(&self) -> usize {
        // The layout is valid: it was allocated.
        let state = metadata_layout(self.memory.capacity).map_or(0, |layout| layout.size());
        self.memory.capacity * size_of::<T>() + state
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
        let metadata_layout = metadata_layout(capacity).map_err(too_large)?;
        let refused = |layout: Layout| (CapacityError::OutOfMemory { bytes: layout.size() }, Some(layout));

        let slots = if slots_layout.size() == 0 {
            NonNull::<T>::dangling().cast()
        } else {
            // SAFETY: the size is not zero.
            NonNull::new(unsafe { alloc(slots_layout) }).ok_or_else(|| refused(slots_layout))?
        };
        // SAFETY: the capacity is not zero, nor is the size of a stamp.
        let Some(stamps) = NonNull::new(unsafe { alloc_zeroed(metadata_layout) }.cast::<Stamp>()) else {
            if slots_layout.size() != 0 {
                // SAFETY: just allocated, with this layout.
                unsafe { dealloc(slots.as_ptr(), slots_layout) };
            }
            return Err(refused(metadata_layout));
        };
        if cfg!(all(test, loom)) {
            for index in 0..capacity {
                // SAFETY: within the stamps that were just allocated. (Without loom zeroed memory is a `Stamp`.)
                unsafe { stamps.add(index).write(Stamp::new()) };
            }
        }
        // SAFETY: just allocated and zeroed, and used by this header alone until it is freed.
        let header = unsafe { header(stamps, capacity) };
        let memory = Memory { header, stamps, slots, capacity, destroy: destroy::<T> };
        Ok(Heap { memory, marker: PhantomData })
    }

    /// The slots as the vector that they are, of the values of the first `len`; the stamps are freed.
    ///
    /// # Safety
    ///
    /// The first `len` slots hold values, and no other does.
    pub(crate) unsafe fn into_vec(self, len: usize) -> Vec<T> {
        let Memory { slots, stamps, capacity, .. } = ManuallyDrop::new(self).memory;
        // SAFETY: allocated by `new` for this capacity; `self` is gone without having been dropped.
        unsafe { free_state(stamps, capacity) };
        // SAFETY: `new` has allocated the slots with the layout of `capacity` values, or they have no size; nobody else
        // will free them; the first `len` hold values (the caller), which nobody else has.
        unsafe { Vec::from_raw_parts(slots.cast().as_ptr(), len, capacity) }
    }
}

/// # Safety
///
/// The stamps were allocated by `Heap::new` for that capacity, and are not used afterwards.
#[cfg(feature = "alloc")]
unsafe fn free_state(stamps: NonNull<Stamp>, capacity: usize) {
    // SAFETY: the layout with which they were allocated, which `Heap::new` has found to be valid.
    unsafe {
        dealloc(stamps.as_ptr().cast(), metadata_layout(capacity).unwrap_unchecked());
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
            // SAFETY: `Heap::<T>::new` allocated with this layout, which it has found to be valid; slots without size
            // were not allocated. The stamps were, for this capacity.
            unsafe {
                let slots = capacity * size_of::<T>();
                if slots != 0 {
                    let layout = Layout::from_size_align_unchecked(slots, align_of::<T>());
                    dealloc(self.0.slots.as_ptr(), layout);
                }
                free_state(self.0.stamps, capacity);
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
