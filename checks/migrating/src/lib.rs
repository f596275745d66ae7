//! This package has no code of its own. `cargo test` runs the examples of the page below, with the
//! crates that they compare.
#![doc = include_str!("../../../docs/migrating.md")]
