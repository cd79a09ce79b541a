//! What one sees when a function does not come back: three hangs, two crashes and two limits.
//!
//! ```sh
//! cargo run --example hang_report
//! ```
//!
//! Each error says in its first line how the call ended, what the body was doing and what it had used;
//! `{:#}` adds where. Exits with 0.

use std::hint::black_box;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use fancy_regex::RegexBuilder;
use timeout_runtime::{Error, timeout};

/// An engine that backtracks takes exponential time for some patterns.
#[timeout(1)]
fn match_word(pattern: &str, word: &str) -> bool {
    let regex = RegexBuilder::new(pattern).backtrack_limit(usize::MAX).build().unwrap();
    regex.is_match(word).unwrap_or_default()
}

static CACHE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The child has a copy of the lock as it was at the call.
#[timeout(1)]
fn look_up(number: usize) -> Option<String> {
    CACHE.lock().unwrap().get(number).cloned()
}

/// Nobody writes there.
#[timeout(1)]
fn read_answer() -> io::Result<String> {
    let (mut reader, _writer) = io::pipe()?;
    let mut answer = String::new();
    reader.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Reads what is not there, as a foreign library may.
#[timeout(1)]
fn checksum(address: usize) -> u8 {
    // SAFETY: none, which is the point.
    unsafe { (address as *const u8).read_volatile() }
}

fn depth(of: &[u8]) -> u64 {
    let frame = [of.len()];
    // Never shorter.
    let below = if of.is_empty() { 0 } else { depth(black_box(of)) };
    // Which is still to be done then.
    black_box(frame);
    below + 1
}

#[timeout(10)]
fn parse(text: &[u8]) -> u64 {
    depth(text)
}

#[timeout(10, memory = 64 << 20)]
fn unpack(size: usize) -> usize {
    black_box(vec![1u8; size]).len()
}

#[timeout(10, cpu = 0.5)]
fn solve(mut number: u64) -> u64 {
    while number != 1 {
        number = black_box(number) / 2;
    }
    number
}

fn show<T>(title: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => println!("== {title}\n\nit came back\n"),
        Err(error) => println!("== {title}\n\n{error:#}\n"),
    }
}

/// The lock is held by another thread while this one calls.
fn look_up_beside_a_writer() -> Result<Option<String>, Error> {
    let (locked, is_locked) = channel();
    let (done, is_done) = channel::<()>();
    let writer = thread::spawn(move || {
        let _cache = CACHE.lock().unwrap();
        locked.send(()).unwrap();
        let _ = is_done.recv();
    });
    is_locked.recv().unwrap();
    let found = look_up(7);
    drop(done);
    writer.join().unwrap();
    found
}

fn main() {
    show("A pattern that explodes", match_word("^(a|aa)+\\1c$", &"a".repeat(60)));
    show("A lock that another thread holds", look_up_beside_a_writer());
    match read_answer() {
        Ok(_) => println!("it came back\n"),
        // The `io::Error` has the whole error in it.
        Err(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
            println!(
                "== A pipe to which nobody writes ({:?})\n\n{:#}\n",
                error.kind(),
                inner.unwrap()
            );
        }
    }
    show("A pointer that leads nowhere", checksum(8));
    show("A recursion without end", parse(b"((("));
    show("More memory than it may take", unpack(1 << 30));
    show("More processor time than it may use", solve(0));
}
