//! Selects the atomics of `core`, of `portable-atomic` or of loom.
//!
//! All other files, except the models, import their atomics from here. Loom registers each atomic
//! with the model when the atomic is created. Hence a function that creates one is not a `const fn`
//! under loom (see `const_fn`), and zeroed memory is not a valid atomic. Code that otherwise relies
//! on zeroed memory has a second branch for loom.

pub(crate) use core::sync::atomic::Ordering;

#[cfg(all(target_has_atomic = "64", not(any(all(test, loom), feature = "portable-atomic"))))]
pub(crate) use core::sync::atomic::AtomicU64;
#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::fence;
#[cfg(not(any(all(test, loom), feature = "portable-atomic")))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, fence};
// Exported only if the target has 64-bit atomics. Otherwise `portable-atomic` would emulate them
// with a lock, and an interrupt handler that interrupts the holder of the lock would wait forever.
#[cfg(all(target_has_atomic = "64", feature = "portable-atomic", not(all(test, loom))))]
pub(crate) use portable_atomic::AtomicU64;
#[cfg(all(feature = "portable-atomic", not(all(test, loom))))]
pub(crate) use portable_atomic::{AtomicBool, AtomicU8, AtomicUsize};

/// An atomic that contains a guess. The algorithm is correct for any value of it. Loom does not
/// track it, because that would multiply the interleavings of a model.
#[cfg(not(all(test, loom)))]
pub(crate) use self::AtomicUsize as AtomicGuess;
#[cfg(all(test, loom))]
pub(crate) use core::sync::atomic::AtomicUsize as AtomicGuess;

use core::ops::{Deref, DerefMut};

/// Declares a `const fn`. Under loom, declares a plain `fn` instead.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        $(#[$meta])*
        #[cfg(not(all(test, loom)))]
        $vis const fn $($rest)*
        $(#[$meta])*
        #[cfg(all(test, loom))]
        $vis fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Declares a `static` that all arenas of the process share. Under loom, only the arenas of one
/// execution of a model share it.
#[cfg(target_has_atomic = "64")]
macro_rules! process_wide {
    ($(#[$meta:meta])* static $name:ident: $atomic:ty = $new:expr;) => {
        $(#[$meta])*
        #[cfg(not(all(test, loom)))]
        static $name: $atomic = $new;
        #[cfg(all(test, loom))]
        loom::lazy_static! {
            $(#[$meta])*
            static ref $name: $atomic = $new;
        }
    };
}
#[cfg(target_has_atomic = "64")]
pub(crate) use process_wide;

/// Reads and writes an atomic through `&mut`, like plain memory.
pub(crate) trait AtomicMut {
    type Value;
    fn read_mut(&mut self) -> Self::Value;
    fn write_mut(&mut self, value: Self::Value);
}

macro_rules! exclusive {
    ($($atomic:ty => $value:ty),*) => {$(
        impl AtomicMut for $atomic {
            type Value = $value;
            #[inline]
            fn read_mut(&mut self) -> $value {
                #[cfg(not(all(test, loom)))]
                return *self.get_mut();
                #[cfg(all(test, loom))]
                return self.with_mut(|value| *value);
            }
            #[inline]
            fn write_mut(&mut self, value: $value) {
                #[cfg(not(all(test, loom)))]
                {
                    *self.get_mut() = value;
                }
                #[cfg(all(test, loom))]
                self.with_mut(|place| *place = value);
            }
        }
    )*};
}
#[cfg(not(all(test, loom)))]
exclusive!(AtomicBool => bool);
exclusive!(AtomicU8 => u8, AtomicUsize => usize);
#[cfg(target_has_atomic = "64")]
exclusive!(AtomicU64 => u64);

#[cfg(all(test, loom))]
impl AtomicMut for AtomicGuess {
    type Value = usize;
    fn read_mut(&mut self) -> usize {
        *self.get_mut()
    }
    fn write_mut(&mut self, value: usize) {
        *self.get_mut() = value;
    }
}

/// Loom's `AtomicBool` has no `with_mut`, so this implementation uses Relaxed operations.
#[cfg(all(test, loom))]
impl AtomicMut for AtomicBool {
    type Value = bool;
    fn read_mut(&mut self) -> bool {
        self.load(Ordering::Relaxed)
    }
    fn write_mut(&mut self, value: bool) {
        self.store(value, Ordering::Relaxed);
    }
}

/// Represents the value of a slot in a loom model. Loom sees only accesses to its own cells, so
/// code that accesses the value of a slot reports the access here. Without loom the type is empty.
#[derive(Debug)]
pub(crate) struct AccessTracker {
    #[cfg(all(test, loom))]
    cell: loom::cell::UnsafeCell<()>,
}

impl AccessTracker {
    const_fn! {
        pub(crate) fn new() -> Self {
            AccessTracker {
                #[cfg(all(test, loom))]
                cell: loom::cell::UnsafeCell::new(()),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn write(&self) {
        #[cfg(all(test, loom))]
        self.cell.with_mut(|_| ());
    }

    #[inline(always)]
    pub(crate) fn read(&self) {
        #[cfg(all(test, loom))]
        self.cell.with(|_| ());
    }
}

/// Keeps a value on cache lines of its own, so that writing the value does not slow down threads
/// that access neighbouring memory.
///
/// The alignment is 128 bytes on x86-64, AArch64 and 64-bit POWER, where cache lines are that long
/// or the prefetcher fetches them in pairs. It is 32 bytes on 32-bit ARM and MIPS, and 64 bytes
/// elsewhere. (This is a shorter form of the table in `crossbeam-utils`.)
#[derive(Debug)]
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "powerpc64"), repr(align(128)))]
#[cfg_attr(any(target_arch = "arm", target_arch = "mips"), repr(align(32)))]
#[cfg_attr(
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "powerpc64",
        target_arch = "arm",
        target_arch = "mips"
    )),
    repr(align(64))
)]
pub(crate) struct CachePadded<V>(pub(crate) V);

impl<V> Deref for CachePadded<V> {
    type Target = V;
    #[inline]
    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V> DerefMut for CachePadded<V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut V {
        &mut self.0
    }
}
