//! Loom models of the shipping code, one for each edge and each protocol.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib
//! ```
//!
//! Loom sees only what goes through its own cells, and a slot does not. So the shipping code tells a cell beside the
//! slot when it stores a value, and when it lends a published one (`sync::AccessTracker`); and beside each slot stands a second
//! cell, for what the owners and the readers do with the reference they got. An edge that is missing, or a slot with two
//! owners, is an access that loom finds unordered. What must hold whatever the order is asserted after the join.

mod edges;
mod exact;
mod keys;
mod meetings;
mod shards;
mod singles;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use std::mem;
use std::num::NonZeroUsize;
use std::vec::Vec;

use crate::raw::thread_id::set_thread_id;
use crate::{AtomicArena, Key, Local, Reservation};

/// An arena, and a cell beside each slot.
struct Ground {
    arena: AtomicArena<u32>,
    cells: Vec<UnsafeCell<()>>,
}

/// Explores `model` on an arena of that capacity.
fn explore(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    loom::model(move || {
        let cells = (0..capacity).map(|_| UnsafeCell::new(())).collect();
        model(Arc::new(Ground { arena: AtomicArena::with_capacity(capacity), cells }));
    });
}

/// As `explore`, but single slots are taken from shards, of which there are two, in runs of two.
fn explore_shards(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore(capacity, move |ground| {
        ground.arena.view().activate_shards();
        model(ground);
    });
}

/// RunState in a thread whose shard is `shard`. (That of the first thread is 0.)
fn spawn_on<R: 'static>(ground: &Arc<Ground>, shard: usize, run: impl FnOnce(&Ground) -> R + 'static) -> JoinHandle<R> {
    spawn(ground, move |ground| {
        set_thread_id(shard);
        run(ground)
    })
}

fn spawn<R: 'static>(ground: &Arc<Ground>, run: impl FnOnce(&Ground) -> R + 'static) -> JoinHandle<R> {
    let ground = ground.clone();
    thread::spawn(move || run(&ground))
}

impl Ground {
    /// What an owner does with its slot.
    fn write(&self, index: usize) {
        self.cells[index].with_mut(|_| ());
    }

    /// What a reader does with a published slot.
    fn read(&self, index: usize) {
        self.cells[index].with(|_| ());
    }

    /// Allocates, and says which slot it got.
    fn alloc(&self) -> Option<usize> {
        let index = self.arena.index_of(self.arena.alloc(0).ok()?).unwrap();
        self.write(index);
        Some(index)
    }

    fn alloc_run(&self, len: usize) -> Option<usize> {
        let first = self.arena.index_of(&self.arena.alloc_slice_with(len, |_| 0).ok()?[0]).unwrap();
        (first..first + len).for_each(|index| self.write(index));
        Some(first)
    }

    fn publish(&self) -> Option<usize> {
        self.arena.publish_with(|index| self.write_value(index)).ok().map(|(index, _)| index)
    }

    fn write_value(&self, index: usize) -> u32 {
        self.write(index);
        index as u32
    }

    fn get(&self, index: usize) -> bool {
        let value = self.arena.get(index);
        if let Some(&value) = value {
            assert_eq!(value as usize, index);
            self.read(index);
        }
        value.is_some()
    }

    fn reserve(&self, n: usize) -> Reservation<'_, u32> {
        self.arena.reserve(n).unwrap()
    }

    fn local(&self, batch: usize) -> Local<'_, u32> {
        self.arena.local_with_batch(NonZeroUsize::new(batch).unwrap())
    }

    /// No slot is lost and none is had twice: `held` hold values, and every other can be had, one by one.
    fn assert_exact(&self, held: usize) {
        let capacity = self.arena.capacity();
        assert_eq!((self.arena.count(), self.arena.remaining()), (held, capacity - held));
        assert!((held..capacity).all(|_| self.alloc().is_some()), "a free slot cannot be had");
        assert_eq!(self.alloc(), None);
        assert_eq!(self.arena.count(), capacity);
    }
}

/// Has a run of that many slots held on behalf of a thread that gives it back. (A reservation borrows the arena, which
/// a thread of loom cannot.)
struct Held {
    ground: Arc<Ground>,
    run: Option<Reservation<'static, u32>>,
}

impl Held {
    fn new(ground: &Arc<Ground>, n: usize) -> Held {
        let run = ground.reserve(n);
        (run.first_index()..run.first_index() + n).for_each(|index| ground.write(index));
        // SAFETY: `run` borrows from the arena in `ground`, which stays where it is and lives while we do; we drop the
        // run first.
        let run = unsafe { mem::transmute::<Reservation<'_, u32>, Reservation<'static, u32>>(run) };
        Held { ground: ground.clone(), run: Some(run) }
    }

    /// Uses the slots once more, and gives them back in another thread.
    fn give_back(mut self) -> JoinHandle<()> {
        thread::spawn(move || {
            let run = self.run.take().unwrap();
            let first = run.first_index();
            (first..first + run.capacity()).for_each(|index| self.ground.write(index));
            drop(run);
        })
    }
}
