//! All subjects, and the groups in which they take part.

use std::mem::needs_drop;

use anyhow::Result;

use crate::{
    again::again,
    probe,
    rounds::Group,
    subject::{Kind, Plan, Subject},
    turn::turn,
    work::{Defaults, Element, Grown, Line, Slice, Text, Whole, Work},
};

mod bulk;
mod bump;
mod grown;
mod limits;
mod ours;
pub mod readers;
mod runs;
mod shared;
mod vacant;
mod vectors;

use bulk as b;

/// The number of bytes of a short string.
const TEXT: usize = 10;

/// The number of words of a short slice.
const FOUR: usize = 4;

/// A subject for one kind of value, without its type parameters (see `entrant`).
pub struct Entrant {
    pub name: &'static str,
    pub kind: Kind,
    pub resets: bool,
    pub turn: fn(&Plan, u64, bool) -> Result<f64>,
    pub resident: fn(&Plan) -> Result<f64>,
}

/// Returns `None` if the values would leak, because they need drop and the subject does not drop
/// them.
fn entrant<W: Work, S: Subject<W>>() -> Option<Entrant> {
    (S::DROPS || !needs_drop::<W>()).then_some(Entrant {
        name: S::NAME,
        kind: S::KIND,
        resets: S::RESETS,
        turn: turn::<W, S>,
        resident: probe::resident::<W, S>,
    })
}

macro_rules! entrants {
    ($work:ty: $($subject:ty),* $(,)?) => {
        [$(entrant::<$work, $subject>()),*].into_iter().flatten()
    };
}

/// Returns the subjects for single values.
fn singles<T: Element>() -> Vec<Entrant> {
    entrants!(T:
        ours::LocalAlloc<T>,
        ours::LocalPublish<T>,
        ours::Alloc<T>,
        ours::AllocInOrder<T>,
        ours::Publish<T>,
        limits::StoreLoop<T>,
        limits::StoreOneByOne<T>,
        limits::FetchAddAndStore<T>,
        vectors::VecPush<T>,
        vectors::MutexVec<T>,
        vectors::TypedArena<T>,
        vectors::Boxes<T, vectors::Glibc>,
        vectors::Boxes<T, vectors::Mimalloc>,
        bump::Bumpalo,
        bump::BumpaloHerd,
        bump::BumpScopePool,
        bump::Blink,
        shared::Boxcar<T>,
        shared::AppendOnly<T>,
        shared::OrxBag<T>,
        shared::OrxVec<T>,
        shared::ShardedSlab<T>,
    )
    .collect()
}

/// Returns the subjects for single values that are `Copy`, as the lock-free vector of elsa
/// requires.
fn singles_to_copy<T: Element + Copy>() -> Vec<Entrant> {
    let mut all = singles::<T>();
    all.extend(entrant::<T, shared::Elsa<T>>());
    all
}

/// Returns subjects of 4,096 slots that are filled with numbers and reset again and again.
fn filled_again() -> Vec<Entrant> {
    macro_rules! entrants {
        ($($subject:ty),*) => {
            vec![$(Entrant {
                name: <$subject as Subject<u64>>::NAME,
                kind: <$subject as Subject<u64>>::KIND,
                resets: false,
                turn: again::<$subject>,
                resident: probe::resident::<u64, $subject>,
            }),*]
        };
    }
    entrants!(
        ours::Publish<u64>,
        ours::Alloc<u64>,
        ours::LocalPublish<u64>,
        vectors::VecPush<u64>,
        vectors::MutexVec<u64>,
        shared::Boxcar<u64>
    )
}

/// What one put stores. Each kind has its own list of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Single values of 8 bytes.
    U64,
    /// Single values of 64 bytes.
    Line,
    /// Single strings.
    String,
    /// Slices of 1,000 numbers.
    Slices,
    /// A whole arena in one call, with consecutive numbers.
    Whole,
    /// A whole arena in one call, with the default value.
    Defaults,
    /// Strings of 10 bytes.
    Text,
    /// Slices of 4 numbers, copied or from an iterator.
    Fours,
    /// 4 numbers, pushed to a reservation one by one and published together.
    Reserved,
    /// Single values of 8 bytes, published in an arena in borrowed bytes.
    InBytes,
    /// Single values of 8 bytes in 4,096 slots, which are filled and reset again and again.
    Small,
    /// Single values of 8 bytes, in one run of vacant slots.
    Vacant,
    /// Single values of 8 bytes, in vacant slots between values.
    Scattered,
    /// Single values of 8 bytes, with a call before each that asks whether slots are free.
    Asked,
    /// Single values of 8 bytes, in bump allocators.
    Bump,
    /// Strings of 10 bytes, in bump allocators.
    BumpText,
    /// Vectors of 100 numbers, pushed one by one, in bump allocators.
    BumpVec,
}

impl What {
    pub fn label(self) -> &'static str {
        match self {
            Self::U64 => u64::LABEL,
            Self::Line => Line::LABEL,
            Self::String => String::LABEL,
            Self::Slices => "u64, in slices of 1,000",
            Self::Whole => "u64, all at once",
            Self::Defaults => "u64, all at once, the default",
            Self::Text => "a string of 10 bytes",
            Self::Fours => "a slice of 4 words",
            Self::Reserved => "4 words, pushed and published",
            Self::InBytes => "u64, published in bytes",
            Self::Small => "u64, in 4,096 slots, filled again and again",
            Self::Vacant => "u64, in one run of vacant slots",
            Self::Scattered => "u64, in vacant slots between values",
            Self::Asked => "u64, with a question before each",
            Self::Bump => "u64, in a bump",
            Self::BumpText => "a string of 10 bytes, in a bump",
            Self::BumpVec => "a vector, grown to 100 by push",
        }
    }

    pub fn group(self) -> Group {
        match self {
            Self::U64 | Self::Line | Self::String => Group::Fill,
            Self::Slices | Self::Whole | Self::Defaults => Group::Bulk,
            Self::Text | Self::Fours | Self::Reserved | Self::InBytes | Self::Small => Group::Runs,
            Self::Vacant | Self::Scattered | Self::Asked => Group::Vacant,
            Self::Bump | Self::BumpText | Self::BumpVec => Group::Bump,
        }
    }

    pub fn unit(self) -> &'static str {
        match self.group() {
            Group::Fill | Group::Bulk => "ns per element",
            _ => "ns per call",
        }
    }

    /// Returns the number of elements in one unit, which is a call or an element. `size` is the
    /// number of elements that one put stores.
    pub fn elements_per_unit(self, size: usize) -> f64 {
        match self {
            Self::Text | Self::Fours | Self::Reserved | Self::BumpText => size as f64,
            _ => 1.0,
        }
    }

    /// Returns the number of puts of one thread, and the number of elements in each. `share` is the
    /// number of elements per thread in the settings.
    pub fn puts(self, share: usize) -> (usize, usize) {
        match self {
            Self::U64 | Self::Line | Self::String | Self::Small | Self::Asked | Self::Bump => (share, 1),
            // The same number of calls as for slices of 4 numbers.
            Self::Text | Self::BumpText => (share / 4, TEXT),
            Self::Fours | Self::Reserved => (share / 4, FOUR),
            // With the usual million elements, this stores 400,000 values in an arena of 500,000
            // slots per thread.
            Self::InBytes => (share * 2 / 5, 1),
            Self::Vacant | Self::Scattered => (share / 4, 1),
            Self::BumpVec => (share / 100, 1),
            Self::Slices => (share.div_ceil(1_000), 1_000),
            Self::Whole | Self::Defaults => (1, share),
        }
    }

    pub fn entrants(self) -> Vec<Entrant> {
        match self {
            Self::U64 => singles_to_copy::<u64>(),
            Self::Line => singles_to_copy::<Line>(),
            Self::String => singles::<String>(),
            Self::Slices => entrants!(Slice:
                b::SliceCopy, b::FromIter, b::SliceWith,
                b::CopySlices,
                b::VecExtendFromSlice, b::OrxBagExtend,
                bump::Bumpalo, bump::BumpScopePool, bump::Blink,
            )
            .collect(),
            Self::Whole => entrants!(Whole: b::FillWith, b::VecExtend).collect(),
            Self::Defaults => entrants!(Defaults: b::FillDefault, b::VecResize, b::WriteBytes).collect(),
            Self::Text => entrants!(Text:
                runs::AllocStr, runs::LocalStr, runs::BoxStr,
                bump::MutexBump, bump::Bumpalo, bump::BumpaloHerd, bump::BumpScopePool, bump::Blink,
            )
            .collect(),
            Self::Fours => entrants!(Slice:
                b::SliceCopy, b::FromIter, b::SliceWith,
                runs::LocalSliceCopy, runs::LocalFromIter, runs::PublishSliceCopy, runs::LocalPublishSliceCopy,
                b::CopySlices,
                b::VecExtendFromSlice, b::OrxBagExtend, runs::HerdFromIter,
                bump::MutexBump, bump::Bumpalo, bump::BumpaloHerd, bump::BumpScopePool, bump::Blink,
            )
            .collect(),
            Self::Reserved => entrants!(Slice: runs::Reserve, runs::LocalReserve, runs::MutexExtend).collect(),
            Self::InBytes => entrants!(u64:
                runs::PublishInBytes, ours::Publish<u64>, vectors::MutexVec<u64>, shared::Boxcar<u64>,
            )
            .collect(),
            Self::Small => filled_again(),
            Self::Vacant => entrants!(u64: vacant::OneRun).collect(),
            Self::Scattered => entrants!(u64: vacant::Scattered).collect(),
            Self::Asked => entrants!(u64: ours::Alloc<u64>, vacant::IsFull, vacant::Remaining).collect(),
            Self::Bump => entrants!(u64:
                bump::OurBump, bump::OurLocalBump,
                bump::SyncBlink, bump::MutexBump, bump::Bumpalo, bump::BumpaloHerd, bump::BumpScopePool, bump::Blink,
                vectors::Boxes<u64, vectors::Glibc>, vectors::Boxes<u64, vectors::Mimalloc>,
            )
            .collect(),
            Self::BumpText => entrants!(Text:
                bump::OurBump, bump::OurLocalBump, runs::BoxStr,
                bump::SyncBlink, bump::MutexBump, bump::Bumpalo, bump::BumpaloHerd, bump::BumpScopePool, bump::Blink,
            )
            .collect(),
            Self::BumpVec => entrants!(Grown:
                grown::InBump, grown::InBumpDropped, grown::Global, grown::GlobalDropped,
                grown::InSyncBlink, grown::InSyncBlinkDropped,
            )
            .collect(),
        }
    }
}
