//! What a program that this thread starts inherits, beside its descriptors, its environment and its
//! current folder (`execve(2)`, `fork(2)`): by what it is seen that one which was started a while ago
//! began with something else.
//!
//! A few looks that cost some microseconds each. What can be asked by a number is asked so; for the
//! rest there are lines of `/proc/thread-self/status` and short files beside it.
//!
//! # Safety
//!
//! System calls of numbers, and of memory that lives through them.
#![expect(unsafe_code, reason = "see the heading")]

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

/// Of the calling thread.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inheritance(Vec<u8>);

/// Which lines of the status count.
const LINES: [&[u8]; 16] = [
    b"Umask",
    b"Uid",
    b"Gid",
    b"Groups",
    b"CapInh",
    b"CapPrm",
    b"CapEff",
    b"CapBnd",
    b"CapAmb",
    b"NoNewPrivs",
    b"Seccomp",
    b"Seccomp_filters",
    b"Speculation_Store_Bypass",
    b"SpeculationIndirectBranch",
    b"Cpus_allowed",
    b"Mems_allowed",
];

/// Which may be missing, as a kernel has been built.
const FILES: [&CStr; 6] = [
    c"cgroup",
    c"oom_score_adj",
    c"../../coredump_filter",
    c"attr/current",
    c"attr/exec",
    c"loginuid",
];

/// Those that were not there: nor will they be.
static ARE_MISSING: [AtomicBool; FILES.len()] = [const { AtomicBool::new(false) }; FILES.len()];

/// Those that children are in.
const NAMESPACES: [&CStr; 8] = [
    c"ns/cgroup",
    c"ns/ipc",
    c"ns/mnt",
    c"ns/net",
    c"ns/pid_for_children",
    c"ns/time_for_children",
    c"ns/user",
    c"ns/uts",
];

impl Inheritance {
    /// `None`: it cannot be told, for want of `/proc`.
    pub(crate) fn now() -> Option<Self> {
        let mut now = Self(Vec::with_capacity(2 << 10));
        // Each name below it is found in a step or two, and not anew from the root.
        let own = open(
            c"/proc/thread-self",
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        );
        let own = own.ok()?;
        now.add_status(own.as_fd()).ok()?;
        now.add_stat(own.as_fd()).ok()?;
        for (file, is_missing) in FILES.iter().zip(&ARE_MISSING) {
            now.add_file(own.as_fd(), file, is_missing);
        }
        now.add_namespaces(own.as_fd());
        now.add_limits();
        now.add_root();
        now.add_numbers();
        Some(now)
    }

    fn add_status(&mut self, own: BorrowedFd<'_>) -> io::Result<()> {
        let mut status = Vec::with_capacity(4 << 10);
        read(own, c"status", &mut status)?;
        for line in status.split(|byte| *byte == b'\n') {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if LINES.contains(&name) {
                self.0.extend_from_slice(line);
                self.0.push(b'\n');
            } else if name == b"SigIgn" {
                self.add(ignored_by_custom(line));
            }
        }
        Ok(())
    }

    /// Session and terminal, niceness and priority: of the fields in `proc_pid_stat(5)` behind the name,
    /// which may hold anything.
    fn add_stat(&mut self, own: BorrowedFd<'_>) -> io::Result<()> {
        let mut stat = Vec::with_capacity(1 << 10);
        read(own, c"stat", &mut stat)?;
        let stat = String::from_utf8_lossy(&stat);
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let fields = fields.enumerate().filter(|(index, _)| [3, 4, 16, 37].contains(index));
        fields.for_each(|(_, field)| {
            self.0.extend_from_slice(field.as_bytes());
            self.0.push(b' ');
        });
        Ok(())
    }

    fn add(&mut self, number: i64) {
        self.0.extend(number.to_ne_bytes());
    }

    fn add_file(&mut self, own: BorrowedFd<'_>, name: &CStr, is_missing: &AtomicBool) {
        if !is_missing.load(Ordering::Relaxed) {
            let failure = read(own, name, &mut self.0).err().and_then(|why| why.raw_os_error());
            is_missing
                .store(matches!(failure, Some(libc::ENOENT | libc::EINVAL)), Ordering::Relaxed);
        }
        self.0.push(0);
    }

    /// By the names that the kernel gives them.
    fn add_namespaces(&mut self, own: BorrowedFd<'_>) {
        for namespace in NAMESPACES {
            let mut name = [0u8; 64];
            // SAFETY: see the heading.
            let length = unsafe {
                let (room, size) = (name.as_mut_ptr().cast(), name.len());
                libc::readlinkat(own.as_raw_fd(), namespace.as_ptr(), room, size)
            };
            let length = usize::try_from(length).unwrap_or_default();
            self.0.extend_from_slice(&name[..length]);
            self.0.push(0);
        }
    }

    fn add_limits(&mut self) {
        const LIMITS: u32 = 16;

        for resource in 0..LIMITS {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: see the heading.
            unsafe { libc::getrlimit(resource as _, &raw mut limit) };
            self.0.extend(limit.rlim_cur.to_ne_bytes());
            self.0.extend(limit.rlim_max.to_ne_bytes());
        }
    }

    /// What `/` is.
    fn add_root(&mut self) {
        // SAFETY: zero is valid for it.
        let mut root: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: see the heading.
        unsafe { libc::stat(c"/".as_ptr(), &raw mut root) };
        self.0.extend(root.st_dev.to_ne_bytes());
        self.0.extend(root.st_ino.to_ne_bytes());
    }

    fn add_numbers(&mut self) {
        const ASK: libc::c_ulong = 0xffff_ffff;
        const OF_THIS_THREAD: libc::c_long = 1;
        /// As many nodes as a kernel can be built for.
        const NODES: usize = 1 << 10;

        // Which the C library's headers may not have yet.
        const IO_FLUSHER: libc::c_int = 58;
        const MDWE: libc::c_int = 66;
        const MEMORY_MERGE: libc::c_int = 68;

        let questions = [
            libc::PR_GET_SECUREBITS,
            libc::PR_GET_TIMERSLACK,
            libc::PR_GET_THP_DISABLE,
            IO_FLUSHER,
            MDWE,
            MEMORY_MERGE,
        ];
        for question in questions {
            // SAFETY: see the heading; each of these gives its answer as the result.
            self.add(unsafe { libc::prctl(question, 0, 0, 0, 0) }.into());
        }
        let (mut policy, mut nodes) = (0 as libc::c_int, [0u64; NODES / 64]);
        // SAFETY: see the heading. The mask has as many bits as the call is told.
        unsafe {
            self.add(libc::sched_getscheduler(0).into());
            self.add(libc::personality(ASK).into());
            self.add(libc::syscall(libc::SYS_ioprio_get, OF_THIS_THREAD, 0));
            self.add(libc::syscall(
                libc::SYS_get_mempolicy,
                &raw mut policy,
                nodes.as_mut_ptr(),
                NODES,
                ptr::null::<u8>(),
                0,
            ));
        }
        self.add(policy.into());
        for some in nodes {
            self.0.extend(some.to_ne_bytes());
        }
    }
}

/// All of it, at the end. What is less than was asked for is the last of such a file.
fn read(own: BorrowedFd<'_>, name: &CStr, into: &mut Vec<u8>) -> io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(own, name, flags, Mode::empty())?);
    let mut part = [0; 4 << 10];
    loop {
        let length = file.read(&mut part)?;
        into.extend_from_slice(&part[..length]);
        if length < part.len() {
            return Ok(());
        }
    }
}

/// Of the mask in that line: what a program that is started goes on to ignore. The others are its
/// defaults, whatever they are here.
fn ignored_by_custom(line: &[u8]) -> i64 {
    const CUSTOM: [i32; 4] = [libc::SIGPIPE, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];

    let digits = line.iter().filter_map(|byte| char::from(*byte).to_digit(16));
    // The name has no digit but its first letters', which the mask's sixteen push out.
    let mask = digits.fold(0u64, |mask, digit| mask << 4 | u64::from(digit));
    let kept = CUSTOM.iter().filter(|signal| mask >> (**signal - 1) & 1 == 1);
    kept.map(|signal| 1i64 << signal).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_the_same_while_nothing_changes() {
        let first = Inheritance::now().unwrap();
        assert_eq!(Inheritance::now().unwrap(), first);
        // Each line that was looked for was there.
        let lines = first.0.split(|byte| *byte == b'\n').count();
        assert!(lines > LINES.len(), "{}", String::from_utf8_lossy(&first.0));
    }

    #[test]
    fn what_is_ignored_by_custom_is_told_from_what_is_not() {
        assert_eq!(ignored_by_custom(b"SigIgn:\t0000000000001000"), 1 << libc::SIGPIPE);
        assert_eq!(
            ignored_by_custom(b"SigIgn:\t0000000000000003"),
            1 << libc::SIGHUP | 1 << libc::SIGINT
        );
        assert_eq!(ignored_by_custom(b"SigIgn:\tffffffff00000200"), 0);
    }
}
