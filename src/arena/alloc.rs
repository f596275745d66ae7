//! One value at a time.

use super::AtomicArena;
use crate::error::Full;
use crate::storage::Storage;

/// One value.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Stores a value, which then belongs to the caller.
    ///
    /// Costs one atomic operation and a store: an addition to a counter that all threads share, or, once they were seen to
    /// fight for it, an exchange on a line of this thread's own (see [`in_order`](Self::in_order)). On a full arena, where
    /// slots came back below the cursor, a search for one of them, which looks at each slot once at the most.
    ///
    /// Wait-free where the target has an atomic addition and an atomic compare-and-swap of bytes, as x86-64 and AArch64
    /// with LSE do, and as long as no two threads fight for the counter; lock-free else.
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, when every slot that was free when the call began was taken by others.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let name = arena.alloc(String::from("Ada")).unwrap();
    /// name.push_str(" Lovelace");
    /// let back = arena.alloc(String::from("Grace")).unwrap_err().into_inner();
    /// assert_eq!((name.as_str(), back.as_str()), ("Ada Lovelace", "Grace"));
    /// ```
    #[inline]
    pub fn alloc(&self, value: T) -> Result<&mut T, Full<T>> {
        match self.view().take_one() {
            Some(slot) => Ok(slot.fill(value)),
            None => Err(Full::new(value, 1, 0)),
        }
    }

    /// Stores what `make` makes, in place where the compiler can. `make` may use the arena.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc).
    ///
    /// # Panics
    ///
    /// When `make` does; the slot goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let page = arena.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// assert!(arena.alloc_with(|| [0u8; 4096]).is_err());
    /// ```
    #[inline]
    pub fn alloc_with<F: FnOnce() -> T>(&self, make: F) -> Result<&mut T, Full<F>> {
        match self.view().take_one() {
            Some(slot) => Ok(slot.fill(make())),
            None => Err(Full::new(make, 1, 0)),
        }
    }

    /// As [`alloc_with`](Self::alloc_with), for a `make` that may fail. Then the slot goes back.
    ///
    /// The slot is taken first: on a full arena `make` is not called, so what it would read is still there to be read. The
    /// outer error is that of the arena, as everywhere here, and the inner one that of `make`.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc). `Ok(Err(_))`, with the error of `make`, when that failed.
    ///
    /// # Panics
    ///
    /// When `make` does; the slot goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    ///
    /// fn parse<'a>(arena: &'a AtomicArena<u32>, text: &str) -> Result<&'a mut u32, Box<dyn std::error::Error>> {
    ///     Ok(arena.alloc_try_with(|| text.parse()).map_err(Full::discard)??)
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// assert_eq!(parse(&arena, "seven").unwrap_err().to_string(), "invalid digit found in string");
    /// assert_eq!(*parse(&arena, "7").unwrap(), 7); // the slot had gone back
    /// assert_eq!(parse(&arena, "8").unwrap_err().to_string(), "arena full: 1 slot requested, 0 remaining");
    /// ```
    #[inline]
    pub fn alloc_try_with<F, E>(&self, make: F) -> Result<Result<&mut T, E>, Full<F>>
    where
        F: FnOnce() -> Result<T, E>,
    {
        match self.view().take_one() {
            // Where `make` fails or panics, the slot is dropped, and so goes back.
            Some(slot) => Ok(make().map(|value| slot.fill(value))),
            None => Err(Full::new(make, 1, 0)),
        }
    }

    /// Stores a value, and returns its index and a reference: from now on every thread can read it.
    ///
    /// Costs as [`alloc`](Self::alloc), and one more store. Progress as there.
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, as [`alloc`](Self::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// let (index, value) = arena.publish("seen by all").unwrap();
    /// assert_eq!(arena.get(index), Some(value));
    /// arena.publish("so is this").unwrap();
    /// assert_eq!(arena.publish("one too many").unwrap_err().into_inner(), "one too many");
    /// ```
    #[inline]
    pub fn publish(&self, value: T) -> Result<(usize, &T), Full<T>>
    where
        T: Sync,
    {
        match self.view().take_one() {
            Some(slot) => Ok(slot.publish(value)),
            None => Err(Full::new(value, 1, 0)),
        }
    }

    /// Stores what `make` makes of the index that the value will have, and publishes it. `make` may use the arena.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc).
    ///
    /// # Panics
    ///
    /// When `make` does; the slot goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// struct Node {
    ///     id: usize,
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(8);
    /// let (index, node) = arena.publish_with(|id| Node { id }).unwrap();
    /// assert_eq!(node.id, index);
    /// ```
    #[inline]
    pub fn publish_with<F: FnOnce(usize) -> T>(&self, make: F) -> Result<(usize, &T), Full<F>>
    where
        T: Sync,
    {
        match self.view().take_one() {
            Some(slot) => {
                let value = make(slot.index());
                Ok(slot.publish(value))
            }
            None => Err(Full::new(make, 1, 0)),
        }
    }
}
