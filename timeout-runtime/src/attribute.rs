//! What `#[timeout]` expands to. Not for use by hand, and no part of the contract.
//!
//! The macro knows types by their tokens alone: whether a type serializes, the compiler knows. So
//! the expansion asks a [`Tag`] of the type for its *route*, a marker type, by a method call that
//! resolves to the best of several traits (the one with the most references that the type's bounds
//! allow). What a marker then demands is one bound on the user's type, with one message of ours.

#[path = "attribute/asynchronous.rs"]
mod asynchronous;
#[path = "attribute/carry.rs"]
mod carry;
#[path = "attribute/errors.rs"]
mod errors;
#[cfg(feature = "pool")]
#[path = "attribute/remote.rs"]
mod remote;
#[path = "attribute/values.rs"]
mod values;

use std::any::type_name;
use std::marker::PhantomData;

use crate::Timeout;
use crate::call::{Pending, Source};
use crate::child::Sink;
use crate::codec;
use crate::error::{CodecError, Error};
use crate::inline::Performer;
pub use crate::report::Report;

pub use self::asynchronous::{Sent, cooperative, fork_async, sent, sent_type};
pub use self::carry::{
    Arrives, Arriving, CarriedBy, Carry, CarryByNothing, CarryBySerde, CarryRoute, Departing,
    Departs,
};
pub use self::errors::{
    BackByError, BackByNothing, BackByRemote, FailureByFrom, FailureByNothing, FailureRoute,
    Fallible, FromFailure, OutByDeref, OutByIo, OutByLocalDeref, OutByNothing, OutBySerde,
    OutByStd, sides,
};
#[cfg(feature = "pool")]
pub use self::remote::{
    SentByNothing, SentBySerde, SentByTravels, TakeByNothing, TakeBySent, TakeBySerde, Travels,
    pool, send_back, spawn,
};
#[cfg(all(feature = "pool", feature = "tokio"))]
pub use self::remote::{block_on, pool_async, spawn_async};
pub use self::values::{CrossesBy, Either, ValueByNothing, ValueBySerde};
pub use crate::__needs_tokio as needs_tokio;
pub use crate::__with_pool as with_pool;
#[cfg(feature = "pool")]
pub use crate::remote::{Arguments, Packing, Parcel, Thunk};
use crate::start::fork::Meanwhile;
pub use crate::start::fork::Side;

/// Says which feature is missing, and leaves out what needs it.
#[cfg(not(feature = "pool"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_pool {
    ($body:tt) => {
        ::core::compile_error!(
            "the start methods `spawn` and `pool` are behind a feature: enable the feature `pool` of \
             `timeout-runtime`, as in `cargo add timeout-runtime --features pool`"
        )
    };
}

/// Says which feature is missing, and leaves out what needs it.
#[cfg(feature = "pool")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_pool {
    ($body:tt) => {
        $body
    };
}

/// A type to be asked for its route.
pub struct Tag<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> Tag<T> {
    /// Of a type that is written in the signature.
    pub const NEW: Self = Self(PhantomData);

    /// Of the type that an argument has, which may have no name.
    #[must_use]
    pub fn of(_: &T) -> Self {
        Self::NEW
    }
}

/// What is to be done with a value of type `R`, found out once: where `R` cannot cross, asking for
/// it is the one error, and nothing that uses it is another.
pub struct Crossing<R> {
    encode: fn(R, &mut Sink<'_>) -> Result<(), CodecError>,
    decode: fn(&mut Source, &Report) -> Result<R, CodecError>,
}

impl<R> Clone for Crossing<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Crossing<R> {}

/// The markers.
pub trait Route: Sized {
    /// How an `R` crosses by this route.
    fn crossing<R: CrossesBy<Self>>(self) -> Crossing<R> {
        Crossing {
            encode: |value, sink| {
                let wire = value.pack();
                let encoded = codec::encode(&wire, &mut sink.0);
                sink.let_go(wire);
                encoded
            },
            decode: |source, report| Ok(R::unpack(codec::decode(&mut source.0)?, report)),
        }
    }
}

impl<T> Route for T {}

/// Starts the child of a decorated function. Returns in two processes.
#[must_use]
#[inline]
pub fn fork(timeout: Timeout, function: &'static str) -> Side {
    timeout.start_child(function, Meanwhile::Waits)
}

impl Performer {
    /// Runs the body. A child sends what it returned and what it did to the arguments that are carried
    /// back, and ends its process.
    ///
    /// # Errors
    ///
    /// A panic of a body that ran in the caller.
    pub fn send<R>(
        self,
        crossing: Crossing<R>,
        carried: &[&dyn Departs],
        body: impl FnOnce() -> R,
    ) -> Result<R, Error> {
        let child = match self {
            Self::Child(child) => child,
            Self::Inline(inline) => return inline.run(body),
        };
        let mut body = Some(body);
        child.enter(type_name::<R>(), &mut |sink| {
            let Some(body) = body.take() else { return Ok(()) };
            (crossing.encode)(body(), sink)?;
            carried.iter().try_for_each(|argument| argument.write(sink))
        })
    }
}

impl Pending {
    /// Waits for what [`Performer::send`] sends.
    ///
    /// # Errors
    ///
    /// Whatever became of the call other than a value.
    pub fn receive<R>(
        self,
        crossing: Crossing<R>,
        carried: &mut [&mut dyn Arrives],
    ) -> Result<R, Error> {
        self.join_by(type_name::<R>(), |source, report| {
            let value = (crossing.decode)(source, report)?;
            carried.iter_mut().try_for_each(|argument| argument.read(source))?;
            Ok(value)
        })
    }
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
