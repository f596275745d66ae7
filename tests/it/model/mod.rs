//! Programs of random operations, each run against an arena and against a plain vector of slots, the oracle.
//!
//! The oracle knows of every slot whether it is free, vacant, held by a handle, owned or published, and with which
//! value. It predicts what every method returns: where the cursor stands, which requests fail and with which numbers,
//! what is visible to whom, how many values live (so that each is dropped exactly once, or was leaked by a handle that
//! was forgotten), and, when every free slot is asked for one by one, that exactly those are to be had. Two things the
//! contract leaves open, and the oracle learns them from the results: which vacant slot is taken (it must have been
//! vacant), and how long a run of a `Local` is (at most its share).
//!
//! Where lanes are forced, single slots come from a lane, two at a time; what goes back then becomes vacant, and a run may
//! be refused although that many slots remain. One thread runs, so the oracle knows which slots lie in the lane, and no
//! number is any less exact.
//!
//! User code misbehaves as told: closures, iterators, clones and drops panic, closures and iterators use the arena
//! that is calling them, iterators lie about their length.
//!
//! The same engine runs under a fuzzer, in `fuzz/`.

mod alone;
mod ground;
mod look;
mod lying;
mod op;
mod oracle;
mod shared;
mod value;

#[cfg(test)]
mod properties;

use atomicarena::{AtomicArena, Storage};

use op::Op;
pub(crate) use op::Program;
use oracle::Oracle;
use shared::Shared;
pub(crate) use value::{Counted, Plain, Value};

/// Whether every arena on the heap and every mapped one has two lanes, with runs of two slots, in use from the first slot on.
pub(crate) const LANES_FORCED: bool = cfg!(all(lanes = "forced", target_pointer_width = "64"));

/// Runs a program on an arena of the heap.
pub(crate) fn run<T: Value>(program: &Program) {
    run_in(AtomicArena::<T>::with_capacity(program.capacity), program, LANES_FORCED);
}

/// Runs a program on this arena, which is empty, and has no lanes.
pub(crate) fn run_on<T: Value, S: Storage<T>>(arena: AtomicArena<T, S>, program: &Program) {
    run_in(arena, program, false);
}

fn run_in<T: Value, S: Storage<T>>(mut arena: AtomicArena<T, S>, program: &Program, has_lanes: bool) {
    value::begin();
    let mut oracle = Oracle::new(arena.capacity(), has_lanes);
    let mut ops = program.ops.iter();
    // Of all epochs, each with the oracle's number of its own.
    let mut keys = Vec::new();
    loop {
        let mut shared = Shared::new(&arena, &mut oracle);
        let alone = ops.by_ref().find_map(|&op| match op {
            Op::Alone { forget, what, look } => Some((forget, what, look)),
            op => {
                shared.op(op);
                None
            }
        });
        shared.end(alone.map_or(0, |(forget, ..)| forget));
        let Some((_, what, look)) = alone else { break };
        keys.extend(arena.iter().map(|(index, _)| (oracle.epoch, arena.key(index).unwrap())));
        alone::op(&mut arena, &mut oracle, what, look);
        for &(epoch, key) in &keys {
            let (got, want) = (arena.get_key(key), oracle.published(key.index()).filter(|_| epoch == oracle.epoch));
            assert_eq!(got.is_some(), want.is_some(), "{key:?} leads to {got:?}");
            assert!(got.is_none_or(|value| value.shows(want.unwrap())));
        }
    }
    alone::end(arena, &mut oracle, program.end);
}
