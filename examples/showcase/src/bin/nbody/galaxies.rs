//! Two galaxies that fall towards each other.

use std::f64::consts::TAU;

use showcase::light::Hue;

use crate::gravity;
use crate::space::{Bodies, Vec3};

/// The mass in the centre of a galaxy, and the mass of all its other bodies together.
const MIDDLE: f64 = 1.0;
const DISC: f64 = 0.25;

/// A galaxy: its position, velocity, orientation and colour.
struct Galaxy {
    hue: Hue,
    bodies: usize,
    scale: f64,
    position: Vec3,
    velocity: Vec3,
    /// Angles about the first and the second axis.
    tilt: [f64; 2],
}

/// Creates this number of bodies. The same number always gives the same bodies.
pub(crate) fn collision(bodies: usize) -> Bodies {
    let second = bodies * 2 / 5;
    let [position, velocity] = [Vec3([1.8, 1.0, 0.3]), Vec3([-0.46, 0.04, -0.06])];
    let galaxies = [
        Galaxy {
            hue: Hue::Warm,
            bodies: bodies - second,
            scale: 1.0,
            position: position * -1.0,
            velocity: velocity * -1.0,
            tilt: [0.45, 0.35],
        },
        Galaxy { hue: Hue::Cool, bodies: second, scale: 0.8, position, velocity, tilt: [-0.7, 0.5] },
    ];
    let (mut all, mut dice) = (Bodies::default(), Dice(1));
    galaxies.iter().for_each(|galaxy| galaxy.make(&mut all, &mut dice));
    all
}

impl Galaxy {
    fn make(&self, all: &mut Bodies, dice: &mut Dice) {
        let tilted = |at: Vec3| at.turned(0, self.tilt[0]).turned(1, self.tilt[1]);
        let mass = DISC / self.bodies.max(2) as f64;
        for body in 0..self.bodies {
            if body == 0 {
                all.push(self.position, self.velocity, MIDDLE, (self.hue, 0.0));
                continue;
            }
            // One body in six belongs to the bulge. The others form a disc that thins out towards
            // its border.
            let bulge = dice.roll() < 1.0 / 6.0;
            let share = dice.roll();
            let distance =
                self.scale * if bulge { 0.06 + 0.30 * share * share } else { 0.12 - 0.36 * (1.0 - 0.97 * share).ln() };
            let angle = TAU * dice.roll();
            let speed = gravity::circular_speed(MIDDLE + DISC * share, distance);
            let thickness = 0.03 * self.scale * (dice.roll() + dice.roll() - 1.0);
            let (mut at, mut velocity) = (
                Vec3([angle.cos() * distance, angle.sin() * distance, thickness]),
                Vec3([-angle.sin() * speed, angle.cos() * speed, 0.0]),
            );
            if bulge {
                // Each body of the bulge orbits in its own plane.
                let (one, other) = (TAU * dice.roll(), TAU * dice.roll());
                [at, velocity] = [at, velocity].map(|part| part.turned(0, one).turned(1, other));
            }
            // There are a few giants among many dwarfs.
            let light = 0.35 + 2.2 * dice.roll().powi(6);
            all.push(self.position + tilted(at), self.velocity + tilted(velocity), mass, (self.hue, light as f32));
        }
    }
}

/// Random numbers from 0 to 1, the same in every run: the generator SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The 53 bits that fit in an `f64`.
        ((mixed ^ mixed >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
