//! Linux: a pidfd (`pidfd_open(2)`, Linux 5.3) names the process, not its number.
//!
//! # Safety
//!
//! System calls that the C library or nix do not wrap, each with arguments that live through the
//! call; descriptors that come back are owned at once.
#![expect(unsafe_code, reason = "see the heading")]

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid};

use super::doing;
use super::proc;
use super::tree::{self, Tree};
use crate::error::{Hang, Untraced, Usage};
use crate::limit::Deadline;
use crate::sys::process::{self, Held, Ready, Status};
use crate::sys::retry;

/// To all of the group whose id is the pidfd's process (Linux 6.9).
const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    /// All its descendants are dead: it was stopped when that was seen.
    is_alone: bool,
    /// These will have lost their parent when the child ends.
    orphans: Vec<i32>,
}

impl Process {
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        // SAFETY: two integers.
        let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the kernel just gave it to us.
        let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { pid, pidfd, is_alone: false, orphans: Vec::new() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Waits for bytes in a pipe or for the end of the process, whichever is first, until the
    /// deadline at most. One system call; the time is taken afresh after each signal that interrupts it.
    ///
    /// The kernel takes the liberty to wake who waits a thousandth of the time too late. So this wakes
    /// too early by twice that, and who waits for the deadline waits again.
    pub(crate) fn wait(&mut self, pipes: [Option<BorrowedFd<'_>>; 2], until: Deadline) -> Ready {
        let watch = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
        let mut watched =
            [watch(self.pidfd.as_fd()), watch(self.pidfd.as_fd()), watch(self.pidfd.as_fd())];
        let mut count = 1;
        for pipe in pipes.into_iter().flatten() {
            watched[count] = watch(pipe);
            count += 1;
        }
        let watched = &mut watched[..count];
        let early = |remaining: Duration| remaining.saturating_sub(remaining / 512);
        let result = retry(|| ppoll(watched, until.remaining().map(early).map(timespec), None));
        if result.is_err() {
            // No memory for a moment, or the limit on descriptors is now below the few that are
            // waited for (`poll(2)`): look again soon, without it.
            std::thread::sleep(Duration::from_millis(1));
            return Ready { ended: self.has_ended(), readable: true };
        }
        let fired = |poll: &PollFd<'_>| poll.any().unwrap_or(true);
        Ready { ended: fired(&watched[0]), readable: watched[1..].iter().any(fired) }
    }

    /// Waits for room in a pipe to the process, or for its end. Whether there may be room.
    #[cfg(feature = "pool")]
    pub(crate) fn wait_for_room(&self, pipe: BorrowedFd<'_>, until: Deadline) -> bool {
        let mut watched = [
            PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN),
            PollFd::new(pipe, PollFlags::POLLOUT),
        ];
        let result = retry(|| ppoll(&mut watched, until.remaining().map(timespec), None));
        result.is_ok() && watched[0].any() != Some(true)
    }

    fn has_ended(&self) -> bool {
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
        let looked = self.waitid(flags, ptr::null_mut());
        // SAFETY: as in `wait_status`; without an end the number is zero.
        looked.map_or_else(|error| error == Errno::ECHILD, |info| unsafe { info.si_pid() } != 0)
    }

    /// Sends a signal to the child alone.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = self.send(signal as i32, 0);
    }

    /// Whether it can answer nothing before it is continued.
    pub(crate) fn is_stopped(&self) -> bool {
        proc::state(self.pid.as_raw(), 1) == proc::State::Stopped
    }

    /// Its threads, by number.
    pub(crate) fn threads(&self) -> Vec<i32> {
        let mut threads = Vec::new();
        proc::each_thread(self.pid.as_raw(), |thread| threads.push(thread));
        threads
    }

    pub(crate) fn name_of(&self, thread: i32) -> Option<String> {
        proc::name(self.pid.as_raw(), thread)
    }

    /// Why that thread does not answer, if that can be seen.
    pub(crate) fn why_silent(&self, thread: i32) -> Option<Untraced> {
        proc::why_silent(self.pid.as_raw(), thread, Signal::SIGURG)
    }

    /// What it is doing, if the kernel tells.
    pub(crate) fn doing(&self) -> Option<Hang> {
        doing::doing(self.pid.as_raw())
    }

    /// Sends SIGTERM to the child and all its descendants. A child that ends at that is held until
    /// they are gone, for without it they could not be found any more.
    ///
    /// So many of its threads are held already: where these are all, it need not be stopped to see that
    /// it has nobody.
    pub(crate) fn terminate(&mut self, threads_held: usize) -> Held {
        let mut has_children = false;
        let look = |_| has_children = true;
        if threads_held > 0
            && proc::each_child(self.pid.as_raw(), look) <= threads_held
            && !has_children
        {
            self.signal_group(Signal::SIGTERM);
            return Held::No;
        }
        self.signal(Signal::SIGSTOP);
        let mut tree = Tree::below(self.pid);
        tree.freeze();
        self.signal_group(Signal::SIGTERM);
        tree.terminate_beyond(self.pid);
        // A stopped process takes no signal but SIGKILL before it goes on.
        tree.thaw();
        if !tree.is_empty() && !proc::handles(self.pid.as_raw(), Signal::SIGTERM) {
            return Held::UntilAlone;
        }
        self.signal_group(Signal::SIGCONT);
        Held::No
    }

    /// Lets a held child go to its end if its descendants have gone to theirs.
    pub(crate) fn release_if_alone(&mut self) -> Held {
        if !tree::is_dead_below(self.pid) {
            return Held::UntilAlone;
        }
        self.note_orphans();
        self.signal_group(Signal::SIGCONT);
        Held::No
    }

    /// Sends SIGKILL to all the descendants of the child, and to the child when they are dead.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::SIGSTOP);
        if Tree::below(self.pid).end() {
            self.note_orphans();
        }
        self.signal_group(Signal::SIGKILL);
    }

    /// When all below the child are dead. Only of a child that is still there, stopped, is that more
    /// than nothing seen.
    fn note_orphans(&mut self) {
        let orphans = proc::children(self.pid.as_raw());
        // A child that was killed before, and is slow to die, has lost them already.
        if !orphans.is_empty() {
            self.orphans = orphans;
        }
        self.is_alone = self.is_stopped();
    }

    /// Sends a signal to the child's whole group, and to the child if it has left it for another
    /// one; nobody left in it is no error.
    fn signal_group(&self, signal: Signal) {
        let _ = self.send_to_group(signal as i32);
        if getpgid(Some(self.pid)) != Ok(self.pid) {
            self.signal(signal);
        }
    }

    fn send_to_group(&self, signal: i32) -> nix::Result<()> {
        match self.send(signal, PIDFD_SIGNAL_PROCESS_GROUP) {
            Ok(()) => Ok(()),
            Err(Errno::ESRCH) => Err(Errno::ESRCH),
            // Before Linux 6.9 (EINVAL), or a sandbox that does not know the call. The number is
            // right as long as the child is not reaped.
            Err(_) => {
                // SAFETY: two integers.
                Errno::result(unsafe { libc::kill(-self.pid.as_raw(), signal) }).map(drop)
            }
        }
    }

    fn send(&self, signal: i32, flags: libc::c_uint) -> nix::Result<()> {
        // SAFETY: integers, and a null pointer where the kernel then fills in the sender.
        Errno::result(unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                ptr::null::<libc::siginfo_t>(),
                flags,
            )
        })
        .map(drop)
    }

    /// Ends the whole group of a child that has ended, and takes the child's status and usage.
    ///
    /// First the group, then the status: until it is reaped, the child pins the group's number.
    pub(crate) fn reap(&mut self) -> (Option<Status>, Option<Usage>) {
        let _ = self.send_to_group(libc::SIGKILL);
        match self.wait_status() {
            Ok((status, usage)) => (Some(status), Some(usage)),
            // Someone else was first: `waitpid(-1)` in a loop, or SIGCHLD ignored.
            Err(_) => (self.status_after_reaping(), None),
        }
    }

    /// Whether others of its group are still on their way to their end, when it was reaped.
    pub(crate) fn is_outlived(&self) -> bool {
        !self.is_alone && !self.group_is_empty()
    }

    /// Waits for the end of these, and reaps what fell to this process.
    pub(crate) fn outlive_group(&mut self) {
        if self.is_outlived() {
            process::wait_until(|| self.group_is_dead());
            self.reap_group();
        }
        self.reap_orphans();
    }

    /// Readable when the child has ended.
    #[cfg(feature = "tokio")]
    #[expect(clippy::unnecessary_wraps, reason = "the portable path has none")]
    pub(crate) fn end(&self) -> Option<BorrowedFd<'_>> {
        Some(self.pidfd.as_fd())
    }

    /// For a child that SIGKILL does not end: returns at once, with nothing known.
    pub(crate) fn reap_later(&mut self) -> (Option<Status>, Option<Usage>) {
        if let Ok(pidfd) = self.pidfd.try_clone() {
            let orphans = std::mem::take(&mut self.orphans);
            process::reap_later(Self { pid: self.pid, pidfd, is_alone: false, orphans });
        }
        (None, None)
    }

    /// Where this process is the one that orphans go to (the first of a container, or a subreaper),
    /// what the child left dead is to be reaped here; elsewhere this fails, and harms nobody.
    fn reap_orphans(&mut self) {
        let flags = Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL);
        for pid in self.orphans.drain(..) {
            let _ = waitpid(Pid::from_raw(pid), flags);
        }
    }

    fn group_is_empty(&self) -> bool {
        self.send_to_group(0) == Err(Errno::ESRCH)
    }

    /// As [`reap_orphans`](Self::reap_orphans), for those that nobody had found.
    fn reap_group(&self) {
        let group = Pid::from_raw(-self.pid.as_raw());
        let flags = Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL);
        while waitpid(group, flags).is_ok_and(|status| status != WaitStatus::StillAlive) {}
    }

    /// Whether nobody of the group runs any more: it is empty, or what is left are statuses that
    /// their new parent, usually `init`, has not taken yet.
    fn group_is_dead(&self) -> bool {
        if self.group_is_empty() {
            return true;
        }
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        !processes.flatten().any(|entry| {
            fs::read_to_string(entry.path().join("stat"))
                .is_ok_and(|stat| is_living_member(&stat, self.pid.as_raw()))
        })
    }

    fn wait_status(&self) -> nix::Result<(Status, Usage)> {
        // SAFETY: zero is valid for it: plain numbers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        let info = self.waitid(libc::WEXITED, &raw mut usage)?;
        // SAFETY: `waitid` succeeded, so the union holds what a SIGCHLD carries.
        let value = unsafe { info.si_status() };
        let status = match info.si_code {
            libc::CLD_EXITED => Status::Exited(value),
            code => Status::Signaled { signal: value, core_dumped: code == libc::CLD_DUMPED },
        };
        Ok((status, process::usage(&usage)))
    }

    /// The system call and not the C library's function, which hides the usage.
    fn waitid(&self, flags: i32, usage: *mut libc::rusage) -> nix::Result<libc::siginfo_t> {
        let fd = libc::id_t::try_from(self.pidfd.as_raw_fd()).unwrap_or(libc::id_t::MAX);
        // SAFETY: zero is valid for it: plain numbers.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        retry(|| {
            // SAFETY: `info` lives through the call, and so does the caller's `usage`, or is null.
            Errno::result(unsafe {
                libc::syscall(libc::SYS_waitid, libc::P_PIDFD, fd, &raw mut info, flags, usage)
            })
        })?;
        Ok(info)
    }

    /// The status that the kernel keeps for holders of a pidfd (`PIDFD_GET_INFO`, Linux 6.15).
    fn status_after_reaping(&self) -> Option<Status> {
        const PIDFD_INFO_EXIT: u64 = 1 << 3;
        /// The kernel's `struct pidfd_info` in its first version.
        #[repr(C)]
        #[derive(Default)]
        struct Info {
            mask: u64,
            cgroup: u64,
            ids: [u32; 11],
            exit_code: i32,
        }
        /// `_IOWR(0xFF, 11, struct pidfd_info)`
        const PIDFD_GET_INFO: libc::c_ulong =
            (3 << 30) | ((size_of::<Info>() as libc::c_ulong) << 16) | (0xFF << 8) | 0x0B;
        const _: () = assert!(size_of::<Info>() == 64);

        let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
        // SAFETY: the request's size is that of `info`, which lives through the call.
        Errno::result(unsafe {
            libc::ioctl(self.pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info)
        })
        .ok()?;
        (info.mask & PIDFD_INFO_EXIT != 0).then(|| Status::from_raw(info.exit_code))
    }
}

/// For `ppoll(2)`, which takes seconds and nanoseconds: no rounding, no overflow to "for ever".
fn timespec(duration: Duration) -> TimeSpec {
    const LONG: Duration = Duration::from_secs(1 << 30);
    TimeSpec::from_duration(duration.min(LONG))
}

/// Of a line of `/proc/PID/stat` (`proc_pid_stat(5)`): the name in parentheses, which may hold
/// anything, then the state, the parent and the group.
fn is_living_member(stat: &str, group: i32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    let state = fields.next();
    !matches!(state, Some("Z" | "X")) && fields.nth(1) == Some(group.to_string().as_str())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::thread;

    use nix::unistd::getpid;

    use super::*;
    use crate::Timeout;
    use crate::sys::fork::{Side, fork};

    /// As it is sent to a child that is slow to die.
    #[test]
    fn a_second_sigkill_forgets_no_orphan() {
        let body = || {
            let Side::Caller(mut process) = fork(|| {}).unwrap() else {
                let _orphan = Command::new("sleep").arg("600").process_group(0).spawn();
                loop {
                    thread::park();
                }
            };
            while proc::children(process.pid.as_raw()).is_empty() {
                thread::yield_now();
            }
            process.kill();
            assert!(process.wait([None; 2], Deadline::NEVER).ended);
            process.kill();
            process.reap();
            process.outlive_group();
            // The child of a call is the one that orphans go to.
            proc::children(getpid().as_raw())
        };
        assert_eq!(Timeout::new(60).run(body).unwrap(), [0; 0]);
    }

    #[test]
    fn a_living_member_is_told_from_a_dead_one() {
        assert!(is_living_member("7 (a) name) S 1 42 42 0", 42));
        assert!(!is_living_member("7 (a) name) S 1 43 42 0", 42));
        assert!(!is_living_member("7 (sh) Z 1 42 42 0", 42));
        assert!(!is_living_member("", 42));
    }
}
