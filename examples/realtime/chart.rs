//! The latencies as a chart. Each line shows, for every fraction of the events, the time within
//! which that fraction was stored. Both axes are logarithmic. From 99 % on, each step to the right
//! adds a nine (99.9 % after 99 %): only a tenth as many events are slower. Each step up stands for
//! ten times the time.

use std::fmt;

use crate::report::{QUANTILES, Report, Series, nanoseconds};
use crate::ways::Way;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 600.0;
/// The borders of the plot.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 100.0;
const BOTTOM: f64 = 520.0;

pub(crate) struct Chart<'a>(pub(crate) &'a Report);

fn colour(way: Way) -> &'static str {
    match way {
        Way::Nothing => "#8a8a8a",
        Way::Static => "#0072b2",
        Way::Mapped => "#009e73",
        Way::Boxed => "#d55e00",
    }
}

/// Returns the number of nines: 1 for nine events in ten, 2 for 99 in a hundred.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let count = report.series[0].latencies.len().max(2) as f64;
        // The slowest event is at the right border.
        let most_nines = count.log10();
        let slowest = report.series.iter().map(|series| series.latencies.max()).max().unwrap_or(1).max(100_000);
        let (low, high) = (10.0_f64, 10.0_f64.powf((slowest as f64).log10().ceil()));
        let x = |nines: f64| LEFT + (RIGHT - LEFT) * nines.min(most_nines) / most_nines;
        let y = |nanoseconds: f64| {
            BOTTOM - (BOTTOM - TOP) * (nanoseconds.max(low).log10() - low.log10()) / (high.log10() - low.log10())
        };

        writeln!(
            f,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="14" fill="#222">"##
        )?;
        writeln!(f, r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>"##)?;
        writeln!(f, r##"<text x="{LEFT}" y="32" font-size="20">How long a producer takes to store one event</text>"##)?;
        writeln!(
            f,
            r##"<text x="{LEFT}" y="56" font-size="12" fill="#555">{}</text>"##,
            escaped(&report.machine.to_string())
        )?;
        writeln!(f, r##"<text x="{LEFT}" y="74" font-size="12" fill="#555">{}</text>"##, escaped(&report.setting()))?;

        let mut step = low;
        while step <= high {
            let (line, text) = (y(step), y(step) + 5.0);
            writeln!(f, r##"<line x1="{LEFT}" x2="{RIGHT}" y1="{line:.1}" y2="{line:.1}" stroke="#ddd"/>"##)?;
            let label = nanoseconds(step as u64).replace(".00", "").replace(".0", "");
            writeln!(f, r##"<text x="{}" y="{text:.1}" text-anchor="end">{label}</text>"##, LEFT - 8.0)?;
            step *= 10.0;
        }
        for (name, quantile) in QUANTILES {
            let line = x(if quantile < 1.0 { nines(quantile) } else { most_nines });
            writeln!(f, r##"<line x1="{line:.1}" x2="{line:.1}" y1="{TOP}" y2="{BOTTOM}" stroke="#ddd"/>"##)?;
            writeln!(f, r##"<text x="{line:.1}" y="{}" text-anchor="middle">{name}</text>"##, BOTTOM + 22.0)?;
        }
        let middle = (LEFT + RIGHT) / 2.0;
        writeln!(
            f,
            r##"<text x="{middle}" y="{}" text-anchor="middle" fill="#555">events, from the fastest to the slowest</text>"##,
            BOTTOM + 50.0
        )?;

        let deadline = y(report.deadline.as_nanos() as f64);
        writeln!(
            f,
            r##"<line x1="{LEFT}" x2="{RIGHT}" y1="{deadline:.1}" y2="{deadline:.1}" stroke="#222" stroke-dasharray="6 4"/>"##
        )?;
        writeln!(
            f,
            r##"<text x="{}" y="{:.1}" font-size="12">deadline, {:?}</text>"##,
            LEFT + 6.0,
            deadline - 6.0,
            report.deadline
        )?;

        // The labels are at the ends of their lines, but far enough apart to be legible.
        let mut names: Vec<_> = report.series.iter().map(|series| (y(series.latencies.max() as f64), series)).collect();
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut lowest = f64::NEG_INFINITY;
        for (end, Series { way, latencies }) in names {
            let points = (0..=400).map(|point| {
                let nines = most_nines * f64::from(point) / 400.0;
                let value = latencies.value_at_quantile(1.0 - 10.0_f64.powf(-nines));
                (x(nines), y(value as f64))
            });
            write!(f, r##"<polyline fill="none" stroke="{}" stroke-width="2.5" points=""##, colour(*way))?;
            for (x, y) in points.chain([(RIGHT, end)]) {
                write!(f, "{x:.1},{y:.1} ")?;
            }
            writeln!(f, r##""/>"##)?;
            lowest = end.max(lowest + 36.0);
            let (left, max) = (RIGHT + 12.0, nanoseconds(latencies.max()));
            writeln!(f, r##"<text x="{left}" y="{lowest:.1}" fill="{}">{way}</text>"##, colour(*way))?;
            let text = lowest + 15.0;
            writeln!(
                f,
                r##"<text x="{left}" y="{text:.1}" font-size="12" fill="#555">p99.9 {}, max {max}</text>"##,
                nanoseconds(latencies.value_at_quantile(0.999))
            )?;
        }
        writeln!(f, "</svg>")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
