//! Checks of the physics: compares the forces with those computed pair by pair, and the momentum
//! with that at the beginning.

use std::fmt;

use crate::gravity;
use crate::order;
use crate::space::{Bodies, Vec3};
use crate::tree;
use crate::ways::Boxes;

/// The forces on at least this number of bodies are compared, or on all bodies if there are fewer.
const SAMPLES: usize = 500;

/// Returns the allowed error of the forces for a `theta`, relative to their average. A cube
/// attracts as one body, which neglects terms. The first neglected term grows with the square of
/// the cube's apparent size.
pub(crate) fn tolerance(theta: f64) -> f64 {
    1e-12 + 0.02 * theta * theta
}

/// The allowed change of the momentum, relative to the sum of all absolute momenta. The momentum
/// changes because a cube attracts as one body, but is attracted body by body.
const MOST_DRIFT: f64 = 0.005;

/// The results of successful checks.
#[derive(Debug)]
pub(crate) struct Checked {
    error: f64,
    drift: f64,
}

/// A failed check.
#[derive(Debug)]
pub(crate) enum Difference {
    Forces { error: f64, tolerance: f64 },
    Momentum { drift: f64 },
}

/// Checks the current state. `before` is the result of [`Bodies::momentum`] at the beginning.
pub(crate) fn all(mut bodies: Bodies, before: (Vec3, f64), threads: usize, theta: f64) -> Result<Checked, Difference> {
    let drift = (bodies.momentum().0 - before.0).length() / before.1;
    let error = force_error(&mut bodies, threads, theta);
    let tolerance = tolerance(theta);
    if error > tolerance {
        Err(Difference::Forces { error, tolerance })
    } else if drift > MOST_DRIFT {
        Err(Difference::Momentum { drift })
    } else {
        Ok(Checked { error, drift })
    }
}

/// Returns the average error of the forces, relative to the average force.
pub(crate) fn force_error(bodies: &mut Bodies, threads: usize, theta: f64) -> f64 {
    let order = order::sort(bodies);
    let tree = tree::build(bodies, &order, threads, || Boxes).expect("boxes are never full");
    let forces = gravity::by_tree(&tree, &bodies.points, theta, threads);
    let every = (bodies.points.len() / SAMPLES).max(1);
    let mut sums = (0.0, 0.0);
    for (point, force) in bodies.points.iter().zip(forces).step_by(every) {
        let exact = gravity::directly(&bodies.points, point.position);
        sums.0 += (force - exact).length();
        sums.1 += exact.length();
    }
    sums.0 / sums.1
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checked { error, drift } = self;
        write!(f, "check: the forces are off by {error:.1e} on average, the momentum by {drift:.1e}")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Forces { error, tolerance } => {
                write!(f, "the forces are off by {error:.1e} on average, at most {tolerance:.1e} is allowed")
            }
            Difference::Momentum { drift } => {
                write!(f, "the momentum is off by {drift:.1e}, at most {MOST_DRIFT:.1e} is allowed")
            }
        }
    }
}
