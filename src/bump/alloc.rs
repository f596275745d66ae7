//! The methods of a bump that store values. `grid.rs` implements them.

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::AtomicBump;
use super::grid;
use super::storage::BumpStorage;
use crate::error::Full;

/// Methods that store values.
///
/// A request of 0 bytes (for a zero-sized type or an empty slice) accesses no shared memory and
/// always succeeds.
///
/// A request that fits in the run of this thread (see [Threads](AtomicBump#threads)) costs one
/// atomic read-modify-write, on a cache line that belongs to this thread. If it does not fit,
/// taking a new run costs at least three more, two of them on the shared cursor. A request longer
/// than an eighth of the new run takes its bytes directly from the cursor instead, and so does
/// every request in a bump without shards. At the end of the budget, a request also reads all
/// shards, which are about 130 words.
impl<S: BumpStorage> AtomicBump<S> {
    /// Stores a value and returns a mutable reference to it. The value is never dropped.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the value, if there is no room for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(16);
    /// let number = bump.alloc(1u64).unwrap();
    /// *number += 1;
    /// assert_eq!(*number, 2);
    /// assert_eq!(bump.alloc([0u64; 2]).unwrap_err().into_inner(), [0, 0]);
    /// ```
    #[inline]
    pub fn alloc<T>(&self, value: T) -> Result<&mut T, Full<T>> {
        grid::alloc(self, value)
    }

    /// Stores the result of `make`. The compiler can often construct it in place. `make` may use
    /// the bump.
    ///
    /// Lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if there is no room for the value. `make` is not called in
    /// that case.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The bytes are returned to the bump.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(4096);
    /// let page = bump.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// assert!(bump.alloc_with(|| 7u8).is_err());
    /// ```
    #[inline]
    pub fn alloc_with<T, F: FnOnce() -> T>(&self, make: F) -> Result<&mut T, Full<F>> {
        grid::alloc_with(self, make)
    }

    /// Stores the result of `make`, which may fail. If it fails, the bytes are returned to the
    /// bump. `make` may use the bump.
    ///
    /// Lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if there is no room for the value. `make` is not called in
    /// that case. Returns `Ok(Err(_))` if `make` fails.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The bytes are returned to the bump.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(4);
    /// let parse = |text: &'static str| {
    ///     bump.alloc_try_with(|| text.parse::<u32>()).map_err(atomicarena::Full::discard)
    /// };
    /// assert!(parse("seven").unwrap().is_err());
    /// assert_eq!(*parse("7").unwrap().unwrap(), 7); // the bytes had been returned
    /// assert!(parse("8").is_err());
    /// ```
    #[inline]
    pub fn alloc_try_with<T, F: FnOnce() -> Result<T, E>, E>(&self, make: F) -> Result<Result<&mut T, E>, Full<F>> {
        grid::alloc_try_with(self, make)
    }

    /// Returns uninitialised memory for a value.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(8);
    /// assert_eq!(*bump.alloc_uninit().unwrap().write(7u64), 7);
    /// assert!(bump.alloc_uninit::<u8>().is_err());
    /// ```
    #[inline]
    pub fn alloc_uninit<T>(&self) -> Result<&mut MaybeUninit<T>, Full<()>> {
        grid::alloc_uninit(self)
    }

    /// Returns uninitialised memory for a slice of `len` values.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(100);
    /// let bytes = bump.alloc_uninit_slice::<u8>(100).unwrap();
    /// assert_eq!(bytes.len(), 100);
    /// assert_eq!(bump.alloc_uninit_slice::<u64>(2).unwrap_err().requested(), 16);
    /// ```
    #[inline]
    pub fn alloc_uninit_slice<T>(&self, len: usize) -> Result<&mut [MaybeUninit<T>], Full<()>> {
        grid::alloc_uninit_slice(self, len)
    }

    /// Copies a slice. The copy belongs to the caller.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the slice.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(16);
    /// let slice = bump.alloc_slice_copy(&[1u32, 2, 3]).unwrap();
    /// slice[0] = 10;
    /// assert_eq!(slice, [10, 2, 3]);
    /// let full = bump.alloc_slice_copy(&[4u32, 5]).unwrap_err();
    /// assert_eq!((full.requested(), full.remaining()), (8, 4));
    /// ```
    #[inline]
    pub fn alloc_slice_copy<T: Copy>(&self, src: &[T]) -> Result<&mut [T], Full<()>> {
        grid::alloc_slice_copy(self, src)
    }

    /// Clones a slice. The clones belong to the caller.
    ///
    /// Lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the slice. Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped, and the bytes are
    /// returned to the bump.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// let words = [String::from("one"), String::from("two")];
    /// assert_eq!(bump.alloc_slice_clone(&words).unwrap(), words);
    /// ```
    // Always inlined, like `grid::alloc_from_iter`.
    #[inline(always)]
    pub fn alloc_slice_clone<T: Clone>(&self, src: &[T]) -> Result<&mut [T], Full<()>> {
        grid::alloc_from_iter(self, src.iter().cloned(), src.len()).map_err(Full::discard)
    }

    /// Stores `f(0)`, `f(1)` and so on, as a slice of `len` values. The values belong to the
    /// caller. `f` may use the bump.
    ///
    /// Lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room. `f` is not called in that case.
    ///
    /// # Panics
    ///
    /// Panics if `f` panics. The values made so far are dropped, and the bytes are returned to the
    /// bump.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.alloc_slice_with(4, |i| i * i).unwrap(), [0, 1, 4, 9]);
    /// ```
    #[inline]
    pub fn alloc_slice_with<T>(&self, len: usize, f: impl FnMut(usize) -> T) -> Result<&mut [T], Full<()>> {
        grid::alloc_from_iter(self, (0..len).map(f), len).map_err(Full::discard)
    }

    /// Stores the items of an iterator as a slice. The values belong to the caller.
    ///
    /// The `len` of the iterator is called once and determines the number of bytes. Further items
    /// stay in the iterator, which is dropped. If the iterator ends early, the slice is shorter,
    /// and the other bytes are returned to the bump.
    ///
    /// Lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator unchanged, if there is no room for the values.
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The values stored so far are dropped, and the bytes are
    /// returned to the bump.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(16);
    /// assert_eq!(bump.alloc_from_iter([1u32, 2, 3]).unwrap(), [1, 2, 3]);
    /// let mut rest = bump.alloc_from_iter([4u32, 5]).unwrap_err().into_inner();
    /// assert_eq!(rest.next(), Some(4));
    /// ```
    // Always inlined, like `grid::alloc_from_iter`.
    #[inline(always)]
    pub fn alloc_from_iter<I>(&self, iter: I) -> Result<&mut [I::Item], Full<I::IntoIter>>
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let iter = iter.into_iter();
        let len = iter.len();
        grid::alloc_from_iter(self, iter, len)
    }

    /// Copies a string. The copy belongs to the caller.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the string.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(8);
    /// let name: &str = bump.alloc_str("Grace").unwrap();
    /// assert_eq!(name, "Grace");
    /// let full = bump.alloc_str("Hopper").unwrap_err();
    /// assert_eq!(full.to_string(), "arena full: 6 bytes requested, 3 remaining");
    /// ```
    #[inline]
    pub fn alloc_str(&self, src: &str) -> Result<&mut str, Full<()>> {
        grid::alloc_str(self, src)
    }

    /// Stores formatted text, which belongs to the caller.
    ///
    /// The text is formatted twice, first to measure it and then to write it, unless it is a
    /// constant. If the text is longer the second time, its block is extended or replaced by a
    /// larger block.
    ///
    /// Lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the text.
    ///
    /// # Panics
    ///
    /// Panics if a formatting trait implementation returns an error or panics. The bytes are
    /// returned to the bump.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.alloc_fmt(format_args!("{} + {}", 1, 2)).unwrap(), "1 + 2");
    /// ```
    pub fn alloc_fmt(&self, args: fmt::Arguments<'_>) -> Result<&mut str, Full<()>> {
        grid::alloc_fmt(self, args)
    }

    /// Returns uninitialised memory with this layout. It belongs to the caller until the bump is
    /// reset, moved or dropped.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    /// use std::alloc::Layout;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// let bytes = bump.alloc_layout(Layout::from_size_align(100, 32).unwrap()).unwrap();
    /// assert_eq!((bytes.len(), bytes.cast::<u8>().as_ptr().addr() % 32), (100, 0));
    /// ```
    #[inline]
    pub fn alloc_layout(&self, layout: Layout) -> Result<NonNull<[u8]>, Full<()>> {
        grid::alloc_layout(self, layout)
    }
}
