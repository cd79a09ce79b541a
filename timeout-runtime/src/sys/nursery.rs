//! One process of this program that was started afresh and, instead of running a body, makes copies of
//! itself: each as fresh as itself, and each a child of the caller's.
//!
//! To start a program takes the kernel and the dynamic linker longer than all the rest of a short call;
//! to copy one that has been started does not. The caller and the nursery speak over a socket: the
//! caller sends the descriptors that the child is to have, and hears its number.
//!
//! # Safety
//!
//! A word that both processes have mapped, as long as the handle lives; descriptors that come back are
//! owned at once.
#![expect(unsafe_code, reason = "see the heading")]

mod crossing;
pub(crate) mod inside;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, setpgid};

use self::crossing::{Request, STANDARD, answer_from, send};
use super::pipe::{Requests, above_stdio};
use super::process::Process;
use super::respawn::{Shared, abandon, respawn};
use super::shared;
use super::surroundings::Environment;
use crate::limit::Deadline;

/// As its caller has it.
#[derive(Debug)]
pub(crate) struct Nursery {
    process: Process,
    socket: OwnedFd,
    /// The child that was born last and is not known yet; zero is none.
    born: Word,
    /// Whether this process may look into that one.
    may_look: bool,
}

/// What a child is to have.
#[derive(Debug)]
pub(crate) struct Ends<'a> {
    pub(crate) requests: &'a Requests,
    pub(crate) results: BorrowedFd<'a>,
    pub(crate) hatch: BorrowedFd<'a>,
    pub(crate) slate: Option<BorrowedFd<'a>>,
    /// Of the requests, and of the caller's end of the results, by the caller's numbers.
    pub(crate) there: [i32; 2],
}

/// Why there is no child.
#[derive(Debug)]
pub(crate) enum Barren {
    /// There are too few processes or descriptors, or too little memory.
    Short,
    /// The nursery has threads, or does not know how.
    Unfit,
    /// What a child would inherit has changed.
    Outdated,
    /// It gave no answer in time.
    Late,
    Broken,
}

/// So long after its end was asked for it is waited for.
const END: Duration = Duration::from_secs(5);

/// And so long at least: it usually takes some tenths of a millisecond.
const MOMENT: Duration = Duration::from_millis(100);

impl Nursery {
    /// Not where what is started inherits more than it is to have.
    pub(crate) fn is_possible() -> bool {
        Shared::is_all()
    }

    /// `trigger` makes of the numbers of its socket and its memory what it is told.
    pub(crate) fn start(
        environment: Environment,
        trigger: impl FnOnce(i32, i32) -> (&'static str, String),
    ) -> io::Result<Self> {
        let (socket, its) = socket_pair()?;
        let memory = shared::memory(size_of::<AtomicI32>())?;
        let born = Word::of(memory.as_fd())?;
        let inherited = Shared::new(vec![its.as_fd(), memory.as_fd()]);
        let trigger = trigger(inherited.number(0), inherited.number(1));
        let process = respawn(environment, trigger, &inherited)?;
        let may_look = may_look(&process);
        Ok(Self { process, socket, born, may_look })
    }

    /// A child that does nothing before it is told what. Meanwhile, `is_current` says whether it would
    /// have what one that is started now would; not before, for it takes as long as a part of a birth.
    ///
    /// After a failure the nursery is to be ended.
    pub(crate) fn child(
        &mut self,
        ends: &Ends<'_>,
        until: Deadline,
        is_current: impl FnOnce() -> bool,
    ) -> Result<Process, Barren> {
        self.ask(ends).map_err(|_failed| Barren::Short)?;
        let is_current = is_current() && may_look(&self.process) == self.may_look;
        let answer = self.answer(until)?;
        self.born.at().store(0, Ordering::Relaxed);
        let child = match answer {
            0 => return Err(Barren::Unfit),
            1.. => Pid::from_raw(answer),
            _ => return Err(Barren::Short),
        };
        if !is_current {
            withdraw(child, ends);
            return Err(Barren::Outdated);
        }
        take(child).map_err(|_failed| {
            withdraw(child, ends);
            Barren::Short
        })
    }

    fn ask(&self, ends: &Ends<'_>) -> nix::Result<()> {
        let mut descriptors = [ends.requests.reader().as_raw_fd(); STANDARD + 4];
        let mut standard = [false; STANDARD];
        for (number, is_open) in (0..).zip(&mut standard) {
            *is_open = is_inherited(number);
            // What is missing is made up for, so that the numbers are right.
            if *is_open {
                descriptors[usize::try_from(number).unwrap_or_default()] = number;
            }
        }
        descriptors[STANDARD + 1] = ends.results.as_raw_fd();
        descriptors[STANDARD + 2] = ends.hatch.as_raw_fd();
        let count = STANDARD + 3 + usize::from(ends.slate.is_some());
        if let Some(slate) = ends.slate {
            descriptors[STANDARD + 3] = slate.as_raw_fd();
        }
        let request = Request { there: ends.there, standard };
        send(self.socket.as_fd(), &request.to_bytes(), &descriptors[..count])
    }

    fn answer(&mut self, until: Deadline) -> Result<i32, Barren> {
        loop {
            let ready = self.process.wait([Some(self.socket.as_fd()), None], until);
            if ready.readable {
                match answer_from(self.socket.as_fd()) {
                    Ok(answer) => return answer.ok_or(Barren::Broken),
                    Err(Errno::EAGAIN) => {}
                    Err(_) => return Err(Barren::Broken),
                }
            }
            if ready.ended {
                return Err(Barren::Broken);
            }
            if until.has_passed() {
                return Err(Barren::Late);
            }
        }
    }

    /// Ends it, with a child for these that it may have made and told nobody of.
    pub(crate) fn end_with(self, ends: &Ends<'_>, deadline: Deadline) {
        // Whatever has them, or will have.
        ends.requests.withdraw();
        let born = self.end_by(deadline);
        if born > 0 {
            withdraw(Pid::from_raw(born), ends);
        }
    }

    pub(crate) fn end(self) {
        self.end_by(Deadline::NEVER);
    }

    /// It is asked too, for it may be another user's by now.
    fn end_by(self, deadline: Deadline) -> i32 {
        let Self { mut process, socket, born, .. } = self;
        drop(socket);
        process.signal(Signal::SIGKILL);
        let most = deadline.remaining().map_or(END, |left| left.clamp(MOMENT, END));
        let until = Deadline::after(Instant::now(), Some(most));
        while !process.wait([None; 2], until).ended {
            if until.has_passed() {
                process.reap_later();
                return 0;
            }
        }
        process.reap();
        born.at().load(Ordering::Relaxed)
    }
}

/// Takes hold of the child, and makes it what it waits for: the leader of a group.
fn take(child: Pid) -> io::Result<Process> {
    let process = Process::open(child)?;
    setpgid(child, child)?;
    Ok(process)
}

/// Ends a child that has done nothing yet, and so is there. It is asked too, for the same reason.
fn withdraw(child: Pid, ends: &Ends<'_>) {
    ends.requests.withdraw();
    abandon(child);
}

/// Whether a program that is started has it.
fn is_inherited(number: i32) -> bool {
    // SAFETY: whether it is open is the question.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(descriptor, FcntlArg::F_GETFD)
        .is_ok_and(|flags| !FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC))
}

/// Who has put itself into a domain of Landlock is told so by no file, but may not look into a process
/// outside of it any more (`ptrace(2)`, on access checks).
fn may_look(process: &Process) -> bool {
    const SAME_MEMORY: libc::c_long = 1;

    let (own, its) = (getpid().as_raw(), process.id());
    // SAFETY: integers alone.
    unsafe { libc::syscall(libc::SYS_kcmp, own, its, SAME_MEMORY, 0, 0) >= 0 }
}

/// Messages with an end each; both closed on exec and clear of the descriptors 0 to 2.
fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: there is room for two numbers.
    Errno::result(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) })?;
    // SAFETY: the kernel just gave them to us.
    let [one, other] = pair.map(|number| unsafe { OwnedFd::from_raw_fd(number) });
    Ok((above_stdio(one)?, above_stdio(other)?))
}

/// Shared memory of one word.
#[derive(Debug)]
pub(super) struct Word(NonNull<AtomicI32>);

// SAFETY: it points to an atomic.
unsafe impl Send for Word {}

impl Word {
    fn of(memory: BorrowedFd<'_>) -> io::Result<Self> {
        let (size, access) = (size_of::<AtomicI32>(), libc::PROT_READ | libc::PROT_WRITE);
        let (shared, number) = (libc::MAP_SHARED, memory.as_raw_fd());
        // SAFETY: a new mapping at an address of the kernel's choice.
        let at = unsafe { libc::mmap(ptr::null_mut(), size, access, shared, number, 0) };
        let found = NonNull::new(at.cast()).filter(|_| at != libc::MAP_FAILED);
        found.map(Self).ok_or_else(io::Error::last_os_error)
    }

    fn at(&self) -> &AtomicI32 {
        // SAFETY: mapped as long as this lives, and zero is valid for it.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        // SAFETY: mapped by `of`, and nobody has a reference any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<AtomicI32>()) };
    }
}
