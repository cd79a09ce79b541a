//! What the tests share.

use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Uid, setuid};
use timeout_runtime::error::Trace;
use timeout_runtime::{Error, Timeout};

/// Longer than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// Runs a scenario in a process of its own, which it may disturb as it likes: no other test's
/// threads, children, signals or descriptors are there. A panic in it fails the test.
#[track_caller]
pub fn isolated(scenario: impl FnOnce()) {
    isolated_for(5 * LONG, scenario);
}

#[track_caller]
pub fn isolated_for(limit: Duration, scenario: impl FnOnce()) {
    if let Err(error) = Timeout::new(limit).run(scenario) {
        panic!("{error:#}");
    }
}

/// How many calls a test makes. More than this is for a look by hand.
pub fn calls_or(default: u64) -> u64 {
    env::var("TIMEOUT_TEST_CALLS").map_or(default, |calls| calls.parse().unwrap())
}

/// What a call must leave as it found it; only meaningful in [`isolated`].
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    descriptors: Vec<String>,
    threads: usize,
    children: String,
    blocked_signals: String,
    handlers: Vec<usize>,
}

impl Traces {
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let blocked = status.lines().find(|line| line.starts_with("SigBlk:")).unwrap();
        Self {
            descriptors: descriptors(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
            children: fs::read_to_string("/proc/thread-self/children").unwrap(),
            blocked_signals: blocked.to_owned(),
            handlers: (1..=64).map(disposition).collect(),
        }
    }

    /// What stays the same even beside threads that come and go.
    pub fn handlers_and_mask(&self) -> (&[usize], &str) {
        (&self.handlers, &self.blocked_signals)
    }

    pub fn is_childless(&self) -> bool {
        self.children.is_empty()
    }

    /// While a runtime keeps threads that it may use again.
    #[track_caller]
    pub fn assert_same_but_threads(&self) {
        let now = Self { threads: self.threads, ..Self::now() };
        assert_eq!(*self, now);
    }

    /// Threads that a test joined may take another moment to leave the process's list.
    #[track_caller]
    pub fn assert_unchanged(&self) {
        let start = Instant::now();
        while self.threads < Self::now().threads && start.elapsed() < LONG / 10 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(*self, Self::now());
    }
}

/// What is open, without the descriptor that looks.
pub fn descriptors() -> Vec<String> {
    let mut open: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| Some((path.clone(), fs::read_link(&path).ok()?)))
        .filter(|(_, target)| !target.starts_with("/proc"))
        .map(|(path, target)| format!("{} {}", path.display(), target.display()))
        .collect();
    open.sort();
    open
}

pub fn disposition(signal: i32) -> usize {
    // SAFETY: zero is a valid `sigaction`, which lives through the call; nothing is changed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action);
        action.sa_sigaction
    }
}

/// Whether there is a process of this number that is no zombie.
pub fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

/// Waits for something that another process does in its own time.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "not within {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The error of a call, which must have ended long before its limit.
#[track_caller]
pub fn prompt<T>(run: impl FnOnce(Timeout) -> Result<T, Error>) -> Error {
    let Err(error) = run(Timeout::new(10 * LONG)) else { panic!("it gave a value") };
    assert!(error.elapsed() < LONG, "{error:#} only after {:?}", error.elapsed());
    error
}

/// Of a call that hangs, with its whole trace: a child that has no processor for a tenth of a second
/// cannot say where it is, or not all of it, and on a busy machine one has to ask again.
#[track_caller]
pub fn traced(hang: impl Fn() -> Error) -> Error {
    let mut errors = (0..10).map(|_| hang());
    let is_whole = |trace: &Trace| trace.threads()[0].untraced.is_none();
    errors.find(|error| error.trace().is_some_and(is_whole)).expect("a trace, of ten calls")
}

/// An example, or a program of the tests, which cargo builds beside this one.
pub fn program(name: &str) -> Command {
    // TARGET/debug/deps/suite-...
    let own = env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name);
    if !path.exists() {
        // Only this test was asked for.
        let target = profile.parent().unwrap();
        let built = Command::new(env!("CARGO"))
            .args(["build", "-q", "--examples", "--target-dir"])
            .arg(target)
            .status();
        assert!(built.unwrap().success());
    }
    Command::new(path)
}

/// Builds and runs one of this project's programs as somebody else's would be: outside of this
/// workspace, by a manifest that ends so.
pub fn outside(program: &str, source: &str, manifest: &str, arguments: &[&str]) -> Output {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program);
    fs::create_dir_all(&project).unwrap();
    let manifest = format!(
        "[package]\nname = {program:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [[bin]]\nname = {program:?}\npath = {:?}\n\
         [dependencies.timeout-runtime]\npath = {:?}\n{manifest}",
        own.join(source),
        own.join("timeout-runtime"),
    );
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(own.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    Command::new(env!("CARGO"))
        .args(["run", "-q", "--offline", "--release", "--"])
        .args(arguments)
        .current_dir(project)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap()
}

/// Runs one test of this binary again, in a process of its own and with this in its environment.
pub fn rerun(test: &str, key: &str, value: &str, arguments: &[&str]) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test])
        .args(arguments)
        .env(key, value)
        .output()
        .unwrap()
}

/// Runs a test's scenario in a process that has no other test in it.
pub fn alone(test: &str, scenario: impl FnOnce()) {
    const KEY: &str = "TIMEOUT_TEST_ALONE";

    if env::var_os(KEY).is_some() {
        return scenario();
    }
    let output = rerun(test, KEY, "1", &["--nocapture"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(text(&output.stdout).contains("1 passed"), "{said}");
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Keeps on working, so that an optimizer or a sleeping body is no question.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Runs `work` beside threads that each repeat something, and that neither start nor end meanwhile.
pub fn beside(others: &[&(dyn Fn(u32) + Sync)], work: impl FnOnce()) {
    let over = AtomicBool::new(false);
    let started = Barrier::new(others.len() + 1);
    thread::scope(|scope| {
        for repeat in others {
            scope.spawn(|| {
                started.wait();
                let mut round = 0;
                while !over.load(Ordering::Relaxed) {
                    repeat(round);
                    round = round.wrapping_add(1);
                }
            });
        }
        started.wait();
        let result = catch_unwind(AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    });
}

/// The pipes above the standard streams; in a child, its own among them.
pub fn pipes() -> Vec<i32> {
    descriptors()
        .into_iter()
        .filter_map(|link| {
            link.contains("pipe:").then(|| link.split(' ').next().map(str::to_owned))?
        })
        .filter_map(|path| path.rsplit('/').next()?.parse().ok())
        .filter(|number| *number > 2)
        .collect()
}

/// Writes to the pipes that came with the call, and not to those of other tests.
pub fn write_to_pipes(before: &[i32], bytes: &[u8]) {
    for descriptor in pipes().into_iter().filter(|pipe| !before.contains(pipe)) {
        // SAFETY: the file is not dropped, so the descriptor stays open.
        let mut pipe = ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) });
        let _ = pipe.write_all(bytes);
    }
}

/// What this process has mapped, in bytes.
pub fn address_space() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

/// Becomes a user that runs nothing else, so that what it may start can be bounded. Where this is
/// no superuser, the bound on all of the user's processes must do.
pub fn bound_processes(more: u64) {
    let own = if Uid::effective().is_root() {
        let user = 200_000 + std::process::id();
        setuid(Uid::from_raw(user)).unwrap();
        // Else what is in `/proc` of this process belongs to the superuser.
        nix::sys::prctl::set_dumpable(true).unwrap();
        1
    } else {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let threads = all.filter_map(|entry| fs::read_dir(entry.path().join("task")).ok());
        threads.map(|threads| threads.count() as u64).sum()
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    setrlimit(Resource::RLIMIT_NPROC, (own + more).min(hard), hard).unwrap();
}
