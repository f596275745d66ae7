//! Handles own a run of slots: a [`Reservation`] for one slice, a [`Local`] for one thread.

mod local;
mod reservation;

pub use local::Local;
pub use reservation::Reservation;
