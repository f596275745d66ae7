//! Draws a frame of the game on a [`Canvas`] of light.

use showcase::light::Canvas;

use crate::entity::{Entity, Kind, SPARK_LIFE, WORLD};

/// Draws a frame. `trails` keeps some of the light of earlier frames, so moving entities leave a
/// trail.
pub(crate) fn draw<'e>(entities: impl Iterator<Item = &'e Entity>, trails: &mut Canvas) -> Canvas {
    trails.dim(0.62);
    let scale = trails.width() as f32 / WORLD[0];
    let strength = scale * scale;
    for entity in entities {
        let light = match entity.kind {
            Kind::Ship { .. } => 0.9,
            Kind::Wreck { .. } => continue,
            Kind::Shot { .. } => 0.35,
            Kind::Spark => 0.6 * f32::from(entity.clock) / f32::from(SPARK_LIFE),
        };
        // A shot is fast, so it is drawn at several points of its path.
        let steps = if matches!(entity.kind, Kind::Shot { .. }) { 3 } else { 1 };
        for step in 0..steps {
            let back = step as f32 / steps as f32;
            let [x, y] = [0, 1].map(|axis| (entity.position[axis] - back * entity.velocity[axis]) * scale);
            trails.add(entity.team, x, y, light * strength);
        }
    }
    let mut picture = trails.clone();
    picture.glow(0.7, 1);
    picture.glow(0.5, 5);
    picture
}
