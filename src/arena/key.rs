//! Keys. A key consists of an index and of the number of the epoch in which the index is valid.

use core::cmp;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::raw::arena_ref::ArenaRef;
use crate::storage::Storage;

/// The index of a published value, valid for one arena and one epoch.
///
/// A plain index leads to whatever value is in the slot when the index is used, in any arena. A key
/// also contains the number of the *epoch* in which it was created. An epoch ends when the arena is
/// emptied or compacted. No two epochs in the process have the same number. Therefore
/// [`get_keyed`](AtomicArena::get_keyed) returns `None` for a key from before a reset, and for a
/// key of another arena.
///
/// References do not need this check, because the borrow checker ensures that they are valid. Keys
/// are for relations that the borrow checker cannot follow: in data that outlives a reset, in
/// tables, in messages, and in files.
///
/// Every method that empties the arena or moves its values ends the epoch, and with it the validity
/// of every key: [`reset`](AtomicArena::reset), [`reset_zeroed`](AtomicArena::reset_zeroed),
/// [`drain`](AtomicArena::drain), [`compact`](AtomicArena::compact), `reset_decommit`, and
/// `par_drain`. Keys stay valid if the arena itself is moved or swapped with another. A key names a
/// slot: if values are moved through `&mut` references, for example by sorting
/// [`as_mut_slice`](AtomicArena::as_mut_slice), the key leads to the value that is now in the slot.
///
/// A key takes 16 bytes, or 12 or 16 bytes on 32-bit targets. An `Option` of a key is no larger. A
/// key is `Copy`, `Send`, and `Sync` for every `T`, because it holds no value. Keys are ordered by
/// epoch and then by index. Epochs are ordered by the creation of their first keys.
///
/// Keys exist on targets with 64-bit atomics. The feature `portable-atomic` does not add them on
/// other targets.
///
/// # Serialization
///
/// With the feature `serde`, a key is serialized as the number of its epoch and its index. In a
/// compact format this is a pair of numbers. In a human-readable format, such as JSON, it is a
/// string of both numbers in decimal, joined by a hyphen: `"<epoch>-<index>"`. The number of an
/// epoch can exceed 2<sup>53</sup>, and a reader that stores the numbers of JSON as `f64`, as
/// JavaScript does, would round it. A string is not rounded, and can also be the key of a JSON
/// object.
///
/// - A key that returns to the process that created it is as valid as if it had never left.
/// - In another process a key is meaningless, and `get_keyed` returns `None` with overwhelming
///   probability. Each process numbers its epochs from a random start. There are 2<sup>63</sup>
///   possible starts, and the choice is as random as `RandomState` on the target. If two processes
///   have a million epochs each, they share a number with a probability of 1 in 4.6 ×
///   10<sup>12</sup>.
/// - *Without the feature `std`, every process starts at 1.* A key from another process may then
///   lead to any published value, so do not accept such keys. The same holds after a `fork` for
///   keys that either process creates afterwards.
/// - A key is not a permission. A forged key leads to a published value or to none.
/// - The derive macros of `serde` require `T: Serialize` for a `struct Message<T>` that contains a
///   `Key<T>`. The attribute `#[serde(bound = "")]` removes this bound, which keys do not need.
///
/// # Examples
///
/// ```
/// use atomicarena::{AtomicArena, Key};
///
/// struct Sprite {
///     parent: Option<Key<Sprite>>,
/// }
///
/// let mut frame = AtomicArena::with_capacity(100);
/// let (root, _) = frame.publish_keyed(Sprite { parent: None }).unwrap();
/// let (child, _) = frame.publish_keyed(Sprite { parent: Some(root) }).unwrap();
/// assert_eq!(frame.get_keyed(child).unwrap().parent, Some(root));
///
/// frame.reset();
/// let (other, _) = frame.publish_keyed(Sprite { parent: None }).unwrap();
/// assert_eq!(other.index(), root.index());
/// assert!(frame.get_keyed(root).is_none()); // not the other sprite in its slot
/// ```
pub struct Key<T> {
    /// The number of the epoch.
    generation: NonZeroU64,
    /// A slot that was published in that epoch, unless the key was forged with `serde`.
    index: usize,
    /// A key contains no `T`. It is covariant in `T`, and `Send` and `Sync` for every `T`.
    marker: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// Returns the index of the value, for methods such as [`get`](AtomicArena::get), which do not
    /// check the epoch.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// let (key, value) = arena.publish_keyed('a').unwrap();
    /// assert_eq!(arena.get(key.index()), Some(value));
    /// ```
    #[inline]
    pub fn index(self) -> usize {
        self.index
    }

    /// Returns the key of a value that is published in this arena.
    #[inline]
    pub(crate) fn of(view: ArenaRef<'_, T>, index: usize) -> Self {
        Key { generation: view.generation().get_or_draw(), index, marker: PhantomData }
    }

    #[inline]
    fn numbers(self) -> (NonZeroU64, usize) {
        (self.generation, self.index)
    }
}

/// Methods that create and use keys.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Publishes a value and returns its key and a shared reference.
    ///
    /// After the arena is emptied, the key leads to no value, whereas an index may lead to a new
    /// one.
    ///
    /// Costs one more load and one more comparison than [`publish`](Self::publish). The first key
    /// of an epoch also draws the number of the epoch. This costs two atomic read-modify-writes,
    /// one of them on a counter that all arenas of the process share. Has the same progress
    /// guarantee as [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] with the value under the same condition as [`alloc`](Self::alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(1);
    /// let (key, value) = arena.publish_keyed("first").unwrap();
    /// assert_eq!(arena.get_keyed(key), Some(value));
    /// assert_eq!(arena.publish_keyed("second").unwrap_err().into_inner(), "second");
    ///
    /// arena.reset();
    /// arena.publish("third").unwrap(); // in the same slot
    /// assert_eq!(arena.get_keyed(key), None);
    /// ```
    #[inline]
    pub fn publish_keyed(&self, value: T) -> Result<(Key<T>, &T), Full<T>>
    where
        T: Sync,
    {
        let (index, value) = self.publish(value)?;
        Ok((self.keyed(index), value))
    }

    /// Returns the key of the published value at `index`, or `None` if the slot holds no published
    /// value or does not exist.
    ///
    /// Use this method for values published by a [`Local`](crate::Local), a
    /// [`Reservation`](crate::Reservation), or [`publish_all`](Self::publish_all). To get the key
    /// for a reference, pass it to [`index_of`](Self::index_of) first.
    ///
    /// Costs two loads and two comparisons. The first key of an epoch costs more, as for
    /// [`publish_keyed`](Self::publish_keyed). Wait-free on targets where a 64-bit `fetch_add` and
    /// a 64-bit `compare_exchange` are single instructions, otherwise lock-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(8);
    /// let (index, value) = arena.local().publish('a').unwrap();
    /// let key = arena.key_at(index).unwrap();
    /// assert_eq!(arena.get_keyed(key), Some(value));
    /// assert_eq!(arena.index_of(value).and_then(|index| arena.key_at(index)), Some(key));
    ///
    /// let owned = arena.alloc('b').unwrap();
    /// assert_eq!(arena.index_of(owned).and_then(|index| arena.key_at(index)), None);
    /// ```
    #[inline]
    pub fn key_at(&self, index: usize) -> Option<Key<T>> {
        self.view().stamps().is_published(index).then(|| self.keyed(index))
    }

    /// Returns the published value for which `key` was created.
    ///
    /// Returns `None` if the arena has been emptied or compacted since then, or if the key belongs
    /// to another arena.
    ///
    /// Costs one more load and one more comparison than [`get`](Self::get). Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let other = AtomicArena::with_capacity(1);
    /// let (key, _) = arena.publish_keyed('a').unwrap();
    /// other.publish('b').unwrap();
    /// assert_eq!(arena.get_keyed(key), Some(&'a'));
    /// assert_eq!(other.get_keyed(key), None);
    /// ```
    #[inline]
    pub fn get_keyed(&self, key: Key<T>) -> Option<&T>
    where
        T: Sync,
    {
        let view = self.view();
        if view.generation().is(key.generation) { view.get(key.index) } else { None }
    }

    /// Returns a mutable reference to the published value for which `key` was created.
    ///
    /// Returns `None` under the same condition as [`get_keyed`](Self::get_keyed).
    ///
    /// O(1), except as stated for [`get_mut`](Self::get_mut).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(1);
    /// let (key, _) = arena.publish_keyed(1).unwrap();
    /// *arena.get_keyed_mut(key).unwrap() += 1;
    /// assert_eq!(arena.get_keyed(key), Some(&2));
    ///
    /// arena.compact();
    /// assert_eq!(arena.get_keyed_mut(key), None);
    /// ```
    #[inline]
    pub fn get_keyed_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        let view = self.view();
        // If the generations are equal, the slot is published, unless the key was forged. The
        // second condition catches forged keys.
        let leads = view.generation().is(key.generation) && view.stamps().is_published(key.index);
        // `get_mut` is called even for a stale key, because it reclaims the slots of leaked
        // handles.
        self.get_mut(key.index).filter(|_| leads)
    }

    /// Returns a key for a slot that is published.
    #[inline]
    fn keyed(&self, index: usize) -> Key<T> {
        Key::of(self.view(), index)
    }
}

// Implemented by hand, because derived implementations would require the same traits of `T`.

impl<T> Clone for Key<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.numbers().cmp(&other.numbers())
    }
}

impl<T> Hash for Key<T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.numbers().hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("index", &self.index).field("generation", &self.generation).finish()
    }
}

/// Serializes the key as a string or as a pair of numbers. See [`Key`](Key#serialization).
#[cfg(feature = "serde")]
impl<T> serde_core::Serialize for Key<T> {
    fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (generation, index) = self.numbers();
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{generation}-{index}"))
        } else {
            (generation, index).serialize(serializer)
        }
    }
}

/// Accepts every well-formed key, including a forged one. See [`Key`](Key#serialization).
#[cfg(feature = "serde")]
impl<'de, T> serde_core::Deserialize<'de> for Key<T> {
    fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (generation, index) = if deserializer.is_human_readable() {
            deserializer.deserialize_str(Text)?
        } else {
            serde_core::Deserialize::deserialize(deserializer)?
        };
        Ok(Key { generation, index, marker: PhantomData })
    }
}

/// Reads the human-readable form of a key.
#[cfg(feature = "serde")]
struct Text;

#[cfg(feature = "serde")]
impl serde_core::de::Visitor<'_> for Text {
    type Value = (NonZeroU64, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key of the form \"<epoch>-<index>\"")
    }

    fn visit_str<E: serde_core::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        // `from_str` alone would accept a plus sign and leading zeros, so that several texts would
        // give the same key.
        fn number<N: core::str::FromStr>(digits: &str) -> Option<N> {
            let canonical = digits == "0" || digits.starts_with(|c| matches!(c, '1'..='9'));
            if canonical { digits.parse().ok() } else { None }
        }

        let numbers = text.split_once('-').and_then(|(epoch, index)| Some((number(epoch)?, number(index)?)));
        numbers.ok_or_else(|| E::invalid_value(serde_core::de::Unexpected::Str(text), &self))
    }
}
