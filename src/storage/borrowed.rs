//! Memory that the caller provides.

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{Memory, RawMemory, Storage, header_with_tail, sealed, tail_size};
use crate::error::CapacityError;
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::shards::MIN_CAPACITY;
use crate::raw::stamps::Stamp;

/// Stores an arena in bytes that are borrowed for `'m`.
///
/// [`AtomicArena::in_bytes`](crate::AtomicArena::in_bytes) creates such an arena.
pub struct Borrowed<'m, T> {
    memory: Memory<T>,
    _bytes: Bytes<'m>,
}

/// Represents the borrow of the bytes.
///
/// `Memory` drops the values in the bytes, but its type does not name `'m`. The `Drop` of `Bytes`
/// therefore tells the drop check that the bytes are in use until the arena has been dropped.
struct Bytes<'m>(PhantomData<&'m mut [MaybeUninit<u8>]>);

impl Drop for Bytes<'_> {
    fn drop(&mut self) {}
}

impl<T> Borrowed<'_, T> {
    /// Returns a number of bytes in which [`new`](Self::new) finds room for `capacity` slots,
    /// whatever the address of the bytes. Returns `None` if no slice can be that long.
    pub(crate) const fn bytes_for(capacity: usize) -> Option<usize> {
        // Zero-sized slots have no location, so nothing needs alignment. Otherwise aligning the
        // slots takes at most `align_of::<T>() - 1` bytes.
        let padding = if size_of::<T>() == 0 { 0 } else { align_of::<T>() - 1 };
        let Some(slots) = capacity.checked_mul(size_of::<T>()) else { return None };
        let Some(packed) = slots.checked_add(capacity) else { return None };
        let Some(untailed) = packed.checked_add(padding) else { return None };
        // `new` sizes the tail for the capacity that it would reach if slots also occupied the
        // bytes of the tail. That capacity exceeds `capacity` by at most one slot per byte of the
        // tail. The tail computed here has fewer than `2 * tail_size(capacity)` bytes. So the
        // capacity for which `new` needs a tail is below `capacity + 2 * tail_size(capacity)`, for
        // which this tail was computed.
        let tail = if capacity < MIN_CAPACITY || untailed > isize::MAX as usize {
            0
        } else {
            tail_size(capacity + 2 * tail_size(capacity))
        };
        match untailed.checked_add(tail) {
            Some(bytes) if bytes <= isize::MAX as usize => Some(bytes),
            _ => None,
        }
    }
}

impl<'m, T> Borrowed<'m, T> {
    pub(crate) fn new(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        let (size, all) = (size_of::<T>(), bytes.len());
        // From here on the slice is reached only through this pointer. Even `bytes.len()` would
        // count as a read of the slice. Under Tree Borrows, such a read forbids further writes
        // through the pointer, once the pointer has been used for a write.
        let base = bytes.as_mut_ptr();
        // Returns the lowest offset of the slots that is at least `skip`.
        let slots_after = |skip: usize| skip + base.wrapping_add(skip).align_offset(align_of::<T>());
        // Returns the offsets of the stamps and of the slots, if `capacity` stamps and slots fit in
        // the first `len` bytes. The slots come first only if the other order does not fit.
        let fits = |capacity: usize, len: usize| {
            let (stamps_first, slots_first) = (slots_after(capacity), slots_after(0));
            if size == 0 {
                Some((0, 0))
            } else if stamps_first.checked_add(capacity * size)? <= len {
                Some((0, stamps_first))
            } else if slots_first.checked_add(capacity * (size + 1))? <= len {
                Some((slots_first + capacity * size, slots_first))
            } else {
                None
            }
        };
        // Returns the number of slots that fit, with their stamps, in the first `len` bytes. The
        // result is `most`, unless too few bytes are left to align the slots. Then the result is
        // `most - 1`: leaving out one slot and its stamp frees `size + 1` bytes, and aligning the
        // slots takes fewer bytes than that, because the alignment is at most `size`. (If `size` is
        // 0, nothing needs alignment.)
        let capacity_of = |len: usize| {
            let most = len / (size + 1);
            let fitting = [most, most.saturating_sub(1)].into_iter().find(|&capacity| fits(capacity, len).is_some());
            fitting.unwrap_or(0)
        };
        // The tail, if the arena has one, starts after the slots and the stamps. An arena without a
        // tail has fewer than `MIN_CAPACITY` slots.
        let largest = capacity_of(all);
        let tail = all.saturating_sub(tail_size(largest));
        let (capacity, len) = if capacity_of(tail) >= MIN_CAPACITY {
            (capacity_of(tail), tail)
        } else {
            (largest.min(MIN_CAPACITY - 1), all)
        };
        let Some((stamps, slots)) = fits(capacity, len).filter(|_| capacity > 0) else {
            return Err(CapacityError::Zero);
        };
        let stamps_base = base.wrapping_add(stamps).cast::<Stamp>();
        for index in 0..capacity {
            // SAFETY: the stamp is within the bytes, as computed above. It is one byte, so it needs
            // no alignment.
            unsafe { stamps_base.add(index).write(Stamp::new()) };
        }
        let slots = if size == 0 { NonNull::<T>::dangling().as_ptr().cast() } else { base.wrapping_add(slots) };
        // SAFETY: both point into a slice, which is not at address zero. The pointer to zero-sized
        // slots dangles instead, and is not null either.
        let (stamps, slots) =
            unsafe { (NonNull::new_unchecked(stamps_base), NonNull::new_unchecked(slots.cast::<u8>())) };
        let header = if len == all {
            Header::new()
        } else {
            // SAFETY: the tail is within the slice, which is not at address zero. The
            // `tail_size(largest)` bytes from `len` on are enough for the tail of any capacity up
            // to `largest`. They hold neither slots nor stamps, so only the header uses them. They
            // are zeroed here.
            unsafe {
                let tail = base.add(len);
                tail.write_bytes(0, all - len);
                header_with_tail(NonNull::new_unchecked(tail.cast()), capacity)
            }
        };
        let raw = RawMemory { header, stamps, slots, capacity, destroy: RawMemory::drop_values::<T> };
        // SAFETY: the slots have the layout of `T`, and `drop_values::<T>` drops values of `T`.
        Ok(Borrowed { memory: unsafe { Memory::new(raw) }, _bytes: Bytes(PhantomData) })
    }
}

// SAFETY: `T: Send` is enough (see `Storage`). The bytes are exclusively borrowed.
unsafe impl<T: Send> Send for Borrowed<'_, T> {}
// SAFETY: `T: Send` is enough (see `Storage`).
unsafe impl<T: Send> Sync for Borrowed<'_, T> {}

impl<T> sealed::Sealed<T> for Borrowed<'_, T> {}

// SAFETY: the slots and the stamps lie in bytes that no other code can access during `'m`, and `'m`
// does not end before the arena has been dropped (`Bytes`). `new` zeroes the stamps. `destroy`
// drops the values.
unsafe impl<T> Storage<T> for Borrowed<'_, T> {
    #[inline]
    fn view(&self) -> ArenaRef<'_, T> {
        self.memory.view()
    }

    #[inline]
    fn view_mut(&mut self) -> ArenaMut<'_, T> {
        self.memory.view_mut()
    }

    fn external_bytes(&self) -> usize {
        let capacity = self.memory.raw.capacity;
        let tail = if capacity < MIN_CAPACITY { 0 } else { tail_size(capacity) };
        capacity * (size_of::<T>() + size_of::<Stamp>()) + tail
    }
}

impl<T> fmt::Debug for Borrowed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").finish_non_exhaustive()
    }
}
