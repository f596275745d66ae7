//! A producer with a deadline: how long it takes to store an event, in an arena and with `Box::new`.
//!
//! ```text
//! cargo run --release --features mapped --example realtime -- --svg latency.svg
//! ```
//!
//! Every few microseconds an event comes in and is kept until its round is over. That is all the producer does, so what
//! it waits for is what storing makes it wait for: a lock in the allocator, a page that has to be brought in. Beside it
//! a neighbour works, as in any program: it allocates and frees, and lets go of the boxes of the round before. The
//! arenas are made ready first, since that can be done with an arena: every page is brought in, and locked in RAM where
//! that is permitted.
//!
//! A machine that runs other things, too, takes the processor away now and then: those are the latencies of milliseconds
//! that every way has, even storing nothing. They are not the arena's to prevent; a core of one's own is.
//!
//! `ways.rs` is the part to read: the four ways to store an event, and how each is made ready.
#![forbid(unsafe_code)]

mod chart;
mod machine;
mod report;
mod ways;

use std::fs;
use std::hint::{black_box, spin_loop};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use atomicarena::MapError;
use clap::Parser;
use hdrhistogram::Histogram;

use machine::Machine;
use report::{Report, Series};
use ways::{EVENTS, Event, MOST_ROUNDS, Way, Ways};

/// Measures how long a producer takes to store an event, in four ways, and how often it misses its deadline.
#[derive(Parser)]
struct Options {
    /// A deadline for storing one event
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 10)]
    deadline: u64,
    /// An event comes in so often
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    period: u64,
    /// Rounds of 20,000 events for each way
    #[arg(long, default_value_t = MOST_ROUNDS, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=MOST_ROUNDS as u64))]
    rounds: usize,
    /// Write the latencies as a chart
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let report = match run(&options) {
        Ok(report) => report,
        Err(refused) => {
            eprintln!("realtime: {refused}");
            return ExitCode::FAILURE;
        }
    };
    // Who closes the pipe has read enough.
    let _ = write!(io::stdout(), "{report}");
    let Some(path) = &options.svg else { return ExitCode::SUCCESS };
    match fs::write(path, chart::Chart(&report).to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("realtime: cannot write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Report, MapError> {
    // Before we are part of its load.
    let machine = Machine::here();
    let mut ways = Ways::ready()?;
    let mut series =
        Way::ALL.map(|way| Series { way, latencies: Histogram::new(3).expect("three digits are a number") });
    // Turn by turn, so that whatever else the machine does meets all of them alike.
    for round in 0..options.rounds {
        for Series { way, latencies } in &mut series {
            ways.turn(*way, round, |store, garbage| {
                produce(Duration::from_micros(options.period), store, garbage, latencies);
            });
        }
    }
    let deadline = Duration::from_micros(options.deadline);
    Ok(Report { machine, locked: ways.locked(), period: options.period, deadline, series })
}

/// Stores an event at every tick, and notes how long that took. `garbage` is for the neighbour to let go of.
fn produce<S: FnMut(Event), G: Send>(period: Duration, mut store: S, garbage: Vec<G>, latencies: &mut Histogram<u64>) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| neighbour(&done, period, garbage));
        let mut tick = Instant::now() + Duration::from_millis(1);
        for number in 0..EVENTS {
            let event = black_box(Event::new(number));
            while Instant::now() < tick {
                spin_loop();
            }
            let start = Instant::now();
            store(event);
            let nanoseconds = start.elapsed().as_nanos() as u64;
            latencies.record(nanoseconds.max(1)).expect("it grows by itself");
            // After a delay time is not made up for: every event is measured by itself.
            tick = (tick + period).max(Instant::now());
        }
        done.store(true, Relaxed);
    });
}

/// The rest of the program: allocates and frees blocks of all sizes, and lets go of what it is given, a piece a period.
fn neighbour<G>(done: &AtomicBool, period: Duration, garbage: Vec<G>) {
    let (mut garbage, mut blocks, mut size) = (garbage.into_iter(), Vec::new(), 17);
    while !done.load(Relaxed) {
        drop(garbage.next());
        size = size * 31 % 65_521;
        blocks.push(black_box(vec![0_u8; size]));
        if blocks.len() > 100 {
            blocks.swap_remove(size % 100);
        }
        let next = Instant::now() + period;
        while Instant::now() < next {
            spin_loop();
        }
    }
}
