//! Extending the run of a handle in place, at the cursor.
//!
//! An extension advances the cursor with a compare-and-swap, which preserves the invariant that no
//! slot at or above the cursor has an owner (`cursor.rs`). An extension is allowed while shards are
//! active, because it does not retract the cursor (`shards.rs`).

#![forbid(unsafe_code)]

use super::cursor::Cursor;
use super::metadata::Metadata;
use super::sync::Ordering;

impl Cursor {
    /// Extends a run that the caller owns and that ends at `end`. Returns the new end. Returns
    /// `None` if no slot is left, if `growth` returns 0, or if the cursor is not at `end`, names a
    /// pending refill, or moves in the meantime.
    ///
    /// `growth` receives the number of slots from `end` to the end of the arena, and returns how
    /// many of them to add. It is not called if the number is 0.
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
        // The words also differ if a refill is pending, because `with_next` clears the refill.
        if growth == 0 || word != word.with_next(end) {
            return None;
        }
        let extended = word.with_next(end + growth).raw();
        // Acquire: E2, pairs with the Release in `retract` and `return_fast`. The slots may have
        // had an owner before. Relaxed on failure: the value is not used. The exchange is strong:
        // after a spurious failure the handle would take slots elsewhere, and a single thread would
        // no longer get its slots in index order.
        self.next.compare_exchange(word.raw(), extended, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(end + growth)
    }
}
