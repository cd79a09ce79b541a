//! Calls that are awaited on one thread, many in flight, and how long that thread was not free for
//! others.
//!
//! A task that ticks shows how long nobody else had a turn. Some of that is the machine's doing, which
//! lets the thread wait for a processor, or takes the processor itself away; so bare forks, one in a
//! round of the executor, take turns with the calls, a thousand of these and a thousand of those, and
//! the table has both.

mod bare;
mod calls;
mod span;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local};

use self::bare::Round;
use self::calls::{KINDS, call};
use self::span::{Begun, Span, waited};
use super::arguments::Arguments;
use super::rest;

/// So many calls are under way at once.
const IN_FLIGHT: usize = 64;

/// So many calls, then as many bare forks.
const PART: u64 = 1_000;

/// Others may be held up for so long.
const MOST: Duration = Duration::from_millis(5);

/// A turn of which all is told.
const LONG: Duration = Duration::from_micros(500);

const TICK: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Seen {
    calls: u64,
    wrong: Vec<String>,
    of_calls: Ticks,
    of_bare: Ticks,
    turns: u64,
    /// Those of half a millisecond and more: each fork copies what is kept here.
    long: Vec<Turn>,
}

#[derive(Default)]
struct Ticks {
    took: Duration,
    /// By how much they came late.
    late: Vec<Span>,
}

/// One poll of a call.
#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    span: Span,
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

pub fn main(arguments: &Arguments) -> ExitCode {
    // Which opens its file.
    let _ = waited();
    let before = Left::now();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seen = Rc::new(RefCell::new(Seen::default()));
    let (started, length) = (Instant::now(), arguments.length);
    let next = Rc::new(Cell::new(0));
    while length.goes_on(next.get(), started) {
        let part = next.get() + PART;
        let goes_on = move |calls| calls < part && length.goes_on(calls, started);
        let ticks = run_calls(&runtime, goes_on, &next, &seen);
        seen.borrow_mut().of_calls.add(ticks);
        let ticks = run_bare(&runtime);
        seen.borrow_mut().of_bare.add(ticks);
    }
    drop(runtime);
    let after = Left::now();
    report(&mut seen.borrow_mut(), before, after)
}

fn run_calls(
    runtime: &Runtime,
    goes_on: impl Fn(u64) -> bool + Copy + 'static,
    next: &Rc<Cell<u64>>,
    seen: &Rc<RefCell<Seen>>,
) -> Ticks {
    let caller = || {
        let (seen, next) = (Rc::clone(seen), Rc::clone(next));
        async move {
            while goes_on(next.get()) {
                call_once(next.replace(next.get() + 1), &seen).await;
            }
        }
    };
    LocalSet::new().block_on(runtime, beside_ticks(caller))
}

fn run_bare(runtime: &Runtime) -> Ticks {
    let (round, left) = (Rc::new(Round::default()), Rc::new(Cell::new(PART)));
    let caller = || {
        let (round, left) = (Rc::clone(&round), Rc::clone(&left));
        async move {
            while left.get() > 0 {
                left.set(left.get() - 1);
                bare::call(&round).await.expect("a child");
            }
        }
    };
    LocalSet::new().block_on(runtime, async {
        let round = Rc::clone(&round);
        let counting = spawn_local(async move { round.count().await });
        let ticks = beside_ticks(caller).await;
        counting.abort();
        ticks
    })
}

/// As many callers as may be in flight, and a task that ticks until they are through.
async fn beside_ticks<F: Future<Output = ()> + 'static>(caller: impl Fn() -> F) -> Ticks {
    let started = Instant::now();
    let late = Rc::new(RefCell::new(Vec::new()));
    let ticking = spawn_local(tick(Rc::clone(&late)));
    let callers: Vec<_> = (0..IN_FLIGHT).map(|_| spawn_local(caller())).collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
    ticking.abort();
    Ticks { took: started.elapsed(), late: late.take() }
}

async fn tick(late: Rc<RefCell<Vec<Span>>>) {
    loop {
        let begun = Begun::now();
        tokio::time::sleep(TICK).await;
        late.borrow_mut().push(begun.end().beyond(TICK));
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

impl Ticks {
    fn add(&mut self, mut more: Self) {
        self.took += more.took;
        self.late.append(&mut more.late);
    }

    fn print(&self, what: &str, calls: u64) {
        let rate = calls as f64 / self.took.as_secs_f64();
        println!("{calls} {what} in {:.2?}, {rate:.0} a second; ticks came late:", self.took);
        print_spans(&self.late);
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

fn report(seen: &mut Seen, before: Left, after: Left) -> ExitCode {
    let Seen { calls, wrong, of_calls, of_bare, turns, long } = seen;
    println!("awaited on one thread, {IN_FLIGHT} in flight");
    of_calls.print("calls", *calls);
    of_bare.print("bare forks", calls.next_multiple_of(PART));
    println!("{turns} turns of calls, {} of them of {LONG:?} and more:", long.len());
    print_spans(&long.iter().map(|turn| turn.span).collect::<Vec<_>>());
    long.sort_by_key(|turn| Reverse(turn.span.held_up()));
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

fn print_spans(spans: &[Span]) {
    let print = |way, time: fn(&Span) -> Duration| {
        let times: Vec<_> = spans.iter().map(time).collect();
        let longer = times.iter().filter(|time| **time > MOST).count();
        let number = times.len();
        println!("  {way:<30}{}, {longer} of {number} longer than {MOST:?}", spread(times));
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
