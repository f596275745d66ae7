//! The first steps with an arena: `cargo run --example quickstart`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::thread;

use atomicarena::AtomicArena;

fn main() -> Result<(), Box<dyn Error>> {
    // A fixed capacity: 8 numbers.
    let mut arena = AtomicArena::<u64>::try_with_capacity(8)?;
    println!("an arena for {} numbers", arena.capacity());

    // One value. No other thread can see it, so it can be changed.
    let one = arena.alloc(41)?;
    *one += 1;
    println!("one value: {one}");
    assert_eq!(*one, 42);

    // Several values at once, contiguous: all of them, or an error and none.
    let several = arena.alloc_slice_copy(&[1, 2, 3])?;
    println!("several at once: {several:?}");
    assert_eq!(several, [1, 2, 3]);
    assert_eq!((arena.count(), arena.remaining()), (4, 4));

    // While the arena is borrowed with `&mut`, it has no other users. The free slots can be filled,
    // and all values form one slice.
    let all = arena.fill_with(|index| 100 + index as u64);
    println!("the rest filled: {all:?}");
    assert_eq!(all, [42, 1, 2, 3, 104, 105, 106, 107]);

    // Every thread can read published values by index. A value that was stored but not published
    // can be accessed only through its `&mut`, or through a `&mut` borrow of the arena.
    assert_eq!(arena.get(4), None);
    arena.publish_all();
    println!("at index 4: {:?}, at index 8: {:?}", arena.get(4), arena.get(8));
    assert_eq!(arena.get(4), Some(&104));
    assert_eq!(arena.get(8), None);
    assert_eq!(arena.get_wrapping(8), arena.get(0), "index 8 of a ring of 8 slots is index 0");

    // A full arena is an ordinary error. The error says how many slots were requested and how many
    // remain, and returns the value.
    let full = arena.alloc(7).expect_err("8 numbers are stored");
    println!("one more: {full}");
    assert_eq!(full.remaining(), 0);
    assert_eq!(full.into_inner(), 7);

    // All values are dropped at once. The compiler ensures that no reference to an old value is
    // left.
    arena.reset();
    println!("after the reset: {} in it, room for {}", arena.count(), arena.remaining());
    assert!(arena.is_empty());
    assert_eq!(arena.get(4), None);

    // The purpose of an arena: many threads fill it at once, without locks.
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
