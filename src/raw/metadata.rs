//! The metadata of a shared arena: its stamps, its summary and its shards.

#![forbid(unsafe_code)]

use super::shards::Shards;
use super::stamps::Stamps;
use super::summary::Summary;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata<'a> {
    pub(crate) stamps: Stamps<'a>,
    pub(crate) summary: Summary<'a>,
    pub(crate) shards: Shards<'a>,
}

impl Metadata<'_> {
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.stamps.len()
    }
}
