//! A soak: calls of every end from several threads at once, beside threads that disturb the process
//! as much as threads can, and after each call a look at whether what is promised was kept.
//!
//! ```sh
//! cargo run --release --example soak -- --seconds 60
//! cargo run --release --example soak -- --calls 100000 --threads 8
//! ```
//!
//! | option | |
//! |---|---|
//! | `--seconds N` | go on for so long; 60 unless said here or by `--calls` |
//! | `--calls N` | go on for so many calls |
//! | `--seed N` | the same calls in each thread as in the run that printed this number |
//! | `--threads N` | threads that call; twice the processors unless said here |
//! | `--thief` | one more thread takes the status of every child that it can get, by `waitpid(-1)` |
//! | `--awaited` | instead: calls that are awaited on one thread, 64 in flight, with what that cost the thread |
//! | `--pooled` | instead: calls of workers, one in a hundred of which does not end, and one crashes |
//! | `--hangs` | instead: 1,000 calls in a row that hang, each in another way and by another start method; each must return within 150 ms of its limit and grace, and 99 % of those that can have a trace have one, which names the function |
//!
//! First every end once, then a random choice. The laws:
//!
//! - The outcome is the one that this body must have: the kind, the value, the exit code.
//! - The call returned by its limit, its grace if that was used, and 5 s; a timeout not before.
//! - When it had returned, its child was gone, and nothing ran that the child had started, but
//!   for what had left the process group of one that crashed.
//! - At the end the process has the descriptors, children and threads that it had after the first
//!   calls, and its memory is within 1 MiB of what it was (judged after 2,000 calls of warming up).
//!
//! Some bodies take a lock that a thread of the caller may have held at the fork (the environment's,
//! that of `std::process::exit`), which the documentation of the crate leaves to the body: these may
//! wait until their limit, and the table says how many did.
//!
//! The allocator's caches of each thread count as memory in use, and fill by some 0.5 MiB in the
//! course of 100,000 calls; `GLIBC_TUNABLES=glibc.malloc.tcache_count=0` runs without them.
//!
//! Progress goes to stderr and the table to stdout; what the threads print goes to `/dev/null`.
//! Ctrl-C ends the run with the table. Exit codes: 0 when every law was kept, 1 when one was broken,
//! 2 for arguments that it does not know. Linux with glibc only: it reads `/proc` and asks the
//! allocator.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod run;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn main() -> std::process::ExitCode {
    run::main()
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    eprintln!("soak: Linux with glibc only");
}
