//! Differences between the kinds of memory: refusals, and effects that the operating system
//! reports.
//!
//! A test that changes its process (limits, user) or counts resources of the whole process runs in
//! a child process. The child is this binary again, with a single test. On Linux the tests read
//! `/proc` and call `getrusage`.

use std::mem::MaybeUninit;

use atomicarena::{AtomicArena, CapacityError};

use crate::payload::{SMALLEST_WITH_TAIL, scaled, size_with_tail};

/// Returns the number of slots that fit in `len` bytes from address `base`, by trying every number.
fn most_slots(base: usize, len: usize, size: usize, align: usize) -> usize {
    let fits = |slots: usize| {
        let behind_stamps = (base + slots).next_multiple_of(align) + slots * size;
        let before_stamps = base.next_multiple_of(align) + slots * (size + 1);
        behind_stamps.min(before_stamps) <= base + len
    };
    (0..=len).rev().find(|&slots| fits(slots)).unwrap_or(0)
}

/// For byte ranges of every length at every distance from an aligned address, checks that the arena
/// has as many slots as fit, and that it writes nothing outside the range.
fn every_stretch<T: Copy + PartialEq + Sync>(value: T) {
    #[repr(align(64))]
    struct Area([MaybeUninit<u8>; SIZE]);
    const SIZE: usize = scaled(256, 64);
    let step = scaled(1, 3);
    for first in (0..17).step_by(step) {
        for len in (0..scaled(160, 40)).step_by(step) {
            let mut area = Area([MaybeUninit::new(0xa5); SIZE]);
            let base = area.0[first..].as_ptr().addr();
            let slots = most_slots(base, len, size_of::<T>(), align_of::<T>());
            match AtomicArena::<T, _>::in_bytes(&mut area.0[first..first + len]) {
                Err(error) => assert_eq!((slots, error), (0, CapacityError::Zero), "{len} bytes from {first}"),
                Ok(mut arena) => {
                    assert_eq!(arena.capacity(), slots, "{len} bytes from {first}");
                    let lies = arena.fill_with(|_| value).as_ptr().addr();
                    arena.publish_all();
                    assert!(arena.as_mut_slice().unwrap().iter().all(|&stored| stored == value));
                    assert!(lies % align_of::<T>() == 0 && lies >= base);
                    assert!(lies + slots * size_of::<T>() <= base + len);
                }
            }
            for (index, byte) in area.0.iter().enumerate() {
                if !(first..first + len).contains(&index) {
                    // SAFETY: the byte was initialised, and lies outside the arena.
                    assert_eq!(unsafe { byte.assume_init() }, 0xa5, "byte {index}, beside {len} from {first}");
                }
            }
        }
    }
}

#[test]
fn bytes_of_every_length_and_alignment() {
    every_stretch(0x11_u8);
    every_stretch([0x22_u8; 3]);
    every_stretch(0x3333_u16);
    every_stretch(0x4444_4444_4444_4444_u64);
    every_stretch(0x5555_u128);
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(32))]
    struct Wide(u8);
    every_stretch(Wide(6));
}

#[test]
fn one_byte_too_few() {
    // Like a `u64` on a target that aligns it to its size.
    #[repr(align(8))]
    struct Eight(#[expect(dead_code)] [u8; 8]);
    #[repr(align(8))]
    struct Area([MaybeUninit<u8>; 32]);
    let mut area = Area([MaybeUninit::uninit(); 32]);
    assert_eq!(AtomicArena::<Eight, _>::in_bytes(&mut []).unwrap_err(), CapacityError::Zero);
    assert_eq!(AtomicArena::<Eight, _>::in_bytes(&mut area.0[..8]).unwrap_err(), CapacityError::Zero);
    assert_eq!(AtomicArena::<Eight, _>::in_bytes(&mut area.0[..9]).unwrap().capacity(), 1);
    // One byte past an aligned address, the stamp precedes the slot, with six bytes of padding.
    assert_eq!(AtomicArena::<Eight, _>::in_bytes(&mut area.0[1..15]).unwrap_err(), CapacityError::Zero);
    assert_eq!(AtomicArena::<Eight, _>::in_bytes(&mut area.0[1..16]).unwrap().capacity(), 1);
    // A zero-sized value still takes one byte for its stamp.
    assert_eq!(AtomicArena::<(), _>::in_bytes(&mut []).unwrap_err(), CapacityError::Zero);
    assert_eq!(AtomicArena::<(), _>::in_bytes(&mut area.0[..3]).unwrap().capacity(), 3);
}

/// Checks that `bytes_for` is enough at every distance from an aligned address, and that it exceeds
/// the bytes of slots and stamps only by padding, shards and the summary.
fn bytes_are_enough<T>() {
    use atomicarena::BorrowedArena;
    let capacities: &[usize] =
        if cfg!(miri) { &[1, 2, 3, 9] } else { &[1, 2, 3, 7, 8, 9, 64, 999, 1023, 1024, 2047, 2048, 3000, 9000] };
    for &capacity in capacities {
        let bytes = BorrowedArena::<T>::bytes_for(capacity);
        let mut area = Box::<[u8]>::new_uninit_slice(bytes + 64);
        for first in 0..64 {
            let found = BorrowedArena::<T>::in_bytes(&mut area[first..first + bytes]).unwrap().capacity();
            assert!(found >= capacity, "{found} slots in {bytes} bytes from {first}, and not {capacity}");
        }
        let least = capacity * (size_of::<T>() + 1);
        // The tail contains the shards and the summary. The summary may be larger than this
        // capacity needs, because its size is computed for the number of slots that would fit if
        // there were no tail.
        let tail = if capacity < SMALLEST_WITH_TAIL { 0 } else { size_with_tail(capacity) + 128 };
        assert!((least..least + align_of::<T>() + tail).contains(&bytes), "{bytes} bytes for {capacity} slots");
    }
}

/// From a certain length on there is room for shards and a summary. The capacity at a length does
/// not depend on the features.
#[test]
fn bytes_around_the_smallest_capacity_with_a_tail() {
    const SLOTS: usize = SMALLEST_WITH_TAIL;
    let expected = |len: usize| {
        let tailed = (len - len.min(size_with_tail(len / 2))) / 2;
        if tailed >= SLOTS { tailed } else { (len / 2).min(SLOTS - 1) }
    };
    let first = 2 * SLOTS + size_with_tail(SLOTS);
    let step = if cfg!(miri) { 1_000 } else { 1 };
    let lengths = (2 * SLOTS - 4..2 * SLOTS).chain((2 * SLOTS..first + 200).step_by(step)).chain([first + 10_000]);
    let mut area = vec![MaybeUninit::new(0xa5); first + 10_001];
    for (at, len) in lengths.enumerate() {
        let (bytes, behind) = area[at % 2..].split_at_mut(len);
        let mut arena = AtomicArena::<u8, _>::in_bytes(bytes).unwrap();
        assert_eq!(arena.capacity(), expected(len), "{len} bytes");
        let stats = arena.stats();
        let tail = if arena.capacity() < SLOTS { 0 } else { size_with_tail(arena.capacity()) };
        assert_eq!(stats.bytes, size_of_val(&arena) + 2 * arena.capacity() + tail);
        assert!(2 * arena.capacity() + tail <= len);
        if len % 64 == 0 && !cfg!(miri) {
            // Every slot is usable, and slots that were returned are found again. (Under Miri this
            // would take minutes for each length.)
            let holes: Vec<_> = (0..SLOTS / 2).map(|_| arena.reserve(1).unwrap()).collect();
            arena.alloc_slice_copy(&vec![1; arena.remaining()]).unwrap();
            drop(holes);
            let found = (0..=SLOTS).take_while(|_| arena.alloc(2).is_ok()).count();
            assert_eq!(found, SLOTS / 2);
            arena.publish_all();
            assert!(arena.iter().map(|(index, _)| index).eq(0..arena.capacity()));
        }
        drop(arena);
        // SAFETY: the bytes were initialised, and lie outside the arena.
        assert!(behind.iter().all(|byte| unsafe { byte.assume_init() } == 0xa5), "{len} bytes");
        area.fill(MaybeUninit::new(0xa5));
    }
}

#[test]
fn bytes_for_a_capacity_are_enough_wherever_they_lie() {
    bytes_are_enough::<()>();
    bytes_are_enough::<u8>();
    bytes_are_enough::<[u8; 3]>();
    bytes_are_enough::<u16>();
    bytes_are_enough::<u64>();
    bytes_are_enough::<[u128; 3]>();
    #[repr(align(64))]
    struct Wide;
    bytes_are_enough::<Wide>();
    #[repr(align(32))]
    struct Padded(#[expect(dead_code)] u8);
    bytes_are_enough::<Padded>();
}

#[test]
fn bytes_for_a_capacity_beyond_the_address_space_are_refused() {
    use crate::payload::panic_of;
    use atomicarena::BorrowedArena;
    let limit = isize::MAX as usize;
    const IN_A_CONSTANT: [u8; BorrowedArena::<u64>::bytes_for(2)] = [0; BorrowedArena::<u64>::bytes_for(2)];
    assert_eq!(IN_A_CONSTANT.len(), 2 * 9 + align_of::<u64>() - 1);
    assert!(BorrowedArena::<u64>::bytes_for(limit / 10) <= limit);
    for capacity in [limit / 9 + 1, usize::MAX / 8, usize::MAX / 8 + 1, usize::MAX] {
        assert!(panic_of(|| _ = BorrowedArena::<u64>::bytes_for(capacity)).contains("exceeds the address space"));
    }
    assert!(BorrowedArena::<()>::bytes_for(limit / 2) <= limit);
    assert!(panic_of(|| _ = BorrowedArena::<()>::bytes_for(usize::MAX)).contains("exceeds the address space"));
}

#[test]
fn borrowed_bytes_are_usable_again_after_the_arena() {
    let mut bytes = [MaybeUninit::new(0_u8); 90];
    for _ in 0..2 {
        let arena = AtomicArena::<String, _>::in_bytes(&mut bytes).unwrap();
        arena.alloc("dropped with the arena".into()).unwrap();
    }
    bytes.fill(MaybeUninit::new(7));
}

#[test]
fn a_static_arena_returns_static_references() {
    use atomicarena::StaticArena;
    static NAMES: StaticArena<String, 4> = StaticArena::new();
    let (owned, published): (&'static mut String, &'static String) = std::thread::spawn(|| {
        let owned = NAMES.alloc("owned".into()).unwrap();
        (owned, NAMES.publish("published".into()).unwrap().1)
    })
    .join()
    .unwrap();
    owned.push('!');
    assert_eq!((owned.as_str(), published.as_str(), NAMES.get(1)), ("owned!", "published", Some(published)));
    assert!(NAMES.alloc_array([const { String::new() }; 3]).is_err());
}

/// Except under Miri, the arena is many times larger than the stack of the thread.
#[test]
fn a_boxed_inline_arena_takes_no_stack() {
    use atomicarena::StaticArena;
    const SLOTS: usize = if cfg!(miri) { 1 << 8 } else { 1 << 22 };
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let thread = small.spawn(|| {
        let mut arena: Box<StaticArena<u64, SLOTS>> = StaticArena::new_boxed();
        assert_eq!((arena.capacity(), arena.count(), arena.stats().high_water), (SLOTS, 0, 0));
        assert!(arena.fill_with(|index| index as u64).iter().copied().eq(0..SLOTS as u64));
        arena.reset();
        assert!(arena.is_empty());
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_boxed_inline_arena_is_one_allocation_and_drops_its_values() {
    use crate::allocations::metered;
    use crate::payload::Ledger;
    use atomicarena::StaticArena;
    type Arena<T> = StaticArena<T, 8>;

    let ledger = Ledger::new();
    let (arena, meter) = metered(Arena::new_boxed);
    assert_eq!((meter.requests, meter.returns), (1, 0));
    assert_eq!(meter.plain_bytes + meter.zeroed_bytes, size_of_val(&*arena));
    arena.publish(ledger.value()).unwrap();
    arena.alloc(ledger.value()).unwrap();
    drop(arena);
    assert_eq!((ledger.dropped(), ledger.alive().len()), (2, 0));
    assert_eq!(metered(|| drop(Arena::<u64>::new_boxed())).1.returns, 1);
}

/// The allocator may return used memory. Every byte value except 0 is a stamp in some epoch.
#[test]
fn a_boxed_inline_arena_is_empty_whatever_its_memory_held() {
    use atomicarena::StaticArena;
    type Arena = StaticArena<usize, 50>;
    for byte in 0..=u8::MAX {
        let used: Vec<_> = (0..4)
            .map(|_| {
                let mut used = Box::<Arena>::new_uninit();
                // SAFETY: the box owns this memory, and any bytes may be written to a
                // `MaybeUninit`.
                unsafe { used.as_mut_ptr().write_bytes(byte, 1) };
                used
            })
            .collect();
        drop(used);
        let mut arena = Arena::new_boxed();
        for _ in 0..if cfg!(miri) { 2 } else { 60 } {
            assert_eq!((arena.index_bound(), arena.count_published(), arena.iter_mut().count()), (0, 0, 0));
            arena.alloc_slice_with(50, |index| index).unwrap();
            assert_eq!(arena.count_published(), 0);
            arena.reset();
        }
    }
}

#[cfg(all(feature = "mapped", not(miri)))]
mod mapped {
    use std::error::Error;

    use atomicarena::{AtomicArena, CapacityError, HugePages, MapError};

    use crate::payload::tail_size;

    #[test]
    fn impossible_capacities_are_refused() {
        let refused = |capacity| AtomicArena::<u64, _>::mapped(capacity).allow_fallback(true).build().unwrap_err();
        assert_eq!(refused(0), MapError::Capacity(CapacityError::Zero));
        for capacity in [usize::MAX, isize::MAX as usize / 8, isize::MAX as usize / 9 + 1] {
            let too_large = CapacityError::TooLarge { capacity, slot_size: 8 };
            assert_eq!(refused(capacity), MapError::Capacity(too_large));
        }
    }

    #[test]
    fn a_reporter_that_follows_sources_prints_no_text_twice() {
        let error = AtomicArena::<u64, _>::mapped(0).build().unwrap_err();
        let chain = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
        let texts: Vec<_> = chain.map(|error| error.to_string()).collect();
        assert_eq!(texts, [CapacityError::Zero.to_string()]);
    }

    #[test]
    fn a_refusal_names_the_request_and_the_remedy() {
        let (bytes, os_error) = (4096, Some(12));
        for (error, change) in [
            (MapError::AddressSpace { bytes, os_error }, "ulimit -v"),
            (MapError::TransparentHugePages { bytes, os_error }, "transparent_hugepage/enabled"),
            (MapError::ExplicitHugePages { bytes, os_error }, "vm.nr_hugepages"),
            (MapError::Lock { bytes, os_error }, "ulimit -l"),
            (MapError::Decommit { bytes, os_error }, "drop the arena"),
        ] {
            let text = error.to_string();
            assert!(text.contains("4096 bytes") && text.contains(change) && text.contains("os error 12"), "{text}");
            assert!(error.source().is_none());
        }
        let text = MapError::Lock { bytes, os_error: None }.to_string();
        assert!(!text.contains('(') || !text.contains("os error"), "{text}");
    }

    #[test]
    fn prefaulting_reports_its_progress() {
        let mut said = Vec::new();
        let all = 9 * (5 << 20) + tail_size(5 << 20);
        let arena = AtomicArena::<u64, _>::mapped(5 << 20).on_prefault(|done, of| said.push((done, of))).build();
        assert_eq!(arena.unwrap().capacity(), 5 << 20);
        assert_eq!(said, [(16 << 20, all), (32 << 20, all), (all, all)]);
    }

    #[test]
    fn prefaulting_a_single_byte_and_zero_sized_values() {
        assert!(AtomicArena::<(), _>::mapped(1).prefault(true).build().unwrap().alloc(()).is_ok());
        let mut arena = AtomicArena::<u8, _>::mapped(4096).prefault(true).build().unwrap();
        assert_eq!(arena.fill_with(|_| 1).len(), 4096);
        arena.publish_all();
        assert_eq!(arena.iter().count(), 4096);
    }

    #[test]
    fn reset_decommit_empties_and_drops_in_every_epoch() {
        use crate::payload::{Ledger, panic_of};
        let ledger = Ledger::new();
        let mut arena = AtomicArena::mapped(100).build().unwrap();
        for round in 0..200 {
            for _ in 0..10 {
                arena.publish(ledger.value()).unwrap();
            }
            std::mem::forget(arena.reserve(3).unwrap());
            if round % 7 == 0 {
                arena.reset_decommit().unwrap()
            } else {
                arena.reset()
            }
            assert_eq!((arena.index_bound(), arena.iter().count(), ledger.alive().len()), (0, 0, 0));
        }
        arena.publish(ledger.bomb()).unwrap();
        arena.publish(ledger.value()).unwrap();
        assert!(panic_of(|| arena.reset_decommit().unwrap()).starts_with("bomb"));
        assert_eq!((arena.count(), ledger.alive().len()), (0, 0));
        assert_eq!(arena.publish(ledger.value()).unwrap().0, 0);
    }

    #[test]
    fn an_arena_may_hold_references_into_itself() {
        use std::cell::Cell;
        struct Node<'a>(Cell<Option<&'a Node<'a>>>);
        let arena = AtomicArena::mapped(2).build().unwrap();
        let a: &Node<'_> = arena.alloc(Node(Cell::new(None))).unwrap();
        a.0.set(Some(arena.alloc(Node(Cell::new(Some(a)))).unwrap()));
        assert!(a.0.get().unwrap().0.get().is_some());
    }

    #[test]
    fn debug_shows_the_options() {
        let builder = AtomicArena::<u8, _>::mapped(7).huge_pages(HugePages::Explicit);
        let text = format!("{builder:?}");
        assert!(text.contains("capacity: 7") && text.contains("Explicit"), "{text}");
    }

    #[cfg(target_os = "linux")]
    mod linux {
        use std::fs;
        use std::process::Command;

        use atomicarena::{AtomicArena, CapacityError, HugePages, MapError, Mapped};
        use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
        use nix::unistd::{Uid, setuid};

        use crate::allocations::metered;
        use crate::payload::tail_size;

        const MIB: usize = 1 << 20;

        /// A capacity for values of 8 bytes. On 32-bit targets the slots take an eighth of the
        /// address space. On 64-bit targets they take 1 TiB, which is more than any machine
        /// reserves for huge pages.
        const MANY: usize = if cfg!(target_pointer_width = "64") { 1 << 37 } else { 1 << 26 };

        /// The environment variable that names the test for a child process.
        const CHILD: &str = "ATOMICARENA_TEST_MEMORY_CHILD";

        /// Runs `f`, which must succeed, in a child process. `test` is the name of the calling
        /// test.
        fn in_child(test: &str, f: impl FnOnce()) {
            let test = format!("memory::mapped::linux::{test}");
            if std::env::var_os(CHILD).is_some_and(|child| *child == *test) {
                return f();
            }
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &test, "--nocapture", "--test-threads=1"])
                .env(CHILD, &test)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && said.contains("1 passed"), "{child:?}");
        }

        /// Returns the number after a key in a file of `/proc`, in the unit that the file uses.
        fn number(path: &str, key: &str) -> usize {
            let text = fs::read_to_string(path).unwrap();
            let rest = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            let rest = rest.trim_start_matches([':', ' ', '\t']);
            rest.split_whitespace().next().unwrap().parse().unwrap()
        }

        fn page_size() -> usize {
            number("/proc/self/smaps", "KernelPageSize") << 10
        }

        /// Returns the number of resident bytes. Pages of files do not count, because code is
        /// loaded as it is used.
        fn resident() -> usize {
            let text = fs::read_to_string("/proc/self/statm").unwrap();
            let pages: Vec<usize> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
            (pages[1] - pages[2]) * page_size()
        }

        fn locked() -> usize {
            number("/proc/self/status", "VmLck") << 10
        }

        fn assert_near(what: &str, found: usize, expected: usize) {
            assert!(found.abs_diff(expected) <= MIB, "{what}: {found} bytes, not about {expected}");
        }

        // ---- refused requests

        #[test]
        fn address_space_is_refused() {
            in_child("address_space_is_refused", || {
                let limit = ((number("/proc/self/status", "VmSize") << 10) + 64 * MIB).try_into().unwrap();
                setrlimit(Resource::RLIMIT_AS, limit, limit).unwrap();
                let all = 9 * MANY + tail_size(MANY);
                for builder in [AtomicArena::<u64, _>::mapped(MANY), AtomicArena::mapped(MANY).allow_fallback(true)] {
                    let error = builder.build().unwrap_err();
                    let MapError::AddressSpace { bytes, os_error } = error else { panic!("{error}") };
                    assert_eq!((bytes, os_error), (all, Some(nix::errno::Errno::ENOMEM as i32)));
                    assert!(error.to_string().contains(&format!("{all} bytes of address space")), "{error}");
                }
                let error = AtomicArena::<u64>::try_with_capacity(MANY).unwrap_err();
                assert_eq!(error, CapacityError::OutOfMemory { bytes: 8 * MANY });
                // A smaller request is granted. The arena can be decommitted and used again,
                // although a second mapping would not fit.
                let mut arena = AtomicArena::<u64, _>::mapped(5 << 20).build().unwrap();
                for _ in 0..3 {
                    arena.alloc(1).unwrap();
                    arena.reset_decommit().unwrap();
                }
            });
        }

        #[test]
        fn the_lock_is_refused() {
            in_child("the_lock_is_refused", || {
                if Uid::effective().is_root() {
                    // An ordinary user has no capabilities.
                    setuid(Uid::from_raw(65_534)).unwrap();
                }
                let capabilities = fs::read_to_string("/proc/self/status").unwrap();
                let effective = capabilities.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
                let ipc_lock = 1 << 14;
                assert_eq!(u64::from_str_radix(effective.trim(), 16).unwrap() & ipc_lock, 0);
                setrlimit(Resource::RLIMIT_MEMLOCK, 64 << 10, 64 << 10).unwrap();

                let builder = || AtomicArena::<u64, _>::mapped(MIB).lock_in_ram(true);
                let error = builder().build().unwrap_err();
                let MapError::Lock { bytes, os_error } = error else { panic!("{error}") };
                assert_eq!((bytes / MIB, os_error), (9, Some(nix::errno::Errno::ENOMEM as i32)));
                assert!(error.to_string().contains("ulimit -l"), "{error}");
                assert_eq!(locked(), 0, "memory was left locked");

                let arena = builder().allow_fallback(true).build().unwrap();
                assert_eq!((arena.is_locked(), arena.alloc(1).is_ok()), (false, true));
                let small = AtomicArena::<u64, _>::mapped(1000).lock_in_ram(true).build().unwrap();
                assert_eq!((small.is_locked(), locked()), (true, 3 * page_size()));
            });
        }

        #[test]
        fn explicit_huge_pages_are_refused() {
            let builder = || AtomicArena::<u64, _>::mapped(MANY).huge_pages(HugePages::Explicit);
            let error = builder().build().unwrap_err();
            let MapError::ExplicitHugePages { bytes, os_error } = error else { panic!("{error}") };
            let all = 9 * MANY + tail_size(MANY);
            assert_eq!((bytes, os_error.is_some()), (all.next_multiple_of(2 * MIB), true));
            assert!(error.to_string().contains("vm.nr_hugepages"), "{error}");
            let arena = builder().allow_fallback(true).build().unwrap();
            assert_eq!((arena.huge_pages(), arena.alloc(1).is_ok()), (None, true));
        }

        // ---- granted requests

        #[test]
        fn explicit_huge_pages_are_used_if_there_are_some() {
            let free = number("/proc/meminfo", "HugePages_Free");
            if number("/proc/meminfo", "Hugepagesize") != 2048 || free < 4 {
                println!("skipped: no huge pages of 2 MiB are set aside (vm.nr_hugepages)");
                return;
            }
            let builder = AtomicArena::<u64, _>::mapped(MIB / 2).huge_pages(HugePages::Explicit);
            let mut arena = builder.build().unwrap();
            for _ in 0..3 {
                assert_eq!(arena.fill_with(|index| index as u64).len(), MIB / 2);
                arena.publish_all();
                assert_eq!(number("/proc/meminfo", "HugePages_Free"), free - 3);
                arena.reset_decommit().unwrap();
                assert_eq!(number("/proc/meminfo", "HugePages_Free"), free);
            }
            assert_eq!(arena.huge_pages(), Some(HugePages::Explicit));
        }

        #[test]
        fn transparent_huge_pages_are_requested_or_refused() {
            let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or("[never]".into());
            let built = AtomicArena::<u64, _>::mapped(MIB).huge_pages(HugePages::Transparent).build();
            if setting.contains("[never]") {
                assert!(matches!(built, Err(MapError::TransparentHugePages { .. })), "{built:?}");
                return;
            }
            let arena = built.unwrap();
            assert_eq!(arena.huge_pages(), Some(HugePages::Transparent));
            let first = &raw const *arena.alloc(1).unwrap();
            assert_eq!(first.addr() % (2 * MIB), 0, "the slots do not begin at the boundary of a huge page");
            // The flags of the arena's mapping contain `hg`, which shows that huge pages were
            // requested with `madvise`.
            let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
            let mut inside = false;
            let flags = smaps.lines().find_map(|line| {
                if let Some((from, to)) = line.split_once(' ').and_then(|(range, _)| range.split_once('-')) {
                    let address = |text| usize::from_str_radix(text, 16);
                    if let (Ok(from), Ok(to)) = (address(from), address(to)) {
                        inside = (from..to).contains(&first.addr());
                    }
                }
                line.strip_prefix("VmFlags:").filter(|_| inside)
            });
            assert!(flags.unwrap().split(' ').any(|flag| flag == "hg"), "{flags:?}");
        }

        #[test]
        fn locked_memory_stays_in_ram() {
            in_child("locked_memory_stays_in_ram", || {
                let built = AtomicArena::<u64, _>::mapped(MIB).lock_in_ram(true).build();
                let Ok(mut arena) = built else {
                    println!("skipped: {}", built.unwrap_err());
                    return;
                };
                assert_eq!((arena.is_locked(), locked() / MIB), (true, 9));
                assert!(resident() >= 9 * MIB);
                arena.alloc(1).unwrap();
                arena.reset_decommit().unwrap();
                assert_eq!((arena.is_locked(), locked(), arena.alloc(1).is_ok()), (false, 0, true));
            });
        }

        // ---- effects that the system reports

        #[cfg(target_pointer_width = "64")]
        #[test]
        fn a_capacity_of_a_billion_slots_costs_nothing() {
            in_child("a_capacity_of_a_billion_slots_costs_nothing", || {
                let before = resident();
                // `in_order`, because with active shards each slot of a returned run is marked,
                // which would touch the pages of all its stamps.
                let arena = AtomicArena::<[u64; 64], _>::mapped(1 << 30).build().unwrap().in_order();
                assert_near("513 GiB, untouched", resident(), before);
                arena.publish([7; 64]).unwrap();
                // Touch the other end: reserve a run up to it, and write its last slot.
                let mut run = arena.reserve_up_to(usize::MAX);
                run.spare_capacity_mut().last_mut().unwrap().write([9; 64]);
                assert_eq!(run.first_index() + run.capacity(), 1 << 30);
                drop(run);
                assert_near("513 GiB, both ends touched", resident(), before);
                assert_eq!((arena.get(0), arena.remaining()), (Some(&[7; 64]), (1 << 30) - 1));
                drop(arena);
                // A thousand of these arenas exceed the address space, so each must have been
                // unmapped.
                for _ in 0..1000 {
                    AtomicArena::<[u64; 64], _>::mapped(1 << 30).build().unwrap().alloc([1; 64]).unwrap();
                }
            });
        }

        #[test]
        fn reset_decommit_returns_the_pages() {
            in_child("reset_decommit_returns_the_pages", || {
                let before = resident();
                let bytes = 9 * 8 * MIB;
                for prefault in [false, true] {
                    let mut arena = AtomicArena::<u64, _>::mapped(8 * MIB).prefault(prefault).build().unwrap();
                    for round in 0..3 {
                        arena.fill_with(|index| index as u64);
                        arena.publish_all();
                        let filled = resident();
                        assert_near("filled", filled, before + bytes);
                        arena.reset_decommit().unwrap();
                        let released = resident();
                        assert_near("released", released, before);
                        // No slot needs to be zeroed, and `reset_zeroed` finds this out without
                        // touching a page.
                        arena.reset_zeroed();
                        assert_near("zeroed", resident(), before);
                        println!("prefaulted {prefault}, round {round}: resident {filled}, released {released}");
                        // A reset returns no page.
                        arena.alloc_slice_copy(&[1; MIB]).unwrap();
                        arena.reset();
                        assert_near("reset", resident(), before + 8 * MIB);
                        arena.reset_decommit().unwrap();
                    }
                }
                assert_near("dropped", resident(), before);
            });
        }

        #[test]
        fn prefaulted_allocations_cause_no_fault_and_request_no_memory() {
            const COUNT: usize = 100_000;
            /// Allocates `COUNT` values and publishes `COUNT` values. Returns the numbers of page
            /// faults and of allocator requests of this thread.
            fn faults(arena: &AtomicArena<u64, Mapped<u64>>) -> (usize, usize) {
                let faults = || {
                    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
                    usize::try_from(usage.minor_page_faults() + usage.major_page_faults()).unwrap()
                };
                let before = faults();
                let (stored, meter) = metered(|| {
                    (0..COUNT as u64).filter(|&i| arena.alloc(i).is_ok() && arena.publish(i).is_ok()).count()
                });
                let faults = faults() - before;
                assert_eq!((stored, arena.count()), (COUNT, 2 * COUNT));
                (faults, meter.requests + meter.returns)
            }
            in_child("prefaulted_allocations_cause_no_fault_and_request_no_memory", || {
                // Not prefaulted, for comparison. This call also loads the code.
                let untouched = faults(&AtomicArena::mapped(2 * COUNT).build().unwrap());
                let pages = 9 * 2 * COUNT / page_size();
                assert!(untouched.0 >= pages / 2 && untouched.1 == 0, "{untouched:?}, {pages} pages");
                let prefaulted = faults(&AtomicArena::mapped(2 * COUNT).prefault(true).build().unwrap());
                assert_eq!(prefaulted, (0, 0));
                println!("faults, requests: untouched {untouched:?}, prefaulted {prefaulted:?}");
            });
        }
    }
}
