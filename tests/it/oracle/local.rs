//! A `Local`, and the oracle's knowledge of it.

use std::ops::{Range, RangeInclusive};

use atomicarena::{Full, Local, Storage};

use super::expected::{Oracle, Place};
use super::ground::{Ground, one_came_back, refused};
use super::op::{Act, One};
use super::value::{Value, catch};

pub(super) struct OpenLocal<'a, T> {
    pub(super) local: Local<'a, T>,
    pub(super) known: Known,
}

/// The oracle's knowledge of a `Local`. The contract leaves two things open: how long the runs of
/// the `Local` are (the oracle learns this from the cursor), and which vacant slot the `Local`
/// takes if no slot is left at the cursor.
#[derive(Debug)]
pub(super) struct Known {
    /// The batch limit, or `usize::MAX` if the caller chose none.
    ceiling: usize,
    /// The current run. Its values are below `next`.
    run: Range<usize>,
    next: usize,
    /// Whether the `Local` counts as a handle. It does so from the moment it gets a run until a
    /// reservation takes the last slots of this run. Only while it counts may its run be extended.
    counted: bool,
    /// Whether the run is one slot that was vacant, whose index the oracle does not know yet.
    hidden: bool,
}

/// The place of the slots of a request.
#[derive(Clone, Debug)]
pub(super) enum Slots {
    /// This number of slots, the next ones of a `Local`'s run. Slots without a value stay in the
    /// run.
    Own(usize),
    /// Slots outside the run of a `Local`. Those without a value are returned.
    Arena(Place),
}

/// The answer of the arena to a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Whether a request was served that must get all its slots or none.
    Served(bool),
    /// The number of slots that the arena has given to a request that accepts fewer than it asks
    /// for.
    UpTo(usize),
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        match self {
            Slots::Own(len) => *len,
            Slots::Arena(place) => place.len(),
        }
    }
}

impl<'a, T: Value> OpenLocal<'a, T> {
    pub(super) fn new(local: Local<'a, T>, batch: Option<usize>) -> Self {
        OpenLocal { local, known: Known::new(batch.unwrap_or(usize::MAX)) }
    }

    pub(super) fn one<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>, one: One, act: Act) {
        match one {
            One::Alloc => self.alloc(ground),
            One::AllocWith => self.alloc_with(ground, act),
            One::TryWith { fails } => self.alloc_try_with(ground, fails, act),
            One::Publish => self.publish(ground),
            One::PublishWith => self.publish_with(ground, act),
            One::Keyed => self.publish_keyed(ground),
        }
        self.look(ground);
    }

    fn alloc<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>) {
        let tag = ground.oracle.tag();
        let got = self.local.alloc(T::new(tag));
        let given = self.known.take_one(ground);
        match got {
            Ok(value) => self.known.keep_owned(ground, value, tag),
            Err(full) => came_back(given, full, tag),
        }
    }

    fn publish<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>) {
        let tag = ground.oracle.tag();
        let got = self.local.publish(T::new(tag));
        let given = self.known.take_one(ground);
        match got {
            Ok((index, value)) => self.known.keep_published(ground, index, value, tag),
            Err(full) => came_back(given, full, tag),
        }
    }

    fn publish_keyed<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>) {
        let tag = ground.oracle.tag();
        let got = self.local.publish_keyed(T::new(tag));
        let given = self.known.take_one(ground);
        match got {
            Ok((key, value)) => {
                self.known.keep_published(ground, key.index(), value, tag);
                ground.keep_key(key, value);
            }
            Err(full) => came_back(given, full, tag),
        }
    }

    fn alloc_with<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>, act: Act) {
        let tag = ground.oracle.tag();
        let OpenLocal { local, known } = self;
        let make = || {
            assert!(known.take_one(ground), "called although no slot was free");
            ground.act(act);
            T::new(tag)
        };
        match catch(|| local.alloc_with(make).map_err(Full::discard)) {
            Some(Ok(value)) => known.keep_owned(ground, value, tag),
            Some(Err(full)) => {
                assert!(!known.take_one(ground));
                refused(&full, 1, 0);
            }
            // The slot stays in the run.
            None => {}
        }
    }

    fn alloc_try_with<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>, fails: bool, act: Act) {
        let tag = ground.oracle.tag();
        let OpenLocal { local, known } = self;
        let make = || {
            assert!(known.take_one(ground), "called although no slot was free");
            ground.act(act);
            if fails { Err(T::new(tag)) } else { Ok(T::new(tag)) }
        };
        match catch(|| local.alloc_try_with(make).map_err(Full::discard)) {
            Some(Ok(Ok(value))) => {
                assert!(!fails);
                known.keep_owned(ground, value, tag);
            }
            Some(Ok(Err(failed))) => {
                assert!(fails && failed.shows(tag));
                assert_eq!(ground.arena.index_of(&failed), None);
            }
            Some(Err(full)) => {
                assert!(!known.take_one(ground));
                refused(&full, 1, 0);
            }
            None => {}
        }
    }

    fn publish_with<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>, act: Act) {
        let tag = ground.oracle.tag();
        let OpenLocal { local, known } = self;
        let make = |index| {
            assert!(known.take_one(ground), "called although no slot was free");
            known.next_is(ground.oracle, index);
            ground.act(act);
            T::new(tag)
        };
        match catch(|| local.publish_with(make).map_err(Full::discard)) {
            Some(Ok((index, value))) => known.keep_published(ground, index, value, tag),
            Some(Err(full)) => {
                assert!(!known.take_one(ground));
                refused(&full, 1, 0);
            }
            None => {}
        }
    }

    /// Checks the unused slots, which the `Debug` output of the `Local` shows. If the `Local` has
    /// taken a vacant slot, the oracle learns which one.
    pub(super) fn look<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>) {
        let text = format!("{:?}", self.local);
        let (start, end) = text
            .strip_prefix("Local { unused: ")
            .and_then(|rest| rest.strip_suffix(", .. }"))
            .and_then(|range| range.split_once(".."))
            .expect(&text);
        let unused = start.parse().unwrap()..end.parse::<usize>().unwrap();
        if self.known.hidden {
            self.known.next_is(ground.oracle, unused.end - 1);
        }
        assert_eq!(unused, self.known.unused(), "the unused slots of a `Local`");
    }
}

fn came_back<T: Value>(given: bool, full: Full<T>, tag: u32) {
    assert!(!given, "refused although a slot was free");
    one_came_back(full, tag);
}

impl Known {
    fn new(ceiling: usize) -> Self {
        Known { ceiling, run: 0..0, next: 0, counted: false, hidden: false }
    }

    pub(super) fn unused(&self) -> Range<usize> {
        self.next..self.run.end
    }

    /// Returns the slot that is filled next, if the oracle knows it.
    pub(super) fn first_unused(&self) -> Option<usize> {
        (!self.hidden).then_some(self.next)
    }

    /// Returns the slots that are leaked with the `Local`.
    pub(super) fn run(&self) -> Range<usize> {
        self.run.clone()
    }

    pub(super) fn is_counted(&self) -> bool {
        self.counted
    }

    fn rest(&self) -> usize {
        if self.hidden { 1 } else { self.run.end - self.next }
    }

    /// Predicts which slots a request gets, and records that they are taken. The error is the
    /// number of slots left at the cursor. Must be called directly after the arena has served or
    /// refused the request.
    ///
    /// The number or flag in `answer` is used only where the oracle cannot predict it.
    pub(super) fn take<T: Value, S: Storage<T>>(
        &mut self,
        ground: &mut Ground<'_, '_, T, S>,
        len: usize,
        answer: Answer,
    ) -> Result<Slots, usize> {
        let rest = self.rest();
        if (1..=rest).contains(&len) {
            return Ok(Slots::Own(len));
        }
        let oracle = &mut *ground.oracle;
        let (left, end) = (oracle.capacity() - oracle.bound, oracle.bound);
        let grown = ground.arena.index_bound() - end;
        if len > 0 && left > 0 && self.counted && self.run.end == end {
            let missing = len - rest;
            if missing <= left {
                let most = missing.max(self.longest(left));
                assert!((missing..=most).contains(&grown), "extended by {grown} for {missing}, and {left} are left");
                self.run = self.next..oracle.take_from_cursor(grown).end;
                return Ok(Slots::Own(len));
            } else if let Answer::UpTo(_) = answer {
                assert_eq!(grown, left, "part of a run of {len}");
                self.run = self.next..oracle.take_from_cursor(left).end;
                return Ok(Slots::Own(self.rest()));
            }
        }
        if len == 1 {
            self.run.start = self.run.end;
            self.next = self.run.end;
            if left > 0 {
                self.refill(oracle, grown, 1..=self.longest(left));
                return Ok(Slots::Own(1));
            }
            match oracle.take_below_cursor() {
                None => return Err(0),
                Some(Place::Run(run)) => self.open(oracle, run),
                Some(Place::SomeVacant(_)) => {
                    self.open(oracle, 0..0);
                    self.hidden = true;
                }
            }
            return Ok(Slots::Own(1));
        }
        let longest = self.ceiling.min(left / 16);
        if len > 0 && len <= longest / 2 {
            oracle.return_run(self.unused());
            self.refill(oracle, grown, 2 * len..=longest);
            return Ok(Slots::Own(len));
        }
        match answer {
            Answer::Served(served) => oracle.take_run(len, served).map(Slots::Arena),
            Answer::UpTo(got) => match oracle.take_up_to(len, got) {
                place if place.len() == 0 && len > 0 && rest > 0 => Ok(Slots::Own(rest)),
                place => Ok(Slots::Arena(place)),
            },
        }
    }

    fn longest(&self, left: usize) -> usize {
        self.ceiling.min(left / 16).max(1)
    }

    /// Starts a fresh run from the cursor. Its length must be in `lengths`.
    fn refill(&mut self, oracle: &mut Oracle, len: usize, lengths: RangeInclusive<usize>) {
        assert!(lengths.contains(&len), "a run of {len}, and not {lengths:?}");
        let run = oracle.take_from_cursor(len);
        self.open(oracle, run);
    }

    fn open(&mut self, oracle: &mut Oracle, run: Range<usize>) {
        oracle.handles += usize::from(!self.counted);
        self.counted = true;
        self.next = run.start;
        self.run = run;
    }

    /// Like `take`, for a request for one slot. Returns whether it is served.
    fn take_one<T: Value, S: Storage<T>>(&mut self, ground: &mut Ground<'_, '_, T, S>) -> bool {
        match self.take(ground, 1, Answer::Served(true)) {
            Ok(_) => true,
            Err(left) => {
                assert_eq!(left, 0);
                false
            }
        }
    }

    /// Checks that `index` is the slot to be filled next. If the oracle does not know that slot,
    /// records it first.
    fn next_is(&mut self, oracle: &mut Oracle, index: usize) {
        if self.hidden {
            self.run = oracle.resolve(Place::SomeVacant(1), index);
            (self.next, self.hidden) = (index, false);
        }
        assert_eq!(index, self.next);
    }

    /// Records that the next slots were filled. If they were published, the run no longer contains
    /// them or the values before them.
    pub(super) fn fill(&mut self, oracle: &mut Oracle, first: usize, len: usize, published: bool) {
        self.next_is(oracle, first);
        self.next += len;
        assert!(self.next <= self.run.end);
        if published {
            self.run.start = self.next;
        }
    }

    /// Records that a reservation takes the next slots, and is a handle from now on.
    pub(super) fn split_off(&mut self, oracle: &mut Oracle, first: usize, len: usize) -> Range<usize> {
        self.next_is(oracle, first);
        if len == self.rest() {
            // The reservation is counted in place of the `Local`.
            *self = Known::new(self.ceiling);
        } else {
            oracle.handles += 1;
            self.next += len;
            self.run.start = self.next;
        }
        first..first + len
    }

    fn keep_owned<'a, T, S>(&mut self, ground: &mut Ground<'a, '_, T, S>, value: &'a mut T, tag: u32)
    where
        T: Value,
        S: Storage<T>,
    {
        let index = ground.arena.index_of(value).expect("it lies in a slot");
        self.fill(ground.oracle, index, 1, false);
        ground.put_owned(index, value, tag);
    }

    fn keep_published<'a, T, S>(&mut self, ground: &mut Ground<'a, '_, T, S>, index: usize, value: &'a T, tag: u32)
    where
        T: Value,
        S: Storage<T>,
    {
        self.fill(ground.oracle, index, 1, true);
        ground.put_published(index, value, tag);
    }
}
