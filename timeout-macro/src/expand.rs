//! What the function becomes.
//!
//! ```text
//! // Input:
//! #[timeout(limit, grace = 5)]
//! fn parse(text: &str, limit: f64) -> Tree { BODY }
//!
//! // Output:
//! fn parse(text: &str, limit: f64) -> Result<Tree, timeout_runtime::Error> {
//!     match __private::fork(Timeout::new(limit).grace(5), "parse") {
//!         Side::Child(child) => child.run(|| -> Tree { BODY }),
//!         Side::Caller(call) => call.join(),
//!     }
//! }
//! ```
//!
//! The fork shows in the types: `run` never returns, so what the body moves out of its arguments
//! is moved in one arm only, and the caller's arm still has them all.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, ReturnType, Signature};

use crate::args::Args;
use crate::item::Item;

pub(crate) fn function(args: &Args, item: &Item) -> TokenStream {
    let decorated = decorated(args, item);
    let original = args.original.as_ref().map(|name| original(name, item));
    quote!(#decorated #original)
}

fn decorated(args: &Args, item: &Item) -> TokenStream {
    let Item { attributes, visibility, signature, body } = item;
    let runtime = &args.runtime;
    let private = quote!(#runtime::__private);
    let outer = signature_of(args, item);
    let timeout = timeout(args);
    let name = signature.ident.to_string();
    let name = name.trim_start_matches("r#");
    let written = item.written().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    let (child, call) = (local("child"), local("call"));
    let finish = finish(args, item, &quote!(#call.join::<#written>()));
    quote! {
        #(#attributes)*
        #visibility #outer {
            match #private::fork(#timeout, #name) {
                #private::Side::Child(#child) => #child.run(|| -> #written #body),
                #private::Side::Caller(#call) => #finish,
            }
        }
    }
}

fn timeout(args: &Args) -> TokenStream {
    let Args { limit, grace, runtime, .. } = args;
    let grace = grace.as_ref().map(|grace| quote!(.grace(#grace)));
    quote!(#runtime::Timeout::new(#limit)#grace)
}

/// What the caller makes of the joined result.
fn finish(args: &Args, item: &Item, joined: &TokenStream) -> TokenStream {
    let runtime = &args.runtime;
    let private = quote!(#runtime::__private);
    let failure = match returns(args, item) {
        Returns::Wrapped => return joined.clone(),
        Returns::Converted => quote!(#private::merge),
        Returns::Panicking => quote!(#private::or_panic),
    };
    let Some((_, value)) = &args.on_timeout else { return quote!(#failure(#joined)) };
    let (error, result) = (local("error"), local("result"));
    quote! {
        match #joined {
            ::core::result::Result::Err(#error) if #error.is_timeout() => #value,
            #result => #failure(#result),
        }
    }
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

/// The signature with the type that the decorated function returns.
pub(crate) fn signature_of(args: &Args, item: &Item) -> Signature {
    let mut signature = item.signature.clone();
    if let Returns::Wrapped = returns(args, item) {
        let runtime = &args.runtime;
        let written = item.written().map_or_else(|| quote!(()), ToTokens::to_token_stream);
        let wrapped = quote!(::core::result::Result<#written, #runtime::Error>);
        signature.output =
            ReturnType::Type(syn::parse_quote!(->), syn::Type::Verbatim(wrapped).into());
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
