//! What a function becomes whose child is a copy of the caller.
//!
//! ```text
//! // Input:
//! #[timeout(limit, grace = 5)]
//! fn parse(text: &str, seen: &mut Vec<u8>, limit: f64) -> Tree { BODY }
//!
//! // Output:
//! fn parse(text: &str, seen: &mut Vec<u8>, limit: f64) -> Result<Tree, timeout_runtime::Error> {
//!     use timeout_runtime::__private::{ValueBySerde as _, ..};
//!     let crossing = (&&Tag::<Tree>::NEW).value_route().crossing::<Tree>();
//!     let carry_0 = (&&Tag::of(&*seen)).carry_route().carry(&*seen);
//!     match fork(Timeout::new(limit).grace(5), "parse") {
//!         Side::Child(child) => {
//!             let carried_0 = carry_0.departing(&mut *seen);
//!             let result = child.send(crossing, &[&carried_0], || -> Tree { BODY });
//!             result
//!         }
//!         Side::Caller(call) => {
//!             let mut carried_0 = carry_0.arriving();
//!             let result = call.receive(crossing, &mut [&mut carried_0]);
//!             if result.is_ok() {
//!                 carried_0.commit(&mut *seen);
//!             }
//!             result
//!         }
//!     }
//! }
//! ```
//!
//! An `async fn` with `start = "fork"` is the same with `fork_async(..).await`, which is ready in the
//! child at once and in the caller at the end of the call, and `send_async`, whose body is
//! `|| async move { BODY }` and runs on another thread: `sent(&text)` asks each argument whether it can
//! go there.
//!
//! The two sides are two arms: what the body moves out of its arguments is moved in one of them, and the
//! caller's still has them all. A child does not come back from `send`; a body that runs in the caller
//! does (`TIMEOUT_RUNTIME=inline`), and has no deadline for which there were a value.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Pat};

use super::{
    Carried, carried, finish, finish_in_time, local, name, needs_tokio, private, route_of, timeout,
    typed, written,
};
use crate::args::Args;
use crate::item::Item;

pub(super) fn expand(args: &Args, item: &Item) -> TokenStream {
    let private = private(args);
    let timeout = timeout(args);
    let name = name(item);
    let written = written(item);
    let (child, call, crossing) = (local("child"), local("call"), local("crossing"));
    let route = route_of(args, item, &written);
    let Carried { names, prepare, depart, arrive, commit } = carried(args, item);
    let Child { needs, fork, send, body, ended } = child_of(args, item);
    let result = local("result");
    let finish = finish(args, item, &result);
    let finish_here = finish_in_time(args, item, &result);
    // At the written type, so that what is wrong with it is said there, and said once.
    let at = item.written().map_or_else(Span::call_site, Spanned::span);
    let crossing_of = quote_spanned!(at=> crossing::<#written>);
    quote! {
        #needs
        #[allow(unused_imports)]
        use #private::{
            BackByError as _, BackByNothing as _, BackByRemote as _, CarryByNothing as _,
            CarryBySerde as _, CarryRoute as _, FailureByFrom as _, FailureByNothing as _,
            FailureRoute as _, OutByDeref as _, OutByIo as _, OutByLocalDeref as _,
            OutByNothing as _, OutBySerde as _, OutByStd as _, Route as _, ValueByNothing as _,
            ValueBySerde as _,
        };
        let #crossing = #route.#crossing_of();
        #prepare
        match #private::#fork(#timeout, #name) #ended {
            #private::Side::Child(#child) => {
                #depart
                let #result = #child.#send(#crossing, &[#(&#names),*], #body);
                #finish_here
            }
            #private::Side::Caller(#call) => {
                #arrive
                let #result = #call.receive(#crossing, &mut [#(&mut #names),*]);
                #commit
                #finish
            }
        }
    }
}

/// The parts of a hard call that differ where it is awaited.
struct Child {
    needs: TokenStream,
    fork: Ident,
    send: Ident,
    body: TokenStream,
    ended: TokenStream,
}

fn child_of(args: &Args, item: &Item) -> Child {
    let word = |word| Ident::new(word, Span::mixed_site());
    if item.is_async() {
        let body = typed(item);
        return Child {
            needs: [needs_tokio(args, item), sent(args, item)].into_iter().collect(),
            fork: word("fork_async"),
            send: word("send_async"),
            body: quote!(|| async move { #body }),
            ended: quote!(.await),
        };
    }
    let (written, body) = (written(item), &item.body);
    Child {
        needs: TokenStream::new(),
        fork: word("fork"),
        send: word("send"),
        body: quote!(|| -> #written #body),
        ended: TokenStream::new(),
    }
}

/// Asks of each argument, where its type is written, whether it can go to the body's thread.
fn sent(args: &Args, item: &Item) -> TokenStream {
    let private = private(args);
    let asked = |argument: &FnArg| {
        let (name, at) = match argument {
            FnArg::Receiver(receiver) => (receiver.self_token.to_token_stream(), receiver.span()),
            FnArg::Typed(argument) => {
                let ty = &argument.ty;
                let Pat::Ident(pattern) = &*argument.pat else {
                    return quote_spanned!(ty.span()=> #private::sent_type::<#ty>(););
                };
                (pattern.ident.to_token_stream(), ty.span())
            }
        };
        let sent = quote_spanned!(at=> sent(&#name));
        quote!(#private::#sent;)
    };
    item.signature.inputs.iter().map(asked).collect()
}
