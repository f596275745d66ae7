//! Memory from the global allocator.

#[cfg(feature = "alloc")]
use alloc::alloc::{Layout, alloc, alloc_zeroed, dealloc};
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "alloc")]
use core::mem::ManuallyDrop;
#[cfg(feature = "alloc")]
use core::ptr::NonNull;

use super::{Memory, Storage, metadata_layout, sealed};
#[cfg(feature = "alloc")]
use super::{RawMemory, header};
#[cfg(feature = "alloc")]
use crate::error::CapacityError;
#[cfg(feature = "alloc")]
use crate::on_drop::OnDrop;
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::ArenaRef;
#[cfg(feature = "alloc")]
use crate::raw::stamps::Stamp;

/// Stores an arena in memory from the global allocator.
///
/// The slots are allocated with the layout of a `Vec<T>` of the same capacity. The metadata of the
/// arena is in a second, zeroed allocation. Without the feature `alloc` no value of this type
/// exists.
pub struct Heap<T> {
    memory: Memory<T>,
}

// SAFETY: `T: Send` is enough (see `Storage`). `Memory` owns the memory that it points to, and
// cannot be moved while any of that memory is borrowed.
unsafe impl<T: Send> Send for Heap<T> {}
// SAFETY: `T: Send` is enough (see `Storage`).
unsafe impl<T: Send> Sync for Heap<T> {}

impl<T> sealed::Sealed<T> for Heap<T> {}

// SAFETY: slots and stamps are separate allocations, which live until the storage is dropped or
// `into_vec` consumes it. Dropping the storage calls `destroy`, which drops the values before it
// frees the allocations. `new` zeroes the stamps.
unsafe impl<T> Storage<T> for Heap<T> {
    #[inline]
    fn view(&self) -> ArenaRef<'_, T> {
        self.memory.view()
    }

    #[inline]
    fn view_mut(&mut self) -> ArenaMut<'_, T> {
        self.memory.view_mut()
    }

    fn external_bytes(&self) -> usize {
        // The layout is valid, because `new` has allocated it.
        let state = metadata_layout(self.memory.raw.capacity).map_or(0, |layout| layout.size());
        self.memory.raw.capacity * size_of::<T>() + state
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
        // SAFETY: neither the capacity nor the size of a stamp is zero, so the size of the layout
        // is not zero.
        let Some(stamps) = NonNull::new(unsafe { alloc_zeroed(metadata_layout) }.cast::<Stamp>()) else {
            if slots_layout.size() != 0 {
                // SAFETY: the slots were allocated above with this layout.
                unsafe { dealloc(slots.as_ptr(), slots_layout) };
            }
            return Err(refused(metadata_layout));
        };
        if cfg!(all(test, loom)) {
            for index in 0..capacity {
                // SAFETY: the stamp is among those allocated above. Without loom, zeroed memory is
                // already a `Stamp`.
                unsafe { stamps.add(index).write(Stamp::new()) };
            }
        }
        // SAFETY: the metadata was allocated above with the layout for this capacity, and zeroed.
        // Only this header uses the tail of the metadata until the memory is freed.
        let header = unsafe { header(stamps, capacity) };
        let raw = RawMemory { header, stamps, slots, capacity, destroy: destroy::<T> };
        // SAFETY: the slots have the layout of `T`, and `destroy::<T>` drops values of `T`.
        Ok(Heap { memory: unsafe { Memory::new(raw) } })
    }

    /// Converts the slots into a vector of the first `len` values, in place, and frees the
    /// metadata.
    ///
    /// # Safety
    ///
    /// The first `len` slots hold values, and no other slot does.
    pub(crate) unsafe fn into_vec(self, len: usize) -> Vec<T> {
        let RawMemory { slots, stamps, capacity, .. } = ManuallyDrop::new(self).memory.raw;
        // SAFETY: `new` has allocated the stamps for this capacity. `self` is neither used nor
        // dropped from now on, so no code accesses the stamps or frees them again.
        unsafe { free_state(stamps, capacity) };
        // SAFETY: `new` has allocated the slots with the layout of `capacity` values, or the values
        // are zero-sized. No other code frees the slots, because `self` is never dropped. The
        // caller guarantees that the first `len` slots hold values. No other code can access them.
        unsafe { Vec::from_raw_parts(slots.cast().as_ptr(), len, capacity) }
    }
}

/// # Safety
///
/// `Heap::new` has allocated the stamps for `capacity`, and they are not used afterwards.
#[cfg(feature = "alloc")]
unsafe fn free_state(stamps: NonNull<Stamp>, capacity: usize) {
    // SAFETY: `Heap::new` has found this layout valid and has allocated the stamps with it.
    unsafe {
        dealloc(stamps.as_ptr().cast(), metadata_layout(capacity).unwrap_unchecked());
    }
}

/// # Safety
///
/// `Heap::<T>::new` has created the memory, and it is not used afterwards.
#[cfg(feature = "alloc")]
unsafe fn destroy<T>(memory: &mut RawMemory) {
    // The memory is freed even if dropping a value panics.
    let mut memory = OnDrop::new(memory, |memory| {
        let capacity = memory.capacity;
        // SAFETY: `Heap::<T>::new` has allocated the stamps for this capacity. Unless the slots are
        // zero-sized, it has found this layout valid and has allocated the slots with it. The
        // caller guarantees that the memory is not used afterwards.
        unsafe {
            let slots = capacity * size_of::<T>();
            if slots != 0 {
                let layout = Layout::from_size_align_unchecked(slots, align_of::<T>());
                dealloc(memory.slots.as_ptr(), layout);
            }
            free_state(memory.stamps, capacity);
        }
    });
    // SAFETY: the caller guarantees that the memory was created for `T`.
    unsafe { memory.drop_values::<T>() };
}

impl<T> fmt::Debug for Heap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}
