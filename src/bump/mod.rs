//! A bump allocator that many threads share: `AtomicBump`, `LocalBump`, and the `Allocator` impls.
//!
//! A bump is an arena without slots: its cursor hands out bytes, and nothing is known of the values
//! in them. So there are no stamps and nothing is vacant. Returned bytes are kept in a few *gaps*.
//!
//! # The protocol
//!
//! A *gap* is a run of free bytes in one atomic word: where the first one lies, and how many there
//! are (`gap.rs`). Any thread takes bytes from its beginning by an exchange, with those that it
//! takes to align them. A *shard* is one such gap, from which the threads that share it take first,
//! and a few more, in which it keeps runs that were returned and the rests that it retired. The
//! *cursor* counts lines of 64 bytes (`budget.rs`).
//!
//! 1. A request is served by this thread's shard: by its run, or by what it keeps.
//! 2. If both have too little, and the request is at most an eighth of a refill, the shard is
//!    refilled: the cursor is advanced over a run for it. The cursor's word then names the *pending
//!    refill* (`raw/word.rs`), and each thread that reads that word installs the run in its shard
//!    and clears the word before it goes on. Where the rest of the shard ends at the cursor, the
//!    run extends it. Otherwise the run displaces the rest, which is kept: it is short, as a
//!    request of an eighth of a refill did not fit.
//! 3. A longer request goes to the cursor, and takes whole lines. The end of its last line is kept.
//! 4. If too little is left at the cursor, the request steals: it looks at the gaps of all shards,
//!    at each once.
//!
//! What comes back (a freed block, the end of one, the rest of a `LocalBump`, what a failed closure
//! had taken) extends the run of this thread's shard downwards if it ends where that begins. If it
//! came from the cursor and ends there, the cursor is retracted instead. Otherwise it is kept, in
//! an empty gap or in the place of a shorter run. What finds no place is lost until the next reset.
//!
//! A small bump, and each one without std or on a 32-bit target, has no shards. Its cursor counts
//! bytes, and serves every request.
//!
//! # Why no byte has two owners
//!
//! At every instant each byte below the cursor is in one gap, in the pending refill, or belongs to
//! one call or one caller, or is lost. At or above the cursor no byte has an owner. Each step is
//! one exchange that moves bytes from one of these to another. The word of a gap is its whole
//! state, and so is that of the cursor if no refill is pending. Hence it does not matter that a
//! word may have changed and then had its old value again (ABA). Two steps rely on more than their
//! words:
//!
//! - *Installing a refill* must happen once. The end of a shard's run only increases: taking and
//!   extending downwards leave it as it is, and each refill ends above everything that was handed
//!   out before. So a run that ends where the refill does, or later, has had it. An exchange
//!   that was computed for a run with a lower end fails after it.
//! - *Clearing the cursor of a refill* names its word, which must not come again. It would come
//!   again if the cursor were retracted below the end of a refill. It is not: it is retracted over
//!   bytes that never were in a shard. These are blocks that a call took from the cursor and still
//!   has, runs of a `LocalBump`, and blocks longer than a shard can hold (`SHARD_LIMIT`). A refill
//!   does not overlap them, and lies below the cursor, so it lies below them.
//!
//! # Why a request is refused only where each gap failed to fit
//!
//! A request is refused after it has read a cursor at which too little is left, without a pending
//! refill, and has then looked at each gap once. What was at the cursor before is in a gap by then
//! (B2), or was taken, or is held by a call that moves it from a shard to the gap that keeps its
//! rest, or that returns it. Such bytes may be missed, and a retry finds them.
//!
//! # Orderings
//!
//! - B1, return → take: all accesses of an owner happen before those of the next. Whatever puts
//!   bytes into a gap, and whatever retracts the cursor, is a Release operation; whatever takes
//!   bytes out of a gap or advances the cursor is an Acquire operation. Both kinds of word are
//!   changed by read-modify-writes only, so each continues the release sequences of those before
//!   it.
//! - B2, install → look: a thread that reads the cursor's word after a refill was cleared from it
//!   (Acquire) sees the refill in its shard. The thread that clears it (Release) has installed it,
//!   or has read the shard's word after another thread had.
//!
//! All other accesses are Relaxed: guesses that an exchange confirms, and counts.

mod gap;
mod budget;
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

/// A bump allocator with a fixed budget of bytes that many threads share: values of any type,
/// emptied all at once.
///
/// Every method that allocates takes `&self` and returns a reference that lives as long as the
/// borrow of the bump. Values are not dropped. Memory is known up front: no method but the
/// constructors calls the system allocator, nothing moves, and "full" is an ordinary error, in
/// bytes.
///
/// # Threads
///
/// The bump is `Send` and `Sync`, and so is a reference to it, whatever it holds. With one of the
/// features `allocator-api2-02`, `allocator-api2-04` and `nightly`, `&AtomicBump` is an
/// `Allocator`, so a `Vec<T, &AtomicBump>`, a `Box<T, &AtomicBump>` or a map in the bump is `Send`
/// and `Sync` as the same collection on the heap is. From 64 KiB on, each thread takes bytes from a
/// run of its own (a shard), which makes an allocation one atomic read-modify-write on a cache line
/// that no other thread uses. Runs become shorter towards the end, and at the end threads take the
/// rests of each other, so that none starves while another sits on free bytes. A smaller bump, and
/// each one without the feature `std` or on a 32-bit target, has one cursor for all threads.
///
/// No method blocks: those that allocate are lock-free, those that only count are wait-free.
///
/// # Full
///
/// The budget is never exceeded. A request is refused only if it fits nowhere: neither at the
/// cursor, nor in what any thread has left, nor in what was returned and kept. Bytes that other
/// calls hold at that moment may be missed. Free bytes are not joined, so a request may be refused
/// although more bytes [remain](Self::remaining) in several places.
///
/// # Memory ordering
///
/// What a thread did with bytes before it returned them happens before what their next owner does
/// with them. The counts order nothing.
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

/// A bump that lies where it is declared: in a `static`, on the stack, in another value. Never
/// allocates.
///
/// In a `static` it hands out `&'static mut T` for values of any type, from any thread, without a
/// heap. All its memory is part of it: the bytes, and, with the feature `std`, 4 KiB for shards,
/// which a bump of 64 KiB or more uses. `BYTES` of 0 does not compile. A new one is all zeros
/// except for the bytes, which are not initialised, so a `static` takes no room in the program's
/// file.
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

/// A bump in bytes that the caller has from elsewhere, for `'m`. See [`AtomicBump::in_bytes`].
#[cfg(not(all(test, loom)))]
pub type BorrowedBump<'m> = AtomicBump<BorrowedBytes<'m>>;

// A panic leaves the bump as usable as it was: the bytes of what was being stored were returned,
// and no invariant is suspended while foreign code runs.
impl<S: BumpStorage> UnwindSafe for AtomicBump<S> {}
impl<S: BumpStorage> RefUnwindSafe for AtomicBump<S> {}

impl<S: BumpStorage> AtomicBump<S> {
    #[inline]
    pub(crate) fn view(&self) -> BumpRef<'_> {
        self.storage.view()
    }

    /// Returns the number of bytes that the bump was made with.
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

    /// Returns how many bytes are in use: handed out and not returned, held by a [`LocalBump`], or
    /// lost to alignment or because there was no place to keep what was returned. Bytes in shards
    /// are not in use.
    ///
    /// It falls only when bytes are returned to be allocated again. It may be out of date while
    /// other threads allocate, and is exact when none does. Wait-free: it reads the cursor and
    /// every shard, about 130 words.
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

    /// Returns how many bytes are not in use: `capacity() - used()`.
    ///
    /// They need not lie side by side, so a request for this number of bytes may be refused. As
    /// exact as [`used`](Self::used). Wait-free.
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
    /// [`reset`](Self::reset) does not lower it.
    ///
    /// It tells how large a budget the program needs. It counts the runs of the shards as handed
    /// out, so it may be up to 32 KiB for each thread too high. Wait-free.
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

    /// Takes every byte back. Values are not dropped.
    ///
    /// O(1), whatever was allocated. What a leaked [`LocalBump`] held comes back, too. The bytes
    /// stay as they are: where they must not stay readable, use
    /// [`reset_zeroed`](Self::reset_zeroed).
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

    /// Takes every byte back, and zeroes each one that was ever handed out. Values are not dropped.
    ///
    /// No byte that was ever written stays readable, and the compiler cannot leave the writes out.
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
    /// // SAFETY: the bytes were zeroed.
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
