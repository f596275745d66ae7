//! Workers are threads. Lending them `&T` requires `T: Sync`. Lending them `&mut T`, or moving
//! values to them, requires `T: Send`.
use std::cell::Cell;
use std::rc::Rc;
use std::sync::MutexGuard;

use atomicarena::{ParDrain, ParIntoIter, ParIter, ParIterMut};

fn send<T: Send>() {}
fn sync<T: Sync>() {}

type C = Cell<u8>;
type G = MutexGuard<'static, u8>;
type R = Rc<u8>;

fn types() {
    send::<ParIter<'static, C>>(); //~ E0277
    sync::<ParIter<'static, C>>(); //~ E0277
    sync::<ParIterMut<'static, C>>(); //~ E0277
    sync::<ParDrain<'static, C>>(); //~ E0277
    send::<ParIterMut<'static, G>>(); //~ E0277
    send::<ParDrain<'static, G>>(); //~ E0277
    send::<ParIntoIter<G>>(); //~ E0277
    sync::<ParIntoIter<G>>(); //~ E0277
    send::<ParIter<'static, R>>(); //~ E0277
    send::<ParIterMut<'static, R>>(); //~ E0277
    send::<ParDrain<'static, R>>(); //~ E0277
    send::<ParIntoIter<R>>(); //~ E0277
}

fn main() {
    types();
}
