//! What std and the C library usually provide: an entry point, an exit, a panic handler, a
//! personality function, and three functions to which the compiler emits calls. These three use
//! volatile accesses or assembly, because the compiler could turn a plain loop into a call of the
//! function itself.

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("the system calls here are those of x86-64 Linux");

// The kernel starts the program with a stack that is aligned to 16 bytes and contains no return
// address. A function expects a return address, so `call` pushes one.
global_asm!(".globl _start", "_start: xor ebp, ebp", "call {entry}", "ud2", entry = sym entry);

extern "C" fn entry() -> ! {
    exit(crate::run())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

/// The unwinding tables of `core` name this function, because `core` is compiled for programs that
/// unwind. It is never called, because this program does not unwind.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

fn exit(code: i32) -> ! {
    // SAFETY: system call 60 ends this thread, the only one of the process, and accesses no memory.
    unsafe { asm!("syscall", in("rax") 60, in("rdi") code, options(noreturn, nostack)) }
}

/// # Safety
///
/// As for `memcpy` in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller guarantees that `len` bytes may be read and written. The direction flag is
    // clear, because the calling convention requires this.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
    }
    to
}

/// # Safety
///
/// As for `memset` in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller guarantees that `len` bytes may be written. The direction flag is clear,
    // because the calling convention requires this.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8, options(nostack, preserves_flags));
    }
    to
}

/// # Safety
///
/// As for `memcmp` in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for offset in 0..len {
        // SAFETY: the caller guarantees that `len` bytes of each may be read.
        let (left, right) = unsafe { (left.add(offset).read_volatile(), right.add(offset).read_volatile()) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}
