//! `Iter` only lends `&T`, so it is covariant. An iterator over long-lived references can be used
//! where one over short-lived references is expected.
use atomicarena::{AtomicArena, Iter};

fn same<'a, 's>(long: Iter<'a, &'static str>, short: Iter<'a, &'s str>) -> [Iter<'a, &'s str>; 2] {
    [long, short]
}

fn shorter_borrow<'s, 'l: 's>(long: Iter<'l, u8>, _: &'s u8) -> Iter<'s, u8> {
    long
}

fn main() {
    let long = AtomicArena::<&'static str>::with_capacity(1);
    long.publish("long").unwrap();
    let text = String::from("short");
    let short = AtomicArena::<&str>::with_capacity(1);
    short.publish(&text).unwrap();
    let all: Vec<&str> = same(long.iter(), short.iter()).into_iter().flatten().map(|(_, text)| *text).collect();
    assert_eq!(all, ["long", "short"]);
    shorter_borrow(AtomicArena::with_capacity(1).iter(), &1);
}
