//! All subjects, and the groups in which they take part.

use std::mem::needs_drop;

use anyhow::Result;

use crate::{
    probe,
    subject::{Kind, Plan, Subject},
    turn::turn,
    work::{Defaults, Element, Line, Slice, Whole, Work},
};

mod bulk;
mod bump;
mod limits;
mod ours;
pub mod readers;
mod shared;
mod vectors;

use bulk as b;

/// A subject and its values, without their types.
pub struct Entrant {
    pub name: &'static str,
    pub kind: Kind,
    pub resets: bool,
    pub turn: fn(&Plan, u64, bool) -> Result<f64>,
    pub resident: fn(&Plan) -> Result<f64>,
}

/// `None` if values would leak.
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

/// Single values.
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

/// The types whose values are `Copy`, which the lock-free vector of elsa requires.
fn singles_to_copy<T: Element + Copy>() -> Vec<Entrant> {
    let mut all = singles::<T>();
    all.extend(entrant::<T, shared::Elsa<T>>());
    all
}

/// The kind of a put, and its subjects.
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
    /// Every slot at once, with consecutive numbers.
    Whole,
    /// Every slot at once, with the default.
    Defaults,
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
        }
    }

    /// Returns the number of puts of one thread, and the size of one put, for a number of elements.
    pub fn puts(self, share: usize) -> (usize, usize) {
        match self {
            Self::U64 | Self::Line | Self::String => (share, 1),
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
        }
    }
}
