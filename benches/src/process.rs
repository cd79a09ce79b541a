//! Each part, and each probe, runs in a process of its own: no part meets what another has left.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

const NAME: &str = "TIMEOUT_BENCHES_ERRAND";
const ANSWER: &str = "TIMEOUT_BENCHES_ANSWER";

/// What this process was started for, where it is not the user's.
pub struct Errand {
    pub name: String,
    answer: PathBuf,
}

pub fn errand() -> Option<Errand> {
    let name = env::var(NAME).ok()?;
    Some(Errand { name, answer: env::var_os(ANSWER)?.into() })
}

impl Errand {
    /// By a file: what a body has left running may hold a pipe open.
    pub fn answer(&self, text: &str) -> io::Result<()> {
        fs::write(&self.answer, text)
    }
}

/// Runs this program again, for `name`, and gives its answer.
pub fn send(name: &str, limit: Duration, quiet: bool) -> Result<String, String> {
    let folder = Folder::new().map_err(|error| error.to_string())?;
    let answer = folder.0.join("answer");
    let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
    command.env(NAME, name).env(ANSWER, &answer).env("TMPDIR", &folder.0).stdin(Stdio::null());
    // A backtrace loads all debug information, which every fork after it has to copy.
    command.env_remove("RUST_BACKTRACE");
    if quiet {
        // A probe is expected to hang, crash and complain, and its whole group is ended afterwards.
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    }
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let ended = wait(&mut child, limit);
    if quiet {
        end_group(&child);
    }
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    match (fs::read_to_string(&answer), ended) {
        (Ok(text), Some(_)) => Ok(text),
        (_, None) => Err("never returns".to_owned()),
        (Err(_), Some(status)) => match status.signal() {
            Some(signal) => Err(format!("the program is ended by signal {signal}")),
            None => Err("the program is ended".to_owned()),
        },
    }
}

fn wait(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

fn end_group(child: &Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        // SAFETY: no memory is passed. The number was this child's, and the group keeps it from
        // being given to another as long as the group has members.
        unsafe { libc::killpg(group, libc::SIGKILL) };
    }
}

/// A temporary folder, gone with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("timeout-benches-{}-{count}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// This program, which returns as soon as it has come to its `main`.
pub fn nothing() -> Command {
    let mut command = Command::new(env::current_exe().expect("this program has a file"));
    command.env(NAME, "nothing").env(ANSWER, "");
    command
}
