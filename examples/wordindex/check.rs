//! The same index by the simplest means, for comparison: one thread, a `HashMap`, and owned
//! strings.

use std::collections::HashMap;
use std::ptr;

use crate::Tally;
use crate::input::{self, Source};
use crate::table::Table;

/// The expected contents of the table.
#[derive(Default)]
struct Plain {
    /// The file and the line of each occurrence of a word, in order.
    places: HashMap<String, Vec<(u32, u32)>>,
    files: u64,
    bytes: u64,
    words: u64,
}

impl Plain {
    /// Reads all files. If one has changed since it was indexed, there may be differences.
    fn read(sources: &[Source]) -> Self {
        let mut plain = Self::default();
        let mut buffer = Vec::new();
        for (file, source) in (0..).zip(sources) {
            let Ok(text) = input::read(&source.path, &mut buffer) else { continue };
            plain.files += 1;
            plain.bytes += text.len() as u64;
            for (line, word) in input::words(text) {
                plain.words += 1;
                match plain.places.get_mut(word) {
                    Some(places) => places.push((file, line)),
                    None => _ = plain.places.insert(word.to_owned(), vec![(file, line)]),
                }
            }
        }
        plain
    }
}

/// Indexes all files again, and describes each difference from the table.
pub(crate) fn differences(table: &Table<'_>, sources: &[Source], tally: &Tally) -> Vec<String> {
    let plain = Plain::read(sources);
    let [_, (_, postings, _), _] = table.levels();
    let totals = [
        ("files", tally.files, plain.files),
        ("bytes", tally.bytes, plain.bytes),
        ("words", tally.words, plain.words),
        ("postings", postings as u64, plain.words),
        ("distinct words", table.words().count() as u64, plain.places.len() as u64),
    ];
    let totals = totals
        .into_iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(what, ours, theirs)| format!("{what}: {ours} in the table, {theirs} in the HashMap"));
    let words = plain.places.iter().filter_map(|(text, places)| difference(table, text, places));
    // If a word were in the table twice, `find` would return only one of the two.
    let strangers = table
        .words()
        .filter(|word| !table.find(word.text).is_some_and(|found| ptr::eq(found, *word)))
        .map(|word| format!("`{}`: in the table, but not where it would be found", word.text));
    totals.chain(words).chain(strangers).collect()
}

/// Describes the difference between the table and the `HashMap` for one word.
fn difference(table: &Table<'_>, text: &str, places: &[(u32, u32)]) -> Option<String> {
    let Some(word) = table.find(text) else { return Some(format!("`{text}`: not found in the table")) };
    let mut ours: Vec<_> = table.postings(word).map(|posting| (posting.file, posting.line)).collect();
    ours.sort_unstable();
    let (count, files) = (word.count() as usize, table.files(word));
    let files_there = places.chunk_by(|a, b| a.0 == b.0).count();
    if ours == places && count == places.len() && files == files_there {
        return None;
    }
    Some(format!(
        "`{text}`: {} postings, a count of {count} and {files} files in the table, {} postings and {files_there} files in the HashMap{}",
        ours.len(),
        places.len(),
        if ours == places { "" } else { ", at other places" },
    ))
}
