//! What is said to who asked for too much.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;
#[cfg(feature = "mapped")]
use std::io;

/// The arena had no room. What was to be stored comes back with [`into_inner`](Full::into_inner).
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
///
/// let arena = AtomicArena::with_capacity(1);
/// arena.alloc(String::from("first")).unwrap();
/// let full = arena.alloc(String::from("second")).unwrap_err();
/// assert_eq!(full.to_string(), "arena full: 1 slot requested, 0 remaining");
/// assert_eq!(full.into_inner(), "second");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<V> {
    value: V,
    requested: usize,
    remaining: usize,
}

impl<V> Full<V> {
    #[inline]
    pub(crate) fn new(value: V, requested: usize, remaining: usize) -> Self {
        Full { value, requested, remaining }
    }

    /// What was to be stored: the value, the closure, the iterator or the vector that was passed in.
    #[inline]
    pub fn into_inner(self) -> V {
        self.value
    }

    /// How many slots were asked for.
    #[inline]
    pub fn requested(&self) -> usize {
        self.requested
    }

    /// How many slots could have served this request when it was refused: for one value 0, for a run those that were
    /// left at the cursor, for [`Reservation::push`](crate::Reservation::push) those of the reservation, 0.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Drops what was to be stored and keeps the numbers, for `?` where the value borrows.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    ///
    /// fn total(arena: &AtomicArena<u32>, numbers: &[u32]) -> Result<u32, Box<dyn std::error::Error>> {
    ///     // The iterator borrows `numbers`; a boxed error may not.
    ///     let stored = arena.alloc_from_iter(numbers.iter().copied()).map_err(Full::discard)?;
    ///     Ok(stored.iter().sum())
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// assert_eq!(total(&arena, &[1, 2, 3]).unwrap(), 6);
    /// assert_eq!(total(&arena, &[4, 5]).unwrap_err().to_string(), "arena full: 2 slots requested, 1 remaining");
    /// ```
    #[inline]
    pub fn discard(self) -> Full<()> {
        Full::new((), self.requested, self.remaining)
    }
}

impl<V> fmt::Debug for Full<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Full")
            .field("requested", &self.requested)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

impl<V> fmt::Display for Full<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = if self.requested == 1 { "slot" } else { "slots" };
        write!(f, "arena full: {} {slots} requested, {} remaining", self.requested, self.remaining)
    }
}

impl<V> Error for Full<V> {}

/// An arena of that capacity cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapacityError {
    /// No slot was asked for, or the memory given has no room for one.
    Zero,
    /// The slots, or their stamps of one byte each, would take more than `isize::MAX` bytes.
    TooLarge {
        /// How many slots were asked for.
        capacity: usize,
        /// The size of one slot in bytes: that of `T`.
        slot_size: usize,
    },
    /// The allocator refused.
    OutOfMemory {
        /// The size in bytes of the request that it refused.
        bytes: usize,
    },
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            CapacityError::Zero => f.write_str("an arena needs room for at least one slot"),
            CapacityError::TooLarge { capacity, slot_size } => {
                write!(
                    f,
                    "{capacity} slots of {slot_size} bytes are more than an address space can hold: ask for fewer"
                )
            }
            CapacityError::OutOfMemory { bytes } => {
                write!(f, "the allocator refused {bytes} bytes: ask for fewer slots")
            }
        }
    }
}

impl Error for CapacityError {}

/// Indices do not lead to a value each. Names the first that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// There is no such slot.
    OutOfRange {
        /// The index.
        index: usize,
        /// How many slots there are.
        capacity: usize,
    },
    /// The slot holds no value: nothing was stored in it since the arena was emptied, or it went back.
    NoValue {
        /// The index.
        index: usize,
    },
    /// Two of the indices are the same, and one value cannot be lent twice.
    Duplicate {
        /// The index.
        index: usize,
    },
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            IndexError::OutOfRange { index, capacity } => {
                let slots = if capacity == 1 { "slot" } else { "slots" };
                write!(f, "index {index} is out of range: the arena has {capacity} {slots}")
            }
            IndexError::NoValue { index } => write!(f, "slot {index} holds no value"),
            IndexError::Duplicate { index } => write!(f, "index {index} was given twice"),
        }
    }
}

impl Error for IndexError {}

/// An arena cannot be mapped as it was asked for, or its pages did not go back.
///
/// Says what was asked of the operating system, what it answered (`os_error`, `None` where the system has no such
/// thing), and what can be changed.
#[cfg(feature = "mapped")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapError {
    /// An arena of that capacity cannot be made, wherever.
    Capacity(CapacityError),
    /// The system refused the address space.
    AddressSpace {
        /// How many bytes were asked for.
        bytes: usize,
        /// The system's error.
        os_error: Option<i32>,
    },
    /// The system has no transparent huge pages, or its administrator has switched them off.
    TransparentHugePages {
        /// How many bytes were to lie in them.
        bytes: usize,
        /// The system's error.
        os_error: Option<i32>,
    },
    /// The system has not as many huge pages set aside.
    ExplicitHugePages {
        /// How many bytes were to lie in them: a multiple of 2 MiB.
        bytes: usize,
        /// The system's error.
        os_error: Option<i32>,
    },
    /// The system does not let the memory be locked.
    Lock {
        /// How many bytes were to be locked.
        bytes: usize,
        /// The system's error.
        os_error: Option<i32>,
    },
    /// The system did not take the pages back.
    Decommit {
        /// How many bytes of address space they lie in.
        bytes: usize,
        /// The system's error.
        os_error: Option<i32>,
    },
}

#[cfg(feature = "mapped")]
impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (os_error, change) = match *self {
            MapError::Capacity(error) => return error.fmt(f),
            MapError::AddressSpace { bytes, os_error } => {
                write!(f, "the system refused {bytes} bytes of address space")?;
                (os_error, "ask for fewer slots, or raise the limit (`ulimit -v`, `vm.overcommit_memory`)")
            }
            MapError::TransparentHugePages { bytes, os_error } => {
                write!(f, "the system has no transparent huge pages for {bytes} bytes")?;
                (
                    os_error,
                    "write `madvise` to /sys/kernel/mm/transparent_hugepage/enabled, or allow `.allow_fallback(true)`",
                )
            }
            MapError::ExplicitHugePages { bytes, os_error } => {
                write!(f, "the system refused {bytes} bytes in huge pages of 2 MiB")?;
                (os_error, "raise `vm.nr_hugepages`, ask for fewer slots, or allow `.allow_fallback(true)`")
            }
            MapError::Lock { bytes, os_error } => {
                write!(f, "the system refused to lock {bytes} bytes in RAM")?;
                (os_error, "raise the limit (`ulimit -l`), grant CAP_IPC_LOCK, or allow `.allow_fallback(true)`")
            }
            MapError::Decommit { bytes, os_error } => {
                write!(f, "the system did not take back the pages of {bytes} bytes")?;
                (os_error, "drop the arena instead")
            }
        };
        match os_error {
            Some(code) => write!(f, " ({}): {change}", io::Error::from_raw_os_error(code)),
            None => write!(f, ": {change}"),
        }
    }
}

#[cfg(feature = "mapped")]
impl Error for MapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            MapError::Capacity(error) => Some(error),
            _ => None,
        }
    }
}
