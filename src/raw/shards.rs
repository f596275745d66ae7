//! Shards reduce contention for the cursor. Each holds a run from which any thread can take slots.
//!
//! The unused slots of a shard are its *rest*. While there are enough shards, each thread has its
//! own shard. While shards are active, a request without a handle is served by the thread's own
//! shard if possible, and by the cursor otherwise. The slots in a shard have no owner, so a thread
//! that finds the cursor at the end may steal from any shard.
//!
//! # Why every free slot can be found
//!
//! A refill takes three exchanges. The first advances the cursor over a run. In the same word it
//! records the shard and the start of the run, from which the end follows. The second installs the
//! run in the shard. The third clears the record from the cursor. Between the first and the third,
//! the refill is *pending*. A thread that reads a pending refill *helps*: it completes the refill
//! before it continues. So at every moment each free slot is at or above the cursor, in a pending
//! refill, in a shard, or vacant. (The exceptions are slots that a call is about to make vacant,
//! see `vacant.rs`.) A request for one slot looks in each of these places.
//!
//! # Why no run is lost or installed twice
//!
//! While shards are active, **the cursor is never retracted**. (A bit of the cursor's word records
//! that they are active.) Returned slots extend a shard or become vacant. Hence two kinds of words
//! never recur: a word whose next slot is below the end, and a word with a pending refill. A
//! delayed exchange that expects such a word fails.
//!
//! **The end of a shard never decreases.** Taking slots moves the start up, and installing a run
//! moves the end up. A returned run moves the start down, but only if the shard is not used up.
//! Hence the word of a used-up shard does not recur after a run is installed. (The word of a shard
//! with slots may recur. This is harmless, because the word is the complete state of the shard:
//! taking is correct whenever the exchange finds the word that it expects.)
//!
//! - *Begin.* A thread reads the cursor, and begins a refill only if it *then* finds that its shard
//!   is used up, or that the rest ends at the cursor. If a run has been installed in the meantime,
//!   the cursor has moved, and the exchange that begins the refill fails. A used-up shard stays
//!   used up until the refill is installed, because a return does not extend it. A rest that ends
//!   at the cursor keeps its end.
//! - *Install.* A run is installed if the rest ends where the run starts, or if the shard is used
//!   up and its last run ended below the end of this one. Otherwise another thread has already
//!   installed the run, because ends only increase.
//! - *Clear.* The exchange that clears a pending refill from the cursor expects a word that names
//!   this refill. Such a word does not recur.
//!
//! A thread that begins or helps a refill returns only after the cursor no longer names it. Hence
//! no refill is pending under exclusive access.
//!
//! # Orderings
//!
//! - `E2 return → reuse`, through a shard. If slots are returned to the shard,
//!   [`Shard::extend_down`] is Release, and [`Shard::take_from`] and [`Shard::retire`] are Acquire.
//!   If slots are returned at the cursor, `retract` and `return_fast` are Release, and the thread
//!   that begins or helps the refill has read the cursor with Acquire. E3 continues this edge.
//! - `E3 install → take`: [`Shard::install`] (Release) after the load of the cursor, and
//!   [`Shard::take_from`] or [`Shard::retire`] (Acquire) before the new owner's first access. Every
//!   write in between is a read-modify-write of the shard's word, so the release sequence is not
//!   broken.
//! - `E4 advance → look`, in `cursor.rs` and `refill.rs`. A thread that finds the cursor at the end
//!   must see the shards as they were when the cursor reached the end. A thread that finds a
//!   pending refill must see the shard as the thread that began the refill saw it. Therefore the
//!   exchanges that begin a refill and that clear it are Release, and a thread that looks at shards
//!   has read the cursor with Acquire.

#![forbid(unsafe_code)]

use core::ops::Range;

use super::search::Search;
use super::stripe::Stripe;
use super::sync::{AtomicBool, AtomicMut, AtomicUsize, CachePadded, Ordering, const_fn};
use super::thread_id::{EXCLUSIVE_IDS, FORCED, TINY, thread_id, thread_id_or_any};
use super::word::{MAX_PACKED_CAPACITY, MAX_SHARDS, Word};

/// The number of shards of an arena that has shards: one for each exclusive thread number.
pub(crate) const SHARDS: usize = EXCLUSIVE_IDS;

/// The limits on the length of a refill's run, in bytes (rounded up to whole slots) and in slots.
const RUN_BYTES: usize = if cfg!(all(test, loom)) { 8 } else { 64 << 10 };
const MAX_RUN: usize = if cfg!(shards = "forced") {
    2
} else if TINY {
    8
} else {
    8 << 10
};

/// A refill takes `1 / RUN_FRACTION` of the slots left at the cursor, or `MIN_RUN` slots if that is
/// more. It never exceeds the limits above or the number of slots left. A small arena uses
/// `SMALL_RUN_FRACTION` instead, because shorter runs would need more refills, which contend for
/// the cursor.
const RUN_FRACTION: usize = if TINY { 1 } else { SHARDS };
const SMALL_RUN_FRACTION: usize = if TINY { 1 } else { 4 };
const MIN_RUN: usize = 16;

/// An arena with a smaller capacity uses `SMALL_RUN_FRACTION`.
pub(crate) const SMALL_CAPACITY: usize = 16 << 10;

/// The smallest capacity of an arena with shards and a summary. The shards take up to 4 KiB, and in
/// a smaller arena their runs would be short.
pub(crate) const MIN_CAPACITY: usize = 2 << 10;

/// The word of a shard contains, from the lowest bit up, the length of its rest and the first slot
/// of its rest. If the rest is empty, the end of the last installed run takes the place of the
/// first slot.
const LEN_BITS: u32 = 16;
const MAX_LEN: usize = (1 << LEN_BITS) - 1;

/// A return extends a rest to at most this length, so that the length still fits in the word after
/// the next refill.
const MAX_EXTENDED: usize = MAX_LEN / 2;

const _: () = assert!(SHARDS <= MAX_SHARDS && MAX_RUN + MAX_EXTENDED <= MAX_LEN);

/// Returns whether the word of the cursor has room for a pending refill in an arena of this
/// capacity.
pub(crate) const fn can_have_shards(capacity: usize) -> bool {
    capacity <= MAX_PACKED_CAPACITY
}

/// The number of shards for which an arena reserves space if it has a tail (see `storage`). The
/// number is the same for every capacity. It is 0 on targets where no arena has shards.
pub(crate) const RESERVED_SHARDS: usize = if MAX_PACKED_CAPACITY > 0 { SHARDS } else { 0 };

/// A shard on a cache line of its own. Zeroed memory is a valid new shard.
#[derive(Debug)]
pub(crate) struct Shard(CachePadded<ShardState>);

#[derive(Debug)]
struct ShardState {
    /// The rest, packed into a word (see `LEN_BITS`).
    rest: AtomicUsize,
    /// A stripe of the count of open handles. Only the thread whose exclusive number is the index
    /// of this shard writes it.
    handles: Stripe,
    /// Where the threads of this shard search for a single vacant slot.
    search: Search,
}

impl Shard {
    const_fn! {
        #[cfg(test)]
        pub(crate) fn new() -> Self {
            Shard(CachePadded(ShardState {
                rest: AtomicUsize::new(0),
                handles: Stripe::new(),
                search: Search::new(),
            }))
        }
    }

    /// Takes `n` slots and returns the first. Returns `None` if fewer than `n` are left. `n` is not
    /// 0. Calls `contended` after each exchange that fails because another thread has changed the
    /// shard.
    pub(super) fn take(&self, n: usize, contended: impl Fn()) -> Option<usize> {
        // Relaxed: a guess that the exchange confirms. If the value shows too few slots, E4 ensures
        // that it is recent enough to refuse the request, because the caller has read the cursor
        // with Acquire.
        let mut word = self.0.rest.load(Ordering::Relaxed);
        while word & MAX_LEN >= n {
            match self.take_from(word, n) {
                Ok(start) => return Some(start),
                Err(now) => word = now,
            }
            contended();
        }
        None
    }

    /// Like [`take`](Self::take), but also returns `None` if another thread changes the shard in
    /// the meantime. The caller then continues on the slow path.
    #[inline]
    fn take_fast(&self, n: usize) -> Option<usize> {
        // Relaxed: a guess that the exchange confirms.
        let word = self.0.rest.load(Ordering::Relaxed);
        if word & MAX_LEN < n { None } else { self.take_from(word, n).ok() }
    }

    /// Takes `n` slots if the word of the shard is still `word`, which shows at least `n` slots.
    /// The error is the current word.
    #[inline]
    fn take_from(&self, word: usize, n: usize) -> Result<usize, usize> {
        // The start moves up by `n`, and the length falls by `n`.
        let rest = word + (n << LEN_BITS) - n;
        // Acquire: E3, pairs with the Release in `install`. E2, pairs with the Release in
        // `extend_down`. Relaxed on failure: again a guess. The exchange is strong, so a failure
        // shows contention.
        let taken = self.0.rest.compare_exchange(word, rest, Ordering::Acquire, Ordering::Relaxed);
        // Not the old word that the exchange returns, for which the caller would have to wait.
        taken.map(|_| word >> LEN_BITS)
    }

    #[inline]
    fn unpack(word: usize) -> Range<usize> {
        let start = word >> LEN_BITS;
        start..start + (word & MAX_LEN)
    }

    #[inline]
    fn pack(rest: &Range<usize>) -> usize {
        debug_assert!(rest.len() <= MAX_LEN);
        rest.start << LEN_BITS | rest.len()
    }

    /// Returns the rest. If the shard is used up, the rest is an empty range at the end of the last
    /// run.
    #[inline]
    pub(crate) fn rest(&self) -> Range<usize> {
        // Relaxed: the caller uses the result as an estimate, or as a guess that an exchange then
        // confirms.
        Self::unpack(self.0.rest.load(Ordering::Relaxed))
    }

    /// Takes all slots of the shard if its rest still equals `rest`. Returns whether it took them.
    pub(crate) fn retire(&self, rest: &Range<usize>) -> bool {
        let used_up = rest.end..rest.end;
        // Acquire: E3 and E2, as in `take_from`. Relaxed on failure: the value is not used.
        let (from, to) = (Self::pack(rest), Self::pack(&used_up));
        self.0.rest.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Installs the run of a pending refill of this shard, unless another thread has done so.
    pub(crate) fn install(&self, run: &Range<usize>) {
        // Relaxed, also on failure: E4 ensures that the value is recent enough. It is not older
        // than the value that was read when the refill was begun, because the caller has begun the
        // refill itself or has read the cursor with Acquire.
        let mut word = self.0.rest.load(Ordering::Relaxed);
        loop {
            let rest = Self::unpack(word);
            let start = if rest.end >= run.end {
                return;
            } else if rest.is_empty() {
                run.start
            } else {
                debug_assert_eq!(rest.end, run.start, "the run of a refill must start where the rest ends");
                rest.start
            };
            let installed = Self::pack(&(start..run.end));
            // Release: E3, pairs with the Acquire in `take_from`.
            match self.0.rest.compare_exchange(word, installed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Adds a run that the caller owns to the start of the rest, if the run ends where the rest
    /// starts, the shard is not used up, and the new rest has at most `MAX_EXTENDED` slots. Returns
    /// whether the run was added.
    #[inline]
    pub(crate) fn extend_down(&self, run: &Range<usize>) -> bool {
        // Relaxed, also on failure: a guess that the exchange confirms.
        let mut word = self.0.rest.load(Ordering::Relaxed);
        loop {
            let rest = Self::unpack(word);
            // A used-up shard must stay used up. Otherwise the run of a pending refill could not be
            // installed, unless the rest happened to end where that run starts.
            if rest.is_empty() || rest.start != run.end || rest.len() + run.len() > MAX_EXTENDED {
                return false;
            }
            let extended = Self::pack(&(run.start..rest.end));
            // Release: E2, pairs with the Acquire in `take_from`. The caller's accesses happen
            // before those of the next owner.
            match self.0.rest.compare_exchange_weak(word, extended, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Takes all remaining slots and resets the rest to its initial state.
    pub(crate) fn close_mut(&mut self) -> Range<usize> {
        let rest = Self::unpack(self.0.rest.read_mut());
        self.0.rest.write_mut(0);
        rest
    }

    #[inline]
    pub(super) fn handles(&self) -> &Stripe {
        &self.0.handles
    }

    pub(super) fn handles_mut(&mut self) -> &mut Stripe {
        &mut self.0.handles
    }

    #[inline]
    pub(super) fn search(&self) -> &Search {
        &self.0.search
    }
}

/// Whether shards serve requests. This state is on a different cache line from the cursor, so that
/// a thread that takes from its shard need not read the cursor's line.
#[derive(Debug)]
pub(crate) struct ShardMode {
    /// This flag is set when contention is detected, and cleared under exclusive access. While the
    /// arena is shared the flag is only a hint, because it is always correct to take slots from the
    /// cursor or from a shard. If it is not set under exclusive access, every shard is used up.
    active: AtomicBool,
    /// Nonzero if shards were active recently, in which case contention is detected sooner. Set to
    /// 2 when shards are deactivated, and decremented at the end of each epoch.
    recently_active: u8,
    /// Whether the cursor has reached the end and every shard was found used up after that. From
    /// then on no refill begins, and a return does not extend a used-up shard. So every shard stays
    /// used up until the next exclusive access.
    drained: AtomicBool,
    /// Whether shards are never activated, even if the arena has some. See `in_order`.
    disabled: bool,
}

impl ShardMode {
    const_fn! {
        pub(crate) fn new() -> Self {
            ShardMode { active: AtomicBool::new(false), recently_active: 0, drained: AtomicBool::new(false), disabled: false }
        }
    }

    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        // Relaxed: a hint.
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn activate(&self) {
        // Relaxed: a hint.
        self.active.store(true, Ordering::Relaxed);
    }

    /// Returns whether shards were deactivated recently (see `recently_active`).
    pub(crate) fn was_active(&self) -> bool {
        self.recently_active != 0
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// Disables shards. From now on the cursor serves every request.
    pub(crate) fn disable(&mut self) {
        self.active.write_mut(false);
        self.disabled = true;
    }

    /// Deactivates shards until contention is detected again, unless shards are forced. Returns
    /// whether they were active.
    pub(crate) fn deactivate(&mut self, has_shards: bool) -> bool {
        let was = self.active.read_mut();
        if was {
            self.recently_active = 2;
        }
        self.active.write_mut(FORCED && has_shards && !self.disabled);
        self.drained.write_mut(false);
        was
    }

    /// Deactivates shards at the end of an epoch. Returns whether they were active.
    pub(crate) fn end_epoch(&mut self, has_shards: bool) -> bool {
        self.recently_active = self.recently_active.saturating_sub(1);
        self.deactivate(has_shards)
    }
}

/// Returns the shard of this thread, if there are shards.
#[inline]
pub(crate) fn own(shards: &[Shard]) -> Option<&Shard> {
    own_with_index(shards).map(|(_, shard)| shard)
}

/// Returns the shard of this thread and its index, if there are shards.
#[inline]
fn own_with_index(shards: &[Shard]) -> Option<(usize, &Shard)> {
    // Without shards the thread's id is not read, because the first read of the id may allocate
    // memory.
    if shards.is_empty() {
        return None;
    }
    let index = own_index();
    Some((index, shards.get(index)?))
}

/// Takes `n` slots from the shard of this thread, and returns the first. After `None`, the request
/// needs the slow path.
#[inline]
pub(crate) fn take_fast(shards: &[Shard], n: usize) -> Option<usize> {
    own(shards)?.take_fast(n)
}

/// Returns the shard of this thread, if there are shards and the thread has an exclusive number.
#[inline]
pub(crate) fn exclusive(shards: &[Shard]) -> Option<&Shard> {
    if shards.is_empty() { None } else { shards.get(thread_id()) }
}

/// Like [`exclusive`], but assigns no number to a thread that has none yet. Compiles to code
/// without a call, so that an inlined caller keeps its values in registers.
#[inline]
pub(crate) fn exclusive_if_assigned(shards: &[Shard]) -> Option<&Shard> {
    if shards.is_empty() { None } else { shards.get(thread_id_or_any()) }
}

/// Returns the index of the shard of this thread. It may change whenever the thread takes slots or
/// bytes from a shard.
#[inline]
pub(crate) fn own_index() -> usize {
    thread_id() % SHARDS
}

/// A pending refill: a shard, and the run to be installed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingRefill {
    shard: usize,
    run: Range<usize>,
}

/// The shards of an arena: `SHARDS` of them, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shards<'a> {
    shards: &'a [Shard],
    pub(crate) mode: &'a ShardMode,
    /// The number of slots of the arena.
    capacity: usize,
    /// The longest run of a refill, in slots. All threads must use the same value, because each
    /// computes the end of a pending run from it.
    longest: usize,
}

impl<'a> Shards<'a> {
    /// Returns the shards of an arena. `slot_size` is in bytes.
    #[inline]
    pub(crate) fn new(shards: &'a [Shard], mode: &'a ShardMode, capacity: usize, slot_size: usize) -> Self {
        let longest = if slot_size <= RUN_BYTES / MAX_RUN { MAX_RUN } else { RUN_BYTES.div_ceil(slot_size) };
        Shards { shards, mode, capacity, longest }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &'a [Shard] {
        self.shards
    }

    /// Returns whether every shard is used up. No refill may be pending.
    pub(crate) fn are_used_up(&self) -> bool {
        // Relaxed: as in `steal_at_end`.
        self.mode.drained.load(Ordering::Relaxed) || self.shards.iter().all(|shard| shard.rest().is_empty())
    }

    /// Returns the shard of this thread and its index, if there are shards.
    #[inline]
    pub(crate) fn own(&self) -> Option<(usize, &'a Shard)> {
        own_with_index(self.shards)
    }

    /// Interprets a value of the cursor.
    #[inline]
    pub(crate) fn word(&self, raw: usize) -> Word {
        Word::new(raw, !self.shards.is_empty())
    }

    /// Takes one slot from any shard. Looks at each shard once, starting with that of this thread.
    ///
    /// The caller has read the cursor with Acquire and found it at the end (E4). If a refill was
    /// pending, the caller has helped to complete it.
    #[inline]
    pub(crate) fn steal_at_end(&self) -> Option<usize> {
        // Relaxed, here and in the store below: once set, the flag stays set while the arena is
        // shared, and a thread that finds it set does not look at any shard.
        if self.mode.drained.load(Ordering::Relaxed) {
            return None;
        }
        let (before, rest) = self.shards.split_at(own_index());
        let stolen = rest.iter().chain(before).find_map(|shard| shard.take(1, || ()));
        if stolen.is_none() {
            self.mode.drained.store(true, Ordering::Relaxed);
        }
        stolen
    }

    /// Returns the run that a refill takes when the cursor is at `start`, which is below the end.
    #[inline]
    pub(crate) fn run_at(&self, start: usize) -> Range<usize> {
        let fraction = if self.capacity < SMALL_CAPACITY { SMALL_RUN_FRACTION } else { RUN_FRACTION };
        let left = self.capacity - start;
        start..start + (left / fraction).max(MIN_RUN).min(self.longest).min(left)
    }

    /// Returns the refill that moves `run` to the shard with this index, and the cursor's word
    /// after the refill has begun: advanced over the run, with the refill pending.
    pub(crate) fn begin_refill(&self, word: Word, shard: usize, run: Range<usize>) -> (Word, PendingRefill) {
        (word.with_pending(shard, run.start, run.end), PendingRefill { shard, run })
    }

    /// Returns the refill that this word records as pending.
    #[inline]
    pub(crate) fn pending(&self, word: Word) -> Option<PendingRefill> {
        let (shard, start) = word.pending()?;
        Some(PendingRefill { shard, run: self.run_at(start) })
    }

    /// Installs a pending refill, unless another thread has done so.
    pub(crate) fn install(&self, refill: &PendingRefill) {
        self.shards[refill.shard].install(&refill.run);
    }

    /// Returns the number of slots in shards and in a pending refill. `word` is the cursor's word.
    /// Exact if no other call is in progress.
    pub(crate) fn count(&self, word: Word) -> usize {
        let pending = self.pending(word);
        let rests = self.shards.iter().map(Shard::rest).enumerate().map(|(index, rest)| match &pending {
            Some(refill) if refill.shard == index && rest.end < refill.run.end => rest.len() + refill.run.len(),
            _ => rest.len(),
        });
        rests.sum()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn take(shard: &Shard, n: usize) -> Option<usize> {
        shard.take(n, || panic!("no other thread takes slots"))
    }

    #[test]
    fn a_shard_hands_out_each_slot_of_its_run_once() {
        let shard = Shard::new();
        assert_eq!(take(&shard, 1), None);
        shard.install(&(3..8));
        assert_eq!(
            [take(&shard, 1), take(&shard, 3), take(&shard, 2), take(&shard, 1), take(&shard, 1)],
            [Some(3), Some(4), None, Some(7), None]
        );
        assert_eq!(shard.rest(), 8..8);
    }

    #[test]
    fn a_run_is_installed_once() {
        let shard = Shard::new();
        shard.install(&(3..5));
        shard.install(&(3..5)); // a late helper
        assert_eq!([take(&shard, 1), take(&shard, 1)], [Some(3), Some(4)]);
        shard.install(&(3..5)); // a very late one
        assert_eq!(take(&shard, 1), None);
        shard.install(&(7..9));
        assert_eq!(shard.rest(), 7..9);
    }

    #[test]
    fn a_rest_that_ends_where_a_run_starts_is_extended() {
        let shard = Shard::new();
        shard.install(&(0..4));
        assert_eq!(take(&shard, 3), Some(0));
        shard.install(&(4..8));
        assert_eq!(shard.rest(), 3..8);
        shard.install(&(4..8)); // a late helper
        assert_eq!(shard.rest(), 3..8);
    }

    #[test]
    fn a_returned_run_extends_only_a_rest_that_it_adjoins() {
        let mut shard = Shard::new();
        shard.install(&(4..8));
        assert_eq!(take(&shard, 3), Some(4));
        assert!(!shard.extend_down(&(5..6)));
        assert!(shard.extend_down(&(5..7)));
        assert_eq!(shard.rest(), 5..8);
        assert_eq!(take(&shard, 3), Some(5));
        assert!(!shard.extend_down(&(7..8)), "the shard is used up");
        assert_eq!(shard.close_mut(), 8..8);

        let shard = Shard::new();
        shard.install(&(MAX_EXTENDED..MAX_EXTENDED + 1));
        assert!(!shard.extend_down(&(0..MAX_EXTENDED)));
        assert!(shard.extend_down(&(1..MAX_EXTENDED)));
    }

    #[test]
    fn a_rest_is_retired_as_it_was_seen() {
        let shard = Shard::new();
        shard.install(&(4..8));
        let rest = shard.rest();
        assert_eq!(take(&shard, 1), Some(4));
        assert!(!shard.retire(&rest));
        assert!(shard.retire(&shard.rest()));
        assert_eq!((shard.rest(), take(&shard, 1)), (8..8, None));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn slots_are_counted_in_shards_and_in_a_pending_refill() {
        let (shards, mode) = ([const { Shard::new() }; SHARDS], ShardMode::new());
        let shards = Shards::new(&shards, &mode, 1 << 20, 8);
        let idle = shards.word(0);
        let (word, refill) = shards.begin_refill(idle, own_index(), shards.run_at(0));
        let run = refill.run.len();
        assert_eq!((shards.count(idle), shards.count(word)), (0, run));
        assert_eq!(shards.pending(word).as_ref(), Some(&refill));
        shards.install(&refill);
        assert_eq!((shards.count(word), shards.count(word.with_next(run))), (run, run));
        // A rest that ends at the cursor is extended.
        let (word, refill) = shards.begin_refill(word.with_next(run), own_index(), shards.run_at(run));
        assert_eq!(shards.count(word), run + refill.run.len());
    }

    #[test]
    fn the_runs_of_refills_end_at_the_capacity() {
        let mode = ShardMode::new();
        for slot_size in [0, 1, 8, 64, RUN_BYTES, RUN_BYTES + 1, usize::MAX] {
            for capacity in [1, 2, 5, 1 << 10, if cfg!(miri) { 1 << 11 } else { 1 << 20 }] {
                let shards = Shards::new(&[], &mode, capacity, slot_size);
                let mut start = 0;
                while start < capacity {
                    let run = shards.run_at(start);
                    assert!(run.start == start && !run.is_empty() && run.len() <= shards.longest);
                    start = run.end;
                }
                assert_eq!(start, capacity);
            }
        }
    }
}
