//! What the person at the terminal sees. The standard streams themselves lead to `/dev/null`, for
//! the threads of the storm to print to.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use super::Run;
use super::table::milliseconds;

pub struct Screen {
    stdout: File,
    stderr: File,
    is_terminal: bool,
    next: Instant,
}

impl Screen {
    pub fn new() -> Self {
        let kept = |stream: std::os::fd::BorrowedFd<'_>| -> File {
            stream.try_clone_to_owned().expect("a descriptor").into()
        };
        let screen = Self {
            stdout: kept(std::io::stdout().as_fd()),
            stderr: kept(std::io::stderr().as_fd()),
            is_terminal: std::io::stderr().is_terminal(),
            next: Instant::now() + Duration::from_secs(1),
        };
        let nowhere = OpenOptions::new().write(true).open("/dev/null").expect("/dev/null");
        for stream in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            // SAFETY: two descriptors; what the streams led to was kept.
            unsafe { libc::dup2(nowhere.as_raw_fd(), stream) };
        }
        screen
    }

    pub fn note(&mut self, line: &str) {
        let _ = writeln!(self.stderr, "{line}");
    }

    /// Every second, over the last line, on a terminal; every ten seconds elsewhere.
    pub fn progress(&mut self, run: &Run) {
        if Instant::now() < self.next {
            return;
        }
        self.next += Duration::from_secs(if self.is_terminal { 1 } else { 10 });
        let (seconds, calls) = (run.started.elapsed().as_secs_f64(), run.tally.calls());
        let (worst, end) = run.tally.worst();
        let line = format!(
            "{seconds:5.0} s  {calls} calls  {:.0}/s  worst over a deadline {} ({end})  {} laws broken",
            calls as f64 / seconds,
            milliseconds(worst),
            run.tally.laws_broken(),
        );
        let _ = if self.is_terminal {
            write!(self.stderr, "\r\x1b[K{line}")
        } else {
            writeln!(self.stderr, "{line}")
        };
    }

    pub fn print(&mut self, table: &str) {
        if self.is_terminal {
            let _ = write!(self.stderr, "\r\x1b[K");
        }
        let _ = self.stdout.write_all(table.as_bytes());
    }
}
