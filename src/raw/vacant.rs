//! Vacant slots are below the cursor and have neither a value nor an owner. Their stamps mark them,
//! and this file counts them. They serve requests that the cursor and the shards cannot serve.
//!
//! # Why no vacant slot is overlooked
//!
//! Slots are counted before they are marked, and claimed before they are uncounted. So a count is
//! never less than the number of marked slots, and a search may skip a block, or the whole arena,
//! whose count is 0.
//!
//! A search for one slot looks once at every slot of each block whose count is not 0. If a slot was
//! vacant when the search began, and is no longer vacant when the search reaches it, another thread
//! has claimed it. But in two cases the search can miss a slot that was free all the time:
//!
//! - Retiring the rest of a shard makes its slots vacant. The search may have passed their stamps
//!   before they were marked, and may have looked at the shard after it was emptied.
//! - A search for a run puts back the slots that it has claimed if it does not get the whole run.
//!   The search for one slot may have passed these slots while they were claimed.
//!
//! Therefore both operations increment the counter `changes` after they have marked the slots. A
//! request for one slot that finds nothing searches again if the counter has changed since its
//! search began.
//!
//! A search for a run claims slots upwards, within a window in which it has seen only vacant slots.
//! If it fails to claim a slot of the window, it puts back the slots it holds and continues above
//! that slot, and never returns to lower slots. So a search holds only slots below the one that it
//! claims next. If another search holds that slot, the other search is ahead, and the slots that
//! this search holds do not delay it. Hence two searches that compete only with each other are not
//! both refused if either of them alone would succeed: consider the last failing claim of the two
//! searches. The slot was held by the other search. This other search gets its whole window,
//! because none of its later claims fails.
//!
//! # Orderings
//!
//! - `E2 return → reuse`, through a stamp: see `stamps.rs`.
//! - `E5 count → uncount`, for the number of blocks with vacant slots. [`VacantSlots::add`]
//!   increments the number before it counts the first slots of a block (Release in `Summary::add`).
//!   A thread decrements the number after it has uncounted the last slot of a block, or to undo its
//!   own increment if another thread counted the block first. In both cases it has read the word of
//!   the block with Acquire. So each increment happens before the decrement that undoes it, and the
//!   number is never too low.
//! - `changes`: incremented (Release) after the stamps were marked, and read (Acquire) before a
//!   request for one slot looks at shards and stamps. A request that reads the increment sees the
//!   marks. A second read, after an Acquire fence that follows the search, shows whether the
//!   counter has changed.

#![forbid(unsafe_code)]

use core::ops::Range;

use super::metadata::Metadata;
use super::search::Search;
use super::shards::{self, SHARDS, Shard, own_index};
use super::summary::{BLOCK, Summary};
use super::sync::{AtomicMut, AtomicUsize, Ordering, const_fn, fence};

/// The number of blocks with vacant slots, and where to search for these slots.
#[derive(Debug)]
pub(crate) struct VacantSlots {
    /// The number of blocks with a vacant slot or, in an arena without a summary, the number of
    /// vacant slots.
    ///
    /// Invariant: if it is 0, no slot is marked vacant.
    blocks: AtomicUsize,
    /// Where threads search in an arena without shards.
    search: Search,
    /// At least the number of times that slots became vacant although they were already free (see
    /// the module documentation).
    changes: AtomicUsize,
}

/// Splits a range of slots at block boundaries. Yields each block with its part of the range.
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
                search: Search::new(),
                changes: AtomicUsize::new(0),
            }
        }
    }

    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        // Relaxed: if a return happens before this load, then so does its increment, and by
        // coherence the load sees the increment. The count need not provide E2, because the stamp
        // of each slot does.
        self.blocks.load(Ordering::Relaxed) == 0
    }

    /// Returns the number of vacant slots, all of which are below `bound`. Exact if no other call
    /// is in progress.
    ///
    /// O(1) if no slot is vacant or if there is no summary. Otherwise linear in the number of
    /// blocks below `bound`.
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
    fn own_search<'a>(&'a self, meta: &Metadata<'a>) -> &'a Search {
        shards::own(meta.shards.as_slice()).map_or(&self.search, Shard::search)
    }

    /// Reads the counter of changes. A request for one slot calls this before it looks at shards
    /// and stamps.
    #[inline]
    pub(crate) fn changes(&self) -> usize {
        // Acquire: pairs with the Release in `note_change`, so the caller sees the marks of the
        // slots that became vacant. It also keeps the loads of the search after this one.
        self.changes.load(Ordering::Acquire)
    }

    /// Reads the counter of changes again. A request for one slot calls this after it has found
    /// nothing.
    pub(crate) fn changes_after_search(&self) -> usize {
        // Acquire: keeps the loads of the search before the load of the counter. So if a change
        // began and ended while the search looked at shards and stamps, that load sees it.
        fence(Ordering::Acquire);
        self.changes()
    }

    fn note_change(&self) {
        // Release: pairs with the Acquire in `changes`.
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Makes a run vacant. The caller owns the run.
    #[cold]
    pub(crate) fn add(&self, meta: &Metadata<'_>, run: Range<usize>) {
        self.own_search(meta).start_at(run.start);
        for (block, part) in by_block(run) {
            if meta.summary.is_empty() {
                // Relaxed: see `is_none`.
                self.blocks.fetch_add(part.len(), Ordering::Relaxed);
            } else if !meta.summary.add_to_counted(block, part.len()) {
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

    /// Makes a rest vacant. The caller has retired the rest.
    pub(crate) fn add_retired(&self, meta: &Metadata<'_>, rest: Range<usize>) {
        self.add(meta, rest);
        self.note_change();
    }

    /// Subtracts a run from the counts. The caller has claimed its slots.
    pub(crate) fn uncount(&self, meta: &Metadata<'_>, run: Range<usize>) {
        by_block(run).for_each(|(block, part)| _ = self.uncount_in(meta, block, part.len()));
    }

    /// Subtracts `n` slots of one block from the counts. Returns how many vacant slots the block
    /// has left, or 0 in an arena without a summary.
    #[inline]
    fn uncount_in(&self, meta: &Metadata<'_>, block: usize, n: usize) -> usize {
        // Relaxed, both: as in `add`. The Acquire in `Summary::subtract` orders the decrement (E5).
        if meta.summary.is_empty() {
            self.blocks.fetch_sub(n, Ordering::Relaxed);
            return 0;
        }
        let left = meta.summary.subtract(block, n);
        if left == 0 {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
        }
        left
    }

    /// Claims one vacant slot. Returns `None` if the search finds none.
    ///
    /// The search usually starts where this thread, or another thread with the same [`Search`],
    /// last returned or found a slot. It is linear in the number of blocks, plus the number of
    /// slots in blocks whose count is not 0. (In an arena without a summary, it is linear in the
    /// capacity.)
    #[inline]
    pub(crate) fn claim(&self, meta: &Metadata<'_>) -> Option<usize> {
        self.claim_next(meta).or_else(|| if self.is_none() { None } else { self.search(meta) })
    }

    /// Claims the slot at which a search of this thread would start, if it is vacant.
    #[inline]
    pub(crate) fn claim_next(&self, meta: &Metadata<'_>) -> Option<usize> {
        let search = self.own_search(meta);
        let index = search.start()?;
        let is_ours = index < meta.capacity() && meta.stamps.claim_vacant(index);
        if !is_ours {
            return None;
        }
        search.start_at(index + 1);
        self.uncount_in(meta, index / BLOCK, 1);
        Some(index)
    }

    /// Claims the first vacant slot at or above the start of the search. If there is none, claims
    /// the first vacant slot below the start. If other threads claim slots of the same block, the
    /// next search of this thread may start in another block.
    #[inline(never)]
    fn search(&self, meta: &Metadata<'_>) -> Option<usize> {
        let search = self.own_search(meta);
        let start = match search.start() {
            Some(start) => start.min(meta.capacity()),
            // In their first searches, threads start at different places.
            None if !meta.shards.is_empty() => own_index() * (meta.capacity() / SHARDS),
            None => 0,
        };
        let claim = |range: Range<usize>| {
            by_block(range).find_map(|(block, mut part)| {
                let counted = meta.summary.is_empty() || meta.summary.count(block) != 0;
                if counted { part.find(|&index| meta.stamps.claim_vacant(index)) } else { None }
            })
        };
        let index = claim(start..meta.capacity()).or_else(|| claim(0..start))?;
        search.start_at(index + 1);
        let left = self.uncount_in(meta, index / BLOCK, 1);
        if search.is_shared(start, index, left) {
            search_elsewhere(meta, search, index / BLOCK, left);
        }
        Some(index)
    }

    /// Claims a run of `n` contiguous vacant slots below `bound`. Returns `None` if the search
    /// finds none.
    ///
    /// Linear in the number of blocks, plus the number of slots in blocks whose count is not 0,
    /// plus up to `n` for each claim that fails because of another thread. A search may fail
    /// because another search holds slots at the same time, even if the other search then puts them
    /// back.
    pub(crate) fn claim_run(&self, meta: &Metadata<'_>, n: usize, bound: usize) -> Option<Range<usize>> {
        let mut from = 0;
        while n <= bound - from && !self.is_none() {
            let window = find_window(meta, from..bound, n)?;
            let Some(taken) = window.clone().find(|&index| !meta.stamps.claim_vacant(index)) else {
                self.uncount(meta, window.clone());
                return Some(window);
            };
            // The slots are still counted, so marking them is enough.
            (window.start..taken).for_each(|index| meta.stamps.mark_vacant(index));
            self.note_change();
            from = taken + 1;
        }
        None
    }

    /// Forgets all vacant slots. Their stamps must be stale.
    #[inline]
    pub(crate) fn clear_mut(&mut self) {
        self.blocks.write_mut(0);
    }
}

/// Makes the next search of this thread start in another block, if that block has more than `left`
/// vacant slots. Looks at only one block, which differs between threads and between calls. In a
/// large arena it is seldom near the current block, which matters because the counts of
/// neighbouring blocks share a cache line.
#[cold]
fn search_elsewhere(meta: &Metadata<'_>, search: &Search, block: usize, left: usize) {
    let blocks = meta.capacity() / BLOCK;
    // The factor, a prime close to 2^32 divided by the golden ratio, scatters the distances.
    let distance = (left * SHARDS + own_index()).wrapping_mul(0x9e37_79b1) >> 8;
    let other = (block + distance) % blocks.max(1);
    if meta.summary.count(other) > left {
        search.start_at(other * BLOCK);
    }
}

/// Returns the lowest `n` contiguous slots in this range that were all vacant when they were read.
fn find_window(meta: &Metadata<'_>, range: Range<usize>, n: usize) -> Option<Range<usize>> {
    let mut start = range.start;
    for (block, part) in by_block(range) {
        if !meta.summary.is_empty() && meta.summary.count(block) == 0 {
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
