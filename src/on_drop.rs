//! A guard for a step that must run even if dropping a value panics.

#![forbid(unsafe_code)]

use core::ops::{Deref, DerefMut};

/// A guard that runs a function on its state when the guard is dropped, including during unwinding.
pub(crate) struct OnDrop<S, F: FnMut(&mut S)> {
    state: S,
    run: F,
}

impl<S, F: FnMut(&mut S)> OnDrop<S, F> {
    #[inline]
    pub(crate) fn new(state: S, run: F) -> Self {
        OnDrop { state, run }
    }
}

impl<S, F: FnMut(&mut S)> Deref for OnDrop<S, F> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.state
    }
}

impl<S, F: FnMut(&mut S)> DerefMut for OnDrop<S, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        &mut self.state
    }
}

impl<S, F: FnMut(&mut S)> Drop for OnDrop<S, F> {
    #[inline]
    fn drop(&mut self) {
        (self.run)(&mut self.state);
    }
}
