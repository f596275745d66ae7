//! The oracle: a plain vector of slots that predicts what the arena must do.

use std::ops::Range;

/// The number of slots that a shard takes from the cursor if shards are forced.
const SHARD: usize = 2;

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Slot {
    /// At or above the cursor.
    Free,
    /// Below the cursor, and returned. A call or a `Local` may have taken it without having shown
    /// which slot it took.
    Vacant,
    /// Below the cursor, in a shard, and unused.
    InShard,
    /// In a handle or a call, without a value outside it.
    Held,
    Owned(u32),
    Published(u32),
}

/// The result of a request.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Run(Range<usize>),
    /// One of the vacant slots. The contract does not say which one.
    SomeVacant,
}

#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) slots: Vec<Slot>,
    /// The cursor. All slots that were handed out are below it.
    pub(crate) bound: usize,
    /// Whether single slots come from a shard, two at a time. There is one thread, so there is one
    /// shard.
    has_shard: bool,
    /// The rest of the shard. It is directly below the position of the cursor at the last refill.
    shard: Range<usize>,
    /// Whether a slot was requested from the shard since the last exclusive access. If so, the
    /// cursor only rises, and returned slots become vacant.
    in_use: bool,
    /// The number of vacant slots that a call or a `Local` has taken without showing which.
    hidden: usize,
    /// Runs whose handle was leaked since the last exclusive access.
    leaked_runs: Vec<Range<usize>>,
    /// The number of hidden slots that were in such a handle.
    leaked_vacant: usize,
    /// Leaked values.
    pub(crate) leaked: usize,
    /// Values in reservations.
    pub(crate) reserved: usize,
    /// The slots that were ever written.
    pub(crate) written: Vec<bool>,
    /// The highest position of the cursor so far.
    pub(crate) highest: usize,
    /// Handles with slots, and calls that use one internally. Leaked handles count until exclusive
    /// access.
    pub(crate) handles: usize,
    /// The number of times that the arena was emptied or that its values got new indices.
    pub(crate) epoch: usize,
    tags: u32,
}

impl Oracle {
    pub(crate) fn new(capacity: usize, has_shard: bool) -> Self {
        Oracle {
            slots: vec![Slot::Free; capacity],
            bound: 0,
            has_shard,
            shard: 0..0,
            in_use: false,
            hidden: 0,
            leaked_runs: Vec::new(),
            leaked_vacant: 0,
            leaked: 0,
            reserved: 0,
            written: vec![false; capacity],
            highest: 0,
            handles: 0,
            epoch: 0,
            tags: 0,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Returns a tag that no value has yet.
    pub(crate) fn tag(&mut self) -> u32 {
        self.tags += 1;
        self.tags
    }

    pub(crate) fn tags(&mut self, n: usize) -> Vec<u32> {
        (0..n).map(|_| self.tag()).collect()
    }

    // ---- predictions

    /// The number of vacant slots that can be allocated.
    pub(crate) fn vacant(&self) -> usize {
        self.slots.iter().filter(|&&slot| slot == Slot::Vacant).count() - self.hidden
    }

    pub(crate) fn count(&self) -> usize {
        self.bound - self.free_below_cursor()
    }

    /// The number of slots below the cursor that single requests can get.
    pub(crate) fn free_below_cursor(&self) -> usize {
        self.shard.len() + self.vacant()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.capacity() - self.count()
    }

    pub(crate) fn published(&self, index: usize) -> Option<u32> {
        match self.slots.get(index) {
            Some(&Slot::Published(tag)) => Some(tag),
            _ => None,
        }
    }

    /// The value of a slot that is not in a reservation.
    pub(crate) fn value(&self, index: usize) -> Option<u32> {
        match self.slots.get(index) {
            Some(&Slot::Published(tag) | &Slot::Owned(tag)) => Some(tag),
            _ => None,
        }
    }

    /// The values with their indices, in index order.
    pub(crate) fn values(&self) -> Vec<(usize, u32)> {
        (0..self.capacity()).filter_map(|index| Some((index, self.value(index)?))).collect()
    }

    /// The number of values alive: in slots, in reservations, and leaked.
    pub(crate) fn live(&self) -> usize {
        self.values().len() + self.reserved + self.leaked
    }

    // ---- taking and returning slots, shared

    pub(crate) fn take_one(&mut self) -> Option<Place> {
        if self.has_shard && self.shard.is_empty() {
            self.in_use = true;
            self.shard = self.take_from_cursor(SHARD.min(self.capacity() - self.bound));
            self.slots[self.shard.clone()].fill(Slot::InShard);
        } else if !self.has_shard && self.bound < self.capacity() {
            return Some(Place::Run(self.take_from_cursor(1)));
        }
        self.take_below_cursor()
    }

    /// Takes one slot if the cursor has none, or without asking the cursor.
    pub(crate) fn take_below_cursor(&mut self) -> Option<Place> {
        if let Some(index) = self.shard.next() {
            self.slots[index] = Slot::Held;
            return Some(Place::Run(index..index + 1));
        }
        if self.vacant() == 0 {
            return None;
        }
        let mut vacant = (0..self.capacity()).filter(|&index| self.slots[index] == Slot::Vacant);
        let (first, second) = (vacant.next().unwrap(), vacant.next());
        if second.is_none() {
            self.slots[first] = Slot::Held;
            return Some(Place::Run(first..first + 1));
        }
        self.hidden += 1;
        Some(Place::SomeVacant)
    }

    /// Takes a run. The error is the number of slots left at the cursor.
    pub(crate) fn take_run(&mut self, len: usize) -> Result<Place, usize> {
        let left = self.capacity() - self.bound;
        match len {
            0 => Ok(self.nothing()),
            1 => self.take_one().ok_or(0),
            _ if len <= left => Ok(Place::Run(self.take_from_cursor(len))),
            _ => Err(left),
        }
    }

    pub(crate) fn take_up_to(&mut self, len: usize) -> Place {
        let left = self.capacity() - self.bound;
        match (len, left) {
            (0, _) => self.nothing(),
            (_, 0) => self.take_below_cursor().unwrap_or_else(|| self.nothing()),
            _ => Place::Run(self.take_from_cursor(len.min(left))),
        }
    }

    /// An empty run, whose index is the capacity.
    fn nothing(&self) -> Place {
        Place::Run(self.capacity()..self.capacity())
    }

    pub(crate) fn take_from_cursor(&mut self, len: usize) -> Range<usize> {
        let run = self.bound..self.bound + len;
        for slot in &mut self.slots[run.clone()] {
            assert_eq!(*slot, Slot::Free);
            *slot = Slot::Held;
        }
        self.bound = run.end;
        self.highest = self.highest.max(self.bound);
        run
    }

    /// Checks where the arena has placed a run: the slots must have been free.
    pub(crate) fn resolve(&mut self, place: Place, first: usize) -> Range<usize> {
        match place {
            Place::Run(run) => {
                assert_eq!(first, run.start, "a run begins where the cursor was, or the shard");
                run
            }
            Place::SomeVacant => {
                assert_eq!(self.slots[first], Slot::Vacant, "slot {first} was handed out, but it was not free");
                self.slots[first] = Slot::Held;
                self.hidden -= 1;
                first..first + 1
            }
        }
    }

    /// If the slot is not known, the cursor tells: it is at `bound` if the slot was the one below
    /// the cursor.
    pub(crate) fn give_back(&mut self, place: Place, bound: usize) {
        match place {
            Place::Run(run) => self.give_back_run(run),
            Place::SomeVacant => {
                self.hidden -= 1;
                if bound + 1 == self.bound && self.slots[bound] == Slot::Vacant {
                    self.give_back_run(bound..bound + 1);
                }
            }
        }
    }

    pub(crate) fn give_back_run(&mut self, run: Range<usize>) {
        if run.is_empty() {
            return;
        }
        let at_cursor = run.end == self.bound && !self.in_use;
        self.slots[run.clone()].fill(if at_cursor { Slot::Free } else { Slot::Vacant });
        if at_cursor {
            self.bound = run.start;
        }
    }

    pub(crate) fn put(&mut self, index: usize, slot: Slot) {
        assert_eq!(self.slots[index], Slot::Held, "slot {index} is filled without being held");
        self.slots[index] = slot;
        self.written[index] = true;
    }

    /// Records that a handle with this run was leaked.
    pub(crate) fn leak(&mut self, place: Place) {
        match place {
            Place::Run(run) => self.leaked_runs.push(run),
            // It is unknown which slot this is. It stays hidden, and will be found vacant.
            Place::SomeVacant => self.leaked_vacant += 1,
        }
    }

    // ---- exclusive access

    /// Makes leaked runs and the rest of the shard vacant, and retracts the cursor over the vacant
    /// slots below it.
    pub(crate) fn settle(&mut self) {
        assert_eq!(self.hidden, self.leaked_vacant);
        (self.hidden, self.leaked_vacant, self.handles) = (0, 0, 0);
        for run in std::mem::take(&mut self.leaked_runs) {
            for slot in &mut self.slots[run] {
                self.leaked += usize::from(matches!(slot, Slot::Owned(_)));
                *slot = Slot::Vacant;
            }
        }
        for index in std::mem::take(&mut self.shard) {
            self.slots[index] = Slot::Vacant;
        }
        self.in_use = false;
        while self.bound > 0 && self.slots[self.bound - 1] == Slot::Vacant {
            self.bound -= 1;
            self.slots[self.bound] = Slot::Free;
        }
    }

    /// Removes all values.
    pub(crate) fn empty(&mut self) {
        self.settle();
        self.slots.fill(Slot::Free);
        self.bound = 0;
        self.epoch += 1;
    }

    /// Moves the values to the first slots. Each is owned, with a new index.
    pub(crate) fn compact(&mut self) {
        let values = self.values();
        self.empty();
        for (index, (_, tag)) in values.into_iter().enumerate() {
            self.take_from_cursor(1);
            self.put(index, Slot::Owned(tag));
        }
    }

    /// Takes single slots from the cursor from now on.
    pub(crate) fn disable(&mut self) {
        self.settle();
        self.has_shard = false;
    }
}
