//! The ways to store an event, and how each is prepared before the first event.

use std::fmt;
use std::hint::black_box;

use atomicarena::{AtomicArena, MapError, Mapped, StaticArena};

/// The number of events in a round.
pub(crate) const EVENTS: usize = 20_000;

/// The greatest number of rounds. An arena in a `static` cannot be emptied, so each round has its
/// own.
pub(crate) const MOST_ROUNDS: usize = 10;

/// An event: a message of 256 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event(#[expect(dead_code, reason = "the event is only stored")] [u64; 32]);

impl Event {
    pub(crate) fn new(number: usize) -> Self {
        Event([number as u64; 32])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Stores nothing. This measures the clock and the machine alone.
    Nothing,
    Static,
    Mapped,
    Boxed,
}

impl Way {
    pub(crate) const ALL: [Way; 4] = [Way::Nothing, Way::Static, Way::Mapped, Way::Boxed];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Nothing => "nothing (the clock alone)",
            Way::Static => "static arena",
            Way::Mapped => "mapped arena",
            Way::Boxed => "Box::new",
        })
    }
}

static ARENAS: [StaticArena<Event, EVENTS>; MOST_ROUNDS] = [const { StaticArena::new() }; MOST_ROUNDS];

/// The memory for the events.
pub(crate) struct Ways {
    mapped: AtomicArena<Event, Mapped<Event>>,
    /// The boxes of the previous round. The neighbour thread (see `main.rs`) drops them during the
    /// next round.
    #[expect(clippy::vec_box, reason = "one allocation per event is measured")]
    boxes: Vec<Box<Event>>,
}

impl Ways {
    /// Prepares all ways: prefaults every page of the arenas.
    pub(crate) fn ready() -> Result<Self, MapError> {
        ARENAS.iter().for_each(prefault);
        let mapped = AtomicArena::mapped(EVENTS).prefault(true).lock_in_ram(true).allow_fallback(true).build()?;
        Ok(Ways { mapped, boxes: Vec::new() })
    }

    pub(crate) fn locked(&self) -> bool {
        self.mapped.is_locked()
    }

    /// Calls `produce` to store the events of a round. Passes it the boxes of the previous round,
    /// if there are any, to be dropped meanwhile.
    pub(crate) fn turn(
        &mut self,
        way: Way,
        round: usize,
        produce: impl FnOnce(&mut dyn FnMut(Event), Vec<Box<Event>>),
    ) {
        let full = "there is room for every event of a round";
        match way {
            Way::Nothing => produce(&mut |event| _ = black_box(event), Vec::new()),
            Way::Static => {
                let arena: &'static StaticArena<Event, EVENTS> = &ARENAS[round];
                produce(&mut |event| _ = black_box(arena.publish(event).expect(full)), Vec::new());
                assert_eq!(arena.iter().count(), EVENTS);
            }
            Way::Mapped => {
                let arena = &self.mapped;
                produce(&mut |event| _ = black_box(arena.publish(event).expect(full)), Vec::new());
                assert_eq!(arena.iter().count(), EVENTS);
                self.mapped.reset(); // the pages stay
            }
            Way::Boxed => {
                let before = std::mem::take(&mut self.boxes);
                let mut boxes = Vec::with_capacity(EVENTS);
                boxes.resize_with(EVENTS, || None);
                let mut places = boxes.iter_mut();
                produce(&mut |event| *places.next().expect(full) = Some(black_box(Box::new(event))), before);
                self.boxes = boxes.into_iter().flatten().collect();
            }
        }
    }
}

/// Prefaults every page of a `static` arena: fills it with reservations, and drops them from the
/// last to the first. Each run then ends at the cursor when it is dropped, so the cursor is
/// retracted to 0.
fn prefault(arena: &StaticArena<Event, EVENTS>) {
    // A reservation writes a stamp of one byte for each end of its run, but none in between. The
    // run is so short that no page of stamps lies in between.
    let slots = 2048;
    let mut runs = Vec::new();
    loop {
        let mut run = arena.reserve_up_to(slots);
        if run.capacity() == 0 {
            break;
        }
        run.fill_from_iter(std::iter::repeat(Event::new(0)));
        runs.push(run);
    }
    while let Some(run) = runs.pop() {
        drop(run);
    }
    assert!(arena.is_empty() && arena.index_bound() == 0);
}
