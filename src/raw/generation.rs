//! A number for an epoch that no other epoch has, of any arena in the process: what a key knows its
//! epoch by. Drawn when the first key of the epoch is made, so an arena without keys draws none.
//!
//! # Orderings
//!
//! All is Relaxed: a number leads nobody to a value. Whoever finds that his key's number is that of
//! the epoch still reads the slot on the strength of its stamp (E1, in `stamp.rs`). What is relied
//! on is coherence, the order of each atomic by itself:
//!
//! - *A key is good for whoever it was handed to*, because making it read or wrote the number,
//!   which then stays as it is until the epoch ends: who comes after that reads the same.
//! - *The number of an epoch that has ended is not found again*, because the end erased it under
//!   `&mut` of the arena, and who has `&` afterwards comes after that. No epoch gets it later: the
//!   counter only goes up.

#![forbid(unsafe_code)]

use core::num::NonZeroU64;

use crate::raw::sync::{AtomicMut, AtomicU64, Ordering, const_fn, process_wide};

process_wide! {
    /// The number that is drawn next; 0 before the first.
    static NEXT: AtomicU64 = AtomicU64::new(0);
}

/// The number of the present epoch of an arena, or 0 when none was drawn yet.
#[derive(Debug)]
pub(crate) struct Generation(AtomicU64);

impl Generation {
    const_fn! {
        pub(crate) fn new() -> Self {
            Generation(AtomicU64::new(0))
        }
    }

    /// Whether this is the number of the present epoch.
    #[inline]
    pub(crate) fn is(&self, number: NonZeroU64) -> bool {
        // Relaxed: coherence is enough, see above.
        self.0.load(Ordering::Relaxed) == number.get()
    }

    /// The number of the present epoch, which is drawn if it was not yet.
    #[inline]
    pub(crate) fn get_or_draw(&self) -> NonZeroU64 {
        // Relaxed: either the number, which does not change any more, or a reason to look again
        // with an exchange.
        NonZeroU64::new(self.0.load(Ordering::Relaxed)).unwrap_or_else(|| self.draw(draw_from(&NEXT)))
    }

    /// Makes `drawn` the number of this epoch, unless another thread was first: then it is
    /// nobody's.
    #[cold]
    fn draw(&self, drawn: NonZeroU64) -> NonZeroU64 {
        // Relaxed, both: see above. An exchange, because keys may already carry the number of who
        // was first.
        match self.0.compare_exchange(0, drawn.get(), Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => drawn,
            Err(first) => NonZeroU64::new(first).unwrap_or(drawn), // the exchange fails on what is not 0
        }
    }

    /// The epoch ends: no key is of the next one yet.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.0.write_mut(0);
    }
}

/// A number that was not drawn before.
fn draw_from(next: &AtomicU64) -> NonZeroU64 {
    // Relaxed, all: numbers must differ, which the atomicity of the addition gives, and nothing
    // else is said by them.
    if next.load(Ordering::Relaxed) == 0 {
        // Where another was first, his beginning stands, and the addition comes after it.
        let _ = next.compare_exchange(0, beginning(), Ordering::Relaxed, Ordering::Relaxed);
    }
    let number = next.fetch_add(1, Ordering::Relaxed);
    // At least 2^63 numbers follow any beginning. At one a nanosecond they last for 292 years.
    // (Then 0 is drawn, or they begin anew.)
    NonZeroU64::new(number).expect("fewer than 2^63 epochs were given a key")
}

/// Where the numbers of this process begin. At random where keys can leave it, so that those of
/// another process, which may come back instead, are not those of this one.
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
        // As likely to be equal as two of 2^63.
        assert_ne!(beginning(), beginning());
    }

    #[test]
    fn who_comes_second_takes_the_number_of_who_was_first() {
        let [one, two] = [1, 2].map(|number| NonZeroU64::new(number).unwrap());
        let mut generation = Generation::new();
        assert!(!generation.is(one));
        assert_eq!([generation.draw(two), generation.draw(one), generation.get_or_draw()], [two; 3]);
        assert!(generation.is(two) && !generation.is(one));
        generation.end();
        assert!(!generation.is(two));
    }
}
