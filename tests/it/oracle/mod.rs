//! Programs of random operations. Each runs against an arena and against a plain vector of slots,
//! the oracle.
//!
//! The oracle knows whether each slot is free, vacant, in a shard, held by a handle, owned or
//! published, and which value it holds. It predicts the result of every method, the position of the
//! cursor, which values are visible, and how many values are alive. The values report a second
//! drop, so the number of live values shows that each value was dropped exactly once or leaked with
//! a handle or a `Drain`. When a program takes every free slot one by one, exactly the predicted
//! slots must be available. The contract leaves two things open, which the oracle learns from the
//! results: which vacant slots are taken (they must have been vacant and contiguous), and the
//! length of a `Local`'s run (at most one sixteenth of the slots left at the cursor, unless a
//! request needs more).
//!
//! A request for several slots is refused only if neither the cursor, nor the shard, nor the vacant
//! slots have enough contiguous slots. While user code runs in a call that has taken vacant slots,
//! the oracle may not know which ones the call has taken. If a request for several slots may be
//! either served or refused then, it accepts both answers.
//!
//! Keys are kept over all epochs, with some keys of other arenas. Some of the keys are tried after
//! each step, and all of them after each use of exclusive access. A key must find its own value or
//! none.
//!
//! If shards are forced, short requests are served by a shard. Returned slots then extend the rest
//! of the shard, or become vacant. Only one thread runs, so the oracle knows which slots are in the
//! shard, and its numbers stay exact. (If slots are returned whose position it does not know, it
//! makes a request to learn whether they extended the shard.)
//!
//! User code misbehaves as the program says: closures, iterators, clones and drops panic, closures
//! and iterators use the arena that calls them, and iterators report a wrong length.
//!
//! The fuzzer in `checks/fuzz` runs such programs too.

mod alone;
mod bulk;
mod expected;
mod ground;
mod keys;
mod local;
mod look;
mod lying;
mod op;
mod shared;
mod source;
mod value;

#[cfg(test)]
mod properties;

use atomicarena::{AtomicArena, Storage};

use alone::IntoVec;
use expected::Oracle;
use keys::Keys;
pub(crate) use op::Program;
use op::{Alone, Op};
use shared::Shared;
pub(crate) use value::{Counted, Plain, Value};

/// The longest run of a shard if shards are forced, and 0 otherwise.
///
/// If shards are forced, every heap arena and every mapped arena has two active shards from the
/// first slot on, unless it is `in_order`. A shard serves requests of up to half of its longest
/// run.
pub(crate) const FORCED_RUN: usize = if cfg!(not(target_pointer_width = "64")) {
    0
} else if cfg!(shards = "forced") {
    2
} else if cfg!(shards = "runs") {
    8
} else {
    0
};

/// Whether shards are forced.
pub(crate) const SHARDS_FORCED: bool = FORCED_RUN != 0;

/// Runs a program on a heap arena.
pub(crate) fn run<T: Value>(program: &Program) {
    run_in(AtomicArena::<T>::with_capacity(program.capacity), program, FORCED_RUN, slots_into_vec);
}

/// Runs a program on a heap arena that is `in_order` from the beginning.
pub(crate) fn run_in_order<T: Value>(program: &Program) {
    run_in(AtomicArena::<T>::with_capacity(program.capacity).in_order(), program, 0, slots_into_vec);
}

/// Runs a program on the given arena, which is empty and has no shards.
pub(crate) fn run_on<T: Value, S: Storage<T>>(arena: AtomicArena<T, S>, program: &Program) {
    run_in(arena, program, 0, |arena, _| arena.into_iter().collect());
}

fn slots_into_vec<T>(arena: AtomicArena<T>, boxed: bool) -> Vec<T> {
    if boxed {
        return arena.into_boxed_slice().into_vec();
    }
    let capacity = arena.capacity();
    let vec = arena.into_vec();
    assert_eq!(vec.capacity(), capacity);
    vec
}

fn run_in<T: Value, S: Storage<T>>(
    mut arena: AtomicArena<T, S>,
    program: &Program,
    refill: usize,
    into_vec: IntoVec<T, S>,
) {
    value::begin();
    let mut oracle = Oracle::new(arena.capacity(), refill);
    let mut ops = program.ops.iter();
    let mut keys = Keys::new();
    loop {
        keys.make_strangers();
        let mut shared = Shared::new(&arena, &mut oracle, &mut keys);
        let alone = ops.by_ref().find_map(|&op| match op {
            Op::Alone { forget, what, look } => Some((forget, what, look)),
            op => {
                shared.op(op);
                None
            }
        });
        shared.end(alone.map_or(0, |(forget, ..)| forget));
        let Some((_, what, look)) = alone else { break };
        keys.keep_all(&arena, &oracle);
        if let Alone::InOrder = what {
            arena = arena.in_order();
            oracle.disable();
        }
        alone::op(&mut arena, &mut oracle, &keys, what, look);
        keys.look_at_all(&mut arena, &oracle);
    }
    alone::end(arena, &mut oracle, &keys, program.end, into_vec);
}
