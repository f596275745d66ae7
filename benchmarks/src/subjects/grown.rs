//! Vectors that grow by one number at a time, in bump allocators and on the global allocator.
//!
//! A vector is kept, or is dropped as soon as it has grown. For a dropped vector, the put returns
//! its digest instead of a place.

use std::{hint::black_box, mem::ManuallyDrop};

use allocator_api2::{alloc::Global as GlobalAllocator, vec::Vec as VecIn};
use atomicarena::AtomicBump;
use blink_alloc::SyncBlinkAlloc;

use crate::{
    subject::{Kind, PerThread, Plan, Subject, Taken},
    work::Grown,
};

/// Returns enough bytes for every vector, including the old buffers that it leaves behind as it
/// grows.
fn bytes(plan: &Plan) -> usize {
    plan.elements::<Grown>() * 2_048 + (1 << 20)
}

/// Returns the digest of a kept vector.
///
/// # Safety
///
/// `place` must point to the numbers of a live vector, to which no thread writes.
unsafe fn digest(place: *const [u32]) -> u64 {
    // SAFETY: the caller guarantees that the numbers are live, and are not written to.
    Grown::digest(unsafe { &*place })
}

macro_rules! grown_in {
    ($($kept:ident, $dropped:ident, $bump:ty, $kind:ident, $name:literal, |$plan:ident| $new:expr;)*) => {$(
        pub struct $kept($bump);

        impl Subject<Grown> for $kept {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::$kind;
            const RESETS: bool = true;
            type Handle<'a> = &'a $bump;
            type Place = *const [u32];

            fn with_room($plan: &Plan) -> Self {
                Self($new)
            }

            fn handle(&self) -> Self::Handle<'_> {
                &self.0
            }

            #[inline(always)]
            fn put(bump: &mut Self::Handle<'_>, grown: Grown) -> *const [u32] {
                let mut vec = ManuallyDrop::new(VecIn::new_in(*bump));
                for number in grown.numbers() {
                    vec.push(number);
                }
                black_box(vec.as_slice())
            }

            fn look(&self, place: *const [u32]) -> u64 {
                // SAFETY: the vector is never dropped, and the bump has not been reset or dropped
                // since the put, so the numbers are live. No thread writes to them.
                unsafe { digest(place) }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                None
            }

            fn reset(&mut self) {
                self.0.reset();
            }
        }

        pub struct $dropped($bump);

        impl Subject<Grown> for $dropped {
            const NAME: &'static str = concat!($name, ", dropped");
            const KIND: Kind = Kind::$kind;
            const RESETS: bool = true;
            type Handle<'a> = &'a $bump;
            type Place = u64;

            fn with_room($plan: &Plan) -> Self {
                Self($new)
            }

            fn handle(&self) -> Self::Handle<'_> {
                &self.0
            }

            #[inline(always)]
            fn put(bump: &mut Self::Handle<'_>, grown: Grown) -> u64 {
                let mut vec = VecIn::new_in(*bump);
                for number in grown.numbers() {
                    vec.push(number);
                }
                Grown::digest(black_box(vec.as_slice()))
            }

            fn look(&self, digest: u64) -> u64 {
                digest
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                None
            }

            fn reset(&mut self) {
                self.0.reset();
            }
        }
    )*};
}

grown_in!(
    InBump, InBumpDropped, AtomicBump, Ours, "Vec<u32, &AtomicBump>", |plan| AtomicBump::with_capacity(bytes(plan));
    InSyncBlink, InSyncBlinkDropped, SyncBlinkAlloc, Peer, "Vec<u32, &SyncBlinkAlloc>",
        |plan| SyncBlinkAlloc::with_chunk_size_in(bytes(plan), GlobalAllocator);
);

/// Vectors on the global allocator. Each thread keeps its own in a vector with room for all of
/// them.
pub struct Global(PerThread<Vec<Vec<u32>>>);

impl Subject<Grown> for Global {
    const NAME: &'static str = "Vec<u32>";
    const RESETS: bool = true;
    type Handle<'a> = Taken<'a, Vec<Vec<u32>>>;
    type Place = *const [u32];

    fn with_room(plan: &Plan) -> Self {
        Self(PerThread::new(plan.threads, || Vec::with_capacity(plan.puts)))
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.take()
    }

    #[inline(always)]
    fn put(kept: &mut Self::Handle<'_>, grown: Grown) -> *const [u32] {
        let mut vec = Vec::new();
        for number in grown.numbers() {
            vec.push(number);
        }
        let place: *const [u32] = black_box(vec.as_slice());
        kept.push(vec);
        place
    }

    fn look(&self, place: *const [u32]) -> u64 {
        // SAFETY: only `reset` and `drop` free the vector, and neither has been called since the
        // put.
        unsafe { digest(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.0.each().for_each(Vec::clear);
    }
}

pub struct GlobalDropped;

impl Subject<Grown> for GlobalDropped {
    const NAME: &'static str = "Vec<u32>, dropped";
    const RESETS: bool = true;
    type Handle<'a> = ();
    type Place = u64;

    fn with_room(_: &Plan) -> Self {
        Self
    }

    fn handle(&self) -> Self::Handle<'_> {}

    #[inline(always)]
    fn put((): &mut Self::Handle<'_>, grown: Grown) -> u64 {
        let mut vec = Vec::new();
        for number in grown.numbers() {
            vec.push(number);
        }
        Grown::digest(black_box(vec.as_slice()))
    }

    fn look(&self, digest: u64) -> u64 {
        digest
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {}
}
