//! Bumps: the runs of a `LocalBump`, and what it returns.

use loom::sync::Arc;

use super::bump::*;

#[test]
fn bump_the_cursor_is_retracted_before_a_refill() {
    explore(3, |ground| {
        // The handle returns its rest to the cursor. The other thread may take these bytes.
        let other = spawn_on(&ground, 1, |ground| ground.alloc(LINE));
        let mut local = ground.local();
        let mine = local.alloc_layout(layout(16, 1)).ok().map(|bytes| ground.own(bytes));
        drop(local);
        let theirs = other.join().unwrap();
        assert!(theirs.is_some() && mine.is_some());
        ground.assert_exact(LINE + 16);
    });
}

#[test]
fn bump_a_handle_takes_what_another_thread_returns() {
    explore(5, |ground| {
        let first = ground.alloc(64).unwrap();
        assert!(ground.alloc(64).is_some());
        // If the block is kept in time, the handle takes it as its run.
        let other = spawn_on(&ground, 2, |ground| {
            let mut local = ground.local();
            let mine = local.alloc_layout(layout(16, 1)).ok().map(|bytes| ground.own(bytes));
            mine.map_or(0, |block| block.len())
        });
        ground.free(first);
        let held = 64 + other.join().unwrap();
        // If the handle has taken a run at the cursor, the block may replace the rest of this run.
        let lost = ground.bump.used() - held;
        assert!(lost == 0 || lost == 48);
        ground.assert_exact(held + lost);
    });
}

/// Fills the first refill of this thread's shard with one block, which a thread of the other shard
/// frees, so that its shard keeps the bytes. Then that thread calls `run`.
fn with_a_kept_refill(ground: &Arc<Ground>, run: impl FnOnce(&Ground) + 'static) {
    let block = ground.alloc(LINE).unwrap();
    let block = ground.grow(block, 2 * LINE).unwrap();
    assert_eq!(block, 0..2 * LINE);
    let other = spawn_on(ground, 1, move |ground| {
        ground.free(block);
        run(ground);
    });
    other.join().unwrap();
}

// In the next two models, retracting the cursor over the run of a handle would put it below the end
// of a refill. The next refill of that shard would be mistaken for one that was already installed.

#[test]
fn bump_a_run_of_kept_bytes_does_not_retract_the_cursor() {
    explore(6, |ground| {
        with_a_kept_refill(&ground, |ground| {
            let mut local = ground.local();
            let bytes = local.alloc_try_with(|| Err::<[u8; 16], _>(()));
            assert!(matches!(bytes, Ok(Err(()))));
        });
        assert!(ground.alloc(LINE).is_some());
        ground.assert_exact(LINE);
    });
}

#[test]
fn bump_a_run_of_kept_bytes_is_not_extended() {
    explore(8, |ground| {
        with_a_kept_refill(&ground, |ground| {
            let mut local = ground.local();
            assert!(local.alloc_try_with(|| Err::<[u8; 16], _>(())).is_ok());
            // The run ends at the cursor. If it were extended, the shard would keep more than
            // `SHARD_LIMIT` bytes. A block of that length would count as one from the cursor,
            // although it contains bytes of a refill.
            assert!(local.alloc_try_with(|| Err::<[u8; 300], _>(())).is_ok());
            drop(local);
            if let Some(long) = ground.alloc(5 * LINE) {
                ground.free(long);
            }
        });
        assert!(ground.alloc(LINE).is_some());
        ground.assert_exact(LINE);
    });
}
