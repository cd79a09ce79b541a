#![no_main]
//! Values there and back, then with harm done to them on the way.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use timeout_runtime::fuzzing::{framed, received, sent};

#[derive(Arbitrary, Debug)]
struct Input {
    value: Value,
    /// How the value is cut into records, and what arrives at once.
    records: Vec<u8>,
    steps: Vec<u8>,
    harm: Harm,
}

#[derive(Arbitrary, Debug)]
enum Harm {
    Cut(u16),
    Flip(u16, u8),
    Insert(u16, u8),
    Remove(u16),
}

#[derive(Arbitrary, Debug, Deserialize, Serialize)]
enum Value {
    Unit,
    Text(String),
    Numbers(Vec<u64>),
    Shape { width: f64, letter: char, pair: (i8, u128), nothing: () },
    Map(BTreeMap<String, Option<Value>>),
    Many(Vec<Value>),
    Boxed(Result<Box<Value>, bool>),
}

fuzz_target!(|input: Input| {
    // By their bytes: a float may be no number, which equals nothing.
    let there = sent(&input.value);
    assert_eq!(received::<Value>(&there, &input.steps).map(|back| sent(&back)), Some(there));

    let mut frame = framed(&input.value, &input.records);
    let back = received::<Value>(&frame, &input.steps).expect("however it is cut");
    assert_eq!(sent(&back), sent(&input.value));

    let is_cut = harm(&mut frame, &input.harm);
    let back = received::<Value>(&frame, &input.steps);
    assert!(!is_cut || back.is_none(), "a part was taken for the whole");
});

/// Whether the frame's end is gone.
fn harm(frame: &mut Vec<u8>, harm: &Harm) -> bool {
    let place = |place: u16| usize::from(place) % frame.len();
    match *harm {
        Harm::Cut(at) => frame.truncate(place(at)),
        Harm::Flip(at, bits) => {
            let at = place(at);
            frame[at] ^= bits;
        }
        Harm::Insert(at, byte) => frame.insert(place(at), byte),
        Harm::Remove(at) => drop(frame.remove(place(at))),
    }
    matches!(harm, Harm::Cut(_))
}
