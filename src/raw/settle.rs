//! Operations that require exclusive access to the arena.

#![forbid(unsafe_code)]

use super::cursor::Cursor;
use super::epoch::{Epoch, Mark};
use super::metadata::Metadata;
use super::shards::{Shard, ShardMode, Shards};
use super::stamps::StampsMut;
use super::summary::{self, BLOCK, Summary};
use super::sync::{AtomicMut, AtomicUsize};
use super::word::Word;

/// The metadata and the cursor of an arena under exclusive access.
#[derive(Debug)]
pub(crate) struct MetadataMut<'a> {
    pub(crate) cursor: &'a mut Cursor,
    pub(crate) stamps: StampsMut<'a>,
    pub(crate) summary: &'a mut [AtomicUsize],
    pub(crate) shards: &'a mut [Shard],
    pub(crate) mode: &'a mut ShardMode,
}

impl MetadataMut<'_> {
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.stamps.len()
    }

    fn word(&mut self) -> Word {
        Word::new(self.cursor.next.read_mut(), !self.shards.is_empty())
    }

    /// Returns the cursor, or the capacity if the cursor is past the end. Every slot with an owner
    /// or a value is below this bound.
    #[inline]
    pub(crate) fn bound(&mut self) -> usize {
        let word = self.word();
        debug_assert!(!word.has_pending());
        word.next().min(self.capacity())
    }

    /// Moves the cursor to `next`, and clears the bit for active shards. Every shard must be used
    /// up. Every slot below `next` must hold a value, be vacant, or be in a leaked run.
    #[inline]
    pub(crate) fn move_cursor(&mut self, next: usize) {
        self.cursor.next.write_mut(next);
    }

    /// Returns the number of vacant slots. O(1) if there are none or the arena has no summary,
    /// otherwise linear in the number of blocks below the cursor.
    #[inline]
    pub(crate) fn vacant(&mut self) -> usize {
        let bound = self.bound();
        self.cursor.runs.vacant.count(Summary::new(self.summary, self.stamps.epoch()), bound)
    }

    /// Returns whether any slot is vacant.
    #[inline]
    pub(crate) fn has_vacant(&self) -> bool {
        !self.cursor.runs.vacant.is_none()
    }

    /// Calls `f` with a shared view of the arena, so that `f` can call the code for a shared arena.
    fn with_shared<R>(&mut self, f: impl FnOnce(&Cursor, &Metadata<'_>) -> R) -> R {
        let stamps = self.stamps.as_shared();
        let summary = Summary::new(self.summary, stamps.epoch());
        // The slot size only determines the length of refills, and `f` begins none.
        let shards = Shards::new(self.shards, self.mode, stamps.len(), 1);
        f(self.cursor, &Metadata { stamps, summary, shards })
    }

    /// Makes a run below the cursor vacant. The run may be empty.
    fn vacate(&mut self, run: core::ops::Range<usize>) {
        if !run.is_empty() {
            self.with_shared(|cursor, meta| cursor.runs.vacant.add(meta, run));
        }
    }

    /// Makes a run of vacant slots no longer vacant: clears their marks and uncounts them. The run
    /// may be empty.
    pub(crate) fn occupy(&mut self, run: core::ops::Range<usize>) {
        run.clone().for_each(|index| self.stamps.clear(index));
        if !run.is_empty() {
            self.with_shared(|cursor, meta| cursor.runs.vacant.uncount(meta, run));
        }
    }

    /// Returns an index at or above which no slot has been written to since the slots were last
    /// zeroed, and resets the record of written slots.
    pub(crate) fn take_written(&mut self) -> usize {
        self.note_written();
        let written = self.cursor.runs.written.read_mut();
        self.cursor.runs.written.write_mut(0);
        written
    }

    /// Records that slots below the cursor may have been written to. Called before the cursor is
    /// retracted.
    fn note_written(&mut self) {
        let bound = self.bound();
        self.note_written_below(bound);
    }

    /// Records that slots below `bound` may have been written to.
    pub(crate) fn note_written_below(&mut self, bound: usize) {
        let written = self.cursor.runs.written.read_mut().max(bound);
        self.cursor.runs.written.write_mut(written);
    }

    /// Settles the arena: makes the rests of shards vacant, reclaims leaked runs, and retracts the
    /// cursor over the vacant slots directly below it. Afterwards each slot below the cursor holds
    /// a value or is vacant, and the slot directly below the cursor, if any, holds a value.
    ///
    /// Linear in the number of slots below the cursor if a handle has been leaked since the last
    /// call. Linear in the total length of the rests if shards are active. Otherwise O(1)
    /// amortized, because the cursor is retracted only over slots that were returned.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.word().is_active() {
            self.close_shards();
            self.mode.deactivate(true);
        }
        if self.cursor.runs.handles.take_leaked(self.shards) {
            self.reclaim_leaked();
        }
        if self.has_vacant() {
            self.retract_over_vacant();
        }
    }

    /// Makes the rests of all shards vacant. Rarely needed, because the caller also deactivates
    /// shards until contention is detected again.
    #[cold]
    fn close_shards(&mut self) {
        for index in 0..self.shards.len() {
            let rest = self.shards[index].close_mut();
            self.vacate(rest);
        }
        let next = self.bound();
        self.move_cursor(next);
        self.cursor.runs.last_sample.write_mut(0);
    }

    /// Makes the slots of every open run vacant.
    #[cold]
    fn reclaim_leaked(&mut self) {
        let bound = self.bound();
        // The start of the open run that contains `index`, if any.
        let mut open: Option<usize> = None;
        for index in 0..bound {
            let mark = self.stamps.mark_of(index);
            let is_end = match mark {
                Some(Mark::RunStart) => {
                    open = Some(index);
                    false
                }
                Some(Mark::RunEnd) => {
                    open = open.or(Some(index));
                    true
                }
                Some(Mark::PublishedBeforeRun) => {
                    self.stamps.mark(index, Mark::Published);
                    // If the next slot was published too, the open run does not start there: it
                    // starts after a later published slot, or is no longer open.
                    open = (index + 1 < bound && self.is_open_after(index)).then_some(index + 1);
                    false
                }
                Some(Mark::Published | Mark::Vacant) => {
                    open = None;
                    false
                }
                None => false,
            };
            if is_end {
                let start = open.take().unwrap_or(index);
                self.vacate(start..index + 1);
            }
        }
    }

    /// Returns whether an open run starts directly after the slot `index`, which had the mark
    /// `PublishedBeforeRun`.
    fn is_open_after(&mut self, index: usize) -> bool {
        !matches!(self.stamps.mark_of(index + 1), Some(Mark::Published | Mark::PublishedBeforeRun | Mark::Vacant))
    }

    /// Retracts the cursor over the vacant slots directly below it.
    #[cold]
    fn retract_over_vacant(&mut self) {
        self.note_written();
        let bound = self.bound();
        let mut next = bound;
        while next > 0 && self.stamps.mark_of(next - 1) == Some(Mark::Vacant) {
            next -= 1;
        }
        self.occupy(next..bound);
        self.move_cursor(next);
    }

    /// Ends the epoch and returns it. The arena is empty in the new epoch.
    pub(crate) fn restart(&mut self) -> Epoch {
        self.note_written();
        let bound = self.bound();
        let stamped = self.stamps.stamped_bound(bound);
        let wraps = self.stamps.epoch() == Epoch::LAST;
        let ended = self.stamps.end_epoch(bound);
        if wraps {
            // The tags in the summary are about to recur.
            let blocks = stamped.div_ceil(BLOCK).min(self.summary.len());
            summary::clear(&mut self.summary[..blocks]);
        }
        if self.mode.end_epoch(!self.shards.is_empty()) {
            self.shards.iter_mut().for_each(|shard| _ = shard.close_mut());
        }
        let runs = &mut *self.cursor.runs;
        runs.last_sample.write_mut(0);
        runs.vacant.clear_mut();
        runs.handles.take_leaked(self.shards);
        self.move_cursor(0);
        ended
    }

    /// Disables shards. From now on the cursor serves every request.
    pub(crate) fn disable_shards(&mut self) {
        self.settle();
        self.mode.disable();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::clock::Clock;
    use crate::raw::stamps::Stamp;

    /// Settles an arena whose slots have these marks, as if a handle had been leaked. Returns which
    /// slots are then vacant, and the position of the cursor.
    fn settled<const N: usize>(marks: [Option<Mark>; N]) -> ([bool; N], usize) {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; N], Clock::new());
        let (mut cursor, mut mode) = (Cursor::new(), ShardMode::new());
        let stamps = StampsMut::new(&mut bytes, &mut clock);
        let mut meta = MetadataMut { cursor: &mut cursor, stamps, summary: &mut [], shards: &mut [], mode: &mut mode };
        meta.move_cursor(N);
        meta.with_shared(|cursor, meta| cursor.handles().opened(meta.shards.as_slice()));
        for (index, mark) in marks.into_iter().enumerate() {
            match mark {
                Some(Mark::Vacant) => meta.vacate(index..index + 1),
                mark => mark.into_iter().for_each(|mark| meta.stamps.mark(index, mark)),
            }
        }
        meta.settle();
        let vacant = core::array::from_fn(|index| meta.stamps.mark_of(index) == Some(Mark::Vacant));
        let next = meta.bound();
        assert_eq!(meta.vacant(), vacant.iter().filter(|&&vacant| vacant).count());
        assert!((0..N).all(|index| matches!(meta.stamps.mark_of(index), None | Some(Mark::Published | Mark::Vacant))));
        assert!((next..N).all(|index| meta.stamps.mark_of(index).is_none()));
        assert_eq!(meta.take_written(), N);
        assert_eq!(meta.with_shared(|cursor, meta| cursor.handles().sum(meta.shards.as_slice())), 0);
        (vacant, next)
    }

    #[test]
    fn closing_shards_forgets_the_samples_of_contention() {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; 1], Clock::new());
        let (mut cursor, mut mode) = (Cursor::new(), ShardMode::new());
        let stamps = StampsMut::new(&mut bytes, &mut clock);
        let mut meta = MetadataMut { cursor: &mut cursor, stamps, summary: &mut [], shards: &mut [], mode: &mut mode };
        meta.cursor.runs.last_sample.write_mut(7);
        meta.close_shards();
        assert_eq!(meta.cursor.runs.last_sample.read_mut(), 0);
    }

    const P: Option<Mark> = Some(Mark::Published);
    const B: Option<Mark> = Some(Mark::PublishedBeforeRun);
    const V: Option<Mark> = Some(Mark::Vacant);
    const S: Option<Mark> = Some(Mark::RunStart);
    const E: Option<Mark> = Some(Mark::RunEnd);

    #[test]
    fn leaked_runs_side_by_side_are_told_apart() {
        let (vacant, next) = settled([None, E, E, S, E, None, S, None, E, None]);
        assert_eq!(vacant, [false, true, true, true, true, false, true, true, true, false]);
        assert_eq!(next, 10);
    }

    #[test]
    fn values_published_from_a_leaked_run_stay_and_so_do_those_owned_before_it() {
        // The slots hold an owned value, a published value, the leaked rest after it, and three
        // other values.
        let (vacant, _) = settled([None, B, None, E, None, P, None]);
        assert_eq!(vacant, [false, false, true, true, false, false, false]);
        // Every slot of a run was published, so the run is no longer open.
        let (vacant, _) = settled([B, B, P, None]);
        assert_eq!(vacant, [false; 4]);
        // The leaked rest is one slot.
        let (vacant, _) = settled([B, E, None]);
        assert_eq!(vacant, [false, true, false]);
    }

    #[test]
    fn the_cursor_is_retracted_over_vacant_slots() {
        assert_eq!(settled([None, V, S, E]), ([false; 4], 1));
        assert_eq!(settled([V, V, E]), ([false; 3], 0));
        assert_eq!(settled([V, V, P]), ([true, true, false], 3));
    }
}
