//! Makes calls whose children are this program started afresh; the tests look at what it printed.
//!
//! `remove` and `replace` say what is done to its file before the second round of calls; `drop`, `dropped`
//! and `effective`, which rights it gives up.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{self, ExitCode};

use nix::unistd::{Gid, Uid, geteuid, seteuid, setgroups, setresgid, setresuid};
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

#[timeout(60, start = "pool")]
fn pooled_as() -> (u32, u32, PathBuf) {
    (process::id(), geteuid().as_raw(), env::current_dir().unwrap())
}

const OTHER: u32 = 65_534;

fn become_another() {
    let (group, user) = (Gid::from_raw(OTHER), Uid::from_raw(OTHER));
    setgroups(&[]).unwrap();
    setresgid(group, group, group).unwrap();
    setresuid(user, user, user).unwrap();
}

/// The rights that its file would give back are not given to its children.
fn call_without_rights() -> Result<(), Error> {
    become_another();
    let power = |method| Timeout::new(60).start_method(method).call(u32::pow, (2, 10));
    println!("[{}]", power(StartMethod::Spawn).unwrap_err());
    power(StartMethod::Pool).map(drop)
}

/// Becomes another user for good: what serves its calls from then on is that user's too.
fn drop_rights() -> Result<(), Error> {
    let (first, user, _) = pooled_as()?;
    assert_eq!(user, 0);
    become_another();
    let (second, user, _) = pooled_as()?;
    assert!(first != second && user == OTHER, "{first} {second} {user}");
    // And the one that it may not signal has ended.
    assert!(!fs::exists(format!("/proc/{first}")).unwrap());
    // Nobody may look into it any more, which is how another process finds its folder.
    env::set_current_dir("/tmp").unwrap();
    assert_eq!(pooled_as()?, (second, OTHER, "/tmp".into()));
    Timeout::new(60).start_method(StartMethod::Spawn).call(u32::pow, (2, 10)).map(drop)
}

/// Becomes another user for a while: then a program takes itself for a set-uid one.
fn change_effective_user() -> Result<(), Error> {
    seteuid(Uid::from_raw(OTHER)).unwrap();
    pooled_as().map(drop)
}

pub fn main() -> ExitCode {
    println!("[main]");
    let done = match env::args().nth(1).as_deref() {
        Some("drop") => drop_rights(),
        Some("dropped") => call_without_rights(),
        Some("effective") => change_effective_user(),
        _ => return rounds(),
    };
    match done {
        Ok(()) => println!("[done]"),
        Err(error) => {
            println!("[{error}]");
            return ExitCode::from(error.exit_code());
        }
    }
    ExitCode::SUCCESS
}

fn rounds() -> ExitCode {
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
