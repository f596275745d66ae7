//! Tests of the game, with few ships and frames.

use atomicarena::ArenaPool;

use crate::entity::{self, Entity, Kind};
use crate::fingerprint;
use crate::ways::{self, InArenas, InBoxes};

#[test]
fn in_both_ways_each_frame_is_the_same() {
    let ships = 300;
    let pool = ways::pool(ships);
    let (mut arenas, mut boxes) = (InArenas::new(&pool, ships).unwrap(), InBoxes::new(ships));
    let mut kinds = [0; 4];
    for number in 1..=150 {
        arenas.step(number, ships).unwrap();
        boxes.step(number, ships);
        assert_eq!(fingerprint(&*arenas.last), fingerprint(&boxes.last));
        let mut numbers = Vec::new();
        for (_, entity) in arenas.last.iter() {
            let (kind, ship) = match entity.kind {
                Kind::Ship { number, .. } => (0, Some(number)),
                Kind::Wreck { number } => (1, Some(number)),
                Kind::Shot { .. } => (2, None),
                Kind::Spark => (3, None),
            };
            kinds[kind] += 1;
            numbers.extend(ship);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(0..ships), "each ship once");
        assert!(boxes.last.len() <= entity::most(ships as usize));
        assert_eq!(pool.available(), 1);
    }
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

#[test]
fn a_frame_that_does_not_fit_says_so() {
    let pool = ArenaPool::new(2, 100);
    assert_eq!(InArenas::new(&pool, 101).err().map(|full| full.remaining()), Some(0));
    assert_eq!(pool.available(), 2);
}

#[test]
fn a_fingerprint_tells_all_of_an_entity() {
    let ship = Entity::ship(1, 0);
    let others = [
        Entity::ship(3, 0),
        Entity { clock: ship.clock + 1, ..ship },
        Entity { team: Entity::ship(2, 0).team, ..ship },
        Entity { velocity: [0.0; 2], ..ship },
        Entity { kind: Kind::Wreck { number: 1 }, ..ship },
    ];
    assert!(others.iter().all(|other| other.fingerprint() != ship.fingerprint()));
}
