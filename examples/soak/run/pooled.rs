//! Calls of workers from several threads: most are short, one in a hundred does not end, and one in a
//! hundred crashes. Each outcome is checked, and what the process holds at the end.

use std::process::{self, ExitCode};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::{ErrorKind, StartMethod, Timeout, pool};

use super::arguments::Arguments;
use super::awaited::Left;
use super::random::Random;
use super::rest;

/// What a short call has, in seconds: a caller may wait for a processor.
const LIMIT: f64 = 600.0;

/// And one that does not end.
const BRIEF: f64 = 0.05;

/// The whole may hold so much more memory at the end.
const MOST_GROWTH: i64 = 1 << 20;

/// How many calls ended in which way, and how many otherwise than they had to.
#[derive(Default)]
struct Seen {
    values: AtomicU64,
    timeouts: AtomicU64,
    crashes: AtomicU64,
    wrong: AtomicU64,
}

fn mixed(number: u64) -> u64 {
    Random::new(number, 0).next()
}

fn hangs(number: u64) -> u64 {
    thread::sleep(Duration::from_secs(3600));
    number
}

fn crashes(_: u64) -> u64 {
    process::abort()
}

impl Seen {
    fn calls(&self) -> u64 {
        let Self { values, timeouts, crashes, wrong } = self;
        [values, timeouts, crashes, wrong].map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }

    fn call(&self, random: u64) {
        let limited = |limit: f64| Timeout::new(limit).start_method(StartMethod::Pool);
        let kind = random % 100;
        let (result, count) = match kind {
            0 => (limited(BRIEF).call(hangs, (random,)), &self.timeouts),
            1 => (limited(LIMIT).call(crashes, (random,)), &self.crashes),
            _ => (limited(LIMIT).call(mixed, (random,)), &self.values),
        };
        let is_right = match &result {
            Ok(value) => kind > 1 && *value == mixed(random),
            Err(error) if error.is_timeout() => kind == 0,
            Err(error) => {
                kind == 1 && matches!(error.kind(), ErrorKind::Signaled { signal: 6, .. })
            }
        };
        if !is_right {
            eprintln!("wrong: {random}: {result:?}");
        }
        let count = if is_right { count } else { &self.wrong };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn main(arguments: &Arguments) -> ExitCode {
    let (seen, halt) = (Seen::default(), Barrier::new(arguments.threads + 1));
    let started = Instant::now();
    let (before, after) = thread::scope(|scope| {
        for number in 0..arguments.threads {
            let (seen, halt) = (&seen, &halt);
            scope.spawn(move || {
                let mut random = Random::new(arguments.seed, number);
                (0..1000).for_each(|_| seen.call(random.next()));
                halt.wait();
                halt.wait();
                while arguments.length.goes_on(seen.calls(), started) {
                    seen.call(random.next());
                }
                halt.wait();
                halt.wait();
            });
        }
        let look = || {
            halt.wait();
            pool::shut_down();
            let seen = (Left::now(), rest::memory());
            halt.wait();
            seen
        };
        (look(), look())
    });
    report(&seen, started.elapsed(), before, after)
}

type Look = (Left, (i64, i64));

fn report(seen: &Seen, elapsed: Duration, before: Look, after: Look) -> ExitCode {
    let rate = seen.calls() as f64 / elapsed.as_secs_f64();
    println!("pool: {} calls in {elapsed:.2?}: {rate:.0} a second", seen.calls());
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let Seen { values, timeouts, crashes, wrong } = seen;
    let (values, timeouts, crashes) = (count(values), count(timeouts), count(crashes));
    println!("{values} values, {timeouts} timeouts, {crashes} crashes, {} wrong", count(wrong));
    for (when, (left, (heap, resident))) in [("before", before), ("after", after)] {
        let [heap, resident] = [heap, resident].map(|bytes| bytes as f64 / f64::from(1 << 20));
        println!("{when:<7}{}, heap {heap:.2} MiB, resident {resident:.2} MiB", left.line());
    }
    let grew = |is: i64, was: i64| is - was > MOST_GROWTH;
    let has_grown = grew(after.1.0, before.1.0) || grew(after.1.1, before.1.1);
    let is_kept = count(wrong) == 0 && before.0 == after.0 && !has_grown;
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
