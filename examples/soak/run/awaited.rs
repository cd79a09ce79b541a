//! Calls that are awaited on one thread, many in flight, and how long that thread was not free for
//! others.
//!
//! A task that ticks shows how long nobody else had a turn. On a busy machine that is mostly the
//! system's doing, which lets the thread wait for a processor; so each turn of a call is timed as
//! well, by the clock with and without that wait, and by the thread's own processor time.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use timeout_runtime::{Error, ErrorKind, Timeout, timeout};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::arguments::Arguments;
use super::rest;
use nix::time::{ClockId, clock_gettime};

/// So many calls are under way at once.
const IN_FLIGHT: usize = 64;

/// An executor may be held up for so long by one turn of a call.
const MOST: Duration = Duration::from_millis(5);

/// A turn of which all is told.
const LONG: Duration = Duration::from_micros(500);

const KINDS: u64 = 16;

const TICK: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Seen {
    calls: u64,
    wrong: Vec<String>,
    /// By how much the ticks came late.
    late: Vec<Span>,
    turns: u64,
    /// Those of half a millisecond and more: each fork copies what is kept here.
    long: Vec<Turn>,
}

/// One poll of a call.
#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    span: Span,
}

/// Some time of this thread.
#[derive(Clone, Copy)]
struct Span {
    elapsed: Duration,
    /// Of that it waited for a processor,
    waited: Duration,
    /// and worked.
    worked: Duration,
}

impl Span {
    fn held_up(&self) -> Duration {
        self.elapsed.saturating_sub(self.waited)
    }

    fn beyond(self, time: Duration) -> Self {
        let [elapsed, worked] = [self.elapsed, self.worked].map(|part| part.saturating_sub(time));
        Self { elapsed, worked, ..self }
    }
}

/// Begins a span.
struct Begun {
    at: Instant,
    waited: Duration,
    worked: Duration,
}

impl Begun {
    fn now() -> Self {
        Self { at: Instant::now(), waited: waited(), worked: worked() }
    }

    fn end(&self) -> Span {
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
fn waited() -> Duration {
    thread_local! {
        static FILE: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    let mut line = [0; 64];
    let length = FILE.with(|file| file.as_ref()?.read_at(&mut line, 0).ok()).unwrap_or(0);
    let line = String::from_utf8_lossy(&line[..length]);
    let waited = line.split(' ').nth(1).and_then(|number| number.parse().ok());
    Duration::from_nanos(waited.unwrap_or_default())
}

/// A future each of whose polls is timed.
struct Timed<F> {
    future: Pin<Box<F>>,
    number: u64,
    seen: Rc<RefCell<Seen>>,
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let begun = Begun::now();
        let result = self.future.as_mut().poll(context);
        let turn = Turn { number: self.number, span: begun.end() };
        let mut seen = self.seen.borrow_mut();
        seen.turns += 1;
        if turn.span.elapsed >= LONG {
            seen.long.push(turn);
        }
        result
    }
}

#[timeout(60, start = "fork")]
async fn squared(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    number * number
}

#[timeout(0.05, start = "fork", grace = 0.05)]
async fn hangs(ignores_sigterm: bool) {
    if ignores_sigterm {
        // SAFETY: numbers.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    }
    std::future::pending().await
}

/// Whether it ended as it must.
async fn call(number: u64) -> bool {
    let closure = Timeout::new(60);
    match number % KINDS {
        0..6 => squared(number).await.is_ok_and(|value| value == number * number),
        6..10 => closure.run_async(|| number).await.is_ok_and(|value| value == number),
        10 => closure.run_async(|| vec![1u8; 100_000]).await.is_ok_and(|all| all.len() == 100_000),
        11 => {
            let result = closure.run_async(|| -> u8 { panic!("as it should") }).await;
            matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::Panicked { .. }))
        }
        12 => {
            let result = closure.run_async(|| -> u8 { std::process::abort() }).await;
            matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::Signaled { .. }))
        }
        13 => {
            // Dropped, most of the time.
            let brief = Duration::from_millis(number % 8);
            tokio::time::timeout(brief, squared(number)).await.map_or(true, |value| value.is_ok())
        }
        14 => hangs(true).await.is_err_and(|error| error.is_timeout()),
        _ => hangs(false).await.is_err_and(|error| error.is_timeout()),
    }
}

pub fn main(arguments: &Arguments) -> ExitCode {
    // Which opens its file.
    let _ = waited();
    let before = Left::now();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seen = Rc::new(RefCell::new(Seen::default()));
    let started = Instant::now();
    run(&runtime, arguments, started, &seen);
    let elapsed = started.elapsed();
    drop(runtime);
    let after = Left::now();
    report(&mut seen.borrow_mut(), elapsed, before, after)
}

fn run(runtime: &Runtime, arguments: &Arguments, started: Instant, seen: &Rc<RefCell<Seen>>) {
    let length = arguments.length;
    let next = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    local.block_on(runtime, async {
        let ticking = tokio::task::spawn_local(tick(Rc::clone(seen)));
        let caller = |_| {
            let (seen, next) = (Rc::clone(seen), Rc::clone(&next));
            tokio::task::spawn_local(async move {
                while length.goes_on(next.get(), started) {
                    call_once(next.replace(next.get() + 1), &seen).await;
                }
            })
        };
        let callers: Vec<_> = (0..IN_FLIGHT).map(caller).collect();
        for caller in callers {
            caller.await.expect("a caller");
        }
        ticking.abort();
    });
}

async fn tick(seen: Rc<RefCell<Seen>>) {
    loop {
        let begun = Begun::now();
        tokio::time::sleep(TICK).await;
        seen.borrow_mut().late.push(begun.end().beyond(TICK));
    }
}

async fn call_once(number: u64, seen: &Rc<RefCell<Seen>>) {
    let future = Box::pin(call(number));
    let is_right = Timed { future, number, seen: Rc::clone(seen) }.await;
    let mut seen = seen.borrow_mut();
    seen.calls += 1;
    if !is_right {
        seen.wrong.push(format!("call {number}, of kind {}", number % KINDS));
    }
}

/// What the process holds beside its memory.
#[derive(Clone, Copy, PartialEq)]
pub struct Left {
    descriptors: usize,
    threads: usize,
    children: usize,
}

impl Left {
    pub fn now() -> Self {
        Self {
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            threads: fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
            children: rest::children().len(),
        }
    }

    pub fn line(self) -> String {
        let Self { descriptors, threads, children } = self;
        format!("{descriptors} descriptors, {threads} threads, {children} children")
    }
}

fn report(seen: &mut Seen, elapsed: Duration, before: Left, after: Left) -> ExitCode {
    let Seen { calls, wrong, late, turns, long } = seen;
    let rate = *calls as f64 / elapsed.as_secs_f64();
    println!("awaited: {calls} calls in {elapsed:.2?}, {IN_FLIGHT} in flight: {rate:.0} a second");
    print_spans(&format!("lateness of ticks, {TICK:?} apart"), late);
    println!("{turns} turns of calls");
    let spans: Vec<_> = long.iter().map(|turn| turn.span).collect();
    print_spans(&format!("those of {LONG:?} and more"), &spans);
    long.sort_by_key(|turn| Reverse(turn.span.worked));
    for Turn { number, span } in long.iter().take(3) {
        let (kind, Span { elapsed, waited, worked }) = (number % KINDS, span);
        println!(
            "  call {number}, of kind {kind}: {worked:.2?} of {elapsed:.2?}, {waited:.2?} in wait"
        );
    }
    println!("before: {}\nafter:  {}", before.line(), after.line());
    wrong.iter().take(10).for_each(|wrong| println!("wrong: {wrong}"));
    println!("{} calls ended wrongly", wrong.len());
    if wrong.is_empty() && before == after { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_spans(what: &str, spans: &[Span]) {
    println!("{what}, {} times:", spans.len());
    let print = |way, time: fn(&Span) -> Duration| {
        let times: Vec<_> = spans.iter().map(time).collect();
        let longer = times.iter().filter(|time| **time > MOST).count();
        println!("  {way:<30}{}, {longer} longer than {MOST:?}", spread(times));
    };
    print("by the clock:", |span| span.elapsed);
    print("without wait for a processor:", Span::held_up);
    print("time on a processor:", |span| span.worked);
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: f64| {
        let index = (times.len() as f64 * part) as usize;
        times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    format!("median {:.2?}, 99.9 % within {:.2?}, worst {:.2?}", at(0.5), at(0.999), at(1.0))
}
