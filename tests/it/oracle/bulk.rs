//! Requests for several values, to an arena and to a `Local`.

use atomicarena::{AtomicArena, Full, Storage};

use super::expected::Place;
use super::ground::Ground;
use super::local::{Answer, Known, OpenLocal, Slots};
use super::lying::{Log, LyingIter};
use super::op::{Bulk, Method};
use super::source::{Source, Stored};
use super::value::{Store, Value, catch, with_clone_fuse};

/// The maximum length of a slice or a vector that a program creates.
const LONGEST: usize = 300;

/// The `Local` that serves a request. If it is `None`, the arena serves the request.
pub(super) type Via<'v, 'a, T> = Option<&'v mut OpenLocal<'a, T>>;

/// Returns the source of the slots and, for a `Local`, the oracle's knowledge of it.
pub(super) fn source<'v, 'a, T: Value, S: Storage<T>>(
    arena: &'a AtomicArena<T, S>,
    via: Via<'v, 'a, T>,
) -> (Source<'v, 'a, T, S>, Option<&'v mut Known>) {
    match via {
        None => (Source::Arena(arena), None),
        Some(OpenLocal { local, known }) => (Source::Local(local), Some(known)),
    }
}

/// Returns the numbers of requested and remaining slots.
fn numbers<V>(full: &Full<V>) -> (usize, usize) {
    (full.requested(), full.remaining())
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

impl<'a, T: Value, S: Storage<T>> Ground<'a, '_, T, S> {
    pub(super) fn bulk(&mut self, bulk: Bulk, mut via: Via<'_, 'a, T>) {
        let (source, known) = source(self.arena, via.as_deref_mut());
        match bulk.method {
            Method::Copy => self.copied(source, known, bulk, T::slice_copy),
            Method::Str => self.copied(source, known, bulk, T::str),
            Method::Clone => self.slice_clone(source, known, bulk, None),
            Method::ClonePanics => self.slice_clone(source, known, bulk, Some(bulk.at)),
            Method::With => self.slice_with(source, known, bulk),
            Method::Iter => self.lying_iter(source, known, bulk),
            Method::Array => match bulk.len {
                0 => self.array::<0>(source, known, bulk),
                1 => self.array::<1>(source, known, bulk),
                2 => self.array::<2>(source, known, bulk),
                3 => self.array::<3>(source, known, bulk),
                4 => self.array::<4>(source, known, bulk),
                5 => self.array::<5>(source, known, bulk),
                _ => self.array::<17>(source, known, bulk),
            },
            Method::Vec => self.vec(source, known, bulk),
            Method::Prefix => self.prefix_clone(source, known, bulk, None),
            Method::PrefixPanics => self.prefix_clone(source, known, bulk, Some(bulk.at)),
        }
        if let Some(open) = via {
            open.look(self);
        }
    }

    /// Calls `store`, one of the methods that copy a slice, if this type of values has it.
    fn copied<'s>(
        &mut self,
        source: Source<'s, 'a, T, S>,
        known: Option<&mut Known>,
        bulk: Bulk,
        store: Store<'s, 'a, T, S>,
    ) {
        let tags = self.oracle.tags(bulk.len.min(LONGEST));
        let Some(got) = store(source, &values(&tags), bulk.publish) else { return };
        self.answered(known, tags.len(), got.map_err(|full| numbers(&full)), &tags);
    }

    fn slice_clone(
        &mut self,
        source: Source<'_, 'a, T, S>,
        mut known: Option<&mut Known>,
        bulk: Bulk,
        fuse: Option<usize>,
    ) {
        let tags = self.oracle.tags(bulk.len.min(LONGEST));
        let src = values::<T>(&tags);
        let clone = || source.slice_clone(&src, bulk.publish).map_err(|full| numbers(&full));
        let panics = T::COUNTED && fuse.is_some_and(|at| at < src.len());
        match with_clone_fuse(fuse, clone) {
            Some(got) => {
                assert!(got.is_err() || !panics);
                self.answered(known, tags.len(), got, &tags);
            }
            None => {
                assert!(panics);
                let slots = self.begin_fill(known.as_deref_mut(), src.len());
                self.gave_up(known, slots, fuse.unwrap());
            }
        }
    }

    fn slice_with(&mut self, source: Source<'_, 'a, T, S>, mut known: Option<&mut Known>, bulk: Bulk) {
        let (mut taken, mut tags) = (None, Vec::new());
        let make = |i| {
            assert_eq!(i, tags.len());
            if i == 0 {
                taken = Some(self.begin_fill(known.as_deref_mut(), bulk.len));
            }
            if i == bulk.at {
                self.act(bulk.act);
            }
            tags.push(self.oracle.tag());
            T::new(tags[i])
        };
        match (catch(|| source.slice_with(bulk.len, make).map_err(|full| numbers(&full))), taken) {
            (Some(Ok(values)), Some(slots)) => {
                assert_eq!(tags.len(), bulk.len);
                self.keep(known, slots, values, &tags);
            }
            (Some(got), None) => {
                assert!(got.is_err() || bulk.len == 0);
                self.answered(known, bulk.len, got, &tags);
            }
            (None, Some(slots)) => self.gave_up(known, slots, tags.len()),
            (got, taken) => panic!("alloc_slice_with: {got:?}, and {taken:?}"),
        }
    }

    fn lying_iter(&mut self, source: Source<'_, 'a, T, S>, mut known: Option<&mut Known>, bulk: Bulk) {
        let mut log = Log { fills: Some(bulk.len), ..Log::default() };
        let iter = LyingIter {
            ground: self,
            known: known.as_deref_mut(),
            log: &mut log,
            says: bulk.len,
            has: bulk.given,
            at: bulk.at,
            act: bulk.act,
        };
        let done = catch(|| {
            source.collected(iter, bulk.publish).map_err(|full| {
                let numbers = numbers(&full);
                // The iterator is returned. The calls that it received are in the log.
                let LyingIter { .. } = full.into_inner();
                numbers
            })
        });
        assert_eq!(log.asked_len.get(), 1, "the number of calls of `len`");
        match (done, log.slots.take()) {
            (Some(Ok(values)), Some(slots)) => {
                assert_eq!(log.tags.len(), bulk.len.min(bulk.given));
                assert_eq!(log.calls, bulk.len.min(bulk.given + 1), "the number of calls of `next`");
                self.keep(known, slots, values, &log.tags);
            }
            (Some(got), None) => {
                assert!(log.calls == 0 && (got.is_err() || bulk.len == 0));
                self.answered(known, bulk.len, got, &[]);
            }
            (None, Some(slots)) => self.gave_up(known, slots, log.tags.len()),
            (got, slots) => panic!("from an iterator: {got:?}, and {slots:?}"),
        }
    }

    fn array<const N: usize>(&mut self, source: Source<'_, 'a, T, S>, known: Option<&mut Known>, bulk: Bulk) {
        let tags = self.oracle.tags(N);
        let got = source.array::<N>(std::array::from_fn(|i| T::new(tags[i])), bulk.publish);
        self.answered(known, N, got.map_err(|full| many_came_back(full, &tags)), &tags);
    }

    fn vec(&mut self, source: Source<'_, 'a, T, S>, known: Option<&mut Known>, bulk: Bulk) {
        let tags = self.oracle.tags(bulk.len.min(LONGEST));
        let got = source.vec(values(&tags));
        self.answered(known, tags.len(), got.map_err(|full| many_came_back(full, &tags)), &tags);
    }

    fn prefix_clone(
        &mut self,
        source: Source<'_, 'a, T, S>,
        mut known: Option<&mut Known>,
        bulk: Bulk,
        fuse: Option<usize>,
    ) {
        let tags = self.oracle.tags(bulk.len.min(LONGEST));
        let (src, before) = (values::<T>(&tags), self.oracle.bound);
        let done = with_clone_fuse(fuse, || source.prefix_clone(&src));
        let got = match &done {
            Some(values) => values.len(),
            // A clone panicked and the slots were returned, so their number is not known. It
            // matters only where the oracle cannot predict it. If the cursor has risen, the request
            // got the slots over which it has risen. (Shards are then active, so returning the
            // slots has not retracted the cursor.) Otherwise, assume that vacant slots have served
            // the whole request.
            None if self.arena.index_bound() == before => src.len(),
            None => self.arena.index_bound() - before,
        };
        // If no slot is free, nothing is stored.
        let slots = self.take(known.as_deref_mut(), src.len(), Answer::UpTo(got)).unwrap_or(Slots::Own(0));
        let fits = slots.len();
        if let (None, Slots::Arena(Place::SomeVacant(_))) = (&done, &slots) {
            // Instead of vacant slots, the call may have taken all slots left at the cursor.
            self.oracle.highest = self.oracle.highest.max(self.oracle.capacity().min(before + src.len()));
        }
        assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < fits));
        match done {
            Some(values) => self.keep(known, slots, values, &tags[..fits]),
            None => self.gave_up(known, slots, fuse.unwrap()),
        }
    }

    // ---- what the oracle expects

    /// Predicts the slots of a request that the arena has just served or refused.
    pub(super) fn take(&mut self, known: Option<&mut Known>, len: usize, answer: Answer) -> Result<Slots, usize> {
        match (known, answer) {
            (Some(known), answer) => known.take(self, len, answer),
            (None, Answer::Served(served)) => self.oracle.take_run(len, served).map(Slots::Arena),
            (None, Answer::UpTo(got)) => Ok(Slots::Arena(self.oracle.take_up_to(len, got))),
        }
    }

    /// Predicts the slots of a request for `len` values. To be called when user code is about to
    /// make the first value. The arena has taken the slots by then.
    pub(super) fn begin_fill(&mut self, known: Option<&mut Known>, len: usize) -> Slots {
        self.take(known, len, Answer::Served(true)).expect("user code was called although there was no room")
    }

    /// Predicts the answer to a request for `len` slots, compares it with `got`, and records the
    /// values.
    fn answered(
        &mut self,
        mut known: Option<&mut Known>,
        len: usize,
        got: Result<Stored<'a, T>, (usize, usize)>,
        tags: &[u32],
    ) {
        let want = self.take(known.as_deref_mut(), len, Answer::Served(got.is_ok()));
        match (got, want) {
            (Ok(values), Ok(slots)) => self.keep(known, slots, values, tags),
            (Err(numbers), Err(left)) => assert_eq!(numbers, (len, left)),
            (got, want) => panic!("a slice: {got:?}, and not {want:?}"),
        }
    }

    /// Records that a panic has undone a request for which `made` values were created.
    fn gave_up(&mut self, known: Option<&mut Known>, slots: Slots, made: usize) {
        match (slots, known) {
            (Slots::Arena(place), _) => {
                if let Place::Run(run) = &place {
                    self.oracle.written[run.start..run.start + made].fill(true);
                }
                self.return_place(place);
            }
            (Slots::Own(_), Some(known)) => {
                // If the oracle does not know the slot yet, it cannot record the write.
                if let Some(first) = known.first_unused() {
                    self.oracle.written[first..][..made].fill(true);
                }
            }
            (slots, None) => panic!("{slots:?} without a `Local`"),
        }
    }

    /// Records stored values, which may be fewer than requested. The other slots were returned, or
    /// stay in the `Local`.
    pub(super) fn keep(&mut self, known: Option<&mut Known>, slots: Slots, stored: Stored<'a, T>, tags: &[u32]) {
        assert_eq!(stored.len(), tags.len());
        let (first, published) = match &stored {
            Stored::Owned(values) => (values.first(), false),
            Stored::Published(_, values) => (values.first(), true),
        };
        let at = |value| self.arena.index_of(value).expect("it lies in a slot");
        let first = first.map_or(self.oracle.capacity(), at);
        if let Stored::Published(index, _) = stored {
            assert_eq!(index, first);
        }
        let mut unfilled = 0..0;
        match (slots, known) {
            (Slots::Arena(place), _) if tags.is_empty() => self.return_place(place),
            (Slots::Arena(place), _) => unfilled = first + tags.len()..self.oracle.resolve(place, first).end,
            (Slots::Own(_), _) if tags.is_empty() => {}
            (Slots::Own(len), Some(known)) => {
                assert!(tags.len() <= len);
                known.fill(self.oracle, first, tags.len(), published);
            }
            (slots, None) => panic!("{slots:?} without a `Local`"),
        }
        match stored {
            Stored::Owned(values) => {
                for (i, (value, &tag)) in values.iter_mut().zip(tags).enumerate() {
                    self.put_owned(first + i, value, tag);
                }
            }
            Stored::Published(_, values) => {
                for (i, (value, &tag)) in values.iter().zip(tags).enumerate() {
                    self.put_published(first + i, value, tag);
                }
            }
        }
        self.oracle.return_run(unfilled);
    }
}
