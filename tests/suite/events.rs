//! What a call tells `tracing`.

use std::fmt::{Debug, Write};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use timeout_runtime::{StartMethod, Timeout};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::METHODS;
use crate::support::{self, LONG, spin};

/// Writes a line for each thing it is told; one that a child tells it ends that child.
struct Listener {
    process: u32,
    next: AtomicU64,
    heard: Arc<Mutex<Vec<String>>>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Listener {
    fn hear(&self, line: String) {
        if process::id() != self.process {
            process::abort();
        }
        self.heard.lock().unwrap().push(line);
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("timeout_runtime")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("span {}", span.metadata().name()));
        span.record(&mut line);
        self.hear(line.0);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let parent = event.parent().map_or(0, Id::into_u64);
        let mut line = Line(format!("{} in {parent}:", event.metadata().level()));
        event.record(&mut line);
        self.hear(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn try_close(&self, id: Id) -> bool {
        self.hear(format!("close {}", id.into_u64()));
        true
    }
}

fn heard(work: impl FnOnce()) -> Vec<String> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener =
        Listener { process: process::id(), next: AtomicU64::new(1), heard: Arc::clone(&heard) };
    tracing::subscriber::with_default(listener, work);
    let heard = heard.lock().unwrap();
    heard.clone()
}

/// Where no other test makes calls: while there is one listener, `tracing` takes it for granted that
/// nobody listens to a place which a thread without it was the first to come to.
fn alone(test: &str, scenario: impl FnOnce()) {
    support::alone(&format!("events::{test}"), scenario);
}

fn value() -> u8 {
    7
}

fn hangs() {
    spin()
}

/// Makes calls itself.
fn nested() -> u8 {
    let inner = Timeout::new(LONG).run(|| 7).unwrap();
    assert!(Timeout::new(0).run(value).is_err());
    inner
}

#[track_caller]
fn assert_lines(heard: &[String], expected: &[&[&str]]) {
    assert_eq!(heard.len(), expected.len(), "{heard:#?}");
    for (line, parts) in heard.iter().zip(expected) {
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
    }
}

fn name(method: StartMethod) -> String {
    format!("start=\"{}\"", format!("{method:?}").to_lowercase())
}

#[test]
fn a_call_is_a_span_and_its_end_an_event() {
    alone("a_call_is_a_span_and_its_end_an_event", || {
        for method in METHODS {
            let timeout = Timeout::new(LONG).start_method(method);
            let heard = heard(|| assert_eq!(timeout.call(value, ()).unwrap(), 7));
            let method = name(method);
            let begun = ["span timeout", "events::value", "limit=60s", &method, "child="];
            // Of a worker that goes on nothing is known yet.
            assert_lines(&heard, &[&begun, &["DEBUG in 1:", "returned a value"], &["close 1"]]);
        }
    });
}

#[test]
fn a_timeout_is_told_with_each_signal() {
    alone("a_timeout_is_told_with_each_signal", || {
        for method in METHODS {
            let timeout = Timeout::new(2).start_method(method);
            let heard = heard(|| assert!(timeout.call(hangs, ()).unwrap_err().is_timeout()));
            assert_lines(
                &heard,
                &[
                    &["span timeout", "events::hangs"],
                    &["INFO in 1:", "the deadline has passed"],
                    &["DEBUG in 1:", "SIGTERM"],
                    &["WARN in 1:", "timed out after 2 s", "cpu=", "peak="],
                    &["close 1"],
                ],
            );
        }
    });
}

#[test]
fn a_call_that_had_no_child_is_told() {
    alone("a_call_that_had_no_child_is_told", || {
        let heard = heard(|| drop(Timeout::new(0).run(value)));
        assert_lines(&heard, &[&["WARN in 0:", "timed out", "before it started", "limit=0ns"]]);
    });
}

#[test]
fn a_call_that_is_dropped_is_told() {
    alone("a_call_that_is_dropped_is_told", || {
        let heard = heard(|| drop(Timeout::new(LONG).grace(0).start(hangs).unwrap()));
        let dropped = ["DEBUG in 1:", "was dropped"];
        let killed = ["DEBUG in 1:", "SIGKILL"];
        assert_lines(&heard, &[&["span timeout"], &dropped, &killed, &["close 1"]]);
    });
}

#[test]
fn a_child_tells_nothing() {
    alone("a_child_tells_nothing", || {
        let heard = heard(|| assert_eq!(Timeout::new(LONG).run(nested).unwrap(), 7));
        let begun = ["span timeout", "events::nested"];
        assert_lines(&heard, &[&begun, &["DEBUG in 1:", "returned a value"], &["close 1"]]);
    });
}

#[test]
fn an_awaited_call_is_told_too() {
    alone("an_awaited_call_is_told_too", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let heard = heard(|| {
            runtime.block_on(async {
                let timeout = Timeout::new(LONG);
                assert_eq!(timeout.run_async(value).await.unwrap(), 7);
                let slow = timeout.run_async(|| std::thread::sleep(10 * LONG));
                let brief = Duration::from_millis(200);
                assert!(tokio::time::timeout(brief, slow).await.is_err());
            });
            drop(runtime);
        });
        assert_lines(&heard[..3], &[&["span timeout"], &["returned a value"], &["close 1"]]);
        // The rest is done on threads of the runtime.
        assert!(heard[3].contains("span timeout"), "{heard:#?}");
    });
}
