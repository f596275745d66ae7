//! Memory straight from the operating system. The only file that asks it for anything; `memmap2` makes the calls.
//!
//! Tried on Linux. What is asked of macOS and Windows is kept to mapping and unmapping (and locking, on macOS), and is
//! compiled for both, but was not run there.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use std::alloc::Layout;
use std::io;

#[cfg(target_os = "linux")]
use memmap2::{Advice, UncheckedAdvice};
use memmap2::{MmapMut, MmapOptions};

use super::{Memory, Storage, header, metadata_layout, sealed};
use crate::error::{CapacityError, MapError};
use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::ArenaRef;
use crate::raw::stamps::Stamp;

/// No system that we map memory from has smaller pages: a mapping is aligned to it at least, and writing one byte in
/// each brings every page in.
const SMALLEST_PAGE: usize = 4 << 10;

/// The size of a huge page, and its logarithm, as the system calls want to be told.
const HUGE_PAGE: usize = 1 << HUGE_PAGE_BITS;
const HUGE_PAGE_BITS: u8 = 21;

/// Prefaulting says how far it is once in so many bytes.
const PROGRESS_BYTES: usize = 16 << 20;

/// How an arena comes to lie in pages of 2 MiB. (Linux.)
///
/// One page fault and one entry of the address translation cache serve 512 times as much as with pages of 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HugePages {
    /// The kernel is advised to use them where it has some when a page is touched, and uses small ones where not.
    /// Refused when the kernel has none or its administrator has switched them off. Making one can take it longer than
    /// 512 small ones, where it has to move others' memory out of the way first: measure, or prefault.
    Transparent,
    /// From those that the administrator has set aside (`vm.nr_hugepages`). As many as are needed are reserved at once,
    /// so that none is missing when it is touched; refused when there are not enough. (Older kernels do not reserve
    /// again what was [released](crate::AtomicArena::reset_decommit): where others take from the same pool, build another arena
    /// instead.)
    Explicit,
}

/// What the builder asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MapOptions {
    pub(crate) huge_pages: Option<HugePages>,
    pub(crate) prefault: bool,
    pub(crate) lock_in_ram: bool,
    pub(crate) allow_fallback: bool,
}

/// Memory straight from the operating system, in one mapping: the slots, then the stamps.
pub struct Mapped<T> {
    /// Points into the mapping. Dropped before it.
    memory: Memory,
    map: MmapMut,
    extent: Extent,
    /// What was granted of what was asked for.
    huge_pages: Option<HugePages>,
    locked: bool,
    /// Owns values of `T`, and says so to the drop check, which `Memory` does not.
    marker: PhantomData<T>,
}

/// How many bytes a mapping has, and what for.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// The slots' bytes. The stamps come behind them, and what else stands beside the slots.
    slots: usize,
    state: usize,
    /// What the first slot is aligned to.
    align: usize,
    /// All bytes: slots and what stands beside them, and what it may take to align them.
    total: usize,
}

impl Extent {
    /// `None` when there are too many bytes.
    fn new<T>(capacity: usize, huge_pages: Option<HugePages>) -> Option<Extent> {
        let (slots, state) = (Layout::array::<T>(capacity).ok()?.size(), metadata_layout(capacity).ok()?.size());
        let align = align_of::<T>().max(if huge_pages.is_some() { HUGE_PAGE } else { 1 });
        // A mapping begins at the border of a page: that far the first slot may be from the next border of its own.
        let given = if huge_pages == Some(HugePages::Explicit) { HUGE_PAGE } else { SMALLEST_PAGE };
        let mut total = slots.checked_add(state)?.checked_add(align.saturating_sub(given))?;
        if huge_pages == Some(HugePages::Explicit) {
            total = total.checked_next_multiple_of(HUGE_PAGE)?;
        }
        isize::try_from(total).ok()?;
        Some(Extent { slots, state, align, total })
    }

    /// Asks for the address space, and for nothing in it yet.
    fn map(&self, huge_pages: Option<HugePages>) -> Result<MmapMut, MapError> {
        let bytes = self.total;
        let mut options = MmapOptions::new();
        options.len(bytes);
        if huge_pages == Some(HugePages::Explicit) {
            if !cfg!(target_os = "linux") {
                return Err(MapError::ExplicitHugePages { bytes, os_error: None });
            }
            // Reserved at once: a page that is missing when it is touched would kill the process.
            let refused = |os_error| MapError::ExplicitHugePages { bytes, os_error };
            return options.huge(Some(HUGE_PAGE_BITS)).map_anon().map_err(|error| refused(error.raw_os_error()));
        }
        let refused = |error: io::Error| MapError::AddressSpace { bytes, os_error: error.raw_os_error() };
        let map = options.no_reserve_swap().map_anon().map_err(refused)?;
        if huge_pages == Some(HugePages::Transparent) {
            advise_huge_pages(&map).map_err(|os_error| MapError::TransparentHugePages { bytes, os_error })?;
        }
        Ok(map)
    }

    /// Where the first slot and the first stamp lie in a mapping of this extent.
    fn places(&self, map: &mut MmapMut) -> (NonNull<u8>, NonNull<Stamp>) {
        let base = map.as_mut_ptr();
        let slots = base.wrapping_add(base.align_offset(self.align));
        // SAFETY: a mapping of at least one byte is not at address zero, and both are within it.
        unsafe { (NonNull::new_unchecked(slots), NonNull::new_unchecked(slots.wrapping_add(self.slots)).cast()) }
    }

    /// Brings every page in that slots or stamps lie in. They hold nothing yet.
    fn prefault(&self, map: &mut MmapMut, mut progress: impl FnMut(usize, usize)) {
        let (first, total) = (self.places(map).0, self.slots + self.state);
        for offset in (0..total).step_by(SMALLEST_PAGE) {
            if offset % PROGRESS_BYTES == 0 && offset != 0 {
                progress(offset, total);
            }
            // SAFETY: within the mapping, which is ours alone and all zeros. Volatile, or it would be left out.
            unsafe { first.add(offset).write_volatile(0) };
        }
        // SAFETY: as above; there is at least one stamp. The loop may have missed the last page.
        unsafe { first.add(total - 1).write_volatile(0) };
        progress(total, total);
    }
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
        let map = |huge_pages| {
            let extent = Extent::new::<T>(capacity, huge_pages).ok_or(too_large)?;
            Ok((extent.map(huge_pages)?, extent, huge_pages))
        };
        let refuses_huge_pages = |error: &MapError| {
            matches!(error, MapError::TransparentHugePages { .. } | MapError::ExplicitHugePages { .. })
        };
        let (mut map, extent, huge_pages) = match map(options.huge_pages) {
            Err(error) if options.allow_fallback && refuses_huge_pages(&error) => map(None)?,
            answer => answer?,
        };
        // Before the lock, which brings the pages in without saying how far it is.
        if options.prefault {
            extent.prefault(&mut map, progress);
        }
        let mut locked = false;
        if options.lock_in_ram {
            match lock(&map) {
                Ok(()) => locked = true,
                Err(_) if options.allow_fallback => {}
                Err(os_error) => return Err(MapError::Lock { bytes: extent.total, os_error }),
            }
        }
        let (slots, stamps) = extent.places(&mut map);
        // SAFETY: within the mapping, which is all zeros, and used by this header alone as long as it is mapped.
        let header = unsafe { header(stamps, capacity) };
        let memory = Memory { header, stamps, slots, capacity, destroy: Memory::drop_values::<T> };
        Ok(Mapped { memory, map, extent, huge_pages, locked, marker: PhantomData })
    }

    pub(crate) fn huge_pages(&self) -> Option<HugePages> {
        self.huge_pages
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.locked
    }

    /// Gives every page back; what is left is as new, but neither prefaulted nor locked. For an arena that is empty:
    /// values would be forgotten.
    pub(crate) fn decommit(&mut self) -> Result<(), MapError> {
        self.decommit_by(discard)
    }

    /// `discard` says whether it has given the pages back; if not, other address space takes the place of the present.
    fn decommit_by(&mut self, discard: impl FnOnce(&mut MmapMut) -> bool) -> Result<(), MapError> {
        // Nobody vouches for that any more, whether or not the pages go back.
        self.locked = false;
        if !discard(&mut self.map) {
            self.map_anew()?;
        }
        // The stamps are all zero now, whatever epoch it was, and no slot holds a byte that was written: no mark of how
        // far either was used holds any more.
        let (history, in_order) = (self.memory.header.history(), self.memory.header.mode.is_disabled());
        // SAFETY: as in `new`: the pages are all zeros again, or others. The old header, whose shards they were, was not
        // asked for them since, and is gone with this.
        self.memory.header = unsafe { header(self.memory.stamps, self.memory.capacity) };
        self.memory.header.clock.history = history;
        if in_order {
            self.view_mut().disable();
        }
        Ok(())
    }

    /// Maps other memory, and lets go of the present one.
    fn map_anew(&mut self) -> Result<(), MapError> {
        let refused = |error: MapError| {
            let (MapError::AddressSpace { os_error, .. }
            | MapError::TransparentHugePages { os_error, .. }
            | MapError::ExplicitHugePages { os_error, .. }) = error
            else {
                return error;
            };
            MapError::Decommit { bytes: self.extent.total, os_error }
        };
        let mut map = self.extent.map(self.huge_pages).map_err(refused)?;
        (self.memory.slots, self.memory.stamps) = self.extent.places(&mut map);
        self.map = map;
        Ok(())
    }
}

/// `Err` is the system's error, if the system has such a thing.
#[cfg(target_os = "linux")]
fn advise_huge_pages(map: &MmapMut) -> Result<(), Option<i32>> {
    // The advice is accepted even when it will not be followed. Later kernels have a switch for each size, which may
    // defer to the common one.
    let switches = ["hugepages-2048kB/enabled", "enabled"];
    let settings = switches.iter().filter_map(|switch| {
        std::fs::read_to_string(std::format!("/sys/kernel/mm/transparent_hugepage/{switch}")).ok()
    });
    let setting = settings.into_iter().find(|setting| !setting.contains("[inherit]"));
    if setting.is_some_and(|setting| setting.contains("[never]")) {
        return Err(None);
    }
    map.advise(Advice::HugePage).map_err(|error| error.raw_os_error())
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_map: &MmapMut) -> Result<(), Option<i32>> {
    Err(None)
}

/// `Err` is the system's error, if the system has such a thing.
#[cfg(unix)]
fn lock(map: &MmapMut) -> Result<(), Option<i32>> {
    map.lock().map_err(|error| error.raw_os_error())
}

#[cfg(not(unix))]
fn lock(_map: &MmapMut) -> Result<(), Option<i32>> {
    Err(None)
}

/// Gives the pages back and keeps the address space; whether that was done. Nothing may be left in them.
///
/// Only Linux promises that they read as zeros afterwards.
#[cfg(target_os = "linux")]
fn discard(map: &mut MmapMut) -> bool {
    // A locked page cannot be given back.
    map.unlock().is_ok()
        // SAFETY: nothing is left in the pages, and all zeros is what a new mapping is.
        && unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) }.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn discard(_map: &mut MmapMut) -> bool {
    false
}

// SAFETY: see `Storage`. The mapping is this storage's alone.
unsafe impl<T: Send> Send for Mapped<T> {}
// SAFETY: see `Storage`.
unsafe impl<T: Send> Sync for Mapped<T> {}

impl<T> sealed::Sealed<T> for Mapped<T> {}

// SAFETY: slots and stamps lie in a private mapping that lives as long as the storage, and that only `reset_decommit` replaces,
// with `&mut`; a new one is all zeros; `destroy` drops the values.
unsafe impl<T> Storage<T> for Mapped<T> {
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
        self.extent.total
    }
}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("bytes", &self.extent.total)
            .field("huge_pages", &self.huge_pages)
            .field("locked", &self.locked)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::AtomicArena;

    /// What macOS and Windows do, wherever the tests run.
    #[test]
    fn other_address_space_is_as_good_as_the_same() {
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
                arena.reset();
            }
            assert!(arena.iter().next().is_none());
        }
    }

    #[test]
    fn an_extent_has_room_for_all_it_says_and_wastes_less_than_it_takes_to_align() {
        #[repr(align(16384))]
        struct Aligned(#[expect(dead_code)] u8);
        let huge = [None, Some(HugePages::Transparent), Some(HugePages::Explicit)];
        for huge_pages in huge {
            let extent = Extent::new::<Aligned>(3, huge_pages).unwrap();
            assert_eq!((extent.slots, extent.state), (3 * 16384, metadata_layout(3).unwrap().size()));
            assert_eq!(extent.align, if huge_pages.is_some() { HUGE_PAGE } else { 16384 });
            for page in 0..HUGE_PAGE / SMALLEST_PAGE {
                let base = HUGE_PAGE + page * SMALLEST_PAGE;
                let given = if huge_pages == Some(HugePages::Explicit) { HUGE_PAGE } else { SMALLEST_PAGE };
                if base % given == 0 {
                    let used = base.next_multiple_of(extent.align) - base + extent.slots + extent.state;
                    assert!(used <= extent.total && extent.total < used + HUGE_PAGE);
                }
            }
        }
        assert!(Extent::new::<u8>(isize::MAX as usize, None).is_none());
        assert!(Extent::new::<u64>(isize::MAX as usize / 8, None).is_none());
        assert!(Extent::new::<[u64; 0]>(isize::MAX as usize, None).is_some());
    }
}
