//! The table of the Go original: `Alloc`, `Reset`, `AppendSlice` of 1,000, and native allocations,
//! with sizes from 100 B to 1 GB.
//!
//! Three things differ on purpose. First, the benchmark `Reset` of the original fills the arena
//! once, and then resets it again and again. Here the arena is filled before each reset. Second, in
//! the original, other threads read during a reset. The compiler refuses this here, because `reset`
//! takes `&mut`. The counterpart is an arena behind an `RwLock`, whose readers come and go between
//! the resets. Third, the arena of each size holds as many values as fit in that number of bytes.
//! The original counts the bytes of the pointers to the values.

use std::{
    hint::black_box,
    mem::size_of,
    sync::{
        RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use atomicarena::AtomicArena;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main, measurement::WallTime};

const SIZES: [(&str, usize); 8] = [
    ("100 B", 100),
    ("1 KB", 1_000),
    ("10 KB", 10_000),
    ("100 KB", 100_000),
    ("1 MB", 1_000_000),
    ("10 MB", 10_000_000),
    ("100 MB", 100_000_000),
    ("1 GB", 1_000_000_000),
];

fn slots(bytes: usize) -> usize {
    bytes / size_of::<u64>()
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(10);
    group
}

/// Stores one value. If the arena is full, it is reset, as in the original. With a gigabyte, the
/// pages are new until the arena has been full once.
fn alloc(criterion: &mut Criterion) {
    let mut group = group(criterion, "alloc");
    for (name, bytes) in SIZES {
        let mut arena = AtomicArena::with_capacity(slots(bytes));
        let mut value = 0_u64;
        group.bench_function(BenchmarkId::new("AtomicArena::alloc", name), |bencher| {
            bencher.iter(|| {
                value += 1;
                if arena.alloc(value).is_err() {
                    arena.reset();
                }
            });
        });
        assert!(arena.iter_mut().all(|(_, stored)| *stored != 0));
    }
    group.bench_function("Box::new(u64)", |bencher| {
        bencher.iter(|| black_box(Box::new(black_box(7_u64))));
    });
}

/// Resets an arena that is filled again each time. The filling is not timed.
///
/// Arenas are filled and reset for a twentieth of a second, as many at once as fit in a gigabyte,
/// but at most 256. The time is then scaled to the requested number of resets, because filling the
/// large arenas so often would take hours. Reading the clock costs about 20 ns, which is part of
/// the result for the largest arena.
fn reset(criterion: &mut Criterion) {
    let mut group = group(criterion, "reset, filled each time");
    for (name, bytes) in SIZES {
        let many = (1_000_000_000 / bytes).clamp(1, 256);
        let mut arenas: Vec<_> = (0..many).map(|_| AtomicArena::<u64>::with_capacity(slots(bytes))).collect();
        group.bench_function(BenchmarkId::new("AtomicArena::reset", name), |bencher| {
            bencher.iter_custom(|asked| {
                let (begin, mut done, mut elapsed) = (Instant::now(), 0, Duration::ZERO);
                while done == 0 || (done < asked && begin.elapsed() < Duration::from_millis(50)) {
                    let arenas = &mut arenas[..many.min((asked - done) as usize)];
                    for arena in &mut *arenas {
                        black_box(arena.fill_with(|index| asked ^ index as u64));
                    }
                    let start = Instant::now();
                    for arena in &mut *arenas {
                        black_box(arena).reset();
                    }
                    elapsed += start.elapsed();
                    assert!(arenas.iter().all(AtomicArena::is_empty));
                    done += arenas.len() as u64;
                }
                elapsed.mul_f64(asked as f64 / done as f64)
            });
        });
    }
}

/// A reset and 1,000 values in bulk.
fn append_slice(criterion: &mut Criterion) {
    let mut group = group(criterion, "append a slice of 1,000");
    let values: Vec<u64> = (1..=1_000).collect();
    let mut arena = AtomicArena::with_capacity(1_000);
    group.bench_function("AtomicArena::alloc_slice_copy", |bencher| {
        bencher.iter(|| {
            arena.reset();
            black_box(arena.alloc_slice_copy(black_box(&values)).is_ok())
        });
    });
    assert_eq!(arena.as_mut_slice(), Some(values.clone()).as_deref_mut());
    let mut vec = Vec::with_capacity(1_000);
    group.bench_function("Vec::extend_from_slice", |bencher| {
        bencher.iter(|| {
            vec.clear();
            vec.extend_from_slice(black_box(&values));
            black_box(vec.as_mut_ptr());
        });
    });
    group.bench_function("<[u64]>::to_vec", |bencher| {
        bencher.iter(|| black_box(black_box(&values).to_vec()));
    });
}

/// A reset and 1,000 published values behind a lock, without a reader, and while another thread
/// reads when it can.
fn readers(criterion: &mut Criterion) {
    let mut group = group(criterion, "reset and 1,000 published, beside a reader");
    let lock = RwLock::new(AtomicArena::<u64>::with_capacity(1_000));
    let done = AtomicBool::new(false);
    let publish = || {
        let mut arena = lock.write().expect("no thread panicked");
        arena.reset();
        arena.fill_with(|index| index as u64);
        arena.publish_all();
    };
    group.bench_function("RwLock<AtomicArena>, no readers", |bencher| bencher.iter(publish));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let arena = lock.read().expect("no thread panicked");
                black_box(arena.iter().map(|(_, value)| *value).sum::<u64>());
            }
        });
        group.bench_function("RwLock<AtomicArena>, one reads", |bencher| bencher.iter(publish));
        done.store(true, Ordering::Relaxed);
    });
}

/// Zeroed blocks of each size: from the global allocator, and from an arena with room for a hundred
/// of them.
fn blocks(criterion: &mut Criterion) {
    let mut group = group(criterion, "a zeroed block");
    for (name, bytes) in SIZES {
        group.bench_function(BenchmarkId::new("vec![0; n]", name), |bencher| {
            bencher.iter(|| black_box(vec![0_u8; black_box(bytes)]));
        });
    }
    /// Measures a boxed array, and an array in an arena. Only for sizes up to 100 KB: larger arrays
    /// might not fit on the stack, on which they are built unless the compiler builds them in
    /// place.
    macro_rules! boxed {
        ($($name:literal $bytes:literal),*) => {$(
            group.bench_function(BenchmarkId::new("Box::new([0; N])", $name), |bencher| {
                bencher.iter(|| black_box(Box::new([0_u8; $bytes])));
            });
            let mut arena = AtomicArena::<[u8; $bytes]>::with_capacity(100);
            group.bench_function(BenchmarkId::new("alloc_with(|| [0; N])", $name), |bencher| {
                bencher.iter(|| {
                    if black_box(arena.alloc_with(|| [0; $bytes]).ok()).is_none() {
                        arena.reset();
                    }
                });
            });
        )*};
    }
    boxed!("100 B" 100, "1 KB" 1_000, "10 KB" 10_000, "100 KB" 100_000);
}

criterion_group!(table, alloc, reset, append_slice, readers, blocks);
criterion_main!(table);
