//! Reading: by index in a scattered order, and from end to end, alone and while one more thread
//! publishes into the same container.

use std::{
    hint::{black_box, spin_loop},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::work::Element;

/// The time between two values of the publisher. It is the same for all subjects, as long as a push
/// takes less time than this.
const PACE: Duration = Duration::from_nanos(200);

pub trait Readable<T: Element>: Sync + Sized {
    const NAME: &'static str;

    /// Creates a container with the values for `seed`, `seed + 1` and so on, and room for `room`
    /// more.
    fn filled(seed: u64, len: usize, room: usize) -> Self;

    /// Returns the digest of the value at an index below `len`.
    fn get(&self, index: usize) -> u64;

    /// Returns the number of values and the digest of all of them.
    fn walk(&self) -> (usize, u64);

    /// Adds one value.
    fn publish(&self, value: T);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Scattered,
    Walk,
}

#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub how: How,
    /// A power of two.
    pub len: usize,
    pub readers: usize,
    pub publisher: bool,
}

/// Returns the number of values that a publisher may add in one turn.
fn room(reading: &Reading) -> usize {
    if reading.publisher { reading.len } else { 0 }
}

/// Returns the index to read in a step. The steps below `len`, a power of two, visit every index
/// below `len` once, in an order that no prefetcher can learn. No index depends on a value that was
/// read earlier, so the processor can overlap the reads, as when a program looks up a list of keys.
#[inline(always)]
fn scatter(step: usize, len: usize) -> usize {
    let mask = len - 1;
    let half = (len.trailing_zeros() / 2).max(1);
    let mut index = step.wrapping_mul(0x9E37_79B1) & mask;
    index ^= index >> half;
    index.wrapping_mul(0x85EB_CA6B) & mask
}

#[inline(never)]
fn read_scattered<T: Element, R: Readable<T>>(subject: &R, len: usize) -> (usize, u64) {
    let sum = (0..len).fold(0_u64, |sum, step| sum.wrapping_add(subject.get(scatter(step, len))));
    (len, sum)
}

#[inline(never)]
fn read_in_order<T: Element, R: Readable<T>>(subject: &R) -> (usize, u64) {
    subject.walk()
}

/// Runs one turn, and returns the nanoseconds per value of the slowest reader.
pub fn turn<T: Element, R: Readable<T>>(reading: &Reading, seed: u64) -> Result<f64> {
    let Reading { how, len, readers, publisher } = *reading;
    ensure!(len.is_power_of_two(), "the number of values must be a power of two, not {len}");
    let subject = R::filled(black_box(seed), len, room(reading));
    let expected =
        (0..len as u64).fold(0_u64, |sum, index| sum.wrapping_add(T::make(seed.wrapping_add(index)).digest()));

    let missing = AtomicUsize::new(readers + usize::from(publisher));
    let done = AtomicBool::new(false);
    let pass = || {
        // AcqRel, and Acquire below: everything that any thread did before the gate is visible to
        // every thread after the gate.
        missing.fetch_sub(1, Ordering::AcqRel);
        while missing.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
    };

    let read = || -> Result<(Instant, Instant, usize)> {
        pass();
        let start = Instant::now();
        let (count, digest) = match how {
            How::Scattered => read_scattered::<T, R>(&subject, len),
            How::Walk => read_in_order::<T, R>(&subject),
        };
        let end = Instant::now();
        // A value published meanwhile has the digest zero, so it does not matter whether a reader
        // sees it.
        ensure!(count >= len, "{}: only {count} of {len} values were found", R::NAME);
        ensure!(digest == expected, "{}: the reader finds unexpected values", R::NAME);
        Ok((start, end, count))
    };

    thread::scope(|scope| {
        if publisher {
            scope.spawn(|| {
                pass();
                let mut due = Instant::now();
                for _ in 0..room(reading) {
                    // Relaxed: the flag only ends this loop.
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    subject.publish(T::make(0));
                    due += PACE;
                    while Instant::now() < due {
                        spin_loop();
                    }
                }
            });
        }
        let others: Vec<_> = (1..readers).map(|_| scope.spawn(read)).collect();
        let mut said = vec![read()];
        said.extend(others.into_iter().map(|other| other.join().expect("no reader panics")));
        done.store(true, Ordering::Relaxed);
        let mut slowest = 0.0_f64;
        for one in said {
            let (start, end, count) = one?;
            slowest = slowest.max((end - start).as_secs_f64() * 1e9 / count as f64);
        }
        Ok(slowest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattering_meets_every_index_once() {
        for len in [1, 2, 64, 1 << 12, 1 << 15] {
            let mut met = vec![false; len];
            for step in 0..len {
                assert!(!std::mem::replace(&mut met[scatter(step, len)], true));
            }
        }
    }
}
