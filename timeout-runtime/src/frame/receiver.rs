use std::io::{self, Read};

use super::{HEADER, MAX_PAYLOAD, Record, Tag, parse_header};

/// What is read at once when little is asked for.
const CHUNK: usize = 64 << 10;

/// What is read first: most values are no longer. There is room for it without the allocator, whose
/// memory a fork makes costly to write to.
const SMALL: usize = 256;

/// The caller's end: a [`Read`] of the value's bytes for the decoder, then the closing record.
///
/// The end of the source means that the child has ended; it is no error here, but without the
/// closing record there is no value.
pub(crate) struct Receiver<R> {
    source: R,
    small: [u8; SMALL],
    /// In the place of the small one, once that is used up.
    large: Vec<u8>,
    /// What of the buffer holds bytes, and what of these was used up.
    filled: usize,
    used: usize,
    /// What is left of the current data record, in the buffer and in the source.
    left: usize,
    total: u64,
    end: Option<End>,
}

/// How a frame ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The value is whole.
    Complete,
    /// A record that is neither data nor that.
    Record(Record),
    /// The source ended first.
    Missing,
    /// What arrived is not a frame; why.
    Broken(String),
}

impl<R: Read> Receiver<R> {
    pub(crate) fn new(source: R) -> Self {
        let (small, large) = ([0; SMALL], Vec::new());
        Self { source, small, large, filled: 0, used: 0, left: 0, total: 0, end: None }
    }

    #[inline]
    fn buffer(&self) -> &[u8] {
        if self.large.is_empty() { &self.small } else { &self.large }
    }

    /// How many bytes of the value were announced.
    #[inline]
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn peek_source(&self) -> &R {
        &self.source
    }

    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Whether the value's bytes are used up and the frame's end is known.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Reads on to the frame's end, over what the decoder left of the value.
    pub(crate) fn finish(&mut self) -> End {
        self.advance();
        let left_over = if self.left == 0 { 0 } else { self.skip() };
        match self.end.take() {
            Some(End::Complete) if left_over > 0 => {
                End::Broken(format!("{left_over} bytes came after the value"))
            }
            end => end.unwrap_or(End::Missing),
        }
    }

    /// Reads the first record, if it is no data. Whoever goes on without it puts it back.
    pub(crate) fn first(&mut self) -> Option<End> {
        self.advance();
        self.end.take()
    }

    pub(crate) fn put_back(&mut self, end: Option<End>) {
        self.end = end;
    }

    /// After the closing record: what this says, if it comes next.
    #[cfg(feature = "pool")]
    pub(crate) fn next(&mut self, tag: Tag) -> Option<Vec<u8>> {
        self.end = None;
        match self.first() {
            Some(End::Record(record)) if record.tag == tag => Some(record.payload),
            _ => None,
        }
    }

    /// The source, and whether more was read of it than was asked for.
    #[cfg(feature = "pool")]
    pub(crate) fn into_parts(self) -> (R, bool) {
        (self.source, self.filled > self.used)
    }

    /// Whether bytes have arrived that nobody asked for.
    pub(crate) fn has_more(&mut self) -> bool {
        self.filled > self.used || self.source.read(&mut [0]).is_ok_and(|n| n > 0)
    }

    /// So many bytes are left of the value; without the source there is no end.
    #[cold]
    fn skip(&mut self) -> u64 {
        io::copy(self, &mut io::sink()).unwrap_or_default()
    }

    /// Goes to the next data record that is not empty, or to the end.
    fn advance(&mut self) {
        while self.left == 0 && self.end.is_none() {
            if let Err(end) = self.next_record() {
                self.end = Some(end);
            }
        }
    }

    fn next_record(&mut self) -> Result<(), End> {
        let mut header = [0; HEADER];
        self.take(&mut header)?;
        let (tag, length) = parse_header(header).map_err(End::Broken)?;
        if tag == Tag::Data {
            self.left = length;
            self.total += length as u64;
            return Ok(());
        }
        if tag == Tag::Complete {
            let mut total = self.total.to_le_bytes();
            let is_said = length == total.len() && self.take(&mut total).map(|()| true)?;
            let is_whole = is_said && total == self.total.to_le_bytes();
            let lost = || End::Broken("bytes of the value are missing".to_owned());
            return Err(if is_whole { End::Complete } else { lost() });
        }
        let mut payload = vec![0; length];
        self.take(&mut payload)?;
        Err(End::Record(Record { tag, payload }))
    }

    /// Fills `bytes` whole, out of the buffer and the source.
    fn take(&mut self, bytes: &mut [u8]) -> Result<(), End> {
        let mut filled = 0;
        while filled < bytes.len() {
            if self.used == self.filled && self.refill().map_err(|error| unreadable(&error))? == 0 {
                return Err(End::Missing);
            }
            filled += self.copy(&mut bytes[filled..]);
        }
        Ok(())
    }

    /// Fills `bytes`, if there are so many in the buffer.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "so that the length of a number is known here")]
    pub(crate) fn take_ready(&mut self, bytes: &mut [u8]) -> bool {
        let length = bytes.len();
        let ready = self.buffer().get(self.used..self.filled).unwrap_or_default();
        match ready.get(..length) {
            Some(ready) if length <= self.left => {
                bytes.copy_from_slice(ready);
                self.used += length;
                self.left -= length;
                true
            }
            _ => false,
        }
    }

    fn copy(&mut self, bytes: &mut [u8]) -> usize {
        let ready = &self.buffer()[self.used..self.filled];
        let length = ready.len().min(bytes.len());
        bytes[..length].copy_from_slice(&ready[..length]);
        self.used += length;
        length
    }

    fn refill(&mut self) -> io::Result<usize> {
        match self.large.len() {
            0 if self.filled == 0 => {}
            0 => self.large = vec![0; 4 << 10],
            // It keeps its length: to fill it with zeros again would cost more than a short read.
            CHUNK => {}
            _ => self.large = vec![0; CHUNK],
        }
        (self.filled, self.used) = (0, 0);
        let buffer = if self.large.is_empty() { &mut self.small[..] } else { &mut self.large };
        self.filled = self.source.read(buffer)?;
        Ok(self.filled)
    }

    #[cold]
    fn read_slowly(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.advance();
        let wanted = self.left.min(bytes.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.read_data(&mut bytes[..wanted]);
        match &read {
            Ok(0) => self.end = Some(End::Missing),
            Ok(length) => self.left -= length,
            Err(error) => self.end = Some(unreadable(error)),
        }
        read
    }

    fn read_data(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.used == self.filled {
            if bytes.len() >= CHUNK {
                return self.source.read(bytes);
            }
            self.refill()?;
        }
        Ok(self.copy(bytes))
    }
}

/// A source that fails will not come to an end.
fn unreadable(error: &io::Error) -> End {
    End::Broken(format!("the pipe could not be read: {error}"))
}

impl<R: Read> Read for Receiver<R> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.len() <= self.left && bytes.len() <= self.filled - self.used {
            self.left -= bytes.len();
            return Ok(self.copy(bytes));
        }
        self.read_slowly(bytes)
    }

    #[inline]
    fn read_exact(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.read(bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => bytes = &mut bytes[length..],
            }
        }
        Ok(())
    }
}

const _: () = assert!(CHUNK <= MAX_PAYLOAD);

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::frame::{MAGIC, Sender, header};

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sender = Sender::new(&mut bytes);
        for part in parts {
            sender.write_all(part).unwrap();
        }
        sender.complete().unwrap();
        bytes
    }

    fn received(bytes: &[u8]) -> (Vec<u8>, End) {
        let mut receiver = Receiver::new(bytes);
        let mut value = Vec::new();
        receiver.read_to_end(&mut value).unwrap();
        (value, receiver.finish())
    }

    /// A source that gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let length = bytes.len().min(1);
            self.0.read(&mut bytes[..length])
        }
    }

    #[test]
    fn a_value_of_any_size_comes_back_whole() {
        for size in [0, 1, HEADER, CHUNK - 1, CHUNK, CHUNK + 1, MAX_PAYLOAD, 3 * MAX_PAYLOAD + 7] {
            let value: Vec<u8> = (0..size).map(|i| i.to_le_bytes()[0]).collect();
            for step in [1, 3, 1000, CHUNK, size.max(1)] {
                let parts: Vec<&[u8]> = value.chunks(step).collect();
                let (back, end) = received(&framed(&parts));
                assert!(back == value, "{size} bytes in steps of {step}");
                assert_eq!(end, End::Complete);
            }
        }
    }

    #[test]
    fn a_trickle_is_no_different() {
        let bytes = framed(&[&[7; 100], &[8; 100]]);
        let mut receiver = Receiver::new(Drops(&bytes));
        let mut value = [0; 200];
        receiver.read_exact(&mut value).unwrap();
        assert_eq!(receiver.finish(), End::Complete);
        assert_eq!((value[99], value[100]), (7, 8));
    }

    #[test]
    fn a_frame_cut_anywhere_is_missing() {
        let bytes = framed(&[b"value"]);
        for length in 0..bytes.len() {
            assert_eq!(received(&bytes[..length]).1, End::Missing, "cut at {length}");
        }
    }

    #[test]
    fn what_is_not_a_frame_is_told_and_allocates_nothing() {
        let mut huge = MAGIC.to_vec();
        huge.extend([Tag::Data as u8, 0]);
        huge.extend(u32::MAX.to_le_bytes());
        let End::Broken(why) = received(&huge).1 else { panic!("taken for a frame") };
        assert_eq!(why, "a record of 4294967295 bytes, where 1048576 is the most");

        let End::Broken(why) = received(b"hello, world").1 else { panic!("taken for a frame") };
        assert_eq!(why, "stray bytes in the pipe (hello, w)");

        let mut lost = header(Tag::Complete, 8).to_vec();
        lost.extend(5u64.to_le_bytes());
        assert_eq!(received(&lost).1, End::Broken("bytes of the value are missing".into()));
    }

    #[test]
    fn bytes_after_the_value_or_the_frame_are_seen() {
        let bytes = framed(&[b"value and more"]);
        let mut receiver = Receiver::new(&*bytes);
        receiver.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(receiver.finish(), End::Broken("9 bytes came after the value".into()));

        let mut bytes = framed(&[b"value"]);
        bytes.push(0);
        let mut receiver = Receiver::new(&*bytes);
        receiver.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(receiver.finish(), End::Complete);
        assert!(receiver.has_more());
    }

    #[test]
    fn other_records_end_the_value_at_once() {
        let mut bytes = Vec::new();
        let mut sender = Sender::new(&mut bytes);
        sender.write_all(&vec![1; 2 * CHUNK]).unwrap();
        sender.write_all(b"never sent").unwrap();
        sender.record(Tag::Panicked, b"why").unwrap();
        let (value, end) = received(&bytes);
        assert_eq!(value.len(), 2 * CHUNK);
        assert_eq!(end, End::Record(Record { tag: Tag::Panicked, payload: b"why".into() }));
    }
}
