//! Methods that store one value.

use super::AtomicArena;
use crate::error::Full;
use crate::storage::Storage;

/// Methods that store one value.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Stores a value and returns a mutable reference to it.
    ///
    /// Costs one atomic read-modify-write on the *cursor*, the boundary between used and unused
    /// slots, which all threads share. Under contention, the operation is on the *shard* of this
    /// thread instead, which is a run of slots whose state is on a cache line of its own (see
    /// [`in_order`](Self::in_order)). If the cursor has reached the end, the method takes a slot
    /// from any shard, or searches for a *vacant* slot, which is a free slot below the cursor and
    /// in no shard. The search reads at most one word per block of 1,024 slots. In each block that
    /// may have a vacant slot, it also reads the state of the slots. In arenas of fewer than 2,048
    /// slots and in inline arenas, it reads the state of every slot.
    ///
    /// Wait-free if the cursor serves the request without contention and the target has an atomic
    /// addition, as x86-64 and AArch64 with LSE do. Otherwise lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with the value if no slot is free. More exactly, each slot that was free
    /// when the call began was then taken by another thread, or was held by a call in progress when
    /// this call looked at it.
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
    ///
    /// The error contains the value. If the value borrows, error types such as `Box<dyn Error>`
    /// cannot hold the error. Some of them, such as `anyhow::Error`, also require that it is `Send`
    /// and `Sync`. [`Full::discard`] drops the value first:
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    /// use std::error::Error;
    ///
    /// fn store<'s>(arena: &AtomicArena<&'s str>, word: &'s str) -> Result<(), Box<dyn Error>> {
    ///     arena.alloc(word).map_err(Full::discard)?;
    ///     Ok(())
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// assert!(store(&arena, "one").is_ok());
    /// let error = store(&arena, "two").unwrap_err();
    /// assert_eq!(error.to_string(), "arena full: 1 slot requested, 0 remaining");
    /// ```
    #[inline]
    pub fn alloc(&self, value: T) -> Result<&mut T, Full<T>> {
        match self.view().take_one() {
            Some(slot) => Ok(slot.fill(value)),
            None => Err(Full::new(value, 1, 0)),
        }
    }

    /// Stores the result of a closure and returns a mutable reference to it.
    ///
    /// The compiler can often construct the value in its slot, without a copy. `make` may use the
    /// arena.
    ///
    /// Has the same progress guarantee as [`alloc`](Self::alloc), apart from the call of `make`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with `make` under the same condition as [`alloc`](Self::alloc). `make` is
    /// not called.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The slot is returned to the arena.
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
    ///
    /// The error contains `make`, which often borrows. [`Full::discard`] drops it before `?`
    /// converts the error, as for [`alloc`](Self::alloc):
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    /// use std::error::Error;
    ///
    /// fn copy(arena: &AtomicArena<String>, word: &str) -> Result<(), Box<dyn Error>> {
    ///     arena.alloc_with(|| word.to_string()).map_err(Full::discard)?;
    ///     Ok(())
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// assert!(copy(&arena, "one").is_ok() && copy(&arena, "two").is_err());
    /// ```
    #[inline]
    pub fn alloc_with<F: FnOnce() -> T>(&self, make: F) -> Result<&mut T, Full<F>> {
        match self.view().take_one() {
            Some(slot) => Ok(slot.fill(make())),
            None => Err(Full::new(make, 1, 0)),
        }
    }

    /// Stores the result of a fallible closure and returns a mutable reference to it.
    ///
    /// The slot is taken before `make` is called. If the arena is full, `make` is not called and so
    /// consumes no input. The outer error is that of the arena, and the inner error is that of
    /// `make`.
    ///
    /// Has the same progress guarantee as [`alloc`](Self::alloc), apart from the call of `make`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with `make` under the same condition as [`alloc`](Self::alloc). Returns
    /// `Ok(Err(_))` with the error of `make` if `make` fails. The slot is then returned to the
    /// arena.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The slot is returned to the arena.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    ///
    /// type Error = Box<dyn std::error::Error>;
    ///
    /// fn parse<'a>(arena: &'a AtomicArena<u32>, text: &str) -> Result<&'a mut u32, Error> {
    ///     Ok(arena.alloc_try_with(|| text.parse()).map_err(Full::discard)??)
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let error = parse(&arena, "seven").unwrap_err();
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    /// assert_eq!(*parse(&arena, "7").unwrap(), 7); // the slot had been returned
    /// let error = parse(&arena, "8").unwrap_err();
    /// assert_eq!(error.to_string(), "arena full: 1 slot requested, 0 remaining");
    /// ```
    #[inline]
    pub fn alloc_try_with<F, E>(&self, make: F) -> Result<Result<&mut T, E>, Full<F>>
    where
        F: FnOnce() -> Result<T, E>,
    {
        match self.view().take_one() {
            // If `make` fails or panics, the guard is dropped, which returns the slot.
            Some(slot) => Ok(make().map(|value| slot.fill(value))),
            None => Err(Full::new(make, 1, 0)),
        }
    }

    /// Publishes a value: stores it and returns its index and a shared reference.
    ///
    /// From then on every thread can read the value by its index.
    ///
    /// Costs one more store than [`alloc`](Self::alloc), and has the same progress guarantee.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with the value under the same condition as [`alloc`](Self::alloc).
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

    /// Publishes the result of a closure, which receives the index of the value.
    ///
    /// `make` may use the arena.
    ///
    /// Has the same progress guarantee as [`alloc`](Self::alloc), apart from the call of `make`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with `make` under the same condition as [`alloc`](Self::alloc). `make` is
    /// not called.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The slot is returned to the arena.
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
