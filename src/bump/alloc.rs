//! How values are stored. Each method takes its bytes from the bump itself. `grid.rs` tells what it
//! does with them.

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::AtomicBump;
use super::grid;
use super::storage::BumpStorage;
use crate::error::Full;

/// Storing.
///
/// A request without bytes (a type without size, an empty slice) touches no shared memory and
/// always succeeds. Any other costs one atomic read-modify-write, on a cache line that belongs to
/// this thread or, in a bump without shards, on the shared cursor. When the thread's run is used
/// up, it costs a refill: three more on shared lines. At the end of the budget it costs a search of
/// all shards, about 130 words.
impl<S: BumpStorage> AtomicBump<S> {
    /// Stores a value, which then belongs to the caller. It is not dropped.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the value, if it fits nowhere.
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
        grid::alloc(self.view(), value)
    }

    /// Stores what `make` returns, in place where the compiler can. `make` may use the bump.
    ///
    /// Lock-free, except for foreign code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if the value fits nowhere. `make` is not called then.
    ///
    /// # Panics
    ///
    /// Panics if `make` does. The bytes are returned then.
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
        grid::alloc_with(self.view(), make)
    }

    /// Stores what `make` returns, if it succeeds. Otherwise the bytes are returned. `make` may use
    /// the bump.
    ///
    /// Lock-free, except for foreign code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if the value fits nowhere. `make` is not called then. Returns
    /// `Ok(Err(_))` if `make` fails.
    ///
    /// # Panics
    ///
    /// Panics if `make` does. The bytes are returned then.
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
        grid::alloc_try_with(self.view(), make)
    }

    /// Returns room for a value, which is not initialised.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the value fits nowhere.
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
        grid::alloc_uninit(self.view())
    }

    /// Returns room for `len` values side by side, which are not initialised.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if they fit nowhere.
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
        grid::alloc_uninit_slice(self.view(), len)
    }

    /// Copies the slice, which then belongs to the caller.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the slice fits nowhere.
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
        grid::alloc_slice_copy(self.view(), src)
    }

    /// Clones the slice, which then belongs to the caller.
    ///
    /// Lock-free, except for foreign code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the slice fits nowhere. Nothing is cloned then.
    ///
    /// # Panics
    ///
    /// Panics if a `clone` does. The clones made until then are dropped, and the bytes are
    /// returned.
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
    #[inline]
    pub fn alloc_slice_clone<T: Clone>(&self, src: &[T]) -> Result<&mut [T], Full<()>> {
        grid::alloc_from_iter(self.view(), src.iter().cloned(), src.len()).map_err(Full::discard)
    }

    /// Stores what `f` returns for 0, 1, 2 and so on, `len` values side by side, which then belong
    /// to the caller. `f` may use the bump.
    ///
    /// Lock-free, except for foreign code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if they fit nowhere. `f` is not called then.
    ///
    /// # Panics
    ///
    /// Panics if `f` does. The values made until then are dropped, and the bytes are returned.
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
        grid::alloc_from_iter(self.view(), (0..len).map(f), len).map_err(Full::discard)
    }

    /// Stores the values of the iterator side by side, which then belong to the caller.
    ///
    /// The length is read once, and bytes for that many values are taken. The iterator is not asked
    /// for more values. If it returns fewer, the slice is shorter, and the other bytes are
    /// returned.
    ///
    /// Lock-free, except for foreign code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator, if they fit nowhere. No value is asked for then.
    ///
    /// # Panics
    ///
    /// Panics if the iterator does. The values that came until then are dropped, and the bytes are
    /// returned.
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
    #[inline]
    pub fn alloc_from_iter<I>(&self, iter: I) -> Result<&mut [I::Item], Full<I::IntoIter>>
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let iter = iter.into_iter();
        let len = iter.len();
        grid::alloc_from_iter(self.view(), iter, len)
    }

    /// Copies the string, which then belongs to the caller.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the string fits nowhere.
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
        grid::alloc_str(self.view(), src)
    }

    /// Stores the formatted text, which then belongs to the caller.
    ///
    /// The text is made twice: once to measure it, and once to write it into bytes of that length.
    /// If it is longer the second time, it moves to a larger block.
    ///
    /// Lock-free, except for foreign code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if the text fits nowhere.
    ///
    /// # Panics
    ///
    /// Panics if a formatting trait implementation returns an error or panics. The bytes are
    /// returned then.
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
        grid::alloc_fmt(self.view(), args)
    }

    /// Returns bytes with this layout, which are not initialised. They belong to the caller as long
    /// as the bump is borrowed.
    ///
    /// Lock-free.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if they fit nowhere.
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
        grid::alloc_layout(self.view(), layout)
    }
}
