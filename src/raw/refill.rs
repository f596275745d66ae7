//! The slow paths of shards: detecting contention, refilling a shard, and helping a pending refill.
//! `shards.rs` explains why these paths are correct.

#![forbid(unsafe_code)]

use super::cursor::{Cursor, Refused};
use super::metadata::Metadata;
use super::shards::{PendingRefill, ShardMode, Shards};
use super::sync::Ordering;
use super::thread_id::{note_contention, thread_id};
use super::word::{Word, active_bit};

/// A *sample* is a slot whose owner checks for contention (`is_sample` in `cursor.rs`). There may
/// be contention if each of this many consecutive samples went to a different thread than the
/// sample before it. If two threads contend for the cursor, each takes half of the samples in
/// random order, so this happens after about 30 samples. If they take slots strictly in turn, it
/// happens after 4.
const CONTENDED_SAMPLES: usize = 4;

/// Shards are activated after this many compare-exchanges have failed because another thread moved
/// the cursor.
const CONTENDED_EXCHANGES: usize = 16;

/// The number of loads with which a thread checks whether other threads are moving the cursor.
const WATCHED_LOADS: usize = if cfg!(all(test, loom)) { 1 } else { 200 };

/// `last_sample` contains, from the lowest bit up, the number of consecutive samples that went to a
/// different thread than the sample before, the number of failed exchanges, and the id of the last
/// sampled thread plus one.
const EXCHANGE_SHIFT: u32 = 4;
const THREAD_SHIFT: u32 = 12;

impl Cursor {
    /// Records that this thread has advanced the cursor from a sampled value, and activates shards
    /// if there is contention.
    ///
    /// Threads that take turns do not contend, however short their turns. Therefore the thread
    /// watches the cursor for a moment before it activates shards. In so short a time, another
    /// thread can hardly move the cursor unless it runs concurrently.
    ///
    /// The arena must have shards.
    #[cold]
    pub(crate) fn detect_contention(&self, mode: &ShardMode) {
        if mode.is_disabled() {
            return;
        }
        // Relaxed, both: a heuristic.
        let seen = self.runs.last_sample.load(Ordering::Relaxed);
        let me = thread_id().wrapping_add(1) << THREAD_SHIFT;
        let same_thread = seen >> THREAD_SHIFT << THREAD_SHIFT == me || seen >> THREAD_SHIFT == 0;
        let others = if same_thread { 0 } else { (seen & ((1 << EXCHANGE_SHIFT) - 1)) + 1 };
        let needed = if mode.was_active() { 1 } else { CONTENDED_SAMPLES };
        let mut now = seen & ((1 << THREAD_SHIFT) - (1 << EXCHANGE_SHIFT)) | me | others;
        if others >= needed {
            if self.is_moving() {
                return self.activate(mode);
            }
            now -= others;
        }
        if now != seen {
            self.runs.last_sample.store(now, Ordering::Relaxed);
        }
    }

    /// Returns whether another thread moves the cursor while this one watches it.
    #[cold]
    fn is_moving(&self) -> bool {
        // Relaxed: a heuristic.
        let start = self.next.load(Ordering::Relaxed);
        (0..WATCHED_LOADS).any(|_| self.next.load(Ordering::Relaxed) != start)
    }

    /// Counts a compare-exchange that failed because another thread moved the cursor. Activates
    /// shards after several such failures. `is_empty` is true if the arena has no shards.
    #[cold]
    pub(super) fn note_failed_exchange(&self, mode: &ShardMode, is_empty: bool) {
        if is_empty || mode.is_disabled() || mode.is_active() {
            return;
        }
        // Relaxed, both: a heuristic. An increment may be lost.
        let seen = self.runs.last_sample.load(Ordering::Relaxed) + (1 << EXCHANGE_SHIFT);
        if seen >> EXCHANGE_SHIFT & ((1 << (THREAD_SHIFT - EXCHANGE_SHIFT)) - 1) >= CONTENDED_EXCHANGES {
            return self.activate(mode);
        }
        self.runs.last_sample.store(seen, Ordering::Relaxed);
    }

    /// Makes shards serve requests from now on.
    fn activate(&self, mode: &ShardMode) {
        mode.activate();
        // Relaxed: the bit only has to make the exchanges of `retract` and `return_fast` fail,
        // which expect a word without it. A read-modify-write does not end a release sequence.
        self.next.fetch_or(active_bit(), Ordering::Relaxed);
    }

    /// Takes `n` slots from the shard of this thread or from the cursor, and returns the first. If
    /// shards are active and the request is short, a shard with too few slots is refilled.
    ///
    /// The request is refused only if the cursor had fewer than `n` slots left and, after that, the
    /// shard had fewer than `n` left.
    pub(super) fn take_sharded(&self, meta: &Metadata<'_>, n: usize) -> Result<usize, Refused> {
        let shards = &meta.shards;
        // Determined once, because this thread may leave its shard during the call. A refill must
        // be for the shard that the thread has looked at, or it could displace a rest.
        let own = shards.own();
        loop {
            // Acquire: E2, pairs with the Release in `retract` and `return_fast`. The slots may
            // have had an owner before. E4, pairs with the Release below and in `help_refill`: this
            // thread looks at the shard next.
            let word = shards.word(self.next.load(Ordering::Acquire));
            if let Some(refill) = shards.pending(word) {
                self.help_refill(shards, word, &refill);
                continue;
            }
            let start = word.next();
            let left = meta.capacity().saturating_sub(start);
            // If too few slots are left at the cursor, the other shards may have too few as well,
            // so this thread does not leave its shard.
            let contended = || {
                if n <= left {
                    note_contention();
                }
            };
            // The shard is read after the cursor, so that the exchange below fails if a run is
            // installed after the shard was read.
            if let Some(start) = own.and_then(|(_, shard)| shard.take(n, contended)) {
                return Ok(start);
            }
            if left < n {
                return Err(Refused { left, word });
            }
            let run = shards.run_at(start);
            let shard = own.filter(|_| shards.mode.is_active() && n <= run.len() / 2);
            let Some((index, shard)) = shard else {
                // The request is long, or shards are not active, so the cursor serves it. The rest
                // stays in the shard.
                let moved = word.with_next(start + n).raw();
                // Acquire: E2, as in `advance`. Relaxed on failure: the value is not used.
                if self.next.compare_exchange_weak(word.raw(), moved, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    return Ok(start);
                }
                continue;
            };
            if !word.is_active() {
                // The mode is active, but the bit in the cursor's word is not set. Either another
                // thread is about to set it, or shards are forced and this is the first request on
                // the slow path.
                self.activate(shards.mode);
                continue;
            }
            let rest = shard.rest();
            if !rest.is_empty() && rest.end != start {
                // The rest is too short, and a refill cannot extend it, because it does not end at
                // the cursor. (If it ends above `start`, a run was installed after the cursor was
                // read, and the loop reads the cursor again.)
                if rest.end < start && shard.retire(&rest) {
                    self.runs.vacant.add_retired(meta, rest);
                }
                continue;
            }
            let (moved, refill) = shards.begin_refill(word, index, run);
            // Release: E4, pairs with the Acquire of a thread that reads the pending refill, which
            // must see the shard as this thread saw it. E2 needs no Acquire here: `word` is active,
            // and an active word below the end does not recur. So the exchange replaces the very
            // value that the load above has read with Acquire. Relaxed on failure: the value is not
            // used.
            let begun = self.next.compare_exchange_weak(word.raw(), moved.raw(), Ordering::Release, Ordering::Relaxed);
            if begun.is_ok() {
                self.help_refill(shards, moved, &refill);
            }
        }
    }

    /// Installs a pending refill and clears it from the cursor. `word` names the refill, and was
    /// read with Acquire or written by this thread.
    ///
    /// Returns only after the cursor no longer names the refill. The exchange is repeated if
    /// another thread has added to the cursor in the meantime. That thread then helps too, so each
    /// other thread can make the exchange fail at most once.
    pub(super) fn help_refill(&self, shards: &Shards<'_>, mut word: Word, refill: &PendingRefill) {
        shards.install(refill);
        while shards.pending(word).as_ref() == Some(refill) {
            let cleared = word.with_next(word.next()).raw();
            // Release: E4, pairs with the Acquire of a thread that reads the cursor and then looks
            // at shards, where it must find the run. Relaxed on failure: the value only tells
            // whether another thread has cleared the refill.
            match self.next.compare_exchange(word.raw(), cleared, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = shards.word(now),
            }
        }
    }

    /// Activates shards as if contention had been detected.
    #[cfg(all(test, loom))]
    pub(crate) fn activate_shards(&self, shards: &Shards<'_>) {
        self.activate(shards.mode);
    }
}

#[cfg(all(test, not(loom), feature = "std", target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::raw::clock::Clock;
    use crate::raw::cursor::FastPath;
    use crate::raw::shards::{SHARDS, Shard};
    use crate::raw::stamps::{Stamp, Stamps};
    use crate::raw::summary::Summary;
    use std::thread;

    const SLOTS: usize = if cfg!(miri) { 512 } else { 4_096 };

    /// Runs threads one after another, each of which takes slots from the same cursor. `turns`
    /// contains the number of slots that each thread takes. Returns whether shards were activated.
    fn takes_turns(turns: impl IntoIterator<Item = usize>) -> bool {
        let (bytes, clock) = ([const { Stamp::new() }; SLOTS], Clock::new());
        let (lines, mode) = ([const { Shard::new() }; SHARDS], ShardMode::new());
        let stamps = Stamps::new(&bytes, &clock);
        let summary = Summary::new(&[], stamps.epoch());
        let meta = Metadata { stamps, summary, shards: Shards::new(&lines, &mode, SLOTS, 8) };
        let cursor = Cursor::new();
        for turn in turns {
            let take = || match cursor.take_fast(SLOTS, &mode, || &lines) {
                FastPath::Slow(word) => cursor.take_slow(&meta, word).is_some(),
                FastPath::Sampled(_) => {
                    cursor.detect_contention(&mode);
                    true
                }
                taken => matches!(taken, FastPath::Taken(_)),
            };
            thread::scope(|scope| assert!(scope.spawn(|| (0..turn).all(|_| take())).join().unwrap()));
        }
        mode.is_active()
    }

    #[test]
    fn threads_that_take_turns_do_not_contend() {
        assert!(!takes_turns([SLOTS]));
        for turn in [1, 20, 64, 200] {
            assert!(!takes_turns((0..SLOTS / turn / 8).map(|_| turn)));
        }
    }

    #[test]
    fn threads_that_move_the_cursor_at_the_same_time_contend() {
        let (lines, mode) = ([const { Shard::new() }; SHARDS], ShardMode::new());
        let (cursor, shards) = (Cursor::new(), Shards::new(&lines, &mode, SLOTS, 8));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !mode.is_active() {
                        cursor.detect_contention(&mode);
                        cursor.next.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(shards.word(cursor.next.load(Ordering::Relaxed)).is_active());
    }

    #[test]
    fn exchanges_that_another_thread_made_fail_are_contention() {
        let (cursor, mut mode) = (Cursor::new(), ShardMode::new());
        let fail = |mode: &ShardMode| {
            cursor.note_failed_exchange(mode, false);
            mode.is_active()
        };
        assert!((1..CONTENDED_EXCHANGES).all(|_| !fail(&mode)));
        assert!(fail(&mode));
        mode.disable();
        assert!((0..2 * CONTENDED_EXCHANGES).all(|_| !fail(&mode)), "disabled shards were activated");
    }
}
