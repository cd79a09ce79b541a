//! Counts the uses of each call in each scenario, then makes each of them fail.

mod allowed;
mod errors;
mod plan;
mod scenario;
mod seam;
#[allow(dead_code, reason = "it belongs to the suite")]
#[path = "../suite/support.rs"]
mod support;
mod table;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

use self::plan::{Call, Page, Plan, Side};
use self::scenario::{Body, Scenario};
use self::table::Table;

/// So many scenarios run at once.
const AT_ONCE: usize = 4;

/// One run of a scenario, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    scenario: Scenario,
    /// `None`: nothing fails; the uses are counted.
    plan: Option<Plan>,
}

pub fn run() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return;
    }
    // As libtest's: a part of what is to be done.
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let is_wanted = |run: &Run| filter.is_none_or(|filter| format!("{run}").contains(filter));

    seam::resolve();
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let mut runner = Runner::new();
    let mut table = Table::default();
    let counted = scenario::all().into_iter().map(|scenario| Run { scenario, plan: None });
    let mut faulty = Vec::new();
    runner.all(counted.collect(), |run, page, end| {
        table.count(page);
        table.note(run, page, &end);
        let plans = plans(page, run.scenario.body == Body::Small);
        let tried = plans.filter(|plan| allowed::is_tried(run.scenario, plan));
        faulty.extend(tried.map(|plan| Run { plan: Some(plan), ..run }));
    });
    faulty.retain(is_wanted);
    runner.all(faulty, |run, page, end| table.note(run, page, &end));
    if arguments.iter().any(|argument| argument == "--nocapture") {
        table.print();
    }
    table.assert_none_wrong();
    assert_eq!(runner.left, [""; 0], "processes that no scenario saw were left");
}

/// Each use of each call, with its errors.
fn plans(page: &Page, all_errors: bool) -> impl Iterator<Item = Plan> + use<> {
    let uses: Vec<_> = [Side::Caller, Side::Child]
        .into_iter()
        .flat_map(|side| Call::ALL.map(|call| (side, call, page.uses(side, call))))
        .filter(|(.., uses)| *uses > 0)
        .collect();
    uses.into_iter().flat_map(move |(side, call, uses)| {
        (0..uses).flat_map(move |nth| {
            let errors = errors::of(call, side, all_errors).into_iter();
            errors.map(move |(fault, times)| Plan { call, side, fault, nth, times })
        })
    })
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: ", self.scenario)?;
        match self.plan {
            None => f.write_str("no fault"),
            Some(plan) => plan.fmt(f),
        }
    }
}

/// Runs scenarios, some at once.
struct Runner {
    free: Vec<&'static Page>,
    running: HashMap<Pid, (Run, &'static Page)>,
    /// Orphans: with this process as subreaper they are its children.
    left: Vec<String>,
}

impl Runner {
    fn new() -> Self {
        let free = (0..AT_ONCE).map(|_| Page::new()).collect();
        Self { free, running: HashMap::new(), left: Vec::new() }
    }

    fn all(&mut self, runs: Vec<Run>, mut done: impl FnMut(Run, &Page, String)) {
        let mut runs = runs.into_iter();
        loop {
            while !self.free.is_empty()
                && let Some(run) = runs.next()
            {
                self.start(run);
            }
            if self.running.is_empty() {
                return;
            }
            let (run, page, end) = self.wait();
            done(run, page, end);
            self.free.push(page);
        }
    }

    fn start(&mut self, run: Run) {
        let page = self.free.pop().unwrap();
        page.clear();
        // SAFETY: this process has one thread.
        match unsafe { nix::unistd::fork() }.unwrap() {
            ForkResult::Parent { child } => {
                self.running.insert(child, (run, page));
            }
            ForkResult::Child => {
                let end =
                    catch_unwind(AssertUnwindSafe(|| scenario::run(run.scenario, run.plan, page)));
                page.say(&end.unwrap_or_else(|_| "WRONG: the scenario panicked".to_owned()));
                // SAFETY: it ends this process.
                unsafe { libc::_exit(0) }
            }
        }
    }

    fn wait(&mut self) -> (Run, &'static Page, String) {
        loop {
            let status = waitpid(None, None).unwrap();
            let pid = status.pid().unwrap();
            let Some((run, page)) = self.running.remove(&pid) else {
                self.left.push(format!("{pid}"));
                continue;
            };
            let end = match status {
                WaitStatus::Exited(_, 0) => page.said(),
                WaitStatus::Signaled(_, nix::sys::signal::SIGALRM, _) => {
                    "WRONG: it hung".to_owned()
                }
                status => format!("WRONG: {status:?}"),
            };
            self.end_orphans(run);
            return (run, page, end);
        }
    }

    /// What a scenario that hung has left must not go on.
    fn end_orphans(&mut self, run: Run) {
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
        for child in children.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())) {
            if !self.running.contains_key(&child) {
                self.left.push(format!("{child}, seen after {run}"));
                let _ = nix::sys::signal::kill(child, nix::sys::signal::SIGKILL);
                assert_ne!(waitpid(child, Some(WaitPidFlag::empty())), Err(Errno::ECHILD));
            }
        }
    }
}
