use super::{HEADER, Tag, parse_header};

/// Follows a frame over bytes that are gathered before anybody reads them. It keeps none of them.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    header: [u8; HEADER],
    /// How much of the header is there.
    filled: usize,
    /// What is left of the current record's payload.
    left: usize,
    /// Whole records.
    records: u64,
    /// Of the current one.
    tag: Option<Tag>,
    rests: bool,
    is_broken: bool,
}

impl Scanner {
    /// The next bytes.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_broken {
            let length = if self.filled < HEADER {
                self.follow_header(bytes)
            } else {
                let length = self.left.min(bytes.len());
                self.left -= length;
                length
            };
            bytes = &bytes[length..];
            if self.filled == HEADER && self.left == 0 {
                self.filled = 0;
                self.records += 1;
                self.rests |= self.tag == Some(Tag::Rests);
            }
        }
    }

    fn follow_header(&mut self, bytes: &[u8]) -> usize {
        let room = &mut self.header[self.filled..];
        let length = room.len().min(bytes.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.filled += length;
        if self.filled == HEADER {
            let parsed = parse_header(self.header);
            self.is_broken = parsed.is_err();
            self.tag = parsed.as_ref().ok().map(|(tag, _)| *tag);
            self.left = parsed.map_or(1, |(_, length)| length);
        }
        length
    }

    /// Whether a whole record is there, or something that is none.
    pub(crate) fn has_first(&self) -> bool {
        self.records > 0 || self.is_broken
    }

    /// Whether the call is over, and the child stays for others.
    pub(crate) fn rests(&self) -> bool {
        self.rests
    }

    /// Whether this is no frame, or no longer: what comes is of no use.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::frame::Sender;

    fn framed() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sender = Sender::new(&mut bytes);
        sender.write_all(&[7; 300]).unwrap();
        sender.complete().unwrap();
        bytes
    }

    #[test]
    fn a_frame_in_any_pieces_is_followed_to_its_end() {
        let frame = framed();
        for step in [1, 3, HEADER, 100, frame.len()] {
            let mut scanner = Scanner::default();
            for piece in frame.chunks(step) {
                scanner.follow(piece);
            }
            assert_eq!((scanner.records, scanner.is_broken()), (2, false), "in steps of {step}");
        }
    }

    #[test]
    fn the_first_record_is_known_when_it_is_whole() {
        let frame = framed();
        let mut scanner = Scanner::default();
        scanner.follow(&frame[..HEADER + 299]);
        assert!(!scanner.has_first());
        scanner.follow(&frame[HEADER + 299..HEADER + 300]);
        assert!(scanner.has_first());
    }

    #[test]
    fn what_follows_the_end_and_is_no_frame_is_seen() {
        let mut scanner = Scanner::default();
        scanner.follow(&framed());
        scanner.follow(b"stray by");
        assert!(scanner.is_broken());
    }
}
