//! What crosses to a child that is no copy of the caller: which function, and its arguments.

use std::any::type_name;
use std::io::{self, Read};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::__private::Travels;
use crate::budget::Budget;
use crate::child::Sink;
use crate::codec;
use crate::error::CodecError;
use crate::frame::{End, Receiver, Sender};
use crate::sys::image::{self, Identity};
use crate::sys::surroundings::Surroundings;

/// What runs in the child: takes its arguments, and sends what became of them.
pub type Thunk = fn(&mut Arguments<'_>, &mut Sink<'_>) -> Result<(), CodecError>;

/// In the child: the arguments of one call, in their order.
pub struct Arguments<'a> {
    receiver: Receiver<&'a mut dyn Read>,
    /// The type of the one that was taken last.
    last: &'static str,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(receiver: Receiver<&'a mut dyn Read>) -> Self {
        Self { receiver, last: "()" }
    }

    /// The next argument.
    ///
    /// # Errors
    ///
    /// The decoder's.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, CodecError> {
        self.last = type_name::<T>();
        codec::decode(&mut self.receiver).map_err(CodecError::of_argument)
    }

    /// There are no more. What was read as less than was written would else be the next request.
    ///
    /// # Errors
    ///
    /// Where there are.
    pub fn end(&mut self) -> Result<(), CodecError> {
        let why = match self.receiver.finish() {
            End::Complete => return Ok(()),
            End::Broken(why) => why,
            _ => "the end is missing".to_owned(),
        };
        Err(CodecError::new(self.last, why).of_argument())
    }
}

/// Where the arguments go.
pub struct Packing(pub(crate) Sender<Vec<u8>>);

/// In the caller: a function and its arguments, packed for another process.
pub struct Parcel {
    thunk: Thunk,
    type_name: &'static str,
    arguments: Result<Packing, CodecError>,
}

impl Parcel {
    /// For a function that returns an `R`.
    #[must_use]
    pub fn new<R>(thunk: Thunk) -> Self {
        Self { thunk, type_name: type_name::<R>(), arguments: Ok(Packing(Sender::new(Vec::new()))) }
    }

    /// One more argument.
    #[must_use]
    pub fn with<T: Travels + ?Sized>(self, name: &str, argument: &T) -> Self {
        self.and(argument, |error| error.of_parameter(name))
    }

    /// All of them, as one.
    pub(crate) fn with_all<T: Travels>(self, arguments: &T) -> Self {
        self.and(arguments, CodecError::of_argument)
    }

    fn and<T: Travels + ?Sized>(
        mut self,
        argument: &T,
        told: impl FnOnce(CodecError) -> CodecError,
    ) -> Self {
        // The first that cannot be written is told of.
        if let Ok(packing) = &mut self.arguments {
            if let Err(error) = argument.pack(packing) {
                self.arguments = Err(told(error));
            }
        }
        self
    }

    /// For this very process.
    pub(crate) fn open(self) -> Result<(Thunk, Vec<u8>), CodecError> {
        Ok((self.thunk, self.arguments?.0.into_frame()))
    }

    /// Whether the executable has the function, and the arguments could be written.
    pub(crate) fn pack(self) -> Result<Packed, Refusal> {
        let offset = image::offset_to_send(self.thunk as *const (), "function");
        let offset = offset.map_err(Refusal::Start)?;
        let Packing(sender) = self.arguments.map_err(Refusal::Encode)?;
        Ok(Packed { offset, type_name: self.type_name, arguments: sender.into_frame() })
    }
}

/// Why a parcel cannot go.
pub(crate) enum Refusal {
    Start(io::Error),
    Encode(CodecError),
}

pub(crate) struct Packed {
    pub(crate) offset: u64,
    pub(crate) type_name: &'static str,
    /// As a frame.
    pub(crate) arguments: Vec<u8>,
}

/// What the child is told before the arguments.
pub(crate) struct Request {
    pub(crate) identity: Identity,
    /// Where the caller has the executable.
    pub(crate) base: u64,
    pub(crate) thunk: u64,
    pub(crate) type_name: String,
    /// Of the call whose deadline is the nearest: how it is called, its limit, the time that it has
    /// been under way, and what is left.
    pub(crate) function: String,
    pub(crate) limit: Option<Duration>,
    pub(crate) elapsed: Duration,
    pub(crate) left: Option<Duration>,
    /// Until the kernel ends the child, if nobody else does.
    pub(crate) fuse: Option<Duration>,
    pub(crate) budget: Budget,
    /// Where these are not what the child has.
    pub(crate) surroundings: Option<Surroundings>,
    /// To be called before the first body.
    pub(crate) initializer: Option<u64>,
    /// Nothing comes after it.
    pub(crate) is_last: bool,
    /// Where the body is to print, by the caller's number.
    pub(crate) printed: Option<i32>,
}

/// As it crosses.
type Parts = (
    Identity,
    (u64, u64, Option<u64>, bool),
    (String, String),
    (Option<Duration>, Duration, Option<Duration>, Option<Duration>),
    (Option<Surroundings>, Option<i32>),
    (Option<u64>, Option<Duration>),
);

impl Request {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let parts = (
            self.identity,
            (self.base, self.thunk, self.initializer, self.is_last),
            (&self.type_name, &self.function),
            (self.limit, self.elapsed, self.left, self.fuse),
            (&self.surroundings, self.printed),
            (self.budget.memory, self.budget.cpu),
        );
        codec::to_bytes(&parts)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (identity, calls, (type_name, function), times, around, (memory, cpu)) =
            codec::from_bytes::<Parts>(bytes)?;
        let (base, thunk, initializer, is_last) = calls;
        let (limit, elapsed, left, fuse) = times;
        let (surroundings, printed) = around;
        Some(Self {
            identity,
            base,
            thunk,
            type_name,
            function,
            limit,
            elapsed,
            left,
            fuse,
            budget: Budget { memory, cpu },
            surroundings,
            initializer,
            is_last,
            printed,
        })
    }
}
