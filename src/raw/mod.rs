//! The algorithms, in terms of atomics, slot indices and byte offsets. Only `arena_ref.rs` and
//! `arena_mut.rs` depend on the type of the values. `gap.rs` and `budget.rs` belong to the bump
//! allocator (`src/bump`). See `budget.rs` for its terms and orderings. The terms and orderings of
//! the arena follow.
//!
//! # Terms
//!
//! - A **slot** has room for one value. A **run** is a contiguous range of slots.
//! - The **cursor** is the index of the next slot to hand out. No slot at or above it has an owner
//!   or a value. Taking slots *advances* the cursor. Returning the slots directly below it may
//!   *retract* it.
//! - The **owner** of a slot is the single call, handle or `&mut T` that may access it.
//! - A slot is **vacant** if it is below the cursor, is in neither a shard nor a pending refill,
//!   and has neither a value nor an owner.
//! - A **shard** holds a run from which one thread, or a few, take slots. Its unused slots are its
//!   *rest*. A **refill** moves a run from the cursor to a shard. Until the run has arrived there,
//!   the refill is *pending*, and other threads *help* to complete it. A rest that is too short for
//!   a request may be *retired*, which makes it vacant. A thread *steals* when it takes a slot from
//!   another thread's shard.
//! - The **stamp** of a slot is its state byte. A stamp of the current epoch encodes a **mark**.
//! - A **handle** is a `Local` or a `Reservation`. Its run is **open**, which means that *run
//!   marks* in the stamps delimit it.
//! - An **epoch** is the time between two resets. **Exclusive access** means a `&mut` borrow of the
//!   arena.
//!
//! # Orderings
//!
//! There are five happens-before edges. For each edge, the files in parentheses list the operations
//! that form it.
//!
//! - **E1 publish → get**: writing a value happens before every read of it (`stamps.rs`).
//! - **E2 return → reuse**: the old owner's accesses to a slot happen before the new owner's
//!   accesses (`cursor.rs`, `stamps.rs`, `shards.rs`).
//! - **E3 install → take**: installing a run in a shard happens before taking slots of that run
//!   from the shard (`shards.rs`). Together with E2, it orders the accesses of an old owner before
//!   those of a thread that takes the slot from the shard.
//! - **E4 advance → look**: a thread that reads a value of the cursor sees each shard as it was
//!   when the cursor reached that value, or later (`shards.rs`).
//! - **E5 count → uncount**: counting a block with vacant slots happens before uncounting it, so
//!   the number of such blocks is never too low (`vacant.rs`).
//!
//! The counter of changes in `vacant.rs` and the set of thread numbers in `thread_id.rs` have edges
//! of their own. Every other operation is Relaxed.

// In order of dependency: a file imports only from the files listed before it.
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
pub(crate) mod gap;
pub(crate) mod budget;
pub(crate) mod metadata;
mod handle_count;
mod vacant;
pub(crate) mod cursor;
mod refill;
mod extend;
pub(crate) mod settle;
pub(crate) mod arena_ref;
pub(crate) mod arena_mut;
