//! The storage of an arena in a mapping from the operating system.

use core::fmt;
use core::ptr::NonNull;
#[cfg(test)]
use memmap2::MmapMut;
use std::alloc::Layout;

use super::mapping::{HugePages, MapOptions, Mapping};
use super::{Memory, RawMemory, Storage, header, metadata_layout, sealed};
use crate::error::{CapacityError, MapError};
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::ArenaRef;
use crate::raw::stamps::Stamp;

/// Stores an arena in one mapping from the operating system: the slots, followed by the metadata of
/// the arena.
pub struct Mapped<T> {
    /// Points into the mapping, and is dropped before the mapping.
    memory: Memory<T>,
    mapping: Mapping,
}

impl<T> Mapped<T> {
    pub(crate) fn new(
        capacity: usize,
        options: MapOptions,
        progress: impl FnMut(usize, usize),
    ) -> Result<Self, MapError> {
        if capacity == 0 {
            return Err(MapError::Capacity(CapacityError::Zero));
        }
        let too_large = MapError::Capacity(CapacityError::TooLarge { capacity, slot_size: size_of::<T>() });
        let slots = Layout::array::<T>(capacity).map_err(|_| too_large)?;
        let metadata = metadata_layout(capacity).map_err(|_| too_large)?.size();
        let mut mapping = Mapping::new(slots, metadata, options, too_large, progress)?;
        let (slots, stamps) = mapping.parts();
        let stamps: NonNull<Stamp> = stamps.cast();
        // SAFETY: the metadata lies within the mapping, which is new and all zeros. Only this
        // header uses the tail of the metadata while the memory is mapped.
        let header = unsafe { header(stamps, capacity) };
        let raw = RawMemory { header, stamps, slots, capacity, destroy: RawMemory::drop_values::<T> };
        // SAFETY: the slots have the layout of `T`, and `drop_values::<T>` drops values of `T`.
        let memory = unsafe { Memory::new(raw) };
        Ok(Mapped { memory, mapping })
    }

    pub(crate) fn huge_pages(&self) -> Option<HugePages> {
        self.mapping.huge_pages()
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.mapping.is_locked()
    }

    /// Returns every page to the operating system. The arena is then in the state of a new one,
    /// with three exceptions: it keeps its statistics, shards remain disabled if they were, and it
    /// is neither prefaulted nor locked.
    ///
    /// The arena must be empty, because values in it would be leaked.
    pub(crate) fn decommit(&mut self) -> Result<(), MapError> {
        self.mapping.decommit()?;
        self.renew();
        Ok(())
    }

    #[cfg(test)]
    fn decommit_by(&mut self, discard: impl FnOnce(&mut MmapMut) -> bool) -> Result<(), MapError> {
        self.mapping.decommit_by(discard)?;
        self.renew();
        Ok(())
    }

    /// Replaces the header with that of a new arena, but keeps the statistics. Shards remain
    /// disabled if they were. Called when all memory of the arena is zero.
    fn renew(&mut self) {
        let (slots, stamps) = self.mapping.parts();
        let raw = &mut self.memory.raw;
        (raw.slots, raw.stamps) = (slots, stamps.cast());
        // All stamps are zero, which means no mark in any epoch, and no slot contains a byte that
        // was written. So the new header needs no bound on slots with stamps or on written slots.
        let (history, in_order) = (raw.header.history(), raw.header.mode.is_disabled());
        // SAFETY: the metadata lies within the mapping. It is all zeros, because the pages were
        // decommitted or are new. The old header has not accessed the tail since then. This
        // assignment drops the old header, so only the new one uses the tail.
        raw.header = unsafe { header(raw.stamps, raw.capacity) };
        raw.header.clock.history = history;
        if in_order {
            self.view_mut().meta.disable_shards();
        }
    }
}

// SAFETY: `T: Send` is enough (see `Storage`). The storage owns its mapping.
unsafe impl<T: Send> Send for Mapped<T> {}
// SAFETY: `T: Send` is enough (see `Storage`).
unsafe impl<T: Send> Sync for Mapped<T> {}

impl<T> sealed::Sealed<T> for Mapped<T> {}

// SAFETY: the slots and the stamps lie in a private mapping that the storage owns. Only `decommit`
// replaces the mapping, which requires `&mut self`. A new mapping is all zeros. `destroy` drops the
// values, and the mapping is dropped after that.
unsafe impl<T> Storage<T> for Mapped<T> {
    #[inline]
    fn view(&self) -> ArenaRef<'_, T> {
        self.memory.view()
    }

    #[inline]
    fn view_mut(&mut self) -> ArenaMut<'_, T> {
        self.memory.view_mut()
    }

    fn external_bytes(&self) -> usize {
        self.mapping.bytes()
    }
}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("bytes", &self.mapping.bytes())
            .field("huge_pages", &self.huge_pages())
            .field("locked", &self.is_locked())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use crate::AtomicArena;

    /// Tests the code path of macOS and Windows on every system that runs the tests.
    #[test]
    fn decommit_by_a_new_mapping_leaves_an_empty_arena() {
        let mut arena = AtomicArena::<u64, _>::mapped(10_000).build().unwrap().in_order();
        for round in 0..120 {
            for value in 0..100 {
                arena.publish(value).unwrap();
            }
            let first = arena.get(0).map(core::ptr::from_ref);
            arena.reset();
            if round % 3 == 0 {
                arena.storage_mut().decommit_by(|_| false).unwrap();
                assert_ne!(arena.alloc(7).ok().map(|value| core::ptr::from_ref(value)), first);
                assert_eq!(arena.index_bound(), 1);
                assert!(arena.storage_mut().memory.raw.header.mode.is_disabled(), "not in order any more");
                arena.reset();
            }
            assert!(arena.iter().next().is_none());
        }
    }
}
