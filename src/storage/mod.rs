//! Where the bytes of an arena come from. A storage holds the whole state (header, stamps, slots); the arena is only
//! its face.

// Loom's atomics are neither made in a constant nor one byte long.
#[cfg(not(all(test, loom)))]
mod borrowed;
mod heap;
#[cfg(not(all(test, loom)))]
mod inline;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
mod mapped;

use core::alloc::{Layout, LayoutError};
use core::ptr::NonNull;

use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::shards::{SHARDS, Shard, has_shards};
use crate::raw::stamps::Stamp;

#[cfg(not(all(test, loom)))]
pub use borrowed::Borrowed;
pub use heap::Heap;
#[cfg(not(all(test, loom)))]
pub use inline::Inline;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub(crate) use mapped::MapOptions;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapped::{HugePages, Mapped};

pub(crate) mod sealed {
    /// Keeps [`Storage`](super::Storage) to this crate.
    pub trait Sealed<T> {}
}

/// Where an [`AtomicArena`](crate::AtomicArena) keeps its state: [`Heap`](crate::Heap), [`Inline`](crate::Inline),
/// [`Borrowed`](crate::Borrowed), or `Mapped` (feature `mapped`). Sealed.
///
/// # Safety
///
/// An implementation promises that
///
/// - both views name the same header, stamps and slots at every call, and nothing else ever touches them;
/// - their addresses do not change while a view of the storage lives (they may when the storage itself is moved,
///   which it cannot be while it is borrowed);
/// - a new storage is one in which nothing was said: a new header and new shards, every stamp zero;
/// - dropping it drops each value that the slots still hold exactly once.
///
/// It is `Send` if `T: Send`, because its values move with it, and `Sync` if `T: Send`, because through a shared
/// arena one thread moves a value in and another, with `&mut`, moves it out. `T: Sync` is not asked for here: what
/// lends `&T` to other threads asks for it on the method.
pub unsafe trait Storage<T>: sealed::Sealed<T> {
    #[doc(hidden)]
    fn view(&self) -> ArenaRef<'_, T>;
    #[doc(hidden)]
    fn view_mut(&mut self) -> ArenaMut<'_, T>;
    /// How many bytes it takes that are not part of itself.
    #[doc(hidden)]
    fn external_bytes(&self) -> usize;
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
    unsafe fn view<T>(&self) -> ArenaRef<'_, T> {
        // SAFETY: `stamps` points to as many stamps as there are slots, and both are this memory's alone until it is
        // dropped; they are behind pointers, so they stay where they are even when the memory is moved. Only views write
        // to them, so what holds of a new arena, in which no slot is below the cursor, they keep.
        unsafe {
            let stamps = core::slice::from_raw_parts(self.stamps.as_ptr(), self.capacity);
            ArenaRef::new(&self.header, stamps, self.slots.cast())
        }
    }

    /// # Safety
    ///
    /// As for [`view`](Self::view).
    #[inline]
    unsafe fn view_mut<T>(&mut self) -> ArenaMut<'_, T> {
        // SAFETY: as in `view`, and `&mut self` says that there is no other view.
        unsafe {
            let stamps = core::slice::from_raw_parts_mut(self.stamps.as_ptr(), self.capacity);
            ArenaMut::new(&mut self.header, stamps, self.slots.cast())
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

/// What stands beside the slots: the stamps, and behind them, where there are some, the shards. Zeroed it is as new.
///
/// Aligned as stamps are, not as shards, which are lined up within: an allocator clears by hand what it must align.
fn metadata_layout(capacity: usize) -> Result<Layout, LayoutError> {
    let stamps = Layout::array::<Stamp>(capacity)?;
    if !has_shards(capacity) {
        return Ok(stamps);
    }
    let shards = Layout::array::<u8>(SHARDS * size_of::<Shard>() + align_of::<Shard>() - 1)?;
    Ok(stamps.extend(shards)?.0)
}

/// A header for an arena whose stamps these are.
///
/// # Safety
///
/// What stands beside the slots begins with the stamps, has the layout for that capacity, is as new, and is the header's
/// alone as long as that is used.
#[cfg(feature = "alloc")]
unsafe fn header(stamps: NonNull<Stamp>, capacity: usize) -> Header {
    if !has_shards(capacity) {
        return Header::new();
    }
    let end = stamps.as_ptr().wrapping_add(capacity).cast::<u8>();
    let shards = end.wrapping_add(end.align_offset(align_of::<Shard>())).cast::<Shard>();
    if cfg!(all(test, loom)) {
        for index in 0..SHARDS {
            // SAFETY: within the layout (the caller). (Without loom zeroed memory is a `Shard`.)
            unsafe { shards.add(index).write(Shard::new()) };
        }
    }
    // SAFETY: as many shards, lined up, within the layout, all as new, and the header's (the caller).
    unsafe { Header::with_shards(NonNull::new(shards)) }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `destroy` was made for the type of this memory, and is called once.
        unsafe { (self.destroy)(self) };
    }
}

/// Drops every value, and leaves an empty arena.
fn drop_values<T>(mut view: ArenaMut<'_, T>) {
    if core::mem::needs_drop::<T>() {
        let mut live = view.take();
        // SAFETY: we have just taken them.
        unsafe { live.drop_rest(&mut view) };
    }
}
