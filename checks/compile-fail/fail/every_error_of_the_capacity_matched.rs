//! `CapacityError` may get more variants, so a pattern that lists all present ones is refused.
use atomicarena::CapacityError;

fn explain(error: CapacityError) -> &'static str {
    use CapacityError::{OutOfMemory, TooLarge, Zero};
    let (Zero | TooLarge { .. } | OutOfMemory { .. }) = error; //~ E0005
    "nothing else"
}

fn main() {
    explain(CapacityError::Zero);
}
