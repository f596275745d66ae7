//! The methods that an `AtomicBump` and a `LocalBump` share, generic over the source of the bytes.
//!
//! # User code
//!
//! Closures, iterators, and implementations of `Clone` and of formatting traits may panic, and may
//! allocate in the same bump. While user code runs, the bytes belong to a local variable, a *block*
//! (see [`Taken`]), which the method hands out or drops before it returns. So if user code panics
//! or fails, the block is dropped, which returns its bytes. The values made before the panic are
//! dropped first.

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::{self, NonNull};

use super::AtomicBump;
use super::bump_ref::{Block, BumpRef, View, dangling};
use super::storage::BumpStorage;
use crate::error::Full;
use crate::raw::budget::Piece;
use crate::raw::gap::LINE;

/// A bump or a handle, from which a method takes bytes.
pub(super) trait Source<'a>: Sized {
    type Block: Taken;

    /// Takes bytes for `layout`, which belong to the caller during `'a`.
    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>>;

    /// Takes bytes for `layout`, which belong to the block during `'a`. Dropping the block returns
    /// them. The error is the number of bytes left at the cursor.
    fn take_block(self, layout: Layout) -> Result<Self::Block, usize>;

    /// Returns the bump itself.
    fn bump(&self) -> BumpRef<'a>;

    /// Returns the number of bytes left at the cursor, for the error of a refused request. Inlined,
    /// because a call would force a `BumpRef` into memory.
    #[inline]
    fn left(&self) -> usize {
        self.bump().budget().left()
    }
}

/// Bytes that were taken but not yet handed out.
pub(super) trait Taken {
    fn pointer(&self) -> NonNull<u8>;

    /// Tries to make room for `more` bytes after the first `size` bytes. Returns whether there is
    /// room.
    fn extend(&mut self, size: usize, more: usize) -> bool;

    /// Hands out the first `size` bytes, and returns the bytes after them to the bump. The result
    /// is the start of the bytes handed out.
    fn hand_out(self, size: usize) -> NonNull<u8>;
}

impl<S: BumpStorage> View for &AtomicBump<S> {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        AtomicBump::view(self)
    }
}

// The fast path takes bytes from the run of this thread's shard. The slow path is a function of its
// own, and gets the bump as its argument. If it got a view, the fast path would have to load all
// parts of the view.
impl<'a, S: BumpStorage> Source<'a> for &'a AtomicBump<S> {
    type Block = Block<Self>;

    #[inline]
    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        #[cold]
        #[inline(never)]
        fn slow<S: BumpStorage>(bump: &AtomicBump<S>, layout: Layout, taken: Range<usize>) -> Option<NonNull<u8>> {
            // A larger alignment may need padding of a line or more, which `hand_out` returns.
            if taken.is_empty() && layout.align() <= LINE {
                let view = bump.view();
                if let Some(start) = view.budget().take_near(layout) {
                    return Some(view.pointer(start));
                }
            }
            Some(take_after(bump, layout, taken).ok()?.hand_out(layout.size()))
        }

        if layout.size() == 0 {
            return Some(dangling(layout));
        }
        let view = AtomicBump::view(self);
        match view.budget().take_once(layout) {
            Ok(taken) => Some(view.pointer(taken.end - layout.size())),
            Err(taken) => slow(self, layout, taken),
        }
    }

    #[inline]
    fn take_block(self, layout: Layout) -> Result<Block<Self>, usize> {
        if layout.size() == 0 {
            return Ok(Block::dangling(self, layout));
        }
        match AtomicBump::view(self).budget().take_once(layout) {
            Ok(taken) => Ok(Block::new(self, Piece::from_gap(taken, layout))),
            Err(taken) => take_after(self, layout, taken),
        }
    }

    #[inline]
    fn bump(&self) -> BumpRef<'a> {
        AtomicBump::view(self)
    }
}

/// Continues a request for which `take_once` has returned `Err(taken)`.
#[cold]
#[inline(never)]
fn take_after<S: BumpStorage>(
    bump: &AtomicBump<S>,
    layout: Layout,
    taken: Range<usize>,
) -> Result<Block<&AtomicBump<S>>, usize> {
    Ok(Block::new(bump, bump.view().budget().take_after(taken, layout)?))
}

impl<V: View> Taken for Block<V> {
    #[inline]
    fn pointer(&self) -> NonNull<u8> {
        self.pointer()
    }

    fn extend(&mut self, size: usize, more: usize) -> bool {
        self.extend(size, more)
    }

    #[inline]
    fn hand_out(self, size: usize) -> NonNull<u8> {
        self.hand_out(size)
    }
}

/// Returns the layout of a slice. If it would be too large, returns the error of a refused request.
#[inline]
fn slice_layout<'a, T>(source: &impl Source<'a>, len: usize) -> Result<Layout, Full<()>> {
    Layout::array::<T>(len).map_err(|_| {
        let requested = size_of::<T>().saturating_mul(len);
        Full::in_bytes((), requested, source.left())
    })
}

#[inline]
pub(super) fn alloc<'a, T>(mut source: impl Source<'a>, value: T) -> Result<&'a mut T, Full<T>> {
    match source.take(Layout::new::<T>()) {
        Some(bytes) => {
            let mut place = bytes.cast::<T>();
            // SAFETY: the bytes have the layout of a `T` and belong to this call. From now on only
            // the returned reference reaches them.
            Ok(unsafe {
                place.write(value);
                place.as_mut()
            })
        }
        None => Err(Full::in_bytes(value, size_of::<T>(), source.left())),
    }
}

#[inline]
pub(super) fn alloc_with<'a, T, F>(source: impl Source<'a>, make: F) -> Result<&'a mut T, Full<F>>
where
    F: FnOnce() -> T,
{
    match source.take_block(Layout::new::<T>()) {
        Ok(block) => {
            let value = make();
            // SAFETY: the block has the layout of a `T`, and its bytes belong to it during `'a`
            // (`take_block`).
            Ok(unsafe { fill(block, value) })
        }
        Err(left) => Err(Full::in_bytes(make, size_of::<T>(), left)),
    }
}

#[inline]
pub(super) fn alloc_try_with<'a, T, F, E>(source: impl Source<'a>, make: F) -> Result<Result<&'a mut T, E>, Full<F>>
where
    F: FnOnce() -> Result<T, E>,
{
    match source.take_block(Layout::new::<T>()) {
        // SAFETY: the block has the layout of a `T`, and its bytes belong to it during `'a`
        // (`take_block`).
        Ok(block) => Ok(make().map(|value| unsafe { fill(block, value) })),
        Err(left) => Err(Full::in_bytes(make, size_of::<T>(), left)),
    }
}

/// Hands out a block and stores a value in it.
///
/// # Safety
///
/// The block has the layout of a `T`, and its bytes belong to it during `'a`.
#[inline]
unsafe fn fill<'a, T>(block: impl Taken, value: T) -> &'a mut T {
    let mut place = block.hand_out(size_of::<T>()).cast::<T>();
    // SAFETY: the caller guarantees that the bytes have the layout of a `T` and belong to the block
    // during `'a`. From now on only the returned reference reaches them.
    unsafe {
        place.write(value);
        place.as_mut()
    }
}

#[inline]
pub(super) fn alloc_uninit<'a, T>(mut source: impl Source<'a>) -> Result<&'a mut MaybeUninit<T>, Full<()>> {
    match source.take(Layout::new::<T>()) {
        // SAFETY: the bytes have the layout of a `T` and belong to this call. From now on only the
        // returned reference reaches them. They need not be initialised.
        Some(bytes) => Ok(unsafe { bytes.cast::<MaybeUninit<T>>().as_mut() }),
        None => Err(Full::in_bytes((), size_of::<T>(), source.left())),
    }
}

#[inline]
pub(super) fn alloc_uninit_slice<'a, T>(
    mut source: impl Source<'a>,
    len: usize,
) -> Result<&'a mut [MaybeUninit<T>], Full<()>> {
    let layout = slice_layout::<T>(&source, len)?;
    match source.take(layout) {
        // SAFETY: the bytes have the layout of the slice and belong to this call. From now on only
        // the returned reference reaches them. They need not be initialised.
        Some(bytes) => Ok(unsafe { NonNull::slice_from_raw_parts(bytes.cast::<MaybeUninit<T>>(), len).as_mut() }),
        None => Err(Full::in_bytes((), layout.size(), source.left())),
    }
}

#[inline]
pub(super) fn alloc_slice_copy<'a, T: Copy>(mut source: impl Source<'a>, src: &[T]) -> Result<&'a mut [T], Full<()>> {
    let layout = Layout::for_value(src);
    match source.take(layout) {
        Some(bytes) => {
            let place = bytes.cast::<T>();
            // SAFETY: the bytes have the layout of the slice and belong to this call, so they do
            // not overlap with `src`. `T: Copy`, so the copied bytes are valid values. From now on
            // only the returned reference reaches them.
            Ok(unsafe {
                ptr::copy_nonoverlapping(src.as_ptr(), place.as_ptr(), src.len());
                NonNull::slice_from_raw_parts(place, src.len()).as_mut()
            })
        }
        None => Err(Full::in_bytes((), layout.size(), source.left())),
    }
}

#[inline]
pub(super) fn alloc_str<'a>(source: impl Source<'a>, src: &str) -> Result<&'a mut str, Full<()>> {
    let bytes = alloc_slice_copy(source, src.as_bytes())?;
    // SAFETY: the bytes are a copy of a `str`, so they are valid UTF-8.
    Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes) })
}

// Always inlined, because passing the iterator and the result through memory takes longer than
// storing a few values.
#[inline(always)]
pub(super) fn alloc_from_iter<'a, I>(
    source: impl Source<'a>,
    values: I,
    len: usize,
) -> Result<&'a mut [I::Item], Full<I>>
where
    I: Iterator,
{
    let layout = match slice_layout::<I::Item>(&source, len) {
        Ok(layout) => layout,
        Err(full) => return Err(Full::in_bytes(values, full.requested(), full.remaining())),
    };
    match source.take_block(layout) {
        // SAFETY: the block has the layout of the slice, and its bytes belong to it during `'a`
        // (`take_block`).
        Ok(block) => Ok(unsafe { fill_slice(block, values, len) }),
        Err(left) => Err(Full::in_bytes(values, layout.size(), left)),
    }
}

/// Fills a block with up to `len` values.
///
/// # Safety
///
/// The block has the layout of `len` values, and its bytes belong to it during `'a`.
#[inline(always)]
unsafe fn fill_slice<'a, T>(block: impl Taken, values: impl Iterator<Item = T>, len: usize) -> &'a mut [T] {
    /// The values made so far. Dropping this drops them.
    struct Made<T> {
        place: NonNull<T>,
        count: usize,
    }

    impl<T> Drop for Made<T> {
        fn drop(&mut self) {
            // SAFETY: `count` values were written, and no other reference to them exists.
            unsafe { NonNull::slice_from_raw_parts(self.place, self.count).drop_in_place() };
        }
    }

    let mut made = Made { place: block.pointer().cast::<T>(), count: 0 };
    for value in values.take(len) {
        // SAFETY: fewer than `len` values were written, so there is room for another.
        unsafe { made.place.add(made.count).write(value) };
        made.count += 1;
    }
    let count = made.count;
    core::mem::forget(made);
    let place = block.hand_out(count * size_of::<T>()).cast::<T>();
    // SAFETY: `count` values were written. From now on only the returned reference reaches them.
    unsafe { NonNull::slice_from_raw_parts(place, count).as_mut() }
}

#[inline]
pub(super) fn alloc_layout<'a>(mut source: impl Source<'a>, layout: Layout) -> Result<NonNull<[u8]>, Full<()>> {
    match source.take(layout) {
        Some(bytes) => Ok(NonNull::slice_from_raw_parts(bytes, layout.size())),
        None => Err(Full::in_bytes((), layout.size(), source.left())),
    }
}

/// Measures the text, then writes it into a block of the measured length. If the text is longer the
/// second time, the block is extended or replaced by a larger block.
///
/// # Panics
///
/// Panics if a formatting trait implementation returns an error.
pub(super) fn alloc_fmt<'a>(source: impl Source<'a>, args: fmt::Arguments<'_>) -> Result<&'a mut str, Full<()>> {
    if let Some(text) = args.as_str() {
        return alloc_str(source, text);
    }
    let mut length = Length(0);
    fmt::write(&mut length, args).unwrap_or_else(|_| formatting_failed());
    let (bump, room) = (source.bump(), length.0);
    let Ok(layout) = Layout::array::<u8>(room) else {
        return Err(Full::in_bytes((), room, bump.budget().left()));
    };
    let block = source.take_block(layout).map_err(|left| Full::in_bytes((), room, left))?;
    let mut text = Text { bump, block, moved: None, len: 0, room, full: None };
    match fmt::write(&mut text, args) {
        // An implementation of `Display` may ignore the error of a write that found no room. `full`
        // is then set, and a part of the text is missing.
        Ok(()) if text.full.is_none() => {
            let pointer = match text.moved {
                Some(moved) => moved.hand_out(text.len),
                None => text.block.hand_out(text.len),
            };
            let mut bytes = NonNull::slice_from_raw_parts(pointer, text.len);
            // SAFETY: each `write_str` has appended a whole `str`, so the first `text.len` bytes
            // are valid UTF-8. From now on only the returned reference reaches them.
            Ok(unsafe { core::str::from_utf8_unchecked_mut(bytes.as_mut()) })
        }
        _ => Err(text.full.unwrap_or_else(|| formatting_failed())),
    }
}

#[cold]
#[track_caller]
fn formatting_failed<T>() -> T {
    panic!("a formatting trait implementation returned an error")
}

/// Counts bytes.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// Writes text into a block.
struct Text<'a, B> {
    bump: BumpRef<'a>,
    block: B,
    /// The block that replaced the first one, if any.
    moved: Option<Block<BumpRef<'a>>>,
    /// Invariant: the first `len` bytes of the current block were written, and this block has room
    /// for `room` bytes. (The current block is `moved` or, if that is `None`, `block`.)
    len: usize,
    room: usize,
    /// The error to return if there was no room for the text.
    full: Option<Full<()>>,
}

impl<B: Taken> fmt::Write for Text<'_, B> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.room - self.len < text.len() {
            self.make_room(text.len() - (self.room - self.len))?;
        }
        // SAFETY: the block has room for the text after the first `len` bytes. No other code
        // reaches these bytes, so they do not overlap with `text`.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), self.pointer().add(self.len).as_ptr(), text.len()) };
        self.len += text.len();
        Ok(())
    }
}

impl<B: Taken> Text<'_, B> {
    fn pointer(&self) -> NonNull<u8> {
        self.moved.as_ref().map_or_else(|| self.block.pointer(), Block::pointer)
    }

    /// Makes room for `more` additional bytes.
    #[cold]
    fn make_room(&mut self, more: usize) -> fmt::Result {
        let extended = match &mut self.moved {
            Some(moved) => moved.extend(self.room, more),
            None => self.block.extend(self.room, more),
        };
        if !extended {
            let needed = self.room.saturating_add(more);
            let block = Layout::array::<u8>(needed).ok().and_then(|layout| self.bump.take_block(layout).ok());
            let Some(block) = block else {
                self.full = Some(Full::in_bytes((), needed, self.bump.budget().left()));
                return Err(fmt::Error);
            };
            // SAFETY: `self.len` bytes of the old block were written. The new block is longer, and
            // does not overlap with the old one.
            unsafe { ptr::copy_nonoverlapping(self.pointer().as_ptr(), block.pointer().as_ptr(), self.len) };
            // If `moved` already contains a block, that block is dropped, which returns its bytes.
            self.moved = Some(block);
        }
        self.room += more;
        Ok(())
    }
}
