//! What seals `Storage` cannot be named, nor can what its hidden methods return.
use atomicarena::storage::sealed::Sealed; //~ E0603

fn main() {}
