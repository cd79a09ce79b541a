//! What a body may do and ask.

use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use timeout_runtime::{Timeout, cooperative, remaining, stopping, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::{Signs, current_thread, failure, pause, run, traceless};
use crate::support::{LONG, spin};

#[timeout(60, start = "fork")]
async fn everything() -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[1, 2, 3]).await.unwrap();
    });
    let mut bytes = Vec::new();
    TcpStream::connect(address).await.unwrap().read_to_end(&mut bytes).await.unwrap();
    server.await.unwrap();
    pause(0.01).await;
    bytes.push(tokio::task::spawn_blocking(|| 4).await.unwrap());
    bytes.push(thread::spawn(|| 5).join().unwrap());
    bytes
}

#[test]
fn an_async_body_has_timers_sockets_tasks_and_threads() {
    traceless(|| async { assert_eq!(everything().await.unwrap(), [1, 2, 3, 4, 5]) });
}

#[test]
fn a_closure_knows_of_no_runtime_and_may_start_one() {
    traceless(|| async {
        let seen = run(|| {
            let is_outside = Handle::try_current().is_err();
            let slept = current_thread().block_on(async {
                pause(0.01).await;
                everything().await
            });
            (is_outside, slept.unwrap().len())
        });
        assert_eq!(seen.await.unwrap(), (true, 5));
    });
}

#[test]
fn tasks_that_the_body_leaves_end_with_it() {
    #[timeout(60, start = "fork")]
    async fn leaves() -> u8 {
        tokio::spawn(std::future::pending::<()>());
        tokio::task::spawn_blocking(|| -> u8 { spin() });
        pause(0.01).await;
        7
    }
    traceless(|| async { assert_eq!(leaves().await.unwrap(), 7) });
}

#[timeout(60, start = "fork")]
async fn left() -> Option<Duration> {
    pause(0.001).await;
    remaining()
}

#[tokio::test]
async fn the_nearest_deadline_is_seen() {
    let of = |limit: f64| move |left: Option<Duration>| left.unwrap().as_secs_f64() <= limit;
    assert!(of(60.0)(left().await.unwrap()));
    assert!(of(60.0)(Timeout::new(60).run_async(remaining).await.unwrap()));
    // Of an enclosing cooperative timeout,
    assert!(of(30.0)(cooperative::with_timeout(30, left()).await.unwrap().unwrap()));
    let nested = cooperative::with_timeout(30, Timeout::new(60).run_async(remaining));
    assert!(of(30.0)(nested.await.unwrap().unwrap()));
    // and of one in the body.
    let within = run(|| cooperative::scope(20, remaining));
    assert!(of(20.0)(within.await.unwrap()));
    assert_eq!(remaining(), None);
}

/// In a loop that never waits.
fn until_checked() -> bool {
    loop {
        if let Err(error) = cooperative::checkpoint() {
            return error.is_timeout();
        }
    }
}

#[tokio::test]
async fn a_checkpoint_sees_the_deadline_of_the_call() {
    #[timeout(2, start = "fork", grace = 60)]
    async fn checking() -> bool {
        // Else SIGTERM ends it at the same moment.
        let _ = stopping();
        until_checked()
    }
    assert!(checking().await.unwrap());
    let closure = Timeout::new(2).grace(60).run_async(|| !stopping() && until_checked());
    assert!(closure.await.unwrap());
}

#[tokio::test]
async fn a_checkpoint_sees_the_deadline_of_a_timeout_around_the_call() {
    let mut signs = Signs::new();
    let sign = signs.sign();
    let call = Timeout::new(LONG / 2).run_async(|| {
        assert!(until_checked());
        sign.give();
    });
    // Around its first poll alone: the wait itself is not to end at that deadline.
    let call = cooperative::scope(0.3, || {
        let mut call = Box::pin(call);
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        call
    });
    call.await.unwrap();
    signs.seen().await;
}

#[tokio::test]
async fn a_body_that_is_told_to_stop_may_clean_up() {
    #[timeout(2, start = "fork", grace = 60)]
    async fn counted() -> u64 {
        let mut count = 0;
        while !stopping() {
            pause(0.001).await;
            count += 1;
        }
        count
    }
    assert!(counted().await.unwrap() > 0);
    let closure = Timeout::new(2).grace(60).run_async(|| {
        while !stopping() {}
        "cleaned up".to_owned()
    });
    assert_eq!(closure.await.unwrap(), "cleaned up");
}

#[test]
fn a_body_may_use_much_stack() {
    #[inline(never)]
    fn deep(levels: usize) -> usize {
        let room = std::hint::black_box([0u8; 1024]);
        if levels == 0 { room.len() } else { deep(levels - 1) + usize::from(room[0]) }
    }
    #[timeout(60, start = "fork")]
    async fn asynchronous() -> usize {
        deep(3000)
    }
    traceless(|| async {
        assert_eq!(run(|| deep(3000)).await.unwrap(), 1024);
        assert_eq!(asynchronous().await.unwrap(), 1024);
        let error = failure(run(|| deep(1 << 20)).await);
        assert!(matches!(error.kind(), timeout_runtime::ErrorKind::Signaled { .. }), "{error}");
    });
}
