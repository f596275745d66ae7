//! Filling 1 GiB of memory that was never touched: small pages and huge pages, in one run.
//!
//! ```text
//! cargo bench --bench fresh_memory
//! ```
//!
//! An arena is created, filled from the first slot to the last, and dropped. The ways to get its
//! memory take turns, so that other programs on the machine affect all of them alike. The output is
//! the time to fill, as the median and the minimum of the rounds, and the number of page faults in
//! the median round. The prefaulted arena has its page faults while it is created, so the time to
//! create each arena is also printed. The kernel may ignore a request for transparent huge pages.
//! The number of faults tells whether it used them.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use atomicarena::{AtomicArena, HugePages, MapError, Storage};

/// A cache line, so that filling consists mainly of writes.
type Line = [u64; 8];

const SLOTS: usize = (1 << 30) / size_of::<Line>();
const ROUNDS: usize = 5;

/// The result of one round of one way.
struct Turn {
    make: Duration,
    fill: Duration,
    faults: i64,
}

type Way = (&'static str, fn() -> Result<Turn, MapError>);

const WAYS: [Way; 5] = [
    ("heap", || turn(|| Ok(AtomicArena::with_capacity(SLOTS)))),
    ("mapped", || turn(|| AtomicArena::mapped(SLOTS).build())),
    ("mapped, transparent huge pages", || {
        turn(|| AtomicArena::mapped(SLOTS).huge_pages(HugePages::Transparent).build())
    }),
    ("mapped, explicit huge pages", || turn(|| AtomicArena::mapped(SLOTS).huge_pages(HugePages::Explicit).build())),
    ("mapped, prefaulted", || turn(|| AtomicArena::mapped(SLOTS).prefault(true).build())),
];

fn turn<S: Storage<Line>>(make: impl FnOnce() -> Result<AtomicArena<Line, S>, MapError>) -> Result<Turn, MapError> {
    let start = Instant::now();
    let mut arena = make()?;
    let make = start.elapsed();
    let (faults, start) = (minor_faults(), Instant::now());
    black_box(arena.fill_with(|index| [index as u64; 8]));
    Ok(Turn { make, fill: start.elapsed(), faults: minor_faults() - faults })
}

/// Returns the number of page faults of this process that needed no disk access. Usually a page
/// causes one when it is touched for the first time. Returns 0 on systems other than Unix.
fn minor_faults() -> i64 {
    #[cfg(unix)]
    {
        // SAFETY: all zeros is a valid `rusage`.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `usage` is a `rusage` that may be written.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
        usage.ru_minflt
    }
    #[cfg(not(unix))]
    0
}

fn main() {
    if cfg!(debug_assertions) || !std::env::args().any(|argument| argument == "--bench") {
        eprintln!("fresh_memory: run `cargo bench --bench fresh_memory` to measure");
        return;
    }
    let mut turns: [Vec<Turn>; WAYS.len()] = Default::default();
    let mut refused = [None; WAYS.len()];
    for _ in 0..ROUNDS {
        for (way, (_, run)) in WAYS.iter().enumerate() {
            match run() {
                Ok(turn) => turns[way].push(turn),
                Err(error) => refused[way] = Some(error),
            }
        }
    }
    println!("filling 1 GiB, {} bytes at a time, {ROUNDS} rounds", size_of::<Line>());
    println!("{:32}{:>12}{:>12}{:>12}{:>12}{:>12}", "", "median", "best", "GiB/s", "faults", "to make it");
    for ((name, _), (mut turns, refused)) in WAYS.iter().zip(turns.into_iter().zip(refused)) {
        if let Some(error) = refused {
            println!("{name:32}  {error}");
            continue;
        }
        turns.sort_by_key(|turn| turn.fill);
        let (median, best) = (&turns[turns.len() / 2], &turns[0]);
        let rate = 1.0 / median.fill.as_secs_f64();
        let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        println!(
            "{name:32}{:>12}{:>12}{rate:>12.2}{:>12}{:>12}",
            milliseconds(median.fill),
            milliseconds(best.fill),
            median.faults,
            milliseconds(median.make)
        );
    }
}
