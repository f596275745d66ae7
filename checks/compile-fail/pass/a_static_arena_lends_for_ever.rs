//! An arena in a `static` returns `&'static mut T`, even if `T` is not `Sync`.
use std::cell::Cell;
use std::thread;

use atomicarena::{Local, StaticArena};

static CELLS: StaticArena<Cell<u32>, 3> = StaticArena::new();
static TEXT: StaticArena<u8, 16> = StaticArena::new();

fn lend() -> &'static mut Cell<u32> {
    CELLS.alloc(Cell::new(1)).unwrap()
}

fn main() {
    let cell: &'static mut Cell<u32> = lend();
    let other = thread::spawn(lend).join().unwrap();
    cell.swap(other);
    let mut local: Local<'static, Cell<u32>> = CELLS.local();
    let third: &'static mut Cell<u32> = local.alloc(Cell::new(3)).unwrap();
    drop(local);
    assert_eq!(cell.get() + other.get() + third.get(), 5);
    let text: &'static str = TEXT.alloc_str("for ever").unwrap();
    assert_eq!(text, "for ever");
}
