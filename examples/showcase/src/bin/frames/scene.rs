//! Finds the ships and shots of a frame by position, and ships or their wrecks by number.

use std::ops::RangeInclusive;

use crate::entity::{Entity, Kind, WORLD};
use crate::frame::Frame;

/// The edge of a square of the map.
const SQUARE: f32 = 16.0;
const COLUMNS: usize = (WORLD[0] / SQUARE) as usize;
const ROWS: usize = (WORLD[1] / SQUARE) as usize;

/// An index of one frame.
pub(crate) struct Scene<'f> {
    /// The index of each ship, or of its wreck, by the number of the ship.
    ships: Vec<u32>,
    ships_by_place: Map<'f>,
    shots_by_place: Map<'f>,
}

/// The entities of all squares, one square after another.
struct Map<'f> {
    /// The beginning of each square in `entities`, and the end of the last one.
    starts: Vec<u32>,
    entities: Vec<&'f Entity>,
}

impl<'f> Scene<'f> {
    pub(crate) fn of(frame: &'f impl Frame, count: u32) -> Self {
        let mut ships = vec![u32::MAX; count as usize];
        let (mut ship_places, mut shot_places) = (Vec::new(), Vec::new());
        for (index, entity) in frame.entities() {
            match entity.kind {
                Kind::Ship { number, .. } => {
                    ships[number as usize] = index as u32;
                    ship_places.push((square(entity.position), entity));
                }
                Kind::Wreck { number } => ships[number as usize] = index as u32,
                Kind::Shot { .. } => shot_places.push((square(entity.position), entity)),
                Kind::Spark => {}
            }
        }
        Scene { ships, ships_by_place: Map::of(&ship_places), shots_by_place: Map::of(&shot_places) }
    }

    /// Returns the index of the ship with this number, or of its wreck.
    pub(crate) fn ship(&self, number: u32) -> usize {
        self.ships[number as usize] as usize
    }

    /// Returns the ships within `distance` of `place`, and possibly some that are farther away.
    pub(crate) fn ships_near(&self, place: [f32; 2], distance: f32) -> impl Iterator<Item = &'f Entity> {
        self.ships_by_place.near(place, distance)
    }

    /// Returns the shots within `distance` of `place`, and possibly some that are farther away.
    pub(crate) fn shots_near(&self, place: [f32; 2], distance: f32) -> impl Iterator<Item = &'f Entity> {
        self.shots_by_place.near(place, distance)
    }
}

impl<'f> Map<'f> {
    fn of(places: &[(usize, &'f Entity)]) -> Self {
        let mut starts = vec![0; COLUMNS * ROWS + 1];
        places.iter().for_each(|(square, _)| starts[square + 1] += 1);
        for square in 0..COLUMNS * ROWS {
            starts[square + 1] += starts[square];
        }
        let mut sorted = places.to_vec();
        sorted.sort_by_key(|(square, _)| *square);
        Map { starts, entities: sorted.into_iter().map(|(_, entity)| entity).collect() }
    }

    /// Returns the entities of the squares within this distance.
    fn near(&self, place: [f32; 2], distance: f32) -> impl Iterator<Item = &'f Entity> {
        let span = |axis: usize, squares: usize| -> RangeInclusive<usize> {
            let at = |place: f32| ((place / SQUARE).max(0.0) as usize).min(squares - 1);
            at(place[axis] - distance)..=at(place[axis] + distance)
        };
        let columns = span(0, COLUMNS);
        span(1, ROWS).flat_map(move |row| {
            let (first, last) = (row * COLUMNS + columns.start(), row * COLUMNS + columns.end());
            self.entities[self.starts[first] as usize..self.starts[last + 1] as usize].iter().copied()
        })
    }
}

/// Returns the number of the square of a position. A position outside the map belongs to the
/// nearest square.
fn square(place: [f32; 2]) -> usize {
    let at = |place: f32, squares: usize| ((place / SQUARE).max(0.0) as usize).min(squares - 1);
    at(place[1], ROWS) * COLUMNS + at(place[0], COLUMNS)
}
