//! Hard calls that are awaited.

mod body;
mod decorated;
mod dropped;
mod ends;
mod executor;
mod many;
mod printed;
mod shortage;
mod values;

use std::io::{PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use timeout_runtime::{Error, Timeout};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::runtime::{Builder, Runtime};

use crate::support::{LONG, Traces, isolated};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// Runs a scenario in a process of its own, first on one thread and then on several; what it leaves
/// when the runtime is gone fails the test.
#[track_caller]
fn traceless<F: Future<Output = ()>>(scenario: impl Fn() -> F) {
    isolated(|| {
        Timeout::new(LONG).run(|| 1).unwrap();
        for runtime in [current_thread, multi_thread] {
            let before = Traces::now();
            runtime().block_on(scenario());
            before.assert_unchanged();
        }
    });
}

/// The error of a call that has no value, long before its limit.
#[track_caller]
fn failure<T>(result: Result<T, Error>) -> Error {
    let Err(error) = result else { panic!("it gave a value") };
    assert!(error.elapsed() < LONG, "{error:#} only after {:?}", error.elapsed());
    error
}

async fn run<T: Serialize + DeserializeOwned>(body: impl FnOnce() -> T + Send) -> Result<T, Error> {
    Timeout::new(10 * LONG).run_async(body).await
}

async fn pause(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Where signs of bodies that have begun are seen: pipes, for each process has its own memory.
struct Signs {
    reader: pipe::Receiver,
    writer: PipeWriter,
}

struct Sign(PipeWriter);

impl Signs {
    fn new() -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        Self { reader: pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).unwrap(), writer }
    }

    fn sign(&self) -> Sign {
        Sign(self.writer.try_clone().unwrap())
    }

    async fn seen(&mut self) {
        self.reader.read_exact(&mut [0]).await.unwrap();
    }
}

impl Sign {
    fn give(&self) {
        (&self.0).write_all(b".").unwrap();
    }
}
