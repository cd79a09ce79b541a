//! A function that may sleep for ever, under a limit of two seconds.
//!
//! ```sh
//! cargo run --example might_get_stuck -- hello 0
//! cargo run --example might_get_stuck -- hello
//! ```

use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

use timeout_runtime::timeout;

#[timeout(2)]
fn might_get_stuck(argument: String, sleep: Duration) -> String {
    thread::sleep(sleep);
    argument
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (argument, seconds) = match arguments.as_slice() {
        [argument] => (argument, Ok(600)),
        [argument, seconds] => (argument, seconds.parse()),
        _ => return usage(),
    };
    let Ok(seconds) = seconds else { return usage() };
    match might_get_stuck(argument.clone(), Duration::from_secs(seconds)) {
        Ok(returned) => {
            println!("{returned}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            error.into()
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: might_get_stuck ARG [SECONDS]");
    ExitCode::from(2)
}
