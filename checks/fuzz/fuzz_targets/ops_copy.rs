//! Programs of random operations on an arena whose values need no drop, so that a reset only begins
//! a new epoch.
#![no_main]

mod input;
// Each target uses only a part of this module.
#[allow(dead_code, unused_imports)]
#[path = "../../../tests/it/oracle/mod.rs"]
mod oracle;

use input::Input;
use libfuzzer_sys::fuzz_target;
use oracle::{Plain, run};

fuzz_target!(|input: Input| run::<Plain>(&input.0));
