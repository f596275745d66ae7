//! Constructors.

#[cfg(not(all(test, loom)))]
use core::mem::MaybeUninit;

use super::AtomicBump;
#[cfg(feature = "alloc")]
use super::storage::HeapBytes;
#[cfg(not(all(test, loom)))]
use super::storage::{BorrowedBytes, InlineBytes};
#[cfg(any(feature = "alloc", not(all(test, loom))))]
use crate::error::CapacityError;

/// Constructors for bumps on the heap.
#[cfg(feature = "alloc")]
impl AtomicBump {
    /// Creates an empty bump of `bytes` bytes on the heap.
    ///
    /// Makes one allocation, aligned to at least 64 bytes. The allocation contains the bytes, which
    /// the constructor does not access. If the bump has shards (see [Threads](AtomicBump#threads)),
    /// the allocation also contains about 4 KiB for them. Takes constant time, apart from the
    /// allocation itself.
    ///
    /// # Panics
    ///
    /// Panics if `bytes` is 0, or if the size of the allocation exceeds `isize::MAX` bytes. Calls
    /// [`handle_alloc_error`](alloc::alloc::handle_alloc_error) if the allocator refuses the
    /// allocation. [`try_with_capacity`](Self::try_with_capacity) returns an error in all these
    /// cases.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!((bump.capacity(), bump.used()), (1_000, 0));
    /// ```
    #[track_caller]
    pub fn with_capacity(bytes: usize) -> Self {
        match HeapBytes::new(bytes) {
            Ok(storage) => AtomicBump { storage },
            Err((_, Some(refused))) => alloc::alloc::handle_alloc_error(refused),
            Err((error, None)) => panic!("{error}"),
        }
    }

    /// Creates an empty bump on the heap, or returns an error where
    /// [`with_capacity`](Self::with_capacity) panics or aborts.
    ///
    /// # Errors
    ///
    /// Returns [`CapacityError`] if `bytes` is 0, if the size of the allocation exceeds
    /// `isize::MAX` bytes, or if the allocator refuses the allocation. In `TooLarge`, `slot_size`
    /// is 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicBump, CapacityError};
    ///
    /// assert!(AtomicBump::try_with_capacity(16).is_ok());
    /// assert_eq!(AtomicBump::try_with_capacity(0).unwrap_err(), CapacityError::Zero);
    /// let huge = AtomicBump::try_with_capacity(usize::MAX).unwrap_err();
    /// assert_eq!(huge, CapacityError::TooLarge { capacity: usize::MAX, slot_size: 1 });
    /// ```
    pub fn try_with_capacity(bytes: usize) -> Result<Self, CapacityError> {
        HeapBytes::new(bytes).map(|storage| AtomicBump { storage }).map_err(|(error, _)| error)
    }
}

#[cfg(not(all(test, loom)))]
impl<const BYTES: usize> AtomicBump<InlineBytes<BYTES>> {
    /// Creates an empty bump that contains its `BYTES` bytes itself. Does not compile if `BYTES` is
    /// 0.
    pub const fn new() -> Self {
        AtomicBump { storage: InlineBytes::new() }
    }
}

#[cfg(not(all(test, loom)))]
impl<const BYTES: usize> Default for AtomicBump<InlineBytes<BYTES>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(all(test, loom)))]
impl<'m> AtomicBump<BorrowedBytes<'m>> {
    /// Creates an empty bump in borrowed memory.
    ///
    /// The memory may come from a linker section, a pool, or an area for DMA. The bump borrows it
    /// exclusively. On a 64-bit target, if the memory has about 68 KiB or more, about 4 KiB of it
    /// is set aside for shards. Otherwise all of it can be allocated. Takes constant time.
    ///
    /// # Errors
    ///
    /// Returns [`CapacityError::Zero`] if `bytes` is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    /// use std::mem::MaybeUninit;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1024];
    /// let bump = AtomicBump::in_bytes(&mut memory).unwrap();
    /// assert_eq!(bump.capacity(), 1024);
    /// assert_eq!(bump.alloc_str("borrowed").unwrap(), "borrowed");
    ///
    /// assert!(AtomicBump::in_bytes(&mut []).is_err());
    /// ```
    pub fn in_bytes(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        BorrowedBytes::new(bytes).map(|storage| AtomicBump { storage })
    }
}
