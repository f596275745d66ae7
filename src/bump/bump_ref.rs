//! A shared bump with any storage. Turns offsets into pointers.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::{self, NonNull};

use crate::raw::budget::{Budget, Head, Piece, Shards};
use crate::raw::gap::LINE;

/// A shared bump. Equivalent to `&AtomicBump<S>` for any `S`.
#[derive(Clone, Copy, Debug)]
pub struct BumpRef<'a> {
    budget: Budget<'a>,
    base: NonNull<u8>,
    marker: PhantomData<&'a u8>,
}

// SAFETY: a `BumpRef` refers to atomics, and to bytes that each have one owner at a time.
unsafe impl Send for BumpRef<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for BumpRef<'_> {}

impl<'a> BumpRef<'a> {
    /// # Safety
    ///
    /// - During `'a`, `base` points to `capacity` bytes that are valid for reads and writes and do
    ///   not move.
    /// - During `'a`, a byte is accessed only by its owner, which has taken it through a `BumpRef`
    ///   of the same `head` and `shards`.
    /// - If there are `shards`, `base` is a multiple of `LINE`, and `has_shards(capacity)` is true.
    #[inline]
    pub(super) unsafe fn new(head: &'a Head, shards: Option<&'a Shards>, base: NonNull<u8>, capacity: usize) -> Self {
        BumpRef { budget: Budget::new(head, shards, base.addr().get(), capacity), base, marker: PhantomData }
    }

    #[inline]
    pub(super) fn budget(self) -> Budget<'a> {
        self.budget
    }

    /// Returns a pointer to the byte at `offset`. The caller may access only bytes that it owns.
    #[inline]
    pub(crate) fn pointer(self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.budget.capacity());
        // SAFETY: each caller passes 0, or the offset of the start or end of bytes that were taken
        // from the budget. So the result is within the `capacity` bytes of `new` or at their end.
        unsafe { self.base.add(offset) }
    }

    /// Returns the offset of the byte at `pointer`, which points into this bump.
    #[inline]
    pub(crate) fn offset(self, pointer: NonNull<u8>) -> usize {
        pointer.addr().get() - self.base.addr().get()
    }

    /// Takes bytes for `layout`. They belong to the caller during `'a`.
    #[inline]
    pub(super) fn take(self, layout: Layout) -> Option<NonNull<u8>> {
        Some(self.take_block(layout).ok()?.hand_out(layout.size()))
    }

    /// Takes a block with this layout. Dropping the block returns its bytes. The error is the
    /// number of bytes left at the cursor.
    #[inline]
    pub(super) fn take_block(self, layout: Layout) -> Result<Block<Self>, usize> {
        if layout.size() == 0 {
            return Ok(Block::dangling(self, layout));
        }
        Ok(Block::new(self, self.budget.take_piece(layout)?))
    }
}

/// Operations of an allocator on blocks that it has handed out.
#[cfg(any(all(test, loom), feature = "allocator-api2-02", feature = "allocator-api2-04", feature = "nightly"))]
impl BumpRef<'_> {
    /// Frees a block.
    ///
    /// # Safety
    ///
    /// This bump has handed out `block` with this layout, and the caller gives up all access to it.
    #[inline]
    pub(crate) unsafe fn free(self, block: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            let start = self.offset(block);
            self.budget.free(start..start + layout.size(), layout.size());
        }
    }

    /// Makes a block larger, in place or elsewhere. On failure, the block is unchanged.
    ///
    /// # Safety
    ///
    /// This bump has handed out `block` with the layout `old`, and `new` is at least as large. On
    /// success, the caller accesses the block only through the returned pointer.
    #[inline]
    pub(crate) unsafe fn grow(self, block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let in_place = old.size() != 0 && block.addr().get() & (new.align() - 1) == 0;
        let start = if in_place { self.offset(block) } else { 0 };
        let more = new.size() - old.size();
        if in_place && (more == 0 || self.budget.extend(start + old.size(), old.size(), more)) {
            // Not `block`, whose provenance may not cover the bytes after it.
            return Some(self.pointer(start));
        }
        // SAFETY: the caller gives the guarantees that `replace` requires.
        unsafe { self.replace(block, old, new) }
    }

    /// Makes a block smaller, in place unless the new alignment forbids it. On failure, the block
    /// is unchanged.
    ///
    /// # Safety
    ///
    /// As for [`grow`](Self::grow), but `new` is at most as large.
    #[inline]
    pub(crate) unsafe fn shrink(self, block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        if block.addr().get() & (new.align() - 1) != 0 || old.size() == 0 {
            // SAFETY: the caller gives the guarantees that `replace` requires.
            return unsafe { self.replace(block, old, new) };
        }
        let start = self.offset(block);
        if new.size() < old.size() {
            self.budget.free(start + new.size()..start + old.size(), old.size());
        }
        Some(if new.size() == 0 { dangling(new) } else { self.pointer(start) })
    }

    /// Moves a block elsewhere and frees its old bytes.
    ///
    /// # Safety
    ///
    /// As for [`grow`](Self::grow), but `new` may have any size.
    unsafe fn replace(self, block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let moved = self.take(new)?;
        // SAFETY: the old block belongs to the caller and the new one was just taken, so they do
        // not overlap. Both have at least the number of bytes that is copied. The caller gives up
        // the old block, which has the layout `old`.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), moved.as_ptr(), old.size().min(new.size()));
            self.free(block, old);
        }
        Some(moved)
    }
}

/// Returns a pointer to a block of 0 bytes. The pointer is aligned and not null.
#[inline]
pub(super) fn dangling(layout: Layout) -> NonNull<u8> {
    // SAFETY: an alignment is not 0.
    unsafe { NonNull::new_unchecked(ptr::without_provenance_mut(layout.align())) }
}

/// A reference to a bump: a [`BumpRef`], or a reference to an `AtomicBump`.
pub(super) trait View: Copy {
    fn view(&self) -> BumpRef<'_>;
}

impl View for BumpRef<'_> {
    #[inline]
    fn view(&self) -> BumpRef<'_> {
        *self
    }
}

/// Bytes that were taken but not yet handed out. If the code that fills them panics or fails,
/// dropping the block returns them. Each public method that takes bytes as a block hands the block
/// out or drops it before the method returns, so a user of the crate cannot leak a block.
pub(super) struct Block<V: View> {
    bump: V,
    pointer: NonNull<u8>,
    piece: Piece,
}

impl<V: View> Block<V> {
    /// Creates a block from a piece that was taken from the budget of this bump.
    #[inline]
    pub(super) fn new(bump: V, piece: Piece) -> Self {
        Block { pointer: bump.view().pointer(piece.start), bump, piece }
    }

    /// Creates a block of 0 bytes.
    #[inline]
    pub(super) fn dangling(bump: V, layout: Layout) -> Self {
        let piece = Piece { start: 0, taken: 0..0, from_cursor: false };
        Block { bump, pointer: dangling(layout), piece }
    }

    #[inline]
    pub(super) fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }

    /// Tries to make room for `more` bytes after the first `size` bytes. Returns whether there is
    /// room. Called only for blocks of alignment 1, which have no padding. So a block with bytes of
    /// a shard's run never has more than `SHARD_LIMIT` bytes.
    pub(super) fn extend(&mut self, size: usize, more: usize) -> bool {
        let end = self.piece.start + size + more;
        let missing = end.saturating_sub(self.piece.taken.end);
        if missing == 0 {
            return true;
        }
        let budget = self.bump.view().budget;
        let extended = missing == more && size != 0 && budget.extend(self.piece.taken.end, size, more);
        if extended {
            self.piece.taken.end = end;
            // If there are shards and this block still has at most `SHARD_LIMIT` bytes, the added
            // bytes came from a shard.
            self.piece.from_cursor = budget.is_from_cursor(size + more);
        }
        extended
    }

    /// Hands out the first `size` bytes, and returns the bytes after them to the bump.
    #[inline]
    pub(super) fn hand_out(self, size: usize) -> NonNull<u8> {
        let pointer = self.pointer;
        let Range { start, end } = self.piece.taken;
        let used = self.piece.start + size;
        let (bump, from_cursor) = (self.bump, self.piece.from_cursor);
        // Once the block is handed out, the start of its padding is no longer known, so freeing the
        // block cannot return the padding. Padding of at least a line is therefore returned now.
        // Shorter padding, and all padding in a bump without shards, is lost.
        let padding = start..self.piece.start;
        core::mem::forget(self);
        if end != used {
            bump.view().budget.return_run(used..end, from_cursor, false);
        }
        if padding.len() >= LINE {
            bump.view().budget.return_run(padding, false, false);
        }
        pointer
    }
}

impl<V: View> Drop for Block<V> {
    #[cold]
    fn drop(&mut self) {
        self.bump.view().budget.return_run(self.piece.taken.clone(), self.piece.from_cursor, true);
    }
}
