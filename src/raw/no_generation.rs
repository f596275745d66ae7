//! Epochs without numbers, where the target has no 64-bit atomics. There are no keys then.

#![forbid(unsafe_code)]

#[derive(Debug)]
pub(crate) struct Generation;

impl Generation {
    pub(crate) const fn new() -> Self {
        Generation
    }

    pub(crate) fn end(&mut self) {}
}
