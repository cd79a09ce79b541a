//! What a function expands to whose child is no copy of the caller.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::carry::{Elements, Nothing, Whole};
use super::{CarriedBy, Crossing, Departs, Tag};
use crate::call::Pending;
use crate::child::Sink;
use crate::error::CodecError;
use crate::remote::{Arguments, Packing, Parcel};
use crate::{StartMethod, Timeout, codec};

/// What an argument can be, or refer to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another process",
    label = "this does not implement serde's `Serialize` and `Deserialize`",
    note = "with the start methods `spawn` and `pool` arguments cross serialized: derive both for your \
            own type (`#[derive(serde::Serialize, serde::Deserialize)]`), bound a type parameter by \
            `Serialize + DeserializeOwned`, or write `start = \"fork\"`, where the child has all \
            arguments as they are"
)]
pub trait Travels {
    /// What is made of it in the child.
    type Wire: DeserializeOwned;
    /// In the caller.
    ///
    /// # Errors
    ///
    /// The encoder's.
    fn pack(&self, packing: &mut Packing) -> Result<(), CodecError>;
    /// In the child.
    fn lend(wire: &Self::Wire) -> &Self;
    /// In the child.
    fn lend_mut(wire: &mut Self::Wire) -> &mut Self;
}

// So that what is missing is said in the words above.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Travels for T {
    type Wire = T;

    fn pack(&self, packing: &mut Packing) -> Result<(), CodecError> {
        codec::encode(self, &mut packing.0)
    }

    fn lend(wire: &T) -> &T {
        wire
    }

    fn lend_mut(wire: &mut T) -> &mut T {
        wire
    }
}

macro_rules! owned {
    ($(($($parameter:ident)?) $borrowed:ty => $owned:ty,)*) => {$(
        #[diagnostic::do_not_recommend]
        impl $(<$parameter: Serialize + DeserializeOwned>)? Travels for $borrowed {
            type Wire = $owned;

            fn pack(&self, packing: &mut Packing) -> Result<(), CodecError> {
                codec::encode(self, &mut packing.0)
            }

            fn lend(wire: &$owned) -> &Self {
                wire
            }

            fn lend_mut(wire: &mut $owned) -> &mut Self {
                wire
            }
        }
    )*};
}

owned! {
    () str => String,
    () Path => PathBuf,
    () OsStr => OsString,
    (T) [T] => Vec<T>,
}

#[diagnostic::do_not_recommend]
impl Travels for CStr {
    type Wire = CString;

    fn pack(&self, packing: &mut Packing) -> Result<(), CodecError> {
        codec::encode(self, &mut packing.0)
    }

    fn lend(wire: &CString) -> &Self {
        wire
    }

    fn lend_mut(_: &mut CString) -> &mut Self {
        unreachable!("nothing can be done to a `&mut CStr`")
    }
}

/// What is done with an argument in the child: first choice. That it can be sent is demanded in one
/// place, by [`Parcel::with`], so that where it cannot there is one error.
pub trait TakeBySent {
    /// The argument, or what it refers to.
    type Target: ?Sized;
    /// What is made of it.
    type Store;
    /// In the child.
    ///
    /// # Errors
    ///
    /// The decoder's.
    fn take_from(&self, arguments: &mut Arguments<'_>) -> Result<Self::Store, CodecError>;
    /// In the child.
    fn lend<'a>(&self, store: &'a Self::Store) -> &'a Self::Target;
    /// In the child.
    fn lend_mut<'a>(&self, store: &'a mut Self::Store) -> &'a mut Self::Target;
}

impl<T: Travels + ?Sized> TakeBySent for &Tag<T> {
    type Target = T;
    type Store = T::Wire;

    fn take_from(&self, arguments: &mut Arguments<'_>) -> Result<T::Wire, CodecError> {
        arguments.take()
    }

    fn lend<'a>(&self, store: &'a T::Wire) -> &'a T {
        T::lend(store)
    }

    fn lend_mut<'a>(&self, store: &'a mut T::Wire) -> &'a mut T {
        T::lend_mut(store)
    }
}

/// The same for an argument by value.
pub trait TakeBySerde {
    /// The argument.
    type Value;
    /// In the child.
    ///
    /// # Errors
    ///
    /// The decoder's.
    fn take_value(&self, arguments: &mut Arguments<'_>) -> Result<Self::Value, CodecError>;
}

impl<T: Serialize + DeserializeOwned> TakeBySerde for &Tag<T> {
    type Value = T;

    fn take_value(&self, arguments: &mut Arguments<'_>) -> Result<T, CodecError> {
        arguments.take()
    }
}

/// Last choice, of what cannot be sent: a program with it does not compile.
#[expect(missing_docs, reason = "as above")]
pub trait TakeByNothing<T: ?Sized> {
    fn take_from(&self, _: &mut Arguments<'_>) -> Result<(), CodecError> {
        unreachable!("this does not compile")
    }

    fn lend<'a>(&self, (): &'a ()) -> &'a T {
        unreachable!("this does not compile")
    }

    fn lend_mut<'a>(&self, (): &'a mut ()) -> &'a mut T {
        unreachable!("this does not compile")
    }

    fn take_value(&self, _: &mut Arguments<'_>) -> Result<T, CodecError>
    where
        T: Sized,
    {
        unreachable!("this does not compile")
    }
}

impl<T: ?Sized> TakeByNothing<T> for Tag<T> {}

/// How an argument that was sent is carried back: first choices. What cannot be is told in the
/// caller's code alone.
pub trait SentBySerde {
    /// The marker.
    type Route: Copy;
    /// The marker's value.
    fn sent_route(&self) -> Self::Route;
    /// In the child.
    fn route_there(&self) -> Self::Route {
        self.sent_route()
    }
}

impl<T: Serialize + DeserializeOwned> SentBySerde for &&Tag<T> {
    type Route = Whole;

    fn sent_route(&self) -> Whole {
        Whole
    }
}

impl<T: Serialize + DeserializeOwned> SentBySerde for &&Tag<[T]> {
    type Route = Elements;

    fn sent_route(&self) -> Elements {
        Elements
    }
}

/// Second choice, of what can be sent and not carried back.
pub trait SentByTravels {
    /// The marker.
    fn sent_route(&self) -> Nothing {
        Nothing
    }
}

impl<T: Travels + ?Sized> SentByTravels for &Tag<T> {}

/// Last choice, of what cannot be sent, which is said elsewhere.
pub trait SentByNothing {
    /// The marker.
    fn sent_route(&self) -> Unsent {
        Unsent
    }
    /// In the child.
    fn route_there(&self) -> Unsent {
        Unsent
    }
}

impl<T: ?Sized> SentByNothing for Tag<T> {}

/// Not at all, which is told elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Unsent;

#[diagnostic::do_not_recommend]
impl<T: ?Sized> CarriedBy<Unsent> for T {
    type Wire = ();

    fn write_back(&self, _: &mut Sink<'_>) -> Result<(), CodecError> {
        unreachable!("this does not compile")
    }

    fn put_back(&mut self, (): ()) {
        unreachable!("this does not compile")
    }
}

/// In the child, at its end: what the body returned, and what it did to its arguments.
///
/// # Errors
///
/// The encoder's.
pub fn send_back<R>(
    sink: &mut Sink<'_>,
    crossing: Crossing<R>,
    carried: &[&dyn Departs],
    value: R,
) -> Result<(), CodecError> {
    (crossing.encode)(value, sink)?;
    carried.iter().try_for_each(|argument| argument.write(sink))
}

/// In the caller: has it done in a process of its own.
#[must_use]
pub fn spawn(timeout: Timeout, function: &'static str, parcel: Parcel) -> Pending {
    timeout.start_method(StartMethod::Spawn).start_remote(function, parcel)
}

/// In the caller: has it done by a worker.
#[must_use]
pub fn pool(timeout: Timeout, function: &'static str, parcel: Parcel) -> Pending {
    timeout.start_method(StartMethod::Pool).start_remote(function, parcel)
}

/// As [`spawn`], awaited.
#[cfg(feature = "tokio")]
pub async fn spawn_async(timeout: Timeout, function: &'static str, parcel: Parcel) -> Pending {
    timeout.start_method(StartMethod::Spawn).start_remote_awaited(function, parcel).await
}

/// As [`pool`], awaited.
#[cfg(feature = "tokio")]
pub async fn pool_async(timeout: Timeout, function: &'static str, parcel: Parcel) -> Pending {
    timeout.start_method(StartMethod::Pool).start_remote_awaited(function, parcel).await
}

/// In the child: runs an async body to its end.
#[cfg(feature = "tokio")]
pub fn block_on<F: Future>(sink: &mut Sink<'_>, body: impl FnOnce() -> F) -> F::Output {
    sink.block_on(body)
}
