//! Keys in JSON. A test binary of its own, because `serde_json` implements `PartialEq<Value>` for
//! numbers and strings. In the same binary, some types in the tests of `it` would become ambiguous.

use std::collections::BTreeMap;

use atomicarena::{AtomicArena, Key};

fn publish(arena: &AtomicArena<char>, values: [char; 2]) -> [Key<char>; 2] {
    values.map(|value| arena.publish_keyed(value).unwrap().0)
}

fn read(text: &str) -> serde_json::Result<Key<char>> {
    serde_json::from_str(text)
}

#[test]
fn a_key_is_a_string_and_is_read_back_from_it() {
    let mut arena = AtomicArena::with_capacity(2);
    let key = publish(&arena, ['a', 'b'])[1];
    let text = serde_json::to_string(&key).unwrap();
    let epoch = text.strip_prefix('"').unwrap().strip_suffix("-1\"").unwrap();
    assert!((1..=u64::MAX >> 1).contains(&epoch.parse().unwrap()), "{text}");

    let back = read(&text).unwrap();
    assert_eq!((back, arena.get_keyed(back)), (key, Some(&'b')));
    // A key is also read from a reader, which cannot lend the string, and from a tree of values.
    assert_eq!(serde_json::from_reader::<_, Key<char>>(text.as_bytes()).unwrap(), key);
    assert_eq!(serde_json::from_value::<Key<char>>(serde_json::to_value(key).unwrap()).unwrap(), key);

    arena.reset();
    publish(&arena, ['c', 'd']);
    assert_eq!(arena.get_keyed(back), None);
}

#[test]
fn numbers_beyond_2_to_the_53_keep_every_bit() {
    for epoch in [(1 << 53) + 1, u64::MAX - 1, u64::MAX] {
        for index in [0, usize::MAX - 1, usize::MAX] {
            let text = format!("\"{epoch}-{index}\"");
            let key = read(&text).unwrap();
            assert_eq!((key.index(), serde_json::to_string(&key).unwrap()), (index, text));
        }
    }
}

#[test]
fn a_key_may_be_the_key_of_an_object() {
    let arena = AtomicArena::with_capacity(2);
    let names: BTreeMap<_, _> = publish(&arena, ['a', 'b']).into_iter().zip(["A", "B"]).collect();
    let text = serde_json::to_string(&names).unwrap();
    assert_eq!(serde_json::from_str::<BTreeMap<Key<char>, &str>>(&text).unwrap(), names);
}

#[test]
fn an_invalid_key_is_refused() {
    for text in ["1-0", "10-20", "9007199254740993-0"] {
        assert!(read(&format!("\"{text}\"")).is_ok(), "{text}");
    }
    let malformed = ["", "1", "1-", "-1", "1-0-0", "1--1", "1_0", "a-b", "0x1-0", " 1-0", "1-0 ", "1- 0", "1.0-0"];
    let not_canonical = ["+1-0", "1-+0", "01-0", "1-00", "1-01"];
    let out_of_range = ["0-1", "18446744073709551616-1", "1-18446744073709551616"];
    let strings =
        [&malformed[..], &not_canonical, &out_of_range].concat().into_iter().map(|text| format!("\"{text}\""));
    for text in strings.chain(["[1,0]", "1", "1.5", "null", "{}", "true"].map(String::from)) {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("a key of the form \"<epoch>-<index>\""), "{text}: {error}");
    }
}
