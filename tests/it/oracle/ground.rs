//! A shared arena and its oracle, and the operations that need no open handle. User code performs
//! such operations too, in the middle of the call that runs it.

use atomicarena::{AtomicArena, Full, Iter, Key, Reservation, Storage};

use super::expected::{Oracle, Place, Returned, Slot};
use super::keys::Keys;
use super::local::Slots;
use super::look::numbers as look_at_numbers;
use super::op::{Act, Bulk, Inner, One, Probe};
use super::source::Stored;
use super::value::{Value, catch, panic_as_planned};

pub(crate) struct Ground<'a, 'o, T, S: Storage<T>> {
    pub(crate) arena: &'a AtomicArena<T, S>,
    pub(crate) oracle: &'o mut Oracle,
    pub(super) keys: &'o mut Keys<T>,
    /// References to owned values with their indices, kept as long as the arena is shared.
    pub(super) owned: Vec<(usize, &'a mut T)>,
    /// References to published values.
    pub(super) seen: Vec<(usize, &'a T)>,
    /// An iterator that was created earlier, and the indices that it has yet to visit.
    pub(super) iter: Option<(Iter<'a, T>, std::ops::Range<usize>)>,
    /// The number of full inspections so far.
    pub(super) looks: usize,
}

impl<'a, 'o, T: Value, S: Storage<T>> Ground<'a, 'o, T, S> {
    pub(crate) fn new(arena: &'a AtomicArena<T, S>, oracle: &'o mut Oracle, keys: &'o mut Keys<T>) -> Self {
        Ground { arena, oracle, keys, owned: Vec::new(), seen: Vec::new(), iter: None, looks: 0 }
    }

    // ---- one value

    pub(crate) fn one(&mut self, one: One, act: Act) {
        match one {
            One::Alloc => self.alloc(),
            One::AllocWith => self.alloc_with(act),
            One::TryWith { fails } => self.alloc_try_with(fails, act),
            One::Publish => self.publish(),
            One::PublishWith => self.publish_with(act),
            One::Keyed => self.publish_keyed(),
        }
    }

    fn alloc(&mut self) {
        let tag = self.oracle.tag();
        match (self.arena.alloc(T::new(tag)), self.oracle.take_one()) {
            (Ok(value), Some(place)) => self.keep_owned(place, value, tag),
            (Err(full), None) => one_came_back(full, tag),
            (got, place) => panic!("alloc: {got:?}, and not {place:?}"),
        }
    }

    fn publish(&mut self) {
        let tag = self.oracle.tag();
        match (self.arena.publish(T::new(tag)), self.oracle.take_one()) {
            (Ok((index, value)), Some(place)) => self.keep_published(place, index, value, tag),
            (Err(full), None) => one_came_back(full, tag),
            (got, place) => panic!("publish: {got:?}, and not {place:?}"),
        }
    }

    fn publish_keyed(&mut self) {
        let tag = self.oracle.tag();
        match (self.arena.publish_keyed(T::new(tag)), self.oracle.take_one()) {
            (Ok((key, value)), Some(place)) => {
                self.keep_published(place, key.index(), value, tag);
                self.keep_key(key, value);
            }
            (Err(full), None) => one_came_back(full, tag),
            (got, place) => panic!("publish_keyed: {got:?}, and not {place:?}"),
        }
    }

    pub(crate) fn keep_key(&mut self, key: Key<T>, value: &'a T) {
        assert_eq!(self.arena.key_at(key.index()), Some(key));
        assert!(self.arena.get_keyed(key).is_some_and(|got| std::ptr::eq(got, value)));
        self.keys.keep(self.oracle, key);
    }

    fn alloc_with(&mut self, act: Act) {
        let (arena, tag, place) = (self.arena, self.oracle.tag(), self.oracle.take_one());
        let mut calls = 0;
        let make = || {
            calls += 1;
            self.act(act);
            T::new(tag)
        };
        let done = catch(|| arena.alloc_with(make).map_err(Full::discard));
        assert_eq!(calls, usize::from(place.is_some()));
        match (done, place) {
            (Some(Ok(value)), Some(place)) => self.keep_owned(place, value, tag),
            (Some(Err(full)), None) => refused(&full, 1, 0),
            (None, Some(place)) => self.return_place(place),
            (got, place) => panic!("alloc_with: {got:?}, and not {place:?}"),
        }
    }

    /// Passes a closure that returns a value, fails with one, or panics. A full arena returns the
    /// closure without calling it.
    fn alloc_try_with(&mut self, fails: bool, act: Act) {
        let (arena, tag, place) = (self.arena, self.oracle.tag(), self.oracle.take_one());
        let mut calls = 0;
        let make = || {
            calls += 1;
            self.act(act);
            if fails { Err(T::new(tag)) } else { Ok(T::new(tag)) }
        };
        let done = catch(|| arena.alloc_try_with(make).map_err(Full::discard));
        assert_eq!(calls, usize::from(place.is_some()));
        match (done, place) {
            (Some(Ok(Ok(value))), Some(place)) if !fails => self.keep_owned(place, value, tag),
            (Some(Ok(Err(failed))), Some(place)) if fails => {
                assert!(failed.shows(tag));
                assert_eq!(arena.index_of(&failed), None);
                self.return_place(place);
            }
            (Some(Err(full)), None) => refused(&full, 1, 0),
            (None, Some(place)) => self.return_place(place),
            (got, place) => panic!("alloc_try_with: {got:?}, and not {place:?}"),
        }
    }

    fn publish_with(&mut self, act: Act) {
        let (arena, tag, place) = (self.arena, self.oracle.tag(), self.oracle.take_one());
        let mut run = None;
        let make = |index| {
            let place = place.clone().expect("called although no slot was free");
            run = Some(self.oracle.resolve(place, index));
            self.act(act);
            T::new(tag)
        };
        let done = catch(|| arena.publish_with(make).map_err(Full::discard));
        match (done, run) {
            (Some(Ok((index, value))), Some(run)) => self.keep_published(Place::Run(run), index, value, tag),
            (Some(Err(full)), None) => {
                assert!(place.is_none());
                refused(&full, 1, 0);
            }
            (None, Some(run)) => self.oracle.return_run(run),
            (got, run) => panic!("publish_with: {got:?}, and not {run:?}"),
        }
    }

    /// Records that a place was returned.
    pub(super) fn return_place(&mut self, place: Place) {
        if let Returned::Unclear(len) = self.oracle.return_place(place, self.arena.index_bound()) {
            // The oracle does not know whether the slots extended the rest of the shard or became
            // vacant. The shard serves the next request, whose index shows where the rest now
            // begins.
            let run = self.arena.reserve(1).expect("the shard has a slot");
            self.oracle.decide(len, run.first_index());
            let place = self.oracle.take_one().unwrap();
            let slots = self.oracle.resolve(place, run.first_index());
            self.end_unfilled(slots, run);
        }
    }

    // ---- user code

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Return => {}
            Act::Panic => panic_as_planned(),
            Act::Reenter(inner) => self.reenter(inner),
            Act::ReenterAndPanic(inner) => {
                self.reenter(inner);
                panic_as_planned();
            }
        }
    }

    fn reenter(&mut self, inner: Inner) {
        match inner {
            Inner::Alloc => self.alloc(),
            Inner::Publish => self.publish(),
            Inner::Keyed => self.publish_keyed(),
            Inner::Slice => self.bulk(Bulk::clones(2), None),
            Inner::PanicInside => self.alloc_with(Act::Panic),
            Inner::FailInside => self.alloc_try_with(true, Act::Return),
            Inner::Local => self.brief_local(),
            Inner::Probe(probe) => self.probe(probe),
        }
        look_at_numbers(self.arena, self.oracle);
    }

    /// Allocates through a short-lived `Local` between two steps of another operation.
    fn brief_local(&mut self) {
        let mut local = self.arena.local();
        let tag = self.oracle.tag();
        let (start, capacity) = (self.oracle.bound, self.oracle.capacity());
        let got = local.alloc(T::new(tag));
        let place = match self.arena.index_bound() - start {
            0 if start == capacity => self.oracle.take_below_cursor(),
            len => {
                assert!((1..=((capacity - start) / 16).max(1)).contains(&len), "a run of {len}");
                Some(Place::Run(self.oracle.take_from_cursor(len)))
            }
        };
        match (got, place) {
            (Ok(value), Some(place)) => {
                // All slots except the first are returned immediately.
                drop(local);
                self.keep(None, Slots::Arena(place), Stored::Owned(std::slice::from_mut(value)), &[tag]);
            }
            (Err(full), None) => one_came_back(full, tag),
            (got, place) => panic!("alloc in a local: {got:?}, and not {place:?}"),
        }
    }

    /// Takes every free slot one by one, and checks that there are exactly as many as predicted.
    pub(crate) fn probe(&mut self, probe: Probe) {
        let mut runs = Vec::new();
        let free = self.oracle.remaining();
        for _ in 0..free {
            let run = self.arena.reserve(1).expect("a free slot was refused");
            let place = self.oracle.take_one().unwrap();
            runs.push((self.oracle.resolve(place, run.first_index()), run));
        }
        refused(&self.arena.reserve(1).unwrap_err(), 1, 0);
        assert!(self.oracle.take_one().is_none() && self.arena.is_full());
        match probe {
            Probe::Return => runs.into_iter().for_each(|(run, it)| self.end_unfilled(run, it)),
            Probe::ReturnReversed => runs.into_iter().rev().for_each(|(run, it)| self.end_unfilled(run, it)),
            Probe::Holes => {
                for (run, it) in runs {
                    match run.start % 2 {
                        0 => self.end_unfilled(run, it),
                        _ => self.end_published(run, it),
                    }
                }
            }
            Probe::Keep => runs.into_iter().for_each(|(run, it)| self.end_published(run, it)),
        }
    }

    fn end_unfilled(&mut self, run: std::ops::Range<usize>, reservation: Reservation<'a, T>) {
        drop(reservation);
        self.oracle.return_run(run);
    }

    fn end_published(&mut self, run: std::ops::Range<usize>, mut reservation: Reservation<'a, T>) {
        let tag = self.oracle.tag();
        assert!(reservation.push(T::new(tag)).is_ok());
        let (index, slice) = reservation.publish();
        self.keep_published(Place::Run(run), index, &slice[0], tag);
    }

    // ---- stored values

    pub(crate) fn keep_owned(&mut self, place: Place, value: &'a mut T, tag: u32) {
        let index = self.arena.index_of(value).expect("it lies in a slot");
        let run = self.oracle.resolve(place, index);
        assert_eq!(run.len(), 1);
        self.put_owned(index, value, tag);
    }

    pub(crate) fn put_owned(&mut self, index: usize, value: &'a mut T, tag: u32) {
        assert!(value.shows(tag));
        self.oracle.put(index, Slot::Owned(tag));
        self.owned.push((index, value));
    }

    pub(crate) fn keep_published(&mut self, place: Place, index: usize, value: &'a T, tag: u32) {
        let run = self.oracle.resolve(place, index);
        assert_eq!(run.len(), 1);
        self.put_published(index, value, tag);
    }

    pub(crate) fn put_published(&mut self, index: usize, value: &'a T, tag: u32) {
        assert!(value.shows(tag));
        assert_eq!(self.arena.index_of(value), Some(index));
        self.oracle.put(index, Slot::Published(tag));
        self.seen.push((index, value));
    }

    /// Writes to an owned value through the reference of its owner.
    pub(crate) fn touch(&mut self, which: usize) {
        let Some(which) = which.checked_rem(self.owned.len()) else { return };
        let tag = self.oracle.tag();
        let (index, value) = &mut self.owned[which];
        value.set(tag);
        self.oracle.slots[*index] = Slot::Owned(tag);
    }
}

pub(crate) fn refused<V>(full: &Full<V>, requested: usize, remaining: usize) {
    assert_eq!((full.requested(), full.remaining()), (requested, remaining));
}

pub(crate) fn one_came_back<T: Value>(full: Full<T>, tag: u32) {
    refused(&full, 1, 0);
    assert!(full.into_inner().shows(tag));
}
