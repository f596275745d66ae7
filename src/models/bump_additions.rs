//! Bumps: the addition that takes bytes on the fast path. Another thread may change the shard
//! between the two accesses of the fast path: after this thread has seen enough bytes in the shard,
//! and before it takes them.

use super::bump::*;
use crate::raw::thread_id::set_thread_id;

#[test]
fn bump_the_bytes_are_others_than_those_seen() {
    explore(2, |ground| {
        let block = ground.alloc(32).unwrap();
        // The other thread shares the shard, and may extend the rest downwards.
        let other = spawn_on(&ground, 2, |ground| ground.free(block));
        let mine = ground.alloc(16).unwrap();
        other.join().unwrap();
        assert_eq!(ground.bump.used(), 16);
        while let Some(block) = ground.alloc(16) {
            assert!(block.end <= mine.start || mine.end <= block.start);
        }
    });
}

#[test]
fn bump_the_bytes_are_less_aligned_than_those_seen() {
    explore(2, |ground| {
        let block = ground.alloc(32).unwrap();
        let other = spawn_on(&ground, 2, |ground| {
            ground.free(block);
            ground.alloc(16)
        });
        let mine = ground.alloc_aligned(16, 32).unwrap();
        assert_eq!(mine.start % 32, 0);
        let theirs = other.join().unwrap().unwrap();
        assert!(mine.end <= theirs.start || theirs.end <= mine.start);
        // Up to 16 bytes are lost as padding.
        let used = ground.bump.used();
        assert!((32..=48).contains(&used));
        ground.assert_exact(used);
    });
}

#[test]
fn bump_fewer_bytes_are_left_than_those_seen() {
    explore(2, |ground| {
        assert!(ground.alloc(16).is_some());
        // Only one of the two requests fits in the 112 bytes that are left.
        let other = spawn_on(&ground, 1, |ground| ground.alloc(64).map_or(0, |block| block.len()));
        let mine = ground.alloc(64).map_or(0, |block| block.len());
        let theirs = other.join().unwrap();
        assert!(mine + theirs >= 64);
        ground.assert_exact(16 + mine + theirs);
    });
}

#[test]
fn bump_a_run_is_refilled_after_more_was_taken_than_was_left() {
    explore(6, |ground| {
        assert!(ground.alloc(64).is_some() && ground.alloc(16).is_some());
        // The other threads share the shard. One of them may take bytes that this thread has seen.
        // The other one may refill the shard after this thread has taken more than was left.
        let others = [2, 2].map(|id| spawn_on(&ground, id, |ground| ground.alloc(32)));
        assert!(ground.alloc(48).is_some());
        assert!(others.into_iter().all(|other| other.join().unwrap().is_some()));
        ground.assert_exact(80 + 48 + 64);
    });
}

#[test]
fn bump_a_run_is_not_extended_by_bytes_above_its_end() {
    explore(4, |ground| {
        assert!(ground.alloc(16).is_some());
        // This block starts where the run of the first shard ends.
        set_thread_id(1);
        let above = ground.alloc(32).unwrap();
        set_thread_id(0);
        let other = spawn_on(&ground, 2, |ground| {
            let block = ground.alloc(48).unwrap();
            ground.free(above);
            block.len()
        });
        // If the addition takes 32 bytes more than are left, it moves the start of the run to the
        // end of `above`. The run is then empty, and freeing `above` must not extend it.
        let mine = ground.alloc(96).map_or(0, |block| block.len());
        let theirs = other.join().unwrap();
        ground.assert_exact(16 + theirs + mine);
    });
}
