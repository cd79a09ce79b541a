//! A decoder that counts what it visits.
//!
//! How many elements a collection has, its length says. Elements that take bytes end where the bytes
//! do; of those that take none, `()` say, a length that lies would have the decoder visit 2^64. So
//! all that are visited may be as many as the bytes that have come, and some more.
//!
//! Serde tells the reader nothing of an element, so this stands between it and the value: one
//! wrapper around all that the two hand to each other, which the compiler sees through.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::bytes;

/// What was visited, and what may be.
pub(super) struct Count {
    visited: Cell<u64>,
    /// How many bytes have come, or were announced.
    bytes: Cell<u64>,
    /// How many elements there may be beyond these.
    without_bytes: u64,
}

/// How many elements of a collection are counted at once.
const STEP: usize = 4 << 10;

impl Count {
    pub(super) fn new(without_bytes: u64) -> Self {
        Self { visited: Cell::new(0), bytes: Cell::new(0), without_bytes }
    }

    pub(super) fn have_come(&self, bytes: u64) {
        self.bytes.set(bytes);
    }

    /// Counts the next elements of a collection that has so many to come; how many they are.
    #[cold]
    pub(super) fn next<E: Error>(&self, to_come: Option<usize>) -> Result<usize, E> {
        let next = to_come.map_or(STEP, |to_come| to_come.clamp(1, STEP));
        let visited = self.visited.get() + next as u64;
        self.visited.set(visited);
        if visited <= self.bytes.get() + self.without_bytes {
            return Ok(next);
        }
        let Self { without_bytes, .. } = self;
        Err(E::custom(format_args!("it has more than {without_bytes} elements that take no bytes")))
    }
}

/// Around a deserializer, a visitor, a seed, or the access to elements.
pub(super) struct Counted<'a, X> {
    inner: X,
    count: &'a Count,
    /// How many elements may be visited before the next are counted.
    ahead: usize,
}

impl<'a, X> Counted<'a, X> {
    #[inline]
    pub(super) fn new(inner: X, count: &'a Count) -> Self {
        // As many elements as the type has: nothing that a length says.
        Self { inner, count, ahead: usize::MAX }
    }

    #[inline]
    fn by_length(inner: X, count: &'a Count) -> Self {
        Self { inner, count, ahead: 0 }
    }

    #[inline]
    fn visit<E: Error>(&mut self, to_come: impl FnOnce(&X) -> Option<usize>) -> Result<(), E> {
        if self.ahead == 0 {
            self.ahead = self.count.next(to_come(&self.inner))?;
        }
        self.ahead -= 1;
        Ok(())
    }
}

macro_rules! as_it_is {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

macro_rules! with_what_is_in_it {
    ($($method:ident($($argument:ident: $type:ty),*) $wrap:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.inner.$method($($argument,)* Counted::$wrap(visitor, self.count))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Counted<'_, D> {
    type Error = D::Error;

    as_it_is! {
        deserialize_any deserialize_bool deserialize_char deserialize_f32 deserialize_f64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    with_what_is_in_it! {
        deserialize_option() new;
        deserialize_unit_struct(name: &'static str) new;
        deserialize_newtype_struct(name: &'static str) new;
        deserialize_map() by_length;
        deserialize_tuple(length: usize) new;
        deserialize_tuple_struct(name: &'static str, length: usize) new;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) new;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) new;
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if bytes::is_for_bytes::<V>() {
            return bytes::deserialize(self.inner);
        }
        self.inner.deserialize_seq(Counted::by_length(visitor, self.count))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Counted<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Counted::new(some, self.count))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Counted::new(inner, self.count))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Counted { inner: elements, count: self.count, ahead: self.ahead })
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Counted { inner: entries, count: self.count, ahead: self.ahead })
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Counted::new(variant, self.count))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Counted<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Counted::new(value, self.count))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Counted<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.visit(A::size_hint)?;
        self.inner.next_element_seed(Counted::new(seed, self.count))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Counted<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.visit(A::size_hint)?;
        self.inner.next_key_seed(Counted::new(seed, self.count))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Counted::new(seed, self.count))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Counted<'a, A> {
    type Error = A::Error;
    type Variant = Counted<'a, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.inner.variant_seed(seed)?;
        Ok((name, Counted::new(content, self.count)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Counted<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Counted::new(seed, self.count))
    }

    with_what_is_in_it! {
        tuple_variant(length: usize) new;
        struct_variant(fields: &'static [&'static str]) new;
    }
}
