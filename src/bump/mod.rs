//! A bump allocator that many threads share: `AtomicBump`, `LocalBump`, and the `Allocator` impls.
//!
//! `raw/budget.rs` decides which bytes each request gets, and describes the protocol. The files
//! here turn its offsets into pointers (`bump_ref.rs`), and contain the public methods.

mod bump_ref;
mod storage;
mod grid;
mod alloc;
mod construct;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
mod mapped;
mod local;
#[cfg(any(feature = "allocator-api2-02", feature = "allocator-api2-04", feature = "nightly"))]
mod allocator;

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use bump_ref::BumpRef;
#[cfg(not(all(test, loom)))]
use storage::{BorrowedBytes, InlineBytes};
use storage::{BumpStorage, HeapBytes};

pub use local::LocalBump;
#[cfg(all(feature = "mapped", not(all(test, loom))))]
pub use mapped::{BumpMapBuilder, MappedBump};

/// A bump allocator with a fixed budget of bytes for values of any type. Many threads can allocate
/// from it at the same time, and a reset frees all values at once.
///
/// Methods that allocate take `&self`, and return references that live as long as the borrow of the
/// bump. (Only [`alloc_layout`](Self::alloc_layout) returns a pointer instead.) Values never move
/// and are never dropped. The global allocator is called only to create and to drop a bump, and
/// possibly when a thread uses a bump for the first time. A full bump returns an ordinary error.
///
/// # Threads
///
/// The bump, and a reference to it, are `Send` and `Sync`, whatever values it contains.
///
/// In a bump of 64 KiB or more, each thread takes bytes from its own run (a *shard*), and an
/// allocation is one atomic read-modify-write on a cache line that belongs to this thread. (With
/// more than 32 threads, some share a shard. If two of them allocate at the same time, one soon
/// moves on to another shard.) New runs are taken at the *cursor*, above which all bytes are free.
/// These runs become shorter towards the end of the budget. When no bytes are left for new runs,
/// threads take bytes from each other's runs, so that no thread is refused while another thread's
/// run has room. (Bytes that another call holds for a moment can be missed.) A smaller bump has no
/// shards, so all threads take their bytes from the cursor. The same holds for a bump of almost 512
/// GiB or more, and for any bump without the feature `std` or on a 32-bit target.
///
/// No method blocks. Methods that allocate are lock-free, and methods that only count are
/// wait-free.
///
/// # Collections
///
/// With the feature `allocator-api2-02`, `allocator-api2-04` or `nightly`, `&AtomicBump` is an
/// `Allocator`. A `Vec<T, &AtomicBump>`, a `Box<T, &AtomicBump>` or a map in the bump is `Send` and
/// `Sync` under the same conditions as on the heap. `push` aborts the process if the bump is full.
/// If this can happen, call `try_reserve` first.
///
/// ```
/// # #[cfg(feature = "allocator-api2-04")] {
/// # use allocator_api2_04 as allocator_api2;
/// use allocator_api2::vec::Vec;
/// use atomicarena::AtomicBump;
///
/// let bump = AtomicBump::with_capacity(1 << 20);
/// let mut squares = Vec::new_in(&bump);
/// squares.try_reserve(10).unwrap();
/// squares.extend((0..10).map(|n| n * n));
/// assert_eq!(squares[9], 81);
/// # }
/// ```
///
/// # Full
///
/// The budget is never exceeded. A request is refused only if there is no room for it at the
/// cursor, in any thread's run, or among the returned bytes that were kept. The request does not
/// see bytes that other calls hold at that moment. Free bytes in different places are not joined,
/// so a request may be refused although enough bytes [remain](Self::remaining) in total.
///
/// # Memory ordering
///
/// All accesses to a byte by one owner happen before all accesses by its next owner. The methods
/// that count establish no ordering.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicBump;
///
/// let bump = AtomicBump::with_capacity(1 << 20);
/// std::thread::scope(|scope| {
///     for worker in 0..4 {
///         let bump = &bump;
///         scope.spawn(move || {
///             let name = bump.alloc_fmt(format_args!("worker {worker}")).unwrap();
///             let squares = bump.alloc_slice_with(10, |i| i * i).unwrap();
///             let pair = bump.alloc((&*name, &*squares)).unwrap();
///             assert_eq!(pair.1[3], 9);
///         });
///     }
/// });
/// assert!(bump.used() >= 4 * 80);
/// ```
pub struct AtomicBump<S: BumpStorage = HeapBytes> {
    storage: S,
}

/// A bump with inline storage, for a `static`, the stack, or a field of another value. It needs no
/// heap.
///
/// In a `static`, it returns `&'static mut T` for values of any type, to any thread. All its memory
/// is part of the value: the bytes and, with the feature `std`, up to 4 KiB for shards, which are
/// used if `BYTES` is at least 64 KiB. A new bump consists of zeros and uninitialised bytes, so a
/// `static` takes no space in the executable file. Does not compile if `BYTES` is 0.
///
/// # Examples
///
/// ```
/// use atomicarena::StaticBump;
///
/// static NAMES: StaticBump<4096> = StaticBump::new();
///
/// let name: &'static mut str = NAMES.alloc_str("Ada").unwrap();
/// assert_eq!((&*name, NAMES.used(), NAMES.remaining()), ("Ada", 3, 4093));
/// ```
#[cfg(not(all(test, loom)))]
pub type StaticBump<const BYTES: usize> = AtomicBump<InlineBytes<BYTES>>;

/// A bump in memory that is borrowed for `'m`. Created by [`AtomicBump::in_bytes`].
///
/// # Examples
///
/// ```
/// use atomicarena::{AtomicBump, BorrowedBump};
/// use std::mem::MaybeUninit;
///
/// let mut memory = [MaybeUninit::uninit(); 1024];
/// let bump: BorrowedBump = AtomicBump::in_bytes(&mut memory).unwrap();
/// assert_eq!(bump.alloc_str("Ada").unwrap(), "Ada");
/// ```
#[cfg(not(all(test, loom)))]
pub type BorrowedBump<'m> = AtomicBump<BorrowedBytes<'m>>;

// A panic does not make the bump unusable: the bytes that were being filled are returned, and every
// invariant holds while user code runs.
impl<S: BumpStorage> UnwindSafe for AtomicBump<S> {}
impl<S: BumpStorage> RefUnwindSafe for AtomicBump<S> {}

impl<S: BumpStorage> AtomicBump<S> {
    #[inline]
    pub(crate) fn view(&self) -> BumpRef<'_> {
        self.storage.view()
    }

    /// Returns the capacity in bytes. This is the argument of the constructor, except that
    /// [`in_bytes`](AtomicBump::in_bytes) may set some bytes aside for shards.
    ///
    /// Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// assert_eq!(AtomicBump::with_capacity(1_000).capacity(), 1_000);
    /// ```
    #[inline]
    pub fn capacity(&self) -> usize {
        self.view().budget().capacity()
    }

    /// Returns the number of bytes in use.
    ///
    /// A byte is in use if it was handed out and not returned, or if a [`LocalBump`] holds it. A
    /// byte that is lost is in use as well: padding for alignment, or a returned byte that the bump
    /// had no place to keep. Bytes in shards are not in use.
    ///
    /// Returning bytes decreases the number only if they can be allocated again. Exact if no other
    /// thread uses the bump during the call, otherwise an estimate. Reads the cursor and all
    /// shards, which are about 130 words. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// bump.alloc(7u32).unwrap();
    /// bump.alloc(8u64).unwrap(); // four bytes to align it
    /// assert_eq!(bump.used(), 16);
    /// ```
    pub fn used(&self) -> usize {
        self.view().budget().used()
    }

    /// Returns the number of bytes that are not in use, which is `capacity() - used()`.
    ///
    /// The bytes need not be contiguous, so a request for this number of bytes may be refused.
    /// Exact under the same conditions as [`used`](Self::used). Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let bump = AtomicBump::with_capacity(1_000);
    /// bump.alloc_str("ten bytes.").unwrap();
    /// assert_eq!(bump.remaining(), 990);
    /// ```
    pub fn remaining(&self) -> usize {
        self.capacity() - self.used()
    }

    /// Returns the high-water mark: no byte at or beyond this offset was ever handed out.
    ///
    /// [`reset`](Self::reset) does not lower it. The mark shows how large a budget the program
    /// needs. It counts whole runs as handed out, so it may be too high by about 32 KiB per thread
    /// and 64 KiB per [`LocalBump`]. Wait-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let mut bump = AtomicBump::with_capacity(1_000);
    /// bump.alloc([0u8; 300]).unwrap();
    /// bump.reset();
    /// bump.alloc([0u8; 200]).unwrap();
    /// assert_eq!((bump.used(), bump.high_water()), (200, 300));
    /// ```
    pub fn high_water(&self) -> usize {
        self.view().budget().high_water()
    }

    /// Makes all bytes free again. Values are not dropped.
    ///
    /// O(1), whatever was allocated. Also reclaims the run of a leaked [`LocalBump`]. The bytes are
    /// not overwritten. If they must not stay readable, use [`reset_zeroed`](Self::reset_zeroed).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let mut bump = AtomicBump::with_capacity(8);
    /// bump.alloc(1u64).unwrap();
    /// assert!(bump.alloc(2u8).is_err());
    /// bump.reset();
    /// assert!(bump.alloc(3u64).is_ok());
    /// ```
    pub fn reset(&mut self) {
        self.storage.view_mut().reset();
    }

    /// Makes all bytes free again, and zeroes those that were ever handed out. Values are not
    /// dropped.
    ///
    /// No byte that was ever written stays readable, and the compiler cannot remove the zeroing.
    /// Linear in [`high_water`](Self::high_water).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicBump;
    ///
    /// let mut bump = AtomicBump::with_capacity(100);
    /// bump.alloc_str("a secret").unwrap();
    /// bump.reset_zeroed();
    /// let bytes = bump.alloc_uninit_slice::<u8>(8).unwrap();
    /// // SAFETY: these bytes contained the text, so `reset_zeroed` has set them to 0.
    /// assert!(bytes.iter().all(|byte| unsafe { byte.assume_init() } == 0));
    /// ```
    pub fn reset_zeroed(&mut self) {
        self.storage.view_mut().reset_zeroed();
    }
}

impl<S: BumpStorage> fmt::Debug for AtomicBump<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicBump")
            .field("capacity", &self.capacity())
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}
