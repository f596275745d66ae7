//! Keys: threads that race to create the first key of an epoch, E1 through a key, and the keys of
//! two arenas.

use super::*;

#[test]
fn two_first_keys_are_of_one_epoch() {
    explore(2, |ground| {
        fn keyed(ground: &Ground) -> Key<u32> {
            let key = ground.arena.key_at(ground.publish().unwrap()).unwrap();
            assert!(ground.arena.get_keyed(key).is_some(), "a new key finds nothing");
            key
        }
        let other = spawn(&ground, keyed);
        let keys = [keyed(&ground), other.join().unwrap()];
        assert!(
            keys.iter().all(|key| ground.arena.get_keyed(*key).is_some_and(|value| *value as usize == key.index()))
        );
        let ground = &mut Arc::try_unwrap(ground).ok().unwrap();
        ground.arena.reset();
        ground.publish().unwrap();
        assert!(keys.iter().all(|key| ground.arena.get_keyed(*key).is_none()));
    });
}

#[test]
fn e1_key_to_get_key() {
    explore(1, |ground| {
        let other = spawn(&ground, |ground| ground.publish().and_then(|index| ground.arena.key_at(index)).unwrap());
        let mine = ground.arena.key_at(0);
        if let Some(key) = mine {
            assert_eq!(ground.arena.get_keyed(key), Some(&0));
            ground.read(0);
        }
        let theirs = other.join().unwrap();
        assert!(mine.is_none_or(|mine| mine == theirs));
        assert_eq!(ground.arena.get_keyed(theirs), Some(&0));
    });
}

#[test]
fn the_first_keys_of_two_arenas_differ() {
    loom::model(|| {
        fn first_key() -> (AtomicArena<u32>, Key<u32>) {
            let arena = AtomicArena::with_capacity(1);
            let (key, _) = arena.publish_keyed(0).unwrap();
            (arena, key)
        }
        let other = thread::spawn(first_key);
        let ((arena, mine), (_, theirs)) = (first_key(), other.join().unwrap());
        assert!(arena.get_keyed(mine).is_some() && arena.get_keyed(theirs).is_none());
    });
}
