//! The algorithm, in terms of atomics and slot indices. No file before `arena_ref.rs` knows the
//! type of the values.
//!
//! # Terms
//!
//! - A **slot** has room for one value. A **run** is a contiguous range of slots.
//! - The **cursor** is the boundary between the slots that were handed out in this epoch (below)
//!   and those that were not (at and above). Taking slots *advances* it. Returning the slots
//!   directly below it *retracts* it.
//! - The **owner** of a slot is the single call, handle or `&mut T` that may access it.
//! - A slot is **vacant** if it is below the cursor, is not in a shard, and has neither a value nor
//!   an owner.
//! - A **shard** is a run in the arena from which one or a few threads take slots. Its unused slots
//!   are its *rest*. A **refill** moves a run from the cursor to a shard. While the refill is
//!   *pending*, other threads *help* to complete it. A rest that is too short for a request is
//!   *retired*: it becomes vacant. A thread *steals* when it takes a slot from another thread's
//!   shard.
//! - The **stamp** of a slot is its state byte. A stamp of the current epoch encodes a **mark**.
//! - A **handle** is a `Local` or a `Reservation`. Its run is **open**, and has *run marks* at both
//!   ends.
//! - An **epoch** ends with a reset. **Exclusive access** is `&mut` of the arena.
//!
//! # Orderings
//!
//! There are five edges. The files named here list the operations that form each edge.
//!
//! - **E1 publish → get**: writing a value happens before every read of it (`stamps.rs`).
//! - **E2 return → reuse**: the accesses of a slot's old owner happen before those of its new owner
//!   (`cursor.rs`, `stamps.rs`, `shards.rs`).
//! - **E3 install → take**: installing a run in a shard happens before taking slots of that run
//!   from the shard, and so continues E2 (`shards.rs`).
//! - **E4 advance → look**: a thread that reads the cursor sees every shard at least as it was when
//!   the cursor got that value (`shards.rs`).
//! - **E5 count → uncount**: the number of blocks with vacant slots is never too low (`vacant.rs`).
//!
//! The counter of changes in `vacant.rs` and the set of numbers in `thread_id.rs` have edges of
//! their own. Every other operation is Relaxed.

// Bottom-up: a file may use only files above it.
pub(crate) mod sync;
pub(crate) mod epoch;
#[cfg_attr(not(target_has_atomic = "64"), path = "no_generation.rs")]
pub(crate) mod generation;
pub(crate) mod clock;
pub(crate) mod stamps;
pub(crate) mod summary;
mod search;
mod stripe;
pub(crate) mod thread_id;
pub(crate) mod word;
pub(crate) mod shards;
pub(crate) mod metadata;
mod handle_count;
mod vacant;
pub(crate) mod cursor;
mod refill;
mod extend;
pub(crate) mod settle;
pub(crate) mod arena_ref;
pub(crate) mod arena_mut;
