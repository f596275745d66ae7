//! The results of a run: a table on the terminal, and files.

use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{
    bars::Bar,
    charts,
    machine::Machine,
    rounds::{Group, Row},
    settings::Settings,
    subject::{Kind, Pages},
};

#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub settings: Settings,
    pub bars: Vec<Bar>,
    pub rows: Vec<Row>,
}

/// Comparable rows, best first.
pub struct Table<'a> {
    pub title: String,
    pub rows: Vec<&'a Row>,
}

/// Groups adjacent rows with the same circumstances into tables.
pub fn tables(rows: &[Row]) -> Vec<Table<'_>> {
    let mut tables: Vec<Table<'_>> = Vec::new();
    let same = |a: &Row, b: &Row| (a.group, a.threads, a.pages) == (b.group, b.threads, b.pages) && a.what == b.what;
    for rows in rows.chunk_by(same) {
        let mut sorted: Vec<&Row> = rows.iter().collect();
        sorted.sort_by(|a, b| a.median.total_cmp(&b.median));
        tables.push(Table { title: title(&rows[0]), rows: sorted });
    }
    tables
}

pub fn title(row: &Row) -> String {
    let mut title = row.what.clone();
    match (row.group, row.threads) {
        (Group::Read, 1) => title.push_str(", 1 reader"),
        (Group::Read, many) => write!(title, ", {many} readers").expect("writing to a String cannot fail"),
        (group, 1) if group.fills() => title.push_str(", 1 thread"),
        (group, many) if group.fills() => {
            write!(title, ", {many} threads").expect("writing to a String cannot fail");
        }
        _ => {}
    }
    if row.group.fills() {
        title.push_str(match row.pages {
            Some(Pages::Warm) => ", warm",
            Some(Pages::Cold) => ", cold",
            Some(Pages::Reused) => ", reused after reset",
            None => "",
        });
    }
    title
}

/// Formats a number with two or three significant digits, or as an integer if it is large.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let places = match value.abs() {
        large if large >= 100.0 => 0,
        large if large >= 10.0 => 1,
        large if large >= 0.095 => 2,
        _ => 4,
    };
    format!("{value:.places$}")
}

fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Ours => "*",
        Kind::Peer => " ",
        Kind::Limit => "-",
    }
}

/// The table for the terminal.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.machine.lines() {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "\n* this crate, - a limit; median and minimum over the rounds")?;
        for table in tables(&self.rows) {
            writeln!(f, "\n{} [{}]", table.title, table.rows[0].unit)?;
            for row in table.rows {
                let (median, min) = (number(row.median), number(row.min));
                writeln!(f, "  {} {:<36}{median:>12}{min:>12}", mark(row.kind), row.subject)?;
            }
        }
        if !self.bars.is_empty() {
            writeln!(f, "\nThe bars (measured, of the minima)")?;
        }
        for bar in &self.bars {
            let verdict = if bar.met { "met   " } else { "MISSED" };
            let what = format!("{}: {}", bar.what, bar.bar);
            let (measured, of_minima) = (number(bar.measured), number(bar.of_minima));
            writeln!(f, "  {verdict} {measured:>8} {of_minima:>8}  {what}")?;
        }
        Ok(())
    }
}

impl Report {
    fn markdown(&self) -> String {
        let mut text = String::new();
        self.write_markdown(&mut text).expect("writing to a String cannot fail");
        text
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "# Results of one run of `compare`\n")?;
        for line in self.machine.lines() {
            writeln!(out, "- {line}")?;
        }
        let Settings { elements, rounds, .. } = self.settings;
        writeln!(
            out,
            "- {elements} elements, {rounds} rounds, seed {} (for the order of the turns and for the values)\n",
            self.settings.seed
        )?;
        writeln!(out, "Bold: this crate. Italic: a limit of the machine. Medians and minima over the rounds.\n")?;

        writeln!(out, "## The bars\n")?;
        writeln!(out, "| what | bar | measured | of the minima | |")?;
        writeln!(out, "|---|---|---:|---:|---|")?;
        for bar in &self.bars {
            writeln!(
                out,
                "| {} | {} | {} {unit} | {} {unit} | {} |",
                bar.what,
                bar.bar,
                number(bar.measured),
                number(bar.of_minima),
                if bar.met { "met" } else { "**missed**" },
                unit = bar.unit,
            )?;
        }

        let mut group = None;
        for table in tables(&self.rows) {
            let first = table.rows[0];
            if group != Some(first.group) {
                group = Some(first.group);
                writeln!(out, "\n## {}", heading(first.group))?;
            }
            writeln!(out, "\n### {}\n", table.title)?;
            writeln!(out, "| | median, {unit} | minimum |\n|---|---:|---:|", unit = first.unit)?;
            for row in table.rows {
                let around = match row.kind {
                    Kind::Ours => "**",
                    Kind::Peer => "",
                    Kind::Limit => "*",
                };
                let (median, min) = (number(row.median), number(row.min));
                writeln!(out, "| {around}{}{around} | {median} | {min} |", row.subject)?;
            }
        }
        Ok(())
    }

    /// Writes results.json, results.md and the charts.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let cannot = |what: &Path| format!("cannot write {}", what.display());
        fs::create_dir_all(folder).with_context(|| cannot(folder))?;
        let json = folder.join("results.json");
        fs::write(&json, serde_json::to_string_pretty(self)? + "\n").with_context(|| cannot(&json))?;
        let markdown = folder.join("results.md");
        fs::write(&markdown, self.markdown()).with_context(|| cannot(&markdown))?;
        charts::write(&self.rows, folder)
    }
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Fill => "Values one by one",
        Group::Bulk => "Slices, and everything at once",
        Group::Runs => "Strings, short slices and reservations",
        Group::Vacant => "Vacant slots",
        Group::Bump => "Bump allocators",
        Group::Read => "Reading",
        Group::Refusal => "A full arena",
        Group::Reset => "Reset",
        Group::Construct => "Construction and drop, in fresh processes",
        Group::Memory => "Resident memory, in fresh processes",
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_few_digits() {
        assert_eq!(number(0.0312), "0.0312");
        assert_eq!(number(0.446), "0.45");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(1234.5), "1234");
        assert_eq!(number(f64::NAN), "–");
    }
}
