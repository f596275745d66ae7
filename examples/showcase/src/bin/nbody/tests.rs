//! Tests of the tree, the two ways and the physics, with sizes that take little time.

use crate::check;
use crate::galaxies::{self, Dice};
use crate::gravity;
use crate::order;
use crate::simulation::{Failure, Simulation, Ways};
use crate::space::{Bodies, Vec3};
use crate::tree::{self, Below, Link, Node};
use crate::ways::{self, Boxes, Ground};
use showcase::light::Hue;

fn at(places: impl IntoIterator<Item = [f64; 3]>) -> Bodies {
    let mut bodies = Bodies::default();
    places.into_iter().for_each(|place| bodies.push(Vec3(place), Vec3::default(), 1.0, (Hue::Warm, 1.0)));
    bodies
}

/// Bodies at positions that are difficult for a tree.
fn hard() -> Vec<Bodies> {
    let mut dice = Dice(7);
    let mut close = |size: f64| at((0..300).map(|_| [dice.roll() * size, dice.roll() * size, dice.roll() * size]));
    let (cloud, mut pair) = (close(1.0), close(1e-9));
    pair.push(Vec3([1e6; 3]), Vec3::default(), 1.0, (Hue::Cool, 1.0));
    vec![
        at([[1.0, 2.0, 3.0]]),
        at([[4.0; 3]; 1000]),
        at((0..2000).map(|n| [[0.0; 3], [1.0; 3]][n % 2])),
        at((0..2000).map(|n| [0.5_f64.powi(n % 60), 0.0, 0.0])),
        at((0..500).map(|n| [f64::from(n), 0.0, 0.0])),
        cloud,
        pair,
        galaxies::collision(3000),
    ]
}

/// Asserts that two trees are equal, and returns the number of nodes in each.
fn same<A: Link, B: Link>(one: &Node<A>, other: &Node<B>) -> usize {
    assert_eq!((one.whole, one.side), (other.whole, other.side));
    match (&one.below, &other.below) {
        (Below::Bodies(ours), Below::Bodies(theirs)) => {
            assert!(ours == theirs && !ours.is_empty());
            1
        }
        (Below::Cubes(ours), Below::Cubes(theirs)) => {
            assert!(ours.iter().flatten().count() >= 2);
            let pairs = ours.iter().zip(theirs).map(|pair| match pair {
                (Some(one), Some(other)) => same(one.node(), other.node()),
                (None, None) => 0,
                _ => panic!("only one of the trees has a cube"),
            });
            1 + pairs.sum::<usize>()
        }
        _ => panic!("a leaf of one tree is not a leaf of the other"),
    }
}

#[test]
fn the_ways_and_any_number_of_threads_build_the_same_tree() {
    for mut bodies in hard() {
        let order = order::sort(&mut bodies);
        let boxes = tree::build(&bodies, &order, 1, || Boxes).unwrap();
        let alone = gravity::by_tree(&boxes, &bodies.points, 0.7, 1);
        for threads in [1, 2, 3, 8] {
            let mut ground = Ground::new(ways::enough(bodies.points.len(), threads));
            let arena = ground.arena();
            let tree = tree::build(&bodies, &order, threads, || ways::local(&arena)).unwrap();
            let nodes = same(tree.node(), boxes.node());
            assert_eq!(nodes, arena.count());
            assert!(nodes <= tree::most_nodes(bodies.points.len()));
            assert_eq!(gravity::by_tree(&tree, &bodies.points, 0.7, threads), alone);
        }
    }
}

#[test]
fn each_arena_in_the_same_bytes_starts_empty() {
    let mut ground = Ground::new(100);
    for _ in 0..3 {
        let arena = ground.arena();
        assert_eq!((arena.capacity(), arena.count()), (100, 0));
        let mut bodies = galaxies::collision(100);
        let order = order::sort(&mut bodies);
        tree::build(&bodies, &order, 1, || ways::local(&arena)).unwrap();
        assert!(arena.count() > 1);
    }
}

#[test]
fn without_theta_the_tree_says_what_the_direct_sum_says() {
    for mut bodies in hard().into_iter().skip(4) {
        assert!(check::force_error(&mut bodies, 2, 0.0) < 1e-12);
    }
}

#[test]
fn with_theta_the_error_of_the_tree_is_small() {
    for theta in [0.3, 0.5, 0.7, 1.0] {
        let error = check::force_error(&mut galaxies::collision(3000), 2, theta);
        assert!(error < check::tolerance(theta), "{error} at {theta}");
    }
}

#[test]
fn momentum_stays() {
    let bodies = galaxies::collision(1000);
    let before = bodies.momentum();
    let mut simulation = Simulation::new(bodies, Ways::Both, 2, 0.7, None);
    for _ in 0..20 {
        simulation.step().unwrap();
    }
    check::all(simulation.bodies, before, 2, 0.7).unwrap();
}

#[test]
fn a_tree_that_does_not_fit_says_what_to_raise() {
    for nodes in [1, 50] {
        let mut simulation = Simulation::new(galaxies::collision(1000), Ways::Arena, 2, 0.7, Some(nodes));
        let full = simulation.step().unwrap_err();
        assert!(matches!(full, Failure::TreeFull { room, enough: 2255, bodies: 1000 } if room == nodes));
        assert!(full.to_string().contains("raise --nodes; 2255 are always enough"));
    }
}
