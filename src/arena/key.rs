//! Keys: an index, and the epoch in which it means something.

use core::cmp;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::storage::Storage;

/// An index that leads to one value and never to another: that of a published value, in one arena, until that is emptied.
///
/// An index is a number, good for whatever lies in that slot of whichever arena. A key also knows the epoch in which it
/// was made, by a number that no other epoch of any arena in the process has: [`get_keyed`](AtomicArena::get_keyed) answers
/// `None` to a key from before a reset, and to the key of another arena. References need none of this, for the compiler
/// sees to them; keys are for what the borrow checker cannot follow: values that outlive a reset and refer to what did
/// not, tables, messages, files.
///
/// Every method that empties the arena or moves its values ends the epoch, and with it every key:
/// [`reset`](AtomicArena::reset), [`reset_zeroed`](AtomicArena::reset_zeroed), [`drain`](AtomicArena::drain),
/// [`compact`](AtomicArena::compact), `reset_decommit`. An arena that is moved, or swapped with another, takes its values along,
/// and they keep their keys. What is moved through `&mut` of the values leaves its key behind: after a `swap` of two, or a
/// sort of [`as_mut_slice`](AtomicArena::as_mut_slice), a key leads to what lies in its slot.
///
/// 16 bytes, on 32-bit targets 12 or 16; an `Option` of one is no larger. `Copy`, `Send` and `Sync` whatever `T` is: a
/// key holds no value, and only what is published has one. Keys are ordered by epoch, in the order of their
/// first keys, and then by index.
///
/// There are keys where the target has 64-bit atomics; the feature `portable-atomic` does not add them.
///
/// # As data
///
/// With the feature `serde` a key is a pair of numbers, its epoch and its index. Four things to know:
///
/// - A key that comes back into the process that made it is as good as it was, and as stale.
/// - In another process it means nothing, and the answer is `None`, but for chance: each process numbers its epochs from
///   a random beginning on, one of 2<sup>63</sup>, as random as the target's `RandomState`. Two processes of a million
///   epochs each have a number in common once in 4 × 10<sup>12</sup> times. *Without the feature `std` all begin at 1*, and
///   a key from another process may lead to any published value: let none in. So it is after a `fork`, with the keys that
///   either process makes from then on.
/// - Whoever can write the numbers can write others. They lead to a published value, or to none: a key is no permission.
/// - `serde`'s derive asks of a `struct Message<T>` that holds a `Key<T>` that `T` be data, too, which it need not be:
///   `#[serde(bound = "")]` says so.
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
    /// The number of the epoch, first in the order.
    generation: NonZeroU64,
    /// Invariant: the slot was published in that epoch. Not so where somebody made the key up, as data.
    index: usize,
    /// Neither holds a `T` nor takes one in.
    marker: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// The index of the value, for [`get`](AtomicArena::get) and the rest, which do not ask for the epoch.
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

    #[inline]
    fn numbers(self) -> (NonZeroU64, usize) {
        (self.generation, self.index)
    }
}

/// Keys.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// As [`publish`](Self::publish), and returns a key, which does not outlive the epoch as an index does.
    ///
    /// Costs a load and a comparison more. The first key of an epoch draws its number: an addition to a counter that all
    /// arenas of the process share, and an exchange. Progress as [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, as [`alloc`](Self::alloc).
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
    /// arena.publish("third").unwrap(); // into the same slot
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

    /// The key of the published value at that index. `None` for any other slot, and beyond the end.
    ///
    /// For what was published otherwise: by a [`Local`](crate::Local), a [`Reservation`](crate::Reservation) or
    /// [`publish_all`](Self::publish_all); with [`index_of`](Self::index_of), for what there is only a reference to.
    ///
    /// Costs two loads and two comparisons, and for the first key of an epoch as [`publish_keyed`](Self::publish_keyed).
    /// Wait-free where the target has an atomic addition and an exchange of 64 bits; lock-free elsewhere.
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

    /// The published value that the key was made for. `None` when the arena was emptied or compacted since, or when the
    /// key is of another arena: never another value.
    ///
    /// Costs a load and a comparison more than [`get`](Self::get). Wait-free.
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

    /// As [`get_keyed`](Self::get_keyed), for who has the arena to himself.
    ///
    /// Constant, as [`get_mut`](Self::get_mut).
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
        // The second holds of every key that was not made up.
        let leads = view.generation().is(key.generation) && view.stamps().is_published(key.index);
        // Asked in any case: it makes slots vacant that a leaked handle held.
        self.get_mut(key.index).filter(|_| leads)
    }

    /// A key for a slot that is published.
    #[inline]
    fn keyed(&self, index: usize) -> Key<T> {
        Key { generation: self.view().generation().get_or_draw(), index, marker: PhantomData }
    }
}

// By hand, because derived they would ask the same of `T`.

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

/// As a pair of numbers: see [`Key`].
#[cfg(feature = "serde")]
impl<T> serde_core::Serialize for Key<T> {
    fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.numbers().serialize(serializer)
    }
}

/// From a pair of numbers, whoever wrote them: see [`Key`].
#[cfg(feature = "serde")]
impl<'de, T> serde_core::Deserialize<'de> for Key<T> {
    fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (generation, index) = serde_core::Deserialize::deserialize(deserializer)?;
        Ok(Key { generation, index, marker: PhantomData })
    }
}
