//! Which arenas, handles, iterators and pools are `Send` and `Sync`, with plain values, with `Cell`
//! (only `Send`), and with `MutexGuard` (only `Sync`).
use std::cell::Cell;
use std::sync::MutexGuard;

use atomicarena::{
    ArenaPool, AtomicArena, Borrowed, Checkout, Drain, Heap, Inline, IntoIter, Iter, IterMut, Key, Local, Mapped,
    OwnedCheckout, ParDrain, ParIntoIter, ParIter, ParIterMut, Reservation, StaticArena, Values,
};

fn send<T: Send>() {}
fn sync<T: Sync>() {}

fn plain() {
    send::<AtomicArena<u8>>();
    sync::<AtomicArena<u8>>();
    send::<StaticArena<u8, 1>>();
    sync::<StaticArena<u8, 1>>();
    send::<AtomicArena<u8, Borrowed<'static, u8>>>();
    sync::<AtomicArena<u8, Borrowed<'static, u8>>>();
    send::<AtomicArena<u8, Mapped<u8>>>();
    sync::<AtomicArena<u8, Mapped<u8>>>();
    send::<Local<'static, u8>>();
    send::<Reservation<'static, u8>>();
    send::<Iter<'static, u8>>();
    sync::<Iter<'static, u8>>();
    send::<Values<'static, u8>>();
    sync::<Values<'static, u8>>();
    send::<IterMut<'static, u8>>();
    sync::<IterMut<'static, u8>>();
    send::<Drain<'static, u8>>();
    sync::<Drain<'static, u8>>();
    send::<IntoIter<u8, Heap<u8>>>();
    sync::<IntoIter<u8, Heap<u8>>>();
    send::<IntoIter<u8, Inline<u8, 1>>>();
    sync::<IntoIter<u8, Inline<u8, 1>>>();
    send::<IntoIter<u8, Borrowed<'static, u8>>>();
    sync::<IntoIter<u8, Borrowed<'static, u8>>>();
    send::<IntoIter<u8, Mapped<u8>>>();
    sync::<IntoIter<u8, Mapped<u8>>>();
    send::<ArenaPool<u8>>();
    sync::<ArenaPool<u8>>();
    send::<Checkout<'static, u8>>();
    sync::<Checkout<'static, u8>>();
    send::<OwnedCheckout<u8>>();
    sync::<OwnedCheckout<u8>>();
    send::<ParIter<'static, u8>>();
    sync::<ParIter<'static, u8>>();
    send::<ParIterMut<'static, u8>>();
    sync::<ParIterMut<'static, u8>>();
    send::<ParDrain<'static, u8>>();
    sync::<ParDrain<'static, u8>>();
    send::<ParIntoIter<u8>>();
    sync::<ParIntoIter<u8>>();
}

type C = Cell<u8>;

fn send_alone() {
    send::<AtomicArena<C>>();
    sync::<AtomicArena<C>>();
    send::<StaticArena<C, 1>>();
    sync::<StaticArena<C, 1>>();
    send::<AtomicArena<C, Borrowed<'static, C>>>();
    sync::<AtomicArena<C, Borrowed<'static, C>>>();
    send::<AtomicArena<C, Mapped<C>>>();
    sync::<AtomicArena<C, Mapped<C>>>();
    send::<Local<'static, C>>();
    send::<Reservation<'static, C>>();
    send::<IterMut<'static, C>>();
    send::<Drain<'static, C>>();
    send::<IntoIter<C, Heap<C>>>();
    send::<IntoIter<C, Inline<C, 1>>>();
    send::<IntoIter<C, Borrowed<'static, C>>>();
    send::<IntoIter<C, Mapped<C>>>();
    send::<ArenaPool<C>>();
    sync::<ArenaPool<C>>();
    send::<Checkout<'static, C>>();
    sync::<Checkout<'static, C>>();
    send::<OwnedCheckout<C>>();
    sync::<OwnedCheckout<C>>();
    send::<ParIterMut<'static, C>>();
    send::<ParDrain<'static, C>>();
    send::<ParIntoIter<C>>();
    sync::<ParIntoIter<C>>();
}

type G = MutexGuard<'static, u8>;

fn sync_alone() {
    send::<Iter<'static, G>>();
    sync::<Iter<'static, G>>();
    send::<Values<'static, G>>();
    sync::<Values<'static, G>>();
    sync::<IterMut<'static, G>>();
    sync::<Drain<'static, G>>();
    send::<ParIter<'static, G>>();
    sync::<ParIter<'static, G>>();
    sync::<ParIterMut<'static, G>>();
    sync::<ParDrain<'static, G>>();
}

/// A key holds no value, so it is `Send` and `Sync` for every `T`.
fn whatever_it_is() {
    send::<Key<*mut u8>>();
    sync::<Key<*mut u8>>();
}

fn main() {
    whatever_it_is();
    plain();
    send_alone();
    sync_alone();
}
