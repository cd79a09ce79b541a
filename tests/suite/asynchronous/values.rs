//! Values, of both forms.

use std::fmt::Debug;
use std::io;
use std::process::id;

use serde::{Serialize, de::DeserializeOwned};
use timeout_runtime::{ErrorKind, Timeout, timeout};

use super::{pause, run};
use crate::support::LONG;

#[timeout(60, start = "fork")]
async fn echoed<T: Serialize + DeserializeOwned + Send>(value: T) -> T {
    pause(0.001).await;
    value
}

#[tokio::test]
async fn a_value_comes_back_from_another_process() {
    #[timeout(60, start = "fork")]
    async fn there() -> u32 {
        id()
    }
    assert_eq!(run(|| 6 * 7).await.unwrap(), 42);
    assert_eq!(echoed(42).await.unwrap(), 42);
    assert_ne!(run(id).await.unwrap(), id());
    assert_ne!(there().await.unwrap(), id());
}

#[tokio::test]
async fn values_of_every_kind_come_as_they_were() {
    async fn comes<T>(value: T)
    where
        T: Serialize + DeserializeOwned + Send + Sync + Clone + PartialEq + Debug,
    {
        assert_eq!(echoed(value.clone()).await.unwrap(), value);
        assert_eq!(run(|| value.clone()).await.unwrap(), value);
    }
    comes(()).await;
    comes(String::from("ß€😀")).await;
    comes(vec![Some(1.5), None]).await;
    comes((7u8, ['a'; 3], Box::new(-1i128))).await;
    comes(Ok::<u8, String>(1)).await;
}

#[tokio::test]
async fn large_values_come_whole() {
    for size in [(64 << 10) - 1, 64 << 10, 16 << 20] {
        let text = "x".repeat(size);
        assert!(run(|| "x".repeat(size)).await.unwrap() == text, "{size}");
        assert!(echoed(text.clone()).await.unwrap() == text, "{size}");
    }
}

#[tokio::test]
async fn a_closure_may_borrow_and_its_changes_stay_in_the_child() {
    let text = String::from("borrowed");
    let mut count = 1;
    let timeout = Timeout::new(LONG);
    let seen = timeout.run_async(|| {
        count += 1;
        (text.len(), count)
    });
    assert_eq!(seen.await.unwrap(), (8, 2));
    assert_eq!((text.as_str(), count), ("borrowed", 1));
}

#[tokio::test]
async fn what_cannot_cross_is_said() {
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    impl<'de> serde::Deserialize<'de> for Unwritable {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u8::deserialize(deserializer).map(|_| Self)
        }
    }
    for result in [run(|| Unwritable).await, echoed(Unwritable).await] {
        let Err(error) = result else { panic!("a value") };
        let ErrorKind::Encode(why) = error.kind() else { panic!("{error:?}") };
        assert!(why.reason().contains("not today"), "{error}");
    }
}

#[tokio::test]
async fn no_time_is_no_call() {
    #[timeout(limit, start = "fork")]
    async fn limited(limit: f64) -> u8 {
        7
    }
    let zero = Timeout::new(0).run_async(|| 7).await.unwrap_err();
    assert!(zero.is_timeout() && zero.usage().is_none(), "{zero:?}");
    assert!(limited(0.0).await.unwrap_err().is_timeout());
    for limit in [-1.0, f64::NAN] {
        let invalid = Timeout::new(limit).run_async(|| 7).await.unwrap_err();
        assert!(matches!(invalid.kind(), ErrorKind::InvalidLimit), "{invalid:?}");
        assert!(matches!(limited(limit).await.unwrap_err().kind(), ErrorKind::InvalidLimit));
    }
    assert_eq!(limited(f64::INFINITY).await.unwrap(), 7);
    assert_eq!(Timeout::new(None::<u8>).run_async(|| 7).await.unwrap(), 7);
}

#[tokio::test]
async fn errors_in_results_cross_as_they_do_elsewhere() {
    #[timeout(60, start = "fork")]
    async fn of_io(path: &str) -> io::Result<u64> {
        pause(0.001).await;
        Ok(std::fs::metadata(path)?.len())
    }
    #[timeout(limit, start = "fork")]
    async fn of_anyhow(limit: f64) -> anyhow::Result<u8> {
        pause(0.1).await;
        anyhow::bail!("missing")
    }
    assert!(of_io("/").await.is_ok());
    let error = of_io("/no/such/file").await.unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (io::ErrorKind::NotFound, Some(2)));
    assert_eq!(of_anyhow(60.0).await.unwrap_err().to_string(), "missing");
    let error = of_anyhow(0.01).await.unwrap_err();
    assert!(error.downcast_ref::<timeout_runtime::Error>().unwrap().is_timeout());
}
