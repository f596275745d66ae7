//! The public type. Each method is a line or two over an [`ArenaRef`] or an [`ArenaMut`]; the files follow the questions of
//! a user: how an arena is made, filled, read, and emptied.

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
#[cfg(not(all(test, loom)))]
use crate::storage::Inline;
use crate::storage::{Heap, Storage};

#[cfg(target_has_atomic = "64")]
pub use key::Key;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapped::MapBuilder;
pub use stats::Stats;

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

    /// The arena for a method with `&mut self`. No run is open in it, and no vacant slot adjoins the cursor.
    #[inline]
    fn settled(&mut self) -> ArenaMut<'_, T> {
        let mut view = self.storage.view_mut();
        view.settle();
        view
    }
}
