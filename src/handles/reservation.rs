//! A contiguous run that is filled step by step, and then owned or published as one slice.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop, MaybeUninit};
use core::ops::{Deref, DerefMut, Range};
use core::ptr::{self, NonNull};
#[cfg(feature = "std")]
use std::io;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::on_drop::OnDrop;
use crate::raw::arena_ref::{ArenaRef, Header};
use crate::raw::stamps::Stamp;
use crate::storage::Storage;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Takes `n` contiguous slots, to be filled step by step.
    ///
    /// The slots come from the calling thread's shard (see [`in_order`](AtomicArena::in_order)),
    /// from the *cursor*, or from contiguous *vacant* slots. The cursor is the end of the slots
    /// handed out so far. Vacant slots are slots below it that were returned. If `n` is 1, the slot
    /// is found as in [`alloc`](AtomicArena::alloc). If `n` is 0, the method always succeeds and
    /// returns an empty reservation at index `capacity`.
    ///
    /// Costs one atomic read-modify-write. Creating and ending the reservation each write one byte
    /// at each end of the run. Both also update a count of handles with a load and a store. In an
    /// arena without shards, or if many threads are alive, each update is an atomic
    /// read-modify-write instead. Lock-free: the read-modify-write that takes the slots is repeated
    /// if another thread has moved the cursor in the meantime.
    ///
    /// Returning unused slots retracts the cursor if it is still at their end. Otherwise the slots
    /// extend the calling thread's shard if they end where its unused slots start, or become
    /// vacant, which costs one byte written per slot. Vacant slots can serve any later request.
    /// While shards are active, the cursor is not retracted. If your program returns a large part
    /// of what it reserves while many threads take single slots, call `in_order`.
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there are no `n` contiguous slots at the cursor, in the calling thread's
    /// shard, or among the vacant slots. No slot is taken in that case. A request for one slot is
    /// refused only if `alloc` would be refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(3).unwrap();
    /// run.push(1).unwrap();
    /// run.push(2).unwrap();
    /// let (first, slice) = run.publish(); // the third slot is returned
    /// assert_eq!((first, slice), (0, &[1, 2][..]));
    /// assert_eq!(arena.remaining(), 2);
    /// assert_eq!(arena.reserve(3).unwrap_err().remaining(), 2);
    /// ```
    // Always inlined, because returning the reservation through memory would take as long as the
    // request itself.
    #[inline(always)]
    pub fn reserve(&self, n: usize) -> Result<Reservation<'_, T>, Full<()>> {
        match self.view().take_run(n) {
            // The view is created again, so that its parts need not be kept during the request.
            // SAFETY: we have just taken the `n` slots from `start` on, so we own them. If `n` is
            // 0, `start` is the capacity.
            Ok(start) => Ok(unsafe { Reservation::new(self.view(), start, n) }),
            Err(left) => Err(Full::new((), n, left)),
        }
    }

    /// Takes at most `n` contiguous slots, to be filled step by step. The reservation may be empty.
    ///
    /// Looks for `n` contiguous slots in the same places as [`reserve`](Self::reserve). If there
    /// are none, takes all slots left at the cursor. If no slot is left at the cursor, takes one
    /// slot from a shard, or one vacant slot.
    ///
    /// `usize::MAX` takes all slots left at the cursor. While shards are active, dropping such a
    /// reservation unused writes one byte per slot.
    ///
    /// Has the same cost and progress guarantee as [`reserve`](Self::reserve). In a full arena,
    /// costs as much as [`alloc`](AtomicArena::alloc) does there.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// arena.alloc(1).unwrap();
    /// let mut run = arena.reserve_up_to(usize::MAX);
    /// assert_eq!(run.capacity(), 3);
    /// assert_eq!(run.fill_from_iter(10..), 3);
    /// assert_eq!(run.finish(), [10, 11, 12]);
    /// assert!(arena.reserve_up_to(1).is_full());
    /// ```
    // Always inlined, for the same reason as `reserve`.
    #[inline(always)]
    pub fn reserve_up_to(&self, n: usize) -> Reservation<'_, T> {
        let view = self.view();
        let run = view.take_up_to(n);
        // SAFETY: we have just taken the run, so we own its slots. If it is empty, it starts at the
        // capacity.
        unsafe { Reservation::new(view, run.start, run.len()) }
    }
}

/// A run of slots that belongs to the caller, to be filled step by step. [`finish`](Self::finish)
/// or [`publish`](Self::publish) turns it into one slice.
///
/// Dereferences to the slice of the values stored so far. Dropping a reservation drops its values
/// and returns all its slots. Leaking it (`mem::forget`) leaks its values. Its slots then stay lost
/// until the next exclusive access to the arena.
///
/// A reservation of bytes implements [`fmt::Write`] and, with the feature `std`, [`io::Write`], so
/// `write!` can append formatted text to it.
///
/// The slots are taken when the reservation is created. Therefore filling and reading it is
/// wait-free, except for user code. Returning the unused slots, when the reservation is finished,
/// published, or dropped, is lock-free.
///
/// Not async-signal-safe: a signal handler must not create, use or drop a reservation, except in
/// the arenas that [`AtomicArena`](AtomicArena#threads) names.
///
/// `Send` if `T: Send`, because sending it sends its values. Not `Sync`. To fill a run from several
/// threads, reserve it and split the slice that [`spare_capacity_mut`](Self::spare_capacity_mut)
/// returns, or let each thread reserve its own run.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use std::fmt::Write;
///
/// let arena = AtomicArena::with_capacity(100);
/// let mut text = arena.reserve_up_to(20);
/// write!(text, "{} + {}", 1, 2).unwrap();
/// let (first, bytes) = text.publish(); // the other slots are returned
/// assert_eq!((first, bytes, arena.count()), (0, &b"1 + 2"[..], 5));
/// ```
///
/// [`io::Write`]: https://doc.rust-lang.org/std/io/trait.Write.html
#[must_use = "dropped, it returns every slot"]
pub struct Reservation<'a, T> {
    view: ArenaRef<'a, T>,
    /// The first slot, or the capacity of the arena if there are no slots.
    start: usize,
    /// The number of slots. If it is not 0, the run has run marks at both ends.
    capacity: usize,
    /// The number of values, which fill the first slots. Invariant: `len <= capacity`.
    len: usize,
    /// The number of slots, counted from the first, that this reservation or its `Local` may have
    /// written to without a call of [`ArenaRef::note_written`]. Invariant: `len <= written`.
    written: usize,
    /// Makes the reservation invariant in `T`, because values are stored through it. (`view` is
    /// covariant.)
    marker: PhantomData<&'a mut T>,
}

// SAFETY: sending the reservation sends its values, which is sound if `T: Send`. It also sends a
// reference to the arena, which is `Sync` if `T: Send`.
unsafe impl<T: Send> Send for Reservation<'_, T> {}

impl<'a, T> Reservation<'a, T> {
    /// # Safety
    ///
    /// The caller owns the `capacity` slots from `start` on, and gives up its ownership of them. If
    /// there are none, `start` is the capacity of `view`. The caller has not written to the slots.
    #[inline]
    pub(crate) unsafe fn new(view: ArenaRef<'a, T>, start: usize, capacity: usize) -> Self {
        let run = start..start + capacity;
        // SAFETY: the caller owns the slots, so they are slots of the arena. If there are none,
        // `start` is the capacity.
        unsafe { view.assert_in_bounds(&run) };
        if capacity != 0 {
            view.handle_opened();
            view.stamps().open(run);
        }
        // SAFETY: the caller of `new` owns the slots and has not written to them. If there are any,
        // the run was just marked and counted. If there are none, `start` is the capacity.
        unsafe { Self::from_open(view, start, capacity, 0) }
    }

    /// # Safety
    ///
    /// The caller owns the `capacity` slots from `start` on, and gives up its ownership of them. If
    /// there are any, they are marked as an open run and counted as a handle. If there are none,
    /// `start` is the capacity of `view`. The caller may have written only to the first `written`
    /// slots, and to slots that were noted with [`ArenaRef::note_written`]. `written` is at most
    /// `capacity`.
    #[inline]
    pub(super) unsafe fn from_open(view: ArenaRef<'a, T>, start: usize, capacity: usize, written: usize) -> Self {
        Reservation { view, start, capacity, len: 0, written, marker: PhantomData }
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], with the value, if the reservation is full.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(1).unwrap();
    /// run.push(1).unwrap();
    /// assert_eq!(run.push(2).unwrap_err().into_inner(), 2);
    /// ```
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), Full<T>> {
        if self.is_full() {
            return Err(Full::new(value, 1, 0));
        }
        // SAFETY: `len < capacity`, so the slot belongs to the reservation and holds no value.
        unsafe { self.view.slot(self.start + self.len).write(value) };
        self.len += 1;
        self.written = self.written.max(self.len);
        Ok(())
    }

    /// Removes the last value and returns it, or `None` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(1).unwrap();
    /// assert_eq!((run.pop(), run.pop()), (Some(1), None));
    /// ```
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: the slot belongs to the reservation and held a value. `len` was decreased, so the
        // value is never read again.
        Some(unsafe { self.view.slot(self.start + self.len).read() })
    }

    /// Drops all values except the first `len`. Does nothing if there are at most `len` values.
    ///
    /// # Panics
    ///
    /// Panics if dropping a value panics. The other values after the first `len` are still dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(3).unwrap();
    /// run.fill_from_iter(1..);
    /// run.truncate(1);
    /// assert_eq!(*run, [1]);
    /// ```
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            let gone = self.start + len..self.start + self.len;
            self.len = len;
            // SAFETY: the slots belong to the reservation and held values. `len` was decreased, so
            // the values are never read again.
            unsafe { ptr::drop_in_place(self.view.slice_mut(gone)) };
        }
    }

    /// Appends items of an iterator until the reservation is full or the iterator ends. Returns the
    /// number of items stored.
    ///
    /// Takes no more items than fit, so `fill_from_iter(iter.by_ref())` leaves the other items in
    /// `iter`.
    ///
    /// # Panics
    ///
    /// Panics if the iterator panics. The items stored so far are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut values = 1..10;
    /// let mut run = arena.reserve(3).unwrap();
    /// assert_eq!(run.fill_from_iter(values.by_ref()), 3);
    /// assert_eq!((&*run, values.next()), (&[1, 2, 3][..], Some(4)));
    /// ```
    #[inline]
    pub fn fill_from_iter(&mut self, iter: impl IntoIterator<Item = T>) -> usize {
        /// Keeps `len` in a register while the loop runs, and stores it even if the iterator
        /// panics.
        struct Filled<'r> {
            len: usize,
            home: &'r mut usize,
            written: &'r mut usize,
            unwinding: bool,
        }

        impl Drop for Filled<'_> {
            #[inline]
            fn drop(&mut self) {
                *self.home = self.len;
                // The iterator may have panicked while it constructed a value in the next slot.
                *self.written = (self.len + usize::from(self.unwinding)).max(*self.written);
            }
        }

        let (before, capacity) = (self.len, self.capacity);
        let first = self.view.slot(self.start);
        let mut iter = iter.into_iter();
        let mut filled = Filled { len: before, home: &mut self.len, written: &mut self.written, unwinding: true };
        while filled.len < capacity {
            let Some(value) = iter.next() else { break };
            // SAFETY: `len < capacity`, so the slot belongs to the reservation and holds no value.
            unsafe { first.add(filled.len).write(value) };
            filled.len += 1;
        }
        filled.unwinding = false;
        filled.len - before
    }

    /// Appends clones of all values of a slice. If there is no room for all of them, appends none.
    ///
    /// To append as many values as fit, use [`fill_from_iter`](Self::fill_from_iter).
    ///
    /// # Errors
    ///
    /// Returns [`Full`] if there is no room for all values. Nothing is cloned in that case.
    ///
    /// # Panics
    ///
    /// Panics if a call of `clone` panics. The clones made by this call are dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(3).unwrap();
    /// run.extend_from_slice(&[1, 2]).unwrap();
    /// let full = run.extend_from_slice(&[3, 4]).unwrap_err();
    /// assert_eq!((full.requested(), full.remaining()), (2, 1));
    /// assert_eq!(*run, [1, 2]);
    /// ```
    #[inline]
    pub fn extend_from_slice(&mut self, src: &[T]) -> Result<(), Full<()>>
    where
        T: Clone,
    {
        /// Drops the clones made so far if a call of `clone` panics.
        struct Clones<'a, T> {
            view: ArenaRef<'a, T>,
            made: Range<usize>,
        }

        impl<T> Drop for Clones<'_, T> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: the slots belong to the reservation and hold values. `len` does not
                // include these values, so they are never read again.
                unsafe { ptr::drop_in_place(self.view.slice_mut(self.made.clone())) };
            }
        }

        let room = self.capacity - self.len;
        if src.len() > room {
            return Err(Full::new((), src.len(), room));
        }
        let end = self.start + self.len;
        // Set before the first call of `clone`, because a clone may be constructed in its slot, and
        // a panic may leave the slot partly written.
        self.written = self.written.max(self.len + src.len());
        let mut clones = Clones { view: self.view, made: end..end };
        for value in src {
            // SAFETY: there is room for all of `src` from `end` on. The slot belongs to the
            // reservation and holds no value.
            unsafe { self.view.slot(clones.made.end).write(value.clone()) };
            clones.made.end += 1;
        }
        mem::forget(clones);
        self.len += src.len();
        Ok(())
    }

    /// Returns the number of values stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(7).unwrap();
    /// assert_eq!(run.len(), 1);
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if no value is stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(7).unwrap();
    /// assert!(!run.is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of slots, including those that hold values.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(7).unwrap();
    /// assert_eq!(run.capacity(), 2);
    /// ```
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns `true` if every slot holds a value. A reservation without slots is full.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(7).unwrap();
    /// assert!(!run.is_full());
    /// ```
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// Returns the index of the first slot, where the first value is stored. For a reservation
    /// without slots, returns the capacity of the arena.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(7).unwrap();
    /// assert_eq!(run.first_index(), 0);
    /// ```
    #[inline]
    pub fn first_index(&self) -> usize {
        self.start
    }

    /// Returns the slots that hold no values yet. After writing to them, call
    /// [`set_len`](Self::set_len).
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// for slot in run.spare_capacity_mut() {
    ///     slot.write(7u8);
    /// }
    /// // SAFETY: both slots were just written.
    /// unsafe { run.set_len(2) };
    /// assert_eq!(run.finish(), [7, 7]);
    /// ```
    #[inline]
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<T>] {
        let spare = self.capacity - self.len;
        let first = self.as_mut_ptr().wrapping_add(self.len).cast();
        // SAFETY: the slots from `len` to the end belong to the reservation, are contiguous, and
        // need not hold values. The slice borrows the reservation exclusively, so only the slice
        // reaches them.
        unsafe { core::slice::from_raw_parts_mut(first, spare) }
    }

    /// Sets the number of values to `len`, without storing or dropping any.
    ///
    /// # Safety
    ///
    /// - `len` is at most [`capacity`](Self::capacity).
    /// - The first `len` slots hold values.
    #[inline]
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity);
        self.len = len;
        self.written = self.written.max(len);
    }

    /// Returns a pointer to the first slot. Creates no reference, so earlier pointers stay valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.push(7).unwrap();
    /// // SAFETY: the first slot holds a value.
    /// assert_eq!(unsafe { *run.as_mut_ptr() }, 7);
    /// ```
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.written = self.capacity;
        self.view.slot(self.start)
    }

    /// Returns the values as one slice that belongs to the caller. Slots that were not filled are
    /// returned to the arena.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(3).unwrap();
    /// run.push(1).unwrap();
    /// assert_eq!(run.finish(), [1]);
    /// assert_eq!(arena.remaining(), 3); // two slots were returned
    /// ```
    #[inline]
    pub fn finish(self) -> &'a mut [T] {
        let this = ManuallyDrop::new(self);
        if this.is_full() {
            this.uncount();
            this.unmark();
        } else {
            this.close_rest();
        }
        // SAFETY: the slots hold values and belonged to the reservation, which has ended without
        // dropping them. They are not handed out again before the epoch ends. Ending it requires
        // `&mut` of the arena, which cannot exist during `'a`.
        unsafe { this.view.slice_mut(this.filled()) }
    }

    /// Publishes the values. From then on every thread can read them. Returns the index of the
    /// first value, and the slice. Slots that were not filled are returned to the arena.
    ///
    /// Other threads may see the values appear one by one. [`get_slice`](AtomicArena::get_slice)
    /// returns all of them or nothing.
    ///
    /// Filling the reservation happens before every access through a reference that `get`,
    /// `get_slice` or `iter` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use atomicarena::AtomicArena;
    ///
    /// let arena = AtomicArena::with_capacity(4);
    /// let mut run = arena.reserve(2).unwrap();
    /// run.fill_from_iter(5..);
    /// let (first, values) = run.publish();
    /// assert_eq!(arena.get_slice(first..first + 2), Some(values));
    /// ```
    #[inline]
    pub fn publish(self) -> (usize, &'a [T])
    where
        T: Sync,
    {
        let this = ManuallyDrop::new(self);
        let (view, filled) = (this.view, this.filled());
        if this.is_full() {
            // The stamps below overwrite both marks.
            this.uncount();
        } else {
            this.close_rest();
        }
        view.stamps().publish_run(filled.clone());
        // SAFETY: every slot of `filled` is published.
        (filled.start, unsafe { view.slice(filled) })
    }

    /// Returns the slots.
    #[inline]
    fn run(&self) -> Range<usize> {
        let run = self.start..self.start + self.capacity;
        // SAFETY: the slots belong to the reservation, so they are slots of the arena. If there are
        // none, `start` is the capacity.
        unsafe { self.view.assert_in_bounds(&run) };
        run
    }

    /// Returns the slots that hold values.
    #[inline]
    fn filled(&self) -> Range<usize> {
        let filled = self.start..self.start + self.len;
        // SAFETY: as in `run`. `len` is at most `capacity`.
        unsafe { self.view.assert_in_bounds(&filled) };
        filled
    }

    /// Ends a reservation that is not full, and returns its unfilled slots to the arena.
    #[inline]
    fn close_rest(&self) {
        /// Not inlined. The parts of the reservation are passed in registers. Passing a reference
        /// instead would force the reservation into memory, even in code that always fills it.
        ///
        /// # Safety
        ///
        /// The arguments are the parts of a reservation and of its `ArenaRef`. The reservation
        /// ends, and its unused slots are not accessed through it again.
        #[inline(never)]
        unsafe fn close<T>(
            header: &Header,
            stamps: &[Stamp],
            slots: NonNull<T>,
            start: usize,
            capacity: usize,
            (len, written): (usize, usize),
        ) {
            // SAFETY: the caller passes the parts of an `ArenaRef`, for which the requirements of
            // `new` hold.
            let view = unsafe { ArenaRef::new(header, stamps, slots) };
            ManuallyDrop::new(Reservation { view, start, capacity, len, written, marker: PhantomData }).close(len);
        }

        let (header, stamps, slots) = self.view.into_raw_parts();
        // SAFETY: the arguments are the parts of this reservation and of its `ArenaRef`. The
        // callers of `close_rest` end the reservation, and then access only slots that hold values.
        unsafe { close(header, stamps, slots, self.start, self.capacity, (self.len, self.written)) };
    }

    /// Ends the reservation. Clears the run marks, and returns all slots except the first `len` to
    /// the arena.
    fn close(&self, len: usize) {
        self.uncount();
        self.unmark();
        self.view.return_run(self.start + len..self.start + self.capacity, self.start + self.written);
    }

    /// Clears the run marks.
    #[inline]
    fn unmark(&self) {
        if self.capacity != 0 {
            self.view.stamps().close(self.run());
        }
    }

    /// Subtracts the reservation from the count of handles.
    #[inline]
    fn uncount(&self) {
        if self.capacity != 0 {
            self.view.handle_closed();
        }
    }
}

/// Bytes.
impl Reservation<'_, u8> {
    /// Appends as many bytes as fit, and returns how many were appended.
    #[inline]
    fn push_prefix(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.capacity - self.len);
        // SAFETY: `bytes` has at least `len` bytes, and so has the rest of the reservation. The
        // slots from `self.len` on belong to the reservation and hold no values. No shared
        // reference to them exists, so they do not overlap with `bytes`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.view.slot(self.start + self.len), len) };
        self.len += len;
        self.written = self.written.max(self.len);
        len
    }
}

/// Appends strings. A string that does not fit is not appended, and `write_str` returns an error.
/// `write!` may append several strings. If it fails, the strings that it has already appended are
/// kept.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use std::fmt::Write;
///
/// let arena = AtomicArena::with_capacity(8);
/// let mut text = arena.reserve(8).unwrap();
/// write!(text, "{}-{}", 12, 34).unwrap();
/// assert!(text.write_str("5678").is_err());
/// assert_eq!(text.finish(), b"12-34");
/// ```
impl fmt::Write for Reservation<'_, u8> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.capacity - self.len {
            return Err(fmt::Error);
        }
        self.push_prefix(text.as_bytes());
        Ok(())
    }
}

/// Appends as many bytes as fit, and never fails. Writing to a full reservation returns 0, which
/// `write_all` turns into an error.
///
/// # Examples
///
/// ```
/// use atomicarena::AtomicArena;
/// use std::io::{ErrorKind, Write};
///
/// let arena = AtomicArena::with_capacity(8);
/// let mut bytes = arena.reserve(4).unwrap();
/// bytes.write_all(&[1, 2, 3]).unwrap();
/// assert_eq!(bytes.write(&[4, 5]).unwrap(), 1);
/// assert_eq!(bytes.write_all(&[5]).unwrap_err().kind(), ErrorKind::WriteZero);
/// assert_eq!(bytes.finish(), [1, 2, 3, 4]);
/// ```
#[cfg(feature = "std")]
impl io::Write for Reservation<'_, u8> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.push_prefix(bytes))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<T> Drop for Reservation<'_, T> {
    /// Inlined, so that a reservation that is finished where it was created stays in registers.
    #[inline]
    fn drop(&mut self) {
        let (header, stamps, slots) = self.view.into_raw_parts();
        // SAFETY: the arguments are the parts of this reservation and of its `ArenaRef`. The
        // reservation is being dropped, so it is never used again.
        unsafe { abandon(header, stamps, slots, (self.start, self.capacity), self.len, self.written) };
    }
}

/// Drops the values of a reservation and returns its slots to the arena.
///
/// # Safety
///
/// The arguments are the parts of a reservation and of its `ArenaRef`. The reservation is never
/// used again.
#[cold]
#[inline(never)]
unsafe fn abandon<T>(
    header: &Header,
    stamps: &[Stamp],
    slots: NonNull<T>,
    (start, capacity): (usize, usize),
    len: usize,
    written: usize,
) {
    // SAFETY: the caller passes the parts of an `ArenaRef`, for which the requirements of `new`
    // hold.
    let view = unsafe { ArenaRef::new(header, stamps, slots) };
    let run = Reservation { view, start, capacity, len, written, marker: PhantomData };
    // The slots are returned even if dropping a value panics.
    let run = OnDrop::new(ManuallyDrop::new(run), |run| run.close(0));
    // SAFETY: the first `len` slots hold values that belong to the reservation. They are never read
    // again.
    unsafe { ptr::drop_in_place(view.slice_mut(run.filled())) };
}

impl<T> Deref for Reservation<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` slots hold values that belong to the reservation. The slice
        // borrows the reservation, so the values are not mutated while it lives.
        unsafe { self.view.slice(self.filled()) }
    }
}

impl<T> DerefMut for Reservation<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: the first `len` slots hold values that belong to the reservation. The slice
        // borrows the reservation exclusively, so only the slice reaches them.
        unsafe { self.view.slice_mut(self.filled()) }
    }
}

impl<T> AsRef<[T]> for Reservation<'_, T> {
    #[inline]
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T> AsMut<[T]> for Reservation<'_, T> {
    #[inline]
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T> fmt::Debug for Reservation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("run", &self.run()).field("len", &self.len).finish_non_exhaustive()
    }
}
