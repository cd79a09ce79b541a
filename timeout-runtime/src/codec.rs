//! Values to bytes and back. The only place that names bincode.
//!
//! bincode is frozen and carries an advisory for that (RUSTSEC-2025-0141), and its last release
//! does not compile by intent. It does here because both ends of the pipe are one program, so no
//! format has to outlive a call. What bytes could do to the caller is bounded: for a length that
//! lies no more is reserved than 1 MiB, by [`Decoder`] or by serde, at each level of the value, there
//! are no more levels than the stack has room for, and of elements that take no bytes, `()` say,
//! there are no more than 2^24. The version is pinned: 1.3 takes a reader of our own, 2.0 does not.

mod bytes;
mod counted;

use std::any::type_name;
use std::io::{self, Read, Write};

use bincode::{BincodeRead, DefaultOptions, Deserializer, Options};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Serialize};

use self::counted::{Count, Counted};
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
    decode_by(&Count::new(WITHOUT_BYTES), source)
}

/// How many elements that take no bytes a value may have, all in all.
const WITHOUT_BYTES: u64 = 1 << 24;

fn decode_by<T: DeserializeOwned>(
    count: &Count,
    source: &mut Receiver<impl Read>,
) -> Result<T, CodecError> {
    let decoder = Decoder { source, stack: Headroom::new(), count };
    let mut deserializer = Deserializer::with_bincode_read(decoder, options());
    T::deserialize(Counted::new(&mut deserializer, count))
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
    count: &'a Count,
}

/// What is reserved on the word of a length alone.
const TRUST: usize = 1 << 20;

impl<R: Read> Decoder<'_, R> {
    #[inline]
    fn descend(&mut self) -> io::Result<&mut Receiver<R>> {
        if self.stack.is_enough() { Ok(self.source) } else { Err(too_deep()) }
    }

    #[cold]
    fn read_slowly(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.descend()?.read_exact(bytes)?;
        self.count.have_come(self.source.total());
        Ok(())
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
        self.count.have_come(self.source.total());
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
        let read = self.descend()?.read(bytes)?;
        self.count.have_come(self.source.total());
        Ok(read)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "so that a number is copied without a call")]
    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        if self.stack.is_enough() && self.source.take_ready(bytes) {
            return Ok(());
        }
        self.read_slowly(bytes)
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
    use std::collections::{BTreeMap, BTreeSet, HashSet, LinkedList};
    use std::marker::PhantomData;

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
    fn bytes_come_back_wherever_they_are() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        assert!(round_trip(&bytes) == bytes);
        let value = (vec![vec![1u8, 2], vec![]], Some(Box::from([3u8])), vec![4i8], bytes);
        assert!(round_trip::<(Vec<Vec<u8>>, Option<Box<[u8]>>, Vec<i8>, Vec<u8>)>(&value) == value);
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

    fn of_lengths(lengths: &[u64]) -> Vec<u8> {
        framed(&lengths.iter().flat_map(|length| length.to_le_bytes()).collect::<Vec<_>>())
    }

    #[test]
    fn a_length_of_what_takes_no_bytes_may_not_lie_either() {
        #[track_caller]
        fn is_refused<T: DeserializeOwned>(lengths: &[u64]) {
            let frame = of_lengths(lengths);
            let result = decode_by::<T>(&Count::new(9999), &mut Receiver::new(&*frame));
            let error = result.err().expect("it has so many");
            assert_eq!(error.reason(), "it has more than 9999 elements that take no bytes");
        }
        for lie in [20_000, 1 << 40, 1 << 63, u64::MAX] {
            is_refused::<Vec<()>>(&[lie]);
            is_refused::<BTreeSet<()>>(&[lie]);
            is_refused::<HashSet<PhantomData<u8>>>(&[lie]);
            is_refused::<LinkedList<[(); 9]>>(&[lie]);
            // Behind others: in a field, an element, a key, a value.
            is_refused::<(u64, Vec<()>)>(&[1, lie]);
            is_refused::<Vec<Vec<()>>>(&[3, 1, 7, lie]);
            is_refused::<BTreeMap<Vec<()>, u8>>(&[1, lie]);
            is_refused::<BTreeMap<u64, Box<Vec<()>>>>(&[1, 1, lie]);
        }
        // Many that lie a little.
        let mut lies = [3000; 1000];
        lies[0] = 999;
        is_refused::<Vec<Vec<()>>>(&lies);
        // For an `Option` and a variant a number is one byte, and four.
        is_refused::<Option<Vec<()>>>(&[0xFFFF_FF01, 0]);
        is_refused::<Result<Vec<()>, u8>>(&[0xFFFF << 32, 0]);
    }

    #[test]
    fn a_lie_ends_soon() {
        let frame = of_lengths(&[u64::MAX]);
        let error = decode::<Vec<()>>(&mut Receiver::new(&*frame)).unwrap_err();
        assert!(error.reason().contains("elements that take no bytes"), "{error}");
    }

    #[test]
    fn a_million_of_nothing_comes_back() {
        assert_eq!(round_trip(&vec![(); 1_000_000]).len(), 1_000_000);
        assert_eq!(round_trip(&vec![vec![(); 1000]; 1000]), vec![vec![(); 1000]; 1000]);
        assert_eq!(round_trip(&BTreeMap::from([((), 7)])), BTreeMap::from([((), 7)]));
    }

    /// However many there are. The few more are those that are counted before their bytes come.
    #[test]
    fn what_takes_bytes_is_never_too_much() {
        fn passes<T: Serialize + DeserializeOwned + PartialEq>(value: &T) {
            let mut frame = Vec::new();
            let mut sender = Sender::new(&mut frame);
            encode(value, &mut sender).unwrap();
            sender.complete().unwrap();
            let back = decode_by::<T>(&Count::new(9999), &mut Receiver::new(&*frame));
            assert!(back.unwrap() == *value);
        }
        passes(&vec![7u8; 5 << 18]);
        passes(&vec![(1u8, (), [(); 9]); 1 << 15]);
        passes(&vec!["é".to_owned(); 1 << 15]);
        passes(&vec![Some(()); 1 << 15]);
        passes(&vec![Vec::<u8>::new(); 1 << 15]);
        passes(&vec![BTreeMap::from([(1u8, "x".repeat(1 << 20)), (2, String::new())]); 3]);
    }

    #[test]
    fn bytes_of_a_text_have_come_too() {
        let frame = framed("x".repeat(3 << 20).as_bytes());
        let (mut source, count) = (Receiver::new(&*frame), Count::new(0));
        let mut decoder = Decoder { source: &mut source, stack: Headroom::new(), count: &count };
        decoder.get_byte_buffer(3 << 20).unwrap();
        assert!(count.next::<bincode::Error>(Some(1)).is_ok());
        let shorter = Count::new(0);
        assert!(shorter.next::<bincode::Error>(Some(1)).is_err());
    }

    #[test]
    fn bytes_of_another_type_are_an_error() {
        assert!(decode::<bool>(&mut Receiver::new(&*framed(&[7]))).is_err());
        let not_text = [2u64.to_le_bytes().as_slice(), &[0xFF, 0xFE]].concat();
        assert!(decode::<String>(&mut Receiver::new(&*framed(&not_text))).is_err());
    }
}
