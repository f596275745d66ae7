//! Decides which bytes of a bump each request gets. Bytes are identified by their offsets. This
//! file never accesses them, and uses the address of byte 0 only to align requests.
//!
//! Unlike an arena, a bump hands out bytes instead of slots, and does not keep track of the values
//! in them. So it has no stamps and no vacant slots. Returned bytes are kept in a few *gaps*.
//!
//! # The protocol
//!
//! A *gap* is a run of free bytes. One atomic word holds the offset of its first byte and its
//! length (`gap.rs`). Any thread can take bytes from the start of a gap with a compare-exchange. If
//! they need padding for their alignment, the thread takes the padding with them. A *shard* serves
//! one or a few threads, and consists of several gaps. The first gap is the shard's *run*, from
//! which these threads take bytes first. (The thread whose exclusive number is that of the shard
//! does so with an addition, which is faster.) The other gaps contain returned bytes, and bytes
//! that a refill has displaced from a run. The *cursor* is the index of the next line of 64 bytes
//! to hand out (`Head`).
//!
//! 1. A request is served by the shard of the requesting thread, from the shard's run or from one
//!    of its other gaps.
//! 2. If these gaps have too few bytes, and the request is at most an eighth of a refill, the shard
//!    is refilled. The cursor is advanced over a new run, and its word then names the shard and the
//!    *pending refill* (`raw/word.rs`). Each thread that reads this word in order to take bytes
//!    installs the new run in that shard, and clears the refill from the word, before it continues.
//!    If the bytes left in the shard's old run (its *rest*) end where the new run starts, and both
//!    have at most `SHARD_LIMIT` bytes in total, the new run extends the rest. Otherwise the new
//!    run displaces the rest, which the installing thread keeps in another gap of its own shard if
//!    it can. Usually the rest is short, because a request of at most an eighth of a refill did not
//!    fit.
//! 3. A longer request takes whole lines from the cursor. The unused end of its last line is
//!    returned.
//! 4. If too few bytes are left at the cursor, the thread steals: it looks once at each gap of
//!    every shard.
//!
//! A `LocalBump` takes its run from the cursor, unless its thread's shard keeps bytes in a gap that
//! is long enough for the request, and not too long. It then takes all bytes of this gap, so that
//! no rest is left that needs a gap of its own.
//!
//! Bytes are returned, for example, when a block is freed or shrunk, when a `LocalBump` ends, when
//! the closure that fills a block fails, and when an addition has taken bytes that do not suit the
//! request. If the bytes came from the cursor and end there, the cursor is retracted. Otherwise, if
//! they end where the run of the returning thread's shard starts, they extend that run downwards.
//! Otherwise they are put into an empty gap, or replace fewer bytes in another gap. The bytes that
//! they replace are then lost. If there is no such gap, the returned bytes are lost. A reset makes
//! lost bytes available again.
//!
//! A bump has no shards if its capacity is less than 64 KiB, or almost 512 GiB or more (`MAX_END`).
//! Without `std` and on 32-bit targets, no bump has shards. The cursor of a bump without shards
//! counts bytes and serves every request.
//!
//! # Why no byte has two owners
//!
//! At every moment, exactly one of the following holds for each byte below the cursor. It is in one
//! gap, it is in a pending refill that is not yet installed, it belongs to one call or caller, or
//! it is lost. No byte at or above the cursor has an owner. Each step that takes, installs or
//! returns bytes is one compare-exchange or one addition, which moves the bytes from one of these
//! states to another, or across the cursor. The old word, which the addition returns, shows which
//! bytes it has taken. The word of a gap is the complete state of the gap. If no refill is pending,
//! the word of the cursor is the complete state of the cursor. Hence it is harmless if a word has
//! changed and returned to its old value (ABA). Two steps rely on more than the words:
//!
//! - *Installing a refill* must happen exactly once. The end of a shard's run only increases:
//!   taking bytes and extending the run downwards do not change it, and each refill ends above all
//!   bytes that were in the shard's run before. So if the run ends at or above the end of the
//!   refill, the refill has already been installed. From then on, a compare-exchange that expects a
//!   run with a lower end fails.
//! - *Clearing a refill from the cursor* requires that a word with a pending refill never recurs.
//!   It could recur only if the cursor were retracted below the end of that refill. But the cursor
//!   is retracted only over bytes that were never part of a refill. Such bytes belong to runs that
//!   a `LocalBump` has taken from the cursor, to blocks longer than a shard's run (`SHARD_LIMIT`),
//!   or to blocks that a call has taken from the cursor, still owns, and has not extended by bytes
//!   of a shard. The bytes over which the cursor is retracted end at the cursor. Each refill lies
//!   below the cursor and does not overlap with these bytes, so it lies below them. (Retracting the
//!   cursor over a refill would also break the first of these two steps: the next refill of that
//!   shard would seem to be installed already, and its bytes would be lost.) A run of kept bytes is
//!   not extended at the cursor. Otherwise a block longer than `SHARD_LIMIT` in that run could
//!   contain bytes of a refill.
//!
//! # When a request is refused
//!
//! A thread refuses a request only after two steps: it has read a cursor with too few bytes left
//! and no pending refill, and then it has looked at each gap once and found none with enough bytes.
//! When it read the cursor, each byte below the cursor was in a gap (see B2 below), had an owner,
//! was lost, or was held by a call that was about to put it into a gap. A request may miss bytes
//! that such a call holds. A retry after that call can find them.
//!
//! # Orderings
//!
//! - B1, return → take: all accesses of an owner happen before those of the next owner. Each
//!   operation that puts bytes into a gap or retracts the cursor is Release. Each operation that
//!   takes bytes out of a gap or advances the cursor is Acquire. While the bump is shared, the
//!   words of gaps and of the cursor are changed only by read-modify-writes, so the release
//!   sequences are not broken.
//! - B2, install → look: a thread that reads the cursor (Acquire) after a refill was cleared from
//!   it sees the refill's run in the shard. The thread that cleared the refill (Release) had
//!   installed the run before, or had read the shard's word after another thread had installed the
//!   run.
//!
//! `used` and `high_water` also read the cursor with Acquire, so that the values they read
//! afterwards are at least as recent. All other accesses are Relaxed. They are estimates, guesses
//! that a compare-exchange confirms, the load before an addition (whose result shows what was
//! taken), or accesses to `past`, which the Release in `retract` orders.

#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::ops::{Range, RangeInclusive};

use super::gap::{Gap, LINE, LINE_BITS, MAX_END, MAX_EXCESS, MAX_LEN, size_with_padding};
use super::shards::{SHARDS, own_index};
use super::sync::{AtomicMut, AtomicUsize, CachePadded, Ordering, const_fn};
use super::thread_id::{TINY, thread_id_or_any};
use super::word::{MAX_PACKED_CAPACITY, Word};

/// The minimum capacity of a bump with shards. For a smaller bump, the shards (up to 4 KiB) would
/// be a large overhead, and a refill would be only a few lines.
const MIN_CAPACITY: usize = if cfg!(all(test, loom)) {
    2 * LINE
} else if TINY {
    1
} else {
    64 << 10
};

/// A refill takes `1 / REFILL_FRACTION` of the lines left at the cursor, but at least one line and
/// at most `MAX_REFILL` lines.
const MAX_REFILL: usize = if TINY { 2 } else { 512 };
const REFILL_FRACTION: usize = if TINY { 1 } else { SHARDS };

/// If a request is longer than `1 / REQUEST_FRACTION` of a refill, and the thread's shard cannot
/// serve it, the cursor does.
const REQUEST_FRACTION: usize = if TINY { 2 } else { 8 };

/// The maximum length of a shard's run, in bytes. This is enough for the longest refill, and for a
/// rest of the same length that the refill extends.
const SHARD_LIMIT: usize = 2 * MAX_REFILL * LINE;

// `Gap::take_once` relies on both.
const _: () = assert!(2 * SHARD_LIMIT <= MAX_LEN && 15 * SHARD_LIMIT < MAX_EXCESS);

/// The number of gaps of a shard, in addition to its run.
const KEPT: usize = if TINY { 1 } else { 3 };

/// Returns whether a bump of this capacity has shards. Shards require that threads have numbers,
/// which they have only with `std`, and that the word of a gap and the word of the cursor have room
/// for every offset.
pub(crate) const fn has_shards(capacity: usize) -> bool {
    cfg!(feature = "std") && fits_shards(capacity)
}

/// Like [`has_shards`], but assumes that threads have numbers.
pub(crate) const fn fits_shards(capacity: usize) -> bool {
    // `MAX_PACKED_CAPACITY` is 0 if a word has too few bits for a pending refill.
    MIN_CAPACITY <= capacity && capacity <= MAX_END && capacity <= MAX_PACKED_CAPACITY.saturating_mul(LINE)
}

/// The cursor of a bump.
#[derive(Debug)]
pub(crate) struct Head(CachePadded<Cursor>);

#[derive(Debug)]
struct Cursor {
    /// The index of the next line, packed in a [`Word`]. Without shards, the offset of the next
    /// byte.
    ///
    /// Invariants: no byte at or above the cursor has an owner, and the cursor never passes the
    /// end.
    next: AtomicUsize,
    /// No byte at or above the larger of this offset and the cursor was ever handed out.
    past: AtomicUsize,
}

/// The gaps from which one or a few threads take bytes first, and in which they keep returned
/// bytes.
#[derive(Debug)]
pub(crate) struct Shard(CachePadded<Gaps>);

#[derive(Debug)]
struct Gaps {
    /// The run of the shard. Refills are installed here.
    run: Gap,
    kept: [Gap; KEPT],
}

pub(crate) type Shards = [Shard; SHARDS];

impl Head {
    const_fn! {
        pub(crate) fn new() -> Self {
            Head(CachePadded(Cursor { next: AtomicUsize::new(0), past: AtomicUsize::new(0) }))
        }
    }

    /// Takes bytes for `layout` from a cursor that counts bytes, and returns their end.
    #[inline]
    fn take_bytes(&self, base: usize, capacity: usize, layout: Layout) -> Option<usize> {
        // Relaxed, also on failure: a guess that the exchange confirms.
        let mut next = self.0.next.load(Ordering::Relaxed);
        loop {
            let taken = size_with_padding(base + next, layout);
            if taken > capacity - next {
                return None;
            }
            let end = next + taken;
            // Acquire: B1, pairs with the Release in `retract`. The bytes may have had an owner
            // before.
            match self.0.next.compare_exchange_weak(next, end, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(end),
                Err(now) => next = now,
            }
        }
    }

    /// Sets the cursor to byte 0, and empties the shards.
    pub(crate) fn restart(&mut self, shards: Option<&mut Shards>, capacity: usize) {
        let past = self.high_water_mut(shards.is_some(), capacity);
        self.0.past.write_mut(past);
        self.0.next.write_mut(0);
        for shard in shards.into_iter().flatten() {
            shard.0.run.clear_mut();
            shard.0.kept.iter_mut().for_each(Gap::clear_mut);
        }
    }

    /// Returns an offset at or above which no byte was ever handed out.
    pub(crate) fn high_water_mut(&mut self, has_shards: bool, capacity: usize) -> usize {
        let next = Word::new(self.0.next.read_mut(), has_shards).next();
        let next = if has_shards { next * LINE } else { next };
        self.0.past.read_mut().max(next.min(capacity))
    }
}

impl Shard {
    const_fn! {
        pub(crate) fn new() -> Self {
            Shard(CachePadded(Gaps {
                run: Gap::new(),
                #[cfg(not(all(test, loom)))]
                kept: [const { Gap::new() }; KEPT],
                #[cfg(all(test, loom))]
                kept: [Gap::new()],
            }))
        }
    }

    /// Returns the gaps of this shard, starting with its run.
    fn gaps(&self) -> impl Iterator<Item = &Gap> {
        core::iter::once(&self.0.run).chain(&self.0.kept)
    }

    fn take(&self, base: usize, layout: Layout) -> Option<Piece> {
        self.gaps().find_map(|gap| gap.take(base, layout)).map(|taken| Piece::from_gap(taken, layout))
    }
}

/// Bytes that a call has taken for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The offset of the first byte for the request.
    pub(crate) start: usize,
    /// All bytes that were taken, including the padding before `start` and the unused end of the
    /// last line.
    pub(crate) taken: Range<usize>,
    /// If true, these bytes were never in a shard's run, so the cursor may be retracted over them.
    pub(crate) from_cursor: bool,
}

impl Piece {
    #[inline]
    pub(crate) fn from_gap(taken: Range<usize>, layout: Layout) -> Self {
        // A block longer than `SHARD_LIMIT` was never in a shard's run, so the cursor may be
        // retracted over it.
        let from_cursor = layout.size() > SHARD_LIMIT;
        Piece { start: taken.end - layout.size(), taken, from_cursor }
    }
}

/// A shared bump, without its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget<'a> {
    head: &'a Head,
    /// `None` if the cursor counts bytes.
    shards: Option<&'a Shards>,
    /// The address of byte 0.
    base: usize,
    capacity: usize,
}

impl<'a> Budget<'a> {
    #[inline]
    pub(crate) fn new(head: &'a Head, shards: Option<&'a Shards>, base: usize, capacity: usize) -> Self {
        Budget { head, shards, base, capacity }
    }

    #[inline]
    pub(crate) fn capacity(self) -> usize {
        self.capacity
    }

    /// Returns the offset of a cursor whose word is `word`.
    #[inline]
    fn offset(self, word: Word) -> usize {
        match self.shards {
            // The last line may be incomplete.
            Some(_) => (word.next() * LINE).min(self.capacity),
            None => word.next(),
        }
    }

    /// Returns the offset `bytes` in the unit of the cursor: in lines, rounded up, or in bytes if
    /// there are no shards.
    #[inline]
    fn above(self, bytes: usize) -> usize {
        match self.shards {
            // Rounded up. The sum does not overflow, because a bump with shards has at most
            // `MAX_END` bytes.
            Some(_) => (bytes + LINE - 1) >> LINE_BITS,
            None => bytes,
        }
    }

    #[inline]
    fn word(self, raw: usize) -> Word {
        Word::new(raw, self.shards.is_some())
    }

    /// Reads the cursor. Helps each pending refill that it finds, so the result names none.
    fn cursor(self) -> Word {
        loop {
            // Acquire: B1, pairs with the Release in `retract`. B2, pairs with the Release in
            // `help_refill`: depending on the word, the caller looks at shards.
            let word = self.word(self.head.0.next.load(Ordering::Acquire));
            if !word.has_pending() {
                return word;
            }
            self.help_refill(word);
        }
    }

    /// Takes bytes for `layout`, whose size is not 0, from the run of this thread's shard. The
    /// result is that of [`Gap::take_once`]. After an error, the request needs the slow path.
    #[inline]
    pub(crate) fn take_once(self, layout: Layout) -> Result<Range<usize>, Range<usize>> {
        // A thread without an exclusive number takes the slow path.
        match self.shards.and_then(|shards| shards.get(thread_id_or_any())) {
            Some(shard) => shard.0.run.take_once(layout),
            None => Err(0..0),
        }
    }

    /// Takes bytes for `layout`, whose size is not 0, from the run of this thread's shard or, if
    /// there are no shards, from the cursor. Returns their start, or `None` if too few are left
    /// there. A thread that has no id yet uses the last shard.
    #[inline]
    pub(crate) fn take_near(self, layout: Layout) -> Option<usize> {
        let end = match self.shards {
            Some(shards) => shards[thread_id_or_any() % SHARDS].0.run.take(self.base, layout)?.end,
            None => self.head.take_bytes(self.base, self.capacity, layout)?,
        };
        Some(end - layout.size())
    }

    /// Continues a request for which [`take_once`](Self::take_once) has returned `Err(taken)`. Uses
    /// these bytes if they are enough. Otherwise returns them, and takes others. The error is the
    /// number of bytes left at the cursor.
    pub(crate) fn take_after(self, taken: Range<usize>, layout: Layout) -> Result<Piece, usize> {
        let needed = size_with_padding(self.base + taken.start, layout);
        if needed <= taken.len() {
            return Ok(Piece { start: taken.start + needed - layout.size(), taken, from_cursor: false });
        }
        self.return_run(taken, false, true);
        self.take_piece(layout)
    }

    /// Takes bytes for `layout`, whose size is not 0. The error is the number of bytes left at the
    /// cursor.
    #[inline]
    pub(crate) fn take_piece(self, layout: Layout) -> Result<Piece, usize> {
        match self.shards {
            Some(shards) => match shards[own_index()].0.run.take(self.base, layout) {
                Some(taken) => Ok(Piece::from_gap(taken, layout)),
                None => self.take_slow(layout),
            },
            None => self.take_at_cursor(self.cursor(), layout).map_err(|word| self.capacity - self.offset(word)),
        }
    }

    /// Takes bytes for `layout`, whose size is not 0, after the run of this thread's shard had too
    /// few. Tries all gaps of this shard, then a refill or the cursor, and finally every shard.
    #[cold]
    #[inline(never)]
    fn take_slow(self, layout: Layout) -> Result<Piece, usize> {
        let Some(shards) = self.shards else { return Err(0) };
        let own = own_index();
        loop {
            let word = self.cursor();
            // The shard is read after the cursor. If another thread refills the shard later, the
            // exchange below fails. If another thread returns bytes to the shard later, the refill
            // below may displace a rest that could have served this request. This is harmless,
            // because the thread that displaces the rest then owns it.
            if let Some(piece) = shards[own].take(self.base, layout) {
                return Ok(piece);
            }
            let lines = self.refill_at(word.next());
            // At most `isize::MAX`, because the layout is valid.
            let most = layout.size() + (layout.align() - 1);
            if most <= self.bytes(lines.clone()).len() / REQUEST_FRACTION {
                let moved = word.with_pending(own, lines.start, lines.end);
                // Acquire: B1, pairs with the Release in `retract`. The bytes of the refill may
                // have had an owner before. Not Release, unlike in the arena: a thread that helps
                // this refill need not see the shard as this thread has seen it, because the
                // exchange of the helper confirms what it displaces. Relaxed on failure: the value
                // is not used.
                let next = &self.head.0.next;
                if next.compare_exchange(word.raw(), moved.raw(), Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    self.help_refill(moved);
                }
                continue;
            }
            return match self.take_at_cursor(word, layout) {
                Ok(piece) => Ok(piece),
                Err(word) => self.steal(layout).ok_or(self.capacity - self.offset(word)),
            };
        }
    }

    /// Takes bytes for `layout` from any shard that has enough. Looks at each shard once, starting
    /// with this thread's shard.
    fn steal(self, layout: Layout) -> Option<Piece> {
        let (before, from) = self.shards?.split_at(own_index());
        from.iter().chain(before).find_map(|shard| shard.take(self.base, layout))
    }

    /// Takes bytes for `layout` from the cursor, up to the end of their last line. `word` is a
    /// guess at the cursor's word, without a pending refill. The error is a word of the cursor with
    /// too few bytes left.
    fn take_at_cursor(self, mut word: Word, layout: Layout) -> Result<Piece, Word> {
        loop {
            let from = self.offset(word);
            let taken = size_with_padding(self.base + from, layout);
            if taken > self.capacity - from {
                return Err(word);
            }
            let end = from + taken;
            if let Some(above) = self.advance(word, end) {
                return Ok(Piece { start: end - layout.size(), taken: from..above, from_cursor: true });
            }
            word = self.cursor();
        }
    }

    /// Advances the cursor from `word`, which has no pending refill, to the offset `bytes`, rounded
    /// up to a line. Returns the new offset of the cursor, or `None` if the cursor has changed.
    fn advance(self, word: Word, bytes: usize) -> Option<usize> {
        let advanced = word.with_next(self.above(bytes));
        // Acquire: B1, pairs with the Release in `retract`. The bytes may have had an owner before.
        // Relaxed on failure: the value is not used.
        let next = &self.head.0.next;
        let exchanged = next.compare_exchange(word.raw(), advanced.raw(), Ordering::Acquire, Ordering::Relaxed);
        exchanged.is_ok().then(|| self.offset(advanced))
    }

    /// Returns the lines of a refill that starts at this line. All threads that help a refill
    /// compute the same lines.
    fn refill_at(self, start: usize) -> Range<usize> {
        let end = self.capacity.div_ceil(LINE);
        start..end.min(start + ((end - start) / REFILL_FRACTION).clamp(1, MAX_REFILL))
    }

    /// Returns the bytes of these lines.
    fn bytes(self, lines: Range<usize>) -> Range<usize> {
        (lines.start * LINE).min(self.capacity)..(lines.end * LINE).min(self.capacity)
    }

    /// Installs the pending refill in its shard, clears it from the cursor, and keeps the bytes
    /// that it displaces. `word` was read with Acquire or written by this thread.
    fn help_refill(self, word: Word) {
        let (Some(shards), Some((shard, start))) = (self.shards, word.pending()) else { return };
        let run = self.bytes(self.refill_at(start));
        let displaced = shards[shard].0.run.install(run, SHARD_LIMIT);
        // Release: B2, pairs with the Acquire in `cursor`. The refill was installed before. Relaxed
        // on failure: another thread has cleared the refill, and a word that names it never recurs.
        let cleared = word.with_next(word.next());
        let _ = self.head.0.next.compare_exchange(word.raw(), cleared.raw(), Ordering::Release, Ordering::Relaxed);
        self.keep(displaced, false);
    }

    /// Gives bytes of the caller back to the bump. If `from_cursor` is true, none of them was ever
    /// in a shard's run, so the cursor may be retracted over them. If `everywhere` is true, any
    /// shard may keep them, otherwise (unless the cursor is retracted) only the shard of this
    /// thread.
    #[cold]
    #[inline(never)]
    pub(crate) fn return_run(self, run: Range<usize>, from_cursor: bool, everywhere: bool) {
        let returned = run.is_empty() || (from_cursor && self.retract(run.clone()));
        if !returned && !self.extend_shard_down(run.clone()) {
            self.keep(run, everywhere);
        }
    }

    /// If the cursor is at the end of this run, which the caller owns, retracts the cursor to the
    /// start of the run. In a bump with shards, retracts it to the first line boundary in the run,
    /// and keeps the bytes of the run below that boundary in a gap. Returns whether the cursor was
    /// retracted.
    fn retract(self, run: Range<usize>) -> bool {
        // Relaxed: a guess that the exchange confirms.
        let word = self.word(self.head.0.next.load(Ordering::Relaxed));
        let lowered = word.with_next(self.above(run.start));
        if word.has_pending() || self.offset(word) != run.end || lowered == word {
            return false;
        }
        // Relaxed: the Release of the exchange below makes the new value visible.
        self.head.0.past.fetch_max(run.end, Ordering::Relaxed);
        // Release: B1, pairs with the Acquire of every operation that advances the cursor. The
        // caller's accesses happen before those of the next owner. Relaxed on failure: the value is
        // not used.
        let next = &self.head.0.next;
        let retracted = next.compare_exchange(word.raw(), lowered.raw(), Ordering::Release, Ordering::Relaxed).is_ok();
        if retracted {
            self.keep(run.start..self.offset(lowered), true);
        }
        retracted
    }

    /// Puts a run into an empty gap of this thread's shard or, if `everywhere` is true, of any
    /// shard. If there is no empty gap, replaces the shortest run that this thread's shard keeps,
    /// if that is shorter. Otherwise the run is lost.
    fn keep(self, run: Range<usize>, everywhere: bool) {
        let Some(shards) = self.shards else { return };
        let own = own_index();
        let others = if everywhere { &shards[..] } else { &[] };
        for start in run.clone().step_by(MAX_LEN) {
            let piece = start..run.end.min(start + MAX_LEN);
            let mut empty = shards[own].0.kept.iter().chain(others.iter().flat_map(|shard| &shard.0.kept));
            if !empty.any(|gap| gap.put(piece.clone(), 1)) {
                if let Some(shortest) = shards[own].0.kept.iter().min_by_key(|gap| gap.rest().len()) {
                    shortest.put(piece.clone(), piece.len());
                }
            }
        }
    }

    #[inline]
    fn extend_shard_down(self, run: Range<usize>) -> bool {
        self.shards.is_some_and(|shards| shards[own_index()].0.run.extend_down(run, SHARD_LIMIT))
    }

    /// Takes a run for a handle: all bytes of a gap in which this thread's shard keeps bytes, if
    /// their number is in this range. The cursor must not be retracted over this run.
    pub(crate) fn take_kept_run(self, len: RangeInclusive<usize>) -> Option<Range<usize>> {
        self.shards?[own_index()].0.kept.iter().find_map(|gap| gap.take_all(&len))
    }

    /// Takes a run from the cursor for a handle. When the handle returns the run, the cursor may be
    /// retracted over it. `len` is called, possibly several times, with the number of bytes left at
    /// the cursor. It returns how many of them to take, or 0 to take none.
    pub(crate) fn take_run(self, len: impl Fn(usize) -> usize) -> Option<Range<usize>> {
        loop {
            let word = self.cursor();
            let start = self.offset(word);
            let len = len(self.capacity - start);
            if len == 0 {
                return None;
            }
            if let Some(end) = self.advance(word, start + len) {
                return Some(start..end);
            }
        }
    }

    /// Extends the run of a handle, if the cursor is at the end of the run, which is the offset
    /// `end`. `len` is called with the number of bytes left at the cursor, and returns how many of
    /// them to take, or 0 to take none. Returns the new end.
    pub(crate) fn extend_run(self, end: usize, len: impl Fn(usize) -> usize) -> Option<usize> {
        let word = self.cursor();
        let more = if self.offset(word) == end { len(self.capacity - end) } else { 0 };
        if more == 0 { None } else { self.advance(word, end + more) }
    }

    /// Returns the number of bytes that are handed out or lost. Exact if no other call is in
    /// progress.
    pub(crate) fn used(self) -> usize {
        // Acquire: the loads below return values that are at least as recent as the cursor.
        let word = self.word(self.head.0.next.load(Ordering::Acquire));
        let below = self.offset(word);
        let Some(shards) = self.shards else { return below };
        // If a gap ends above `below`, it is empty or has received bytes after the cursor was read,
        // so it is skipped.
        let rests = shards.iter().flat_map(Shard::gaps).map(Gap::rest).filter(|rest| rest.end <= below);
        let pending = word.pending().map(|(shard, start)| (shard, self.bytes(self.refill_at(start))));
        let pending = pending.filter(|(shard, run)| shards[*shard].0.run.rest().end < run.end);
        // The words are read at different times, so the sum may exceed `below`.
        below.saturating_sub(rests.map(|rest| rest.len()).sum::<usize>() + pending.map_or(0, |(_, run)| run.len()))
    }

    /// Returns the number of bytes left at the cursor.
    #[inline]
    pub(crate) fn left(self) -> usize {
        // Relaxed: an estimate.
        self.capacity - self.offset(self.word(self.head.0.next.load(Ordering::Relaxed)))
    }

    /// Returns an offset at or above which no byte was ever handed out.
    pub(crate) fn high_water(self) -> usize {
        // Acquire: pairs with the Release in `retract`, before which `past` was raised.
        let word = self.word(self.head.0.next.load(Ordering::Acquire));
        // Relaxed: the Acquire above ensures that `past` is at least as recent as the cursor.
        self.offset(word).max(self.head.0.past.load(Ordering::Relaxed))
    }

    /// Extends a block of `len` bytes that ends at `end` by `more` bytes, if they are free in the
    /// run of this thread's shard or, if the block is longer than `SHARD_LIMIT` or there are no
    /// shards, at the cursor. Returns whether the block was extended.
    #[inline]
    pub(crate) fn extend(self, end: usize, len: usize, more: usize) -> bool {
        match self.shards {
            // A block longer than `SHARD_LIMIT` counts as one from the cursor (`is_from_cursor`),
            // so a block of a shard must not grow beyond this limit.
            Some(shards) if len + more <= SHARD_LIMIT => shards[own_index()].0.run.take_next(end, more),
            Some(_) if len <= SHARD_LIMIT => false,
            _ => self.extend_at_cursor(end, more),
        }
    }

    /// Returns whether a block of `len` bytes is too long to contain bytes that were ever in a
    /// shard's run. Always true if there are no shards.
    #[inline]
    pub(crate) fn is_from_cursor(self, len: usize) -> bool {
        self.shards.is_none() || len > SHARD_LIMIT
    }

    fn extend_at_cursor(self, end: usize, more: usize) -> bool {
        let word = self.cursor();
        if self.offset(word) != end || self.capacity - end < more {
            return false;
        }
        let above = self.advance(word, end + more);
        if let Some(above) = above {
            self.keep(end + more..above, false);
        }
        above.is_some()
    }
}

/// Operations of an allocator on blocks that it has handed out.
#[cfg(any(all(test, loom), feature = "allocator-api2-02", feature = "allocator-api2-04", feature = "nightly"))]
impl Budget<'_> {
    /// Frees a block of `len` bytes, or the end of such a block.
    #[inline]
    pub(crate) fn free(self, freed: Range<usize>, len: usize) {
        let from_cursor = self.is_from_cursor(len);
        if from_cursor || !self.extend_shard_down(freed.clone()) {
            self.return_run(freed, from_cursor, false);
        }
    }
}

#[cfg(all(test, not(loom), feature = "std", target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_run_of_the_last_refill_ends_at_the_capacity() {
        for capacity in [1 << 20, MAX_END, MAX_END + 1] {
            let (head, shards) = (Head::new(), [const { Shard::new() }; SHARDS]);
            let budget = Budget::new(&head, has_shards(capacity).then_some(&shards), 0, capacity);
            let take = |bytes| budget.take_piece(Layout::from_size_align(bytes, 1).unwrap());
            let left = capacity - take(capacity - 2 * LINE).unwrap().taken.end;
            assert!(left > 0 && (0..left).all(|_| take(1).is_ok()));
            assert_eq!(take(1), Err(0));
            assert_eq!(budget.used(), capacity);
            if has_shards(capacity) {
                // If the shard's run ended below the end of the refill, a late helper would install
                // the refill again.
                assert_eq!(shards[own_index()].0.run.rest(), capacity..capacity);
            }
        }
    }
}
