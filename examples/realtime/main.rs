//! A producer with a deadline: the time to store one event in an arena, and with `Box::new`.
//!
//! ```text
//! cargo run --release --features mapped --example realtime -- --svg latency.svg
//! ```
//!
//! Every few microseconds an event arrives, and is kept until the end of its round. The producer
//! has no other work, so its delays are those of storing: a lock in the allocator, or a page fault.
//! A neighbour thread works at the same time, as in any program. It allocates and frees memory, and
//! drops the boxes of the previous round. The arenas are prepared before the first event: every
//! page is prefaulted, and those of the mapped arena are locked in RAM if that is permitted.
//!
//! If the machine also runs other programs, the kernel sometimes lets them use the processor
//! instead. That causes latencies of milliseconds, even if nothing is stored. An arena cannot
//! prevent them, but a dedicated core can.
//!
//! Read `ways.rs` first: it contains three ways to store an event and a baseline that stores
//! nothing, and shows how each is prepared.
#![forbid(unsafe_code)]

mod chart;
mod machine;
mod report;
mod ways;

use std::fmt;
use std::fs::File;
use std::hint::{black_box, spin_loop};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
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

/// Measures how long a producer takes to store an event, in three ways and a baseline, and how
/// often it misses its deadline.
///
/// Exit code: 0 on success, 1 if the measurement fails or the chart cannot be written, 2 if the
/// options are wrong or FILE cannot be opened.
#[derive(Parser)]
struct Options {
    /// Deadline for storing one event
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 10)]
    deadline: u64,
    /// Time between two events
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    period: u64,
    /// Rounds of 20,000 events in each way
    #[arg(long, default_value_t = MOST_ROUNDS, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=MOST_ROUNDS as u64))]
    rounds: usize,
    /// Write the latencies as a chart
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // The file is opened before the measurement, which takes seconds, and written after it.
    let svg = match options.svg.as_deref().map(open).transpose() {
        Ok(svg) => svg,
        Err(failure) => return failed(failure, 2),
    };
    let report = match run(&options) {
        Ok(report) => report,
        Err(refused) => return failed(refused, 1),
    };
    // A closed pipe means that the reader has read enough.
    let _ = write!(io::stdout(), "{report}");
    match svg.map(|svg| svg.write(&chart::Chart(&report).to_string())) {
        Some(Err(failure)) => failed(failure, 1),
        _ => ExitCode::SUCCESS,
    }
}

fn failed(failure: impl fmt::Display, code: u8) -> ExitCode {
    eprintln!("realtime: {failure}");
    ExitCode::from(code)
}

/// The file of the chart, open for writing.
struct Svg<'o> {
    path: &'o Path,
    file: File,
}

/// Opens the file without changing it, so that a measurement that fails leaves an old chart alone.
fn open(path: &Path) -> Result<Svg<'_>, String> {
    let file = File::options().write(true).create(true).truncate(false).open(path);
    file.map(|file| Svg { path, file }).map_err(|error| cannot_write(path, &error))
}

impl Svg<'_> {
    fn write(mut self, chart: &str) -> Result<(), String> {
        let written = self.truncate().and_then(|()| self.file.write_all(chart.as_bytes()));
        written.map_err(|error| cannot_write(self.path, &error))
    }

    /// Truncates the file, so that nothing remains of an old chart. A pipe or a terminal cannot be
    /// truncated.
    fn truncate(&self) -> io::Result<()> {
        if self.file.metadata()?.is_file() { self.file.set_len(0) } else { Ok(()) }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

fn run(options: &Options) -> Result<Report, MapError> {
    // This comes first, so that the load average does not include the load of this program.
    let machine = Machine::here();
    let mut ways = Ways::ready()?;
    let mut series = Way::ALL
        .map(|way| Series { way, latencies: Histogram::new(3).expect("three significant digits are supported") });
    // The ways take turns, so that other programs on the machine affect all of them alike.
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

/// Stores an event at every tick and records the time that it took. `garbage` is dropped by the
/// neighbour.
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
            latencies.record(nanoseconds.max(1)).expect("the histogram grows as needed");
            // After a delay the schedule does not catch up, so each event is measured on its own.
            tick = (tick + period).max(Instant::now());
        }
        done.store(true, Relaxed);
    });
}

/// The rest of the program: allocates and frees blocks of all sizes, and drops one item of
/// `garbage` per period.
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
