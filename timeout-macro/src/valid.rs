//! What cannot be. Each is one error, on the token it is about, that says what to write instead.

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Abi, Error, Expr, ExprLit, ExprUnary, FnArg, Lit, Pat, Result, Safety, Type, UnOp};

use crate::args::Args;
use crate::carried;
use crate::expand;
use crate::item::Item;
use crate::sent;

pub(crate) fn check(args: &Args, item: &Item) -> Result<()> {
    limit(&args.limit)?;
    args.grace.as_ref().map_or(Ok(()), grace)?;
    args.memory.as_ref().map_or(Ok(()), memory)?;
    args.cpu.as_ref().map_or(Ok(()), cpu)?;
    start(args)?;
    combination(args)?;
    function(item)?;
    returned(item)?;
    abi(args, item)?;
    if expand::is_cooperative(args, item) {
        return cooperative(args);
    }
    carried::arguments(args, item)?;
    if let expand::Start::Afresh(_) = expand::start_of(args) {
        sent::arguments(item)?;
        sent::no_self_in_text(item)?;
    } else {
        named(item)?;
    }
    crosses(item)
}

/// What a literal can say about a duration.
#[derive(PartialEq)]
enum Seconds {
    Some,
    Zero,
    Negative,
    NoDuration,
    /// Not a literal: known at run time.
    Unknown,
}

fn seconds(expr: &Expr) -> Seconds {
    match expr {
        Expr::Group(inner) => seconds(&inner.expr),
        Expr::Paren(inner) => seconds(&inner.expr),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            // Too large for `u128` is not zero.
            if number.base10_parse::<u128>().is_ok_and(|seconds| seconds == 0) {
                Seconds::Zero
            } else {
                Seconds::Some
            }
        }
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => match number.base10_parse::<f64>() {
            Ok(0.0) if number.base10_digits().bytes().all(|b| matches!(b, b'0' | b'.' | b'_')) => {
                Seconds::Zero
            }
            _ => Seconds::Some,
        },
        Expr::Lit(_) => Seconds::NoDuration,
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match seconds(expr) {
            Seconds::Some => Seconds::Negative,
            other => other,
        },
        _ => Seconds::Unknown,
    }
}

fn limit(limit: &Expr) -> Result<()> {
    let message = match seconds(limit) {
        Seconds::Zero => {
            "a limit of zero never lets the body start; expected more than zero seconds"
        }
        Seconds::Negative => "a limit cannot be negative; expected more than zero seconds",
        Seconds::NoDuration => {
            "expected a limit: seconds (an integer or a float), a `Duration`, \
             or an `Option` of one of these"
        }
        Seconds::Some | Seconds::Unknown => return Ok(()),
    };
    Err(Error::new(limit.span(), message))
}

fn grace(grace: &Expr) -> Result<()> {
    let message = match seconds(grace) {
        Seconds::Negative => "a grace cannot be negative; `0` means SIGKILL at once",
        Seconds::NoDuration => {
            "expected a grace: seconds (an integer or a float), a `Duration`, \
             or an `Option` of one of these"
        }
        _ => return Ok(()),
    };
    Err(Error::new(grace.span(), message))
}

fn memory(memory: &Expr) -> Result<()> {
    let is_float = matches!(memory, Expr::Lit(ExprLit { lit: Lit::Float(_), .. }));
    let message = match seconds(memory) {
        Seconds::Zero => "a memory limit of zero lets no body allocate; expected a number of bytes",
        Seconds::Negative => "a memory limit cannot be negative; expected a number of bytes",
        Seconds::NoDuration => {
            "expected a memory limit: a number of bytes, as in `memory = 64 << 20` for 64 MiB"
        }
        _ if is_float => {
            "expected a memory limit: a whole number of bytes, as in `memory = 64 << 20` for 64 MiB"
        }
        _ => return Ok(()),
    };
    Err(Error::new(memory.span(), message))
}

fn cpu(cpu: &Expr) -> Result<()> {
    let message = match seconds(cpu) {
        Seconds::Zero => {
            "a CPU limit of zero never lets the body start; expected more than zero seconds"
        }
        Seconds::Negative => "a CPU limit cannot be negative; expected more than zero seconds",
        Seconds::NoDuration => {
            "expected a CPU limit: seconds (an integer or a float), a `Duration`, \
             or an `Option` of one of these"
        }
        _ => return Ok(()),
    };
    Err(Error::new(cpu.span(), message))
}

fn start(args: &Args) -> Result<()> {
    match &args.start {
        Some(method) if !["fork", "spawn", "pool"].contains(&method.value().as_str()) => {
            let message = "unknown start method; expected `\"fork\"`, `\"spawn\"` or `\"pool\"`";
            Err(Error::new(method.span(), message))
        }
        _ => Ok(()),
    }
}

fn combination(args: &Args) -> Result<()> {
    let Some(wrap) = &args.wrap else { return Ok(()) };
    let other = match (&args.panic, &args.on_timeout) {
        (Some(panic), _) => panic,
        (None, Some((on_timeout, _))) => on_timeout,
        (None, None) => return Ok(()),
    };
    Err(Error::new(
        other.span(),
        format!("`{other}` returns what is written, `{wrap}` a `Result` around it: keep one"),
    ))
}

fn function(item: &Item) -> Result<()> {
    let signature = &item.signature;
    if let Some(token) = &signature.constness {
        return Err(Error::new(
            token.span(),
            "a `const fn` cannot start a process: remove `const`, or decorate a function that calls it",
        ));
    }
    if let Safety::Safe(token) = &signature.safety {
        return Err(Error::new(token.span(), "`safe` goes on declarations in `extern` blocks"));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new(
            variadic.span(),
            "variadic arguments cannot be passed on: take a slice instead",
        ));
    }
    Ok(())
}

/// Stopped at an `.await`: there is no child that a key could be about.
fn cooperative(args: &Args) -> Result<()> {
    let of_a_child = ["grace", "local", "memory", "cpu"];
    match of_a_child.iter().find_map(|name| args.key(name)) {
        Some(key) => Err(Error::new(
            key.span(),
            format!(
                "`{key}` is about a child, and this `async fn` has none: it is stopped at an \
                 `.await`; remove `{key}`, or write `start = \"fork\"` for a child"
            ),
        )),
        None => Ok(()),
    }
}

/// What an `async fn` takes apart in its signature is asked for `Send` by the written type.
fn named(item: &Item) -> Result<()> {
    for argument in item.signature.inputs.iter().filter(|_| item.is_async()) {
        let FnArg::Typed(argument) = argument else { continue };
        let is_named = matches!(&*argument.pat, Pat::Ident(_));
        if !is_named && Item::has_word(argument.ty.to_token_stream(), "impl") {
            return Err(Error::new(
                argument.ty.span(),
                "an `impl Trait` by a pattern cannot go to the thread that runs the body: give the \
                 argument a name",
            ));
        }
    }
    Ok(())
}

/// Whoever calls by another ABI was told the written type, and would read something else.
fn abi(args: &Args, item: &Item) -> Result<()> {
    match &item.signature.abi {
        Some(abi) if expand::wraps(args, item) && !is_rust(abi) => Err(Error::new(
            abi.span(),
            "the decorated function would return a `Result`, which its callers by this ABI do not \
             expect: write `on_timeout = ..` or `panic` in the attribute to return what is written",
        )),
        _ => Ok(()),
    }
}

fn is_rust(abi: &Abi) -> bool {
    abi.name.as_ref().is_some_and(|name| name.value() == "Rust")
}

fn returned(item: &Item) -> Result<()> {
    let Some(written) = item.written() else { return Ok(()) };
    if let Type::Never(_) = written {
        let message = "a function that never returns has nothing to wait for: remove `-> !`";
        return Err(Error::new(written.span(), message));
    }
    Ok(())
}

fn crosses(item: &Item) -> Result<()> {
    if item.returns_future() {
        return Err(Error::new_spanned(
            item.written(),
            format!(
                "`{}` returns a future, which cannot cross from the child: decorate an `async fn` \
                 that it calls, or run the future by `cooperative::with_timeout` in it (under \
                 `#[async_trait]`, an `async fn` is such a function)",
                item.signature.ident
            ),
        ));
    }
    match item.nameless() {
        Some(token) if token.to_string() == "&" => Err(Error::new(
            token.span(),
            "a borrow cannot cross from the child: return an owned value, such as `String` for \
             `&str` or `Vec<T>` for `&[T]`",
        )),
        Some(token) => Err(Error::new(
            token.span(),
            "`impl Trait` has no name by which it can cross from the child: write the type, or a \
             `Box` or `Vec` of what it gives",
        )),
        None => Ok(()),
    }
}
