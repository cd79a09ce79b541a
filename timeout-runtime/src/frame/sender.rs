use std::io::{self, Write};

use super::gathered::Gathered;
use super::{HEADER, MAX_PAYLOAD, Tag, header};

/// So much is gathered before it is written; what comes in larger pieces is not gathered.
const CHUNK: usize = 64 << 10;

/// There is room for it in every pipe that is empty.
#[cfg(feature = "pool")]
const SMALL: u64 = 3 << 10;

/// The child's end: a [`Write`] for the encoder, and the closing words.
pub(crate) struct Sender<W> {
    sink: W,
    /// Begins with room for a header, then the payload so far of a data record.
    gathered: Gathered,
    total: u64,
}

#[cfg(feature = "pool")]
impl Sender<Vec<u8>> {
    /// All of it, with its end.
    pub(crate) fn into_frame(mut self) -> Vec<u8> {
        self.close_frame();
        if self.sink.is_empty() {
            return self.gathered.into_vec();
        }
        self.sink.extend(self.gathered.as_slice());
        self.sink
    }
}

impl<W: Write> Sender<W> {
    pub(crate) fn new(sink: W) -> Self {
        Self { sink, gathered: Gathered::zeros(HEADER), total: 0 }
    }

    /// The value is whole: nothing comes after this. For a small one it is the only write.
    #[inline]
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        self.close_frame();
        self.sink.write_all(self.gathered.as_slice())
    }

    /// As [`complete`](Self::complete), and one more word, which is asked for when no write of the
    /// value can have to wait any more: in the same write, for a small value, if it is not given in
    /// another way.
    #[cfg(feature = "pool")]
    pub(crate) fn complete_and(
        &mut self,
        tag: Tag,
        payload: impl FnOnce() -> [u8; 8],
        is_given: impl FnOnce(&W, &[u8]) -> bool,
    ) -> io::Result<()> {
        self.close_frame();
        let is_small = self.total <= SMALL;
        if !is_small {
            self.sink.write_all(self.gathered.as_slice())?;
            self.gathered.clear();
        }
        let payload = payload();
        self.gather(&header(tag, payload.len()));
        self.gather(&payload);
        let frame = self.gathered.as_slice();
        if is_small && is_given(&self.sink, frame) { Ok(()) } else { self.sink.write_all(frame) }
    }

    #[inline]
    fn close_frame(&mut self) {
        self.close_data_record();
        self.gather(&header(Tag::Complete, size_of::<u64>()));
        self.gather(&self.total.to_le_bytes());
    }

    /// Anything else that is to be said; a payload that is too long is cut.
    pub(crate) fn record(&mut self, tag: Tag, payload: &[u8]) -> io::Result<()> {
        let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
        let mut record = Vec::with_capacity(HEADER + payload.len());
        record.extend(header(tag, payload.len()));
        record.extend(payload);
        self.sink.write_all(&record)
    }

    #[inline]
    /// Puts the header before what was gathered; after that it can be written.
    fn close_data_record(&mut self) {
        let length = self.gathered.len() - HEADER;
        self.total += length as u64;
        if length == 0 {
            self.gathered.clear();
        } else {
            self.gathered.as_mut_slice()[..HEADER].copy_from_slice(&header(Tag::Data, length));
        }
    }

    #[inline]
    fn gather(&mut self, bytes: &[u8]) {
        if !self.gathered.has_taken(bytes) {
            self.gathered.take(bytes, HEADER + CHUNK);
        }
    }

    #[inline(never)]
    fn write_slowly(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gathered.len() + bytes.len() <= HEADER + CHUNK {
            self.gather(bytes);
            return Ok(());
        }
        self.close_data_record();
        self.sink.write_all(self.gathered.as_slice())?;
        self.gathered.clear();
        self.gather(&[0; HEADER]);
        if bytes.len() < CHUNK {
            self.gather(bytes);
            return Ok(());
        }
        for part in bytes.chunks(MAX_PAYLOAD) {
            self.total += part.len() as u64;
            self.sink.write_all(&header(Tag::Data, part.len()))?;
            self.sink.write_all(part)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Sender<W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gathered.has_taken(bytes) { Ok(()) } else { self.write_slowly(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
