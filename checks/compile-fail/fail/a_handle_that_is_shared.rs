//! A `Local` and a `Reservation` are for one thread at a time, whatever they hold.
use atomicarena::{Local, Reservation};

type T = u8;

fn sync<T: Sync>() {}

fn main() {
    sync::<Local<'static, T>>(); //~ E0277
    sync::<Reservation<'static, T>>(); //~ E0277
}
