//! How each library is asked to run a body under the limit: with what it offers, and no more.

use std::panic::{self, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ::zygote::Zygote;
use process_fun::process;
use rstest::timeout::execute_with_timeout_sync;
use timeout_runtime::{StartMethod, Timeout};

use super::{LIMIT, bodies};

/// Runs a body with a folder; what failed comes as its text.
pub type Library = fn(&str, &Path) -> Result<u64, String>;

pub static LIBRARIES: [(&str, Library); 8] = [
    ("timeout-runtime fork", |body, folder| ours(StartMethod::Fork, body, folder)),
    ("timeout-runtime pool", |body, folder| ours(StartMethod::Pool, body, folder)),
    ("mem-isolate", |body, folder| {
        let result = mem_isolate::execute_in_isolated_process(|| bodies::run(body, folder));
        result.map_err(|error| format!("{error:?}"))
    }),
    ("process-fun", |body, folder| {
        let mut child = named_process(body.to_owned(), folder.to_owned())
            .map_err(|error| format!("{error:?}"))?;
        child.timeout(LIMIT).map_err(|error| format!("{error:?}"))
    }),
    ("procspawn", |body, folder| {
        let mut child = procspawn::spawn((body.to_owned(), folder.to_owned()), pair);
        child.join_timeout(LIMIT).map_err(|error| format!("{error:?}"))
    }),
    ("zygote", |body, folder| {
        let arguments = (body.to_owned(), folder.to_owned());
        Zygote::global().try_run(pair, arguments).map_err(|error| format!("{error:?}"))
    }),
    ("ntest", |body, folder| {
        let _ = BODY.set((body.to_owned(), folder.to_owned()));
        caught(under_ntest)
    }),
    ("rstest", |body, folder| {
        let arguments = (body.to_owned(), folder.to_owned());
        caught(|| execute_with_timeout_sync(|| pair(arguments), LIMIT))
    }),
];

fn ours(method: StartMethod, body: &str, folder: &Path) -> Result<u64, String> {
    let timeout = Timeout::new(LIMIT).start_method(method);
    let arguments = (body.to_owned(), folder.to_owned());
    timeout.call(named, arguments).map_err(|error| format!("{error:#}"))
}

#[expect(clippy::needless_pass_by_value, reason = "arguments cross by value")]
#[process]
fn named(body: String, folder: PathBuf) -> u64 {
    bodies::run(&body, &folder)
}

fn pair((body, folder): (String, PathBuf)) -> u64 {
    named(body, folder)
}

/// What ntest runs has no arguments.
static BODY: OnceLock<(String, PathBuf)> = OnceLock::new();

#[ntest::timeout(1000)]
fn under_ntest() -> u64 {
    BODY.get().map_or(0, |(body, folder)| bodies::run(body, folder))
}

/// In a test, a panic is the failure.
fn caught(call: impl FnOnce() -> u64 + UnwindSafe) -> Result<u64, String> {
    panic::catch_unwind(call).map_err(|payload| match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().map_or("a panic", |text| *text).to_owned(),
    })
}
