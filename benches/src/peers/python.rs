//! Python, where there is one: each interpreter stays, and measures a call whenever it is asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = include_str!("python.py");

/// And how many calls a turn has.
pub const CALLS: [(&str, usize); 3] =
    [("Python multiprocessing", 1), ("Python pebble", 1), ("Python pebble pool", 20)];

pub struct Python {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    pub fn start(name: &str) -> Result<Self, String> {
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("no python3: {error}"))?;
        let asks = child.stdin.take().ok_or("no pipe")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let mut python = Self { child, asks, answers };
        match python.line() {
            Some(line) if line == "ready" => Ok(python),
            _ => Err("this python3 has no such module".to_owned()),
        }
    }

    pub fn call(&mut self) -> Duration {
        self.asks.write_all(b"\n").expect("it listens");
        let seconds = self.line().and_then(|line| line.parse().ok());
        Duration::from_secs_f64(seconds.expect("it answers with seconds"))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
