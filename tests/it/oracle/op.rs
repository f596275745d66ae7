//! The operations on an arena, and their encoding in four bytes.
//!
//! A program is encoded as four bytes, which give the capacity of the arena and how its life ends,
//! and a list of four-byte words. Each word encodes one operation, and no word is invalid. Removing
//! or changing a word therefore removes or changes one operation, which suits the shrinking of a
//! property test and the mutations of a fuzzer.

/// The maximum number of open handles of each kind.
pub(crate) const HANDLES: usize = 3;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    One(One, Act),
    /// Stores several values, through the arena or through a `Local`, which is opened if necessary.
    Bulk {
        bulk: Bulk,
        local: Option<usize>,
    },
    /// Opens a reservation, after finishing the one with the same number. Its slots are taken from
    /// the arena or from a `Local`, which is opened if necessary.
    Reserve {
        handle: usize,
        len: usize,
        up_to: bool,
        local: Option<usize>,
    },
    /// Performs a step of a reservation, which is opened if necessary.
    Step(usize, Step),
    EndRun(usize, EndRun),
    /// Opens a `Local`, with or without a batch limit, after dropping the one with the same number.
    OpenLocal {
        handle: usize,
        batch: Option<usize>,
    },
    /// Performs a step of a `Local`, which is opened if necessary.
    InLocal(usize, One, Act),
    EndLocal {
        handle: usize,
        forget: bool,
    },
    /// Opens an iterator that stays open while values are published.
    OpenIter,
    StepIter {
        back: bool,
    },
    /// Indexes a slot with or without a published value.
    Index(usize),
    /// Writes to an owned value.
    Touch(usize),
    /// Takes every free slot, one by one.
    Probe(Probe),
    /// Drops every handle, or leaks it if its bit in `forget` is set, and then uses exclusive
    /// access.
    Alone {
        forget: u8,
        what: Alone,
        look: bool,
    },
}

/// A method that stores one value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum One {
    Alloc,
    AllocWith,
    /// The closure returns a value, or fails with one.
    TryWith {
        fails: bool,
    },
    Publish,
    PublishWith,
    /// The key is kept over all epochs.
    Keyed,
}

/// What a closure or an iterator does before it returns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Return,
    Panic,
    Reenter(Inner),
    ReenterAndPanic(Inner),
}

/// What user code does with the arena that calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Inner {
    Alloc,
    Publish,
    Keyed,
    Slice,
    PanicInside,
    FailInside,
    Local,
    Probe(Probe),
}

/// A call of a bulk method: which method, how many values, and what happens at one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bulk {
    pub(crate) method: Method,
    pub(crate) len: usize,
    /// The number of values that an iterator really yields. It reports `len`.
    pub(crate) given: usize,
    /// The number of the value before which `act` happens. For `ClonePanics` and `PrefixPanics`,
    /// the number of clones that succeed.
    pub(crate) at: usize,
    pub(crate) act: Act,
    /// Whether to call the method that publishes the values, if there is one.
    pub(crate) publish: bool,
}

impl Bulk {
    /// Returns a request that stores `len` clones, none of which panics.
    pub(crate) fn clones(len: usize) -> Self {
        Bulk { method: Method::Clone, len, given: len, at: 0, act: Act::Return, publish: false }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    Copy,
    Str,
    Clone,
    /// The clone with number `at` panics.
    ClonePanics,
    With,
    Iter,
    Array,
    Vec,
    Prefix,
    PrefixPanics,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Push,
    Pop,
    Truncate {
        len: usize,
        fuse: Option<usize>,
    },
    Fill {
        given: usize,
        at: usize,
        act: Act,
    },
    Spare(usize),
    Write(usize),
    /// Adds clones. The clone with number `fuse` panics.
    Extend {
        len: usize,
        fuse: Option<usize>,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum EndRun {
    Finish,
    Publish,
    /// Drops the reservation. If there is a number, the drop of the value with that number panics.
    Drop(Option<usize>),
    Forget,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// The slots are returned in the order in which they were taken.
    Return,
    ReturnReversed,
    /// Slots with even indices are returned, and slots with odd indices are published.
    Holes,
    Keep,
}

/// Operations with exclusive access.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alone {
    Look,
    Get(usize),
    /// Looks up one of the kept keys, of any epoch or arena.
    GetKey(usize),
    GetMany(Many),
    IterMut {
        front: usize,
        back: usize,
    },
    Drain {
        front: usize,
        back: usize,
        forget: bool,
        fuse: Option<usize>,
    },
    Slice,
    PublishAll,
    /// The call with number `panic` panics.
    FillWith {
        panic: Option<usize>,
    },
    FillDefault,
    Reset {
        times: usize,
        zeroed: bool,
        fuse: Option<usize>,
    },
    /// The values get new indices, and are then published if `publish` is set.
    Compact {
        publish: bool,
    },
    /// The arena moves, and hands out slots in order from now on.
    InOrder,
}

/// Several indices at once, `step` apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Many {
    pub(crate) len: usize,
    pub(crate) first: usize,
    /// A step of 0 names one slot several times.
    pub(crate) step: usize,
    /// Whether `first` and `step` count only slots that hold a value.
    pub(crate) held: bool,
}

/// How the arena ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Drop {
        fuse: Option<usize>,
    },
    IntoIter {
        front: usize,
        back: usize,
        fuse: Option<usize>,
    },
    /// An arena on the heap becomes a vector, or a boxed slice if `boxed` is set. The values of any
    /// other arena are collected into a vector.
    IntoVec {
        boxed: bool,
        fuse: Option<usize>,
    },
}

/// The whole life of an arena.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) capacity: usize,
    pub(crate) ops: Vec<Op>,
    pub(crate) end: End,
}

impl Program {
    pub(crate) fn new(head: [u8; 4], words: &[[u8; 4]]) -> Self {
        let [capacity, end, front, back] = head;
        let (front, fuse) = (usize::from(front % 8), fuse(front / 8));
        let end = match end % 4 {
            0 => End::IntoIter { front, back: usize::from(back % 8), fuse },
            1 => End::Drop { fuse },
            _ => End::IntoVec { boxed: end % 4 == 3, fuse },
        };
        // The capacity is either small, so that many operations happen near the end of the arena,
        // or large enough for a `Local` with runs of several slots.
        let capacity = match capacity {
            0..168 => 1 + usize::from(capacity % 24),
            168..244 => 64,
            _ => 200,
        };
        Program { capacity, ops: words.iter().copied().map(Op::from).collect(), end }
    }
}

impl From<[u8; 4]> for Op {
    fn from([kind, a, b, c]: [u8; 4]) -> Self {
        let handle = usize::from(a) % HANDLES;
        let (publish, local) = (kind >= 128, usize::from(kind / 32) % HANDLES);
        match kind % 32 {
            0..3 => Op::One(one(a), act(b)),
            3..7 => Op::Bulk { bulk: bulk(a, b, c, publish), local: None },
            8..11 => Op::Reserve { handle, len: len(b), up_to: c % 4 == 0, local: (c % 8 < 3).then_some(local) },
            11..15 => Op::Step(handle, step(b, c)),
            15..18 => Op::EndRun(handle, end_run(b)),
            18 => Op::OpenLocal { handle, batch: (c % 2 == 1).then_some(usize::from(b % 8) + 1) },
            19..22 => Op::InLocal(handle, one(a), act(b)),
            7 | 22 | 23 => Op::Bulk { bulk: bulk(a, b, c, publish), local: Some(local) },
            24 => Op::EndLocal { handle, forget: b % 4 == 0 },
            25 => match b % 4 {
                0 => Op::OpenIter,
                1 => Op::Index(c.into()),
                _ => Op::StepIter { back: b % 4 == 3 },
            },
            26 => Op::Touch(b.into()),
            27 => Op::Probe(probe(b)),
            _ => Op::Alone { forget: a & (a >> 3), what: alone(kind / 32, b, c), look: a % 2 == 0 },
        }
    }
}

fn one(byte: u8) -> One {
    match byte / 16 % 4 {
        0 => One::TryWith { fails: byte >= 128 },
        1 => One::Keyed,
        _ => [One::Alloc, One::AllocWith, One::Publish, One::PublishWith][usize::from(byte / 4 % 4)],
    }
}

fn act(byte: u8) -> Act {
    let inner = match byte / 8 % 8 {
        0 => Inner::Alloc,
        1 => Inner::Keyed,
        2 => Inner::Publish,
        3 => Inner::Slice,
        4 => Inner::PanicInside,
        5 => Inner::Local,
        6 => Inner::FailInside,
        _ => Inner::Probe(probe(byte / 64)),
    };
    match byte % 8 {
        0..4 => Act::Return,
        4 => Act::Panic,
        5 | 6 => Act::Reenter(inner),
        _ => Act::ReenterAndPanic(inner),
    }
}

/// Decodes a length. Most lengths are small. Some are too large to fit, and some are so large that
/// adding them to an index would overflow.
fn len(byte: u8) -> usize {
    match byte % 32 {
        few @ 0..24 => usize::from(few % 8),
        some @ 24..29 => usize::from(some - 21) * 3,
        29 => 201,
        30 => usize::MAX,
        _ => usize::MAX - usize::from(byte),
    }
}

fn bulk(a: u8, b: u8, c: u8, publish: bool) -> Bulk {
    let method = match a % 16 {
        0 | 1 => Method::Copy,
        2 => Method::Str,
        3 => Method::Clone,
        4 => Method::ClonePanics,
        5..8 => Method::With,
        8..11 => Method::Iter,
        11 | 12 => Method::Array,
        13 => Method::Vec,
        14 => Method::Prefix,
        _ => Method::PrefixPanics,
    };
    let at = usize::from(a / 16 % 8);
    let given = (len(b).min(300) + usize::from(b / 32)).saturating_sub(3);
    Bulk { method, len: len(b), given, at, act: act(c), publish }
}

/// Returns the number of the drop or clone that panics, if one does.
fn fuse(byte: u8) -> Option<usize> {
    (byte % 8 > 4).then_some(usize::from(byte / 8 % 4))
}

fn step(b: u8, c: u8) -> Step {
    let few = usize::from(c % 8);
    match b % 8 {
        0..3 => Step::Push,
        3 => Step::Pop,
        4 => Step::Truncate { len: few / 2, fuse: fuse(c / 8) },
        5 => Step::Fill { given: few, at: usize::from(b / 8 % 8), act: act(c) },
        6 if c >= 128 => Step::Extend { len: few, fuse: fuse(c / 8) },
        6 => Step::Spare(few),
        _ => Step::Write(few),
    }
}

fn end_run(byte: u8) -> EndRun {
    match byte % 8 {
        0..2 => EndRun::Finish,
        2..4 => EndRun::Publish,
        4..7 => EndRun::Drop(fuse(byte / 8)),
        _ => EndRun::Forget,
    }
}

fn probe(byte: u8) -> Probe {
    [Probe::Return, Probe::ReturnReversed, Probe::Holes, Probe::Keep][usize::from(byte % 4)]
}

fn alone(kind: u8, b: u8, c: u8) -> Alone {
    let (front, back) = (usize::from(b % 8), usize::from(b / 8 % 8));
    // Some of these numbers of resets are near one wrap, or several wraps, of the epoch in the
    // stamps.
    const TIMES: [usize; 16] = [1, 1, 1, 1, 1, 1, 2, 3, 48, 49, 50, 51, 52, 101, 255, 256];
    match (kind, b % 4) {
        (2 | 7, 0..2) => Alone::Compact { publish: c % 2 == 1 },
        (0..3, _) => Alone::Reset { times: TIMES[usize::from(c % 16)], zeroed: b % 4 == 3, fuse: fuse(b / 4) },
        (3, _) => Alone::Drain { front, back, forget: c % 4 == 0, fuse: fuse(c / 4) },
        (4, 0) => Alone::PublishAll,
        (4, 1) => Alone::FillDefault,
        (4, _) => Alone::FillWith { panic: (c % 2 == 1).then_some(usize::from(c / 2 % 8)) },
        (5, _) => Alone::IterMut { front, back },
        (6, 0) => Alone::Slice,
        (6, 1) => Alone::Get(c.into()),
        (6, 2) => Alone::GetKey(c.into()),
        (6, _) => Alone::GetMany(many(b / 4, c)),
        (_, 2) => Alone::InOrder,
        _ => Alone::Look,
    }
}

fn many(b: u8, c: u8) -> Many {
    Many { len: usize::from(b % 8), first: c.into(), step: usize::from(b / 8 % 4), held: b >= 32 }
}
