//! No code of its own: `cargo test` runs the examples of the page below, with the crates from which they come.
#![doc = include_str!("../../../docs/migrating.md")]
