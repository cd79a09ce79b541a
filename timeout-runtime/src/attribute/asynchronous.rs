//! What an `async fn` expands to.

use std::future::Future;

use super::{Crossing, Departs};
use crate::Timeout;
#[cfg(feature = "tokio")]
use crate::child::Sink;
use crate::error::Error;
use crate::inline::Performer;
use crate::limit::IntoLimit;
use crate::start::fork::Side;
#[cfg(feature = "tokio")]
use crate::sys::threads::Vouched;

/// Runs the body under its limit.
#[cfg(feature = "tokio")]
#[inline]
pub fn cooperative<F: Future>(
    limit: impl IntoLimit,
    function: &'static str,
    body: F,
) -> impl Future<Output = Result<F::Output, Error>> {
    crate::cooperative::decorated(limit, function, body)
}

/// So that what `needs_tokio` says is the one error.
///
/// # Errors
///
/// None.
#[cfg(not(feature = "tokio"))]
pub async fn cooperative<F: Future>(
    _: impl IntoLimit,
    _: &'static str,
    _: F,
) -> Result<F::Output, Error> {
    unreachable!("this does not compile without the feature `tokio`")
}

/// Starts the child of a function that is awaited, and awaits it. Ready in two processes.
#[cfg(feature = "tokio")]
pub fn fork_async(timeout: Timeout, function: &'static str) -> impl Future<Output = Side> + Send {
    timeout.start_awaited(function)
}

/// As above.
#[cfg(not(feature = "tokio"))]
pub async fn fork_async(_: Timeout, _: &'static str) -> Side {
    unreachable!("this does not compile without the feature `tokio`")
}

/// What goes to the thread that runs an async body: whatever is `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to the thread that runs the body",
    label = "this argument must be `Send`",
    note = "with `start = \"fork\"` the body of an `async fn` runs on a new thread of the child, which \
            knows nothing of the caller's runtime"
)]
pub trait Sent {}

#[diagnostic::do_not_recommend]
impl<T: Send + ?Sized> Sent for T {}

/// Asks it of an argument.
pub fn sent<T: Sent>(_: &T) {}

/// Asks it of a type.
pub fn sent_type<T: Sent>() {}

impl Performer {
    /// Runs an async body to its end, on a thread and a runtime of its own, as
    /// [`send`](Self::send) does. The body captures nothing but arguments that were asked for [`Sent`].
    ///
    /// # Errors
    ///
    /// A failure of a body that ran in the caller.
    #[cfg_attr(
        not(feature = "tokio"),
        expect(unused_variables, clippy::unused_self, reason = "as above")
    )]
    pub fn send_async<R, F: Future<Output = R>>(
        self,
        crossing: Crossing<R>,
        carried: &[&(dyn Departs + Sync)],
        body: impl FnOnce() -> F,
    ) -> Result<R, Error> {
        #[cfg(not(feature = "tokio"))]
        unreachable!("this does not compile without the feature `tokio`");
        #[cfg(feature = "tokio")]
        {
            let mut body = Some(Vouched::new(body));
            let mut perform = |sink: &mut Sink<'_>| {
                let Some(body) = body.take() else { return Ok(()) };
                let value = sink.block_on(body.into_inner());
                (crossing.encode)(value, sink)
            };
            match self {
                Self::Child(child) => child.enter_apart(std::any::type_name::<R>(), &mut |sink| {
                    perform(sink)?;
                    carried.iter().try_for_each(|argument| argument.write(sink))
                }),
                Self::Inline(inline) => inline.send_apart(&mut perform).receive(crossing, &mut []),
            }
        }
    }
}

/// Says which feature is missing, where the invocation's tokens say that it is missed.
#[cfg(feature = "tokio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_tokio {
    () => {};
}

/// Says which feature is missing, where the invocation's tokens say that it is missed.
#[cfg(not(feature = "tokio"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __needs_tokio {
    () => {
        ::core::compile_error!(
            "a timeout of an `async fn` needs tokio: enable the feature `tokio` of \
             `timeout-runtime`, as in `cargo add timeout-runtime --features tokio`"
        );
    };
}
