//! Real uses of collections in a bump: they grow, move between threads, and are dropped elsewhere.

use std::alloc::Layout;
use std::thread;

use atomicarena::AtomicBump;

const LARGE: usize = if cfg!(miri) { 64 << 10 } else { 1 << 20 };

/// Defines the same tests for each version of the trait `Allocator`.
macro_rules! collections {
    ($module:ident, $feature:literal, $crate_:ident) => {
        #[cfg(feature = $feature)]
        mod $module {
            use $crate_::alloc::Allocator;
            use $crate_::boxed::Box;
            use $crate_::vec::Vec;

            use super::*;

            #[test]
            fn a_vec_grows_in_place() {
                for capacity in [4_000, LARGE] {
                    let bump = AtomicBump::with_capacity(capacity);
                    let mut vec = Vec::new_in(&bump);
                    vec.push(0u32);
                    let first = vec.as_ptr();
                    (1..100).for_each(|i| vec.push(i));
                    // The vector grows in place: in a small bump at the cursor, and in a large one
                    // in the shard's run.
                    if !crate::payload::SHARDS_FORCED {
                        assert_eq!(vec.as_ptr(), first);
                    }
                    assert!(vec.iter().copied().eq(0..100));
                    vec.shrink_to_fit();
                    assert!(vec.iter().copied().eq(0..100));
                    if !crate::payload::SHARDS_FORCED {
                        assert_eq!(bump.used(), 400);
                    }
                    drop(vec);
                    if !crate::payload::SHARDS_FORCED {
                        assert_eq!(bump.used(), 0);
                    }
                }
            }

            #[test]
            fn boxes_are_freed_and_made_again() {
                let bump = AtomicBump::with_capacity(LARGE);
                for _ in 0..if cfg!(miri) { 100 } else { LARGE } {
                    assert_eq!(*Box::new_in([7u8; 100], &bump), [7; 100]);
                }
                // If shards are forced, a shard has only one gap besides its run. That gap records
                // the unused bytes of the box's last line of 64 bytes. When the box is freed, the
                // gap records the bytes of the box instead, and the unused bytes are lost.
                assert!(bump.used() == 0 || crate::payload::SHARDS_FORCED && bump.used() < 64);
                let texts = [Box::new_in(String::from("a"), &bump), Box::new_in(String::from("b"), &bump)];
                assert_eq!(*texts[0], "a"); // the boxes drop the strings, unlike the bump
                drop(Box::new_in((), &bump));
            }

            #[test]
            fn collections_are_sent_and_dropped_elsewhere() {
                let bump = AtomicBump::with_capacity(LARGE);
                let mut words: Vec<Vec<u8, _>, _> = Vec::new_in(&bump);
                thread::scope(|scope| {
                    let made = [1, 2, 3].map(|id| {
                        let bump = &bump;
                        scope.spawn(move || {
                            let mut word = Vec::new_in(bump);
                            (0..200).for_each(|_| word.push(id));
                            word
                        })
                    });
                    for word in made {
                        words.push(word.join().unwrap());
                    }
                });
                thread::scope(|scope| {
                    for word in words {
                        scope.spawn(move || {
                            let mut word = word;
                            let id = word[0];
                            (0..200).for_each(|_| word.push(id));
                            word.shrink_to_fit();
                            assert!(word.len() == 400 && word.iter().all(|&byte| byte == id));
                        });
                    }
                });
                assert!(bump.used() <= bump.capacity());
            }

            // Without shards, only a block at the cursor is reused.
            #[cfg(all(feature = "std", target_pointer_width = "64"))]
            #[test]
            fn a_freed_block_of_many_megabytes_is_reused() {
                let size = if cfg!(miri) { 1 << 20 } else { 30 << 20 };
                let bump = AtomicBump::with_capacity(size + size / 2);
                let first: Vec<u8, _> = Vec::with_capacity_in(size, &bump);
                let behind: Vec<u8, _> = Vec::with_capacity_in(100_000, &bump);
                let start = first.as_ptr();
                drop(first);
                assert_eq!(Vec::<u8, _>::with_capacity_in(size, &bump).as_ptr(), start);
                drop(behind);
            }

            #[test]
            fn a_refusal_leaves_the_block_intact() {
                for capacity in [1_000, LARGE] {
                    let bump = AtomicBump::with_capacity(capacity);
                    let mut vec: Vec<u64, _> = Vec::new_in(&bump);
                    vec.extend([1, 2, 3]);
                    let used = bump.used();
                    assert!(vec.try_reserve(capacity / 8).is_err());
                    assert!(vec.try_reserve(usize::MAX / 16).is_err());
                    assert_eq!((&vec[..], bump.used()), (&[1u64, 2, 3][..], used));
                    vec.push(4);
                    assert_eq!(vec, [1, 2, 3, 4]);
                }
            }

            #[test]
            fn alignments_sizes_and_zeros() {
                let bump = AtomicBump::with_capacity(LARGE);
                let layout = |size, align| Layout::from_size_align(size, align).unwrap();
                let allocator = &bump;
                let none = allocator.allocate(layout(0, 256)).unwrap().cast::<u8>();
                assert_eq!((none.addr().get() % 256, bump.used()), (0, 0));
                // SAFETY: each block was allocated by this bump with the given layout. A block is
                // not used after it was grown, shrunk or freed. Only bytes that were written are
                // read.
                unsafe {
                    let block = allocator.grow(none, layout(0, 256), layout(10, 2)).unwrap();
                    assert_eq!(block.len(), 10);
                    block.cast::<u8>().write_bytes(7, 10);
                    let block = allocator.grow_zeroed(block.cast(), layout(10, 2), layout(50, 512)).unwrap();
                    assert_eq!((block.len(), block.cast::<u8>().addr().get() % 512), (50, 0));
                    assert!((0..50).all(|i| block.cast::<u8>().add(i).read() == if i < 10 { 7 } else { 0 }));
                    let block = allocator.shrink(block.cast(), layout(50, 512), layout(9, 1024)).unwrap();
                    assert_eq!((block.len(), block.cast::<u8>().addr().get() % 1024), (9, 0));
                    assert!((0..9).all(|i| block.cast::<u8>().add(i).read() == 7));
                    let none = allocator.shrink(block.cast(), layout(9, 1024), layout(0, 4)).unwrap();
                    assert_eq!((none.len(), none.cast::<u8>().addr().get() % 4), (0, 0));
                    allocator.deallocate(none.cast(), layout(0, 4));
                    let zeroed = allocator.allocate_zeroed(layout(100, 1)).unwrap();
                    assert!((0..100).all(|i| zeroed.cast::<u8>().add(i).read() == 0));
                    let same = allocator.grow(zeroed.cast(), layout(100, 1), layout(100, 1)).unwrap();
                    assert_eq!(same.cast::<u8>(), zeroed.cast());
                    allocator.deallocate(same.cast(), layout(100, 1));
                }
            }

            #[test]
            fn a_long_vec_grows_at_the_cursor() {
                let bump = AtomicBump::with_capacity(1 << 20);
                bump.alloc(1u8).unwrap();
                let mut vec: Vec<u8, _> = Vec::with_capacity_in(128 << 10, &bump);
                let first = vec.as_ptr();
                vec.extend((0..if cfg!(miri) { 1_000 } else { 900 << 10 }).map(|i| i as u8));
                vec.reserve((900 << 10) - vec.len());
                assert!(vec.iter().enumerate().all(|(i, &byte)| byte == i as u8));
                assert_eq!(vec.as_ptr(), first);
                drop(vec);
                let all = bump.remaining();
                assert!(bump.alloc_uninit_slice::<u8>(all - (32 << 10)).is_ok());
            }
        }
    };
}

collections!(api2_02, "allocator-api2-02", allocator_api2_02);
collections!(api2_04, "allocator-api2-04", allocator_api2_04);

#[cfg(feature = "allocator-api2-02")]
mod maps {
    use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

    use super::*;

    #[test]
    fn maps_are_filled_by_threads_and_read_by_others() {
        let bump = AtomicBump::with_capacity(LARGE);
        let keys = if cfg!(miri) { 30 } else { 1_000 };
        let maps: Vec<HashMap<u32, &str, DefaultHashBuilder, &AtomicBump>> = thread::scope(|scope| {
            let made = [0, 1].map(|part| {
                let bump = &bump;
                scope.spawn(move || {
                    let mut map = HashMap::new_in(bump);
                    for key in (part..keys).step_by(2) {
                        map.insert(key, &*bump.alloc_fmt(format_args!("{key}")).unwrap());
                    }
                    map
                })
            });
            made.into_iter().map(|map| map.join().unwrap()).collect()
        });
        thread::scope(|scope| {
            for reader in 0..2 {
                let maps = &maps;
                scope.spawn(move || {
                    for key in 0..keys {
                        let owner = (key % 2) as usize;
                        assert_eq!(maps[owner].get(&key).copied(), Some(&*key.to_string()));
                        assert!(maps[1 - owner].get(&key).is_none(), "{reader}");
                    }
                });
            }
        });
        let mut maps = maps.into_iter();
        let (mut even, odd) = (maps.next().unwrap(), maps.next().unwrap());
        // A thread that did not create the map grows it.
        thread::scope(|scope| drop(scope.spawn(|| even.extend(odd))));
        assert_eq!(even.len(), keys as usize);
        even.retain(|&key, _| key < 10);
        even.shrink_to_fit();
        assert_eq!(even.len(), 10);
    }

    #[test]
    fn a_map_that_does_not_fit_is_refused() {
        let bump = AtomicBump::with_capacity(1_000);
        let mut set: HashSet<u64, DefaultHashBuilder, _> = HashSet::new_in(&bump);
        set.extend(0..3);
        assert!(set.try_reserve(1_000).is_err());
        assert_eq!(set.len(), 3);
        drop(set);
        assert!(bump.used() == 0 || crate::payload::SHARDS_FORCED && bump.used() < 64);
    }
}
