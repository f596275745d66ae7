//! Controls what the allocator does with freed memory, counts allocations, and reads the resident
//! bytes and the page faults that the kernel reports.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use anyhow::{Context, Result};

use crate::subject::Pages;

/// The system's allocator. While counting is on, it counts the requests for memory.
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

impl Counting {
    #[inline(always)]
    fn note() {
        if COUNTS.load(Ordering::Relaxed) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls `run`. Returns its result, and the number of allocations that the process makes
    /// meanwhile.
    pub fn during<R>(run: impl FnOnce() -> R) -> (R, u64) {
        let before = COUNT.load(Ordering::Relaxed);
        COUNTS.store(true, Ordering::SeqCst);
        let result = run();
        COUNTS.store(false, Ordering::SeqCst);
        (result, COUNT.load(Ordering::Relaxed) - before)
    }
}

// SAFETY: every call is passed on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::note();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::note();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the same contract.
        unsafe { System.dealloc(start, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::note();
        // SAFETY: the caller upholds the same contract.
        unsafe { System.realloc(start, layout, size) }
    }
}

/// Makes glibc take large blocks from the kernel if `pages` is `Cold`, and otherwise from freed
/// memory, whose pages were touched before. Without glibc this function does nothing, and the
/// allocator determines whether memory is warm.
pub fn prepare(pages: Pages) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let (blocks, threshold) = match pages {
            Pages::Cold => (65_536, 64 * 1024),
            Pages::Warm | Pages::Reused => (0, 32 * 1024 * 1024),
        };
        // SAFETY: `mallopt` may be called at any time. It only changes later calls of `malloc`.
        unsafe {
            libc::mallopt(libc::M_MMAP_MAX, blocks);
            libc::mallopt(libc::M_MMAP_THRESHOLD, threshold);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = pages;
}

/// Returns every free page of the heap to the kernel.
pub fn give_free_pages_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Makes this process use only small pages, because a huge page would round the counts up.
pub fn count_in_small_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: `PR_SET_THP_DISABLE` takes a flag and three zeros.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1_u64, 0_u64, 0_u64, 0_u64);
    }
}

/// Returns the exact number of resident bytes of this process. It is not read from
/// `/proc/self/statm`, which lags behind by some pages per thread.
pub fn resident_bytes() -> Result<u64> {
    let path = "/proc/self/smaps_rollup";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok())
        .with_context(|| format!("no Rss in {path}"))?;
    Ok(kilobytes * 1024)
}

/// Returns the number of page faults of this process that needed no disk access. Usually a page
/// causes one when it is touched for the first time. Returns 0 on systems other than Unix.
pub fn minor_faults() -> u64 {
    #[cfg(unix)]
    {
        // SAFETY: all zeros is a valid `rusage`.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `usage` is a `rusage` that may be written.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
        usage.ru_minflt as u64
    }
    #[cfg(not(unix))]
    0
}
