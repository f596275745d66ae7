//! The input: which files are indexed, and which words they contain.
//!
//! A text file is valid UTF-8. A word is a maximal run of Unicode letters, digits and `_`, and
//! `Word` and `word` are different words. Lines are counted from 1, as in editors.

use std::cmp::Reverse;
use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// A file to index.
pub(crate) struct Source {
    /// The path, relative to the current directory if the file is below it.
    pub(crate) path: PathBuf,
    /// The size in bytes when the folder was listed.
    pub(crate) size: u64,
}

/// A file that is not in the index, and the reason.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// The file or folder could not be opened, read or listed. The text names it.
    Unreadable(String),
    /// The file contains bytes that are not UTF-8.
    NotUtf8(PathBuf),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(what) => write!(f, "{what}"),
            Self::NotUtf8(path) => write!(f, "{}: not UTF-8", path.display()),
        }
    }
}

/// A folder or file that cannot be opened.
pub(crate) struct Missing {
    folder: PathBuf,
    reason: io::Error,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open {}: {}", self.folder.display(), self.reason)
    }
}

/// Returns all files below the folders, in descending order of size, and what could not be listed.
///
/// Hidden files are included, but not `.git`, and not the files that `.gitignore` and similar files
/// name. Links are not followed. A file below two of the folders counts once.
pub(crate) fn sources(folders: &[PathBuf]) -> Result<(Vec<Source>, Vec<Skip>), Missing> {
    let here = env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let (mut sources, mut skipped) = (Vec::new(), Vec::new());
    for folder in folders {
        // Each file gets one path, whatever the spelling of its folder.
        let folder = folder.canonicalize().map_err(|reason| Missing { folder: folder.clone(), reason })?;
        for entry in WalkBuilder::new(folder).hidden(false).filter_entry(|entry| entry.file_name() != ".git").build() {
            match entry.and_then(|entry| source(&entry, &here)) {
                Ok(source) => sources.extend(source),
                Err(error) => skipped.push(Skip::Unreadable(error.to_string())),
            }
        }
    }
    // Large files come first, so that no thread still reads a large file when the others have
    // finished.
    sources.sort_unstable_by(|a, b| (Reverse(a.size), &a.path).cmp(&(Reverse(b.size), &b.path)));
    sources.dedup_by(|a, b| a.path == b.path);
    Ok((sources, skipped))
}

/// Returns the source of a directory entry, if the entry is a file.
fn source(entry: &DirEntry, here: &Path) -> Result<Option<Source>, ignore::Error> {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return Ok(None);
    }
    let path = entry.path().strip_prefix(here).unwrap_or(entry.path()).to_path_buf();
    Ok(Some(Source { path, size: entry.metadata()?.len() }))
}

/// Reads a file into `buffer` and returns its text.
pub(crate) fn read<'b>(path: &Path, buffer: &'b mut Vec<u8>) -> Result<&'b str, Skip> {
    buffer.clear();
    File::open(path)
        .and_then(|mut file| file.read_to_end(buffer))
        .map_err(|error| Skip::Unreadable(format!("{}: {error}", path.display())))?;
    std::str::from_utf8(buffer).map_err(|_| Skip::NotUtf8(path.to_path_buf()))
}

/// Returns the words of a text, each with its line.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines()).flat_map(|(line, content)| {
        content.split(|c| !is_of_word(c)).filter(|word| !word.is_empty()).map(move |word| (line, word))
    })
}

/// Returns whether a word may contain this character.
pub(crate) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
