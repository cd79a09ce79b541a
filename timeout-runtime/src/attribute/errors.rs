//! How the error of a written `Result` crosses: as itself where it serializes, an `io::Error` with
//! its kind and code, anything else as its message and the chain of its sources.
//!
//! The way back of a chain is `From<RemoteError>`, which everything that takes any error has
//! (`anyhow::Error`, `Box<dyn Error>`); else `From<timeout_runtime::Error>`, which every error type
//! of a decorated function has, in the kind [`ErrorKind::Failed`].

use std::error::Error as StdError;
use std::io;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Tag;
use crate::error::{Error, ErrorKind, RemoteError, io_parts};
use crate::report::Report;

/// The written `Result`, under whatever alias.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is called `Result`, but is not the standard library's",
    label = "expected a `Result<T, E>`",
    note = "write `wrap` in the attribute, and the decorated function returns \
            `Result<{Self}, timeout_runtime::Error>`"
)]
pub trait Fallible {
    /// Of `Ok`.
    type Value;
    /// Of `Err`.
    type Error;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// Of the two sides of a written `Result`.
#[must_use]
pub fn sides<R: Fallible>() -> (Tag<R::Value>, Tag<R::Error>) {
    (Tag::NEW, Tag::NEW)
}

/// A written `Result` whose error can tell of a failure of the call.
#[diagnostic::on_unimplemented(
    message = "a failure of the call, such as a timeout, cannot become the error of `{Self}`",
    label = "its error type does not implement `From<timeout_runtime::Error>`",
    note = "implement it (with `thiserror`: a variant with `#[from] timeout_runtime::Error`), or \
            write `wrap` in the attribute to get a `Result` around it, or `panic`"
)]
pub trait FromFailure<Route> {
    /// The `Err` of a failure.
    fn from_failure(failure: Error) -> Self;
}

impl<T, E: From<Error>> FromFailure<ByFrom> for Result<T, E> {
    fn from_failure(failure: Error) -> Self {
        Err(E::from(failure))
    }
}

/// The markers.
pub trait FailureRoute: Sized {
    /// The body's own result, or the failure as its error.
    fn merge<R: FromFailure<Self>>(self, result: Result<R, Error>) -> R {
        result.unwrap_or_else(R::from_failure)
    }
}

impl<T> FailureRoute for T {}

/// An error that comes back from the child.
#[diagnostic::on_unimplemented(
    message = "the error `{Self}` cannot come back from the child process",
    label = "this error type can neither be serialized nor rebuilt from its message",
    note = "derive serde's `Serialize` and `Deserialize` for it, or implement `std::error::Error` \
            and `From<timeout_runtime::Error>`"
)]
pub trait ErrorBy<Out, Back>: Sized {
    /// What is on the pipe.
    type Wire: Serialize + DeserializeOwned;
    /// In the child.
    fn pack(self) -> Self::Wire;
    /// In the caller.
    fn unpack(wire: Self::Wire, report: &Report) -> Self;
}

/// Declares the choices of one question, best first: the more references, the better.
macro_rules! choices {
    ($method:ident: $($trait:ident $marker:ident [$($generics:tt)*] for $tag:ty where [$($bounds:tt)*];)*) => {$(
        #[doc = concat!("The route `", stringify!($marker), "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $marker;

        #[doc = concat!("Leads to `", stringify!($marker), "`.")]
        pub trait $trait {
            /// The marker.
            fn $method(&self) -> $marker {
                $marker
            }
        }

        impl<$($generics)*> $trait for $tag where $($bounds)* {}
    )*};
}

choices! { error_out:
    OutBySerde AsItself [E] for &&&&&Tag<E> where [E: Serialize + DeserializeOwned];
    OutByIo AsIo [] for &&&&Tag<io::Error> where [];
    OutByStd AsStd [E] for &&&Tag<E> where [E: StdError];
    OutByDeref AsDeref [E] for &&Tag<E> where [E: Deref<Target = dyn StdError + Send + Sync>];
    OutByLocalDeref AsLocalDeref [E] for &Tag<E> where [E: Deref<Target = dyn StdError>];
    OutByNothing NotOut [E] for Tag<E> where [];
}

choices! { error_back:
    BackByRemote FromRemote [E] for &&Tag<E> where [E: From<RemoteError>];
    BackByError FromError [E] for &Tag<E> where [E: From<Error>];
    BackByNothing NotBack [E] for Tag<E> where [];
}

choices! { failure_route:
    FailureByFrom ByFrom [E] for &Tag<E> where [E: From<Error>];
    FailureByNothing NotFrom [E] for Tag<E> where [];
}

impl<E: Serialize + DeserializeOwned, B> ErrorBy<AsItself, B> for E {
    type Wire = E;

    fn pack(self) -> E {
        self
    }

    fn unpack(wire: E, _: &Report) -> E {
        wire
    }
}

impl<B> ErrorBy<AsIo, B> for io::Error {
    type Wire = io_parts::Parts;

    fn pack(self) -> Self::Wire {
        io_parts::take_apart(&self)
    }

    fn unpack(wire: Self::Wire, _: &Report) -> Self {
        io_parts::put_together(wire)
    }
}

/// The message of an error and of each of its sources.
type Chain = Vec<String>;

/// Of the routes that send a chain, each with each way back.
macro_rules! by_chain {
    ($($out:ident($error:ident: $($bound:tt)*) $as_error:expr;)*) => {$(
        impl<$error: From<RemoteError>> ErrorBy<$out, FromRemote> for $error
        where
            $error: $($bound)*
        {
            type Wire = Chain;

            fn pack(self) -> Chain {
                let as_error: fn(&Self) -> &dyn StdError = $as_error;
                RemoteError::chain_of(as_error(&self))
            }

            fn unpack(wire: Chain, _: &Report) -> Self {
                RemoteError::from_chain(wire).into()
            }
        }

        impl<$error: From<Error>> ErrorBy<$out, FromError> for $error
        where
            $error: $($bound)*
        {
            type Wire = Chain;

            fn pack(self) -> Chain {
                let as_error: fn(&Self) -> &dyn StdError = $as_error;
                RemoteError::chain_of(as_error(&self))
            }

            fn unpack(wire: Chain, report: &Report) -> Self {
                let failed = ErrorKind::Failed(RemoteError::from_chain(wire));
                report.error(failed).into()
            }
        }
    )*};
}

by_chain! {
    AsStd(E: StdError) |error| error;
    AsDeref(E: Deref<Target = dyn StdError + Send + Sync>) |error| &**error;
    AsLocalDeref(E: Deref<Target = dyn StdError>) |error| &**error;
}
