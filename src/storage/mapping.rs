//! Memory mapped from the operating system, for an arena or a bump. This file makes system calls
//! through `memmap2`, and reads a setting of the Linux kernel from `/sys`. No other file calls the
//! operating system directly.
//!
//! The tests run on Linux. On Windows this file only maps and unmaps memory, and on macOS it also
//! locks memory. The file compiles for both systems, but was never run there.

use core::ptr::NonNull;
use std::alloc::Layout;
use std::io;

#[cfg(target_os = "linux")]
use memmap2::{Advice, UncheckedAdvice};
use memmap2::{MmapMut, MmapOptions};

use crate::error::MapError;

/// The smallest page size of the supported systems.
///
/// Every mapping is aligned to this size. One write per `SMALLEST_PAGE` bytes touches every page.
const SMALLEST_PAGE: usize = 4 << 10;

/// The size of a huge page, which `memmap2` expects as a logarithm.
const HUGE_PAGE: usize = 1 << HUGE_PAGE_BITS;
const HUGE_PAGE_BITS: u8 = 21;

/// The number of prefaulted bytes between two calls of the progress callback.
const PROGRESS_BYTES: usize = 16 << 20;

/// Selects how an arena or a bump is mapped in pages of 2 MiB. On other systems than Linux, the
/// request is refused.
///
/// One page fault and one TLB entry cover 512 times as much memory as with pages of 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HugePages {
    /// Advises the kernel to use huge pages.
    ///
    /// When a page is first touched, the kernel uses a huge page if one is free, and small pages
    /// otherwise. The request is refused if the kernel has no transparent huge pages, or if the
    /// administrator has disabled them. Creating a huge page can take longer than creating 512
    /// small pages, because the kernel may first have to move other memory. Measure the effect, or
    /// prefault the arena.
    Transparent,
    /// Takes huge pages from the pool that the administrator has created (`vm.nr_hugepages`).
    ///
    /// All pages of the arena are reserved for it when it is mapped, so that no page is missing
    /// when it is first touched. The request is refused if the pool has too few free pages. Some
    /// older kernels do not reserve the pages again after
    /// [`reset_decommit`](crate::AtomicArena::reset_decommit), so other processes may take them,
    /// and touching a missing page kills the process. If other processes use the pool too, build a
    /// new arena instead of calling `reset_decommit`.
    Explicit,
}

/// The options of the builder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MapOptions {
    pub(crate) huge_pages: Option<HugePages>,
    pub(crate) prefault: bool,
    pub(crate) lock_in_ram: bool,
    pub(crate) allow_fallback: bool,
}

/// Memory mapped from the operating system: values, followed by their metadata. New memory is all
/// zeros.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: MmapMut,
    extent: Extent,
    /// The kind of huge pages that the mapping has, if any. After a fallback this differs from the
    /// request.
    huge_pages: Option<HugePages>,
    locked: bool,
}

/// The sizes of the parts of a mapping, in bytes.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// The values.
    values: usize,
    /// The metadata, which follows the values.
    metadata: usize,
    /// The alignment of the first value.
    align: usize,
    /// The whole mapping: values, metadata, and padding.
    total: usize,
}

impl Extent {
    /// Returns `None` if the total size does not fit in an `isize`.
    fn new(values: Layout, metadata: usize, huge_pages: Option<HugePages>) -> Option<Extent> {
        let align = values.align().max(if huge_pages.is_some() { HUGE_PAGE } else { 1 });
        let values = values.size();
        // A mapping starts at a multiple of `given`, so aligning the first value skips at most
        // `align - given` bytes.
        let given = if huge_pages == Some(HugePages::Explicit) { HUGE_PAGE } else { SMALLEST_PAGE };
        let mut total = values.checked_add(metadata)?.checked_add(align.saturating_sub(given))?;
        if huge_pages == Some(HugePages::Explicit) {
            total = total.checked_next_multiple_of(HUGE_PAGE)?;
        }
        isize::try_from(total).ok()?;
        Some(Extent { values, metadata, align, total })
    }

    /// Maps the address space. No page is touched yet.
    fn map(&self, huge_pages: Option<HugePages>) -> Result<MmapMut, MapError> {
        let bytes = self.total;
        let mut options = MmapOptions::new();
        options.len(bytes);
        if huge_pages == Some(HugePages::Explicit) {
            if !cfg!(target_os = "linux") {
                return Err(MapError::ExplicitHugePages { bytes, os_error: None });
            }
            // The system reserves the huge pages now, because `no_reserve_swap` is not set. If they
            // were not reserved, touching a page when no huge page is free would kill the process.
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

    /// Returns the addresses of the values and of the metadata in a mapping of this extent.
    fn parts(&self, map: &mut MmapMut) -> (NonNull<u8>, NonNull<u8>) {
        let base = map.as_mut_ptr();
        let values = base.wrapping_add(base.align_offset(self.align));
        // SAFETY: both lie in the mapping or at its end. The mapping is not empty and therefore not
        // at address zero.
        unsafe { (NonNull::new_unchecked(values), NonNull::new_unchecked(values.wrapping_add(self.values))) }
    }

    /// Touches every page that holds values or metadata, before any other code uses them. The first
    /// value is at the start of a page, so steps of `SMALLEST_PAGE` bytes reach every page.
    fn prefault(&self, map: &mut MmapMut, mut progress: impl FnMut(usize, usize)) {
        let (first, total) = (self.parts(map).0, self.values + self.metadata);
        for offset in (0..total).step_by(SMALLEST_PAGE) {
            if offset % PROGRESS_BYTES == 0 && offset != 0 {
                progress(offset, total);
            }
            // SAFETY: the byte is within the mapping, which this function borrows exclusively. It
            // is zero, and stays zero. The write is volatile, so that the compiler does not remove
            // it.
            unsafe { first.add(offset).write_volatile(0) };
        }
        progress(total, total);
    }
}

impl Mapping {
    /// Maps memory for values and metadata of these sizes, whose sum is not 0.
    ///
    /// Returns the error `too_large` if the total size does not fit in an `isize`.
    pub(crate) fn new(
        values: Layout,
        metadata: usize,
        options: MapOptions,
        too_large: MapError,
        progress: impl FnMut(usize, usize),
    ) -> Result<Self, MapError> {
        let map = |huge_pages| {
            let extent = Extent::new(values, metadata, huge_pages).ok_or(too_large)?;
            Ok((extent.map(huge_pages)?, extent, huge_pages))
        };
        let refuses_huge_pages = |error: &MapError| {
            matches!(error, MapError::TransparentHugePages { .. } | MapError::ExplicitHugePages { .. })
        };
        let (mut map, extent, huge_pages) = match map(options.huge_pages) {
            Err(error) if options.allow_fallback && refuses_huge_pages(&error) => map(None)?,
            answer => answer?,
        };
        // Prefaulting comes before locking, because locking would touch the pages without reporting
        // progress.
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
        Ok(Mapping { map, extent, huge_pages, locked })
    }

    /// Returns the addresses of the values and of the metadata.
    pub(crate) fn parts(&mut self) -> (NonNull<u8>, NonNull<u8>) {
        self.extent.parts(&mut self.map)
    }

    pub(crate) fn huge_pages(&self) -> Option<HugePages> {
        self.huge_pages
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.locked
    }

    /// Returns the size of the mapping in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.extent.total
    }

    /// Returns every page to the operating system. The memory is then all zeros, and neither
    /// prefaulted nor locked.
    ///
    /// Afterwards [`parts`](Self::parts) may return other addresses. The caller ensures that no
    /// references to the memory exist.
    pub(crate) fn decommit(&mut self) -> Result<(), MapError> {
        self.decommit_by(discard)
    }

    /// Decommits the pages with `discard`, or replaces the mapping if `discard` returns `false`.
    pub(super) fn decommit_by(&mut self, discard: impl FnOnce(&mut MmapMut) -> bool) -> Result<(), MapError> {
        // `discard` may unlock the pages even if it then fails.
        self.locked = false;
        if !discard(&mut self.map) {
            self.map_anew()?;
        }
        Ok(())
    }

    /// Maps new memory and unmaps the current memory.
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
        self.map = self.extent.map(self.huge_pages).map_err(refused)?;
        Ok(())
    }
}

/// Advises the kernel to use transparent huge pages. The error contains the error number of the
/// operating system, if it returned one.
#[cfg(target_os = "linux")]
fn advise_huge_pages(map: &MmapMut) -> Result<(), Option<i32>> {
    // The kernel accepts the advice even if the administrator has disabled huge pages, so the
    // setting is read first. Newer kernels have a setting for each size, which may inherit the
    // common setting.
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

/// Locks the mapping in RAM. The error contains the error number of the operating system, if it
/// returned one.
#[cfg(unix)]
fn lock(map: &MmapMut) -> Result<(), Option<i32>> {
    map.lock().map_err(|error| error.raw_os_error())
}

#[cfg(not(unix))]
fn lock(_map: &MmapMut) -> Result<(), Option<i32>> {
    Err(None)
}

/// Decommits the pages and keeps the address space. Returns `false` if the operating system
/// refuses.
///
/// The pages must not hold values. Only Linux guarantees that they read as zeros afterwards. On
/// other systems this function does nothing, so that the mapping is replaced.
#[cfg(target_os = "linux")]
fn discard(map: &mut MmapMut) -> bool {
    // A locked page cannot be decommitted.
    map.unlock().is_ok()
        // SAFETY: the pages hold no values, and zeroed pages are in the state of a new mapping.
        && unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) }.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn discard(_map: &mut MmapMut) -> bool {
    false
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn an_extent_has_room_for_values_and_metadata_and_little_padding() {
        let values = Layout::from_size_align(3 * 16384, 16384).unwrap();
        let huge = [None, Some(HugePages::Transparent), Some(HugePages::Explicit)];
        for huge_pages in huge {
            let extent = Extent::new(values, 3, huge_pages).unwrap();
            assert_eq!((extent.values, extent.metadata), (3 * 16384, 3));
            assert_eq!(extent.align, if huge_pages.is_some() { HUGE_PAGE } else { 16384 });
            for page in 0..HUGE_PAGE / SMALLEST_PAGE {
                let base = HUGE_PAGE + page * SMALLEST_PAGE;
                let given = if huge_pages == Some(HugePages::Explicit) { HUGE_PAGE } else { SMALLEST_PAGE };
                if base % given == 0 {
                    let used = base.next_multiple_of(extent.align) - base + extent.values + extent.metadata;
                    assert!(used <= extent.total && extent.total < used + HUGE_PAGE);
                }
            }
        }
        let bytes = |size| Layout::from_size_align(size, 1).unwrap();
        let most = isize::MAX as usize;
        assert!(Extent::new(bytes(most), 1, None).is_none());
        assert!(Extent::new(bytes(most - 1), 1, None).is_some());
        assert!(Extent::new(bytes(most - 1), 1, Some(HugePages::Explicit)).is_none());
    }
}
