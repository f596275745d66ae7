//! The memory of a bump. A storage holds the complete state: the head (which contains the cursor),
//! the shards and the bytes.

#[cfg(feature = "alloc")]
use alloc::alloc::{alloc, dealloc};
#[cfg(feature = "alloc")]
use core::alloc::Layout;
#[cfg(not(all(test, loom)))]
use core::cell::UnsafeCell;
#[cfg(not(all(test, loom)))]
use core::marker::PhantomData;
#[cfg(not(all(test, loom)))]
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::bump_ref::BumpRef;
use crate::error::CapacityError;
#[cfg(not(all(test, loom)))]
use crate::raw::budget::fits_shards;
use crate::raw::budget::{Head, Shard, Shards, has_shards};
#[cfg(feature = "alloc")]
use crate::raw::gap::LINE;
use crate::raw::shards::SHARDS;

mod sealed {
    pub trait Sealed {}
}
pub(super) use sealed::Sealed;

/// Stores the state of an [`AtomicBump`](crate::AtomicBump).
///
/// # Safety
///
/// An implementation guarantees the following:
///
/// - Both views refer to the same head, shards and bytes at every call, and only views access
///   these.
/// - The addresses of the head, the shards and the bytes do not change while the storage is
///   borrowed.
/// - The head and the shards of a new storage are in their initial state.
pub unsafe trait BumpStorage: Sealed {
    #[doc(hidden)]
    fn view(&self) -> BumpRef<'_>;
    #[doc(hidden)]
    fn view_mut(&mut self) -> BumpMut<'_>;
}

/// A bump under exclusive access.
#[derive(Debug)]
pub struct BumpMut<'a> {
    head: &'a mut Head,
    shards: Option<&'a mut Shards>,
    /// The first of `capacity` bytes, which only this view accesses.
    base: NonNull<u8>,
    capacity: usize,
}

impl BumpMut<'_> {
    /// Frees all bytes.
    pub(super) fn reset(self) {
        self.head.restart(self.shards, self.capacity);
    }

    /// Frees all bytes, and zeroes those that were ever handed out. The writes are volatile, so
    /// that the compiler does not remove them.
    pub(super) fn reset_zeroed(self) {
        let written = self.head.high_water_mut(self.shards.is_some(), self.capacity);
        let (base, word) = (self.base.as_ptr(), size_of::<usize>());
        let head = base.align_offset(word).min(written);
        let tail = head + (written - head) / word * word;
        for byte in (0..head).chain(tail..written) {
            // SAFETY: the byte is below the capacity, and the view has exclusive access.
            unsafe { base.add(byte).write_volatile(0) };
        }
        for byte in (head..tail).step_by(word) {
            // SAFETY: the word is below the capacity, and the view has exclusive access. The
            // address is aligned, because the first address, `base + head`, is aligned.
            unsafe { base.add(byte).cast::<usize>().write_volatile(0) };
        }
        self.reset();
    }
}

/// The head of a storage, and pointers to its bytes and shards.
#[derive(Debug)]
pub(super) struct Memory {
    head: Head,
    base: NonNull<u8>,
    capacity: usize,
    shards: Option<NonNull<Shards>>,
}

// SAFETY: the bytes and the shards belong to this value as if they were fields. The shards are
// atomics, and each byte has one owner at a time.
unsafe impl Send for Memory {}
// SAFETY: as for `Send`.
unsafe impl Sync for Memory {}

impl Memory {
    /// # Safety
    ///
    /// - `base` points to `capacity` bytes that are valid for reads and writes.
    /// - `shards`, if any, points to memory that is aligned and large enough for shards. In that
    ///   case `base` is a multiple of `LINE`, and `has_shards(capacity)` is true.
    /// - As long as this value is used, the bytes and the shards do not move and no other code
    ///   accesses them.
    pub(super) unsafe fn new(base: NonNull<u8>, capacity: usize, shards: Option<NonNull<Shards>>) -> Self {
        if let Some(shards) = shards {
            for index in 0..SHARDS {
                // SAFETY: `index` is below `SHARDS`, and the caller guarantees that the memory is
                // aligned, large enough, and not yet in use.
                unsafe { shards.cast::<Shard>().add(index).write(Shard::new()) };
            }
        }
        Memory { head: Head::new(), base, capacity, shards }
    }

    /// Replaces the bytes and the shards by other memory of the same capacity. The bump must be
    /// empty.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new).
    #[cfg(all(feature = "mapped", not(all(test, loom))))]
    pub(super) unsafe fn replace(&mut self, base: NonNull<u8>, shards: Option<NonNull<Shards>>) {
        // SAFETY: the caller gives the guarantees that `new` requires.
        let new = unsafe { Memory::new(base, self.capacity, shards) };
        // The head is kept, because it contains the high-water mark.
        (self.base, self.shards) = (new.base, new.shards);
    }

    #[inline]
    pub(super) fn view(&self) -> BumpRef<'_> {
        // SAFETY: the shards and the bytes belong to this memory, stay in place, and have the
        // alignment and the capacity that `BumpRef::new` requires (`new`). Only views access them.
        // A `BumpMut` borrows `self` mutably, so none exists at the same time.
        unsafe { BumpRef::new(&self.head, self.shards.map(|shards| shards.as_ref()), self.base, self.capacity) }
    }

    #[inline]
    pub(super) fn view_mut(&mut self) -> BumpMut<'_> {
        // SAFETY: the shards belong to this memory and stay in place (`new`). `&mut self` excludes
        // every other view.
        let shards = self.shards.map(|mut shards| unsafe { shards.as_mut() });
        BumpMut { head: &mut self.head, shards, base: self.base, capacity: self.capacity }
    }
}

/// Returns the layout of the single allocation of a bump. If the bump has shards, they follow the
/// bytes, and their offset is returned too.
#[cfg(feature = "alloc")]
fn layout(capacity: usize) -> Option<(Layout, Option<usize>)> {
    let bytes = Layout::from_size_align(capacity, LINE).ok()?;
    if !has_shards(capacity) {
        return Some((bytes, None));
    }
    let (layout, shards) = bytes.extend(Layout::new::<Shards>()).ok()?;
    Some((layout, Some(shards)))
}

/// Memory from the global allocator. Without the feature `alloc` no value of this type exists.
#[derive(Debug)]
pub struct HeapBytes(Memory);

#[cfg(feature = "alloc")]
impl HeapBytes {
    pub(super) fn new(capacity: usize) -> Result<Self, (CapacityError, Option<Layout>)> {
        if capacity == 0 {
            return Err((CapacityError::Zero, None));
        }
        let too_large = (CapacityError::TooLarge { capacity, slot_size: 1 }, None);
        let (layout, shards) = layout(capacity).ok_or(too_large)?;
        let refused = (CapacityError::OutOfMemory { bytes: layout.size() }, Some(layout));
        // SAFETY: the size is at least the capacity, which is not 0.
        let base = NonNull::new(unsafe { alloc(layout) }).ok_or(refused)?;
        // SAFETY: the offset comes from the layout, so the shards are within the allocation.
        let shards = shards.map(|offset| unsafe { base.add(offset) }.cast());
        // SAFETY: the memory was just allocated with a layout for the bytes, aligned to a line, and
        // the shards, if any. Only `drop` frees it, and only this storage accesses it.
        Ok(HeapBytes(unsafe { Memory::new(base, capacity, shards) }))
    }
}

impl Drop for HeapBytes {
    fn drop(&mut self) {
        #[cfg(feature = "alloc")]
        if let Some((layout, _)) = layout(self.0.capacity) {
            // SAFETY: `new` has allocated the memory with this layout. No reference to it exists,
            // because references borrow `self`.
            unsafe { dealloc(self.0.base.as_ptr(), layout) };
        }
    }
}

impl Sealed for HeapBytes {}

// SAFETY: the bytes and the shards are in an allocation that only this storage accesses, and that
// does not move. `Memory::new` initialises the head and the shards.
unsafe impl BumpStorage for HeapBytes {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        self.0.view()
    }

    fn view_mut(&mut self) -> BumpMut<'_> {
        self.0.view_mut()
    }
}

/// Memory that is part of the bump itself.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
pub struct InlineBytes<const BYTES: usize> {
    head: Head,
    #[cfg(feature = "std")]
    shards: Shards,
    bytes: UnsafeCell<Lines<BYTES>>,
}

/// The bytes, which start at a multiple of `LINE`. A bump with shards relies on that when it aligns
/// a block by its offset.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
#[repr(align(64))]
struct Lines<const BYTES: usize>([MaybeUninit<u8>; BYTES]);

#[cfg(not(all(test, loom)))]
impl<const BYTES: usize> InlineBytes<BYTES> {
    pub(super) const fn new() -> Self {
        const { assert!(BYTES > 0, "a bump needs room for at least one byte") };
        InlineBytes {
            head: Head::new(),
            #[cfg(feature = "std")]
            shards: [const { Shard::new() }; SHARDS],
            bytes: UnsafeCell::new(Lines([MaybeUninit::uninit(); BYTES])),
        }
    }
}

// SAFETY: each byte has one owner at a time. The other fields are atomics.
#[cfg(not(all(test, loom)))]
unsafe impl<const BYTES: usize> Sync for InlineBytes<BYTES> {}

#[cfg(not(all(test, loom)))]
impl<const BYTES: usize> Sealed for InlineBytes<BYTES> {}

// SAFETY: the head, the shards and the bytes are fields, which do not move while the storage is
// borrowed. `new` initialises the head and the shards.
#[cfg(not(all(test, loom)))]
unsafe impl<const BYTES: usize> BumpStorage for InlineBytes<BYTES> {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        #[cfg(feature = "std")]
        let shards = if has_shards(BYTES) { Some(&self.shards) } else { None };
        #[cfg(not(feature = "std"))]
        let shards = None;
        // SAFETY: the pointer is to `BYTES` bytes inside an `UnsafeCell`, which only views access.
        // They start at a multiple of `LINE`, and do not move while `self` is borrowed.
        unsafe { BumpRef::new(&self.head, shards, NonNull::from(&self.bytes).cast(), BYTES) }
    }

    fn view_mut(&mut self) -> BumpMut<'_> {
        #[cfg(feature = "std")]
        let shards = if has_shards(BYTES) { Some(&mut self.shards) } else { None };
        #[cfg(not(feature = "std"))]
        let shards = None;
        let base = NonNull::from(&mut self.bytes).cast();
        BumpMut { head: &mut self.head, shards, base, capacity: BYTES }
    }
}

/// Memory that the caller lends for `'m`.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
pub struct BorrowedBytes<'m> {
    memory: Memory,
    marker: PhantomData<&'m mut [MaybeUninit<u8>]>,
}

#[cfg(not(all(test, loom)))]
impl<'m> BorrowedBytes<'m> {
    pub(super) fn new(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        let len = bytes.len();
        let Some(base) = NonNull::new(bytes.as_mut_ptr().cast::<u8>()).filter(|_| len > 0) else {
            return Err(CapacityError::Zero);
        };
        // The shards come first. They are aligned, and so are the lines that follow them.
        let skipped = base.align_offset(align_of::<Shards>()).saturating_add(size_of::<Shards>());
        let capacity = len.saturating_sub(skipped);
        let memory = if len >= MIN_BORROWED && fits_shards(capacity) {
            // SAFETY: `capacity` is not 0, so `skipped` is less than the number of bytes.
            let first = unsafe { base.add(skipped) };
            // SAFETY: `first` is `skipped` bytes after `base`, and the shards are not longer than
            // that, so they start within `bytes`.
            let shards = unsafe { first.sub(size_of::<Shards>()) }.cast();
            // SAFETY: the shards are aligned, and so are the lines after them. Both are borrowed
            // exclusively for `'m`.
            unsafe { Memory::new(first, capacity, has_shards(capacity).then_some(shards)) }
        } else {
            // SAFETY: the bytes are borrowed exclusively for `'m`.
            unsafe { Memory::new(base, len, None) }
        };
        Ok(BorrowedBytes { memory, marker: PhantomData })
    }
}

/// The minimum number of borrowed bytes for a bump with shards. In fewer bytes, the shards would
/// take too large a part. This limit matters only in tests with tiny shards, because `fits_shards`
/// otherwise requires more bytes.
#[cfg(not(all(test, loom)))]
const MIN_BORROWED: usize = 4 * size_of::<Shards>();

#[cfg(not(all(test, loom)))]
impl Sealed for BorrowedBytes<'_> {}

// SAFETY: the bytes are borrowed exclusively for `'m`, and the shards lie within them.
// `Memory::new` initialises the head and the shards.
#[cfg(not(all(test, loom)))]
unsafe impl BumpStorage for BorrowedBytes<'_> {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        self.memory.view()
    }

    fn view_mut(&mut self) -> BumpMut<'_> {
        self.memory.view_mut()
    }
}
