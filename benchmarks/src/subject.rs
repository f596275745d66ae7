//! The trait of the subjects that threads fill with values.

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
    /// A bare loop or copy without a container. A container that stores values in the same way must
    /// do at least this work. In the reading benchmarks, it is a plain vector.
    Limit,
}

/// The amount of data, the number of threads, and the state of the memory.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of puts of one thread.
    pub puts: usize,
    /// The number of elements that one put stores. It is 1 for single values.
    pub size: usize,
    pub threads: usize,
    pub pages: Pages,
}

impl Plan {
    /// Returns the number of elements that one thread stores.
    pub fn share<W: Work>(&self) -> usize {
        self.puts * W::elements(self.size)
    }

    /// Returns the number of elements that all threads store together.
    pub fn elements<W: Work>(&self) -> usize {
        self.share::<W>() * self.threads
    }
}

/// The state of the memory before the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// The subject is new. Its memory was used before and comes from the allocator.
    Warm,
    /// The subject is new, and so are its pages. The first write to each page causes a page fault.
    Cold,
    /// The subject was filled once with other values, and then reset.
    Reused,
}

pub trait Subject<W: Work>: Sync + Sized {
    const NAME: &'static str;
    const KIND: Kind = Kind::Peer;
    /// Whether the subject drops its values. If not, values that need drop would leak, so the
    /// subject is not measured with them.
    const DROPS: bool = true;
    /// Whether `look` finds the value at every place. If not, only the walk in `contents` checks
    /// the values.
    const LOOKS: bool = true;
    /// Whether the subject can be filled again after `reset`, so that it is also measured with
    /// reused pages.
    const RESETS: bool = false;

    /// The handle through which one thread fills the subject.
    type Handle<'a>
    where
        Self: 'a;

    /// What a put returns for `look`. Usually a pointer to the stored item, or its index.
    type Place: Copy;

    /// Creates a subject with room for the whole plan, if it accepts a capacity.
    fn with_room(plan: &Plan) -> Self;

    fn handle(&self) -> Self::Handle<'_>;

    fn put(handle: &mut Self::Handle<'_>, work: W) -> Self::Place;

    /// Returns the digest of the value at a place.
    fn look(&self, place: Self::Place) -> u64;

    /// Returns the number of elements and the digest of all of them, from a walk over the memory,
    /// or `None` if the subject cannot be walked.
    fn contents(&mut self) -> Option<(usize, u64)>;

    /// Empties the subject and keeps the memory.
    fn reset(&mut self) {}
}

/// One single-threaded container for each thread. A thread takes one, fills it, and returns it.
pub struct PerThread<X> {
    parts: Vec<Mutex<Option<X>>>,
    next: AtomicUsize,
}

impl<X> PerThread<X> {
    pub fn new(threads: usize, mut make: impl FnMut() -> X) -> Self {
        let parts = (0..threads).map(|_| Mutex::new(Some(make()))).collect();
        Self { parts, next: AtomicUsize::new(0) }
    }

    /// Takes the next container, which no other thread has. It is moved out, so that its fields can
    /// be in registers.
    pub fn take(&self) -> Taken<'_, X> {
        // Relaxed: only the number matters. The mutex orders the accesses to the container.
        let home = &self.parts[self.next.fetch_add(1, Ordering::Relaxed) % self.parts.len()];
        let own = home.lock().expect("no thread panicked").take();
        assert!(own.is_some(), "there are as many containers as threads");
        Taken { own, home }
    }

    pub fn each(&mut self) -> impl Iterator<Item = &mut X> {
        self.parts.iter_mut().map(|part| {
            part.get_mut().expect("no thread panicked").as_mut().expect("every thread has returned its part")
        })
    }
}

/// A container that a thread has taken from a [`PerThread`]. Dropping this returns the container.
pub struct Taken<'a, X> {
    own: Option<X>,
    home: &'a Mutex<Option<X>>,
}

impl<X> Deref for Taken<'_, X> {
    type Target = X;

    #[inline(always)]
    fn deref(&self) -> &X {
        // SAFETY: `take` has checked that `own` is `Some`, and only `drop` sets it to `None`. A
        // check here would be part of every put.
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

/// Returns the number of digests and their wrapping sum, in the form of [`Subject::contents`].
pub fn tally(digests: impl Iterator<Item = u64>) -> Option<(usize, u64)> {
    Some(digests.fold((0, 0), |(count, sum): (usize, u64), digest| (count + 1, sum.wrapping_add(digest))))
}
