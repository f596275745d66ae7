//! The memory of an arena. A storage holds the complete state: header, stamps and slots. The arena
//! adds the methods.

// Only `Heap` exists under loom, whose atomics cannot be created in a constant, are not valid when
// zeroed, and are larger than one byte.
#[cfg(not(all(test, loom)))]
mod borrowed;
mod heap;
#[cfg(not(all(test, loom)))]
mod inline;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub(crate) mod mapping;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
mod mapped;

use core::alloc::{Layout, LayoutError};
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::shards::{MIN_CAPACITY, RESERVED_SHARDS, Shard, can_have_shards};
use crate::raw::stamps::Stamp;
use crate::raw::summary::BLOCK;
use crate::raw::sync::AtomicUsize;
use crate::raw::thread_id::TINY;

#[cfg(not(all(test, loom)))]
pub use borrowed::Borrowed;
pub use heap::Heap;
#[cfg(not(all(test, loom)))]
pub use inline::Inline;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapped::Mapped;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapping::HugePages;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub(crate) use mapping::MapOptions;

pub(crate) mod sealed {
    /// Prevents implementations of [`Storage`](super::Storage) outside this crate.
    pub trait Sealed<T> {}
}

/// Stores the state of an [`AtomicArena`](crate::AtomicArena).
///
/// The implementations are [`Heap`](crate::Heap), [`Inline`](crate::Inline),
/// [`Borrowed`](crate::Borrowed) and `Mapped` (feature `mapped`). The trait is sealed.
///
/// # Safety
///
/// Only this crate implements the trait, so there are no requirements on other code.
//
// An implementation guarantees the following:
//
// - `view` and `view_mut` refer to the same header, stamps and slots at every call, and no other
//   code accesses these parts.
// - The addresses of these parts do not change while a view of the storage exists. They may change
//   when the storage itself is moved, which is impossible while it is borrowed.
// - A new storage is an empty arena: the header, the shards and the summary are new, and every
//   stamp is zero.
// - Dropping the storage drops each value that is still in a slot exactly once, except leaked
//   values, which it does not drop.
//
// A storage is `Send` if `T: Send`, because its values move with it. `Sync` also requires
// `T: Send`, because one thread can move a value in through a shared arena, and another thread can
// move it out with `&mut`. `Sync` does not require `T: Sync`, because the methods that lend `&T` to
// other threads require it.
pub unsafe trait Storage<T>: sealed::Sealed<T> {
    #[doc(hidden)]
    fn view(&self) -> ArenaRef<'_, T>;
    #[doc(hidden)]
    fn view_mut(&mut self) -> ArenaMut<'_, T>;
    /// Returns the number of bytes that the storage occupies outside itself.
    #[doc(hidden)]
    fn external_bytes(&self) -> usize;
}

/// The state of an arena of `T` whose stamps and slots are outside the storage itself.
///
/// This type does not implement `Drop`. [`RawMemory`] does, and that type does not name `T`. If a
/// generic type implemented `Drop`, the drop check would require the values to strictly outlive the
/// arena. An arena whose values refer to each other would then not compile.
#[derive(Debug)]
struct Memory<T> {
    /// Invariant: created for `T`.
    raw: RawMemory,
    /// Tells the drop check that the memory owns values of `T`, which `raw` hides from it.
    marker: PhantomData<T>,
}

impl<T> Memory<T> {
    /// # Safety
    ///
    /// `raw` was created for `T`: its slots have the layout of `T`, and `destroy` drops values of
    /// `T`.
    unsafe fn new(raw: RawMemory) -> Self {
        Memory { raw, marker: PhantomData }
    }

    #[inline]
    fn view(&self) -> ArenaRef<'_, T> {
        // SAFETY: `stamps` points to `capacity` stamps and `slots` to `capacity` slots for `T`.
        // This memory owns both until it is dropped. They are reached through pointers, so their
        // addresses do not change when the `Memory` is moved. In a new arena no slot is below the
        // cursor, so the contents of the slots meet the requirements of `ArenaRef::new` at first.
        // Only views write to the stamps and slots, and they preserve this.
        unsafe {
            let stamps = core::slice::from_raw_parts(self.raw.stamps.as_ptr(), self.raw.capacity);
            ArenaRef::new(&self.raw.header, stamps, self.raw.slots.cast())
        }
    }

    #[inline]
    fn view_mut(&mut self) -> ArenaMut<'_, T> {
        // SAFETY: `raw` was created for `T`, which is the invariant of the field.
        unsafe { self.raw.view_mut() }
    }
}

/// The contents of a [`Memory`], independent of the type of its values.
#[derive(Debug)]
struct RawMemory {
    header: Header,
    /// The first of `capacity` stamps.
    stamps: NonNull<Stamp>,
    /// The first of `capacity` slots.
    slots: NonNull<u8>,
    capacity: usize,
    /// Drops the values and, for `Heap`, frees the memory. Set by a constructor, which knows `T`.
    destroy: unsafe fn(&mut RawMemory),
}

impl RawMemory {
    /// # Safety
    ///
    /// `T` is the type for which this memory was created.
    #[inline]
    unsafe fn view_mut<T>(&mut self) -> ArenaMut<'_, T> {
        // SAFETY: the caller guarantees that the memory was created for `T`. The other requirements
        // hold as in `Memory::view`. `&mut self` excludes any other view.
        unsafe {
            let stamps = core::slice::from_raw_parts_mut(self.stamps.as_ptr(), self.capacity);
            ArenaMut::new(&mut self.header, stamps, self.slots.cast())
        }
    }

    /// # Safety
    ///
    /// As for [`view_mut`](Self::view_mut).
    unsafe fn drop_values<T>(&mut self) {
        // SAFETY: the caller guarantees that the memory was created for `T`.
        drop_values(unsafe { self.view_mut::<T>() });
    }
}

/// Returns whether an arena of this capacity on the heap or in a mapping has a tail (see
/// [`tail_size`]). In tests of shards and in models, every such arena has one.
///
/// The upper limit rules out an overflow in [`tail_size`]. A larger arena works without a tail.
fn has_tail(capacity: usize) -> bool {
    let smallest = if TINY { 1 } else { MIN_CAPACITY };
    (smallest..usize::MAX / 4).contains(&capacity)
}

/// Returns the size of the *tail* of an arena of this capacity: its shards and its summary, with
/// padding for their alignment.
///
/// For a given capacity the size depends only on the target, so that `in_bytes` yields the same
/// capacity with any set of features. It never decreases as the capacity grows, so that the tail of
/// a larger capacity is large enough for a smaller one.
const fn tail_size(capacity: usize) -> usize {
    let shards = RESERVED_SHARDS * size_of::<Shard>();
    align_of::<Shard>() - 1 + shards + capacity.div_ceil(BLOCK) * size_of::<AtomicUsize>()
}

/// Returns the layout of the metadata: the stamps, and then the tail if there is one. Zeroed memory
/// of this layout is the metadata of a new arena.
///
/// The alignment is that of the stamps, and the tail contains padding to align itself. With a
/// larger alignment, the system allocator on Unix would zero the memory explicitly instead of
/// requesting zeroed pages from the operating system.
fn metadata_layout(capacity: usize) -> Result<Layout, LayoutError> {
    let stamps = Layout::array::<Stamp>(capacity)?;
    if !has_tail(capacity) {
        return Ok(stamps);
    }
    Ok(stamps.extend(Layout::array::<u8>(tail_size(capacity))?)?.0)
}

/// Returns a header for an arena whose metadata starts at `stamps`.
///
/// # Safety
///
/// `stamps` points to new zeroed memory with the layout that [`metadata_layout`] returns for this
/// capacity. The tail of this memory belongs to the header alone while the header is used.
#[cfg(feature = "alloc")]
unsafe fn header(stamps: NonNull<Stamp>, capacity: usize) -> Header {
    if !has_tail(capacity) {
        return Header::new();
    }
    // SAFETY: the caller guarantees that the memory has the layout for this capacity, in which the
    // tail follows the stamps. The tail is zeroed and belongs to the header alone.
    unsafe { header_with_tail(stamps.add(capacity).cast(), capacity) }
}

/// Returns a header for an arena of this capacity whose tail starts at `tail`.
///
/// # Safety
///
/// `tail` points to `tail_size(capacity)` zeroed bytes. They belong to the header alone while the
/// header is used.
#[cfg(any(feature = "alloc", not(all(test, loom))))]
unsafe fn header_with_tail(tail: NonNull<u8>, capacity: usize) -> Header {
    // SAFETY: the offset is less than the alignment, and `tail_size` has room for it.
    let shards = unsafe { tail.add(tail.align_offset(align_of::<Shard>())) }.cast::<Shard>();
    // SAFETY: the summary follows the shards, and `tail_size` has room for it.
    let summary = unsafe { shards.add(RESERVED_SHARDS) }.cast::<AtomicUsize>();
    // Without loom, zeroed memory already consists of valid shards and atomics.
    #[cfg(all(test, loom))]
    // SAFETY: the shards and the summary are within the tail, as computed above.
    unsafe {
        (0..RESERVED_SHARDS).for_each(|index| shards.add(index).write(Shard::new()));
        (0..capacity.div_ceil(BLOCK)).for_each(|index| summary.add(index).write(AtomicUsize::new(0)));
    }
    // Shards require thread numbers, which exist only with `std`.
    let shards = (can_have_shards(capacity) && cfg!(feature = "std")).then_some(shards);
    // SAFETY: the shards and the summary are aligned and within the tail. The caller guarantees
    // that the tail is zeroed, and that it belongs to the header alone.
    unsafe { Header::with_tail(shards, Some(summary)) }
}

impl Drop for RawMemory {
    fn drop(&mut self) {
        // SAFETY: `destroy` was chosen for the type of the values in this memory. It is called
        // once, and the memory is not used afterwards.
        unsafe { (self.destroy)(self) };
    }
}

/// Drops every value in the arena. Does nothing if values of `T` need no drop.
fn drop_values<T>(mut view: ArenaMut<'_, T>) {
    if core::mem::needs_drop::<T>() {
        let mut live = view.take();
        // SAFETY: `take` passes the ownership of the values to its caller, which is this function.
        // No new value is stored before they are dropped.
        unsafe { live.drop_rest(&mut view) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_not_smaller_at_a_larger_capacity() {
        let around = [MIN_CAPACITY, 1 << 20, 1 << (usize::BITS / 2 + 1), usize::MAX / 8];
        for capacity in around.into_iter().flat_map(|middle| middle - 2..middle + 2) {
            assert!(tail_size(capacity) <= tail_size(capacity + 1), "{capacity}");
        }
    }
}
