//! The public type `AtomicArena`.
//!
//! Most methods are thin wrappers around those of [`ArenaRef`] and [`ArenaMut`]. Each file answers
//! one question of a user: how an arena is created, filled, read, or emptied.

mod alloc;
mod bulk;
mod compact;
mod construct;
mod exclusive;
#[cfg(target_has_atomic = "64")]
mod key;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
mod mapped;
mod read;
mod stats;

use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::raw::arena_mut::ArenaMut;
use crate::raw::arena_ref::ArenaRef;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
use crate::storage::Mapped;
#[cfg(not(all(test, loom)))]
use crate::storage::{Borrowed, Inline};
use crate::storage::{Heap, Storage};

pub(crate) use bulk::Source;
#[cfg(target_has_atomic = "64")]
pub use key::Key;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapped::MapBuilder;
pub use stats::Stats;

/// A lock-free arena of fixed capacity that many threads can fill at the same time.
///
/// A value in the arena is either *owned* or *published*:
///
/// - [`alloc`](Self::alloc) and the other `alloc` methods store an owned value and return `&mut T`.
///   No other thread can reach the value until the next exclusive access to the arena.
/// - [`publish`](Self::publish) and the other `publish` methods return an index and `&T`. From then
///   on every thread can read the value with [`get`](Self::get), and finds it in
///   [`iter`](Self::iter).
///
/// If the arena is full, these methods return an error, which contains the value if one was passed.
/// All values are removed at the same time, by a method that takes `&mut self`, such as
/// [`reset`](Self::reset).
///
/// Values never move, except when [`compact`](Self::compact) or a method that takes all values out
/// of the arena moves them, or an arena with inline storage is itself moved. No method allocates
/// memory, except the constructors, the methods of the feature `rayon`, `into_boxed_slice`, which
/// shrinks an allocation, and the call in which a thread gets its number (see [Threads](#threads)).
/// Each slot takes one byte in addition to its value.
///
/// # Threads
///
/// The arena is `Send` and `Sync` if `T: Send`, because values are moved into it through `&self`
/// and out of it through `&mut self`. Methods that let several threads read a value also require
/// that `T` is `Sync`.
///
/// No method blocks, except those of the feature `rayon`, which wait for its workers. Methods that
/// take `&self` are at least lock-free. Their documentation says where they are wait-free.
///
/// A signal handler may store and read single values. If the arena is inline or has fewer than
/// 2,048 slots, or without the feature `std`, it may also use a [`Local`](crate::Local) or a
/// [`Reservation`](crate::Reservation). In any other arena it must not use them. Nor may it store a
/// value in such an arena if its thread has no number yet. The first call that needs the number of
/// the thread registers a destructor, for which the standard library or the C library may allocate
/// memory.
///
/// # Memory ordering
///
/// Publishing a value happens before every read of it through a reference that a method such as
/// `get` or `iter` has returned. Returning a slot to the arena happens before everything that the
/// next owner of the slot does with it. The counts, such as [`count`](Self::count) and
/// [`remaining`](Self::remaining), establish no ordering.
///
/// # Traits that are not implemented
///
/// `Extend` and `FromIterator` cannot report that the arena is full. Use
/// [`alloc_from_iter`](Self::alloc_from_iter) or
/// [`Reservation::fill_from_iter`](crate::Reservation::fill_from_iter), which can.
///
/// `From<Vec<T>>` must not fail, but a vector may have no capacity, and an arena needs at least one
/// slot. To store the values of a vector, use `alloc_vec`. The reverse conversion, from an arena on
/// the heap to a vector, exists.
///
/// `Index` finds published values only, and [`get_mut`](Self::get_mut) also finds owned values, so
/// `IndexMut` would contradict one of the two.
///
/// # Values that refer to each other
///
/// An arena may hold references into itself. (An inline arena may do so only if it is never
/// dropped, as in a `static`.) The compiler rejects this if `T` has a `Drop` implementation that
/// could read a neighbour after the neighbour has been dropped.
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
    /// Makes the arena invariant in `T`, because values are stored through `&self`. It expresses no
    /// ownership, because `storage` owns the values.
    marker: PhantomData<fn(T) -> T>,
}

/// An arena with inline storage, for a `static`, the stack, or a field of another value.
///
/// It never allocates. All memory is part of the value itself, so an arena of one MiB is a value of
/// one MiB, which fits in a `static` but may not fit on the stack. `Box::new(StaticArena::new())`
/// creates the arena on the stack and then moves it to the heap. `StaticArena::new_boxed()`, with
/// the feature `alloc`, creates it on the heap directly.
///
/// In a `static`, the arena returns `&'static mut T` and `&'static T` to any thread or interrupt
/// handler. It needs no heap and is never dropped. Elsewhere it is dropped like any other value.
///
/// A new arena consists of zeros and of uninitialised slots. A `static` arena therefore takes no
/// space in the executable file.
///
/// # Methods available in a `static`
///
/// Every method that takes `&self` is available in a `static`: the `alloc`, `publish` and `reserve`
/// methods, [`local`](Self::local), and the methods that read published values or counts. Methods
/// that take `&mut self` or `self` are not, such as [`get_mut`](Self::get_mut),
/// [`iter_mut`](Self::iter_mut), [`fill_with`](Self::fill_with), [`compact`](Self::compact),
/// [`drain`](Self::drain), and [`reset`](Self::reset).
///
/// A `static` arena is thus filled once, and the slots of a leaked handle stay lost. If an arena is
/// to be emptied repeatedly, put it in a local variable of `main` or in a lock, or create it in
/// borrowed memory with [`in_bytes`](AtomicArena::in_bytes).
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

/// An arena in borrowed memory.
///
/// Created by [`in_bytes`](Self::in_bytes).
///
/// The arena borrows the memory exclusively for `'m` and never allocates.
///
/// # Examples
///
/// ```
/// use atomicarena::BorrowedArena;
/// use std::mem::MaybeUninit;
///
/// struct Frame<'m> {
///     events: BorrowedArena<'m, u32>,
/// }
///
/// let mut memory = [MaybeUninit::uninit(); 1024];
/// let frame = Frame { events: BorrowedArena::in_bytes(&mut memory).unwrap() };
/// frame.events.publish(7).unwrap();
/// assert_eq!(frame.events.get(0), Some(&7));
/// ```
#[cfg(not(all(test, loom)))]
pub type BorrowedArena<'m, T> = AtomicArena<T, Borrowed<'m, T>>;

/// An arena in memory mapped from the operating system.
///
/// Created by [`mapped`](Self::mapped).
///
/// Its capacity may far exceed the RAM, because untouched slots use no memory.
///
/// # Examples
///
/// ```
/// use atomicarena::{MapError, MappedArena};
///
/// struct Log {
///     lines: MappedArena<u64>,
/// }
///
/// # fn main() -> Result<(), MapError> {
/// let log = Log { lines: MappedArena::mapped(1 << 30).build()? };
/// log.lines.publish(7).unwrap();
/// assert_eq!(log.lines.get(0), Some(&7));
/// # Ok(())
/// # }
/// ```
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub type MappedArena<T> = AtomicArena<T, Mapped<T>>;

// A panic does not make the arena unusable: the slot that was being filled is not lost, and every
// invariant of the arena holds while user code runs. (Code that panics while it changes a value
// through its `&mut T` may leave that value half changed. Later code that accesses the arena
// through `&mut` then finds the value in this state, as with a `Mutex` that ignores poisoning.)
impl<T, S: Storage<T>> UnwindSafe for AtomicArena<T, S> {}
impl<T, S: Storage<T>> RefUnwindSafe for AtomicArena<T, S> {}

impl<T, S: Storage<T>> AtomicArena<T, S> {
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

    /// Settles the arena and returns a view of it. Afterwards every slot below the cursor holds a
    /// value or is vacant, and the slot directly below the cursor, if there is one, holds a value.
    #[inline]
    fn settled(&mut self) -> ArenaMut<'_, T> {
        let mut view = self.storage.view_mut();
        view.settle();
        view
    }
}
