//! The parts of a run, in their order.

use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use serde::Serialize;

use crate::arguments::Options;
use crate::machine::{self, Machine};
use crate::measure::{QUICK, progress};
use crate::process::{self, Errand};
use crate::report::Report;
use crate::{page, probes, rows, usage};

pub struct Part {
    pub name: &'static str,
    pub about: &'static str,
    pub by_default: bool,
    run: fn(&mut Report),
}

const fn part(name: &'static str, about: &'static str, run: fn(&mut Report)) -> Part {
    Part { name, about, by_default: true, run }
}

pub const PARTS: &[Part] = &[
    part("fork", "a call by fork, against bare system calls", rows::fork::run),
    part("pool", "a warm call by pool, against a ping-pong over pipes", rows::pool::free),
    part("pool-pinned", "the same on one processor", rows::pool::pinned),
    part("pool-memory", "a call by pool beside 1 GiB", rows::pool::beside_memory),
    part("bytes", "64 MiB returned, against a bare pipe", rows::bytes::run),
    part("peak", "peak memory of the caller for 256 MiB returned", rows::peak::run),
    part("deadline", "from the deadline to the return; peers", rows::deadline::run),
    part("threads", "calls a second against threads; peers", rows::threads::run),
    part("spawn", "a call by spawn, against Command", rows::spawn::run),
    part("calls", "a call by each start method and each peer", rows::calls::run),
    part("memory", "a call against the caller's memory; peers", rows::held::run),
    part("throughput", "results from 64 B to 256 MiB; peers", rows::throughput::run),
    part("vector", "64 MiB returned as `Vec<u8>`; peers", rows::vector::run),
    part("can", "what each library can, by probes", probes::run),
    Part {
        name: "use",
        about: "build time, dependencies and size of a program that uses it",
        by_default: false,
        run: usage::run,
    },
];

#[derive(Serialize)]
pub struct Run {
    pub machine: Machine,
    pub quick: bool,
    pub reports: Vec<(&'static str, Report)>,
}

/// In the process that was started for it.
pub fn run(errand: &Errand) -> ExitCode {
    let answer = match errand.name.split_once('/') {
        Some(("peak", library)) => rows::peak::answer(library),
        Some(("rate", question)) => rows::threads::answer(question),
        Some(("probe", probe)) => probes::answer(probe),
        _ => PARTS.iter().find(|part| part.name == errand.name).and_then(|part| {
            let mut report = Report::default();
            (part.run)(&mut report);
            serde_json::to_string(&report).ok()
        }),
    };
    match answer.map(|answer| errand.answer(&answer)) {
        Some(Err(_)) => ExitCode::FAILURE,
        // `None`: asked for nothing.
        Some(Ok(())) | None => ExitCode::SUCCESS,
    }
}

pub fn run_all(options: &Options) -> ExitCode {
    if options.quick {
        // SAFETY: this process has one thread.
        unsafe { env::set_var(QUICK, "1") };
    }
    let mut run = Run { machine: Machine::new(), quick: options.quick, reports: Vec::new() };
    let parts = options.parts();
    let mut whole = true;
    for (index, name) in parts.iter().enumerate() {
        progress(&format!("[{}/{}] {name}", index + 1, parts.len()));
        let report = process::send(name, Duration::from_secs(900), false)
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
            .unwrap_or_else(|reason| {
                whole = false;
                Report { notes: vec![format!("{name} failed: {reason}")], ..Report::default() }
            });
        run.reports.push((name, report));
    }
    progress("");
    run.machine.load_at_end = machine::load();
    print!("{}", page::to_text(&run));
    match write(options, &run) {
        Ok(()) if whole => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn write(options: &Options, run: &Run) -> Result<(), String> {
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(run).map_err(|error| error.to_string())?;
        fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if options.write {
        page::write(run).map_err(|error| format!("docs/benchmarks.md: {error}"))?;
    }
    Ok(())
}
