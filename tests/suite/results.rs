//! Results as people write them: the error crosses whatever its type, and `?` works in the caller.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use timeout_runtime::error::RemoteError;
use timeout_runtime::{Error, ErrorKind, timeout};

use crate::support::spin;

/// What a body is to do.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Return,
    Fail,
    Hang,
}

impl Act {
    /// Short where it is to be over, and nowhere else.
    fn limit(self) -> f64 {
        if self == Act::Hang { 0.1 } else { 60.0 }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the middle failed")]
struct Middle(#[source] std::num::ParseIntError);

fn middle() -> Middle {
    Middle("x".parse::<u8>().unwrap_err())
}

/// The messages of an error and its sources.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source())
        .map(ToString::to_string)
        .collect()
}

const CHAIN: [&str; 3] = ["reading the file", "the middle failed", "invalid digit found in string"];

#[timeout(act.limit())]
fn with_anyhow(act: Act) -> anyhow::Result<u8> {
    use anyhow::Context;
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err(middle()).context("reading the file"),
        Act::Hang => spin(),
    }
}

#[test]
fn anyhow_keeps_its_chain() {
    fn caller(act: Act) -> anyhow::Result<u8> {
        Ok(with_anyhow(act)? + 1)
    }
    assert_eq!(caller(Act::Return).unwrap(), 2);
    let failed = caller(Act::Fail).unwrap_err();
    assert_eq!(failed.chain().map(ToString::to_string).collect::<Vec<_>>(), CHAIN);
    assert!(failed.downcast_ref::<RemoteError>().is_some());
    assert!(failed.downcast_ref::<Error>().is_none());
    let hung = caller(Act::Hang).unwrap_err();
    assert!(hung.downcast_ref::<Error>().unwrap().is_timeout());
}

#[timeout(act.limit())]
fn with_eyre(act: Act) -> eyre::Result<u8> {
    use eyre::WrapErr;
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err(middle()).wrap_err("reading the file"),
        Act::Hang => spin(),
    }
}

#[test]
fn eyre_keeps_its_chain() {
    assert_eq!(with_eyre(Act::Return).unwrap(), 1);
    let failed = with_eyre(Act::Fail).unwrap_err();
    assert_eq!(failed.chain().map(ToString::to_string).collect::<Vec<_>>(), CHAIN);
    assert!(with_eyre(Act::Hang).unwrap_err().downcast_ref::<Error>().unwrap().is_timeout());
}

#[timeout(act.limit())]
fn with_box(act: Act) -> Result<u8, Box<dyn StdError + Send + Sync>> {
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err(middle().into()),
        Act::Hang => spin(),
    }
}

#[timeout(act.limit())]
fn with_local_box(act: Act) -> Result<u8, Box<dyn StdError>> {
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err(middle().into()),
        Act::Hang => spin(),
    }
}

#[test]
fn boxed_errors_keep_their_chain() {
    assert_eq!(with_box(Act::Return).unwrap(), 1);
    assert_eq!(chain(&*with_box(Act::Fail).unwrap_err()), CHAIN[1..]);
    assert!(with_box(Act::Hang).unwrap_err().downcast_ref::<Error>().unwrap().is_timeout());
    assert_eq!(with_local_box(Act::Return).unwrap(), 1);
    assert_eq!(chain(&*with_local_box(Act::Fail).unwrap_err()), CHAIN[1..]);
    assert!(with_local_box(Act::Hang).unwrap_err().downcast_ref::<Error>().unwrap().is_timeout());
}

#[timeout(act.limit())]
fn with_io(act: Act, error: Option<io::Error>) -> io::Result<String> {
    match act {
        Act::Return => Ok("text".to_owned()),
        Act::Fail => Err(error.unwrap()),
        Act::Hang => spin(),
    }
}

#[test]
fn io_keeps_its_kind_code_and_message() {
    let fail = |error: io::Error| with_io(Act::Fail, Some(error)).unwrap_err();
    assert_eq!(with_io(Act::Return, None).unwrap(), "text");
    assert_eq!(fail(io::Error::from_raw_os_error(libc::ENOENT)).raw_os_error(), Some(libc::ENOENT));
    assert_eq!(fail(io::ErrorKind::UnexpectedEof.into()).kind(), io::ErrorKind::UnexpectedEof);
    let custom = fail(io::Error::new(io::ErrorKind::InvalidData, middle()));
    assert_eq!(
        (custom.kind(), custom.to_string().as_str()),
        (io::ErrorKind::InvalidData, CHAIN[1])
    );
    assert_eq!(chain(custom.get_ref().unwrap()), CHAIN[1..]);
    let hung = with_io(Act::Hang, None).unwrap_err();
    assert_eq!(hung.kind(), io::ErrorKind::TimedOut);
    assert!(hung.to_string().starts_with("with_io timed out after 0.1 s"), "{hung}");
}

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("cannot read it")]
    Read(#[source] Middle),
    #[error(transparent)]
    Call(#[from] Error),
}

#[timeout(act.limit())]
fn with_thiserror(act: Act) -> Result<u8, AppError> {
    match act {
        Act::Return => Ok(1),
        Act::Fail => Err(AppError::Read(middle())),
        Act::Hang => spin(),
    }
}

#[test]
fn a_thiserror_enum_needs_its_from_alone() {
    fn caller(act: Act) -> Result<u8, AppError> {
        Ok(with_thiserror(act)? + 1)
    }
    assert_eq!(caller(Act::Return).unwrap(), 2);
    let failed = caller(Act::Fail).unwrap_err();
    assert_eq!(chain(&failed), ["cannot read it", CHAIN[1], CHAIN[2]]);
    let AppError::Call(failed) = failed else { panic!("{failed}") };
    assert!(matches!(failed.kind(), ErrorKind::Failed(_)));
    assert_eq!((failed.function(), failed.exit_code()), ("with_thiserror", 1));
    let AppError::Call(hung) = caller(Act::Hang).unwrap_err() else { panic!("no failure") };
    assert!(hung.is_timeout());
}

/// Serializes, and so crosses exactly, though it could cross as its message too.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Exact {
    Own { line: u32 },
    Call(String),
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("exact")
    }
}

impl StdError for Exact {}

impl From<Error> for Exact {
    fn from(error: Error) -> Self {
        Self::Call(error.to_string())
    }
}

impl From<RemoteError> for Exact {
    fn from(error: RemoteError) -> Self {
        Self::Call(error.to_string())
    }
}

#[test]
fn an_error_that_serializes_crosses_exactly() {
    #[timeout(60)]
    fn exact() -> Result<(), Exact> {
        Err(Exact::Own { line: 7 })
    }
    assert_eq!(exact(), Err(Exact::Own { line: 7 }));
}

#[test]
fn generic_errors_go_by_their_bounds() {
    #[timeout(60)]
    fn serialized<E>(error: E) -> Result<(), E>
    where
        E: Serialize + serde::de::DeserializeOwned + From<Error>,
    {
        Err(error)
    }
    #[timeout(60)]
    fn as_message<E: StdError + From<Error>>(error: E) -> Result<(), E> {
        Err(error)
    }
    assert_eq!(serialized(Exact::Own { line: 8 }), Err(Exact::Own { line: 8 }));
    let failed = as_message(AppError::Read(middle())).unwrap_err();
    assert_eq!(chain(&failed), ["cannot read it", CHAIN[1], CHAIN[2]]);
}

#[test]
fn keys_go_with_errors_of_any_kind() {
    #[timeout(60, wrap)]
    fn wrapped() -> Result<u8, String> {
        Err("own".to_owned())
    }
    #[timeout(60, panic)]
    fn panicking() -> anyhow::Result<u8> {
        anyhow::bail!("own")
    }
    #[timeout(0.2, on_timeout = Ok(5))]
    fn late() -> anyhow::Result<u8> {
        spin()
    }
    assert_eq!(wrapped().unwrap(), Err("own".to_owned()));
    assert_eq!(panicking().unwrap_err().to_string(), "own");
    assert_eq!(late().unwrap(), 5);
}
