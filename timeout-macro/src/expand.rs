//! What the function becomes.
//!
//! By the start method: [`copied`] for `fork`, [`afresh`] for the others. An `async fn` without one is
//! stopped at an `.await`, and needs no child:
//!
//! ```text
//! // Input:
//! #[timeout(limit)]
//! async fn fetch(&mut self, limit: f64) -> Page { BODY }
//!
//! // Output:
//! async fn fetch(&mut self, limit: f64) -> Result<Page, timeout_runtime::Error> {
//!     timeout_runtime::__private::needs_tokio! {}
//!     use timeout_runtime::__private::{FailureByFrom as _, ..};
//!     let result = cooperative(limit, "fetch", async move { BODY }).await;
//!     result
//! }
//! ```

mod afresh;
mod copied;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, ReturnType, Signature};

use crate::args::Args;
use crate::carried;
use crate::item::Item;
use crate::sent;

pub(crate) fn function(args: &Args, item: &Item) -> TokenStream {
    let decorated = decorated(args, item);
    let original = args.original.as_ref().map(|name| original(name, item));
    quote!(#decorated #original)
}

fn decorated(args: &Args, item: &Item) -> TokenStream {
    let Item { attributes, visibility, .. } = item;
    let mut outer = signature_of(args, item);
    if let Start::Afresh(_) = start_of(args) {
        outer = sent::without_mut(outer);
    }
    let body = match start_of(args) {
        _ if is_cooperative(args, item) => cooperative(args, item),
        Start::Fork => copied::expand(args, item),
        Start::Afresh(start) => afresh::expand(args, item, start),
    };
    quote! {
        #(#attributes)*
        #[allow(clippy::missing_errors_doc, clippy::double_must_use)]
        #visibility #outer {
            #body
        }
    }
}

/// By which start method.
pub(crate) enum Start {
    Fork,
    /// The child is this program started afresh; the name of the function that does it.
    Afresh(&'static str),
}

pub(crate) fn start_of(args: &Args) -> Start {
    match args.start.as_ref().map(syn::LitStr::value).as_deref() {
        Some("spawn") => Start::Afresh("spawn"),
        Some("pool") => Start::Afresh("pool"),
        _ => Start::Fork,
    }
}

/// Whether it is stopped at an `.await`, and not by the end of a process.
pub(crate) fn is_cooperative(args: &Args, item: &Item) -> bool {
    item.is_async() && args.start.is_none()
}

fn needs_tokio(args: &Args, item: &Item) -> TokenStream {
    let private = private(args);
    at(item.signature.asyncness.span(), quote!(#private::needs_tokio! {}))
}

fn cooperative(args: &Args, item: &Item) -> TokenStream {
    let private = private(args);
    let Args { limit, .. } = args;
    let name = name(item);
    let result = local("result");
    let finish = finish(args, item, &result);
    let needs_tokio = needs_tokio(args, item);
    let body = typed(item);
    quote! {
        #needs_tokio
        #[allow(unused_imports)]
        use #private::{FailureByFrom as _, FailureByNothing as _, FailureRoute as _};
        let #result = #private::cooperative(#limit, #name, async move { #body }).await;
        #finish
    }
}

/// The body of an `async` block, which has no place for its type: a return that is never reached
/// gives it one. What has no name (`impl Trait`) is what the body makes it.
fn typed(item: &Item) -> TokenStream {
    let body = item.body.stream();
    let mut tokens = body.clone().into_iter();
    let mut next_is =
        |mark| matches!(tokens.next(), Some(TokenTree::Punct(next)) if next.as_char() == mark);
    let has_inner_attributes = next_is('#') && next_is('!');
    if item.needs_body() {
        return body;
    }
    // These come first in a block, so the body keeps its own; else two blocks would be one too many.
    let body = if has_inner_attributes { item.body.to_token_stream() } else { body };
    let written = written(item);
    // At the written type, for that is what a value of another one is compared with.
    let at = item.written().map_or_else(Span::call_site, Spanned::span);
    let value = Ident::new("value", Span::mixed_site().located_at(at));
    let unreached = quote_spanned!(at=> return #value;);
    quote! {
        #[allow(unreachable_code)]
        if let ::core::option::Option::Some(#value) = ::core::option::Option::None::<#written> {
            #unreached
        }
        #body
    }
}

/// For an error that is to point there, whichever of the tokens it is about.
fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let moved = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(moved).collect()
}

fn name(item: &Item) -> String {
    let name = item.signature.ident.to_string();
    name.trim_start_matches("r#").to_owned()
}

fn private(args: &Args) -> TokenStream {
    let runtime = &args.runtime;
    quote!(#runtime::__private)
}

fn written(item: &Item) -> TokenStream {
    item.written().map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

fn timeout(args: &Args) -> TokenStream {
    let Args { limit, grace, memory, cpu, runtime, .. } = args;
    let grace = grace.as_ref().map(|grace| quote!(.grace(#grace)));
    let memory = memory.as_ref().map(|memory| quote!(.memory(#memory)));
    let cpu = cpu.as_ref().map(|cpu| quote!(.cpu(#cpu)));
    quote!(#runtime::Timeout::new(#limit)#grace #memory #cpu)
}

/// By which route the written type crosses: a `Result` has one for each of its sides.
fn route_of(args: &Args, item: &Item, written: &TokenStream) -> TokenStream {
    let private = private(args);
    if !item.returns_result() {
        return quote!((&&#private::Tag::<#written>::NEW).value_route());
    }
    let (value, error) = (local("value"), local("error"));
    quote! {
        {
            let (#value, #error) = #private::sides::<#written>();
            #private::Either(
                (&&#value).value_route(),
                (&&&&&&#error).error_out(),
                (&&&#error).error_back(),
            )
        }
    }
}

/// The parts of the expansion that are about `&mut` arguments.
struct Carried {
    names: Vec<Ident>,
    prepare: TokenStream,
    /// In the child.
    depart: TokenStream,
    /// In the caller, before the value and after it.
    arrive: TokenStream,
    commit: TokenStream,
}

fn carried(args: &Args, item: &Item) -> Carried {
    let private = private(args);
    // What is wrong with them was said before.
    let arguments = carried::arguments(args, item).unwrap_or_default();
    let mut names = Vec::new();
    let (mut prepare, mut depart) = (TokenStream::new(), TokenStream::new());
    let (mut arrive, mut commit) = (TokenStream::new(), TokenStream::new());
    for (number, (argument, at)) in arguments.iter().enumerate() {
        let name = local(&format!("carried_{number}"));
        let how = local(&format!("carry_{number}"));
        let carry = quote_spanned!(*at=> carry(&*#argument));
        let tag = quote!(#private::Tag::of(&*#argument));
        let route = match start_of(args) {
            Start::Fork => quote!((&&#tag).carry_route()),
            Start::Afresh(_) => quote!((&&&#tag).sent_route()),
        };
        prepare.extend(quote! {
            let #how = #route.#carry;
        });
        depart.extend(quote!(let #name = #how.departing(&mut *#argument);));
        arrive.extend(quote!(let mut #name = #how.arriving();));
        commit.extend(quote!(#name.commit(&mut *#argument);));
        names.push(name);
    }
    let result = local("result");
    let commit = (!names.is_empty()).then(|| quote!(if #result.is_ok() { #commit }));
    Carried { names, prepare, depart, arrive, commit: commit.unwrap_or_default() }
}

/// What the caller makes of the result.
fn finish(args: &Args, item: &Item, result: &Ident) -> TokenStream {
    let in_time = finish_in_time(args, item, result);
    let Some((_, value)) = &args.on_timeout else { return in_time };
    let error = local("error");
    quote! {
        match #result {
            ::core::result::Result::Err(#error) if #error.is_timeout() => #value,
            #result => #in_time,
        }
    }
}

/// The same of one that has no deadline.
fn finish_in_time(args: &Args, item: &Item, result: &Ident) -> TokenStream {
    let private = private(args);
    let at = item.written().map_or_else(Span::call_site, Spanned::span);
    let written = written(item);
    let failure = match returns(args, item) {
        Returns::Wrapped => return result.to_token_stream(),
        Returns::Converted => {
            let merge = quote_spanned!(at=> merge::<#written>);
            quote!((&&#private::sides::<#written>().1).failure_route().#merge)
        }
        Returns::Panicking => quote!(#private::or_panic),
    };
    quote!(#failure(#result))
}

/// What becomes of a failure.
enum Returns {
    /// `Err(error)` of a `Result` around the written type.
    Wrapped,
    /// `Err(E::from(error))` of the written `Result`.
    Converted,
    /// A panic in the caller.
    Panicking,
}

fn returns(args: &Args, item: &Item) -> Returns {
    if args.wrap.is_some() {
        Returns::Wrapped
    } else if args.panic.is_some() || item.has_attribute("should_panic") {
        Returns::Panicking
    } else if item.returns_result() {
        Returns::Converted
    } else if args.on_timeout.is_some() {
        Returns::Panicking
    } else {
        Returns::Wrapped
    }
}

/// Whether the decorated function returns something else than what is written.
pub(crate) fn wraps(args: &Args, item: &Item) -> bool {
    matches!(returns(args, item), Returns::Wrapped)
}

/// The signature with the type that the decorated function returns.
pub(crate) fn signature_of(args: &Args, item: &Item) -> Signature {
    let mut signature = item.signature.clone();
    if wraps(args, item) {
        let runtime = &args.runtime;
        let written = written(item);
        let wrapped = quote!(::core::result::Result<#written, #runtime::Error>);
        let wrapped = syn::Type::Verbatim(wrapped).into();
        signature.output = ReturnType::Type(syn::parse_quote!(->), wrapped);
    }
    signature
}

fn original(name: &Ident, item: &Item) -> TokenStream {
    let Item { attributes, visibility, signature, body } = item;
    let signature = Signature { ident: name.clone(), ..signature.clone() };
    let attributes = attributes.iter().filter(|attribute| !names_an_entry(attribute));
    quote!(#(#attributes)* #visibility #signature #body)
}

/// Attributes that there can be one of: on a test, or on an exported symbol.
fn names_an_entry(attribute: &Attribute) -> bool {
    ["test", "should_panic", "ignore", "bench", "no_mangle", "export_name"]
        .iter()
        .any(|name| attribute.path().segments.last().is_some_and(|segment| segment.ident == name))
}

/// A name that the user's own code can neither see nor hide.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
