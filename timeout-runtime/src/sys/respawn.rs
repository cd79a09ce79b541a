//! This program, started afresh.

use std::env;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::platform::Process;
use super::retry;

/// The file that this process executes, even if another has taken its name, or it has none any more.
const EXECUTABLE: &str = "/proc/self/exe";

/// Starts it with the arguments and the environment of this process, one variable more, and these
/// descriptors under the numbers that they have here.
///
/// It leads a process group of its own, and has default signals, but for those that a program
/// ignores for all that it starts.
pub(crate) fn respawn(trigger: (&str, String), shared: &[BorrowedFd<'_>]) -> io::Result<Process> {
    let mut actions = PosixSpawnFileActions::init()?;
    for descriptor in shared {
        // Onto itself: then it is not closed on exec.
        actions.add_dup2(descriptor.as_raw_fd(), descriptor.as_raw_fd())?;
    }
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigdefault(&put_back())?;
    attributes.set_sigmask(&SigSet::empty())?;
    let arguments: Vec<_> = env::args_os().filter_map(c_string).collect();
    let mut environment: Vec<_> = env::vars_os().filter_map(variable).collect();
    environment.extend(variable((trigger.0.into(), trigger.1.into())));
    let child = posix_spawn(EXECUTABLE, &actions, &attributes, &arguments, &environment)?;
    Process::open(child).inspect_err(|_failed| abandon(child))
}

/// Ends a child that cannot be watched. It has done nothing yet.
fn abandon(child: Pid) {
    let _ = kill(child, Signal::SIGKILL);
    let _ = retry(|| waitpid(child, None));
}

/// What is ignored here and not by custom for all that a program starts.
fn put_back() -> SigSet {
    const KEPT: [Signal; 4] = [Signal::SIGPIPE, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];
    let mut signals = SigSet::all();
    for signal in KEPT {
        signals.remove(signal);
    }
    signals
}

/// No argument or variable that this process was given holds a zero.
fn c_string(text: OsString) -> Option<CString> {
    CString::new(text.into_vec()).ok()
}

fn variable((name, value): (OsString, OsString)) -> Option<CString> {
    let mut line = name;
    line.push("=");
    line.push(value);
    c_string(line)
}
