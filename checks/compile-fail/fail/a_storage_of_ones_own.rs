//! `Storage` is sealed: nobody else says where the bytes are.
use atomicarena::{Heap, Storage};

struct Mine;

unsafe impl Storage<u8> for Mine {} //~ E0046 E0277

struct Value;

// Nor of other values, for a storage that there is.
unsafe impl Storage<Value> for Heap<u8> {} //~ E0046 E0277

fn main() {}
