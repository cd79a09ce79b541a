//! Prints the lines of a file that match a pattern, as `grep` does, with an engine that can take
//! exponential time: a line that makes it explode is reported, the others are still matched.
//!
//! ```sh
//! cargo run --release --example match_regex -- '^(a|aa)+\1c$' examples/lines.txt
//! ```
//!
//! Exits with 0 when every line was decided, with 1 when some were not, with 2 on bad arguments.

use std::process::ExitCode;
use std::{env, fs};

use fancy_regex::{Regex, RegexBuilder};
use timeout_runtime::{Error, timeout};

/// The engine's own limit is lifted: the deadline is the only one.
#[timeout(0.5)]
fn is_match(regex: &Regex, line: &str) -> bool {
    regex.is_match(line).expect("a match without a limit on backtracking cannot fail")
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [pattern, path] = arguments.as_slice() else {
        return usage("usage: match_regex PATTERN FILE");
    };
    let regex = match RegexBuilder::new(pattern).backtrack_limit(usize::MAX).build() {
        Ok(regex) => regex,
        Err(error) => return usage(&format!("{pattern}: {error}")),
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return usage(&format!("{path}: {error}")),
    };
    let mut undecided = 0;
    for (index, line) in text.lines().enumerate() {
        match is_match(&regex, line) {
            Ok(true) => println!("{line}"),
            Ok(false) => {}
            Err(error) => {
                undecided += 1;
                report(path, index + 1, &error);
            }
        }
    }
    if undecided == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(path: &str, number: usize, error: &Error) {
    eprintln!("{path}:{number}: {error}");
}

fn usage(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}
