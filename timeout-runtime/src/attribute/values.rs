//! How a returned value crosses.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Tag;
use super::errors::ErrorBy;
use crate::report::Report;

/// A type that comes back from the child by some route.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come back from the child process",
    label = "this does not implement serde's `Serialize` and `Deserialize`",
    note = "what a function under `#[timeout]` returns crosses a pipe: derive both for your own \
            type (`#[derive(serde::Serialize, serde::Deserialize)]`), return an owned type that \
            has them, or return what you need of it; for large byte strings, `serde_bytes` is the \
            fastest"
)]
pub trait CrossesBy<Route>: Sized {
    /// What is on the pipe.
    type Wire: Serialize + DeserializeOwned;
    /// In the child.
    fn pack(self) -> Self::Wire;
    /// In the caller.
    fn unpack(wire: Self::Wire, report: &Report) -> Self;
}

/// As itself.
#[derive(Clone, Copy, Debug)]
pub struct Serde;

/// Not at all.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

/// A `Result`, each side by its own route.
#[derive(Clone, Copy, Debug)]
pub struct Either<Value, Out, Back>(pub Value, pub Out, pub Back);

/// First choice.
pub trait ValueBySerde {
    /// The marker.
    fn value_route(&self) -> Serde {
        Serde
    }
}

/// Last choice.
pub trait ValueByNothing {
    /// The marker.
    fn value_route(&self) -> Nothing {
        Nothing
    }
}

impl<T: Serialize + DeserializeOwned> ValueBySerde for &Tag<T> {}
impl<T> ValueByNothing for Tag<T> {}

impl<T: Serialize + DeserializeOwned> CrossesBy<Serde> for T {
    type Wire = T;

    fn pack(self) -> T {
        self
    }

    fn unpack(wire: T, _: &Report) -> T {
        wire
    }
}

impl<T, E, V, O, B> CrossesBy<Either<V, O, B>> for Result<T, E>
where
    T: CrossesBy<V>,
    E: ErrorBy<O, B>,
{
    type Wire = Result<T::Wire, E::Wire>;

    fn pack(self) -> Self::Wire {
        match self {
            Ok(value) => Ok(value.pack()),
            Err(error) => Err(error.pack()),
        }
    }

    fn unpack(wire: Self::Wire, report: &Report) -> Self {
        match wire {
            Ok(value) => Ok(T::unpack(value, report)),
            Err(error) => Err(E::unpack(error, report)),
        }
    }
}
