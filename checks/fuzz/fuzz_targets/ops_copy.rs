//! Programs on an arena of values without drop glue: here a reset leaves all to the epoch.
#![no_main]

mod input;
// Each target uses a part of it.
#[allow(dead_code, unused_imports)]
#[path = "../../../tests/it/oracle/mod.rs"]
mod oracle;

use input::Input;
use libfuzzer_sys::fuzz_target;
use oracle::{Plain, run};

fuzz_target!(|input: Input| run::<Plain>(&input.0));
