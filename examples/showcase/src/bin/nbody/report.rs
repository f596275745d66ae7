//! The report on standard output.

use std::fmt;

use crate::simulation::{Parts, Simulation, Ways};

pub(crate) struct Report<'s> {
    pub(crate) simulation: &'s Simulation,
    pub(crate) frames: u32,
    pub(crate) threads: usize,
    pub(crate) theta: f64,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { simulation, frames, threads, theta } = *self;
        let bodies = simulation.bodies.points.len();
        writeln!(f, "{bodies} bodies, {frames} frames, {threads} threads, theta {theta}")?;
        if simulation.most > 0 {
            writeln!(f, "nodes of the largest tree: {}", simulation.most)?;
        }
        writeln!(f, "sorting, once per frame: {:.2?}\n", simulation.sort.median())?;
        writeln!(f, "{:<24}{:>12}{:>12}{:>12}", "medians over the frames", "build", "forces", "free")?;
        let rows =
            [("nodes in an arena", &simulation.arena, Ways::Arena), ("nodes in boxes", &simulation.boxes, Ways::Boxes)];
        for (name, Parts { build, forces, free }, way) in rows {
            if [way, Ways::Both].contains(&simulation.ways) {
                let [build, forces, free] = [build, forces, free].map(|times| format!("{:.2?}", times.median()));
                writeln!(f, "{name:<24}{build:>12}{forces:>12}{free:>12}")?;
            }
        }
        Ok(())
    }
}
