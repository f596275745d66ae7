//! The octree, and how several threads build it in any memory.
//!
//! The bodies are in Morton order, so that a cube is a range of bodies, and the cubes within it are
//! parts of that range. The threads build the trees of small cubes. One thread then adds the levels
//! above them.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use atomicarena::Full;

use crate::order::{self, LEVELS, Order};
use crate::space::{Bodies, Point, Vec3};

/// A cube with at most this number of bodies is a leaf.
const LEAF: usize = 8;

/// A cube with bodies in it. `L` is the link to the cubes below.
#[derive(Debug)]
pub(crate) struct Node<L> {
    /// The mass, at the centre of mass.
    pub(crate) whole: Point,
    /// The length of an edge.
    pub(crate) side: f64,
    pub(crate) below: Below<L>,
}

#[derive(Debug)]
pub(crate) enum Below<L> {
    /// A leaf with these bodies.
    Bodies(Range<u32>),
    /// The octants that are not empty, at least two.
    Cubes([Option<L>; 8]),
}

/// A link from a node to one below it: a reference or a box.
pub(crate) trait Link: Sized + Send + Sync {
    fn node(&self) -> &Node<Self>;
}

/// The memory of one thread for its nodes.
pub(crate) trait Store {
    type Link: Link;

    fn store(&mut self, node: Node<Self::Link>) -> Result<Self::Link, Full<()>>;
}

/// Returns the greatest possible number of nodes, for any positions of the bodies. No leaf is
/// empty, so there are at most as many leaves as bodies. Each inner node has at least two children,
/// so there are fewer inner nodes than leaves.
pub(crate) fn most_nodes(bodies: usize) -> usize {
    2 * bodies - 1
}

/// Builds the tree of all bodies. There must be at least one body. Each thread creates its own
/// stores, and the nodes outlive them.
pub(crate) fn build<S: Store>(
    bodies: &Bodies,
    order: &Order,
    threads: usize,
    store: impl Fn() -> S + Sync,
) -> Result<S::Link, Full<()>> {
    let plan = Plan { points: &bodies.points, order, task: (bodies.points.len() / (16 * threads)).max(LEAF) };
    let mut tasks = Vec::new();
    plan.divide(0..bodies.points.len(), &mut tasks);

    // Relaxed: `fetch_add` hands out each number once, whatever the ordering. The tasks were
    // created before the threads were started, so every thread sees them.
    let next = AtomicUsize::new(0);
    let work = || {
        let mut store = store();
        let mut done = Vec::new();
        while let Some((number, task)) = Some(next.fetch_add(1, Relaxed)).and_then(|n| Some((n, tasks.get(n)?))) {
            done.push((number, plan.grow(task.clone(), &mut store)?));
        }
        Ok(done)
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            let theirs = other.join().expect("a thread that built the tree panicked");
            done = done.and_then(|mut done| {
                done.append(&mut theirs?);
                Ok(done)
            });
        }
        done
    })?;
    done.sort_unstable_by_key(|(number, _)| *number);
    plan.join(0..bodies.points.len(), &mut done.into_iter().map(|(_, link)| link), &mut store())
}

struct Plan<'b> {
    points: &'b [Point],
    order: &'b Order,
    /// The greatest number of bodies in one task, unless all of them have the same key.
    task: usize,
}

impl Plan<'_> {
    /// Returns the level of the smallest cube with these bodies, or `LEVELS` if they all have the
    /// same key.
    fn level(&self, cube: &Range<usize>) -> u32 {
        order::levels_in_common(self.order.keys[cube.start], self.order.keys[cube.end - 1])
    }

    /// Returns the octants of a cube that is not on the last level. Some may be empty, but at least
    /// two are not.
    fn octants(&self, cube: &Range<usize>) -> [Range<usize>; 8] {
        let (level, mut start) = (self.level(cube), cube.start);
        std::array::from_fn(|number| {
            let keys = &self.order.keys[start..cube.end];
            let len = keys.partition_point(|&key| order::octant(key, level) <= number as u64);
            start += len;
            start - len..start
        })
    }

    fn is_task(&self, cube: &Range<usize>) -> bool {
        cube.len() <= self.task || self.level(cube) == LEVELS
    }

    /// Lists the tasks, in order.
    fn divide(&self, cube: Range<usize>, tasks: &mut Vec<Range<usize>>) {
        if self.is_task(&cube) {
            return tasks.push(cube);
        }
        for octant in self.octants(&cube) {
            if !octant.is_empty() {
                self.divide(octant, tasks);
            }
        }
    }

    /// Builds the tree of a cube, as one task.
    fn grow<S: Store>(&self, cube: Range<usize>, store: &mut S) -> Result<S::Link, Full<()>> {
        if cube.len() <= LEAF || self.level(&cube) == LEVELS {
            let whole = centre_of_mass(self.points[cube.clone()].iter());
            let below = Below::Bodies(cube.start as u32..cube.end as u32);
            return store.store(Node { whole, side: self.side(&cube), below });
        }
        self.over(&cube, store, |octant, store| self.grow(octant, store))
    }

    /// Builds the levels above the tasks, whose trees are given in order.
    fn join<S: Store>(
        &self,
        cube: Range<usize>,
        done: &mut impl Iterator<Item = S::Link>,
        store: &mut S,
    ) -> Result<S::Link, Full<()>> {
        if self.is_task(&cube) {
            return Ok(done.next().expect("every task was done"));
        }
        self.over(&cube, store, |octant, store| self.join(octant, done, store))
    }

    /// Creates the node of a cube from those of its octants.
    fn over<S: Store>(
        &self,
        cube: &Range<usize>,
        store: &mut S,
        mut below: impl FnMut(Range<usize>, &mut S) -> Result<S::Link, Full<()>>,
    ) -> Result<S::Link, Full<()>> {
        let mut links = [const { None }; 8];
        for (link, octant) in links.iter_mut().zip(self.octants(cube)) {
            if !octant.is_empty() {
                *link = Some(below(octant, store)?);
            }
        }
        let whole = centre_of_mass(links.iter().flatten().map(|link| &link.node().whole));
        store.store(Node { whole, side: self.side(cube), below: Below::Cubes(links) })
    }

    fn side(&self, cube: &Range<usize>) -> f64 {
        self.order.side * 0.5_f64.powi(self.level(cube) as i32)
    }
}

fn centre_of_mass<'p>(points: impl Iterator<Item = &'p Point> + Clone) -> Point {
    let mass: f64 = points.clone().map(|point| point.mass).sum();
    let position = points.fold(Vec3::default(), |sum, point| sum + point.position * (point.mass / mass));
    Point { position, mass }
}
