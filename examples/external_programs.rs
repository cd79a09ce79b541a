//! A body that runs other programs, in the background and in the foreground. At the deadline all
//! of them end with it, which this example then checks by itself.
//!
//! ```sh
//! cargo run --example external_programs
//! ```

use std::io::{Read, Write, pipe};
use std::process::{Command, ExitCode};
use std::{fs, io};

use timeout_runtime::timeout;

/// Each script tells its own number and those of what it starts in the background.
const SCRIPTS: [&str; 2] =
    ["echo $$; sleep 600 & echo $!; wait", "echo $$; sleep 600 & echo $!; sleep 600"];

#[timeout(1)]
fn run_programs(numbers: io::PipeWriter) {
    let mut background = Command::new("sh");
    background.args(["-c", SCRIPTS[0]]).stdout(numbers.try_clone().expect("a descriptor"));
    let mut background = background.spawn().expect("sh");
    let foreground = Command::new("sh").args(["-c", SCRIPTS[1]]).stdout(numbers).status();
    println!("the foreground program ended: {foreground:?}");
    println!("the background program ended: {:?}", background.wait());
}

fn main() -> ExitCode {
    let (mut reader, writer) = pipe().expect("a pipe");
    match run_programs(writer) {
        Err(error) => println!("{error}"),
        Ok(()) => println!("the programs ended by themselves, which they do not within 600 s"),
    }
    let mut numbers = String::new();
    reader.read_to_string(&mut numbers).expect("the numbers of the programs");
    let programs: Vec<&str> = numbers.lines().collect();
    let running: Vec<&str> = programs.iter().copied().filter(|number| runs(number)).collect();
    if programs.len() == 4 && running.is_empty() {
        println!("none of the 4 programs runs any more: {}", programs.join(", "));
        ExitCode::SUCCESS
    } else {
        let _ = writeln!(io::stderr(), "of {programs:?} these still run: {running:?}");
        ExitCode::FAILURE
    }
}

/// Whether there is a process of this number that is more than an unreaped status.
fn runs(number: &str) -> bool {
    fs::read_to_string(format!("/proc/{number}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}
