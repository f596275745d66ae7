//! Handles that own a run of slots: a [`Reservation`] for one slice, a [`Local`] for one thread.

mod reservation;
mod own_run;
mod local;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod owned;

pub use local::Local;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use owned::OwnedLocal;
pub use reservation::Reservation;
