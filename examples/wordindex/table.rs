//! The index that all threads fill at once: a hash table in three arenas.
//!
//! ```text
//! buckets  [ 0 | 3 | 0 | 1 | .. ]        one atomic link for each bucket
//!                |       |
//! words          |       +-> Word 0 --next--> Word 5 --next--> 0
//!                +---------> Word 2 --next--> 0
//!                             |  |
//! texts   .. A t o m i c <----+  |       text: &str, straight into the arena of bytes
//!                                |
//! postings                       +-> Posting 9 --next--> Posting 4 --next--> 0
//! ```
//!
//! A link is the index of a node plus one, or 0 at the end of a chain. Zeroed memory is therefore
//! an empty table. Nodes never move and are never removed. This leaves two operations to get right.
//!
//! **A chain of words grows at its end.** Each link in a chain is written at most once, from 0 to
//! the next word, by compare-and-swap. A thread that does not find a word has walked to the 0 at
//! the end of the chain. If the compare-and-swap fails, another thread has linked a word there, and
//! the walk continues from that link. The links before it cannot have changed. No word occurs twice
//! in a chain, because a thread links a word only after it has compared it with all words before
//! it. Each link is written once, so a compare-and-swap cannot mistake a new state for an old one
//! (no ABA problem).
//!
//! **A list of postings grows at its head.** A new posting is pushed in front of the newest one. No
//! posting is ever removed, so if the head is unchanged, the list is unchanged, too.
//!
//! Both operations are lock-free: apart from spurious failures, a compare-and-swap fails only if
//! that of another thread has succeeded. The text of a word comes from `alloc_str`, which is
//! lock-free for the same reason.
//!
//! # A lost race
//! Other threads may follow a link as soon as it is set, so a word is published *before* it is
//! linked. If two threads find the same new word at the same time, both create a node, but only one
//! of the nodes is linked. The other node and its text remain unused. A published value cannot be
//! removed, because other threads may hold references to it. Such a race happens only while a word
//! is new. The report counts the unused nodes: a word without a posting was never linked.
//!
//! # Orderings
//! - L: linking a word → walking to it, from a bucket or from `next`.
//! - P: pushing a posting → reading a list, from `newest`.
//!
//! Publishing a node happens before each `get` that returns it: that edge belongs to the arena. L
//! and P ensure that `get` finds the node, and that the `next` of a posting is visible.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::iter;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use atomicarena::{AtomicArena, CapacityError, Full, Local};

/// The link at the end of a chain.
const NOWHERE: u32 = 0;

/// Returns the link to the node at `index`.
fn link_to(index: usize) -> u32 {
    // A capacity is at most `u32::MAX` and an index is below it, so the sum does not overflow.
    index as u32 + 1
}

/// Returns the index of the node that a link refers to.
fn index_of(link: u32) -> usize {
    link as usize - 1
}

/// One word, with all its occurrences.
pub(crate) struct Word<'t> {
    /// The text, in the arena of bytes.
    pub(crate) text: &'t str,
    /// The upper half of its hash. It rules out nearly all other words in a chain without reading
    /// their text.
    hash: u32,
    /// The next word of the chain. It is written once.
    next: AtomicU32,
    /// The newest posting. Invariant: not `NOWHERE` once the word has a posting.
    newest: AtomicU32,
    /// The number of postings.
    count: AtomicU32,
}

impl Word<'_> {
    /// Returns the number of occurrences.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: the number stands for itself. The reader has joined the threads that counted.
        self.count.load(Relaxed)
    }
}

/// One occurrence of a word.
pub(crate) struct Posting {
    /// The file, as an index into the list of files.
    pub(crate) file: u32,
    /// The line, counted from 1.
    pub(crate) line: u32,
    /// The next older posting of the same word. Invariant: it is not written after this posting has
    /// become the newest.
    next: AtomicU32,
}

/// The table. Each thread fills it through its own [`Writer`]. Reading needs only a reference.
pub(crate) struct Table<'t> {
    hashes: RandomState,
    /// The first word of each chain. Invariant: the number of buckets is a power of two.
    buckets: Vec<AtomicU32>,
    words: AtomicArena<Word<'t>>,
    postings: AtomicArena<Posting>,
    texts: &'t AtomicArena<u8>,
}

impl<'t> Table<'t> {
    /// Creates an empty table, with one bucket for each word that fits.
    pub(crate) fn new(texts: &'t AtomicArena<u8>, words: u32, postings: u32) -> Result<Self, Shortage> {
        Ok(Self {
            hashes: RandomState::new(),
            words: arena("words", words)?,
            postings: arena("postings", postings)?,
            // Zeros are collected instead of `AtomicU32::new(NOWHERE)` in a loop, because `collect`
            // reuses the zeroed memory. Pages of unused buckets stay untouched.
            buckets: vec![NOWHERE; (words as usize).next_power_of_two()].into_iter().map(AtomicU32::new).collect(),
            texts,
        })
    }

    /// Returns a writer for one thread.
    pub(crate) fn writer(&self) -> Writer<'_, 't> {
        Writer { table: self, postings: self.postings.local() }
    }

    /// Returns the word, if it occurs.
    pub(crate) fn find(&self, text: &str) -> Option<&Word<'t>> {
        let (bucket, hash) = self.place(text);
        self.walk(bucket, hash, text).ok()
    }

    /// Returns all words, in no particular order.
    pub(crate) fn words(&self) -> impl Iterator<Item = &Word<'t>> {
        self.words.iter().map(|(_, word)| word).filter(|word| word.count() > 0)
    }

    /// Returns the words that are unused because another thread linked the same word first.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &Word<'t>> {
        self.words.iter().map(|(_, word)| word).filter(|word| word.count() == 0)
    }

    /// Returns the occurrences of a word, the newest first.
    pub(crate) fn postings(&self, word: &Word<'t>) -> impl Iterator<Item = &Posting> {
        // Acquire (P): pairs with the Release in `Writer::add`. It covers the whole list, because
        // each push is a read-modify-write, so the newest push continues the release sequence of
        // every earlier push.
        let newest = self.posting(word.newest.load(Acquire));
        // Relaxed: P makes it visible.
        iter::successors(newest, |posting| self.posting(posting.next.load(Relaxed)))
    }

    /// Returns the number of files that contain a word.
    pub(crate) fn files(&self, word: &Word<'t>) -> usize {
        let mut files: Vec<u32> = self.postings(word).map(|posting| posting.file).collect();
        files.sort_unstable();
        files.dedup();
        files.len()
    }

    /// Returns for each arena the name of its values, their number, and the capacity.
    pub(crate) fn levels(&self) -> [(&'static str, usize, usize); 3] {
        [
            ("words", self.words.count(), self.words.capacity()),
            ("postings", self.postings.count(), self.postings.capacity()),
            ("bytes", self.texts.count(), self.texts.capacity()),
        ]
    }

    /// Returns the bucket of a word, from the lower half of its hash, and the upper half.
    fn place(&self, text: &str) -> (&AtomicU32, u32) {
        let hash = self.hashes.hash_one(text);
        (&self.buckets[hash as usize & (self.buckets.len() - 1)], (hash >> 32) as u32)
    }

    /// Follows a chain from `link`, and returns the word, or the link at the end where the word
    /// belongs.
    fn walk<'a>(&'a self, mut link: &'a AtomicU32, hash: u32, text: &str) -> Result<&'a Word<'t>, &'a AtomicU32> {
        loop {
            // Acquire (L): pairs with the Release in `link`. Without it, `get` might miss the
            // published word.
            match link.load(Acquire) {
                NOWHERE => return Err(link),
                next => {
                    let word = self.words.get(index_of(next)).expect("published before it was linked");
                    if word.hash == hash && word.text == text {
                        return Ok(word);
                    }
                    link = &word.next;
                }
            }
        }
    }

    /// Returns the word, which is created and linked if it is new.
    fn intern(&self, text: &str) -> Result<&Word<'t>, Shortage> {
        let (bucket, hash) = self.place(text);
        match self.walk(bucket, hash, text) {
            Ok(word) => Ok(word),
            Err(end) => self.link(end, hash, text),
        }
    }

    /// Creates a word and links it at the `end` of its chain, or returns the word of a faster
    /// thread.
    fn link<'a>(&'a self, mut end: &'a AtomicU32, hash: u32, text: &str) -> Result<&'a Word<'t>, Shortage> {
        let (index, word) = self.make(hash, text)?;
        loop {
            // Release (L): pairs with the Acquire in `walk`. The text and the word were written
            // before. Relaxed on failure: `walk` reads the link again.
            if end.compare_exchange(NOWHERE, link_to(index), Release, Relaxed).is_ok() {
                return Ok(word);
            }
            match self.walk(end, hash, text) {
                Ok(theirs) => return Ok(theirs),
                Err(further) => end = further,
            }
        }
    }

    /// Publishes a word that is not in a chain yet.
    ///
    /// Most words of a text are already in the table, so new words are rare, and are stored without
    /// a `Local`. A word is then never refused while another thread holds free slots. (A text needs
    /// contiguous slots, so it may be refused earlier.)
    fn make(&self, hash: u32, text: &str) -> Result<(usize, &Word<'t>), Shortage> {
        let text: &'t str = self.texts.alloc_str(text).map_err(|full| Shortage::full("bytes", full, self.texts))?;
        let (next, newest, count) = (AtomicU32::new(NOWHERE), AtomicU32::new(NOWHERE), AtomicU32::new(0));
        self.words
            .publish(Word { text, hash, next, newest, count })
            .map_err(|full| Shortage::full("words", full, &self.words))
    }

    /// Returns the posting that a link refers to.
    fn posting(&self, link: u32) -> Option<&Posting> {
        (link != NOWHERE).then(|| self.postings.get(index_of(link)).expect("published before it was pushed"))
    }
}

/// Fills a [`Table`] from one thread.
pub(crate) struct Writer<'a, 't> {
    table: &'a Table<'t>,
    /// Stores one posting per word that is read, in a run of slots for this thread. When the arena
    /// is nearly full, this thread can be refused while other threads still hold a few slots.
    postings: Local<'a, Posting>,
}

impl Writer<'_, '_> {
    /// Records that `text` occurs in `file`, on `line`.
    pub(crate) fn add(&mut self, text: &str, file: u32, line: u32) -> Result<(), Shortage> {
        let word = self.table.intern(text)?;
        let (index, posting) = self
            .postings
            .publish(Posting { file, line, next: AtomicU32::new(NOWHERE) })
            .map_err(|full| Shortage::full("postings", full, &self.table.postings))?;
        // Relaxed: the link is only stored in `next`, and not followed.
        let mut newest = word.newest.load(Relaxed);
        loop {
            // Relaxed: no thread can reach this posting before the Release below.
            posting.next.store(newest, Relaxed);
            // Release (P): pairs with the Acquire in `Table::postings`. Relaxed on failure: as for
            // the load above.
            match word.newest.compare_exchange_weak(newest, link_to(index), Release, Relaxed) {
                Ok(_) => break,
                Err(newer) => newest = newer,
            }
        }
        // Relaxed: as in `Word::count`. It cannot overflow, because there are fewer than 2^32
        // postings.
        word.count.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// Creates an empty arena for `capacity` values, which `what` names.
pub(crate) fn arena<T>(what: &'static str, capacity: u32) -> Result<AtomicArena<T>, Shortage> {
    AtomicArena::try_with_capacity(capacity as usize).map_err(|reason| Shortage::Memory { what, capacity, reason })
}

/// A capacity that is too small for the input, or too large for the machine.
pub(crate) enum Shortage {
    /// The arena of `what` is full.
    Full { what: &'static str, capacity: usize, full: Full<()> },
    /// There is no memory for an arena of `capacity` slots.
    Memory { what: &'static str, capacity: u32, reason: CapacityError },
}

impl Shortage {
    fn full<T, V>(what: &'static str, full: Full<V>, arena: &AtomicArena<T>) -> Self {
        Self::Full { what, capacity: arena.capacity(), full: full.discard() }
    }
}

impl fmt::Display for Shortage {
    /// The options are named after the values of the arenas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { what, capacity, full } => {
                let (requested, remaining) = (full.requested(), full.remaining());
                write!(
                    f,
                    "the arena of {what} is full ({requested} requested, {remaining} of {capacity} remaining): "
                )?;
                write!(f, "raise --{what}")
            }
            Self::Memory { what, capacity, reason } => {
                write!(f, "no memory for {capacity} {what} ({reason}): lower --{what}")
            }
        }
    }
}
