//! The report on standard output.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::HumanCount;

use crate::Tally;
use crate::input::{Skip, Source};
use crate::table::Table;

/// A filled table and how it was filled.
pub(crate) struct Report<'a, 't> {
    pub(crate) table: &'a Table<'t>,
    pub(crate) sources: &'a [Source],
    pub(crate) tally: &'a Tally,
    pub(crate) threads: usize,
    /// The time that the threads took.
    pub(crate) time: Duration,
    /// The number of frequent words to print.
    pub(crate) top: usize,
    /// The word to print with its lines.
    pub(crate) find: Option<&'a str>,
}

impl Report<'_, '_> {
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.totals(out)?;
        self.frequent(out)?;
        self.levels(out)?;
        if let Some(text) = self.find {
            self.places(out, text)?;
        }
        out.flush()
    }

    /// Prints what was read, and how fast.
    fn totals(&self, out: &mut impl Write) -> io::Result<()> {
        let Tally { files, bytes, words, ref skipped } = *self.tally;
        let not_utf8 = skipped.iter().filter(|skip| matches!(skip, Skip::NotUtf8(_))).count();
        let distinct = self.table.words().count();
        let counts = [
            ("files", files),
            ("  not UTF-8", not_utf8 as u64),
            ("  unreadable", (skipped.len() - not_utf8) as u64),
            ("bytes", bytes),
            ("words", words),
            ("distinct words", distinct as u64),
            ("threads", self.threads as u64),
        ];
        for (what, count) in counts {
            writeln!(out, "{what:<14}{:>16}", HumanCount(count).to_string())?;
        }
        let seconds = self.time.as_secs_f64();
        writeln!(out, "{:<14}{seconds:>16.4}", "seconds")?;
        writeln!(out, "{:<14}{:>16.1}", "MB/s", bytes as f64 / 1e6 / seconds)
    }

    /// Prints the most frequent words, and the number of files that contain each.
    fn frequent(&self, out: &mut impl Write) -> io::Result<()> {
        let mut words: Vec<_> = self.table.words().collect();
        words.sort_unstable_by_key(|word| (Reverse(word.count()), word.text));
        words.truncate(self.top);
        if words.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{:>14}{:>16}  word", "times", "files")?;
        for word in words {
            let times = HumanCount(word.count().into()).to_string();
            let files = HumanCount(self.table.files(word) as u64).to_string();
            writeln!(out, "{times:>14}{files:>16}  {}", word.text)?;
        }
        Ok(())
    }

    /// Prints the number of values in each arena, and its capacity.
    fn levels(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n{:<14}{:>16}{:>16}", "arena of", "stored", "capacity")?;
        for (what, stored, capacity) in self.table.levels() {
            let share = 100.0 * stored as f64 / capacity as f64;
            let (stored, capacity) = (HumanCount(stored as u64).to_string(), HumanCount(capacity as u64).to_string());
            writeln!(out, "{what:<14}{stored:>16}{capacity:>16}{share:>8.2} %")?;
        }
        let (words, bytes) = self.table.lost().fold((0, 0), |(n, bytes), word| (n + 1, bytes + word.text.len()));
        writeln!(
            out,
            "unused, because another thread linked the same word first: {}, {}",
            counted(words, "word"),
            counted(bytes, "byte")
        )
    }

    /// Prints each line that contains the word, as `file:line`, in order.
    fn places(&self, out: &mut impl Write, text: &str) -> io::Result<()> {
        let Some(word) = self.table.find(text) else { return writeln!(out, "\n{text} does not occur") };
        let postings = self.table.postings(word);
        let mut places: Vec<_> =
            postings.map(|posting| (&self.sources[posting.file as usize].path, posting.line)).collect();
        places.sort_unstable();
        // A word may occur several times on one line.
        places.dedup();
        let (lines, files) = (counted(places.len(), "line"), counted(self.table.files(word), "file"));
        writeln!(out, "\n{text} on {lines}, in {files}")?;
        places.iter().try_for_each(|(path, line)| writeln!(out, "{}:{line}", path.display()))
    }
}

/// Formats a number with its noun, in the plural unless the number is 1.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Prints the result of the check, with at most ten differences.
pub(crate) fn verdict(out: &mut impl Write, differences: &[String]) -> io::Result<()> {
    match differences.len() {
        0 => writeln!(out, "\ncheck: a HashMap filled by one thread holds the same words at the same places")?,
        count => writeln!(out, "\ncheck: {}", counted(count, "difference"))?,
    }
    differences.iter().take(10).try_for_each(|difference| writeln!(out, "  {difference}"))?;
    out.flush()
}
