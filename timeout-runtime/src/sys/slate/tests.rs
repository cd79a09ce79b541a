//! Each in a process of its own.

use super::region::PLACES;
use super::*;
use crate::Timeout;
use crate::limit::Deadline;
use crate::sys::exit;
use crate::sys::fork::{Side, fork};
use crate::sys::process::Status;

/// In a process where nobody else has slates.
fn alone(body: impl FnOnce() -> bool) {
    assert!(Timeout::new(60).run(body).unwrap());
}

fn said(slate: &Slate) -> u32 {
    slate.page().state.load(Ordering::Acquire)
}

#[test]
fn the_place_of_a_call_that_has_ended_is_the_next_ones() {
    alone(|| {
        let first = Slate::new().unwrap();
        let at = first.pages;
        first.page().state.store(FAILED, Ordering::Release);
        first.keep();
        let second = Slate::new().unwrap();
        second.pages == at && said(&second) == LISTENING
    });
}

#[test]
fn what_was_said_in_a_place_is_not_the_next_ones() {
    alone(|| {
        let first = Slate::new().unwrap();
        let at = first.pages;
        first.page().asked.store(1, Ordering::Release);
        first.page().notes[7].is_written.store(true, Ordering::Release);
        first.keep();
        let second = Slate::new().unwrap();
        let note = &second.page().notes[7];
        second.pages == at && !note.is_written() && second.page().asked.load(Ordering::Acquire) == 0
    });
}

#[test]
fn calls_at_once_have_places_of_their_own_and_more_of_them_mappings() {
    alone(|| {
        let slates: Vec<_> = (0..2 * PLACES).map(|_| Slate::new().unwrap()).collect();
        for (number, slate) in (1..).zip(&slates) {
            slate.page().state.store(number, Ordering::Release);
        }
        let are_apart = (1..).zip(&slates).all(|(number, slate)| said(slate) == number);
        let in_places = slates.iter().filter(|slate| slate.place.is_some()).count();
        drop(slates);
        are_apart && in_places == PLACES && Slate::new().unwrap().place.is_some()
    });
}

#[cfg(feature = "pool")]
#[test]
fn between_two_bodies_none_has_begun() {
    alone(|| {
        let first = bounded(&mut has_begun);
        rest();
        let between = has_begun();
        (first, between, bounded(&mut has_begun)) == (true, false, true)
    });
}

#[test]
fn threads_that_do_not_call_again_leave_places_for_others() {
    alone(|| {
        let all = std::sync::Barrier::new(PLACES + 1);
        std::thread::scope(|scope| {
            for _ in 0..PLACES {
                scope.spawn(|| {
                    Slate::new().unwrap().keep();
                    all.wait();
                    all.wait();
                });
            }
            all.wait();
            let has_place = Slate::new().unwrap().place.is_some();
            all.wait();
            has_place
        })
    });
}

#[test]
fn what_was_there_before_a_fork_is_the_parents() {
    alone(|| {
        let parents = Slate::new().unwrap();
        let at = parents.pages.addr().get();
        let body = || Slate::new().unwrap().pages.addr().get() != at;
        let is_apart = Timeout::new(60).run(body).unwrap();
        drop(parents);
        is_apart
    });
}

/// Whether this holds in a child that was forked and prepared like that.
fn holds_in_child(prepare: impl FnOnce(), holds: impl FnOnce() -> bool) -> bool {
    let Side::Caller(mut process) = fork(prepare).unwrap() else {
        exit::now(i32::from(!holds()));
    };
    while !process.wait([None; 2], Deadline::NEVER).ended {}
    process.reap().0 == Some(Status::Exited(0))
}

#[test]
fn what_rested_before_a_fork_is_the_parents() {
    alone(|| {
        let parents = Slate::new().unwrap();
        let at = parents.pages.addr().get();
        parents.keep();
        let is_anothers = || {
            let slate = Slate::new().unwrap();
            let is_anothers = slate.pages.addr().get() != at;
            slate.keep();
            is_anothers
        };
        !is_anothers() && holds_in_child(|| {}, is_anothers)
    });
}

#[test]
fn who_is_asked_nothing_handles_no_question() {
    alone(|| {
        extern "C" fn of_the_caller(_: i32) {}
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGURG, of_the_caller as *const () as usize) };
        let is_handled = || crate::sys::platform::is_handled(libc::SIGURG);
        is_handled() && holds_in_child(disown, || !is_handled())
    });
}

#[test]
fn the_place_of_a_child_that_nothing_ends_is_nobody_elses() {
    alone(|| {
        let first = Slate::new().unwrap();
        let at = first.pages;
        first.abandon();
        Slate::new().unwrap().pages != at
    });
}
