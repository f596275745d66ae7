//! Subjects of this crate that store one value at a time.

use atomicarena::{AtomicArena, Local};

use crate::{
    subject::{Kind, Plan, Subject, tally},
    work::Element,
};

#[cold]
#[inline(never)]
pub fn refused() -> ! {
    panic!("the subject refused a value, although it was created with room for the whole plan")
}

/// Returns the number of slots for subjects with a `Local` for each thread. With one thread it is
/// the number of puts. With several threads it is an eighth more, because near the end one thread
/// may still hold unused slots in its run while another finds none.
pub fn room_for_locals(plan: &Plan) -> usize {
    let elements = plan.puts * plan.threads;
    if plan.threads == 1 { elements } else { elements + elements / 8 }
}

/// Returns a number of slots that is enough for runs with `elements` elements in total. The last
/// slots are scattered over shards and handles, where they may be too few for a run.
pub fn room_for_runs(elements: usize) -> usize {
    elements + elements / 4 + 4_096
}

fn contents<T: Element>(arena: &mut AtomicArena<T>) -> Option<(usize, u64)> {
    tally(arena.iter_mut().map(|(_, value)| value.digest()))
}

macro_rules! subject {
    (
        $(#[$doc:meta])* $subject:ident, $name:literal, |$plan:ident| $made:expr,
        |$arena:ident| -> $handle:ty { $open:expr },
        |$own:ident, $value:ident| -> $place:ty { $put:expr },
        |$whole:ident, $at:ident| $look:expr
    ) => {
        $(#[$doc])*
        pub struct $subject<T>(AtomicArena<T>);

        impl<T: Element> Subject<T> for $subject<T> {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::Ours;
            const RESETS: bool = true;
            type Handle<'a> = $handle;
            type Place = $place;

            fn with_room($plan: &Plan) -> Self {
                Self($made)
            }

            fn handle(&self) -> Self::Handle<'_> {
                let $arena = &self.0;
                $open
            }

            #[inline(always)]
            fn put($own: &mut Self::Handle<'_>, $value: T) -> $place {
                $put
            }

            fn look(&self, $at: $place) -> u64 {
                let $whole = &self.0;
                $look
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                contents(&mut self.0)
            }

            fn reset(&mut self) {
                self.0.reset();
            }
        }
    };
}

subject!(
    /// Owned values, through a `Local` for each thread.
    LocalAlloc, "Local::alloc", |plan| AtomicArena::with_capacity(room_for_locals(plan)),
    |arena| -> Local<'a, T> { arena.local() },
    |local, value| -> *const T {
        match local.alloc(value) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    },
    // SAFETY: no value has been dropped and nothing has been reset since the put, and the reference
    // that the put returned is no longer used.
    |_arena, place| unsafe { (*place).digest() }
);

subject!(
    /// Published values, through a `Local` for each thread.
    LocalPublish, "Local::publish", |plan| AtomicArena::with_capacity(room_for_locals(plan)),
    |arena| -> Local<'a, T> { arena.local() },
    |local, value| -> usize {
        match local.publish(value) {
            Ok((index, _)) => index,
            Err(_) => refused(),
        }
    },
    |arena, index| arena.get(index).map_or(u64::MAX, T::digest)
);

subject!(
    /// Owned values, without a handle.
    Alloc, "alloc", |plan| AtomicArena::with_capacity(plan.puts * plan.threads),
    |arena| -> &'a AtomicArena<T> { arena },
    |arena, value| -> *const T {
        match arena.alloc(value) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    },
    // SAFETY: no value has been dropped and nothing has been reset since the put, and the reference
    // that the put returned is no longer used.
    |_arena, place| unsafe { (*place).digest() }
);

subject!(
    /// Owned values, without a handle and always from the one cursor.
    AllocInOrder, "alloc, in order", |plan| AtomicArena::with_capacity(plan.puts * plan.threads).in_order(),
    |arena| -> &'a AtomicArena<T> { arena },
    |arena, value| -> *const T {
        match arena.alloc(value) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    },
    // SAFETY: no value has been dropped and nothing has been reset since the put, and the reference
    // that the put returned is no longer used.
    |_arena, place| unsafe { (*place).digest() }
);

subject!(
    /// Published values, without a handle.
    Publish, "publish", |plan| AtomicArena::with_capacity(plan.puts * plan.threads),
    |arena| -> &'a AtomicArena<T> { arena },
    |arena, value| -> usize {
        match arena.publish(value) {
            Ok((index, _)) => index,
            Err(_) => refused(),
        }
    },
    |arena, index| arena.get(index).map_or(u64::MAX, T::digest)
);
