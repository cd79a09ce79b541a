//! Both sides in one process: as if it were two.

use std::thread;

use super::*;

fn both() -> (Hatch, Hatch) {
    let (caller, memory) = Hatch::new().unwrap();
    let worker = Hatch::open(memory.as_fd()).unwrap();
    (caller, worker)
}

fn next(worker: &Hatch) -> Option<Vec<u8>> {
    worker.take(&mut Spin::default(), &mut Company::default(), || ())
}

fn heard(caller: &Hatch) -> Option<Vec<u8>> {
    caller.hear(&mut Spin::default(), Deadline::NEVER)
}

#[test]
fn requests_and_answers_cross_in_turns() {
    let (caller, worker) = both();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..10_000 {
                let mut request = next(&worker).unwrap();
                request.reverse();
                while !worker.answer(&request) {
                    // The caller was not on a processor for a moment, and waits at the pipe: as if
                    // it had been heard there.
                    thread::yield_now();
                }
            }
        });
        for number in 0..10_000u32 {
            let (mut request, mut answer) = (number.to_le_bytes(), None);
            caller.post(&request, Waits::Here);
            while answer.is_none() {
                caller.word().listen_here();
                answer = heard(&caller);
            }
            request.reverse();
            assert_eq!(answer.unwrap(), request);
        }
    });
}

#[test]
fn a_request_is_untaken_until_it_is_taken() {
    let (caller, worker) = both();
    assert!(!caller.is_untaken());
    caller.post(b"one", Waits::Here);
    assert!(caller.is_untaken());
    assert_eq!(next(&worker).unwrap(), b"one");
    assert!(!caller.is_untaken());
}

#[test]
fn what_is_too_long_goes_elsewhere() {
    let (caller, worker) = both();
    let (long, longer) = (vec![7; letter::ROOM], vec![7; letter::ROOM + 1]);
    caller.post(&longer, Waits::Here);
    assert_eq!(next(&worker), None);
    assert!(!worker.answer(&longer));
    assert!(worker.answer(&long));
    assert_eq!(heard(&caller).unwrap(), long);
}

#[test]
fn who_waits_at_the_pipe_is_answered_there() {
    let (caller, worker) = both();
    caller.post(b"one", Waits::AtPipe);
    next(&worker);
    assert!(!worker.answer(b"here"));
    caller.post(b"two", Waits::Here);
    next(&worker);
    // Not within a moment.
    assert_eq!(heard(&caller), None);
    assert!(!worker.answer(b"here"));
}

/// Whoever has just begun to answer.
#[test]
fn who_went_to_the_pipe_in_the_last_moment_is_not_answered_here() {
    let (caller, worker) = both();
    caller.post(b"one", Waits::Here);
    next(&worker);
    assert_eq!(worker.word().ear(), Ear::Awake);
    assert_eq!(caller.word().listen_at_pipe(), State::Taken);
    assert!(!worker.word().answer());
    assert_eq!(caller.word().state(), State::Taken);
}

#[test]
fn who_uses_the_pipe_is_heard_there_at_once() {
    let (caller, worker) = both();
    caller.post(b"one", Waits::Here);
    next(&worker);
    worker.use_pipe();
    assert_eq!(heard(&caller), None);
}

#[test]
fn who_sleeps_is_woken() {
    let (caller, worker) = both();
    thread::scope(|scope| {
        let server = scope.spawn(|| next(&worker));
        while caller.word().is_awake() {
            thread::yield_now();
        }
        caller.post(b"one", Waits::Here);
        assert_eq!(server.join().unwrap().unwrap(), b"one");
    });
}

#[test]
fn who_has_no_call_for_a_while_rests_once() {
    let (caller, worker) = both();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut rests = 0;
            worker.take(&mut Spin::default(), &mut Company::default(), || rests += 1);
            rests
        });
        thread::sleep(2 * NAP);
        caller.post(b"one", Waits::Here);
        assert_eq!(server.join().unwrap(), 1);
    });
}

#[test]
fn who_is_ready_says_whether_it_has_moved_until_the_next_call() {
    let (caller, worker) = both();
    let ready = || caller.wait_until_ready(&mut Spin::default(), Deadline::NEVER);
    for has_moved in [false, true] {
        caller.post(b"one", Waits::Here);
        next(&worker);
        assert!(worker.answer(b"two"));
        assert_eq!(ready(), None);
        worker.be_ready(has_moved);
        assert_eq!(ready(), Some(has_moved));
    }
}

#[test]
fn who_sleeps_until_the_other_is_ready_is_woken() {
    let (caller, worker) = both();
    thread::scope(|scope| {
        scope.spawn(|| {
            while worker.word().ear() != Ear::Asleep {
                thread::yield_now();
            }
            worker.be_ready(false);
        });
        while caller.wait_until_ready(&mut Spin::default(), Deadline::NEVER).is_none() {}
    });
}

#[test]
fn a_forged_length_is_cut() {
    let (caller, _worker) = both();
    caller.page().answer.forge(u32::MAX);
    assert_eq!(caller.page().answer.get().len(), letter::ROOM);
}
