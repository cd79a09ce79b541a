//! This program, started afresh.
//!
//! # Safety
//!
//! Calls of the C library (`posix_spawn(3)`) whose arguments live through them: what is initialized here
//! is destroyed here, lists of strings end with null, and a function that is looked up by its name has
//! the type that its manual page gives it.
#![expect(unsafe_code, reason = "see the heading")]

use std::env;
use std::ffi::{CStr, CString, OsString};
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::cell::Published;
use super::platform::Process;
use super::retry;
use super::surroundings::Environment;

/// The file that this process executes, even if another has taken its name, or it has none any more.
const EXECUTABLE: &CStr = c"/proc/self/exe";

/// The descriptors that the program inherits, beside the standard streams.
pub(crate) struct Shared<'a>(Vec<BorrowedFd<'a>>);

/// The first that is no standard stream.
const FIRST: i32 = 3;

impl<'a> Shared<'a> {
    pub(crate) fn new(descriptors: Vec<BorrowedFd<'a>>) -> Self {
        Self(descriptors)
    }

    /// Whether nothing else is inherited; otherwise the program has to close it.
    pub(crate) fn is_all() -> bool {
        close_from().is_some()
    }

    /// By which number the program has it.
    pub(crate) fn number(&self, index: usize) -> i32 {
        if Self::is_all() { place(index) } else { self.0[index].as_raw_fd() }
    }

    fn actions(&self) -> io::Result<Actions> {
        let mut actions = Actions::new()?;
        let own: Vec<_> = self.0.iter().map(AsRawFd::as_raw_fd).collect();
        let Some(close_from) = close_from() else {
            // Onto itself: then it is not closed on exec.
            own.into_iter().try_for_each(|number| actions.copy(number, number))?;
            return Ok(actions);
        };
        moves(own).into_iter().try_for_each(|(from, to)| actions.copy(from, to))?;
        // SAFETY: see the heading.
        succeeded(unsafe { close_from(&raw mut actions.0, place(self.0.len())) })?;
        Ok(actions)
    }
}

fn place(index: usize) -> i32 {
    FIRST + i32::try_from(index).unwrap_or(i32::MAX - FIRST)
}

/// In this order each comes to its place, and none is overwritten before it was moved.
fn moves(mut numbers: Vec<i32>) -> Vec<(i32, i32)> {
    let end = place(numbers.len());
    let mut free = (end..).filter({
        let numbers = numbers.clone();
        move |number| !numbers.contains(number)
    });
    let mut moves = Vec::new();
    for (index, number) in numbers.iter_mut().enumerate() {
        if (FIRST..end).contains(number) && *number != place(index) {
            // Out of another's way.
            let aside = free.next().unwrap_or_default();
            moves.push((*number, aside));
            *number = aside;
        }
    }
    moves.extend(numbers.into_iter().enumerate().map(|(index, number)| (number, place(index))));
    moves
}

type CloseFrom = unsafe extern "C" fn(*mut libc::posix_spawn_file_actions_t, libc::c_int) -> i32;

/// `posix_spawn_file_actions_addclosefrom_np(3)`, which glibc has since 2.34.
fn close_from() -> Option<CloseFrom> {
    static FOUND: Published<Option<CloseFrom>> = Published::new();
    *FOUND.get_or(|| {
        let name = c"posix_spawn_file_actions_addclosefrom_np";
        // SAFETY: the name is a C string; looking a symbol up runs no code of its object.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        // SAFETY: see the heading; null is `None`.
        unsafe { mem::transmute::<*mut libc::c_void, Option<CloseFrom>>(symbol) }
    })
}

/// What becomes of descriptors between the fork and the new program.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: see the heading.
        succeeded(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: it was initialized.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn copy(&mut self, from: i32, to: i32) -> io::Result<()> {
        // SAFETY: see the heading.
        succeeded(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, from, to) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: see the heading.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// A process group of its own, and default signals.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        const FLAGS: libc::c_int = libc::POSIX_SPAWN_SETPGROUP
            | libc::POSIX_SPAWN_SETSIGDEF
            | libc::POSIX_SPAWN_SETSIGMASK;

        let mut attributes = MaybeUninit::uninit();
        // SAFETY: see the heading.
        succeeded(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: it was initialized.
        let mut own = Self(unsafe { attributes.assume_init() });
        let (ours, flags) = (&raw mut own.0, libc::c_short::try_from(FLAGS).unwrap_or_default());
        // SAFETY: see the heading.
        unsafe {
            succeeded(libc::posix_spawnattr_setflags(ours, flags))?;
            succeeded(libc::posix_spawnattr_setpgroup(ours, 0))?;
            succeeded(libc::posix_spawnattr_setsigdefault(ours, put_back().as_ref()))?;
            succeeded(libc::posix_spawnattr_setsigmask(ours, SigSet::empty().as_ref()))?;
        }
        Ok(own)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: see the heading.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

fn succeeded(error: i32) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Starts it with the arguments of this process, that environment and one variable more, and these
/// descriptors under the numbers that they say.
///
/// It leads a process group of its own, and has default signals, but for those that a program
/// ignores for all that it starts.
pub(crate) fn respawn(
    environment: Environment,
    trigger: (&str, String),
    shared: &Shared<'_>,
) -> io::Result<Process> {
    let (actions, attributes) = (shared.actions()?, Attributes::new()?);
    let arguments: Vec<_> = env::args_os().filter_map(c_string).collect();
    let mut variables: Vec<_> = environment.into_variables().filter_map(variable).collect();
    variables.extend(variable((trigger.0.into(), trigger.1.into())));
    let mut child = 0;
    // SAFETY: see the heading.
    succeeded(unsafe {
        libc::posix_spawn(
            &raw mut child,
            EXECUTABLE.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            list(&arguments).as_ptr(),
            list(&variables).as_ptr(),
        )
    })
    // A number above the limit on descriptors.
    .map_err(|error| match error.raw_os_error() {
        Some(libc::EBADF) => Errno::EMFILE.into(),
        _ => error,
    })?;
    let child = Pid::from_raw(child);
    Process::open(child).inspect_err(|_failed| abandon(child))
}

/// As C programs have it.
fn list(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

/// Ends a child that cannot be watched. It has done nothing yet.
pub(super) fn abandon(child: Pid) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_numbers_they_have_each_comes_to_its_place() {
        let all = (0..1_000).map(|n| vec![3 + n / 100, 3 + n / 10 % 10, 3 + n % 10]);
        let different = |numbers: &Vec<i32>| {
            let [a, b, c] = numbers[..] else { return false };
            a != b && b != c && c != a
        };
        for numbers in all.filter(different) {
            let mut table: Vec<i32> = (0..20).collect();
            for (from, to) in moves(numbers.clone()) {
                table[usize::try_from(to).unwrap()] = table[usize::try_from(from).unwrap()];
            }
            assert_eq!(table[3..6], numbers, "{:?}", moves(numbers.clone()));
        }
    }
}
