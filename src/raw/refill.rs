//! When single slots come from shards, and how those get theirs from the cursor. Why that is right stands in `shards.rs`,
//! and so do the edges.

use super::cursor::Cursor;
use crate::raw::shards::{self, PendingRefill, Shards};
use crate::raw::stamps::Stamps;
use crate::raw::sync::{Ordering, thread_id};

/// How often in a row it must have been another thread than before. Of two that fight for the cursor, either takes the
/// slot that is looked at as often as not: so about two thousand slots are taken before that is seen.
const CONTENDED_SAMPLES: usize = 4;

impl Cursor {
    /// Sees whether several threads fight for the cursor: every so often, whether the slot went to another thread than
    /// the one the time before. Threads that take turns, many slots each, do not fight.
    pub(super) fn detect_contention(&self, shards: Shards<'_>) {
        if shards.is_empty() || shards.mode.is_disabled() {
            return;
        }
        // Relaxed, all: a guess.
        let (me, seen) = (thread_id(), self.runs.last_sample.load(Ordering::Relaxed));
        let others = if seen / CONTENDED_SAMPLES == me { 0 } else { seen % CONTENDED_SAMPLES + 1 };
        if others == CONTENDED_SAMPLES {
            return self.activate(shards);
        }
        let now = me * CONTENDED_SAMPLES + others;
        if now != seen {
            self.runs.last_sample.store(now, Ordering::Relaxed);
        }
    }

    /// From now on shards are in use.
    fn activate(&self, shards: Shards<'_>) {
        debug_assert!(!shards.is_empty());
        shards.mode.activate();
        // Relaxed: only that the word is another matters, see `retract`.
        self.next.fetch_or(shards::in_use(), Ordering::Relaxed);
    }

    /// Takes a slot when this thread's shard is used up: moves the cursor over a run for that shard, unless another has done
    /// so. At the end of the arena takes what is left over elsewhere.
    pub(super) fn refill(&self, stamps: Stamps<'_>, shards: Shards<'_>) -> Option<usize> {
        let shard = shards::of_thread();
        loop {
            // Acquire: E2, pairs with the Release in `retract`: the slots may have had an owner before. E4, pairs with the
            // Release here and in `complete`: shards are looked at.
            let word = self.next.load(Ordering::Acquire);
            if !shards.are_in_use(word) {
                // Another is about to say so; or shards are forced, and this is the first to ask.
                self.activate(shards);
                continue;
            }
            if let Some(refill) = shards.pending(word) {
                self.help_refill(shards, word, &refill);
                continue;
            }
            // Not before the cursor was read: a run that is put in after this raises it.
            if let Some(slot) = shards.shard(shard).take() {
                return Some(slot);
            }
            let start = shards.next(word);
            if start >= stamps.len() {
                return self.steal_or_claim(stamps, shards, word);
            }
            let (moved, refill) = shards.begin_refill(shard, start);
            // Release: E4, pairs with the Acquire of whoever meets the run in transit, who then knows what is known here:
            // that the shard is used up. Relaxed on failure: read anew. E2 needs no Acquire here: while shards are in use no
            // word below the end comes twice, so what is exchanged is what was read above.
            if self.next.compare_exchange_weak(word, moved, Ordering::Release, Ordering::Relaxed).is_ok() {
                self.help_refill(shards, moved, &refill);
            }
        }
    }

    /// Puts a run that is in transit into its shard, and clears the cursor of it. `word` said so and was read with Acquire.
    ///
    /// Ends when the cursor speaks of that run no more. The exchange is repeated when another has added one meanwhile, who
    /// then does the same; so each other thread can make it fail once.
    pub(super) fn help_refill(&self, shards: Shards<'_>, mut word: usize, refill: &PendingRefill) {
        shards.install(refill);
        while shards.pending(word).as_ref() == Some(refill) {
            let cleared = shards.at(shards.next(word), word);
            // Release: E4, pairs with the Acquire of whoever looks at shards because of what the cursor says: the run is in
            // its shard. Relaxed on failure: it only says whether another has done this.
            match self.next.compare_exchange(word, cleared, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// As if several threads had been seen to fight for the cursor.
    #[cfg(all(test, loom))]
    pub(crate) fn activate_shards(&self, shards: Shards<'_>) {
        self.activate(shards);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::raw::clock::Clock;
    use crate::raw::cursor::{FastPath, SAMPLE_INTERVAL};
    use crate::raw::shards::{SHARDS, Shard, ShardMode};
    use crate::raw::stamps::Stamp;
    use crate::raw::sync::AtomicMut;
    use std::thread;

    const SLOTS: usize = 4 * CONTENDED_SAMPLES * SAMPLE_INTERVAL;

    /// Takes slots from a cursor, one thread after another, so many each; whether shards came into use.
    fn takes_turns(turns: impl IntoIterator<Item = usize>) -> bool {
        let (bytes, clock) = ([const { Stamp::new() }; SLOTS], Clock::new());
        let (places, mode) = ([const { Shard::new() }; SHARDS], ShardMode::new());
        let (stamps, shards) = (Stamps::new(&bytes, &clock), Shards::new(&places, &mode, SLOTS, 8));
        let mut cursor = Cursor::new();
        for turn in turns {
            let take = || match cursor.take_fast(SLOTS, &mode, || &places) {
                FastPath::Slow(word) => cursor.take_slow(stamps, shards, word).is_some(),
                taken => matches!(taken, FastPath::Taken(_)),
            };
            thread::scope(|scope| assert!(scope.spawn(|| (0..turn).all(|_| take())).join().unwrap()));
        }
        assert_eq!(mode.is_active(), shards.are_in_use(cursor.next.read_mut()));
        mode.is_active()
    }

    #[test]
    #[cfg(all(feature = "std", target_pointer_width = "64"))]
    fn threads_that_fight_for_the_cursor_are_seen() {
        assert!(takes_turns([SAMPLE_INTERVAL; CONTENDED_SAMPLES]));
    }

    #[test]
    fn threads_that_take_turns_do_not_fight() {
        assert!(!takes_turns([SLOTS]));
        assert!(!takes_turns([SAMPLE_INTERVAL; CONTENDED_SAMPLES - 1]));
        assert!(!takes_turns([2 * SAMPLE_INTERVAL; SLOTS / SAMPLE_INTERVAL / 2]));
    }
}
