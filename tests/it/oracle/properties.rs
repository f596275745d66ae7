//! The programs of the property tests. They are the same in every run, unless the environment
//! changes them (`PROPTEST_CASES`, `PROPTEST_RNG_SEED`).

use atomicarena::{AtomicArena, StaticArena};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use std::mem::MaybeUninit;

use super::op::{Act, Bulk, End, EndRun, Method, Op};
use super::{Counted, Plain, Program, Value, run, run_in_order, run_on};

/// The maximum number of operations in a program.
const LONGEST: usize = if cfg!(miri) { 20 } else { 60 };

fn programs() -> impl Strategy<Value = Program> {
    let word = any::<[u8; 4]>;
    (word(), vec(word(), 0..=LONGEST)).prop_map(|(head, words)| Program::new(head, &words))
}

fn check(cases: u32, test: impl Fn(&Program)) {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = if cfg!(miri) { 3 } else { cases };
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let tested = TestRunner::new(config).run(&programs(), |program| {
        test(&program);
        Ok(())
    });
    if let Err(failure) = tested {
        panic!("{failure}");
    }
}

#[test]
fn programs_of_values_with_drop_agree_with_the_oracle() {
    check(1_500, run::<Counted>);
}

#[test]
fn programs_of_values_without_drop_agree_with_the_oracle() {
    check(1_500, run::<Plain>);
}

#[test]
fn programs_of_bytes_agree_with_the_oracle() {
    check(500, run::<u8>);
}

#[test]
fn programs_on_an_arena_in_order_agree_with_the_oracle() {
    check(250, run_in_order::<Counted>);
    check(250, run_in_order::<Plain>);
}

#[test]
fn programs_on_an_arena_inside_itself_agree_with_the_oracle() {
    fn on<T: Value + Send>(program: &Program) {
        run_on(StaticArena::<T, 13>::new(), program);
    }
    check(250, on::<Counted>);
    check(250, on::<Plain>);
}

#[test]
fn programs_on_borrowed_bytes_agree_with_the_oracle() {
    fn on<T: Value>(program: &Program) {
        let mut memory = [MaybeUninit::uninit(); 150];
        run_on(AtomicArena::<T, _>::in_bytes(&mut memory[program.capacity % 8..]).unwrap(), program);
    }
    check(250, on::<Counted>);
    check(250, on::<Plain>);
}

/// A call takes vacant slots, which in most of these programs lie directly below the rest of the
/// shard. Its closure panics, so the slots are returned before the test learns which ones they
/// were. Random programs seldom contain such a call.
#[test]
fn hidden_slots_return_to_the_shard_or_become_vacant() {
    let reserve = |handle, len| Op::Reserve { handle, len, up_to: false, local: None };
    let end = |handle| Op::EndRun(handle, EndRun::Drop(None));
    let bulk = Bulk { method: Method::With, len: 4, given: 4, at: 2, act: Act::Panic, publish: false };
    let panics = Op::Bulk { bulk, local: None };
    // If refills have eight slots, the first two reservations use up the shard, so their slots
    // become vacant when they are returned. `reserve(2, 1)` then refills the shard with the last
    // three slots, so no slot is left at the cursor.
    for returned in [&[1][..], &[0, 1], &[1, 0], &[0]] {
        let returned = returned.iter().map(|&handle| end(handle));
        let before = [reserve(0, 4), reserve(1, 4)].into_iter().chain(returned);
        let ops = before.chain([reserve(2, 1), end(2), panics, reserve(2, 4), panics]).collect();
        let program = Program { capacity: 11, ops, end: End::Drop { fuse: None } };
        run::<Counted>(&program);
        run::<Plain>(&program);
    }
}
