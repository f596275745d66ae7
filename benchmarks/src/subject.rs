//! The one trait through which everything is measured.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::work::Work;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// This crate.
    Ours,
    /// Another crate, or the standard library.
    Peer,
    /// What no container can be faster than.
    Limit,
}

/// How much is to be stored, by how many threads.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Puts of one thread.
    pub puts: usize,
    /// What one put is, in elements, where it is a slice.
    pub size: usize,
    pub threads: usize,
    pub pages: Pages,
}

impl Plan {
    /// Elements of one thread.
    pub fn share<W: Work>(&self) -> usize {
        self.puts * W::elements(self.size)
    }

    /// Elements of all threads.
    pub fn elements<W: Work>(&self) -> usize {
        self.share::<W>() * self.threads
    }
}

/// What the memory went through before the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// The subject is new, its memory was used before and comes back from the allocator.
    Warm,
    /// The subject is new and so are its pages: the first write to each asks the kernel for it.
    Cold,
    /// The subject was filled once, with other values, and reset.
    Reused,
}

pub trait Subject<W: Work>: Sync + Sized {
    const NAME: &'static str;
    const KIND: Kind = Kind::Peer;
    /// Whether values that need dropping are dropped. Where they are not, they would leak.
    const DROPS: bool = true;
    /// Whether `look` finds every place. Where it does not, the walk in `contents` must be enough.
    const LOOKS: bool = true;
    /// Whether `reset` does anything.
    const RESETS: bool = false;

    /// What one thread holds while it fills.
    type Handle<'a>
    where
        Self: 'a;

    /// Where a put went: a pointer or an index.
    type Place: Copy;

    /// A new subject with room for the whole plan, as far as it can be told.
    fn with_room(plan: &Plan) -> Self;

    fn handle(&self) -> Self::Handle<'_>;

    fn put(handle: &mut Self::Handle<'_>, work: W) -> Self::Place;

    /// The digest of what lies at a place.
    fn look(&self, place: Self::Place) -> u64;

    /// How many elements there are and the digest of all, from a walk over the memory;
    /// `None` where the subject offers no walk.
    fn contents(&mut self) -> Option<(usize, u64)>;

    /// Empties it and keeps the memory.
    fn reset(&mut self) {}
}

/// Gives what only one thread can use to many: each gets its own.
pub struct PerThread<X> {
    parts: Vec<Mutex<Option<X>>>,
    next: AtomicUsize,
}

impl<X> PerThread<X> {
    pub fn new(threads: usize, mut make: impl FnMut() -> X) -> Self {
        let parts = (0..threads).map(|_| Mutex::new(Some(make()))).collect();
        Self { parts, next: AtomicUsize::new(0) }
    }

    /// The next thread's own. It is moved out, so that its fields can live in registers.
    pub fn take(&self) -> Taken<'_, X> {
        let home = &self.parts[self.next.fetch_add(1, Ordering::Relaxed) % self.parts.len()];
        let own = home.lock().expect("no thread panicked").take();
        Taken { own, home }
    }

    pub fn each(&mut self) -> impl Iterator<Item = &mut X> {
        self.parts.iter_mut().map(|part| part.get_mut().expect("no thread panicked").as_mut().expect("given back"))
    }
}

/// What one thread took from a [`PerThread`]; goes back when dropped.
pub struct Taken<'a, X> {
    own: Option<X>,
    home: &'a Mutex<Option<X>>,
}

impl<X> Deref for Taken<'_, X> {
    type Target = X;

    #[inline(always)]
    fn deref(&self) -> &X {
        // SAFETY: it is `Some` from `PerThread::take` until it is dropped. A check here
        // would be part of every put.
        unsafe { self.own.as_ref().unwrap_unchecked() }
    }
}

impl<X> DerefMut for Taken<'_, X> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut X {
        // SAFETY: as in `deref`.
        unsafe { self.own.as_mut().unwrap_unchecked() }
    }
}

impl<X> Drop for Taken<'_, X> {
    fn drop(&mut self) {
        *self.home.lock().expect("no thread panicked") = self.own.take();
    }
}

/// What the walk over some values says.
pub fn tally(digests: impl Iterator<Item = u64>) -> Option<(usize, u64)> {
    Some(digests.fold((0, 0), |(count, sum): (usize, u64), digest| (count + 1, sum.wrapping_add(digest))))
}
