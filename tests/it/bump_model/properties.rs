//! Programs that proptest chooses.

use proptest::prelude::*;

use super::{Op, run};

fn op() -> impl Strategy<Value = Op> {
    let size = || prop_oneof![8 => 0..100usize, 4 => 100..3_000usize, 1 => 3_000..200_000usize];
    let align = || prop_oneof![8 => 0..5u32, 1 => 5..13u32];
    let index = 0..1_000usize;
    prop_oneof![
        6 => (size(), align()).prop_map(|(size, align)| Op::Alloc { size, align }),
        4 => (index.clone(), size(), align()).prop_map(|(local, size, align)| Op::LocalAlloc { local, size, align }),
        2 => (0..100_001usize, 0..100usize).prop_map(|(size, nested)| Op::Fail { size, nested }),
        1 => (0..1_000usize, 0..1_000usize).prop_map(|(claims, yields)| Op::Short { claims, yields }),
        3 => index.clone().prop_map(|block| Op::Free { block }),
        4 => (index.clone(), size(), align()).prop_map(|(block, size, align)| Op::Resize { block, size, align }),
        1 => Just(Op::OpenLocal),
        1 => (index, any::<bool>()).prop_map(|(local, leak)| Op::CloseLocal { local, leak }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 3 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_bump_agrees_with_the_model(
        capacity in prop_oneof![1..3_000usize, 60_000..70_000usize, 500_000..4_000_000usize],
        epochs in prop::collection::vec(prop::collection::vec(op(), 0..if cfg!(miri) { 12 } else { 300 }), 1..4),
    ) {
        run(capacity, epochs);
    }
}
