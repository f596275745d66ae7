//! Bump allocators: values of many types in one region, without destructors.
//!
//! They take single values and slices. Their values cannot be walked (those of bumpalo can, but not
//! those of a herd), so only the kept places are checked. The thorough turn keeps all of them.

use std::alloc::Layout;

use blink_alloc::{LocalBlinkAlloc, SyncBlinkAlloc};
use bump_scope::{BumpPool, BumpPoolGuard};
use bumpalo::Bump;
use bumpalo_herd::{Herd, Member};

use crate::{
    subject::{PerThread, Plan, Subject, Taken},
    work::{Element, Slice, Work, sum},
};

/// A value for a bump allocator: its size, how it is stored, and how it is read.
pub trait Load: Work {
    type Place: Copy;

    fn bytes(plan: &Plan) -> usize;
    fn into_bumpalo(self, bump: &Bump) -> Self::Place;
    fn into_herd(self, member: &Member<'_>) -> Self::Place;
    fn into_bump_scope(self, bump: &BumpPoolGuard<'_>) -> Self::Place;
    fn into_blink(self, blink: &blink_alloc::Blink<LocalBlinkAlloc<'_>>) -> Self::Place;

    /// # Safety
    ///
    /// The value must still be there.
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

    unsafe fn look(place: *const T) -> u64 {
        // SAFETY: the caller's promise.
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

    unsafe fn look(place: *const [u64]) -> u64 {
        // SAFETY: the caller's promise.
        sum(unsafe { &*place }.iter().copied())
    }
}

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
        // SAFETY: nothing was reset or dropped since the put.
        unsafe { W::look(place) }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        None
    }

    fn reset(&mut self) {
        self.0.each().for_each(Bump::reset);
    }
}

/// It accepts no capacity: its regions also grow while the clock runs.
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
        // SAFETY: nothing was reset or dropped since the put.
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
        let room = Layout::from_size_align(W::bytes(plan), 64).expect("it fits in memory");
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
        // SAFETY: nothing was reset or dropped since the put.
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
        // SAFETY: nothing was reset or dropped since the put. Dropping a local allocator leaves its
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
