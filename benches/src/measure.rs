//! Measuring: contenders take turns, so that what disturbs one disturbs all.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::report::Point;

pub const QUICK: &str = "TIMEOUT_BENCHES_QUICK";

/// One of those that are compared.
pub struct Contender<'a> {
    name: String,
    /// How many calls it makes when it is its turn.
    turn: usize,
    call: Box<dyn FnMut() -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(name: &str, turn: usize, call: impl FnMut() -> Duration + 'a) -> Self {
        Self { name: name.to_owned(), turn, call: Box::new(call) }
    }

    /// One whose whole call is what is measured.
    pub fn timed<T>(name: &str, turn: usize, mut call: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, turn, move || time(&mut call))
    }
}

pub fn time<T>(call: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let value = call();
    let elapsed = start.elapsed();
    drop(value);
    elapsed
}

/// What one contender's calls took, in seconds, in ascending order.
pub struct Timings {
    pub name: String,
    samples: Vec<f64>,
}

impl Timings {
    pub fn new(name: &str, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { name: name.to_owned(), samples }
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.samples.len().saturating_sub(1);
        let at = (part * last as f64).round() as usize;
        self.samples.get(at).copied().unwrap_or(f64::NAN)
    }

    pub fn point(&self, x: f64) -> Point {
        let (median, p99) = (self.median(), self.quantile(0.99));
        Point { x, median, p99, samples: self.samples.len() }
    }
}

/// Each contender makes its calls, then the next does, `rounds` times; each round begins with
/// another one. A turn of many calls begins with some that are not counted, for the caches are the
/// others'; and one whole round comes before those that count.
pub fn interleave(rounds: usize, mut contenders: Vec<Contender<'_>>) -> Vec<Timings> {
    let count = contenders.len();
    let mut samples = vec![Vec::new(); count];
    for round in 0..=rounds {
        for place in 0..count {
            let index = (place + round) % count;
            let contender = &mut contenders[index];
            for _ in 0..contender.turn / 10 {
                (contender.call)();
            }
            let turn = (0..contender.turn).map(|_| (contender.call)().as_secs_f64());
            let turn: Vec<f64> = turn.collect();
            if round > 0 {
                samples[index].extend(turn);
            }
        }
    }
    let names = contenders.into_iter().map(|contender| contender.name);
    names.zip(samples).map(|(name, samples)| Timings::new(&name, samples)).collect()
}

pub fn is_quick() -> bool {
    std::env::var_os(QUICK).is_some()
}

/// How much of something: less in a quick run.
pub fn amount<T>(whole: T, quick: T) -> T {
    if is_quick() { quick } else { whole }
}

/// A line that the next one takes the place of; nothing where nobody sees it.
pub fn progress(text: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K{text}");
        let _ = stderr.flush();
    }
}
