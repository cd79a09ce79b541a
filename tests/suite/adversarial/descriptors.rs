//! Bodies that close or replace descriptors, or write into those that are not theirs.

use std::fs::File;
use std::io::{Write, pipe};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::exit;

use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy};

use super::{ran_out, run, run_out, start, traceless};
use crate::support::{LONG, pipes, rerun, spin, text, write_to_pipes};

/// More numbers than there are descriptors open.
const DESCRIPTORS: i32 = 256;

#[derive(Clone, Copy, Debug)]
enum Replacement {
    Null,
    FullPipe,
    Socket,
}

/// Puts one thing in the place of every descriptor.
fn replace_all(replacement: Replacement) {
    let (file, _kept) = match replacement {
        Replacement::Null => {
            (OwnedFd::from(File::options().write(true).open("/dev/null").unwrap()), None)
        }
        Replacement::FullPipe => {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all(&[0; 64 << 10]).unwrap();
            (OwnedFd::from(writer), Some(OwnedFd::from(reader)))
        }
        Replacement::Socket => {
            let (one, other) = UnixStream::pair().unwrap();
            (OwnedFd::from(one), Some(OwnedFd::from(other)))
        }
    };
    let file = file.into_raw_fd();
    let kept = _kept.map(IntoRawFd::into_raw_fd);
    for descriptor in 0..DESCRIPTORS {
        if Some(descriptor) != kept {
            // SAFETY: in a child of this test, where nobody uses what is closed by it.
            unsafe { libc::dup2(file, descriptor) };
        }
    }
}

#[test]
fn a_body_that_replaces_every_descriptor_is_told() {
    traceless(|| {
        let all = [Replacement::Null, Replacement::FullPipe, Replacement::Socket];
        let calls = all.map(|replacement| {
            start(move || -> u8 {
                replace_all(replacement);
                spin()
            })
        });
        for replacement in all {
            for size in [1, 1 << 20] {
                let error = run(|| {
                    replace_all(replacement);
                    "x".repeat(size)
                });
                let ErrorKind::Encode(cause) = error.kind() else { panic!("{error:?}") };
                assert!(cause.reason().contains("closed or replaced the descriptor"), "{cause}");
            }
            let error = run(|| -> u8 {
                replace_all(replacement);
                panic!("without descriptors")
            });
            assert_kind!(error, ErrorKind::Panicked { message, .. } if message == "without descriptors");
            let error = run(|| -> u8 {
                replace_all(replacement);
                exit(3)
            });
            assert_kind!(error, ErrorKind::Exited(3));
        }
        for call in calls {
            let error = ran_out(call);
            assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
        }
    });
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn a_body_that_closes_the_standard_streams_too_is_told() {
    fn close_all() {
        for descriptor in 0..DESCRIPTORS {
            let _ = nix::unistd::close(descriptor);
        }
    }
    traceless(|| {
        let error = run(|| {
            close_all();
            println!("to nobody");
            7
        });
        assert_kind!(error, ErrorKind::Encode(_));
        let error = run(|| -> u8 {
            close_all();
            eprintln!("to nobody");
            panic!("without descriptors")
        });
        assert_kind!(error, ErrorKind::Panicked { message, .. } if message == "without descriptors");
        let error = run_out(|| -> u8 {
            close_all();
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
    });
}

/// Every descriptor, the streams that the harness watches included: in a process of its own.
#[test]
fn garbage_in_every_descriptor_is_a_decode_error() {
    const INNER: &str = "TIMEOUT_TEST_GARBAGE";
    if std::env::var_os(INNER).is_none() {
        let name = "adversarial::descriptors::garbage_in_every_descriptor_is_a_decode_error";
        let output = rerun(name, INNER, "1", &["--nocapture"]);
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        return;
    }
    let write_to_all = |bytes: &[u8]| {
        for descriptor in 0..DESCRIPTORS {
            // SAFETY: the bytes live through the call.
            unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
        }
    };
    for garbage in [&b"garbage"[..], b"\xF7", &[0xFF; 4096]] {
        let error = run(|| {
            write_to_all(garbage);
            7u32
        });
        assert_kind!(error, ErrorKind::Decode(_));
        // What is no frame is the end of it: the limit is not waited for.
        if garbage.len() > 8 {
            let error = run(|| -> u32 {
                write_to_all(garbage);
                spin()
            });
            assert_kind!(error, ErrorKind::Decode(_));
        }
    }
}

#[test]
fn garbage_without_end_is_a_decode_error_at_once() {
    traceless(|| {
        let before = pipes();
        let error = run(|| -> u32 {
            loop {
                write_to_pipes(&before, &[0; 4096]);
            }
        });
        assert_kind!(error, ErrorKind::Decode(_));
    });
}

/// A descriptor that does not wait for room is no reason to lose a value.
#[test]
fn a_result_pipe_that_was_made_nonblocking_carries_the_whole_value() {
    traceless(|| {
        let before = pipes();
        let value = Timeout::new(LONG).run(|| {
            for descriptor in pipes().into_iter().filter(|pipe| !before.contains(pipe)) {
                // SAFETY: numbers.
                unsafe { libc::fcntl(descriptor, libc::F_SETFL, libc::O_NONBLOCK) };
            }
            "x".repeat(8 << 20)
        });
        assert_eq!(value.unwrap().len(), 8 << 20);
    });
}
