//! No type is contravariant in `T` or in its lifetime. If one were, safe code could make a
//! reference outlive what it refers to.
use atomicarena::{AtomicArena, Iter, Key, Local, ParDrain, ParIntoIter, ParIter, Reservation};

type Text = &'static str;

fn shared_arena<'a, 's>(short: &'a AtomicArena<&'s str>) -> &'a AtomicArena<Text> {
    short //~ error
}

fn iter<'a, 's>(short: Iter<'a, &'s str>) -> Iter<'a, Text> {
    short //~ error
}

fn local<'a, 's>(short: Local<'a, &'s str>) -> Local<'a, Text> {
    short //~ error
}

fn reservation<'a, 's>(short: Reservation<'a, &'s str>) -> Reservation<'a, Text> {
    short //~ error
}

fn par_iter<'a, 's>(short: ParIter<'a, &'s str>) -> ParIter<'a, Text> {
    short //~ error
}

fn par_drain<'a, 's>(short: ParDrain<'a, &'s str>) -> ParDrain<'a, Text> {
    short //~ error
}

fn par_into_iter<'s>(short: ParIntoIter<&'s str>) -> ParIntoIter<Text> {
    short //~ error
}

fn key<'s>(short: Key<&'s str>) -> Key<Text> {
    short //~ error
}

fn longer_par_borrow<'a>(short: ParIter<'a, u8>) -> ParIter<'static, u8> {
    short //~ error
}

fn longer_borrow<'a>(short: Iter<'a, u8>) -> Iter<'static, u8> {
    short //~ error
}

fn main() {}
