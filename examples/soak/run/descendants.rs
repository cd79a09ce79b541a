//! What bodies leave behind, and how it is found.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::board::{Board, Marker, run_name};
use super::random::Random;

/// In the caller, when the call has returned: its children are reaped, and nothing runs that they
/// started.
pub fn all_gone(boards: &[Board], marker: Marker) -> Result<(), String> {
    if marker.escapes {
        return Ok(());
    }
    for pid in boards.iter().flat_map(|board| board.child().into_iter().chain(board.descendants()))
    {
        let Some((state, parent)) = state_and_parent(&pid) else { continue };
        let is_there = !has_ended(state) || parent == std::process::id();
        // Looked at last: with another name, the number is another's by now.
        if is_there && is_marked(pid, marker) {
            return Err(format!("{pid} is still there: {state}, a child of {parent}"));
        }
    }
    Ok(())
}

/// Ends what had left the group of a child that crashed, which is the one thing not promised.
pub fn end_escaped() {
    end_marked(|name| name.ends_with('o'));
}

/// The same, of one call.
pub fn end_escaped_of(marker: Marker) {
    end_marked(|name| name == marker.to_string());
}

/// At the end of a run: whatever is left, by a broken law, would keep the output open.
pub fn end_all() {
    end_marked(|_| true);
}

fn end_marked(are_meant: impl Fn(&str) -> bool) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        let mut escaped = marked();
        escaped.retain(|(_, name)| are_meant(name));
        if escaped.is_empty() {
            return;
        }
        for (pid, _) in escaped {
            // SAFETY: two integers. It carried our marker a moment ago.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Everything that runs and that a body of this process started, by its marker.
pub fn marked() -> Vec<(i32, String)> {
    let own = run_name();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let marked = pids.filter_map(|pid: i32| {
        let name = names(&pid).into_iter().find(|name| name.starts_with(&own))?;
        let runs = state(&pid).is_some_and(|state| !has_ended(state));
        runs.then_some((pid, name))
    });
    marked.collect()
}

/// Pids are used again: only the marker tells that it is the one that was started.
fn is_marked(pid: u32, marker: Marker) -> bool {
    names(&pid).contains(&marker.to_string())
}

/// By which a process may be marked: its own name, and after an `exec` its environment.
fn names(pid: &impl ToString) -> Vec<String> {
    let read = |what: &str| fs::read(format!("/proc/{}/{what}", pid.to_string()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let mut names: Vec<_> = read("comm").iter().map(|name| text(name)).collect();
    let environment = read("environ").unwrap_or_default();
    names.extend(environment.strip_prefix(b"SOAK=").and_then(|rest| rest.get(..15)).map(text));
    names
}

/// `R`, `S`, `Z`, ...: see `proc_pid_stat(5)`.
pub fn state(pid: &impl ToString) -> Option<char> {
    Some(state_and_parent(pid)?.0)
}

fn state_and_parent(pid: &impl ToString) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.to_string())).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn has_ended(state: char) -> bool {
    matches!(state, 'Z' | 'X')
}

/// What a body can leave behind.
#[derive(Clone, Copy, Debug)]
pub enum Left {
    Child,
    Grandchild,
    Program,
    Session,
    Daemon,
}

impl Left {
    pub fn any(random: &mut Random) -> Self {
        random.one_of(&[Self::Child, Self::Grandchild, Self::Program])
    }

    pub fn any_that_roams(random: &mut Random) -> Self {
        random.one_of(&[Self::Session, Self::Daemon])
    }

    /// In a body: starts it, and waits until it is on its way. It would live for ever.
    pub fn start(self, board: Board, marker: Marker) {
        let expected = board.told() + 1;
        let program = format!("SOAK={marker}\0");
        match self {
            Self::Child => forked(|| tell_and_stay(board)),
            Self::Grandchild => forked(|| {
                forked(|| tell_and_stay(board));
                stay()
            }),
            Self::Program => forked(|| {
                board.tell_of(std::process::id());
                become_a_program(&program)
            }),
            Self::Session => forked(|| {
                // SAFETY: it takes nothing.
                unsafe { libc::setsid() };
                tell_and_stay(board)
            }),
            Self::Daemon => forked(|| {
                // SAFETY: it takes nothing.
                unsafe { libc::setsid() };
                forked(|| tell_and_stay(board));
                // SAFETY: it takes a number.
                unsafe { libc::_exit(0) }
            }),
        }
        while board.told() < expected {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

fn forked(work: impl FnOnce()) {
    // SAFETY: the child of a child, which has one thread, goes on with a copy of it.
    if unsafe { libc::fork() } == 0 {
        work();
        stay();
    }
}

fn tell_and_stay(board: Board) {
    board.tell_of(std::process::id());
    stay()
}

fn stay() {
    loop {
        // SAFETY: it takes nothing.
        unsafe { libc::pause() };
    }
}

fn become_a_program(environment: &str) {
    let arguments = [c"sleep".as_ptr(), c"600".as_ptr(), std::ptr::null()];
    let environment = [environment.as_ptr().cast(), std::ptr::null()];
    // SAFETY: both lists end with null, and their strings with a zero.
    unsafe { libc::execve(c"/bin/sleep".as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
}
