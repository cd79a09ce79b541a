//! The attribute of `timeout-runtime`, which re-exports it: depend on that crate, not on this one.

mod args;
mod carried;
mod expand;
mod fallback;
mod item;
mod sent;
mod valid;

use proc_macro2::TokenStream;

use crate::args::Args;
use crate::item::Item;

/// Runs the function in a child process, under a hard time limit.
///
/// ```text
/// use timeout_runtime::timeout;
///
/// #[timeout(2)]
/// fn might_get_stuck(input: String) -> usize {
///     parse(&input)
/// }
///
/// let result: Result<usize, timeout_runtime::Error> = might_get_stuck(text);
/// ```
///
/// # Arguments
///
/// First the limit: seconds as an integer or a float, a `Duration`, or an `Option` of one of these
/// (`None`: never). It is an expression, and may use the function's own parameters. Then any of:
///
/// | key | meaning | default |
/// |---|---|---|
/// | `grace = EXPR` | from SIGTERM to SIGKILL, in the same forms; `0`: SIGKILL at once | 10 s |
/// | `memory = BYTES` | how much memory the body may take, as in `64 << 20` for 64 MiB | no limit |
/// | `cpu = EXPR` | how much processor time it may use, in the forms of a limit | no limit |
/// | `start = "fork"`, `"spawn"` or `"pool"` | how the child comes to be | `"fork"` |
/// | `wrap` | always return `Result<Written, Error>` | off |
/// | `panic` | always return what is written; a failure panics in the caller | off; on under `#[should_panic]` |
/// | `on_timeout = EXPR` | return what is written; `EXPR`, which may use the parameters, is the value when time runs out | off |
/// | `local(NAME, ...)` | what the body does to these `&mut` arguments (or `self`) stays in the child | none |
/// | `original = NAME` | also emit the function undecorated, under this name | off |
/// | `crate = PATH` | where `timeout_runtime` is, if renamed | `::timeout_runtime` |
///
/// # What the decorated function returns
///
/// | written | returned | a failure becomes |
/// |---|---|---|
/// | `-> T` | `Result<T, timeout_runtime::Error>` | `Err(error)` |
/// | `-> Result<T, E>`, also `io::Result<T>` and the like | what is written | `Err(E::from(error))` |
///
/// What is returned crosses a pipe: it implements serde's `Serialize` and `DeserializeOwned`. The
/// error of a written `Result` need not: one that serializes comes back as it was, an `io::Error`
/// with its kind and code, any other as its message and the messages of its sources, rebuilt by
/// `From<RemoteError>` or `From<timeout_runtime::Error>`. `anyhow::Error`, `eyre::Report`,
/// `Box<dyn Error>` and a `thiserror` enum with a `#[from] timeout_runtime::Error` have what it takes.
///
/// # Arguments of the function
///
/// The body sees them as they were at the call. What it does to a `&mut` argument, or to
/// `&mut self`, is committed when the call succeeds (an `Err` that the body returns is a success of
/// the call) and rolled back when it fails; such an argument crosses the pipe too, or is `local`. An
/// argument by value exists twice: one that the body drops is dropped in the child and, for its
/// memory, in the caller.
///
/// # Start methods
///
/// With `"fork"` the child is a copy of the caller, and has all arguments as they are. With `"spawn"`
/// it is this program started afresh, and with `"pool"` such a process that is kept for the next call;
/// both need the feature `pool`. Arguments then cross serialized: `&str`, `&[T]`, `&Path`, `&T`, `&mut T`
/// and `&self` are sent whole and lent to the body, and what cannot be sent is an error at the argument.
///
/// # On an `async fn`
///
/// With the feature `tokio`, and without a child: the body is dropped at the `.await` where it stands
/// when time runs out. See the module `timeout_runtime::cooperative`. Nothing has to serialize, what
/// the body does to its arguments is done, and a borrow or an `impl Trait` may be returned. The time
/// counts from the first poll, which is when an `async fn` is called. `on_timeout` may use the
/// arguments that the body does not use up: references, and what is `Copy`. `grace`, `local`, `memory`
/// and `cpu` are about a child, and refused without one: with `start` there is one, and the call is awaited.
///
/// `#[async_trait]` makes an `async fn` a plain one that returns a boxed future, before this attribute
/// sees it: there, decorate an `async fn` that the method calls.
///
/// # On tests
///
/// It goes above or below `#[test]` and `#[should_panic]`, and below `#[tokio::test]`, which makes a
/// plain function of an async one. Above `#[tokio::test]` it sees an `async fn`: then the body is
/// stopped at an `.await`, and the runtime's clock is what counts, a paused one too. With rstest,
/// which takes a bare `timeout` for its own, write `#[timeout_runtime::timeout(2)]`.
///
/// # Panics
///
/// The decorated function panics under the key `panic`, and with `on_timeout` on a function without
/// a written `Result`, for a failure other than a timeout.
///
/// After `@timeout` decorators on Python's `multiprocessing`.
#[proc_macro_attribute]
pub fn timeout(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    decorate(args.into(), &item.into()).into()
}

fn decorate(args: TokenStream, item: &TokenStream) -> TokenStream {
    let item = match syn::parse2::<Item>(item.clone()) {
        Ok(item) => item,
        Err(error) => return fallback::unparsed(item, &error),
    };
    let args = match syn::parse2::<Args>(args) {
        Ok(args) => args,
        Err(error) => return fallback::undecorated(None, &item, &error),
    };
    match valid::check(&args, &item) {
        Ok(()) => expand::function(&args, &item),
        Err(error) => fallback::undecorated(Some(&args), &item, &error),
    }
}

#[cfg(test)]
mod tests;
