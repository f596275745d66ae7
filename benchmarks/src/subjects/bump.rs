//! Bump allocators: values of many types in one region, without destructors.
//!
//! They store single values, slices and strings. They cannot iterate over their values, so only the
//! places that a turn keeps are checked (see `turn.rs`). A thorough turn keeps all places.

use std::{alloc::Layout, sync::Mutex};

use allocator_api2::alloc::Global;
use atomicarena::{AtomicBump, LocalBump};
use blink_alloc::{LocalBlinkAlloc, SyncBlinkAlloc};
use bump_scope::{BumpPool, BumpPoolGuard};
use bumpalo::Bump;
use bumpalo_herd::{Herd, Member};

use crate::{
    subject::{Kind, PerThread, Plan, Subject, Taken},
    subjects::ours::refused,
    work::{Element, Slice, Text, Work, sum},
};

/// A value for a bump allocator: its size, how it is stored, and how it is read.
pub trait Load: Work {
    type Place: Copy;

    fn bytes(plan: &Plan) -> usize;
    fn into_bumpalo(self, bump: &Bump) -> Self::Place;
    fn into_herd(self, member: &Member<'_>) -> Self::Place;
    fn into_bump_scope(self, bump: &BumpPoolGuard<'_>) -> Self::Place;
    fn into_blink(self, blink: &blink_alloc::Blink<LocalBlinkAlloc<'_>>) -> Self::Place;
    fn into_sync_blink(self, blink: &SyncBlinkAlloc) -> Self::Place;
    fn into_our_bump(self, bump: &AtomicBump) -> Self::Place;
    fn into_our_local(self, local: &mut LocalBump<'_>) -> Self::Place;

    /// # Safety
    ///
    /// `place` must point to a live value, to which no thread writes.
    unsafe fn look(place: Self::Place) -> u64;
}

impl<T: Element> Load for T {
    type Place = *const T;

    fn bytes(plan: &Plan) -> usize {
        plan.puts * size_of::<T>()
    }

    #[inline(always)]
    fn into_bumpalo(self, bump: &Bump) -> *const T {
        bump.alloc(self)
    }

    #[inline(always)]
    fn into_herd(self, member: &Member<'_>) -> *const T {
        member.alloc(self)
    }

    #[inline(always)]
    fn into_bump_scope(self, bump: &BumpPoolGuard<'_>) -> *const T {
        bump_scope::BumpBox::leak(bump.alloc(self))
    }

    #[inline(always)]
    fn into_blink(self, blink: &blink_alloc::Blink<LocalBlinkAlloc<'_>>) -> *const T {
        blink.put_no_drop(self)
    }

    #[inline(always)]
    fn into_sync_blink(self, blink: &SyncBlinkAlloc) -> *const T {
        let Ok(block) = blink.allocate(Layout::new::<T>()) else { refused() };
        let place = block.cast::<T>().as_ptr();
        // SAFETY: the block is new and has the layout of `T`.
        unsafe { place.write(self) };
        place
    }

    #[inline(always)]
    fn into_our_bump(self, bump: &AtomicBump) -> *const T {
        match bump.alloc(self) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    }

    #[inline(always)]
    fn into_our_local(self, local: &mut LocalBump<'_>) -> *const T {
        match local.alloc(self) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    }

    unsafe fn look(place: *const T) -> u64 {
        // SAFETY: the caller guarantees that the value is live, and is not written to.
        unsafe { (*place).digest() }
    }
}

impl Load for Slice {
    type Place = *const [u64];

    fn bytes(plan: &Plan) -> usize {
        plan.puts * plan.size * size_of::<u64>()
    }

    #[inline(always)]
    fn into_bumpalo(self, bump: &Bump) -> *const [u64] {
        bump.alloc_slice_copy(self.get())
    }

    #[inline(always)]
    fn into_herd(self, member: &Member<'_>) -> *const [u64] {
        member.alloc_slice_copy(self.get())
    }

    #[inline(always)]
    fn into_bump_scope(self, bump: &BumpPoolGuard<'_>) -> *const [u64] {
        bump_scope::BumpBox::leak(bump.alloc_slice_copy(self.get()))
    }

    #[inline(always)]
    fn into_blink(self, blink: &blink_alloc::Blink<LocalBlinkAlloc<'_>>) -> *const [u64] {
        blink.copy_slice(self.get())
    }

    #[inline(always)]
    fn into_sync_blink(self, blink: &SyncBlinkAlloc) -> *const [u64] {
        let slice = self.get();
        copied(blink, slice.as_ptr(), slice.len())
    }

    #[inline(always)]
    fn into_our_bump(self, bump: &AtomicBump) -> *const [u64] {
        match bump.alloc_slice_copy(self.get()) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    }

    #[inline(always)]
    fn into_our_local(self, local: &mut LocalBump<'_>) -> *const [u64] {
        match local.alloc_slice_copy(self.get()) {
            Ok(place) => place,
            Err(_) => refused(),
        }
    }

    unsafe fn look(place: *const [u64]) -> u64 {
        // SAFETY: the caller guarantees that the value is live, and is not written to.
        sum(unsafe { &*place }.iter().copied())
    }
}

impl Load for Text {
    type Place = *const [u8];

    fn bytes(plan: &Plan) -> usize {
        plan.puts * plan.size
    }

    #[inline(always)]
    fn into_bumpalo(self, bump: &Bump) -> *const [u8] {
        bump.alloc_str(self.get()).as_bytes()
    }

    #[inline(always)]
    fn into_herd(self, member: &Member<'_>) -> *const [u8] {
        member.alloc_str(self.get()).as_bytes()
    }

    #[inline(always)]
    fn into_bump_scope(self, bump: &BumpPoolGuard<'_>) -> *const [u8] {
        bump_scope::BumpBox::leak(bump.alloc_str(self.get())).as_bytes()
    }

    #[inline(always)]
    fn into_blink(self, blink: &blink_alloc::Blink<LocalBlinkAlloc<'_>>) -> *const [u8] {
        blink.copy_str(self.get()).as_bytes()
    }

    #[inline(always)]
    fn into_sync_blink(self, blink: &SyncBlinkAlloc) -> *const [u8] {
        let text = self.get();
        copied(blink, text.as_ptr(), text.len())
    }

    #[inline(always)]
    fn into_our_bump(self, bump: &AtomicBump) -> *const [u8] {
        match bump.alloc_str(self.get()) {
            Ok(place) => place.as_bytes(),
            Err(_) => refused(),
        }
    }

    #[inline(always)]
    fn into_our_local(self, local: &mut LocalBump<'_>) -> *const [u8] {
        match local.alloc_str(self.get()) {
            Ok(place) => place.as_bytes(),
            Err(_) => refused(),
        }
    }

    unsafe fn look(place: *const [u8]) -> u64 {
        // SAFETY: the caller guarantees that the value is live, and is not written to.
        sum(unsafe { &*place }.iter().copied().map(u64::from))
    }
}

/// Copies values into a block of the shared allocator, which only hands out bytes.
#[inline(always)]
fn copied<T: Copy>(blink: &SyncBlinkAlloc, start: *const T, len: usize) -> *const [T] {
    let layout = Layout::array::<T>(len).expect("the slice exists, so its size is valid");
    let Ok(block) = blink.allocate(layout) else { refused() };
    let place = block.cast::<T>().as_ptr();
    // SAFETY: the callers pass a slice, and the block is new and has room for its values.
    unsafe { place.copy_from_nonoverlapping(start, len) };
    std::ptr::slice_from_raw_parts(place, len)
}

/// Returns the size in bytes of one region for all threads: 125 % of what is stored, and another 1
/// MiB, because the last free bytes of an `AtomicBump` are scattered over shards and handles.
fn shared_room<W: Load>(plan: &Plan) -> usize {
    let bytes = W::bytes(plan) * plan.threads;
    bytes + bytes / 4 + (1 << 20)
}

/// A subject that is one region for all threads.
macro_rules! one_region {
    (
        $(#[$doc:meta])* $subject:ident, $held:ty, $kind:ident, $name:literal, |$bytes:ident| $new:expr,
        |$region:ident| -> $handle:ty { $open:expr }, |$own:ident, $work:ident| $put:expr, |$used:ident| $reset:expr
    ) => {
        $(#[$doc])*
        pub struct $subject($held);

        impl<W: Load> Subject<W> for $subject {
            const NAME: &'static str = $name;
            const KIND: Kind = Kind::$kind;
            const DROPS: bool = false;
            const RESETS: bool = true;
            type Handle<'a> = $handle;
            type Place = W::Place;

            fn with_room(plan: &Plan) -> Self {
                let $bytes = shared_room::<W>(plan);
                Self($new)
            }

            fn handle(&self) -> Self::Handle<'_> {
                let $region = &self.0;
                $open
            }

            #[inline(always)]
            fn put($own: &mut Self::Handle<'_>, $work: W) -> W::Place {
                $put
            }

            fn look(&self, place: W::Place) -> u64 {
                // SAFETY: no value has been dropped and nothing has been reset since the put, and
                // the reference from which the put made this place is no longer used.
                unsafe { W::look(place) }
            }

            fn contents(&mut self) -> Option<(usize, u64)> {
                None
            }

            fn reset(&mut self) {
                let $used = &mut self.0;
                $reset;
            }
        }
    };
}

one_region!(
    /// Without a handle.
    OurBump, AtomicBump, Ours, "AtomicBump", |bytes| AtomicBump::with_capacity(bytes),
    |bump| -> &'a AtomicBump { bump }, |bump, work| work.into_our_bump(bump), |bump| bump.reset()
);

one_region!(
    /// A handle for each thread.
    OurLocalBump, AtomicBump, Ours, "LocalBump", |bytes| AtomicBump::with_capacity(bytes),
    |bump| -> LocalBump<'a> { bump.local() }, |local, work| work.into_our_local(local), |bump| bump.reset()
);

one_region!(
    /// The shared allocator itself, whose first region has room for everything.
    SyncBlink, SyncBlinkAlloc, Peer, "blink-alloc, SyncBlinkAlloc",
    |bytes| SyncBlinkAlloc::with_chunk_size_in(bytes, Global),
    |blink| -> &'a SyncBlinkAlloc { blink }, |blink, work| work.into_sync_blink(blink), |blink| blink.reset()
);

one_region!(
    /// One region behind a lock.
    MutexBump, Mutex<Bump>, Peer, "Mutex<Bump>", |bytes| Mutex::new(Bump::with_capacity(bytes)),
    |bump| -> &'a Mutex<Bump> { bump },
    |bump, work| work.into_bumpalo(&bump.lock().expect("no thread panicked")),
    |bump| bump.get_mut().expect("no thread panicked").reset()
);

/// A separate region for each thread, with room for its share.
pub struct Bumpalo(PerThread<Bump>);

impl<W: Load> Subject<W> for Bumpalo {
    const NAME: &'static str = "bumpalo";
    const DROPS: bool = false;
    const RESETS: bool = true;
    type Handle<'a> = Taken<'a, Bump>;
    type Place = W::Place;

    fn with_room(plan: &Plan) -> Self {
        Self(PerThread::new(plan.threads, || Bump::with_capacity(W::bytes(plan))))
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.take()
    }

    #[inline(always)]
    fn put(bump: &mut Self::Handle<'_>, work: W) -> W::Place {
        work.into_bumpalo(bump)
    }

    fn look(&self, place: W::Place) -> u64 {
        // SAFETY: no value has been dropped and nothing has been reset since the put, and the
        // reference that the put returned is no longer used.
        unsafe { W::look(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.0.each().for_each(Bump::reset);
    }
}

/// A herd accepts no capacity, so its regions also grow while the clock runs.
pub struct BumpaloHerd(Herd);

impl<W: Load> Subject<W> for BumpaloHerd {
    const NAME: &'static str = "bumpalo-herd";
    const DROPS: bool = false;
    const RESETS: bool = true;
    type Handle<'a> = Member<'a>;
    type Place = W::Place;

    fn with_room(_: &Plan) -> Self {
        Self(Herd::new())
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.get()
    }

    #[inline(always)]
    fn put(member: &mut Self::Handle<'_>, work: W) -> W::Place {
        work.into_herd(member)
    }

    fn look(&self, place: W::Place) -> u64 {
        // SAFETY: no value has been dropped and nothing has been reset since the put, and the
        // reference that the put returned is no longer used.
        unsafe { W::look(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

/// A pool of regions, each with room for the share of one thread.
pub struct BumpScopePool {
    pool: BumpPool,
    room: Layout,
}

impl<W: Load> Subject<W> for BumpScopePool {
    const NAME: &'static str = "bump-scope, a pool";
    const DROPS: bool = false;
    const RESETS: bool = true;
    type Handle<'a> = BumpPoolGuard<'a>;
    type Place = W::Place;

    fn with_room(plan: &Plan) -> Self {
        let room = Layout::from_size_align(W::bytes(plan), 64).expect("the size is valid");
        let pool = BumpPool::new();
        let made: Vec<_> = (0..plan.threads).map(|_| pool.get_with_capacity(room)).collect();
        drop(made);
        Self { pool, room }
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.pool.get_with_capacity(self.room)
    }

    #[inline(always)]
    fn put(bump: &mut Self::Handle<'_>, work: W) -> W::Place {
        work.into_bump_scope(bump)
    }

    fn look(&self, place: W::Place) -> u64 {
        // SAFETY: no value has been dropped and nothing has been reset since the put, and the
        // reference that the put returned is no longer used.
        unsafe { W::look(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.pool.reset();
    }
}

/// One shared allocator, and a local one for each thread.
pub struct Blink(SyncBlinkAlloc);

impl<W: Load> Subject<W> for Blink {
    const NAME: &'static str = "blink-alloc, local";
    const DROPS: bool = false;
    const RESETS: bool = true;
    type Handle<'a> = blink_alloc::Blink<LocalBlinkAlloc<'a>>;
    type Place = W::Place;

    fn with_room(_: &Plan) -> Self {
        Self(SyncBlinkAlloc::new())
    }

    fn handle(&self) -> Self::Handle<'_> {
        blink_alloc::Blink::new_in(self.0.local())
    }

    #[inline(always)]
    fn put(blink: &mut Self::Handle<'_>, work: W) -> W::Place {
        work.into_blink(blink)
    }

    fn look(&self, place: W::Place) -> u64 {
        // SAFETY: no value has been dropped and nothing has been reset since the put, and the
        // reference that the put returned is no longer used. Dropping a local allocator leaves its
        // memory with the shared one.
        unsafe { W::look(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
