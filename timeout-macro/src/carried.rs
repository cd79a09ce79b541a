//! The `&mut` arguments: what the body does to them is carried back, or said to be local.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Pat, PatType, Receiver, ReceiverKind, Result, Type, TypeGroup, TypeParen};

use crate::args::Args;
use crate::item::Item;

/// The arguments that are carried back, by name, each with the span of its type.
pub(crate) fn arguments(args: &Args, item: &Item) -> Result<Vec<(Ident, Span)>> {
    let mut carried = Vec::new();
    let mut mutable = Vec::new();
    for argument in &item.signature.inputs {
        let Some((name, span)) = mutable_reference(argument) else { continue };
        if let Some(name) = &name {
            mutable.push(name.clone());
            if args.local.contains(name) {
                continue;
            }
        }
        let refuse = |why: &str| {
            let way_out = match &name {
                Some(name) => format!("write `local({name})` if its changes may stay in the child"),
                None => "give the argument a name".to_owned(),
            };
            Err(Error::new(span, format!("{why}: {way_out}")))
        };
        let pointee = pointee(argument);
        match (&name, pointee) {
            (_, Some(Type::TraitObject(_) | Type::ImplTrait(_))) => {
                return refuse(
                    "what the body does to a trait object or an `impl Trait` cannot be carried \
                     back from the child",
                );
            }
            (_, None) => {
                return refuse(
                    "what the body does behind a `Pin` cannot be carried back from the child",
                );
            }
            (None, _) => return refuse("a `&mut` argument by a pattern cannot be carried back"),
            (Some(name), _) => carried.push((name.clone(), span)),
        }
    }
    match args.local.iter().find(|name| !mutable.contains(name)) {
        Some(name) => Err(Error::new(name.span(), format!("`{name}` is no `&mut` argument"))),
        None => Ok(carried),
    }
}

/// The name and the span of an argument that is a `&mut`, plain or pinned.
fn mutable_reference(argument: &FnArg) -> Option<(Option<Ident>, Span)> {
    match argument {
        FnArg::Receiver(receiver) => is_mutable_receiver(receiver)
            .then(|| (Some(Ident::new("self", receiver.self_token.span)), receiver.span())),
        FnArg::Typed(typed) => is_mutable(&typed.ty).then(|| (name(typed), typed.ty.span())),
    }
}

fn is_mutable_receiver(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutable) => mutable.is_some(),
        ReceiverKind::Typed(_, ty) => is_mutable(ty),
        _ => false,
    }
}

fn is_mutable(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_mutable(&group.elem),
        Type::Paren(paren) => is_mutable(&paren.elem),
        Type::Reference(reference) => reference.mutability.is_some(),
        _ => is_pinned(ty),
    }
}

/// `Pin<&mut T>`
fn is_pinned(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    last.ident == "Pin"
        && arguments
            .args
            .iter()
            .any(|argument| matches!(argument, syn::GenericArgument::Type(ty) if is_mutable(ty)))
}

/// What a plain `&mut` points to; `None` for a pinned one.
fn pointee(argument: &FnArg) -> Option<Type> {
    let mut ty = match argument {
        FnArg::Typed(typed) => &*typed.ty,
        FnArg::Receiver(receiver) => match &receiver.kind {
            ReceiverKind::Typed(_, ty) => ty,
            _ => return Some(syn::parse_quote!(Self)),
        },
    };
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            Type::Reference(reference) => return Some(bare(&reference.elem).clone()),
            _ => return None,
        };
    }
}

/// Without parentheses: `(dyn Write + Send)` is a trait object.
fn bare(mut ty: &Type) -> &Type {
    while let Type::Paren(TypeParen { elem, .. }) | Type::Group(TypeGroup { elem, .. }) = ty {
        ty = elem;
    }
    ty
}

fn name(argument: &PatType) -> Option<Ident> {
    match &*argument.pat {
        Pat::Ident(pattern) => Some(pattern.ident.clone()),
        _ => None,
    }
}
