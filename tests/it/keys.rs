//! `Key`: an index that leads to one value and never to another. `storages` tests keys with every
//! kind of memory.

use std::collections::{BTreeSet, HashSet};
use std::mem::{self, MaybeUninit};
use std::rc::Rc;
use std::thread;

use atomicarena::{AtomicArena, Key, StaticArena};

use crate::payload::{panic_of, scaled};

/// Publishes the values, and returns the key of each.
fn publish<T: Sync>(arena: &AtomicArena<T>, values: impl IntoIterator<Item = T>) -> Vec<Key<T>> {
    values.into_iter().map(|value| arena.publish_keyed(value).ok().unwrap().0).collect()
}

#[test]
fn a_key_finds_its_value_by_index_and_from_any_thread() {
    let arena = AtomicArena::with_capacity(3);
    arena.alloc(7).unwrap();
    let (key, value) = arena.publish_keyed(8).unwrap();
    assert_eq!((key.index(), arena.get(1), arena.get_keyed(key)), (1, Some(value), Some(&8)));
    thread::scope(|scope| _ = scope.spawn(|| assert_eq!(arena.get_keyed(key), Some(value))));
}

#[test]
fn a_full_arena_returns_the_value() {
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(String::from("a")).unwrap();
    let full = arena.publish_keyed(String::from("b")).unwrap_err();
    assert_eq!((full.requested(), full.remaining(), full.into_inner().as_str()), (1, 0, "b"));
}

#[test]
fn a_key_is_small_and_requires_nothing_of_its_value() {
    fn plain<T: Send + Sync + Copy + Ord + std::hash::Hash + std::fmt::Debug>() {}
    struct Mute(#[expect(dead_code)] Rc<str>);
    plain::<Key<Mute>>();
    plain::<Key<*const Key<Mute>>>();
    assert_eq!(size_of::<Key<Mute>>(), size_of::<Option<Key<Mute>>>());
    #[cfg(target_pointer_width = "64")]
    assert_eq!(size_of::<Key<Mute>>(), 16);
}

#[test]
fn keys_are_ordered_by_epoch_and_then_by_index() {
    let mut arena = AtomicArena::with_capacity(4);
    let mut keys = publish(&arena, 0..4);
    arena.reset();
    keys.extend(publish(&arena, 0..4));
    assert!(keys.is_sorted());
    for (count, key) in keys.iter().enumerate() {
        assert_eq!(keys.iter().position(|other| other == key), Some(count));
    }
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 8);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 8);
    assert_eq!(arena.key_at(3), keys.pop());
    let text = format!("{:?}", keys[2]);
    assert!(text.starts_with("Key { index: 2, generation: "), "{text}");
}

// ---- keys of values that were published by other methods

#[test]
fn every_published_value_has_a_key_and_no_other_slot_has() {
    let mut arena = AtomicArena::with_capacity(40);
    let vacant = arena.reserve(1).unwrap();
    let (index, value) = arena.local().publish(1).unwrap();
    let mut run = arena.reserve(3).unwrap();
    run.fill_from_iter(10..12);
    assert_eq!(arena.key_at(run.first_index()), None);
    let (first, _) = run.publish();
    let owned = arena.alloc(2).unwrap();
    let open = arena.reserve(2).unwrap();
    let key = arena.key_at(index).unwrap();
    assert_eq!((arena.get_keyed(key), arena.index_of(value)), (Some(value), Some(index)));
    let keys = [first, first + 1].map(|index| arena.key_at(index).unwrap());
    assert_eq!(keys.map(|key| arena.get_keyed(key)), [Some(&10), Some(&11)]);
    let without = [arena.index_of(owned).unwrap(), vacant.first_index(), open.first_index(), 39, 40, usize::MAX];
    drop((vacant, open));
    assert_eq!(without.map(|index| arena.key_at(index)), [None; 6]);
    arena.publish_all();
    assert_eq!(arena.key_at(without[0]).and_then(|key| arena.get_keyed(key)), Some(&2));
    assert_eq!(arena.get_keyed(key), Some(&1), "`publish_all` ended the epoch");
}

#[test]
fn all_keys_of_a_value_are_equal() {
    let arena = AtomicArena::with_capacity(2);
    let (key, _) = arena.publish_keyed('a').unwrap();
    assert_eq!((arena.key_at(0), arena.key_at(0)), (Some(key), Some(key)));
}

#[test]
fn zero_sized_values_have_keys() {
    let mut arena = AtomicArena::with_capacity(2);
    let keys = publish(&arena, [(), ()]);
    assert_ne!(keys[0], keys[1]);
    assert_eq!(arena.get_keyed(keys[1]), Some(&()));
    arena.reset();
    publish(&arena, [(), ()]);
    assert_eq!(arena.get_keyed(keys[1]), None);
}

#[test]
fn get_keyed_mut_follows_keys_and_not_indices() {
    let mut arena = AtomicArena::with_capacity(2);
    let stale = publish(&arena, [1, 2]);
    *arena.get_keyed_mut(stale[1]).unwrap() += 10;
    assert_eq!(arena.get_keyed(stale[1]), Some(&12));
    arena.reset();
    let key = publish(&arena, [3])[0];
    arena.alloc(4).unwrap();
    assert_eq!(stale.iter().map(|&key| arena.get_keyed_mut(key).copied()).collect::<Vec<_>>(), [None, None]);
    assert_eq!(arena.get_keyed_mut(key), Some(&mut 3));
}

#[test]
fn get_keyed_mut_settles_leaked_handles_even_if_the_key_finds_nothing() {
    let mut arena = AtomicArena::with_capacity(4);
    let (key, _) = arena.publish_keyed(1).unwrap();
    mem::forget(arena.reserve(3));
    assert_eq!((arena.get_keyed_mut(key).copied(), arena.remaining()), (Some(1), 3));
    arena.reset();
    mem::forget(arena.reserve(3));
    assert_eq!((arena.get_keyed_mut(key).copied(), arena.remaining()), (None, 4));
}

// ---- when a key ends

/// Ends the epoch with `end` in each of several rounds. Checks that a key finds its own value until
/// the epoch ends, and nothing afterwards. Except under Miri, there are more rounds than epochs
/// that the stamps can distinguish.
fn check_end<T: Sync + PartialEq>(make: impl Fn(usize) -> T, end: impl Fn(&mut AtomicArena<T>)) {
    let mut arena = AtomicArena::with_capacity(4);
    let mut stale: Vec<Key<T>> = Vec::new();
    for round in 0..scaled(120, 4) {
        let keys = publish(&arena, (0..3).map(|i| make(round * 3 + i)));
        arena.alloc(make(0)).ok().unwrap();
        for (i, &key) in keys.iter().enumerate() {
            assert!(arena.get_keyed(key).is_some_and(|value| *value == make(round * 3 + i)));
        }
        assert!(stale.iter().all(|&key| arena.get_keyed(key).is_none()), "round {round}");
        stale.extend(keys);
        end(&mut arena);
        assert!(stale.iter().all(|&key| arena.get_keyed(key).is_none() && arena.get_keyed_mut(key).is_none()));
        arena.publish_all();
        assert!(stale.iter().all(|&key| arena.get_keyed(key).is_none()), "publish_all made a stale key valid");
        arena.reset();
    }
}

fn check_end_with_and_without_drop(
    end: impl Fn(&mut AtomicArena<u64>),
    end_strings: impl Fn(&mut AtomicArena<String>),
) {
    check_end(|i| i as u64, end);
    check_end(|i| i.to_string(), end_strings);
}

#[test]
fn reset_ends_every_key() {
    check_end_with_and_without_drop(AtomicArena::reset, AtomicArena::reset);
}

#[test]
fn reset_zeroed_ends_every_key() {
    check_end_with_and_without_drop(AtomicArena::reset_zeroed, AtomicArena::reset_zeroed);
}

#[test]
fn drain_ends_every_key() {
    check_end_with_and_without_drop(|arena| drop(arena.drain()), |arena| assert_eq!(arena.drain().count(), 4));
    check_end(|i| i as u64, |arena| mem::forget(arena.drain()));
}

#[test]
fn compact_ends_every_key_even_if_no_value_moves() {
    check_end_with_and_without_drop(|arena| _ = arena.compact(), |arena| _ = arena.compact());
}

#[test]
fn compact_moves_a_value_away_from_its_key() {
    let mut arena = AtomicArena::with_capacity(4);
    let hole = arena.reserve(1).unwrap();
    let keys = publish(&arena, ['a', 'b']);
    drop(hole);
    assert_eq!(arena.compact(), ['a', 'b']);
    arena.publish_all();
    // `keys[0]` had index 1.
    assert_eq!((arena.get(1), arena.get_keyed(keys[0])), (Some(&'b'), None));
}

#[cfg(all(feature = "mapped", not(miri)))]
#[test]
fn reset_decommit_ends_every_key() {
    let mut arena = AtomicArena::mapped(4).build().unwrap();
    let mut stale = Vec::new();
    for round in 0..120 {
        stale.push(arena.publish_keyed(round).unwrap().0);
        if round % 3 == 0 {
            // `reset` ends the epoch of the key, so `reset_decommit` then ends an epoch without
            // keys or values.
            arena.reset();
        }
        arena.reset_decommit().unwrap();
        arena.publish(round).unwrap();
        assert!(stale.iter().all(|&key| arena.get_keyed(key).is_none()));
        stale.push(arena.publish_keyed(round).unwrap().0);
        assert_eq!(arena.get_keyed(*stale.last().unwrap()), Some(&round));
        arena.reset();
    }
}

#[test]
fn a_panic_in_a_drop_still_ends_every_key() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "planned");
        }
    }
    let mut arena = AtomicArena::with_capacity(2);
    let keys = publish(&arena, [Bomb(true), Bomb(false)]);
    assert_eq!(panic_of(|| arena.reset()), "planned");
    publish(&arena, [Bomb(false), Bomb(false)]);
    assert!(keys.iter().all(|&key| arena.get_keyed(key).is_none()));
}

#[test]
fn methods_that_leave_values_in_place_keep_their_keys() {
    let mut arena = AtomicArena::with_capacity(64);
    let keys = publish(&arena, [1, 2]);
    arena.alloc(3).unwrap();
    mem::forget(arena.reserve(2));
    let mut local = arena.local();
    local.publish(4).unwrap();
    mem::forget(local);
    assert_eq!(arena.get_mut(0), Some(&mut 1)); // settles the leaked handle
    arena.iter_mut().for_each(|(_, value)| *value += 10);
    arena.publish_all();
    arena.fill_default();
    arena.as_mut_slice().unwrap()[1] += 10;
    assert_eq!((arena.get_keyed(keys[0]), arena.get_keyed(keys[1])), (Some(&11), Some(&22)));
}

// ---- which arena a key belongs to

#[test]
fn a_key_of_another_arena_finds_nothing() {
    let arenas: [AtomicArena<_>; 3] = std::array::from_fn(|_| AtomicArena::with_capacity(2));
    let keys: Vec<_> = arenas.iter().enumerate().map(|(i, arena)| arena.publish_keyed(i).unwrap().0).collect();
    for (i, arena) in arenas.iter().enumerate() {
        let found: Vec<_> = keys.iter().map(|&key| arena.get_keyed(key)).collect();
        assert_eq!(found.iter().flatten().collect::<Vec<_>>(), [&&i]);
        assert_eq!(found[i], Some(&i));
    }
    let without = AtomicArena::with_capacity(2);
    without.publish(7).unwrap();
    assert!(keys.iter().all(|&key| without.get_keyed(key).is_none()));
}

#[test]
fn keys_remain_valid_when_the_arena_moves() {
    let arena = StaticArena::<_, 2>::new();
    let (key, _) = arena.publish_keyed('a').unwrap();
    let mut boxed = Box::new(arena);
    assert_eq!(boxed.get_keyed(key), Some(&'a'));
    let other = StaticArena::new();
    let (other_key, _) = other.publish_keyed('b').unwrap();
    let arena = mem::replace(&mut *boxed, other);
    assert_eq!((arena.get_keyed(key), arena.get_keyed(other_key)), (Some(&'a'), None));
    assert_eq!((boxed.get_keyed(key), boxed.get_keyed(other_key)), (None, Some(&'b')));
}

#[test]
fn keys_follow_their_values_when_arenas_are_swapped() {
    let (mut one, mut two) = (AtomicArena::with_capacity(1), AtomicArena::with_capacity(1));
    let (first, second) = (publish(&one, [1])[0], publish(&two, [2])[0]);
    mem::swap(&mut one, &mut two);
    assert_eq!((one.get_keyed(first), one.get_keyed(second)), (None, Some(&2)));
    assert_eq!((two.get_keyed(first), two.get_keyed(second)), (Some(&1), None));
    one.reset();
    one.publish(3).unwrap();
    assert_eq!((one.get_keyed(second), two.get_keyed(first)), (None, Some(&1)));
}

#[test]
fn a_new_arena_at_the_same_address_has_other_keys() {
    let mut bytes = [MaybeUninit::uninit(); 64];
    let mut place = Some(StaticArena::<u8, 2>::new());
    let (mut stale, mut stale_in_place) = (Vec::new(), Vec::new());
    for round in 0..scaled(60, 3) as u8 {
        let arena = AtomicArena::<u8, _>::in_bytes(&mut bytes).unwrap();
        let in_place = place.insert(StaticArena::new());
        stale.push(arena.publish_keyed(round).unwrap().0);
        stale_in_place.push(in_place.publish_keyed(round).unwrap().0);
        let live = |key: &&Key<u8>| arena.get_keyed(**key).is_some();
        assert_eq!(stale.iter().rev().find(live), stale.last());
        assert_eq!(stale.iter().filter(live).count(), 1);
        assert_eq!(stale_in_place.iter().filter(|&&key| in_place.get_keyed(key).is_some()).count(), 1);
        assert!(stale_in_place.iter().all(|key| !live(&key)));
    }
}

#[test]
fn threads_that_race_for_the_first_key_get_one_epoch() {
    let mut arena = AtomicArena::with_capacity(8);
    let mut stale = Vec::new();
    for _ in 0..scaled(200, 2) {
        let keys: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    scope.spawn({
                        let arena = &arena;
                        move || publish(arena, [n, n + 10])
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let found: Vec<_> = keys.iter().map(|&key| *arena.get_keyed(key).unwrap()).collect();
        assert_eq!(found, [0, 10, 1, 11, 2, 12, 3, 13]);
        assert!((0..8).all(|index| keys.contains(&arena.key_at(index).unwrap())));
        assert!(stale.iter().all(|&key| arena.get_keyed(key).is_none()));
        stale.extend(keys);
        arena.reset();
    }
}

// ---- serialization

#[cfg(feature = "serde")]
mod data {
    use super::*;

    fn there_and_back<A: serde_core::Serialize, B: serde_core::de::DeserializeOwned>(what: A) -> Option<B> {
        postcard::from_bytes(&postcard::to_allocvec(&what).unwrap()).ok()
    }

    fn again<T>(key: Key<T>) -> Key<T> {
        there_and_back(key).unwrap()
    }

    fn numbers<T>(key: Key<T>) -> (u64, usize) {
        there_and_back(key).unwrap()
    }

    #[test]
    fn a_deserialized_key_is_as_valid_or_stale_as_the_original() {
        let mut arena = AtomicArena::with_capacity(2);
        let keys = publish(&arena, ['a', 'b']);
        let back: Vec<_> = keys.iter().copied().map(again).collect();
        assert_eq!((&back, arena.get_keyed(back[1])), (&keys, Some(&'b')));
        arena.reset();
        publish(&arena, ['c', 'd']);
        assert_eq!((arena.get_keyed(back[0]), arena.get_keyed(again(keys[1]))), (None, None));
        let other = AtomicArena::with_capacity(2);
        publish(&other, ['e', 'f']);
        assert_eq!(other.get_keyed(back[1]), None);
    }

    #[test]
    fn a_key_is_serialized_as_a_pair_of_numbers() {
        struct Mute;
        let arena = AtomicArena::with_capacity(2);
        let keys = publish(&arena, [Mute, Mute]);
        let (generation, index) = numbers(keys[1]);
        assert!((1..=u64::MAX >> 1).contains(&generation) && index == 1);
        assert_eq!(numbers(keys[0]), (generation, 0));
    }

    #[test]
    fn a_forged_key_finds_only_published_values() {
        let mut arena = AtomicArena::with_capacity(3);
        let (key, _) = arena.publish_keyed(1).unwrap();
        arena.alloc(2).unwrap();
        for index in [1, 2, 3, usize::MAX] {
            let made_up: Key<i32> = there_and_back((numbers(key).0, index)).unwrap();
            assert_eq!(arena.get_keyed(made_up), None);
            assert_eq!(arena.get_keyed_mut(made_up), None);
        }
    }

    #[test]
    fn an_invalid_key_is_refused() {
        assert_eq!(there_and_back::<_, Key<u8>>((0_u64, 1_usize)), None);
        assert_eq!(there_and_back::<_, Key<u8>>(1_u8), None);
        assert!(there_and_back::<_, Key<u8>>((1_u64, 0_usize)).is_some());
    }
}
