//! The same work by bare system calls: what the kernel charges.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

/// pipe, fork, write, `_exit`, read, wait.
pub fn fork_number(number: u64) -> u64 {
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    let child = fork(|| writer.write_all(&(2 * number).to_ne_bytes()));
    drop(writer);
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes).expect("eight bytes");
    wait(child);
    u64::from_ne_bytes(bytes)
}

/// The child makes the bytes, the caller reads them to a place that is large enough.
pub fn fork_bytes(length: usize, make: fn(usize) -> Vec<u8>) -> Vec<u8> {
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    let child = fork(|| writer.write_all(&make(length)));
    drop(writer);
    let mut bytes = Vec::with_capacity(length);
    reader.read_to_end(&mut bytes).expect("all of it");
    wait(child);
    assert_eq!(bytes.len(), length, "a whole result");
    bytes
}

/// A child that sleeps is sent SIGTERM at the deadline, and reaped: how late that is.
pub fn overshoot(limit: Duration) -> Duration {
    let start = Instant::now();
    let (reader, writer) = io::pipe().expect("a pipe");
    let child = fork(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let mut polled = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let left = limit.saturating_sub(start.elapsed());
    let timeout = libc::timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
    // SAFETY: both structures outlive the call, and one descriptor is what is said. The child is
    // this function's own, and not yet reaped.
    unsafe {
        libc::ppoll(&raw mut polled, 1, &raw const timeout, std::ptr::null());
        libc::kill(child, libc::SIGTERM);
    }
    wait(child);
    drop(writer);
    start.elapsed().saturating_sub(limit)
}

/// Two processes and two pipes.
pub struct PingPong {
    child: libc::pid_t,
    ours: Option<PipeWriter>,
    theirs: PipeReader,
}

impl PingPong {
    pub fn new() -> Self {
        let (mut ball, ours) = io::pipe().expect("a pipe");
        let (theirs, mut back) = io::pipe().expect("a pipe");
        let mut ours = Some(ours);
        let child = fork(|| {
            // Else its own copy keeps the pipe from ever ending.
            drop(ours.take());
            let mut bytes = [0; 8];
            while ball.read_exact(&mut bytes).is_ok() {
                let number = u64::from_ne_bytes(bytes);
                back.write_all(&(2 * number).to_ne_bytes())?;
            }
            Ok(())
        });
        Self { child, ours, theirs }
    }

    pub fn turn(&mut self, number: u64) -> u64 {
        let mut bytes = number.to_ne_bytes();
        if let Some(ours) = &mut self.ours {
            ours.write_all(&bytes).expect("the other takes it");
        }
        self.theirs.read_exact(&mut bytes).expect("the other answers");
        u64::from_ne_bytes(bytes)
    }
}

impl Drop for PingPong {
    fn drop(&mut self) {
        drop(self.ours.take());
        wait(self.child);
    }
}

/// From here on this process, and all that it starts, runs on one processor.
pub fn pin_to_one_processor() {
    // SAFETY: a set of processors is plain bits, for which zero is a value; both calls get its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        libc::sched_getaffinity(0, size, &raw mut set);
        let highest = (0..1024).rev().find(|&processor| libc::CPU_ISSET(processor, &set));
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(highest.unwrap_or(0), &mut set);
        libc::sched_setaffinity(0, size, &raw const set);
    }
}

/// A child that was left to whoever cares: some peers do not.
pub fn reap(child: libc::pid_t) {
    wait(child);
}

fn fork(body: impl FnOnce() -> io::Result<()>) -> libc::pid_t {
    // SAFETY: the child does what `body` does, which is to read and write pipes and, in processes of
    // one thread, to allocate; and it never comes back from here.
    match unsafe { libc::fork() } {
        0 => {
            let code = i32::from(body().is_err());
            // SAFETY: it only ends this process.
            unsafe { libc::_exit(code) }
        }
        child => {
            assert!(child > 0, "a child: {}", io::Error::last_os_error());
            child
        }
    }
}

fn wait(child: libc::pid_t) {
    // SAFETY: nothing is written where the status would go.
    while unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) } < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}
