//! Constructors for mapped arenas, and the methods that only mapped arenas have.

use core::fmt;
use core::marker::PhantomData;

use crate::arena::{AtomicArena, MappedArena};
use crate::error::MapError;
use crate::on_drop::OnDrop;
use crate::storage::{HugePages, MapOptions, Mapped};

/// Arenas in memory mapped from the operating system.
impl<T> AtomicArena<T, Mapped<T>> {
    /// Returns a builder for an arena with `capacity` slots in memory mapped from the operating
    /// system.
    ///
    /// [`build`](MapBuilder::build) maps the memory. A mapping is address space and uses no memory
    /// until it is touched, so the capacity may far exceed the RAM. (Windows, and Linux with
    /// `vm.overcommit_memory` set to 2, count the whole mapping as if it were touched, and refuse
    /// it if they could not provide enough memory.)
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{CapacityError, MapError, MappedArena};
    ///
    /// # fn main() -> Result<(), MapError> {
    /// let arena = MappedArena::<u64>::mapped(1 << 30).build()?; // 9 GiB of address space
    /// arena.publish(7).unwrap(); // touches two pages of memory
    /// assert_eq!(arena.get(0), Some(&7));
    ///
    /// let refused = MappedArena::<u64>::mapped(0).build().unwrap_err();
    /// assert_eq!(refused, MapError::Capacity(CapacityError::Zero));
    /// # Ok(())
    /// # }
    /// ```
    pub fn mapped(capacity: usize) -> MapBuilder<T> {
        MapBuilder { capacity, options: MapOptions::default(), progress: |_, _| {}, marker: PhantomData }
    }

    /// Empties the arena like [`reset`](Self::reset), and returns its pages to the operating
    /// system.
    ///
    /// Afterwards the arena uses as little memory as a new one, and has address space of the same
    /// size. On Linux the address space stays in place. On macOS and Windows new address space is
    /// mapped, and the old one is unmapped.
    ///
    /// The effects of [`prefault`](MapBuilder::prefault) and
    /// [`lock_in_ram`](MapBuilder::lock_in_ram) end with this call: pages are mapped one by one
    /// when slots are used again, and they are not locked. Build another arena if these effects
    /// matter. The choice of huge pages stays in effect.
    ///
    /// The cost is linear in the number of pages that were touched, and depends on the operating
    /// system.
    ///
    /// # Errors
    ///
    /// Returns [`MapError::Decommit`] if the operating system did not take back the pages. The
    /// arena is then still empty and usable.
    ///
    /// # Panics
    ///
    /// Panics if dropping a value panics, like [`reset`](Self::reset). The pages are still returned
    /// to the system. If that fails, the error is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{MapError, MappedArena};
    ///
    /// # fn main() -> Result<(), MapError> {
    /// let mut arena = MappedArena::mapped(1_000_000).build()?;
    /// arena.fill_with(|index| index); // uses 8 MB of memory
    /// arena.reset_decommit()?; // returns them
    /// assert!(arena.is_empty() && arena.alloc(1).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset_decommit(&mut self) -> Result<(), MapError> {
        let mut decommitted = Ok(());
        {
            // The pages are returned even if dropping a value panics. An error of `decommit` is
            // lost in that case.
            let mut arena = OnDrop::new(&mut *self, |arena| {
                decommitted = arena.storage_mut().decommit();
            });
            arena.reset();
        }
        decommitted
    }

    /// Returns the kind of huge pages that the arena uses.
    ///
    /// Returns `None` if none were requested, or if the builder fell back to small pages.
    pub fn huge_pages(&self) -> Option<HugePages> {
        self.storage().huge_pages()
    }

    /// Returns `true` if the arena is locked in RAM.
    ///
    /// That is the case if the lock was requested and granted, and
    /// [`reset_decommit`](Self::reset_decommit) has not been called since.
    pub fn is_locked(&self) -> bool {
        self.storage().is_locked()
    }
}

/// A builder for an arena in memory mapped from the operating system.
///
/// Created by [`AtomicArena::mapped`]. If the system refuses a requested option,
/// [`build`](Self::build) returns an error and leaves nothing mapped. With
/// [`allow_fallback`](Self::allow_fallback) it creates the arena without the option instead.
///
/// | | Linux | macOS | Windows |
/// |---|---|---|---|
/// | tested | yes | compiled only | compiled only |
/// | untouched slots use no memory | yes | yes | no RAM, but the system counts them as used |
/// | `huge_pages` | yes | refused | refused |
/// | `prefault` | yes | yes | yes |
/// | `lock_in_ram` | yes | yes | refused |
/// | `reset_decommit` | in place | new address space | new address space |
///
/// # Examples
///
/// ```
/// use atomicarena::{HugePages, MapError, MappedArena};
///
/// # fn main() -> Result<(), MapError> {
/// let arena = MappedArena::<u64>::mapped(1_000_000)
///     .huge_pages(HugePages::Transparent)
///     .lock_in_ram(true)
///     .on_prefault(|done, total| println!("{done} of {total} bytes"))
///     .allow_fallback(true) // create the arena without what the system refuses
///     .build()?;
/// println!("huge pages: {:?}, locked: {}", arena.huge_pages(), arena.is_locked());
///
/// // Without `allow_fallback`, the error says what was requested and what can be changed.
/// let builder = MappedArena::<u64>::mapped(1 << 40).huge_pages(HugePages::Explicit);
/// if let Err(error) = builder.build() {
///     println!("{error}");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "only `build` maps the memory"]
pub struct MapBuilder<T, F = fn(usize, usize)> {
    capacity: usize,
    options: MapOptions,
    progress: F,
    marker: PhantomData<fn() -> T>,
}

impl<T, F: FnMut(usize, usize)> MapBuilder<T, F> {
    /// Requests pages of 2 MiB.
    pub fn huge_pages(mut self, huge_pages: HugePages) -> Self {
        self.options.huge_pages = Some(huge_pages);
        self
    }

    /// Sets whether [`build`](Self::build) touches every page, so that no allocation causes a page
    /// fault.
    ///
    /// Takes about a third of a second per GiB, or less with explicit huge pages. If the arena is
    /// larger than the available memory, the system reacts as it does to any program that uses too
    /// much memory.
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.options.prefault = prefault;
        self
    }

    /// Requests prefaulting and reports its progress.
    ///
    /// Calls `progress` with the number of bytes done and the total number of bytes, about once per
    /// 16 MiB and at the end.
    pub fn on_prefault<G: FnMut(usize, usize)>(self, progress: G) -> MapBuilder<T, G> {
        let MapBuilder { capacity, mut options, .. } = self;
        options.prefault = true;
        MapBuilder { capacity, options, progress, marker: PhantomData }
    }

    /// Sets whether every page is locked in RAM, so that it is never swapped out.
    ///
    /// Locking also touches every page.
    pub fn lock_in_ram(mut self, lock: bool) -> Self {
        self.options.lock_in_ram = lock;
        self
    }

    /// Sets whether [`build`](Self::build) creates the arena without huge pages or without the lock
    /// if the system refuses them.
    ///
    /// [`AtomicArena::huge_pages`] and [`AtomicArena::is_locked`] report what was granted. If the
    /// system refuses address space, `build` returns an error in any case.
    pub fn allow_fallback(mut self, allow: bool) -> Self {
        self.options.allow_fallback = allow;
        self
    }

    /// Returns the capacity, the options, and the callback for progress.
    pub(crate) fn into_parts(self) -> (usize, MapOptions, F) {
        (self.capacity, self.options, self.progress)
    }

    /// Maps the memory and creates the arena.
    ///
    /// # Errors
    ///
    /// Returns [`MapError`] if the capacity is 0 or too large, or if the system refuses address
    /// space or, without [`allow_fallback`](Self::allow_fallback), a requested option. The error
    /// says what can be changed.
    pub fn build(self) -> Result<MappedArena<T>, MapError> {
        Mapped::new(self.capacity, self.options, self.progress).map(AtomicArena::from_storage)
    }
}

impl<T, F> fmt::Debug for MapBuilder<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapBuilder")
            .field("capacity", &self.capacity)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
