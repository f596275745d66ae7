//! Checks of everything that a shared arena shows: its numbers, its slots one by one, as ranges and
//! through iterators, and the values behind all references that it has lent.

use atomicarena::{AtomicArena, Storage};

use super::expected::{Oracle, Slot};
use super::ground::Ground;
use super::value::{Value, live, message_of};

/// Checks the numbers that the arena reports.
pub(super) fn numbers<T, S: Storage<T>>(arena: &AtomicArena<T, S>, oracle: &Oracle) {
    assert_eq!(arena.capacity(), oracle.capacity());
    assert_eq!(arena.index_bound(), oracle.bound, "the cursor");
    assert_eq!(arena.count(), oracle.count());
    assert_eq!(arena.remaining(), oracle.remaining());
    assert_eq!(arena.is_empty(), oracle.count() == 0);
    assert_eq!(arena.is_full(), oracle.remaining() == 0);
    let stats = arena.stats();
    assert_eq!(
        (stats.capacity, stats.count, stats.vacant, stats.handles, stats.resets),
        (oracle.capacity(), oracle.count(), oracle.free_below_cursor(), oracle.handles, oracle.epoch as u64)
    );
    let written = oracle.written.iter().rposition(|&written| written).map_or(0, |last| last + 1);
    let high_water = written.max(oracle.bound)..=oracle.highest;
    assert!(high_water.contains(&stats.high_water), "{stats:?}, not in {high_water:?}");
    assert_eq!(stats.bytes - stats.overhead, size_of::<T>() * oracle.capacity());
    let published = (0..oracle.capacity()).filter(|&index| oracle.published(index).is_some());
    assert_eq!(arena.count_published(), published.count());
}

impl<T: Value, S: Storage<T>> Ground<'_, '_, T, S> {
    pub(crate) fn open_iter(&mut self) {
        self.iter = Some((self.arena.iter(), 0..self.oracle.bound));
    }

    pub(crate) fn step_iter(&mut self, back: bool) {
        let Some((iter, rest)) = &mut self.iter else { return };
        let published = |&index: &usize| self.oracle.published(index).is_some();
        let left = rest.clone().filter(published).count();
        assert!(iter.size_hint().0 <= left && iter.size_hint().1.is_some_and(|most| most >= left));
        let (got, want) = match back {
            false => (iter.next(), rest.by_ref().find(published)),
            true => (iter.next_back(), rest.by_ref().rev().find(published)),
        };
        assert_eq!(got.map(|(index, _)| index), want);
        if let Some((index, value)) = got {
            assert!(value.shows(self.oracle.published(index).unwrap()));
        }
    }

    /// Checks that indexing finds a published value, and otherwise panics with a message that names
    /// the index.
    pub(crate) fn index(&self, which: usize) {
        let (arena, index) = (self.arena, which % (self.oracle.capacity() + 2));
        match (message_of(|| &arena[index]), self.oracle.published(index)) {
            (Ok(value), Some(tag)) => assert!(value.shows(tag) && arena.index_of(value) == Some(index)),
            (Err(message), None) => {
                let begins = if index < arena.capacity() { "slot" } else { "index" };
                assert!(message.starts_with(&format!("{begins} {index} ")), "{message}");
            }
            (got, want) => panic!("arena[{index}]: {got:?}, and not {want:?}"),
        }
    }

    /// Checks everything that is visible through `&`.
    pub(crate) fn look(&mut self) {
        self.looks += 1;
        numbers(self.arena, self.oracle);
        if T::COUNTED {
            assert_eq!(live(), self.oracle.live(), "the number of live values");
        }
        self.look_at_slots();
        self.look_at_ranges();
        self.look_at_references();
        self.keys.look(self.arena, self.oracle);
        let published = (0..self.oracle.bound).filter_map(|index| Some((index, self.oracle.published(index)?)));
        assert!(self.arena.iter().eq_by_tag(published.clone()));
        assert!(self.arena.into_iter().rev().eq_by_tag(published.rev()));
        if self.looks % 16 == 0 {
            assert!(format!("{:?} {:?}", self.arena, self.iter.clone()).starts_with("AtomicArena"));
        }
    }

    fn look_at_slots(&self) {
        let capacity = self.oracle.capacity();
        for index in 0..capacity + 2 {
            let (got, want) = (self.arena.get(index), self.oracle.published(index));
            assert_eq!(got.is_some(), want.is_some(), "whether slot {index} is visible");
            assert!(got.is_none_or(|value| value.shows(want.unwrap())), "slot {index} shows something else");
            // Only at some steps, so that the first key of an epoch is often created late.
            if self.looks % 4 == 0 {
                let key = self.arena.key_at(index);
                assert_eq!(key.map(|key| key.index()), want.map(|_| index));
                let keyed = key.and_then(|key| self.arena.get_keyed(key));
                assert_eq!(keyed.map(std::ptr::from_ref), got.map(std::ptr::from_ref));
            }
            let wrapped = self.arena.get_wrapping(index.wrapping_add(self.looks * capacity));
            assert_eq!(wrapped.map(std::ptr::from_ref), self.arena.get(index % capacity).map(std::ptr::from_ref));
        }
        assert!(self.arena.get(usize::MAX).is_none() && self.arena.key_at(usize::MAX).is_none());
    }

    fn look_at_ranges(&self) {
        let capacity = self.oracle.capacity();
        let start = self.looks % (capacity + 1);
        for end in start..capacity + 2 {
            let got = self.arena.get_slice(start..end);
            let visible = end <= capacity && (start..end).all(|index| self.oracle.published(index).is_some());
            assert_eq!(got.map(<[T]>::len), visible.then_some(end - start), "{start}..{end}");
            for (index, value) in (start..).zip(got.into_iter().flatten()) {
                assert!(value.shows(self.oracle.published(index).unwrap()));
            }
        }
        #[expect(clippy::reversed_empty_ranges)]
        {
            assert!(self.arena.get_slice(1..0).is_none() && self.arena.get_slice(usize::MAX..0).is_none());
        }
    }

    fn look_at_references(&self) {
        for (index, value) in &self.owned {
            assert_eq!(self.oracle.slots[*index], Slot::Owned(self.oracle.value(*index).unwrap()));
            assert!(value.shows(self.oracle.value(*index).unwrap()), "slot {index} has another value");
            assert_eq!(self.arena.index_of(value), Some(*index));
        }
        for (index, value) in &self.seen {
            assert!(value.shows(self.oracle.published(*index).unwrap()));
        }
        let stranger = T::new(0);
        assert_eq!(self.arena.index_of(&stranger), None);
    }
}

/// Compares the items of an iterator with indices and tags.
trait EqByTag {
    fn eq_by_tag(self, want: impl Iterator<Item = (usize, u32)>) -> bool;
}

impl<'v, T: Value + 'v, I: Iterator<Item = (usize, &'v T)>> EqByTag for I {
    fn eq_by_tag(mut self, mut want: impl Iterator<Item = (usize, u32)>) -> bool {
        loop {
            match (self.next(), want.next()) {
                (Some((index, value)), Some((at, tag))) if index == at && value.shows(tag) => {}
                (None, None) => return self.next().is_none(),
                _ => return false,
            }
        }
    }
}
