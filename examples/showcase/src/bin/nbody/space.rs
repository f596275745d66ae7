//! Points in space, and the bodies.

use std::array;
use std::ops::{Add, AddAssign, Mul, Sub};

use showcase::light::Hue;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Vec3(pub(crate) [f64; 3]);

impl Vec3 {
    pub(crate) fn dot(self, other: Self) -> f64 {
        self.0[0] * other.0[0] + self.0[1] * other.0[1] + self.0[2] * other.0[2]
    }

    pub(crate) fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// Rotates about an axis.
    pub(crate) fn turned(self, axis: usize, angle: f64) -> Self {
        let (one, other) = ((axis + 1) % 3, (axis + 2) % 3);
        let (sin, cos) = angle.sin_cos();
        let mut turned = self;
        turned.0[one] = self.0[one] * cos - self.0[other] * sin;
        turned.0[other] = self.0[one] * sin + self.0[other] * cos;
        turned
    }
}

impl Add for Vec3 {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Vec3(array::from_fn(|axis| self.0[axis] + other.0[axis]))
    }
}

impl AddAssign for Vec3 {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Vec3 {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Vec3(array::from_fn(|axis| self.0[axis] - other.0[axis]))
    }
}

impl Mul<f64> for Vec3 {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Vec3(self.0.map(|part| part * factor))
    }
}

/// A mass at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) position: Vec3,
    pub(crate) mass: f64,
}

/// The point, velocity and appearance of each body, each in its own vector, because the forces read
/// only the points.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies {
    pub(crate) points: Vec<Point>,
    pub(crate) velocities: Vec<Vec3>,
    /// The hue, and the amount of light.
    pub(crate) lights: Vec<(Hue, f32)>,
}

impl Bodies {
    pub(crate) fn push(&mut self, position: Vec3, velocity: Vec3, mass: f64, light: (Hue, f32)) {
        self.points.push(Point { position, mass });
        self.velocities.push(velocity);
        self.lights.push(light);
    }

    /// Advances the bodies by a time step: changes each velocity by its acceleration, and then
    /// moves the body with the new velocity.
    pub(crate) fn step(&mut self, accelerations: &[Vec3], time: f64) {
        for ((point, velocity), acceleration) in self.points.iter_mut().zip(&mut self.velocities).zip(accelerations) {
            *velocity += *acceleration * time;
            point.position += *velocity * time;
        }
    }

    /// Returns the total momentum, and the sum of the magnitudes of the momenta.
    pub(crate) fn momentum(&self) -> (Vec3, f64) {
        let mut sums = (Vec3::default(), 0.0);
        for (point, velocity) in self.points.iter().zip(&self.velocities) {
            sums.0 += *velocity * point.mass;
            sums.1 += velocity.length() * point.mass;
        }
        sums
    }
}
