//! What a body starts, in all the ways in which it could get away.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use crate::support::{eventually, is_running};

/// A file to which the members of a family write their process ids.
pub struct Register(PathBuf);

impl Register {
    pub fn new(test: &str) -> Self {
        let name = format!("timeout-test-{}-{}", process::id(), test.replace(' ', "-"));
        let path = env::temp_dir().join(name);
        File::create(&path).unwrap();
        Self(path)
    }

    /// One that another process has made.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn pids(&self) -> Vec<u32> {
        let text = fs::read_to_string(&self.0).unwrap();
        // A line that is being written has no end yet.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| line.trim().parse().unwrap()).collect()
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write_down(&self, pid: u32) {
        let mut file = fs::OpenOptions::new().append(true).open(&self.0).unwrap();
        file.write_all(format!("{pid}\n").as_bytes()).unwrap();
    }

    pub fn living(&self) -> Vec<u32> {
        self.pids().into_iter().filter(|pid| is_running(*pid)).collect()
    }

    #[track_caller]
    pub fn assert_all_dead(&self, members: usize) {
        let pids = self.pids();
        assert!(pids.len() >= members, "{pids:?}");
        let living = self.living();
        assert!(living.is_empty(), "{living:?}");
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A shell that runs `script`, in which `$0` is the register and `member` registers the shell.
pub fn sh(register: &Register, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("member() {{ echo $$ >> \"$0\"; }}; {script}")]);
    command.arg(register.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub const SLEEP: &str = "member; exec sleep 600";

/// How many register.
pub const FAMILY: usize = 8;

/// Children in all the ways to get away, each in the register when this returns.
pub fn found_a_family(register: &Register) {
    // A plain one; one that ignores SIGTERM; one in another group; one in another session.
    drop(sh(register, SLEEP).spawn().unwrap());
    drop(sh(register, "trap '' TERM; member; exec sleep 600").spawn().unwrap());
    drop(sh(register, SLEEP).process_group(0).spawn().unwrap());
    drop(setsid(register, SLEEP).spawn().unwrap());
    // A daemon: its parent, and that one's, are gone.
    let daemon = "(setsid sh -c 'echo $$ >> \"$0\"; trap \"\" TERM HUP; sleep 600' \"$0\" &)";
    assert!(sh(register, daemon).status().unwrap().success());
    // Four generations, of which three register here.
    let deep =
        "member; sh -c 'echo $$ >> \"$0\"; sh -c \"echo \\$\\$ >> $0; sleep 600; :\"; :' \"$0\"; :";
    drop(sh(register, deep).spawn().unwrap());
    eventually("a family", || register.pids().len() >= FAMILY);
}

pub fn setsid(register: &Register, script: &str) -> Command {
    let mut command = sh(register, script);
    // SAFETY: a system call between fork and exec.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into)) };
    command
}

/// A child of a body that has one thread, in a session of its own; it ends with its work.
pub fn fork_into_a_session(work: impl FnOnce()) {
    // SAFETY: no other thread can hold a lock, and the child does not return.
    unsafe {
        if libc::fork() == 0 {
            libc::setsid();
            work();
            libc::_exit(0);
        }
    }
}
