//! This program started afresh, to be copied: each copy goes on as a process that was started itself.

use nix::unistd::{Pid, getppid};

use super::Inherited;
use crate::current::Current;
use crate::limit::{Deadline, Limit};
use crate::panic;
use crate::report::Report;
use crate::sys::nursery::inside::Inside;
use crate::sys::{self, exit, image};

/// What such a process is told by the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) caller: u32,
    pub(crate) socket: i32,
    pub(crate) memory: i32,
}

/// Tells it from what a worker is told.
const WORD: &str = "nursery";

impl Told {
    pub(crate) fn to_text(self) -> String {
        let Self { caller, socket, memory } = self;
        format!("{WORD} {caller} {socket} {memory}")
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix(WORD)?.strip_prefix(' ')?.split(' ');
        let told = Self {
            caller: words.next()?.parse().ok()?,
            socket: words.next()?.parse().ok()?,
            memory: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(told)
    }
}

/// Serves the caller, and gives in each child what that has inherited. `None`: this is no nursery.
pub(super) fn serve(text: &str) -> Option<Inherited> {
    let Told { caller, socket, memory } = Told::from_text(text)?;
    tie_to(caller);
    settle();
    let Ok(inside) = Inside::new(socket, memory) else { exit::now(super::FAILED) };
    let Some(given) = inside.serve() else { exit::now(0) };
    Some(Inherited {
        caller,
        requests: given.requests,
        results: given.results,
        reader: given.reader,
        slate: given.slate.unwrap_or(-1),
        has_others: false,
    })
}

/// The end of the socket tells of the caller's, but not where a process that the caller forked has a
/// copy of its end.
fn tie_to(caller: u32) {
    let caller = Pid::from_raw(caller.try_into().unwrap_or_default());
    sys::platform::tie_to(caller);
    sys::platform::end_with_caller();
    Current::coming(Deadline::NEVER, Report::new("", Limit::never())).begin(-1);
    if getppid() != caller {
        exit::now(0);
    }
}

/// What each child would find out by itself, and which is the same in all.
fn settle() {
    panic::install_hook();
    panic::wants_stack();
    image::write_for(0);
    // A child that does not know it asks again.
    let _ = image::identity();
    // What the first thread needs, symbols of the C library and memory, is there for the second.
    if let Ok(first) = super::first_thread().spawn(warm_up) {
        let _ = first.join();
    }
}

fn warm_up() {
    drop(vec![0u8; 1 << 10]);
    std::hint::black_box(sys::platform::this_threads_stack());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        let told = Told { caller: 7, socket: 3, memory: 4 };
        assert_eq!(Told::from_text(&told.to_text()), Some(told));
        for other in ["", "nursery", "nursery 1 2", "nursery 1 2 3 4", "1 2 3", "nursery1 2 3"] {
            assert_eq!(Told::from_text(other), None, "{other:?}");
        }
    }
}
