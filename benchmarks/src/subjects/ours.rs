//! This crate, one value at a time.

use atomicarena::{AtomicArena, Local};

use crate::{
    subject::{Kind, Plan, Subject, tally},
    work::Element,
};

#[cold]
#[inline(never)]
pub fn refused() -> ! {
    panic!("the arena has room for the whole plan")
}

/// The number of slots. With one thread it is the number of puts. With several it is an eighth
/// more, because a thread with a run of slots may leave another thread without one at the end.
pub fn room_for_locals(plan: &Plan) -> usize {
    let elements = plan.puts * plan.threads;
    if plan.threads == 1 { elements } else { elements + elements / 8 }
}

/// The number of slots for runs with a number of elements together. The last slots are scattered
/// over shards and handles, where they may be too few for a run.
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
    /// A run of slots for each thread, owned values.
    LocalAlloc, "Local::alloc", |plan| AtomicArena::with_capacity(room_for_locals(plan)),
    |arena| -> Local<'a, T> { arena.local() },
    |local, value| -> *const T {
        match local.alloc(value) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    },
    // SAFETY: nothing was reset or dropped since the put, and the `&mut` is not used any more.
    |_arena, place| unsafe { (*place).digest() }
);

subject!(
    /// A run of slots for each thread, published values.
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
    /// Without a handle, owned values.
    Alloc, "alloc", |plan| AtomicArena::with_capacity(plan.puts * plan.threads),
    |arena| -> &'a AtomicArena<T> { arena },
    |arena, value| -> *const T {
        match arena.alloc(value) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    },
    // SAFETY: nothing was reset or dropped since the put, and the `&mut` is not used any more.
    |_arena, place| unsafe { (*place).digest() }
);

subject!(
    /// Without a handle, owned values, always from one cursor.
    AllocInOrder, "alloc, in order", |plan| AtomicArena::with_capacity(plan.puts * plan.threads).in_order(),
    |arena| -> &'a AtomicArena<T> { arena },
    |arena, value| -> *const T {
        match arena.alloc(value) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    },
    // SAFETY: nothing was reset or dropped since the put, and the `&mut` is not used any more.
    |_arena, place| unsafe { (*place).digest() }
);

subject!(
    /// Without a handle, published values.
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
