//! A pool lends the same arena to one thread after another. So if the arenas are not `Send`, the
//! pool and its guards are neither `Send` nor `Sync`.
use std::rc::Rc;
use std::sync::MutexGuard;

use atomicarena::{ArenaPool, Checkout, OwnedCheckout};

fn send<T: Send>() {}
fn sync<T: Sync>() {}

type R = Rc<u8>;
type G = MutexGuard<'static, u8>;

fn rc_and_guard() {
    send::<ArenaPool<R>>(); //~ E0277
    sync::<ArenaPool<R>>(); //~ E0277
    send::<Checkout<'static, R>>(); //~ E0277
    sync::<Checkout<'static, R>>(); //~ E0277
    send::<OwnedCheckout<R>>(); //~ E0277
    sync::<OwnedCheckout<R>>(); //~ E0277
    send::<ArenaPool<G>>(); //~ E0277
    sync::<ArenaPool<G>>(); //~ E0277
    send::<Checkout<'static, G>>(); //~ E0277
    sync::<Checkout<'static, G>>(); //~ E0277
    send::<OwnedCheckout<G>>(); //~ E0277
    sync::<OwnedCheckout<G>>(); //~ E0277
}

fn main() {
    rc_and_guard();
}
