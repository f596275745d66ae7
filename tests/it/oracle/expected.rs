//! The oracle: what a plain vector of slots says the arena must do.

use std::ops::Range;

/// How many slots a shard takes from the cursor, where shards are forced.
const SHARD: usize = 2;

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Slot {
    /// At or above the cursor.
    Free,
    /// Below it, given back. May be in the hands of a call or a `Local` that has not yet shown which it took.
    Vacant,
    /// Below it, in a shard, and nobody's.
    InShard,
    /// In a handle or a call, without a value that is anybody else's.
    Held,
    Owned(u32),
    Published(u32),
}

/// What a request was given.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Run(Range<usize>),
    /// One of the vacant slots: the contract does not say which.
    SomeVacant,
}

#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) slots: Vec<Slot>,
    /// The cursor: what was handed out lies below.
    pub(crate) bound: usize,
    /// Whether single slots come from a shard, two at a time. There is one thread, so there is one shard.
    has_shard: bool,
    /// What is left in it. Lies right below where the cursor was when the shard was filled.
    shard: Range<usize>,
    /// Whether the shard was asked for a slot since `&mut` was last there: then the cursor only rises, and what goes back
    /// becomes vacant.
    in_use: bool,
    /// How many of the vacant slots are in somebody's hands.
    hidden: usize,
    /// Runs whose handle was forgotten since `&mut` was last there.
    leaked_runs: Vec<Range<usize>>,
    /// How many of the hidden slots were in such a handle.
    leaked_vacant: usize,
    /// Values that nobody will drop.
    pub(crate) leaked: usize,
    /// Values in reservations.
    pub(crate) reserved: usize,
    /// Slots that were ever written to.
    pub(crate) written: Vec<bool>,
    /// The highest that the cursor ever stood.
    pub(crate) highest: usize,
    /// Handles with slots of their own, and calls that have one inside; leaked ones, until `&mut` is there.
    pub(crate) handles: usize,
    /// How often it was emptied, or its values numbered anew.
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

    /// A tag that nothing carries yet.
    pub(crate) fn tag(&mut self) -> u32 {
        self.tags += 1;
        self.tags
    }

    pub(crate) fn tags(&mut self, n: usize) -> Vec<u32> {
        (0..n).map(|_| self.tag()).collect()
    }

    // ---- what it predicts

    /// Vacant slots that can be had.
    pub(crate) fn vacant(&self) -> usize {
        self.slots.iter().filter(|&&slot| slot == Slot::Vacant).count() - self.hidden
    }

    pub(crate) fn count(&self) -> usize {
        self.bound - self.left_over()
    }

    /// Slots below the cursor that can be had, one by one.
    pub(crate) fn left_over(&self) -> usize {
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

    /// The values, with their indices, in index order.
    pub(crate) fn values(&self) -> Vec<(usize, u32)> {
        (0..self.capacity()).filter_map(|index| Some((index, self.value(index)?))).collect()
    }

    /// How many values live: in slots, in reservations, and those that nobody will drop.
    pub(crate) fn live(&self) -> usize {
        self.values().len() + self.reserved + self.leaked
    }

    // ---- taking and giving back, shared

    pub(crate) fn take_one(&mut self) -> Option<Place> {
        if self.has_shard && self.shard.is_empty() {
            self.in_use = true;
            self.shard = self.take_from_cursor(SHARD.min(self.capacity() - self.bound));
            self.slots[self.shard.clone()].fill(Slot::InShard);
        } else if !self.has_shard && self.bound < self.capacity() {
            return Some(Place::Run(self.take_from_cursor(1)));
        }
        self.take_left_over()
    }

    /// One slot, where nothing is left at the cursor, or not looked for there.
    pub(crate) fn take_left_over(&mut self) -> Option<Place> {
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

    /// `Err` is how many were left.
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
            (_, 0) => self.take_left_over().unwrap_or_else(|| self.nothing()),
            _ => Place::Run(self.take_from_cursor(len.min(left))),
        }
    }

    /// A run of none, which lies at the end.
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

    /// The arena shows where it has put a run: there it must have been free.
    pub(crate) fn resolve(&mut self, place: Place, first: usize) -> Range<usize> {
        match place {
            Place::Run(run) => {
                assert_eq!(first, run.start, "a run begins where the cursor was, or the shard");
                run
            }
            Place::SomeVacant => {
                assert_eq!(self.slots[first], Slot::Vacant, "slot {first} was handed out, and was not free");
                self.slots[first] = Slot::Held;
                self.hidden -= 1;
                first..first + 1
            }
        }
    }

    /// Where the place is not known, the cursor tells: it has gone back to `bound` if the slot was the one below it.
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
        assert_eq!(self.slots[index], Slot::Held, "slot {index} is filled by who does not hold it");
        self.slots[index] = slot;
        self.written[index] = true;
    }

    /// A handle was forgotten that had this run.
    pub(crate) fn leak(&mut self, place: Place) {
        match place {
            Place::Run(run) => self.leaked_runs.push(run),
            // Nobody can say which: it stays in nobody's hands, and will be found vacant.
            Place::SomeVacant => self.leaked_vacant += 1,
        }
    }

    // ---- with `&mut`

    /// Leaked runs and what is left in the shard become vacant, and the cursor is drawn back over the vacant slots below it.
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

    /// No slot has a value.
    pub(crate) fn empty(&mut self) {
        self.settle();
        self.slots.fill(Slot::Free);
        self.bound = 0;
        self.epoch += 1;
    }

    /// The values lie side by side from the first slot on, each owned, and under a new index.
    pub(crate) fn compact(&mut self) {
        let values = self.values();
        self.empty();
        for (index, (_, tag)) in values.into_iter().enumerate() {
            self.take_from_cursor(1);
            self.put(index, Slot::Owned(tag));
        }
    }

    /// From now on single slots come from the cursor.
    pub(crate) fn disable(&mut self) {
        self.settle();
        self.has_shard = false;
    }
}
