//! How long something held up this thread.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Some time of this thread.
#[derive(Clone, Copy)]
pub struct Span {
    pub elapsed: Duration,
    /// Of that it waited for a processor,
    pub waited: Duration,
    /// and worked.
    pub worked: Duration,
}

impl Span {
    pub fn held_up(&self) -> Duration {
        self.elapsed.saturating_sub(self.waited)
    }

    pub fn beyond(self, time: Duration) -> Self {
        let [elapsed, worked] = [self.elapsed, self.worked].map(|part| part.saturating_sub(time));
        Self { elapsed, worked, ..self }
    }
}

/// Begins a span.
pub struct Begun {
    at: Instant,
    waited: Duration,
    worked: Duration,
}

impl Begun {
    pub fn now() -> Self {
        Self { at: Instant::now(), waited: waited(), worked: worked() }
    }

    pub fn end(&self) -> Span {
        let (worked, waited) = (worked() - self.worked, waited() - self.waited);
        Span { elapsed: self.at.elapsed(), waited, worked }
    }
}

/// The processor time of this thread.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// How long this thread has waited for a processor, the second number of its `schedstat`. The file
/// stays open, for it is read twice a turn.
pub fn waited() -> Duration {
    thread_local! {
        static FILE: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    let mut line = [0; 64];
    let length = FILE.with(|file| file.as_ref()?.read_at(&mut line, 0).ok()).unwrap_or(0);
    let line = String::from_utf8_lossy(&line[..length]);
    let waited = line.split(' ').nth(1).and_then(|number| number.parse().ok());
    Duration::from_nanos(waited.unwrap_or_default())
}
