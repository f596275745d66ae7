//! Random programs on a bump, compared with a model that records the held blocks as intervals of
//! addresses.
//!
//! `checks/fuzz` includes this file too.

#[cfg(test)]
mod properties;

use std::alloc::Layout;
use std::mem;
use std::ptr::NonNull;

#[cfg(feature = "allocator-api2-02")]
use allocator_api2_02::alloc::Allocator;
use atomicarena::{AtomicBump, Full, LocalBump};

/// An operation. The index of a block or of a handle is taken modulo the number of those that are
/// held.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Alloc {
        size: usize,
        align: u32,
    },
    LocalAlloc {
        local: usize,
        size: usize,
        align: u32,
    },
    /// A closure that should return a value of at least `size` bytes, but allocates `nested` bytes
    /// and then fails.
    Fail {
        size: usize,
        nested: usize,
    },
    /// An iterator that may yield fewer or more values than it claims.
    Short {
        claims: usize,
        yields: usize,
    },
    Free {
        block: usize,
    },
    Resize {
        block: usize,
        size: usize,
        align: u32,
    },
    OpenLocal,
    CloseLocal {
        local: usize,
        leak: bool,
    },
}

/// A block that is held, and the pattern that was written to it.
struct Block {
    start: NonNull<u8>,
    layout: Layout,
    pattern: u8,
}

impl Block {
    fn end(&self) -> usize {
        self.start.addr().get() + self.layout.size()
    }

    fn write(&self) {
        // SAFETY: the bump has handed out the block, and only the model uses it.
        unsafe { self.start.write_bytes(self.pattern, self.layout.size()) };
    }

    fn check(&self, len: usize) {
        // SAFETY: the bytes are within the block, and were written before. Only the model uses the
        // block.
        let bytes = unsafe { NonNull::slice_from_raw_parts(self.start, len).as_ref() };
        // Miri compares two slices faster than byte by byte.
        if bytes != vec![self.pattern; len] {
            panic!("byte {:?} was overwritten", bytes.iter().position(|byte| *byte != self.pattern));
        }
    }
}

/// The blocks and handles that are held, and the bounds of all blocks so far.
struct Model<'a> {
    bump: &'a AtomicBump,
    blocks: Vec<Block>,
    locals: Vec<LocalBump<'a>>,
    /// The lowest start and the highest end of the blocks so far.
    lowest: usize,
    highest: usize,
    next_pattern: u8,
}

impl<'a> Model<'a> {
    /// Records a block, which must be aligned and must not overlap with another.
    fn hold(&mut self, start: NonNull<u8>, layout: Layout) {
        let from = start.addr().get();
        assert_eq!(from % layout.align(), 0);
        if layout.size() == 0 {
            return;
        }
        self.next_pattern = self.next_pattern.wrapping_add(1);
        let block = Block { start, layout, pattern: self.next_pattern };
        for other in &self.blocks {
            assert!(block.end() <= other.start.addr().get() || other.end() <= from, "two blocks overlap");
        }
        self.lowest = self.lowest.min(from);
        self.highest = self.highest.max(block.end());
        assert!(self.highest - self.lowest <= self.bump.capacity());
        block.write();
        self.blocks.push(block);
    }

    fn note(&mut self, result: Result<NonNull<[u8]>, Full<()>>, layout: Layout) {
        match result {
            Ok(bytes) => {
                assert_eq!(bytes.len(), layout.size());
                self.hold(bytes.cast(), layout);
            }
            Err(full) => {
                assert_eq!(full.requested(), layout.size());
                // If the remaining bytes were enough for the block with any padding, the request
                // would not have been refused.
                assert!(layout.size() + layout.align() > full.remaining());
            }
        }
    }

    fn run(&mut self, op: Op) {
        let before = self.bump.used();
        let mut may_fall = false;
        match op {
            Op::Alloc { size, align } => {
                let layout = Layout::from_size_align(size, 1 << align).unwrap();
                self.note(self.bump.alloc_layout(layout), layout);
            }
            Op::LocalAlloc { local, size, align } => {
                let layout = Layout::from_size_align(size, 1 << align).unwrap();
                let count = self.locals.len();
                if count > 0 {
                    // A fresh run may be shorter than the rest that it replaces.
                    may_fall = true;
                    let result = self.locals[local % count].alloc_layout(layout);
                    self.note(result, layout);
                }
            }
            Op::Fail { size, nested } => {
                let layout = Layout::from_size_align(nested, 1).unwrap();
                let mut inner = None;
                let bump = self.bump;
                let mut make = || {
                    inner = Some(bump.alloc_layout(layout));
                };
                macro_rules! fail {
                    ($($size:literal)*) => {
                        match size {
                            $(0..=$size => drop(bump.alloc_try_with(|| { make(); Err::<[u8; $size], _>(()) })),)*
                            _ => {}
                        }
                    };
                }
                fail!(1 10 100 1_000 10_000 100_000);
                if let Some(inner) = inner {
                    self.note(inner, layout);
                }
            }
            Op::Short { claims, yields } => {
                struct Short(usize, usize);
                impl Iterator for Short {
                    type Item = u16;
                    fn next(&mut self) -> Option<u16> {
                        self.1 = self.1.checked_sub(1)?;
                        Some(0)
                    }
                }
                impl ExactSizeIterator for Short {
                    fn len(&self) -> usize {
                        self.0
                    }
                }
                if let Ok(slice) = self.bump.alloc_from_iter(Short(claims, yields)) {
                    assert_eq!(slice.len(), yields.min(claims));
                    let layout = Layout::for_value(slice);
                    self.hold(NonNull::from(slice).cast(), layout);
                }
            }
            Op::Free { block } => {
                if cfg!(feature = "allocator-api2-02") && !self.blocks.is_empty() {
                    may_fall = true;
                    let block = self.blocks.swap_remove(block % self.blocks.len());
                    block.check(block.layout.size());
                    #[cfg(feature = "allocator-api2-02")]
                    // SAFETY: the block is from this bump and has this layout. It is no longer
                    // used.
                    unsafe {
                        self.bump.deallocate(block.start, block.layout);
                    }
                }
            }
            Op::Resize { block, size, align } => {
                if cfg!(feature = "allocator-api2-02") && !self.blocks.is_empty() {
                    may_fall = true;
                    let index = block % self.blocks.len();
                    self.resize(index, Layout::from_size_align(size, 1 << align).unwrap());
                }
            }
            Op::OpenLocal => self.locals.push(self.bump.local()),
            Op::CloseLocal { local, leak } => {
                if !self.locals.is_empty() {
                    may_fall = true;
                    let local = self.locals.swap_remove(local % self.locals.len());
                    if leak { mem::forget(local) } else { drop(local) }
                }
            }
        }
        let used = self.bump.used();
        assert!(may_fall || used >= before, "{used} after {before}");
        let held: usize = self.blocks.iter().map(|block| block.layout.size()).sum();
        assert!(held <= used && used <= self.bump.high_water() && self.bump.high_water() <= self.bump.capacity());
        assert_eq!(used + self.bump.remaining(), self.bump.capacity());
    }

    #[cfg(feature = "allocator-api2-02")]
    fn resize(&mut self, index: usize, layout: Layout) {
        let block = &self.blocks[index];
        let (old, kept) = (block.layout, block.layout.size().min(layout.size()));
        // SAFETY: the block is from this bump and has the layout `old`. It is no longer used if
        // this succeeds. The new size is at least the old one for `grow`, and less for `shrink`.
        let moved = unsafe {
            if layout.size() >= old.size() {
                self.bump.grow(block.start, old, layout)
            } else {
                self.bump.shrink(block.start, old, layout)
            }
        };
        match moved {
            Ok(bytes) => {
                let moved = Block { start: bytes.cast(), layout, pattern: block.pattern };
                moved.check(kept);
                self.blocks.swap_remove(index);
                self.hold(bytes.cast(), layout);
            }
            // The block is unchanged.
            Err(_) => block.check(old.size()),
        }
    }

    #[cfg(not(feature = "allocator-api2-02"))]
    fn resize(&mut self, _: usize, _: Layout) {}
}

/// Runs programs on one bump, each in an epoch of its own.
pub(crate) fn run(capacity: usize, epochs: impl IntoIterator<Item = Vec<Op>>) {
    let mut bump = AtomicBump::with_capacity(capacity);
    for ops in epochs {
        let mut model = Model {
            bump: &bump,
            blocks: Vec::new(),
            locals: Vec::new(),
            lowest: usize::MAX,
            highest: 0,
            next_pattern: 0,
        };
        for op in ops {
            model.run(op);
        }
        model.blocks.iter().for_each(|block| block.check(block.layout.size()));
        drop(model);
        bump.reset();
        assert_eq!((bump.used(), bump.remaining()), (0, capacity));
    }
    assert_eq!(bump.alloc_uninit_slice::<u8>(capacity).unwrap().len(), capacity);
}

impl Op {
    /// Creates an operation from bytes that a fuzzer chose.
    #[allow(dead_code)] // used by the fuzz target
    pub(crate) fn new([kind, a, b, c, d]: [u8; 5]) -> Op {
        let number = usize::from(u16::from_le_bytes([a, b]));
        // Most sizes are small.
        let size = usize::from(u16::from_le_bytes([c, d])) >> (kind >> 4) << (kind >> 7 << 1);
        let align = u32::from(a) % 13;
        match kind % 8 {
            0 | 1 => Op::Alloc { size, align },
            2 => Op::LocalAlloc { local: usize::from(b), size, align },
            3 => Op::Fail { size, nested: usize::from(a) },
            4 => Op::Short { claims: size, yields: number },
            5 => Op::Free { block: number },
            6 => Op::Resize { block: usize::from(b), size, align },
            _ if kind & 8 == 0 => Op::OpenLocal,
            _ => Op::CloseLocal { local: number, leak: c & 1 == 0 },
        }
    }
}
