//! What the command line says.

use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::Instant;

use super::board::now;

pub struct Arguments {
    pub length: Length,
    pub seed: u64,
    pub threads: usize,
    pub thief: bool,
    pub awaited: bool,
    pub pooled: bool,
    pub hangs: bool,
}

#[derive(Clone, Copy)]
pub enum Length {
    Seconds(u64),
    Calls(u64),
}

impl Length {
    /// Whether a run of so many calls, which began then, is not over.
    pub fn goes_on(self, calls: u64, started: Instant) -> bool {
        match self {
            Self::Calls(most) => calls < most,
            Self::Seconds(most) => started.elapsed().as_secs() < most,
        }
    }
}

const USAGE: &str = "usage: soak [--seconds N | --calls N] [--seed N] [--threads N] [--thief]
       soak --awaited [--seconds N | --calls N]
       soak --pooled [--seconds N | --calls N] [--seed N] [--threads N]
       soak --hangs [--calls N]

  --seconds N  go on for so long (default: 60)
  --calls N    go on for so many calls
  --seed N     the same calls in each thread as in the run that printed this number
  --threads N  threads that call (default: twice the processors)
  --thief      another thread takes the status of every child that it can get
  --awaited    calls that are awaited on one thread, and how long it was not free for others
  --pooled     calls of workers, one in a hundred without end, and one in a hundred that crashes
  --hangs      1000 calls in a row that hang, each in another way: in time, and with a trace

Exit codes: 0 when every law was kept, 1 when one was broken, 2 for wrong arguments.
Ctrl-C ends the run with the table.";

/// Ends the program for `--help`, and for what it does not know.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, ExitCode> {
    read(words).map_err(|why| match why {
        None => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some(why) => {
            eprintln!("soak: {why}\n{USAGE}");
            ExitCode::from(2)
        }
    })
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments, Option<String>> {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    let mut length = None;
    let mut arguments = Arguments {
        length: Length::Seconds(60),
        seed: now() % 1_000_000_007,
        threads: 2 * processors,
        thief: false,
        awaited: false,
        pooled: false,
        hangs: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Err(None),
            "--seconds" if length.is_none() => {
                length = Some(Length::Seconds(number(&word, words.next(), 1, 1 << 32)?));
            }
            "--calls" if length.is_none() => {
                length = Some(Length::Calls(number(&word, words.next(), 1, 1 << 40)?));
            }
            "--seconds" | "--calls" => {
                return Err(Some("give one of --seconds and --calls, and once".to_owned()));
            }
            "--seed" => arguments.seed = number(&word, words.next(), 0, u64::MAX)?,
            "--threads" => arguments.threads = number(&word, words.next(), 1, 250)?,
            "--thief" => arguments.thief = true,
            "--awaited" => arguments.awaited = true,
            "--pooled" => arguments.pooled = true,
            "--hangs" => arguments.hangs = true,
            _ => return Err(Some(format!("unknown argument `{word}`"))),
        }
    }
    if arguments.hangs {
        arguments.length = Length::Calls(1000);
    }
    arguments.length = length.unwrap_or(arguments.length);
    Ok(arguments)
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    option: &str,
    word: Option<String>,
    least: T,
    most: T,
) -> Result<T, Option<String>> {
    let Some(word) = word else { return Err(Some(format!("{option} needs a number"))) };
    match word.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(Some(format!("{option} needs a number from {least} to {most}, not `{word}`"))),
    }
}
