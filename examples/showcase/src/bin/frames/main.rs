//! A game in which several systems at once create the entities of each frame from those of the
//! previous frame.
//!
//! ```text
//! cd examples/showcase && cargo run --release --bin frames -- --out battle.gif
//! ```
//!
//! Two fleets battle. Ships, shots and sparks are each moved by one system on its own thread, which
//! reads the last frame and spawns entities into the next. All entities are in a pool of two
//! arenas. One arena holds the last frame, which every system may read by index. The other is
//! filled with the next frame. Then the older arena is emptied and returned to the pool.
//!
//! The program does the same with a box for each entity. Each system then fills a vector of boxes,
//! and at the end of each frame these vectors are merged into one. The two ways take turns, and the
//! program fails if a frame differs. It prints the medians over the frames:
//!
//! - *look*: one thread reads the last frame, and records the places of ships and shots.
//! - *build*: the systems run. They read the last frame, decide, and spawn.
//! - *free*: the last frame is freed when the next one replaces it.
//!
//! Read `ways.rs` first: it contains the two ways. `entity.rs` explains why the arenas cannot
//! become full.
#![forbid(unsafe_code)]

// Bottom-up: a file may use only files above it.
mod entity;
mod frame;
mod scene;
mod systems;
mod ways;
mod picture;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use atomicarena::Full;
use clap::Parser;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use showcase::film::{Film, FilmError};
use showcase::light::Canvas;

use frame::Frame;
use ways::{InArenas, InBoxes, Parts};

/// Simulates a battle of two fleets, and prints the time that it takes with the entities in arenas
/// and in boxes.
///
/// Exit code: 0 on success, 1 if a frame differs, 2 if the film cannot be written.
#[derive(Parser)]
struct Options {
    /// Number of ships in both fleets together
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    ships: u32,
    /// Number of frames. Every third frame and the last one are drawn
    #[arg(long, default_value_t = 360, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Film to write. The name ends in .gif, or in .png to keep only the last picture
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Width of the pictures in pixels. The height is five eighths of it
    #[arg(long, default_value_t = 640, value_parser = RangedU64ValueParser::<usize>::new().range(16..=8192))]
    width: usize,
    /// Use few ships and frames, write no film, and only check that both ways agree
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.check {
        options = Options { ships: 600, frames: 200, out: None, ..options };
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("frames: {stop}");
            ExitCode::from(if matches!(stop, Stop::Different { .. }) { 1 } else { 2 })
        }
    }
}

fn run(options: &Options) -> Result<(), Stop> {
    let Options { ships, frames, width, .. } = *options;
    let pool = ways::pool(ships);
    let (mut arenas, mut boxes) = (InArenas::new(&pool, ships)?, InBoxes::new(ships));
    let mut canvas = Canvas::new(width, width * 5 / 8);
    let mut film = options.out.as_ref().map(|path| Film::new(path, canvas.width(), canvas.height())).transpose()?;
    let bar = progress_bar(frames);
    let (mut most, mut all) = (0, 0);
    for number in 1..=frames {
        // The ways take turns to go first, so that neither always profits from the caches of the
        // other.
        if number % 2 == 0 {
            arenas.step(number, ships)?;
            boxes.step(number, ships);
        } else {
            boxes.step(number, ships);
            arenas.step(number, ships)?;
        }
        if fingerprint(&*arenas.last) != fingerprint(&boxes.last) {
            return Err(Stop::Different { number });
        }
        most = boxes.last.len().max(most);
        all += boxes.last.len();
        if let Some(film) = &mut film {
            let picture = picture::draw(arenas.last.iter().map(|(_, entity)| entity), &mut canvas);
            if number % 3 == 0 || number == frames {
                film.show(&picture)?;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    film.map_or(Ok(()), Film::finish)?;
    let capacity = arenas.last.capacity();
    let report = Report { options, capacity, most, all, rows: [&arenas.parts, &boxes.parts] };
    // A closed pipe means that the reader has read enough.
    let _ = write!(io::stdout(), "{report}");
    if options.check {
        let _ = writeln!(io::stdout(), "\ncheck: each frame is the same in both ways");
    }
    Ok(())
}

/// Returns the number of entities in a frame, and a number that combines them all, whatever their
/// order.
fn fingerprint(frame: &impl Frame) -> (usize, u64) {
    frame.entities().fold((0, 0), |(count, sum), (_, entity)| (count + 1, sum.wrapping_add(entity.fingerprint())))
}

/// Creates a progress bar. It is visible only if standard error is a terminal.
fn progress_bar(frames: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} frame {pos} of {len}, {eta} left").expect("a valid template");
    ProgressBar::new(frames.into()).with_style(style)
}

struct Report<'r> {
    options: &'r Options,
    /// The capacity of one arena.
    capacity: usize,
    /// The number of entities in the fullest frame, and in all frames.
    most: usize,
    all: usize,
    rows: [&'r Parts; 2],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { options: Options { ships, frames, .. }, capacity, most, all, rows } = self;
        writeln!(
            f,
            "{ships} ships, {frames} frames, {all} entities, at most {most} in a frame; capacity {capacity}\n"
        )?;
        writeln!(f, "{:<24}{:>12}{:>12}{:>12}", "medians over the frames", "look", "build", "free")?;
        for (name, Parts { look, build, free }) in ["arenas of a pool", "boxes"].into_iter().zip(rows) {
            let [look, build, free] = [look, build, free].map(|times| format!("{:.2?}", times.median()));
            writeln!(f, "{name:<24}{look:>12}{build:>12}{free:>12}")?;
        }
        Ok(())
    }
}

/// The reason why the program ends early.
#[derive(Debug)]
enum Stop {
    /// This cannot happen, because the arenas have room for all entities.
    Full(Full<()>),
    Film(FilmError),
    Different {
        number: u32,
    },
}

impl From<Full<()>> for Stop {
    fn from(full: Full<()>) -> Self {
        Stop::Full(full)
    }
}

impl From<FilmError> for Stop {
    fn from(error: FilmError) -> Self {
        Stop::Film(error)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Full(full) => write!(f, "a frame does not fit: {full}"),
            Stop::Film(error) => write!(f, "{error}"),
            Stop::Different { number } => write!(f, "frame {number} is not the same in both ways"),
        }
    }
}
