//! `Local` and `Reservation` are never `Sync`, whatever the type of the values.
use atomicarena::{Local, Reservation};

type T = u8;

fn sync<T: Sync>() {}

fn main() {
    sync::<Local<'static, T>>(); //~ E0277
    sync::<Reservation<'static, T>>(); //~ E0277
}
