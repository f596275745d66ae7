//! Measurements that need a fresh process, with untouched pages and without freed memory. The
//! program starts itself again with a question and reads the answer.

use std::{env, hint::black_box, process::Command, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use atomicarena::AtomicArena;
use orx_concurrent_bag::ConcurrentBag;
use orx_fixed_vec::FixedVec;
use serde::{Deserialize, Serialize};

use crate::{
    memory,
    subject::{Kind, Pages, Plan, Subject},
    subjects::What,
    turn,
    work::{Work, counting},
};

#[derive(Clone, Debug, clap::Subcommand)]
pub enum Question {
    /// The times of construction and of drop, and the pages that construction touches.
    Construct { subject: usize, bytes: usize },
    /// The number of resident bytes per element, without the value.
    Resident { what: What, subject: String, elements: usize },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Construction {
    pub nanos: f64,
    pub faults: f64,
    pub resident: f64,
    pub drop_untouched_nanos: f64,
    pub drop_filled_nanos: f64,
}

/// A subject whose construction is measured. `run` measures its construction and drop in this
/// process, for a number of u64 slots.
pub struct Constructed {
    pub name: &'static str,
    pub kind: Kind,
    run: fn(usize) -> Result<Construction>,
}

pub const CONSTRUCTED: [Constructed; 4] = [
    Constructed {
        name: "AtomicArena::with_capacity",
        kind: Kind::Ours,
        run: |slots| {
            construct(|| AtomicArena::<u64>::with_capacity(slots), |arena| arena.fill_with(|index| index as u64).len())
        },
    },
    Constructed {
        name: "Vec::with_capacity",
        kind: Kind::Peer,
        run: |slots| {
            construct(
                || Vec::<u64>::with_capacity(slots),
                |vec| {
                    vec.extend(counting(0, slots));
                    vec.len()
                },
            )
        },
    },
    Constructed {
        name: "orx-concurrent-bag, fixed",
        kind: Kind::Peer,
        run: |slots| {
            construct(
                || ConcurrentBag::<u64, FixedVec<u64>>::with_fixed_capacity(slots),
                |bag| {
                    bag.extend(counting(0, slots));
                    bag.len()
                },
            )
        },
    },
    Constructed {
        name: "boxcar::Vec::with_capacity",
        kind: Kind::Peer,
        run: |slots| {
            construct(
                || boxcar::Vec::<u64>::with_capacity(slots),
                |vec| {
                    for value in counting(0, slots) {
                        vec.push(value);
                    }
                    vec.count()
                },
            )
        },
    },
];

fn construct<X>(make: impl Fn() -> X, fill: impl FnOnce(&mut X) -> usize) -> Result<Construction> {
    memory::count_in_small_pages();
    // The statistics are read once before the clock starts, so that later reads touch no new page.
    memory::resident_bytes()?;
    memory::minor_faults();

    let resident_before = memory::resident_bytes()?;
    let faults_before = memory::minor_faults();
    let start = Instant::now();
    let made = make();
    let nanos = start.elapsed();
    let faults = memory::minor_faults() - faults_before;
    let resident = memory::resident_bytes()?.saturating_sub(resident_before);

    black_box(&made);
    let start = Instant::now();
    drop(made);
    let drop_untouched = start.elapsed();

    let mut made = make();
    black_box(fill(&mut made));
    let start = Instant::now();
    drop(made);
    let drop_filled = start.elapsed();

    Ok(Construction {
        nanos: nanos.as_secs_f64() * 1e9,
        faults: faults as f64,
        resident: resident as f64,
        drop_untouched_nanos: drop_untouched.as_secs_f64() * 1e9,
        drop_filled_nanos: drop_filled.as_secs_f64() * 1e9,
    })
}

/// Fills a subject in this process, and returns the resident bytes per element, without the value.
pub fn resident<W: Work, S: Subject<W>>(plan: &Plan) -> Result<f64> {
    ensure!(plan.threads == 1, "resident memory is measured with one thread");
    let seed = black_box(1 << 32);
    let source = W::source(seed, plan.puts, plan.size);
    let mut kept = Vec::with_capacity(plan.puts / turn::KEPT_ONE_IN + 1);
    memory::resident_bytes()?;

    let before = memory::resident_bytes()?;
    let mut subject = S::with_room(plan);
    let source = turn::fill::<W, S>(&subject, source, plan.puts, turn::KEPT_ONE_IN, &mut kept);
    let after = memory::resident_bytes()?;

    drop(source);
    if let Some((count, _)) = subject.contents() {
        ensure!(count == plan.elements::<W>(), "{}: {count} elements instead of {}", S::NAME, plan.elements::<W>());
    }
    let each = (after.saturating_sub(before)) as f64 / plan.elements::<W>() as f64;
    Ok(each - size_of::<W>() as f64)
}

impl Question {
    /// Answers a question in this process, as one line of JSON.
    pub fn answer(&self) -> Result<String> {
        memory::prepare(Pages::Cold);
        match self {
            Self::Construct { subject, bytes } => {
                let constructed = CONSTRUCTED.get(*subject).context("no such subject")?;
                Ok(serde_json::to_string(&(constructed.run)(bytes / size_of::<u64>())?)?)
            }
            Self::Resident { what, subject, elements } => {
                memory::count_in_small_pages();
                let entrants = what.entrants();
                let entrant = entrants
                    .iter()
                    .find(|entrant| entrant.name == subject)
                    .with_context(|| format!("no such subject: {subject}"))?;
                let (puts, size) = what.puts(*elements);
                let plan = Plan { puts, size, threads: 1, pages: Pages::Cold };
                Ok(serde_json::to_string(&(entrant.resident)(&plan)?)?)
            }
        }
    }
}

/// Starts a fresh process with a question, and returns its answer.
pub fn ask<A: for<'a> Deserialize<'a>>(question: &[&str]) -> Result<A> {
    let own = env::current_exe().context("cannot find this program to start it again")?;
    let output = Command::new(own).arg("probe").args(question).output().context("cannot start this program again")?;
    if !output.status.success() {
        bail!("a fresh process could not answer {question:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("a fresh process gave no answer to {question:?}"))
}
