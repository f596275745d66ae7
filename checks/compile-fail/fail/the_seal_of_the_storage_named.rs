//! No other crate can name the trait that seals `Storage`, because it is in a private module.
use atomicarena::storage::sealed::Sealed; //~ E0603

fn main() {}
