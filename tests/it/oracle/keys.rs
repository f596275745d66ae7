//! Keys of every epoch and of other arenas. Each finds the value for which it was created, or none.

use atomicarena::{AtomicArena, Key, Storage};

use super::expected::Oracle;
use super::value::Value;

/// The number of keys tried after each step, in turn.
const AT_A_TIME: usize = 16;

/// The number of keys created in each of the other arenas.
const STRANGERS: u32 = 4;

#[derive(Debug)]
pub(crate) struct Keys<T> {
    /// Each key with the oracle's number of its epoch, or `None` for a key of another arena.
    all: Vec<(Option<usize>, Key<T>)>,
    turn: usize,
}

impl<T: Value> Keys<T> {
    pub(crate) fn new() -> Self {
        Keys { all: Vec::new(), turn: 0 }
    }

    /// Keeps the key of a value of the current epoch.
    pub(crate) fn keep(&mut self, oracle: &Oracle, key: Key<T>) {
        if let Some(&(epoch, before)) = self.all.iter().rev().find(|(epoch, _)| epoch.is_some()) {
            let same = epoch == Some(oracle.epoch);
            // Keys are ordered by epoch, and then by index.
            let order = if same { before.index().cmp(&key.index()) } else { std::cmp::Ordering::Less };
            assert_eq!((before.cmp(&key), before == key), (order, order.is_eq()), "{before:?} and {key:?}");
        }
        self.all.push((Some(oracle.epoch), key));
    }

    pub(crate) fn keep_all<S: Storage<T>>(&mut self, arena: &AtomicArena<T, S>, oracle: &Oracle) {
        for (index, _) in arena.iter() {
            self.keep(oracle, arena.key_at(index).unwrap());
        }
    }

    /// Creates keys in another arena, and checks that no earlier key finds a value there. The other
    /// arena is then dropped.
    pub(crate) fn make_strangers(&mut self) {
        let other = AtomicArena::with_capacity(STRANGERS as usize);
        for tag in 0..STRANGERS {
            let (key, value) = other.publish_keyed(T::new(tag)).unwrap();
            assert!(other.get_keyed(key).is_some_and(|got| std::ptr::eq(got, value)));
            assert!(self.all.iter().all(|&(epoch, before)| other.get_keyed(before).is_none() || epoch.is_none()));
            self.all.push((None, key));
        }
        let (before, own) = self.all.split_at(self.all.len() - STRANGERS as usize);
        assert!(before.iter().all(|&(_, key)| other.get_keyed(key).is_none()));
        assert!(own.iter().all(|&(_, key)| other.get_keyed(key).is_some()));
    }

    /// Returns the key with this number, and the tag that it must find.
    pub(crate) fn pick(&self, oracle: &Oracle, which: usize) -> Option<(Key<T>, Option<u32>)> {
        let &(epoch, key) = self.all.get(which.checked_rem(self.all.len())?)?;
        let now = epoch == Some(oracle.epoch);
        let tag = oracle.published(key.index()).filter(|_| now);
        assert_eq!(tag.is_some(), now, "a value with a key is no longer published in its epoch");
        Some((key, tag))
    }

    /// Tries some of the keys.
    pub(crate) fn look<S: Storage<T>>(&mut self, arena: &AtomicArena<T, S>, oracle: &Oracle) {
        for _ in 0..AT_A_TIME.min(self.all.len()) {
            self.turn += 1;
            self.try_one(arena, oracle, self.turn);
        }
    }

    pub(crate) fn look_at_all<S: Storage<T>>(&self, arena: &mut AtomicArena<T, S>, oracle: &Oracle) {
        for which in 0..self.all.len() {
            self.try_one(arena, oracle, which);
            let (key, want) = self.pick(oracle, which).unwrap();
            let got = arena.get_keyed_mut(key);
            assert_eq!(got.is_some(), want.is_some(), "{key:?} leads to {got:?}");
            assert!(got.is_none_or(|value| value.shows(want.unwrap())));
        }
    }

    fn try_one<S: Storage<T>>(&self, arena: &AtomicArena<T, S>, oracle: &Oracle, which: usize) {
        let Some((key, want)) = self.pick(oracle, which) else { return };
        let got = arena.get_keyed(key);
        assert_eq!(got.is_some(), want.is_some(), "{key:?} leads to {got:?}");
        assert!(got.is_none_or(|value| value.shows(want.unwrap())));
    }
}
