//! The oracle: a plain vector of slots that predicts what the arena must do.

use std::ops::Range;

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Slot {
    /// At or above the cursor.
    Free,
    /// Below the cursor, without a value. The slot has no owner either, unless a call in progress
    /// has taken it and the oracle does not know this yet.
    Vacant,
    /// Below the cursor, in a shard, and unused.
    InShard,
    /// Held by a handle or a call. If it holds a value, only this handle or call can reach it.
    Held,
    Owned(u32),
    Published(u32),
}

/// The result of a request.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Run(Range<usize>),
    /// This number of contiguous vacant slots. The contract does not specify which ones.
    SomeVacant(usize),
}

impl Place {
    pub(crate) fn len(&self) -> usize {
        match self {
            Place::Run(run) => run.len(),
            Place::SomeVacant(len) => *len,
        }
    }
}

/// The result of returning a place.
#[derive(Debug, PartialEq)]
pub(crate) enum Returned {
    Known,
    /// This number of slots, which the oracle does not know, may have extended the shard or may
    /// have become vacant.
    Unclear(usize),
}

#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) slots: Vec<Slot>,
    /// The cursor. All slots that were handed out are below it.
    pub(crate) bound: usize,
    /// The longest run with which the shard is refilled, or 0 if there is no shard. Only one thread
    /// runs, so only one shard is used.
    refill: usize,
    /// The rest of the shard.
    shard: Range<usize>,
    /// Whether the shard has served a request since the last exclusive access. If so, the cursor
    /// only rises, and returned slots extend the shard or become vacant.
    active: bool,
    /// The lengths of the runs that calls in progress have taken from the vacant slots. The oracle
    /// does not know yet where these runs are.
    hidden: Vec<usize>,
    /// Runs whose handle has been leaked since the last exclusive access.
    leaked_runs: Vec<Range<usize>>,
    /// The number of leaked values.
    pub(crate) leaked: usize,
    /// The number of values in reservations.
    pub(crate) reserved: usize,
    /// Whether each slot was ever written.
    pub(crate) written: Vec<bool>,
    /// The highest position of the cursor so far.
    pub(crate) highest: usize,
    /// The number of handles with slots. Leaked handles count until exclusive access.
    pub(crate) handles: usize,
    /// The number of times that the arena was emptied or that its values got new indices.
    pub(crate) epoch: usize,
    tags: u32,
}

impl Oracle {
    pub(crate) fn new(capacity: usize, refill: usize) -> Self {
        Oracle {
            slots: vec![Slot::Free; capacity],
            bound: 0,
            refill,
            shard: 0..0,
            active: false,
            hidden: Vec::new(),
            leaked_runs: Vec::new(),
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

    /// Returns the number of vacant slots, without those that calls in progress have taken.
    pub(crate) fn vacant(&self) -> usize {
        self.slots.iter().filter(|&&slot| slot == Slot::Vacant).count() - self.hidden.iter().sum::<usize>()
    }

    pub(crate) fn count(&self) -> usize {
        self.bound - self.free_below_cursor()
    }

    /// Returns the number of slots below the cursor that requests for one slot can get.
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

    /// Returns the tag of the slot's value, unless a handle or a call holds the slot.
    pub(crate) fn value(&self, index: usize) -> Option<u32> {
        match self.slots.get(index) {
            Some(&Slot::Published(tag) | &Slot::Owned(tag)) => Some(tag),
            _ => None,
        }
    }

    /// Returns the tags of all values with their indices, in index order. Values that a handle or a
    /// call holds are not included.
    pub(crate) fn values(&self) -> Vec<(usize, u32)> {
        (0..self.capacity()).filter_map(|index| Some((index, self.value(index)?))).collect()
    }

    /// Returns the number of live values: in slots, in reservations, and leaked.
    pub(crate) fn live(&self) -> usize {
        self.values().len() + self.reserved + self.leaked
    }

    // ---- taking and returning slots while the arena is shared

    pub(crate) fn take_one(&mut self) -> Option<Place> {
        self.take_sharded(1).map(Place::Run).ok().or_else(|| self.take_below_cursor())
    }

    /// Takes one slot below the cursor: a slot of the shard, or a vacant slot.
    pub(crate) fn take_below_cursor(&mut self) -> Option<Place> {
        if let Some(run) = self.take_from_shard(1) {
            return Some(Place::Run(run));
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
        self.hidden.push(1);
        Some(Place::SomeVacant(1))
    }

    /// Takes a run. The error is the number of slots left at the cursor. `served` is whether the
    /// arena has served the request. It is used only where the oracle cannot predict this.
    pub(crate) fn take_run(&mut self, len: usize, served: bool) -> Result<Place, usize> {
        match len {
            0 => Ok(self.nothing()),
            1 => self.take_one().ok_or(0),
            _ => self.take_sharded(len).map(Place::Run).or_else(|left| self.take_vacant(len, served).ok_or(left)),
        }
    }

    /// Takes a run of `len` slots, or of fewer. `got` is the number of slots that the arena has
    /// returned, which is used only where the oracle cannot predict it.
    pub(crate) fn take_up_to(&mut self, len: usize, got: usize) -> Place {
        if len == 0 {
            return self.nothing();
        }
        let left = match self.take_sharded(len) {
            Ok(run) => return Place::Run(run),
            Err(left) => left,
        };
        match self.take_vacant(len, got == len) {
            Some(place) => place,
            None if left > 0 => Place::Run(self.take_from_cursor(left)),
            None => self.take_below_cursor().unwrap_or_else(|| self.nothing()),
        }
    }

    /// Takes a run from the shard, which is refilled if the request is short, or from the cursor.
    /// The error is the number of slots left at the cursor.
    fn take_sharded(&mut self, len: usize) -> Result<Range<usize>, usize> {
        if let Some(run) = self.take_from_shard(len) {
            return Ok(run);
        }
        let left = self.capacity() - self.bound;
        if left < len {
            return Err(left);
        }
        let refill = self.refill.min(left);
        if len > refill / 2 {
            return Ok(self.take_from_cursor(len));
        }
        self.active = true;
        if self.shard.end != self.bound {
            // The rest is too short for the request, and does not end at the cursor, so the refill
            // cannot extend it. It is retired.
            self.slots[self.shard.clone()].fill(Slot::Vacant);
            self.shard = self.bound..self.bound;
        }
        self.shard.end = self.take_from_cursor(refill).end;
        self.slots[self.shard.clone()].fill(Slot::InShard);
        Ok(self.take_from_shard(len).expect("the refill is at least twice as long as the request"))
    }

    fn take_from_shard(&mut self, len: usize) -> Option<Range<usize>> {
        if self.shard.len() < len {
            return None;
        }
        let run = self.shard.start..self.shard.start + len;
        self.slots[run.clone()].fill(Slot::Held);
        self.shard.start = run.end;
        Some(run)
    }

    /// Takes `len` contiguous vacant slots, if there are enough.
    fn take_vacant(&mut self, len: usize, served: bool) -> Option<Place> {
        if len > self.vacant() {
            return None;
        }
        let side_by_side = self.slots.split(|&slot| slot != Slot::Vacant).map(<[_]>::len);
        let fitting: usize = side_by_side.map(|vacant| vacant / len).sum();
        // The maximum number of these fitting runs that hidden runs can overlap.
        let overlapped: usize = self.hidden.iter().map(|hidden| (hidden + 2 * len - 2) / len).sum();
        let taken = fitting > overlapped || fitting > 0 && served;
        taken.then(|| {
            self.hidden.push(len);
            Place::SomeVacant(len)
        })
    }

    /// Returns an empty run, whose index is the capacity.
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

    /// Checks that the arena has taken a run that the prediction allows, and returns the run.
    /// `first` is its first index.
    pub(crate) fn resolve(&mut self, place: Place, first: usize) -> Range<usize> {
        match place {
            Place::Run(run) => {
                assert_eq!(first, run.start, "the run does not begin where the oracle expects it");
                run
            }
            Place::SomeVacant(len) => {
                let run = first..first + len;
                for slot in &mut self.slots[run.clone()] {
                    assert_eq!(*slot, Slot::Vacant, "{run:?} was handed out, but it was not vacant");
                    *slot = Slot::Held;
                }
                self.show(len);
                run
            }
        }
    }

    /// Records that the oracle has learned where a hidden run is, or that the run was returned.
    fn show(&mut self, len: usize) {
        let at = self.hidden.iter().position(|&hidden| hidden == len).expect("it was hidden");
        self.hidden.swap_remove(at);
    }

    /// Records that the slots of a place were returned. If the oracle does not know them, the new
    /// position of the cursor, `bound`, shows whether they were directly below the cursor.
    pub(crate) fn return_place(&mut self, place: Place, bound: usize) -> Returned {
        let len = match place {
            Place::Run(run) => {
                self.return_run(run);
                return Returned::Known;
            }
            Place::SomeVacant(len) => len,
        };
        self.show(len);
        let are_vacant = |slots: Range<usize>| self.slots[slots].iter().all(|&slot| slot == Slot::Vacant);
        if bound + len == self.bound && are_vacant(bound..self.bound) {
            self.return_run(bound..self.bound);
        } else if self.shard.start >= len && !self.shard.is_empty() && are_vacant(self.in_front_of_shard(len)) {
            return Returned::Unclear(len);
        }
        Returned::Known
    }

    fn in_front_of_shard(&self, len: usize) -> Range<usize> {
        self.shard.start - len..self.shard.start
    }

    /// Decides whether slots of an unclear return have extended the shard, which now begins at
    /// `start`.
    pub(crate) fn decide(&mut self, len: usize, start: usize) {
        if start != self.shard.start {
            let run = self.in_front_of_shard(len);
            assert_eq!(start, run.start, "the shard is neither as it was nor extended");
            self.return_run(run);
        }
    }

    pub(crate) fn return_run(&mut self, run: Range<usize>) {
        if run.is_empty() {
            return;
        }
        let slots = &mut self.slots[run.clone()];
        if run.end == self.bound && !self.active {
            slots.fill(Slot::Free);
            self.bound = run.start;
        } else if run.end == self.shard.start && !self.shard.is_empty() {
            slots.fill(Slot::InShard);
            self.shard.start = run.start;
        } else {
            slots.fill(Slot::Vacant);
        }
    }

    pub(crate) fn put(&mut self, index: usize, slot: Slot) {
        assert_eq!(self.slots[index], Slot::Held, "slot {index} is filled without being held");
        self.slots[index] = slot;
        self.written[index] = true;
    }

    /// Records that a panic has interrupted the construction of a value. The value may have been
    /// constructed in its slot, so the slot counts as written.
    pub(crate) fn note_interrupted(&mut self, index: usize) {
        self.written[index] = true;
        self.highest = self.highest.max(index + 1);
    }

    /// Records that a handle with this run was leaked.
    pub(crate) fn leak(&mut self, run: Range<usize>) {
        self.leaked_runs.push(run);
    }

    // ---- exclusive access

    /// Makes leaked runs and the rest of the shard vacant, and retracts the cursor over the vacant
    /// slots below it.
    pub(crate) fn settle(&mut self) {
        assert!(self.hidden.is_empty());
        self.handles = 0;
        for run in std::mem::take(&mut self.leaked_runs) {
            for slot in &mut self.slots[run] {
                self.leaked += usize::from(matches!(slot, Slot::Owned(_)));
                *slot = Slot::Vacant;
            }
        }
        self.slots[self.shard.clone()].fill(Slot::Vacant);
        self.shard = 0..0;
        self.active = false;
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

    /// Moves the values to the first slots. They are then owned.
    pub(crate) fn compact(&mut self) {
        let values = self.values();
        self.empty();
        for (index, (_, tag)) in values.into_iter().enumerate() {
            self.take_from_cursor(1);
            self.put(index, Slot::Owned(tag));
        }
    }

    /// Disables the shard from now on.
    pub(crate) fn disable(&mut self) {
        self.settle();
        self.refill = 0;
    }
}
