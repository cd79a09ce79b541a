//! `async fn`s whose body runs in a child, awaited.

use std::process;
use std::time::Duration;

use timeout_runtime::{Error, ErrorKind, remaining};

use super::attribute::End;
use super::{each, three_times};
use crate::support::{LONG, eventually, is_running, isolated};

macro_rules! awaited {
    ($start:tt) => {
        #[timeout_runtime::timeout(how.limit(), start = $start)]
        pub async fn adds(numbers: &mut Vec<u32>, more: &[u32], how: End) -> u32 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            numbers.extend(more);
            how.meet();
            numbers.iter().sum()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub async fn sleeps(seconds: f64) -> u32 {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            process::id()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub async fn writes_and_hangs(path: &str) -> u32 {
            std::fs::write(path, process::id().to_string()).unwrap();
            std::future::pending().await
        }
        #[timeout_runtime::timeout(0.3, start = $start)]
        pub async fn never() -> u8 {
            std::future::pending().await
        }
        #[timeout_runtime::timeout(2, start = $start)]
        pub async fn is_busy() -> u8 {
            tokio::task::yield_now().await;
            crate::support::spin()
        }
        #[timeout_runtime::timeout(LONG, start = $start)]
        pub async fn left(bytes: Vec<u8>) -> (Option<Duration>, Vec<u8>) {
            tokio::task::yield_now().await;
            (remaining(), bytes)
        }
        #[derive(serde::Serialize, serde::Deserialize)]
        pub struct Point(pub i32);
        impl Point {
            #[timeout_runtime::timeout(LONG, start = $start)]
            pub async fn moves(&mut self, by: i32) -> Result<i32, Error> {
                let this = async { self.0 + by };
                let moved = this.await;
                self.0 = moved;
                Ok(moved)
            }
        }
    };
}

three_times!(functions, awaited);

/// Runs a block that awaits, once for each method.
macro_rules! each_awaited {
    ($block:block) => {
        each!(functions, {
            let runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async { $block });
        })
    };
}

#[test]
fn an_awaited_body_gives_its_value_and_what_it_did() {
    each_awaited!({
        let mut numbers = vec![1];
        assert_eq!(adds(&mut numbers, &[2, 3], End::Return).await.unwrap(), 6);
        assert_eq!(numbers, [1, 2, 3]);
        let (left, bytes) = left(vec![7; 1 << 20]).await.unwrap();
        assert!(left.unwrap() <= LONG && bytes.len() == 1 << 20);
        let mut point = Point(1);
        assert_eq!(point.moves(4).await.unwrap(), 5);
        assert_eq!(point.0, 5);
    });
}

#[test]
fn an_awaited_body_that_fails_changes_nothing() {
    each_awaited!({
        let mut numbers = vec![1];
        let error = adds(&mut numbers, &[2], End::Hang).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let error = adds(&mut numbers, &[2], End::Panic).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Panicked { .. }), "{error:?}");
        let error = adds(&mut numbers, &[2], End::Crash).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Signaled { .. }), "{error:?}");
        assert_eq!(numbers, [1]);
        assert!(never().await.unwrap_err().is_timeout());
    });
}

#[test]
fn where_an_awaited_body_hung_or_waited_is_told() {
    each_awaited!({
        let mut errors = Vec::new();
        while errors.last().is_none_or(|error: &Error| error.trace().is_none()) {
            errors.push(is_busy().await.unwrap_err());
            assert!(errors.len() < 10, "{errors:#?}");
        }
        let trace = errors.last().unwrap().trace().unwrap();
        // The thread that is the library's own is none of the body's.
        assert_eq!(trace.threads().len(), 1, "{trace}");
        let body = trace.frames().last().unwrap();
        assert!(body.is_body && body.function.contains("::is_busy::"), "{trace}");
        // It waits, and is not on the stack: it is named all the same.
        let error = never().await.unwrap_err();
        if let Some(trace) = error.trace() {
            let body = trace.frames().last().unwrap();
            assert_eq!((body.function.as_str(), body.is_body), ("never", true), "{trace}");
            assert!(trace.frames().len() > 1 && trace.frames().len() < 10, "{trace}");
        }
    });
}

#[test]
fn a_hundred_calls_are_awaited_at_once() {
    isolated(|| {
        each_awaited!({
            let calls: Vec<_> = (0..30).map(|_| tokio::spawn(sleeps(0.05))).collect();
            for call in calls {
                assert_ne!(call.await.unwrap().unwrap(), process::id());
            }
        });
    });
}

#[test]
fn dropping_the_future_stops_the_child() {
    isolated(|| {
        each_awaited!({
            let path = std::env::temp_dir().join(format!("timeout-dropped-{}", process::id()));
            let path = path.to_str().unwrap().to_owned();
            let of_task = path.clone();
            let call = tokio::spawn(async move { writes_and_hangs(&of_task).await });
            let mut pid = 0;
            while pid == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                pid = text.parse().unwrap_or_default();
            }
            assert!(is_running(pid));
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled());
            eventually("the end of the child", || !is_running(pid));
            std::fs::remove_file(&path).unwrap();
            // And the next call has another.
            assert_ne!(sleeps(0.0).await.unwrap(), pid);
        });
    });
}
