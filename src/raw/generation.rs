//! A generation is a number that identifies one epoch among all epochs of all arenas in the
//! process. Each key contains the generation of its epoch. An arena draws the number from a
//! process-wide counter when the first key of an epoch is created, so an arena without keys draws
//! none.
//!
//! # Orderings
//!
//! Every operation is Relaxed, because the generation alone never allows a thread to read a value.
//! If the generation of a key is current, the thread then reads the stamp of the slot. It reads the
//! value only if the stamp marks the slot as published (E1, in `stamps.rs`). The validity of keys
//! follows from coherence, that is, from the modification order of each atomic alone:
//!
//! - *A key is valid in every thread that receives it.* The thread that created the key has read or
//!   written the generation, which does not change until the epoch ends. Receiving the key is
//!   ordered after this access, so the receiver reads the same generation.
//! - *A key of an ended epoch is never valid again.* The end of the epoch cleared the generation
//!   under exclusive access, and every later shared access to the arena is ordered after that. No
//!   later epoch draws the same number, because the counter only increases.

#![forbid(unsafe_code)]

use core::num::NonZeroU64;

use crate::raw::sync::{AtomicMut, AtomicU64, Ordering, const_fn, process_wide};

process_wide! {
    /// The next number, or 0 before the first is drawn.
    static NEXT: AtomicU64 = AtomicU64::new(0);
}

/// The number of the current epoch of an arena, or 0 if none has been drawn yet.
#[derive(Debug)]
pub(crate) struct Generation(AtomicU64);

impl Generation {
    const_fn! {
        pub(crate) fn new() -> Self {
            Generation(AtomicU64::new(0))
        }
    }

    /// Returns whether `number` is the number of the current epoch.
    #[inline]
    pub(crate) fn is(&self, number: NonZeroU64) -> bool {
        // Relaxed: coherence is enough (see the module documentation).
        self.0.load(Ordering::Relaxed) == number.get()
    }

    /// Returns the number of the current epoch, after drawing one if there is none yet.
    #[inline]
    pub(crate) fn get_or_draw(&self) -> NonZeroU64 {
        // Relaxed: a nonzero number does not change during the epoch. If the load returns 0, the
        // exchange in `draw` decides which number the epoch gets.
        NonZeroU64::new(self.0.load(Ordering::Relaxed)).unwrap_or_else(|| self.draw(draw_from(&NEXT)))
    }

    /// Sets the number of this epoch to `drawn` and returns it. If another thread was first,
    /// returns that thread's number instead, and `drawn` is never used.
    #[cold]
    fn draw(&self, drawn: NonZeroU64) -> NonZeroU64 {
        // Relaxed, both: coherence is enough (see the module documentation). A store could
        // overwrite the number of a thread that was first, and keys may already contain that
        // number.
        match self.0.compare_exchange(0, drawn.get(), Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => drawn,
            // `first` is not 0, because the exchange expected 0 and failed.
            Err(first) => NonZeroU64::new(first).unwrap_or(drawn),
        }
    }

    /// Ends the epoch. The next one has no number yet.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.0.write_mut(0);
    }
}

/// Draws a number that was not drawn before.
fn draw_from(next: &AtomicU64) -> NonZeroU64 {
    // Relaxed, all: the numbers need only differ, which the atomicity of the addition ensures.
    if next.load(Ordering::Relaxed) == 0 {
        // If another thread was first, its starting number stays. In either case the addition below
        // comes later in the modification order, so it does not return 0.
        let _ = next.compare_exchange(0, beginning(), Ordering::Relaxed, Ordering::Relaxed);
    }
    let number = next.fetch_add(1, Ordering::Relaxed);
    // At least 2^63 numbers follow any starting number. At one per nanosecond they last for 292
    // years. (After that, drawing one panics, or may return a number that was drawn before.)
    NonZeroU64::new(number).expect("the process has run out of numbers for epochs")
}

/// Returns the first number of this process. With the features `serde` and `std` the number is
/// random, so that this process almost certainly rejects the serialized keys of other processes.
/// Without `std` there is no source of random numbers.
fn beginning() -> u64 {
    #[cfg(all(feature = "serde", feature = "std", not(all(test, loom))))]
    {
        use core::hash::BuildHasher;
        (std::hash::RandomState::new().hash_one(()) >> 1).max(1)
    }
    #[cfg(not(all(feature = "serde", feature = "std", not(all(test, loom)))))]
    1
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_from_a_beginning_that_leaves_room() {
        let next = AtomicU64::new(0);
        let first = draw_from(&next).get();
        assert!((1..=u64::MAX >> 1).contains(&first));
        assert!((1..100).all(|i| draw_from(&next).get() == first + i));
    }

    #[cfg(all(feature = "serde", feature = "std"))]
    #[test]
    fn processes_begin_at_different_numbers() {
        // The two numbers are equal with a probability of 1 in 2^63.
        assert_ne!(beginning(), beginning());
    }

    #[test]
    fn the_second_thread_takes_the_number_of_the_first() {
        let [one, two] = [1, 2].map(|number| NonZeroU64::new(number).unwrap());
        let mut generation = Generation::new();
        assert!(!generation.is(one));
        assert_eq!([generation.draw(two), generation.draw(one), generation.get_or_draw()], [two; 3]);
        assert!(generation.is(two) && !generation.is(one));
        generation.end();
        assert!(!generation.is(two));
    }
}
