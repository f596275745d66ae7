//! These types are invariant in `T`. If one that can store values were covariant, a short-lived
//! `&str` could be stored where a `&'static str` is expected.
use atomicarena::{AtomicArena, Borrowed, IterMut, Local, Mapped, ParDrain, ParIntoIter, Reservation, StaticArena};

type Text = &'static str;

fn arena<'s>(long: AtomicArena<Text>) -> AtomicArena<&'s str> {
    long //~ error
}

fn shared_arena<'a, 's>(long: &'a AtomicArena<Text>) -> &'a AtomicArena<&'s str> {
    long //~ error
}

fn inline_arena<'a, 's>(long: &'a StaticArena<Text, 1>) -> &'a StaticArena<&'s str, 1> {
    long //~ error
}

type InBytes<T> = AtomicArena<T, Borrowed<'static, T>>;

fn arena_in_bytes<'a, 's>(long: &'a InBytes<Text>) -> &'a InBytes<&'s str> {
    long //~ error
}

type FromSystem<T> = AtomicArena<T, Mapped<T>>;

fn mapped_arena<'a, 's>(long: &'a FromSystem<Text>) -> &'a FromSystem<&'s str> {
    long //~ error
}

fn local<'a, 's>(long: Local<'a, Text>) -> Local<'a, &'s str> {
    long //~ error
}

fn reservation<'a, 's>(long: Reservation<'a, Text>) -> Reservation<'a, &'s str> {
    long //~ error
}

fn iter_mut<'a, 's>(long: IterMut<'a, Text>) -> IterMut<'a, &'s str> {
    long //~ error
}

fn par_drain<'a, 's>(long: ParDrain<'a, Text>) -> ParDrain<'a, &'s str> {
    long //~ error
}

fn par_into_iter<'s>(long: ParIntoIter<Text>) -> ParIntoIter<&'s str> {
    long //~ error
}

fn main() {}
