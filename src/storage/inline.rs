//! Memory inside the arena itself.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{Storage, drop_values, sealed};
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::stamps::Stamp;

/// Stores the slots of an arena inside the arena itself, without a pointer or an allocation.
///
/// [`StaticArena`](crate::StaticArena) uses this storage. It suits a `static` and the stack.
pub struct Inline<T, const N: usize> {
    header: Header,
    stamps: [Stamp; N],
    slots: UnsafeCell<[MaybeUninit<T>; N]>,
}

impl<T, const N: usize> Inline<T, N> {
    pub(crate) const fn new() -> Self {
        const { assert!(N > 0, "an arena needs room for at least one slot") };
        Inline {
            header: Header::new(),
            stamps: [const { Stamp::new() }; N],
            slots: UnsafeCell::new([const { MaybeUninit::uninit() }; N]),
        }
    }

    /// Writes a new storage to `place` field by field, so that it is never copied through the
    /// stack.
    ///
    /// # Safety
    ///
    /// `place` is valid for writes and aligned.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn write_new(place: *mut Self) {
        const { assert!(N > 0, "an arena needs room for at least one slot") };
        // SAFETY: the caller guarantees that `place`, and hence each of its fields, is valid for
        // writes and aligned. A zeroed byte is a new stamp. The slots may stay uninitialised.
        unsafe {
            (&raw mut (*place).header).write(Header::new());
            (&raw mut (*place).stamps).write_bytes(0, 1);
        }
    }
}

impl<T, const N: usize> Drop for Inline<T, N> {
    fn drop(&mut self) {
        drop_values(self.view_mut());
    }
}

// `Inline` is automatically `Send` if `T: Send`, because all its fields are then `Send`.
// SAFETY: `T: Send` is enough (see `Storage`).
unsafe impl<T: Send, const N: usize> Sync for Inline<T, N> {}

impl<T, const N: usize> sealed::Sealed<T> for Inline<T, N> {}

// SAFETY: the header, the stamps and the slots are fields, which do not move while the storage is
// borrowed. `new` and `write_new` create stamps that are zero. `drop` drops the values.
unsafe impl<T, const N: usize> Storage<T> for Inline<T, N> {
    #[inline]
    fn view(&self) -> ArenaRef<'_, T> {
        let slots = NonNull::from(&self.slots).cast();
        // SAFETY: `slots` points to `N` slots inside an `UnsafeCell`. Only views access them. In a
        // new arena no slot is below the cursor, so the contents of the slots meet the requirements
        // of `ArenaRef::new` at first, and views preserve this.
        unsafe { ArenaRef::new(&self.header, &self.stamps, slots) }
    }

    #[inline]
    fn view_mut(&mut self) -> ArenaMut<'_, T> {
        let slots = NonNull::from(&mut self.slots).cast();
        // SAFETY: as in `view`. `&mut self` excludes any other view.
        unsafe { ArenaMut::new(&mut self.header, &mut self.stamps, slots) }
    }

    fn external_bytes(&self) -> usize {
        0
    }
}

impl<T, const N: usize> fmt::Debug for Inline<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inline").finish_non_exhaustive()
    }
}
