//! The generic timed loop, and the turn of a subject, which runs this loop.

use std::{
    hint::{black_box, spin_loop},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Result, ensure};

use crate::{
    memory,
    subject::{Pages, Plan, Subject},
    work::Work,
};

/// Of this many places that the puts return, one is kept. It is checked after the clock has
/// stopped.
pub const KEPT_ONE_IN: usize = 1024;

/// The timed loop: takes `puts` values from the source, and puts them into the subject one after
/// another.
///
/// The returned places are not forced into memory. Only the last place of each block is kept,
/// because keeping more places would take measurable time. If the subject can be walked, `contents`
/// shows that the other values were also stored.
#[inline(never)]
pub fn fill<W: Work, S: Subject<W>>(
    subject: &S,
    mut source: W::Source,
    puts: usize,
    block: usize,
    kept: &mut Vec<S::Place>,
) -> W::Source {
    let mut handle = subject.handle();
    let mut left = puts;
    while left > 0 {
        let run = left.min(block);
        left -= run;
        for _ in 1..run {
            S::put(&mut handle, W::next(&mut source));
        }
        kept.push(S::put(&mut handle, W::next(&mut source)));
    }
    drop(handle);
    source
}

/// Two barriers: one starts all threads at the same time, and the other lets none continue until
/// the last has finished.
struct Gate {
    missing: AtomicUsize,
    all_done: Barrier,
}

impl Gate {
    fn pass(&self) {
        // AcqRel, and Acquire below: what a thread did before the gate happens before what any
        // thread does after it.
        self.missing.fetch_sub(1, Ordering::AcqRel);
        let mut spins = 0_u32;
        while self.missing.load(Ordering::Acquire) > 0 {
            spins += 1;
            // If there are more threads than free processors, a spinning thread would otherwise use
            // up its time slice.
            if spins.is_multiple_of(4096) {
                thread::yield_now();
            }
            spin_loop();
        }
    }
}

/// The result of one thread.
struct Said {
    start: Instant,
    end: Instant,
    kept_digest: u64,
}

/// Puts the share of one thread into the subject.
fn share<W: Work, S: Subject<W>>(subject: &S, plan: &Plan, seed: u64, block: usize, gate: &Gate) -> Said {
    let source = W::source(black_box(seed), plan.puts, plan.size);
    let mut kept = Vec::with_capacity(plan.puts / block + 1);
    gate.pass();
    let start = Instant::now();
    let source = fill::<W, S>(subject, source, plan.puts, block, &mut kept);
    let end = Instant::now();
    drop(source);
    // Some subjects do not show a value while an earlier push of another thread is in progress.
    gate.all_done.wait();
    let kept_digest = kept.into_iter().fold(0_u64, |sum, place| sum.wrapping_add(subject.look(place)));
    Said { start, end, kept_digest }
}

/// Returns the expected digest of the places that `share` keeps.
fn expected_of_kept<W: Work>(plan: &Plan, seed: u64, block: usize) -> u64 {
    let mut sum = 0_u64;
    let mut put = 0;
    while put < plan.puts {
        put = plan.puts.min(put + block);
        sum = sum.wrapping_add(W::expected(seed, put - 1, plan.size));
    }
    sum
}

/// Returns the seed of one thread. No two threads have a value in common, except default values and
/// [`Grown`](crate::work::Grown) vectors, which depend only on the lower half of the seed.
fn seed_of(seed: u64, thread: usize) -> u64 {
    seed.wrapping_add((thread as u64) << 40)
}

/// Fills the subject from all threads and checks it. Returns the nanoseconds from the first start
/// to the last end.
fn fill_by_all<W: Work, S: Subject<W>>(subject: &mut S, plan: &Plan, seed: u64, block: usize) -> Result<f64> {
    let gate = Gate { missing: AtomicUsize::new(plan.threads), all_done: Barrier::new(plan.threads) };
    let shared = &*subject;
    let said: Vec<Said> = thread::scope(|scope| {
        let others: Vec<_> = (1..plan.threads)
            .map(|thread| {
                let gate = &gate;
                scope.spawn(move || share::<W, S>(shared, plan, seed_of(seed, thread), block, gate))
            })
            .collect();
        let own = share::<W, S>(shared, plan, seed_of(seed, 0), block, &gate);
        let mut said = vec![own];
        said.extend(others.into_iter().map(|other| other.join().expect("no thread panics")));
        said
    });

    let mut of_all = 0_u64;
    for (thread, own) in said.iter().enumerate() {
        let seed = seed_of(seed, thread);
        let expected = expected_of_kept::<W>(plan, seed, block);
        ensure!(own.kept_digest == expected || !S::LOOKS, "{}: thread {thread} finds unexpected values", S::NAME);
        let all = (0..plan.puts).map(|put| W::expected(seed, put, plan.size));
        of_all = all.fold(of_all, u64::wrapping_add);
    }
    if let Some((count, digest)) = subject.contents() {
        ensure!(count == plan.elements::<W>(), "{}: {count} elements instead of {}", S::NAME, plan.elements::<W>());
        ensure!(digest == of_all, "{}: the walk finds unexpected values", S::NAME);
    }

    let start = said.iter().map(|own| own.start).min().expect("there is a thread");
    let end = said.iter().map(|own| own.end).max().expect("there is a thread");
    Ok((end - start).as_secs_f64() * 1e9)
}

/// Runs one turn of one subject, which is created, filled and checked. Returns the nanoseconds per
/// element.
///
/// A `thorough` turn keeps every single place and checks all of them.
pub fn turn<W: Work, S: Subject<W>>(plan: &Plan, seed: u64, thorough: bool) -> Result<f64> {
    let block = if thorough { 1 } else { KEPT_ONE_IN };
    if plan.pages == Pages::Cold {
        memory::give_free_pages_back();
    }
    let mut subject = S::with_room(plan);
    if plan.pages == Pages::Reused {
        fill_by_all::<W, S>(&mut subject, plan, !seed, block)?;
        subject.reset();
    }
    let nanos = fill_by_all::<W, S>(&mut subject, plan, seed, block)?;
    Ok(nanos / plan.elements::<W>() as f64)
}
