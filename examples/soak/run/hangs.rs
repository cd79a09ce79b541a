//! Hangs of every kind in a row, by each start method: each call returns in time and says where it was.

use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use timeout_runtime::error::Untraced;
use timeout_runtime::{Error, StartMethod, Timeout};

use super::arguments::{Arguments, Length};

const LIMIT: Duration = Duration::from_millis(200);
const GRACE: Duration = Duration::from_millis(50);

/// How much later than both a call may return, by a clock that stands while the caller has no processor.
const LATE: Duration = Duration::from_millis(150);

/// So many of those that can be traced are.
const SHARE: f64 = 0.99;

const METHODS: [StartMethod; 3] = [StartMethod::Fork, StartMethod::Spawn, StartMethod::Pool];

/// Its call, and what each trace must name, or why there is none.
struct Kind(&'static str, fn(Timeout) -> Result<u8, Error>, Result<&'static str, Untraced>);

const KINDS: [Kind; 9] = [
    Kind("busy loop", |timeout| timeout.call(busy, (7,)), Ok("run::hangs::busy")),
    Kind("sleep", |timeout| timeout.call(sleeps, (7,)), Ok("run::hangs::sleeps")),
    Kind("lock", |timeout| timeout.call(locks, (7,)), Ok("run::hangs::locks")),
    Kind("blocked read", |timeout| timeout.call(reads, (7,)), Ok("run::hangs::reads")),
    Kind("loop below C", |timeout| timeout.call(sorts, (7,)), Ok("run::hangs::sorts")),
    Kind("several threads", |timeout| timeout.call(starts_threads, (7,)), Ok("run::hangs::busy")),
    Kind("call in a call", |timeout| timeout.call(calls, (7,)), Ok("run::hangs::calls")),
    Kind("stopped itself", |timeout| timeout.call(stops, (7,)), Err(Untraced::Stopped)),
    Kind("blocks all signals", |timeout| timeout.call(blocks, (7,)), Err(Untraced::Blocked)),
];

#[inline(never)]
fn busy(number: u8) -> u8 {
    loop {
        std::hint::black_box(number);
    }
}

#[inline(never)]
fn sleeps(number: u8) -> u8 {
    loop {
        thread::sleep(Duration::from_secs(u64::from(number) + 3600));
    }
}

#[inline(never)]
fn locks(number: u8) -> u8 {
    let lock = Mutex::new(number);
    let first = lock.lock();
    let second = lock.lock();
    u8::from(first.is_ok() && second.is_ok())
}

#[inline(never)]
fn reads(number: u8) -> u8 {
    let (mut ends, mut byte) = ([0; 2], [number]);
    // SAFETY: both are as long as is said.
    unsafe {
        libc::pipe(ends.as_mut_ptr());
        libc::read(ends[0], byte.as_mut_ptr().cast(), 1);
    }
    byte[0]
}

#[inline(never)]
fn sorts(number: u8) -> u8 {
    extern "C" fn compare(one: *const libc::c_void, _: *const libc::c_void) -> i32 {
        // SAFETY: it points to a byte of the array below.
        busy(unsafe { *one.cast() }).into()
    }
    let mut bytes = [number, 2, 1];
    let compare: unsafe extern "C" fn(_, _) -> _ = compare;
    // SAFETY: three elements of one byte.
    unsafe { libc::qsort(bytes.as_mut_ptr().cast(), 3, 1, Some(compare)) };
    bytes[0]
}

#[inline(never)]
fn starts_threads(number: u8) -> u8 {
    for _ in 0..3 {
        thread::spawn(move || sleeps(number));
    }
    thread::spawn(move || busy(number)).join().unwrap_or_default()
}

#[inline(never)]
fn calls(number: u8) -> u8 {
    Timeout::new(3600).run(|| busy(number)).unwrap_or_default()
}

#[inline(never)]
fn stops(number: u8) -> u8 {
    // SAFETY: a number.
    unsafe { libc::raise(libc::SIGSTOP) };
    number
}

#[inline(never)]
fn blocks(number: u8) -> u8 {
    // SAFETY: zero is valid for the set, which lives through the calls.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
    busy(number)
}

#[derive(Default)]
struct Seen {
    calls: u32,
    traced: u32,
    late: Vec<Duration>,
    late_with_processor: u32,
    wrong: u32,
}

/// How long this thread has waited for a processor so far.
fn waited() -> Duration {
    let said = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = said.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

impl Seen {
    fn call(&mut self, kind: &Kind, method: StartMethod) {
        let Kind(name, call, expected) = kind;
        let before = waited();
        let timeout = Timeout::new(LIMIT).grace(GRACE).start_method(method);
        let result = call(timeout);
        self.calls += 1;
        let Err(error) = result else {
            self.wrong += 1;
            return eprintln!("{name} by {method:?} gave a value");
        };
        let late = error.elapsed().saturating_sub(LIMIT + GRACE);
        self.late_with_processor += u32::from(late.saturating_sub(waited() - before) > LATE);
        self.late.push(late);
        self.look(name, method, &error, *expected);
    }

    fn look(
        &mut self,
        name: &str,
        method: StartMethod,
        error: &Error,
        expected: Result<&str, Untraced>,
    ) {
        let is_right = match (error.trace(), expected) {
            (Some(trace), Ok(function)) => {
                self.traced += 1;
                let threads = trace.threads().iter();
                let body = trace.frames().last();
                body.is_some_and(|frame| frame.is_body)
                    && threads
                        .flat_map(|thread| &thread.frames)
                        .any(|frame| frame.function.ends_with(function))
            }
            // Only so many may lack it; and a body may be stopped before it could stop itself.
            (None, Ok(_)) => true,
            (None, Err(_)) if error.untraced() == Some(Untraced::NotBegun) => true,
            (_, Err(why)) => error.untraced() == Some(why),
        };
        if !(is_right && error.is_timeout()) {
            self.wrong += 1;
            eprintln!("{name} by {method:?}: {error:#}");
        }
    }
}

pub fn main(arguments: &Arguments) -> ExitCode {
    let Length::Calls(most) = arguments.length else {
        eprintln!("soak: --hangs goes with --calls");
        return ExitCode::from(2);
    };
    let mut seen: Vec<_> = KINDS.iter().map(|_| Seen::default()).collect();
    for number in 0..usize::try_from(most).unwrap_or(usize::MAX) {
        let kind = number % KINDS.len();
        seen[kind].call(&KINDS[kind], METHODS[number / KINDS.len() % METHODS.len()]);
    }
    timeout_runtime::pool::shut_down();
    report(&mut seen)
}

fn report(seen: &mut [Seen]) -> ExitCode {
    println!(
        "{:<20}{:>7}{:>9}{:>14}{:>14}{:>9}",
        "", "calls", "traced", "median late", "most", "wrong"
    );
    for (Kind(name, ..), seen) in KINDS.iter().zip(&mut *seen) {
        seen.late.sort_unstable();
        let Seen { calls, traced, late, wrong, .. } = seen;
        let median = late.get(late.len() / 2).copied().unwrap_or_default();
        let most = late.last().copied().unwrap_or_default();
        println!(
            "{name:<20}{calls:>7}{traced:>9}{:>14}{:>14}{wrong:>9}",
            format!("{median:.1?}"),
            format!("{most:.1?}")
        );
    }
    let sum = |count: fn(&Seen) -> u32| seen.iter().map(count).sum::<u32>();
    let calls = f64::from(sum(|seen| seen.calls));
    let in_time = seen.iter().flat_map(|seen| &seen.late).filter(|late| **late <= LATE).count();
    let late = sum(|seen| seen.late_with_processor);
    println!(
        "within {LATE:?} of the limit and the grace: {:.2} % by the clock; {late} calls were later for another \
         reason than that the caller had no processor",
        100.0 * in_time as f64 / calls
    );
    let traceable = KINDS.iter().zip(&*seen).filter(|(kind, _)| kind.2.is_ok());
    let traceable: f64 = traceable.map(|(_, seen)| f64::from(seen.calls)).sum();
    let traced = f64::from(sum(|seen| seen.traced));
    println!("traced: {:.2} % of those that can be", 100.0 * traced / traceable);
    let few = (1.0 - SHARE) * traceable;
    let is_traced = traceable - traced <= few.max(2.0);
    if late == 0 && is_traced && sum(|seen| seen.wrong) == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
