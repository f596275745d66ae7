//! What can be done to an arena, and how four bytes spell it.
//!
//! A program is a list of four-byte words, so that the shrinking of a property test and the mutations of a fuzzer
//! work on whole operations: a word left out is an operation left out, and every word means something.

/// How many handles of a kind are open at a time at the most.
pub(crate) const HANDLES: usize = 3;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    One(One, Act),
    /// One value, made by a closure that may fail.
    TryWith {
        fails: bool,
        act: Act,
    },
    /// One value, published with a key that is kept over all epochs.
    Keyed,
    Bulk(Bulk),
    /// A reservation; the one that was open under this number is finished before.
    Reserve {
        handle: usize,
        len: usize,
        up_to: bool,
    },
    /// A step of a reservation, which is opened if it is not.
    Step(usize, Step),
    EndRun(usize, EndRun),
    /// A `Local`, with a ceiling or without; the one that was open under this number is dropped before.
    OpenLocal {
        handle: usize,
        batch: Option<usize>,
    },
    /// A step of a `Local`, which is opened if it is not.
    InLocal(usize, One, Act),
    EndLocal {
        handle: usize,
        forget: bool,
    },
    /// An iterator that stays open while others publish.
    OpenIter,
    StepIter {
        back: bool,
    },
    /// `arena[_]`, of a slot with a published value or without.
    Index(usize),
    /// Writes to a value that is owned.
    Touch(usize),
    /// Takes every free slot, one by one.
    Probe(Probe),
    /// Ends what is shared, each handle being dropped or, where its bit is set, forgotten; then `&mut`.
    Alone {
        forget: u8,
        what: Alone,
        look: bool,
    },
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum One {
    Alloc,
    AllocWith,
    Publish,
    PublishWith,
}

/// What a closure or an iterator does before it returns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Return,
    Panic,
    Reenter(Inner),
    ReenterAndPanic(Inner),
}

/// What user code does in the arena that is calling it.
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

/// Many values: which method, how many, and what is done at one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bulk {
    pub(crate) method: Method,
    pub(crate) len: usize,
    /// For an iterator: how many values it really has.
    pub(crate) given: usize,
    /// Which value `act` comes before; for a clone, how many succeed.
    pub(crate) at: usize,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    Copy,
    Str,
    Clone,
    /// Here the clone numbered `at` panics.
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
    Truncate { len: usize, fuse: Option<usize> },
    Fill { given: usize, at: usize, act: Act },
    Spare(usize),
    Write(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum EndRun {
    Finish,
    Publish,
    /// The drop numbered so panics.
    Drop(Option<usize>),
    Forget,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// The slots go back in the order in which they were taken.
    GiveBack,
    GiveBackReversed,
    /// Every other slot goes back, the others are published.
    Holes,
    Keep,
}

/// With `&mut`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alone {
    Look,
    Get(usize),
    /// By one of the keys that were kept, of whichever epoch or arena.
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
    /// The call numbered `panic` panics.
    FillWith {
        panic: Option<usize>,
    },
    FillDefault,
    Reset {
        times: usize,
        zeroed: bool,
        fuse: Option<usize>,
    },
    /// The values are numbered anew, and then published or not.
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
    /// 0 names one slot again and again.
    pub(crate) step: usize,
    /// Only slots that hold a value are counted.
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
    /// On the heap the slots become the vector, or a boxed slice.
    IntoVec {
        boxed: bool,
        fuse: Option<usize>,
    },
}

/// A whole life of an arena.
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
        // Small, so that much happens at the end; or so large that a `Local` gets runs of several slots.
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
        let one = [One::Alloc, One::AllocWith, One::Publish, One::PublishWith][usize::from(a / 4 % 4)];
        match kind % 32 {
            0..3 => match a / 16 % 4 {
                0 => Op::TryWith { fails: a >= 128, act: act(b) },
                1 => Op::Keyed,
                _ => Op::One(one, act(b)),
            },
            3..8 => Op::Bulk(bulk(a, b, c)),
            8..11 => Op::Reserve { handle, len: len(b), up_to: c % 4 == 0 },
            11..15 => Op::Step(handle, step(b, c)),
            15..18 => Op::EndRun(handle, end_run(b)),
            18 => Op::OpenLocal { handle, batch: (c % 2 == 1).then_some(usize::from(b % 8) + 1) },
            19..24 => Op::InLocal(handle, one, act(b)),
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

/// Mostly a few; now and then what cannot fit, or what would wrap a sum.
fn len(byte: u8) -> usize {
    match byte % 32 {
        few @ 0..24 => usize::from(few % 8),
        some @ 24..29 => usize::from(some - 21) * 3,
        29 => 201,
        30 => usize::MAX,
        _ => usize::MAX - usize::from(byte),
    }
}

fn bulk(a: u8, b: u8, c: u8) -> Bulk {
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
    Bulk { method, len: len(b), given: (len(b).min(300) + usize::from(b / 32)).saturating_sub(3), at, act: act(c) }
}

/// Which drop is to panic, if one is.
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
    [Probe::GiveBack, Probe::GiveBackReversed, Probe::Holes, Probe::Keep][usize::from(byte % 4)]
}

fn alone(kind: u8, b: u8, c: u8) -> Alone {
    let (front, back) = (usize::from(b % 8), usize::from(b / 8 % 8));
    // Around one and several turns of the epoch.
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
