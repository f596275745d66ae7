//! The first steps with an arena: `cargo run --example quickstart`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::thread;

use atomicarena::AtomicArena;

fn main() -> Result<(), Box<dyn Error>> {
    // Room for 8 numbers, once and for all.
    let mut arena = AtomicArena::<u64>::try_with_capacity(8)?;
    println!("an arena for {} numbers", arena.capacity());

    // One value. Nobody else can see it: it is ours to change.
    let one = arena.alloc(41)?;
    *one += 1;
    println!("one value: {one}");
    assert_eq!(*one, 42);

    // Several at once, side by side: all of them, or an error and none.
    let several = arena.alloc_slice_copy(&[1, 2, 3])?;
    println!("several at once: {several:?}");
    assert_eq!(several, [1, 2, 3]);
    assert_eq!((arena.count(), arena.remaining()), (4, 4));

    // `&mut` of the arena means that nobody else uses it. What is free can be filled, and all of it seen as one slice.
    let all = arena.fill_with(|index| 100 + index as u64);
    println!("the rest filled: {all:?}");
    assert_eq!(all, [42, 1, 2, 3, 104, 105, 106, 107]);

    // By index every thread can read what is published; what comes from `alloc` belongs to its owner until then.
    assert_eq!(arena.get(4), None);
    arena.publish_all();
    println!("at index 4: {:?}, at index 8: {:?}", arena.get(4), arena.get(8));
    assert_eq!(arena.get(4), Some(&104));
    assert_eq!(arena.get(8), None);
    assert_eq!(arena.get_wrapping(8), arena.get(0), "the same as a ring");

    // Full is an ordinary error. It says what was missing and gives the value back.
    let full = arena.alloc(7).expect_err("there are 8 in it");
    println!("one more: {full}");
    assert_eq!(full.remaining(), 0);
    assert_eq!(full.into_inner(), 7);

    // Emptied, all at once. The compiler sees to it that no reference to an old value is left.
    arena.reset();
    println!("after the reset: {} in it, room for {}", arena.count(), arena.remaining());
    assert!(arena.is_empty());
    assert_eq!(arena.get(4), None);

    // And what it is for: many threads fill it at once, without a lock, and none is in the way of another.
    thread::scope(|scope| {
        for thread in 0..4 {
            let arena = &arena;
            scope.spawn(move || {
                for n in 0..2 {
                    arena.publish(10 * thread + n).expect("4 times 2 fit into 8");
                }
            });
        }
    });
    let mut values: Vec<u64> = arena.iter().map(|(_, &value)| value).collect();
    values.sort_unstable();
    println!("from four threads: {values:?}");
    assert!(arena.is_full());
    assert_eq!(values, [0, 1, 10, 11, 20, 21, 30, 31]);
    Ok(())
}
