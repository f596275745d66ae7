//! Loom models of the shipping code, one for each edge and each protocol.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib
//! ```
//!
//! Loom sees only accesses to its own cells, and the value of a slot is not such a cell. Therefore
//! each slot has two cells. The shipping code accesses the first when it stores a value or lends a
//! published one (`sync::AccessTracker`). The models access the second when they use the reference
//! that they got. If an edge is missing, or a slot has two owners, loom finds two accesses that are
//! not ordered. What must hold in every interleaving is asserted after the threads are joined.

mod bump;
mod edges;
mod exact;
mod handles;
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

/// An arena, and a cell for each slot.
struct Ground {
    arena: AtomicArena<u32>,
    cells: Vec<UnsafeCell<()>>,
}

/// Explores `model` on an arena with that capacity.
fn explore(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    loom::model(move || {
        let cells = (0..capacity).map(|_| UnsafeCell::new(())).collect();
        model(Arc::new(Ground { arena: AtomicArena::with_capacity(capacity), cells }));
    });
}

/// Like `explore`, but with active shards. There are two, and a refill takes two slots.
fn explore_shards(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore(capacity, move |ground| {
        ground.arena.view().activate_shards();
        model(ground);
    });
}

/// Runs in a thread whose number, and so its shard, is `shard`. (The first thread has no number of
/// its own and uses shard 0.)
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

    /// Allocates one slot and returns its index.
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

    /// Asserts that no slot is lost and none has two owners: `held` slots hold values, and all
    /// others can be allocated one by one.
    fn assert_exact(&self, held: usize) {
        let capacity = self.arena.capacity();
        assert_eq!((self.arena.count(), self.arena.remaining()), (held, capacity - held));
        assert!((held..capacity).all(|_| self.alloc().is_some()), "a free slot cannot be had");
        assert_eq!(self.alloc(), None);
        assert_eq!(self.arena.count(), capacity);
    }
}

/// A run of slots that another thread is going to return. (A `Reservation` borrows the arena, but a
/// thread of loom cannot borrow.)
struct Held {
    ground: Arc<Ground>,
    run: Option<Reservation<'static, u32>>,
}

impl Held {
    fn new(ground: &Arc<Ground>, n: usize) -> Held {
        let run = ground.reserve(n);
        (run.first_index()..run.first_index() + n).for_each(|index| ground.write(index));
        Held::of(ground, run)
    }

    fn of(ground: &Arc<Ground>, run: Reservation<'_, u32>) -> Held {
        // SAFETY: `run` borrows from the arena in `ground`, which does not move. `give_back`, which
        // every model calls, drops the run before `ground`.
        let run = unsafe { mem::transmute::<Reservation<'_, u32>, Reservation<'static, u32>>(run) };
        Held { ground: ground.clone(), run: Some(run) }
    }

    /// Uses the slots once more and returns them, in another thread.
    fn give_back(mut self) -> JoinHandle<()> {
        thread::spawn(move || {
            let run = self.run.take().unwrap();
            let first = run.first_index();
            (first..first + run.capacity()).for_each(|index| self.ground.write(index));
            drop(run);
        })
    }
}
