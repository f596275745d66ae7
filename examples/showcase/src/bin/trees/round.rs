//! Both passes over all texts, by several threads, and freeing the trees.

use std::iter;
use std::mem;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use showcase::times::Times;

use crate::notes;
use crate::parse::Parser;
use crate::sources::Source;
use crate::tree::{self, BumpFull, Ground};
use crate::ways::{Heap, Space};

/// The tree of each text.
type Trees<G> = Vec<<G as Ground>::Group>;

/// The costs of the rounds with one way to store the trees (see `ways.rs`).
#[derive(Debug, Default)]
pub(crate) struct Costs {
    pub(crate) build: Times,
    pub(crate) append: Times,
    pub(crate) free: Times,
    /// The number of bytes that the trees use, if that is known.
    pub(crate) used: Option<usize>,
}

/// The reason why a round ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    BumpFull,
    /// The tree of this text is not the expected one.
    Different(String),
}

impl From<BumpFull> for Failure {
    fn from(_: BumpFull) -> Self {
        Failure::BumpFull
    }
}

/// Returns the expected trees after both passes, which one thread builds on the heap. The trees of
/// each way to store them are compared with these.
pub(crate) fn expected(sources: &[Source]) -> Trees<Heap> {
    let trees = build(&Heap, sources, 1).and_then(|mut trees| append(&Heap, &mut trees, 1).map(|()| trees));
    trees.expect("the heap is never full")
}

/// Returns the number of nodes in the trees of all texts: groups at every depth, and leaves.
pub(crate) fn nodes(trees: &Trees<Heap>) -> u64 {
    trees.iter().map(|tree| tree.nodes()).sum()
}

/// Builds all trees, appends to them, compares them with the expected ones, and frees them.
pub(crate) fn round<S: Space>(
    space: &mut S,
    sources: &[Source],
    threads: usize,
    expected: &Trees<Heap>,
    costs: &mut Costs,
) -> Result<(), Failure> {
    let mut trees = costs.build.clock(|| build(space, sources, threads))?;
    costs.append.clock(|| append(space, &mut trees, threads))?;
    if let Some(at) = difference::<S::Ground<'_>>(&trees, expected, threads) {
        return Err(Failure::Different(sources[at].name.clone()));
    }
    costs.used = space.used(threads);
    let start = Instant::now();
    if mem::needs_drop::<<S::Ground<'_> as Ground>::Group>() {
        spread(threads, trees.into_iter(), |trees| trees.for_each(drop));
    } else {
        drop(trees);
    }
    space.free();
    costs.free.push(start.elapsed());
    Ok(())
}

/// The first pass. Returns the trees in the order of the texts.
fn build<'s, S: Space>(space: &'s S, sources: &[Source], threads: usize) -> Result<Trees<S::Ground<'s>>, BumpFull> {
    let parts = spread(threads, sources.iter().enumerate(), |sources| {
        let ground = space.ground();
        let mut parser = Parser::new(&ground);
        sources.map(|(at, source)| Ok((at, parser.parse(&source.text)?))).collect::<Result<Vec<_>, BumpFull>>()
    });
    let mut trees = parts.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect::<Vec<_>>();
    trees.sort_unstable_by_key(|(at, _)| *at);
    Ok(trees.into_iter().map(|(_, tree)| tree).collect())
}

/// The second pass, in new threads.
fn append<'s, S: Space>(space: &'s S, trees: &mut Trees<S::Ground<'s>>, threads: usize) -> Result<(), BumpFull> {
    let parts = spread(threads, trees.iter_mut(), |trees| {
        let ground = space.ground();
        for tree in trees {
            notes::annotate::<S::Ground<'s>>(&ground, tree)?;
        }
        Ok::<_, BumpFull>(())
    });
    parts.into_iter().collect()
}

/// Returns the index of the first tree that is not the expected one, if there is one.
fn difference<G: Ground>(trees: &Trees<G>, expected: &Trees<Heap>, threads: usize) -> Option<usize> {
    assert_eq!(trees.len(), expected.len());
    let pairs = trees.iter().zip(expected).enumerate();
    spread(threads, pairs, |pairs| pairs.filter_map(|(at, (a, b))| (!tree::equal::<G, Heap>(a, b)).then_some(at)).min())
        .into_iter()
        .flatten()
        .min()
}

/// Starts threads, which take the items one by one, and returns their results.
fn spread<T, R: Send>(
    threads: usize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(&mut dyn Iterator<Item = T>) -> R + Sync,
) -> Vec<R> {
    let items = Mutex::new(items);
    let run = || work(&mut iter::from_fn(|| items.lock().expect("no iterator panics").next()));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect()
    })
}
