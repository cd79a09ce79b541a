//! A `Vec<u8>` at once: to serde it is a sequence of numbers, each of which is asked for by itself.
//!
//! Who reads a sequence does not say of what, but it is known by its type: that which a `Vec<u8>` is
//! read by. In bincode's format a sequence of bytes and a byte string are the same.

use std::any::TypeId;
use std::error;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use crate::sys::types::{bytes_as, id_of};

/// Whether this is what a `Vec<u8>` is read by.
#[inline]
pub(super) fn is_for_bytes<V>() -> bool {
    matches!(Vec::<u8>::deserialize(Ask), Err(Asked(Some(visitor))) if visitor == id_of::<V>())
}

/// Reads what such a visitor would.
#[inline]
pub(super) fn deserialize<'de, T, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let bytes = deserializer.deserialize_byte_buf(Bytes)?;
    bytes_as(bytes).ok_or_else(|| D::Error::custom("bytes were to be read"))
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    #[inline]
    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Gives nothing, but is told who wants a sequence.
struct Ask;

#[derive(Debug)]
struct Asked(Option<TypeId>);

impl<'de> Deserializer<'de> for Ask {
    type Error = Asked;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Asked> {
        Err(Asked(None))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Asked> {
        Err(Asked(Some(id_of::<V>())))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is to be had here")
    }
}

impl error::Error for Asked {}

impl Error for Asked {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_bytes_and_nothing_else_is_for_bytes() {
        struct Doubled;

        impl Visitor<'_> for Doubled {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers of which each is twice the next byte")
            }
        }

        let of_numbers = |asked| matches!(asked, Err(Asked(Some(id))) if id == id_of::<Doubled>());
        assert!(!of_numbers(Vec::<u8>::deserialize(Ask)));
        assert!(!is_for_bytes::<Doubled>());
        let Err(Asked(Some(of_i8))) = Vec::<i8>::deserialize(Ask) else { panic!() };
        let Err(Asked(Some(of_bytes))) = Vec::<u8>::deserialize(Ask) else { panic!() };
        let Err(Asked(Some(of_boxed))) = Box::<[u8]>::deserialize(Ask) else { panic!() };
        assert_ne!(of_i8, of_bytes);
        assert_eq!(of_boxed, of_bytes);
    }
}
