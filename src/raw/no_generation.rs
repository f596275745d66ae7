//! The generation of an epoch on targets without 64-bit atomics, which have no keys.

#![forbid(unsafe_code)]

#[derive(Debug)]
pub(crate) struct Generation;

impl Generation {
    pub(crate) const fn new() -> Self {
        Generation
    }

    pub(crate) fn end(&mut self) {}
}
