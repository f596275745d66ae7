//! Values of unusual types: zero-sized, over-aligned, uninhabited, boxed trait objects.

use std::convert::Infallible;

use atomicarena::AtomicArena;

use crate::payload::{Ledger, assert_room, fill_up, panic_of};

#[test]
fn zero_sized_values_are_counted_like_others() {
    let mut arena = AtomicArena::with_capacity(3);
    arena.alloc(()).unwrap();
    let (index, _) = arena.publish(()).unwrap();
    assert_eq!(index, 1);
    assert_eq!((arena.get(0), arena.get(1), arena.get(2)), (None, Some(&()), None));
    assert_room(&arena, 1, || ());
    assert_eq!(arena.iter().collect::<Vec<_>>(), [(1, &())]);
    assert_eq!(arena.get_slice(1..2).map(<[()]>::len), Some(1));
    assert_eq!(arena.as_mut_slice().map(|all| all.len()), Some(3));
    assert_eq!(arena.drain().count(), 3);
    arena.reset();
    assert_room(&arena, 3, || ());
}

#[test]
fn zero_sized_values_with_a_drop_are_dropped_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Token;
    impl Drop for Token {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut arena = AtomicArena::with_capacity(5);
    assert_eq!(fill_up(&arena, || Token), 5);
    arena.reset();
    assert_eq!(DROPS.load(Ordering::Relaxed), 5);
    assert_eq!(fill_up(&arena, || Token), 5);
    drop(arena.drain().take(2).collect::<Vec<_>>());
    assert_eq!(DROPS.load(Ordering::Relaxed), 10);
    arena.alloc(Token).unwrap();
    drop(arena);
    assert_eq!(DROPS.load(Ordering::Relaxed), 11);
}

#[test]
fn over_aligned_values_are_aligned() {
    fn check<T: Copy + Sync>(value: T) {
        let mut arena = AtomicArena::with_capacity(9);
        let at = |value: &T| assert_eq!(std::ptr::from_ref(value).addr() % align_of::<T>(), 0);
        at(arena.alloc(value).unwrap());
        at(arena.publish(value).unwrap().1);
        arena.alloc_slice_copy(&[value; 2]).unwrap().iter().for_each(at);
        let mut local = arena.local();
        at(local.alloc(value).unwrap());
        drop(local);
        let mut run = arena.reserve(2).unwrap();
        assert!(run.push(value).is_ok());
        at(&run[0]);
        at(&run.finish()[0]);
        assert_room(&arena, 3, || value);
        arena.iter_mut().for_each(|(_, value)| at(value));
    }
    #[derive(Clone, Copy)]
    #[repr(align(64))]
    struct Line(#[expect(dead_code)] u8);
    #[derive(Clone, Copy)]
    #[repr(align(4096))]
    struct Page(#[expect(dead_code)] u8);
    #[derive(Clone, Copy)]
    #[repr(align(4096))]
    struct Nothing;
    check(Line(1));
    check(Page(1));
    check(Nothing);
}

#[test]
fn empty_arrays_are_values() {
    let arena = AtomicArena::<[u64; 0]>::with_capacity(2);
    assert_eq!(arena.alloc([]).unwrap(), &[]);
    assert_eq!(arena.publish([]).unwrap(), (1, &[]));
    assert_eq!(arena.get(1), Some(&[]));
    assert!(arena.alloc([]).is_err());
    let strings = AtomicArena::<[String; 0]>::with_capacity(2);
    assert_room(&strings, 2, || []);
}

#[test]
fn an_arena_of_an_uninhabited_type_stays_empty() {
    enum Never {}
    let mut arena = AtomicArena::<Never>::with_capacity(3);
    let run = arena.reserve(3).unwrap();
    assert_eq!(run.finish().len(), 0);
    panic_of(|| _ = arena.alloc_with(|| panic!()));
    panic_of(|| _ = arena.publish_with(|_| panic!()));
    assert_eq!(arena.alloc_vec(Vec::new()).unwrap().len(), 0);
    assert!(arena.get(0).is_none() && arena.get_mut(0).is_none());
    assert_eq!((arena.iter().count(), arena.iter_mut().count(), arena.drain().count()), (0, 0, 0));
    arena.reset();
    arena.reset_zeroed();
    assert_eq!((arena.count(), arena.remaining()), (0, 3));
    assert_eq!(AtomicArena::<Infallible>::with_capacity(2).into_iter().count(), 0);
}

#[test]
fn boxed_trait_objects_keep_their_type() {
    let ledger = Ledger::new();
    let arena: AtomicArena<Box<dyn Fn() -> usize + '_>> = AtomicArena::with_capacity(2);
    let counted = Some(ledger.value());
    let a = arena.alloc(Box::new(move || counted.as_ref().unwrap().id + 1)).unwrap();
    let b = arena.alloc(Box::new(|| 7)).unwrap();
    assert_eq!((a(), b()), (1, 7));
    let refused = arena.alloc(Box::new(|| 9)).err().unwrap().into_inner();
    assert_eq!(refused(), 9);
    drop(arena);
    assert_eq!(ledger.dropped(), 1);
}
