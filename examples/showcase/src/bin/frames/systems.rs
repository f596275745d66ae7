//! The rules of the game. Each system reads the last frame, and stores its entities into the next
//! one.
//!
//! No system waits for another. The ship and the shot both determine from the last frame whether
//! the shot hits. The order of the entities does not matter, so a frame has the same entities
//! whether they are stored in an arena or in boxes.

use std::thread;

use atomicarena::Full;

use crate::entity::{self, END_SPARKS, Entity, HIT_SPARKS, Kind, RELOAD, SHOT_LIFE, SPARK_LIFE, WORLD, WRECK_LIFE};
use crate::frame::{Frame, Spawn};
use crate::scene::Scene;

/// The range of a ship's sight, and the distance at which a shot hits.
const SIGHT: f32 = 40.0;
const HIT: f32 = 2.5;

/// Speeds, per frame.
const SHIP_SPEED: f32 = 1.6;
const SHOT_SPEED: f32 = 4.0;

/// The number of systems.
pub(crate) const ALL: usize = 3;

/// The last frame, as the systems see it.
struct Last<'f, F> {
    frame: &'f F,
    scene: &'f Scene<'f>,
    /// The number of the frame that is being made.
    number: u32,
}

type System<F, S> = fn(&Last<'_, F>, &mut S) -> Result<(), Full<()>>;

/// Creates the first frame.
pub(crate) fn fleets(ships: u32, next: &mut impl Spawn) -> Result<(), Full<()>> {
    (0..ships).try_for_each(|number| next.spawn(Entity::ship(number, 0)))
}

/// Runs all systems at once, each with its own place for new entities, and returns the places.
pub(crate) fn run<F: Frame, S: Spawn>(
    frame: &F,
    scene: &Scene<'_>,
    number: u32,
    place: impl Fn() -> S + Sync,
) -> Result<[S; ALL], Full<()>> {
    let last = &Last { frame, scene, number };
    let place = &place;
    let [ships, shots, sparks] = thread::scope(|scope| {
        let systems: [System<F, S>; ALL] = [ships, shots, sparks];
        let systems = systems.map(|system| {
            scope.spawn(move || {
                let mut place = place();
                system(last, &mut place).map(|()| place)
            })
        });
        systems.map(|system| system.join().expect("a system panicked"))
    });
    Ok([ships?, shots?, sparks?])
}

/// Steers ships towards the nearest enemy, lets them shoot at it, turns ships that are destroyed
/// into wrecks, and turns wrecks into ships again.
fn ships<F: Frame>(last: &Last<'_, F>, next: &mut impl Spawn) -> Result<(), Full<()>> {
    for (_, ship) in last.frame.entities() {
        match ship.kind {
            Kind::Ship { number, health } => {
                let hits = last.scene.shots_near(ship.position, HIT).filter(|shot| hits(shot, ship)).count();
                if hits >= usize::from(health) {
                    burst(ship, number, last.number, END_SPARKS, next)?;
                    next.spawn(Entity { clock: WRECK_LIFE, kind: Kind::Wreck { number }, ..*ship })?;
                    continue;
                }
                let enemy = nearest_enemy(last, ship);
                let fires = ship.clock == 0 && enemy.is_some();
                if let Some((enemy, target)) = enemy.filter(|_| fires) {
                    let velocity = towards(ship.position, enemy.position, SHOT_SPEED);
                    let kind = Kind::Shot { target };
                    next.spawn(Entity { velocity, clock: SHOT_LIFE, kind, ..*ship })?;
                }
                let (position, velocity) = inside(
                    moved(ship.position, ship.velocity),
                    steer(last, ship, number, enemy.map(|(enemy, _)| enemy)),
                );
                next.spawn(Entity {
                    position,
                    velocity,
                    clock: if fires { RELOAD } else { ship.clock.saturating_sub(1) },
                    kind: Kind::Ship { number, health: health - hits as u8 },
                    ..*ship
                })?;
            }
            Kind::Wreck { number } if ship.clock == 0 => next.spawn(Entity::ship(number, last.number))?,
            Kind::Wreck { .. } => next.spawn(Entity { clock: ship.clock - 1, ..*ship })?,
            Kind::Shot { .. } | Kind::Spark => {}
        }
    }
    Ok(())
}

/// Moves shots towards their target. A shot ends when it hits an enemy ship, or when its time is
/// over.
fn shots<F: Frame>(last: &Last<'_, F>, next: &mut impl Spawn) -> Result<(), Full<()>> {
    for (_, shot) in last.frame.entities() {
        let Kind::Shot { target } = shot.kind else { continue };
        if last.scene.ships_near(shot.position, HIT).any(|ship| hits(shot, ship)) {
            burst(shot, shot.position[0].to_bits(), last.number, HIT_SPARKS, next)?;
        } else if shot.clock > 0 {
            let position = moved(shot.position, shot.velocity);
            let velocity = match last.frame.get(last.scene.ship(target)) {
                Some(Entity { position: aim, kind: Kind::Ship { .. }, .. }) => {
                    blend(shot.velocity, towards(position, *aim, SHOT_SPEED), 0.15)
                }
                _ => shot.velocity,
            };
            next.spawn(Entity { position, velocity, clock: shot.clock - 1, ..*shot })?;
        }
    }
    Ok(())
}

/// Moves sparks and ends them.
fn sparks<F: Frame>(last: &Last<'_, F>, next: &mut impl Spawn) -> Result<(), Full<()>> {
    for (_, spark) in last.frame.entities() {
        if spark.kind == Kind::Spark && spark.clock > 0 {
            let position = moved(spark.position, spark.velocity);
            let velocity = spark.velocity.map(|part| part * 0.94);
            next.spawn(Entity { position, velocity, clock: spark.clock - 1, ..*spark })?;
        }
    }
    Ok(())
}

/// Spawns sparks in all directions.
fn burst(from: &Entity, number: u32, frame: u32, count: u32, next: &mut impl Spawn) -> Result<(), Full<()>> {
    (0..count).try_for_each(|spark| {
        let dice = |purpose| entity::dice(number, frame, 8 * spark + purpose);
        let (angle, speed) = (dice(0) * std::f32::consts::TAU, 0.3 + 2.0 * dice(1) * dice(1));
        let velocity = [angle.cos() * speed, angle.sin() * speed];
        // The clock counts down to 0. The spark still exists in the frame in which its clock is 0.
        let clock = (dice(2) * f32::from(SPARK_LIFE)) as u8;
        next.spawn(Entity { velocity, clock, kind: Kind::Spark, ..*from })
    })
}

/// Returns whether the shot hits the ship, in the frame that contains both.
fn hits(shot: &Entity, ship: &Entity) -> bool {
    shot.team != ship.team && distance_squared(shot.position, ship.position) < HIT * HIT
}

/// Returns the nearest visible enemy and its number. Of two equally near enemies, the one with the
/// lower number counts.
fn nearest_enemy<'f, F: Frame>(last: &Last<'f, F>, ship: &Entity) -> Option<(&'f Entity, u32)> {
    let enemies = last.scene.ships_near(ship.position, SIGHT).filter_map(|other| match other.kind {
        Kind::Ship { number, .. } if other.team != ship.team => {
            Some((distance_squared(ship.position, other.position), number, other))
        }
        _ => None,
    });
    let nearest = enemies.min_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    nearest.map(|(_, number, enemy)| (enemy, number))
}

/// Returns the new velocity of a ship: towards the enemy, or without an enemy towards a random
/// point that changes every 64 frames. The ship also turns a little to one side, which differs from
/// ship to ship.
fn steer<F: Frame>(last: &Last<'_, F>, ship: &Entity, number: u32, enemy: Option<&Entity>) -> [f32; 2] {
    let aim = match enemy {
        Some(enemy) => enemy.position,
        None => {
            let hour = last.number / 64;
            [entity::dice(number, hour, 5) * WORLD[0], entity::dice(number, hour, 6) * WORLD[1]]
        }
    };
    let [x, y] = towards(ship.position, aim, SHIP_SPEED);
    let turn = if number % 4 < 2 { 0.8 } else { -0.8 };
    blend(ship.velocity, [x - turn * y, y + turn * x], 0.06)
}

fn towards(from: [f32; 2], to: [f32; 2], speed: f32) -> [f32; 2] {
    let way = [to[0] - from[0], to[1] - from[1]];
    let length = distance_squared(from, to).sqrt().max(1e-3);
    way.map(|part| part / length * speed)
}

fn blend(one: [f32; 2], other: [f32; 2], share: f32) -> [f32; 2] {
    std::array::from_fn(|axis| one[axis] * (1.0 - share) + other[axis] * share)
}

fn moved(place: [f32; 2], by: [f32; 2]) -> [f32; 2] {
    std::array::from_fn(|axis| place[axis] + by[axis])
}

/// Keeps a position within the world, and makes the velocity point inwards at the border.
fn inside(place: [f32; 2], mut velocity: [f32; 2]) -> ([f32; 2], [f32; 2]) {
    for axis in 0..2 {
        if place[axis] < 1.0 {
            velocity[axis] = velocity[axis].abs();
        } else if place[axis] > WORLD[axis] - 1.0 {
            velocity[axis] = -velocity[axis].abs();
        }
    }
    (std::array::from_fn(|axis| place[axis].clamp(1.0, WORLD[axis] - 1.0)), velocity)
}

fn distance_squared(one: [f32; 2], other: [f32; 2]) -> f32 {
    let [x, y] = [one[0] - other[0], one[1] - other[1]];
    x * x + y * y
}
