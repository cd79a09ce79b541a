//! What `/proc` says of a process: its threads, its children, its state (`proc(5)`).
//!
//! But where it says so, nothing here allocates or takes a lock, for it is also read in a signal
//! handler.
//!
//! # Safety
//!
//! One system call that nothing wraps without allocating, with a buffer that lives through it.
#![expect(unsafe_code, reason = "see the heading")]

use std::ffi::CStr;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::error::Untraced;
use crate::sys::retry;

/// What a process is doing, as far as it matters to those who want it to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// It executes nothing until it is continued, or until its child has become another program
    /// (`vfork(2)`), for which that one must not be stopped.
    Stopped,
    /// It has ended, and waits to be reaped; or there is no such process.
    Dead,
}

/// The state of a process whose threads are as many.
pub(super) fn state(process: i32, threads: usize) -> State {
    match letter_of(process) {
        Some(b'T' | b't') => State::Stopped,
        Some(b'D') if is_in_vfork(process) => State::Stopped,
        // With others beside it, only its first thread has ended.
        Some(b'Z' | b'X') if threads < 2 => State::Dead,
        Some(_) => State::Running,
        None => State::Dead,
    }
}

/// Whether it waits in a `fork` of any kind. With a signal pending, such as SIGSTOP, the kernel makes
/// no new process; so it can only be one that it has made, and that has its memory.
fn is_in_vfork(process: i32) -> bool {
    const FORKS: [libc::c_long; 3] = [
        libc::SYS_clone,
        libc::SYS_clone3,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork,
        #[cfg(not(target_arch = "x86_64"))]
        libc::SYS_clone,
    ];
    let mut said = [0; 256];
    let length = read(format_args!("/proc/{process}/syscall\0"), &mut said).unwrap_or_default();
    let number = leading_number(&said[..length]).map(libc::c_long::from);
    number.is_some_and(|number| FORKS.contains(&number))
}

/// Whether a process has certainly ended, with all its threads, and waits to be reaped.
pub(super) fn is_dead(process: i32) -> bool {
    let mut threads = 0;
    letter_of(process) == Some(b'Z') && {
        each_thread(process, |_| threads += 1);
        threads == 1
    }
}

fn letter_of(process: i32) -> Option<u8> {
    let mut stat = [0; 512];
    let length = read(format_args!("/proc/{process}/stat\0"), &mut stat).ok()?;
    letter(&stat[..length])
}

/// Out of a line of `/proc/PID/stat`: number, name in parentheses, which may hold anything, state.
fn letter(stat: &[u8]) -> Option<u8> {
    let end = stat.windows(2).rposition(|pair| pair == b") ")?;
    stat.get(end + 2).copied()
}

/// Each child of each thread of a process; returns how many threads it has.
///
/// A child is listed by the thread that forked it, or that adopted it. While the process and its
/// parent-to-be are stopped, none is missed: nobody is taken from the list, and who comes later
/// comes last.
pub(super) fn each_child(process: i32, mut child: impl FnMut(i32)) -> usize {
    let mut threads = 0;
    each_thread(process, |thread| {
        threads += 1;
        let path = format_args!("/proc/{process}/task/{thread}/children\0");
        // Without the file (a kernel without CONFIG_PROC_CHILDREN) there is nobody to be found.
        if let Ok(file) = open_at(path) {
            each_number(&file, &mut child);
        }
    });
    threads
}

/// The children, for those who may allocate.
pub(super) fn children(process: i32) -> Vec<i32> {
    let mut children = Vec::new();
    each_child(process, |child| children.push(child));
    children
}

/// Whether a process handles or ignores a signal, which then does not end it.
pub(super) fn handles(process: i32, signal: Signal) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { return false };
    has(&status, "SigIgn:", signal) || has(&status, "SigCgt:", signal)
}

/// Of this process, in bytes: what it may write to and has for itself alone, stacks of threads included.
pub(super) fn data_size() -> io::Result<u64> {
    let mut status = [0; 4096];
    let length = read(format_args!("/proc/self/status\0"), &mut status)?;
    let line = status[..length]
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"VmData:"));
    let digits = line.unwrap_or_default().iter().filter(|byte| byte.is_ascii_digit());
    let kibibytes = digits.fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    if kibibytes == 0 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(kibibytes << 10) }
}

/// Whether a signal is in one of the sets of a file `status`.
fn has(status: &str, set: &str, signal: Signal) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix(set));
    let set = line.map_or(0, |set| u64::from_str_radix(set.trim(), 16).unwrap_or_default());
    set & (1 << (signal as i32 - 1)) != 0
}

/// The names of threads, as `top` shows them.
pub(super) fn name(process: i32, thread: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/task/{thread}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Why a thread does not answer to this signal, if that can be seen.
pub(super) fn why_silent(process: i32, thread: i32, signal: Signal) -> Option<Untraced> {
    let status_of =
        |thread| fs::read_to_string(format!("/proc/{process}/task/{thread}/status")).ok();
    // What another program is begun by has only one thread, the first.
    let status = status_of(thread).or_else(|| status_of(process))?;
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    if state.is_some_and(|state| state.trim().starts_with(['T', 't'])) {
        return Some(Untraced::Stopped);
    }
    if !has(&status, "SigCgt:", signal) {
        let programs = [format!("/proc/{process}/exe"), "/proc/self/exe".to_owned()];
        let [theirs, ours] = programs.map(|link| fs::read_link(link).ok());
        let is_other = theirs.is_some() && theirs != ours;
        return Some(if is_other { Untraced::AnotherProgram } else { Untraced::Handled });
    }
    has(&status, "SigBlk:", signal).then_some(Untraced::Blocked)
}

pub(super) fn each_thread(process: i32, mut thread: impl FnMut(i32)) {
    /// Whole `struct linux_dirent64`s, each of which begins at a multiple of eight.
    #[repr(align(8))]
    struct Entries([u8; 1024]);
    /// Before the name: inode, offset, length of the entry, kind.
    const NAME: usize = 19;

    let Ok(folder) = open_at(format_args!("/proc/{process}/task\0")) else { return };
    let mut entries = Entries([0; 1024]);
    loop {
        // SAFETY: the buffer is as long as is said.
        let read = Errno::result(unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                folder.as_raw_fd(),
                entries.0.as_mut_ptr(),
                entries.0.len(),
            )
        });
        let mut rest = match read.map(usize::try_from) {
            Ok(Ok(length @ 1..)) => &entries.0[..length],
            _ => return,
        };
        while let Some(&[low, high]) = rest.get(16..18) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            let Some((entry, others)) = rest.split_at_checked(length) else { return };
            // Not `.` and `..`.
            if let Some(number) = entry.get(NAME..).and_then(leading_number) {
                thread(number);
            }
            rest = others;
        }
    }
}

fn leading_number(bytes: &[u8]) -> Option<i32> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(None, |number, digit| Some(with_digit(number.unwrap_or(0), *digit)))
}

fn with_digit(number: i32, digit: u8) -> i32 {
    number.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'))
}

/// The numbers in a file, each followed by a space.
fn each_number(file: &OwnedFd, mut each: impl FnMut(i32)) {
    let mut bytes = [0; 512];
    let mut number = 0;
    while let Ok(length @ 1..) = retry(|| nix::unistd::read(file, &mut bytes)) {
        for byte in &bytes[..length] {
            match byte {
                b'0'..=b'9' => number = with_digit(number, *byte),
                _ => each(std::mem::take(&mut number)),
            }
        }
    }
}

/// The beginning of a file; its path ends with a NUL.
fn read(path: fmt::Arguments<'_>, bytes: &mut [u8]) -> nix::Result<usize> {
    let file = open_at(path)?;
    retry(|| nix::unistd::read(&file, bytes))
}

/// The same, if it is text.
pub(super) fn text<'a>(path: fmt::Arguments<'_>, bytes: &'a mut [u8]) -> Option<&'a str> {
    let length = read(path, bytes).ok()?;
    std::str::from_utf8(bytes.get(..length)?).ok()
}

/// The path ends with a NUL.
fn open_at(path: fmt::Arguments<'_>) -> nix::Result<OwnedFd> {
    let mut bytes = [0; 64];
    (&mut bytes[..]).write_fmt(path).map_err(|_| Errno::ENAMETOOLONG)?;
    let path = CStr::from_bytes_until_nul(&bytes).map_err(|_| Errno::ENAMETOOLONG)?;
    retry(|| open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_state_comes_after_the_last_parenthesis() {
        assert_eq!(letter(b"7 (a) Z) S 1 42"), Some(b'S'));
        assert_eq!(letter(b"7 (sh"), None);
    }

    #[test]
    fn a_child_and_its_states_are_seen() {
        let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(sleep.id()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let mut children = Vec::new();
        let threads = each_child(own, |child| children.push(child));
        assert!(children.contains(&pid), "{children:?}");
        // This test's and the harness's.
        assert!(threads >= 2);
        assert_eq!(state(pid, 1), State::Running);
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert_eq!(state(pid, 1), State::Dead);
    }
}
