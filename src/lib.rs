// Pages name a picture by a label and define it at their end, as the file beside them. rustdoc copies no files, so here the
// label is defined before the page, and of two definitions Markdown takes the first: as what docs.rs has of the package, or
// as the picture itself (see `ci/pictures`). Not when examples are run, which are named after the first file.
#![cfg_attr(not(doctest), doc = "[nbody.png]: https://docs.rs/crate/atomicarena/latest/source/docs/nbody.png")]
#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

// Bottom-up: a file may use only files above it.
mod sync;
mod error;
#[cfg(target_has_atomic = "64")]
mod generation;
mod stamp;
mod shards;
mod cursor;
mod view;
mod view_mut;
mod storage;
mod iter;
mod arena;
mod stats;
mod reservation;
mod slices;
mod local;
mod compact;
#[cfg(target_has_atomic = "64")]
mod key;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
mod mapped;
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
pub use arena::StaticArena;
#[cfg(feature = "mapped")]
pub use error::MapError;
pub use error::{CapacityError, Full, IndexError};
pub use iter::{Drain, IntoIter, Iter, IterMut};
#[cfg(target_has_atomic = "64")]
pub use key::Key;
pub use local::Local;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapped::MapBuilder;
#[cfg(all(feature = "pool", target_has_atomic = "ptr"))]
pub use pool::OwnedCheckout;
#[cfg(feature = "pool")]
pub use pool::{ArenaPool, Checkout};
pub use reservation::Reservation;
pub use stats::Stats;
#[cfg(not(all(test, loom)))]
pub use storage::{Borrowed, Inline};
pub use storage::{Heap, Storage};
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use storage::{HugePages, Mapped};

// Pages of the documentation.

#[cfg_attr(not(doctest), doc = include_str!("../docs/pictures.md"))]
#[doc = include_str!("../docs/guide.md")]
#[cfg(any(doc, doctest))]
pub mod guide {}

// The package in `migrating/` compiles what stands there of other crates.
#[doc = include_str!("../docs/migrating.md")]
#[cfg(all(doc, not(doctest)))]
pub mod migrating {}

#[doc = include_str!("../docs/pictures.md")]
#[doc = include_str!("../docs/design.md")]
#[cfg(doc)]
pub mod design {}
