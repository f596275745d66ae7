//! The latencies as text.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::machine::Machine;
use crate::ways::{EVENTS, Way};

/// The quantiles of every series, with their names.
pub(crate) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

pub(crate) struct Series {
    pub(crate) way: Way,
    /// In nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Whether the mapped arena was locked in RAM.
    pub(crate) locked: bool,
    /// The time between two events in microseconds.
    pub(crate) period: u64,
    pub(crate) deadline: Duration,
    pub(crate) series: [Series; 4],
}

impl Report {
    /// Describes the measurement in one line.
    pub(crate) fn setting(&self) -> String {
        let (events, period) = (self.series[0].latencies.len(), self.period);
        let rounds = events / EVENTS as u64;
        let locked = if self.locked { "prefaulted and locked" } else { "prefaulted, not locked" };
        let plural = if rounds == 1 { "" } else { "s" };
        format!(
            "{events} events of 256 bytes for each way, one every {period} µs, {rounds} round{plural}; mapped arena {locked}"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", self.machine, self.setting())?;
        write!(f, "{:26}", "to store one event")?;
        for (name, _) in QUANTILES {
            write!(f, "{name:>11}")?;
        }
        writeln!(f, "{:>18}", format!("later than {:?}", self.deadline))?;
        for Series { way, latencies } in &self.series {
            write!(f, "{way:26}")?;
            for (_, quantile) in QUANTILES {
                write!(f, "{:>11}", nanoseconds(latencies.value_at_quantile(quantile)))?;
            }
            let late = latencies.count_between(self.deadline.as_nanos() as u64 + 1, u64::MAX);
            writeln!(f, "{late:>18}")?;
        }
        for Series { way, latencies } in &self.series {
            writeln!(f, "\n{way}")?;
            for doubling in 0..64 {
                let (from, to) = (1_u64 << doubling, u64::MAX >> (63 - doubling));
                let count = latencies.count_between(from, to);
                if count > 0 {
                    // A bar grows by four characters with every power of ten.
                    let bar = "#".repeat(1 + (4.0 * (count as f64).log10()) as usize);
                    writeln!(f, "{:>9} - {:>9} {count:>8} {bar}", nanoseconds(from), nanoseconds(to))?;
                }
            }
        }
        Ok(())
    }
}

/// Formats a duration in ns, µs or ms.
pub(crate) fn nanoseconds(value: u64) -> String {
    let (value, unit) = match value {
        0..1_000 => return format!("{value} ns"),
        1_000..1_000_000 => (value as f64 / 1e3, "µs"),
        _ => (value as f64 / 1e6, "ms"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}
