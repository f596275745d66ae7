//! `Full`, `CapacityError` and `IndexError`.

use std::error::Error;

use atomicarena::{AtomicArena, CapacityError, Full, IndexError};

use crate::payload::runs_from_cursor;

struct Mute;

#[test]
fn full_shows_its_numbers_and_requires_nothing_of_the_value() {
    let arena = runs_from_cursor(AtomicArena::with_capacity(7));
    assert!(arena.alloc(Mute).is_ok() && arena.alloc(Mute).is_ok());
    let full = arena.alloc_vec((0..42).map(|_| Mute).collect()).err().unwrap();
    assert_eq!((full.requested(), full.remaining()), (42, 5));
    let (debug, display) = (format!("{full:?}"), full.to_string());
    for text in [&debug, &display] {
        assert!(text.contains("42") && text.contains('5'), "{text}");
    }
    assert!(debug.contains("Full"), "{debug}");
    assert_eq!(full.into_inner().len(), 42);
}

#[test]
fn full_is_an_error_for_every_value() {
    fn assert<E: Error>(_: &E) {}
    let arena = AtomicArena::with_capacity(1);
    assert!(arena.alloc(Mute).is_ok());
    let full = arena.alloc(Mute).err().unwrap();
    assert(&full);
    assert(&arena.alloc_with(|| Mute).map(|_| ()).unwrap_err());
}

#[test]
fn discard_drops_a_borrowed_value_and_keeps_the_numbers() {
    fn store(arena: &AtomicArena<&str>, text: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        // The value is borrowed, so an error that contains it does not fit in the `'static` error
        // that this function returns.
        let words: AtomicArena<&str> = AtomicArena::with_capacity(1);
        words.alloc(text).map_err(Full::discard)?;
        words.alloc(text).map_err(Full::discard)?;
        *arena.alloc("static").map_err(Full::discard)? = "other";
        Ok(())
    }
    let arena = AtomicArena::with_capacity(1);
    let error = store(&arena, &String::from("short")).unwrap_err();
    assert!(error.is::<Full<()>>());
    assert!(arena.is_empty());

    arena.alloc("first").unwrap();
    let full: Full<()> = arena.alloc("second").unwrap_err().discard();
    assert_eq!((full.requested(), full.remaining()), (1, 0));
}

#[test]
fn discard_drops_the_value() {
    let ledger = crate::payload::Ledger::new();
    let arena = AtomicArena::with_capacity(1);
    arena.alloc(ledger.value()).unwrap();
    let full = arena.alloc(ledger.value()).unwrap_err();
    assert_eq!(ledger.dropped(), 0);
    let _ = full.discard();
    assert_eq!(ledger.dropped(), 1);
}

#[test]
fn capacity_errors_show_their_numbers() {
    fn error<T>(capacity: usize) -> CapacityError {
        AtomicArena::<T>::try_with_capacity(capacity).map(|_| ()).unwrap_err()
    }
    let zero = error::<u64>(0);
    assert!(!format!("{zero:?}").is_empty());
    let large = error::<[u8; 24]>(usize::MAX);
    let text = large.to_string();
    assert!(text.contains(&usize::MAX.to_string()) && text.contains("24"), "{text}");
    let boxed: Box<dyn Error + Send + Sync> = large.into();
    assert!(boxed.is::<CapacityError>());
}

/// Arenas and pools share one error type, so each text must be true for both.
#[test]
fn a_capacity_error_is_true_of_arenas_and_of_pools() {
    let text = |error: CapacityError| error.to_string();
    assert_eq!(
        text(CapacityError::Zero),
        "an arena needs room for at least one slot, and a pool needs at least one arena"
    );
    assert_eq!(
        text(CapacityError::TooLarge { capacity: 1 << 30, slot_size: 104 }),
        "1073741824 slots of 104 bytes and their stamps of 1 byte each exceed the address space: \
         request a smaller capacity"
    );
    assert_eq!(
        text(CapacityError::OutOfMemory { bytes: 4096 }),
        "the allocator refused 4096 bytes: request a smaller arena or pool"
    );
}

#[test]
fn too_many_values_without_size_are_refused_because_of_their_stamps() {
    let error = AtomicArena::<()>::try_with_capacity(usize::MAX).unwrap_err();
    assert_eq!(error, CapacityError::TooLarge { capacity: usize::MAX, slot_size: 0 });
    assert!(error.to_string().contains("their stamps of 1 byte each exceed"), "{error}");
}

#[test]
fn an_index_error_names_the_index_and_the_reason() {
    let text = |error: IndexError| (&error as &dyn Error).to_string();
    assert_eq!(text(IndexError::NoValue { index: 3 }), "slot 3 holds no value");
    assert_eq!(text(IndexError::Duplicate { index: 3 }), "index 3 was given twice");
    let range = |capacity| text(IndexError::OutOfRange { index: 3, capacity });
    assert_eq!(range(2), "index 3 is out of range: the arena has 2 slots");
    assert_eq!(range(1), "index 3 is out of range: the arena has 1 slot");
}
