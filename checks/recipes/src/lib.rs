//! This package has no code of its own. `cargo test` runs the examples of the page below.
#![doc = include_str!("../../../docs/recipes.md")]
