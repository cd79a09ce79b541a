//! Bodies that write records themselves.

use std::fmt;
use std::process::exit;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use timeout_runtime::error::StoppedBy;
use timeout_runtime::{Error, ErrorKind, Timeout};

use super::{handle, run, run_out, traceless};
#[cfg(not(timeout_portable))]
use crate::family::fork_into_a_session;
use crate::support::{LONG, address_space, isolated_for, pipes, spin, write_to_pipes};

/// A record as it crosses the pipe.
fn record(tag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[0xF7, 0x54, tag, 0][..], &length, payload].concat()
}

const DATA: u8 = 1;
const COMPLETE: u8 = 2;
const PANICKED: u8 = 3;
const ENCODE_FAILED: u8 = 4;
const READY: u8 = 5;
const CONTENDED: u8 = 6;

fn whole_frame(value: u32) -> Vec<u8> {
    [record(DATA, &value.to_le_bytes()), record(COMPLETE, &4u64.to_le_bytes())].concat()
}

#[test]
fn what_a_body_forges_before_it_returns_is_no_value() {
    traceless(|| {
        let before = pipes();
        let frame = whole_frame(7);
        // The beginning of a frame: what follows is taken for its rest.
        let mut forgeries: Vec<Vec<u8>> = (1..=frame.len()).map(|n| frame[..n].to_vec()).collect();
        forgeries.extend([
            [frame.as_slice(), b"and more"].concat(),
            [frame.as_slice(), &frame].concat(),
            record(COMPLETE, &(1u64 << 60).to_le_bytes()),
            record(COMPLETE, b""),
            record(DATA, &[7; 5]),
            record(READY, &[1]),
            record(CONTENDED, &[3]),
            record(9, b"of no kind"),
        ]);
        for forged in forgeries {
            let error = run(|| {
                write_to_pipes(&before, &forged);
                8u32
            });
            // Where the rest of the frame is taken for a part of a record, the end is missing.
            let is_told = matches!(error.kind(), ErrorKind::Decode(_) | ErrorKind::Exited(0));
            assert!(is_told, "{forged:?}: {error:?}");
        }
    });
}

#[test]
fn a_body_that_forges_the_end_of_a_call_gets_that_end() {
    traceless(|| {
        let before = pipes();
        let forged = |bytes: &[u8]| {
            Timeout::new(10 * LONG).run(|| -> u32 {
                write_to_pipes(&before, bytes);
                exit(0)
            })
        };
        // It might as well have returned it.
        assert_eq!(forged(&whole_frame(7)).unwrap(), 7);
        assert_kind!(forged(&record(PANICKED, b"?")).unwrap_err(), ErrorKind::Panicked { .. });
        assert_kind!(forged(&record(ENCODE_FAILED, b"?")).unwrap_err(), ErrorKind::Encode(_));
    });
}

#[test]
fn a_forged_length_costs_nothing() {
    traceless(|| {
        let before = pipes();
        let length = record(DATA, &(1u64 << 60).to_le_bytes());
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        // Far less than the length says, and than an allocation in good faith would take.
        let room = address_space() + (256 << 20);
        setrlimit(Resource::RLIMIT_AS, room.min(hard), hard).unwrap();
        let error = run(|| {
            write_to_pipes(&before, &length);
            "value".to_owned()
        });
        assert_kind!(error, ErrorKind::Decode(_));
        let error = run(|| -> Vec<u64> {
            write_to_pipes(&before, &length);
            exit(0)
        });
        assert_kind!(error, ErrorKind::Exited(0));
        let error = run_out(|| -> Vec<String> {
            write_to_pipes(&before, &length);
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { .. });
        setrlimit(Resource::RLIMIT_AS, soft, hard).unwrap();
    });
}

/// What takes no bytes does not run out of them.
#[test]
fn a_forged_length_of_nothing_ends_soon() {
    traceless(|| {
        let before = pipes();
        let error = run(|| -> Vec<()> {
            write_to_pipes(&before, &record(DATA, &u64::MAX.to_le_bytes()));
            spin()
        });
        assert_kind!(error, ErrorKind::Decode(_));
        let value = Timeout::new(LONG).run(|| vec![(); 1_000_000]);
        assert_eq!(value.unwrap().len(), 1_000_000);
    });
}

/// A sequence without end, of which the caller keeps nothing.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        unreachable!("the body does not return it")
    }
}

impl<'de> Deserialize<'de> for Endless {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

impl<'de> Visitor<'de> for Endless {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while sequence.next_element::<u64>()?.is_some() {}
        Ok(self)
    }
}

/// There are bytes to read at any moment, so nobody has to wait for the end, and all must look.
#[cfg(not(timeout_portable))]
#[test]
fn a_value_that_others_write_on_after_the_end_of_the_child_ends() {
    extern "C" fn leave(_: i32) {
        // SAFETY: it ends the process.
        unsafe { libc::_exit(9) };
    }
    isolated_for(LONG, || {
        let before = pipes();
        let error = run_out(|| -> Endless {
            write_to_pipes(&before, &record(DATA, &u64::MAX.to_le_bytes()));
            fork_into_a_session(|| {
                // SAFETY: no handler is installed.
                unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
                loop {
                    write_to_pipes(&before, &record(DATA, &[0; 4096]));
                }
            });
            handle(libc::SIGTERM, leave);
            spin()
        });
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
    });
}
