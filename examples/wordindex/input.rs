//! What is indexed: which files, and which words are in them.
//!
//! A file is text if it is UTF-8. A word is a run of letters and digits (as Unicode has them) and `_`, as long as it gets;
//! `Word` and `word` are two. Lines are counted from 1, as editors do.

use std::cmp::Reverse;
use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

/// A file that is to be indexed.
pub(crate) struct Source {
    /// Relative to the current directory where the file is below it.
    pub(crate) path: PathBuf,
    /// In bytes, when its folder was listed.
    pub(crate) size: u64,
}

/// Something that is not in the index, and why.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// It could not be opened, read or listed; the text names it.
    Unreadable(String),
    /// It holds bytes that are not UTF-8.
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

/// A folder that was asked for and is not there.
pub(crate) struct Missing {
    folder: PathBuf,
    reason: io::Error,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open {}: {}", self.folder.display(), self.reason)
    }
}

/// All files below the folders, the largest first, and what could not be listed.
///
/// Files that `.gitignore` and its kin name are left out, and so is `.git` itself; hidden files are not. Links are not
/// followed. A file that is below two of the folders counts once.
pub(crate) fn sources(folders: &[PathBuf]) -> Result<(Vec<Source>, Vec<Skip>), Missing> {
    let here = env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let (mut sources, mut skipped) = (Vec::new(), Vec::new());
    for folder in folders {
        // One spelling for each file, however its folder was spelled.
        let folder = folder.canonicalize().map_err(|reason| Missing { folder: folder.clone(), reason })?;
        for entry in WalkBuilder::new(folder).hidden(false).filter_entry(|entry| entry.file_name() != ".git").build() {
            match entry.and_then(|entry| source(&entry, &here)) {
                Ok(source) => sources.extend(source),
                Err(error) => skipped.push(Skip::Unreadable(error.to_string())),
            }
        }
    }
    // The largest first: then no thread is left alone with a large one at the end.
    sources.sort_unstable_by(|a, b| (Reverse(a.size), &a.path).cmp(&(Reverse(b.size), &b.path)));
    sources.dedup_by(|a, b| a.path == b.path);
    Ok((sources, skipped))
}

/// The file that the walk has met, if it is one.
fn source(entry: &DirEntry, here: &Path) -> Result<Option<Source>, ignore::Error> {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return Ok(None);
    }
    let path = entry.path().strip_prefix(here).unwrap_or(entry.path()).to_path_buf();
    Ok(Some(Source { path, size: entry.metadata()?.len() }))
}

/// Reads a file into `buffer`, and returns what is in it as text.
pub(crate) fn read<'b>(path: &Path, buffer: &'b mut Vec<u8>) -> Result<&'b str, Skip> {
    buffer.clear();
    File::open(path)
        .and_then(|mut file| file.read_to_end(buffer))
        .map_err(|error| Skip::Unreadable(format!("{}: {error}", path.display())))?;
    std::str::from_utf8(buffer).map_err(|_| Skip::NotUtf8(path.to_path_buf()))
}

/// The words of a text, each with its line.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines()).flat_map(|(line, content)| {
        content.split(|c| !is_of_word(c)).filter(|word| !word.is_empty()).map(move |word| (line, word))
    })
}

/// Whether a character can be part of a word.
pub(crate) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
