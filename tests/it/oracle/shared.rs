//! The phase in which the arena is shared. Up to three reservations and three `Local`s are open at
//! once, and their steps are interleaved with each other and with all other operations.

use std::ops::Range;

use atomicarena::{AtomicArena, Full, Local, Reservation, Storage};

use super::expected::{Oracle, Place};
use super::ground::{Ground, one_came_back, refused};
use super::keys::Keys;
use super::lying::{Log, LyingIter};
use super::op::{Act, EndRun, HANDLES, One, Op, Step};
use super::value::{Value, catch, with_drop_fuse};

pub(crate) struct Shared<'a, 'o, T: Value, S: Storage<T>> {
    ground: Ground<'a, 'o, T, S>,
    runs: [Option<Run<'a, T>>; HANDLES],
    locals: [Option<OpenLocal<'a, T>>; HANDLES],
}

/// A reservation, and its expected contents.
struct Run<'a, T> {
    reservation: Reservation<'a, T>,
    slots: Range<usize>,
    tags: Vec<u32>,
}

/// A `Local`, and what the oracle knows of it.
struct OpenLocal<'a, T> {
    local: Local<'a, T>,
    known: Known,
}

/// What the oracle knows of a `Local`. The contract leaves only the length of its runs open. The
/// oracle learns it from the cursor.
#[derive(Debug)]
struct Known {
    /// The greatest length of a run, if the caller chose one.
    ceiling: Option<usize>,
    /// The current run. The values in it lie below `next`.
    run: Place,
    next: usize,
    /// Whether it has had a run: from then on it counts as a handle.
    counted: bool,
}

/// Where the next slot of a `Local` comes from.
#[derive(Clone, Debug)]
enum Refill {
    Needless,
    /// A run from the cursor, beginning at this index.
    Cursor(usize),
    /// A slot from below the cursor.
    BelowCursor(Place),
    Refused,
}

impl<'a, 'o, T: Value, S: Storage<T>> Shared<'a, 'o, T, S> {
    pub(crate) fn new(arena: &'a AtomicArena<T, S>, oracle: &'o mut Oracle, keys: &'o mut Keys<T>) -> Self {
        Shared { ground: Ground::new(arena, oracle, keys), runs: Default::default(), locals: Default::default() }
    }

    pub(crate) fn op(&mut self, op: Op) {
        match op {
            Op::One(one, act) => self.ground.one(one, act),
            Op::TryWith { fails, act } => self.ground.alloc_try_with(fails, act),
            Op::Keyed => self.ground.publish_keyed(),
            Op::Bulk(bulk) => self.ground.bulk(bulk),
            Op::Reserve { handle, len, up_to } => self.reserve(handle, len, up_to),
            Op::Step(handle, step) => self.step(handle, step),
            Op::EndRun(handle, how) => self.end_run(handle, how),
            Op::OpenLocal { handle, batch } => self.open_local(handle, batch),
            Op::InLocal(handle, one, act) => self.in_local(handle, one, act),
            Op::EndLocal { handle, forget } => self.end_local(handle, forget),
            Op::OpenIter => self.ground.open_iter(),
            Op::StepIter { back } => self.ground.step_iter(back),
            Op::Index(which) => self.ground.index(which),
            Op::Touch(which) => self.ground.touch(which),
            Op::Probe(probe) => self.ground.probe(probe),
            Op::Alone { .. } => unreachable!("ends the shared phase"),
        }
        self.ground.look();
    }

    /// Ends every handle. Handle `i` is leaked if bit `i` of `forget` is set.
    pub(crate) fn end(mut self, forget: u8) {
        for handle in 0..HANDLES {
            let end = if forget & 1 << handle != 0 { EndRun::Forget } else { EndRun::Drop(None) };
            self.end_run(handle, end);
            self.end_local(handle, forget & 1 << (handle + HANDLES) != 0);
        }
        self.ground.look();
    }

    // ---- reservations

    fn reserve(&mut self, handle: usize, len: usize, up_to: bool) {
        self.end_run(handle, EndRun::Finish);
        let ground = &mut self.ground;
        let got = match up_to {
            true => Ok(ground.arena.reserve_up_to(len)),
            false => ground.arena.reserve(len),
        };
        let want = match (&got, up_to) {
            (Ok(reservation), true) => Ok(ground.oracle.take_up_to(len, reservation.capacity())),
            (got, _) => ground.oracle.take_run(len, got.is_ok()),
        };
        match (got, want) {
            (Ok(reservation), Ok(place)) => {
                let slots = ground.oracle.resolve(place, reservation.first_index());
                let run = Run { reservation, slots, tags: Vec::new() };
                run.look();
                ground.oracle.handles += usize::from(!run.slots.is_empty());
                self.runs[handle] = Some(run);
            }
            (Err(full), Err(left)) => refused(&full, len, left),
            (got, want) => panic!("reserve: {got:?}, and not {want:?}"),
        }
    }

    fn step(&mut self, handle: usize, step: Step) {
        if self.runs[handle].is_none() {
            self.reserve(handle, 5, true);
        }
        let run = self.runs[handle].as_mut().unwrap();
        let before = run.tags.len();
        match step {
            Step::Push => run.push(self.ground.oracle),
            Step::Pop => run.pop(),
            Step::Truncate { len, fuse } => run.truncate(len, fuse),
            Step::Fill { given, at, act } => run.fill(&mut self.ground, given, at, act),
            Step::Spare(n) => run.write_spare(self.ground.oracle, n),
            Step::Write(which) => run.write(self.ground.oracle, which),
        }
        run.look();
        let oracle = &mut self.ground.oracle;
        oracle.reserved = oracle.reserved + run.tags.len() - before;
        oracle.written[run.slots.clone()][..run.tags.len()].fill(true);
    }

    fn end_run(&mut self, handle: usize, how: EndRun) {
        let Some(Run { reservation, slots, tags }) = self.runs[handle].take() else { return };
        let ground = &mut self.ground;
        ground.oracle.reserved -= tags.len();
        ground.oracle.handles -= usize::from(!slots.is_empty() && !matches!(how, EndRun::Forget));
        match how {
            EndRun::Finish => {
                let slice = reservation.finish();
                assert_eq!(slice.len(), tags.len());
                for (index, (value, &tag)) in slots.clone().zip(slice.iter_mut().zip(&tags)) {
                    ground.put_owned(index, value, tag);
                }
                ground.oracle.return_run(slots.start + tags.len()..slots.end);
            }
            EndRun::Publish => {
                let (first, slice) = reservation.publish();
                assert_eq!((first, slice.len()), (slots.start, tags.len()));
                for (index, (value, &tag)) in slots.clone().zip(slice.iter().zip(&tags)) {
                    ground.put_published(index, value, tag);
                }
                ground.oracle.return_run(slots.start + tags.len()..slots.end);
            }
            EndRun::Drop(fuse) => {
                let done = with_drop_fuse(fuse, || drop(reservation));
                assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < tags.len()));
                ground.oracle.return_run(slots);
            }
            EndRun::Forget => {
                std::mem::forget(reservation);
                ground.oracle.leaked += tags.len();
                ground.oracle.leak(Place::Run(slots));
            }
        }
    }

    // ---- `Local`s

    fn open_local(&mut self, handle: usize, batch: Option<usize>) {
        self.end_local(handle, false);
        let arena = self.ground.arena;
        let local = match batch {
            Some(batch) => arena.local_with_batch(batch.try_into().unwrap()),
            None => arena.local(),
        };
        let known = Known { ceiling: batch, run: Place::Run(0..0), next: 0, counted: false };
        self.locals[handle] = Some(OpenLocal { local, known });
    }

    fn in_local(&mut self, handle: usize, one: One, act: Act) {
        if self.locals[handle].is_none() {
            self.open_local(handle, None);
        }
        let open = self.locals[handle].as_mut().unwrap();
        match one {
            One::Alloc => open.alloc(&mut self.ground),
            One::AllocWith => open.alloc_with(&mut self.ground, act),
            One::Publish => open.publish(&mut self.ground),
            One::PublishWith => open.publish_with(&mut self.ground, act),
        }
        assert!(format!("{:?}", open.local).starts_with("Local"));
    }

    fn end_local(&mut self, handle: usize, forget: bool) {
        let Some(OpenLocal { local, known }) = self.locals[handle].take() else { return };
        let Known { run, next, counted, .. } = known;
        let ground = &mut self.ground;
        if forget {
            std::mem::forget(local);
            return ground.oracle.leak(run);
        }
        drop(local);
        ground.oracle.handles -= usize::from(counted);
        let unused = match run {
            Place::Run(run) => Place::Run(next..run.end),
            vacant => vacant,
        };
        ground.return_place(unused);
    }
}

impl<T: Value> Run<'_, T> {
    fn push(&mut self, oracle: &mut Oracle) {
        let tag = oracle.tag();
        match self.reservation.push(T::new(tag)) {
            Ok(()) => {
                assert!(self.tags.len() < self.slots.len());
                self.tags.push(tag);
            }
            Err(full) => {
                assert_eq!(self.tags.len(), self.slots.len());
                one_came_back(full, tag);
            }
        }
    }

    fn pop(&mut self) {
        match (self.reservation.pop(), self.tags.pop()) {
            (None, None) => {}
            (Some(value), Some(tag)) => assert!(value.shows(tag)),
            (got, want) => panic!("pop: {got:?}, and not {want:?}"),
        }
    }

    fn truncate(&mut self, len: usize, fuse: Option<usize>) {
        let gone = self.tags.len().saturating_sub(len);
        let done = with_drop_fuse(fuse, || self.reservation.truncate(len));
        assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < gone));
        self.tags.truncate(len);
    }

    fn fill<S: Storage<T>>(&mut self, ground: &mut Ground<'_, '_, T, S>, has: usize, at: usize, act: Act) {
        let room = self.slots.len() - self.tags.len();
        let mut log = Log::default();
        let iter = LyingIter { ground, log: &mut log, says: has, has, at, act };
        let done = catch(|| self.reservation.fill_from_iter(iter));
        if let Some(filled) = done {
            assert_eq!((filled, log.tags.len()), (room.min(has), room.min(has)));
            assert_eq!(log.calls, room.min(has + 1), "more items requested than fit, or after the end");
        }
        // Values yielded before a panic are kept.
        self.tags.append(&mut log.tags);
    }

    fn write_spare(&mut self, oracle: &mut Oracle, n: usize) {
        let room = self.slots.len() - self.tags.len();
        let spare = self.reservation.spare_capacity_mut();
        assert_eq!(spare.len(), room);
        for slot in spare.iter_mut().take(n) {
            let tag = oracle.tag();
            slot.write(T::new(tag));
            self.tags.push(tag);
        }
        // SAFETY: the slots above the old length were written above.
        unsafe { self.reservation.set_len(self.tags.len()) };
    }

    fn write(&mut self, oracle: &mut Oracle, which: usize) {
        if let Some(value) = self.reservation.get_mut(which) {
            self.tags[which] = oracle.tag();
            value.set(self.tags[which]);
        }
    }

    fn look(&self) {
        let Run { reservation, slots, tags } = self;
        assert_eq!((reservation.first_index(), reservation.capacity()), (slots.start, slots.len()));
        assert_eq!((reservation.len(), reservation[..].len()), (tags.len(), tags.len()));
        assert_eq!((reservation.is_empty(), reservation.is_full()), (tags.is_empty(), tags.len() == slots.len()));
        assert!(reservation.iter().zip(tags).all(|(value, &tag)| value.shows(tag)));
        assert!(format!("{reservation:?}").starts_with("Reservation"));
    }
}

impl<'a, T: Value> OpenLocal<'a, T> {
    fn alloc<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>) {
        let (tag, refill) = (ground.oracle.tag(), self.known.ask(ground.oracle));
        let got = self.local.alloc(T::new(tag));
        self.known.refilled(&refill, ground);
        match got {
            Ok(value) => self.known.keep_owned(ground, value, tag),
            Err(full) => self.known.refused(&refill, full, tag),
        }
    }

    fn publish<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>) {
        let (tag, refill) = (ground.oracle.tag(), self.known.ask(ground.oracle));
        let got = self.local.publish(T::new(tag));
        self.known.refilled(&refill, ground);
        match got {
            Ok((index, value)) => self.known.keep_published(ground, index, value, tag),
            Err(full) => self.known.refused(&refill, full, tag),
        }
    }

    fn alloc_with<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>, act: Act) {
        let (tag, refill) = (ground.oracle.tag(), self.known.ask(ground.oracle));
        let OpenLocal { local, known } = self;
        let mut calls = 0;
        let make = || {
            calls += 1;
            known.refilled(&refill, ground);
            ground.act(act);
            T::new(tag)
        };
        let done = catch(|| local.alloc_with(make).map_err(Full::discard));
        assert_eq!(calls, usize::from(!refill.is_refused()));
        match done {
            Some(Ok(value)) => known.keep_owned(ground, value, tag),
            Some(Err(full)) => {
                known.refilled(&refill, ground);
                refused(&full, 1, 0);
            }
            None => {}
        }
    }

    fn publish_with<S: Storage<T>>(&mut self, ground: &mut Ground<'a, '_, T, S>, act: Act) {
        let (tag, refill) = (ground.oracle.tag(), self.known.ask(ground.oracle));
        let OpenLocal { local, known } = self;
        let mut calls = 0;
        let make = |index| {
            calls += 1;
            known.refilled(&refill, ground);
            known.next_is(ground.oracle, index);
            ground.act(act);
            T::new(tag)
        };
        let done = catch(|| local.publish_with(make).map_err(Full::discard));
        assert_eq!(calls, usize::from(!refill.is_refused()));
        match done {
            Some(Ok((index, value))) => known.keep_published(ground, index, value, tag),
            Some(Err(full)) => {
                known.refilled(&refill, ground);
                refused(&full, 1, 0);
            }
            None => {}
        }
    }
}

impl Known {
    /// Called before the `Local` is asked for a slot.
    fn ask(&mut self, oracle: &mut Oracle) -> Refill {
        match &self.run {
            Place::Run(run) if self.next == run.end => {}
            _ => return Refill::Needless,
        }
        if oracle.bound < oracle.capacity() {
            return Refill::Cursor(oracle.bound);
        }
        oracle.take_below_cursor().map_or(Refill::Refused, Refill::BelowCursor)
    }

    /// Called when the `Local` has its slot, before any other operation.
    fn refilled<T: Value, S: Storage<T>>(&mut self, refill: &Refill, ground: &mut Ground<'_, '_, T, S>) {
        match refill {
            Refill::Needless => return,
            Refill::Cursor(start) => {
                let (left, len) = (ground.oracle.capacity() - start, ground.arena.index_bound() - start);
                let most = self.ceiling.unwrap_or(usize::MAX).min(left / 16).max(1);
                assert!((1..=most).contains(&len), "a run of {len}, and {left} are left");
                self.run = Place::Run(ground.oracle.take_from_cursor(len));
            }
            Refill::BelowCursor(place) => self.run = place.clone(),
            Refill::Refused => self.run = Place::Run(0..0),
        }
        if !refill.is_refused() && !self.counted {
            self.counted = true;
            ground.oracle.handles += 1;
        }
        self.next = match &self.run {
            Place::Run(run) => run.start,
            Place::SomeVacant(_) => 0,
        };
    }

    /// Checks or learns which slot is filled next.
    fn next_is(&mut self, oracle: &mut Oracle, index: usize) {
        match &self.run {
            Place::Run(_) => assert_eq!(index, self.next),
            Place::SomeVacant(len) => {
                self.run = Place::Run(oracle.resolve(Place::SomeVacant(*len), index));
                self.next = index;
            }
        }
    }

    fn keep_owned<'a, T, S>(&mut self, ground: &mut Ground<'a, '_, T, S>, value: &'a mut T, tag: u32)
    where
        T: Value,
        S: Storage<T>,
    {
        let index = ground.arena.index_of(value).expect("it lies in a slot");
        self.next_is(ground.oracle, index);
        self.next += 1;
        ground.put_owned(index, value, tag);
    }

    /// The published value, and the values before it, are no longer part of the run.
    fn keep_published<'a, T, S>(&mut self, ground: &mut Ground<'a, '_, T, S>, index: usize, value: &'a T, tag: u32)
    where
        T: Value,
        S: Storage<T>,
    {
        self.next_is(ground.oracle, index);
        self.next += 1;
        if let Place::Run(run) = &mut self.run {
            run.start = self.next;
        }
        ground.put_published(index, value, tag);
    }

    fn refused<T: Value>(&self, refill: &Refill, full: Full<T>, tag: u32) {
        assert!(refill.is_refused(), "full, and not {refill:?}");
        one_came_back(full, tag);
    }
}

impl Refill {
    fn is_refused(&self) -> bool {
        matches!(self, Refill::Refused)
    }
}
