//! The entities of the game, and upper limits on their number.

use showcase::light::Hue;

/// The width and the height of the world.
pub(crate) const WORLD: [f32; 2] = [640.0, 400.0];

/// The minimum number of frames between two shots of a ship, and the number of frames that a shot
/// flies.
pub(crate) const RELOAD: u8 = 20;
pub(crate) const SHOT_LIFE: u8 = 40;
/// The number of hits that destroy a ship. It is then a wreck for `WRECK_LIFE` frames.
pub(crate) const HEALTH: u8 = 4;
pub(crate) const WRECK_LIFE: u8 = 40;
/// The numbers of sparks when a shot hits a ship and when a ship is destroyed, and the longest time
/// that sparks glow, in frames.
pub(crate) const HIT_SPARKS: u32 = 3;
pub(crate) const END_SPARKS: u32 = 16;
pub(crate) const SPARK_LIFE: u8 = 24;

/// Returns the greatest possible number of entities, for a number of ships.
///
/// A ship fires at most once in `RELOAD` frames. Its shots in the air were fired in the last
/// `SHOT_LIFE` frames. A spark of a hit glows for at most `SPARK_LIFE` frames, so the shot that
/// caused it was fired in the last `SHOT_LIFE + SPARK_LIFE` frames. Each shot hits at most once. No
/// ship is destroyed twice within `SPARK_LIFE` frames, because it is a wreck for longer than that.
pub(crate) fn most(ships: usize) -> usize {
    const { assert!(WRECK_LIFE > SPARK_LIFE) };
    let shots = |frames: u8| usize::from(frames / RELOAD) + 1;
    let sparks = shots(SHOT_LIFE + SPARK_LIFE) * HIT_SPARKS as usize + END_SPARKS as usize;
    ships * (1 + shots(SHOT_LIFE) + sparks)
}

/// An entity in one frame. The next frame replaces it with a new one, or omits it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entity {
    pub(crate) position: [f32; 2],
    pub(crate) velocity: [f32; 2],
    pub(crate) team: Hue,
    /// The number of frames until the next event: a ship can fire, a wreck becomes a ship again, a
    /// shot or a spark disappears.
    pub(crate) clock: u8,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A ship has the same number in every frame.
    Ship {
        number: u32,
        health: u8,
    },
    Wreck {
        number: u32,
    },
    /// The number of the ship that the shot follows.
    Shot {
        target: u32,
    },
    Spark,
}

impl Entity {
    /// Creates a ship at its start, on its side of the world.
    pub(crate) fn ship(number: u32, frame: u32) -> Self {
        let team = if number.is_multiple_of(2) { Hue::Warm } else { Hue::Cool };
        let [along, across] = [dice(number, frame, 1), dice(number, frame, 2)];
        let (x, speed) = match team {
            Hue::Warm => (0.15 * along, 1.5),
            Hue::Cool => (1.0 - 0.15 * along, -1.5),
        };
        Entity {
            position: [x * WORLD[0], across * WORLD[1]],
            velocity: [speed, 0.0],
            team,
            // The delay is random, so that the ships do not all fire at once.
            clock: (dice(number, frame, 3) * f32::from(RELOAD)) as u8 + RELOAD,
            kind: Kind::Ship { number, health: HEALTH },
        }
    }

    /// Combines all fields in one number. The sum of these numbers over a frame does not depend on
    /// the order of the entities.
    pub(crate) fn fingerprint(&self) -> u64 {
        let (kind, number) = match self.kind {
            Kind::Ship { number, health } => (u64::from(health), number),
            Kind::Wreck { number } => (20, number),
            Kind::Shot { target } => (30, target),
            Kind::Spark => (40, 0),
        };
        let floats = [self.position, self.velocity].into_iter().flatten().map(|part| u64::from(part.to_bits()));
        let rest = [self.team as u64, self.clock.into(), kind, number.into()];
        floats.chain(rest).fold(0, |sum, part| mix(sum ^ part))
    }
}

/// Returns a random number from 0 to 1, which depends only on the arguments.
pub(crate) fn dice(number: u32, frame: u32, purpose: u32) -> f32 {
    let mixed = mix(u64::from(number) << 32 | u64::from(frame)) ^ u64::from(purpose);
    (mix(mixed) >> 40) as f32 / (1_u32 << 24) as f32
}

/// A step of SplitMix64.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
