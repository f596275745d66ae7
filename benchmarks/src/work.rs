//! The values that are put into the subjects: single values, slices, whole arenas.

use std::{fmt::Write as _, vec};

/// The item that a single call of `put` stores. Every turn has a different seed, from which all its
/// values except [`Defaults`] are derived. Values that an earlier turn has left in recycled memory
/// are therefore hardly ever taken for values of this turn.
pub trait Work: Sized {
    /// The source of the items, created before the clock starts.
    type Source: Send;

    /// Returns the number of elements of one item.
    fn elements(size: usize) -> usize;

    fn source(seed: u64, puts: usize, size: usize) -> Self::Source;

    fn next(source: &mut Self::Source) -> Self;

    /// Returns the digest of the item that the `index`-th put with this seed stores.
    fn expected(seed: u64, index: usize, size: usize) -> u64;
}

/// A value that is stored on its own.
pub trait Element: Work + Send + Sync + 'static {
    const LABEL: &'static str;

    /// Creates the value for a seed.
    fn make(seed: u64) -> Self;

    /// Returns a number that identifies the value. It is zero for `make(0)`.
    fn digest(&self) -> u64;
}

impl Element for u64 {
    const LABEL: &'static str = "u64 (8 bytes)";

    fn make(seed: u64) -> Self {
        seed
    }

    fn digest(&self) -> u64 {
        *self
    }
}

/// The element of 64 bytes.
pub type Line = [u64; 8];

impl Element for Line {
    const LABEL: &'static str = "[u64; 8] (64 bytes)";

    fn make(seed: u64) -> Self {
        [seed; 8]
    }

    fn digest(&self) -> u64 {
        self.iter().fold(0, |sum, word| sum.wrapping_add(*word))
    }
}

impl Element for String {
    const LABEL: &'static str = "String (24 bytes and a buffer)";

    fn make(seed: u64) -> Self {
        let mut text = Self::with_capacity(16);
        write!(text, "{seed:016x}").expect("writing to a String cannot fail");
        text
    }

    fn digest(&self) -> u64 {
        u64::from_str_radix(self, 16).unwrap_or(u64::MAX)
    }
}

/// Values that are computed when they are put, from a seed that counts up.
macro_rules! made_on_the_spot {
    ($($type:ty),*) => {$(
        impl Work for $type {
            type Source = u64;

            fn elements(_: usize) -> usize {
                1
            }

            fn source(seed: u64, _: usize, _: usize) -> u64 {
                seed
            }

            #[inline(always)]
            fn next(source: &mut u64) -> Self {
                let value = Self::make(*source);
                *source = source.wrapping_add(1);
                value
            }

            fn expected(seed: u64, index: usize, _: usize) -> u64 {
                Self::make(seed.wrapping_add(index as u64)).digest()
            }
        }
    )*};
}

made_on_the_spot!(u64, Line);

/// Strings are created before the clock starts, so that allocating their buffers is not measured.
impl Work for String {
    type Source = vec::IntoIter<Self>;

    fn elements(_: usize) -> usize {
        1
    }

    fn source(seed: u64, puts: usize, _: usize) -> Self::Source {
        let made: Vec<Self> = (0..puts).map(|index| Self::make(seed.wrapping_add(index as u64))).collect();
        made.into_iter()
    }

    #[inline(always)]
    fn next(source: &mut Self::Source) -> Self {
        source.next().expect("there is a string for each put")
    }

    fn expected(seed: u64, index: usize, _: usize) -> u64 {
        seed.wrapping_add(index as u64)
    }
}

/// A slice of consecutive numbers from `first`, to be copied.
#[derive(Clone, Copy)]
pub struct Slice {
    start: *const u64,
    len: usize,
    pub first: u64,
}

impl Slice {
    #[inline(always)]
    pub fn get(&self) -> &[u64] {
        // SAFETY: `next` has taken `start` and `len` from the vector of the source, which is not
        // changed, and outlives the loop that puts the slices.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// The one slice that is copied again and again. It stays in the first-level cache.
pub struct SliceSource {
    numbers: Vec<u64>,
}

impl Work for Slice {
    type Source = SliceSource;

    fn elements(size: usize) -> usize {
        size
    }

    fn source(seed: u64, _: usize, size: usize) -> SliceSource {
        SliceSource { numbers: counting(seed, size).collect() }
    }

    #[inline(always)]
    fn next(source: &mut SliceSource) -> Self {
        Self { start: source.numbers.as_ptr(), len: source.numbers.len(), first: source.numbers[0] }
    }

    fn expected(seed: u64, _: usize, size: usize) -> u64 {
        sum(counting(seed, size))
    }
}

/// A short string, to be copied.
#[derive(Clone, Copy)]
pub struct Text {
    start: *const u8,
    len: usize,
}

impl Text {
    #[inline(always)]
    pub fn get(&self) -> &str {
        // SAFETY: `next` has taken `start` and `len` from the `String` of the source, which is not
        // changed, and outlives the loop that puts the strings.
        unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(self.start, self.len)) }
    }
}

/// Returns the letters of a string. The seed is multiplied by a constant, and the letters come from
/// the upper bits of the product first. The lower bits of the product do not depend on the upper
/// bits of the seed.
fn letters(seed: u64, size: usize) -> impl Iterator<Item = u8> {
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..size).map(move |index| b'a' + (mixed.rotate_left(4 * (index as u32 + 1)) & 15) as u8)
}

/// One string is copied again and again. Its elements are its bytes.
impl Work for Text {
    type Source = String;

    fn elements(size: usize) -> usize {
        size
    }

    fn source(seed: u64, _: usize, size: usize) -> String {
        letters(seed, size).map(char::from).collect()
    }

    #[inline(always)]
    fn next(source: &mut String) -> Self {
        Self { start: source.as_ptr(), len: source.len() }
    }

    fn expected(seed: u64, _: usize, size: usize) -> u64 {
        sum(letters(seed, size).map(u64::from))
    }
}

/// A vector of [`Grown::LEN`] consecutive numbers from `first`, pushed one by one. It counts as one
/// element.
#[derive(Clone, Copy)]
pub struct Grown {
    pub first: u32,
}

impl Grown {
    pub const LEN: u32 = 100;

    #[inline(always)]
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..Self::LEN).map(move |index| self.first.wrapping_add(index))
    }

    /// Returns the digest of a vector: the sum of its length and its first, middle and last number.
    #[inline(always)]
    pub fn digest(numbers: &[u32]) -> u64 {
        [0, numbers.len() / 2, numbers.len() - 1]
            .iter()
            .fold(numbers.len() as u64, |sum, at| sum + u64::from(numbers[*at]))
    }
}

impl Work for Grown {
    type Source = u64;

    fn elements(_: usize) -> usize {
        1
    }

    fn source(seed: u64, _: usize, _: usize) -> u64 {
        seed
    }

    #[inline(always)]
    fn next(source: &mut u64) -> Self {
        let first = *source as u32;
        *source = source.wrapping_add(1);
        Self { first }
    }

    fn expected(seed: u64, index: usize, _: usize) -> u64 {
        let one = Self { first: seed.wrapping_add(index as u64) as u32 };
        Self::digest(&one.numbers().collect::<Vec<_>>())
    }
}

/// The values of a whole arena: consecutive numbers from `first`.
#[derive(Clone, Copy)]
pub struct Whole {
    pub first: u64,
    pub len: usize,
}

impl Work for Whole {
    type Source = Self;

    fn elements(size: usize) -> usize {
        size
    }

    fn source(seed: u64, _: usize, size: usize) -> Self {
        Self { first: seed, len: size }
    }

    #[inline(always)]
    fn next(source: &mut Self) -> Self {
        *source
    }

    fn expected(seed: u64, _: usize, size: usize) -> u64 {
        sum(counting(seed, size))
    }
}

/// Like [`Whole`], but every value is the default, so the values do not depend on a seed.
#[derive(Clone, Copy)]
pub struct Defaults {
    pub len: usize,
}

impl Work for Defaults {
    type Source = Self;

    fn elements(size: usize) -> usize {
        size
    }

    fn source(_: u64, _: usize, size: usize) -> Self {
        Self { len: size }
    }

    #[inline(always)]
    fn next(source: &mut Self) -> Self {
        *source
    }

    fn expected(_: u64, _: usize, _: usize) -> u64 {
        0
    }
}

pub fn counting(first: u64, len: usize) -> impl ExactSizeIterator<Item = u64> {
    (0..len).map(move |index| first.wrapping_add(index as u64))
}

/// Returns the digest of several values, which is the wrapping sum of their digests.
pub fn sum(digests: impl Iterator<Item = u64>) -> u64 {
    digests.fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests_are_as_expected<T: Element>() {
        let mut source = T::source(41, 3, 1);
        for index in 0..3 {
            assert_eq!(T::next(&mut source).digest(), T::expected(41, index, 1));
        }
        assert_eq!(T::make(0).digest(), 0);
    }

    #[test]
    fn strings_and_grown_vectors_know_their_digests() {
        let mut source = Text::source(41, 1, 10);
        let text = Text::next(&mut source);
        assert_eq!(text.get().len(), 10);
        assert_eq!(sum(text.get().bytes().map(u64::from)), Text::expected(41, 0, 10));
        // The threads of a turn have seeds that differ in their upper bits.
        assert_ne!(Text::source(41, 1, 10), Text::source(41 + (1 << 40), 1, 10));

        let mut source = Grown::source(41, 3, 1);
        for index in 0..3 {
            let numbers: Vec<u32> = Grown::next(&mut source).numbers().collect();
            assert_eq!(numbers.len(), Grown::LEN as usize);
            assert_eq!(Grown::digest(&numbers), Grown::expected(41, index, 1));
        }
    }

    #[test]
    fn every_element_knows_its_digest() {
        digests_are_as_expected::<u64>();
        digests_are_as_expected::<Line>();
        digests_are_as_expected::<String>();
    }
}
