//! Random numbers that a seed repeats: SplitMix64.

pub struct Random(u64);

impl Random {
    /// Another sequence for each thread.
    pub fn new(seed: u64, thread: usize) -> Self {
        let mut random = Self(seed ^ (thread as u64).wrapping_mul(0xA076_1D64_78BD_642F));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `least` up to, but not including, `end`.
    pub fn between(&mut self, least: u64, end: u64) -> u64 {
        least + self.next() % (end - least)
    }

    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.between(0, items.len() as u64) as usize]
    }
}
