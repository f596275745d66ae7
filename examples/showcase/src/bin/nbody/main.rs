//! Two galaxies collide. The octree for their gravity is stored in an arena.
//!
//! ```text
//! cd examples/showcase && cargo run --release --bin nbody -- --out collision.gif
//! ```
//!
//! In each frame all threads build an octree of all bodies, walk through it for the force on each
//! body, and free it (the method of Barnes and Hut, in which distant bodies attract as one). The
//! program does this twice, with the nodes in an arena and with each node in a `Box`. The two ways
//! take turns and do the same arithmetic in the same order. The program fails if a single bit of a
//! result differs. It prints the medians over the frames:
//!
//! - *build*: creating and linking all nodes, from bodies that are already ordered. The nodes of a
//!   thread outlive the thread.
//! - *forces*: the walks.
//! - *free*: with boxes, freeing one node after another. With an arena, dropping an arena whose
//!   values need no drop, and creating the next arena in the same bytes, which clears one byte per
//!   slot.
//!
//! Read `ways.rs` first: it contains the two ways. `tree.rs` shows how several threads build one
//! tree together, and `galaxies.rs` creates the bodies. The trees use neither locks nor `unsafe`.
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

/// Simulates a collision of two galaxies, and prints the time that it takes with the tree in an
/// arena and in boxes.
///
/// Exit code: 0 on success, 1 if the ways differ or --check finds an error, 2 if the film cannot be
/// written or --nodes is too small.
#[derive(Parser)]
struct Options {
    /// Number of bodies
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(2..=100_000_000))]
    bodies: u32,
    /// Number of frames. Every second frame and the last one are drawn
    #[arg(long, default_value_t = 320, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Number of threads that build and walk [default: one per core]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    threads: Option<usize>,
    /// A cube attracts as one body if its apparent size (edge divided by distance) is smaller than
    /// this. With 0, every body counts
    #[arg(long, default_value_t = 0.7, value_parser = theta)]
    theta: f64,
    /// Where to store the trees
    #[arg(long, value_enum, default_value_t = Ways::Both)]
    ways: Ways,
    /// Capacity of the arena [default: enough for every tree]
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 32))]
    nodes: Option<usize>,
    /// Film to write. The name ends in .gif, or in .png to keep only the last picture
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Width of the pictures in pixels. The height is five eighths of it
    #[arg(long, default_value_t = 640, value_parser = RangedU64ValueParser::<usize>::new().range(16..=8192))]
    width: usize,
    /// Use few bodies and frames, write no film, and check the forces pair by pair, and also the
    /// momentum
    #[arg(long)]
    check: bool,
}

fn theta(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|theta| (0.0..=1.0).contains(theta)).ok_or("a number from 0 to 1 is required")
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
    // A closed pipe means that the reader has read enough.
    let _ = write!(io::stdout(), "{}", Report { simulation: &simulation, frames, threads, theta });
    if options.check {
        let checked = check::all(simulation.bodies, before, threads, options.theta)?;
        let _ = writeln!(io::stdout(), "\n{checked}");
    }
    Ok(())
}

/// Creates a progress bar. It is visible only if standard error is a terminal.
fn progress_bar(frames: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} frame {pos} of {len}, {eta} left").expect("a valid template");
    ProgressBar::new(frames.into()).with_style(style)
}

/// The reason why the program ends early.
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
