//! A shared bump, whatever its storage: the numbers of its bytes become memory.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::{self, NonNull};

use super::budget::{Budget, Head, Piece, Shards};
use super::gap::LINE;

/// A shared bump. As good as `&AtomicBump<S>`, for any `S`.
#[derive(Clone, Copy, Debug)]
pub struct BumpRef<'a> {
    budget: Budget<'a>,
    base: NonNull<u8>,
    marker: PhantomData<&'a u8>,
}

// SAFETY: as good as `&AtomicBump<S>`: atomics, and bytes that each have one owner at a time.
unsafe impl Send for BumpRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for BumpRef<'_> {}

impl<'a> BumpRef<'a> {
    /// # Safety
    ///
    /// For `'a`, `base` points to `capacity` bytes, valid for reads and writes, that do not move,
    /// and that are accessed only by owners of what views of this same `head` and these same
    /// `shards` have handed out.
    #[inline]
    pub(super) unsafe fn new(head: &'a Head, shards: Option<&'a Shards>, base: NonNull<u8>, capacity: usize) -> Self {
        BumpRef { budget: Budget::new(head, shards, base.addr().get(), capacity), base, marker: PhantomData }
    }

    #[inline]
    pub(super) fn budget(self) -> Budget<'a> {
        self.budget
    }

    /// Returns a pointer to the byte. It may be used only for bytes that the caller owns.
    #[inline]
    pub(crate) fn pointer(self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.budget.capacity());
        // SAFETY: at most the capacity, so within the bytes or at their end (`new`).
        unsafe { self.base.add(offset) }
    }

    /// The number of the byte at `pointer`, which this bump has handed out.
    #[inline]
    pub(crate) fn offset(self, pointer: NonNull<u8>) -> usize {
        pointer.addr().get() - self.base.addr().get()
    }

    /// Takes bytes for `layout`, which then belong to the caller for `'a`.
    #[inline]
    pub(super) fn take(self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() == 0 {
            return Some(dangling(layout));
        }
        if let Some(offset) = self.budget.take_next(layout) {
            return Some(self.pointer(offset));
        }
        let (head, shards, capacity) = self.budget.into_parts();
        take_near(head, shards, self.base, capacity, layout.size(), layout.align())
    }

    /// Takes bytes for `layout`, which are returned if the block is dropped.
    #[inline]
    pub(super) fn take_block(self, layout: Layout) -> Result<Block<'a>, usize> {
        if layout.size() == 0 {
            let piece = Piece { start: 0, taken: 0..0, from_cursor: false };
            return Ok(Block { bump: self, pointer: dangling(layout), piece });
        }
        let piece = self.budget.take_piece(layout)?;
        Ok(Block { bump: self, pointer: self.pointer(piece.start), piece })
    }
}

/// Takes bytes for a layout that [`BumpRef::take`] did not find at once.
///
/// Not inlined, and told each part of the view and of the layout by itself, which travels in a
/// register: so the caller's view need not lie in memory, nor does it here.
#[cold]
#[inline(never)]
fn take_near(
    head: &Head,
    shards: Option<&Shards>,
    base: NonNull<u8>,
    capacity: usize,
    size: usize,
    align: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: the parts of a view.
    let bump = unsafe { BumpRef::new(head, shards, base, capacity) };
    // SAFETY: the parts of a layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    match bump.budget.take_near(layout) {
        Some(offset) => Some(bump.pointer(offset)),
        None => take_far(head, shards, base, capacity, size, align),
    }
}

/// Does the same, wherever the bytes come from.
#[cold]
#[inline(never)]
fn take_far(
    head: &Head,
    shards: Option<&Shards>,
    base: NonNull<u8>,
    capacity: usize,
    size: usize,
    align: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: the parts of a view.
    let bump = unsafe { BumpRef::new(head, shards, base, capacity) };
    // SAFETY: the parts of a layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    Some(bump.take_block(layout).ok()?.hand_out(size))
}

/// What an allocator does with blocks that it has handed out.
#[cfg(any(all(test, loom), feature = "allocator-api2-02", feature = "allocator-api2-04", feature = "nightly"))]
impl BumpRef<'_> {
    /// Frees a block.
    ///
    /// # Safety
    ///
    /// This bump has handed `block` out with this layout, and the caller gives up the only way to
    /// it.
    #[inline]
    pub(crate) unsafe fn free(self, block: NonNull<u8>, layout: Layout) {
        if layout.size() != 0 {
            let start = self.offset(block);
            self.budget.free(start..start + layout.size(), layout.size());
        }
    }

    /// Makes a block larger, in place or elsewhere. If that fails, the block is as it was.
    ///
    /// # Safety
    ///
    /// This bump has handed `block` out with the layout `old`. If this succeeds, the caller gives
    /// up every other way to it. `new` is at least as large.
    #[inline]
    pub(crate) unsafe fn grow(self, block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let in_place = old.size() != 0 && block.addr().get() & (new.align() - 1) == 0;
        let start = if in_place { self.offset(block) } else { 0 };
        let more = new.size() - old.size();
        if in_place && (more == 0 || self.budget.extend(start + old.size(), old.size(), more)) {
            // Not `block`, which may not be used for the bytes behind it.
            return Some(self.pointer(start));
        }
        // SAFETY: the caller's. The smaller of both sizes is that of `old`.
        unsafe { self.replace(block, old, new) }
    }

    /// Makes a block smaller, in place unless the new alignment forbids that. If that fails, the
    /// block is as it was.
    ///
    /// # Safety
    ///
    /// As for [`grow`](Self::grow), but `new` is at most as large.
    #[inline]
    pub(crate) unsafe fn shrink(self, block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        if block.addr().get() & (new.align() - 1) != 0 || old.size() == 0 {
            // SAFETY: the caller's. The smaller of both sizes is that of `new`.
            return unsafe { self.replace(block, old, new) };
        }
        let start = self.offset(block);
        if new.size() < old.size() {
            self.budget.free(start + new.size()..start + old.size(), old.size());
        }
        Some(if new.size() == 0 { dangling(new) } else { self.pointer(start) })
    }

    /// Moves a block elsewhere and frees it.
    ///
    /// # Safety
    ///
    /// As for [`grow`](Self::grow), but `new` may have any size.
    unsafe fn replace(self, block: NonNull<u8>, old: Layout, new: Layout) -> Option<NonNull<u8>> {
        let moved = self.take(new)?;
        // SAFETY: the old block belongs to the caller, the new one was just taken, so they do not
        // overlap. Both have at least that many bytes. The caller gives up the old one.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), moved.as_ptr(), old.size().min(new.size()));
            self.free(block, old);
        }
        Some(moved)
    }
}

/// What stands for a block without bytes: aligned, and never null.
#[inline]
pub(super) fn dangling(layout: Layout) -> NonNull<u8> {
    // SAFETY: an alignment is not 0.
    unsafe { NonNull::new_unchecked(ptr::without_provenance_mut(layout.align())) }
}

/// Bytes that were taken and not yet handed out. Dropped, they are returned, which answers a panic
/// in the code that was to fill them. Needs no mark: it never leaves the call that took it.
pub(super) struct Block<'a> {
    bump: BumpRef<'a>,
    pointer: NonNull<u8>,
    piece: Piece,
}

impl Block<'_> {
    #[inline]
    pub(super) fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }

    /// Makes room for `more` bytes behind the first `size`, if they are free there. Returns whether
    /// it did.
    pub(super) fn extend(&mut self, size: usize, more: usize) -> bool {
        let end = self.piece.start + size + more;
        let missing = end.saturating_sub(self.piece.taken.end);
        let extended =
            missing == 0 || (missing == more && size != 0 && self.bump.budget.extend(self.piece.taken.end, size, more));
        self.piece.taken.end = self.piece.taken.end.max(if extended { end } else { 0 });
        extended
    }

    /// Hands the first `size` bytes out, and returns what else was taken.
    #[inline]
    pub(super) fn hand_out(self, size: usize) -> NonNull<u8> {
        let pointer = self.pointer;
        let Range { start, end } = self.piece.taken;
        let used = self.piece.start + size;
        let (budget, from_cursor) = (self.bump.budget, self.piece.from_cursor);
        // When the block is freed, the start of its padding is unknown. So the padding is not
        // returned to a shard.
        let padding = start..self.piece.start;
        core::mem::forget(self);
        if end != used {
            budget.return_run(used..end, from_cursor, false);
        }
        if padding.len() >= LINE {
            budget.return_run(padding, false, false);
        }
        pointer
    }
}

impl Drop for Block<'_> {
    #[cold]
    fn drop(&mut self) {
        self.bump.budget.return_run(self.piece.taken.clone(), self.piece.from_cursor, true);
    }
}
