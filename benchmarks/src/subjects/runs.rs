//! Subjects that store short runs: strings, slices of a few words, reservations. Also single values
//! in an arena in borrowed bytes.

use std::{mem::MaybeUninit, sync::Mutex};

use atomicarena::{AtomicArena, BorrowedArena, Local, Reservation};
use bumpalo_herd::{Herd, Member};

use super::{
    FOUR,
    ours::{refused, room_for_runs},
};
use crate::{
    subject::{Kind, PerThread, Plan, Subject, Taken, tally},
    work::{Element, Slice, Text, sum},
};

/// Returns the digest of a stored run.
///
/// # Safety
///
/// `place` must point to live values, to which no thread writes.
unsafe fn digest<E: Copy + Into<u64>>(place: *const [E]) -> u64 {
    // SAFETY: the caller guarantees that the values are live, and are not written to.
    sum(unsafe { &*place }.iter().map(|element| (*element).into()))
}

/// One arena into which all threads put runs, either directly or each through a `Local`.
macro_rules! into_the_arena {
    ($(
        $(#[$doc:meta])* $subject:ident, $name:literal, $work:ty as $element:ty,
        |$arena:ident| -> $handle:ty { $open:expr }, |$own:ident, $one:ident| $put:expr;
    )*) => {$(
        $(#[$doc])*
        pub struct $subject(AtomicArena<$element>);

        impl Subject<$work> for $subject {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::Ours;
            const RESETS: bool = true;
            type Handle<'a> = $handle;
            type Place = *const [$element];

            fn with_room(plan: &Plan) -> Self {
                Self(AtomicArena::with_capacity(room_for_runs(plan.elements::<$work>())))
            }

            fn handle(&self) -> Self::Handle<'_> {
                let $arena = &self.0;
                $open
            }

            #[inline(always)]
            fn put($own: &mut Self::Handle<'_>, $one: $work) -> *const [$element] {
                match $put {
                    Ok(place) => place,
                    Err(_) => refused(),
                }
            }

            fn look(&self, place: *const [$element]) -> u64 {
                // SAFETY: no value has been dropped and nothing has been reset since the put, and
                // the reference from which the put made this place is no longer used.
                unsafe { digest(place) }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                tally(self.0.iter_mut().map(|(_, element)| u64::from(*element)))
            }

            fn reset(&mut self) {
                self.0.reset();
            }
        }
    )*};
}

into_the_arena!(
    AllocStr, "alloc_str", Text as u8, |arena| -> &'a AtomicArena<u8> { arena },
    |arena, text| arena.alloc_str(text.get()).map(|text| text.as_bytes());
    LocalStr, "Local::alloc_str", Text as u8, |arena| -> Local<'a, u8> { arena.local() },
    |local, text| local.alloc_str(text.get()).map(|text| text.as_bytes());
    LocalSliceCopy, "Local::alloc_slice_copy", Slice as u64, |arena| -> Local<'a, u64> { arena.local() },
    |local, slice| local.alloc_slice_copy(slice.get());
    LocalFromIter, "Local::alloc_from_iter", Slice as u64, |arena| -> Local<'a, u64> { arena.local() },
    |local, slice| local.alloc_from_iter(slice.get().iter().copied());
    PublishSliceCopy, "publish_slice_copy", Slice as u64, |arena| -> &'a AtomicArena<u64> { arena },
    |arena, slice| arena.publish_slice_copy(slice.get()).map(|(_, slice)| slice);
    LocalPublishSliceCopy, "Local::publish_slice_copy", Slice as u64, |arena| -> Local<'a, u64> { arena.local() },
    |local, slice| local.publish_slice_copy(slice.get()).map(|(_, slice)| slice);
    /// Reserves a slot for each number of a slice, pushes the numbers one by one, and publishes
    /// them together.
    Reserve, "reserve, push, publish", Slice as u64, |arena| -> &'a AtomicArena<u64> { arena },
    |arena, slice| arena.reserve(FOUR).map(|reserved| filled(reserved, slice));
    LocalReserve, "Local::reserve, push, publish", Slice as u64, |arena| -> Local<'a, u64> { arena.local() },
    |local, slice| local.reserve(FOUR).map(|reserved| filled(reserved, slice));
);

/// Pushes the numbers of a slice of four, and publishes them.
#[inline(always)]
fn filled<'a>(mut reserved: Reservation<'a, u64>, slice: Slice) -> &'a [u64] {
    for index in 0..FOUR as u64 {
        if reserved.push(slice.first.wrapping_add(index)).is_err() {
            refused();
        }
    }
    reserved.publish().1
}

/// One vector for all threads, behind a lock, extended by four numbers at a time.
pub struct MutexExtend(Mutex<Vec<u64>>);

impl Subject<Slice> for MutexExtend {
    const NAME: &'static str = "Mutex<Vec>::extend";
    const RESETS: bool = true;
    type Handle<'a> = &'a Mutex<Vec<u64>>;
    type Place = usize;

    fn with_room(plan: &Plan) -> Self {
        Self(Mutex::new(Vec::with_capacity(plan.elements::<Slice>())))
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, slice: Slice) -> usize {
        let mut vec = vec.lock().expect("no thread panicked");
        let start = vec.len();
        vec.extend((0..FOUR as u64).map(|index| slice.first.wrapping_add(index)));
        start
    }

    fn look(&self, start: usize) -> u64 {
        sum(self.0.lock().expect("no thread panicked")[start..start + FOUR].iter().copied())
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.get_mut().expect("no thread panicked").iter().copied())
    }

    fn reset(&mut self) {
        self.0.get_mut().expect("no thread panicked").clear();
    }
}

/// Slices from an iterator, in a herd. A herd cannot be created with a capacity, so `with_room`
/// ignores the plan.
pub struct HerdFromIter(Herd);

impl Subject<Slice> for HerdFromIter {
    const NAME: &'static str = "bumpalo-herd, from an iterator";
    const RESETS: bool = true;
    type Handle<'a> = Member<'a>;
    type Place = *const [u64];

    fn with_room(_: &Plan) -> Self {
        Self(Herd::new())
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.get()
    }

    #[inline(always)]
    fn put(member: &mut Self::Handle<'_>, slice: Slice) -> *const [u64] {
        member.alloc_slice_fill_iter(slice.get().iter().copied())
    }

    fn look(&self, place: *const [u64]) -> u64 {
        // SAFETY: no value has been dropped and nothing has been reset since the put, and the
        // reference from which the put made this place is no longer used.
        unsafe { digest(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

/// One box per string. Each thread keeps its boxes in a vector of its own, which has room for all
/// of them.
pub struct BoxStr(PerThread<Vec<Box<str>>>);

impl Subject<Text> for BoxStr {
    const NAME: &'static str = "Box<str>";
    const RESETS: bool = true;
    type Handle<'a> = Taken<'a, Vec<Box<str>>>;
    type Place = *const [u8];

    fn with_room(plan: &Plan) -> Self {
        Self(PerThread::new(plan.threads, || Vec::with_capacity(plan.puts)))
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.take()
    }

    #[inline(always)]
    fn put(boxes: &mut Self::Handle<'_>, text: Text) -> *const [u8] {
        let boxed: Box<str> = text.get().into();
        let place: *const [u8] = boxed.as_bytes();
        boxes.push(boxed);
        place
    }

    fn look(&self, place: *const [u8]) -> u64 {
        // SAFETY: only `reset` and `drop` free the string, and neither has been called since the
        // put.
        unsafe { digest(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.each().flatten().flat_map(|text| text.bytes()).map(u64::from))
    }

    fn reset(&mut self) {
        self.0.each().for_each(Vec::clear);
    }
}

/// Published values in an arena in borrowed bytes, which has a quarter more slots than values.
pub struct PublishInBytes {
    /// `None` only in `drop`, which frees the bytes after it has dropped the arena.
    arena: Option<BorrowedArena<'static, u64>>,
    bytes: *mut [MaybeUninit<u8>],
}

// SAFETY: `bytes` is used only in `drop`, to free the bytes. The arena itself is `Sync`.
unsafe impl Sync for PublishInBytes {}

impl Subject<u64> for PublishInBytes {
    const NAME: &'static str = "publish, in_bytes";
    const KIND: Kind = Kind::Ours;
    const RESETS: bool = true;
    type Handle<'a> = &'a BorrowedArena<'static, u64>;
    type Place = usize;

    fn with_room(plan: &Plan) -> Self {
        let elements = plan.elements::<u64>();
        let slots = elements + elements / 4;
        // For each slot a value and a stamp, and in addition the metadata of the arena.
        let len = slots * 9 + slots / 16 + 65_536;
        let bytes: *mut [MaybeUninit<u8>] = Box::into_raw(Box::new_uninit_slice(len));
        // SAFETY: no other reference to the bytes exists until `drop` frees them after the arena.
        let borrowed: &'static mut [MaybeUninit<u8>] = unsafe { &mut *bytes };
        let arena = AtomicArena::in_bytes(borrowed).expect("there are enough bytes");
        assert!(arena.capacity() >= slots, "{} slots instead of {slots}", arena.capacity());
        Self { arena: Some(arena), bytes }
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.arena.as_ref().expect("the arena is not being dropped")
    }

    #[inline(always)]
    fn put(arena: &mut Self::Handle<'_>, value: u64) -> usize {
        match arena.publish(value) {
            Ok((index, _)) => index,
            Err(_) => refused(),
        }
    }

    fn look(&self, index: usize) -> u64 {
        self.handle().get(index).map_or(u64::MAX, u64::digest)
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.arena.as_mut()?.iter_mut().map(|(_, value)| *value))
    }

    fn reset(&mut self) {
        if let Some(arena) = &mut self.arena {
            arena.reset();
        }
    }
}

impl Drop for PublishInBytes {
    fn drop(&mut self) {
        self.arena = None;
        // SAFETY: the bytes came from a box, and the arena that borrowed them is gone.
        drop(unsafe { Box::from_raw(self.bytes) });
    }
}
