// Each page refers to a picture by a label and defines the label at its end, as a file in the same
// folder. rustdoc does not copy files, so the label is defined here before the page as well. Of two
// definitions Markdown takes the first, which is the copy of the package on docs.rs or the picture
// itself (see `checks/pictures`). The definition is left out when examples are run, because they
// are named after the first file.
#![cfg_attr(not(doctest), doc = "[nbody.png]: https://docs.rs/crate/atomicarena/latest/source/docs/nbody.png")]
#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

// Bottom-up: a module imports only from modules above it.
mod error;
mod raw;
mod storage;
mod iter;
mod arena;
mod handles;
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
#[cfg(feature = "mapped")]
pub use error::MapError;
pub use error::{CapacityError, Full, IndexError};
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

// Pages of the documentation that are not about an item.

#[cfg_attr(not(doctest), doc = include_str!("../docs/pictures.md"))]
#[doc = include_str!("../docs/guide.md")]
#[cfg(any(doc, doctest))]
pub mod guide {}

// The package `checks/migrating` compiles the examples of this page that use other crates.
#[doc = include_str!("../docs/migrating.md")]
#[cfg(all(doc, not(doctest)))]
pub mod migrating {}

#[doc = include_str!("../docs/pictures.md")]
#[doc = include_str!("../docs/design.md")]
#[cfg(doc)]
pub mod design {}
