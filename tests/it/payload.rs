//! What the tests store, and what they ask of every arena.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomicarena::{AtomicArena, Storage};

pub(crate) use crate::oracle::SHARDS_FORCED;

/// Writes down how often each of its values was dropped.
///
/// The values own no memory, so a test may leak them and still be clean to a leak checker.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// One entry per value that was ever made: how often it was dropped.
    drops: Mutex<Vec<usize>>,
    /// How many more clones succeed before one panics.
    clones_left: AtomicUsize,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { drops: Mutex::new(Vec::new()), clones_left: AtomicUsize::new(usize::MAX) }
    }

    /// A ledger whose values can be cloned `clones` times in all; the next clone panics.
    pub(crate) fn with_clones(clones: usize) -> Self {
        Self { drops: Mutex::new(Vec::new()), clones_left: AtomicUsize::new(clones) }
    }

    pub(crate) fn value(&self) -> Counted<'_> {
        self.make(false)
    }

    /// A value whose drop panics, after it was written down.
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

    /// How many values were made so far.
    pub(crate) fn made(&self) -> usize {
        self.drops.lock().unwrap().len()
    }

    /// How many values were dropped so far; none may have been dropped twice.
    pub(crate) fn dropped(&self) -> usize {
        let drops = self.drops.lock().unwrap();
        for (id, &times) in drops.iter().enumerate() {
            assert!(times <= 1, "value {id} was dropped {times} times");
        }
        drops.iter().sum()
    }

    /// The values that were not dropped so far, by id.
    pub(crate) fn alive(&self) -> Vec<usize> {
        let drops = self.drops.lock().unwrap();
        (0..drops.len()).filter(|&id| drops[id] == 0).collect()
    }
}

/// A value that a [`Ledger`] counts. Ids are given out in the order in which values are made.
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

/// Runs `f`, which must panic, and returns its message.
pub(crate) fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("this must panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().map(|message| message.to_string()).unwrap(),
    }
}

/// Where the cursor stands after one thread took `n` slots of a new arena on the heap, one by one, and nothing else happened:
/// behind the last of them, or, where shards are forced, behind the run of two that it came from.
pub(crate) fn cursor_after(n: usize) -> usize {
    if SHARDS_FORCED { n.next_multiple_of(2) } else { n }
}

/// Asks for one slot after the other until one is refused, and returns how many there were.
pub(crate) fn fill_up<T, S: Storage<T>>(arena: &AtomicArena<T, S>, mut make: impl FnMut() -> T) -> usize {
    // One more than could be: an arena that never refuses must not hang the test.
    let bound = arena.capacity() + 1;
    (0..bound).take_while(|_| arena.alloc_with(&mut make).is_ok()).count()
}

/// Exactly `free` slots can still be had, one by one. Leaves the arena full.
#[track_caller]
pub(crate) fn assert_room<T, S: Storage<T>>(arena: &AtomicArena<T, S>, free: usize, make: impl FnMut() -> T) {
    assert_eq!(arena.remaining(), free, "what is said to remain");
    assert_eq!(arena.count(), arena.capacity() - free, "what is said to be taken");
    assert_eq!(fill_up(arena, make), free, "slots that can be had one by one");
    assert_eq!((arena.remaining(), arena.count()), (0, arena.capacity()));
    assert!(arena.is_full());
}

/// Brings the cursor to the end and leaves every other slot vacant, slot 0 the first of them.
/// The slots between hold their own index. The capacity must be even, so that the last one is taken.
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

/// Owned, published, vacant, published, owned, and three never used.
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

/// A full arena in which the value in the middle panics when it is dropped.
pub(crate) fn mined(ledger: &Ledger) -> AtomicArena<Counted<'_>> {
    let arena = AtomicArena::with_capacity(5);
    arena.alloc(ledger.value()).unwrap();
    arena.publish(ledger.value()).unwrap();
    arena.alloc(ledger.bomb()).unwrap();
    arena.publish(ledger.value()).unwrap();
    arena.alloc(ledger.value()).unwrap();
    arena
}

/// `n`, or the smaller `miri` under Miri, which is some thousand times slower.
pub(crate) const fn scaled(n: usize, miri: usize) -> usize {
    if cfg!(miri) { miri } else { n }
}

/// A small generator of numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

/// Those who write while others wait for what they write. One that panics has ended like any
/// other, so that nobody waits in vain.
pub(crate) struct Writers(AtomicUsize);

/// One who writes, until it is dropped.
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

    /// Looks until there is something to see. When all have ended, the last look must show it.
    pub(crate) fn wait_for<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        loop {
            // Asked before the look, so that the last look sees everything.
            let last = self.have_ended();
            if let Some(seen) = look() {
                return seen;
            }
            assert!(!last, "it was never written");
            std::thread::yield_now();
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Names the test that a child process is to run; see [`aborts`].
#[cfg(all(unix, not(miri)))]
const CHILD: &str = "ATOMICARENA_TEST_CHILD";

/// Runs `f` in a process of its own, which must abort, and returns what it wrote to standard error.
/// `test` is the path of the test that calls this.
#[cfg(all(unix, not(miri)))]
pub(crate) fn aborts(test: &str, f: impl FnOnce()) -> String {
    use std::process::Command;
    if std::env::var_os(CHILD).is_some_and(|child| child == test) {
        f();
        // It did not abort: an exit code instead of a signal tells the parent.
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
