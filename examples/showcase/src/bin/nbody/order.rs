//! Bodies in Morton order. This is the order along a curve through space that enters and leaves
//! each cube of an octree exactly once.

use crate::space::{Bodies, Vec3};

/// The number of times that the cube around all bodies is halved along each axis.
pub(crate) const LEVELS: u32 = 21;

/// The octants of a body: one digit from 0 to 7 per level, the outermost level first.
pub(crate) type Key = u64;

/// The cube around all bodies, and their keys in it.
#[derive(Debug)]
pub(crate) struct Order {
    /// The length of an edge of the cube.
    pub(crate) side: f64,
    /// In ascending order.
    pub(crate) keys: Vec<Key>,
}

/// Sorts the bodies by key.
pub(crate) fn sort(bodies: &mut Bodies) -> Order {
    let positions = || bodies.points.iter().map(|point| point.position);
    let fold = |f: fn(f64, f64) -> f64, first: f64| {
        positions().fold([first; 3], |sum, at| std::array::from_fn(|axis| f(sum[axis], at.0[axis])))
    };
    let (low, high) = (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY));
    let side = (0..3).map(|axis| high[axis] - low[axis]).fold(0.0, f64::max);
    let side = if side > 0.0 { side } else { 1.0 }; // 1.0 if all bodies are at one point
    let mut keys: Vec<(Key, u32)> = positions().zip(0..).map(|(at, body)| (key(at - Vec3(low), side), body)).collect();
    keys.sort_unstable();

    fn arranged<T: Copy>(values: &[T], keys: &[(Key, u32)]) -> Vec<T> {
        keys.iter().map(|&(_, body)| values[body as usize]).collect()
    }
    bodies.points = arranged(&bodies.points, &keys);
    bodies.velocities = arranged(&bodies.velocities, &keys);
    bodies.lights = arranged(&bodies.lights, &keys);
    Order { side, keys: keys.into_iter().map(|(key, _)| key).collect() }
}

fn key(at: Vec3, side: f64) -> Key {
    let steps = f64::from(1_u32 << LEVELS);
    at.0.iter().fold(0, |key, part| {
        // The far border belongs to the last cube.
        let step = (part / side * steps).min(steps - 1.0) as u64;
        key << 1 | spread(step)
    })
}

/// Puts two zeros before each of the 21 bits.
fn spread(bits: u64) -> u64 {
    let bits = (bits | bits << 32) & 0x001f_0000_0000_ffff;
    let bits = (bits | bits << 16) & 0x001f_0000_ff00_00ff;
    let bits = (bits | bits << 8) & 0x100f_00f0_0f00_f00f;
    let bits = (bits | bits << 4) & 0x10c3_0c30_c30c_30c3;
    (bits | bits << 2) & 0x1249_2492_4924_9249
}

/// Returns the number of leading digits that two keys have in common.
pub(crate) fn levels_in_common(one: Key, other: Key) -> u32 {
    // A key has 63 bits, so the first of the 64 bits is always equal.
    ((one ^ other).leading_zeros() - 1) / 3
}

/// Returns the digit of a level. The level must be less than [`LEVELS`].
pub(crate) fn octant(key: Key, level: u32) -> u64 {
    key >> (3 * (LEVELS - 1 - level)) & 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_octants_from_the_outermost_on() {
        let at = |x, y, z| key(Vec3([x, y, z]), 1.0);
        assert_eq!(at(0.0, 0.0, 0.0), 0);
        assert_eq!(at(1.0, 1.0, 1.0), (1 << 63) - 1);
        assert_eq!(
            (octant(at(0.5, 0.0, 0.0), 0), octant(at(0.0, 0.5, 0.0), 0), octant(at(0.0, 0.0, 0.5), 0)),
            (4, 2, 1)
        );
        assert_eq!((octant(at(0.5, 0.75, 0.0), 0), octant(at(0.5, 0.75, 0.0), 1)), (6, 2));
        assert_eq!(levels_in_common(0, 0), LEVELS);
        assert_eq!(levels_in_common(at(0.0, 0.0, 0.0), at(0.2, 0.2, 0.2)), 2);
    }
}
