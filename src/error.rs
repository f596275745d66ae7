//! What is said to who asked for too much.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

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
