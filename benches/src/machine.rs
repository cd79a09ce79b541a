//! The machine that it ran on, as far as it matters to the figures.

use std::process::Command;
use std::{fs, thread};

use serde::Serialize;

#[derive(Serialize)]
pub struct Machine {
    pub processors: usize,
    pub model: String,
    pub kernel: String,
    pub memory: u64,
    pub huge_pages: String,
    pub compiler: String,
    pub build: &'static str,
    pub load_at_start: String,
    pub load_at_end: String,
}

impl Machine {
    pub fn new() -> Self {
        Self {
            processors: thread::available_parallelism().map_or(1, usize::from),
            model: processor_model(),
            kernel: kernel(),
            memory: meminfo("MemTotal:"),
            huge_pages: huge_pages(),
            compiler: compiler(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            load_at_start: load(),
            load_at_end: String::new(),
        }
    }
}

/// Over 1, 5 and 15 minutes.
pub fn load() -> String {
    one_line("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

pub fn available_memory() -> u64 {
    meminfo("MemAvailable:")
}

fn one_line(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

/// In bytes.
fn meminfo(key: &str) -> u64 {
    kibibytes("/proc/meminfo", key).unwrap_or(0)
}

/// Of this process: `VmRSS:`, `VmHWM:`. In bytes.
pub fn own_memory(key: &str) -> u64 {
    kibibytes("/proc/self/status", key).unwrap_or(0)
}

fn kibibytes(path: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Its version, without what its builder has added.
fn kernel() -> String {
    let release = one_line("/proc/sys/kernel/osrelease");
    release.split('-').next().unwrap_or_default().to_owned()
}

fn processor_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, model)| model).to_owned()
}

/// `always`, `madvise` or `never`: the one in brackets.
fn huge_pages() -> String {
    let line = one_line("/sys/kernel/mm/transparent_hugepage/enabled");
    let chosen = line.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    chosen.map_or("unknown", |(word, _)| word).to_owned()
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
