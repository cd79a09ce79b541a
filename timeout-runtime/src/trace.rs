//! Where a body was: stacks, taken in the child and resolved in the caller.

mod trim;

use std::fmt;
use std::sync::OnceLock;

use crate::error::Untraced;
use crate::sys::stack;

/// The stacks of a body, innermost functions first: where it hung, crashed or panicked.
///
/// The child sends bare addresses; the caller, which is the same program at the same place, gives
/// them names when somebody looks, so an error that nobody prints costs no look-up. Without the
/// feature `backtrace` there are no traces.
///
/// `Display` has a line for each function and its place under it, and says which one is the body. Where
/// there is more than one thread, each has a line with its name:
///
/// ```text
/// thread `main`, of the body:
///    0: __futex_abstimed_wait_common
///    1: std::thread::join_handle::JoinHandle<T>::join
///    2: app::search (the body)
///       at src/main.rs:12
/// thread `searcher`:
///    0: app::match_one
///       at src/main.rs:31
/// ```
pub struct Trace {
    stacks: Vec<Stack>,
    function: &'static str,
    threads: OnceLock<Vec<Thread>>,
}

/// One thread of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thread {
    /// Its name, as `top` shows it, of which the kernel keeps 15 bytes; that of a panic's thread is
    /// not known.
    pub name: Option<String>,
    /// Whether it is the one that ran the body.
    pub is_body: bool,
    /// Its functions, innermost first, without those of the runtime at both ends.
    pub frames: Vec<Frame>,
    /// There were more functions: only so many of the innermost are taken.
    pub is_cut: bool,
    /// The function in whose call it waited, for a call within a call.
    pub waits_in: Option<String>,
    /// Why there are no frames, where there are none.
    pub untraced: Option<Untraced>,
}

/// One function on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Its path, or its address where no name is known.
    pub function: String,
    /// Where in the source it was, if that is known: file and line.
    pub place: Option<(String, u32)>,
    /// Whether it is the body itself: what was called with a timeout.
    pub is_body: bool,
}

/// What a thread has said of itself, or why it has not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    pub(crate) name: Option<String>,
    pub(crate) is_body: bool,
    pub(crate) addresses: Vec<u64>,
    pub(crate) is_cut: bool,
    pub(crate) waits_in: Option<String>,
    pub(crate) missing: Option<Untraced>,
}

/// Of a child: that of the body's thread, or of the one that crashed, comes first.
pub(crate) type Stacks = Result<Vec<Stack>, Untraced>;

impl Stack {
    /// It was taken if the environment asked for it.
    pub(crate) fn of_panic(mut addresses: Vec<u64>) -> Stacks {
        // The child's word for it is not taken.
        addresses.truncate(stack::MOST);
        let asked =
            if cfg!(feature = "backtrace") { Untraced::NotAsked } else { Untraced::FeatureOff };
        if addresses.is_empty() {
            return Err(asked);
        }
        Ok(vec![Self { is_body: true, addresses, ..Self::default() }])
    }
}

impl Trace {
    /// Of at least one stack, in a call of that function.
    pub(crate) fn new(stacks: Vec<Stack>, function: &'static str) -> Self {
        Self { stacks, function, threads: OnceLock::new() }
    }

    /// The functions of the body's own thread, or of the one that crashed: innermost first, without
    /// those of the runtime at both ends.
    pub fn frames(&self) -> &[Frame] {
        self.threads().first().map_or(&[], |thread| &thread.frames)
    }

    /// All threads that the child had, up to 32: the body's own first. Of a crash or a panic there is
    /// one, in which it happened.
    pub fn threads(&self) -> &[Thread] {
        self.threads.get_or_init(|| {
            let threads = self.stacks.iter().map(|stack| stack.resolve(self.function)).collect();
            forget_symbols();
            threads
        })
    }
}

impl Stack {
    fn resolve(&self, function: &str) -> Thread {
        let Self { name, is_body, addresses, is_cut, waits_in, missing } = self.clone();
        let mut frames = trim::trimmed(resolve(&addresses), is_body, waits_in.is_some());
        if is_body && missing.is_none() && !is_cut {
            trim::mark_body(&mut frames, function);
        }
        Thread { name, is_body, frames, is_cut, waits_in, untraced: missing }
    }
}

#[cfg(feature = "backtrace")]
fn resolve(addresses: &[u64]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for &address in addresses {
        let before = frames.len();
        let mut note = |function: String, place| {
            frames.push(Frame { function, place, is_body: false });
        };
        // It looks before a return address, which is behind its call.
        let call = usize::try_from(address).unwrap_or_default();
        backtrace::resolve(call as *mut std::ffi::c_void, |symbol| {
            let function =
                symbol.name().map_or_else(|| format!("{address:#x}"), |name| format!("{name:#}"));
            let file = symbol.filename().map(|file| file.display().to_string());
            note(function, file.zip(symbol.lineno()));
        });
        if frames.len() == before {
            frames.push(Frame { function: format!("{address:#x}"), place: None, is_body: false });
        }
    }
    frames
}

/// Tens of megabytes of debug information, which each fork after this would have to copy.
#[cfg(feature = "backtrace")]
fn forget_symbols() {
    backtrace::clear_symbol_cache();
}

#[cfg(not(feature = "backtrace"))]
fn resolve(_: &[u64]) -> Vec<Frame> {
    Vec::new()
}

#[cfg(not(feature = "backtrace"))]
fn forget_symbols() {}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.threads();
        for (number, thread) in threads.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            // One that is the body's needs no name.
            if threads.len() > 1 || !thread.is_body {
                thread.write_head(f)?;
            }
            fmt::Display::fmt(thread, f)?;
        }
        Ok(())
    }
}

impl Thread {
    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "thread `{name}`")?,
            None => f.write_str("a thread")?,
        }
        f.write_str(if self.is_body { ", of the body:\n" } else { ":\n" })
    }
}

/// A line a function, and its place under it. Functions that call themselves are told once.
impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if let Some(function) = &self.waits_in {
            lines.push(format!("      (waits in a call of `{function}`)"));
        }
        if let Some(why) = &self.untraced {
            lines.push(format!("      (no trace: {why})"));
        }
        let mut number = 0;
        for alike in self.frames.chunk_by(PartialEq::eq) {
            let Frame { function, place, is_body } = &alike[0];
            let mark = if *is_body { " (the body)" } else { "" };
            lines.push(format!("{number:4}: {function}{mark}"));
            lines.extend(place.iter().map(|(file, line)| format!("      at {file}:{line}")));
            if alike.len() > 1 {
                lines.push(format!("      ({} times)", alike.len()));
            }
            number += alike.len();
        }
        if self.is_cut {
            lines.push("      (and more)".to_owned());
        }
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
