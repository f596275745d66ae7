//! The methods of an arena and of a `Local` that store several values.

use atomicarena::{AtomicArena, Full, Local, Reservation, Storage};

/// What serves a request.
pub(crate) enum Source<'s, 'a, T, S: Storage<T>> {
    Arena(&'a AtomicArena<T, S>),
    Local(&'s mut Local<'a, T>),
}

/// Values that were stored.
#[derive(Debug)]
pub(crate) enum Stored<'a, T> {
    Owned(&'a mut [T]),
    /// Published values, with the index of the first one.
    Published(usize, &'a [T]),
}

impl<T> Stored<'_, T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Stored::Owned(values) => values.len(),
            Stored::Published(_, values) => values.len(),
        }
    }
}

/// Calls one of two methods of the source. Both take the same arguments.
macro_rules! store {
    ($source:expr, $publish:expr, $alloc:ident or $publish_by:ident ($($argument:expr),*)) => {
        match ($source, $publish) {
            (Source::Arena(arena), false) => arena.$alloc($($argument),*).map(|values| Stored::Owned(&mut values[..])),
            (Source::Local(local), false) => local.$alloc($($argument),*).map(|values| Stored::Owned(&mut values[..])),
            (Source::Arena(arena), true) => {
                arena.$publish_by($($argument),*).map(|(first, values)| Stored::Published(first, &values[..]))
            }
            (Source::Local(local), true) => {
                local.$publish_by($($argument),*).map(|(first, values)| Stored::Published(first, &values[..]))
            }
        }
    };
}

impl<'a, T: Sync, S: Storage<T>> Source<'_, 'a, T, S> {
    pub(crate) fn slice_copy(self, src: &[T], publish: bool) -> Result<Stored<'a, T>, Full<()>>
    where
        T: Copy,
    {
        store!(self, publish, alloc_slice_copy or publish_slice_copy(src))
    }

    pub(crate) fn slice_clone(self, src: &[T], publish: bool) -> Result<Stored<'a, T>, Full<()>>
    where
        T: Clone,
    {
        store!(self, publish, alloc_slice_clone or publish_slice_clone(src))
    }

    pub(crate) fn collected<I>(self, iter: I, publish: bool) -> Result<Stored<'a, T>, Full<I>>
    where
        I: ExactSizeIterator<Item = T>,
    {
        store!(self, publish, alloc_from_iter or publish_from_iter(iter))
    }

    pub(crate) fn array<const N: usize>(self, values: [T; N], publish: bool) -> Result<Stored<'a, T>, Full<[T; N]>> {
        store!(self, publish, alloc_array or publish_array(values))
    }

    pub(crate) fn slice_with(self, len: usize, f: impl FnMut(usize) -> T) -> Result<Stored<'a, T>, Full<()>> {
        match self {
            Source::Arena(arena) => arena.alloc_slice_with(len, f),
            Source::Local(local) => local.alloc_slice_with(len, f),
        }
        .map(Stored::Owned)
    }

    pub(crate) fn vec(self, values: Vec<T>) -> Result<Stored<'a, T>, Full<Vec<T>>> {
        match self {
            Source::Arena(arena) => arena.alloc_vec(values),
            Source::Local(local) => local.alloc_vec(values),
        }
        .map(Stored::Owned)
    }

    pub(crate) fn prefix_clone(self, src: &[T]) -> Stored<'a, T>
    where
        T: Clone,
    {
        Stored::Owned(match self {
            Source::Arena(arena) => arena.alloc_prefix_clone(src),
            Source::Local(local) => local.alloc_prefix_clone(src),
        })
    }

    pub(crate) fn reserve(self, len: usize) -> Result<Reservation<'a, T>, Full<()>> {
        match self {
            Source::Arena(arena) => arena.reserve(len),
            Source::Local(local) => local.reserve(len),
        }
    }

    pub(crate) fn reserve_up_to(self, len: usize) -> Reservation<'a, T> {
        match self {
            Source::Arena(arena) => arena.reserve_up_to(len),
            Source::Local(local) => local.reserve_up_to(len),
        }
    }
}

impl<'a, S: Storage<u8>> Source<'_, 'a, u8, S> {
    pub(crate) fn str(self, src: &str, publish: bool) -> Result<Stored<'a, u8>, Full<()>> {
        // SAFETY: the programs write only results of `<u8 as Value>::new` to these bytes, and all
        // of these are ASCII.
        let owned = |text: &'a mut str| Stored::Owned(unsafe { text.as_bytes_mut() });
        let published = |(first, text): (usize, &'a str)| Stored::Published(first, text.as_bytes());
        match (self, publish) {
            (Source::Arena(arena), false) => arena.alloc_str(src).map(owned),
            (Source::Local(local), false) => local.alloc_str(src).map(owned),
            (Source::Arena(arena), true) => arena.publish_str(src).map(published),
            (Source::Local(local), true) => local.publish_str(src).map(published),
        }
    }
}
