//! This program started afresh, to be copied: each copy goes on as a process that was started itself.

use std::convert::Infallible;

use super::Inherited;
use crate::current::Current;
use crate::limit::{Deadline, Limit};
use crate::report::Report;
use crate::start::terms::settle_lazies;
use crate::sys::nursery::inside::Inside;
use crate::sys::spin::{Company, Spin};
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

/// Comes back if this is no nursery.
pub(super) fn enter(text: &str) {
    let Some(told) = Told::from_text(text) else { return };
    super::join_caller(told.caller);
    // What the kernel tells of the caller's end is heeded by a child of a call alone. The end of the socket
    // tells of it too, but not where a process that the caller forked has a copy.
    Current::coming(Deadline::NEVER, Report::new("", Limit::never())).begin(-1);
    // The thread that makes them is the one that they are left with: it has its name, and whatever else a
    // program's first thread has.
    let maker = super::first_thread().spawn(move || -> Infallible { serve(told) });
    if maker.is_ok() {
        drop(maker);
        sys::sibling::sleep_for_ever();
    }
    exit::now(super::FAILED)
}

fn serve(told: Told) -> ! {
    super::settle();
    // What each child would find out by itself, and which is the same in all.
    settle_lazies();
    let _ = image::identity();
    let Ok(inside) = Inside::new(told.socket, told.memory) else { exit::now(super::FAILED) };
    let Some(given) = inside.serve() else { exit::now(0) };
    // In each child, which goes on as a process that was started for it does.
    super::join_caller(told.caller);
    given.await_caller(told.caller);
    let inherited = Inherited {
        caller: told.caller,
        requests: given.requests,
        results: given.results,
        there: given.there,
        hatch: given.hatch,
        slate: given.slate.unwrap_or(-1),
        has_others: false,
    };
    // It serves one call, which is about to come.
    super::serve(inherited, (Spin::seldom(), Company::for_once()))
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
