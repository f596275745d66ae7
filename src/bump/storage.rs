//! Where the bytes of a bump come from. A storage holds the whole state: head, shards and bytes.

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

#[cfg(not(all(test, loom)))]
use super::budget::fits_shards;
use super::budget::{Head, Shard, Shards, has_shards};
use super::bump_ref::BumpRef;
#[cfg(feature = "alloc")]
use super::gap::LINE;
use crate::error::CapacityError;
use crate::raw::shards::SHARDS;

mod sealed {
    pub trait Sealed {}
}
pub(super) use sealed::Sealed;

/// Where an `AtomicBump` keeps its bytes.
///
/// # Safety
///
/// An implementation promises that
///
/// - both views name the same head, shards and bytes at every call, and nothing else touches them;
/// - their addresses do not change while the storage is borrowed;
/// - head and shards of a new storage are new.
pub unsafe trait BumpStorage: Sealed {
    #[doc(hidden)]
    fn view(&self) -> BumpRef<'_>;
    #[doc(hidden)]
    fn view_mut(&mut self) -> BumpMut<'_>;
}

/// A bump that nothing else refers to.
#[derive(Debug)]
pub struct BumpMut<'a> {
    head: &'a mut Head,
    shards: Option<&'a mut Shards>,
    /// The first of `capacity` bytes, which belong to this view.
    base: NonNull<u8>,
    capacity: usize,
}

impl BumpMut<'_> {
    /// Takes every byte back.
    pub(super) fn reset(self) {
        self.head.restart(self.shards, self.capacity);
    }

    /// Takes every byte back, and zeroes those that were ever handed out, with writes that no
    /// compiler may leave out.
    pub(super) fn reset_zeroed(self) {
        let written = self.head.high_water_mut(self.shards.is_some(), self.capacity);
        let (base, word) = (self.base.as_ptr(), size_of::<usize>());
        let head = base.align_offset(word).min(written);
        let tail = head + (written - head) / word * word;
        for byte in (0..head).chain(tail..written) {
            // SAFETY: below the capacity, and the view has exclusive access.
            unsafe { base.add(byte).write_volatile(0) };
        }
        for byte in (head..tail).step_by(word) {
            // SAFETY: as above, and aligned, since `head` is the offset of the first aligned
            // address.
            unsafe { base.add(byte).cast::<usize>().write_volatile(0) };
        }
        self.reset();
    }
}

/// Bytes and shards that a storage points to.
#[derive(Debug)]
pub(super) struct Memory {
    head: Head,
    base: NonNull<u8>,
    capacity: usize,
    shards: Option<NonNull<Shards>>,
}

// SAFETY: bytes and shards belong to the memory as if they were part of it. The shards are atomics,
// and each byte has one owner at a time.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// # Safety
    ///
    /// `base` points to `capacity` bytes, and `shards`, if any, to uninitialised shards, aligned.
    /// As long as the memory is used, they stay there and nothing else touches them.
    pub(super) unsafe fn new(base: NonNull<u8>, capacity: usize, shards: Option<NonNull<Shards>>) -> Self {
        if let Some(shards) = shards {
            for index in 0..SHARDS {
                // SAFETY: one of the shards, which no thread uses yet (the caller).
                unsafe { shards.cast::<Shard>().add(index).write(Shard::new()) };
            }
        }
        Memory { head: Head::new(), base, capacity, shards }
    }

    /// Names other memory, of the same capacity. It must be empty.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new).
    #[cfg(all(feature = "mapped", not(all(test, loom))))]
    pub(super) unsafe fn replace(&mut self, base: NonNull<u8>, shards: Option<NonNull<Shards>>) {
        // SAFETY: the caller's.
        let new = unsafe { Memory::new(base, self.capacity, shards) };
        // The head stays, because it holds how much was ever handed out.
        (self.base, self.shards) = (new.base, new.shards);
    }

    #[inline]
    pub(super) fn view(&self) -> BumpRef<'_> {
        // SAFETY: shards and bytes belong to this memory and stay where they are (`new`); only
        // views touch them, and an exclusive one excludes this.
        unsafe { BumpRef::new(&self.head, self.shards.map(|shards| shards.as_ref()), self.base, self.capacity) }
    }

    #[inline]
    pub(super) fn view_mut(&mut self) -> BumpMut<'_> {
        // SAFETY: as in `view`, and `&mut self` excludes every other view.
        let shards = self.shards.map(|mut shards| unsafe { shards.as_mut() });
        BumpMut { head: &mut self.head, shards, base: self.base, capacity: self.capacity }
    }
}

/// The layout of a bump in one piece: the bytes, and where the shards lie behind them, if there are
/// some.
#[cfg(feature = "alloc")]
fn layout(capacity: usize) -> Option<(Layout, Option<usize>)> {
    let bytes = Layout::from_size_align(capacity, LINE).ok()?;
    if !has_shards(capacity) {
        return Some((bytes, None));
    }
    let (layout, shards) = bytes.extend(Layout::new::<Shards>()).ok()?;
    Some((layout, Some(shards)))
}

/// Memory from the global allocator. Without the feature `alloc` there is no value of this type.
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
        // SAFETY: within what was just allocated, as the layout says.
        let shards = shards.map(|offset| unsafe { base.add(offset) }.cast());
        // SAFETY: just allocated, of that layout, and freed by `drop` alone.
        Ok(HeapBytes(unsafe { Memory::new(base, capacity, shards) }))
    }
}

impl Drop for HeapBytes {
    fn drop(&mut self) {
        #[cfg(feature = "alloc")]
        if let Some((layout, _)) = layout(self.0.capacity) {
            // SAFETY: `new` has allocated it with this layout. Nothing refers to it: it was
            // borrowed from `self`.
            unsafe { dealloc(self.0.base.as_ptr(), layout) };
        }
    }
}

impl Sealed for HeapBytes {}

// SAFETY: bytes and shards are an allocation of their own. `Memory::new` initialises them.
unsafe impl BumpStorage for HeapBytes {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        self.0.view()
    }

    fn view_mut(&mut self) -> BumpMut<'_> {
        self.0.view_mut()
    }
}

/// Everything in the bump itself.
#[cfg(not(all(test, loom)))]
#[derive(Debug)]
pub struct InlineBytes<const BYTES: usize> {
    head: Head,
    #[cfg(feature = "std")]
    shards: Shards,
    bytes: UnsafeCell<Lines<BYTES>>,
}

/// Begins at a line, as the cursor of a bump with shards counts lines.
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

// SAFETY: head, shards and bytes are fields, which stay where they are while the storage is
// borrowed. `new` initialises them.
#[cfg(not(all(test, loom)))]
unsafe impl<const BYTES: usize> BumpStorage for InlineBytes<BYTES> {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        #[cfg(feature = "std")]
        let shards = if has_shards(BYTES) { Some(&self.shards) } else { None };
        #[cfg(not(feature = "std"))]
        let shards = None;
        // SAFETY: `BYTES` bytes inside an `UnsafeCell`, which only views touch.
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

/// Bytes that the caller has from elsewhere, for `'m`.
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
        // The shards come first, and with them every line begins at a multiple of its size.
        let skipped = base.align_offset(align_of::<Shards>()).saturating_add(size_of::<Shards>());
        let capacity = len.saturating_sub(skipped);
        // Of fewer bytes the shards would take more than their share.
        let memory = if len >= MIN_BORROWED && fits_shards(capacity) {
            // SAFETY: fewer than the bytes.
            let first = unsafe { base.add(skipped) };
            // SAFETY: the shards end where the first byte lies.
            let shards = unsafe { first.sub(size_of::<Shards>()) }.cast();
            // SAFETY: the shards begin at a multiple of their alignment. They and the bytes behind
            // them are borrowed exclusively, for `'m`.
            unsafe { Memory::new(first, capacity, has_shards(capacity).then_some(shards)) }
        } else {
            // SAFETY: borrowed exclusively, for `'m`.
            unsafe { Memory::new(base, len, None) }
        };
        Ok(BorrowedBytes { memory, marker: PhantomData })
    }
}

/// A bump in at least this many borrowed bytes has shards.
#[cfg(not(all(test, loom)))]
const MIN_BORROWED: usize = 4 * size_of::<Shards>();

#[cfg(not(all(test, loom)))]
impl Sealed for BorrowedBytes<'_> {}

// SAFETY: the bytes are borrowed exclusively for `'m`, and the shards lie within them.
// `Memory::new` initialises them.
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
