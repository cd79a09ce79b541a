use std::io::{self, Write};

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
    buffer: Vec<u8>,
    total: u64,
}

#[cfg(feature = "pool")]
impl Sender<Vec<u8>> {
    /// All of it, with its end.
    pub(crate) fn into_frame(mut self) -> Vec<u8> {
        self.close_frame();
        if self.sink.is_empty() {
            return self.buffer;
        }
        self.sink.extend(self.buffer);
        self.sink
    }
}

impl<W: Write> Sender<W> {
    pub(crate) fn new(sink: W) -> Self {
        let mut buffer = Vec::with_capacity(1 << 10);
        buffer.resize(HEADER, 0);
        Self { sink, buffer, total: 0 }
    }

    /// The value is whole. For a small one this is the only write.
    pub(crate) fn complete(mut self) -> io::Result<()> {
        self.close_frame();
        self.sink.write_all(&self.buffer)
    }

    /// As [`complete`](Self::complete), and one more word, which is asked for when no write of the
    /// value can have to wait any more: in the same write, for a small value.
    #[cfg(feature = "pool")]
    pub(crate) fn complete_and(
        mut self,
        tag: Tag,
        payload: impl FnOnce() -> [u8; 8],
    ) -> io::Result<()> {
        self.close_frame();
        if self.total > SMALL {
            self.sink.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        let payload = payload();
        self.buffer.extend(header(tag, payload.len()));
        self.buffer.extend(payload);
        self.sink.write_all(&self.buffer)
    }

    fn close_frame(&mut self) {
        self.close_data_record();
        self.buffer.extend(header(Tag::Complete, size_of::<u64>()));
        self.buffer.extend(self.total.to_le_bytes());
    }

    /// Anything else that is to be said; a payload that is too long is cut.
    pub(crate) fn record(&mut self, tag: Tag, payload: &[u8]) -> io::Result<()> {
        let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
        let mut record = Vec::with_capacity(HEADER + payload.len());
        record.extend(header(tag, payload.len()));
        record.extend(payload);
        self.sink.write_all(&record)
    }

    /// Puts the header before what was gathered; after that the buffer can be written.
    fn close_data_record(&mut self) {
        let length = self.buffer.len() - HEADER;
        self.total += length as u64;
        if length == 0 {
            self.buffer.clear();
        } else {
            self.buffer[..HEADER].copy_from_slice(&header(Tag::Data, length));
        }
    }

    #[cold]
    fn write_large(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.close_data_record();
        self.sink.write_all(&self.buffer)?;
        self.buffer.resize(HEADER, 0);
        self.buffer.truncate(HEADER);
        if bytes.len() < CHUNK {
            self.buffer.extend(bytes);
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
        if self.buffer.len() + bytes.len() <= HEADER + CHUNK {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_large(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
