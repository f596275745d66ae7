//! A slice that `alloc_from_par_iter` returned cannot be used after the epoch. `ParIterMut` lends
//! `&mut T`, so it is invariant in `T`.
use atomicarena::{AtomicArena, ParIterMut};

fn shorter<'a, 's>(long: ParIterMut<'a, &'static str>) -> ParIterMut<'a, &'s str> {
    long //~ error
}

fn over_reset(mut arena: AtomicArena<u32>) {
    let values = arena.alloc_from_par_iter(vec![1, 2]).unwrap();
    arena.reset(); //~ E0502
    values[0] = 2;
}

fn main() {}
