//! Integration tests of `atomicarena`: one binary, with a module per public type or topic.
#![cfg(feature = "alloc")]

mod payload;

mod allocations;
mod arena;
mod bump;
#[cfg(any(feature = "allocator-api2-02", feature = "allocator-api2-04"))]
mod bump_collections;
mod bump_local;
mod bump_model;
mod compact;
mod conventions;
mod errors;
mod exclusive;
mod go;
mod invariants;
mod keys;
mod shards;
mod leaks;
mod local;
mod memory;
mod oracle;
#[cfg(feature = "pool")]
mod pool;
mod progress;
#[cfg(feature = "rayon")]
mod rayon;
mod reading;
mod reservation;
mod reset;
mod shapes;
mod slices;
mod stats;
mod storages;
mod stress;
mod threads;
