//! Vectors of the standard library, boxes, and typed-arena.

use std::{
    alloc::{GlobalAlloc, Layout, System, handle_alloc_error},
    marker::PhantomData,
    ptr::NonNull,
    sync::Mutex,
};

use crate::{
    subject::{PerThread, Plan, Subject, Taken, tally},
    work::Element,
};

/// A separate vector for each thread.
pub struct VecPush<T>(PerThread<Vec<T>>);

impl<T: Element> Subject<T> for VecPush<T> {
    const NAME: &'static str = "Vec::push";
    const RESETS: bool = true;
    type Handle<'a> = Taken<'a, Vec<T>>;
    type Place = *const T;

    fn with_room(plan: &Plan) -> Self {
        Self(PerThread::new(plan.threads, || Vec::with_capacity(plan.puts)))
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.take()
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, value: T) -> *const T {
        vec.push(value);
        // SAFETY: the index is that of the value that was just pushed.
        unsafe { vec.as_ptr().add(vec.len() - 1) }
    }

    fn look(&self, place: *const T) -> u64 {
        // SAFETY: the vector was created with room for all values, so its buffer was not
        // reallocated.
        unsafe { (*place).digest() }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.each().flat_map(|vec| vec.iter().map(T::digest)))
    }

    fn reset(&mut self) {
        self.0.each().for_each(Vec::clear);
    }
}

/// One vector for all threads, behind a lock.
pub struct MutexVec<T>(Mutex<Vec<T>>);

impl<T: Element> Subject<T> for MutexVec<T> {
    const NAME: &'static str = "Mutex<Vec>";
    const RESETS: bool = true;
    type Handle<'a> = &'a Mutex<Vec<T>>;
    type Place = usize;

    fn with_room(plan: &Plan) -> Self {
        Self(Mutex::new(Vec::with_capacity(plan.puts * plan.threads)))
    }

    fn handle(&self) -> Self::Handle<'_> {
        &self.0
    }

    #[inline(always)]
    fn put(vec: &mut Self::Handle<'_>, value: T) -> usize {
        let mut vec = vec.lock().expect("no thread panicked");
        vec.push(value);
        vec.len() - 1
    }

    fn look(&self, place: usize) -> u64 {
        self.0.lock().expect("no thread panicked")[place].digest()
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        tally(self.0.get_mut().expect("no thread panicked").iter().map(T::digest))
    }

    fn reset(&mut self) {
        self.0.get_mut().expect("no thread panicked").clear();
    }
}

/// A separate arena for each thread.
pub struct TypedArena<T>(PerThread<typed_arena::Arena<T>>);

impl<T: Element> Subject<T> for TypedArena<T> {
    const NAME: &'static str = "typed-arena";
    type Handle<'a> = Taken<'a, typed_arena::Arena<T>>;
    type Place = *const T;

    fn with_room(plan: &Plan) -> Self {
        Self(PerThread::new(plan.threads, || typed_arena::Arena::with_capacity(plan.puts)))
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.0.take()
    }

    #[inline(always)]
    fn put(arena: &mut Self::Handle<'_>, value: T) -> *const T {
        arena.alloc(value)
    }

    fn look(&self, place: *const T) -> u64 {
        // SAFETY: the arena does not move its values, and the `&mut` of the put is not used any
        // more.
        unsafe { (*place).digest() }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        let digests: Vec<u64> = self.0.each().flat_map(|arena| arena.iter_mut().map(|value| value.digest())).collect();
        tally(digests.into_iter())
    }
}

/// An allocator for boxes.
pub trait Allocator: Sync + 'static {
    const NAME: &'static str;

    type From: GlobalAlloc + 'static;

    fn allocator() -> &'static Self::From;
}

pub struct Glibc;

impl Allocator for Glibc {
    const NAME: &'static str = if cfg!(target_env = "gnu") { "Box, glibc" } else { "Box, the system's allocator" };

    type From = System;

    #[inline(always)]
    fn allocator() -> &'static System {
        &System
    }
}

pub struct Mimalloc;

impl Allocator for Mimalloc {
    const NAME: &'static str = "Box, mimalloc";

    type From = mimalloc::MiMalloc;

    #[inline(always)]
    fn allocator() -> &'static mimalloc::MiMalloc {
        &mimalloc::MiMalloc
    }
}

/// One box per value, from the allocator `A`. Each thread keeps its boxes in a vector of its own,
/// which has room for all of them. The boxes are raw pointers, because stable Rust has no
/// `Box::new_in`.
pub struct Boxes<T, A: Allocator> {
    boxes: PerThread<Vec<NonNull<T>>>,
    allocator: PhantomData<A>,
}

// SAFETY: the pointers own their values, as boxes would. With boxes in place of the pointers, the
// struct would be `Sync` under the same bounds.
unsafe impl<T: Send, A: Allocator> Sync for Boxes<T, A> {}

impl<T: Element, A: Allocator> Subject<T> for Boxes<T, A> {
    const NAME: &'static str = A::NAME;
    const RESETS: bool = true;
    type Handle<'a> = Taken<'a, Vec<NonNull<T>>>;
    type Place = *const T;

    fn with_room(plan: &Plan) -> Self {
        Self { boxes: PerThread::new(plan.threads, || Vec::with_capacity(plan.puts)), allocator: PhantomData }
    }

    fn handle(&self) -> Self::Handle<'_> {
        self.boxes.take()
    }

    #[inline(always)]
    fn put(boxes: &mut Self::Handle<'_>, value: T) -> *const T {
        let layout = Layout::new::<T>();
        // SAFETY: no measured type is zero-sized.
        let start = unsafe { A::allocator().alloc(layout) };
        let Some(place) = NonNull::new(start.cast::<T>()) else { handle_alloc_error(layout) };
        // SAFETY: the block is new and has the layout of `T`.
        unsafe { place.write(value) };
        boxes.push(place);
        place.as_ptr()
    }

    fn look(&self, place: *const T) -> u64 {
        // SAFETY: only `reset` and `drop` free the box, and neither has been called since the put.
        unsafe { (*place).digest() }
    }

    fn contents(&mut self) -> Option<(usize, u64)> {
        // SAFETY: each pointer in the vectors refers to a box that was not freed.
        tally(self.boxes.each().flatten().map(|place| unsafe { place.as_ref().digest() }))
    }

    fn reset(&mut self) {
        self.free();
    }
}

impl<T, A: Allocator> Boxes<T, A> {
    fn free(&mut self) {
        for place in self.boxes.each().flat_map(|boxes| boxes.drain(..)) {
            // SAFETY: each pointer refers to a value in memory from this allocator, with this
            // layout. `drain` has removed it from the vector, so it is freed only once.
            unsafe {
                place.drop_in_place();
                A::allocator().dealloc(place.as_ptr().cast(), Layout::new::<T>());
            }
        }
    }
}

impl<T, A: Allocator> Drop for Boxes<T, A> {
    fn drop(&mut self) {
        self.free();
    }
}
