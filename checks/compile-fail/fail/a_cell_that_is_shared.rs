//! An arena of `Cell`s is `Sync`, but its handles and sequential iterators are not. `Iter` and
//! `Values` lend `&Cell`, so they are not `Send` either.
use std::cell::Cell;

use atomicarena::{Borrowed, Drain, Heap, Inline, IntoIter, Iter, IterMut, Local, Mapped, Reservation, Values};

type T = Cell<u8>;

fn send<T: Send>() {}
fn sync<T: Sync>() {}

fn main() {
    sync::<Local<'static, T>>(); //~ E0277
    sync::<Reservation<'static, T>>(); //~ E0277
    send::<Iter<'static, T>>(); //~ E0277
    sync::<Iter<'static, T>>(); //~ E0277
    send::<Values<'static, T>>(); //~ E0277
    sync::<Values<'static, T>>(); //~ E0277
    sync::<IterMut<'static, T>>(); //~ E0277
    sync::<Drain<'static, T>>(); //~ E0277
    sync::<IntoIter<T, Heap<T>>>(); //~ E0277
    sync::<IntoIter<T, Inline<T, 1>>>(); //~ E0277
    sync::<IntoIter<T, Borrowed<'static, T>>>(); //~ E0277
    sync::<IntoIter<T, Mapped<T>>>(); //~ E0277
}
