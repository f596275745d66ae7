//! The subjects for the measurements of reading.

use std::sync::Mutex;

use append_only_vec::AppendOnlyVec;
use atomicarena::AtomicArena;
use elsa::sync::LockFreeFrozenVec;
use orx_concurrent_vec::{ConcurrentElement, ConcurrentVec};
use orx_fixed_vec::FixedVec;

use super::ours::refused;
use crate::{
    reading::{Readable, Reading, turn},
    subject::Kind,
    work::Element,
};

/// The digest that stands for a value that could not be read. No value has this digest.
const NOTHING: u64 = u64::MAX;

/// A subject for readers, without its type.
pub struct Reader {
    pub name: &'static str,
    pub kind: Kind,
    pub turn: fn(&Reading, u64) -> anyhow::Result<f64>,
}

pub fn readers<T: Element + Copy>() -> Vec<Reader> {
    macro_rules! readers {
        ($($kind:ident $subject:ty),* $(,)?) => {
            vec![$(Reader {
                name: <$subject as Readable<T>>::NAME,
                kind: Kind::$kind,
                turn: turn::<T, $subject>,
            }),*]
        };
    }
    readers!(
        Ours AtomicArena<T>,
        Limit Plain<T>,
        Peer boxcar::Vec<T>,
        Peer AppendOnlyVec<T>,
        Peer Elsa<T>,
        Peer OrxVec<T>,
        Peer OrxVecUnchecked<T>,
    )
}

fn made<T: Element>(seed: u64, len: usize) -> impl Iterator<Item = T> {
    (0..len as u64).map(move |index| T::make(seed.wrapping_add(index)))
}

fn tally(digests: impl Iterator<Item = u64>) -> (usize, u64) {
    crate::subject::tally(digests).unwrap_or_default()
}

impl<T: Element> Readable<T> for AtomicArena<T> {
    const NAME: &'static str = "AtomicArena";

    fn filled(seed: u64, len: usize, room: usize) -> Self {
        let arena = Self::with_capacity(len + room);
        made(seed, len).for_each(|value| Readable::publish(&arena, value));
        arena
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        Self::get(self, index).map_or(NOTHING, T::digest)
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        tally(self.iter().map(|(_, value)| value.digest()))
    }

    fn publish(&self, value: T) {
        if Self::publish(self, value).is_err() {
            refused();
        }
    }
}

/// A plain vector, to which no thread may push while it is read. So the publisher pushes to a
/// second vector.
pub struct Plain<T> {
    read: Vec<T>,
    pushed: Mutex<Vec<T>>,
}

impl<T: Element> Readable<T> for Plain<T> {
    const NAME: &'static str = "a plain Vec, nothing pushed to it";

    fn filled(seed: u64, len: usize, room: usize) -> Self {
        Self { read: made(seed, len).collect(), pushed: Mutex::new(Vec::with_capacity(room)) }
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        self.read.get(index).map_or(NOTHING, T::digest)
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        tally(self.read.iter().map(T::digest))
    }

    fn publish(&self, value: T) {
        self.pushed.lock().expect("no thread panicked").push(value);
    }
}

impl<T: Element> Readable<T> for boxcar::Vec<T> {
    const NAME: &'static str = "boxcar";

    fn filled(seed: u64, len: usize, room: usize) -> Self {
        let vec = Self::with_capacity(len + room);
        made(seed, len).for_each(|value| Readable::publish(&vec, value));
        vec
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        Self::get(self, index).map_or(NOTHING, T::digest)
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        tally(self.iter().map(|(_, value)| value.digest()))
    }

    fn publish(&self, value: T) {
        self.push(value);
    }
}

impl<T: Element> Readable<T> for AppendOnlyVec<T> {
    const NAME: &'static str = "append-only-vec";

    fn filled(seed: u64, len: usize, _: usize) -> Self {
        let vec = Self::new();
        made(seed, len).for_each(|value| Readable::publish(&vec, value));
        vec
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        // `AppendOnlyVec` has no `get`. Indexing contains the bounds check, and panics if it fails.
        self[index].digest()
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        tally(self.iter().map(T::digest))
    }

    fn publish(&self, value: T) {
        self.push(value);
    }
}

pub struct Elsa<T: Copy>(LockFreeFrozenVec<T>);

impl<T: Element + Copy> Readable<T> for Elsa<T> {
    const NAME: &'static str = "elsa, lock-free (copies)";

    fn filled(seed: u64, len: usize, _: usize) -> Self {
        let vec = Self(LockFreeFrozenVec::new());
        made(seed, len).for_each(|value| vec.publish(value));
        vec
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        self.0.get(index).map_or(NOTHING, |value| value.digest())
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        tally((0..self.0.len()).map(|index| self.get(index)))
    }

    fn publish(&self, value: T) {
        self.0.push(value);
    }
}

pub struct OrxVec<T>(ConcurrentVec<T, FixedVec<ConcurrentElement<T>>>);

impl<T: Element> Readable<T> for OrxVec<T> {
    const NAME: &'static str = "orx-concurrent-vec, fixed";

    fn filled(seed: u64, len: usize, room: usize) -> Self {
        let vec = Self(ConcurrentVec::with_fixed_capacity(len + room));
        made(seed, len).for_each(|value| vec.publish(value));
        vec
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        self.0.get(index).map_or(NOTHING, |element| element.map(T::digest))
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        tally(self.0.iter().map(|element| element.map(T::digest)))
    }

    fn publish(&self, value: T) {
        self.0.push(value);
    }
}

/// The same vector, through its unsafe methods, whose caller must ensure that no element changes.
pub struct OrxVecUnchecked<T>(OrxVec<T>);

impl<T: Element> Readable<T> for OrxVecUnchecked<T> {
    const NAME: &'static str = "orx-concurrent-vec, unsafe get_ref";

    fn filled(seed: u64, len: usize, room: usize) -> Self {
        Self(OrxVec::filled(seed, len, room))
    }

    #[inline(always)]
    fn get(&self, index: usize) -> u64 {
        // SAFETY: elements are pushed and never written to again.
        unsafe { self.0.0.get_ref(index) }.map_or(NOTHING, T::digest)
    }

    #[inline(always)]
    fn walk(&self) -> (usize, u64) {
        // SAFETY: elements are pushed and never written to again.
        tally(unsafe { self.0.0.iter_ref() }.map(T::digest))
    }

    fn publish(&self, value: T) {
        self.0.publish(value);
    }
}
