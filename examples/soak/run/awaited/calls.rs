//! Calls of every end.

use std::time::Duration;

use timeout_runtime::{Error, ErrorKind, Timeout, timeout};

pub const KINDS: u64 = 16;

#[timeout(60, start = "fork")]
async fn squared(number: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    number * number
}

#[timeout(0.05, start = "fork", grace = 0.05)]
async fn hangs(ignores_sigterm: bool) {
    if ignores_sigterm {
        // SAFETY: numbers.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    }
    std::future::pending().await
}

/// Whether it ended as it must.
pub async fn call(number: u64) -> bool {
    let closure = Timeout::new(60);
    match number % KINDS {
        0..6 => squared(number).await.is_ok_and(|value| value == number * number),
        6..10 => closure.run_async(|| number).await.is_ok_and(|value| value == number),
        10 => closure.run_async(|| vec![1u8; 100_000]).await.is_ok_and(|all| all.len() == 100_000),
        11 => {
            let result = closure.run_async(|| -> u8 { panic!("as it should") }).await;
            matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::Panicked { .. }))
        }
        12 => {
            let result = closure.run_async(|| -> u8 { std::process::abort() }).await;
            matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::Signaled { .. }))
        }
        13 => {
            // Dropped, most of the time.
            let brief = Duration::from_millis(number % 8);
            tokio::time::timeout(brief, squared(number)).await.map_or(true, |value| value.is_ok())
        }
        14 => hangs(true).await.is_err_and(|error| error.is_timeout()),
        _ => hangs(false).await.is_err_and(|error| error.is_timeout()),
    }
}
