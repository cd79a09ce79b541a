use std::fmt;
use std::time::Duration;

/// What a child used up to its end, as `wait4(2)` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    cpu_time: Duration,
    peak_memory: u64,
}

impl Usage {
    pub(crate) fn new(cpu_time: Duration, peak_memory: u64) -> Self {
        Self { cpu_time, peak_memory }
    }

    /// Without what was used before.
    #[cfg(feature = "pool")]
    pub(crate) fn since(self, before: Duration) -> Self {
        Self { cpu_time: self.cpu_time.saturating_sub(before), ..self }
    }

    /// Processor time, in the program and in the kernel, of all its threads and of the processes
    /// that it waited for.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        self.cpu_time
    }

    /// The most memory that was resident at one time, in bytes. A forked child begins with the
    /// pages of its caller; one that was started afresh has at least what the caller had at its own
    /// peak, for so Linux counts it, and a worker of a pool what its earlier calls had.
    #[must_use]
    #[doc(alias = "ru_maxrss")]
    pub fn peak_memory(&self) -> u64 {
        self.peak_memory
    }
}

/// `2.00 s CPU, peak 3 MiB`
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.peak_memory.div_ceil(1 << 20);
        write!(f, "{:.2} s CPU, peak {mebibytes} MiB", self.cpu_time.as_secs_f64())
    }
}

/// A size as people say it: `64 MiB`, `1000 bytes`.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit && self.0 % unit == 0) {
            Some((unit, name)) => write!(f, "{} {name}", self.0 / unit),
            None => write!(f, "{} bytes", self.0),
        }
    }
}
