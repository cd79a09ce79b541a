//! Values to bytes and back. The only place that names bincode.
//!
//! bincode is frozen and carries an advisory for that (RUSTSEC-2025-0141), and its last release
//! does not compile by intent. It does here because both ends of the pipe are one program, so no
//! format has to outlive a call. What bytes could do to the caller is bounded: for a length that
//! lies no more is reserved than 1 MiB, by [`Decoder`] or by serde, at each level of the value, and
//! there are no more levels than the stack has room for. Not bounded is how often a collection of
//! what takes no bytes, a set of `()` say, is told to go on. The version is pinned: 1.3 takes a
//! reader of our own, 2.0 does not.

use std::any::type_name;
use std::io::{self, Read, Write};

use bincode::{BincodeRead, DefaultOptions, Options};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Serialize};

use crate::error::CodecError;
use crate::frame::Receiver;
use crate::sys::headroom::Headroom;

fn options() -> impl Options {
    DefaultOptions::new().with_fixint_encoding().with_no_limit()
}

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, sink: impl Write) -> Result<(), CodecError> {
    options().serialize_into(sink, value).map_err(|e| CodecError::new(type_name::<T>(), e))
}

pub(crate) fn decode<T: DeserializeOwned>(
    source: &mut Receiver<impl Read>,
) -> Result<T, CodecError> {
    options()
        .deserialize_from_custom(Decoder { source, stack: Headroom::new() })
        .map_err(|e| CodecError::new(type_name::<T>(), e))
}

/// For the library's own small records.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    options().serialize(value).unwrap_or_default()
}

pub(crate) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    options().deserialize(bytes).ok()
}

/// Strings and byte strings go from the pipe straight into their own buffer, which grows no
/// faster than its bytes arrive. Each level of a value reads at least a byte, so that each is a
/// look at the stack.
struct Decoder<'a, R> {
    source: &'a mut Receiver<R>,
    stack: Headroom,
}

/// What is reserved on the word of a length alone.
const TRUST: usize = 1 << 20;

impl<R: Read> Decoder<'_, R> {
    #[inline]
    fn descend(&mut self) -> io::Result<&mut Receiver<R>> {
        if self.stack.is_enough() { Ok(self.source) } else { Err(too_deep()) }
    }

    fn bytes(&mut self, length: usize) -> bincode::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let step = (length - bytes.len()).min(bytes.len().max(TRUST));
            bytes.try_reserve_exact(step).map_err(io::Error::other)?;
            let read = Read::take(&mut *self.source, step as u64).read_to_end(&mut bytes)?;
            if read < step {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        Ok(bytes)
    }
}

#[cold]
fn too_deep() -> io::Error {
    io::Error::other("it is nested too deeply for the stack of the thread that receives it")
}

impl<R: Read> Read for Decoder<'_, R> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.descend()?.read(bytes)
    }

    #[inline]
    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.descend()?.read_exact(bytes)
    }
}

impl<'de, R: Read> BincodeRead<'de> for Decoder<'_, R> {
    fn forward_read_str<V: Visitor<'de>>(
        &mut self,
        length: usize,
        visitor: V,
    ) -> bincode::Result<V::Value> {
        let text = String::from_utf8(self.bytes(length)?)
            .map_err(|e| bincode::ErrorKind::InvalidUtf8Encoding(e.utf8_error()))?;
        visitor.visit_string(text)
    }

    fn get_byte_buffer(&mut self, length: usize) -> bincode::Result<Vec<u8>> {
        self.bytes(length)
    }

    fn forward_read_bytes<V: Visitor<'de>>(
        &mut self,
        length: usize,
        visitor: V,
    ) -> bincode::Result<V::Value> {
        visitor.visit_byte_buf(self.bytes(length)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Sender;

    fn framed(bytes: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let mut sender = Sender::new(&mut frame);
        sender.write_all(bytes).unwrap();
        sender.complete().unwrap();
        frame
    }

    fn round_trip<T: Serialize + DeserializeOwned>(value: &T) -> T {
        let mut frame = Vec::new();
        let mut sender = Sender::new(&mut frame);
        encode(value, &mut sender).unwrap();
        sender.complete().unwrap();
        decode(&mut Receiver::new(&*frame)).unwrap()
    }

    #[test]
    fn values_come_back() {
        let text = "é".repeat(3 << 20);
        assert!(round_trip(&text) == text);
        assert_eq!(round_trip(&(1u8, -2i64, 'x', Some(2.5f32))), (1, -2, 'x', Some(2.5)));
        let bytes: Vec<u8> = (0..200_000u32).map(|i| i.to_le_bytes()[1]).collect();
        assert!(round_trip(&bytes) == bytes);
        round_trip(&());
    }

    #[test]
    fn a_length_that_lies_is_an_error_and_reserves_little() {
        let mut lie = (1u64 << 60).to_le_bytes().to_vec();
        lie.extend(b"only this");
        let error = decode::<String>(&mut Receiver::new(&*framed(&lie))).unwrap_err();
        assert_eq!(error.type_name(), "alloc::string::String");
        assert!(decode::<Vec<u64>>(&mut Receiver::new(&*framed(&lie))).is_err());
    }

    #[test]
    fn bytes_of_another_type_are_an_error() {
        assert!(decode::<bool>(&mut Receiver::new(&*framed(&[7]))).is_err());
        let not_text = [2u64.to_le_bytes().as_slice(), &[0xFF, 0xFE]].concat();
        assert!(decode::<String>(&mut Receiver::new(&*framed(&not_text))).is_err());
    }
}
