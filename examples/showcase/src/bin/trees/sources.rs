//! The texts: Rust sources in folders, or JSON.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// The greatest depth of the generated values, and the number of values in each object and array.
const DEEPEST: u64 = 5;
const MEMBERS: u64 = 8;

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Returns the folder with the sources of the packages that cargo has downloaded.
pub(crate) fn registry() -> Option<PathBuf> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    Some(cargo.or_else(|| Some(env::home_dir()?.join(".cargo")))?.join("registry/src")).filter(|path| path.is_dir())
}

/// Reads the Rust sources in a file or folder, in the order of their names, until `bytes` is used
/// up. Subtracts the length of each source from it. Skips a source that is not UTF-8.
pub(crate) fn read(path: &Path, bytes: &mut usize, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in WalkDir::new(path).sort_by_file_name() {
        let entry = entry?;
        if *bytes == 0 {
            break;
        }
        if !entry.file_type().is_file() || entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = entry.path().display().to_string();
        let text = fs::read(entry.path()).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
        if let Ok(text) = String::from_utf8(text) {
            *bytes = bytes.saturating_sub(text.len());
            sources.push(Source { name, text });
        }
    }
    Ok(())
}

/// Generates JSON of at least the given number of bytes, always the same.
pub(crate) fn json(bytes: usize) -> Vec<Source> {
    let (mut sources, mut left, mut dice) = (Vec::new(), bytes, Dice(1));
    while left > 0 {
        let mut text = String::new();
        value(&mut text, &mut dice, 0);
        left = left.saturating_sub(text.len());
        sources.push(Source { name: format!("generated {}.json", sources.len()), text });
    }
    sources
}

/// Appends a random value. The outermost one is an object.
fn value(text: &mut String, dice: &mut Dice, depth: u64) {
    match if depth == 0 { 0 } else { dice.roll(8) } {
        0 | 1 if depth < DEEPEST => {
            text.push('{');
            for at in 0..MEMBERS {
                let _ = write!(text, "{}\n\"key {}\": ", if at > 0 { "," } else { "" }, dice.roll(1 << 20));
                value(text, dice, depth + 1);
            }
            text.push('}');
        }
        2 if depth < DEEPEST => {
            text.push('[');
            for at in 0..MEMBERS {
                text.push_str(if at > 0 { ", " } else { "" });
                value(text, dice, depth + 1);
            }
            text.push(']');
        }
        3 => text.push_str(["true", "false", "null"][dice.roll(3) as usize]),
        4 => text.push_str(["\"a text\"", "\"a longer text, with a comma\""][dice.roll(2) as usize]),
        _ => {
            let _ = write!(text, "{}.{}", dice.roll(1000), dice.roll(100));
        }
    }
}

/// Random numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
