//! A thread's own run of bytes: the fast path of a busy thread.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::AtomicBump;
use super::bump_ref::{Block, BumpRef, dangling};
use super::grid::{self, Source, Taken};
use super::storage::BumpStorage;
use crate::error::Full;

/// The first run of a handle has this many bytes. Each next run is twice as long, up to the
/// ceiling.
const FIRST_RUN: usize = 512;
const MAX_RUN: usize = 64 << 10;

/// A run is at most this share of what is left at the cursor, if it is not for a single request.
const RUN_FRACTION: usize = if cfg!(all(test, loom)) { 2 } else { 16 };

impl<S: BumpStorage> AtomicBump<S> {
    /// Returns a handle with a run of bytes of its own, for a thread that allocates much.
    ///
    /// A run is at most 64 KiB, and at most a sixteenth of what is left at the cursor when it is
    /// taken. A handle that then idles keeps its run. Costs nothing: bytes are taken for the first
    /// value.
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
        LocalBump { bump, next, end: next.addr().get(), length: FIRST_RUN, marker: PhantomData }
    }
}

/// A thread's own run of bytes, refilled by itself. Made by [`AtomicBump::local`].
///
/// Its methods take `&mut self` and return references that live as long as the borrow of the bump:
/// they outlive the handle. An allocation is an addition and a comparison. Only a new run touches
/// memory that other threads touch. The bytes that it holds count as [used](AtomicBump::used).
///
/// A request is served by the first of these that has room:
///
/// - the rest of the run,
/// - the run, extended in place, if it ends at the cursor,
/// - a fresh run, if the request fits in half of it,
/// - the bump, as without a handle.
///
/// Dropped, it returns the rest of its run. Leaked (`mem::forget`), it leaks that rest until the
/// next reset.
///
/// `Send`: the bytes that it holds go with it. Not `Sync`: every thread makes its own.
pub struct LocalBump<'a> {
    bump: BumpRef<'a>,
    /// The first byte of the run that was not handed out, and the address of the run's end. All
    /// between belongs to us.
    next: NonNull<u8>,
    end: usize,
    /// How long the next run shall be at the most.
    length: usize,
    /// The bytes of the run are as if borrowed exclusively.
    marker: PhantomData<&'a mut u8>,
}

// SAFETY: the bytes that it holds may be used by any thread.
unsafe impl Send for LocalBump<'_> {}

impl<'a> LocalBump<'a> {
    /// Where a block with this layout begins in the rest of the run, if it fits there.
    #[inline]
    fn fit(&self, layout: Layout) -> Option<NonNull<u8>> {
        let next = self.next.addr().get();
        let misaligned = next & (layout.align() - 1);
        if misaligned == 0 {
            // By itself, so that the usual case does not wait for the calculation.
            return (layout.size() <= self.end - next).then_some(self.next);
        }
        let padding = layout.align() - misaligned;
        // Does not overflow: a layout keeps its size and its alignment together below `isize::MAX`
        // and one.
        if padding + layout.size() > self.end - next {
            return None;
        }
        // SAFETY: within the run.
        Some(unsafe { self.next.add(padding) })
    }

    /// Hands out all up to `end`, which is within the run.
    #[inline]
    fn advance(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: within the run, or at its end.
        self.next = unsafe { block.add(size) };
    }

    /// Where a block with this layout begins in the run, after the run was extended or another was
    /// taken, if that serves the request.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let budget = self.bump.budget();
        // At most `isize::MAX`, as the layout is valid.
        let most = layout.size() + (layout.align() - 1);
        let length = self.length;
        let refill = |left: usize| length.min(left / RUN_FRACTION);
        let missing = most.saturating_sub(self.end - self.next.addr().get());
        let extended = match self.run_end() {
            0 => None,
            end => budget.extend_run(end, |left| if missing <= left { refill(left).max(missing) } else { 0 }),
        };
        if let Some(end) = extended {
            self.end = self.bump.pointer(end).addr().get();
        } else {
            let fresh = |left| {
                let len = refill(left).max((2 * most).min(MAX_RUN).min(left / RUN_FRACTION));
                if most <= len / 2 { len } else { 0 }
            };
            if fresh(budget.left()) == 0 {
                return None;
            }
            self.close();
            let run = budget.take_run(fresh)?;
            self.next = self.bump.pointer(run.start);
            self.end = self.bump.pointer(run.end).addr().get();
        }
        self.length = (2 * self.length).min(MAX_RUN);
        self.fit(layout)
    }

    /// Takes bytes for `layout` that the rest of the run has no room for.
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

    /// The offset of the end of the run, or 0 if there is none.
    fn run_end(&self) -> usize {
        self.end - self.bump.pointer(0).addr().get()
    }

    /// Returns the rest of the run.
    fn close(&mut self) {
        let rest = self.bump.offset(self.next)..self.run_end();
        self.end = self.next.addr().get();
        self.bump.budget().return_run(rest, true, true);
    }
}

/// Storing. The same methods as on [`AtomicBump`], with `&mut self`.
///
/// Within the run each costs an addition and a comparison. A new run costs one atomic
/// read-modify-write on the shared cursor, and one more to return the rest of the old run.
impl<'a> LocalBump<'a> {
    /// Stores a value, which then belongs to the caller. It is not dropped.
    ///
    /// Wait-free within the run, otherwise lock-free.
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

    /// Stores what `make` returns, in place where the compiler can.
    ///
    /// Wait-free within the run, otherwise lock-free, except for foreign code.
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
    /// let bump = AtomicBump::with_capacity(100_000);
    /// let mut local = bump.local();
    /// let page = local.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// ```
    #[inline]
    pub fn alloc_with<T, F: FnOnce() -> T>(&mut self, make: F) -> Result<&'a mut T, Full<F>> {
        grid::alloc_with(self, make)
    }

    /// Stores what `make` returns, if it succeeds. Otherwise the bytes are returned.
    ///
    /// Wait-free within the run, otherwise lock-free, except for foreign code.
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

    /// Returns room for a value, which is not initialised.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(*bump.local().alloc_uninit().unwrap().write(7u64), 7);
    /// ```
    #[inline]
    pub fn alloc_uninit<T>(&mut self) -> Result<&'a mut MaybeUninit<T>, Full<()>> {
        grid::alloc_uninit(self)
    }

    /// Returns room for `len` values side by side, which are not initialised.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_uninit_slice::<u8>(100).unwrap().len(), 100);
    /// ```
    #[inline]
    pub fn alloc_uninit_slice<T>(&mut self, len: usize) -> Result<&'a mut [MaybeUninit<T>], Full<()>> {
        grid::alloc_uninit_slice(self, len)
    }

    /// Copies the slice, which then belongs to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_slice_copy(&[1, 2, 3]).unwrap(), [1, 2, 3]);
    /// ```
    #[inline]
    pub fn alloc_slice_copy<T: Copy>(&mut self, src: &[T]) -> Result<&'a mut [T], Full<()>> {
        grid::alloc_slice_copy(self, src)
    }

    /// Clones the slice, which then belongs to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free, except for foreign code.
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
    /// assert_eq!(bump.local().alloc_slice_clone(&words).unwrap(), words);
    /// ```
    #[inline]
    pub fn alloc_slice_clone<T: Clone>(&mut self, src: &[T]) -> Result<&'a mut [T], Full<()>> {
        grid::alloc_from_iter(self, src.iter().cloned(), src.len()).map_err(Full::discard)
    }

    /// Stores what `f` returns for 0, 1, 2 and so on, `len` values side by side, which then belong
    /// to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free, except for foreign code.
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
    /// assert_eq!(bump.local().alloc_slice_with(4, |i| i * i).unwrap(), [0, 1, 4, 9]);
    /// ```
    #[inline]
    pub fn alloc_slice_with<T>(&mut self, len: usize, f: impl FnMut(usize) -> T) -> Result<&'a mut [T], Full<()>> {
        grid::alloc_from_iter(self, (0..len).map(f), len).map_err(Full::discard)
    }

    /// Stores the values of the iterator side by side, which then belong to the caller.
    ///
    /// The length is read once, and bytes for that many values are taken. The iterator is not asked
    /// for more values. If it returns fewer, the slice is shorter, and the other bytes are
    /// returned.
    ///
    /// Wait-free within the run, otherwise lock-free, except for foreign code.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_from_iter(["a", "b"]).unwrap(), ["a", "b"]);
    /// ```
    #[inline]
    pub fn alloc_from_iter<I>(&mut self, iter: I) -> Result<&'a mut [I::Item], Full<I::IntoIter>>
    where
        I: IntoIterator<IntoIter: ExactSizeIterator>,
    {
        let iter = iter.into_iter();
        let len = iter.len();
        grid::alloc_from_iter(self, iter, len)
    }

    /// Copies the string, which then belongs to the caller.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
    /// let bump = AtomicBump::with_capacity(1_000);
    /// assert_eq!(bump.local().alloc_str("Grace").unwrap(), "Grace");
    /// ```
    #[inline]
    pub fn alloc_str(&mut self, src: &str) -> Result<&'a mut str, Full<()>> {
        grid::alloc_str(self, src)
    }

    /// Stores the formatted text, which then belongs to the caller.
    ///
    /// The text is made twice: once to measure it, and once to write it into bytes of that length.
    /// If it is longer the second time, it moves to a larger block.
    ///
    /// Wait-free within the run, otherwise lock-free, except for foreign code.
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
    /// assert_eq!(bump.local().alloc_fmt(format_args!("{} + {}", 1, 2)).unwrap(), "1 + 2");
    /// ```
    pub fn alloc_fmt(&mut self, args: fmt::Arguments<'_>) -> Result<&'a mut str, Full<()>> {
        grid::alloc_fmt(self, args)
    }

    /// Returns bytes with this layout, which are not initialised. They belong to the caller as long
    /// as the bump is borrowed.
    ///
    /// Wait-free within the run, otherwise lock-free.
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
        if layout.size() != 0 {
            if let Some(pointer) = self.fit(layout).or_else(|| self.refill(layout)) {
                return Ok(LocalBlock::Run { local: self, pointer });
            }
        }
        Ok(LocalBlock::Bump(self.bump.take_block(layout)?))
    }

    #[inline]
    fn bump(&self) -> BumpRef<'a> {
        self.bump
    }

    // Not inlined, as the handle lies in memory anyway.
    #[cold]
    #[inline(never)]
    fn left(&self) -> usize {
        self.bump.budget().left()
    }
}

/// Bytes that were not yet handed out: the next ones of the run, or some that the bump gave.
pub(super) enum LocalBlock<'l, 'a> {
    Run { local: &'l mut LocalBump<'a>, pointer: NonNull<u8> },
    Bump(Block<'a>),
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
