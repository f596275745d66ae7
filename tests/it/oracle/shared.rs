//! The phase in which the arena is shared. Up to three reservations and three `Local`s are open at
//! once, and their steps are interleaved with each other and with all other operations.

use std::ops::Range;

use atomicarena::{AtomicArena, Reservation, Storage};

use super::bulk::source;
use super::expected::Oracle;
use super::ground::{Ground, one_came_back, refused};
use super::keys::Keys;
use super::local::{Answer, OpenLocal, Slots};
use super::lying::{Log, LyingIter};
use super::op::{Act, EndRun, HANDLES, One, Op, Step};
use super::value::{Value, catch, with_clone_fuse, with_drop_fuse};

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

impl<'a, 'o, T: Value, S: Storage<T>> Shared<'a, 'o, T, S> {
    pub(crate) fn new(arena: &'a AtomicArena<T, S>, oracle: &'o mut Oracle, keys: &'o mut Keys<T>) -> Self {
        Shared { ground: Ground::new(arena, oracle, keys), runs: Default::default(), locals: Default::default() }
    }

    pub(crate) fn op(&mut self, op: Op) {
        match op {
            Op::One(one, act) => self.ground.one(one, act),
            Op::Bulk { bulk, local: None } => self.ground.bulk(bulk, None),
            Op::Bulk { bulk, local: Some(local) } => {
                self.open_if_necessary(local);
                self.ground.bulk(bulk, self.locals[local].as_mut());
            }
            Op::Reserve { handle, len, up_to, local } => self.reserve(handle, len, up_to, local),
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

    /// Ends every handle. Reservation `i` is leaked if bit `i` of `forget` is set, and `Local` `i`
    /// if bit `i + HANDLES` is set.
    pub(crate) fn end(mut self, forget: u8) {
        for handle in 0..HANDLES {
            let end = if forget & 1 << handle != 0 { EndRun::Forget } else { EndRun::Drop(None) };
            self.end_run(handle, end);
            self.end_local(handle, forget & 1 << (handle + HANDLES) != 0);
        }
        self.ground.look();
    }

    // ---- reservations

    fn reserve(&mut self, handle: usize, len: usize, up_to: bool, local: Option<usize>) {
        self.end_run(handle, EndRun::Finish);
        let mut via = local.map(|local| {
            self.open_if_necessary(local);
            self.locals[local].take().unwrap()
        });
        let ground = &mut self.ground;
        let (source, mut known) = source(ground.arena, via.as_mut());
        let (got, answer) = match up_to {
            true => {
                let reservation = source.reserve_up_to(len);
                let capacity = reservation.capacity();
                (Ok(reservation), Answer::UpTo(capacity))
            }
            false => {
                let got = source.reserve(len);
                let served = got.is_ok();
                (got, Answer::Served(served))
            }
        };
        let want = match ground.take(known.as_deref_mut(), len, answer) {
            // If no slot is free, the reservation is empty.
            Err(_) if up_to => Ok(Slots::Own(0)),
            want => want,
        };
        match (got, want) {
            (Ok(reservation), Ok(slots)) => {
                let (first, len) = (reservation.first_index(), slots.len());
                let slots = match (slots, known) {
                    (Slots::Arena(place), _) => {
                        ground.oracle.handles += usize::from(len > 0);
                        ground.oracle.resolve(place, first)
                    }
                    (Slots::Own(1..), Some(known)) => known.split_off(ground.oracle, first, len),
                    _ => ground.oracle.capacity()..ground.oracle.capacity(),
                };
                let run = Run { reservation, slots, tags: Vec::new() };
                run.look();
                self.runs[handle] = Some(run);
            }
            (Err(full), Err(left)) => refused(&full, len, left),
            (got, want) => panic!("reserve: {got:?}, and not {want:?}"),
        }
        if let (Some(local), Some(mut via)) = (local, via) {
            via.look(&mut self.ground);
            self.locals[local] = Some(via);
        }
    }

    fn step(&mut self, handle: usize, step: Step) {
        if self.runs[handle].is_none() {
            self.reserve(handle, 5, true, None);
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
            Step::Extend { len, fuse } => run.extend(self.ground.oracle, len, fuse),
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
                ground.oracle.leak(slots);
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
        self.locals[handle] = Some(OpenLocal::new(local, batch));
    }

    fn open_if_necessary(&mut self, handle: usize) {
        if self.locals[handle].is_none() {
            self.open_local(handle, None);
        }
    }

    fn in_local(&mut self, handle: usize, one: One, act: Act) {
        self.open_if_necessary(handle);
        self.locals[handle].as_mut().unwrap().one(&mut self.ground, one, act);
    }

    fn end_local(&mut self, handle: usize, forget: bool) {
        let Some(OpenLocal { local, known }) = self.locals[handle].take() else { return };
        let oracle = &mut self.ground.oracle;
        if forget {
            std::mem::forget(local);
            return oracle.leak(known.run());
        }
        drop(local);
        oracle.handles -= usize::from(known.is_counted());
        oracle.return_run(known.unused());
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
        let iter = LyingIter { ground: &mut *ground, known: None, log: &mut log, says: has, has, at, act };
        let done = catch(|| self.reservation.fill_from_iter(iter));
        if let Some(filled) = done {
            assert_eq!((filled, log.tags.len()), (room.min(has), room.min(has)));
            assert_eq!(log.calls, room.min(has + 1), "the number of calls of `next`");
        }
        // Values yielded before a panic are kept.
        self.tags.append(&mut log.tags);
        if done.is_none() {
            ground.oracle.note_interrupted(self.slots.start + self.tags.len());
        }
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
        // SAFETY: the new length is at most the capacity, because `spare` ends there. The slots
        // between the old and the new length were written above.
        unsafe { self.reservation.set_len(self.tags.len()) };
    }

    fn extend(&mut self, oracle: &mut Oracle, len: usize, fuse: Option<usize>) {
        let (tags, room) = (oracle.tags(len), self.slots.len() - self.tags.len());
        let src: Vec<_> = tags.iter().map(|&tag| T::new(tag)).collect();
        let fuse = fuse.filter(|&at| T::COUNTED && at < len);
        match with_clone_fuse(fuse, || self.reservation.extend_from_slice(&src)) {
            Some(Ok(())) => {
                assert!(len <= room && fuse.is_none());
                self.tags.extend(tags);
            }
            Some(Err(full)) => {
                assert!(len > room);
                refused(&full, len, room);
            }
            // The clones that were made are dropped.
            None => assert!(len <= room && fuse.is_some()),
        }
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
