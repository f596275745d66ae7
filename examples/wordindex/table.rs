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
//! A link is the index of a node plus one, and 0 where nothing follows: so zeroed memory is an empty table. The nodes
//! never move and none is removed, which leaves two things to get right.
//!
//! **A chain of words grows at its end.** Each link in it is written once, from 0 to the word that follows, by
//! compare-and-swap. A thread that misses a word has walked to the 0 at the end of the chain; if the swap finds
//! something else there, others were faster, and the walk goes on from that same link: what it passed before cannot
//! have changed. No word is in a chain twice, for whoever links one has compared it with all that stand before it. As
//! links are written once, a swap cannot mistake a new state for an old one (no ABA).
//!
//! **A list of postings grows at its head**: a posting is pushed in front of the newest. Nothing is ever popped, so here
//! too a head that is what it was means a list that is what it was.
//!
//! Both are lock-free: a swap fails only where another thread's succeeded. (The words' texts come from `alloc_str`, which
//! is lock-free for the same reason.)
//!
//! # A race that is lost
//! Others may follow a link as soon as it is there, so a word is published *before* it is linked. When two threads meet
//! the same new word at the same time, both have made a node, and one of the two finds out too late. Its node and
//! text are stored for nothing: a published value cannot be taken back, since others may hold references to it. This
//! can happen only while a word is new, and the report says how often it did: a word that has no posting was never
//! linked.
//!
//! # Orderings
//! - L: linking a word -> walking to it, by way of a bucket or of `next`.
//! - P: pushing a posting -> reading a list, by way of `newest`.
//!
//! What a node held when it was published is seen by whoever `get`s it, that is the arena's own edge. L and P are needed
//! for what comes before and after: that `get` cannot miss the node, and that a posting's `next` is seen.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::iter;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use atomicarena::{AtomicArena, CapacityError, Full, Local};

/// The link that leads nowhere.
const NOWHERE: u32 = 0;

/// The link to the node at `index`.
fn link_to(index: usize) -> u32 {
    // A capacity is at most u32::MAX, an index below it: the sum fits.
    index as u32 + 1
}

/// The index of the node that a link leads to.
fn index_of(link: u32) -> usize {
    link as usize - 1
}

/// One word, however often it occurs.
pub(crate) struct Word<'t> {
    /// Its bytes, in the arena of bytes.
    pub(crate) text: &'t str,
    /// The upper half of its hash: tells nearly all strangers in a chain apart without touching their text.
    hash: u32,
    /// The next word of the chain. Written once.
    next: AtomicU32,
    /// The posting that was pushed last. Invariant: not `NOWHERE` once the word's first posting is in.
    newest: AtomicU32,
    /// How many postings were pushed.
    count: AtomicU32,
}

impl Word<'_> {
    /// How often the word occurs.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: a number by itself; whoever reads it has joined the threads that counted.
        self.count.load(Relaxed)
    }
}

/// One occurrence of a word.
pub(crate) struct Posting {
    /// The file, as an index into the list of files.
    pub(crate) file: u32,
    /// The line, counted from 1.
    pub(crate) line: u32,
    /// The posting that was pushed before. Invariant: not written any more once this one is the newest.
    next: AtomicU32,
}

/// The table. Threads fill it through a [`Writer`] each; reading needs no more than a reference.
pub(crate) struct Table<'t> {
    hashes: RandomState,
    /// The first word of each chain. Invariant: the length is a power of two.
    buckets: Vec<AtomicU32>,
    words: AtomicArena<Word<'t>>,
    postings: AtomicArena<Posting>,
    texts: &'t AtomicArena<u8>,
}

impl<'t> Table<'t> {
    /// An empty table, with one bucket for each word that it can hold.
    pub(crate) fn new(texts: &'t AtomicArena<u8>, words: u32, postings: u32) -> Result<Self, Shortage> {
        Ok(Self {
            hashes: RandomState::new(),
            words: arena("words", words)?,
            postings: arena("postings", postings)?,
            // Made of zeros, and not by a loop over `AtomicU32::new(NOWHERE)`: `collect` keeps the zeroed memory, which
            // stays untouched where there are no words.
            buckets: vec![NOWHERE; (words as usize).next_power_of_two()].into_iter().map(AtomicU32::new).collect(),
            texts,
        })
    }

    /// A thread's way to fill the table.
    pub(crate) fn writer(&self) -> Writer<'_, 't> {
        Writer { table: self, postings: self.postings.local() }
    }

    /// The word, if it occurs.
    pub(crate) fn find(&self, text: &str) -> Option<&Word<'t>> {
        let (bucket, hash) = self.place(text);
        self.walk(bucket, hash, text).ok()
    }

    /// All words, in no particular order.
    pub(crate) fn words(&self) -> impl Iterator<Item = &Word<'t>> {
        self.words.iter().map(|(_, word)| word).filter(|word| word.count() > 0)
    }

    /// The words that were made for nothing, because another thread linked the same word first.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &Word<'t>> {
        self.words.iter().map(|(_, word)| word).filter(|word| word.count() == 0)
    }

    /// Where a word occurs; what was pushed last comes first.
    pub(crate) fn postings(&self, word: &Word<'t>) -> impl Iterator<Item = &Posting> {
        // Acquire: P, pairs with the Release in `Writer::add`. It covers the whole list and not only its head: a push is
        // a read-modify-write, so the head carries on what every earlier push released.
        let newest = self.posting(word.newest.load(Acquire));
        // Relaxed: seen by way of P.
        iter::successors(newest, |posting| self.posting(posting.next.load(Relaxed)))
    }

    /// In how many files a word occurs.
    pub(crate) fn files(&self, word: &Word<'t>) -> usize {
        let mut files: Vec<u32> = self.postings(word).map(|posting| posting.file).collect();
        files.sort_unstable();
        files.dedup();
        files.len()
    }

    /// For each arena the name of what it holds, how many there are, and how many fit.
    pub(crate) fn levels(&self) -> [(&'static str, usize, usize); 3] {
        [
            ("words", self.words.count(), self.words.capacity()),
            ("postings", self.postings.count(), self.postings.capacity()),
            ("bytes", self.texts.count(), self.texts.capacity()),
        ]
    }

    /// The bucket of a word, from the lower half of its hash, and the upper half.
    fn place(&self, text: &str) -> (&AtomicU32, u32) {
        let hash = self.hashes.hash_one(text);
        (&self.buckets[hash as usize & (self.buckets.len() - 1)], (hash >> 32) as u32)
    }

    /// Follows a chain from `link` on: to the word, or to the link at the end where it would have to stand.
    fn walk<'a>(&'a self, mut link: &'a AtomicU32, hash: u32, text: &str) -> Result<&'a Word<'t>, &'a AtomicU32> {
        loop {
            // Acquire: L, pairs with the Release in `link`. Without it `get` might not yet know the word as published.
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

    /// The word, made and linked if it is new.
    fn intern(&self, text: &str) -> Result<&Word<'t>, Shortage> {
        let (bucket, hash) = self.place(text);
        match self.walk(bucket, hash, text) {
            Ok(word) => Ok(word),
            Err(end) => self.link(end, hash, text),
        }
    }

    /// Makes a word and links it at the `end` of its chain, or returns the one that another thread linked meanwhile.
    fn link<'a>(&'a self, mut end: &'a AtomicU32, hash: u32, text: &str) -> Result<&'a Word<'t>, Shortage> {
        let (index, word) = self.make(hash, text)?;
        loop {
            // Release: L, pairs with the Acquire in `walk`; the text and the word were written before. Relaxed where it
            // fails: what stands there now is read again, by `walk`.
            if end.compare_exchange(NOWHERE, link_to(index), Release, Relaxed).is_ok() {
                return Ok(word);
            }
            match self.walk(end, hash, text) {
                Ok(theirs) => return Ok(theirs),
                Err(further) => end = further,
            }
        }
    }

    /// Publishes a word that is in no chain yet.
    ///
    /// New words are rare among the words of a text, so they come straight from the arena: then none is refused while
    /// another thread sits on free slots.
    fn make(&self, hash: u32, text: &str) -> Result<(usize, &Word<'t>), Shortage> {
        let text: &'t str = self.texts.alloc_str(text).map_err(|full| Shortage::full("bytes", full, self.texts))?;
        let (next, newest, count) = (AtomicU32::new(NOWHERE), AtomicU32::new(NOWHERE), AtomicU32::new(0));
        self.words
            .publish(Word { text, hash, next, newest, count })
            .map_err(|full| Shortage::full("words", full, &self.words))
    }

    /// The posting that a link leads to.
    fn posting(&self, link: u32) -> Option<&Posting> {
        (link != NOWHERE).then(|| self.postings.get(index_of(link)).expect("published before it was pushed"))
    }
}

/// One thread's way to fill a [`Table`].
pub(crate) struct Writer<'a, 't> {
    table: &'a Table<'t>,
    /// One posting is stored for each word that is read: these come from a run of slots of the thread's own. The price:
    /// when the arena is all but full, this thread can be refused while others still have a few slots.
    postings: Local<'a, Posting>,
}

impl Writer<'_, '_> {
    /// Notes that `text` occurs in `file`, on `line`.
    pub(crate) fn add(&mut self, text: &str, file: u32, line: u32) -> Result<(), Shortage> {
        let word = self.table.intern(text)?;
        let (index, posting) = self
            .postings
            .publish(Posting { file, line, next: AtomicU32::new(NOWHERE) })
            .map_err(|full| Shortage::full("postings", full, &self.table.postings))?;
        // Relaxed: only put into `next`, not followed.
        let mut newest = word.newest.load(Relaxed);
        loop {
            // Relaxed: nobody can reach this posting before the Release below.
            posting.next.store(newest, Relaxed);
            // Release: P, pairs with the Acquire in `Table::postings`. Relaxed where it fails: as for the load above.
            match word.newest.compare_exchange_weak(newest, link_to(index), Release, Relaxed) {
                Ok(_) => break,
                Err(newer) => newest = newer,
            }
        }
        // Relaxed: a number by itself, see `Word::count`. It cannot overflow: there are fewer than 2^32 postings.
        word.count.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// An empty arena for `capacity` of `what`.
pub(crate) fn arena<T>(what: &'static str, capacity: u32) -> Result<AtomicArena<T>, Shortage> {
    AtomicArena::try_with_capacity(capacity as usize).map_err(|reason| Shortage::Memory { what, capacity, reason })
}

/// A capacity that is too small for the input, or too large for the machine.
pub(crate) enum Shortage {
    /// The arena of `what` had no room left.
    Full { what: &'static str, capacity: usize, full: Full<()> },
    /// There is no memory for an arena of `capacity` of `what`.
    Memory { what: &'static str, capacity: u32, reason: CapacityError },
}

impl Shortage {
    fn full<T, V>(what: &'static str, full: Full<V>, arena: &AtomicArena<T>) -> Self {
        Self::Full { what, capacity: arena.capacity(), full: full.discard() }
    }
}

impl fmt::Display for Shortage {
    /// The options are named after what the arenas hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { what, capacity, full } => {
                let (requested, remaining) = (full.requested(), full.remaining());
                write!(f, "the arena of {what} is full ({requested} asked for, {remaining} of {capacity} left): ")?;
                write!(f, "raise --{what}")
            }
            Self::Memory { what, capacity, reason } => {
                write!(f, "no memory for {capacity} {what} ({reason}): lower --{what}")
            }
        }
    }
}
