//! The nursery itself: takes requests, and makes children.
//!
//! # Safety
//!
//! Its two descriptors were inherited for it alone, and are taken once. The standard streams are closed
//! while it has one thread, and nobody prints.
#![expect(unsafe_code, reason = "see the heading")]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{close, getpgrp, getpid, getppid};

use super::Word;
use super::crossing::{Numbers, Request, STANDARD, answer, receive};
use crate::sys::sibling::{Parent, Side};
use crate::sys::{exit, pipe};

/// What it works with.
pub(crate) struct Inside {
    socket: OwnedFd,
    born: Word,
    parent: Option<Parent>,
}

/// What a child was given, by numbers.
pub(crate) struct Given {
    pub(crate) requests: i32,
    pub(crate) results: i32,
    pub(crate) there: [i32; 2],
    pub(crate) hatch: i32,
    pub(crate) slate: Option<i32>,
}

impl Given {
    /// In a child: waits until the caller has hold of it, which it shows by making this process a group
    /// leader, or has no use for it. Before that its number must not become another's.
    pub(crate) fn await_caller(&self, caller: u32) {
        let is_held = || getpgrp() == getpid();
        let is_withdrawn = || {
            // SAFETY: it is open, for nobody else has been told of it.
            let requests = unsafe { BorrowedFd::borrow_raw(self.requests) };
            poll(&mut [PollFd::new(requests, PollFlags::POLLIN)], PollTimeout::ZERO) != Ok(0)
        };
        let mut looks = 0u32;
        while !is_held() {
            if is_withdrawn() || getppid().as_raw().unsigned_abs() != caller {
                exit::now(1);
            }
            looks += 1;
            if looks < 64 {
                thread::yield_now();
            } else {
                thread::sleep(Duration::from_micros(50));
            }
        }
    }
}

/// Out of the way of what children are given, which then have the numbers that they would have if they
/// were started.
const ASIDE: i32 = 10;

impl Inside {
    pub(crate) fn new(socket: i32, memory: i32) -> io::Result<Self> {
        let (socket, memory) = (pipe::inherited(socket)?, pipe::inherited(memory)?);
        let born = Word::of(memory.as_fd())?;
        let aside = fcntl(&socket, FcntlArg::F_DUPFD_CLOEXEC(ASIDE));
        // SAFETY: the kernel just gave it to us.
        let socket = aside.map_or(socket, |number| unsafe { OwnedFd::from_raw_fd(number) });
        // Theirs are those of each caller, and nobody is to wait for the end of a pipe because of this.
        for number in 0..STANDARD {
            let _ = close(i32::try_from(number).unwrap_or_default());
        }
        Ok(Self { socket, born, parent: Parent::new() })
    }

    /// Comes back in each child; here, when the caller wants no more of them.
    pub(crate) fn serve(self) -> Option<Given> {
        let mut numbers = Numbers::none();
        loop {
            let number = match receive(self.socket.as_fd(), &mut numbers) {
                Ok(None) => return None,
                Ok(Some(request)) => match self.birth(request, numbers.as_slice()) {
                    Ok(Birth::Child(given)) => return Some(given),
                    Ok(Birth::Parent(number)) => number,
                    Err(why) => -(why as i32),
                },
                Err(why) => -(why as i32),
            };
            answer(self.socket.as_fd(), number);
            close_all(numbers.as_slice().iter());
        }
    }

    fn birth(&self, request: Request, numbers: &[i32]) -> nix::Result<Birth> {
        let Some(parent) = &self.parent else { return Ok(Birth::Parent(0)) };
        let given = given(request, numbers).ok_or(Errno::EBADF)?;
        match parent.sibling(self.born.at())? {
            Side::Parent(child) => Ok(Birth::Parent(child.as_raw())),
            Side::Sibling => {
                let absent = numbers.iter().zip(request.standard).filter(|(_, is_open)| !is_open);
                close_all(absent.map(|(number, _)| number));
                Ok(Birth::Child(given))
            }
        }
    }
}

fn close_all<'a>(numbers: impl Iterator<Item = &'a i32>) {
    for number in numbers {
        let _ = close(*number);
    }
}

enum Birth {
    Child(Given),
    Parent(i32),
}

/// The standard streams must have come to their places.
fn given(request: Request, numbers: &[i32]) -> Option<Given> {
    let (standard, rest) = numbers.split_at_checked(STANDARD)?;
    let is_in_place = standard == [0, 1, 2];
    let (requests, results, hatch, slate) = match *rest {
        [requests, results, hatch] => (requests, results, hatch, None),
        [requests, results, hatch, slate] => (requests, results, hatch, Some(slate)),
        _ => return None,
    };
    is_in_place.then_some(Given { requests, results, there: request.there, hatch, slate })
}
