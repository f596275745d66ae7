//! A shared arena and its oracle, and the operations that need no open handle. User code that the
//! arena calls operates here too, in the middle of the operation that called it.

use atomicarena::{AtomicArena, Full, Iter, Reservation, Storage};

use super::expected::{Oracle, Place, Returned, Slot};
use super::keys::Keys;
use super::look::numbers as look_at_numbers;
use super::lying::{Log, LyingIter};
use super::op::{Act, Bulk, Inner, Method, One, Probe};
use super::value::{Value, catch, panic_as_planned, with_clone_fuse};

/// No vector is longer than this.
const LONGEST: usize = 300;

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
            One::Publish => self.publish(),
            One::PublishWith => self.publish_with(act),
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

    pub(crate) fn publish_keyed(&mut self) {
        let tag = self.oracle.tag();
        match (self.arena.publish_keyed(T::new(tag)), self.oracle.take_one()) {
            (Ok((key, value)), Some(place)) => {
                self.keep_published(place, key.index(), value, tag);
                assert_eq!(self.arena.key_at(key.index()), Some(key));
                assert!(self.arena.get_keyed(key).is_some_and(|got| std::ptr::eq(got, value)));
                self.keys.keep(self.oracle, key);
            }
            (Err(full), None) => one_came_back(full, tag),
            (got, place) => panic!("publish_keyed: {got:?}, and not {place:?}"),
        }
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

    /// Passes a closure that returns a value, fails with one, or panics. On a full arena the
    /// closure is returned without being called.
    pub(crate) fn alloc_try_with(&mut self, fails: bool, act: Act) {
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
            let place = place.clone().expect("called, and no slot was free");
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

    // ---- many values

    pub(crate) fn bulk(&mut self, bulk: Bulk) {
        match bulk.method {
            Method::Copy => self.copied(bulk.len, T::alloc_slice_copy),
            Method::Str => self.copied(bulk.len, T::alloc_str),
            Method::Clone => self.slice_clone(bulk.len, None),
            Method::ClonePanics => self.slice_clone(bulk.len, Some(bulk.at)),
            Method::With => self.slice_with(bulk),
            Method::Iter => self.lying_iter(bulk),
            Method::Array => match bulk.len {
                0 => self.array::<0>(),
                1 => self.array::<1>(),
                2 => self.array::<2>(),
                3 => self.array::<3>(),
                4 => self.array::<4>(),
                5 => self.array::<5>(),
                _ => self.array::<17>(),
            },
            Method::Vec => self.vec(bulk.len),
            Method::Prefix => self.prefix_clone(bulk.len, None),
            Method::PrefixPanics => self.prefix_clone(bulk.len, Some(bulk.at)),
        }
    }

    /// Calls the methods that copy a slice, if this type has them.
    fn copied(&mut self, len: usize, store: fn(&'a AtomicArena<T, S>, &[T]) -> super::value::Slice<'a, T>) {
        let tags = self.oracle.tags(len.min(LONGEST));
        let src = values(&tags);
        let Some(got) = store(self.arena, &src) else { return };
        let got = got.map_err(|full| numbers(&full));
        let want = self.oracle.take_run(src.len(), got.is_ok());
        self.stored(got, want, tags.len(), &tags);
    }

    fn slice_clone(&mut self, len: usize, fuse: Option<usize>) {
        let tags = self.oracle.tags(len.min(LONGEST));
        let (arena, src) = (self.arena, values::<T>(&tags));
        let done = with_clone_fuse(fuse, || arena.alloc_slice_clone(&src).map_err(|full| numbers(&full)));
        // A clone that panicked had a slot.
        let want = self.oracle.take_run(src.len(), done.as_ref().is_none_or(Result::is_ok));
        let panics = T::COUNTED && want.is_ok() && fuse.is_some_and(|at| at < src.len());
        assert_eq!(done.is_none(), panics);
        match done {
            Some(got) => self.stored(got, want, tags.len(), &tags),
            None => self.gave_up(want, fuse.unwrap()),
        }
    }

    fn slice_with(&mut self, bulk: Bulk) {
        let arena = self.arena;
        let mut want = None;
        let mut tags = Vec::new();
        let make = |i| {
            assert_eq!(i, tags.len());
            if i == 0 {
                want = Some(self.begin_fill(bulk.len));
            }
            if i == bulk.at {
                self.act(bulk.act);
            }
            tags.push(self.oracle.tag());
            T::new(tags[i])
        };
        let done = catch(|| arena.alloc_slice_with(bulk.len, make).map_err(|full| numbers(&full)));
        let want = self.end_fill(bulk.len, want, &done);
        match done {
            Some(got) => {
                assert_eq!(tags.len(), if want.is_ok() { bulk.len } else { 0 });
                self.stored(got, want, bulk.len, &tags);
            }
            None => self.gave_up(want, tags.len()),
        }
    }

    fn lying_iter(&mut self, bulk: Bulk) {
        let arena = self.arena;
        let mut log = Log { fills: Some(bulk.len), ..Log::default() };
        let iter =
            LyingIter { ground: self, log: &mut log, says: bulk.len, has: bulk.given, at: bulk.at, act: bulk.act };
        let done = catch(|| {
            let got = arena.alloc_from_iter(iter);
            got.map_err(|full| {
                let numbers = numbers(&full);
                // The iterator is returned. The calls that it received are in the log.
                let LyingIter { .. } = full.into_inner();
                numbers
            })
        });
        let want = self.end_fill(bulk.len, log.place.take(), &done);
        assert_eq!(log.asked_len.get(), 1, "the length is read once");
        match (done, want) {
            (Some(Ok(slice)), Ok(place)) => {
                assert_eq!(log.tags.len(), bulk.len.min(bulk.given));
                assert_eq!(log.calls, bulk.len.min(bulk.given + 1), "more items requested than fit, or after the end");
                self.keep_slice(place, slice, &log.tags);
            }
            (Some(Err(numbers)), Err(left)) => {
                assert_eq!((numbers, log.calls), ((bulk.len, left), 0));
            }
            (None, want) => self.gave_up(want, log.tags.len()),
            (got, want) => panic!("alloc_from_iter: {got:?}, and not {want:?}"),
        }
    }

    /// Called when user code is called for the first of `len` values: the slots are taken.
    pub(super) fn begin_fill(&mut self, len: usize) -> Place {
        self.oracle.take_run(len, true).expect("user code was called, and there was no room")
    }

    /// Called after the values were made, or if none was requested.
    fn end_fill<R, E>(
        &mut self,
        len: usize,
        begun: Option<Place>,
        done: &Option<Result<R, E>>,
    ) -> Result<Place, usize> {
        match begun {
            Some(place) => Ok(place),
            None => self.oracle.take_run(len, done.as_ref().is_some_and(Result::is_ok)),
        }
    }

    fn array<const N: usize>(&mut self) {
        let tags = self.oracle.tags(N);
        let got = self.arena.alloc_array::<N>(std::array::from_fn(|i| T::new(tags[i])));
        let want = self.oracle.take_run(N, got.is_ok());
        let got = got.map(|array| &mut array[..]).map_err(|full| many_came_back(full, &tags));
        self.stored(got, want, tags.len(), &tags);
    }

    fn vec(&mut self, len: usize) {
        let tags = self.oracle.tags(len.min(LONGEST));
        let got = self.arena.alloc_vec(values(&tags));
        let want = self.oracle.take_run(tags.len(), got.is_ok());
        let got = got.map_err(|full| many_came_back(full, &tags));
        self.stored(got, want, tags.len(), &tags);
    }

    fn prefix_clone(&mut self, len: usize, fuse: Option<usize>) {
        let tags = self.oracle.tags(len.min(LONGEST));
        let (arena, src) = (self.arena, values::<T>(&tags));
        let before = self.oracle.bound;
        let done = with_clone_fuse(fuse, || arena.alloc_prefix_clone(&src));
        let got = match &done {
            Some(slice) => slice.len(),
            // The slots were returned, so the length is not known. If the oracle does not know it
            // either, the cursor tells, which does not return to where it was if it has served.
            None if arena.index_bound() == before => src.len(),
            None => arena.index_bound() - before,
        };
        let place = self.oracle.take_up_to(src.len(), got);
        let fits = place.len();
        if let (None, Place::SomeVacant(_)) = (&done, &place) {
            // Or it was served by the cursor after all.
            self.oracle.highest = self.oracle.highest.max(self.oracle.capacity().min(before + src.len()));
        }
        assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < fits));
        match done {
            Some(slice) => self.keep_slice(place, slice, &tags[..fits]),
            None => self.gave_up(Ok(place), fuse.unwrap()),
        }
    }

    /// Checks that `len` values with these tags were to be stored.
    fn stored(
        &mut self,
        got: Result<&'a mut [T], (usize, usize)>,
        want: Result<Place, usize>,
        len: usize,
        tags: &[u32],
    ) {
        match (got, want) {
            (Ok(slice), Ok(place)) => self.keep_slice(place, slice, tags),
            (Err(numbers), Err(left)) => assert_eq!(numbers, (len, left)),
            (got, want) => panic!("a slice: {got:?}, and not {want:?}"),
        }
    }

    /// Checks that a panic has left nothing of a request for which `made` values were created.
    fn gave_up(&mut self, want: Result<Place, usize>, made: usize) {
        let place = want.expect("user code was called, and there was no room");
        if let Place::Run(run) = &place {
            self.oracle.written[run.start..run.start + made].fill(true);
        }
        self.return_place(place);
    }

    /// Records that a place was returned.
    pub(super) fn return_place(&mut self, place: Place) {
        if let Returned::Unclear(len) = self.oracle.return_place(place, self.arena.index_bound()) {
            // The shard serves the next request, which shows where the shard begins.
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
            Inner::Slice => self.slice_clone(2, None),
            Inner::PanicInside => self.alloc_with(Act::Panic),
            Inner::FailInside => self.alloc_try_with(true, Act::Return),
            Inner::Local => self.brief_local(),
            Inner::Probe(probe) => self.probe(probe),
        }
        look_at_numbers(self.arena, self.oracle);
    }

    /// Creates and drops a `Local` between two steps of another operation.
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
                // The slots beyond the first are returned at once.
                drop(local);
                self.keep_slice(place, std::slice::from_mut(value), &[tag]);
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

    /// Records a stored slice, which may be shorter than requested. The rest was returned.
    fn keep_slice(&mut self, place: Place, slice: &'a mut [T], tags: &[u32]) {
        assert_eq!(slice.len(), tags.len());
        let Some(first) = slice.first() else {
            return self.return_place(place);
        };
        let first = self.arena.index_of(first).expect("it lies in a slot");
        let run = self.oracle.resolve(place, first);
        for (i, (value, &tag)) in slice.iter_mut().zip(tags).enumerate() {
            self.put_owned(first + i, value, tag);
        }
        self.oracle.return_run(first + tags.len()..run.end);
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

/// The numbers of requested and remaining slots.
fn numbers<V>(full: &Full<V>) -> (usize, usize) {
    (full.requested(), full.remaining())
}

pub(crate) fn refused<V>(full: &Full<V>, requested: usize, remaining: usize) {
    assert_eq!(numbers(full), (requested, remaining));
}

pub(crate) fn one_came_back<T: Value>(full: Full<T>, tag: u32) {
    refused(&full, 1, 0);
    assert!(full.into_inner().shows(tag));
}

fn many_came_back<T: Value>(full: Full<impl AsRef<[T]>>, tags: &[u32]) -> (usize, usize) {
    let numbers = numbers(&full);
    let values = full.into_inner();
    assert_eq!(values.as_ref().len(), tags.len());
    assert!(values.as_ref().iter().zip(tags).all(|(value, &tag)| value.shows(tag)));
    numbers
}

fn values<T: Value>(tags: &[u32]) -> Vec<T> {
    tags.iter().map(|&tag| T::new(tag)).collect()
}
