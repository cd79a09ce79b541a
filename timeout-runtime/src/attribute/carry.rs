//! How what the body does to a `&mut` argument comes back: committed when the call succeeds, lost
//! when it fails.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Tag;
use crate::call::Source;
use crate::child::Sink;
use crate::codec;
use crate::error::CodecError;
use crate::sys::place::Place;

/// A type that is carried back by some route.
#[diagnostic::on_unimplemented(
    message = "what the body does to a `&mut {Self}` cannot be carried back from the child process",
    label = "`{Self}` does not implement serde's `Serialize` and `Deserialize`",
    note = "write `local(NAME)` in the attribute, with the argument's name, if its changes may stay \
            in the child; or derive both traits for it"
)]
pub trait CarriedBy<Route> {
    /// What is on the pipe.
    type Wire: DeserializeOwned;
    /// In the child: writes what the body left.
    ///
    /// # Errors
    ///
    /// The encoder's.
    fn write_back(&self, sink: &mut Sink<'_>) -> Result<(), CodecError>;
    /// In the caller: puts it into the argument.
    fn put_back(&mut self, wire: Self::Wire);
}

/// A value of a sized type.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

/// A slice, element by element.
#[derive(Clone, Copy, Debug)]
pub struct Elements;

/// Not at all.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

/// First choices.
pub trait CarryBySerde {
    /// The marker.
    type Route: Copy;
    /// The marker's value.
    fn carry_route(&self) -> Self::Route;
}

/// Last choice.
pub trait CarryByNothing {
    /// The marker.
    fn carry_route(&self) -> Nothing {
        Nothing
    }
}

impl<T: Serialize + DeserializeOwned> CarryBySerde for &Tag<T> {
    type Route = Whole;

    fn carry_route(&self) -> Whole {
        Whole
    }
}

impl<T: Serialize + DeserializeOwned> CarryBySerde for &Tag<[T]> {
    type Route = Elements;

    fn carry_route(&self) -> Elements {
        Elements
    }
}

impl<T: ?Sized> CarryByNothing for Tag<T> {}

impl<T: Serialize + DeserializeOwned> CarriedBy<Whole> for T {
    type Wire = T;

    fn write_back(&self, sink: &mut Sink<'_>) -> Result<(), CodecError> {
        codec::encode(self, &mut sink.0)
    }

    fn put_back(&mut self, wire: T) {
        *self = wire;
    }
}

impl<T: Serialize + DeserializeOwned> CarriedBy<Elements> for [T] {
    type Wire = Vec<T>;

    fn write_back(&self, sink: &mut Sink<'_>) -> Result<(), CodecError> {
        codec::encode(self, &mut sink.0)
    }

    /// A slice cannot change its length, so there are as many as before.
    fn put_back(&mut self, wire: Vec<T>) {
        for (place, value) in self.iter_mut().zip(wire) {
            *place = value;
        }
    }
}

/// The markers.
pub trait CarryRoute: Sized {
    /// How this argument is carried back by this route.
    fn carry<'a, T: ?Sized + CarriedBy<Self> + 'a>(self, _: &T) -> Carry<'a, T>
    where
        T::Wire: 'a,
    {
        Carry {
            write: T::write_back,
            read: |source| {
                let wire = codec::decode::<T::Wire>(&mut source.0)?;
                Ok(Box::new(|argument| argument.put_back(wire)))
            },
        }
    }
}

impl<T> CarryRoute for T {}

/// What is to be done with a `&mut` argument, on both sides.
pub struct Carry<'a, T: ?Sized> {
    write: fn(&T, &mut Sink<'_>) -> Result<(), CodecError>,
    read: fn(&mut Source) -> Result<Commit<'a, T>, CodecError>,
}

impl<'a, T: ?Sized> Carry<'a, T> {
    /// In the child, before the body, which goes on with the argument itself.
    #[must_use]
    pub fn departing(&self, argument: &mut T) -> Departing<T> {
        Departing { place: Place::of(argument), write: self.write }
    }

    /// In the caller.
    #[must_use]
    pub fn arriving(&self) -> Arriving<'a, T> {
        Arriving { read: self.read, arrived: None }
    }
}

/// A `&mut` argument on its way to the caller.
pub struct Departing<T: ?Sized> {
    place: Place<T>,
    write: fn(&T, &mut Sink<'_>) -> Result<(), CodecError>,
}

/// What is to become of it there.
pub struct Arriving<'a, T: ?Sized> {
    read: fn(&mut Source) -> Result<Commit<'a, T>, CodecError>,
    arrived: Option<Commit<'a, T>>,
}

/// Puts what has arrived into the argument.
type Commit<'a, T> = Box<dyn FnOnce(&mut T) + 'a>;

/// In the child, once the body has returned.
pub trait Departs {
    /// Writes what it did to the argument.
    ///
    /// # Errors
    ///
    /// The encoder's.
    fn write(&self, sink: &mut Sink<'_>) -> Result<(), CodecError>;
}

impl<T: ?Sized> Departs for Departing<T> {
    fn write(&self, sink: &mut Sink<'_>) -> Result<(), CodecError> {
        (self.write)(self.place.get(), sink)
    }
}

/// In the caller, before it is known whether the call succeeds.
pub trait Arrives {
    /// Reads what the body did to the argument.
    ///
    /// # Errors
    ///
    /// The decoder's.
    fn read(&mut self, source: &mut Source) -> Result<(), CodecError>;
}

impl<T: ?Sized> Arrives for Arriving<'_, T> {
    fn read(&mut self, source: &mut Source) -> Result<(), CodecError> {
        self.arrived = Some((self.read)(source)?);
        Ok(())
    }
}

impl<T: ?Sized> Arriving<'_, T> {
    /// In the caller, after a call that succeeded.
    pub fn commit(self, argument: &mut T) {
        if let Some(commit) = self.arrived {
            commit(argument);
        }
    }
}
