//! Bytes that somebody else has.

use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{Memory, Storage, sealed};
use crate::error::CapacityError;
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::stamps::Stamp;

/// Bytes that the caller has from elsewhere, for `'m`.
pub struct Borrowed<'m, T> {
    memory: Memory,
    /// Owns values of `T`, and says so to the drop check, which `Memory` does not.
    marker: PhantomData<T>,
    _bytes: Bytes<'m>,
}

/// The borrow. Its `Drop` tells the drop check that the bytes are used until the arena is gone: `Memory` drops the
/// values in them, and does not name `'m`.
struct Bytes<'m>(PhantomData<&'m mut [MaybeUninit<u8>]>);

impl Drop for Bytes<'_> {
    fn drop(&mut self) {}
}

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
        Ok(Borrowed { memory, marker: PhantomData, _bytes: Bytes(PhantomData) })
    }
}

// SAFETY: see `Storage`. The bytes are borrowed exclusively.
unsafe impl<T: Send> Send for Borrowed<'_, T> {}
// SAFETY: see `Storage`.
unsafe impl<T: Send> Sync for Borrowed<'_, T> {}

impl<T> sealed::Sealed<T> for Borrowed<'_, T> {}

// SAFETY: slots and stamps lie in bytes that nobody else can touch for `'m`, which outlives the arena's drop (`Bytes`);
// `new` zeroes the stamps; `destroy` drops the values.
unsafe impl<T> Storage<T> for Borrowed<'_, T> {
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
        self.memory.capacity * (size_of::<T>() + size_of::<Stamp>())
    }
}

impl<T> fmt::Debug for Borrowed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").finish_non_exhaustive()
    }
}
