//! Containers to which all threads push.

use append_only_vec::AppendOnlyVec;
use elsa::sync::LockFreeFrozenVec;
use orx_concurrent_bag::ConcurrentBag;
use orx_concurrent_vec::{ConcurrentElement, ConcurrentVec};
use orx_fixed_vec::FixedVec;
use sharded_slab::Slab;

use crate::{
    subject::{Plan, Subject, tally},
    work::Element,
};

/// The digest that stands for a value that could not be read. Practically no value has this digest.
const NOTHING: u64 = u64::MAX;

pub struct Boxcar<T>(boxcar::Vec<T>);

impl<T: Element> Subject<T> for Boxcar<T> {
    const NAME: &'static str = "boxcar";
    const RESETS: bool = true;
    type Handle<'a> = &'a boxcar::Vec<T>;
    type Place = usize;

    fn with_room(plan: &Plan) -> Self {
        Self(boxcar::Vec::with_capacity(plan.puts * plan.threads))
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, value: T) -> usize {
        vec.push(value)
    }

    fn look(&self, place: usize) -> u64 {
        self.0.get(place).map_or(NOTHING, T::digest)
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.iter().map(|(_, value)| value.digest()))
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

pub struct AppendOnly<T>(AppendOnlyVec<T>);

impl<T: Element> Subject<T> for AppendOnly<T> {
    const NAME: &'static str = "append-only-vec";
    type Handle<'a> = &'a AppendOnlyVec<T>;
    type Place = usize;

    fn with_room(_: &Plan) -> Self {
        Self(AppendOnlyVec::new())
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, value: T) -> usize {
        vec.push(value)
    }

    fn look(&self, place: usize) -> u64 {
        self.0[place].digest()
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.iter().map(T::digest))
    }
}

pub struct Elsa<T: Copy>(LockFreeFrozenVec<T>);

impl<T: Element + Copy> Subject<T> for Elsa<T> {
    const NAME: &'static str = "elsa, lock-free";
    type Handle<'a> = &'a LockFreeFrozenVec<T>;
    type Place = usize;

    fn with_room(_: &Plan) -> Self {
        Self(LockFreeFrozenVec::new())
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, value: T) -> usize {
        vec.push(value)
    }

    fn look(&self, place: usize) -> u64 {
        self.0.get(place).map_or(NOTHING, |value| value.digest())
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally((0..self.0.len()).map(|index| self.0.get(index).map_or(NOTHING, |v| v.digest())))
    }
}

pub struct OrxBag<T>(ConcurrentBag<T, FixedVec<T>>);

impl<T: Element> Subject<T> for OrxBag<T> {
    const NAME: &'static str = "orx-concurrent-bag, fixed";
    // In version 4.0.1, `get` depends on a length that each thread stores after it has written. A
    // thread that is late can replace a greater length with a smaller one. If no later push raises
    // it again, `get` never finds the values above it. The walk in `contents` finds all values.
    const LOOKS: bool = false;
    const RESETS: bool = true;
    type Handle<'a> = &'a ConcurrentBag<T, FixedVec<T>>;
    type Place = usize;

    fn with_room(plan: &Plan) -> Self {
        Self(ConcurrentBag::with_fixed_capacity(plan.puts * plan.threads))
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(bag: &mut Self::Handle<'_>, value: T) -> usize {
        bag.push(value)
    }

    fn look(&self, place: usize) -> u64 {
        // SAFETY: only the thread that pushed the value looks at it, and no thread writes to it
        // again.
        unsafe { self.0.get(place) }.map_or(NOTHING, T::digest)
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.iter_mut().map(|value| value.digest()))
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

pub struct OrxVec<T>(ConcurrentVec<T, FixedVec<ConcurrentElement<T>>>);

impl<T: Element> Subject<T> for OrxVec<T> {
    const NAME: &'static str = "orx-concurrent-vec, fixed";
    const RESETS: bool = true;
    type Handle<'a> = &'a ConcurrentVec<T, FixedVec<ConcurrentElement<T>>>;
    type Place = usize;

    fn with_room(plan: &Plan) -> Self {
        Self(ConcurrentVec::with_fixed_capacity(plan.puts * plan.threads))
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, value: T) -> usize {
        vec.push(value)
    }

    fn look(&self, place: usize) -> u64 {
        self.0.get(place).map_or(NOTHING, |element| element.map(T::digest))
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.iter().map(|element| element.map(T::digest)))
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

pub struct ShardedSlab<T>(Slab<T>);

impl<T: Element> Subject<T> for ShardedSlab<T> {
    const NAME: &'static str = "sharded-slab";
    type Handle<'a> = &'a Slab<T>;
    type Place = usize;

    fn with_room(_: &Plan) -> Self {
        Self(Slab::new())
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(slab: &mut Self::Handle<'_>, value: T) -> usize {
        slab.insert(value).expect("a slab has room for any plan")
    }

    fn look(&self, place: usize) -> u64 {
        self.0.get(place).map_or(NOTHING, |value| value.digest())
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.unique_iter().map(T::digest))
    }
}
