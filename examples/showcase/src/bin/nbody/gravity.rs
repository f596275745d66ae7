//! What the bodies do to each other: by the tree, and one by one.

use std::sync::Mutex;
use std::thread;

use crate::space::{Point, Vec3};
use crate::tree::{Below, Link, Node};

/// Bodies are not points but clouds of about this size: two that meet do not throw each other out.
const SOFTENING: f64 = 0.12;

/// Bodies whose accelerations a thread works out at a time.
const CHUNK: usize = 256;

/// The acceleration of each body, by the tree of all of them. A cube whose edge is less than `theta` of its distance
/// pulls as one body.
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

/// Adds up what acts on one place.
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

/// The acceleration of one place, by every body.
pub(crate) fn directly(points: &[Point], at: Vec3) -> Vec3 {
    points.iter().fold(Vec3::default(), |sum, point| sum + pull(point, at))
}

/// Towards the point; nothing by a body on itself.
fn pull(point: &Point, at: Vec3) -> Vec3 {
    let distance = point.position - at;
    let squared = distance.dot(distance) + SOFTENING * SOFTENING;
    distance * (point.mass / (squared * squared.sqrt()))
}

/// How fast a body goes round one that is so much heavier.
pub(crate) fn circular_speed(mass: f64, distance: f64) -> f64 {
    let squared = distance * distance + SOFTENING * SOFTENING;
    (mass / (squared * squared.sqrt())).sqrt() * distance
}
