//! Turns the bytes of a fuzzer into a program. `cargo fuzz fmt` prints the program's operations.

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};

use crate::oracle::Program;

#[derive(Debug)]
pub(crate) struct Input(pub(crate) Program);

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (head, words) = <([u8; 4], Vec<[u8; 4]>)>::arbitrary(bytes)?;
        Ok(Input(Program::new(head, &words)))
    }
}
