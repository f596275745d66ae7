//! A handle that owns a run of bytes, from which one thread allocates without contention.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::NonNull;

use super::AtomicBump;
use super::bump_ref::{Block, BumpRef, dangling};
use super::grid::{self, Source, Taken};
use super::storage::BumpStorage;
use crate::error::Full;

/// The number of bytes that a handle first takes at the cursor. The number doubles each time the
/// handle takes bytes there, up to `MAX_RUN`. The handle takes more bytes if a request needs them,
/// and fewer if few are left.
const FIRST_RUN: usize = 512;
const MAX_RUN: usize = 64 << 10;

/// A fresh run is at most `1 / RUN_FRACTION` of the bytes left at the cursor, rounded up to a line.
const RUN_FRACTION: usize = if cfg!(all(test, loom)) { 2 } else { 16 };

impl<S: BumpStorage> AtomicBump<S> {
    /// Returns a handle with its own run of bytes, for a thread that allocates many values.
    ///
    /// A new run has at most 64 KiB, and at most a sixteenth of the bytes left at the cursor,
    /// rounded up to 64 bytes. An idle handle keeps its run, which other threads cannot use.
    /// Creating a handle costs nothing, because the first run is taken when the first value is
    /// stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1 << 20);
    /// let names: Vec<&mut str> = std::thread::scope(|scope| {
    ///     let workers = [1, 2].map(|worker| {
    ///         let mut local = bump.local();
    ///         scope.spawn(move || local.alloc_fmt(format_args!("worker {worker}")).unwrap())
    ///     });
    ///     // What was allocated outlives the handle and the thread.
    ///     workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    /// });
    /// assert_eq!(names, ["worker 1", "worker 2"]);
    /// ```
    #[inline]
    pub fn local(&self) -> LocalBump<'_> {
        let bump = self.view();
        let next = bump.pointer(0);
        let end = next.addr().get();
        LocalBump { bump, next, end, from_cursor: false, length: FIRST_RUN, marker: PhantomData }
    }
}

/// A handle that owns a run of bytes, and takes a new run when the current one is used up. Created
/// by [`AtomicBump::local`].
///
/// Its methods take `&mut self`, but the references they return borrow the bump, so they may
/// outlive the handle. An allocation in the run costs an addition and a comparison. Only a request
/// that does not fit in the run accesses memory that other threads use. The bytes that the handle
/// holds count as [used](AtomicBump::used).
///
/// A request is served by the first of these that has room:
///
/// - the rest of the run,
/// - the run, extended in place, if it came from the cursor and still ends there,
/// - returned bytes, which become the run,
/// - a fresh run, if the request fits in half of it,
/// - the bump, as if there were no handle.
///
/// Dropping the handle returns the rest of its run, which can become the run of a later handle.
/// Leaking it (`mem::forget`) loses this rest until the next reset.
///
/// `Send`, because its unused bytes hold no values. Not `Sync`, because each thread uses its own
/// handle.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicBump;
///
/// let bump = AtomicBump::with_capacity(1 << 20);
/// let mut local = bump.local();
/// let name = local.alloc_str("Ada").unwrap();
/// let pair = local.alloc((&*name, 1815)).unwrap();
/// drop(local); // the references live as long as the borrow of the bump
/// assert_eq!(*pair, ("Ada", 1815));
/// ```
pub struct LocalBump<'a> {
    bump: BumpRef<'a>,
    /// The first unused byte of the run. `end` is the address of the end of the run. The bytes
    /// between them belong to the handle.
    next: NonNull<u8>,
    end: usize,
    /// If true, the run came from the cursor. There it may be extended, and its rest may be
    /// returned. Other runs may contain bytes of a refill, over which the cursor must not be
    /// retracted.
    from_cursor: bool,
    /// The number of bytes that the handle takes at the cursor next, unless a request needs more or
    /// few are left.
    length: usize,
    /// The handle acts like an exclusive borrow of the bytes of its run.
    marker: PhantomData<&'a mut u8>,
}

// SAFETY: `BumpRef` is `Send`. The rest of the run belongs to the handle alone and holds no values,
// so any thread may use it.
unsafe impl Send for LocalBump<'_> {}

impl<'a> LocalBump<'a> {
    /// Returns the start of a block with this layout in the rest of the run, if the block fits
    /// there.
    #[inline]
    fn fit(&self, layout: Layout) -> Option<NonNull<u8>> {
        let next = self.next.addr().get();
        let misaligned = next & (layout.align() - 1);
        if misaligned == 0 {
            // A separate branch, so that the common case does not wait for the calculation of the
            // padding.
            return (layout.size() <= self.end - next).then_some(self.next);
        }
        let padding = layout.align() - misaligned;
        // The sum does not overflow, because the size and the alignment of a layout add up to at
        // most `isize::MAX + 1`.
        if padding + layout.size() > self.end - next {
            return None;
        }
        // SAFETY: at least `padding` bytes are left in the run, so the result is within the run or
        // at its end.
        Some(unsafe { self.next.add(padding) })
    }

    /// Hands out the bytes up to the end of the block. The block must be in the rest of the run.
    #[inline]
    fn advance(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: the block is in the run, so the result is within the run or at its end.
        self.next = unsafe { block.add(size) };
    }

    /// Extends the run or takes another one, if the request then fits. Returns the start of a block
    /// with this layout in the run.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let budget = self.bump.budget();
        // At most `isize::MAX`, because the layout is valid.
        let most = layout.size() + (layout.align() - 1);
        let length = self.length;
        let longest = |left: usize| MAX_RUN.min(left / RUN_FRACTION);
        let refill = |left| length.min(longest(left));
        let missing = most.saturating_sub(self.end - self.next.addr().get());
        let more = |left| if missing <= left { refill(left).max(missing) } else { 0 };
        let extended = if self.from_cursor { budget.extend_run(self.run_end(), more) } else { None };
        if let Some(end) = extended {
            self.end = self.bump.pointer(end).addr().get();
        } else if let Some(run) = budget.take_kept_run(most..=longest(budget.left())) {
            self.close();
            self.open(run, false);
            // The run may be short, so the length of the next one does not double.
            return self.fit(layout);
        } else {
            let fresh = |left| {
                let len = refill(left).max((2 * most).min(longest(left)));
                if most <= len / 2 { len } else { 0 }
            };
            if fresh(budget.left()) == 0 {
                return None;
            }
            self.close();
            self.open(budget.take_run(fresh)?, true);
        }
        self.length = (2 * self.length).min(MAX_RUN);
        self.fit(layout)
    }

    /// Takes bytes for a request that does not fit in the rest of the run.
    #[cold]
    #[inline(never)]
    fn take_slow(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        match self.refill(layout) {
            Some(block) => {
                self.advance(block, layout.size());
                Some(block)
            }
            None => self.bump.take(layout),
        }
    }

    /// Takes a block for a request that does not fit in the rest of the run, or is for 0 bytes.
    #[cold]
    #[inline(never)]
    fn take_block_slow(&mut self, layout: Layout) -> Result<LocalBlock<'_, 'a>, usize> {
        if layout.size() != 0 {
            if let Some(pointer) = self.refill(layout) {
                return Ok(LocalBlock::Run { local: self, pointer });
            }
        }
        Ok(LocalBlock::Bump(self.bump.take_block(layout)?))
    }

    /// Returns the offset of the end of the run.
    fn run_end(&self) -> usize {
        self.end - self.bump.pointer(0).addr().get()
    }

    /// Makes `run`, which the caller has taken for this handle, its run. The old run is empty.
    fn open(&mut self, run: Range<usize>, from_cursor: bool) {
        self.next = self.bump.pointer(run.start);
        self.end = self.bump.pointer(run.end).addr().get();
        self.from_cursor = from_cursor;
    }

    /// Returns the rest of the run to the bump. Afterwards the run is empty.
    fn close(&mut self) {
        let rest = self.bump.offset(self.next)..self.run_end();
        self.end = self.next.addr().get();
        self.bump.budget().return_run(rest, self.from_cursor, true);
    }
}

/// Methods that store values. They correspond to those of [`AtomicBump`], but take `&mut self`.
///
/// Within the run, each of them costs an addition and a comparison. Extending the run, or taking a
/// new one, costs one atomic read-modify-write, usually on the shared cursor. Returning the rest of
/// the old run usually costs at least one more.
impl<'a> LocalBump<'a> {
    /// Stores a value and returns a mutable reference to it. The value is never dropped.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// let mut local = bump.local();
    /// let number = local.alloc(1u64).unwrap();
    /// drop(local);
    /// *number += 1; // outlives the handle
    /// assert_eq!(*number, 2);
    /// ```
    #[inline]
    pub fn alloc<T>(&mut self, value: T) -> Result<&'a mut T, Full<T>> {
        grid::alloc(self, value)
    }

    /// Stores the result of `make`. The compiler can often construct it in place.
    ///
    /// Wait-free within the run, otherwise lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if there is no room for the value. `make` is not called in
    /// that case.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The bytes are unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(100_000);
    /// let mut local = bump.local();
    /// let page = local.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// ```
    #[inline]
    pub fn alloc_with<T, F: FnOnce() -> T>(&mut self, make: F) -> Result<&'a mut T, Full<F>> {
        grid::alloc_with(self, make)
    }

    /// Stores the result of `make`, which may fail. If it fails, the bytes are unused again.
    ///
    /// Wait-free within the run, otherwise lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with `make`, if there is no room for the value. `make` is not called in
    /// that case. Returns `Ok(Err(_))` if `make` fails.
    ///
    /// # Panics
    ///
    /// Panics if `make` panics. The bytes are unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// let mut local = bump.local();
    /// let mut parse = |text: &'static str| local.alloc_try_with(|| text.parse::<u32>()).unwrap();
    /// assert!(parse("seven").is_err());
    /// assert_eq!(*parse("7").unwrap(), 7);
    /// ```
    #[inline]
    pub fn alloc_try_with<T, F: FnOnce() -> Result<T, E>, E>(
        &mut self,
        make: F,
    ) -> Result<Result<&'a mut T, E>, Full<F>> {
        grid::alloc_try_with(self, make)
    }

    /// Returns uninitialised memory for a value.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(*bump.local().alloc_uninit().unwrap().write(7u64), 7);
    /// ```
    #[inline]
    pub fn alloc_uninit<T>(&mut self) -> Result<&'a mut MaybeUninit<T>, Full<()>> {
        grid::alloc_uninit(self)
    }

    /// Returns uninitialised memory for a slice of `len` values.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_uninit_slice::<u8>(100).unwrap().len(), 100);
    /// ```
    #[inline]
    pub fn alloc_uninit_slice<T>(&mut self, len: usize) -> Result<&'a mut [MaybeUninit<T>], Full<()>> {
        grid::alloc_uninit_slice(self, len)
    }

    /// Copies a slice. The copy belongs to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_slice_copy(&[1, 2, 3]).unwrap(), [1, 2, 3]);
    /// ```
    #[inline]
    pub fn alloc_slice_copy<T: Copy>(&mut self, src: &[T]) -> Result<&'a mut [T], Full<()>> {
        grid::alloc_slice_copy(self, src)
    }

    /// Clones a slice. The clones belong to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the slice. Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made so far are dropped, and the bytes are
    /// unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// let words = [String::from("one"), String::from("two")];
    /// assert_eq!(bump.local().alloc_slice_clone(&words).unwrap(), words);
    /// ```
    // Always inlined, like `grid::alloc_from_iter`.
    #[inline(always)]
    pub fn alloc_slice_clone<T: Clone>(&mut self, src: &[T]) -> Result<&'a mut [T], Full<()>> {
        grid::alloc_from_iter(self, src.iter().cloned(), src.len()).map_err(Full::discard)
    }

    /// Stores `f(0)`, `f(1)` and so on, as a slice of `len` values. The values belong to the
    /// caller.
    ///
    /// Wait-free within the run, otherwise lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room. `f` is not called in that case.
    ///
    /// # Panics
    ///
    /// Panics if `f` panics. The values made so far are dropped, and the bytes are unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_slice_with(4, |i| i * i).unwrap(), [0, 1, 4, 9]);
    /// ```
    #[inline]
    pub fn alloc_slice_with<T>(&mut self, len: usize, f: impl FnMut(usize) -> T) -> Result<&'a mut [T], Full<()>> {
        grid::alloc_from_iter(self, (0..len).map(f), len).map_err(Full::discard)
    }

    /// Stores the items of an iterator as a slice. The values belong to the caller.
    ///
    /// The `len` of the iterator is called once and determines the number of bytes. Further items
    /// stay in the iterator, which is dropped. If the iterator ends early, the slice is shorter,
    /// and the other bytes are unused again.
    ///
    /// Wait-free within the run, otherwise lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the iterator unchanged, if there is no room for the values.
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The values stored so far are dropped, and the bytes are
    /// unused again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_from_iter(["a", "b"]).unwrap(), ["a", "b"]);
    /// ```
    // Always inlined, like `grid::alloc_from_iter`.
    #[inline(always)]
    pub fn alloc_from_iter<I>(&mut self, iter: I) -> Result<&'a mut [I::Item], Full<I::IntoIter>>
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let iter = iter.into_iter();
        let len = iter.len();
        grid::alloc_from_iter(self, iter, len)
    }

    /// Copies a string. The copy belongs to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_str("Grace").unwrap(), "Grace");
    /// ```
    #[inline]
    pub fn alloc_str(&mut self, src: &str) -> Result<&'a mut str, Full<()>> {
        grid::alloc_str(self, src)
    }

    /// Stores formatted text, which belongs to the caller.
    ///
    /// The text is formatted twice, first to measure it and then to write it, unless it is a
    /// constant. If the text is longer the second time, its block is extended or replaced by a
    /// larger block.
    ///
    /// Wait-free within the run, otherwise lock-free, except for user code.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for the text.
    ///
    /// # Panics
    ///
    /// Panics if a formatting trait implementation returns an error or panics. The bytes are unused
    /// again.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_fmt(format_args!("{} + {}", 1, 2)).unwrap(), "1 + 2");
    /// ```
    pub fn alloc_fmt(&mut self, args: fmt::Arguments<'_>) -> Result<&'a mut str, Full<()>> {
        grid::alloc_fmt(self, args)
    }

    /// Returns uninitialised memory with this layout. It belongs to the caller until the bump is
    /// reset, moved or dropped.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bytes = bump.local().alloc_layout(Layout::new::<u64>()).unwrap();
    /// assert_eq!(bytes.len(), 8);
    /// ```
    #[inline]
    pub fn alloc_layout(&mut self, layout: Layout) -> Result<NonNull<[u8]>, Full<()>> {
        grid::alloc_layout(self, layout)
    }
}

impl Drop for LocalBump<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<'l, 'a> Source<'a> for &'l mut LocalBump<'a> {
    type Block = LocalBlock<'l, 'a>;

    #[inline]
    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() == 0 {
            return Some(dangling(layout));
        }
        match self.fit(layout) {
            Some(block) => {
                self.advance(block, layout.size());
                Some(block)
            }
            None => self.take_slow(layout),
        }
    }

    #[inline]
    fn take_block(self, layout: Layout) -> Result<LocalBlock<'l, 'a>, usize> {
        match self.fit(layout) {
            Some(pointer) if layout.size() != 0 => Ok(LocalBlock::Run { local: self, pointer }),
            _ => self.take_block_slow(layout),
        }
    }

    #[inline]
    fn bump(&self) -> BumpRef<'a> {
        self.bump
    }

    // Not inlined, unlike the provided `left`. There, a call would force the caller to put a
    // `BumpRef` into memory. Here the `BumpRef` is in the handle, which is in memory anyway.
    #[cold]
    #[inline(never)]
    fn left(&self) -> usize {
        self.bump.budget().left()
    }
}

/// Bytes that were taken but not yet handed out. They are the next bytes of the handle's run, or a
/// block of the bump.
pub(super) enum LocalBlock<'l, 'a> {
    Run { local: &'l mut LocalBump<'a>, pointer: NonNull<u8> },
    Bump(Block<BumpRef<'a>>),
}

impl Taken for LocalBlock<'_, '_> {
    #[inline]
    fn pointer(&self) -> NonNull<u8> {
        match self {
            LocalBlock::Run { pointer, .. } => *pointer,
            LocalBlock::Bump(block) => block.pointer(),
        }
    }

    fn extend(&mut self, size: usize, more: usize) -> bool {
        match self {
            LocalBlock::Run { local, pointer } => more <= local.end - pointer.addr().get() - size,
            LocalBlock::Bump(block) => block.extend(size, more),
        }
    }

    #[inline]
    fn hand_out(self, size: usize) -> NonNull<u8> {
        match self {
            LocalBlock::Run { local, pointer } => {
                local.advance(pointer, size);
                pointer
            }
            LocalBlock::Bump(block) => block.hand_out(size),
        }
    }
}

impl fmt::Debug for LocalBump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unused = self.end - self.next.addr().get();
        f.debug_struct("LocalBump").field("unused", &unused).finish_non_exhaustive()
    }
}
