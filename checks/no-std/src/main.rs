//! A program for x86-64 Linux that fills a `static` arena without std, without alloc and without a
//! C library.
//!
//! It exits with 0 if all checks succeed. If a check fails, it exits with the number of that check.
//! It exits with 100 if a step between the checks fails, and with 101 after a panic.
//! `checks/no-std/run` builds and runs it.

#![no_std]
#![no_main]

mod system;

use core::mem::MaybeUninit;

use atomicarena::{AtomicArena, StaticArena};

/// An arena in zeroed memory, which takes no bytes in the program file.
static EVENTS: StaticArena<u64, 64> = StaticArena::new();

/// The bytes of a borrowed arena. In firmware they may be a section that the linker script defines.
static mut POOL: [MaybeUninit<u8>; 100] = [MaybeUninit::uninit(); 100];

fn run() -> i32 {
    // Checks are numbered from 1, in the order in which they run.
    let mut check = 0;
    macro_rules! check {
        ($($what:tt)*) => {{
            check += 1;
            if !($($what)*) {
                return check;
            }
        }};
    }

    // A value that lives as long as the program.
    let Ok(owned) = EVENTS.alloc(7) else { return 100 };
    let owned: &'static mut u64 = owned;
    *owned += 1;
    check!(*owned == 8 && EVENTS.get(0).is_none());
    check!(EVENTS.publish(9).is_ok_and(|(index, value)| index == 1 && *value == 9));
    check!(EVENTS.get(1) == Some(&9));
    check!(EVENTS.alloc_slice_copy(&[1, 2, 3]).is_ok_and(|slice| *slice == [1, 2, 3]));

    // A run that is partly returned, and the run of a `Local`.
    let Ok(mut run) = EVENTS.reserve(20) else { return 100 };
    check!(run.fill_from_iter(0..5) == 5);
    check!(run.publish().1.len() == 5 && EVENTS.count() == 10);
    let mut local = EVENTS.local();
    check!(local.publish(11).is_ok());
    drop(local);
    check!(EVENTS.iter().map(|(_index, value)| *value).sum::<u64>() == 9 + 10 + 11);

    // A full arena is an ordinary error, which returns the value.
    while EVENTS.alloc(1).is_ok() {}
    check!(EVENTS.publish(5).is_err_and(|full| full.into_inner() == 5) && EVENTS.is_full());

    // An arena in borrowed bytes, with exclusive access.
    let pool = &raw mut POOL;
    // SAFETY: no other code uses `POOL`, and this function runs once.
    let Ok(mut arena) = AtomicArena::<u32, _>::in_bytes(unsafe { &mut *pool }) else { return 100 };
    check!(arena.capacity() >= 19);
    check!(arena.fill_with(|index| index as u32).len() == arena.capacity());
    arena.reset();
    check!(arena.is_empty() && arena.alloc_from_iter(0..3).is_ok());

    // An arena on the stack, dropped like any value.
    let mut on_the_stack = StaticArena::<_, 2>::new();
    check!(on_the_stack.alloc([0u8; 3]).is_ok() && on_the_stack.drain().count() == 1);
    0
}
