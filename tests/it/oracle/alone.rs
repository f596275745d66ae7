//! The phase with exclusive access, and how the arena ends.

use atomicarena::{AtomicArena, IndexError, Storage};

use super::expected::{Oracle, Slot};
use super::keys::Keys;
use super::look::numbers;
use super::op::{Alone, End, Many};
use super::value::{DEFAULT, Value, catch, live, panic_as_planned, with_drop_fuse};

/// Performs one operation. With `look`, everything visible is checked afterwards.
pub(crate) fn op<T: Value, S: Storage<T>>(
    arena: &mut AtomicArena<T, S>,
    oracle: &mut Oracle,
    keys: &Keys<T>,
    what: Alone,
    look: bool,
) {
    oracle.settle();
    match what {
        // The caller, which owns the arena, performs `InOrder`.
        Alone::Look | Alone::InOrder => {}
        Alone::Get(index) => get(arena, oracle, index % (oracle.capacity() + 1)),
        Alone::GetKey(which) => get_keyed(arena, oracle, keys, which),
        Alone::GetMany(many) => get_many(arena, oracle, many),
        Alone::IterMut { front, back } => iter_mut(arena, oracle, front, back),
        Alone::Drain { front, back, forget, fuse } => drain(arena, oracle, (front, back), forget, fuse),
        Alone::Slice => slice(arena, oracle),
        Alone::PublishAll => publish_all(arena, oracle),
        Alone::FillWith { panic } => fill_with(arena, oracle, panic),
        Alone::FillDefault => fill_default(arena, oracle),
        Alone::Reset { times, zeroed, fuse } => reset(arena, oracle, times, zeroed, fuse),
        Alone::Compact { publish } => compact(arena, oracle, publish),
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
    numbers(arena, oracle);
    if T::COUNTED {
        assert_eq!(live(), oracle.live(), "the number of live values");
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
}

fn get_keyed<T: Value, S: Storage<T>>(
    arena: &mut AtomicArena<T, S>,
    oracle: &mut Oracle,
    keys: &Keys<T>,
    which: usize,
) {
    let Some((key, want)) = keys.pick(oracle, which) else { return };
    match (arena.get_keyed_mut(key), want) {
        (None, None) => {}
        (Some(value), Some(tag)) => {
            assert!(value.shows(tag));
            rewrite(value, oracle, key.index());
        }
        (got, want) => panic!("get_keyed_mut({key:?}): {got:?}, and not {want:?}"),
    }
}

fn get_many<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle, many: Many) {
    match many.len {
        0 => get_array::<T, S, 0>(arena, oracle, many),
        1 => get_array::<T, S, 1>(arena, oracle, many),
        2 => get_array::<T, S, 2>(arena, oracle, many),
        3 => get_array::<T, S, 3>(arena, oracle, many),
        4 => get_array::<T, S, 4>(arena, oracle, many),
        _ => get_array::<T, S, 7>(arena, oracle, many),
    }
}

fn get_array<T: Value, S: Storage<T>, const N: usize>(
    arena: &mut AtomicArena<T, S>,
    oracle: &mut Oracle,
    Many { first, step, held, .. }: Many,
) {
    let (capacity, values) = (oracle.capacity(), oracle.values());
    let indices: [usize; N] = std::array::from_fn(|i| match (first + i * step).checked_rem(values.len()) {
        Some(which) if held => values[which].0,
        _ if first + i == 256 => usize::MAX,
        _ => (first + i * step) % (capacity + 1),
    });
    let wrong = (0..N).find_map(|i| match indices[i] {
        index if index >= capacity => Some(IndexError::OutOfRange { index, capacity }),
        index if oracle.value(index).is_none() => Some(IndexError::NoValue { index }),
        index => indices[..i].contains(&index).then_some(IndexError::Duplicate { index }),
    });
    match arena.get_disjoint_mut(indices) {
        Ok(mut got) => {
            assert_eq!(wrong, None, "{indices:?}");
            for (value, index) in got.iter_mut().zip(indices) {
                assert!(value.shows(oracle.value(index).unwrap()));
                rewrite(*value, oracle, index);
            }
            // The references exist at once, and writing through one has not changed the value of
            // another.
            assert!(got.iter().zip(indices).all(|(value, index)| value.shows(oracle.value(index).unwrap())));
        }
        Err(error) => assert_eq!(Some(error), wrong, "{indices:?}"),
    }
}

/// Writes to a value. With exclusive access this is possible even if the value is published.
fn rewrite<T: Value>(value: &mut T, oracle: &mut Oracle, index: usize) {
    let tag = oracle.tag();
    value.set(tag);
    match &mut oracle.slots[index] {
        Slot::Owned(old) | Slot::Published(old) => *old = tag,
        slot => panic!("slot {index} is {slot:?}"),
    }
}

/// Takes some values from both ends, and compares them with `want`. Returns the number of values
/// that are left.
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
                oracle.note_interrupted(index);
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
    oracle.epoch += times - 1;
    assert!(arena.is_empty() && arena.index_bound() == 0);
    if zeroed {
        assert_zero(arena, oracle);
    }
}

fn compact<T: Value, S: Storage<T>>(arena: &mut AtomicArena<T, S>, oracle: &mut Oracle, publish: bool) {
    oracle.compact();
    let all = &mut *arena;
    // `compact` must drop no value. The fuse makes the first drop panic.
    let slice = with_drop_fuse(Some(0), move || all.compact()).expect("a value was dropped");
    assert_eq!(slice.len(), oracle.bound);
    for (index, value) in slice.iter_mut().enumerate() {
        assert!(value.shows(oracle.value(index).unwrap()), "slot {index} holds another value");
        if index % 2 == 0 {
            rewrite(value, oracle, index);
        }
    }
    let first = slice.as_ptr();
    assert!(arena.get_mut(0).is_none_or(|value| std::ptr::eq(value, first)));
    assert_eq!(arena.count_published(), 0);
    self::slice(arena, oracle);
    if publish {
        publish_all(arena, oracle);
    }
}

/// Checks that every slot that was ever written is zeroed. The arena must be empty.
fn assert_zero<T, S: Storage<T>>(arena: &AtomicArena<T, S>, oracle: &mut Oracle) {
    let mut all = arena.reserve_up_to(usize::MAX);
    let first = all.as_mut_ptr();
    oracle.highest = oracle.capacity();
    for (index, _) in oracle.written.iter().enumerate().filter(|(_, written)| **written) {
        for byte in 0..size_of::<T>() {
            // SAFETY: the arena is empty, so `all` owns every slot, and the byte is in one of them.
            // The byte is initialised, because `reset_zeroed` zeroes every slot that was written.
            let byte = unsafe { first.add(index).cast::<u8>().add(byte).read() };
            assert_eq!(byte, 0, "slot {index} was not zeroed");
        }
    }
}

/// How an arena becomes a vector, directly or through a boxed slice.
pub(crate) type IntoVec<T, S> = fn(AtomicArena<T, S>, bool) -> Vec<T>;

/// Checks everything, and ends the arena. Only leaked values stay alive.
pub(crate) fn end<T: Value, S: Storage<T>>(
    mut arena: AtomicArena<T, S>,
    oracle: &mut Oracle,
    keys: &Keys<T>,
    end: End,
    into_vec: IntoVec<T, S>,
) {
    op(&mut arena, oracle, keys, Alone::Look, true);
    let values = oracle.values();
    let held = values.len();
    let (left, fuse, done) = match end {
        End::Drop { fuse } => (held, fuse, with_drop_fuse(fuse, || drop(arena))),
        End::IntoIter { front, back, fuse } => {
            let mut iter = arena.into_iter();
            let left = both_ends(&mut iter, values, (front, back), |value, (_, tag)| assert!(value.shows(tag)));
            (left, fuse, with_drop_fuse(fuse, || drop(iter)))
        }
        End::IntoVec { boxed, fuse } => {
            // `into_vec` must drop no value. The fuse makes the first drop panic.
            let vec = with_drop_fuse(Some(0), || into_vec(arena, boxed)).expect("a value was dropped");
            assert_eq!(vec.len(), held);
            assert!(vec.iter().zip(values).all(|(value, (_, tag))| value.shows(tag)));
            if T::COUNTED {
                assert_eq!(live(), oracle.live(), "the number of live values");
            }
            (held, fuse, with_drop_fuse(fuse, || drop(vec)))
        }
    };
    assert_eq!(done.is_none(), T::COUNTED && fuse.is_some_and(|at| at < left));
    assert_eq!(live(), if T::COUNTED { oracle.leaked } else { 0 }, "the number of live values after the end");
}
