//! The public face: each method a line or two over a view.

use core::marker::PhantomData;
#[cfg(not(all(test, loom)))]
use core::mem::MaybeUninit;
use core::ops::{Index, Range};
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::error::{CapacityError, Full, IndexError};
use crate::iter::{Drain, IntoIter, Iter, IterMut};
use crate::stamp::Mark;
#[cfg(not(all(test, loom)))]
use crate::storage::{Borrowed, Inline};
use crate::storage::{Heap, Storage};
use crate::view::ArenaRef;
use crate::view_mut::ArenaMut;

/// An arena of fixed capacity that many threads fill at once, and that is emptied all at once.
///
/// A value is either *owned* ([`alloc`](Self::alloc) and the rest of that family): `&mut T`, which nobody else can
/// see until somebody has `&mut` of the arena. Or it is *published* ([`publish`](Self::publish)): an index and `&T`,
/// which every thread can [`get`](Self::get) from then on.
///
/// Nothing moves, but by `compact` and what moves all values out; no method but the constructors allocates, but for
/// `into_boxed_slice`, which shrinks, and what rayon does; and when the arena is full the value comes back in an error. A
/// slot costs one byte beside its value.
///
/// # Threads
///
/// The arena is `Send` and `Sync` if `T: Send`: values only move into it, and out of it with `&mut`. The methods that
/// lend `&T` to other threads ask for `T: Sync`. No method blocks, but those of the feature `rayon`, which wait for its
/// workers: those that take `&self` are lock-free at least, and say so where they are more.
///
/// # Memory ordering
///
/// What a thread did before it published a value happens before what another does with the reference that `get`,
/// `get_slice`, `get_wrapping` or `iter` gave it. What was done to a slot before it was given back happens before
/// what its next owner does to it. The counts ([`count`](Self::count), [`remaining`](Self::remaining) and so on)
/// order nothing.
///
/// # Traits that it does not have
///
/// `Extend` and `FromIterator` cannot say that the arena is full: what an iterator gives is stored by
/// [`alloc_from_iter`](Self::alloc_from_iter), or by [`fill_from_iter`](crate::Reservation::fill_from_iter) of a reservation, which say so.
/// `Index` finds published values, and [`get_mut`](Self::get_mut) owned ones as well: so there is no `IndexMut`, which
/// would be neither.
///
/// # Values that refer to each other
///
/// On the heap and in a `static` an arena may hold references into itself, as long as `T` has no `Drop` that could
/// look at a neighbour which is already gone:
///
/// ```
/// use atomicarena::AtomicArena;
/// use std::sync::OnceLock;
///
/// struct Node<'a> {
///     name: &'static str,
///     next: OnceLock<&'a Node<'a>>,
/// }
///
/// let arena = AtomicArena::with_capacity(2);
/// let a: &Node = arena.alloc(Node { name: "a", next: OnceLock::new() }).unwrap();
/// let b: &Node = arena.alloc(Node { name: "b", next: OnceLock::new() }).unwrap();
/// a.next.set(b).ok().unwrap();
/// b.next.set(a).ok().unwrap();
/// assert_eq!(a.next.get().unwrap().next.get().unwrap().name, "a");
/// ```
pub struct AtomicArena<T, S: Storage<T> = Heap<T>> {
    storage: S,
    /// Invariant in `T`: values are put in through `&self`. Owns nothing: that is the storage's to say.
    marker: PhantomData<fn(T) -> T>,
}

/// An arena that lies where it is declared: in a `static`, on the stack, in another value. Never allocates.
///
/// In a `static` it hands out `&'static mut T` and `&'static T`, from any thread or interrupt, without a heap, and it is
/// never dropped. On the stack it is dropped like any value. All its memory is part of it: an arena of 1 MiB is a value
/// of 1 MiB, which a `static` holds and a stack may not. A new one is all zeros but for the values' bytes, which are not
/// initialised, so a `static` takes no room in the program's file.
///
/// # What works in a `static`
///
/// Everything with `&self`, which is all there is to filling and reading:
///
/// | With `&self`, in a `static`, too | With `&mut self` or `self`, where the arena is yours |
/// |---|---|
/// | [`alloc`](Self::alloc), [`alloc_with`](Self::alloc_with), [`alloc_try_with`](Self::alloc_try_with), [`publish`](Self::publish), [`publish_with`](Self::publish_with), `publish_keyed` | [`get_mut`](Self::get_mut), [`get_disjoint_mut`](Self::get_disjoint_mut), `get_keyed_mut`, [`iter_mut`](Self::iter_mut), [`as_mut_slice`](Self::as_mut_slice) |
/// | [`alloc_slice_copy`](Self::alloc_slice_copy), [`alloc_slice_clone`](Self::alloc_slice_clone), [`alloc_slice_with`](Self::alloc_slice_with), [`alloc_prefix_clone`](Self::alloc_prefix_clone) | [`fill_with`](Self::fill_with), [`fill_default`](Self::fill_default), [`publish_all`](Self::publish_all) |
/// | [`alloc_from_iter`](Self::alloc_from_iter), [`alloc_array`](Self::alloc_array), [`alloc_str`](AtomicArena::alloc_str), `alloc_vec` (with `alloc`) | [`compact`](Self::compact), [`drain`](Self::drain), `into_iter` |
/// | [`reserve`](Self::reserve), [`reserve_up_to`](Self::reserve_up_to), [`local`](Self::local), [`local_with_batch`](Self::local_with_batch) | [`reset`](Self::reset), [`reset_zeroed`](Self::reset_zeroed) |
/// | [`get`](Self::get), [`get_slice`](Self::get_slice), [`get_wrapping`](Self::get_wrapping), [`iter`](Self::iter), [`index_of`](Self::index_of), `get_keyed`, `key_at` | |
/// | [`capacity`](Self::capacity), [`count`](Self::count), [`index_bound`](Self::index_bound), [`remaining`](Self::remaining), [`is_full`](Self::is_full), [`is_empty`](Self::is_empty), [`stats`](Self::stats) | |
///
/// So a `static` arena is filled once; what a leaked handle held stays lost. To empty one again and again, keep it in
/// `main`, or behind a lock, or lend it memory with [`in_bytes`](AtomicArena::in_bytes).
///
/// # Examples
///
/// ```
/// use atomicarena::StaticArena;
///
/// static EVENTS: StaticArena<u32, 16> = StaticArena::new();
///
/// let event: &'static mut u32 = EVENTS.alloc(7).unwrap();
/// *event += 1;
/// assert_eq!((*event, EVENTS.remaining()), (8, 15));
///
/// while EVENTS.publish(0).is_ok() {}
/// assert_eq!(EVENTS.publish(9).unwrap_err().into_inner(), 9); // full is an ordinary error
/// ```
#[cfg(not(all(test, loom)))]
pub type StaticArena<T, const N: usize> = AtomicArena<T, Inline<T, N>>;

// A panic leaves the arena as usable as it was: what was being stored has gone back, and no invariant of the arena is
// suspended while foreign code runs. (A value that was being changed through its `&mut T` may be half changed. It is
// reached again only with `&mut` of the arena, as a value in a `Mutex` that ignores poisoning.)
impl<T, S: Storage<T>> UnwindSafe for AtomicArena<T, S> {}
impl<T, S: Storage<T>> RefUnwindSafe for AtomicArena<T, S> {}

/// Building.
#[cfg(feature = "alloc")]
impl<T> AtomicArena<T> {
    /// An empty arena of that many slots, on the heap.
    ///
    /// Two allocations: `capacity * size_of::<T>()` bytes for the slots, which are not touched, and `capacity` zeroed
    /// bytes beside them, with 4 KiB more from 16,384 slots on. Constant time, as far as the allocator has fresh memory.
    ///
    /// # Panics
    ///
    /// When the capacity is 0, or its bytes exceed `isize::MAX`. When the allocator refuses, as
    /// [`handle_alloc_error`](alloc::alloc::handle_alloc_error) does. [`try_with_capacity`](Self::try_with_capacity)
    /// returns an error instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena: AtomicArena<String> = AtomicArena::with_capacity(1_000);
    /// assert_eq!((arena.capacity(), arena.count()), (1_000, 0));
    /// ```
    #[track_caller]
    pub fn with_capacity(capacity: usize) -> Self {
        match Heap::new(capacity) {
            Ok(storage) => AtomicArena::from_storage(storage),
            Err((_, Some(refused))) => alloc::alloc::handle_alloc_error(refused),
            Err((error, None)) => panic!("{error}"),
        }
    }

    /// As [`with_capacity`](Self::with_capacity), with an error where that panics or aborts.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] says what was wrong, and the numbers.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, CapacityError};
    ///
    /// assert!(AtomicArena::<u8>::try_with_capacity(16).is_ok());
    /// assert_eq!(AtomicArena::<u8>::try_with_capacity(0).unwrap_err(), CapacityError::Zero);
    /// let huge = AtomicArena::<u64>::try_with_capacity(usize::MAX).unwrap_err();
    /// assert_eq!(huge, CapacityError::TooLarge { capacity: usize::MAX, slot_size: 8 });
    /// ```
    pub fn try_with_capacity(capacity: usize) -> Result<Self, CapacityError> {
        Heap::new(capacity).map(AtomicArena::from_storage).map_err(|(error, _)| error)
    }
}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> AtomicArena<T, Inline<T, N>> {
    /// An empty arena of `N` slots, where it is declared. `N` of 0 does not compile.
    pub const fn new() -> Self {
        AtomicArena { storage: Inline::new(), marker: PhantomData }
    }
}

#[cfg(not(all(test, loom)))]
impl<T, const N: usize> Default for AtomicArena<T, Inline<T, N>> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(all(test, loom)))]
impl<'m, T> AtomicArena<T, Borrowed<'m, T>> {
    /// An empty arena in the bytes given, of as many slots as fit, whatever their alignment.
    ///
    /// For memory that comes from elsewhere: a section of the linker's, a pool, an area for DMA. The bytes hold the slots
    /// and one byte for each, and nothing else; the latter are cleared, which takes time linear in their number. For as
    /// long as the arena lives the bytes are its own; afterwards they are yours again, with whatever is in them.
    ///
    /// # Errors
    ///
    /// [`CapacityError::Zero`] when not even one slot fits.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    /// use std::mem::MaybeUninit;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 1024];
    /// let arena = AtomicArena::<u64, _>::in_bytes(&mut memory).unwrap();
    /// assert!(arena.capacity() >= 112); // 9 bytes each, and a few to line them up
    /// arena.publish(7).unwrap();
    /// assert_eq!(arena.get(0), Some(&7));
    ///
    /// let mut eight = [MaybeUninit::uninit(); 8]; // a value, but not the byte beside it
    /// assert!(AtomicArena::<u64, _>::in_bytes(&mut eight).is_err());
    /// ```
    pub fn in_bytes(bytes: &'m mut [MaybeUninit<u8>]) -> Result<Self, CapacityError> {
        Borrowed::new(bytes).map(AtomicArena::from_storage)
    }
}

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// The same arena, which from now on hands out slots in the order of their indices, however many threads ask.
    ///
    /// An arena of 16,384 slots or more notices when threads fight for its cursor, and then lets each take single slots
    /// from a run of its own, a shard, until somebody has `&mut` of the arena: two threads are some ten times faster then than with one
    /// cursor. It is as exact (what is left of any shard is handed out before the arena is full), but which index comes next
    /// then depends on the thread, and a run that goes back serves requests for one slot only, until then. This keeps one cursor always, for who needs indices without gaps while threads are at work, or runs that go
    /// back whole.
    ///
    /// Without the feature `std`, on targets of less than 64 bits, in place or in borrowed bytes, and beyond 2^33 slots every
    /// arena is so.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(100_000).in_order();
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| (0..10_000).for_each(|i| drop(arena.publish(i))));
    ///     }
    /// });
    /// assert_eq!(arena.index_bound(), 40_000); // no gap below
    /// ```
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.view_mut().disable();
        self
    }

    pub(crate) fn from_storage(storage: S) -> Self {
        AtomicArena { storage, marker: PhantomData }
    }

    #[inline]
    pub(crate) fn view(&self) -> ArenaRef<'_, T> {
        self.storage.view()
    }

    #[inline]
    pub(crate) fn view_mut(&mut self) -> ArenaMut<'_, T> {
        self.storage.view_mut()
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn into_storage(self) -> S {
        self.storage
    }

    pub(crate) fn storage(&self) -> &S {
        &self.storage
    }

    #[cfg(all(feature = "mapped", not(all(test, loom))))]
    pub(crate) fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// The arena for a method with `&mut self`. No run is open in it, and no vacant slot adjoins the cursor.
    #[inline]
    fn settled(&mut self) -> ArenaMut<'_, T> {
        let mut view = self.storage.view_mut();
        view.settle();
        view
    }
}

/// One value.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Stores a value, which then belongs to the caller.
    ///
    /// Costs one atomic operation and a store: an addition to a counter that all threads share, or, once they were seen to
    /// fight for it, an exchange on a line of this thread's own (see [`in_order`](Self::in_order)). On a full arena, where
    /// slots came back below the cursor, a search for one of them, which looks at each slot once at the most.
    ///
    /// Wait-free where the target has an atomic addition and an atomic compare-and-swap of bytes, as x86-64 and AArch64
    /// with LSE do, and as long as no two threads fight for the counter; lock-free else.
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, when every slot that was free when the call began was taken by others.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let name = arena.alloc(String::from("Ada")).unwrap();
    /// name.push_str(" Lovelace");
    /// let back = arena.alloc(String::from("Grace")).unwrap_err().into_inner();
    /// assert_eq!((name.as_str(), back.as_str()), ("Ada Lovelace", "Grace"));
    /// ```
    #[inline]
    pub fn alloc(&self, value: T) -> Result<&mut T, Full<T>> {
        match self.view().take_one() {
            Some(slot) => Ok(slot.fill(value)),
            None => Err(Full::new(value, 1, 0)),
        }
    }

    /// Stores what `make` makes, in place where the compiler can. `make` may use the arena.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc).
    ///
    /// # Panics
    ///
    /// When `make` does; the slot goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// let page = arena.alloc_with(|| [0u8; 4096]).unwrap();
    /// page[0] = 1;
    /// assert!(arena.alloc_with(|| [0u8; 4096]).is_err());
    /// ```
    #[inline]
    pub fn alloc_with<F: FnOnce() -> T>(&self, make: F) -> Result<&mut T, Full<F>> {
        match self.view().take_one() {
            Some(slot) => Ok(slot.fill(make())),
            None => Err(Full::new(make, 1, 0)),
        }
    }

    /// As [`alloc_with`](Self::alloc_with), for a `make` that may fail. Then the slot goes back.
    ///
    /// The slot is taken first: on a full arena `make` is not called, so what it would read is still there to be read. The
    /// outer error is that of the arena, as everywhere here, and the inner one that of `make`.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc). `Ok(Err(_))`, with the error of `make`, when that failed.
    ///
    /// # Panics
    ///
    /// When `make` does; the slot goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, Full};
    ///
    /// fn parse<'a>(arena: &'a AtomicArena<u32>, text: &str) -> Result<&'a mut u32, Box<dyn std::error::Error>> {
    ///     Ok(arena.alloc_try_with(|| text.parse()).map_err(Full::discard)??)
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(1);
    /// assert_eq!(parse(&arena, "seven").unwrap_err().to_string(), "invalid digit found in string");
    /// assert_eq!(*parse(&arena, "7").unwrap(), 7); // the slot had gone back
    /// assert_eq!(parse(&arena, "8").unwrap_err().to_string(), "arena full: 1 slot requested, 0 remaining");
    /// ```
    #[inline]
    pub fn alloc_try_with<F, E>(&self, make: F) -> Result<Result<&mut T, E>, Full<F>>
    where
        F: FnOnce() -> Result<T, E>,
    {
        match self.view().take_one() {
            // Where `make` fails or panics, the slot is dropped, and so goes back.
            Some(slot) => Ok(make().map(|value| slot.fill(value))),
            None => Err(Full::new(make, 1, 0)),
        }
    }

    /// Stores a value, and returns its index and a reference: from now on every thread can read it.
    ///
    /// Costs as [`alloc`](Self::alloc), and one more store. Progress as there.
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
    /// let arena = AtomicArena::with_capacity(2);
    /// let (index, value) = arena.publish("seen by all").unwrap();
    /// assert_eq!(arena.get(index), Some(value));
    /// arena.publish("so is this").unwrap();
    /// assert_eq!(arena.publish("one too many").unwrap_err().into_inner(), "one too many");
    /// ```
    #[inline]
    pub fn publish(&self, value: T) -> Result<(usize, &T), Full<T>>
    where
        T: Sync,
    {
        match self.view().take_one() {
            Some(slot) => Ok(slot.publish(value)),
            None => Err(Full::new(value, 1, 0)),
        }
    }

    /// Stores what `make` makes of the index that the value will have, and publishes it. `make` may use the arena.
    ///
    /// Progress as [`alloc`](Self::alloc), but for `make`.
    ///
    /// # Errors
    ///
    /// [`Full`], with `make`, as [`alloc`](Self::alloc).
    ///
    /// # Panics
    ///
    /// When `make` does; the slot goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// struct Node {
    ///     id: usize,
    /// }
    ///
    /// let arena = AtomicArena::with_capacity(8);
    /// let (index, node) = arena.publish_with(|id| Node { id }).unwrap();
    /// assert_eq!(node.id, index);
    /// ```
    #[inline]
    pub fn publish_with<F: FnOnce(usize) -> T>(&self, make: F) -> Result<(usize, &T), Full<F>>
    where
        T: Sync,
    {
        match self.view().take_one() {
            Some(slot) => {
                let value = make(slot.index());
                Ok(slot.publish(value))
            }
            None => Err(Full::new(make, 1, 0)),
        }
    }
}

/// Reading, from any thread.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// The published value at that index. `None` for any other slot, and beyond the end.
    ///
    /// Costs one load and a comparison; who goes through many in order has less to do with [`iter`](Self::iter), and who
    /// keeps references has nothing to do. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// let (index, _) = arena.publish('a').unwrap();
    /// arena.alloc('b').unwrap();
    /// assert_eq!((arena.get(index), arena.get(1), arena.get(2), arena.get(3)), (Some(&'a'), None, None, None));
    /// ```
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T>
    where
        T: Sync,
    {
        self.view().get(index)
    }

    /// The values of a range of slots as one slice, when every one of them is published; so an empty range within the
    /// capacity is an empty slice.
    ///
    /// Linear in the length of the range. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// for c in ['a', 'b', 'c'] {
    ///     arena.publish(c).unwrap();
    /// }
    /// assert_eq!(arena.get_slice(1..3), Some(&['b', 'c'][..]));
    /// assert_eq!(arena.get_slice(1..4), None);
    /// ```
    pub fn get_slice(&self, range: Range<usize>) -> Option<&[T]>
    where
        T: Sync,
    {
        let view = self.view();
        if range.start > range.end || range.end > view.capacity() {
            return None;
        }
        let published = range.clone().all(|index| view.stamps().is_published(index));
        // SAFETY: every slot of the range is published, so its value stays as it is until the epoch ends (`ArenaRef::get`).
        published.then(|| unsafe { view.slice(range) })
    }

    /// The published value at that index modulo the capacity: the arena as a ring.
    ///
    /// Costs a division more than [`get`](Self::get). Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.publish('a').unwrap();
    /// assert_eq!((arena.get_wrapping(4), arena.get_wrapping(5)), (Some(&'a'), None));
    /// ```
    #[inline]
    pub fn get_wrapping(&self, index: usize) -> Option<&T>
    where
        T: Sync,
    {
        let view = self.view();
        view.get(index % view.capacity())
    }

    /// The published values with their indices, in index order, from both ends.
    ///
    /// Ends where the arena ended when the iterator was made. Sees all that was published before that, and what is
    /// published below its end while it runs if it comes by later.
    ///
    /// Linear in what was handed out. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(3);
    /// arena.publish('a').unwrap();
    /// arena.alloc('b').unwrap(); // owned: nobody else sees it
    /// arena.publish('c').unwrap();
    /// assert!(arena.iter().eq([(0, &'a'), (2, &'c')]));
    /// ```
    #[inline]
    pub fn iter(&self) -> Iter<'_, T>
    where
        T: Sync,
    {
        Iter::new(self.view())
    }

    /// The index of the slot in which this value lies. `None` when it does not lie in this arena, for a reference that
    /// spans two slots, and for a `T` without size, whose values lie nowhere.
    ///
    /// Constant. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let slice = arena.alloc_slice_copy(&[1, 2, 3]).unwrap();
    /// assert_eq!(arena.index_of(&slice[2]), Some(2));
    /// assert_eq!(arena.index_of(&3), None);
    /// ```
    #[inline]
    pub fn index_of(&self, value: &T) -> Option<usize> {
        let view = self.view();
        let offset = core::ptr::from_ref(value).addr().wrapping_sub(view.slot(0).addr());
        let index = offset.checked_div(size_of::<T>())?;
        (index < view.capacity() && offset % size_of::<T>() == 0).then_some(index)
    }

    /// How many slots there are. Constant.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// assert_eq!(AtomicArena::<u8>::with_capacity(7).capacity(), 7);
    /// ```
    #[inline]
    pub fn capacity(&self) -> usize {
        self.view().capacity()
    }

    /// How many slots hold a value, or are held by a handle or by a call in progress.
    ///
    /// Exact when nothing else is going on. Otherwise an estimate, which may never have been true: do not conclude from
    /// it that the arena is empty or full.
    ///
    /// Costs two loads; where threads have fought for the cursor 32 more, of lines that they write to. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.alloc('a').unwrap();
    /// assert_eq!(arena.count(), 1);
    /// ```
    #[inline]
    pub fn count(&self) -> usize {
        self.view().count()
    }

    /// No slot at or above it is in use: indices lie in `0..index_bound()`, with gaps where slots are vacant.
    ///
    /// Exact when nothing else is going on; otherwise it may be out of date when it arrives. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// let (index, _) = arena.publish('a').unwrap();
    /// assert!(index < arena.index_bound());
    /// ```
    #[inline]
    pub fn index_bound(&self) -> usize {
        self.view().bound()
    }

    /// How many slots are free: `capacity() - count()`.
    ///
    /// All of them can be had one by one. In one run no more than `capacity() - index_bound()`: a slot that came back
    /// below the cursor, or lies in a shard, is handed out alone, until the next call with `&mut self` finds that nothing lies
    /// behind it.
    ///
    /// Exact when nothing else is going on, and an estimate otherwise, as [`count`](Self::count).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.alloc('a').unwrap();
    /// assert_eq!(arena.remaining(), 1);
    /// ```
    #[inline]
    pub fn remaining(&self) -> usize {
        self.view().remaining()
    }

    /// Whether no slot is free: as far as [`remaining`](Self::remaining) tells.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// arena.alloc_array(['a', 'b']).unwrap();
    /// assert!(arena.is_full());
    /// ```
    #[inline]
    pub fn is_full(&self) -> bool {
        self.remaining() == 0
    }

    /// Whether every slot is free: as far as [`count`](Self::count) tells.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc('a').unwrap();
    /// arena.reset();
    /// assert!(arena.is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }
}

/// With `&mut self`: the compiler is the lock.
impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// The value at that index, owned or published. Constant.
    ///
    /// This and the other methods with `&mut self`, but a [`reset`](Self::reset) of values without drop, make slots vacant
    /// that a leaked handle held, which takes time linear in what was handed out, once for each time that happened; and what
    /// is left in shards, a byte for each slot, once for each time that threads fought for the cursor.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc(1).unwrap();
    /// *arena.get_mut(0).unwrap() += 1;
    /// assert_eq!(arena.get_mut(0), Some(&mut 2));
    /// assert_eq!(arena.get_mut(1), None);
    /// ```
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let mut view = self.settled();
        // SAFETY: the slot holds a value, which is borrowed as we are.
        view.holds(index).then(|| unsafe { &mut *view.slot(index) })
    }

    /// The values at several indices at once, owned or published, in the order of the indices.
    ///
    /// Constant in the arena, as [`get_mut`](Self::get_mut); each index is compared with those before it, so for many
    /// [`iter_mut`](Self::iter_mut) or [`as_mut_slice`](Self::as_mut_slice) is better.
    ///
    /// # Errors
    ///
    /// [`IndexError`], for the first index that is out of range, whose slot holds no value, or that was given before.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::{AtomicArena, IndexError};
    ///
    /// let mut arena = AtomicArena::with_capacity(4);
    /// arena.alloc_array(['a', 'b', 'c']).unwrap();
    /// let [first, last] = arena.get_disjoint_mut([0, 2]).unwrap();
    /// std::mem::swap(first, last);
    /// assert_eq!(arena.as_mut_slice().unwrap(), ['c', 'b', 'a']);
    ///
    /// assert_eq!(arena.get_disjoint_mut([0, 3]), Err(IndexError::NoValue { index: 3 }));
    /// assert_eq!(arena.get_disjoint_mut([0, 4]), Err(IndexError::OutOfRange { index: 4, capacity: 4 }));
    /// assert_eq!(arena.get_disjoint_mut([0, 0]), Err(IndexError::Duplicate { index: 0 }));
    /// ```
    pub fn get_disjoint_mut<const N: usize>(&mut self, indices: [usize; N]) -> Result<[&mut T; N], IndexError> {
        let mut view = self.settled();
        for (at, &index) in indices.iter().enumerate() {
            if index >= view.stamps.len() {
                return Err(IndexError::OutOfRange { index, capacity: view.stamps.len() });
            }
            if !view.holds(index) {
                return Err(IndexError::NoValue { index });
            }
            if indices[..at].contains(&index) {
                return Err(IndexError::Duplicate { index });
            }
        }
        // SAFETY: each slot holds a value and is named once; the values are borrowed as we are.
        Ok(indices.map(|index| unsafe { &mut *view.slot(index) }))
    }

    /// The values, owned and published, with their indices, in index order. Linear in what was handed out.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc(1).unwrap();
    /// arena.publish(2).unwrap();
    /// for (_, value) in arena.iter_mut() {
    ///     *value *= 10;
    /// }
    /// assert!(arena.iter_mut().eq([(0, &mut 10), (1, &mut 20)]));
    /// ```
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        IterMut::new(self.storage.view_mut())
    }

    /// Moves the values out, in index order. The arena is empty from this call on.
    ///
    /// A `Drain` that is dropped drops the values that are left; one that is forgotten leaks them. Constant, and for each value
    /// a look at a byte and a move.
    ///
    /// # Panics
    ///
    /// When the `drop` of a value does that was left in the `Drain`; the others are dropped all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// arena.alloc(String::from("a")).unwrap();
    /// arena.publish(String::from("b")).unwrap();
    /// let strings: Vec<String> = arena.drain().collect();
    /// assert_eq!(strings, ["a", "b"]);
    /// assert!(arena.is_empty());
    /// ```
    pub fn drain(&mut self) -> Drain<'_, T> {
        Drain::new(self.storage.view_mut())
    }

    /// The values as one slice, when every slot below [`index_bound`](Self::index_bound) holds one: when nothing went
    /// back from the middle, and nothing was left in shards (see [`in_order`](Self::in_order)). Constant.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(4);
    /// arena.alloc(2).unwrap();
    /// arena.alloc(1).unwrap();
    /// arena.as_mut_slice().unwrap().sort();
    /// assert_eq!(arena.get_mut(0), Some(&mut 1));
    /// ```
    pub fn as_mut_slice(&mut self) -> Option<&mut [T]> {
        let view = self.settled();
        let whole = view.cursor.vacant_mut() == 0;
        // SAFETY: the arena is settled and no slot is vacant, so each slot below the cursor holds a value.
        whole.then(|| unsafe { view.into_slice() })
    }

    /// Publishes every value: fill the arena with owned values in parallel, join, publish all, share.
    ///
    /// Linear in what was handed out: a byte is written for each slot.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(2);
    /// *arena.alloc(1).unwrap() += 1;
    /// assert_eq!(arena.get(0), None);
    /// arena.publish_all();
    /// assert_eq!(arena.get(0), Some(&2));
    /// ```
    pub fn publish_all(&mut self)
    where
        T: Sync,
    {
        let mut view = self.storage.view_mut();
        let mut live = view.live();
        while let Some(index) = live.next(&mut view) {
            view.stamps.mark(index, Mark::Published);
        }
    }

    /// Fills every free slot with what `f` makes of its index, and returns the whole arena as one slice.
    ///
    /// The new values are owned, until [`publish_all`](Self::publish_all). Linear in the number of free slots; in the capacity,
    /// where some of them are vacant.
    ///
    /// # Panics
    ///
    /// When `f` does; what it made until then is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(4);
    /// arena.alloc(7).unwrap();
    /// assert_eq!(arena.fill_with(|index| index), [7, 1, 2, 3]);
    /// assert!(arena.is_full());
    /// ```
    pub fn fill_with(&mut self, f: impl FnMut(usize) -> T) -> &mut [T] {
        let mut view = self.settled();
        view.fill(f);
        // SAFETY: every slot holds a value now.
        unsafe { view.into_slice() }
    }

    /// Fills every free slot with the default value, and returns the whole arena as one slice.
    ///
    /// As [`fill_with`](Self::fill_with).
    ///
    /// # Panics
    ///
    /// When `T::default` does; what it made until then is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(3);
    /// arena.alloc(7).unwrap();
    /// assert_eq!(arena.fill_default(), [7, 0, 0]);
    /// ```
    pub fn fill_default(&mut self) -> &mut [T]
    where
        T: Default,
    {
        self.fill_with(|_| T::default())
    }

    /// Empties the arena: its values are dropped, and every slot is free again.
    ///
    /// Constant when `T` needs no drop, whatever was stored; but once in 50 calls the bytes beside the slots are
    /// gone through, if values were published or handles used since the last time. Linear in what was handed out when
    /// `T` needs drop.
    ///
    /// # Panics
    ///
    /// When the `drop` of a value does: the others are dropped all the same, and the arena is empty and usable. When
    /// a second one does while the first panic unwinds, the process aborts, as for a `Vec`.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(1);
    /// let (index, _) = arena.publish(1).unwrap();
    /// arena.reset();
    /// assert_eq!(arena.get(index), None);
    /// assert!(arena.alloc(2).is_ok());
    /// ```
    pub fn reset(&mut self) {
        if core::mem::needs_drop::<T>() {
            drop(self.drain());
        } else {
            self.storage.view_mut().restart();
        }
    }

    /// As [`reset`](Self::reset), and no byte that was written since the last time stays readable: the slots are
    /// overwritten with zeros, by writes that no compiler may leave out.
    ///
    /// Linear in the bytes of what was handed out since then. The memory that the arena has now is meant: a
    /// [`StaticArena`](crate::StaticArena) that was moved has left its bytes behind as well, and an arena that is
    /// dropped does not zero them.
    ///
    /// # Panics
    ///
    /// As [`reset`](Self::reset); the slots are zeroed all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let mut arena = AtomicArena::with_capacity(32);
    /// arena.alloc_str("correct horse battery staple").unwrap();
    /// arena.reset_zeroed(); // the memory no longer knows
    /// assert!(arena.is_empty());
    /// ```
    pub fn reset_zeroed(&mut self) {
        /// Zeroes even when the `drop` of a value panics.
        struct Zero<'a, T, S: Storage<T>>(&'a mut AtomicArena<T, S>);

        impl<T, S: Storage<T>> Drop for Zero<'_, T, S> {
            fn drop(&mut self) {
                self.0.storage.view_mut().zero();
            }
        }

        Zero(self).0.reset();
    }
}

impl<T: Sync, S: Storage<T>> Index<usize> for AtomicArena<T, S> {
    type Output = T;

    /// The published value at that index, as [`get`](AtomicArena::get).
    ///
    /// # Panics
    ///
    /// When there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(2);
    /// let (index, _) = arena.publish('a').unwrap();
    /// assert_eq!(arena[index], 'a');
    /// ```
    ///
    /// ```should_panic
    /// # let arena = atomicarena::AtomicArena::with_capacity(2);
    /// arena.alloc('b').unwrap(); // owned: nobody else sees it
    /// arena[0];
    /// ```
    #[inline]
    #[track_caller]
    fn index(&self, index: usize) -> &T {
        match self.get(index) {
            Some(value) => value,
            None => not_published(index, self.capacity()),
        }
    }
}

#[cold]
#[track_caller]
fn not_published(index: usize, capacity: usize) -> ! {
    if index < capacity {
        panic!(
            "slot {index} holds no published value: `publish` it, or `publish_all` what is owned, or ask with `get`"
        );
    }
    panic!("{}", IndexError::OutOfRange { index, capacity });
}

impl<T, S: Storage<T>> IntoIterator for AtomicArena<T, S> {
    type Item = T;
    type IntoIter = IntoIter<T, S>;

    /// Moves the values out, in index order.
    fn into_iter(self) -> IntoIter<T, S> {
        IntoIter::new(self.storage)
    }
}

impl<'a, T, S: Storage<T>> IntoIterator for &'a mut AtomicArena<T, S> {
    type Item = (usize, &'a mut T);
    type IntoIter = IterMut<'a, T>;

    fn into_iter(self) -> IterMut<'a, T> {
        self.iter_mut()
    }
}

impl<'a, T: Sync, S: Storage<T>> IntoIterator for &'a AtomicArena<T, S> {
    type Item = (usize, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
