//! What the fuzzer runs, and the tests with what it found: everything that reads bytes of a child,
//! given bytes that no child of ours would write.

#![allow(unreachable_pub, reason = "public to the fuzzer alone")]
#![cfg_attr(fuzzing, allow(clippy::missing_panics_doc, missing_docs))]

use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::ffi::CString;
use std::io::{self, Read};
use std::net::IpAddr;
use std::num::NonZero;
use std::ops::Bound;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{self, from_bytes, to_bytes};
use crate::error::{CodecError, ErrorKind, RemoteError, io_parts};
use crate::frame::{End, Receiver, Sender, Tag, header};
use crate::panic::PanicNote;
use crate::sys::memory;
use crate::trace::{Stack, Trace};

/// Bytes of which a few come at a time.
struct Drops<'a> {
    bytes: &'a [u8],
    /// How many come at once, in turn; all of them when this is empty.
    steps: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl<'a> Drops<'a> {
    fn new(bytes: &'a [u8], steps: &'a [u8]) -> Self {
        Self { bytes, steps: steps.iter().cycle() }
    }
}

impl Read for Drops<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let step = self.steps.next().map_or(usize::MAX, |step| usize::from(*step) + 1);
        let length = bytes.len().min(step);
        self.bytes.read(&mut bytes[..length])
    }
}

/// The value of a frame, as a call gets it.
pub fn received<T: DeserializeOwned>(frame: &[u8], steps: &[u8]) -> Option<T> {
    let mut receiver = Receiver::new(Drops::new(frame, steps));
    let value = codec::decode(&mut receiver);
    match receiver.finish() {
        End::Complete if !receiver.has_more() => value.ok(),
        _ => None,
    }
}

/// The frame of a value, as a child sends it.
pub fn sent(value: &impl Serialize) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut sender = Sender::new(&mut frame);
    codec::encode(value, &mut sender).expect("these types can be encoded");
    sender.complete().expect("there is always room");
    frame
}

/// The same, cut into records of these lengths in turn.
pub fn framed(value: &impl Serialize, lengths: &[u8]) -> Vec<u8> {
    let bytes = to_bytes(value);
    let mut left = &*bytes;
    let mut frame = Vec::new();
    let mut record = |tag, payload: &[u8]| {
        frame.extend(header(tag, payload.len()));
        frame.extend(payload);
    };
    for length in lengths {
        let (payload, rest) = left.split_at(left.len().min(usize::from(*length)));
        record(Tag::Data, payload);
        left = rest;
    }
    record(Tag::Data, left);
    record(Tag::Complete, &(bytes.len() as u64).to_le_bytes());
    frame
}

/// A frame of any bytes: a type, how many come at once, and the bytes.
pub fn frame(input: &[u8]) {
    let [of, step, frame @ ..] = input else { return };
    let steps = std::slice::from_ref(step);
    match of % 11 {
        0 => agree::<String>(frame, steps),
        1 => agree::<CString>(frame, steps),
        2 => agree::<Vec<u64>>(frame, steps),
        3 => agree::<Vec<Option<u128>>>(frame, steps),
        4 => agree::<BTreeMap<String, Vec<Result<i16, (char, f64)>>>>(frame, steps),
        5 => agree::<Result<Option<(u8, i128, char, f32, ())>, Bound<Box<str>>>>(frame, steps),
        6 => agree::<(Duration, IpAddr, [u16; 3], bool, NonZero<u32>)>(frame, steps),
        7 => agree::<Vec<Vec<Vec<u8>>>>(frame, steps),
        8 => drop(bounded::<HashMap<u8, u16>>(frame, steps, 3)),
        9 => drop(bounded::<Link>(frame, steps, 0)),
        _ => drop(bounded::<Tree>(frame, steps, frame.len() / 8)),
    }
}

/// What comes out is what a look at the whole frame says, and only of the whole of it.
fn agree<T: Serialize + DeserializeOwned>(frame: &[u8], steps: &[u8]) {
    let value = bounded::<T>(frame, steps, 3).map(|value| to_bytes(&value));
    let expected = payload(frame).and_then(|bytes| from_bytes::<T>(&bytes));
    assert_eq!(value, expected.map(|value| to_bytes(&value)));
    if value.is_some() {
        let lengths = (0..frame.len()).rev().step_by(1 + frame.len() / 16);
        for length in lengths {
            assert!(received::<T>(&frame[..length], steps).is_none(), "whole at {length}");
        }
    }
}

/// The value, which must not need much more memory than there are bytes. A length that is yet to be
/// filled may have 1 MiB in advance, serde's or the decoder's.
fn bounded<T: DeserializeOwned>(frame: &[u8], steps: &[u8], lengths: usize) -> Option<T> {
    let (value, peak) = memory::peak_of(|| received(frame, steps));
    let most = (256 << 10) + (lengths + 1) * (1 << 20) + 128 * frame.len();
    assert!(peak <= most, "{peak} bytes of memory, where {most} is the most");
    value
}

/// The encoded value of a frame that holds one and nothing else.
fn payload(frame: &[u8]) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    let mut left = frame;
    loop {
        let ([0xF7, 0x54, tag, 0, length @ ..], rest) = left.split_first_chunk::<8>()? else {
            return None;
        };
        let length = u32::from_le_bytes(*length) as usize;
        let (part, rest) = rest.split_at_checked(length)?;
        match tag {
            1 if length <= 1 << 20 => payload.extend(part),
            2 if part == (payload.len() as u64).to_le_bytes() && rest.is_empty() => {
                return Some(payload);
            }
            _ => return None,
        }
        left = rest;
    }
}

/// One byte a level.
struct Link(Option<Box<Link>>);

/// One length a level.
struct Tree(Vec<Tree>);

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A record of any bytes: which one, and the payload.
pub fn record(input: &[u8]) {
    let [of, payload @ ..] = input else { return };
    let read = match of % 5 {
        0 => panicked,
        1 => encode_failed,
        2 => remote_error,
        3 => io_error,
        _ => first_record,
    };
    let ((), peak) = memory::peak_of(|| read(payload));
    let most = (2 << 20) + 128 * payload.len();
    assert!(peak <= most, "{peak} bytes of memory, where {most} is the most");
}

fn panicked(payload: &[u8]) {
    let (message, location, stack) = from_bytes::<PanicNote>(payload).unwrap_or_default();
    let said = ErrorKind::Panicked { message: message.clone(), location }.to_string();
    assert!(said.ends_with(&message));
    drop(Stack::of_panic(stack).map(|stacks| Trace::new(stacks, "")));
}

fn encode_failed(payload: &[u8]) {
    let parts: (String, String, bool) = from_bytes(payload).unwrap_or_default();
    let error = CodecError::put_together(parts.clone());
    assert_eq!(error.parts(), (&*parts.0, &*parts.1, parts.2));
    assert!(error.to_string().ends_with(&parts.1));
}

fn remote_error(payload: &[u8]) {
    let Some(chain) = from_bytes::<Vec<String>>(payload) else { return };
    let error = RemoteError::from_chain(chain.clone());
    assert_eq!(error.to_string(), chain.first().cloned().unwrap_or_default());
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    assert!(sources.count() < chain.len().max(1));
    assert_eq!(error, error.clone());
    assert!(!format!("{error:?}").is_empty());
}

fn io_error(payload: &[u8]) {
    let Some(parts) = from_bytes::<io_parts::Parts>(payload) else { return };
    let code = parts.0;
    let error = io_parts::put_together(parts);
    assert_eq!(error.raw_os_error(), code);
    assert!(!format!("{error} {error:?}").is_empty());
}

fn first_record(payload: &[u8]) {
    let mut receiver = Receiver::new(payload);
    if let Some(End::Record(record)) = receiver.first() {
        assert_ne!(record.tag, Tag::Data);
        assert!(record.payload.len() <= payload.len());
    }
    receiver.finish();
}

#[cfg(test)]
mod tests;
