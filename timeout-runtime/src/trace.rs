//! Where a body was: a stack, taken in the child and resolved in the caller.

use std::fmt;
use std::sync::OnceLock;

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
    pub(crate) fn new(addresses: Vec<u64>) -> Option<Self> {
        (!addresses.is_empty()).then(|| Self { addresses, frames: OnceLock::new() })
    }

    /// The functions, innermost first, without those of the runtime at both ends.
    pub fn frames(&self) -> &[Frame] {
        self.frames.get_or_init(|| trim(resolve(&self.addresses)))
    }
}

/// What runs between a panic and its hook, by the beginnings of the paths.
const PANICKING: [&str; 3] = ["core::panicking::", "std::panicking::", "__rustc::"];

/// The first function that is the runtime's and not the body's.
const OUTER: &str = "timeout_runtime::child::Child::run";

fn trim(mut frames: Vec<Frame>) -> Vec<Frame> {
    if let Some(outer) = frames.iter().position(|frame| frame.function.starts_with(OUTER)) {
        frames.truncate(outer);
    }
    let is_panicking = |frame: &Frame| {
        PANICKING.iter().any(|prefix| frame.function.starts_with(prefix))
            && !frame.function.contains("catch_unwind")
    };
    let inner = frames.iter().rposition(is_panicking).map_or(0, |last| last + 1);
    frames.drain(..inner);
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

    #[test]
    fn the_runtime_is_trimmed_at_both_ends() {
        let frame = |function: &str| Frame { function: function.to_owned(), place: None };
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
        let left = trim(names.into_iter().map(frame).collect());
        let left: Vec<&str> = left.iter().map(|frame| frame.function.as_str()).collect();
        let body = ["core::option::expect_failed", "app::parse"];
        assert_eq!(
            left,
            [&body[..], &["std::panicking::catch_unwind::do_call", "app::outer"]].concat()
        );
    }
}
