//! Programs that allocate, grow, shrink and free blocks of a bump. A model records the blocks as
//! intervals, and must agree with the bump.
#![no_main]

#[path = "../../../tests/it/bump_model/mod.rs"]
mod bump_model;

use bump_model::{Op, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, Vec<[u8; 5]>)| {
    let (capacity, words) = input;
    // About half of the bumps are too small to have shards.
    let capacity = if capacity % 2 == 0 { capacity % 60_000 } else { capacity % (4 << 20) };
    let ops: Vec<Op> = words.into_iter().map(Op::new).collect();
    let (first, second) = ops.split_at(ops.len() / 2);
    run(capacity.max(1) as usize, [first.to_vec(), second.to_vec()]);
});
