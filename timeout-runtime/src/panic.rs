//! Panics in the child: caught, described, never printed by the child.
//!
//! The standard hook takes a lock that threads of the caller hold while they capture backtraces,
//! so a panic in the child could wait for ever. One hook, installed once in the caller before the
//! first fork, passes on to the hook that was there before, but in a child it only notes the
//! message and the place.

use std::any::Any;
use std::panic::PanicHookInfo;
use std::sync::Once;
use std::{env, panic, thread};

use crate::codec;
use crate::current::{self, Current};
use crate::frame::Tag;
use crate::sys::cell::{Published, Slot};
use crate::sys::stack;

/// What is known of a panic: the message, the place, and the raw stack if it was asked for.
pub(crate) type PanicNote = (String, Option<String>, Vec<u64>);

/// The child's latest panic. Swapped, not locked: a lock could be taken at a fork.
static LATEST: Slot<PanicNote> = Slot::new();

/// Installs the hook, the first time it is called.
///
/// Not while this thread is panicking (a call in a `Drop`), when the standard library forbids it.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    if INSTALLED.is_completed() || thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match current::child() {
            Some(child) => note(child, info),
            None => before(info),
        }));
    });
}

/// In the child. What ends the body is reported as its error, and so not printed here; a panic of
/// another thread does not end the body, and is.
fn note(child: &Current, info: &PanicHookInfo<'_>) {
    let message = message(info.payload());
    let place = info.location().map(ToString::to_string);
    let aborts = cfg!(panic = "abort") || is_beyond_unwinding(&message);
    if !aborts && !child.is_body_thread() {
        let name = thread::current().name().unwrap_or("<unnamed>").to_owned();
        let place = place.as_deref().unwrap_or("an unknown place");
        eprintln!("\nthread '{name}' panicked at {place}:\n{message}");
    }
    let stack = if wants_stack() { stack::addresses() } else { Vec::new() };
    let note = (explain(message), place, stack);
    if aborts {
        child.report(Tag::Panicked, &codec::to_bytes(&note));
    }
    LATEST.replace(Some(note));
}

/// The message under which the standard library aborts instead of unwinding: a panic in a
/// destructor while another unwinds, or in a function that must not unwind.
fn is_beyond_unwinding(message: &str) -> bool {
    message.starts_with("panic in a ")
}

/// Such a message says nothing of the panic that came before it: says that too.
fn explain(message: String) -> String {
    match LATEST.replace(None) {
        Some((before, _, _)) if is_beyond_unwinding(&message) => format!("{before}; {message}"),
        _ => message,
    }
}

/// The note of a panic that was caught. A payload that was resumed from elsewhere has none.
pub(crate) fn describe(payload: &(dyn Any + Send)) -> PanicNote {
    let message = message(payload);
    match LATEST.replace(None) {
        Some(note) if note.0 == message => note,
        _ => (message, None, Vec::new()),
    }
}

/// More of a message is not sent.
const MOST: usize = 64 << 10;

fn message(payload: &dyn Any) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "Box<dyn Any>",
    };
    if text.len() <= MOST {
        return text.to_owned();
    }
    let end = (0..=MOST).rfind(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...", &text[..end])
}

/// In a fresh child, which has not panicked yet.
#[inline]
pub(crate) fn forget() {
    LATEST.replace(None);
}

/// Whether the environment asks for the stacks of panics, as it does for Rust's own. Read in the
/// caller, once: in a child the environment's lock may be taken for ever.
pub(crate) fn wants_stack() -> bool {
    static WANTED: Published<bool> = Published::new();
    *WANTED.get_or(|| {
        let asked = env::var_os("RUST_LIB_BACKTRACE").or_else(|| env::var_os("RUST_BACKTRACE"));
        asked.is_some_and(|value| value != "0")
    })
}
