//! The seal of `Storage` cannot be named, nor can the types that its hidden methods return.
use atomicarena::storage::sealed::Sealed; //~ E0603

fn main() {}
