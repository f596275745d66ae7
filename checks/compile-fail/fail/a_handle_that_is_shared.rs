//! A `Local` and a `Reservation` are for one thread at a time, for every type of values.
use atomicarena::{Local, Reservation};

type T = u8;

fn sync<T: Sync>() {}

fn main() {
    sync::<Local<'static, T>>(); //~ E0277
    sync::<Reservation<'static, T>>(); //~ E0277
}
