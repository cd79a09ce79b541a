//! A body that has become another program (`exec`), which handles nothing of what this library handles.

use std::ffi::CString;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use std::{fs, thread};

use timeout_runtime::{ErrorKind, StartMethod, Timeout};

use super::AFRESH;
use super::nursery::children;
use crate::support::{LONG, eventually, isolated};

/// Until there is a file of that name, and then it ends with that code.
const PROGRAM: &str =
    r#"echo begun > "$0.begun"; while [ ! -e "$0.go" ]; do sleep 0.01; done; exit 7"#;

fn becomes_a_program(path: String) -> u8 {
    becomes(PROGRAM, path)
}

fn becomes(program: &str, path: String) -> u8 {
    let [program, path] = [program.to_owned(), path].map(|text| CString::new(text).unwrap());
    let failed = nix::unistd::execv(c"/bin/sh", &[c"sh", c"-c", &program, &path]);
    panic!("{failed:?}")
}

#[timeout_runtime::timeout(LONG, start = "spawn")]
async fn becomes_one_awaited(path: String) -> u8 {
    becomes_a_program(path)
}

fn nothing() {}

/// Where the program is told to go on.
struct Files(String);

impl Files {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("timeout-becomes-{}-{name}", std::process::id()));
        Self(path.to_str().unwrap().to_owned())
    }

    fn wait_for_the_program(&self) {
        eventually("the program", || Path::new(&format!("{}.begun", self.0)).exists());
    }

    fn let_it_go(&self) {
        fs::write(format!("{}.go", self.0), "").unwrap();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for end in ["begun", "go"] {
            let _ = fs::remove_file(format!("{}.{end}", self.0));
        }
    }
}

fn is_gone(thread: i32) -> bool {
    !Path::new(&format!("/proc/self/task/{thread}")).exists()
}

/// The thread whose call started the worker, or the nursery, has nothing to do with the call that is in it.
#[test]
fn a_program_is_not_ended_with_a_thread_of_the_caller() {
    for method in AFRESH {
        isolated(|| {
            let files = Files::new(&format!("{method:?}"));
            let timeout = Timeout::new(LONG).start_method(method);
            let first = AtomicI32::new(0);
            thread::scope(|scope| {
                let starter = scope.spawn(|| {
                    // From the second call on there is a nursery.
                    (0..2).for_each(|_| timeout.call(nothing, ()).unwrap());
                    first.store(nix::unistd::gettid().as_raw(), Ordering::Release);
                    files.wait_for_the_program();
                });
                eventually("the first calls", || first.load(Ordering::Acquire) != 0);
                let call = scope.spawn(|| timeout.call(becomes_a_program, (files.0.clone(),)));
                starter.join().unwrap();
                eventually("its end", || is_gone(first.load(Ordering::Acquire)));
                files.let_it_go();
                let error = call.join().unwrap().unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Exited(7)), "{method:?} {error:#}");
            });
        });
    }
}

/// Nor with a thread of the runtime, which keeps those for blocking work for a while only.
#[test]
fn a_program_is_not_ended_with_a_thread_of_the_runtime() {
    isolated(|| {
        let files = Files::new("awaited");
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().max_blocking_threads(1).thread_keep_alive(Duration::from_millis(1));
        let error = builder.build().unwrap().block_on(async {
            let call = tokio::spawn(becomes_one_awaited(files.0.clone()));
            while children().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // There is one such thread, and it stays until there is the program.
            let starter = tokio::task::spawn_blocking({
                let files = Files(files.0.clone());
                move || {
                    std::mem::ManuallyDrop::new(files).wait_for_the_program();
                    nix::unistd::gettid().as_raw()
                }
            });
            let starter = starter.await.unwrap();
            while !is_gone(starter) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            files.let_it_go();
            call.await.unwrap().unwrap_err()
        });
        assert!(matches!(error.kind(), ErrorKind::Exited(7)), "{error:#}");
    });
}

#[test]
fn nothing_is_kept_for_one_that_has_ended() {
    isolated(|| {
        let before = crate::support::Traces::now();
        for method in [StartMethod::Spawn, StartMethod::Pool] {
            let files = Files::new(&format!("kept {method:?}"));
            files.let_it_go();
            for _ in 0..3 {
                let timeout = Timeout::new(LONG).start_method(method);
                let error = timeout.call(becomes_a_program, (files.0.clone(),)).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Exited(7)), "{method:?} {error:#}");
            }
        }
        timeout_runtime::pool::shut_down();
        before.assert_unchanged();
    });
}

/// As above, but that it ends by itself when it is asked to.
const POLITE: &str =
    r#"trap 'echo > "$0.go"; exit 0' TERM; echo begun > "$0.begun"; while :; do sleep 0.01; done"#;

fn becomes_a_polite_program(path: String) -> u8 {
    becomes(POLITE, path)
}

#[timeout_runtime::timeout(LONG, start = "spawn", grace = LONG)]
async fn spawned(path: String) -> u8 {
    becomes_a_polite_program(path)
}

#[timeout_runtime::timeout(LONG, start = "pool", grace = LONG)]
async fn pooled(path: String) -> u8 {
    becomes_a_polite_program(path)
}

/// What started it stays until it has ended, and not only as long as its call.
#[test]
fn a_program_has_the_grace_when_its_future_is_dropped() {
    isolated(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (name, number) in [("spawned", 0), ("pooled", 1)] {
            let files = Files::new(name);
            let path = files.0.clone();
            runtime.block_on(async {
                let call = tokio::spawn(async move {
                    if number == 0 { spawned(path).await } else { pooled(path).await }
                });
                while !Path::new(&format!("{}.begun", files.0)).exists() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                call.abort();
                drop(call.await);
            });
            eventually(name, || Path::new(&format!("{}.go", files.0)).exists());
        }
    });
}
