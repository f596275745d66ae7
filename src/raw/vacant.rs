//! Vacant slots: below the cursor, without a value and without an owner. They are marked by their
//! stamps, counted here, and claimed again when the cursor and the shards cannot serve a request.
//!
//! # Why a vacant slot is not overlooked
//!
//! Slots are counted before they are marked, and claimed before they are uncounted. So no count is
//! ever below the number of slots that are marked, and a search may skip what is counted as 0: the
//! whole arena, or a block of the summary.
//!
//! A search for one slot looks at every slot once. A slot that was vacant when the search began,
//! and is not when its turn comes, was taken by another thread. There are two exceptions. A rest
//! that is *retired* from a shard becomes vacant although it was free before, and a search for a
//! run *puts back* what it has claimed if it does not get the whole run. A search can look at the
//! shard after the former and pass the stamp before the latter. Therefore both increment `changes`
//! afterwards, and a request for one slot that fails looks again if that counter has changed.
//!
//! A search for a run claims upwards, within windows that it has seen vacant, and does not start
//! again at the first slot. Of two searches that meet, the one that claimed the higher slots first
//! is ahead of the other, which gives way. If both are refused and retry, one of them succeeds.
//!
//! # Orderings
//!
//! - `E2 return → reuse`, through a stamp: see `stamps.rs`.
//! - `E5 count → uncount`, for the number of blocks with vacant slots: [`VacantSlots::add`]
//!   increments it before it counts slots of a block (Release in `Summary::add`). A thread that
//!   decrements it has found the block counted (Acquire in `Summary::add`), or has emptied it
//!   (Acquire in `Summary::subtract`). So each decrement comes after the increment that it undoes,
//!   and the number is never too low.
//! - `changes`: incremented (Release) after the stamps were marked; read (Acquire) before a request
//!   for one slot looks for the first time. A request that reads the increment sees the marks.

#![forbid(unsafe_code)]

use core::ops::Range;

use super::metadata::Metadata;
use super::shards::{SHARDS, Shard, own_index};
use super::summary::{BLOCK, Summary};
use super::sync::{AtomicMut, AtomicUsize, Ordering, const_fn};

#[derive(Debug)]
pub(crate) struct VacantSlots {
    /// The number of blocks with a vacant slot; or of vacant slots, where there is no summary.
    ///
    /// Invariant: 0 only if no slot is marked vacant.
    blocks: AtomicUsize,
    /// As `search_start` of a shard, for arenas without shards.
    search_start: AtomicUsize,
    /// How often slots became vacant that were free before.
    changes: AtomicUsize,
}

/// The parts of a range of slots that lie in one block each.
fn by_block(range: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
    let parts = blocks.map(move |block| (block, range.start.max(block * BLOCK)..range.end.min((block + 1) * BLOCK)));
    parts.filter(|(_, part)| !part.is_empty())
}

impl VacantSlots {
    const_fn! {
        pub(crate) fn new() -> Self {
            VacantSlots {
                blocks: AtomicUsize::new(0),
                search_start: AtomicUsize::new(0),
                changes: AtomicUsize::new(0),
            }
        }
    }

    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        // Relaxed: a thread that knows that a return is complete is ordered after its count
        // (coherence). The slot itself is handed over by its stamp.
        self.blocks.load(Ordering::Relaxed) == 0
    }

    /// The number of vacant slots, all of which are below `bound`. Exact if no other call is in
    /// progress.
    ///
    /// O(1) if there are none, otherwise linear in the number of blocks below `bound`.
    #[inline]
    pub(crate) fn count(&self, summary: Summary<'_>, bound: usize) -> usize {
        // Relaxed: an estimate.
        match self.blocks.load(Ordering::Relaxed) {
            0 => 0,
            slots if summary.is_empty() => slots,
            _ => summary.sum(bound.div_ceil(BLOCK)),
        }
    }

    #[inline]
    fn own_search_start<'a>(&'a self, meta: &Metadata<'a>) -> &'a AtomicUsize {
        meta.shards.own().map_or(&self.search_start, Shard::search_start)
    }

    /// Reads `changes`, before a request for one slot looks for it or after it has failed.
    #[inline]
    pub(crate) fn changes(&self) -> usize {
        // Acquire: pairs with the Release in `note_change`: the slots that became vacant are seen.
        // What is looked at next is not looked at before.
        self.changes.load(Ordering::Acquire)
    }

    fn note_change(&self) {
        // Release: pairs with the Acquire in `changes`.
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Makes a run vacant that the caller owns.
    #[cold]
    pub(crate) fn add(&self, meta: &Metadata<'_>, run: Range<usize>) {
        // Relaxed: a guess.
        self.own_search_start(meta).store(run.start + 1, Ordering::Relaxed);
        for (block, part) in by_block(run) {
            if meta.summary.is_empty() {
                // Relaxed: read by `is_none`.
                self.blocks.fetch_add(part.len(), Ordering::Relaxed);
            } else {
                // Relaxed: E5, ordered by the Release in `Summary::add`.
                self.blocks.fetch_add(1, Ordering::Relaxed);
                if meta.summary.add(block, part.len()) != 0 {
                    // Relaxed: E5, ordered by the Acquire in `Summary::add`.
                    self.blocks.fetch_sub(1, Ordering::Relaxed);
                }
            }
            for index in part {
                meta.stamps.mark_vacant(index);
            }
        }
    }

    /// Makes the rest of a shard vacant, which the caller has retired.
    pub(crate) fn add_retired(&self, meta: &Metadata<'_>, rest: Range<usize>) {
        self.add(meta, rest);
        self.note_change();
    }

    /// Uncounts slots that the caller has claimed.
    pub(crate) fn uncount(&self, meta: &Metadata<'_>, run: Range<usize>) {
        by_block(run).for_each(|(block, part)| self.uncount_in(meta, block, part.len()));
    }

    /// Uncounts `n` slots of one block.
    #[inline]
    fn uncount_in(&self, meta: &Metadata<'_>, block: usize, n: usize) {
        // Relaxed, both: as in `add`. E5, ordered by the Acquire in `Summary::subtract`.
        if meta.summary.is_empty() {
            self.blocks.fetch_sub(n, Ordering::Relaxed);
        } else if meta.summary.subtract(block, n) == 0 {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Claims one vacant slot. Returns `None` if each was seen taken.
    ///
    /// Starts where this thread returned or found a slot the last time. Linear in the number of
    /// blocks, and in a block's length for each that is counted as having a vacant slot.
    #[inline]
    pub(crate) fn claim(&self, meta: &Metadata<'_>) -> Option<usize> {
        if self.is_none() {
            return None;
        }
        let search_start = self.own_search_start(meta);
        // Relaxed: a guess.
        let start = match search_start.load(Ordering::Relaxed) {
            // Threads that have not searched yet start apart from each other.
            0 if !meta.shards.is_empty() => own_index() * (meta.capacity() / SHARDS),
            start => start.saturating_sub(1),
        };
        let claim = |range: Range<usize>| {
            by_block(range).find_map(|(block, mut part)| {
                let counted = meta.summary.is_empty() || meta.summary.may_be_vacant(block);
                if counted { part.find(|&index| meta.stamps.claim_vacant(index)) } else { None }
            })
        };
        let index = claim(start..meta.capacity()).or_else(|| claim(0..start))?;
        // Relaxed: a guess.
        search_start.store(index + 1, Ordering::Relaxed);
        self.uncount_in(meta, index / BLOCK, 1);
        Some(index)
    }

    /// Claims a run of `n` vacant slots side by side. Returns `None` if none was found.
    ///
    /// Linear in the number of blocks and in the slots of those with a vacant slot. Two searches at
    /// the same time may both fail where either alone would succeed.
    pub(crate) fn claim_run(&self, meta: &Metadata<'_>, n: usize) -> Option<Range<usize>> {
        let mut from = 0;
        while !self.is_none() {
            let window = find_window(meta, from, n)?;
            let Some(taken) = window.clone().find(|&index| !meta.stamps.claim_vacant(index)) else {
                self.uncount(meta, window.clone());
                return Some(window);
            };
            // Still counted, so marking them is enough.
            (window.start..taken).for_each(|index| meta.stamps.mark_vacant(index));
            self.note_change();
            from = taken + 1;
        }
        None
    }

    /// Forgets all vacant slots, whose stamps no longer count.
    #[inline]
    pub(crate) fn clear_mut(&mut self) {
        self.blocks.write_mut(0);
    }
}

/// The first `n` slots side by side, at or above `from`, that are seen vacant.
fn find_window(meta: &Metadata<'_>, from: usize, n: usize) -> Option<Range<usize>> {
    let mut start = from;
    for (block, part) in by_block(from..meta.capacity()) {
        if !meta.summary.is_empty() && !meta.summary.may_be_vacant(block) {
            start = part.end;
            continue;
        }
        for index in part {
            if !meta.stamps.is_vacant(index) {
                start = index + 1;
            } else if index + 1 - start == n {
                return Some(start..index + 1);
            }
        }
    }
    None
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_blocks() {
        let cut = |range| by_block(range).collect::<std::vec::Vec<_>>();
        assert_eq!(cut(3..3), []);
        assert_eq!(cut(3..7), [(0, 3..7)]);
        assert_eq!(
            cut(BLOCK - 1..2 * BLOCK + 1),
            [(0, BLOCK - 1..BLOCK), (1, BLOCK..2 * BLOCK), (2, 2 * BLOCK..2 * BLOCK + 1)]
        );
    }
}
