//! Hard calls that are awaited.

use std::time::Duration;

use timeout_runtime::{ErrorKind, Timeout, timeout};

#[timeout(60, start = "fork")]
async fn doubled(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    2 * n
}

#[tokio::test]
async fn a_value_comes_back() {
    assert_eq!(doubled(21).await.unwrap(), 42);
    assert_eq!(Timeout::new(60).run_async(|| 6 * 7).await.unwrap(), 42);
}

#[tokio::test]
async fn a_hang_is_stopped() {
    let error = Timeout::new(1)
        .run_async(|| {
            loop {
                std::hint::spin_loop()
            }
        })
        .await;
    let error: timeout_runtime::Error = error.map(|(): ()| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error:#}");
    println!("{error:#}");
}
