//! Code that the programs of the showcase share: pictures, and times.
#![forbid(unsafe_code)]

pub mod film;
pub mod light;
pub mod times;
