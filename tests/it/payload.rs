//! Values that the tests store, and helpers that several tests share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomicarena::{AtomicArena, Storage};

pub(crate) use crate::oracle::{FORCED_RUN, SHARDS_FORCED};

/// Counts how often each of its values is dropped.
///
/// The values own no memory, so a leak checker does not report a test that leaks them.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// For each value that was created, the number of its drops.
    drops: Mutex<Vec<usize>>,
    /// The number of further clones that succeed.
    clones_left: AtomicUsize,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { drops: Mutex::new(Vec::new()), clones_left: AtomicUsize::new(usize::MAX) }
    }

    /// Creates a ledger whose values can be cloned `clones` times in total. The next clone panics.
    pub(crate) fn with_clones(clones: usize) -> Self {
        Self { drops: Mutex::new(Vec::new()), clones_left: AtomicUsize::new(clones) }
    }

    pub(crate) fn value(&self) -> Counted<'_> {
        self.make(false)
    }

    /// Creates a value whose `drop` counts the drop and then panics.
    pub(crate) fn bomb(&self) -> Counted<'_> {
        self.make(true)
    }

    fn make(&self, bomb: bool) -> Counted<'_> {
        let mut drops = self.drops.lock().unwrap();
        drops.push(0);
        Counted { id: drops.len() - 1, ledger: self, bomb }
    }

    pub(crate) fn values(&self, n: usize) -> Vec<Counted<'_>> {
        (0..n).map(|_| self.value()).collect()
    }

    /// Returns the number of values created so far.
    pub(crate) fn made(&self) -> usize {
        self.drops.lock().unwrap().len()
    }

    /// Returns the number of values dropped so far. Panics if one was dropped twice.
    pub(crate) fn dropped(&self) -> usize {
        let drops = self.drops.lock().unwrap();
        for (id, &times) in drops.iter().enumerate() {
            assert!(times <= 1, "value {id} was dropped {times} times");
        }
        drops.iter().sum()
    }

    /// Returns the ids of the values that have not been dropped yet.
    pub(crate) fn alive(&self) -> Vec<usize> {
        let drops = self.drops.lock().unwrap();
        (0..drops.len()).filter(|&id| drops[id] == 0).collect()
    }
}

/// A value that a [`Ledger`] counts. Ids are assigned in the order of creation.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) id: usize,
    ledger: &'a Ledger,
    bomb: bool,
}

impl Clone for Counted<'_> {
    fn clone(&self) -> Self {
        let left = self.ledger.clones_left.load(Ordering::Relaxed);
        assert!(left > 0, "clone refused");
        self.ledger.clones_left.store(left - 1, Ordering::Relaxed);
        self.ledger.value()
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.ledger.drops.lock().unwrap()[self.id] += 1;
        if self.bomb {
            panic!("bomb {}", self.id);
        }
    }
}

/// Runs `f`, which must panic, and returns the message of the panic.
pub(crate) fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().map(|message| message.to_string()).unwrap(),
    }
}

/// Returns the position of the cursor after one thread has taken `n` single slots of a new heap
/// arena. If shards are forced, a refill takes several slots at once, so the arena must have room
/// for these too.
pub(crate) fn cursor_after(n: usize) -> usize {
    if SHARDS_FORCED { n.next_multiple_of(FORCED_RUN) } else { n }
}

/// Whether arenas that are large enough have shards.
pub(crate) const HAS_SHARDS: bool = cfg!(all(feature = "std", target_pointer_width = "64"));

/// The capacity of the arenas in which threads contend for slots.
pub(crate) const LARGE: usize = if SHARDS_FORCED { 2_000 } else { scaled(8_000, 2_100) };

/// The number of values that threads store when they contend. It is not a multiple of the length of
/// a forced run. So if shards are forced, a shard has unused slots afterwards.
pub(crate) const TAKEN: usize = if SHARDS_FORCED { 513 } else { scaled(4_001, 513) };

/// Stores the values, half of them on each of two threads at the same time.
pub(crate) fn contend<T: Send, S: Storage<T>>(arena: &AtomicArena<T, S>, values: Vec<T>) -> Vec<&mut T>
where
    AtomicArena<T, S>: Sync,
{
    at_once(values, |value| arena.alloc(value).expect("there is room"))
}

/// Calls `f` with each value, on two threads at the same time. Each thread gets half of the values.
pub(crate) fn at_once<V: Send, R: Send>(mut values: Vec<V>, f: impl Fn(V) -> R + Sync) -> Vec<R> {
    let others = values.split_off(values.len() / 2);
    let ready = AtomicUsize::new(0);
    let call = |values: Vec<V>| {
        let mut results = Vec::with_capacity(values.len());
        ready.fetch_add(1, Ordering::Relaxed);
        // Spins instead of blocking. At a blocking barrier, the first thread could finish before
        // the second one wakes up.
        for turn in 0.. {
            match ready.load(Ordering::Relaxed) {
                2 => break,
                _ if turn % 1_000 == 999 => std::thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
        results.extend(values.into_iter().map(&f));
        results
    };
    std::thread::scope(|scope| {
        let threads = [values, others].map(|values| scope.spawn(|| call(values)));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Returns the number of unused slots in shards. Vacant slots, if there are any, are counted too.
pub(crate) fn unused_in_shards<T, S: Storage<T>>(arena: &AtomicArena<T, S>) -> usize {
    arena.index_bound() - arena.count()
}

/// Repeats `attempt` until contention has activated shards. `attempt` returns a value, and whether
/// shards are active. This function returns the result of the last attempt.
///
/// On a machine with one core, or under a tool that runs one thread at a time, there is no
/// contention. The number of attempts is therefore limited. Forced shards are active after the
/// first attempt.
pub(crate) fn until_contended<R>(mut attempt: impl FnMut() -> (R, bool)) -> (R, bool) {
    let attempts = if SHARDS_FORCED || !HAS_SHARDS { 1 } else { scaled(200, 1) };
    for _ in 1..attempts {
        let (done, true) = attempt() else { continue };
        return (done, true);
    }
    let (done, active) = attempt();
    assert!(if active { HAS_SHARDS } else { !SHARDS_FORCED });
    if HAS_SHARDS && !active {
        println!("not seen: threads that contend. The test ran without active shards.");
    }
    (done, active)
}

/// Returns an arena in which two threads have stored `TAKEN` values, and whether shards are active.
pub(crate) fn contended<T: Send>(make: impl Fn() -> T) -> (AtomicArena<T>, bool)
where
    AtomicArena<T>: Sync,
{
    until_contended(|| {
        let arena = AtomicArena::with_capacity(LARGE);
        contend(&arena, (0..TAKEN).map(|_| make()).collect());
        let active = unused_in_shards(&arena) > 0;
        (arena, active)
    })
}

/// The minimum capacity of an arena with a *tail*, which is the memory for its shards and its
/// summary.
pub(crate) const SMALLEST_WITH_TAIL: usize = 2_048;

/// Returns the size in bytes of the tail of an arena on the heap or in a mapping. If shards are
/// forced, every such arena has a tail.
pub(crate) fn tail_size(capacity: usize) -> usize {
    let smallest = if SHARDS_FORCED { 1 } else { SMALLEST_WITH_TAIL };
    if capacity < smallest { 0 } else { size_with_tail(capacity) }
}

/// Returns the size in bytes of a tail for this capacity, whether or not an arena of this capacity
/// has one.
pub(crate) fn size_with_tail(capacity: usize) -> usize {
    // The alignment of a shard, on the platforms that run the tests.
    const CACHE_LINE: usize = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { 128 } else { 64 };
    const SLOTS_PER_WORD: usize = 1 << 10;
    let shards = if cfg!(not(target_pointer_width = "64")) {
        0
    } else if SHARDS_FORCED {
        2
    } else {
        32
    };
    CACHE_LINE - 1 + shards * CACHE_LINE + capacity.div_ceil(SLOTS_PER_WORD) * size_of::<usize>()
}

/// Returns the first index of a run of `len` slots, which one thread takes from a new heap arena
/// after it has taken `n` single slots.
pub(crate) fn run_after(n: usize, len: usize) -> usize {
    // If the run is short, the shard that has served the single slots serves it too.
    if FORCED_RUN / len > 1 { n } else { cursor_after(n) }
}

/// Returns the arena. If shards are forced and could serve runs, disables them first. This is for
/// tests of the position of the cursor.
pub(crate) fn runs_from_cursor<T, S: Storage<T>>(arena: AtomicArena<T, S>) -> AtomicArena<T, S> {
    if (4..).contains(&FORCED_RUN) { arena.in_order() } else { arena }
}

/// Allocates single slots until one is refused, and returns their number.
pub(crate) fn fill_up<T, S: Storage<T>>(arena: &AtomicArena<T, S>, mut make: impl FnMut() -> T) -> usize {
    // The number of attempts is bounded, so that the test does not hang if the arena never refuses.
    let bound = arena.capacity() + 1;
    (0..bound).take_while(|_| arena.alloc_with(&mut make).is_ok()).count()
}

/// Asserts that exactly `free` single slots can be allocated, and leaves the arena full.
#[track_caller]
pub(crate) fn assert_room<T, S: Storage<T>>(arena: &AtomicArena<T, S>, free: usize, make: impl FnMut() -> T) {
    assert_eq!(arena.remaining(), free, "remaining");
    assert_eq!(arena.count(), arena.capacity() - free, "count");
    assert_eq!(fill_up(arena, make), free, "slots that single requests get");
    assert_eq!((arena.remaining(), arena.count()), (0, arena.capacity()));
    assert!(arena.is_full());
}

/// Moves the cursor to the end of a new arena. Afterwards each even slot is vacant, and each odd
/// slot holds its own index. The capacity must be even, because returning the last slot would
/// retract the cursor.
pub(crate) fn punch_holes(arena: &AtomicArena<usize>) {
    let capacity = arena.capacity();
    assert_eq!(capacity % 2, 0);
    let runs: Vec<_> = (0..capacity).map(|_| arena.reserve(1).unwrap()).collect();
    for mut run in runs {
        let index = run.first_index();
        if index % 2 == 1 {
            run.push(index).unwrap();
            run.finish();
        }
    }
    assert_eq!(arena.remaining(), capacity / 2);
}

/// Creates an arena whose first five slots are owned, published, vacant, published and owned. Three
/// more slots are unused.
pub(crate) fn mixed(ledger: &Ledger) -> AtomicArena<Counted<'_>> {
    let arena = AtomicArena::with_capacity(8);
    arena.alloc(ledger.value()).unwrap();
    arena.publish(ledger.value()).unwrap();
    let hole = arena.reserve(1).unwrap();
    arena.publish(ledger.value()).unwrap();
    arena.alloc(ledger.value()).unwrap();
    drop(hole);
    arena
}

/// Creates a full arena in which the value in the middle panics when it is dropped.
pub(crate) fn mined(ledger: &Ledger) -> AtomicArena<Counted<'_>> {
    let arena = AtomicArena::with_capacity(5);
    arena.alloc(ledger.value()).unwrap();
    arena.publish(ledger.value()).unwrap();
    arena.alloc(ledger.bomb()).unwrap();
    arena.publish(ledger.value()).unwrap();
    arena.alloc(ledger.value()).unwrap();
    arena
}

/// Returns `n`, or `miri` under Miri, which runs programs far more slowly.
pub(crate) const fn scaled(n: usize, miri: usize) -> usize {
    if cfg!(miri) { miri } else { n }
}

/// A small pseudo-random generator with the same numbers in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

/// Counts the threads that still write. A thread that panics is no longer counted, so threads that
/// wait for it fail instead of hanging.
pub(crate) struct Writers(AtomicUsize);

/// Represents one writing thread. Dropping it decrements the count.
pub(crate) struct Writer<'a>(&'a AtomicUsize);

impl Writers {
    pub(crate) fn new(writers: usize) -> Self {
        Self(AtomicUsize::new(writers))
    }

    pub(crate) fn begin(&self) -> Writer<'_> {
        Writer(&self.0)
    }

    pub(crate) fn have_ended(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    /// Calls `look` until it finds something. Panics if it finds nothing after all writers have
    /// ended.
    pub(crate) fn wait_for<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        loop {
            // Read before the call of `look`, so that the last call sees all writes.
            let last = self.have_ended();
            if let Some(seen) = look() {
                return seen;
            }
            assert!(!last, "no thread wrote it");
            std::thread::yield_now();
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// The environment variable that names the test for a child process, see [`aborts`].
#[cfg(all(unix, not(miri)))]
const CHILD: &str = "ATOMICARENA_TEST_CHILD";

/// Runs `f`, which must abort, in a child process, and returns its standard error. `test` is the
/// path of the calling test.
#[cfg(all(unix, not(miri)))]
pub(crate) fn aborts(test: &str, f: impl FnOnce()) -> String {
    use std::process::Command;
    if std::env::var_os(CHILD).is_some_and(|child| child == test) {
        f();
        // `f` did not abort. The exit code, in place of a signal, reports this to the parent.
        std::process::exit(1);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), None, "{test} did not abort: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
