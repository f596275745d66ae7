//! The time in which somebody has `&mut` of the arena, and how the arena ends.

use atomicarena::{AtomicArena, IndexError, Storage};

use super::op::{Alone, End};
use super::oracle::{Oracle, Slot};
use super::value::{DEFAULT, Value, catch, live, panic_as_planned, with_drop_fuse};

/// Does one thing; with `look` all that can be seen is looked at afterwards.
pub(crate) fn op<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle, what: Alone, look: bool) {
    oracle.settle();
    match what {
        Alone::Look => {}
        Alone::Get(index) => get(arena, oracle, index % (oracle.capacity() + 1)),
        Alone::IterMut { front, back } => iter_mut(arena, oracle, front, back),
        Alone::Drain { front, back, forget, fuse } => drain(arena, oracle, (front, back), forget, fuse),
        Alone::Slice => slice(arena, oracle),
        Alone::PublishAll => publish_all(arena, oracle),
        Alone::FillWith { panic } => fill_with(arena, oracle, panic),
        Alone::FillDefault => fill_default(arena, oracle),
        Alone::Reset { times, zeroed, fuse } => reset(arena, oracle, times, zeroed, fuse),
    }
    if look || matches!(what, Alone::Look) {
        self::look(arena, oracle);
    }
}

fn look<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &Oracle) {
    for index in 0..oracle.capacity() + 2 {
        match (arena.get_mut(index), oracle.value(index)) {
            (None, None) => {}
            (Some(value), Some(tag)) => assert!(value.shows(tag), "slot {index} holds something else"),
            (got, want) => panic!("get_mut({index}): {got:?}, and not {want:?}"),
        }
    }
    let values = oracle.values();
    let mut iter = arena.into_iter();
    assert_eq!(iter.len(), values.len());
    assert!(values.iter().all(|&(index, tag)| iter.next().is_some_and(|(at, value)| at == index && value.shows(tag))));
    assert!(iter.next().is_none() && iter.next_back().is_none());
    assert_eq!((arena.index_bound(), arena.count()), (oracle.bound, oracle.count()));
    if T::COUNTED {
        assert_eq!(live(), oracle.live(), "values that live");
    }
}

fn get<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle, index: usize) {
    match (arena.get_mut(index), oracle.value(index)) {
        (None, None) => {}
        (Some(value), Some(tag)) => {
            assert!(value.shows(tag));
            rewrite(value, oracle, index);
        }
        (got, want) => panic!("get_mut({index}): {got:?}, and not {want:?}"),
    }
    get_many(arena, oracle, [index, (index * 7 + 3) % (oracle.capacity() + 1)]);
}

fn get_many<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &Oracle, indices: [usize; 2]) {
    let [a, b] = indices;
    let wrong = |index| match oracle.value(index) {
        None if index >= oracle.capacity() => Some(IndexError::OutOfRange { index, capacity: oracle.capacity() }),
        None => Some(IndexError::NoValue { index }),
        Some(_) => None,
    };
    let twice = || (a == b).then_some(IndexError::Duplicate { index: b });
    let want = wrong(a).or_else(|| wrong(b)).or_else(twice);
    match arena.get_many_mut(indices) {
        Ok(got) => {
            assert_eq!(want, None);
            assert!(got.iter().zip(indices).all(|(value, index)| value.shows(oracle.value(index).unwrap())));
        }
        Err(error) => assert_eq!(Some(error), want),
    }
}

/// Writes to a value. That it is published does not hinder who has `&mut`.
fn rewrite<T: Value>(value: &mut T, oracle: &mut Oracle, index: usize) {
    let tag = oracle.tag();
    value.set(tag);
    match &mut oracle.slots[index] {
        Slot::Owned(old) | Slot::Published(old) => *old = tag,
        slot => panic!("slot {index} is {slot:?}"),
    }
}

/// Takes some from both ends of what must be `want`, and returns what is left of that.
fn both_ends<I: DoubleEndedIterator + ExactSizeIterator>(
    iter: &mut I,
    mut want: Vec<(usize, u32)>,
    (front, back): (usize, usize),
    mut same: impl FnMut(I::Item, (usize, u32)),
) -> usize {
    for turn in 0..front + back {
        assert_eq!((iter.len(), iter.size_hint()), (want.len(), (want.len(), Some(want.len()))));
        let got = if turn < front { iter.next() } else { iter.next_back() };
        assert_eq!(got.is_some(), !want.is_empty());
        let Some(got) = got else { break };
        let at = if turn < front { 0 } else { want.len() - 1 };
        same(got, want.remove(at));
    }
    want.len()
}

fn iter_mut<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle, front: usize, back: usize) {
    let values = oracle.values();
    both_ends(&mut arena.iter_mut(), values, (front, back), |(at, value), (index, tag)| {
        assert!(at == index && value.shows(tag));
        rewrite(value, oracle, index);
    });
}

fn drain<T: Value, S: Storage<T>>(
    arena: &mut AtomicArena<T, S>,
    oracle: &mut Oracle,
    ends: (usize, usize),
    forget: bool,
    fuse: Option<usize>,
) {
    let values = oracle.values();
    oracle.empty();
    let mut drain = arena.drain();
    let left = both_ends(&mut drain, values, ends, |value, (_, tag)| assert!(value.shows(tag)));
    if forget {
        std::mem::forget(drain);
        oracle.leaked += left;
    } else {
        let done = with_drop_fuse(fuse, || drop(drain));
        assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < left));
    }
}

fn slice<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle) {
    match arena.as_mut_slice() {
        Some(slice) => {
            assert_eq!((slice.len(), oracle.vacant()), (oracle.bound, 0));
            for (index, value) in slice.iter_mut().enumerate() {
                assert!(value.shows(oracle.value(index).unwrap()));
                rewrite(value, oracle, index);
            }
        }
        None => assert_ne!(oracle.vacant(), 0),
    }
}

fn publish_all<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle) {
    arena.publish_all();
    for (index, tag) in oracle.values() {
        oracle.slots[index] = Slot::Published(tag);
    }
}

fn fill_with<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle, panic: Option<usize>) {
    let free = oracle.remaining();
    let mut calls = 0;
    let done = catch(|| {
        let slice = arena.fill_with(|index| {
            if panic == Some(calls) {
                panic_as_planned();
            }
            calls += 1;
            let tag = oracle.tag();
            filled(oracle, index, tag);
            T::new(tag)
        });
        (slice.len(), slice.as_ptr().addr())
    });
    match done {
        Some((len, first)) => {
            assert_eq!((calls, len), (free, oracle.capacity()));
            assert_eq!(arena.get_mut(0).map(|value| std::ptr::from_ref(value).addr()), Some(first));
        }
        None => assert!(panic.is_some_and(|at| at < free)),
    }
}

fn fill_default<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle) {
    for index in 0..oracle.capacity() {
        if oracle.value(index).is_none() {
            filled(oracle, index, DEFAULT);
        }
    }
    let slice = arena.fill_default();
    assert_eq!(slice.len(), oracle.capacity());
    assert!(slice.iter().enumerate().all(|(index, value)| value.shows(oracle.value(index).unwrap())));
}

fn filled(oracle: &mut Oracle, index: usize, tag: u32) {
    match oracle.slots[index] {
        Slot::Vacant => {}
        Slot::Free => assert_eq!(oracle.take_from_cursor(1), index..index + 1),
        slot => panic!("slot {index} is filled, and was {slot:?}"),
    }
    oracle.slots[index] = Slot::Held;
    oracle.put(index, Slot::Owned(tag));
}

fn reset<T: Value, S: Storage<T>>(
    arena: &mut AtomicArena<T, S>,
    oracle: &mut Oracle,
    times: usize,
    zeroed: bool,
    fuse: Option<usize>,
) {
    let gone = oracle.values().len();
    oracle.empty();
    let mut once = || if zeroed { arena.reset_zeroed() } else { arena.reset() };
    let done = with_drop_fuse(fuse, &mut once);
    assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < gone));
    (1..times).for_each(|_| once());
    assert!(arena.is_empty() && arena.index_bound() == 0);
    if zeroed {
        assert_zero(arena, oracle);
    }
}

/// No byte that was ever written is there. The arena is empty.
fn assert_zero<T, S: Storage<T>>(arena: &AtomicArena<T, S>, oracle: &Oracle) {
    let mut all = arena.reserve_up_to(usize::MAX);
    let first = all.as_mut_ptr();
    for (index, _) in oracle.written.iter().enumerate().filter(|(_, written)| **written) {
        for byte in 0..size_of::<T>() {
            // SAFETY: within the slots, which are ours. Something was written there, so at least the zeros were.
            let byte = unsafe { first.add(index).cast::<u8>().add(byte).read() };
            assert_eq!(byte, 0, "slot {index} was not zeroed");
        }
    }
}

/// Looks at all there is, and ends the arena: only what was leaked lives on.
pub(crate) fn end<T: Value, S: Storage<T>>(mut arena: AtomicArena<T, S>, oracle: &mut Oracle, end: End) {
    op(&mut arena, oracle, Alone::Look, true);
    let values = oracle.values();
    let held = values.len();
    let (left, fuse, done) = match end {
        End::Drop { fuse } => (held, fuse, with_drop_fuse(fuse, || drop(arena))),
        End::IntoIter { front, back, fuse } => {
            let mut iter = arena.into_iter();
            let left = both_ends(&mut iter, values, (front, back), |value, (_, tag)| assert!(value.shows(tag)));
            (left, fuse, with_drop_fuse(fuse, || drop(iter)))
        }
    };
    assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < left));
    assert_eq!(live(), if T::COUNTED { oracle.leaked } else { 0 }, "values that live on");
}
