//! Arguments that are sent to a child which is no copy of the caller: each by its name, whole.

use proc_macro2::{Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Pat, ReceiverKind, Result, Signature, Type};

use crate::item::Item;

/// One argument.
pub(crate) struct Sent {
    /// As the body has it: `mut name`, or `self`.
    pattern: TokenStream,
    pub(crate) name: Ident,
    /// What crosses: the type, or what it refers to.
    ty: TokenStream,
    passing: Passing,
    at: Span,
}

#[derive(Clone, Copy, PartialEq)]
enum Passing {
    Value,
    Reference,
    Mutable,
}

pub(crate) fn arguments(item: &Item) -> Result<Vec<Sent>> {
    item.signature.inputs.iter().map(argument).collect()
}

/// What is in a string is out of the attribute's reach, and `{self}` would be the caller's.
pub(crate) fn no_self_in_text(item: &Item) -> Result<()> {
    match item.signature.receiver() {
        Some(_) => no_self_in(item.body.to_token_stream(), false),
        None => Ok(()),
    }
}

fn no_self_in(tokens: TokenStream, is_macro: bool) -> Result<()> {
    let mut before = [false; 2];
    for token in tokens {
        match &token {
            TokenTree::Group(group) => no_self_in(group.stream(), is_macro || before[1])?,
            TokenTree::Literal(literal) if is_macro => {
                let text = literal.to_string();
                if text.starts_with(['"', 'r'])
                    && ["{self}", "{self:"].iter().any(|name| text.contains(name))
                {
                    let message = "`{self}` in a string cannot be sent to another process: write `{}`, and \
                                   `self` after the string";
                    return Err(Error::new(literal.span(), message));
                }
            }
            _ => {}
        }
        let is_mark = matches!(&token, TokenTree::Punct(mark) if mark.as_char() == '!');
        before = [matches!(token, TokenTree::Ident(_)), before[0] && is_mark];
    }
    Ok(())
}

fn argument(argument: &FnArg) -> Result<Sent> {
    match argument {
        FnArg::Receiver(receiver) => {
            let passing = match &receiver.kind {
                ReceiverKind::Value => Passing::Value,
                ReceiverKind::Reference(_, _, Some(_)) => Passing::Mutable,
                ReceiverKind::Reference(..) => Passing::Reference,
                _ => {
                    let message = "a `self` of another type cannot be sent to another process: take \
                                   `self`, `&self` or `&mut self`, or write `start = \"fork\"`";
                    return Err(Error::new(receiver.span(), message));
                }
            };
            let name = Ident::new("self", receiver.self_token.span);
            let mutable = receiver.mutability.filter(|_| passing == Passing::Value);
            let own = own_self(name.span());
            let (pattern, ty) = (quote!(#mutable #own), quote!(Self));
            Ok(Sent { pattern, name, ty, passing, at: receiver.span() })
        }
        FnArg::Typed(typed) => {
            let (Pat::Ident(pattern), at) = (&*typed.pat, typed.ty.span()) else {
                let message = "an argument by a pattern cannot be sent to another process: give it a \
                               name, and take it apart in the body";
                return Err(Error::new(typed.pat.span(), message));
            };
            let (ty, passing) = passed(&typed.ty);
            nameable(ty)?;
            let (name, pattern) = (pattern.ident.clone(), pattern.to_token_stream());
            let ty = without_lifetimes(ty.to_token_stream());
            Ok(Sent { pattern, name, ty, passing, at })
        }
    }
}

fn passed(mut ty: &Type) -> (&Type, Passing) {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            Type::Reference(reference) => {
                let passing = match reference.mutability {
                    Some(_) => Passing::Mutable,
                    None => Passing::Reference,
                };
                return (&reference.elem, passing);
            }
            _ => return (ty, Passing::Value),
        };
    }
}

fn nameable(ty: &Type) -> Result<()> {
    let message = match ty {
        Type::Group(group) => return nameable(&group.elem),
        Type::Paren(paren) => return nameable(&paren.elem),
        Type::ImplTrait(_) => {
            "`impl Trait` has no name by which it can be made again in another process: write a type \
             parameter"
        }
        Type::TraitObject(_) => {
            "a trait object cannot be sent to another process: take a type parameter or an enum, or \
             write `start = \"fork\"`"
        }
        _ => match borrow_in(ty.to_token_stream()) {
            Some(at) => {
                let message = "a borrow inside of an argument cannot be made again in another process: \
                               take an owned type there, such as `String` for `&str`, or write \
                               `start = \"fork\"`";
                return Err(Error::new(at, message));
            }
            None => return Ok(()),
        },
    };
    Err(Error::new(ty.span(), message))
}

fn borrow_in(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Punct(mark) if mark.as_char() == '&' => Some(mark.span()),
        TokenTree::Group(group) => borrow_in(group.stream()),
        _ => None,
    })
}

/// The signature where the arguments are only passed on.
pub(crate) fn without_mut(mut signature: Signature) -> Signature {
    for argument in &mut signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => receiver.mutability = None,
            FnArg::Typed(typed) => {
                if let Pat::Ident(pattern) = &mut *typed.pat {
                    pattern.mutability = None;
                }
            }
        }
    }
    signature
}

/// A lifetime of the caller's means nothing to what was made anew.
pub(crate) fn without_lifetimes(tokens: TokenStream) -> TokenStream {
    let mut erased = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '\'' => {
                let name = tokens.next();
                let is_static = name.as_ref().is_some_and(|name| name.to_string() == "static");
                let mut tick = Punct::new('\'', Spacing::Joint);
                tick.set_span(mark.span());
                erased.push(TokenTree::Punct(tick));
                erased.push(match name {
                    Some(name) if is_static => name,
                    _ => Ident::new("_", mark.span()).into(),
                });
            }
            TokenTree::Group(group) => erased.push(rebuilt(&group, without_lifetimes)),
            other => erased.push(other),
        }
    }
    erased.into_iter().collect()
}

fn rebuilt(group: &Group, change: impl FnOnce(TokenStream) -> TokenStream) -> TokenTree {
    let mut new = Group::new(group.delimiter(), change(group.stream()));
    new.set_span(group.span());
    new.into()
}

/// `self` under another name: the body is then in a closure, which has none.
fn own_self(at: Span) -> Ident {
    Ident::new("self_", Span::mixed_site().located_at(at))
}

/// The body with that name. An `impl` or a `trait` in it has a `self` of its own, and in a path it is
/// the module.
pub(crate) fn with_own_self(body: TokenStream) -> TokenStream {
    let mut renamed = Vec::new();
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "self" => {
                let is_path = matches!(tokens.peek(), Some(TokenTree::Punct(mark)) if mark.as_char() == ':' && mark.spacing() == Spacing::Joint);
                let own = if is_path { word } else { own_self(word.span()) };
                renamed.push(TokenTree::Ident(own));
            }
            TokenTree::Ident(word) if word == "impl" || word == "trait" => {
                renamed.push(TokenTree::Ident(word));
                for token in tokens.by_ref() {
                    let is_body = matches!(&token, TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
                    renamed.push(token);
                    if is_body {
                        break;
                    }
                }
            }
            TokenTree::Group(group) => renamed.push(rebuilt(&group, with_own_self)),
            other => renamed.push(other),
        }
    }
    renamed.into_iter().collect()
}

impl Sent {
    /// In the caller: adds it to the parcel.
    pub(crate) fn packed(&self) -> TokenStream {
        let Self { name, at, passing, .. } = self;
        let text = name.to_string();
        let text = text.trim_start_matches("r#");
        let reference = match passing {
            Passing::Value => quote_spanned!(*at=> &#name),
            Passing::Reference | Passing::Mutable => quote_spanned!(*at=> &*#name),
        };
        quote_spanned!(*at=> .with(#text, #reference))
    }

    /// In the child: takes it out of what was sent, and gives the body what it expects. A `&mut` is
    /// carried back under that name.
    pub(crate) fn unpacked(
        &self,
        private: &TokenStream,
        arguments: &Ident,
        number: usize,
        carried: Option<&Ident>,
    ) -> TokenStream {
        let Self { pattern, ty, passing, .. } = self;
        let store = Ident::new(&format!("store_{number}"), Span::mixed_site());
        let lent = Span::mixed_site().located_at(self.name.span());
        let lent = Ident::new(&format!("lent_{number}"), lent);
        if *passing == Passing::Value {
            return quote! {
                #[allow(unused_variables)]
                let #pattern: #ty = (&&#private::Tag::<#ty>::NEW).take_value(#arguments)?;
            };
        }
        let (mutable, method) = match passing {
            Passing::Mutable => (Some(quote!(mut)), quote!(lend_mut)),
            _ => (None, quote!(lend)),
        };
        let carry = carried.map(|name| {
            quote! {
                let #name = (&&&#private::Tag::of(&*#lent)).route_there().carry(&*#lent);
                let #name = #name.departing(&mut *#lent);
            }
        });
        quote! {
            #[allow(unused_mut)]
            let mut #store = (&&#private::Tag::<#ty>::NEW).take_from(#arguments)?;
            let #lent: & #mutable #ty =
                (&&#private::Tag::<#ty>::NEW).#method(& #mutable #store);
            #carry
            #[allow(unused_variables)]
            let #pattern: & #mutable #ty = #lent;
        }
    }
}
