// The README and the pages in `docs` refer to pictures and to other pages by link labels. At its
// end, each page defines its labels as paths of files, which rustdoc does not copy. Therefore up to
// two files that define the labels for rustdoc are included before the page. `pictures.md` defines
// a picture by its content (see `checks/pictures`), and `links.md` defines a page by a path that
// rustdoc resolves. If a label has two definitions, Markdown uses the first. The two files are left
// out when examples are run, because examples are named after the first included file.
#![cfg_attr(all(doc, not(doctest)), doc = include_str!("../docs/pictures.md"))]
#![cfg_attr(all(doc, not(doctest)), doc = include_str!("../docs/links.md"))]
#![doc = include_str!("../README.md")]
//!
//! ## Which type to use
//!
//! | You need | Use |
//! |---|---|
//! | an arena on the heap, with a capacity known at run time | [`AtomicArena::with_capacity`] |
//! | an arena in a `static`, or without a heap | [`StaticArena`] |
//! | an arena in memory that you already have | [`BorrowedArena`] |
//! | an arena larger than RAM, in huge pages, or locked in RAM | [`MappedArena`] |
//! | one empty arena for each request, frame, or batch | [`ArenaPool`] |
//! | a handle for a thread that stores thousands of values | [`Local`] |
//! | such a handle in a struct, a task, or a thread that is not scoped | [`OwnedLocal`] |
//! | contiguous values that are made one by one or published as one slice | [`Reservation`] |
//! | an index that becomes invalid when the arena is emptied | [`Key`] |
//! | values of any type, or an allocator for collections | [`AtomicBump`] |
//!
//! ## How to use an arena
//!
//! ### How do I store one value?
//!
//! - [`alloc`], [`alloc_with`], and [`alloc_try_with`] return `&mut T`, which belongs to the
//!   caller.
//! - [`publish`] and [`publish_with`] return an index and `&T`, and let every thread read the
//!   value.
//!
//! ### How do I store many values?
//!
//! - [`alloc_slice_copy`], [`alloc_slice_clone`], [`alloc_slice_with`], [`alloc_from_iter`],
//!   [`alloc_array`], and [`alloc_str`] store all values contiguously, or none. So do
//!   [`publish_slice_copy`] and the other `publish` methods for many values.
//! - [`reserve`] and [`reserve_up_to`] return a [`Reservation`], which you fill step by step.
//! - [`fill_with`] and [`fill_default`] fill the whole arena.
//!
//! ### How do I read values?
//!
//! - [`get`], [`get_slice`], [`iter`], and [`values`] find published values, on every thread.
//! - [`get_mut`], [`iter_mut`], and [`as_mut_slice`] find all values. They require exclusive
//!   access.
//! - [`publish_all`] makes all owned values readable by every thread.
//!
//! ### How do I remove values?
//!
//! - [`reset`] drops all values and makes every slot free. [`reset_zeroed`] also overwrites the
//!   memory.
//! - [`drain`] and `into_iter` move the values out. `into_vec` and `into_boxed_slice` convert the
//!   arena into a vector or a boxed slice.
//! - [`compact`] closes the gaps between values.
//!
//! ### How full is the arena?
//!
//! - [`capacity`], [`count`], and [`remaining`] count slots. [`stats`] returns more numbers.
//! - [`Full`] is the error of a full arena, and contains the value that was not stored.
//!   [`Full::discard`] makes it usable with `?` if the value borrows.
//!
//! The [guide](crate::guide) explains which method to choose. The [recipes](crate::recipes) use the
//! arena with other crates. [Migrating](crate::migrating) shows how to move from another crate, and
//! the [design](crate::design) argues why the algorithm is correct.
//!
//! ## Where the memory comes from
//!
//! | Memory | Created by | Where it is |
//! |---|---|---|
//! | heap | [`AtomicArena::with_capacity`] | two allocations of the global allocator |
//! | inline | [`StaticArena::new`], a `const fn` | in a `static`, on the stack, or in a box |
//! | borrowed | [`BorrowedArena::in_bytes`] | in memory of the caller, with any alignment |
//! | mapped | [`MappedArena::mapped`] | in one mapping of the operating system |
//!
//! All methods behave alike in every kind of memory. After the arena is created, no method
//! allocates, except `into_boxed_slice`, the methods of the feature `rayon`, and the call in which
//! a thread gets its [number](AtomicArena#threads). If the operating system provides memory on
//! first use, slots that were never touched use address space, but no memory.
//!
//! ## Features
//!
//! | Feature | Adds |
//! |---|---|
//! | `std` (default) | shards, `io::Write` for a [`Reservation`] of bytes. Implies `alloc`. |
//! | `alloc` | arenas on the heap and in a box, [`OwnedLocal`], `alloc_vec`, `into_vec` |
//! | `mapped` | [`MappedArena`], with the crate `memmap2`. Implies `std`. |
//! | `pool` | [`ArenaPool`]. Implies `alloc`. |
//! | `rayon` | parallel iterators, `alloc_from_par_iter`. Implies `std`. |
//! | `serde` | serialization of a [`Key`], with the crate `serde_core` |
//! | `allocator-api2-02` | `Allocator` of `allocator-api2` 0.2 for `&AtomicBump` |
//! | `allocator-api2-04` | `Allocator` of `allocator-api2` 0.4 for `&AtomicBump` |
//! | `nightly` | the unstable `Allocator` of the standard library for `&AtomicBump` |
//! | `portable-atomic` | support for targets without native compare-and-swap |
//!
//! Without features the crate depends only on `core`. A [`Key`] requires a target with 64-bit
//! atomics. The minimum supported Rust version is 1.85. A minor release may raise it.
//!
//! [`alloc`]: AtomicArena::alloc
//! [`alloc_with`]: AtomicArena::alloc_with
//! [`alloc_try_with`]: AtomicArena::alloc_try_with
//! [`publish`]: AtomicArena::publish
//! [`publish_with`]: AtomicArena::publish_with
//! [`alloc_slice_copy`]: AtomicArena::alloc_slice_copy
//! [`alloc_slice_clone`]: AtomicArena::alloc_slice_clone
//! [`alloc_slice_with`]: AtomicArena::alloc_slice_with
//! [`alloc_from_iter`]: AtomicArena::alloc_from_iter
//! [`alloc_array`]: AtomicArena::alloc_array
//! [`alloc_str`]: AtomicArena::alloc_str
//! [`publish_slice_copy`]: AtomicArena::publish_slice_copy
//! [`reserve`]: AtomicArena::reserve
//! [`reserve_up_to`]: AtomicArena::reserve_up_to
//! [`fill_with`]: AtomicArena::fill_with
//! [`fill_default`]: AtomicArena::fill_default
//! [`get`]: AtomicArena::get
//! [`get_slice`]: AtomicArena::get_slice
//! [`iter`]: AtomicArena::iter
//! [`values`]: AtomicArena::values
//! [`get_mut`]: AtomicArena::get_mut
//! [`iter_mut`]: AtomicArena::iter_mut
//! [`as_mut_slice`]: AtomicArena::as_mut_slice
//! [`publish_all`]: AtomicArena::publish_all
//! [`reset`]: AtomicArena::reset
//! [`reset_zeroed`]: AtomicArena::reset_zeroed
//! [`drain`]: AtomicArena::drain
//! [`compact`]: AtomicArena::compact
//! [`capacity`]: AtomicArena::capacity
//! [`count`]: AtomicArena::count
//! [`remaining`]: AtomicArena::remaining
//! [`stats`]: AtomicArena::stats
// Links to items that exist only with a feature.
#![cfg_attr(feature = "alloc", doc = "[`AtomicArena::with_capacity`]: AtomicArena::with_capacity")]
#![cfg_attr(not(feature = "alloc"), doc = "[`AtomicArena::with_capacity`]: AtomicArena")]
#![cfg_attr(feature = "alloc", doc = "[`OwnedLocal`]: crate::OwnedLocal")]
#![cfg_attr(not(feature = "alloc"), doc = "[`OwnedLocal`]: #features")]
#![cfg_attr(feature = "mapped", doc = "[`MappedArena`]: crate::MappedArena")]
#![cfg_attr(feature = "mapped", doc = "[`MappedArena::mapped`]: AtomicArena::mapped")]
#![cfg_attr(not(feature = "mapped"), doc = "[`MappedArena`]: #features")]
#![cfg_attr(not(feature = "mapped"), doc = "[`MappedArena::mapped`]: #features")]
#![cfg_attr(feature = "pool", doc = "[`ArenaPool`]: crate::ArenaPool")]
#![cfg_attr(not(feature = "pool"), doc = "[`ArenaPool`]: #features")]
#![no_std]
// With this feature, `raw/sync.rs` imports no atomic type of `core`. Code that uses such a type
// bypasses that file, so clippy reports it (see `clippy.toml`).
#![cfg_attr(feature = "portable-atomic", warn(clippy::disallowed_types))]
#![cfg_attr(feature = "nightly", feature(allocator_api))]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

// The cursor may exceed the capacity by `OVERSHOOT_LIMIT`, which does not fit in 16 bits.
#[cfg(target_pointer_width = "16")]
compile_error!("atomicarena needs a `usize` of at least 32 bits");

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

// In order of dependency: a module imports only from modules listed before it.
mod error;
mod on_drop;
mod raw;
mod storage;
mod iter;
mod arena;
mod handles;
mod bump;
#[cfg(feature = "pool")]
mod pool;
#[cfg(feature = "rayon")]
mod rayon;
#[cfg(all(test, loom))]
mod models;

#[cfg(feature = "rayon")]
pub use self::rayon::{ParDrain, ParIntoIter, ParIter, ParIterMut};
pub use arena::AtomicArena;
#[cfg(not(all(test, loom)))]
pub use arena::BorrowedArena;
#[cfg(target_has_atomic = "64")]
pub use arena::Key;
#[cfg(not(all(test, loom)))]
pub use arena::StaticArena;
pub use arena::Stats;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use arena::{MapBuilder, MappedArena};
pub use bump::{AtomicBump, LocalBump};
#[cfg(not(all(test, loom)))]
pub use bump::{BorrowedBump, StaticBump};
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use bump::{BumpMapBuilder, MappedBump};
#[cfg(feature = "mapped")]
pub use error::MapError;
pub use error::{CapacityError, Full, IndexError};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use handles::OwnedLocal;
pub use handles::{Local, Reservation};
pub use iter::{Drain, IntoIter, Iter, IterMut, Values};
#[cfg(all(feature = "pool", target_has_atomic = "ptr"))]
pub use pool::OwnedCheckout;
#[cfg(feature = "pool")]
pub use pool::{ArenaPool, Checkout};
#[cfg(not(all(test, loom)))]
pub use storage::{Borrowed, Inline};
pub use storage::{Heap, Storage};
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use storage::{HugePages, Mapped};

// Pages of the documentation.

#[cfg_attr(not(doctest), doc = include_str!("../docs/pictures.md"))]
#[cfg_attr(not(doctest), doc = include_str!("../docs/links.md"))]
#[doc = include_str!("../docs/guide.md")]
#[cfg(any(doc, doctest))]
pub mod guide {}

// The package `checks/recipes` compiles the examples of this page, with the crates that they use.
#[doc = include_str!("../docs/links.md")]
#[doc = include_str!("../docs/recipes.md")]
#[cfg(all(doc, not(doctest)))]
pub mod recipes {}

// The package `checks/migrating` compiles the examples of this page, with the crates that they use.
#[doc = include_str!("../docs/links.md")]
#[doc = include_str!("../docs/migrating.md")]
#[cfg(all(doc, not(doctest)))]
pub mod migrating {}

#[doc = include_str!("../docs/pictures.md")]
#[doc = include_str!("../docs/links.md")]
#[doc = include_str!("../docs/design.md")]
#[cfg(all(doc, not(doctest)))]
pub mod design {}

#[doc = include_str!("../docs/links.md")]
#[doc = include_str!("../docs/scaling.md")]
#[cfg(all(doc, not(doctest)))]
pub mod scaling {}
