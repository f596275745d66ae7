//! Programs of random operations, each run against an arena and against a plain vector of slots, the oracle.
//!
//! The oracle knows of every slot whether it is free, vacant, held by a handle, owned or published, and with which
//! value. It predicts what every method returns: where the cursor stands, which requests fail and with which numbers,
//! what is visible to whom, how many values live (so that each is dropped exactly once, or was leaked by a handle that
//! was forgotten), and, when every free slot is asked for one by one, that exactly those are to be had. Two things the
//! contract leaves open, and the oracle learns them from the results: which vacant slot is taken (it must have been
//! vacant), and how long a run of a `Local` is (at most its share).
//!
//! Keys are kept over all epochs, and with them some of other arenas: after every step each must lead to its own value, or
//! to none.
//!
//! Where shards are forced, single slots come from a shard, two at a time; what goes back then becomes vacant, and a run may
//! be refused although that many slots remain. One thread runs, so the oracle knows which slots lie in the shard, and no
//! number is any less exact.
//!
//! User code misbehaves as told: closures, iterators, clones and drops panic, closures and iterators use the arena
//! that is calling them, iterators lie about their length.
//!
//! The same engine runs under a fuzzer, in `fuzz/`.

mod alone;
mod ground;
mod keys;
mod look;
mod lying;
mod op;
mod expected;
mod shared;
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

/// Whether every arena on the heap and every mapped one has two shards, with runs of two slots, in use from the first slot on.
pub(crate) const SHARDS_FORCED: bool = cfg!(all(shards = "forced", target_pointer_width = "64"));

/// Runs a program on an arena of the heap.
pub(crate) fn run<T: Value>(program: &Program) {
    run_in(AtomicArena::<T>::with_capacity(program.capacity), program, SHARDS_FORCED, slots_into_vec);
}

/// Runs a program on an arena of the heap that is in order from the beginning.
pub(crate) fn run_in_order<T: Value>(program: &Program) {
    run_in(AtomicArena::<T>::with_capacity(program.capacity).in_order(), program, false, slots_into_vec);
}

/// Runs a program on this arena, which is empty, and has no shards.
pub(crate) fn run_on<T: Value, S: Storage<T>>(arena: AtomicArena<T, S>, program: &Program) {
    run_in(arena, program, false, |arena, _| arena.into_iter().collect());
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
    has_shards: bool,
    into_vec: IntoVec<T, S>,
) {
    value::begin();
    let mut oracle = Oracle::new(arena.capacity(), has_shards);
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
