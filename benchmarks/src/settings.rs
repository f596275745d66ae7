//! The options of `compare`, and the settings of a run that follow from them.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum as _};
use serde::Serialize;

use crate::{probe::Question, rounds::Group, subject::Pages, subjects::What};

/// Measures atomicarena beside its peers and beside the limits of the machine.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
pub struct Arguments {
    /// Measure only what the bars (the targets) need, in few rounds: done within a minute
    #[arg(long)]
    pub quick: bool,

    /// Numbers of threads [default: 1, 2, 4 and so on up to the number of processors]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    pub threads: Option<Vec<NonZeroUsize>>,

    /// Elements per turn, for all threads together [default: 1000000]
    #[arg(long, value_name = "N")]
    pub elements: Option<NonZeroUsize>,

    /// Number of rounds, except for slow measurements, which have a fixed number. In each round
    /// every subject has one turn [default: 21, or 5 with --quick]
    #[arg(long, value_name = "N")]
    pub rounds: Option<NonZeroUsize>,

    /// Measure only these kinds of values, in the groups fill, bulk, runs, vacant and bump
    #[arg(long, value_delimiter = ',', value_name = "WHAT,WHAT")]
    pub what: Option<Vec<What>>,

    /// State of the memory before the clock starts [default: all states, or warm with --quick]
    #[arg(long, value_delimiter = ',', value_name = "PAGES,PAGES")]
    pub pages: Option<Vec<Pages>>,

    /// Measure only these groups
    #[arg(long, value_delimiter = ',', value_name = "GROUP,GROUP")]
    pub only: Option<Vec<Group>>,

    /// Measure only peers whose name contains this, beside atomicarena and the limits. The groups
    /// reset and construct ignore it
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,

    /// Write the results as JSON, Markdown and SVG into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Seed for the order of turns and for the values
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    #[command(subcommand)]
    pub probe: Option<Probe>,
}

#[derive(Debug, clap::Subcommand)]
pub enum Probe {
    /// Answer a question in a fresh process. Only the program itself uses this
    #[command(hide = true)]
    Probe {
        #[command(subcommand)]
        question: Question,
    },
}

/// The arguments, with every default filled in.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    pub quick: bool,
    pub threads: Vec<usize>,
    pub elements: usize,
    pub rounds: usize,
    pub what: Vec<What>,
    pub pages: Vec<Pages>,
    pub groups: Vec<Group>,
    pub seed: u64,
    /// The number of values to read, a power of two.
    pub read: usize,
    /// The number of slots of the full arena that refuses values.
    pub refused: usize,
    /// The sizes in bytes of the small and the large arena for `reset`.
    pub reset: [usize; 2],
    pub construct_bytes: usize,
    pub memory_elements: usize,
    /// The number of rounds of the slow measurements: `reset`, construction (where each sample
    /// needs a fresh process), and some measurements of vacant slots.
    pub slow_rounds: usize,
    #[serde(skip)]
    pub subject: Option<String>,
}

impl Settings {
    pub fn new(arguments: &Arguments) -> Result<Self> {
        let quick = arguments.quick;
        let elements = arguments.elements.map_or(1_000_000, NonZeroUsize::get);
        let threads = match &arguments.threads {
            Some(threads) => threads.iter().map(|threads| threads.get()).collect(),
            None => doubling(thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        };
        let most = threads.iter().copied().max().unwrap_or(1);
        ensure!(
            elements >= most * 1_000,
            "{elements} elements are too few for {most} threads: each thread needs at least 1,000"
        );
        Ok(Self {
            quick,
            threads,
            elements,
            rounds: arguments.rounds.map_or(if quick { 5 } else { 21 }, NonZeroUsize::get),
            what: arguments.what.clone().unwrap_or_else(|| {
                let mut what = What::value_variants().to_vec();
                what.retain(|what| !quick || *what != What::String);
                what
            }),
            pages: arguments.pages.clone().unwrap_or_else(|| {
                if quick { vec![Pages::Warm] } else { vec![Pages::Warm, Pages::Cold, Pages::Reused] }
            }),
            groups: arguments.only.clone().unwrap_or_else(|| Group::value_variants().to_vec()),
            seed: arguments.seed,
            read: elements.next_power_of_two(),
            refused: elements,
            reset: [1_000, 1_000_000_000],
            construct_bytes: 1 << 30,
            memory_elements: if quick { 2_000_000 } else { 10_000_000 },
            slow_rounds: if quick { 3 } else { 11 },
            subject: arguments.subject.clone(),
        })
    }

    /// Returns whether a subject takes part. `ours` is true for every subject that is not a peer,
    /// because only peers can be left out.
    pub fn wants(&self, name: &str, ours: bool) -> bool {
        ours || self.subject.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }
}

/// Returns the powers of two below `most`, and `most` itself.
fn doubling(most: usize) -> Vec<usize> {
    let mut threads: Vec<usize> = std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n < most).collect();
    threads.push(most);
    threads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_double_up_to_the_most() {
        assert_eq!(doubling(1), [1]);
        assert_eq!(doubling(2), [1, 2]);
        assert_eq!(doubling(6), [1, 2, 4, 6]);
        assert_eq!(doubling(8), [1, 2, 4, 8]);
    }

    #[test]
    fn the_arguments_are_sound() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
