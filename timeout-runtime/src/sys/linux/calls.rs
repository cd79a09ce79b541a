//! The system calls that wait, by their numbers.

use libc::{self as c, c_long};

/// Those that end by themselves.
pub(super) const SLEEPS: [c_long; 2] = [c::SYS_nanosleep, c::SYS_clock_nanosleep];

/// Those whose first argument is what is waited for.
const OF_FILES: &[(c_long, &str)] = &[
    (c::SYS_read, "read"),
    (c::SYS_write, "write"),
    (c::SYS_readv, "readv"),
    (c::SYS_writev, "writev"),
    (c::SYS_pread64, "pread"),
    (c::SYS_pwrite64, "pwrite"),
    (c::SYS_recvfrom, "recv"),
    (c::SYS_recvmsg, "recvmsg"),
    (c::SYS_sendto, "send"),
    (c::SYS_sendmsg, "sendmsg"),
    #[cfg(target_pointer_width = "64")]
    (c::SYS_accept, "accept"),
    (c::SYS_accept4, "accept"),
    (c::SYS_connect, "connect"),
    (c::SYS_fsync, "fsync"),
    (c::SYS_fdatasync, "fdatasync"),
    (c::SYS_flock, "flock"),
    (c::SYS_fcntl, "fcntl"),
    (c::SYS_ioctl, "ioctl"),
];

const OTHERS: &[(c_long, &str)] = &[
    #[cfg(target_arch = "x86_64")]
    (c::SYS_poll, "poll"),
    #[cfg(target_arch = "x86_64")]
    (c::SYS_select, "select"),
    #[cfg(target_arch = "x86_64")]
    (c::SYS_epoll_wait, "epoll_wait"),
    #[cfg(target_arch = "x86_64")]
    (c::SYS_pause, "pause"),
    #[cfg(target_arch = "x86_64")]
    (c::SYS_open, "open"),
    #[cfg(target_arch = "x86_64")]
    (c::SYS_vfork, "vfork"),
    (c::SYS_ppoll, "poll"),
    (c::SYS_pselect6, "select"),
    (c::SYS_epoll_pwait, "epoll_wait"),
    (c::SYS_openat, "open"),
    (c::SYS_clone, "clone"),
    (c::SYS_clone3, "clone"),
    (c::SYS_wait4, "wait"),
    (c::SYS_waitid, "waitid"),
    (c::SYS_futex, "futex"),
    (c::SYS_rt_sigsuspend, "sigsuspend"),
    (c::SYS_rt_sigtimedwait, "sigwait"),
    #[cfg(target_pointer_width = "64")]
    (c::SYS_msgrcv, "msgrcv"),
    #[cfg(target_pointer_width = "64")]
    (c::SYS_semop, "semop"),
    (c::SYS_mq_timedreceive, "mq_receive"),
    (c::SYS_io_uring_enter, "io_uring_enter"),
    (c::SYS_getrandom, "getrandom"),
    (c::SYS_sendfile, "sendfile"),
    (c::SYS_splice, "splice"),
];

pub(super) fn takes_file(number: c_long) -> bool {
    OF_FILES.iter().any(|(call, _)| *call == number)
}

pub(super) fn name(number: c_long) -> String {
    let known = OF_FILES.iter().chain(OTHERS).find(|(call, _)| *call == number);
    known.map_or_else(|| format!("system call {number}"), |(_, name)| (*name).to_owned())
}
