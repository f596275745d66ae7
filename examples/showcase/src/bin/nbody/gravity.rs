//! The forces between the bodies: with the tree, and pair by pair.

use std::sync::Mutex;
use std::thread;

use crate::space::{Point, Vec3};
use crate::tree::{Below, Link, Node};

/// A body is a cloud of about this size instead of a point, so that close bodies do not hurl each
/// other away.
const SOFTENING: f64 = 0.12;

/// The number of bodies whose accelerations a thread computes at a time.
const CHUNK: usize = 256;

/// Computes the acceleration of each body with the tree of all bodies. A cube whose edge is less
/// than `theta` times its distance attracts as one body.
pub(crate) fn by_tree<L: Link>(tree: &L, points: &[Point], theta: f64, threads: usize) -> Vec<Vec3> {
    let mut accelerations = vec![Vec3::default(); points.len()];
    let chunks = Mutex::new(points.chunks(CHUNK).zip(accelerations.chunks_mut(CHUNK)));
    let next = || chunks.lock().expect("no thread panics while it takes a chunk").next();
    let work = || {
        while let Some((chunk, accelerations)) = next() {
            for (point, acceleration) in chunk.iter().zip(accelerations) {
                let mut walk = Walk { points, at: point.position, theta_squared: theta * theta, sum: Vec3::default() };
                walk.visit(tree.node());
                *acceleration = walk.sum;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    accelerations
}

/// Adds up the forces at one point.
struct Walk<'b> {
    points: &'b [Point],
    at: Vec3,
    theta_squared: f64,
    sum: Vec3,
}

impl Walk<'_> {
    fn visit<L: Link>(&mut self, node: &Node<L>) {
        let distance = node.whole.position - self.at;
        if node.side * node.side < self.theta_squared * distance.dot(distance) {
            self.sum += pull(&node.whole, self.at);
            return;
        }
        match &node.below {
            Below::Bodies(range) => {
                for point in &self.points[range.start as usize..range.end as usize] {
                    self.sum += pull(point, self.at);
                }
            }
            Below::Cubes(cubes) => cubes.iter().flatten().for_each(|cube| self.visit(cube.node())),
        }
    }
}

/// Computes the acceleration at one point pair by pair.
pub(crate) fn directly(points: &[Point], at: Vec3) -> Vec3 {
    points.iter().fold(Vec3::default(), |sum, point| sum + pull(point, at))
}

/// Returns the acceleration towards a point. A body has no effect on itself.
fn pull(point: &Point, at: Vec3) -> Vec3 {
    let distance = point.position - at;
    let squared = distance.dot(distance) + SOFTENING * SOFTENING;
    distance * (point.mass / (squared * squared.sqrt()))
}

/// Returns the speed of a body that orbits a much heavier one.
pub(crate) fn circular_speed(mass: f64, distance: f64) -> f64 {
    let squared = distance * distance + SOFTENING * SOFTENING;
    (mass / (squared * squared.sqrt())).sqrt() * distance
}
