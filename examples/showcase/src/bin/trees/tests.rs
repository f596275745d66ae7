//! Tests of all ways, with texts that take little time.

use std::collections::HashSet;
use std::path::Path;

use atomicarena::AtomicBump;
use bumpalo_herd::Herd;

use crate::notes::annotate;
use crate::parse::{DEPTH, Parser};
use crate::round::{self, Costs, Failure};
use crate::sources::{self, Source};
use crate::tree::{Bounds, Ground, Group, Note, Tree, equal};
use crate::ways::{Heap, Space};

fn parse(text: &str) -> Box<Group<Heap>> {
    Parser::new(&Heap).parse(text).unwrap()
}

/// Writes the tokens of a tree without spaces.
fn write<G: Ground>(group: &Group<G>, text: &mut String) {
    let [open, close] = match group.bounds {
        Bounds::File => ["", ""],
        Bounds::Parentheses => ["(", ")"],
        Bounds::Brackets => ["[", "]"],
        Bounds::Braces => ["{", "}"],
    };
    text.push_str(open);
    for tree in &*group.trees {
        match tree {
            Tree::Word(part) | Tree::Lifetime(part) | Tree::Literal(part) | Tree::Doc(part) => text.push_str(part),
            Tree::Sign(sign) => text.push(*sign),
            Tree::Group(inner) => write::<G>(inner, text),
            Tree::Note(_) => {}
        }
    }
    text.push_str(close);
}

fn written(text: &str) -> String {
    let mut result = String::new();
    write(&parse(text), &mut result);
    result
}

fn source(text: &str) -> Source {
    Source { name: "a".into(), text: text.into() }
}

/// The sources of this package, and generated ones.
fn some_sources() -> Vec<Source> {
    let mut sources = sources::json(100_000);
    let mut left = usize::MAX;
    sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut left, &mut sources).unwrap();
    assert!(sources.iter().any(|source| source.name.ends_with("trees/tests.rs")));
    sources
}

#[test]
fn a_tree_has_all_tokens_in_their_order() {
    let text = "/// Adds.\nfn add<'a>(a: &'a [u8; 2]) -> u8 { a[0] + 0x1_f /* no */ } // no\n";
    assert_eq!(written(text), "/// Adds.fnadd<'a>(a:&'a[u8;2])->u8{a[0]+0x1_f}");
    let tree = parse(text);
    assert!(matches!(&tree.trees[0], Tree::Doc(doc) if doc == "/// Adds."));
    assert!(matches!(&tree.trees[1], Tree::Word(word) if word == "fn"));
    assert!(matches!(&tree.trees[4], Tree::Lifetime(name) if name == "'a"));
    assert!(matches!(&tree.trees[6], Tree::Group(group) if group.bounds == Bounds::Parentheses));
    assert_eq!((parse("").nodes(), parse("a (b) ;").nodes()), (1, 5));
    for Source { name, text } in sources::json(100_000) {
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(squeezed(&written(&text)), squeezed(&text), "{name}");
    }
}

#[test]
fn delimiters_that_do_not_match_and_deep_nesting_are_kept() {
    for (text, expected) in [("a ) b", "a)b"), ("( ] )", "(])"), ("{ (", "{()}"), ("é_x", "é_x"), ("\"(", "\"(")] {
        assert_eq!(written(text), expected);
    }
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert_eq!(written(&deep), deep);
    let (mut depth, mut group) = (0, parse(&deep));
    while let Some(Tree::Group(inner)) = group.trees.into_iter().next() {
        (depth, group) = (depth + 1, inner);
    }
    assert_eq!(depth, DEPTH);
}

#[test]
fn each_group_gets_a_note() {
    let mut tree = parse("let (a, four) = [b, five1, five2]; {}");
    annotate(&Heap, &mut tree).unwrap();
    fn note(group: &Group<Heap>) -> (u64, Option<&str>) {
        let Some(Tree::Note(note)) = group.trees.last() else { panic!("no note") };
        (note.words, note.longest.as_deref())
    }
    let inner = |at: usize| if let Tree::Group(inner) = &tree.trees[at] { note(inner) } else { panic!("no group") };
    assert_eq!(note(&tree), (6, Some("five1")));
    assert_eq!([inner(1), inner(3), inner(5)], [(2, Some("four")), (3, Some("five1")), (0, None)]);
}

#[test]
fn trees_that_differ_are_not_equal() {
    let texts =
        ["a", "b", "a a", "'a", "1", "2", "'b", "/// a", "/// b", ";", "+", "()", "[]", "(a)", "(b)", "{}", "(a) (a)"];
    let notes = [(0, None), (1, None), (0, Some("a".to_owned())), (0, Some("b".to_owned()))];
    let mut trees: Vec<_> = texts.map(parse).into();
    trees.extend(notes.map(|(words, longest)| {
        let trees = vec![Tree::Note(Box::new(Note { words, longest }))];
        Box::new(Group { bounds: Bounds::File, trees })
    }));
    for (at, a) in trees.iter().enumerate() {
        for (other, b) in trees.iter().enumerate() {
            assert_eq!(equal(a, b), at == other, "{at} and {other}");
        }
    }
}

#[test]
fn a_round_notices_a_wrong_tree() {
    let sources = [source("a (b)"), Source { name: "b".into(), text: "c".into() }];
    let expected = round::expected(&sources);
    let wrong = round::expected(&[source("a (b)"), source("d")]);
    let costs = &mut Costs::default();
    assert!(round::round(&mut Herd::new(), &sources, 2, &expected, costs).is_ok());
    let failure = round::round(&mut Herd::new(), &sources, 2, &wrong, costs).unwrap_err();
    assert!(matches!(failure, Failure::Different(name) if name == "b"));
}

#[test]
fn all_ways_build_the_same_trees_again_and_again() {
    fn rounds<S: Space>(mut space: S, sources: &[Source]) -> Costs {
        let (expected, mut costs) = (round::expected(sources), Costs::default());
        for threads in [1, 2, 5] {
            round::round(&mut space, sources, threads, &expected, &mut costs).unwrap();
        }
        costs
    }
    let sources = some_sources();
    assert!(round::nodes(&round::expected(&sources)) > 50_000);
    assert!(rounds(Heap, &sources).used.is_none());
    assert!(rounds(Herd::new(), &sources).used.unwrap() > 1_000_000);
    assert!(rounds(AtomicBump::with_capacity(64 << 20), &sources).used.unwrap() > 1_000_000);
}

#[test]
fn a_round_frees_the_bump() {
    let sources = some_sources();
    let mut bump = AtomicBump::with_capacity(64 << 20);
    round::round(&mut bump, &sources, 2, &round::expected(&sources), &mut Costs::default()).unwrap();
    assert_eq!(AtomicBump::used(&bump), 0);
}

#[test]
fn a_full_bump_ends_either_pass() {
    let sources = [source(&"a (b) ".repeat(1000))];
    let expected = round::expected(&sources);
    let pass =
        |bytes| round::round(&mut AtomicBump::with_capacity(bytes), &sources, 1, &expected, &mut Costs::default());
    // The capacities range from too little for the first pass to enough for both.
    let enough = (1..).map(|step| step * 2048).find(|bytes| pass(*bytes).is_ok()).unwrap();
    for bytes in (2048..enough).step_by(2048) {
        assert!(matches!(pass(bytes).unwrap_err(), Failure::BumpFull), "{bytes}");
    }
    let mut costs = Costs::default();
    round::round(&mut AtomicBump::with_capacity(enough - 2048), &sources, 1, &expected, &mut costs).unwrap_err();
    assert!(!costs.append.median().is_zero(), "the second pass has not begun");
}

#[test]
fn generated_texts_are_the_same_in_each_run() {
    let (first, second) = (sources::json(1 << 20), sources::json(1 << 20));
    let bytes = |sources: &[Source]| sources.iter().map(|source| source.text.len()).sum::<usize>();
    assert!(bytes(&first) >= 1 << 20);
    assert!(first.iter().zip(&second).all(|(a, b)| a.text == b.text && a.name == b.name));
    let texts: HashSet<_> = first.iter().map(|source| &source.text).collect();
    assert_eq!(texts.len(), first.len());
    assert!(
        first.iter().all(|source| source.text.len() < 1 << 20),
        "one text is all the work, so other threads get none"
    );
}
