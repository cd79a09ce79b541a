//! All that a process has started and that still lives, daemons included.
//!
//! The child of a call adopts what is orphaned below it (`PR_SET_CHILD_SUBREAPER`), so all its
//! descendants stay below it for as long as it lives itself, whatever session or group they move to.
//! They are found from the top down, and each is stopped before its own children are looked for, so
//! that it makes no more of them meanwhile. Two looks that see the same are proof that nobody was
//! missed; none that is stopped reaps, so no number is another's before the tree is let go.
//!
//! No allocation, no lock: this also runs in the handler of a child whose caller was killed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid, getpid};

use super::exit::{close_all, has_children};
use super::proc::{self, State};

/// So many living ones are seen at once; if there are more, they are ended in portions.
const MOST: usize = 512;

/// A process needs no longer than this to stop, unless the kernel has business with it. It has to be
/// scheduled once: what is sent to it before that may overtake the stop.
const TO_STOP: Duration = Duration::from_millis(500);

/// And this to end.
const TO_END: Duration = Duration::from_secs(2);

pub(crate) struct Tree {
    root: i32,
    living: [i32; MOST],
    count: usize,
    seen: Seen,
    /// One of them was not stopped yet.
    moves: bool,
    /// There are more than have room.
    is_full: bool,
}

/// Whom a look saw, the dead among them. The same number of others is not the same: who flees from
/// one process to the next leaves nobody where the dead are reaped at once.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    count: usize,
    hash: u64,
}

impl Seen {
    fn add(&mut self, pid: i32) {
        /// Of the hash of Fowler, Noll and Vo.
        const PRIME: u64 = 0x0100_0000_01B3;
        self.count += 1;
        self.hash = (self.hash ^ u64::from(pid.unsigned_abs())).wrapping_mul(PRIME);
    }

    fn is_nobody(self) -> bool {
        self.count == 0
    }
}

impl Tree {
    pub(crate) fn below(root: Pid) -> Self {
        let (living, root) = ([0; MOST], root.as_raw());
        Self { root, living, count: 0, seen: Seen::default(), moves: false, is_full: false }
    }

    /// Stops all that is below the root, which somebody else has told to stop.
    pub(crate) fn freeze(&mut self) {
        let start = Instant::now();
        for look in 0.. {
            // What a process forked while it was still on its way to stop shows in the next look.
            let (before, moved) = (self.seen, self.moves || look == 0);
            self.look();
            let is_settled = !moved && self.seen == before || self.seen.is_nobody();
            if is_settled && !self.moves || self.is_full || start.elapsed() > TO_STOP {
                return;
            }
            pause(look);
        }
    }

    /// Whether nobody lives below the root.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sends SIGTERM to all of a frozen tree who are not of this group.
    pub(crate) fn terminate_beyond(&self, group: Pid) {
        for pid in self.living().filter(|pid| getpgid(Some(*pid)) != Ok(group)) {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Lets a frozen tree go on, children before their parents, who could reap them.
    pub(crate) fn thaw(&self) {
        for pid in self.living().rev() {
            let _ = kill(pid, Signal::SIGCONT);
        }
    }

    fn living(&self) -> impl DoubleEndedIterator<Item = Pid> {
        self.living[..self.count].iter().map(|pid| Pid::from_raw(*pid))
    }

    /// Ends all that is below the root, which is stopped. False: in time not everybody was dead.
    pub(crate) fn end(&mut self) -> bool {
        let start = Instant::now();
        for look in 0.. {
            // Whoever lost its parent during a look shows in the next one.
            let (before, lived) = (self.seen, !self.is_empty() || look == 0);
            self.look();
            let is_settled = !lived && self.seen == before || self.seen.is_nobody() && !self.moves;
            let is_over = self.is_empty() && is_settled;
            if is_over || start.elapsed() > TO_END {
                return is_over;
            }
            self.kill();
            pause(look);
        }
        false
    }

    fn kill(&self) {
        for pid in self.living() {
            let _ = kill(pid, Signal::SIGKILL);
        }
    }

    /// From the top down, stops and notes whoever lives.
    fn look(&mut self) {
        (self.count, self.seen, self.moves, self.is_full) = (0, Seen::default(), false, false);
        let root = self.root;
        // This process itself cannot be stopped.
        self.moves = root != getpid().as_raw() && proc::state(root, 1) == State::Running;
        self.look_below(root);
        let mut next = 0;
        while next < self.count {
            let pid = self.living[next];
            // What another user's rights protect is out of reach.
            let is_gone = kill(Pid::from_raw(pid), Signal::SIGSTOP).is_err();
            let threads = self.look_below(pid);
            match proc::state(pid, threads) {
                State::Running if !is_gone => self.moves = true,
                State::Stopped if !is_gone => {}
                _ => {
                    // Whom it had, had been listed, or is the root's by now.
                    self.forget(next);
                    continue;
                }
            }
            next += 1;
        }
    }

    fn look_below(&mut self, pid: i32) -> usize {
        let Self { living, count, seen, is_full, .. } = self;
        proc::each_child(pid, |child| {
            seen.add(child);
            // The dead, whom a body may have left in any number, take no room of the living.
            if proc::is_dead(child) {
                return;
            }
            match living.get_mut(*count) {
                Some(place) => {
                    *place = child;
                    *count += 1;
                }
                None => *is_full = true,
            }
        })
    }

    fn forget(&mut self, index: usize) {
        self.living.copy_within(index + 1..self.count, index);
        self.count -= 1;
    }
}

/// Whether nobody lives below a process that is stopped: then none of its own children does, for
/// it adopts what these leave behind.
pub(crate) fn is_dead_below(root: Pid) -> bool {
    let look = || {
        let (mut seen, mut lives) = (Seen::default(), false);
        proc::each_child(root.as_raw(), |child| {
            seen.add(child);
            let threads = proc::each_child(child, |_| {});
            lives |= proc::state(child, threads) != State::Dead;
        });
        (seen, lives)
    };
    let first = look();
    !first.1 && look() == first
}

/// In a child at its end: ends and reaps all that it has started. Costs one system call where
/// there is nobody.
#[inline]
pub(crate) fn end_own() {
    if has_children() && !end_all() {
        // The handler of another thread is at it, and ends this process when it is done.
        std::thread::sleep(2 * TO_END);
    }
}

/// False where another thread is at it already: it closes descriptors that this one would use.
pub(super) fn try_end_own() -> bool {
    !has_children() || end_all()
}

#[cold]
fn end_all() -> bool {
    static IS_BEGUN: AtomicBool = AtomicBool::new(false);

    if IS_BEGUN.swap(true, Ordering::AcqRel) {
        return false;
    }
    // What is left of the body's affairs is the caller's no more than the children are, and a
    // look needs a descriptor.
    close_all();
    let mut tree = Tree::below(getpid());
    let start = Instant::now();
    for look in 0.. {
        tree.look();
        tree.kill();
        if !reap_own() || start.elapsed() > TO_END {
            break;
        }
        // Whom nobody sees and nobody can reap is out of reach.
        if tree.is_empty() && look > 20 {
            break;
        }
        pause(look);
    }
    true
}

/// False once there is nobody left, dead or alive.
fn reap_own() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::StillAlive) => return true,
            Err(Errno::ECHILD) => return false,
            // EINVAL: nix does not know the signal that ended it; it is reaped all the same.
            Ok(_) | Err(_) => {}
        }
    }
}

/// First by giving way, which is enough for those that only have to be scheduled once.
fn pause(look: u32) {
    if look < 8 {
        std::thread::yield_now();
    } else {
        std::thread::sleep(Duration::from_micros(100));
    }
}
