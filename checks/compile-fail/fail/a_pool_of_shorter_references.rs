//! A pool and its guards give access to arenas in which values can be stored through `&self`, so
//! they are invariant in `T`. A guard's borrow of its pool cannot be lengthened.
use atomicarena::{ArenaPool, Checkout, OwnedCheckout};

type Text = &'static str;

fn pool<'a, 's>(long: &'a ArenaPool<Text>) -> &'a ArenaPool<&'s str> {
    long //~ error
}

fn longer_pool<'a, 's>(short: &'a ArenaPool<&'s str>) -> &'a ArenaPool<Text> {
    short //~ error
}

fn guard<'a, 's>(long: Checkout<'a, Text>) -> Checkout<'a, &'s str> {
    long //~ error
}

fn owned_guard<'s>(long: OwnedCheckout<Text>) -> OwnedCheckout<&'s str> {
    long //~ error
}

fn longer_borrow<'a>(short: Checkout<'a, u8>) -> Checkout<'static, u8> {
    short //~ error
}

fn main() {}
