//! Rust sources that all threads parse into one arena at once, as trees of values of many types.
//!
//! ```text
//! cd examples/showcase && cargo run --release --bin trees
//! ```
//!
//! The first pass parses the sources that cargo has downloaded, or those in the given folders. A
//! tree has nodes of several types, texts of any length, and lists. All of it lies in one
//! [`AtomicBump`], and each list is a `Vec` whose allocator is that bump. If no folder is given and
//! cargo has downloaded nothing, the program generates JSON, whose tokens are also tokens of Rust.
//!
//! The second pass runs in other threads. It reads the trees, and appends a note to each list, so
//! that the list grows. The note refers to a text of the tree.
//!
//! The program does the same with `Box`, `String` and `Vec` on the global allocator, and with a
//! bump for each thread (`bumpalo-herd`). A `Vec` in the bump of a thread cannot be sent to another
//! thread. Hence the lists there are slices without spare capacity, and a thread that appends must
//! copy the list into its own bump. These three ways to store trees take turns to go first. The
//! program prints these figures. The times are medians over the rounds:
//!
//! - *build*: the duration of the first pass, and the bytes of source that it parses per second.
//!   Much of the duration is the time to split the text into tokens, which is the same in all ways.
//! - *append*: the duration of the second pass.
//! - *free*: the time to free the trees. Those on the global allocator are dropped by all threads.
//! - *memory*: the bytes that the trees use. For `bumpalo-herd`, it is the size of all chunks, and
//!   for the global allocator it is unknown.
//!
//! The trees of each round must equal those that one thread has built on the global allocator.
//! Otherwise the program fails.
//!
//! Read `tree.rs` first, and then the first half of `ways.rs`.
#![forbid(unsafe_code)]

// Bottom-up: a file may use only files above it.
mod tree;
mod parse;
mod notes;
mod ways;
mod sources;
mod round;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use atomicarena::{AtomicBump, CapacityError};
use bumpalo_herd::Herd;
use clap::Parser;
use clap::builder::RangedU64ValueParser;

use report::Report;
use round::{Costs, Failure};
use sources::Source;
use ways::Heap;

/// Parses Rust sources in parallel, into one arena, on the heap, and into an arena for each thread.
///
/// Exit code: 0 on success, 1 if the trees differ, 2 if there is no source or one cannot be read,
/// or if there is not enough memory.
#[derive(Parser)]
struct Options {
    /// Sources, or folders of sources [default: what cargo has downloaded, or generated JSON]
    paths: Vec<PathBuf>,
    /// Number of bytes to read. The last source is read to its end
    #[arg(long, default_value_t = 16 << 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 36))]
    bytes: usize,
    /// Number of threads [default: one per core]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    threads: Option<usize>,
    /// Number of rounds for each way to store trees
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Capacity of the arena in bytes [default: enough for most sources]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    budget: Option<usize>,
    /// Read few sources, and do few rounds
    #[arg(long)]
    check: bool,
}

/// The capacity of the arena for each byte of the sources. Memory that is not used is not touched.
const BUDGET: usize = 32;

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.check {
        options = Options { bytes: 1 << 20, rounds: 2, ..options };
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("trees: {stop}");
            ExitCode::from(if matches!(stop, Stop::Different(..)) { 1 } else { 2 })
        }
    }
}

fn run(options: &Options) -> Result<(), Stop> {
    let (kind, sources) = read(options)?;
    let bytes = sources.iter().map(|source| source.text.len()).sum::<usize>();
    let threads = options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let budget = options.budget.unwrap_or_else(|| bytes.saturating_mul(BUDGET).max(1 << 20));
    let (mut bump, mut heap, mut herd) = (AtomicBump::try_with_capacity(budget)?, Heap, Herd::new());
    let expected = round::expected(&sources);
    let names = ["one bump for all threads", "the global allocator", "bumpalo-herd"];
    let mut ways = names.map(|name| (name, Costs::default()));
    for round in 0..=options.rounds as usize {
        for way in [[0, 1, 2], [1, 2, 0], [2, 0, 1]][round % 3] {
            let (name, costs) = &mut ways[way];
            // The first round is a warm-up that touches the memory. Its times do not count.
            let mut first = Costs::default();
            let costs = if round == 0 { &mut first } else { costs };
            let done = match way {
                0 => round::round(&mut bump, &sources, threads, &expected, costs),
                1 => round::round(&mut heap, &sources, threads, &expected, costs),
                _ => round::round(&mut herd, &sources, threads, &expected, costs),
            };
            done.map_err(|failure| match failure {
                Failure::BumpFull => Stop::BumpFull(budget),
                Failure::Different(source) => Stop::Different(name, source),
            })?;
        }
    }
    let (texts, nodes, rounds) = (sources.len(), round::nodes(&expected), options.rounds);
    // A closed pipe means that the reader has read enough.
    let _ = write!(io::stdout(), "{}", Report { texts, kind, bytes, nodes, threads, rounds, ways });
    if options.check {
        let _ = writeln!(io::stdout(), "\ncheck: the trees are equal");
    }
    Ok(())
}

/// Returns the sources, and a name for their kind.
fn read(options: &Options) -> Result<(&'static str, Vec<Source>), Stop> {
    let (mut sources, mut left) = (Vec::new(), options.bytes);
    for path in options.paths.iter().cloned().chain(sources::registry().filter(|_| options.paths.is_empty())) {
        sources::read(&path, &mut left, &mut sources).map_err(Stop::Source)?;
    }
    match (sources.is_empty(), options.paths.is_empty()) {
        (false, _) => Ok(("Rust sources", sources)),
        (true, true) => Ok(("generated texts", sources::json(options.bytes))),
        (true, false) => Err(Stop::NoSource),
    }
}

/// The reason why the program ends early.
enum Stop {
    Source(io::Error),
    NoSource,
    Memory(CapacityError),
    BumpFull(usize),
    Different(&'static str, String),
}

impl From<CapacityError> for Stop {
    fn from(error: CapacityError) -> Self {
        Stop::Memory(error)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Source(error) => write!(f, "cannot read a source: {error}"),
            Stop::NoSource => write!(f, "no Rust source in the given folders"),
            Stop::Memory(error) => write!(f, "lower --budget or --bytes: {error}"),
            Stop::BumpFull(budget) => write!(f, "raise --budget: the trees need more than {budget} bytes"),
            Stop::Different(way, source) => write!(f, "{way}: the tree of {source} is not the expected one"),
        }
    }
}
