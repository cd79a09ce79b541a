//! Bytes in shared memory.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// So many bytes there is room for.
pub(super) const ROOM: usize = 4 << 10;

const WORD: usize = size_of::<u64>();

/// Who may read it, and when, is said by the word of the hatch. By words, since the other side may write
/// here at any time.
pub(super) struct Letter {
    length: AtomicU32,
    words: [AtomicU64; ROOM / WORD],
}

impl Letter {
    /// At most [`ROOM`] bytes.
    pub(super) fn put(&self, bytes: &[u8]) {
        for (place, part) in self.words.iter().zip(bytes.chunks(WORD)) {
            let mut word = [0; WORD];
            word[..part.len()].copy_from_slice(part);
            place.store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        let length = bytes.len().min(ROOM).try_into().unwrap_or(u32::MAX);
        self.length.store(length, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Vec<u8> {
        let length = self.length.load(Ordering::Relaxed);
        let length = usize::try_from(length).map_or(ROOM, |length| length.min(ROOM));
        let words = &self.words[..length.div_ceil(WORD)];
        let mut bytes = Vec::with_capacity(words.len() * WORD);
        for word in words {
            bytes.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    #[cfg(test)]
    pub(super) fn forge(&self, length: u32) {
        self.length.store(length, Ordering::Relaxed);
    }
}
