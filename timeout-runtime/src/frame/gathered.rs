/// Without the allocator there is room for so much, which is more than most values take: a fork makes
/// the allocator's memory costly to write to.
const TINY: usize = 256;

/// Bytes that wait to be written.
pub(super) struct Gathered {
    tiny: [u8; TINY],
    /// How many of these are used: all, once there were more.
    used: usize,
    /// In their place then.
    large: Vec<u8>,
}

impl Gathered {
    #[inline]
    pub(super) fn zeros(length: usize) -> Self {
        Self { tiny: [0; TINY], used: length, large: Vec::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn is_tiny(&self) -> bool {
        self.large.capacity() == 0
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        if self.is_tiny() { &self.tiny[..self.used] } else { &self.large }
    }

    #[inline]
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        if self.is_tiny() { &mut self.tiny[..self.used] } else { &mut self.large }
    }

    #[cfg(feature = "pool")]
    pub(super) fn into_vec(self) -> Vec<u8> {
        if self.is_tiny() { self.tiny[..self.used].to_vec() } else { self.large }
    }

    pub(super) fn clear(&mut self) {
        if self.is_tiny() {
            self.used = 0;
        }
        self.large.clear();
    }

    /// Whether there was room for these, where they are now.
    #[inline]
    pub(super) fn has_taken(&mut self, bytes: &[u8]) -> bool {
        if self.large.capacity() - self.large.len() >= bytes.len() {
            self.large.extend_from_slice(bytes);
            return true;
        }
        let room = self.tiny.get_mut(self.used..self.used + bytes.len());
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            self.used += bytes.len();
            return true;
        }
        false
    }

    /// Takes these in any case, and makes room for no more than `most`, all in all, if that is enough.
    pub(super) fn take(&mut self, bytes: &[u8], most: usize) {
        let length = self.len() + bytes.len();
        let capacity = (2 * length).max(4 * TINY).min(most).max(length);
        if self.is_tiny() {
            self.large.reserve_exact(capacity);
            self.large.extend_from_slice(&self.tiny[..self.used]);
            self.used = TINY;
        } else {
            self.large.reserve_exact(capacity - self.large.len());
        }
        self.large.extend_from_slice(bytes);
    }
}
