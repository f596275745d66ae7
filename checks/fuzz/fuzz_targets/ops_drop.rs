//! Programs on an arena of values that count their drops, and that panic in planned drops.
#![no_main]

mod input;
// Each target uses a part of this module.
#[allow(dead_code, unused_imports)]
#[path = "../../../tests/it/oracle/mod.rs"]
mod oracle;

use input::Input;
use libfuzzer_sys::fuzz_target;
use oracle::{Counted, run};

fuzz_target!(|input: Input| run::<Counted>(&input.0));
