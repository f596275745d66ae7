//! Programs on an arena whose values count their drops, and panic in the drops that the program
//! selects.
#![no_main]

mod input;
// Each target uses only a part of this module.
#[allow(dead_code, unused_imports)]
#[path = "../../../tests/it/oracle/mod.rs"]
mod oracle;

use input::Input;
use libfuzzer_sys::fuzz_target;
use oracle::{Counted, run};

fuzz_target!(|input: Input| run::<Counted>(&input.0));
