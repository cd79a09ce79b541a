//! What the probes have run. A body is found by its name, which every library can carry.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::time::Duration;
use std::{hint, thread};

pub const LEAK: u64 = 64 << 20;

pub fn run(body: &str, folder: &Path) -> u64 {
    match body {
        "value" => 42,
        "hang" => the_innermost_loop(),
        "write" => write_on(folder),
        "start" => start_another(folder),
        "panic" => panic!("the cat is on the keyboard"),
        "abort" => process::abort(),
        "leak" => leak(),
        _ => unreachable!("no such body"),
    }
}

#[inline(never)]
fn the_innermost_loop() -> u64 {
    let mut turns = 0_u64;
    loop {
        turns = hint::black_box(turns.wrapping_add(1));
    }
}

fn write_on(folder: &Path) -> u64 {
    let path = folder.join("written");
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    loop {
        file.write_all(b".").expect("there is room");
        thread::sleep(Duration::from_millis(10));
    }
}

fn start_another(folder: &Path) -> u64 {
    let mut command = Command::new("sleep");
    command.arg("60").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    fs::write(folder.join("child"), child.id().to_string()).expect("there is room");
    let _ = child.wait();
    0
}

fn leak() -> u64 {
    let bytes = vec![1_u8; usize::try_from(LEAK).unwrap_or(0)];
    hint::black_box(bytes.leak());
    42
}
