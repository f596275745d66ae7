//! A contiguous run that is filled step by step, and then owned or published as one slice.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::{Deref, DerefMut, Range};
use core::ptr;

use crate::arena::AtomicArena;
use crate::error::Full;
use crate::raw::arena_ref::ArenaRef;
use crate::raw::epoch::Mark;
use crate::storage::Storage;

impl<T, S: Storage<T>> AtomicArena<T, S> {
    /// Takes `n` slots in one run, to be filled step by step.
    ///
    /// The slots come from the cursor; for `n == 1` from wherever [`alloc`](AtomicArena::alloc) has them. A run of 0 always
    /// succeeds: it is an empty slice at index `capacity`.
    ///
    /// Costs a compare-and-swap, two additions to a shared counter, and two bytes at the ends of the run, which are
    /// written twice. Lock-free: the exchange is repeated when another thread has moved the cursor meanwhile.
    ///
    /// What is not used goes back to the cursor, if it is still there. Behind somebody else's slots it is marked vacant,
    /// which takes a byte for each slot, and serves requests for one slot from then on, until somebody has `&mut` of the
    /// arena. It is so, too, once threads were seen to fight for single slots (see
    /// [`in_order`](AtomicArena::in_order)): who takes large runs and gives much of them back, in an arena from which many
    /// threads take single slots, wants one that keeps order.
    ///
    /// # Errors
    ///
    /// [`Full`] when `n` slots were not left at the cursor (for `n == 1`: as `alloc`). Nothing is touched then.
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
    /// let (first, slice) = run.publish(); // the third slot goes back
    /// assert_eq!((first, slice), (0, &[1, 2][..]));
    /// assert_eq!(arena.remaining(), 2);
    /// assert_eq!(arena.reserve(3).unwrap_err().remaining(), 2);
    /// ```
    pub fn reserve(&self, n: usize) -> Result<Reservation<'_, T>, Full<()>> {
        let view = self.view();
        match view.take_run(n) {
            // SAFETY: we have just taken the run.
            Ok(run) => Ok(unsafe { Reservation::new(view, run) }),
            Err(left) => Err(Full::new((), n, left)),
        }
    }

    /// Takes as many slots as are left at the cursor, but at most `n`; or, when none is, one that is left in a shard or vacant.
    /// May be empty. Costs as [`reserve`](Self::reserve), and on a full arena as [`alloc`](AtomicArena::alloc) there.
    ///
    /// `usize::MAX` is fine: it takes all that is left.
    ///
    /// Lock-free, as [`reserve`](Self::reserve).
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
    pub fn reserve_up_to(&self, n: usize) -> Reservation<'_, T> {
        let view = self.view();
        let run = view.take_up_to(n);
        // SAFETY: we have just taken the run, or it is empty.
        unsafe { Reservation::new(view, run) }
    }
}

/// A run of slots that is yours alone: fill it, then [`finish`](Self::finish) or [`publish`](Self::publish) it.
///
/// Dereferences to the slice of what is filled so far. Dropped before, its values are dropped and every slot goes
/// back: all or nothing. Leaked (`mem::forget`), it leaks its values, and the slots until the next call with `&mut`
/// of the arena.
///
/// Every method is wait-free, but for the code of values: the slots were taken when the reservation was made. Only where
/// slots at the very end of the arena go back while others are refused, giving them back is lock-free.
///
/// `Send` if `T: Send`, because its values go with it. Not `Sync`: to fill a run from several threads, reserve it,
/// and split [`spare_capacity_mut`](Self::spare_capacity_mut); or let each thread reserve its own.
#[must_use = "dropped, it gives every slot back"]
pub struct Reservation<'a, T> {
    view: ArenaRef<'a, T>,
    /// The slots that are ours. Marked as an open run at both ends, unless there are none.
    run: Range<usize>,
    /// How many of them, from the first, hold a value. Invariant: at most `run.len()`.
    len: usize,
    /// How many of them, from the first, may have been written to. Invariant: at least `len`.
    written: usize,
    /// `view` is covariant in `T`; through us a value is put in.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the values are ours and are sent along. The arena, to which the slots go back, is `Sync` if `T: Send`.
unsafe impl<T: Send> Send for Reservation<'_, T> {}

impl<'a, T> Reservation<'a, T> {
    /// # Safety
    ///
    /// The caller has taken the run from the cursor or from the vacant slots, and passes it on.
    #[inline]
    pub(crate) unsafe fn new(view: ArenaRef<'a, T>, run: Range<usize>) -> Self {
        if !run.is_empty() {
            view.handle_opened();
            view.stamps().open(run.clone());
        }
        Reservation { view, run, len: 0, written: 0, marker: PhantomData }
    }

    /// Stores a value behind the last.
    ///
    /// # Errors
    ///
    /// [`Full`], with the value, when the run is full.
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
        // SAFETY: `len < run.len()`, so the slot is ours and holds no value.
        unsafe { self.view.slot(self.run.start + self.len).write(value) };
        self.len += 1;
        self.written = self.written.max(self.len);
        Ok(())
    }

    /// Takes the last value back, `None` when there is none.
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
        // SAFETY: the slot is ours and held a value until `len` was lowered, so nobody reads it again.
        Some(unsafe { self.view.slot(self.run.start + self.len).read() })
    }

    /// Drops the values behind the first `len`. Nothing happens when there are no more than that.
    ///
    /// # Panics
    ///
    /// When the `drop` of a value does; the others are dropped all the same.
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
            let gone = self.run.start + len..self.run.start + self.len;
            self.len = len;
            // SAFETY: the slots are ours and held values until `len` was lowered, so nobody looks at them again.
            unsafe { ptr::drop_in_place(self.view.slice_mut(gone)) };
        }
    }

    /// Stores what the iterator gives, as long as there is room, and returns how many values that were.
    ///
    /// Takes from the iterator only what fits: `fill_from_iter(iter.by_ref())` leaves the rest in it.
    ///
    /// # Panics
    ///
    /// When the iterator does; what it gave until then is kept.
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
        /// Keeps `len` in a register while the loop runs, and stores it even when the iterator panics.
        struct Filled<'r> {
            len: usize,
            place: &'r mut usize,
            written: &'r mut usize,
        }

        impl Drop for Filled<'_> {
            #[inline]
            fn drop(&mut self) {
                *self.place = self.len;
                *self.written = self.len.max(*self.written);
            }
        }

        let (before, capacity) = (self.len, self.run.len());
        let first = self.view.slot(self.run.start);
        let mut iter = iter.into_iter();
        let mut filled = Filled { len: before, place: &mut self.len, written: &mut self.written };
        while filled.len < capacity {
            let Some(value) = iter.next() else { break };
            // SAFETY: `len < run.len()`, so the slot is ours and holds no value.
            unsafe { first.add(filled.len).write(value) };
            filled.len += 1;
        }
        filled.len - before
    }

    /// How many values are stored.
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

    /// Whether no value is stored.
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

    /// How many values fit: the slots of the run.
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
        self.run.len()
    }

    /// Whether every slot holds a value; a run of 0 is full.
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
        self.len == self.run.len()
    }

    /// The index of the first slot, and so of the first value. The capacity of the arena for a run of 0.
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
        self.run.start
    }

    /// The slots behind the values, to be written to directly. [`set_len`](Self::set_len) makes values of them.
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
        let spare = self.run.len() - self.len;
        let first = self.as_mut_ptr().wrapping_add(self.len).cast();
        // SAFETY: the slots from `len` to the end of the run are ours, contiguous, and need not hold values.
        unsafe { core::slice::from_raw_parts_mut(first, spare) }
    }

    /// Declares that the first `len` slots hold values. Drops nothing.
    ///
    /// # Safety
    ///
    /// - `len` is at most [`capacity`](Self::capacity).
    /// - The slots below `len` hold values.
    #[inline]
    pub unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.run.len());
        self.len = len;
        self.written = self.written.max(len);
    }

    /// Where the first slot is. Makes no reference, so pointers taken before stay good.
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
        self.written = self.run.len();
        self.view.slot(self.run.start)
    }

    /// Hands the values over as one slice that belongs to the caller. The slots that were not filled go back.
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
    /// assert_eq!(arena.remaining(), 3); // two slots went back
    /// ```
    #[inline]
    pub fn finish(self) -> &'a mut [T] {
        let (view, filled) = self.close();
        // SAFETY: the slots hold values and were ours; `close` has ended us without dropping them, and they are not
        // handed out again before the epoch ends, which takes `&mut` of the arena and so outlasts `'a`.
        unsafe { view.slice_mut(filled) }
    }

    /// Lets everybody read the values, and returns the index of the first, and the slice. The slots that were not
    /// filled go back.
    ///
    /// Other threads may see the values appear one by one; [`get_slice`](AtomicArena::get_slice) sees all or none.
    ///
    /// What was written before happens before what is done with a reference from `get`, `get_slice` or `iter`.
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
        let (view, filled) = self.close();
        for index in filled.clone() {
            view.stamps().publish(index, Mark::Published);
        }
        // SAFETY: every slot of it is published.
        (filled.start, unsafe { view.slice(filled) })
    }

    /// Ends the reservation: no mark is left, the slots that were not filled have gone back, and those that were
    /// filled are the caller's.
    #[inline]
    fn close(self) -> (ArenaRef<'a, T>, Range<usize>) {
        let this = ManuallyDrop::new(self);
        this.give_back_from(this.len);
        (this.view, this.run.start..this.run.start + this.len)
    }

    /// Erases the marks, and gives back the slots from the one numbered `len` on. For who ends the reservation.
    #[inline]
    fn give_back_from(&self, len: usize) {
        if !self.run.is_empty() {
            self.view.stamps().close(self.run.clone());
            self.view.handle_closed();
            let rest = self.run.start + len..self.run.end;
            self.view.give_back(rest, self.run.start + self.written);
        }
    }
}

impl<T> Drop for Reservation<'_, T> {
    fn drop(&mut self) {
        /// Gives the slots back even when the `drop` of a value panics.
        struct GiveBack<'r, 'a, T>(&'r Reservation<'a, T>);

        impl<T> Drop for GiveBack<'_, '_, T> {
            fn drop(&mut self) {
                self.0.give_back_from(0);
            }
        }

        let filled = self.run.start..self.run.start + self.len;
        let _give_back = GiveBack(self);
        // SAFETY: the slots hold values, which are ours, and which nobody looks at again.
        unsafe { ptr::drop_in_place(self.view.slice_mut(filled)) };
    }
}

impl<T> Deref for Reservation<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` slots hold values, which are ours, and borrowed as we are.
        unsafe { self.view.slice(self.run.start..self.run.start + self.len) }
    }
}

impl<T> DerefMut for Reservation<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`.
        unsafe { self.view.slice_mut(self.run.start..self.run.start + self.len) }
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
        f.debug_struct("Reservation").field("run", &self.run).field("len", &self.len).finish_non_exhaustive()
    }
}
