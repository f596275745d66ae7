//! Error types.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;
#[cfg(feature = "mapped")]
use std::io;

/// The error of a request that an arena, a [`Reservation`](crate::Reservation), or an
/// [`AtomicBump`](crate::AtomicBump) is too full to serve.
///
/// In most cases it contains the argument of the refused call, such as the value that was not
/// stored, and [`into_inner`](Full::into_inner) returns it. Otherwise, for example if the argument
/// is a slice, it is a `Full<()>`.
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
    /// The number of remaining slots or bytes, and the bit `IN_BYTES`. (The number never uses that
    /// bit, because it is at most `isize::MAX`.)
    remaining: usize,
}

/// The bit of `Full::remaining` that is set if `requested` and `remaining` count bytes instead of
/// slots.
const IN_BYTES: usize = 1 << (usize::BITS - 1);

impl<V> Full<V> {
    #[inline]
    pub(crate) fn new(value: V, requested: usize, remaining: usize) -> Self {
        Full { value, requested, remaining }
    }

    #[inline]
    pub(crate) fn in_bytes(value: V, requested: usize, remaining: usize) -> Self {
        Full { value, requested, remaining: remaining | IN_BYTES }
    }

    /// Returns the argument of the refused call: the value, the closure, the iterator, the array,
    /// or the vector.
    #[inline]
    pub fn into_inner(self) -> V {
        self.value
    }

    /// Returns the number of slots that were requested. For a bump, this is a number of bytes.
    #[inline]
    pub fn requested(&self) -> usize {
        self.requested
    }

    /// Returns the number of slots that were left for this request when it was refused.
    ///
    /// This is 0 for a single value and for [`Reservation::push`](crate::Reservation::push). For a
    /// run it is the number of slots left at the cursor, the boundary between used and unused
    /// slots. For [`Reservation::extend_from_slice`](crate::Reservation::extend_from_slice) it is
    /// the number of slots that the reservation has left. For a bump it is the number of bytes left
    /// at the cursor.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.remaining & !IN_BYTES
    }

    /// Drops the argument of the refused call, and keeps the numbers of requested and remaining
    /// slots.
    ///
    /// Use this method with the operator `?` if the argument contains a reference, or if the error
    /// type requires `Send` and `Sync` and the argument does not implement both.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    ///
    /// type Error = Box<dyn std::error::Error>;
    ///
    /// fn total(arena: &AtomicArena<u32>, numbers: &[u32]) -> Result<u32, Error> {
    ///     // The iterator borrows `numbers`, but a boxed error must not borrow.
    ///     let stored = arena.alloc_from_iter(numbers.iter().copied()).map_err(Full::discard)?;
    ///     Ok(stored.iter().sum())
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// assert_eq!(total(&arena, &[1, 2, 3]).unwrap(), 6);
    /// let error = total(&arena, &[4, 5]).unwrap_err();
    /// assert_eq!(error.to_string(), "arena full: 2 slots requested, 1 remaining");
    /// ```
    #[inline]
    pub fn discard(self) -> Full<()> {
        Full { value: (), requested: self.requested, remaining: self.remaining }
    }
}

impl<V> fmt::Debug for Full<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Full")
            .field("requested", &self.requested)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

impl<V> fmt::Display for Full<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match (self.remaining & IN_BYTES != 0, self.requested) {
            (false, 1) => "slot",
            (false, _) => "slots",
            (true, 1) => "byte",
            (true, _) => "bytes",
        };
        write!(f, "arena full: {} {unit} requested, {} remaining", self.requested, self.remaining())
    }
}

impl<V> Error for Full<V> {}

/// The error of a constructor that cannot provide the requested capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapacityError {
    /// The capacity is 0, the given memory has no room for one slot, or a pool has no arenas.
    Zero,
    /// The slots, or the stamps that record their state in one byte each, would exceed `isize::MAX`
    /// bytes. In a mapping, this limit applies to the slots and the stamps together.
    ///
    /// If a pool has too many arenas, the error counts each arena as a slot.
    TooLarge {
        /// The number of slots that were requested.
        capacity: usize,
        /// The size of one slot in bytes. In an arena this is the size of `T`.
        slot_size: usize,
    },
    /// The allocator refused a request.
    OutOfMemory {
        /// The size of the request in bytes.
        bytes: usize,
    },
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            CapacityError::Zero => {
                f.write_str("an arena needs room for at least one slot, and a pool needs at least one arena")
            }
            CapacityError::TooLarge { capacity, slot_size } => {
                let bytes = if slot_size == 1 { "byte" } else { "bytes" };
                // The text names the stamps, because for zero-sized values they alone can exceed
                // the address space.
                write!(
                    f,
                    "{capacity} slots of {slot_size} {bytes} and their stamps of 1 byte each \
                     exceed the address space: request a smaller capacity"
                )
            }
            CapacityError::OutOfMemory { bytes } => {
                write!(f, "the allocator refused {bytes} bytes: request a smaller arena or pool")
            }
        }
    }
}

impl Error for CapacityError {}

/// The error of a request for several values by index.
///
/// It names the first index that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexError {
    /// The arena has no slot with this index.
    OutOfRange {
        /// The index.
        index: usize,
        /// The number of slots.
        capacity: usize,
    },
    /// The slot holds no value.
    ///
    /// Either nothing has been stored in it since the arena was created, emptied or compacted, or
    /// it has lost its owner: it was returned without a value, or was reclaimed because its handle
    /// was leaked.
    NoValue {
        /// The index.
        index: usize,
    },
    /// The index equals an earlier one, and a value cannot be borrowed mutably twice.
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

/// The error of an arena that cannot be mapped as requested, or whose pages cannot be returned.
///
/// Its text says what was requested, how the operating system answered, and what can be changed.
/// The field `os_error` is the error number of the operating system. It is `None` if the request
/// was refused without one, because the system does not have the requested feature or its
/// administrator has disabled it.
#[cfg(feature = "mapped")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapError {
    /// The requested capacity is 0, or the mapping would exceed `isize::MAX` bytes.
    Capacity(CapacityError),
    /// The system refused the address space.
    AddressSpace {
        /// The number of bytes that were requested.
        bytes: usize,
        /// The error code of the operating system, if it returned one.
        os_error: Option<i32>,
    },
    /// The system has no transparent huge pages, or the administrator has disabled them.
    TransparentHugePages {
        /// The number of bytes that were requested.
        bytes: usize,
        /// The error code of the operating system, if it returned one.
        os_error: Option<i32>,
    },
    /// The system has not set aside enough huge pages, or does not support them.
    ExplicitHugePages {
        /// The number of bytes that were requested, which is a multiple of 2 MiB.
        bytes: usize,
        /// The error code of the operating system, if it returned one.
        os_error: Option<i32>,
    },
    /// The system refused to lock the memory.
    Lock {
        /// The number of bytes that were to be locked.
        bytes: usize,
        /// The error code of the operating system, if it returned one.
        os_error: Option<i32>,
    },
    /// The system did not take back the pages.
    Decommit {
        /// The size of the mapping in bytes.
        bytes: usize,
        /// The error code of the operating system, if it returned one.
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
                (os_error, "request fewer slots, or raise the limit (`ulimit -v`, `vm.overcommit_memory`)")
            }
            MapError::TransparentHugePages { bytes, os_error } => {
                write!(f, "the system has no transparent huge pages for {bytes} bytes")?;
                (
                    os_error,
                    "write `madvise` to /sys/kernel/mm/transparent_hugepage/enabled, or call `.allow_fallback(true)`",
                )
            }
            MapError::ExplicitHugePages { bytes, os_error } => {
                write!(f, "the system refused {bytes} bytes in huge pages of 2 MiB")?;
                (os_error, "raise `vm.nr_hugepages`, request fewer slots, or call `.allow_fallback(true)`")
            }
            MapError::Lock { bytes, os_error } => {
                write!(f, "the system refused to lock {bytes} bytes in RAM")?;
                (os_error, "raise the limit (`ulimit -l`), grant CAP_IPC_LOCK, or call `.allow_fallback(true)`")
            }
            MapError::Decommit { bytes, os_error } => {
                write!(f, "the system did not take back the pages of {bytes} bytes of address space")?;
                (os_error, "drop the arena instead")
            }
        };
        match os_error {
            Some(code) => write!(f, " ({}): {change}", io::Error::from_raw_os_error(code)),
            None => write!(f, ": {change}"),
        }
    }
}

// `Capacity` has no `source`, because its text is that of the `CapacityError`. An error reporter
// that follows sources would print the text twice.
#[cfg(feature = "mapped")]
impl Error for MapError {}
