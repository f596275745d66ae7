//! A concurrent index of all words in a source tree: which word occurs in which file, on which
//! lines.
//!
//! ```text
//! cargo run --release --example wordindex -- --check
//! cargo run --release --example wordindex -- --find Acquire src tests
//! ```
//!
//! An arena of fixed capacity suits this task. Three arenas hold the words, the postings (the
//! occurrences of the words), and the bytes of the words. The values refer to each other, and all
//! are freed together. Read `table.rs` first: it contains the concurrent hash table, without locks,
//! `Arc` or `unsafe`. The threads take one file after another from a counter (`index`, below), and
//! add words to the table as they read.
//!
//! The capacities are upper limits. An arena uses only the memory of the slots that were filled.
#![forbid(unsafe_code)]

mod check;
mod input;
mod report;
mod table;

use std::fmt;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressStyle};

use input::{Missing, Skip, Source};
use report::Report;
use table::{Shortage, Table};

/// Indexes every text file below the given folders, in many threads at once.
///
/// A text file is valid UTF-8. A word is a run of letters, digits and `_`, and case matters. Hidden
/// files are included, but not .git, and not the files that .gitignore names. Exit code: 0 on
/// success, 1 if --check finds a difference, 2 if the index cannot be created or printed, or is
/// incomplete because a file or a folder cannot be read.
#[derive(Parser)]
struct Options {
    /// Files and folders to index [default: the repository of this example]
    #[arg(default_value = env!("CARGO_MANIFEST_DIR"), hide_default_value = true)]
    folders: Vec<PathBuf>,
    /// Number of threads [default: one per core]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    threads: Option<usize>,
    /// Number of most frequent words to print
    #[arg(long, default_value_t = 10)]
    top: usize,
    /// Capacity for distinct words
    #[arg(long, value_name = "COUNT", default_value_t = 1 << 23, value_parser = clap::value_parser!(u32).range(1..))]
    words: u32,
    /// Capacity for occurrences of words. With several threads, a few slots may stay unused
    #[arg(long, value_name = "COUNT", default_value_t = 1 << 28, value_parser = clap::value_parser!(u32).range(1..))]
    postings: u32,
    /// Capacity for the bytes of distinct words
    #[arg(long, value_name = "COUNT", default_value_t = 1 << 27, value_parser = clap::value_parser!(u32).range(1..))]
    bytes: u32,
    /// Print each line with this word, as file:line
    #[arg(long, value_name = "WORD", value_parser = one_word)]
    find: Option<String>,
    /// Index again with one thread and a HashMap, and compare the results
    #[arg(long)]
    check: bool,
}

impl Options {
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
    }
}

/// Accepts only a text that could be a word in the index.
fn one_word(text: &str) -> Result<String, &'static str> {
    match !text.is_empty() && text.chars().all(input::is_of_word) {
        true => Ok(text.to_owned()),
        false => Err("a word consists of letters, digits and `_`"),
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("wordindex: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Fills the table, prints it, and compares it if requested.
fn run(options: &Options) -> Result<ExitCode, Failure> {
    let (sources, unlisted) = input::sources(&options.folders)?;
    // The arena of bytes is created before the table and dropped after it, because the words refer
    // to it.
    let texts = table::arena("bytes", options.bytes)?;
    let table = Table::new(&texts, options.words, options.postings)?;
    let threads = options.threads();
    let start = Instant::now();
    let mut tally = fill(&table, &sources, threads)?;
    let time = start.elapsed();
    tally.skipped.extend(unlisted);
    tally.skipped.sort_unstable();
    tally.skipped.dedup();
    for skip in &tally.skipped {
        eprintln!("wordindex: left out {skip}");
    }
    let (top, find) = (options.top, options.find.as_deref());
    let report = Report { table: &table, sources: &sources, tally: &tally, threads, time, top, find };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut printed = report.write(&mut out);
    let mut code = ExitCode::SUCCESS;
    if options.check {
        let differences = check::differences(&table, &sources, &tally);
        printed = printed.and_then(|()| report::verdict(&mut out, &differences));
        code = ExitCode::from(u8::from(!differences.is_empty()));
    }
    // An incomplete index decides the exit code, whatever the check has found.
    if tally.skipped.iter().any(|skip| matches!(skip, Skip::Unreadable(_))) {
        code = ExitCode::from(2);
    }
    match printed {
        // A closed pipe, for example of `head`, means that the reader has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(code),
    }
}

/// The totals of the files that were read.
#[derive(Default)]
struct Tally {
    files: u64,
    bytes: u64,
    words: u64,
    skipped: Vec<Skip>,
}

/// Fills the table with the words of all files, with `threads` threads at once.
fn fill(table: &Table<'_>, sources: &[Source], threads: usize) -> Result<Tally, Shortage> {
    let bar = progress_bar(sources);
    let next = AtomicUsize::new(0);
    let tallies: Result<Vec<Tally>, Shortage> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| index(table, sources, &next, &bar))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an indexing thread panicked")).collect()
    });
    bar.finish_and_clear();
    Ok(tallies?.into_iter().fold(Tally::default(), |mut sum, tally| {
        sum.files += tally.files;
        sum.bytes += tally.bytes;
        sum.words += tally.words;
        sum.skipped.extend(tally.skipped);
        sum
    }))
}

/// Indexes one file after another on one thread, until none is left.
fn index(table: &Table<'_>, sources: &[Source], next: &AtomicUsize, bar: &ProgressBar) -> Result<Tally, Shortage> {
    let mut writer = table.writer();
    let mut tally = Tally::default();
    let mut buffer = Vec::new();
    loop {
        // Relaxed: each number goes to one thread with any ordering. The list was created before
        // the threads.
        let file = next.fetch_add(1, Relaxed);
        let Some(source) = sources.get(file) else { return Ok(tally) };
        match input::read(&source.path, &mut buffer) {
            Ok(text) => {
                for (line, word) in input::words(text) {
                    // `as` is exact, because the list of 2^32 sources would take more than 128 GiB.
                    // Relaxed: the store only keeps other threads from starting on files that are
                    // no longer needed.
                    writer.add(word, file as u32, line).inspect_err(|_| next.store(sources.len(), Relaxed))?;
                    tally.words += 1;
                }
                tally.files += 1;
                tally.bytes += text.len() as u64;
            }
            Err(skip) => tally.skipped.push(skip),
        }
        bar.inc(source.size);
    }
}

/// Creates a progress bar for all bytes. It is visible only if standard error is a terminal.
fn progress_bar(sources: &[Source]) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}").expect("a valid template");
    ProgressBar::new(sources.iter().map(|source| source.size).sum()).with_style(style)
}

/// The reason why the program ends early.
enum Failure {
    Missing(Missing),
    Shortage(Shortage),
    Output(io::Error),
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<Shortage> for Failure {
    fn from(shortage: Shortage) -> Self {
        Self::Shortage(shortage)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => write!(f, "{missing}"),
            Self::Shortage(shortage) => write!(f, "{shortage}"),
            Self::Output(error) => write!(f, "cannot write to standard output: {error}"),
        }
    }
}
