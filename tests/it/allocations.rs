//! Use of the allocator. No method of an existing arena requests memory, except `into_boxed_slice`,
//! `reset_decommit`, the methods of the feature `rayon`, and the call in which a thread gets its
//! number. If the allocator refuses a request of a constructor, the constructor reports it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use atomicarena::{AtomicArena, CapacityError};

use crate::payload::{cursor_after, punch_holes, scaled};

/// The allocator requests of one thread. Tests on other threads are not counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// Requests for memory, including refused ones.
    pub(crate) requests: usize,
    /// Deallocations.
    pub(crate) returns: usize,
    /// Bytes requested from `alloc`.
    pub(crate) plain_bytes: usize,
    /// Bytes requested from `alloc_zeroed`.
    pub(crate) zeroed_bytes: usize,
    /// Bytes of the last refused request.
    refused_bytes: usize,
}

struct Metered;

#[global_allocator]
static ALLOCATOR: Metered = Metered;

thread_local! {
    static METER: Cell<Meter> = const {
        Cell::new(Meter { requests: 0, returns: 0, plain_bytes: 0, zeroed_bytes: 0, refused_bytes: 0 })
    };
    /// The number of further requests to grant, or `None` to grant all.
    static GRANTED: Cell<Option<usize>> = const { Cell::new(None) };
}

fn note(f: impl FnOnce(&mut Meter)) {
    let mut meter = METER.get();
    f(&mut meter);
    METER.set(meter);
}

/// Decides whether a request for this number of bytes is granted.
fn granted(bytes: usize) -> bool {
    match GRANTED.get() {
        None => true,
        Some(0) => {
            note(|meter| meter.refused_bytes = bytes);
            false
        }
        Some(more) => {
            GRANTED.set(Some(more - 1));
            true
        }
    }
}

// SAFETY: every request is passed on unchanged to the system's allocator, or refused with null.
unsafe impl GlobalAlloc for Metered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(|meter| {
            meter.requests += 1;
            meter.plain_bytes += layout.size();
        });
        if !granted(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller meets the requirements of this method, and `System` has the same ones.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(|meter| {
            meter.requests += 1;
            meter.zeroed_bytes += layout.size();
        });
        if !granted(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller meets the requirements of this method, and `System` has the same ones.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(|meter| meter.requests += 1);
        if !granted(new_size) {
            return ptr::null_mut();
        }
        // SAFETY: the caller meets the requirements of this method, and `System` has the same ones.
        unsafe { System.realloc(old, layout, new_size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        note(|meter| meter.returns += 1);
        // SAFETY: the caller meets the requirements of this method, and `System` has the same ones.
        unsafe { System.dealloc(old, layout) }
    }
}

/// Runs `f`, and returns the allocator requests that this thread makes during the call.
pub(crate) fn metered<R>(f: impl FnOnce() -> R) -> (R, Meter) {
    METER.set(Meter::default());
    let result = f();
    (result, METER.get())
}

#[track_caller]
pub(crate) fn assert_no_request<R>(what: &str, f: impl FnOnce() -> R) -> R {
    let (result, meter) = metered(f);
    assert_eq!(meter.requests, 0, "{what} requested memory: {meter:?}");
    result
}

/// Runs `f` with an allocator that grants `requests` more requests and refuses all others.
pub(crate) fn short_of_memory<R>(requests: usize, f: impl FnOnce() -> R) -> (R, Meter) {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            GRANTED.set(None);
        }
    }
    let restore = Restore;
    GRANTED.set(Some(requests));
    let result = metered(f);
    drop(restore);
    result
}

#[test]
fn the_meter_counts() {
    let (_, meter) = metered(|| drop(Vec::<u64>::with_capacity(4)));
    assert_eq!((meter.requests, meter.returns, meter.plain_bytes), (1, 1, 32));
    let (_, meter) = metered(|| drop(vec![0_u64; 4]));
    assert_eq!((meter.requests, meter.zeroed_bytes), (1, 32));
    let (refused, _) = short_of_memory(0, || Vec::<u64>::new().try_reserve(4).is_err());
    assert!(refused);
}

// ---- no allocation after construction

#[test]
fn allocating_one_value_requests_no_memory() {
    let arena = AtomicArena::with_capacity(100);
    assert_no_request("alloc", || *arena.alloc(1_u64).unwrap());
    assert_no_request("alloc_with", || *arena.alloc_with(|| 2).unwrap());
    assert_no_request("publish", || arena.publish(3).unwrap().0);
    assert_no_request("publish_with", || arena.publish_with(|i| i as u64).unwrap().0);
}

#[test]
fn bulk_allocation_requests_no_memory() {
    let arena = AtomicArena::with_capacity(100);
    let values = vec![7_u8; 10];
    assert_no_request("alloc_slice_copy", || arena.alloc_slice_copy(&[1, 2]).unwrap().len());
    assert_no_request("alloc_slice_clone", || arena.alloc_slice_clone(&[1, 2]).unwrap().len());
    assert_no_request("alloc_slice_with", || arena.alloc_slice_with(5, |i| i as u8).unwrap().len());
    assert_no_request("alloc_from_iter", || arena.alloc_from_iter([1, 2, 3]).unwrap().len());
    assert_no_request("alloc_array", || arena.alloc_array([1, 2, 3]).unwrap().len());
    assert_no_request("alloc_str", || arena.alloc_str("text").unwrap().len());
    assert_no_request("alloc_prefix_clone", || arena.alloc_prefix_clone(&[1; 1000][..20]).len());
    let (_, meter) = metered(|| arena.alloc_vec(values).unwrap().len());
    assert_eq!((meter.requests, meter.returns), (0, 1), "requests, and returns of the vector's memory");
}

#[test]
fn a_reservation_requests_no_memory() {
    let arena = AtomicArena::with_capacity(100);
    assert_no_request("a reservation", || {
        let mut run = arena.reserve(10).unwrap();
        run.push(1).unwrap();
        run.fill_from_iter(0..5);
        run.pop();
        run.truncate(2);
        run.finish();
        let mut run = arena.reserve_up_to(10);
        run.fill_from_iter(0..5);
        run.publish();
        drop(arena.reserve(7));
        drop(arena.reserve_up_to(usize::MAX));
    });
    assert_eq!(arena.count(), 7);
}

#[test]
fn a_local_requests_no_memory() {
    let arena = AtomicArena::with_capacity(100);
    assert_no_request("a local", || {
        let mut local = arena.local();
        for i in 0..30 {
            local.alloc(i).unwrap();
            local.publish(i).unwrap();
        }
        drop(local);
        drop(arena.local_with_batch(5.try_into().unwrap()).alloc(0));
    });
}

#[test]
fn returned_and_vacant_slots_request_no_memory() {
    let arena = AtomicArena::with_capacity(32);
    punch_holes(&arena);
    assert_no_request("vacant slots", || {
        for _ in 0..3 {
            let runs = [(); 16].map(|()| arena.reserve(1).unwrap());
            drop(runs);
        }
        while arena.alloc(1).is_ok() {}
    });
    assert!(arena.is_full());
}

#[test]
fn a_refusal_requests_no_memory() {
    let arena = AtomicArena::with_capacity(3);
    arena.alloc_slice_copy(&[1_u8, 2, 3]).unwrap();
    let mut local = arena.local();
    assert_no_request("refusing", || {
        assert!(arena.alloc(1).is_err());
        assert!(arena.alloc_with(|| 1).is_err());
        assert!(arena.publish(1).is_err());
        assert!(arena.publish_with(|_| 1).is_err());
        assert!(arena.alloc_slice_copy(&[1; 4]).is_err());
        assert!(arena.alloc_from_iter([1; 4]).is_err());
        assert!(arena.alloc_str("text").is_err());
        assert!(arena.reserve(usize::MAX).is_err());
        assert!(local.alloc(1).is_err());
    });
}

#[test]
fn reading_requests_no_memory() {
    let mut arena = AtomicArena::with_capacity(10);
    for value in 0..6 {
        arena.publish(value).unwrap();
    }
    assert_no_request("reading", || {
        assert_eq!(arena.get(1), Some(&1));
        assert_eq!(arena.get_wrapping(12), Some(&2));
        assert_eq!(arena.get_slice(0..6).map(<[i32]>::len), Some(6));
        assert_eq!(arena.iter().count(), 6);
        assert_eq!(arena.index_of(arena.get(3).unwrap()), Some(3));
        assert_eq!((arena.count(), arena.remaining(), arena.index_bound()), (6, 4, cursor_after(6)));
        assert_eq!(arena.iter_mut().count(), 6);
        assert!(arena.get_mut(1).is_some());
    });
}

#[test]
fn exclusive_methods_request_no_memory() {
    let mut arena = AtomicArena::with_capacity(20);
    assert_no_request("exclusive methods", || {
        arena.alloc(1).unwrap();
        std::mem::forget(arena.reserve(2).unwrap());
        arena.alloc_array([1; 2]).unwrap();
        arena.publish_all();
        assert!(arena.as_mut_slice().is_none());
        assert_eq!(arena.fill_with(|_| 2).len(), 20);
        assert_eq!(arena.drain().count(), 20);
        assert_eq!(arena.fill_default().len(), 20);
    });
}

#[test]
fn reset_requests_no_memory_and_frees_none() {
    let mut arena = AtomicArena::with_capacity(20);
    let (_, meter) = metered(|| {
        for round in 0..scaled(600, 60) {
            arena.publish(round).unwrap();
            arena.alloc_slice_copy(&[1; 4]).unwrap();
            if round % 10 == 0 { arena.reset_zeroed() } else { arena.reset() }
        }
    });
    assert_eq!((meter.requests, meter.returns), (0, 0));
    let mut boxes = AtomicArena::with_capacity(5);
    for value in 0..5 {
        boxes.alloc(Box::new(value)).unwrap();
    }
    let (_, meter) = metered(|| boxes.reset());
    assert_eq!((meter.requests, meter.returns), (0, 5), "requests, and returns of the memory that the values own");
}

#[test]
fn into_iter_and_drop_request_no_memory_and_free_all() {
    let (arena, built) = metered(|| AtomicArena::with_capacity(5));
    arena.alloc(1).unwrap();
    let (_, meter) = metered(|| assert_eq!(arena.into_iter().count(), 1));
    assert_eq!((meter.requests, meter.returns), (0, built.requests));
    let (arena, built) = metered(|| AtomicArena::<u64>::with_capacity(5));
    let (_, meter) = metered(|| drop(arena));
    assert_eq!((meter.requests, meter.returns), (0, built.requests));
}

// ---- out of memory

#[track_caller]
fn assert_out_of_memory<T>(capacity: usize) {
    // Refuses the first request, then the second, and so on, until all are granted.
    for granted in 0..10 {
        let (arena, meter) = short_of_memory(granted, || AtomicArena::<T>::try_with_capacity(capacity));
        match arena {
            Ok(_) => {
                assert!(granted > 0, "an arena was built without memory");
                return;
            }
            Err(CapacityError::OutOfMemory { bytes }) => {
                assert_eq!(bytes, meter.refused_bytes, "with {granted} requests granted");
                assert_eq!(meter.returns, granted, "granted memory was not freed");
            }
            Err(other) => panic!("not OutOfMemory but {other}"),
        }
    }
    panic!("nine granted requests did not suffice for an arena");
}

#[test]
fn a_refused_allocation_is_an_error_with_the_bytes() {
    assert_out_of_memory::<u64>(1000);
    assert_out_of_memory::<u8>(1);
    assert_out_of_memory::<[u64; 100]>(50);
    assert_out_of_memory::<()>(1000);
}

#[test]
fn the_largest_arenas_are_out_of_memory_and_not_too_large() {
    for capacity in [isize::MAX as usize / 32, isize::MAX as usize / 16] {
        let (arena, _) = short_of_memory(0, || AtomicArena::<u64>::try_with_capacity(capacity));
        assert!(matches!(arena, Err(CapacityError::OutOfMemory { .. })), "{capacity}");
    }
}

#[test]
fn out_of_memory_reports_its_bytes() {
    let (arena, _) = short_of_memory(0, || AtomicArena::<u64>::try_with_capacity(1234));
    let error = arena.unwrap_err();
    let CapacityError::OutOfMemory { bytes } = error else { panic!("{error}") };
    assert!(bytes >= 1234, "{bytes}");
    assert!(error.to_string().contains(&bytes.to_string()), "{error}");
}

#[cfg(all(unix, not(miri)))]
#[test]
fn with_capacity_calls_handle_alloc_error() {
    let test = "allocations::with_capacity_calls_handle_alloc_error";
    let error = crate::payload::aborts(test, || {
        short_of_memory(0, || AtomicArena::<u64>::with_capacity(1000)).0.reset();
    });
    assert!(error.contains("memory allocation of"), "{error}");
}
