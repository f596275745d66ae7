//! Extending the run of a handle in place, at the cursor.
//!
//! An extension advances the cursor by a compare-and-swap, which preserves the invariant that no
//! slot at or above the cursor has an owner (`cursor.rs`). It is allowed while shards are active,
//! because it does not retract the cursor (`shards.rs`).

#![forbid(unsafe_code)]

use super::cursor::Cursor;
use super::metadata::Metadata;
use super::sync::Ordering;

impl Cursor {
    /// Extends a run of the caller that ends at `end`, and returns its new end. Returns `None` if
    /// the cursor is elsewhere, names a pending refill, or moves in the meantime.
    ///
    /// `growth` is called with the number of slots left at the cursor, which is not 0. It returns
    /// how many of them to take, or 0 to take none.
    ///
    /// The cursor may have left `end` and returned to it since the caller's run was taken (ABA).
    /// This is harmless: the cursor is at `end` now, so no slot at or above `end` has an owner.
    pub(crate) fn extend_run(
        &self,
        meta: &Metadata<'_>,
        end: usize,
        growth: impl FnOnce(usize) -> usize,
    ) -> Option<usize> {
        let left = meta.capacity() - end;
        let growth = if left == 0 { 0 } else { growth(left) };
        debug_assert!(growth <= left);
        // Relaxed: a guess that the exchange confirms.
        let word = meta.shards.word(self.next.load(Ordering::Relaxed));
        // The comparison also fails if a refill is pending, because `with_next` clears the refill.
        if growth == 0 || word != word.with_next(end) {
            return None;
        }
        let extended = word.with_next(end + growth).raw();
        // Acquire: E2, pairs with the Release in `retract`. The slots may have had an owner before.
        // Relaxed on failure: the value is not used. The exchange is strong: after a spurious
        // failure the handle would take other slots, and break the index order of a single thread.
        self.next.compare_exchange(word.raw(), extended, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(end + growth)
    }
}
