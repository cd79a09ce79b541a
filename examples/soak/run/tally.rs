//! How many calls there were of each end, how late, and which laws they broke.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ends::{ALL, Seen};

pub struct Tally {
    calls: AtomicU64,
    laws_broken: AtomicU64,
    rows: Mutex<Vec<Row>>,
    /// The first few.
    laws: Mutex<Vec<String>>,
}

/// The calls of one end.
#[derive(Clone)]
pub struct Row {
    pub calls: u64,
    /// Those that waited for a lock which the body's own world had lost at the fork.
    pub waited: u64,
    pub worst: Option<Duration>,
    /// How many were so late, in 16 steps from each power of two of microseconds to the next.
    late: [u32; STEPS],
}

const LISTED: usize = 20;
const STEPS: usize = 16 * 28;

impl Tally {
    /// All that it will ever need: the memory of a run is measured.
    pub fn new(ends: usize) -> Self {
        let row = Row { calls: 0, waited: 0, worst: None, late: [0; STEPS] };
        Self {
            calls: AtomicU64::new(0),
            laws_broken: AtomicU64::new(0),
            rows: Mutex::new(vec![row; ends]),
            laws: Mutex::new(Vec::with_capacity(LISTED)),
        }
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub fn laws_broken(&self) -> u64 {
        self.laws_broken.load(Ordering::Relaxed)
    }

    /// `None`: not what is promised.
    pub fn add(&self, end: usize, seen: Option<Seen>) {
        let row = &mut lock(&self.rows)[end];
        row.calls += 1;
        match seen {
            None | Some(Seen::AsExpected) => {}
            Some(Seen::Waited) => row.waited += 1,
            Some(Seen::Late(late)) => {
                row.late[step(late)] += 1;
                row.worst = row.worst.max(Some(late));
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub fn broken(&self, law: String) {
        let mut laws = lock(&self.laws);
        if laws.len() < LISTED {
            laws.push(law);
        }
        self.laws_broken.fetch_add(1, Ordering::Relaxed);
    }

    pub fn first_laws(&self) -> Vec<String> {
        lock(&self.laws).clone()
    }

    pub fn rows(&self) -> Vec<Row> {
        lock(&self.rows).clone()
    }

    /// The latest of all, and which end it was.
    pub fn worst(&self) -> (Option<Duration>, &'static str) {
        let rows = lock(&self.rows);
        let worst = rows.iter().zip(ALL).max_by_key(|(row, _)| row.worst);
        worst.map_or((None, "none"), |(row, end)| (row.worst, end.name))
    }
}

impl Row {
    /// To within 6 %.
    pub fn median(&self) -> Option<Duration> {
        let all: u32 = self.late.iter().sum();
        let mut below = 0;
        let index = self.late.iter().position(|count| {
            below += count;
            below > all / 2
        })?;
        let micros = 2f64.powf((index as f64 + 0.5) / 16.0) - 1.0;
        Some(Duration::from_secs_f64(micros / 1e6))
    }
}

fn step(late: Duration) -> usize {
    let micros = late.as_secs_f64() * 1e6;
    ((16.0 * (micros + 1.0).log2()) as usize).min(STEPS - 1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
