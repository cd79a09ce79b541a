//! Makes calls whose children are this program started afresh; the tests look at what it printed.
//!
//! `remove` and `replace` say what is done to its file before the second round of calls.

use std::env;
use std::fs;
use std::process::{self, ExitCode};

use timeout_runtime::{Error, StartMethod, Timeout, pool, timeout};

#[timeout(60, start = "spawn")]
fn spawned(text: &str, limit: u32) -> Vec<String> {
    vec![text.to_owned(); limit as usize]
}

#[timeout(60, start = "pool")]
fn pooled(text: &str, seen: &mut Vec<u32>) -> usize {
    seen.push(process::id());
    text.len()
}

fn hangs() -> u8 {
    loop {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn calls() -> Result<(), Error> {
    assert_eq!(spawned("text", 2)?, ["text", "text"]);
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(pooled("text", &mut seen)?, 4);
    }
    assert!(seen.len() == 2 && seen[0] == seen[1] && seen[0] != process::id(), "{seen:?}");
    for method in [StartMethod::Spawn, StartMethod::Pool] {
        let timeout = Timeout::new(0.5).start_method(method);
        assert_eq!(timeout.call(u32::pow, (2, 10))?, 1024);
        let error = timeout.call(hangs, ()).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        if let Some(trace) = error.trace() {
            println!("[{} frames]", trace.frames().len());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    println!("[main]");
    let own = env::current_exe().unwrap();
    for round in 0..2 {
        if let Err(error) = calls() {
            println!("[{error}]");
            return ExitCode::from(error.exit_code());
        }
        pool::shut_down();
        match env::args().nth(1).as_deref() {
            _ if round > 0 => {}
            Some("remove") => fs::remove_file(&own).unwrap(),
            Some("replace") => {
                fs::rename(&own, own.with_extension("old")).unwrap();
                fs::write(&own, "no program").unwrap();
            }
            _ => {}
        }
    }
    println!("[done]");
    ExitCode::SUCCESS
}
