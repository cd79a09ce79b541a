//! What `#[timeout]` expands to. Not for use by hand, and no part of the contract.
//!
//! The macro knows types by their tokens alone: whether a type serializes, the compiler knows. So
//! the expansion asks a [`Tag`] of the type for its *route*, a marker type, by a method call that
//! resolves to the best of several traits (the one with the most references that the type's bounds
//! allow). What a marker then demands is one bound on the user's type, with one message of ours.

#[path = "attribute/carry.rs"]
mod carry;
#[path = "attribute/errors.rs"]
mod errors;
#[path = "attribute/values.rs"]
mod values;

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Timeout;
use crate::call::Pending;
pub use crate::call::Report;
use crate::child::Child;
use crate::error::Error;
use crate::sys::fork::Tie;

pub use self::carry::{CarriedBy, Carry, CarryByNothing, CarryBySerde, commit};
pub use self::errors::{
    BackByError, BackByNothing, BackByRemote, Fallible, FromFailure, OutByDeref, OutByIo,
    OutByLocalDeref, OutByNothing, OutBySerde, OutByStd,
};
pub use self::values::{CrossesBy, Either, ValueByNothing, ValueBySerde};
pub use crate::start::fork::Side;

/// A type to be asked for its route.
pub struct Tag<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> Tag<T> {
    /// Of a type that is written in the signature.
    pub const NEW: Self = Self(PhantomData);
}

impl<T: ?Sized> Tag<T> {
    /// Of the type that an argument has, which may have no name.
    pub fn of(_: &T) -> Self {
        Self::NEW
    }
}

/// Starts the child of a decorated function. Returns in two processes.
#[must_use]
pub fn fork(timeout: Timeout, function: &'static str) -> Side {
    crate::start::fork::start(&timeout, function, Tie::ToThread)
}

impl Child {
    /// Runs the body, sends what it returned and what it did to the arguments that are carried
    /// back, and ends the process.
    pub fn send<R, Route>(self, _: Route, carried: impl Serialize, body: impl FnOnce() -> R) -> !
    where
        R: CrossesBy<Route>,
    {
        self.run(|| (body().pack(), carried))
    }
}

impl Pending {
    /// Waits for what [`Child::send`] sends.
    ///
    /// # Errors
    ///
    /// Whatever became of the call other than a value.
    pub fn receive<R, Route, C>(self, _: Route) -> Result<(R, C), Error>
    where
        R: CrossesBy<Route>,
        C: DeserializeOwned,
    {
        let ((wire, carried), report) = self.join_reported::<(R::Wire, C)>()?;
        Ok((R::unpack(wire, &report), carried))
    }
}

/// For a written `Result`: a failure becomes the `Err` of the body's own error type.
///
/// # Errors
///
/// The body's own, or the failure.
pub fn merge<R: FromFailure>(result: Result<R, Error>) -> R {
    result.unwrap_or_else(R::from_failure)
}

/// For the key `panic`: a failure panics in the caller, at the call.
///
/// # Panics
///
/// With the failure's text.
#[track_caller]
pub fn or_panic<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => panic!("{failure}"),
    }
}
