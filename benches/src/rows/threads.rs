//! Calls a second, from ever more threads at once. Each figure is from a process of its own, for some
//! peers get stuck when threads fork beside each other.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use timeout_runtime::StartMethod;

use super::{call_number, ours};
use crate::bare;
use crate::measure::{Timings, amount, progress};
use crate::peers::{mem_isolate, process_fun, procspawn, zygote};
use crate::process;
use crate::report::{Bar, Quantity, Report, Verdict};

const MOST: u32 = 64;

/// The first two are compared.
const CALLERS: [&str; 7] =
    ["bare fork", "fork", "pool", "mem-isolate", "process-fun", "procspawn pool", "zygote"];

pub fn run(report: &mut Report) {
    let counts: &[u32] = amount(&[1, 2, 4, 8, 16, 32, MOST], &[1, 8, MOST]);
    let mut callers = CALLERS.to_vec();
    for &threads in counts {
        let mut rates = vec![Vec::new(); callers.len()];
        for round in 0..amount(3, 2) + 4 * usize::from(threads == MOST) {
            progress(&format!("threads: {threads}, round {round}"));
            let turns = if round < 3 { callers.len() } else { 2 };
            for (rates, caller) in rates.iter_mut().zip(&callers).take(turns) {
                match ask(caller, threads) {
                    Ok(rate) => rates.push(rate),
                    Err(reason) => {
                        report.notes.push(format!("{caller}, {threads} threads at once: {reason}"));
                    }
                }
            }
        }
        let named = callers.iter().zip(rates);
        let timings: Vec<_> = named.map(|(name, rates)| Timings::new(name, rates)).collect();
        for timings in &timings {
            report.point("threads", f64::from(threads), timings);
        }
        if threads == MOST && callers.starts_with(&CALLERS[..2]) {
            report.verdicts.push(verdict(timings[1].median(), timings[0].median()));
        }
        // Who did not come back is not asked for more.
        let stuck = |name: &str| report.notes.iter().any(|note| note.starts_with(name));
        callers = callers.iter().copied().filter(|name| !stuck(&format!("{name},"))).collect();
    }
}

fn verdict(ours: f64, bare: f64) -> Verdict {
    Verdict {
        measure: format!("{MOST} threads that call at once, against the bare loop on as many"),
        ours: Quantity::PerSecond(ours),
        bare: Some(Quantity::PerSecond(bare)),
        value: Quantity::Ratio(ours / bare),
        bar: Some(Bar::AtLeast(Quantity::Ratio(0.85))),
    }
}

fn ask(caller: &str, threads: u32) -> Result<f64, String> {
    let answer = process::send(&format!("rate/{caller}/{threads}"), Duration::from_secs(8), true)?;
    answer.parse().map_err(|_| "no figure".to_owned())
}

/// The other process.
pub fn answer(question: &str) -> Option<String> {
    let (caller, threads) = question.split_once('/')?;
    let threads = threads.parse().ok()?;
    let (fork, warm) = (ours(StartMethod::Fork), ours(StartMethod::Pool));
    let rate = match caller {
        "bare fork" => rate(threads, &|| assert_eq!(bare::fork_number(21), 42)),
        "fork" => rate(threads, &|| call_number(&fork, 21)),
        "pool" => rate(threads, &|| call_number(&warm, 21)),
        "mem-isolate" => rate(threads, &|| assert_eq!(mem_isolate::number(21), 42)),
        "process-fun" => rate(threads, &|| {
            process_fun::number(21);
        }),
        "procspawn pool" => {
            let pool = procspawn::pool(thread::available_parallelism().map_or(2, usize::from));
            rate(threads, &|| assert_eq!(pool.number(21), 42))
        }
        "zygote" => {
            zygote::init();
            rate(threads, &|| assert_eq!(zygote::number(21), 42))
        }
        _ => return None,
    };
    Some(rate.to_string())
}

fn rate(threads: u32, call: &(dyn Fn() + Sync)) -> f64 {
    let running = AtomicBool::new(true);
    let calls = AtomicU64::new(0);
    let barrier = Barrier::new(threads as usize + 1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                call();
                barrier.wait();
                while running.load(Ordering::Relaxed) {
                    call();
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        barrier.wait();
        let start = Instant::now();
        thread::sleep(Duration::from_millis(amount(400, 250)));
        let count = calls.load(Ordering::Relaxed);
        let elapsed = start.elapsed();
        running.store(false, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss)]
        let rate = count as f64 / elapsed.as_secs_f64();
        rate
    })
}
