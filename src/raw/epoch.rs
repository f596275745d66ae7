//! The encoding of a stamp as pure functions. One byte holds a mark and the epoch in which the mark
//! is valid.

#![forbid(unsafe_code)]

/// What a stamp means in its epoch. A slot without a stamp of the current epoch has no mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The slot holds a value that every thread may read until the epoch ends.
    Published,
    /// Like `Published`. In addition, the open run of the handle that wrote this mark started at
    /// the next slot at that time. When the handle publishes that slot too, this mark is not
    /// changed, and from then on means the same as `Published`. Because of this mark, the next slot
    /// needs no `RunStart`, so a handle that publishes one value after another writes only one
    /// stamp per value.
    PublishedBeforeRun,
    /// The slot is below the cursor and has neither a value nor an owner.
    Vacant,
    /// The first slot of an open run of two or more slots.
    RunStart,
    /// The last slot of an open run. An open run of one slot has no `RunStart`.
    RunEnd,
}

const MARKS: [Mark; 5] = [Mark::Published, Mark::PublishedBeforeRun, Mark::Vacant, Mark::RunStart, Mark::RunEnd];

/// The number of epochs that a byte can distinguish. Each epoch uses one of the 255 nonzero values
/// for each mark.
pub(super) const EPOCHS: u8 = u8::MAX / MARKS.len() as u8;

/// The time between two resets. The field is the largest stamp of the previous epoch, or 0 in the
/// first epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u8);

impl Epoch {
    pub(super) const FIRST: Epoch = Epoch(0);
    pub(super) const LAST: Epoch = Epoch((EPOCHS - 1) * MARKS.len() as u8);

    pub(super) fn next(self) -> Epoch {
        Epoch(self.0 + MARKS.len() as u8)
    }

    /// Returns a number that identifies the epoch and is not 0.
    #[inline]
    pub(super) fn tag(self) -> usize {
        usize::from(self.0) + 1
    }

    /// Returns the stamp that encodes `mark` in this epoch.
    #[inline]
    pub(super) fn stamp(self, mark: Mark) -> u8 {
        self.0 + 1 + mark as u8
    }

    /// Returns the mark that `stamp` encodes in this epoch, or `None` if the stamp is zero or
    /// belongs to another epoch.
    #[inline]
    pub(super) fn mark_of(self, stamp: u8) -> Option<Mark> {
        MARKS.get(usize::from(stamp.wrapping_sub(self.0 + 1))).copied()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_stamp_is_one_mark_in_one_epoch() {
        let mut seen = [false; 256];
        let mut epoch = Epoch::FIRST;
        loop {
            for mark in MARKS {
                let stamp = epoch.stamp(mark);
                assert_eq!(epoch.mark_of(stamp), Some(mark));
                assert!(!core::mem::replace(&mut seen[usize::from(stamp)], true));
            }
            assert_eq!(epoch.mark_of(0), None);
            if epoch == Epoch::LAST {
                break;
            }
            epoch = epoch.next();
        }
        assert!(!seen[0] && seen[1..].iter().all(|&said| said));
        for stamp in 0..=u8::MAX {
            assert_eq!(Epoch::FIRST.mark_of(stamp).is_some(), (1..=5).contains(&stamp));
        }
    }
}
