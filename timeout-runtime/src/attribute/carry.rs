//! How what the body does to a `&mut` argument comes back: committed when the call succeeds, lost
//! when it fails.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::Tag;
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
    /// The serializer's.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// In the caller: puts it into the argument.
    fn commit(&mut self, wire: Self::Wire);
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

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    fn commit(&mut self, wire: T) {
        *self = wire;
    }
}

impl<T: Serialize + DeserializeOwned> CarriedBy<Elements> for [T] {
    type Wire = Vec<T>;

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }

    /// A slice cannot change its length, so there are as many as before.
    fn commit(&mut self, wire: Vec<T>) {
        for (place, value) in self.iter_mut().zip(wire) {
            *place = value;
        }
    }
}

/// An argument of the body, to be written once the body has returned.
pub struct Carry<T: ?Sized, Route>(Place<T>, PhantomData<Route>);

impl<T: ?Sized + CarriedBy<Route>, Route> Carry<T, Route> {
    /// Remembers where the argument is; the body goes on with the argument itself.
    pub fn new(argument: &mut T, _: Route) -> Self {
        Self(Place::of(argument), PhantomData)
    }
}

impl<T: ?Sized + CarriedBy<Route>, Route> Serialize for Carry<T, Route> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.get().write(serializer)
    }
}

/// In the caller, after a call that succeeded.
pub fn commit<T: ?Sized + CarriedBy<Route>, Route>(argument: &mut T, _: Route, wire: T::Wire) {
    argument.commit(wire);
}
