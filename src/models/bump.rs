//! Bumps: refills, steals, blocks that grow, and bytes that are returned.
//!
//! Under loom a bump has two shards, each with one run and one gap for returned bytes. A refill
//! takes up to two lines. If a request does not fit in the shard, and is longer than half of a
//! refill, the cursor serves it.

use core::alloc::Layout;
use core::ops::Range;
use core::ptr::NonNull;
use std::vec::Vec;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use crate::raw::thread_id::set_thread_id;
use crate::{AtomicBump, LocalBump};

/// The number of bytes that share a cell.
pub(super) const GRAIN: usize = 16;
pub(super) const LINE: usize = 64;

/// A bump, and a cell for each `GRAIN` bytes. The owner of the bytes accesses the cell.
pub(super) struct Ground {
    pub(super) bump: AtomicBump,
    cells: Vec<UnsafeCell<()>>,
}

/// The offsets of the bytes of a block that the bump handed out.
pub(super) type Block = Range<usize>;

pub(super) fn explore(lines: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore_bytes(lines * LINE, model);
}

/// Like `explore`, with the size in bytes. A bump of fewer than two lines has no shards.
pub(super) fn explore_bytes(bytes: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    loom::model(move || {
        set_thread_id(0);
        let cells = (0..bytes / GRAIN).map(|_| UnsafeCell::new(())).collect();
        model(Arc::new(Ground { bump: AtomicBump::with_capacity(bytes), cells }));
    });
}

/// Calls `run` in a new thread with this id. The first thread has the id 0. A thread with an id
/// below 2 has an exclusive number. The shard of a thread is its id modulo 2, so the threads 0 and
/// 2 share a shard.
pub(super) fn spawn_on<R: 'static>(
    ground: &Arc<Ground>,
    id: usize,
    run: impl FnOnce(&Ground) -> R + 'static,
) -> JoinHandle<R> {
    let ground = ground.clone();
    thread::spawn(move || {
        set_thread_id(id);
        run(&ground)
    })
}

pub(super) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

impl Ground {
    /// Writes to a block, as its owner.
    pub(super) fn write(&self, block: &Block) {
        for cell in block.start / GRAIN..block.end.div_ceil(GRAIN) {
            self.cells[cell].with_mut(|_| ());
        }
    }

    pub(super) fn own(&self, bytes: NonNull<[u8]>) -> Block {
        let start = self.bump.view().offset(bytes.cast());
        let block = start..start + bytes.len();
        self.write(&block);
        block
    }

    pub(super) fn alloc(&self, size: usize) -> Option<Block> {
        self.alloc_aligned(size, 1)
    }

    pub(super) fn alloc_aligned(&self, size: usize, align: usize) -> Option<Block> {
        Some(self.own(self.bump.alloc_layout(layout(size, align)).ok()?))
    }

    pub(super) fn pointer(&self, block: &Block) -> NonNull<u8> {
        self.bump.view().pointer(block.start)
    }

    pub(super) fn free(&self, block: Block) {
        self.write(&block);
        // SAFETY: this bump handed out the block with this length. The block is not used
        // afterwards.
        unsafe { self.bump.view().free(self.pointer(&block), layout(block.len(), 1)) };
    }

    pub(super) fn grow(&self, block: Block, size: usize) -> Option<Block> {
        self.write(&block);
        // SAFETY: this bump handed out the block with this length, and `size` is at least as large.
        // If the call succeeds, only its result is used afterwards.
        let grown = unsafe { self.bump.view().grow(self.pointer(&block), layout(block.len(), 1), layout(size, 1)) };
        Some(self.own(NonNull::slice_from_raw_parts(grown?, size)))
    }

    pub(super) fn shrink(&self, block: Block, size: usize) -> Block {
        self.write(&block);
        // SAFETY: this bump handed out the block with this length, and `size` is at most as large.
        // Only the result is used afterwards.
        let rest = unsafe { self.bump.view().shrink(self.pointer(&block), layout(block.len(), 1), layout(size, 1)) };
        self.own(NonNull::slice_from_raw_parts(rest.unwrap(), size))
    }

    /// Takes bytes that are returned because the closure fails.
    pub(super) fn fail<const SIZE: usize>(&self) {
        // The closure does not know which bytes it was given, so it accesses no cell. The earlier
        // and later owners of the bytes access their cells.
        let _ = self.bump.alloc_try_with(|| Err::<[u8; SIZE], _>(()));
    }

    pub(super) fn local(&self) -> LocalBump<'_> {
        self.bump.local()
    }

    /// Asserts that `held` bytes are in use or lost, that all others can be allocated, and that
    /// none of these has two owners.
    pub(super) fn assert_exact(&self, held: usize) {
        let capacity = self.bump.capacity();
        assert_eq!((self.bump.used(), self.bump.remaining()), (held, capacity - held));
        assert!((held..capacity).step_by(GRAIN).all(|_| self.alloc(GRAIN).is_some()), "free bytes are refused");
        assert_eq!(self.alloc(1), None);
        assert_eq!(self.bump.high_water(), capacity);
    }
}

#[test]
fn bump_two_take_from_one_shard() {
    explore(2, |ground| {
        let other = spawn_on(&ground, 2, |ground| ground.alloc(16));
        let (mine, theirs) = (ground.alloc(32).unwrap(), other.join().unwrap().unwrap());
        assert!(mine.end <= theirs.start || theirs.end <= mine.start);
        ground.assert_exact(48);
    });
}

#[test]
fn bump_two_take_aligned_from_one_shard() {
    explore(2, |ground| {
        let other = spawn_on(&ground, 2, |ground| ground.alloc(16));
        let mine = ground.alloc_aligned(16, 32).unwrap();
        assert_eq!(mine.start % 32, 0);
        let theirs = other.join().unwrap().unwrap();
        // If bytes were skipped to align the block, they are lost.
        let lost = if theirs.start < mine.start { 16 } else { 0 };
        ground.assert_exact(32 + lost);
    });
}

#[test]
fn bump_a_pending_refill_is_in_sight() {
    explore(2, |ground| {
        // There is only one refill, and it moves all bytes to one of the two shards.
        let other = spawn_on(&ground, 1, |ground| ground.alloc(LINE));
        assert!(ground.alloc(LINE).is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(2 * LINE);
    });
}

#[test]
fn bump_a_pending_refill_is_in_sight_of_a_long_request() {
    explore(4, |ground| {
        let other = spawn_on(&ground, 1, |ground| ground.alloc(16));
        // In every order, the cursor has two lines left for this request.
        assert!(ground.alloc(2 * LINE).is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(2 * LINE + 16);
    });
}

#[test]
fn bump_three_take_all_there_is() {
    explore(3, |ground| {
        let others = [2, 1].map(|id| spawn_on(&ground, id, |ground| ground.alloc(LINE)));
        assert!(ground.alloc(LINE).is_some());
        assert!(others.into_iter().all(|other| other.join().unwrap().is_some()));
        ground.assert_exact(3 * LINE);
    });
}

#[test]
fn bump_two_refill_one_shard() {
    explore(4, |ground| {
        let twice = |ground: &Ground| [ground.alloc(LINE).unwrap(), ground.alloc(LINE).unwrap()];
        let other = spawn_on(&ground, 2, twice);
        twice(&ground);
        other.join().unwrap();
        ground.assert_exact(4 * LINE);
    });
}

#[test]
fn bump_two_refill_two_shards_again_and_again() {
    explore(5, |ground| {
        let other = spawn_on(&ground, 1, |ground| [ground.alloc(LINE).unwrap(), ground.alloc(LINE).unwrap()]);
        (0..3).for_each(|_| assert!(ground.alloc(LINE).is_some()));
        other.join().unwrap();
        ground.assert_exact(5 * LINE);
    });
}

#[test]
fn bump_a_rest_is_kept_and_stolen() {
    explore(5, |ground| {
        let other = spawn_on(&ground, 1, |ground| {
            let first = ground.alloc(80).unwrap();
            let second = ground.alloc(64).unwrap();
            first.len() + second.len()
        });
        // `first` ends within a line. The end of that line is kept in a gap of shard 1, from which
        // `assert_exact` steals it. The following request may come between the two requests of the
        // other thread.
        let mine = ground.alloc(2 * LINE).map_or(0, |block| block.len());
        let theirs = other.join().unwrap();
        ground.assert_exact(mine + theirs);
    });
}

#[test]
fn bump_a_returned_rest_is_displaced_and_taken_again() {
    explore(6, |ground| {
        assert!(ground.alloc(64).is_some() && ground.alloc(32).is_some());
        let last = ground.alloc(32).unwrap();
        // Takes the lines after the shard's run, so that the next refill cannot extend that run.
        assert!(ground.alloc(2 * LINE).is_some());
        // If the bytes are returned in time, the refill of the thread `displacing` displaces them,
        // and the shard keeps them in its gap. `displacing` uses up the refill.
        let displacing = spawn_on(&ground, 2, |ground| (0..2).filter(|_| ground.alloc(LINE).is_some()).count());
        // If the bytes are kept in time, the thread `taking` steals them. It makes no other
        // request, because other bytes of the shard would also order `taking` after the return.
        let taking = spawn_on(&ground, 1, |ground| ground.alloc(32).map_or(0, |block| block.len()));
        ground.free(last);
        let held = 96 + 2 * LINE + displacing.join().unwrap() * LINE + taking.join().unwrap();
        ground.assert_exact(held);
    });
}

#[test]
fn bump_a_block_grows_against_a_steal() {
    explore(2, |ground| {
        let block = ground.alloc(32).unwrap();
        let other = spawn_on(&ground, 1, |ground| ground.alloc(48).map_or(0, |block| block.len()));
        let before = ground.bump.used();
        assert!(before >= 32);
        let grown = ground.grow(block.clone(), 64);
        let stolen = other.join().unwrap();
        assert_eq!(stolen, 48);
        match grown {
            Some(grown) => {
                // The block grew in place. There are too few bytes to move it.
                ground.write(&grown);
                assert!(ground.bump.used() >= 64 + stolen);
            }
            None => ground.write(&block),
        }
    });
}

#[test]
fn bump_a_block_that_grew_is_ordered_after_those_before() {
    explore(2, |ground| {
        // If `next` is freed in time, the block grows over its bytes, which this thread has used.
        // Otherwise the block moves.
        let block = ground.alloc(32).unwrap();
        let next = ground.alloc(32).unwrap();
        let other = spawn_on(&ground, 2, move |ground| ground.grow(block, 64).unwrap());
        ground.free(next);
        ground.write(&other.join().unwrap());
    });
}

#[test]
fn bump_a_freed_block_is_taken_by_another() {
    explore(2, |ground| {
        let first = ground.alloc(96).unwrap();
        let last = ground.alloc(32).unwrap();
        assert_eq!((first, last.clone()), (0..96, 96..128));
        // The block came from the shard's gap for returned bytes, and is returned to this gap while
        // another thread steals.
        let other = spawn_on(&ground, 1, |ground| ground.alloc(32));
        ground.free(last);
        let stolen = usize::from(other.join().unwrap().is_some());
        ground.assert_exact(96 + 32 * stolen);
    });
}

#[test]
fn bump_a_freed_block_is_kept_and_taken_by_another() {
    explore(2, |ground| {
        let first = ground.alloc(32).unwrap();
        assert!(ground.alloc(96).is_some());
        let other = spawn_on(&ground, 1, |ground| ground.alloc(32));
        ground.free(first);
        let stolen = usize::from(other.join().unwrap().is_some());
        ground.assert_exact(96 + 32 * stolen);
    });
}

#[test]
fn bump_a_shrunk_block_is_taken_by_another() {
    explore(2, |ground| {
        let block = ground.alloc(64).unwrap();
        let block = ground.grow(block, 128).unwrap();
        let other = spawn_on(&ground, 1, |ground| ground.alloc(64));
        let rest = ground.shrink(block, 64);
        let stolen = usize::from(other.join().unwrap().is_some());
        ground.write(&rest);
        ground.assert_exact(64 + 64 * stolen);
    });
}

#[test]
fn bump_blocks_of_a_shard_do_not_retract_the_cursor() {
    explore(4, |ground| {
        // The upper block ends at the cursor, which is also the end of the shard's run.
        let [low, high] = [ground.alloc(LINE), ground.alloc(LINE)].map(Option::unwrap);
        let other = spawn_on(&ground, 1, |ground| ground.alloc(LINE));
        ground.free(high);
        ground.free(low);
        // If the cursor were at 0 again, the next refill would be mistaken for one that was already
        // installed.
        assert!(ground.alloc(LINE).is_some());
        assert!(other.join().unwrap().is_some());
        ground.assert_exact(2 * LINE);
    });
}

/// Takes and returns blocks until a block of 160 bytes ends where the rest of its shard starts, and
/// the rest ends at the cursor. Then 96 bytes before the block are held, and 128 bytes are left at
/// the cursor.
fn block_before_a_rest(ground: &Ground) -> Block {
    assert_eq!((ground.alloc(64), ground.alloc(32)), (Some(0..64), Some(64..96)));
    // This request begins a refill, which extends the rest.
    let block = ground.alloc(64).unwrap();
    let block = ground.grow(block, 160).unwrap();
    let next = ground.alloc(16).unwrap();
    ground.free(next);
    assert_eq!((block.clone(), ground.bump.used()), (96..256, 256));
    block
}

#[test]
fn bump_a_block_of_a_shard_does_not_outgrow_the_limit() {
    explore(8, |ground| {
        let block = block_before_a_rest(&ground);
        // If the block grew in place, it would be longer than a shard's run can be. It would then
        // be mistaken for a block from the cursor, and freeing it would retract the cursor. The
        // next refill would then be mistaken for one that was already installed.
        let block = ground.grow(block.clone(), 288).unwrap_or(block);
        ground.free(block);
        ground.assert_exact(96);
    });
}

#[test]
fn bump_a_shard_is_not_extended_beyond_the_limit() {
    explore(8, |ground| {
        let block = block_before_a_rest(&ground);
        ground.free(block);
        // The shard must not have a rest of 288 bytes, because freeing a block of this length would
        // retract the cursor, as in the previous model.
        if let Some(long) = ground.alloc(288) {
            ground.free(long);
        }
        ground.assert_exact(96);
    });
}

#[test]
fn bump_two_put_into_one_gap() {
    explore(4, |ground| {
        let blocks = [ground.alloc(16), ground.alloc(32), ground.alloc(80)].map(Option::unwrap);
        let [a, b, _] = blocks;
        let other = spawn_on(&ground, 2, move |ground| ground.free(a));
        ground.free(b);
        other.join().unwrap();
        // The longer block is kept, and the shorter one is lost.
        assert_eq!(ground.bump.used(), 80 + 16);
        ground.assert_exact(80 + 16);
    });
}

#[test]
fn bump_a_long_block_is_returned_to_the_cursor() {
    explore(6, |ground| {
        // The block is longer than a shard's run can be, so it comes from the cursor and is
        // returned there.
        let long = ground.alloc(5 * LINE).unwrap();
        let other = spawn_on(&ground, 1, |ground| ground.alloc(2 * LINE));
        ground.free(long);
        let theirs = other.join().unwrap();
        ground.assert_exact(theirs.map_or(0, |block| block.len()));
    });
}

#[test]
fn bump_a_long_block_is_returned_beside_refills_of_one_shard() {
    explore(7, |ground| {
        let long = ground.alloc(5 * LINE).unwrap();
        let others = [1, 3].map(|id| spawn_on(&ground, id, |ground| ground.alloc(LINE)));
        ground.free(long);
        for other in others {
            assert!(other.join().unwrap().is_some());
        }
        ground.assert_exact(2 * LINE);
    });
}

#[test]
fn bump_a_late_helper_beside_a_cursor_that_is_retracted() {
    explore(7, |ground| {
        let others = [1, 2].map(|id| spawn_on(&ground, id, |ground| ground.alloc(LINE)));
        if let Some(long) = ground.alloc(5 * LINE) {
            ground.free(long);
        }
        let got = others.into_iter().filter_map(|other| other.join().unwrap()).count();
        assert_eq!(got, 2);
        ground.assert_exact(2 * LINE);
    });
}

// In the next two models, the cursor may advance and return to its old value between another
// thread's load of the cursor and its exchange.

#[test]
fn bump_the_cursor_comes_back_beside_a_long_request() {
    explore(6, |ground| {
        let other = spawn_on(&ground, 1, |ground| ground.alloc(2 * LINE));
        if let Some(long) = ground.alloc(5 * LINE) {
            ground.free(long);
        }
        let theirs = other.join().unwrap();
        ground.assert_exact(theirs.map_or(0, |block| block.len()));
    });
}

#[test]
fn bump_the_cursor_comes_back_beside_a_refill() {
    explore(6, |ground| {
        // One of the two threads refills the shard. The other may take from the shard without
        // reading the cursor. (Reading the cursor would also order it after the return.)
        let others = [1, 3].map(|id| spawn_on(&ground, id, |ground| ground.alloc(16)));
        if let Some(long) = ground.alloc(5 * LINE) {
            ground.free(long);
        }
        let got = others.into_iter().filter_map(|other| other.join().unwrap()).count();
        ground.assert_exact(16 * got);
    });
}

#[test]
fn bump_a_failed_closure_beside_a_take() {
    explore(4, |ground| {
        let other = spawn_on(&ground, 2, |ground| ground.alloc(32));
        ground.fail::<48>();
        ground.fail::<96>();
        assert!(other.join().unwrap().is_some());
        // All returned bytes are in the shard or at the cursor again.
        assert!(ground.bump.used() == 32);
        ground.assert_exact(32);
    });
}
