//! Bad input is one error, on the token it is about, that says what is expected.

use std::str::FromStr;

use proc_macro2::TokenStream;

use super::{Args, Item, decorate, valid};

const FUNCTION: &str = "fn f(a: u8) -> u8 { a }";

/// The one error: the text of the token that it points at, and its message.
#[track_caller]
fn error(args: &str, item: &str) -> (String, String) {
    let tokens = |text| TokenStream::from_str(text).unwrap();
    let decorated = decorate(tokens(args), &tokens(item)).to_string();
    assert_eq!(decorated.matches("compile_error").count(), 1, "{decorated}");
    assert!(decorated.contains("fn f") || !item.contains("fn f"), "the item is gone: {decorated}");
    let error = syn::parse2::<Item>(tokens(item))
        .and_then(|item| {
            let args = syn::parse2::<Args>(tokens(args))?;
            valid::check(&args, &item)
        })
        .unwrap_err();
    (error.span().source_text().unwrap_or_default(), error.to_string())
}

#[track_caller]
fn bad_args(args: &str, token: &str, message: &str) {
    let (at, said) = error(args, FUNCTION);
    assert_eq!(at, token, "{said}");
    assert!(said.contains(message), "{said}");
}

#[track_caller]
fn bad_item(item: &str, token: &str, message: &str) {
    let (at, said) = error("2", item);
    assert_eq!(at, token, "{said}");
    assert!(said.contains(message), "{said}");
}

#[test]
fn a_literal_limit_must_be_a_duration() {
    for zero in ["0", "0.0", "0u8", "00.00", "(0)", "0_0"] {
        bad_args(zero, zero, "never lets the body start");
    }
    for negative in ["-1", "-0.5", "-2f32"] {
        bad_args(negative, negative, "cannot be negative");
    }
    for other in ["\"2s\"", "'2'", "true", "b\"2\""] {
        bad_args(other, other, "expected a limit: seconds (an integer or a float), a `Duration`");
    }
}

#[test]
fn a_limit_comes_first() {
    let (_, said) = error("", FUNCTION);
    assert!(said.contains("expected a limit") && said.contains("#[timeout(2)]"), "{said}");
    bad_args("grace = 5", "grace", "expected the limit first");
    bad_args("wrap", "wrap", "expected the limit first");
    bad_args("panic, 2", "panic", "expected the limit first");
    bad_args("crate = x, 2", "crate", "expected the limit first");
    bad_args("2 3", "3", "expected `,`");
}

#[test]
fn keys_are_known_and_given_once() {
    bad_args("2, gracee = 5", "gracee", "expected one of: `grace = ..`, `start = ..`, `wrap`");
    bad_args("2, grace = 5, grace = 6", "grace", "`grace` is given twice");
    bad_args("2, 7", "7", "expected one of: `grace = ..`");
    bad_args("2, grace", "grace", "`grace` takes a value");
    bad_args("2, grace =", "grace", "`grace` takes a value");
    bad_args("2, on_timeout", "on_timeout", "`on_timeout` takes a value");
    bad_args("2, wrap = true", "=", "`wrap` stands alone");
    bad_args("2, grace = -1", "-1", "a grace cannot be negative; `0` means SIGKILL at once");
    bad_args("2, grace = \"long\"", "\"long\"", "expected a grace");
    bad_args("2, memory = 0", "0", "a memory limit of zero");
    bad_args("2, memory = 1.5", "1.5", "a whole number of bytes");
    bad_args("2, memory = \"1 GiB\"", "\"1 GiB\"", "`memory = 64 << 20` for 64 MiB");
    bad_args("2, cpu = 0.0", "0.0", "a CPU limit of zero");
    bad_args("2, cpu = -1", "-1", "a CPU limit cannot be negative");
    bad_args("2, start = \"thread\"", "\"thread\"", "expected `\"fork\"`");
    bad_args("2, start = fork", "fork", "expected string literal");
    bad_args("2, original = \"f\"", "\"f\"", "expected identifier");
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    bad_args("2, wrap, panic", "panic", "keep one");
    bad_args("2, on_timeout = 7, wrap", "on_timeout", "keep one");
}

#[test]
fn what_cannot_run_in_a_child_is_refused() {
    bad_item("const fn f() {}", "const", "remove `const`");
    bad_item("fn f() -> impl Iterator<Item = u8> { 0..2 }", "impl", "write the type");
    bad_item("fn f(a: &str) -> &str { a }", "&", "return an owned value");
    bad_item("fn f() -> Result<Box<impl Fn()>, E> { g() }", "impl", "write the type");
    bad_item("fn f(a: &str) -> Option<(u8, &str)> { None }", "&", "return an owned value");
    for future in [
        "Pin<Box<dyn Future<Output = &'a str> + Send + 'a>>",
        "Pin<Box<dyn Send + ::core::future::Future<Output = u8>>>",
        "impl Future<Output = u8>",
        "BoxFuture<'static, u8>",
        "futures::future::LocalBoxFuture<'_, u8>",
        "Result<(BoxFuture<'static, u8>, u8), E>",
    ] {
        bad_item(&format!("fn f() -> {future} {{ g() }}"), future, "decorate an `async fn`");
    }
    bad_item("fn f() -> ! { loop {} }", "!", "remove `-> !`");
    bad_item("fn f();", ";", "needs a body");
    bad_item(
        "extern \"C\" fn f() -> u8 { 1 }",
        "extern \"C\"",
        "write `on_timeout = ..` or `panic`",
    );
    bad_item("struct S;", "struct", "goes on a function");
    bad_item("impl S {}", "impl", "goes on a function");
    bad_item("mod m {}", "mod", "goes on a function");
    bad_item("const X: u8 = 1;", "const", "goes on a function");
}

#[test]
fn what_cannot_be_carried_back_is_refused() {
    let way_out = "write `local(a)`";
    bad_item("fn f(a: &mut dyn Write) {}", "&mut dyn Write", way_out);
    bad_item("fn f(a: &mut (dyn Write + Send)) {}", "&mut (dyn Write + Send)", way_out);
    bad_item("fn f(a: &mut impl Write) {}", "&mut impl Write", way_out);
    bad_item("fn f(a: Pin<&mut Future>) {}", "Pin<&mut Future>", way_out);
    bad_item("fn f(self: Pin<&mut Self>) {}", "self: Pin<&mut Self>", "write `local(self)`");
    bad_item("fn f((a, b): &mut (u8, u8)) {}", "&mut (u8, u8)", "give the argument a name");
    bad_args("2, local(b)", "b", "`b` is no `&mut` argument");
    bad_args("2, local(a)", "a", "`a` is no `&mut` argument");
    bad_args("2, local", "local", "`local` takes the names of arguments");
    bad_args("2, local = a", "local", "`local` takes the names of arguments");
    bad_args("2, local(7)", "7", "expected ident");
}

#[test]
fn what_is_about_a_child_is_refused_on_an_async_function() {
    let refused = |args: &str, key: &str, message: &str| {
        let (at, said) = error(args, "async fn f(a: &mut u8) -> u8 { *a }");
        assert_eq!(at, key, "{said}");
        assert!(said.contains(message), "{said}");
    };
    refused("2, grace = 5", "grace", "remove `grace`");
    refused("2, wrap, local(a)", "local", "remove `local`");
    bad_item("async fn f() -> ! { loop {} }", "!", "remove `-> !`");
}

#[test]
fn an_async_function_may_return_and_take_anything() {
    let tokens = |text| TokenStream::from_str(text).unwrap();
    for item in [
        "async fn f(a: &str) -> &str { a }",
        "async fn f() -> impl Iterator<Item = u8> { 0..2 }",
        "async fn f() -> BoxFuture<'static, u8> { g() }",
        "async fn f(a: &mut dyn Write, b: Pin<&mut F>, (c, d): &mut (u8, u8)) {}",
        "#[tokio::test] async fn f() {}",
        "pub async unsafe fn f(self: Pin<&mut Self>) -> Option<&mut u8> { a. }",
    ] {
        let decorated = decorate(tokens("2"), &tokens(item)).to_string();
        assert!(!decorated.contains("compile_error"), "{item}: {decorated}");
    }
}

#[test]
fn what_only_sounds_like_a_future_is_none() {
    let tokens = |text: &str| TokenStream::from_str(text).unwrap();
    for written in ["Future", "Vec<Future>", "market::Future<Gold>"] {
        let item = format!("fn f() -> {written} {{ g() }}");
        let decorated = decorate(tokens("2"), &tokens(&item)).to_string();
        assert!(!decorated.contains("compile_error"), "{item}: {decorated}");
    }
}

#[test]
fn a_body_is_not_parsed() {
    let tokens = |text| TokenStream::from_str(text).unwrap();
    let half_typed = "fn f(a: String) -> usize { let x = a. ; match { }";
    let decorated = decorate(tokens("2"), &tokens(&format!("{half_typed} }}"))).to_string();
    assert!(!decorated.contains("compile_error") && decorated.contains("a . ;"), "{decorated}");
}

#[test]
fn good_arguments_are_taken() {
    let tokens = |text| TokenStream::from_str(text).unwrap();
    for args in [
        "2",
        "2,",
        "0.05",
        "Duration::from_secs(2)",
        "None::<f64>",
        "limit",
        "a.b * 2.0 + c()",
        "2, grace = 0",
        "limit == 2",
        "2, grace = 0.5, start = \"fork\", panic, on_timeout = { 7 }, original = g, crate = a::b",
        "if x { 1 } else { 2 }, wrap",
    ] {
        let decorated = decorate(tokens(args), &tokens(FUNCTION)).to_string();
        assert!(!decorated.contains("compile_error"), "{args}: {decorated}");
    }
}
