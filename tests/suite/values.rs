//! A value comes back as it was.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};
use timeout_runtime::{Timeout, timeout};

use crate::support::LONG;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    name: String,
    shape: Shape,
    table: BTreeMap<u8, Vec<Option<f64>>>,
    tuple: (char, i128, [bool; 3]),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Tuple(u8, String),
    Named { width: u64, inner: Box<Shape> },
}

#[test]
fn unit_and_nested_data_come_back() {
    let value = Nested {
        name: "é\0💡".into(),
        shape: Shape::Named { width: u64::MAX, inner: Box::new(Shape::Tuple(7, String::new())) },
        table: BTreeMap::from([(1, vec![None, Some(f64::MIN_POSITIVE)]), (2, vec![])]),
        tuple: ('\u{10FFFF}', i128::MIN, [true, false, true]),
    };
    assert_eq!(Timeout::new(LONG).run(|| value.clone()).unwrap(), value);
    Timeout::new(LONG).run(|| ()).unwrap();
    let map: HashMap<String, Shape> = HashMap::from([("unit".into(), Shape::Unit)]);
    assert_eq!(Timeout::new(LONG).run(|| map.clone()).unwrap(), map);
}

#[test]
fn a_result_larger_than_the_pipe_comes_back() {
    for size in [1 << 20, 100 << 20] {
        let text = Timeout::new(LONG).run(|| "x".repeat(size)).unwrap();
        assert!(text.len() == size && text.bytes().all(|byte| byte == b'x'));
    }
    let numbers = Timeout::new(LONG).run(|| (0..1u64 << 17).collect::<Vec<_>>()).unwrap();
    assert!(numbers.iter().copied().eq(0..1 << 17));
}

#[test]
fn a_value_equal_to_an_exit_code_is_a_value() {
    for number in [0, 1, 7, 101, 124, 125, 137, 255, -1, -9, -15] {
        assert_eq!(Timeout::new(LONG).run(|| number).unwrap(), number);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum ParseError {
    Empty,
    At { line: u32, why: String },
    Call(String),
}

impl From<timeout_runtime::Error> for ParseError {
    fn from(error: timeout_runtime::Error) -> Self {
        Self::Call(error.to_string())
    }
}

#[timeout(60)]
fn parse(text: &str) -> Result<u32, ParseError> {
    if text.is_empty() {
        return Err(ParseError::Empty);
    }
    text.parse().map_err(|error: std::num::ParseIntError| ParseError::At {
        line: 3,
        why: error.to_string(),
    })
}

#[test]
fn an_error_of_the_body_is_data() {
    assert_eq!(parse("12"), Ok(12));
    assert_eq!(parse(""), Err(ParseError::Empty));
    let why = "invalid digit found in string".to_owned();
    assert_eq!(parse("x"), Err(ParseError::At { line: 3, why }));
    let nested: Result<Result<u8, String>, _> = Timeout::new(LONG).run(|| Err("inner".to_owned()));
    assert_eq!(nested.unwrap(), Err("inner".to_owned()));
}

#[test]
fn what_the_body_changes_stays_in_the_child() {
    let mut counter = 1;
    let seen = Timeout::new(LONG).run(|| {
        counter += 1;
        counter
    });
    assert_eq!((seen.unwrap(), counter), (2, 1));
}

#[test]
fn a_closure_may_capture_anything() {
    use std::cell::RefCell;
    use std::rc::Rc;
    struct NoSerde<'a>(&'a dyn fmt::Display, Rc<RefCell<String>>);
    let value = NoSerde(&12, Rc::new(RefCell::new("units".into())));
    let text = Timeout::new(LONG).run(|| format!("{} {}", value.0, value.1.borrow()));
    assert_eq!(text.unwrap(), "12 units");
}
