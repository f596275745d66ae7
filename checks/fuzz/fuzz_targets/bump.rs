//! Programs that allocate, grow, shrink and free blocks of a bump, compared with a model of
//! intervals.
#![no_main]

#[path = "../../../tests/it/bump_model/mod.rs"]
mod bump_model;

use bump_model::{Op, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, Vec<[u8; 5]>)| {
    let (capacity, words) = input;
    // Half of the bumps have no shards.
    let capacity = if capacity % 2 == 0 { capacity % 60_000 } else { capacity % (4 << 20) };
    let ops: Vec<Op> = words.into_iter().map(Op::new).collect();
    let (first, second) = ops.split_at(ops.len() / 2);
    run(capacity.max(1) as usize, [first.to_vec(), second.to_vec()]);
});
