//! An iterator that reports a wrong length, and that uses the arena or panics before one of its
//! values.

use std::cell::Cell;

use atomicarena::Storage;

use super::ground::Ground;
use super::local::{Known, Slots};
use super::op::Act;
use super::value::Value;

/// The calls that the iterator received, and the values that it yielded.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The number of slots that the tested method takes just before its first call of `next`.
    /// `None` if it fills a handle that already has the slots, and after the first call of `next`.
    pub(crate) fills: Option<usize>,
    pub(super) slots: Option<Slots>,
    pub(crate) calls: usize,
    pub(crate) asked_len: Cell<usize>,
    pub(crate) tags: Vec<u32>,
}

pub(crate) struct LyingIter<'g, 'a, 'o, T: Value, S: Storage<T>> {
    pub(crate) ground: &'g mut Ground<'a, 'o, T, S>,
    /// What is known of the `Local` that takes the slots, if one does.
    pub(super) known: Option<&'g mut Known>,
    pub(crate) log: &'g mut Log,
    /// The first result of `len`. Later results differ.
    pub(crate) says: usize,
    /// The number of values.
    pub(crate) has: usize,
    /// The number of the call of `next` that runs `act`, counted from 0.
    pub(crate) at: usize,
    pub(crate) act: Act,
}

impl<T: Value, S: Storage<T>> Iterator for LyingIter<'_, '_, '_, T, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.log.calls += 1;
        if let Some(len) = self.log.fills.take() {
            self.log.slots = Some(self.ground.begin_fill(self.known.as_deref_mut(), len));
        }
        if self.log.calls == self.at + 1 {
            self.ground.act(self.act);
        }
        // The iterator is not fused. After its first `None`, it would yield values again.
        (self.log.calls != self.has + 1).then(|| {
            let tag = self.ground.oracle.tag();
            self.log.tags.push(tag);
            T::new(tag)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.says.wrapping_sub(3), Some(self.has / 2))
    }
}

impl<T: Value, S: Storage<T>> ExactSizeIterator for LyingIter<'_, '_, '_, T, S> {
    fn len(&self) -> usize {
        let asked = &self.log.asked_len;
        asked.set(asked.get() + 1);
        self.says.wrapping_add(asked.get() - 1)
    }
}
