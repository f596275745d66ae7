//! When single slots come from lanes, and how those get theirs from the cursor. Why that is right stands in `lanes.rs`,
//! and so do the edges.

use super::Cursor;
use crate::lanes::{self, Lanes, Transit};
use crate::stamp::Stamps;
use crate::sync::{Ordering, thread_number};

/// How often in a row it must have been another thread than before. Of two that fight for the cursor, either takes the
/// slot that is looked at as often as not: so about two thousand slots are taken before that is seen.
const FIGHT: usize = 4;

impl Cursor {
    /// Sees whether several threads fight for the cursor: every so often, whether the slot went to another thread than
    /// the one the time before. Threads that take turns, many slots each, do not fight.
    pub(super) fn look_for_others(&self, lanes: Lanes<'_>) {
        if lanes.is_empty() || lanes.hint.is_in_order() {
            return;
        }
        // Relaxed, all: a guess.
        let (me, seen) = (thread_number(), self.runs.sample.load(Ordering::Relaxed));
        let others = if seen / FIGHT == me { 0 } else { seen % FIGHT + 1 };
        if others == FIGHT {
            return self.spread(lanes);
        }
        let now = me * FIGHT + others;
        if now != seen {
            self.runs.sample.store(now, Ordering::Relaxed);
        }
    }

    /// From now on lanes are in use.
    fn spread(&self, lanes: Lanes<'_>) {
        debug_assert!(!lanes.is_empty());
        lanes.hint.spread();
        // Relaxed: only that the word is another matters, see `lower`.
        self.next.fetch_or(lanes::in_use(), Ordering::Relaxed);
    }

    /// Takes a slot when this thread's lane is used up: moves the cursor over a run for that lane, unless another has done
    /// so. At the end of the arena takes what is left over elsewhere.
    pub(super) fn refill(&self, stamps: Stamps<'_>, lanes: Lanes<'_>) -> Option<usize> {
        let lane = lanes::of_thread();
        loop {
            // Acquire: E2, pairs with the Release in `lower`: the slots may have had an owner before. E4, pairs with the
            // Release here and in `complete`: lanes are looked at.
            let word = self.next.load(Ordering::Acquire);
            if !lanes.are_in_use(word) {
                // Another is about to say so; or lanes are forced, and this is the first to ask.
                self.spread(lanes);
                continue;
            }
            if let Some(transit) = lanes.transit(word) {
                self.complete(lanes, word, &transit);
                continue;
            }
            // Not before the cursor was read: a run that is put in after this raises it.
            if let Some(slot) = lanes.lane(lane).take() {
                return Some(slot);
            }
            let start = lanes.next(word);
            if start >= stamps.len() {
                return self.take_left_over(stamps, lanes, word);
            }
            let (moved, transit) = lanes.send(lane, start);
            // Release: E4, pairs with the Acquire of whoever meets the run in transit, who then knows what is known here:
            // that the lane is used up. Relaxed on failure: read anew. E2 needs no Acquire here: while lanes are in use no
            // word below the end comes twice, so what is exchanged is what was read above.
            if self.next.compare_exchange_weak(word, moved, Ordering::Release, Ordering::Relaxed).is_ok() {
                self.complete(lanes, moved, &transit);
            }
        }
    }

    /// Puts a run that is in transit into its lane, and clears the cursor of it. `word` said so and was read with Acquire.
    ///
    /// Ends when the cursor speaks of that run no more. The exchange is repeated when another has added one meanwhile, who
    /// then does the same; so each other thread can make it fail once.
    pub(super) fn complete(&self, lanes: Lanes<'_>, mut word: usize, transit: &Transit) {
        lanes.open(transit);
        while lanes.transit(word).as_ref() == Some(transit) {
            let cleared = lanes.at(lanes.next(word), word);
            // Release: E4, pairs with the Acquire of whoever looks at lanes because of what the cursor says: the run is in
            // its lane. Relaxed on failure: it only says whether another has done this.
            match self.next.compare_exchange(word, cleared, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// As if several threads had been seen to fight for the cursor.
    #[cfg(all(test, loom))]
    pub(crate) fn spread_at_once(&self, lanes: Lanes<'_>) {
        self.spread(lanes);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cursor::{SAMPLE, Taken};
    use crate::lanes::{Hint, LANES, Lane};
    use crate::stamp::{Clock, Stamp};
    use crate::sync::Exclusive;
    use std::thread;

    const SLOTS: usize = 4 * FIGHT * SAMPLE;

    /// Takes slots from a cursor, one thread after another, so many each; whether lanes came into use.
    fn takes_turns(turns: impl IntoIterator<Item = usize>) -> bool {
        let (bytes, clock) = ([const { Stamp::new() }; SLOTS], Clock::new());
        let (places, hint) = ([const { Lane::new() }; LANES], Hint::new());
        let (stamps, lanes) = (Stamps::new(&bytes, &clock), Lanes::new(&places, &hint, SLOTS, 8));
        let mut cursor = Cursor::new();
        for turn in turns {
            let take = || match cursor.take_next(SLOTS, &hint, || &places) {
                Taken::Unclear(word) => cursor.take_otherwise(stamps, lanes, word).is_some(),
                taken => matches!(taken, Taken::Slot(_)),
            };
            thread::scope(|scope| assert!(scope.spawn(|| (0..turn).all(|_| take())).join().unwrap()));
        }
        assert_eq!(hint.is_spread(), lanes.are_in_use(cursor.next.read_mut()));
        hint.is_spread()
    }

    #[test]
    #[cfg(all(feature = "std", target_pointer_width = "64"))]
    fn threads_that_fight_for_the_cursor_are_seen() {
        assert!(takes_turns([SAMPLE; FIGHT]));
    }

    #[test]
    fn threads_that_take_turns_do_not_fight() {
        assert!(!takes_turns([SLOTS]));
        assert!(!takes_turns([SAMPLE; FIGHT - 1]));
        assert!(!takes_turns([2 * SAMPLE; SLOTS / SAMPLE / 2]));
    }
}
