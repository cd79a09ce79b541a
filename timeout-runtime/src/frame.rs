//! What crosses the pipe: records, from the child to the caller.
//!
//! ```text
//! record  = magic (2 bytes) tag (1) zero (1) length (4, little endian) payload (length)
//! frame   = [ready | contended] data* (complete [rests] | panicked | encode-failed | start-failed
//!                                      | memory-exceeded)
//! request = request data* complete
//! ```
//!
//! The value is cut into `data` records as the child encodes it, and the caller decodes them as
//! they arrive: neither side holds the encoded value whole. The end is said in words, never by
//! the end of the file, for other processes may hold copies of the pipe; and `complete` carries
//! the number of bytes, so that a value is only a value when all of it arrived. A length over
//! [`MAX_PAYLOAD`] or a wrong magic is not ours: the reader stops there.

mod gathered;
mod receiver;
#[cfg(feature = "tokio")]
mod scanner;
mod sender;

pub(crate) use self::receiver::{End, Receiver};
#[cfg(feature = "tokio")]
pub(crate) use self::scanner::Scanner;
pub(crate) use self::sender::Sender;

/// The longest payload of one record.
const MAX_PAYLOAD: usize = 1 << 20;
const MAGIC: [u8; 2] = [0xF7, 0x54];
pub(crate) const HEADER: usize = 8;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// A part of the encoded value.
    Data = 1,
    /// The value is whole; payload: how many bytes of data there were, as `u64`.
    Complete = 2,
    /// The body panicked; payload: a [`PanicNote`](crate::panic::PanicNote).
    Panicked = 3,
    /// The value could not be encoded; payload: its type and the reason.
    EncodeFailed = 4,
    /// The child has its output streams and goes on to the body; payload: what it knows of the
    /// [`Capture`](crate::sys::output::capture::Capture).
    Ready = 5,
    /// Another thread of the caller held an output stream at the fork; payload: which.
    Contended = 6,
    /// The child cannot begin with the body; payload: why.
    StartFailed = 7,
    /// The other way: what is to be done; payload: a [`Request`](crate::remote::Request). The arguments
    /// follow as data.
    Request = 8,
    /// After `complete`: the child waits for another call; payload: an
    /// [`Idle`](crate::child::served::Idle).
    Rests = 9,
    /// The body may have no more memory; payload: how much it may have, as `u64`. The end follows.
    MemoryExceeded = 10,
}

impl Tag {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Data,
            Self::Complete,
            Self::Panicked,
            Self::EncodeFailed,
            Self::Ready,
            Self::Contended,
            Self::StartFailed,
            Self::Request,
            Self::Rests,
            Self::MemoryExceeded,
        ]
        .into_iter()
        .find(|tag| *tag as u8 == byte)
    }
}

/// A record that is not part of the value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) tag: Tag,
    pub(crate) payload: Vec<u8>,
}

/// The header of a record.
///
/// # Panics
///
/// When the payload is longer than [`MAX_PAYLOAD`]: the sender cuts what is longer.
#[inline]
pub(crate) const fn header(tag: Tag, length: usize) -> [u8; HEADER] {
    assert!(length <= MAX_PAYLOAD);
    #[expect(clippy::cast_possible_truncation, reason = "it was just compared")]
    let [a, b, c, d] = (length as u32).to_le_bytes();
    [MAGIC[0], MAGIC[1], tag as u8, 0, a, b, c, d]
}

/// The tag and the length of a header, or what is wrong with it.
fn parse_header(header: [u8; HEADER]) -> Result<(Tag, usize), String> {
    let [m0, m1, tag, zero, length @ ..] = header;
    let tag = Tag::from_byte(tag)
        .filter(|_| [m0, m1] == MAGIC && zero == 0)
        .ok_or_else(|| format!("stray bytes in the pipe ({})", header.escape_ascii()))?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD {
        return Err(format!("a record of {length} bytes, where {MAX_PAYLOAD} is the most"));
    }
    Ok((tag, length))
}
