//! What crosses on the way there, and what comes back of it.

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use timeout_runtime::error::CodecError;
use timeout_runtime::{Error, ErrorKind, Timeout};

use super::{AFRESH, METHODS};
use crate::support::LONG;

fn turned(text: String) -> String {
    let (begin, end) = text.split_at(text.len() / 2);
    format!("{end}{begin}")
}

/// Text that is not the same everywhere. Whole, it crosses as fast in a build that is not optimized.
fn text(length: usize) -> String {
    "timeouts that are hard. "
        .chars()
        .cycle()
        .take(length.min(1 << 20))
        .collect::<String>()
        .repeat(length.div_ceil(1 << 20).max(1))
}

#[test]
fn arguments_and_values_of_any_size_cross_whole() {
    for method in METHODS {
        let timeout = Timeout::new(5 * LONG).start_method(method);
        // At the sizes of the buffers on the way, each twice: a worker must be left with nothing.
        for size in [0, 1, 4080, 4096, 65_535, 65_536, 65_537, 200_000, 1 << 20, 16 << 20] {
            for _ in 0..if size > 1 << 20 { 1 } else { 2 } {
                let back = timeout.call(turned, (text(size),)).unwrap();
                assert!(back == turned(text(size)), "{method:?} {size}");
            }
        }
    }
}

fn length(text: String) -> (usize, u8) {
    (text.len(), text.as_bytes()[text.len() / 2])
}

#[test]
fn an_argument_of_a_hundred_mebibytes_crosses() {
    let size = 100 << 20;
    let large = "l".repeat(size);
    for method in AFRESH {
        let timeout = Timeout::new(5 * LONG).start_method(method);
        assert_eq!(timeout.call(length, (large.clone(),)).unwrap(), (size, b'l'), "{method:?}");
        assert_eq!(timeout.call(length, ("s".repeat(10),)).unwrap(), (10, b's'), "{method:?}");
    }
}

#[expect(clippy::too_many_arguments, reason = "as many as can be")]
fn many(
    a: u8,
    b: String,
    c: (i64, f64),
    d: Option<Vec<char>>,
    e: [u16; 3],
    f: (),
    g: bool,
    h: char,
) -> String {
    format!("{a} {b} {c:?} {d:?} {e:?} {f:?} {g} {h}")
}

#[test]
fn eight_arguments_of_all_kinds_cross() {
    let arguments = || {
        let text = "text with \0 and ü".to_owned();
        (1, text, (-5, 0.5), Some(vec!['a', '√']), [1, 2, 3], (), true, '\u{10FFFF}')
    };
    let (a, b, c, d, e, f, g, h) = arguments();
    let expected = many(a, b, c, d, e, f, g, h);
    for method in METHODS {
        let timeout = Timeout::new(LONG).start_method(method);
        assert_eq!(timeout.call(many, arguments()).unwrap(), expected, "{method:?}");
        assert_eq!(timeout.call(|n: u8| n + 1, (2,)).unwrap(), 3);
        assert_eq!(timeout.call(u32::count_ones, (7,)).unwrap(), 3);
    }
}

/// Refuses to be written, or to be read.
#[derive(Debug)]
struct Picky {
    writes: bool,
    reads: bool,
}

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.writes {
            return Err(S::Error::custom("it may not be written"));
        }
        self.reads.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self { writes: true, reads: true }),
            false => Err(serde::de::Error::custom("it may not be read")),
        }
    }
}

fn takes(_: Picky) -> u8 {
    1
}

macro_rules! picky {
    ($start:tt) => {
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub fn picks(number: u8, choice: &Picky) -> u8 {
            number + u8::from(choice.reads)
        }
    };
}

mod picky_by {
    use super::*;
    pub mod spawn {
        use super::*;
        picky!("spawn");
    }
    pub mod pool {
        use super::*;
        picky!("pool");
    }
}

#[track_caller]
fn encode(error: &Error) -> &str {
    let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
    assert!(cause.type_name().contains("Picky"), "{cause}");
    is_of_an_argument(error, cause);
    cause.reason()
}

#[track_caller]
fn decode(error: &Error) -> &str {
    let ErrorKind::Decode(cause) = error.kind() else { panic!("{error:?}") };
    is_of_an_argument(error, cause);
    cause.reason()
}

#[track_caller]
fn is_of_an_argument(error: &Error, cause: &CodecError) {
    assert!(cause.is_argument());
    let said = error.to_string();
    let expected = format!("was not started: an argument of type `{}`", cause.type_name());
    assert!(said.contains(&expected) && !said.contains("returned"), "{said}");
}

#[test]
fn an_argument_that_cannot_be_written_is_named() {
    let unwritable = || Picky { writes: false, reads: true };
    for method in AFRESH {
        let timeout = Timeout::new(LONG).start_method(method);
        let error = timeout.call(takes, (unwritable(),)).unwrap_err();
        assert_eq!(encode(&error), "it may not be written");
        assert_eq!(error.exit_code(), 125);
        assert_eq!(timeout.call(takes, (Picky { writes: true, reads: true },)).unwrap(), 1);
    }
    for picks in [picky_by::spawn::picks, picky_by::pool::picks] {
        let error = picks(1, &unwritable()).unwrap_err();
        assert_eq!(encode(&error), "it may not be written (parameter `choice`)");
        assert_eq!(picks(1, &Picky { writes: true, reads: true }).unwrap(), 2);
    }
}

#[test]
fn an_argument_that_cannot_be_read_is_named() {
    let unreadable = || Picky { writes: true, reads: false };
    for picks in [picky_by::spawn::picks, picky_by::pool::picks] {
        let error = picks(1, &unreadable()).unwrap_err();
        assert_eq!(decode(&error), "it may not be read");
        assert!(error.to_string().contains("Picky"), "{error:?}");
        assert_eq!(picks(1, &Picky { writes: true, reads: true }).unwrap(), 2);
    }
}

/// Is read as less than was written.
struct Short(String);

impl Serialize for Short {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|_| Self(String::new()))
    }
}

fn takes_short(short: Short) -> usize {
    short.0.len()
}

#[test]
fn what_is_left_of_arguments_is_an_error_and_does_not_meet_the_next_call() {
    for method in AFRESH {
        let timeout = Timeout::new(LONG).start_method(method);
        for size in [9, 100_000, 1 << 20] {
            let error = timeout.call(takes_short, (Short(text(size)),)).unwrap_err();
            assert!(decode(&error).contains("came after"), "{method:?} {size} {error:?}");
            assert_eq!(timeout.call(length, ("s".repeat(10),)).unwrap(), (10, b's'), "{method:?}");
        }
    }
}
