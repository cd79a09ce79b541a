//! What a function becomes whose child is no copy of the caller: its body is found there by an address,
//! and its arguments are sent.
//!
//! ```text
//! // Input:
//! #[timeout(limit, start = "pool")]
//! fn parse(text: &str, seen: &mut Vec<u8>, limit: f64) -> Tree { BODY }
//!
//! // Output:
//! fn parse(text: &str, seen: &mut Vec<u8>, limit: f64) -> Result<Tree, timeout_runtime::Error> {
//!     timeout_runtime::__private::with_pool! {{
//!         use timeout_runtime::__private::{ValueBySerde as _, ..};
//!         let crossing = (&&Tag::<Tree>::NEW).value_route().crossing::<Tree>();
//!         let carry_0 = (&&&Tag::of(&*seen)).sent_route().carry(&*seen);
//!         let call: Thunk = |arguments, sink| {
//!             let mut store_0 = (&&Tag::<str>::NEW).take_from(arguments)?;
//!             let text: &str = (&&Tag::<str>::NEW).lend(&store_0);
//!             // `seen` is lent and carried back, and `limit` is taken.
//!             arguments.end()?;
//!             let value = (|| -> Tree { BODY })();
//!             let crossing = (&&Tag::<Tree>::NEW).value_route().crossing::<Tree>();
//!             send_back(sink, crossing, &[&carried_0], value)
//!         };
//!         let call = Parcel::new::<Tree>(call).with("text", &*text).with("seen", &*seen).with(..);
//!         let call = pool(Timeout::new(limit), "parse", call);
//!         let mut carried_0 = carry_0.arriving();
//!         let result = call.receive(crossing, &mut [&mut carried_0]);
//!         if result.is_ok() {
//!             carried_0.commit(&mut *seen);
//!         }
//!         result
//!     }}
//! }
//! ```

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    Carried, at, carried, finish, local, name, needs_tokio, private, route_of, timeout, typed,
    written,
};
use crate::args::Args;
use crate::item::Item;
use crate::sent;

pub(super) fn expand(args: &Args, item: &Item, start: &str) -> TokenStream {
    let (private, timeout, name) = (private(args), timeout(args), name(item));
    let written = written(item);
    let erased = sent::without_lifetimes(written.clone());
    let (call, crossing, result) = (local("call"), local("crossing"), local("result"));
    let (arguments, sink, value) = (local("arguments"), local("sink"), local("value"));
    let Carried { names, prepare, arrive, commit, .. } = carried(args, item);
    // What is wrong with them was said before.
    let all = sent::arguments(item).unwrap_or_default();
    let carried = carried::arguments(args, item).unwrap_or_default();
    let back = |sent: &sent::Sent| {
        let number = carried.iter().position(|(name, _)| *name == sent.name);
        number.map(|number| &names[number])
    };
    let unpacked = all
        .iter()
        .enumerate()
        .map(|(number, sent)| sent.unpacked(&private, &arguments, number, back(sent)));
    let packed = all.iter().map(sent::Sent::packed);
    let (route, erased_route) = (route_of(args, item, &written), route_of(args, item, &erased));
    let at = item.written().map_or_else(Span::call_site, Spanned::span);
    let crossing_of = quote_spanned!(at=> crossing::<#written>);
    // At the same place, so that what is wrong with it is said once.
    let crossing_there = quote_spanned!(at=> crossing::<#erased>);
    let finish = finish(args, item, &result);
    let (needs, start, end, body) = if item.is_async() {
        let body = sent::with_own_self(typed(item));
        (
            needs_tokio(args, item),
            Ident::new(&format!("{start}_async"), Span::mixed_site()),
            quote!(.await),
            quote!(#private::block_on(#sink, || async move { #body })),
        )
    } else {
        let body = sent::with_own_self(item.body.to_token_stream());
        let nothing = TokenStream::new();
        (nothing.clone(), local(start), nothing, quote!((|| -> #erased #body)()))
    };
    let expanded = quote! {
            #needs
            #[allow(unused_imports)]
            use #private::{
                BackByError as _, BackByNothing as _, BackByRemote as _, CarryRoute as _,
                FailureByFrom as _, FailureByNothing as _, FailureRoute as _, OutByDeref as _,
                OutByIo as _, OutByLocalDeref as _, OutByNothing as _, OutBySerde as _,
                OutByStd as _, Route as _, SentByNothing as _, SentBySerde as _,
                SentByTravels as _, TakeByNothing as _, TakeBySent as _, TakeBySerde as _,
                ValueByNothing as _, ValueBySerde as _,
            };
            let #crossing = #route.#crossing_of();
            #prepare
            let #call: #private::Thunk = |#arguments, #sink| {
                #(#unpacked)*
                #arguments.end()?;
                let #value = #body;
                let #crossing = #erased_route.#crossing_there();
                #private::send_back(#sink, #crossing, &[#(&#names),*], #value)
            };
            let #call = #private::Parcel::new::<#written>(#call) #(#packed)*;
            let #call = #private::#start(#timeout, #name, #call) #end;
            #arrive
            let #result = #call.receive(#crossing, &mut [#(&mut #names),*]);
            #commit
            #finish
    };
    with_pool(args, &expanded)
}

/// Left out without the feature, which is then told at the method's name.
fn with_pool(args: &Args, expanded: &TokenStream) -> TokenStream {
    let private = private(args);
    let place = args.start.as_ref().map_or_else(Span::call_site, syn::LitStr::span);
    let mut body = Group::new(Delimiter::Brace, quote!({ #expanded }));
    body.set_span(place);
    let invoked = at(place, quote!(#private::with_pool!));
    quote!(#invoked #body)
}
