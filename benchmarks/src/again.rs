//! A small subject that all threads fill and one of them resets, again and again.

use std::{
    cell::UnsafeCell,
    hint::{black_box, spin_loop},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Result, ensure};

use crate::{
    rounds::median,
    subject::{Plan, Subject},
    work::{counting, sum},
};

/// The number of slots of the subject, all of which are filled in each epoch. With several threads,
/// the subject `Local::publish` has an eighth more slots.
const SLOTS: usize = 4_096;

/// The number of epochs from one check of the values to the next. A check moves all values to the
/// cache of the first thread, so the epoch after it is slower.
const CHECK_INTERVAL: usize = 16;

/// A gate that all threads pass together, any number of times.
struct Gate {
    arrived: AtomicUsize,
    threads: usize,
}

impl Gate {
    fn pass(&self) {
        // AcqRel, and Acquire below: everything that a thread did before the gate happens before
        // everything that any thread does after it.
        let arrived = self.arrived.fetch_add(1, Ordering::AcqRel) + 1;
        let all = arrived.next_multiple_of(self.threads);
        let mut spins = 0_u32;
        while self.arrived.load(Ordering::Acquire) < all {
            spins += 1;
            if spins.is_multiple_of(4096) {
                thread::yield_now();
            }
            spin_loop();
        }
    }
}

/// The subject, which all threads share while they fill it.
struct Stage<S>(UnsafeCell<S>);

// SAFETY: the other threads use the subject only through `&S`. Only the first thread, which has
// created it, uses it as `&mut S`, and only between two gates where no other thread uses it.
unsafe impl<S: Sync> Sync for Stage<S> {}

impl<S> Stage<S> {
    fn get(&self) -> *mut S {
        self.0.get()
    }
}

/// Measures one turn, in which the puts of the plan are divided into epochs of `SLOTS` puts. Each
/// epoch is timed separately. After its time has been taken, the subject is reset. In some epochs,
/// its values are checked before the reset. Returns the nanoseconds per put in the median epoch.
pub fn again<S: Subject<u64>>(plan: &Plan, seed: u64, _thorough: bool) -> Result<f64> {
    ensure!(
        SLOTS.is_multiple_of(plan.threads),
        "{SLOTS} slots cannot be divided equally among {} threads",
        plan.threads
    );
    let share = SLOTS / plan.threads;
    let epochs = plan.puts.div_ceil(share);
    let small = Plan { puts: share, size: 1, ..*plan };
    let stage = Stage(UnsafeCell::new(S::with_room(&small)));
    let gate = Gate { arrived: AtomicUsize::new(0), threads: plan.threads };
    let first_of = |epoch: usize, thread: usize| seed.wrapping_add((epoch * SLOTS + thread * share) as u64);

    let fill = |epoch: usize, thread: usize| {
        // SAFETY: a `&mut` of the subject exists only in the first thread, from the second gate
        // below to the gate that ends the epoch. In that time no thread uses the `&` that is
        // created here.
        let subject = unsafe { &*stage.get() };
        gate.pass();
        let first = black_box(first_of(epoch, thread));
        let start = Instant::now();
        let mut handle = subject.handle();
        for value in counting(first, share) {
            S::put(&mut handle, value);
        }
        drop(handle);
        let end = Instant::now();
        gate.pass();
        (start, end)
    };

    thread::scope(|scope| {
        let others: Vec<_> = (1..plan.threads)
            .map(|thread| {
                let (fill, gate) = (&fill, &gate);
                scope.spawn(move || {
                    let fill = |epoch| {
                        let times = fill(epoch, thread);
                        // The first thread resets the subject before this gate.
                        gate.pass();
                        times
                    };
                    (0..epochs).map(fill).collect::<Vec<_>>()
                })
            })
            .collect();

        let mut wrong = None;
        let mut times = Vec::with_capacity(epochs);
        for epoch in 0..epochs {
            times.push(fill(epoch, 0));
            // SAFETY: the other threads do not use the subject before the next gate, which they
            // cannot pass without this thread.
            let subject = unsafe { &mut *stage.get() };
            if epoch % CHECK_INTERVAL == 0 {
                let expected = (SLOTS, sum(counting(first_of(epoch, 0), SLOTS)));
                if let Some(found) = subject.contents().filter(|found| *found != expected) {
                    wrong = Some((found, expected));
                }
            }
            subject.reset();
            gate.pass();
        }
        for other in others {
            for (all, (start, end)) in times.iter_mut().zip(other.join().expect("no thread panics")) {
                *all = (all.0.min(start), all.1.max(end));
            }
        }
        ensure!(wrong.is_none(), "{}: the found and the expected (count, digest) differ: {wrong:?}", S::NAME);
        let nanos: Vec<f64> = times.iter().map(|(start, end)| (*end - *start).as_secs_f64() * 1e9).collect();
        Ok(median(&nanos) / SLOTS as f64)
    })
}
