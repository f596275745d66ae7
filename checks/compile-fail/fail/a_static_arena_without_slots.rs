//! Room for no slot at all is found when the program is compiled.
use atomicarena::StaticArena;

static NONE: StaticArena<u8, 0> = StaticArena::new(); //~~ E0080

fn main() {
    println!("{}", NONE.capacity());
}
