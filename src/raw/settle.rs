//! What is done to the cursor by who has it to himself.

use super::cursor::Cursor;
use crate::raw::epoch::Mark;
use crate::raw::shards::{self, Shard, ShardMode};
use crate::raw::stamps::StampsMut;
use crate::raw::sync::AtomicMut;

impl Cursor {
    /// The end of what was handed out, for who has the cursor to himself.
    #[inline]
    pub(crate) fn bound_mut(&mut self, stamps: &StampsMut<'_>, shards: &[Shard]) -> usize {
        debug_assert!(!shards::has_pending(shards, self.next.read_mut()));
        shards::next(shards, self.next.read_mut()).min(stamps.len())
    }

    /// Moves the cursor up to `next`: every slot below it holds a value now, or is vacant.
    #[inline]
    pub(crate) fn advance_mut(&mut self, next: usize) {
        self.next.write_mut(next);
    }

    /// How many slots are marked vacant, for who has the cursor to himself.
    #[inline]
    pub(crate) fn vacant_mut(&mut self) -> usize {
        self.runs.vacant.read_mut()
    }

    /// A vacant slot was filled and its mark erased.
    pub(crate) fn uncount_vacant_mut(&mut self) {
        let vacant = self.runs.vacant.read_mut();
        self.runs.vacant.write_mut(vacant - 1);
    }

    /// The end of what was written since the slots were last zeroed; from now on they are.
    pub(crate) fn take_written(&mut self, stamps: &StampsMut<'_>, shards: &[Shard]) -> usize {
        self.note_written(stamps, shards);
        let written = self.runs.written.read_mut();
        self.runs.written.write_mut(0);
        written
    }

    /// Whatever is below the cursor may have been written to. For who is about to lower it.
    fn note_written(&mut self, stamps: &StampsMut<'_>, shards: &[Shard]) {
        let written = self.runs.written.read_mut().max(self.bound_mut(stamps, shards));
        self.runs.written.write_mut(written);
    }

    /// Makes leaked runs and what is left in shards vacant, and draws the cursor back over the vacant slots that adjoin it.
    /// Afterwards a slot below the cursor holds a value unless it is marked vacant, and the slot under the cursor's foot
    /// holds one.
    ///
    /// Linear in what was handed out when a handle was leaked since the last time, and in what is left in shards when they are
    /// in use; else constant, amortised.
    #[inline]
    pub(crate) fn settle(&mut self, stamps: &mut StampsMut<'_>, shards: &mut [Shard], mode: &mut ShardMode) {
        if shards::are_in_use(shards, self.next.read_mut()) {
            self.vacate_shards(stamps, shards);
            mode.restart(true);
        }
        if self.runs.open_handles.read_mut() != 0 {
            self.vacate_leaked(stamps, shards);
        }
        if self.runs.vacant.read_mut() != 0 {
            self.retract_over_vacant(stamps, shards);
        }
    }

    /// Makes what is left in shards vacant; they begin anew, as the cursor may be lowered. They are not in use until threads
    /// fight again: so this is not done at every call with `&mut`.
    #[cold]
    fn vacate_shards(&mut self, stamps: &mut StampsMut<'_>, shards: &mut [Shard]) {
        let mut vacant = self.runs.vacant.read_mut();
        for index in shards.iter_mut().flat_map(Shard::close_mut) {
            stamps.mark(index, Mark::Vacant);
            vacant += 1;
        }
        self.runs.vacant.write_mut(vacant);
        let next = self.bound_mut(stamps, shards);
        self.next.write_mut(next);
        self.runs.last_sample.write_mut(0);
    }

    #[cold]
    fn vacate_leaked(&mut self, stamps: &mut StampsMut<'_>, shards: &[Shard]) {
        let mut vacant = self.runs.vacant.read_mut();
        let mut inside = false;
        for index in 0..self.bound_mut(stamps, shards) {
            let mark = stamps.mark_of(index);
            inside = match mark {
                Some(Mark::RunStart | Mark::RunEnd) => true,
                Some(Mark::Published | Mark::PublishedBeforeRun | Mark::Vacant) => false,
                None => inside,
            };
            if inside {
                stamps.mark(index, Mark::Vacant);
                vacant += 1;
            }
            if mark == Some(Mark::PublishedBeforeRun) {
                stamps.mark(index, Mark::Published);
            }
            inside = mark == Some(Mark::PublishedBeforeRun) || (inside && mark != Some(Mark::RunEnd));
        }
        self.runs.vacant.write_mut(vacant);
        self.runs.open_handles.write_mut(0);
    }

    #[cold]
    fn retract_over_vacant(&mut self, stamps: &mut StampsMut<'_>, shards: &[Shard]) {
        self.note_written(stamps, shards);
        let (mut next, mut vacant) = (self.bound_mut(stamps, shards), self.vacant_mut());
        while next > 0 && stamps.mark_of(next - 1) == Some(Mark::Vacant) {
            next -= 1;
            vacant -= 1;
            stamps.clear(next);
        }
        self.runs.vacant.write_mut(vacant);
        self.next.write_mut(next);
    }

    /// Begins anew at the first slot. The stamps' epoch must end with this.
    pub(crate) fn restart(&mut self, stamps: &StampsMut<'_>, shards: &mut [Shard], mode: &mut ShardMode) {
        self.note_written(stamps, shards);
        if mode.restart(!shards.is_empty()) {
            for shard in shards {
                shard.close_mut();
            }
        }
        self.runs.last_sample.write_mut(0);
        self.runs.vacant.write_mut(0);
        self.runs.open_handles.write_mut(0);
        self.next.write_mut(0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::clock::Clock;
    use crate::raw::stamps::Stamp;

    /// Settles a cursor behind slots of these marks, all of them leaked; says which are vacant, and where it stands.
    fn settled<const N: usize>(marks: [Option<Mark>; N]) -> ([bool; N], usize) {
        let (mut bytes, mut clock) = ([const { Stamp::new() }; N], Clock::new());
        let (mut stamps, mut cursor) = (StampsMut::new(&mut bytes, &mut clock), Cursor::new());
        cursor.advance_mut(N);
        cursor.handle_opened();
        for (index, mark) in marks.into_iter().enumerate() {
            mark.into_iter().for_each(|mark| stamps.mark(index, mark));
        }
        let before = marks.iter().filter(|&&mark| mark == Some(Mark::Vacant)).count();
        cursor.runs.vacant.write_mut(before);
        cursor.settle(&mut stamps, &mut [], &mut ShardMode::new());
        let vacant = core::array::from_fn(|index| stamps.mark_of(index) == Some(Mark::Vacant));
        let next = cursor.bound_mut(&stamps, &[]);
        assert_eq!(cursor.vacant_mut(), vacant.iter().filter(|&&vacant| vacant).count());
        assert!((0..N).all(|index| matches!(stamps.mark_of(index), None | Some(Mark::Published | Mark::Vacant))));
        assert!((next..N).all(|index| stamps.mark_of(index).is_none()));
        assert_eq!((cursor.runs.open_handles.read_mut(), cursor.take_written(&stamps, &[])), (0, N));
        (vacant, next)
    }

    const P: Option<Mark> = Some(Mark::Published);
    const O: Option<Mark> = Some(Mark::PublishedBeforeRun);
    const V: Option<Mark> = Some(Mark::Vacant);
    const F: Option<Mark> = Some(Mark::RunStart);
    const L: Option<Mark> = Some(Mark::RunEnd);

    #[test]
    fn leaked_runs_side_by_side_are_told_apart() {
        let (vacant, next) = settled([None, L, L, F, L, None, F, None, L, None]);
        assert_eq!(vacant, [false, true, true, true, true, false, true, true, true, false]);
        assert_eq!(next, 10);
    }

    #[test]
    fn what_was_published_from_a_leaked_run_stays_and_what_was_owned_before_it() {
        // Owned, published; behind it the leaked rest; then the slots of others.
        let (vacant, _) = settled([None, O, None, L, None, P, None]);
        assert_eq!(vacant, [false, false, true, true, false, false, false]);
        // One published after another up to the end of the run, which is none any more.
        let (vacant, _) = settled([O, O, P, None]);
        assert_eq!(vacant, [false; 4]);
        // A rest of one.
        let (vacant, _) = settled([O, L, None]);
        assert_eq!(vacant, [false, true, false]);
    }

    #[test]
    fn the_cursor_is_drawn_back_over_vacant_slots() {
        assert_eq!(settled([None, V, F, L]), ([false; 4], 1));
        assert_eq!(settled([V, V, L]), ([false; 3], 0));
        assert_eq!(settled([V, V, P]), ([true, true, false], 3));
    }
}
