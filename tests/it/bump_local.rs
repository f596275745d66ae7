//! `LocalBump`: the bytes that it holds, and those that it returns.

use std::mem;
use std::thread;

use atomicarena::AtomicBump;
#[cfg(all(feature = "std", target_pointer_width = "64"))]
use atomicarena::LocalBump;

#[cfg(all(feature = "std", target_pointer_width = "64"))]
use crate::payload::SHARDS_FORCED;

const LARGE: usize = if cfg!(miri) { 64 << 10 } else { 1 << 20 };

fn address(bytes: &mut [u8]) -> usize {
    bytes.as_ptr().addr()
}

#[test]
fn a_dropped_handle_returns_what_it_did_not_hand_out() {
    for capacity in [4_000, LARGE] {
        let bump = AtomicBump::with_capacity(capacity);
        let mut local = bump.local();
        assert_eq!(bump.used(), 0);
        local.alloc(1u64).unwrap();
        local.alloc_str("ten bytes.").unwrap();
        assert!(bump.used() > 18);
        drop(local);
        assert_eq!(bump.used(), 18);
        assert_eq!(bump.local().alloc_str("six").unwrap(), "six");
        assert_eq!(bump.used(), 21);
    }
}

#[test]
fn one_run_is_extended_in_place_and_packs_values() {
    for capacity in [60_000, 1 << 20] {
        let bump = AtomicBump::with_capacity(capacity);
        let mut local = bump.local();
        let first = address(local.alloc_slice_copy(&[0u8; 10]).unwrap());
        for i in 1..2_000 {
            assert_eq!(address(local.alloc_slice_copy(&[0u8; 10]).unwrap()), first + 10 * i);
        }
    }
}

#[test]
fn a_leaked_handle_keeps_its_run_until_the_reset() {
    let mut bump = AtomicBump::with_capacity(LARGE);
    let mut local = bump.local();
    let kept = local.alloc(7u64).unwrap();
    let _ = mem::ManuallyDrop::new(local);
    *kept += 1;
    let used = bump.used();
    assert!((8..=LARGE / 16).contains(&used) && bump.alloc(1u8).is_ok());
    bump.reset();
    assert_eq!(bump.used(), 0);
    assert!(bump.alloc_uninit_slice::<u8>(LARGE).is_ok());
}

#[test]
fn a_handle_serves_what_is_longer_than_its_run() {
    let bump = AtomicBump::with_capacity(1 << 20);
    let mut local = bump.local();
    let long = if cfg!(miri) { [3_000, 5_000] } else { [70_000, 200_000] };
    for len in [1, 300, 600, 5_000, long[0], 3, long[1]] {
        assert!(local.alloc_slice_with(len, |i| i as u8).unwrap().iter().enumerate().all(|(i, &b)| b == i as u8));
    }
    assert!(local.alloc_uninit_slice::<u8>(1 << 20).is_err());
    assert!(local.alloc(1u8).is_ok());
}

// Returned bytes are kept in gaps, which need std and a 64-bit target.
#[cfg(all(feature = "std", target_pointer_width = "64"))]
#[test]
fn handles_and_the_bump_use_up_every_byte() {
    const LEN: usize = if cfg!(miri) { 64 } else { 1 };
    for capacity in [1_000, LARGE] {
        let bump = AtomicBump::with_capacity(capacity);
        let (mut a, mut b) = (bump.local(), bump.local());
        let mut count = 0;
        let each: [&mut dyn FnMut() -> bool; 3] =
            [&mut || a.alloc([1u8; LEN]).is_ok(), &mut || b.alloc([2u8; LEN]).is_ok(), &mut || {
                bump.alloc([3u8; LEN]).is_ok()
            }];
        for alloc in each {
            let mut limit = capacity / 3 / LEN;
            while limit > 0 && alloc() {
                limit -= 1;
                count += LEN;
            }
        }
        drop((a, b));
        while bump.alloc(4u8).is_ok() {
            count += 1;
        }
        assert_eq!((bump.used(), bump.remaining()), (capacity, 0));
        // Bytes are lost only if more rests are returned than the gaps can keep.
        assert!(count + 64 >= capacity, "{count} of {capacity}");
        assert!(bump.local().alloc(5u8).is_err());
    }
}

#[test]
fn a_handle_may_move_to_another_thread() {
    let bump = AtomicBump::with_capacity(LARGE);
    let mut local = bump.local();
    let a = local.alloc(String::from("a")).unwrap();
    let b = thread::scope(|scope| scope.spawn(|| local.alloc(String::from("b")).unwrap()).join().unwrap());
    assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
    // The bump does not drop the strings, so the test drops them.
    for text in [a, b] {
        drop(mem::take(text));
    }
}

// Returned bytes are kept in gaps, which need std and a 64-bit target.
#[cfg(all(feature = "std", target_pointer_width = "64"))]
mod kept {
    use super::*;

    /// The length of a block that is too long to begin a refill, so that it moves the cursor. A
    /// multiple of a line.
    const LONG: usize = 64 * 79;

    /// Stores a number with a new handle, and moves the cursor, so that the handle's rest cannot be
    /// returned there. The rest of its first run has 504 bytes.
    fn leave_rest(bump: &AtomicBump) {
        let mut local = bump.local();
        local.alloc(1u64).unwrap();
        bump.alloc_slice_copy(&[0u8; LONG]).unwrap();
    }

    #[test]
    fn the_next_handle_takes_what_a_handle_returned() {
        let bump = AtomicBump::with_capacity(LARGE);
        for round in 1..=LARGE / (LONG + 64) {
            leave_rest(&bump);
            // No byte is lost, unless shards are forced. Then a shard keeps only one run.
            assert!(bump.used() == round * (8 + LONG) || SHARDS_FORCED);
        }
    }

    #[test]
    fn a_handle_that_takes_a_returned_run_returns_its_own_rest() {
        let bump = AtomicBump::with_capacity(LARGE);
        let mut local = bump.local();
        local.alloc(1u64).unwrap();
        leave_rest(&bump);
        // The last of these does not fit in the first run, and is stored in the returned run.
        let values = [(); 13].map(|()| address(local.alloc([0u8; 40]).unwrap()));
        assert!(values[..12].windows(2).all(|pair| pair[1] == pair[0] + 40));
        assert_eq!(values[12], values[0] + 512);
        drop(local);
        assert_eq!(bump.used(), 8 + 13 * 40 + 8 + LONG);
    }

    #[test]
    fn a_returned_run_that_is_too_short_is_not_taken() {
        let bump = AtomicBump::with_capacity(LARGE);
        leave_rest(&bump);
        let mut local = bump.local();
        local.alloc([0u8; 600]).unwrap();
        // The second value is stored in the run that the handle took for the first.
        let used = bump.used();
        local.alloc([0u8; 600]).unwrap();
        assert_eq!(bump.used(), used);
    }

    #[test]
    fn a_long_returned_run_is_not_taken() {
        let bump = AtomicBump::with_capacity(LARGE);
        let failed = bump.alloc_try_with(|| {
            bump.alloc_slice_copy(&[0u8; LONG]).unwrap();
            // More than a sixteenth of the bytes that are left at the cursor.
            Err::<[u8; LARGE / 8], _>(())
        });
        assert!(failed.unwrap().is_err());
        assert_eq!(bump.used(), LONG);
        let mut local = bump.local();
        local.alloc(1u64).unwrap();
        assert!(bump.used() <= LONG + 512);
    }
}

#[cfg(all(feature = "std", target_pointer_width = "64"))]
#[test]
fn many_handles_come_and_go() {
    let bump = AtomicBump::with_capacity(LARGE);
    let rounds = if cfg!(miri) { 20 } else { 1_000 };
    thread::scope(|scope| {
        for id in 0..4u64 {
            let bump = &bump;
            scope.spawn(move || {
                for round in 0..rounds {
                    let mut local: LocalBump<'_> = bump.local();
                    let values = [local.alloc(id).unwrap(), local.alloc(round).unwrap(), bump.alloc(id).unwrap()];
                    assert_eq!(values.map(|value| *value), [id, round, id]);
                }
            });
        }
    });
    if !SHARDS_FORCED {
        assert!(bump.used() >= 4 * 24 * rounds as usize && bump.used() <= LARGE / 2, "{}", bump.used());
    }
}
