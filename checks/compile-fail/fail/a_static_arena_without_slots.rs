//! A capacity of 0 is refused at compile time.
use atomicarena::StaticArena;

static NONE: StaticArena<u8, 0> = StaticArena::new(); //~~ E0080

fn main() {
    println!("{}", NONE.capacity());
}
