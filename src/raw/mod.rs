//! The algorithm: atomics and numbers of slots. No file before `arena_ref.rs` knows the type of the
//! values.

// Bottom-up: a file may use only files above it.
pub(crate) mod sync;
pub(crate) mod epoch;
#[cfg_attr(not(target_has_atomic = "64"), path = "no_generation.rs")]
pub(crate) mod generation;
pub(crate) mod clock;
pub(crate) mod stamps;
pub(crate) mod summary;
pub(crate) mod thread_id;
mod word;
pub(crate) mod shards;
pub(crate) mod metadata;
mod handle_count;
mod vacant;
pub(crate) mod cursor;
mod refill;
pub(crate) mod settle;
pub(crate) mod arena_ref;
pub(crate) mod arena_mut;
