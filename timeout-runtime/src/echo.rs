//! What a captured child prints, printed again where the harness captures it: by the caller, on
//! the thread that waits.

use std::borrow::Cow;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::catch_unwind;
use std::str;

use crate::sys::pipe;

#[derive(Debug)]
pub(crate) struct Echo {
    pipe: pipe::Reader,
    /// The beginning of a character whose rest has not come yet.
    tail: Vec<u8>,
}

/// As much is read at once, which is what a pipe holds: between two reads the caller looks at the
/// deadline.
const CHUNK: usize = 64 << 10;

/// More than a pipe holds, if nobody made it larger. What has left the child's group may print for
/// ever: its end is not waited for.
const MOST_AFTER_THE_END: usize = 1 << 20;

impl Echo {
    pub(crate) fn new(pipe: pipe::Reader) -> Self {
        Self { pipe, tail: Vec::new() }
    }

    /// Prints what has come; how much it was. Zero: nothing more will. `None`: nothing has.
    pub(crate) fn pass_on(&mut self) -> Option<usize> {
        self.read()
    }

    /// Prints what there is after the child's end.
    pub(crate) fn finish(mut self) {
        let mut length = 0;
        while length < MOST_AFTER_THE_END {
            match self.read() {
                None | Some(0) => break,
                Some(read) => length += read,
            }
        }
        print(&self.tail);
    }

    /// One read; how much it was. `None`: nothing has come.
    fn read(&mut self) -> Option<usize> {
        let mut bytes = std::mem::take(&mut self.tail);
        let begun = bytes.len();
        bytes.resize(begun + CHUNK, 0);
        let read = self.pipe.read(&mut bytes[begun..]).ok();
        bytes.truncate(begun + read.unwrap_or_default());
        self.tail = bytes.split_off(whole(&bytes));
        print(&bytes);
        read
    }
}

impl AsFd for Echo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// How much of this is whole characters, or nothing that could become one.
fn whole(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    if is_begun { bytes.len() - last.len() } else { bytes.len() }
}

fn print(bytes: &[u8]) {
    if !bytes.is_empty() {
        let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
        // `print!` panics where stdout cannot be written to, which a caller that joins on a thread
        // without capture can meet. Nothing of the call depends on it.
        let _ = catch_unwind(|| print!("{text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn a_character_that_is_cut_waits_for_its_rest() {
        let text = "aé€😀".as_bytes();
        let boundaries = [0, 1, 3, 6, 10];
        for length in 0..=text.len() {
            let expected = boundaries.iter().rfind(|end| **end <= length);
            assert_eq!(whole(&text[..length]), *expected.unwrap(), "{length}");
        }
    }

    #[test]
    fn what_is_no_character_does_not_wait() {
        assert_eq!(whole(b"a\xFF"), 2);
        assert_eq!(whole(b"\xE2\x28"), 2);
        assert_eq!(whole(b"\xF0\x9F\xFFb"), 4);
    }
}
