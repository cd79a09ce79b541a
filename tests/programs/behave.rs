//! Does what its first argument says; the tests look at what it printed and how it ended.

use std::env;
use std::io::Write;
use std::process::{ExitCode, exit};

use timeout_runtime::{Timeout, timeout};

#[timeout(60)]
fn behave(how: &str) -> u8 {
    match how {
        "panic" => panic!("as told"),
        "print" => {
            print!("[child, unflushed]");
            // SAFETY: the format has no conversions.
            unsafe { libc::printf(c"[child C, unflushed]".as_ptr()) };
            1
        }
        "exit" => {
            print!("[child, unflushed]");
            exit(7)
        }
        how => panic!("what is {how}?"),
    }
}

extern "C" fn at_exit() {
    let said = b"[at exit]";
    // SAFETY: the bytes are static; the standard library's buffers may be gone by now.
    unsafe { libc::write(1, said.as_ptr().cast(), said.len()) };
}

unsafe extern "C" {
    static stdout: *mut libc::FILE;
    fn flockfile(stream: *mut libc::FILE);
}

/// Another thread keeps the C library's stdout locked for ever, with something in its buffer.
fn print_and_hold(c_output: impl FnOnce() + Send + 'static) {
    let (held, is_held) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // SAFETY: the stream lives as long as the program.
        unsafe { flockfile(stdout) };
        c_output();
        held.send(()).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(600));
    });
    is_held.recv().unwrap();
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    // SAFETY: the handler calls `write` alone.
    unsafe { libc::atexit(at_exit) };
    if arguments.iter().any(|argument| argument == "--threads") {
        std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(600)));
    }
    print!("[caller, unflushed]");
    let c_output = || {
        // SAFETY: the format has no conversions.
        unsafe { libc::printf(c"[caller C, unflushed]".as_ptr()) };
    };
    if arguments.iter().any(|argument| argument == "--c-held") {
        print_and_hold(c_output);
    } else {
        c_output();
    }
    // A closure has its own way to the fork.
    let warm = Timeout::new(60).run(|| 1);
    let result = behave(&arguments[0]);
    print!("[caller, after]");
    let _ = std::io::stdout().flush();
    match (warm, result) {
        (Ok(_), Ok(_)) => ExitCode::SUCCESS,
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("{error}");
            error.into()
        }
    }
}
