//! `AtomicBump`: its methods in every kind of memory, and what "full" means.

use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use atomicarena::{AtomicBump, BorrowedBump, CapacityError, Full, LocalBump, StaticBump};

use crate::payload::{Ledger, SHARDS_FORCED, panic_of};

/// A capacity at which a bump has shards.
const LARGE: usize = if cfg!(miri) { 64 << 10 } else { 1 << 20 };

/// Runs a block on a small and a large bump in every kind of memory.
macro_rules! everywhere {
    (|$bump:ident| $body:block) => {{
        for capacity in [4_000, LARGE] {
            let $bump = &mut AtomicBump::with_capacity(capacity);
            $body
            let mut bytes = Box::<[u8]>::new_uninit_slice(capacity + 5_000);
            let aligned = bytes.as_ptr().align_offset(64);
            let $bump = &mut AtomicBump::in_bytes(&mut bytes[aligned..]).unwrap();
            $body
        }
        #[cfg(all(feature = "mapped", not(miri)))]
        for capacity in [4_000, LARGE] {
            let $bump = &mut AtomicBump::mapped(capacity).build().unwrap();
            $body
        }
        let $bump = &mut StaticBump::<4_000>::new();
        $body
        let $bump = &mut Box::new(StaticBump::<{ 64 << 10 }>::new());
        $body
    }};
}

#[test]
fn every_method_stores_what_it_is_given() {
    everywhere!(|bump| {
        let one = bump.alloc(1u64).unwrap();
        let with = bump.alloc_with(|| [2u32; 3]).unwrap();
        let tried = bump.alloc_try_with(|| Ok::<_, ()>(3u16)).unwrap().unwrap();
        let uninit = bump.alloc_uninit().unwrap().write(4u8);
        let uninit_slice = bump.alloc_uninit_slice::<u128>(5).unwrap();
        uninit_slice.iter_mut().for_each(|place| _ = place.write(5));
        let copied = bump.alloc_slice_copy(&[6u8; 6]).unwrap();
        let cloned = bump.alloc_slice_clone(&["7"; 7]).unwrap();
        let made = bump.alloc_slice_with(8, |i| i * 8).unwrap();
        let iterated = bump.alloc_from_iter((0..9u8).rev()).unwrap();
        let text = bump.alloc_str("ten").unwrap();
        let formatted = bump.alloc_fmt(format_args!("{}{}", 1, 1)).unwrap();
        let layout = Layout::from_size_align(12, 128).unwrap();
        let raw = bump.alloc_layout(layout).unwrap();
        assert_eq!((raw.len(), raw.cast::<u8>().addr().get() % 128), (12, 0));

        *one += 0;
        assert_eq!((*one, *with, *tried, *uninit), (1, [2; 3], 3, 4));
        // SAFETY: each value was written.
        assert!(uninit_slice.iter().all(|value| unsafe { value.assume_init() } == 5));
        assert_eq!((&*copied, &*cloned), (&[6u8; 6][..], &["7"; 7][..]));
        assert_eq!(made, [0, 8, 16, 24, 32, 40, 48, 56]);
        assert_eq!(iterated, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!((&*text, &*formatted), ("ten", "11"));
        assert_eq!(bump.used() + bump.remaining(), bump.capacity());
        let bytes = 8 + 12 + 2 + 1 + 80 + 6 + 7 * size_of::<&str>() + size_of::<[usize; 8]>() + 9 + 3 + 2 + 12;
        assert!(bump.used() >= bytes && bump.high_water() >= bump.used());
    });
}

#[test]
fn a_local_has_the_same_methods() {
    everywhere!(|bump| {
        let mut local = bump.local();
        let one = local.alloc(1u64).unwrap();
        let with = local.alloc_with(|| [2u32; 3]).unwrap();
        let tried = local.alloc_try_with(|| Ok::<_, ()>(3u16)).unwrap().unwrap();
        let uninit = local.alloc_uninit().unwrap().write(4u8);
        let uninit_slice = local.alloc_uninit_slice::<u128>(5).unwrap();
        uninit_slice.iter_mut().for_each(|place| _ = place.write(5));
        let copied = local.alloc_slice_copy(&[6u8; 6]).unwrap();
        let cloned = local.alloc_slice_clone(&["7"; 7]).unwrap();
        let made = local.alloc_slice_with(8, |i| i * 8).unwrap();
        let iterated = local.alloc_from_iter((0..9u8).rev()).unwrap();
        let text = local.alloc_str("ten").unwrap();
        let formatted = local.alloc_fmt(format_args!("{}{}", 1, 1)).unwrap();
        let layout = Layout::from_size_align(12, 128).unwrap();
        let raw = local.alloc_layout(layout).unwrap();
        drop(local);
        assert_eq!((raw.len(), raw.cast::<u8>().addr().get() % 128), (12, 0));
        assert_eq!((*one, *with, *tried, *uninit), (1, [2; 3], 3, 4));
        // SAFETY: each value was written.
        assert!(uninit_slice.iter().all(|value| unsafe { value.assume_init() } == 5));
        assert_eq!((&*copied, &*cloned), (&[6u8; 6][..], &["7"; 7][..]));
        assert_eq!(made, [0, 8, 16, 24, 32, 40, 48, 56]);
        assert_eq!(iterated, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!((&*text, &*formatted), ("ten", "11"));
    });
}

#[test]
fn a_fresh_bump_packs_values_and_counts_bytes() {
    everywhere!(|bump| {
        assert_eq!((bump.used(), bump.remaining(), bump.high_water()), (0, bump.capacity(), 0));
        for i in 1..=10 {
            bump.alloc(i as u64).unwrap();
            bump.alloc_str("eightlet").unwrap();
            assert_eq!(bump.used(), 16 * i);
        }
        assert!(bump.high_water() >= 160);
    });
}

#[test]
fn full_returns_the_value_and_counts_bytes() {
    let bump = AtomicBump::with_capacity(20);
    bump.alloc(0u64).unwrap();
    let full = bump.alloc([1u64; 2]).unwrap_err();
    assert_eq!((full.requested(), full.remaining()), (16, if SHARDS_FORCED { 0 } else { 12 }));
    assert_eq!(full.into_inner(), [1; 2]);
    assert_eq!(bump.alloc_with(|| [7u64; 2]).unwrap_err().into_inner()(), [7; 2]);
    assert!(bump.alloc_try_with(|| Err::<[u64; 2], _>(())).unwrap_err().into_inner()().is_err());
    assert_eq!(bump.alloc_uninit::<[u64; 2]>().unwrap_err().requested(), 16);
    assert_eq!(bump.alloc_uninit_slice::<u64>(2).unwrap_err().requested(), 16);
    assert_eq!(bump.alloc_slice_copy(&[0u64; 2]).unwrap_err().requested(), 16);
    let not_called = || -> u64 { panic!("called") };
    assert_eq!(bump.alloc_slice_with(2, |_| not_called()).unwrap_err().requested(), 16);
    let mut iter = bump.alloc_from_iter([5u64, 6]).unwrap_err().into_inner();
    assert_eq!(iter.next(), Some(5));
    assert_eq!(bump.alloc_str("thirteen chars").unwrap_err().requested(), 14);
    assert_eq!(bump.alloc_fmt(format_args!("{:13}", 0)).unwrap_err().requested(), 13);
    assert_eq!(bump.alloc_layout(Layout::new::<[u64; 2]>()).unwrap_err().requested(), 16);
    let slice = bump.alloc_str("still room..").unwrap();
    assert_eq!((&*slice, bump.used(), bump.remaining()), ("still room..", 20, 0));
    let full = bump.alloc(1u8).unwrap_err();
    assert_eq!(full.to_string(), "arena full: 1 byte requested, 0 remaining");
    assert_eq!(format!("{full:?}"), "Full { requested: 1, remaining: 0, .. }");
    assert_eq!(full.discard().to_string(), "arena full: 1 byte requested, 0 remaining");
}

#[test]
fn a_request_beyond_every_address_space_is_refused() {
    everywhere!(|bump| {
        assert_eq!(bump.alloc_uninit_slice::<u64>(usize::MAX).unwrap_err().requested(), usize::MAX);
        let half = isize::MAX as usize / 8 + 1;
        let full = bump.alloc_slice_with(half, |_| 0u64).unwrap_err();
        assert_eq!((full.requested(), full.remaining()), (8 * half, bump.capacity()));
        assert_eq!(bump.alloc_uninit_slice::<u8>(isize::MAX as usize).unwrap_err().requested(), isize::MAX as usize);
        let page = Layout::from_size_align(1, 1 << (usize::BITS - 2)).unwrap();
        assert!(bump.alloc_layout(page).is_err() && bump.local().alloc_layout(page).is_err());
        assert_eq!(bump.used(), 0);
    });
}

#[test]
fn requests_without_bytes_touch_nothing() {
    #[repr(align(512))]
    #[derive(Clone, Copy)]
    struct Aligned;
    everywhere!(|bump| {
        for full in [false, true] {
            if full {
                while bump.alloc([0u8; 1_000]).is_ok() {}
                while bump.alloc([0u8; 30]).is_ok() {}
                while bump.alloc(0u8).is_ok() {}
            }
            let before = (bump.used(), bump.high_water());
            assert_eq!(core::ptr::from_mut(bump.alloc(Aligned).unwrap()).addr() % 512, 0);
            assert_eq!(core::ptr::from_mut(bump.alloc_with(|| Aligned).unwrap()).addr() % 512, 0);
            assert!(bump.alloc_try_with(|| Err::<(), _>(7)).unwrap().is_err());
            assert_eq!(bump.alloc_slice_copy::<u64>(&[]).unwrap().as_ptr().addr() % align_of::<u64>(), 0);
            assert_eq!(bump.alloc_slice_with(100, |_| ()).unwrap().len(), 100);
            assert_eq!(bump.alloc_uninit_slice::<()>(usize::MAX).unwrap().len(), usize::MAX);
            assert_eq!(bump.alloc_from_iter([Aligned; 3]).unwrap().as_ptr().addr() % 512, 0);
            assert_eq!(bump.alloc_uninit_slice::<u128>(0).unwrap().as_ptr().addr() % align_of::<u128>(), 0);
            assert!(bump.alloc_str("").unwrap().is_empty());
            assert!(bump.alloc_fmt(format_args!("{}", "")).unwrap().is_empty());
            let layout = Layout::from_size_align(0, 1 << 20).unwrap();
            let nothing = bump.alloc_layout(layout).unwrap();
            assert_eq!((nothing.len(), nothing.cast::<u8>().addr().get() % (1 << 20)), (0, 0));
            let mut local = bump.local();
            assert_eq!(core::ptr::from_mut(local.alloc(Aligned).unwrap()).addr() % 512, 0);
            assert_eq!(local.alloc_slice_with(3, |_| ()).unwrap().len(), 3);
            assert_eq!(local.alloc_layout(layout).unwrap().len(), 0);
            drop(local);
            assert_eq!((bump.used(), bump.high_water()), before);
        }
    });
}

#[test]
fn values_are_aligned_whatever_came_before() {
    #[repr(align(4096))]
    struct Page(#[expect(dead_code)] u8);
    fn aligned<T>(place: &mut MaybeUninit<T>) -> bool {
        place.as_ptr().addr() % align_of::<T>() == 0
    }
    let bump = AtomicBump::with_capacity(LARGE);
    let mut local = bump.local();
    for len in 0..40 {
        bump.alloc_uninit_slice::<u8>(len).unwrap();
        assert!(aligned(bump.alloc_uninit::<u16>().unwrap()) && aligned(bump.alloc_uninit::<u64>().unwrap()));
        local.alloc_uninit_slice::<u8>(len).unwrap();
        assert!(aligned(local.alloc_uninit::<u16>().unwrap()) && aligned(local.alloc_uninit::<u128>().unwrap()));
    }
    assert!(aligned(bump.alloc_uninit::<Page>().unwrap()) && aligned(local.alloc_uninit::<Page>().unwrap()));
}

#[test]
fn what_a_failed_closure_had_taken_comes_back() {
    everywhere!(|bump| {
        for _ in 0..if cfg!(miri) { 3 } else { 100 } {
            assert!(bump.alloc_try_with(|| Err::<u64, _>(())).unwrap().is_err());
            // In a bump of 64 KiB, this value is longer than the run of a shard.
            assert!(bump.alloc_try_with(|| Err::<[u8; 3_000], _>(())).unwrap().is_err());
            assert_eq!(panic_of(|| drop(bump.alloc_with(|| -> [u8; 300] { panic!("no value") }))), "no value");
            assert_eq!(panic_of(|| drop(bump.alloc_slice_with(10, |_| -> u8 { panic!("none") }))), "none");
            assert_eq!(bump.used(), 0);
            let mut local = bump.local();
            assert!(local.alloc_try_with(|| Err::<u64, _>(())).unwrap().is_err());
            assert!(local.alloc_try_with(|| Err::<[u8; 3_000], _>(())).unwrap().is_err());
            assert_eq!(panic_of(|| drop(local.alloc_with(|| -> u64 { panic!("no value") }))), "no value");
            drop(local);
            assert_eq!(bump.used(), 0);
        }
        if bump.capacity() < 10_000 && !SHARDS_FORCED {
            // All bytes are free, and contiguous.
            assert!(bump.alloc_uninit_slice::<u8>(bump.capacity()).is_ok());
        }
    });
}

// Returned bytes are kept in gaps, which need std and a 64-bit target.
#[cfg(all(feature = "std", target_pointer_width = "64"))]
#[test]
fn bytes_of_a_failed_closure_are_kept_if_the_cursor_cannot_be_retracted() {
    if SHARDS_FORCED {
        return;
    }
    let bump = AtomicBump::with_capacity(LARGE);
    for round in 1..=8 {
        let nested = bump.alloc_try_with(|| {
            // This advances the cursor, which then cannot be retracted when the outer closure
            // fails.
            bump.alloc_uninit_slice::<u8>(LARGE / 32).unwrap();
            Err::<[u8; LARGE / 4], _>(())
        });
        assert!(nested.unwrap().is_err());
        assert_eq!(bump.used(), round * LARGE / 32);
    }
}

#[test]
fn values_made_before_a_panic_are_dropped_and_others_never() {
    let ledger = Ledger::new();
    let bump = AtomicBump::with_capacity(LARGE);
    let make = |i| if i == 3 { panic!("at three") } else { ledger.value() };
    assert_eq!(panic_of(|| drop(bump.alloc_slice_with(5, make))), "at three");
    assert_eq!(panic_of(|| drop(bump.local().alloc_slice_with(5, make))), "at three");
    assert_eq!(panic_of(|| drop(bump.alloc_from_iter((0..5).map(make)))), "at three");
    assert_eq!((ledger.made(), ledger.dropped(), bump.used()), (9, 9, 0));
    bump.alloc(ledger.value()).unwrap();
    bump.alloc_slice_with(3, |_| ledger.value()).unwrap();
    drop(bump);
    assert_eq!((ledger.made(), ledger.dropped()), (13, 9));
    let three = Ledger::with_clones(3);
    let values = three.values(5);
    let bump = AtomicBump::with_capacity(1_000);
    assert_eq!(panic_of(|| drop(bump.alloc_slice_clone(&values))), "clone refused");
    assert_eq!((three.made(), three.dropped(), bump.used()), (8, 3, 0));
}

/// Yields `yields` values and claims to yield `claims`.
struct Liar {
    claims: usize,
    yields: usize,
    asked: Cell<usize>,
}

impl Iterator for &Liar {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        self.asked.set(self.asked.get() + 1);
        (self.asked.get() <= self.yields).then(|| self.asked.get() as u32)
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.claims, Some(self.claims))
    }
}

impl ExactSizeIterator for &Liar {
    fn len(&self) -> usize {
        self.claims
    }
}

#[test]
fn an_iterator_may_lie_about_its_length() {
    everywhere!(|bump| {
        let more = Liar { claims: 2, yields: 9, asked: Cell::new(0) };
        assert_eq!(bump.alloc_from_iter(&more).unwrap(), [1, 2]);
        assert_eq!((more.asked.get(), bump.used()), (2, 8));
        let fewer = Liar { claims: 20, yields: 3, asked: Cell::new(0) };
        assert_eq!(bump.alloc_from_iter(&fewer).unwrap(), [1, 2, 3]);
        assert_eq!(bump.used(), 20);
        let none = Liar { claims: 20, yields: 0, asked: Cell::new(0) };
        assert!(bump.alloc_from_iter(&none).unwrap().is_empty());
        assert_eq!(bump.used(), 20);
        let mut local = bump.local();
        for claims in [20, 200] {
            let fewer = Liar { claims, yields: 3, asked: Cell::new(0) };
            assert_eq!(local.alloc_from_iter(&fewer).unwrap(), [1, 2, 3]);
        }
        drop(local);
        assert_eq!(bump.used(), 44);
        let huge = Liar { claims: usize::MAX, yields: 3, asked: Cell::new(0) };
        assert_eq!(bump.alloc_from_iter(&huge).unwrap_err().requested(), usize::MAX);
        assert_eq!(huge.asked.get(), 0);
    });
}

/// Formats as the first text on the first call, and as the second text on later calls.
struct Changing<'a>(Cell<usize>, [&'a str; 2]);

impl fmt::Display for Changing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.replace(1);
        f.write_str(self.1[time])
    }
}

#[test]
fn a_text_may_differ_the_second_time() {
    let long = "longer by far than it was the first time".repeat(10);
    everywhere!(|bump| {
        let mut used = 0;
        for texts in [["", "x"], ["short", &long], [&long, "short"], [&long, ""], ["same", "sane"]] {
            let text = Changing(Cell::new(0), texts);
            assert_eq!(*bump.alloc_fmt(format_args!("<{text}>")).unwrap(), *format!("<{}>", texts[1]));
            used += texts[1].len() + 2;
        }
        // If the text moves to another block, the bytes of its first block may be lost. All other
        // unused bytes are returned.
        assert!(bump.used() <= used + 60, "{} {used}", bump.used());
        let mut local = bump.local();
        let text = Changing(Cell::new(0), ["short", &long]);
        assert_eq!(*local.alloc_fmt(format_args!("{text}{text}")).unwrap(), *format!("{long}{long}"));
    });
}

#[test]
fn a_text_that_turns_out_too_long_is_refused() {
    let bump = AtomicBump::with_capacity(10);
    let text = Changing(Cell::new(0), ["short", "longer than ten"]);
    assert_eq!(bump.alloc_fmt(format_args!("{text}")).unwrap_err().requested(), 15);
    assert_eq!(bump.used(), 0);
    assert_eq!(bump.alloc_fmt(format_args!("{}", "it is free")).unwrap(), "it is free");
}

#[test]
fn a_text_may_allocate_while_it_is_formatted() {
    struct Nested<'a>(&'a AtomicBump);
    impl fmt::Display for Nested<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0.alloc_fmt(format_args!("{}", 7)).map_err(|_| fmt::Error)?)
        }
    }
    let bump = AtomicBump::with_capacity(LARGE);
    assert_eq!(bump.alloc_fmt(format_args!("{0}-{0}", Nested(&bump))).unwrap(), "7-7");
}

/// A text that fails the second time, after it has grown to the end of the run of the shard.
struct Grown<'a>(&'a AtomicBump, Cell<bool>);

impl fmt::Display for Grown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&"x".repeat(512))?;
        if !self.1.replace(true) {
            return Ok(());
        }
        // If there are shards, this refills the shard. Its run then begins directly after the text.
        assert!(self.0.alloc_try_with(|| Err::<u8, _>(())).unwrap().is_err());
        f.write_str(&"x".repeat(self.0.high_water() - 512))?;
        Err(fmt::Error)
    }
}

#[test]
fn a_text_that_grew_into_a_shard_is_not_returned_to_the_cursor() {
    for capacity in [4_000, 64 << 10] {
        let bump = AtomicBump::with_capacity(capacity);
        panic_of(|| _ = bump.alloc_fmt(format_args!("{}", Grown(&bump, Cell::new(false)))));
        assert_eq!(bump.used(), 0);
        bump.alloc(1u8).unwrap();
        assert_eq!(bump.used(), 1, "a refill was lost");
    }
}

/// A text that is longer the second time, and ignores that there is no room.
struct Careless(Cell<bool>);

impl fmt::Display for Careless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<")?;
        if self.0.replace(true) {
            let _ = f.write_str(&"x".repeat(200));
        }
        f.write_str(">")
    }
}

#[test]
fn a_text_without_one_of_its_parts_is_refused() {
    let bump = AtomicBump::with_capacity(100);
    let full = bump.alloc_fmt(format_args!("{}", Careless(Cell::new(false)))).unwrap_err();
    assert_eq!(full.requested(), 201);
    assert_eq!(bump.used(), 0);
}

#[test]
fn a_text_that_grows_spares_the_block_behind_it() {
    /// Formats as a longer text on the second call. Before it writes that text, it allocates the
    /// bytes directly after the block of the first text.
    struct Growing<'a>(&'a AtomicBump, Cell<usize>, Cell<&'a [u8]>);
    impl fmt::Display for Growing<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.1.replace(1) == 0 {
                return f.write_str("short");
            }
            self.2.set(self.0.alloc_slice_copy(&[7; 20]).map_err(|_| fmt::Error)?);
            f.write_str("longer than before")
        }
    }
    for capacity in [1_000, LARGE] {
        let bump = AtomicBump::with_capacity(capacity);
        let text = Growing(&bump, Cell::new(0), Cell::new(&[]));
        assert_eq!(bump.alloc_fmt(format_args!("{text}")).unwrap(), "longer than before");
        assert_eq!(text.2.get(), [7; 20]);
    }
}

#[test]
fn a_display_that_fails_panics() {
    struct Failing(Cell<usize>);
    impl fmt::Display for Failing {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() - 1);
            if self.0.get() == 0 { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let bump = AtomicBump::with_capacity(LARGE);
    for time in [1, 2] {
        let message = panic_of(|| drop(bump.alloc_fmt(format_args!("some text{}", Failing(Cell::new(time))))));
        assert_eq!(message, "a formatting trait implementation returned an error");
        assert_eq!(bump.used(), 0);
    }
}

#[test]
fn reset_takes_every_byte_back() {
    everywhere!(|bump| {
        let mut high = 0;
        for round in 0..if cfg!(miri) { 2 } else { 300 } {
            let mut count = 0;
            while bump.alloc(round as u64).is_ok() {
                count += 1;
                // Odd rounds store fewer values.
                if count > if cfg!(miri) { 20 } else { 600 } / (1 + round % 2) {
                    break;
                }
            }
            let mut leaked = bump.local();
            _ = leaked.alloc(1u8);
            std::mem::forget(leaked);
            high = high.max(bump.high_water());
            bump.reset();
            assert_eq!((bump.used(), bump.high_water()), (0, high));
        }
        assert!(bump.alloc_uninit_slice::<u8>(bump.capacity()).is_ok());
        assert_eq!(bump.high_water(), bump.capacity());
    });
}

#[test]
fn reset_zeroed_leaves_nothing_readable() {
    everywhere!(|bump| {
        bump.alloc_slice_copy(&[0xAAu8; 333]).unwrap();
        bump.local().alloc_slice_copy(&[0xAAu8; 77]).unwrap();
        assert!(bump.alloc_try_with(|| Err::<[u8; 2_000], _>(())).unwrap().is_err());
        bump.reset();
        bump.alloc_slice_copy(&[0xAAu8; 33]).unwrap();
        let written = bump.high_water();
        bump.reset_zeroed();
        assert_eq!((bump.used(), bump.high_water()), (0, written));
        let bytes = bump.alloc_uninit_slice::<u8>(written).unwrap();
        // SAFETY: `reset_zeroed` has zeroed every byte below the high-water mark.
        assert!(bytes.iter().all(|byte| unsafe { byte.assume_init() } == 0));
    });
}

#[test]
fn every_byte_of_a_small_bump_can_be_allocated() {
    for capacity in (1..200).step_by(if cfg!(miri) { 17 } else { 1 }) {
        let bump = AtomicBump::with_capacity(capacity);
        assert!((0..capacity).all(|_| bump.alloc(1u8).is_ok()));
        assert_eq!((bump.used(), bump.remaining(), bump.alloc(1u8).is_err()), (capacity, 0, true));
        let whole = AtomicBump::with_capacity(capacity);
        assert!(whole.alloc_uninit_slice::<u8>(capacity + 1).is_err());
        assert!(whole.alloc_uninit_slice::<u8>(capacity).is_ok());
        assert_eq!(whole.remaining(), 0);
    }
}

#[test]
fn the_last_line_may_be_cut_short() {
    let bump = AtomicBump::with_capacity(LARGE + 7);
    while bump.alloc([0u8; 1_000]).is_ok() {}
    while bump.alloc(0u8).is_ok() {}
    assert_eq!((bump.used(), bump.remaining(), bump.high_water()), (LARGE + 7, 0, LARGE + 7));
}

#[test]
fn capacities_and_their_errors() {
    assert_eq!(AtomicBump::try_with_capacity(0).unwrap_err(), CapacityError::Zero);
    for capacity in [usize::MAX, isize::MAX as usize + 1, isize::MAX as usize] {
        let error = AtomicBump::try_with_capacity(capacity).unwrap_err();
        assert_eq!(error, CapacityError::TooLarge { capacity, slot_size: 1 });
    }
    assert!(!panic_of(|| drop(AtomicBump::with_capacity(0))).is_empty());
    assert!(!panic_of(|| drop(AtomicBump::with_capacity(usize::MAX))).is_empty());
    assert_eq!(AtomicBump::in_bytes(&mut []).unwrap_err(), CapacityError::Zero);
    for len in [1, 63, 64, 999, 1_000, 5_000, 17_000, 100_000] {
        let mut bytes = Box::<[u8]>::new_uninit_slice(len);
        let bump: BorrowedBump<'_> = AtomicBump::in_bytes(&mut bytes).unwrap();
        assert!(bump.capacity() <= len && (len < 1_000 || bump.capacity() >= len / 2));
        let capacity = bump.capacity();
        assert_eq!(bump.alloc_uninit_slice::<u8>(capacity).unwrap().len(), capacity);
        assert!(bump.alloc(0u8).is_err());
    }
}

#[test]
fn a_static_bump_hands_out_static_references() {
    static BUMP: StaticBump<1_000> = StaticBump::new();
    let name: &'static mut str = BUMP.alloc_str("Ada").unwrap();
    name.make_ascii_uppercase();
    assert_eq!(thread::spawn(|| BUMP.alloc(7u64).unwrap()).join().unwrap(), &7);
    assert_eq!((&*name, BUMP.capacity()), ("ADA", 1_000));
    assert_eq!(StaticBump::<10>::default().capacity(), 10);
}

#[test]
fn borrowed_bytes_may_begin_anywhere() {
    let mut bytes = Box::<[u8]>::new_uninit_slice(80_000);
    for start in (0..70).step_by(if cfg!(miri) { 23 } else { 1 }) {
        for len in [40, 4_000, if cfg!(miri) { 7_000 } else { 70_000 }] {
            let bump = AtomicBump::in_bytes(&mut bytes[start..start + len]).unwrap();
            // Takes a large part of the bytes at once.
            let first = bump.alloc_uninit_slice::<u32>(len / 5).unwrap();
            assert_eq!(first.as_ptr().addr() % 4, 0);
            let mut count = len / 5;
            while let Ok(value) = bump.alloc(count as u32) {
                assert_eq!((*value, core::ptr::from_ref(value).addr() % 4), (count as u32, 0));
                count += 1;
            }
            assert!(4 * count + 8 > bump.capacity());
        }
    }
}

#[test]
fn borrowed_bytes_are_the_callers_again() {
    let mut bytes = [MaybeUninit::new(0u8); 100];
    AtomicBump::in_bytes(&mut bytes).unwrap().alloc_slice_copy(&[7u8; 100]).unwrap();
    // SAFETY: all bytes were initialised above, and the bump has only overwritten them.
    assert!(bytes.iter().all(|byte| unsafe { byte.assume_init() } == 7));
}

#[test]
fn traits_do_not_depend_on_what_is_stored() {
    fn shared<T: Send + Sync + UnwindSafe + RefUnwindSafe + fmt::Debug>(_: &T) {}
    fn sent<T: Send + fmt::Debug>(_: &T) {}
    everywhere!(|bump| {
        shared(bump);
        sent(&bump.local());
        // This value is not `Send`. The bump does not drop it, so the test uses a pointer that owns
        // nothing.
        bump.alloc(std::ptr::null::<u8>()).unwrap();
        // This value is not `Sync`.
        bump.alloc(Cell::new(&0)).unwrap();
        assert!(format!("{bump:?}").starts_with("AtomicBump { capacity: "));
    });
    let bump = AtomicBump::with_capacity(1_000);
    assert_eq!(format!("{bump:?}"), "AtomicBump { capacity: 1000, used: 0, .. }");
    assert_eq!(format!("{:?}", bump.local()), "LocalBump { unused: 0, .. }");
    fn covers<'a: 'b, 'b>(local: LocalBump<'a>) -> LocalBump<'b> {
        local
    }
    drop(covers(bump.local()));
}

#[test]
fn values_may_refer_to_each_other() {
    struct Node<'a> {
        next: Cell<Option<&'a Node<'a>>>,
    }
    let bump = AtomicBump::with_capacity(LARGE);
    let a: &Node<'_> = bump.alloc(Node { next: Cell::new(None) }).unwrap();
    let b: &Node<'_> = bump.alloc(Node { next: Cell::new(Some(a)) }).unwrap();
    a.next.set(Some(b));
    assert!(core::ptr::eq(a.next.get().unwrap().next.get().unwrap(), a));
}

#[test]
fn threads_share_every_last_value() {
    const SIZE: usize = 24;
    for capacity in [100, 10_000, 64 << 10, LARGE] {
        for threads in [2, 5] {
            let bump = AtomicBump::with_capacity(capacity);
            // Miri is slow, so most bytes are taken in advance.
            let before = if cfg!(miri) { capacity.saturating_sub(1_000) } else { 0 };
            bump.alloc_uninit_slice::<u8>(before).unwrap();
            let left = bump.remaining();
            let count = AtomicUsize::new(0);
            thread::scope(|scope| {
                for id in 0..threads as u64 {
                    let (bump, count) = (&bump, &count);
                    scope.spawn(move || {
                        let mut mine = Vec::new();
                        while let Ok(value) = bump.alloc([id; SIZE / 8]) {
                            mine.push(value);
                        }
                        assert!(mine.iter().all(|value| **value == [id; SIZE / 8]));
                        count.fetch_add(mine.len(), Ordering::Relaxed);
                    });
                }
            });
            // Each thread has stored values until it was refused, and no call is in progress any
            // more. So there is no room now.
            assert!(bump.alloc([0u64; SIZE / 8]).is_err());
            let count = count.into_inner();
            assert!(before + SIZE * count <= bump.used() && bump.used() <= capacity);
            // At the end of each run, a rest that is too short for a value may remain.
            let room = left.saturating_sub(SIZE * threads);
            assert!(SIZE * count * 10 >= room * 6, "{count} values in {room} bytes");
            assert_eq!(bump.used() + bump.remaining(), capacity);
        }
    }
}

#[test]
fn long_padding_can_be_allocated() {
    let bump = AtomicBump::with_capacity(LARGE);
    bump.alloc(1u8).unwrap();
    let layout = Layout::from_size_align(1024, 1024).unwrap();
    bump.alloc_layout(layout).unwrap();
    // If the bump has shards with several gaps for returned bytes, less than a line of 64 bytes is
    // lost.
    let gaps = cfg!(all(feature = "std", target_pointer_width = "64")) && !SHARDS_FORCED;
    let lost = bump.used() - 1 - 1024;
    assert!(lost < if gaps { 64 } else { 1024 }, "{lost}");
}

#[test]
fn threads_mix_sizes_and_alignments() {
    let bump = AtomicBump::with_capacity(LARGE);
    let rounds = if cfg!(miri) { 10 } else { 500 };
    thread::scope(|scope| {
        for id in 1..=4u8 {
            let bump = &bump;
            scope.spawn(move || {
                let mut local = bump.local();
                let mut texts: Vec<&mut [u8]> = Vec::new();
                let mut pages: Vec<&mut u128> = Vec::new();
                for round in 0..rounds {
                    texts.push(bump.alloc_slice_copy(&vec![id; round % 50]).unwrap());
                    pages.push(bump.alloc(u128::from(id)).unwrap());
                    texts.push(local.alloc_slice_copy(&vec![id; round % 90]).unwrap());
                    assert!(bump.alloc_try_with(|| Err::<[u8; 100], _>(())).unwrap().is_err());
                    assert!(bump.used() <= bump.capacity() && bump.high_water() <= bump.capacity());
                }
                assert!(texts.iter().all(|text| text.iter().all(|&byte| byte == id)));
                assert!(pages.iter().all(|page| **page == u128::from(id)));
            });
        }
    });
}

#[test]
fn a_refused_request_leaves_the_budget_unchanged() {
    everywhere!(|bump| {
        bump.alloc(1u64).unwrap();
        let before = (bump.used(), bump.high_water());
        for _ in 0..10 {
            assert!(bump.alloc_uninit_slice::<u8>(bump.capacity()).is_err());
            assert!(bump.local().alloc_uninit_slice::<u8>(bump.capacity()).is_err());
        }
        assert_eq!((bump.used(), bump.high_water()), before);
    });
}

#[test]
fn full_is_an_ordinary_error() {
    fn store(bump: &AtomicBump) -> Result<usize, Box<dyn std::error::Error + '_>> {
        let local = "borrowed".to_owned();
        Ok(bump.alloc(&*local).map_err(Full::discard)?.len())
    }
    assert_eq!(store(&AtomicBump::with_capacity(100)).unwrap(), 8);
    assert!(store(&AtomicBump::with_capacity(1)).is_err());
}

#[cfg(all(feature = "mapped", not(miri)))]
mod mapped {
    use atomicarena::{AtomicBump, CapacityError, HugePages, MapError, MappedBump};

    #[test]
    fn a_mapped_bump_may_be_larger_than_the_memory_and_is_returned() {
        // On 64-bit targets this is more memory than many machines have.
        let large = 1 << if cfg!(target_pointer_width = "64") { 34 } else { 28 };
        for capacity in [4_000, large] {
            let mut bump: MappedBump = AtomicBump::mapped(capacity).build().unwrap();
            for round in 1..4u8 {
                let bytes = bump.alloc_slice_with(3_000, |_| round).unwrap();
                assert_eq!(bytes, [round; 3_000]);
                bump.local().alloc(7u64).unwrap();
                bump.reset_decommit().unwrap();
                assert_eq!((bump.used(), bump.capacity().min(4_000)), (0, 4_000));
                assert!(bump.high_water() >= 3_000);
                let bytes = bump.alloc_uninit_slice::<u8>(3_000).unwrap();
                // SAFETY: `reset_decommit` has returned the pages, so these are new ones, which the
                // operating system has zeroed.
                assert!(bytes.iter().all(|byte| unsafe { byte.assume_init() } == 0));
                bump.reset();
            }
        }
    }

    #[test]
    fn the_builder_grants_or_refuses() {
        let zero = AtomicBump::mapped(0).build().unwrap_err();
        assert_eq!(zero, MapError::Capacity(CapacityError::Zero));
        let huge = AtomicBump::mapped(usize::MAX).build().unwrap_err();
        assert_eq!(huge, MapError::Capacity(CapacityError::TooLarge { capacity: usize::MAX, slot_size: 1 }));
        let mut calls = 0;
        let bump = AtomicBump::mapped(1 << 20)
            .huge_pages(HugePages::Explicit)
            .on_prefault(|done, total| {
                assert!(done <= total);
                calls += 1;
            })
            .allow_fallback(true)
            .build()
            .unwrap();
        assert!(!bump.is_locked() && bump.alloc(1u8).is_ok());
        assert_eq!(calls, 1);
        let builder = AtomicBump::mapped(1 << 20).prefault(true).lock_in_ram(false);
        assert!(format!("{builder:?}").starts_with("BumpMapBuilder("));
        assert_eq!(builder.build().unwrap().huge_pages(), None);
    }
}
