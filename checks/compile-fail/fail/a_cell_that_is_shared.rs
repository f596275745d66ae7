//! An arena of `Cell` is `Sync`, but methods that lend `&Cell` are refused, and so are handles.
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
