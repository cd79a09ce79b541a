//! Bodies that close, replace, or write to descriptors that are not theirs.

use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::process;

use serde::{Deserialize, Serialize};
use timeout_runtime::{Error, ErrorKind, StartMethod, Timeout};

use super::METHODS;
use crate::support::{LONG, descriptors, isolated, prompt, spin};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum What {
    Close,
    CloseAndPanic,
    CloseAndExit,
    Replace,
    Garbage(u8),
    Endless,
}

/// Of every descriptor above the standard streams but these.
fn others(not: &[i32]) -> Vec<i32> {
    descriptors()
        .iter()
        .filter_map(|link| link.split(' ').next()?.rsplit('/').next()?.parse().ok())
        .filter(|number| *number > 2 && !not.contains(number))
        .collect()
}

fn meddle(what: What, not: Vec<i32>) -> Vec<u32> {
    let null = File::options().write(true).open("/dev/null").unwrap();
    let all = others(&[&not[..], &[null.as_raw_fd()]].concat());
    let write = |bytes: &[u8]| {
        for descriptor in &all {
            // SAFETY: the file is not dropped, so the descriptor stays open.
            let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(*descriptor) });
            let _ = file.write_all(bytes);
        }
    };
    match what {
        What::Close | What::CloseAndPanic | What::CloseAndExit => {
            all.iter().for_each(|descriptor| nix::unistd::close(*descriptor).unwrap_or_default());
            std::thread::sleep(std::time::Duration::from_millis(50));
            match what {
                What::CloseAndPanic => panic!("without descriptors"),
                What::CloseAndExit => process::exit(3),
                _ => vec![7],
            }
        }
        What::Replace => {
            for descriptor in all {
                // SAFETY: what is closed by this is the library's, which is to notice.
                unsafe { libc::dup2(null.as_raw_fd(), descriptor) };
            }
            vec![7; 1 << 18]
        }
        What::Garbage(byte) => {
            write(&[byte; 300]);
            vec![8]
        }
        What::Endless => loop {
            write(&[0xF7, 0x54, 1, 0, 255, 255, 0, 0]);
            write(&[1; 4096]);
        },
    }
}

fn meddled(method: StartMethod, what: What) -> Error {
    let not = if method == StartMethod::Fork { others(&[]) } else { Vec::new() };
    prompt(|timeout| timeout.start_method(method).call(meddle, (what, not)))
}

fn sound(method: StartMethod) {
    assert_eq!(Timeout::new(LONG).start_method(method).call(|| 5, ()).unwrap(), 5, "{method:?}");
}

#[test]
fn closed_and_replaced_descriptors_are_told() {
    isolated(|| {
        for method in METHODS {
            for what in [What::Close, What::Replace] {
                let error = meddled(method, what);
                let ErrorKind::Encode(cause) = error.kind() else {
                    panic!("{method:?} {what:?} {error:?}")
                };
                assert!(cause.reason().contains("closed or replaced the descriptor"), "{cause}");
                sound(method);
            }
            let error = meddled(method, What::CloseAndPanic);
            let ErrorKind::Panicked { message, .. } = error.kind() else { panic!("{error:?}") };
            assert_eq!(message, "without descriptors");
            let error = meddled(method, What::CloseAndExit);
            assert!(matches!(error.kind(), ErrorKind::Exited(3)), "{method:?} {error:?}");
            sound(method);
        }
    });
}

#[test]
fn garbage_in_the_pipe_is_a_decode_error() {
    isolated(|| {
        for method in METHODS {
            for byte in [0, 1, 0xF7, 255] {
                let error = meddled(method, What::Garbage(byte));
                assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{method:?} {error:?}");
                sound(method);
            }
        }
    });
}

#[test]
fn data_without_end_ends() {
    isolated(|| {
        for method in METHODS {
            let not = if method == StartMethod::Fork { others(&[]) } else { Vec::new() };
            let timeout = Timeout::new(1).start_method(method);
            let error = timeout.call(meddle, (What::Endless, not)).unwrap_err();
            let is_told = error.is_timeout() || matches!(error.kind(), ErrorKind::Decode(_));
            assert!(is_told && error.elapsed() < LONG, "{method:?} {error:?}");
            sound(method);
        }
    });
}

/// Replaces what a worker reads long requests from, and leaves the pipe of results.
fn replaces_what_is_read() {
    let null = File::open("/dev/null").unwrap();
    for number in others(&[null.as_raw_fd()]) {
        // SAFETY: its flags are read, and what is closed is the library's, which is to notice.
        unsafe {
            if libc::fcntl(number, libc::F_GETFL) & libc::O_ACCMODE == libc::O_RDONLY {
                libc::dup2(null.as_raw_fd(), number);
            }
        }
    }
}

#[test]
fn a_worker_that_has_lost_the_pipe_of_long_requests_has_them_all_the_same() {
    fn counted(text: String) -> (usize, u32) {
        (text.len(), process::id())
    }
    isolated(|| {
        let timeout = Timeout::new(LONG).start_method(StartMethod::Pool);
        let mut workers = Vec::new();
        for length in [10, 1 << 20, 1 << 20, 10] {
            timeout.call(replaces_what_is_read, ()).unwrap();
            let (counted, worker) = timeout.call(counted, ("x".repeat(length),)).unwrap();
            assert_eq!(counted, length);
            workers.push(worker);
        }
        workers.dedup();
        assert_eq!(workers.len(), 1, "{workers:?}");
    });
}

#[test]
fn a_body_that_waits_for_ever_for_the_next_request_ends() {
    fn reads() -> u8 {
        for number in others(&[]) {
            // SAFETY: as in `meddle`.
            let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
            let _ = std::io::Read::read(&mut *file, &mut [0; 9]);
        }
        spin()
    }
    for method in super::AFRESH {
        let error = Timeout::new(0.3).start_method(method).call(reads, ()).unwrap_err();
        assert!(error.is_timeout(), "{method:?} {error:?}");
    }
}

/// The process that the body forked, if any, and bytes. Whoever writes it waits for that first.
#[derive(Deserialize)]
struct Twice(i32, Vec<u8>);

impl Serialize for Twice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut status = 0;
        if self.0 > 0 {
            // SAFETY: a child of this process, and the status lives through the call.
            unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        }
        (status, &self.1).serialize(serializer)
    }
}

/// What the body forked comes to the same end as the body; its value is nobody's, and it ends by itself.
#[test]
fn a_body_that_forks_and_returns_twice_gives_one_value_of_any_length() {
    fn forks(length: usize) -> Twice {
        // SAFETY: both sides go on with a copy of their own.
        Twice(unsafe { libc::fork() }, vec![7; length])
    }
    isolated(|| {
        for method in METHODS {
            for length in [10, 1 << 20] {
                let timeout = Timeout::new(LONG).start_method(method);
                let Twice(status, bytes) = timeout.call(forks, (length,)).unwrap();
                assert_eq!((status, bytes), (0, vec![7; length]), "{method:?}");
            }
        }
    });
}
