//! A body on a thread of its own: without the thread-locals of the one that forked, among them the
//! runtime that the call is awaited on.

use std::any::type_name;
use std::future::Future;
use std::io;
use std::mem;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use super::{Child, Sink, send_value};
use crate::cooperative;
use crate::current;
use crate::error::CodecError;
use crate::frame::Sender;
use crate::sys::{self, exit, hang};

pub(crate) type Job<'a> = dyn FnMut(&mut Sink<'_>) -> Result<(), CodecError> + Send + 'a;

impl Child {
    /// As [`run`](Self::run).
    pub(crate) fn run_apart<T: Serialize>(self, body: impl FnOnce() -> T + Send) -> ! {
        let mut body = Some(body);
        self.enter_apart(type_name::<T>(), &mut |sink| send_value(&mut body, sink))
    }

    /// As [`enter`](Self::enter).
    pub(crate) fn enter_apart(self, type_name: &str, job: &mut Job<'_>) -> ! {
        let around = cooperative::around();
        let mut child = Some(self);
        let failure = sys::threads::hand_over(|| {
            current::move_body_here();
            hang::answer_here();
            sys::platform::tie_this_thread();
            sys::overflow::watch_this_thread();
            cooperative::within_all(&around, &mut || match child.take() {
                Some(child) => child.work(type_name, job),
                None => exit::now(101),
            })
        });
        match &mut child {
            Some(child) => Sink(Sender::new(&mut child.pipe), false).refuse(&failure),
            None => exit::now(101),
        }
    }
}

impl Sink<'_> {
    /// Runs a future to its end on a runtime that knows nothing of the caller's.
    pub(crate) fn block_on<F: Future>(&mut self, future: impl FnOnce() -> F) -> F::Output {
        match runtime() {
            Ok(runtime) => {
                let output = runtime.block_on(async { future().await });
                if self.1 {
                    runtime.shutdown_timeout(TO_SHUT_DOWN);
                } else {
                    // The tasks that are left end with the process, and so do the threads.
                    mem::forget(runtime);
                }
                output
            }
            // A body that is run here ends as one that panics, and not its caller.
            Err(error) if current::child().is_none() => panic!("there is no runtime: {error}"),
            Err(error) => self.refuse(&error),
        }
    }
}

/// So long a process that goes on waits for threads of the body that are at work.
const TO_SHUT_DOWN: Duration = Duration::from_millis(10);

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
