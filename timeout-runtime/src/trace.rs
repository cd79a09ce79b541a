//! Where a body was: a stack, taken in the child and resolved in the caller.

use std::fmt;
use std::sync::OnceLock;

use crate::sys::stack;

/// The stack of a body, innermost function first.
///
/// The child sends bare addresses; the caller, which is the same program at the same place, gives
/// them names when somebody looks, so an error that nobody prints costs no look-up. Without the
/// feature `backtrace` there are no traces.
pub struct Trace {
    addresses: Vec<u64>,
    frames: OnceLock<Vec<Frame>>,
}

/// One function on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Its path, or its address where no name is known.
    pub function: String,
    /// Where in the source it was, if that is known: file and line.
    pub place: Option<(String, u32)>,
}

impl Trace {
    /// `None` for a stack that was not taken.
    pub(crate) fn new(mut addresses: Vec<u64>) -> Option<Self> {
        // The child's word for it is not taken.
        addresses.truncate(stack::MOST);
        (!addresses.is_empty()).then(|| Self { addresses, frames: OnceLock::new() })
    }

    /// The functions, innermost first, without those of the runtime at both ends.
    pub fn frames(&self) -> &[Frame] {
        self.frames.get_or_init(|| trim(resolve(&self.addresses)))
    }
}

/// What runs between a panic and its hook, by the beginnings of the paths.
const PANICKING: [&str; 3] = ["core::panicking::", "std::panicking::", "__rustc::"];

/// What runs when the caller asks where the body hangs.
const ASKED: &str = "timeout_runtime::sys::hang::";

/// What runs the body.
const OUTER: [&str; 4] = [
    "timeout_runtime::child::",
    "timeout_runtime::__private::",
    "Function as timeout_runtime::callable::",
    "timeout_runtime::worker::",
];

/// What stands between, where a function is called by its address.
const ADAPTER: &str = "core::ops::function::";

fn trim(mut frames: Vec<Frame>) -> Vec<Frame> {
    let is_one_of = |frame: &Frame, paths: &[&str]| {
        paths.iter().any(|path| frame.function.trim_start_matches('<').starts_with(path))
    };
    let is_asked = |frame: &Frame| is_one_of(frame, &[ASKED]);
    let is_panicking =
        |frame: &Frame| is_one_of(frame, &PANICKING) && !frame.function.contains("catch_unwind");
    let inner = if let Some(first) = frames.iter().position(is_asked) {
        // Then the frame by which the kernel calls a handler.
        first + frames[first..].iter().take_while(|frame| is_asked(frame)).count() + 1
    } else {
        let outer = frames.iter().position(|frame| is_one_of(frame, &OUTER));
        let body = &frames[..outer.unwrap_or(frames.len())];
        body.iter().rposition(is_panicking).map_or(0, |last| last + 1)
    };
    frames.drain(..inner.min(frames.len()));
    if let Some(outer) = frames.iter().position(|frame| is_one_of(frame, &OUTER)) {
        let body = frames[..outer].iter().rposition(|frame| !is_one_of(frame, &[ADAPTER]));
        frames.truncate(body.map_or(0, |last| last + 1));
    }
    frames
}

#[cfg(feature = "backtrace")]
fn resolve(addresses: &[u64]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for &address in addresses {
        let before = frames.len();
        // A return address is behind its call, which may be the last of its function.
        let call = usize::try_from(address).unwrap_or_default().saturating_sub(1);
        backtrace::resolve(call as *mut std::ffi::c_void, |symbol| {
            let function =
                symbol.name().map_or_else(|| format!("{address:#x}"), |name| format!("{name:#}"));
            let file = symbol.filename().map(|file| file.display().to_string());
            frames.push(Frame { function, place: file.zip(symbol.lineno()) });
        });
        if frames.len() == before {
            frames.push(Frame { function: format!("{address:#x}"), place: None });
        }
    }
    // Tens of megabytes of debug information, which each fork after this would have to copy.
    backtrace::clear_symbol_cache();
    frames
}

#[cfg(not(feature = "backtrace"))]
fn resolve(_: &[u64]) -> Vec<Frame> {
    Vec::new()
}

/// A line a function, and its place under it.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, frame) in self.frames().iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{number:4}: {}", frame.function)?;
            if let Some((file, line)) = &frame.place {
                write!(f, "\n      at {file}:{line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(names: &[&str]) -> Vec<String> {
        let frame = |name: &&str| Frame { function: (*name).to_owned(), place: None };
        let left = trim(names.iter().map(frame).collect());
        left.into_iter().map(|frame| frame.function).collect()
    }

    #[test]
    fn a_stack_that_was_asked_for_begins_behind_the_handler() {
        let names = [
            "backtrace::backtrace::trace_unsynchronized",
            "timeout_runtime::sys::stack::each",
            "timeout_runtime::sys::hang::reply",
            "__restore_rt",
            "nanosleep",
            "app::body",
            "timeout_runtime::__private::<impl timeout_runtime::child::Child>::send::{{closure}}",
            "app::main",
        ];
        let left = trimmed(&names);
        assert_eq!(left, ["nanosleep", "app::body"]);
    }

    #[test]
    fn a_worker_is_trimmed_as_well() {
        let names = [
            "timeout_runtime::sys::hang::reply",
            "__restore_rt",
            "core::ops::function::FnOnce::call_once",
            "app::body",
            "app::body::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "<Function as timeout_runtime::callable::Callable<(),Value>>::call",
            "timeout_runtime::worker::serve_next::{{closure}}",
        ];
        let left = trimmed(&names);
        assert_eq!(left, [names[2], "app::body", "app::body::{{closure}}"]);
    }

    #[test]
    fn the_runtime_is_trimmed_at_both_ends() {
        let names = [
            "timeout_runtime::sys::stack::addresses",
            "std::panicking::panic_with_hook",
            "core::panicking::panic_fmt",
            "core::option::expect_failed",
            "app::parse",
            "std::panicking::catch_unwind::do_call",
            "app::outer",
            "timeout_runtime::child::Child::run::{{closure}}",
            "std::panicking::catch_unwind",
            "app::main",
        ];
        let left = trimmed(&names);
        let body = ["core::option::expect_failed", "app::parse"];
        assert_eq!(
            left,
            [&body[..], &["std::panicking::catch_unwind::do_call", "app::outer"]].concat()
        );
    }
}
