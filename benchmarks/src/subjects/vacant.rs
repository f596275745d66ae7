//! Subjects that store single values in vacant slots, or ask the arena a question before each
//! value.

use std::hint::black_box;

use atomicarena::AtomicArena;

use super::ours::{refused, room_for_runs};
use crate::{
    subject::{Kind, Plan, Subject, tally},
    work::Element,
};

/// An arena whose only free slots are vacant ones, as many as there will be values. The slots that
/// are not vacant hold zeros.
macro_rules! vacant {
    ($($(#[$doc:meta])* $subject:ident, $name:literal, |$vacant:ident| $make:expr;)*) => {$(
        $(#[$doc])*
        pub struct $subject {
            arena: AtomicArena<u64>,
            vacant: usize,
        }

        impl Subject<u64> for $subject {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::Ours;
            type Handle<'a> = &'a AtomicArena<u64>;
            type Place = *const u64;

            fn with_room(plan: &Plan) -> Self {
                let $vacant = plan.elements::<u64>();
                Self { arena: $make, vacant: $vacant }
            }

            fn handle(&self) -> Self::Handle<'_> {
                &self.arena
            }

            #[inline(always)]
            fn put(arena: &mut Self::Handle<'_>, value: u64) -> *const u64 {
                match arena.alloc(value) {
                    Ok(place) => place,
                    Err(_) => refused(),
                }
            }

            fn look(&self, place: *const u64) -> u64 {
                // SAFETY: nothing has been dropped since the put, and the reference from which the
                // put made this place is no longer used.
                unsafe { (*place).digest() }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                let others = self.arena.capacity() - self.vacant;
                let (count, digest) = tally(self.arena.iter_mut().map(|(_, value)| *value))?;
                Some((count - others, digest))
            }
        }
    )*};
}

vacant!(
    OneRun, "alloc, one run of vacant slots", |vacant| {
        let arena = AtomicArena::with_capacity(vacant + 1);
        let reserved = arena.reserve(vacant).expect("the arena is empty");
        arena.alloc(0).expect("one slot is left");
        drop(reserved);
        arena
    };
    Scattered, "alloc, vacant slots between values", |vacant| {
        let arena = AtomicArena::with_capacity(2 * vacant);
        let reserved: Vec<_> = (0..2 * vacant).map(|_| arena.reserve(1).expect("the arena has room for all")).collect();
        for (index, mut one) in reserved.into_iter().enumerate() {
            if index % 2 == 1 {
                one.push(0).expect("the reservation has one slot");
                one.finish();
            }
        }
        arena
    };
);

/// An arena with more slots than values, which the thread asks a question before each `alloc`.
macro_rules! asked {
    ($($(#[$doc:meta])* $subject:ident, $name:literal, |$arena:ident| $ask:expr;)*) => {$(
        $(#[$doc])*
        pub struct $subject(AtomicArena<u64>);

        impl Subject<u64> for $subject {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::Ours;
            const RESETS: bool = true;
            type Handle<'a> = &'a AtomicArena<u64>;
            type Place = *const u64;

            fn with_room(plan: &Plan) -> Self {
                Self(AtomicArena::with_capacity(room_for_runs(plan.elements::<u64>())))
            }

            fn handle(&self) -> Self::Handle<'_> {
                &self.0
            }

            #[inline(always)]
            fn put($arena: &mut Self::Handle<'_>, value: u64) -> *const u64 {
                black_box($ask);
                match $arena.alloc(value) {
                    Ok(place) => place,
                    Err(_) => refused(),
                }
            }

            fn look(&self, place: *const u64) -> u64 {
                // SAFETY: no value has been dropped and nothing has been reset since the put, and
                // the reference from which the put made this place is no longer used.
                unsafe { (*place).digest() }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                tally(self.0.iter_mut().map(|(_, value)| *value))
            }

            fn reset(&mut self) {
                self.0.reset();
            }
        }
    )*};
}

asked!(
    IsFull, "is_full, then alloc", |arena| arena.is_full();
    Remaining, "remaining, then alloc", |arena| arena.remaining();
);
