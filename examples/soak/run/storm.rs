//! Threads that disturb: they take, as often as threads do, every lock that a fork can catch in a
//! bad moment.

use std::backtrace::Backtrace;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::panic::catch_unwind;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;
use std::{env, hint, ptr};

use super::random::Random;

pub struct Storm {
    state: Mutex<State>,
    changed: Condvar,
    /// The threads that call.
    targets: Mutex<Vec<libc::pthread_t>>,
}

struct State {
    order: Order,
    threads: usize,
    quiet: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Blow,
    Pause,
    End,
}

/// Does its worst once.
type Gust = fn(&Storm, &mut Random);

/// With the longest pause between two, in microseconds.
const GUSTS: [(&str, u64, Gust); 9] = [
    ("storm-stdout", 2_000, print),
    ("storm-stderr", 2_000, print_error),
    ("storm-memory", 1_000, allocate),
    ("storm-trace", 2_000, trace),
    ("storm-panic", 5_000, panic),
    ("storm-setenv", 1_000, set_environment),
    ("storm-resolve", 10_000, resolve),
    ("storm-program", 50_000, run_program),
    ("storm-fork", 10_000, fork),
];
const SIGNAL: (&str, u64, Gust) = ("storm-signal", 1_000, signal);
const THIEF: (&str, u64, Gust) = ("storm-thief", 100, steal);

const VARIABLE: &str = "SOAK_STORM";

impl Storm {
    pub fn new(targets: usize) -> Self {
        // SAFETY: no thread was started yet.
        unsafe {
            env::set_var(VARIABLE, "0");
            // What panics here would look up its names: see `trace`.
            env::set_var("RUST_BACKTRACE", "0");
        }
        extern "C" fn nothing(_: i32) {}
        // SAFETY: the handler does nothing, and interrupts what it interrupts: no SA_RESTART.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as *const () as libc::sighandler_t;
            libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut());
        }
        Self {
            state: Mutex::new(State { order: Order::Blow, threads: 0, quiet: 0 }),
            changed: Condvar::new(),
            targets: Mutex::new(Vec::with_capacity(targets)),
        }
    }

    pub fn aim_at_this_thread(&self) {
        // SAFETY: it takes nothing.
        let thread = unsafe { libc::pthread_self() };
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// The targets outlive these threads.
    pub fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        seed: u64,
        thief: bool,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        let mut gusts = GUSTS.to_vec();
        gusts.push(SIGNAL);
        gusts.extend(thief.then_some(THIEF));
        self.lock().threads = gusts.len();
        let blow = |(number, (name, pause, gust)): (usize, (&str, u64, Gust))| {
            let mut random = Random::new(!seed, number);
            let body = move || {
                while self.goes_on() {
                    gust(self, &mut random);
                    thread::sleep(Duration::from_micros(random.between(0, pause)));
                }
            };
            thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, body)
        };
        gusts.into_iter().enumerate().map(|gust| blow(gust).expect("a thread")).collect()
    }

    /// Returns when all of it is quiet.
    pub fn pause(&self) {
        let mut state = self.give(Order::Pause);
        while state.quiet < state.threads {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn resume(&self) {
        drop(self.give(Order::Blow));
    }

    pub fn end(&self) {
        drop(self.give(Order::End));
    }

    fn give(&self, order: Order) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.order = order;
        self.changed.notify_all();
        state
    }

    fn goes_on(&self) -> bool {
        let mut state = self.lock();
        if state.order == Order::Pause {
            state.quiet += 1;
            self.changed.notify_all();
            while state.order == Order::Pause {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.quiet -= 1;
        }
        state.order == Order::Blow
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn print(_: &Storm, random: &mut Random) {
    for number in 0..random.between(1, 50) {
        println!("a line, number {number}");
    }
    print!("a line in part, ");
}

fn print_error(_: &Storm, random: &mut Random) {
    let mut stderr = std::io::stderr().lock();
    for number in 0..random.between(1, 20) {
        let _ = writeln!(stderr, "an error, number {number}");
    }
}

fn allocate(_: &Storm, random: &mut Random) {
    let sizes: Vec<usize> = (0..20).map(|_| 1 << random.between(3, 18)).collect();
    let blocks: Vec<Vec<u8>> = sizes.into_iter().map(|size| vec![1; size]).collect();
    hint::black_box(blocks);
}

/// The names are not asked for: they take tens of megabytes, which each fork would copy.
fn trace(_: &Storm, _: &mut Random) {
    let _ = hint::black_box(Backtrace::force_capture());
}

fn panic(_: &Storm, _: &mut Random) {
    let _ = catch_unwind(|| panic!("of the storm"));
}

fn set_environment(_: &Storm, random: &mut Random) {
    for _ in 0..random.between(1, 50) {
        let value = random.one_of(&["0", "1", "22", "333"]);
        // SAFETY: the variable has been there since before the threads: the C library then puts one
        // pointer in the place of another, and moves or frees nothing that a reader may look at.
        unsafe { env::set_var(VARIABLE, value) };
        hint::black_box(env::var_os(VARIABLE));
    }
}

fn resolve(_: &Storm, _: &mut Random) {
    hint::black_box(("localhost", 80).to_socket_addrs().map(Iterator::count).ok());
}

/// With a thief about, nobody knows how it ended.
fn run_program(_: &Storm, _: &mut Random) {
    let _ = Command::new("true").status();
}

fn fork(_: &Storm, _: &mut Random) {
    // SAFETY: the child ends at once; the status may be gone.
    unsafe {
        match libc::fork() {
            0 => libc::_exit(0),
            child => while libc::waitpid(child, ptr::null_mut(), 0) < 0 && is_interrupted() {},
        }
    }
}

fn is_interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

fn signal(storm: &Storm, random: &mut Random) {
    let targets = storm.targets.lock().unwrap_or_else(PoisonError::into_inner);
    if !targets.is_empty() {
        // SAFETY: the threads that call outlive those of the storm.
        unsafe { libc::pthread_kill(random.one_of(&targets), libc::SIGUSR1) };
    }
}

fn steal(_: &Storm, _: &mut Random) {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
}
