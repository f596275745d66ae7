//! `CapacityError` may get more variants.
use atomicarena::CapacityError;

fn explain(error: CapacityError) -> &'static str {
    use CapacityError::{OutOfMemory, TooLarge, Zero};
    let (Zero | TooLarge { .. } | OutOfMemory { .. }) = error; //~ E0005
    "nothing else"
}

fn main() {
    explain(CapacityError::Zero);
}
