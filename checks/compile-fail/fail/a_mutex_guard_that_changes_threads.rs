//! `MutexGuard` is not `Send`, so an arena of guards is neither `Send` nor `Sync`. Handles, and
//! iterators through which a guard could be moved out, are not `Send` either.
use std::sync::MutexGuard;

use atomicarena::{
    AtomicArena, Borrowed, Drain, Heap, Inline, IntoIter, IterMut, Local, Mapped, Reservation, StaticArena,
};

type T = MutexGuard<'static, u8>;

fn send<T: Send>() {}
fn sync<T: Sync>() {}

fn main() {
    send::<AtomicArena<T>>(); //~ E0277
    sync::<AtomicArena<T>>(); //~ E0277
    send::<StaticArena<T, 1>>(); //~ E0277
    sync::<StaticArena<T, 1>>(); //~ E0277
    send::<AtomicArena<T, Borrowed<'static, T>>>(); //~ E0277
    sync::<AtomicArena<T, Borrowed<'static, T>>>(); //~ E0277
    send::<AtomicArena<T, Mapped<T>>>(); //~ E0277
    sync::<AtomicArena<T, Mapped<T>>>(); //~ E0277
    send::<Local<'static, T>>(); //~ E0277
    sync::<Local<'static, T>>(); //~ E0277
    send::<Reservation<'static, T>>(); //~ E0277
    sync::<Reservation<'static, T>>(); //~ E0277
    send::<IterMut<'static, T>>(); //~ E0277
    send::<Drain<'static, T>>(); //~ E0277
    send::<IntoIter<T, Heap<T>>>(); //~ E0277
    sync::<IntoIter<T, Heap<T>>>(); //~ E0277
    send::<IntoIter<T, Inline<T, 1>>>(); //~ E0277
    sync::<IntoIter<T, Inline<T, 1>>>(); //~ E0277
    send::<IntoIter<T, Borrowed<'static, T>>>(); //~ E0277
    sync::<IntoIter<T, Borrowed<'static, T>>>(); //~ E0277
    send::<IntoIter<T, Mapped<T>>>(); //~ E0277
    sync::<IntoIter<T, Mapped<T>>>(); //~ E0277
}
