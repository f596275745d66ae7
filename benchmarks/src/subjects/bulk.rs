//! Subjects that store slices, and subjects that fill a whole arena or vector in one call.

use atomicarena::AtomicArena;
use orx_concurrent_bag::ConcurrentBag;
use orx_fixed_vec::FixedVec;

use super::{
    limits::Slots,
    ours::{refused, room_for_runs},
};
use crate::{
    subject::{Kind, PerThread, Plan, Subject, Taken, tally},
    work::{Defaults, Slice, Whole, counting, sum},
};

/// Returns the digest of a stored slice.
///
/// # Safety
///
/// `place` must point to a live slice, to which no thread writes.
unsafe fn digest(place: *const [u64]) -> u64 {
    // SAFETY: the caller guarantees that the slice is live, and is not written to.
    sum(unsafe { &*place }.iter().copied())
}

/// One arena into which all threads put slices.
macro_rules! into_the_arena {
    ($($(#[$doc:meta])* $subject:ident, $name:literal, |$arena:ident, $slice:ident| $put:expr;)*) => {$(
        $(#[$doc])*
        pub struct $subject(AtomicArena<u64>);

        impl Subject<Slice> for $subject {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::Ours;
            const RESETS: bool = true;
            type Handle<'a> = &'a AtomicArena<u64>;
            type Place = *const [u64];

            fn with_room(plan: &Plan) -> Self {
                Self(AtomicArena::with_capacity(room_for_runs(plan.elements::<Slice>())))
            }

            fn handle(&self) -> Self::Handle<'_> {
                &self.0
            }

            #[inline(always)]
            fn put($arena: &mut Self::Handle<'_>, $slice: Slice) -> *const [u64] {
                match $put {
                    Ok(place) => place,
                    Err(_) => refused(),
                }
            }

            fn look(&self, place: *const [u64]) -> u64 {
                // SAFETY: no value has been dropped and nothing has been reset since the put, and
                // the reference from which the put made this place is no longer used.
                unsafe { digest(place) }
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

into_the_arena!(
    SliceCopy, "alloc_slice_copy", |arena, slice| arena.alloc_slice_copy(slice.get());
    /// From an iterator over a slice, whose length is known.
    FromIter, "alloc_from_iter", |arena, slice| arena.alloc_from_iter(slice.get().iter().copied());
    /// With numbers computed from their index.
    SliceWith, "alloc_slice_with", |arena, slice| {
        arena.alloc_slice_with(slice.get().len(), |index| slice.first.wrapping_add(index as u64))
    };
);

/// The limit: the same bytes, copied into existing memory.
pub struct CopySlices {
    slots: Slots<u64>,
    share: usize,
}

impl Subject<Slice> for CopySlices {
    const NAME: &'static str = "a memcpy of each slice";
    const KIND: Kind = Kind::Limit;
    const RESETS: bool = true;
    type Handle<'a> = *mut u64;
    type Place = *const [u64];

    fn with_room(plan: &Plan) -> Self {
        Self { slots: Slots::new(plan.elements::<Slice>()), share: plan.share::<Slice>() }
    }

    fn handle(&self) -> *mut u64 {
        self.slots.take(self.share)
    }

    #[inline(always)]
    fn put(pen: &mut *mut u64, slice: Slice) -> *const [u64] {
        let slice = slice.get();
        let place = *pen;
        // SAFETY: `place` and the following `slice.len()` slots are within the share that this
        // thread took, because the plan bounds the number of puts. The slice is in the memory of
        // its source, so the two do not overlap.
        unsafe {
            slice.as_ptr().copy_to_nonoverlapping(place, slice.len());
            *pen = place.add(slice.len());
        }
        std::ptr::slice_from_raw_parts(place, slice.len())
    }

    fn look(&self, place: *const [u64]) -> u64 {
        // SAFETY: the put has written the slice, and no value has been dropped and nothing has been
        // reset since then.
        unsafe { digest(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.slots.values().iter().copied())
    }

    fn reset(&mut self) {
        self.slots.clear();
    }
}

/// A separate vector for each thread.
pub struct VecExtendFromSlice(PerThread<Vec<u64>>);

impl Subject<Slice> for VecExtendFromSlice {
    const NAME: &'static str = "Vec::extend_from_slice";
    const RESETS: bool = true;
    type Handle<'a> = Taken<'a, Vec<u64>>;
    type Place = *const [u64];

    fn with_room(plan: &Plan) -> Self {
        Self(PerThread::new(plan.threads, || Vec::with_capacity(plan.share::<Slice>())))
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.take()
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, slice: Slice) -> *const [u64] {
        let slice = slice.get();
        vec.extend_from_slice(slice);
        &raw const vec[vec.len() - slice.len()..]
    }

    fn look(&self, place: *const [u64]) -> u64 {
        // SAFETY: the vector was created with room for all values, so its buffer was not
        // reallocated.
        unsafe { digest(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.each().flat_map(|vec| vec.iter().copied()))
    }

    fn reset(&mut self) {
        self.0.each().for_each(Vec::clear);
    }
}

/// One bag that all threads extend.
pub struct OrxBagExtend(ConcurrentBag<u64, FixedVec<u64>>);

impl Subject<Slice> for OrxBagExtend {
    const NAME: &'static str = "orx-concurrent-bag, extend";
    // For the same reason as in `OrxBag`.
    const LOOKS: bool = false;
    const RESETS: bool = true;
    type Handle<'a> = &'a ConcurrentBag<u64, FixedVec<u64>>;
    type Place = (usize, usize);

    fn with_room(plan: &Plan) -> Self {
        Self(ConcurrentBag::with_fixed_capacity(plan.elements::<Slice>()))
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(bag: &mut Self::Handle<'_>, slice: Slice) -> (usize, usize) {
        let slice = slice.get();
        (bag.extend(slice.iter().copied()), slice.len())
    }

    fn look(&self, (start, len): (usize, usize)) -> u64 {
        let one = |index| {
            // SAFETY: only the thread that pushed the value looks at it, and no thread writes to it
            // again.
            unsafe { self.0.get(index) }.copied().unwrap_or(u64::MAX)
        };
        sum((start..start + len).map(one))
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.iter_mut().map(|value| *value))
    }

    fn reset(&mut self) {
        self.0.clear();
    }
}

/// Subjects that one call fills completely. Such a call requires `&mut`, so each thread has its own
/// arena or vector.
macro_rules! all_at_once {
    ($($(#[$doc:meta])* $subject:ident<$work:ident>, $name:literal, $kind:ident,
       $held:ty, |$plan:ident| $new:expr, |$own:ident, $value:ident| $put:expr,
       |$read:ident| $digests:expr, |$clear:ident| $reset:expr;)*) => {$(
        $(#[$doc])*
        pub struct $subject(PerThread<$held>);

        impl Subject<$work> for $subject {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::$kind;
            const RESETS: bool = true;
            type Handle<'a> = Taken<'a, $held>;
            type Place = *const [u64];

            fn with_room($plan: &Plan) -> Self {
                Self(PerThread::new($plan.threads, || $new))
            }

            fn handle(&self) -> Self::Handle<'_> {
                self.0.take()
            }

            #[inline(always)]
            fn put($own: &mut Self::Handle<'_>, $value: $work) -> *const [u64] {
                $put
            }

            fn look(&self, place: *const [u64]) -> u64 {
                // SAFETY: no value has been dropped and nothing has been reset since the put, and
                // the reference from which the put made this place is no longer used.
                unsafe { digest(place) }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                let digests: Vec<u64> = self.0.each().flat_map(|$read| $digests).collect();
                tally(digests.into_iter())
            }

            fn reset(&mut self) {
                self.0.each().for_each(|$clear| $reset);
            }
        }
    )*};
}

all_at_once!(
    /// With numbers computed from their index.
    FillWith<Whole>, "fill_with", Ours, AtomicArena<u64>,
        |plan| AtomicArena::with_capacity(plan.size),
        |arena, whole| arena.fill_with(|index| whole.first.wrapping_add(index as u64)),
        |arena| arena.iter_mut().map(|(_, value)| *value), |arena| arena.reset();
    VecExtend<Whole>, "Vec::extend of a range", Peer, Vec<u64>,
        |plan| Vec::with_capacity(plan.size),
        |vec, whole| {
            vec.extend(counting(whole.first, whole.len));
            vec.as_slice()
        },
        |vec| vec.iter().copied(), |vec| vec.clear();
    FillDefault<Defaults>, "fill_default", Ours, AtomicArena<u64>,
        |plan| AtomicArena::with_capacity(plan.size),
        |arena, _defaults| arena.fill_default(),
        |arena| arena.iter_mut().map(|(_, value)| *value), |arena| arena.reset();
    VecResize<Defaults>, "Vec::resize", Peer, Vec<u64>,
        |plan| Vec::with_capacity(plan.size),
        |vec, defaults| {
            vec.resize(defaults.len, 0);
            vec.as_slice()
        },
        |vec| vec.iter().copied(), |vec| vec.clear();
    /// The limit: zeros, written into existing memory.
    WriteBytes<Defaults>, "a memset", Limit, Vec<u64>,
        |plan| Vec::with_capacity(plan.size),
        |vec, defaults| {
            // SAFETY: the vector was created with capacity for `defaults.len` numbers, and zero
            // bytes are a valid `u64`.
            unsafe {
                vec.as_mut_ptr().write_bytes(0, defaults.len);
                vec.set_len(defaults.len);
            }
            vec.as_slice()
        },
        |vec| vec.iter().copied(), |vec| vec.clear();
);
