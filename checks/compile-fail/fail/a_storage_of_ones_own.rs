//! `Storage` is sealed, so no other crate can implement it.
use atomicarena::{Heap, Storage};

struct Mine;

unsafe impl Storage<u8> for Mine {} //~ E0046 E0277

struct Value;

// Nor can another crate implement it for `Heap<u8>` and a value type of its own.
unsafe impl Storage<Value> for Heap<u8> {} //~ E0046 E0277

fn main() {}
