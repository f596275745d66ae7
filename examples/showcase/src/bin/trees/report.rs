//! The report on standard output.

use std::fmt;

use crate::round::Costs;

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) texts: usize,
    pub(crate) kind: &'static str,
    pub(crate) bytes: usize,
    pub(crate) nodes: u64,
    pub(crate) threads: usize,
    pub(crate) rounds: u32,
    pub(crate) ways: [(&'static str, Costs); 3],
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { texts, kind, bytes, nodes, threads, rounds, ways } = self;
        let s = if *threads == 1 { "" } else { "s" };
        writeln!(f, "{texts} {kind}, {bytes} bytes, {nodes} nodes; {threads} thread{s}, rounds: {rounds}\n")?;
        let [build, speed, append, free, memory] = ["build", "MB/s", "append", "free", "memory"];
        let first = "medians over the rounds";
        writeln!(f, "{first:<26}{build:>12}{speed:>9}{append:>12}{free:>12}{memory:>12}")?;
        for (name, Costs { build, append, free, used }) in ways {
            let speed = *bytes as f64 / build.median().as_secs_f64() / 1e6;
            let [build, append, free] = [build, append, free].map(|times| format!("{:.2?}", times.median()));
            let used = used.map_or_else(|| "unknown".to_owned(), |used| format!("{:.1} MB", used as f64 / 1e6));
            writeln!(f, "{name:<26}{build:>12}{speed:>9.1}{append:>12}{free:>12}{used:>12}")?;
        }
        Ok(())
    }
}
