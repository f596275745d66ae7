//! `compare` measures this crate beside its peers and beside the limits of the machine. The README
//! describes the method, and explains why nothing is optimised away.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    groups::Runner,
    machine::Machine,
    report::Report,
    rounds::Dice,
    settings::{Arguments, Probe, Settings},
};

mod again;
mod bars;
mod charts;
mod groups;
mod machine;
mod memory;
mod probe;
mod reading;
mod report;
mod rounds;
mod settings;
mod single;
mod subject;
mod subjects;
mod turn;
mod work;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Probe::Probe { question }) = &arguments.probe {
        println!("{}", question.answer()?);
        return Ok(());
    }
    if cfg!(debug_assertions) {
        eprintln!("compare: built without optimisation; the figures are meaningless (use --release)");
    }

    let settings = Settings::new(arguments)?;
    let machine = Machine::here();
    let progress = ProgressBar::new(Runner::turns(&settings))
        .with_style(ProgressStyle::with_template("{elapsed:>4} {wide_bar} {percent:>3}% {eta:>4} left  {msg}")?);
    let mut runner = Runner { settings: &settings, progress: &progress, dice: Dice(settings.seed), rows: Vec::new() };
    runner.run()?;
    let rows = runner.rows;
    progress.finish_and_clear();

    let report = Report { machine, bars: bars::bars(&rows), settings, rows };
    print!("{report}");
    if let Some(folder) = &arguments.out {
        report.write(folder)?;
    }
    Ok(())
}
