//! Bumps without shards, the byte counts that a bump reports, and requests of 0 bytes.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::bump::*;

#[test]
fn bump_two_take_from_a_cursor_of_bytes() {
    explore_bytes(96, |ground| {
        let other = spawn_on(&ground, 1, |ground| ground.alloc(16));
        assert!(ground.alloc(32).is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(48);
    });
}

#[test]
fn bump_a_freed_block_is_returned_to_a_cursor_of_bytes() {
    explore_bytes(96, |ground| {
        let block = ground.alloc(64).unwrap();
        let other = spawn_on(&ground, 1, |ground| ground.alloc(48));
        ground.free(block);
        match other.join().unwrap() {
            // The request fits only if the block is freed first.
            Some(theirs) => assert!(theirs == (0..48) && ground.bump.used() == 48),
            None => assert_eq!(ground.bump.used(), 0),
        }
    });
}

#[test]
fn bump_a_block_that_grew_at_a_cursor_of_bytes_is_ordered_after_those_before() {
    explore_bytes(96, |ground| {
        let block = ground.alloc(32).unwrap();
        let next = ground.alloc(32).unwrap();
        let other = spawn_on(&ground, 1, move |ground| ground.grow(block, 48));
        ground.free(next);
        if let Some(grown) = other.join().unwrap() {
            ground.write(&grown);
            // The block grew in place, or was moved to the bytes after its old place. In the second
            // case the old bytes are lost.
            assert_eq!(ground.bump.used(), grown.end);
        }
    });
}

#[test]
fn bump_the_high_water_mark_never_falls() {
    explore(6, |ground| {
        let reader = spawn_on(&ground, 1, |ground| [ground.bump.high_water(), ground.bump.high_water()]);
        let long = ground.alloc(5 * LINE).unwrap();
        // Freeing the block retracts the cursor.
        ground.free(long);
        assert!(reader.join().unwrap().is_sorted());
        assert_eq!((ground.bump.used(), ground.bump.high_water()), (0, 5 * LINE));
    });
}

#[test]
fn bump_counts_beside_a_refill() {
    explore(4, |ground| {
        let reader = spawn_on(&ground, 1, |ground| {
            let (used, high) = (ground.bump.used(), ground.bump.high_water());
            assert!(used <= 4 * LINE && high <= 4 * LINE);
            if used > 0 {
                assert!(ground.bump.high_water() > 0);
            }
        });
        if let Some(block) = ground.alloc(3 * LINE) {
            ground.free(block);
        }
        assert!(ground.alloc(16).is_some());
        reader.join().unwrap();
        assert!(ground.bump.high_water() >= 3 * LINE);
    });
}

#[test]
fn bump_without_bytes_nothing_is_touched() {
    /// Returns the number of interleavings if one thread calls `run` while another allocates.
    fn interleavings(run: impl Fn(&Ground) + Copy + Send + Sync + 'static) -> usize {
        let executions = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = executions.clone();
        explore(2, move |ground| {
            counted.fetch_add(1, Ordering::Relaxed);
            let other = spawn_on(&ground, 1, run);
            assert!(ground.alloc(GRAIN).is_some());
            other.join().unwrap();
        });
        executions.load(Ordering::Relaxed)
    }
    let requests = interleavings(|ground| {
        ground.bump.alloc(()).unwrap();
        ground.bump.alloc_slice_copy::<u64>(&[]).unwrap();
        assert_eq!(ground.bump.alloc_fmt(format_args!("{}", "")).unwrap().len(), 0);
        ground.bump.alloc_layout(layout(0, 64)).unwrap();
        ground.bump.alloc_with(|| ()).unwrap();
        let mut local = ground.bump.local();
        local.alloc(()).unwrap();
        local.alloc_slice_with(3, |_| ()).unwrap();
    });
    // A thread that reads what another thread writes adds interleavings.
    assert_eq!(requests, interleavings(|_| ()));
    assert!(requests < interleavings(|ground| _ = ground.bump.remaining()));
}
