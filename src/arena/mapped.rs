//! How an arena is mapped, step by step, and how its pages go back.

use core::fmt;
use core::marker::PhantomData;
use core::mem;

use crate::arena::AtomicArena;
use crate::error::MapError;
use crate::storage::{HugePages, MapOptions, Mapped};

/// Arenas straight from the operating system.
impl<T> AtomicArena<T, Mapped<T>> {
    /// An arena of that many slots straight from the operating system: [`build`](MapBuilder::build) maps it.
    ///
    /// A mapping is address space, and takes no memory until it is touched: a bound far beyond the RAM costs nothing.
    /// (On Linux with `vm.overcommit_memory` of 2, and on Windows, the system counts the whole of it as if it were
    /// touched, and refuses what it could not give.)
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, CapacityError, MapError};
    ///
    /// # fn main() -> Result<(), MapError> {
    /// let arena = AtomicArena::mapped(1 << 30).build()?; // a billion slots, 9 GiB of address space
    /// arena.publish(7u64).unwrap(); // two pages of memory
    /// assert_eq!(arena.get(0), Some(&7));
    ///
    /// let refused = AtomicArena::<u64, _>::mapped(0).build().unwrap_err();
    /// assert_eq!(refused, MapError::Capacity(CapacityError::Zero));
    /// # Ok(())
    /// # }
    /// ```
    pub fn mapped(capacity: usize) -> MapBuilder<T> {
        MapBuilder { capacity, options: MapOptions::default(), progress: |_, _| {}, marker: PhantomData }
    }

    /// Empties the arena as [`reset`](Self::reset) does, and gives its pages back to the operating system: it takes as
    /// much memory as when it was new and untouched. The address space stays.
    ///
    /// What was asked for with [`prefault`](MapBuilder::prefault) and [`lock_in_ram`](MapBuilder::lock_in_ram) ends
    /// here: the pages that come when slots are used again come one by one, and are not locked. Build another arena
    /// where that matters. Huge pages stay huge.
    ///
    /// The cost is the system's, for each page that was touched. On macOS and Windows other address space is mapped and
    /// the present one is let go.
    ///
    /// # Errors
    ///
    /// [`MapError::Decommit`] when the system did not take the pages back. The arena is empty and usable all the same.
    ///
    /// # Panics
    ///
    /// As [`reset`](Self::reset); the pages go back all the same, if the system takes them.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, MapError};
    ///
    /// # fn main() -> Result<(), MapError> {
    /// let mut arena = AtomicArena::mapped(1_000_000).build()?;
    /// arena.fill_with(|index| index); // 8 MB
    /// arena.reset_decommit()?; // nothing
    /// assert!(arena.is_empty() && arena.alloc(1).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset_decommit(&mut self) -> Result<(), MapError> {
        /// Gives the pages back even when the `drop` of a value panics.
        struct Decommit<'a, T>(&'a mut AtomicArena<T, Mapped<T>>);

        impl<T> Decommit<'_, T> {
            fn finish(self) -> Result<(), MapError> {
                let decommitted = self.0.storage_mut().decommit();
                mem::forget(self);
                decommitted
            }
        }

        impl<T> Drop for Decommit<'_, T> {
            fn drop(&mut self) {
                // Nobody can be told: the panic goes on.
                let _ = self.0.storage_mut().decommit();
            }
        }

        let decommit = Decommit(self);
        decommit.0.reset();
        decommit.finish()
    }

    /// Which huge pages the arena has: those that were asked for, or `None` after a fallback.
    pub fn huge_pages(&self) -> Option<HugePages> {
        self.storage().huge_pages()
    }

    /// Whether the arena is locked in RAM: asked for, granted, and not [released](Self::reset_decommit) since.
    pub fn is_locked(&self) -> bool {
        self.storage().is_locked()
    }
}

/// How an arena is to be mapped. Made by [`AtomicArena::mapped`].
///
/// What the system does not grant is an error, and nothing is mapped then; with [`allow_fallback`](Self::allow_fallback) the
/// arena does without.
///
/// | | Linux | macOS | Windows |
/// |---|---|---|---|
/// | tested | yes | compiled only | compiled only |
/// | untouched slots cost nothing | yes | yes | counted by the system, but not in RAM |
/// | `huge_pages` | yes | refused | refused |
/// | `prefault` | yes | yes | yes |
/// | `lock_in_ram` | yes | yes | refused |
/// | `reset_decommit` | in place | other address space | other address space |
///
/// # Examples
///
/// ```
/// use atomicarena::{AtomicArena, HugePages, MapError};
///
/// # fn main() -> Result<(), MapError> {
/// let arena = AtomicArena::<u64, _>::mapped(1_000_000)
///     .huge_pages(HugePages::Transparent)
///     .lock_in_ram(true)
///     .on_prefault(|done, total| println!("{done} of {total} bytes"))
///     .allow_fallback(true) // do without what the system does not grant
///     .build()?;
/// println!("huge pages: {:?}, locked: {}", arena.huge_pages(), arena.is_locked());
///
/// // Without `allow_fallback` it says what was asked for and what can be changed.
/// if let Err(error) = AtomicArena::<u64, _>::mapped(1 << 40).huge_pages(HugePages::Explicit).build() {
///     println!("{error}");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is mapped before `build`"]
pub struct MapBuilder<T, F = fn(usize, usize)> {
    capacity: usize,
    options: MapOptions,
    progress: F,
    marker: PhantomData<fn() -> T>,
}

impl<T, F: FnMut(usize, usize)> MapBuilder<T, F> {
    /// Asks for pages of 2 MiB.
    pub fn huge_pages(mut self, huge_pages: HugePages) -> Self {
        self.options.huge_pages = Some(huge_pages);
        self
    }

    /// Whether every page is brought in before [`build`](Self::build) returns, so that no allocation ever waits for one.
    ///
    /// About a second for each GiB, less with huge pages that are set aside. Asking for more than the RAM holds ends as
    /// any such use of memory.
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.options.prefault = prefault;
        self
    }

    /// Prefaults, and calls `progress` with the bytes that are done and their total: about once in 16 MiB, and at the
    /// end.
    pub fn on_prefault<G: FnMut(usize, usize)>(self, progress: G) -> MapBuilder<T, G> {
        let MapBuilder { capacity, mut options, .. } = self;
        options.prefault = true;
        MapBuilder { capacity, options, progress, marker: PhantomData }
    }

    /// Whether every page is kept in RAM, never swapped out. That brings every page in, too.
    pub fn lock_in_ram(mut self, lock: bool) -> Self {
        self.options.lock_in_ram = lock;
        self
    }

    /// Does without huge pages or without the lock where the system refuses them. [`AtomicArena::huge_pages`] and
    /// [`AtomicArena::is_locked`] tell what was granted. (There is nothing to fall back to from address space.)
    pub fn allow_fallback(mut self, allow: bool) -> Self {
        self.options.allow_fallback = allow;
        self
    }

    /// Maps the arena.
    ///
    /// # Errors
    ///
    /// [`MapError`] when the capacity is impossible, or the system refuses what was asked for. It says what can be
    /// changed.
    pub fn build(self) -> Result<AtomicArena<T, Mapped<T>>, MapError> {
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
