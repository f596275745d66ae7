//! What std and the C library would bring: an entry, an exit, a panic handler, and the three functions that the compiler
//! calls of itself (volatile, or in assembly: written plainly they would be compiled to calls of themselves).

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("the system calls here are those of x86-64 Linux");

// The kernel enters with the stack aligned to 16 and nothing to return to; a function expects a return address on it.
global_asm!(".globl _start", "_start: xor ebp, ebp", "call {entry}", "ud2", entry = sym entry);

extern "C" fn entry() -> ! {
    exit(crate::run())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

/// Named in the unwinding tables of `core`, which was compiled for programs that unwind. This one aborts.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

fn exit(code: i32) -> ! {
    // SAFETY: system call 60 ends the process, and touches no memory.
    unsafe { asm!("syscall", in("rax") 60, in("rdi") code, options(noreturn, nostack)) }
}

/// # Safety
///
/// As for C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: `len` bytes may be read and written (the caller); the direction flag is clear, as in every function.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
    }
    to
}

/// # Safety
///
/// As for C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: `len` bytes may be written (the caller); the direction flag is clear, as in every function.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8, options(nostack, preserves_flags));
    }
    to
}

/// # Safety
///
/// As for C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for offset in 0..len {
        // SAFETY: `len` bytes may be read (the caller).
        let (left, right) = unsafe { (left.add(offset).read_volatile(), right.add(offset).read_volatile()) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}
