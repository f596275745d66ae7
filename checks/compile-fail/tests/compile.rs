//! What the compiler must refuse (`fail/`) and accept (`pass/`).
//!
//! In `fail/`, every line that must be refused ends in `//~` and the codes of its errors, or in
//! `//~ error` if the error has no code. `//~~` marks an error that the compiler reports inside the
//! library. `each_marked_line_is_refused` calls the current compiler, of any version, and expects
//! exactly these errors.
//!
//! `the_messages_are_as_committed` also compares the messages with the `.stderr` beside the file.
//! A program whose messages mention private parts of the library has no such file. The messages
//! depend on the compiler, so this test is skipped with any compiler other than [`MESSAGES_OF`]. To
//! write new messages, create an empty `.stderr` file if there is none, run the following command,
//! and inspect the result:
//! `TRYBUILD=overwrite cargo test --manifest-path checks/compile-fail/Cargo.toml`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The compiler that wrote the `.stderr` files.
const MESSAGES_OF: &str = "rustc 1.95.0 ";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compiler() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// Returns a folder for temporary files, beside the executable of this test.
fn scratch() -> PathBuf {
    let scratch = env::current_exe().unwrap().with_file_name("compile-fail");
    fs::create_dir_all(&scratch).unwrap();
    scratch
}

/// Builds the library with the current compiler, and returns its folder.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = scratch().join("library");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--lib", "--features", "mapped,pool,rayon", "--manifest-path"])
            .arg(root().join("../../Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status()
            .unwrap();
        assert!(status.success(), "the library does not build");
        target.join("debug")
    })
}

fn compile(file: &Path, output: &Path) -> Output {
    compiler()
        .args(["--edition=2024", "--crate-type=bin", "--error-format=short", "--extern"])
        .arg(format!("atomicarena={}", library().join("libatomicarena.rlib").display()))
        .arg("-L")
        .arg(format!("dependency={}", library().join("deps").display()))
        .arg("-o")
        .arg(output)
        .arg(file)
        .output()
        .unwrap()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Returns the lines that must be refused, each with the code of its error, or with an empty code
/// if the error has none. A line of 0 means that the error is reported outside the file.
fn marked(text: &str) -> BTreeSet<(usize, String)> {
    let marks = text.lines().enumerate().flat_map(|(at, line)| {
        let (at, codes) = match (line.split_once("//~ "), line.split_once("//~~ ")) {
            (Some((_, codes)), _) => (at + 1, codes),
            (None, Some((_, codes))) => (0, codes),
            (None, None) => (0, ""),
        };
        codes.split_whitespace().map(move |code| (at, if code == "error" { String::new() } else { code.into() }))
    });
    marks.collect()
}

/// Returns the lines that the compiler refuses, in the form of [`marked`]. Each of its messages has
/// the form `file:line:column: error[code]: message`, or lacks the position.
fn refused(file: &Path, messages: &str) -> BTreeSet<(usize, String)> {
    let errors = messages.lines().filter_map(|message| {
        let (place, error) = match message.strip_prefix("error") {
            Some(error) => ("", error),
            None => message.split_once(": error")?,
        };
        let line =
            place.strip_prefix(&*file.to_string_lossy()).map_or(Some(0), |at| at.split(':').nth(1)?.parse().ok());
        let code = error.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.0)).unwrap_or("");
        // The last line, "aborting due to 3 previous errors", is a summary.
        (!error.starts_with(": aborting")).then(|| (line.unwrap_or(0), code.into()))
    });
    errors.collect()
}

#[test]
fn each_marked_line_is_refused() {
    let mut wrong = Vec::new();
    for file in files("fail") {
        let marked = marked(&fs::read_to_string(&file).unwrap());
        assert!(!marked.is_empty(), "{} names no error", file.display());
        let output = compile(&file, &scratch().join("refused"));
        let messages = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || refused(&file, &messages) != marked {
            wrong.push(format!("{}: expected {marked:?}\n{messages}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "not refused as they must be:\n{}", wrong.join("\n"));
}

#[test]
fn the_messages_are_as_committed() {
    let version = compiler().arg("-V").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version);
    if !version.starts_with(MESSAGES_OF) {
        println!("skipped: the messages are those of {MESSAGES_OF}, and this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    for file in files("fail").iter().filter(|file| file.with_extension("stderr").exists()) {
        cases.compile_fail(file);
    }
}

#[test]
fn what_is_allowed_compiles_and_runs() {
    for file in files("pass") {
        let program = scratch().join(file.file_stem().unwrap());
        let output = compile(&file, &program);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let status = Command::new(&program).status().unwrap();
        assert!(status.success(), "{}: {status}", file.display());
    }
}
