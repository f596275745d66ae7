//! The state byte of a slot: which mark it says in which epoch. Pure functions.

#![forbid(unsafe_code)]

/// What a stamp says of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Holds a value that every thread may read, until the epoch ends.
    Published,
    /// As `Published`; and the slot behind it begins an open run, unless that one is published
    /// itself. So a handle that publishes one value after another writes one stamp for each.
    PublishedBeforeRun,
    /// Below the cursor, without a value and without an owner.
    Vacant,
    /// The first slot of an open run of two or more.
    RunStart,
    /// The last slot of an open run. Alone, without a `RunStart` or an `PublishedBeforeRun` that it
    /// ends, it is an open run of one.
    RunEnd,
}

const MARKS: [Mark; 5] = [Mark::Published, Mark::PublishedBeforeRun, Mark::Vacant, Mark::RunStart, Mark::RunEnd];

/// How many epochs a byte can tell apart: 255 stamps that are not zero, shared by the marks.
pub(super) const EPOCHS: u8 = u8::MAX / MARKS.len() as u8;

/// What lies between two resets. Holds the stamp that precedes its own: those of the first epoch
/// begin at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u8);

impl Epoch {
    pub(super) const FIRST: Epoch = Epoch(0);
    pub(super) const LAST: Epoch = Epoch((EPOCHS - 1) * MARKS.len() as u8);

    pub(super) fn next(self) -> Epoch {
        Epoch(self.0 + MARKS.len() as u8)
    }

    /// A number for the epoch that is not 0.
    #[inline]
    pub(super) fn tag(self) -> usize {
        usize::from(self.0) + 1
    }

    #[inline]
    pub(super) fn stamp(self, mark: Mark) -> u8 {
        self.0 + 1 + mark as u8
    }

    /// The kind that `stamp` says in this epoch: `None` for zero and for the stamps of other
    /// epochs.
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
