//! Charts as SVG: bars for filling with one thread and with the most threads, and for reading alone
//! and beside a publisher, and lines for the growth of the cost if more than two numbers of threads
//! were measured.

use std::path::Path;

use anyhow::{Context, Result};
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    report::number,
    rounds::{Group, Row},
    subject::{Kind, Pages},
    subjects::What,
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(36, 41, 47);
const FAINT: RGBColor = RGBColor(101, 109, 118);
const GRID: RGBColor = RGBColor(225, 228, 232);
const OURS: RGBColor = RGBColor(207, 80, 23);
const PEERS: RGBColor = RGBColor(140, 164, 191);
const LIMITS: RGBColor = RGBColor(188, 188, 188);

const WIDTH: i32 = 960;
const MARGIN: i32 = 24;
/// The boundary between the names of the subjects and the bars.
const NAMES: i32 = 270;
/// The space to the right of the longest bar, for its number.
const NUMBERS: i32 = 52;
const BAR: i32 = 22;
const HEAD: i32 = 84;
const FOOT: i32 = 44;

/// Writes every chart for which there are enough rows.
pub fn write(rows: &[Row], folder: &Path) -> Result<()> {
    let fills = [
        (What::U64, "fill-u64.svg"),
        (What::Line, "fill-64-bytes.svg"),
        (What::String, "fill-string.svg"),
        (What::Slices, "slices.svg"),
        (What::Text, "strings-of-10.svg"),
        (What::Fours, "slices-of-4.svg"),
        (What::Reserved, "reservations.svg"),
        (What::Bump, "bump-u64.svg"),
        (What::BumpText, "bump-strings.svg"),
    ];
    for (what, file) in fills {
        let warm: Vec<&Row> = rows
            .iter()
            .filter(|row| row.group.fills())
            .filter(|row| row.what == what.label() && row.pages == Some(Pages::Warm))
            .collect();
        let title = format!("{}: {}, warm", what.label(), what.unit());
        let panels = by_threads(&warm);
        draw_bars(&folder.join(file), &title, &panels)?;
        if panels.len() > 2 {
            let file = format!("threads-{file}");
            draw_lines(&folder.join(file), &title, &panels)?;
        }
    }
    for (how, file) in [("get, scattered", "get.svg"), ("iter, all of it", "iter.svg")] {
        let of_u64 = |row: &&Row| row.group == Group::Read && row.what.starts_with(how) && row.what.contains("u64 (");
        let read: Vec<&Row> = rows.iter().filter(of_u64).filter(|row| row.threads == 1).collect();
        let (beside, alone): (Vec<&Row>, Vec<&Row>) = read.into_iter().partition(|row| row.what.contains("publisher"));
        let panels = [("alone".to_owned(), alone), ("beside a publisher".to_owned(), beside)];
        let title = format!("{how}, u64: ns per element, 1 reader");
        draw_bars(&folder.join(file), &title, &panels.map(|(name, rows)| Panel { name, rows }))?;
    }
    Ok(())
}

/// Rows that share an axis.
struct Panel<'a> {
    name: String,
    rows: Vec<&'a Row>,
}

fn by_threads<'a>(rows: &[&'a Row]) -> Vec<Panel<'a>> {
    rows.chunk_by(|a, b| a.threads == b.threads)
        .map(|rows| {
            let threads = rows[0].threads;
            let name = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
            Panel { name, rows: rows.to_vec() }
        })
        .collect()
}

fn colour(kind: Kind) -> RGBColor {
    match kind {
        Kind::Ours => OURS,
        Kind::Peer => PEERS,
        Kind::Limit => LIMITS,
    }
}

fn text(size: i32, colour: RGBColor, across: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(Pos::new(across, VPos::Center))
}

/// A logarithmic axis between two pixels.
struct Axis {
    from: i32,
    to: i32,
    least: f64,
    most: f64,
}

impl Axis {
    /// Creates an axis for the positive ones of `values`. It starts at a tick that is clearly below
    /// the least value.
    fn over(values: impl Iterator<Item = f64>, from: i32, to: i32) -> Self {
        let (least, most) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(least, most), v| (least.min(v), most.max(v)));
        let below = ticks().rev().find(|tick| *tick <= least * 0.8).unwrap_or(least * 0.5);
        Self { from, to, least: below, most: most * 1.02 }
    }

    fn at(&self, value: f64) -> i32 {
        let share = (value.max(self.least) / self.least).ln() / (self.most / self.least).ln();
        self.from + (share * f64::from(self.to - self.from)).round() as i32
    }

    /// Returns all ticks if there is enough space for their numbers, and otherwise the powers of
    /// ten.
    fn ticks(&self) -> Vec<f64> {
        let within: Vec<f64> = ticks().filter(|tick| *tick >= self.least && *tick <= self.most).collect();
        let gap = |a: f64, b: f64| (self.at(a) - self.at(b)).abs();
        if within.windows(2).all(|pair| gap(pair[0], pair[1]) >= 30) {
            return within;
        }
        within.into_iter().filter(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-9).collect()
    }
}

/// 1, 2 and 5 in every decade that a measurement may fall into.
fn ticks() -> impl DoubleEndedIterator<Item = f64> {
    (-4..8).flat_map(|decade| [1.0, 2.0, 5.0].map(|tick| tick * 10_f64.powi(decade)))
}

fn tick_label(value: f64) -> String {
    format!("{}", (value * 1e6).round() / 1e6)
}

/// Draws a row of bars for each subject. Of more than two panels, only the first and the last are
/// drawn.
fn draw_bars(path: &Path, title: &str, panels: &[Panel<'_>]) -> Result<()> {
    let mut panels: Vec<&Panel<'_>> = panels.iter().filter(|panel| !panel.rows.is_empty()).collect();
    if panels.len() > 2 {
        panels.drain(1..panels.len() - 1);
    }
    let Some(first) = panels.first() else { return Ok(()) };
    let mut subjects = first.rows.clone();
    subjects.sort_by(|a, b| a.median.total_cmp(&b.median));

    let height = HEAD + subjects.len() as i32 * BAR + FOOT;
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    let cannot = || format!("cannot draw {}", path.display());
    area.fill(&PAPER).with_context(cannot)?;
    heading(&area, title).with_context(cannot)?;

    let each = (WIDTH - MARGIN - NAMES) / panels.len() as i32;
    for (number, subject) in subjects.iter().enumerate() {
        let middle = HEAD + number as i32 * BAR + BAR / 2;
        let ink = if subject.kind == Kind::Ours { OURS } else { INK };
        area.draw_text(&subject.subject, &text(14, ink, HPos::Right), (NAMES - 10, middle)).with_context(cannot)?;
    }
    for (number, panel) in panels.iter().enumerate() {
        let from = NAMES + number as i32 * each;
        let to = from + each - NUMBERS - 8;
        let values = panels.iter().flat_map(|panel| &panel.rows).map(|row| row.median);
        let axis = Axis::over(values, from, to);
        draw_panel(&area, panel, &subjects, &axis).with_context(cannot)?;
    }
    legend(&area, height - 14).with_context(cannot)?;
    area.present().with_context(cannot)
}

type Drawn<'a> = std::result::Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn heading<'a>(area: &Area<'a>, title: &str) -> Drawn<'a> {
    area.draw_text(title, &text(19, INK, HPos::Left), (MARGIN, 26))
}

fn draw_panel<'a>(area: &Area<'a>, panel: &Panel<'_>, subjects: &[&Row], axis: &Axis) -> Drawn<'a> {
    let bottom = HEAD + subjects.len() as i32 * BAR;
    area.draw_text(&panel.name, &text(15, INK, HPos::Left), (axis.from, 54))?;
    for tick in axis.ticks() {
        let x = axis.at(tick);
        area.draw(&PathElement::new(vec![(x, HEAD - 4), (x, bottom)], GRID))?;
        area.draw_text(&tick_label(tick), &text(12, FAINT, HPos::Center), (x, HEAD - 12))?;
    }
    for (number_of, subject) in subjects.iter().enumerate() {
        let Some(row) = panel.rows.iter().find(|row| row.subject == subject.subject) else {
            continue;
        };
        let top = HEAD + number_of as i32 * BAR;
        let end = axis.at(row.median);
        let corners = [(axis.from, top + 3), (end, top + BAR - 3)];
        area.draw(&Rectangle::new(corners, colour(row.kind).filled()))?;
        let ink = if row.kind == Kind::Ours { OURS } else { INK };
        let place = (end + 5, top + BAR / 2);
        area.draw_text(&number(row.median), &text(13, ink, HPos::Left), place)?;
    }
    area.draw(&PathElement::new(vec![(axis.from, HEAD - 4), (axis.from, bottom)], FAINT))
}

fn legend<'a>(area: &Area<'a>, y: i32) -> Drawn<'a> {
    let mut x = NAMES;
    let entries = [(OURS, "this crate", 112), (PEERS, "peers", 84), (LIMITS, "limits of the machine", 176)];
    for (colour, name, width) in entries {
        area.draw(&Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled()))?;
        area.draw_text(name, &text(13, FAINT, HPos::Left), (x + 16, y))?;
        x += width;
    }
    area.draw_text("shorter is better; logarithmic", &text(13, FAINT, HPos::Left), (x, y))
}

/// Draws the growth of the cost with the number of threads.
fn draw_lines(path: &Path, title: &str, panels: &[Panel<'_>]) -> Result<()> {
    let cannot = || format!("cannot draw {}", path.display());
    let height = 620;
    let (left, right, bottom) = (MARGIN + 48, WIDTH - NAMES, height - FOOT);
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&PAPER).with_context(cannot)?;
    heading(&area, title).with_context(cannot)?;

    let across =
        Axis { from: left, to: right, least: 1.0, most: panels.last().map_or(2, |panel| panel.rows[0].threads) as f64 };
    let values = panels.iter().flat_map(|panel| &panel.rows).map(|row| row.median);
    let up = Axis::over(values, bottom, HEAD);
    grid(&area, panels, &across, &up).with_context(cannot)?;

    let mut ends: Vec<(i32, &Row)> = Vec::new();
    for last in &panels[panels.len() - 1].rows {
        let of = |panel: &Panel<'_>| {
            let row = panel.rows.iter().find(|row| row.subject == last.subject)?;
            Some((across.at(row.threads as f64), up.at(row.median)))
        };
        let line: Vec<(i32, i32)> = panels.iter().filter_map(of).collect();
        let width = if last.kind == Kind::Ours { 3 } else { 1 };
        let style = colour(last.kind).stroke_width(width);
        area.draw(&PathElement::new(line, style)).with_context(cannot)?;
        ends.push((up.at(last.median), last));
    }
    // The names are at the ends of the lines, but far enough apart to be legible.
    ends.sort_by_key(|(y, _)| *y);
    let mut free = HEAD - 20;
    for (y, row) in ends {
        free = y.max(free + 15);
        let ink = if row.kind == Kind::Ours { OURS } else { INK };
        let name = format!("{} {}", number(row.median), row.subject);
        area.draw_text(&name, &text(13, ink, HPos::Left), (right + 8, free)).with_context(cannot)?;
    }
    area.present().with_context(cannot)
}

fn grid<'a>(area: &Area<'a>, panels: &[Panel<'_>], across: &Axis, up: &Axis) -> Drawn<'a> {
    for tick in up.ticks() {
        let y = up.at(tick);
        area.draw(&PathElement::new(vec![(across.from, y), (across.to, y)], GRID))?;
        area.draw_text(&tick_label(tick), &text(12, FAINT, HPos::Right), (across.from - 8, y))?;
    }
    for panel in panels {
        let x = across.at(panel.rows[0].threads as f64);
        area.draw(&PathElement::new(vec![(x, up.from), (x, up.to)], GRID))?;
        area.draw_text(&panel.name, &text(12, FAINT, HPos::Center), (x, up.from + 16))?;
    }
    Ok(())
}
