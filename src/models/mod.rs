//! Loom models of the production code, at least one for each edge and each protocol.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib
//! ```
//!
//! Loom checks only accesses to its own atomics and cells, and the value of a slot is neither.
//! Therefore each slot has two cells. The production code accesses the first cell when it stores a
//! single value, fills a run in one call, or lends a value by `get` (`sync::AccessTracker`). The
//! models access the second cell when they use a reference to the value. If an edge is missing, or
//! a slot has two owners, loom finds two accesses that are not ordered. Most models end by joining
//! their threads and asserting what must hold after every interleaving.
//!
//! Loom first lets each thread run as long as it can, starting with the first one, and then
//! reorders conflicting accesses. Loom compares a read of an atomic only with the last access to it
//! that is not a read, and any other access only with the last access. If one thread reads an
//! atomic, and another thread then reads and writes it, the last access before the write is the
//! second thread's own read. So loom does not try the write before the read of the first thread. If
//! the thread that only reads is the last to run in the first execution, loom tries both orders,
//! because the last access that is not a read is then that of the other thread.

mod bump;
mod bump_additions;
mod bump_bytes;
mod bump_handles;
mod counts;
mod edges;
mod exact;
mod handles;
mod keys;
mod meetings;
mod runs;
mod shards;
mod singles;
mod vacant;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use std::mem;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::vec::Vec;

use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::stamps::Stamp;
use crate::raw::thread_id::{EXCLUSIVE_IDS, set_thread_id};
use crate::storage::sealed::Sealed;
use crate::storage::{Heap, Storage};
use crate::{AtomicArena, Key, Local, Reservation};

/// A type of values that can contain the index of a slot. Its size determines the length of a
/// refill's run: two slots for `u32`, four for `u16` and eight for `u8`. A shard is refilled for
/// requests of up to half of that length.
trait Value: Copy + Send + Sync + TryFrom<usize> + TryInto<usize> + 'static {
    fn at(index: usize) -> Self {
        Self::try_from(index).ok().unwrap()
    }

    fn index(self) -> usize {
        self.try_into().ok().unwrap()
    }
}

impl Value for u8 {}
impl Value for u16 {}
impl Value for u32 {}

/// An arena, and a cell for each slot.
struct Ground<T = u32, S: Storage<T> = Heap<T>> {
    arena: AtomicArena<T, S>,
    cells: Vec<UnsafeCell<()>>,
}

/// Explores the interleavings of `model` on an arena with this capacity.
fn explore(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore_values(capacity, model);
}

/// Like `explore`, for any type of values.
fn explore_values<T: Value>(capacity: usize, model: impl Fn(Arc<Ground<T>>) + Send + Sync + 'static) {
    loom::model(move || {
        let cells = (0..capacity).map(|_| UnsafeCell::new(())).collect();
        model(Arc::new(Ground { arena: AtomicArena::with_capacity(capacity), cells }));
    });
}

/// Like `explore`, but on an arena without shards and without a summary. Arenas with inline storage
/// and small arenas have neither. (The counts of a summary also order the accesses of a slot's old
/// owner before those of its new owner, which would hide a missing edge of the stamps.)
fn explore_bare(capacity: usize, model: impl Fn(Arc<Ground<u32, Bare>>) + Send + Sync + 'static) {
    loom::model(move || {
        let cells = (0..capacity).map(|_| UnsafeCell::new(())).collect();
        model(Arc::new(Ground { arena: AtomicArena::from_storage(Bare::new(capacity)), cells }));
    });
}

/// The storage of `explore_bare`. Its values are not dropped.
#[derive(Debug)]
struct Bare {
    header: Header,
    stamps: Vec<Stamp>,
    slots: NonNull<u32>,
}

impl Bare {
    fn new(capacity: usize) -> Bare {
        let slots = Vec::leak(std::vec![0; capacity]);
        let stamps = (0..capacity).map(|_| Stamp::new()).collect();
        Bare { header: Header::new(), stamps, slots: NonNull::from(slots).cast() }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let slots = NonNull::slice_from_raw_parts(self.slots, self.stamps.len());
        // SAFETY: `new` has leaked the slots from a vector whose capacity is its length, and no
        // view of them is left.
        drop(unsafe { std::boxed::Box::from_raw(slots.as_ptr()) });
    }
}

// SAFETY: the slots belong to the storage, and only its views access them.
unsafe impl Send for Bare {}
// SAFETY: as for `Send`.
unsafe impl Sync for Bare {}

impl Sealed<u32> for Bare {}

// SAFETY: both views are of the same header, stamps and slots, which do not move. A new storage is
// an empty arena. A `u32` needs no drop.
unsafe impl Storage<u32> for Bare {
    fn view(&self) -> ArenaRef<'_, u32> {
        // SAFETY: the slots are one allocation, as many as there are stamps. They do not move, and
        // only views access them.
        unsafe { ArenaRef::new(&self.header, &self.stamps, self.slots) }
    }

    fn view_mut(&mut self) -> ArenaMut<'_, u32> {
        // SAFETY: as in `view`, and the storage is borrowed exclusively.
        unsafe { ArenaMut::new(&mut self.header, &mut self.stamps, self.slots) }
    }

    fn external_bytes(&self) -> usize {
        0
    }
}

/// Like `explore`, but with active shards. There are two shards, and a refill takes two slots.
fn explore_shards(capacity: usize, model: impl Fn(Arc<Ground>) + Send + Sync + 'static) {
    explore_shards_of(capacity, model);
}

/// Like `explore_shards`, for any type of values.
fn explore_shards_of<T: Value>(capacity: usize, model: impl Fn(Arc<Ground<T>>) + Send + Sync + 'static) {
    explore_values(capacity, move |ground: Arc<Ground<T>>| {
        ground.arena.view().activate_shards();
        model(ground);
    });
}

/// Calls `run` in a new thread whose id is `id` and whose shard is `id % 2`. The ids 0 and 1 are
/// exclusive numbers, so two threads with the same one must not open or close handles at the same
/// time. The first thread and the threads of `spawn` have the id 2.
fn spawn_on<T: Value, S: Storage<T> + 'static, R: 'static>(
    ground: &Arc<Ground<T, S>>,
    id: usize,
    run: impl FnOnce(&Ground<T, S>) -> R + 'static,
) -> JoinHandle<R> {
    spawn(ground, move |ground| {
        set_thread_id(id);
        run(ground)
    })
}

fn spawn<T: Value, S: Storage<T> + 'static, R: 'static>(
    ground: &Arc<Ground<T, S>>,
    run: impl FnOnce(&Ground<T, S>) -> R + 'static,
) -> JoinHandle<R> {
    let ground = ground.clone();
    thread::spawn(move || run(&ground))
}

/// Calls `run` in the first thread of a model, which has this id during the call.
fn with_id<R>(id: usize, run: impl FnOnce() -> R) -> R {
    set_thread_id(id);
    let result = run();
    set_thread_id(EXCLUSIVE_IDS);
    result
}

impl<T: Value, S: Storage<T>> Ground<T, S> {
    /// Accesses a slot as its owner does.
    fn write(&self, index: usize) {
        self.cells[index].with_mut(|_| ());
    }

    /// Accesses a published slot as a reader does.
    fn read(&self, index: usize) {
        self.cells[index].with(|_| ());
    }

    /// Allocates one slot and returns its index.
    fn alloc(&self) -> Option<usize> {
        let index = self.arena.index_of(self.arena.alloc(T::at(0)).ok()?).unwrap();
        self.write(index);
        Some(index)
    }

    /// Allocates up to `times` slots, and returns the number of allocations that succeeded.
    fn alloc_times(&self, times: usize) -> usize {
        (0..times).filter_map(|_| self.alloc()).count()
    }

    fn alloc_run(&self, len: usize) -> Option<usize> {
        let first = self.arena.index_of(&self.arena.alloc_slice_with(len, |_| T::at(0)).ok()?[0]).unwrap();
        (first..first + len).for_each(|index| self.write(index));
        Some(first)
    }

    fn publish(&self) -> Option<usize> {
        self.arena.publish_with(|index| self.write_value(index)).ok().map(|(index, _)| index)
    }

    fn write_value(&self, index: usize) -> T {
        self.write(index);
        T::at(index)
    }

    fn get(&self, index: usize) -> bool {
        let value = self.arena.get(index);
        if let Some(&value) = value {
            assert_eq!(value.index(), index);
            self.read(index);
        }
        value.is_some()
    }

    fn reserve(&self, n: usize) -> Reservation<'_, T> {
        self.arena.reserve(n).unwrap()
    }

    fn local(&self, batch: usize) -> Local<'_, T> {
        self.arena.local_with_batch(NonZeroUsize::new(batch).unwrap())
    }

    /// Asserts that no slot is lost and none has two owners: `held` slots hold values, and all
    /// others can be allocated one by one.
    fn assert_exact(&self, held: usize) {
        let capacity = self.arena.capacity();
        assert_eq!((self.arena.count(), self.arena.remaining()), (held, capacity - held));
        assert!((held..capacity).all(|_| self.alloc().is_some()), "a free slot is refused");
        assert_eq!(self.alloc(), None);
        assert_eq!(self.arena.count(), capacity);
    }
}

/// A run of slots that a thread of the model is going to return. (A thread of loom cannot borrow
/// the arena, so the lifetime of the `Reservation` is extended to `'static`.)
struct Held<T: 'static = u32, S: Storage<T> = Heap<T>> {
    /// Borrows from `ground`, so it is dropped before `ground`.
    run: Option<Reservation<'static, T>>,
    ground: Arc<Ground<T, S>>,
}

impl<T: Value, S: Storage<T> + 'static> Held<T, S> {
    fn new(ground: &Arc<Ground<T, S>>, n: usize) -> Self {
        let run = ground.reserve(n);
        (run.first_index()..run.first_index() + n).for_each(|index| ground.write(index));
        Held::of(ground, run)
    }

    fn of(ground: &Arc<Ground<T, S>>, run: Reservation<'_, T>) -> Self {
        // SAFETY: `run` borrows from the arena in `ground`, which does not move. The run is dropped
        // before `ground`: it is the first field, and `return_slots_here` drops it before `self`.
        let run = unsafe { mem::transmute::<Reservation<'_, T>, Reservation<'static, T>>(run) };
        Held { ground: ground.clone(), run: Some(run) }
    }

    /// Uses the slots once more and returns them, in another thread.
    fn return_slots(self) -> JoinHandle<()> {
        self.return_slots_on(EXCLUSIVE_IDS)
    }

    /// Uses the slots once more and returns them, in this thread.
    fn return_slots_here(mut self) {
        let run = self.run.take().unwrap();
        (run.first_index()..run.first_index() + run.capacity()).for_each(|index| self.ground.write(index));
    }

    /// Uses the slots once more and returns them, in a thread with this id.
    fn return_slots_on(self, id: usize) -> JoinHandle<()> {
        thread::spawn(move || {
            set_thread_id(id);
            self.return_slots_here();
        })
    }
}
