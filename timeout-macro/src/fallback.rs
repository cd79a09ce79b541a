//! On an error, the item anyway: the user then sees that error, and not ten about a function that
//! is missing.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Error;

use crate::args::Args;
use crate::expand;
use crate::item::Item;

/// Not a function: as it was written.
pub(crate) fn unparsed(item: &TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}

/// A function of the type that it would have had, as far as the arguments could be read.
///
/// Its body is gone, for it was written for another type; what returns `impl Trait` or `!` needs it.
/// What makes a future stays as it was written: whoever awaits it, or the trait that it is of, knows
/// it as that.
pub(crate) fn undecorated(args: Option<&Args>, item: &Item, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    let Item { attributes, visibility, signature, body } = item;
    if item.needs_body() || !item.is_async() && item.returns_future() {
        return quote!(#error #(#attributes)* #visibility #signature #body);
    }
    let signature = match args {
        Some(args) => expand::signature_of(args, item),
        None => expand::signature_of(&Args::default(), item),
    };
    quote!(#error #(#attributes)* #[allow(unused)] #visibility #signature { loop {} })
}
