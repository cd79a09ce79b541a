//! A run: warm up, look at the process, go on, look again.

mod arguments;
mod awaited;
mod board;
mod caller;
mod descendants;
mod ends;
mod hangs;
mod pooled;
mod random;
mod rest;
mod screen;
mod storm;
mod table;
mod tally;

use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::arguments::{Arguments, Length};
use self::caller::Caller;
use self::rest::Rest;
use self::screen::Screen;
use self::storm::Storm;
use self::tally::Tally;

/// So many calls warm the process up, if they are at most a quarter of the run.
const WARM_UP: u64 = 3_000;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What all threads of a run share.
struct Run {
    arguments: Arguments,
    started: Instant,
    tally: Tally,
    storm: Storm,
    /// How many callers are through with this part of the run.
    through: AtomicUsize,
    /// All callers and the main thread, between two parts.
    halt: Barrier,
}

/// The parts of a run: each ends for every caller on its own.
#[derive(Clone, Copy)]
enum Part {
    WarmUp,
    Main,
}

impl Run {
    /// Whether a caller is to stop here. Each has been through its share of all ends by then.
    fn is_over(&self, part: Part) -> bool {
        let share = if let Part::WarmUp = part { 0.25 } else { 1.0 };
        let calls = self.tally.calls();
        let enough = match self.arguments.length {
            Length::Calls(most) => calls as f64 >= share * most as f64,
            Length::Seconds(most) => self.started.elapsed().as_secs_f64() >= share * most as f64,
        };
        let warm = matches!(part, Part::WarmUp) && calls >= WARM_UP;
        enough || warm || INTERRUPTED.load(Ordering::Relaxed)
    }
}

pub fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    if arguments.awaited {
        rest::write_no_core_dumps();
        return awaited::main(&arguments);
    }
    if arguments.hangs {
        return hangs::main(&arguments);
    }
    if arguments.pooled {
        rest::write_no_core_dumps();
        rest::keep_no_memory();
        return pooled::main(&arguments);
    }
    let mut screen = Screen::new();
    let (seed, threads, name) = (arguments.seed, arguments.threads, board::run_name());
    screen.note(&format!("seed {seed}, {threads} threads; the processes of this run: {name}..."));
    end_when_interrupted();
    rest::write_no_core_dumps();
    rest::keep_no_memory();
    let run = Run {
        started: Instant::now(),
        tally: Tally::new(ends::ALL.len()),
        storm: Storm::new(arguments.threads),
        through: AtomicUsize::new(0),
        halt: Barrier::new(arguments.threads + 1),
        arguments,
    };
    let (before, after) = thread::scope(|scope| soak(scope, &run, &mut screen));
    for law in after.compare(&before) {
        run.tally.broken(law);
    }
    descendants::end_all();
    screen.print(&table::render(&run, &before, &after));
    if run.tally.laws_broken() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// No thread starts or ends between the two looks.
fn soak<'a>(scope: &'a thread::Scope<'a, '_>, run: &'a Run, screen: &mut Screen) -> (Rest, Rest) {
    for number in 0..run.arguments.threads {
        scope.spawn(move || {
            let mut caller = Caller::new(run, number);
            for part in [Part::WarmUp, Part::Main] {
                caller.call(part);
                run.through.fetch_add(1, Ordering::Relaxed);
                run.halt.wait();
                run.halt.wait();
            }
        });
    }
    let storms = run.storm.start(scope, run.arguments.seed, run.arguments.thief);
    let before = until_rest(run, screen);
    run.storm.resume();
    run.halt.wait();
    let after = until_rest(run, screen);
    run.storm.end();
    // They send signals to the callers, which therefore end last.
    storms.into_iter().for_each(|storm| drop(storm.join()));
    run.halt.wait();
    (before, after)
}

/// Shows how it goes until all callers wait, quiets the storm, and looks.
fn until_rest(run: &Run, screen: &mut Screen) -> Rest {
    while run.through.load(Ordering::Relaxed) < run.arguments.threads {
        thread::sleep(Duration::from_millis(50));
        screen.progress(run);
    }
    run.through.store(0, Ordering::Relaxed);
    run.halt.wait();
    run.storm.pause();
    Rest::now(&run.tally)
}

/// Ctrl-C, and the signal of `timeout`.
fn end_when_interrupted() {
    extern "C" fn note(_: i32) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler stores to an atomic.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}
