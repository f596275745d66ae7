//! The simulation, frame after frame, in both ways.

use std::fmt;
use std::time::Instant;

use atomicarena::Full;
use showcase::times::Times;

use crate::gravity;
use crate::order::{self, Order};
use crate::space::{Bodies, Vec3};
use crate::tree;
use crate::ways::{self, Boxes, Ground};

/// The time from frame to frame. A body at an average distance in the bulge of a galaxy needs about
/// 20 frames for one orbit.
const STEP: f64 = 0.02;

/// The times of the parts of a frame.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) build: Times,
    pub(crate) forces: Times,
    /// The time to prepare the memory of the tree and to free the tree.
    pub(crate) free: Times,
}

/// The bodies, what a frame needs to move them, and the times of the frames so far.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) bodies: Bodies,
    pub(crate) ways: Ways,
    threads: usize,
    theta: f64,
    ground: Ground,
    nodes: usize,
    /// The time for sorting, which both ways share.
    pub(crate) sort: Times,
    pub(crate) arena: Parts,
    pub(crate) boxes: Parts,
    /// The number of nodes of the largest tree in the arena so far.
    pub(crate) most: usize,
    frame: usize,
}

/// The memory in which the trees are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ways {
    Arena,
    Boxes,
    Both,
}

impl Simulation {
    /// Creates a simulation. `nodes` is the capacity of the arena, by default enough for every
    /// tree.
    pub(crate) fn new(bodies: Bodies, ways: Ways, threads: usize, theta: f64, nodes: Option<usize>) -> Self {
        let nodes = nodes.unwrap_or_else(|| ways::enough(bodies.points.len(), threads));
        let (sort, arena, boxes) = Default::default();
        let ground = Ground::new(nodes);
        Simulation { bodies, ways, threads, theta, ground, nodes, sort, arena, boxes, most: 0, frame: 0 }
    }

    /// Computes one frame.
    pub(crate) fn step(&mut self) -> Result<(), Failure> {
        let order = self.sort.clock(|| order::sort(&mut self.bodies));
        // The ways take turns to go first, so that neither always profits from the caches of the
        // other.
        let accelerations = match (self.ways, self.frame % 2) {
            (Ways::Arena, _) => self.in_arena(&order)?,
            (Ways::Boxes, _) => self.in_boxes(&order),
            (Ways::Both, 0) => same(self.in_arena(&order)?, &self.in_boxes(&order))?,
            (Ways::Both, _) => {
                let boxes = self.in_boxes(&order);
                same(self.in_arena(&order)?, &boxes)?
            }
        };
        self.bodies.step(&accelerations, STEP);
        self.frame += 1;
        Ok(())
    }

    fn in_arena(&mut self, order: &Order) -> Result<Vec<Vec3>, Failure> {
        let Simulation { bodies, threads, theta, ground, nodes, arena: parts, most, .. } = self;
        let full = |full: Full<()>| {
            debug_assert_eq!(full.remaining(), 0);
            let (room, bodies) = (*nodes, bodies.points.len());
            Failure::TreeFull { room, enough: ways::enough(bodies, *threads), bodies }
        };
        let start = Instant::now();
        let (accelerations, made, end);
        {
            let arena = ground.arena();
            made = start.elapsed();
            let build = || tree::build(bodies, order, *threads, || ways::local(&arena));
            let tree = parts.build.clock(build).map_err(full)?;
            accelerations = parts.forces.clock(|| gravity::by_tree(&tree, &bodies.points, *theta, *threads));
            *most = arena.count().max(*most);
            // The arena is dropped here. It cannot be moved, not even into `drop`, because its
            // values borrow it.
            end = Instant::now();
        }
        parts.free.push(made + end.elapsed());
        Ok(accelerations)
    }

    fn in_boxes(&mut self, order: &Order) -> Vec<Vec3> {
        let Simulation { bodies, threads, theta, boxes: parts, .. } = self;
        let tree = parts.build.clock(|| tree::build(bodies, order, *threads, || Boxes)).expect("boxes are never full");
        let accelerations = parts.forces.clock(|| gravity::by_tree(&tree, &bodies.points, *theta, *threads));
        parts.free.clock(|| drop(tree));
        accelerations
    }
}

/// Checks that the results of both ways are the same. Both do the same arithmetic in the same
/// order, so every bit must be equal.
fn same(ours: Vec<Vec3>, theirs: &[Vec3]) -> Result<Vec<Vec3>, Failure> {
    if ours == theirs { Ok(ours) } else { Err(Failure::Different) }
}

/// The reason why there is no next frame.
#[derive(Debug)]
pub(crate) enum Failure {
    TreeFull { room: usize, enough: usize, bodies: usize },
    Different,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TreeFull { room, enough, bodies } => write!(
                f,
                "the tree of {bodies} bodies does not fit into {room} nodes: raise --nodes; {enough} are always enough"
            ),
            Failure::Different => f.write_str("the trees in the arena and in boxes differ"),
        }
    }
}
