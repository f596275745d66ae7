//! Two galaxies collide, and the tree that their gravity is worked out with lies in an arena.
//!
//! ```text
//! cd examples/showcase && cargo run --release --bin nbody -- --out collision.gif
//! ```
//!
//! In each frame all threads build an octree of all bodies (Barnes and Hut: what is far away pulls as one), walk through
//! it for the force on each, and throw it away. It is done twice, with the nodes in an arena and with each in a `Box`, in
//! turn; both do the same arithmetic in the same order, and the program fails when a bit of a result differs. In the end
//! it prints the medians over the frames:
//!
//! - *build*: all nodes made and linked, from bodies that are in order. What a thread stored outlives the thread.
//! - *forces*: the walks.
//! - *free*: in boxes, one node after another is freed. In the arena, the drop of one that holds nothing to be dropped,
//!   and making the next in the same bytes, which takes a byte for each slot to be cleared.
//!
//! `ways.rs` is the part to read: the two ways. `tree.rs` is how many threads build one tree, and `galaxies.rs` what
//! collides. There is neither a lock nor `unsafe` in the trees.
#![forbid(unsafe_code)]

// Bottom-up: a file may use only files above it.
mod space;
mod order;
mod tree;
mod ways;
mod gravity;
mod galaxies;
mod camera;
mod simulation;
mod check;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use showcase::film::{Film, FilmError};
use showcase::light::Canvas;

use check::Difference;
use report::Report;
use simulation::{Failure, Simulation, Ways};

/// Lets two galaxies collide, and prints how long it takes with the tree in an arena and with the tree in boxes.
///
/// Exit code: 0, 1 when the ways differ or --check finds something wrong, 2 when the film cannot be made.
#[derive(Parser)]
struct Options {
    /// How many bodies there are
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(2..=100_000_000))]
    bodies: u32,
    /// How many frames; every second one is a picture
    #[arg(long, default_value_t = 320, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Threads that build and walk [default: one for each core]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    threads: Option<usize>,
    /// What appears smaller than this, its edge over its distance, pulls as one; 0 leaves nothing out
    #[arg(long, default_value_t = 0.7, value_parser = theta)]
    theta: f64,
    /// What the trees are stored in
    #[arg(long, value_enum, default_value_t = Ways::Both)]
    ways: Ways,
    /// Room in the arena [default: what every tree fits into, wherever the bodies are]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 32))]
    nodes: Option<usize>,
    /// Where the pictures go: a name ending in .gif, or in .png for the last one only
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The width of the pictures in pixels; the height is five eighths of it
    #[arg(long, default_value_t = 640, value_parser = RangedU64ValueParser::<usize>::new().range(16..=8192))]
    width: usize,
    /// Few bodies, few frames, no file: compare the forces with those of every body on every other, and the momentum
    #[arg(long)]
    check: bool,
}

fn theta(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|theta| (0.0..=1.0).contains(theta)).ok_or("a number from 0 to 1 is wanted")
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.check {
        options = Options { bodies: 3_000, frames: 20, out: None, ..options };
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("nbody: {stop}");
            ExitCode::from(stop.code())
        }
    }
}

fn run(options: &Options) -> Result<(), Stop> {
    let threads = options.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let bodies = galaxies::collision(options.bodies as usize);
    let before = bodies.momentum();
    let mut simulation = Simulation::new(bodies, options.ways, threads, options.theta, options.nodes);
    let mut canvas = Canvas::new(options.width, options.width * 5 / 8);
    let mut film = options.out.as_ref().map(|path| Film::new(path, canvas.width(), canvas.height())).transpose()?;
    let bar = progress_bar(options.frames);
    for frame in 0..options.frames {
        simulation.step()?;
        if let Some(film) = &mut film
            && (frame % 2 == 1 || frame + 1 == options.frames)
        {
            camera::shoot(&simulation.bodies, f64::from(frame) / f64::from(options.frames), &mut canvas);
            film.show(&canvas)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    film.map_or(Ok(()), Film::finish)?;
    let (frames, theta) = (options.frames, options.theta);
    // Who closes the pipe has read enough.
    let _ = write!(io::stdout(), "{}", Report { simulation: &simulation, frames, threads, theta });
    if options.check {
        let checked = check::all(simulation.bodies, before, threads, options.theta)?;
        let _ = writeln!(io::stdout(), "\n{checked}");
    }
    Ok(())
}

/// Shows itself only when standard error is a terminal.
fn progress_bar(frames: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} frame {pos} of {len}, {eta} left").expect("a valid template");
    ProgressBar::new(frames.into()).with_style(style)
}

/// Why the program ends before its end.
enum Stop {
    Failure(Failure),
    Film(FilmError),
    Difference(Difference),
}

impl Stop {
    fn code(&self) -> u8 {
        match self {
            Stop::Failure(Failure::Different) | Stop::Difference(_) => 1,
            Stop::Failure(Failure::TreeFull { .. }) | Stop::Film(_) => 2,
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

impl From<FilmError> for Stop {
    fn from(error: FilmError) -> Self {
        Stop::Film(error)
    }
}

impl From<Difference> for Stop {
    fn from(difference: Difference) -> Self {
        Stop::Difference(difference)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Failure(failure) => write!(f, "{failure}"),
            Stop::Film(error) => write!(f, "{error}"),
            Stop::Difference(difference) => write!(f, "{difference}"),
        }
    }
}
