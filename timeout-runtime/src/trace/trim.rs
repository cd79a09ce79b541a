//! What of a stack is the body's, by the names of the functions.
//!
//! The child has left out what it could tell by addresses: the handler, and what is around the body.

use super::Frame;

/// What runs between a panic and its hook, by the beginnings of the paths.
const PANICKING: [&str; 3] = ["core::panicking::", "std::panicking::", "__rustc::"];

/// What runs when a stack is taken in a handler, where that was not told by its address.
const ASKED: [&str; 3] = [
    "timeout_runtime::sys::hang::",
    "timeout_runtime::sys::crash::",
    "timeout_runtime::sys::slate::Note",
];

/// What runs the body, in the child.
const OUTER: [&str; 6] = [
    "timeout_runtime::child::",
    "timeout_runtime::inline::",
    "timeout_runtime::sys::slate::bounded",
    "Function as timeout_runtime::callable::",
    "timeout_runtime::callable::",
    "timeout_runtime::worker::",
];

/// What runs where the allocator gets no memory.
const STARVED: &str = "alloc::alloc::handle_alloc_error";

/// What runs other threads.
const THREAD: &str = "std::sys::backtrace::__rust_begin_short_backtrace";

/// What stands between, where a function is called by its address.
const ADAPTERS: [&str; 2] = ["core::ops::function::", "core::panic::unwind_safe::"];

/// And what runs a body that is awaited, and that itself waits, and so is not on the stack.
const EXECUTOR: [&str; 2] = ["tokio::runtime::", "std::thread::local::"];

/// Without the functions of the runtime at both ends.
pub(super) fn trimmed(mut frames: Vec<Frame>, is_body: bool, waits: bool) -> Vec<Frame> {
    if let Some(first) = frames.iter().position(|frame| is_one_of(frame, &ASKED)) {
        // Then the frame by which the kernel calls a handler.
        let asked = frames[first..].iter().take_while(|frame| is_one_of(frame, &ASKED)).count();
        frames.drain(..(first + asked + 1).min(frames.len()));
    }
    let is_outer =
        |frame: &Frame| if is_body { runs_body(frame) } else { is_one_of(frame, &[THREAD]) };
    if let Some(outer) = frames.iter().position(is_outer) {
        // What an optimizer has made part of it has no name of its own.
        frames.truncate(if is_body { outer } else { outer.max(1) });
    }
    let is_around =
        |frame: &Frame| is_one_of(frame, &ADAPTERS) || is_body && is_one_of(frame, &EXECUTOR);
    let body = frames.iter().rposition(|frame| !is_around(frame));
    frames.truncate(body.map_or(0, |last| last + 1));
    let is_panicking =
        |frame: &Frame| is_one_of(frame, &PANICKING) && !frame.function.contains("catch_unwind");
    let is_note = |frame: &Frame| is_one_of(frame, &["timeout_runtime::panic::note"]);
    if frames.iter().any(is_note) {
        let hook = frames.iter().rposition(is_panicking);
        frames.drain(..hook.map_or(0, |last| last + 1));
    }
    // By which the standard library aborts, after it has printed.
    let is_starved = |frame: &Frame| is_one_of(frame, &[STARVED]);
    if let Some(last) = frames.iter().rposition(is_starved) {
        frames.drain(..=last);
    }
    if waits {
        // The wait of the call within it, and what leads there.
        let is_wait = |frame: &Frame| {
            is_runtime(frame)
                && ["::sys::", "::watch::"].iter().any(|room| frame.function.contains(room))
        };
        let first = frames.iter().position(is_runtime);
        if first.is_some_and(|first| is_wait(&frames[first])) {
            let last = frames.iter().rposition(is_runtime);
            frames.drain(..last.map_or(0, |last| last + 1));
        }
    }
    frames
}

/// Says which one is the body: the outermost. An optimizer may have made it part of what calls it, which
/// has no name then; it has one in its place.
pub(super) fn mark_body(frames: &mut Vec<Frame>, function: &str) {
    let is_it = |frame: &Frame| plain(&frame.function).contains(&plain(function));
    if !frames.last().is_some_and(is_it) {
        frames.push(Frame { function: function.to_owned(), place: None, is_body: false });
    }
    if let Some(body) = frames.last_mut() {
        body.is_body = true;
    }
}

/// The path without what the compilers' schemes differ in: generic arguments, the numbers of closures.
fn plain(path: &str) -> String {
    let mut depth = 0;
    let mut plain = String::new();
    for letter in path.replace("{{closure}}", "{closure}").chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            '#' | '0'..='9' | '{' | '}' if depth == 0 => {}
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    plain.replace("::::", "::").trim_end_matches(':').to_owned()
}

fn is_one_of(frame: &Frame, paths: &[&str]) -> bool {
    paths.iter().any(|path| frame.function.trim_start_matches('<').starts_with(path))
}

fn runs_body(frame: &Frame) -> bool {
    // In a room of another one: `__private::<impl timeout_runtime::inline::Performer>::send`.
    let is_elsewhere = |room: &str| frame.function.contains(&format!("<impl {room}"));
    is_one_of(frame, &OUTER) || OUTER.into_iter().any(is_elsewhere)
}

fn is_runtime(frame: &Frame) -> bool {
    is_one_of(frame, &["timeout_runtime::"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<Frame> {
        let frame =
            |name: &&str| Frame { function: (*name).to_owned(), place: None, is_body: false };
        names.iter().map(frame).collect()
    }

    fn left(names: &[&str], waits: bool) -> Vec<String> {
        trimmed(of(names), true, waits).into_iter().map(|frame| frame.function).collect()
    }

    #[test]
    fn a_stack_that_was_asked_for_begins_behind_the_handler() {
        let names = [
            "backtrace::backtrace::trace_unsynchronized",
            "timeout_runtime::sys::stack::each_from",
            "timeout_runtime::sys::hang::answer",
            "timeout_runtime::sys::hang::reply",
            "__restore_rt",
            "nanosleep",
            "app::body",
            "timeout_runtime::__private::<impl timeout_runtime::inline::Performer>::send::{{closure}}",
            "app::main",
        ];
        assert_eq!(left(&names, false), ["nanosleep", "app::body"]);
    }

    #[test]
    fn a_worker_is_trimmed_as_well() {
        let names = [
            "core::ops::function::FnOnce::call_once",
            "app::body",
            "app::body::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "<Function as timeout_runtime::callable::Callable<(),Value>>::call",
            "timeout_runtime::worker::serve_next::{{closure}}",
        ];
        assert_eq!(left(&names, false), &names[..3]);
    }

    #[test]
    fn the_runtime_is_trimmed_at_both_ends_of_a_panic() {
        let names = [
            "timeout_runtime::sys::stack::addresses",
            "timeout_runtime::panic::note",
            "std::panicking::panic_with_hook",
            "core::panicking::panic_fmt",
            "core::option::expect_failed",
            "app::parse",
            "std::panicking::catch_unwind::do_call",
            "app::outer",
            "timeout_runtime::sys::slate::bounded",
            "timeout_runtime::child::Child::run::{{closure}}",
            "std::panicking::catch_unwind",
            "app::main",
        ];
        assert_eq!(left(&names, false), &names[4..8]);
    }

    #[test]
    fn a_wait_for_a_call_within_is_left_out_and_who_made_that_call_is_not() {
        let names = [
            "ppoll",
            "timeout_runtime::sys::linux::process::Process::wait",
            "timeout_runtime::watch::Watch::wait",
            "timeout_runtime::call::Pending::join",
            "app::inner",
            "app::outer",
            "timeout_runtime::child::send_value",
        ];
        assert_eq!(left(&names, true), ["app::inner", "app::outer"]);
        // What runs in the caller's part of that call hangs there itself.
        let names = ["app::deserialize", "timeout_runtime::codec::decode", "app::outer"];
        assert_eq!(left(&names, true), names);
    }

    #[test]
    fn an_awaited_body_that_waits_shows_what_its_runtime_does() {
        let names = [
            "epoll_wait",
            "mio::poll::Poll::poll",
            "tokio::runtime::park",
            "core::ops::function::f",
        ];
        assert_eq!(left(&names, false), &names[..2]);
    }

    #[test]
    fn another_thread_ends_where_it_was_started() {
        let names = ["app::work", THREAD, "std::thread::start"];
        assert_eq!(trimmed(of(&names), false, false), of(&names[..1]));
        assert_eq!(trimmed(of(&names[1..]), false, false), of(&names[1..2]));
    }

    #[test]
    fn the_body_is_marked_and_named_where_the_optimizer_took_its_name() {
        for (name, function) in [
            ("app::parse::{{closure}}", "parse"),
            ("app::run::{closure#3}", "app::run::{{closure}}"),
            ("app::generic::<u8>", "app::generic<u8>"),
        ] {
            let mut frames = of(&["sleep", name]);
            mark_body(&mut frames, function);
            assert_eq!(frames.len(), 2, "{name}");
            assert!(!frames[0].is_body && frames[1].is_body);
        }
        let mut frames = of(&["sleep"]);
        mark_body(&mut frames, "parse");
        assert_eq!(frames[1].function, "parse");
        assert!(frames[1].is_body);
    }

    #[test]
    fn the_end_for_want_of_memory_begins_where_memory_was_wanted() {
        let names = [
            "std::process::abort",
            "alloc::alloc::handle_alloc_error",
            "std::sys::backtrace::_print",
            "std::alloc::rust_oom",
            "alloc::alloc::handle_alloc_error",
            "alloc::raw_vec::handle_error",
            "app::body",
            "<timeout_runtime::inline::Performer>::send::<()>::{closure#0}",
        ];
        assert_eq!(left(&names, false), ["alloc::raw_vec::handle_error", "app::body"]);
    }
}
