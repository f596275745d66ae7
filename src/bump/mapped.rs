//! Bumps in memory mapped from the operating system.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use super::AtomicBump;
use super::bump_ref::BumpRef;
use super::storage::{BumpMut, BumpStorage, Memory, Sealed};
use crate::arena::{AtomicArena, MapBuilder};
use crate::error::{CapacityError, MapError};
use crate::raw::budget::{Shards, has_shards};
use crate::raw::gap::LINE;
use crate::storage::HugePages;
use crate::storage::mapping::Mapping;

/// Memory mapped from the operating system: the bytes, followed by the shards.
#[derive(Debug)]
pub struct MappedBytes {
    /// Points into `mapping`, so it is dropped first.
    memory: Memory,
    mapping: Mapping,
}

/// Returns the address of the shards in the metadata of a mapping for `capacity` bytes, or `None`
/// if a bump of this capacity has no shards.
fn shards(metadata: NonNull<u8>, capacity: usize) -> Option<NonNull<Shards>> {
    let aligned = metadata.as_ptr().wrapping_add(metadata.align_offset(align_of::<Shards>()));
    has_shards(capacity).then(|| NonNull::new(aligned.cast())).flatten()
}

impl MappedBytes {
    fn new<F: FnMut(usize, usize)>(builder: MapBuilder<u8, F>) -> Result<Self, MapError> {
        let (capacity, options, progress) = builder.into_parts();
        if capacity == 0 {
            return Err(MapError::Capacity(CapacityError::Zero));
        }
        let too_large = MapError::Capacity(CapacityError::TooLarge { capacity, slot_size: 1 });
        let bytes = Layout::from_size_align(capacity, LINE).map_err(|_| too_large)?;
        let metadata = if has_shards(capacity) { size_of::<Shards>() + align_of::<Shards>() - 1 } else { 0 };
        let mut mapping = Mapping::new(bytes, metadata, options, too_large, progress)?;
        let (base, metadata) = mapping.parts();
        // SAFETY: the bytes and the shards are within the mapping, which this storage owns and
        // which does not move. The bytes are aligned to a line. The metadata has room for the
        // shards and for the padding that aligns them.
        let memory = unsafe { Memory::new(base, capacity, shards(metadata, capacity)) };
        Ok(MappedBytes { memory, mapping })
    }

    fn decommit(&mut self) -> Result<(), MapError> {
        self.view_mut().reset();
        let decommitted = self.mapping.decommit();
        let (base, metadata) = self.mapping.parts();
        let shards = shards(metadata, self.memory.view().budget().capacity());
        // SAFETY: as in `new`. `decommit` may have changed the addresses, and both were determined
        // after it. The bump was reset, so it is empty.
        unsafe { self.memory.replace(base, shards) };
        decommitted
    }
}

// SAFETY: the storage owns its mapping. Each byte of the bump has one owner at a time, and the
// shards are atomics.
unsafe impl Send for MappedBytes {}
// SAFETY: as for `Send`.
unsafe impl Sync for MappedBytes {}

impl Sealed for MappedBytes {}

// SAFETY: the bytes and the shards lie in a private mapping that lives as long as the storage. Only
// `decommit` replaces it, with `&mut self`. `Memory::new` initialises the head and the shards.
unsafe impl BumpStorage for MappedBytes {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        self.memory.view()
    }

    fn view_mut(&mut self) -> BumpMut<'_> {
        self.memory.view_mut()
    }
}

/// A bump whose memory is mapped from the operating system. Created by [`AtomicBump::mapped`].
///
/// # Examples
///
/// ```
/// use atomicarena::{AtomicBump, MapError, MappedBump};
///
/// # fn main() -> Result<(), MapError> {
/// let bump: MappedBump = AtomicBump::mapped(1 << 30).build()?; // address space, not memory
/// assert_eq!(bump.alloc_str("Ada").unwrap(), "Ada");
/// # Ok(())
/// # }
/// ```
pub type MappedBump = AtomicBump<MappedBytes>;

/// Bumps in memory mapped from the operating system.
impl AtomicBump<MappedBytes> {
    /// Returns a builder for a bump of `bytes` bytes in memory mapped from the operating system.
    ///
    /// [`build`](BumpMapBuilder::build) maps the memory. A mapping is address space and uses no
    /// memory until it is touched, so the budget may far exceed the RAM.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicBump, MapError};
    ///
    /// # fn main() -> Result<(), MapError> {
    /// let bump = AtomicBump::mapped(8 << 30).build()?; // 8 GiB of address space
    /// assert_eq!(bump.alloc_str("touches two pages").unwrap(), "touches two pages");
    /// # Ok(())
    /// # }
    /// ```
    pub fn mapped(bytes: usize) -> BumpMapBuilder {
        BumpMapBuilder(AtomicArena::mapped(bytes))
    }

    /// Empties the bump like [`reset`](Self::reset), and returns its pages to the operating system.
    ///
    /// The effects of [`prefault`](BumpMapBuilder::prefault) and
    /// [`lock_in_ram`](BumpMapBuilder::lock_in_ram) end with this call. No byte that was ever
    /// written stays readable. The cost is linear in the number of pages that were touched, and
    /// depends on the operating system.
    ///
    /// # Errors
    ///
    /// Returns [`MapError::Decommit`] if the operating system did not take the pages. The bump is
    /// then still empty and usable, but its bytes are unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicBump, MapError};
    ///
    /// # fn main() -> Result<(), MapError> {
    /// let mut bump = AtomicBump::mapped(1 << 20).build()?;
    /// bump.alloc([1u8; 100_000]).unwrap();
    /// bump.reset_decommit()?;
    /// assert_eq!(bump.used(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset_decommit(&mut self) -> Result<(), MapError> {
        self.storage.decommit()
    }

    /// Returns the kind of huge pages that the bump uses.
    ///
    /// Returns `None` if none were requested, or if the builder fell back to small pages.
    pub fn huge_pages(&self) -> Option<HugePages> {
        self.storage.mapping.huge_pages()
    }

    /// Returns `true` if the bump is locked in RAM.
    ///
    /// That is the case if the lock was requested and granted, and
    /// [`reset_decommit`](Self::reset_decommit) has not been called since.
    pub fn is_locked(&self) -> bool {
        self.storage.mapping.is_locked()
    }
}

/// A builder for a bump in memory mapped from the operating system.
///
/// Created by [`AtomicBump::mapped`]. It has the same methods as [`MapBuilder`], which documents
/// what each operating system supports.
///
/// # Examples
///
/// ```
/// use atomicarena::{AtomicBump, HugePages, MapError};
///
/// # fn main() -> Result<(), MapError> {
/// let bump = AtomicBump::mapped(1 << 20)
///     .huge_pages(HugePages::Transparent)
///     .lock_in_ram(true)
///     .on_prefault(|done, total| println!("{done} of {total} bytes"))
///     .allow_fallback(true) // create the bump without what the system refuses
///     .build()?;
/// println!("huge pages: {:?}, locked: {}", bump.huge_pages(), bump.is_locked());
/// # Ok(())
/// # }
/// ```
#[must_use = "only `build` maps the memory"]
pub struct BumpMapBuilder<F = fn(usize, usize)>(MapBuilder<u8, F>);

impl<F: FnMut(usize, usize)> BumpMapBuilder<F> {
    /// Requests pages of 2 MiB.
    pub fn huge_pages(self, huge_pages: HugePages) -> Self {
        BumpMapBuilder(self.0.huge_pages(huge_pages))
    }

    /// Sets whether [`build`](Self::build) touches every page, so that no allocation causes a page
    /// fault.
    ///
    /// Takes about a third of a second per GiB, or less with explicit huge pages.
    pub fn prefault(self, prefault: bool) -> Self {
        BumpMapBuilder(self.0.prefault(prefault))
    }

    /// Requests prefaulting and reports its progress.
    ///
    /// Calls `progress` with the number of bytes done and the total number of bytes, about once per
    /// 16 MiB and at the end.
    pub fn on_prefault<G: FnMut(usize, usize)>(self, progress: G) -> BumpMapBuilder<G> {
        BumpMapBuilder(self.0.on_prefault(progress))
    }

    /// Sets whether every page is locked in RAM, so that it is never swapped out.
    ///
    /// Locking also touches every page.
    pub fn lock_in_ram(self, lock: bool) -> Self {
        BumpMapBuilder(self.0.lock_in_ram(lock))
    }

    /// Sets whether [`build`](Self::build) creates the bump without huge pages or without the lock
    /// if the system refuses them.
    ///
    /// [`AtomicBump::huge_pages`] and [`AtomicBump::is_locked`] report what was granted. If the
    /// system refuses address space, `build` returns an error in any case.
    pub fn allow_fallback(self, allow: bool) -> Self {
        BumpMapBuilder(self.0.allow_fallback(allow))
    }

    /// Maps the memory and creates the bump.
    ///
    /// # Errors
    ///
    /// Returns [`MapError`] if no bump can have this capacity, or if the system refuses address
    /// space or, without [`allow_fallback`](Self::allow_fallback), a requested option. The error
    /// says what can be changed.
    pub fn build(self) -> Result<MappedBump, MapError> {
        MappedBytes::new(self.0).map(|storage| AtomicBump { storage })
    }
}

impl<F> fmt::Debug for BumpMapBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BumpMapBuilder").field(&self.0).finish()
    }
}
