//! The function: its signature parsed, its body left as it is.
//!
//! A body that is still being typed expands all the same, and so an editor can complete in it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, ReturnType, Signature, Token, Type, Visibility, token};

pub(crate) struct Item {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let is_function = |input: ParseStream<'_>| {
            [
                input.peek(Token![fn]),
                input.peek(Token![const]) && !input.peek2(syn::Ident),
                input.peek(Token![async]),
                input.peek(Token![unsafe]),
                input.peek(Token![extern]),
                input.peek(syn::Ident),
            ]
            .contains(&true)
        };
        if !is_function(input) {
            return Err(input.error("`#[timeout]` goes on a function"));
        }
        let signature = input.parse().map_err(|error| {
            Error::new(error.span(), format!("`#[timeout]` goes on a function: {error}"))
        })?;
        if input.peek(Token![;]) {
            return Err(
                input.error("`#[timeout]` needs a body to run: put it on the method in the `impl`")
            );
        }
        if !input.peek(token::Brace) {
            return Err(input.error("expected the function's body"));
        }
        Ok(Self { attributes, visibility, signature, body: body(input)? })
    }
}

/// The braces. Those that came through a macro as a `block` are in an invisible group.
fn body(input: ParseStream<'_>) -> Result<Group> {
    let mut tree: TokenTree = input.parse()?;
    loop {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return Ok(group),
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                tree = syn::parse2(group.stream())?;
            }
            other => return Err(Error::new(other.span(), "expected the function's body")),
        }
    }
}

impl Item {
    /// The written type, `None` for none.
    pub(crate) fn written(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, written) => Some(written),
        }
    }

    /// Whether the written type is a `Result` of whatever name space: `io::Result<T>` is one.
    pub(crate) fn returns_result(&self) -> bool {
        let mut written = self.written();
        while let Some(Type::Group(group)) = written {
            written = Some(&group.elem);
        }
        match written {
            Some(Type::Path(path)) => {
                path.path.segments.last().is_some_and(|segment| segment.ident == "Result")
            }
            _ => false,
        }
    }

    /// The first `impl` or `&` anywhere in the written type: `Result<impl Trait, E>` and
    /// `Option<&str>` are no better than what they hold.
    pub(crate) fn nameless(&self) -> Option<TokenTree> {
        fn first(tokens: TokenStream) -> Option<TokenTree> {
            tokens.into_iter().find_map(|token| match token {
                TokenTree::Ident(ref word) if word == "impl" => Some(token),
                TokenTree::Punct(ref sign) if sign.as_char() == '&' => Some(token),
                TokenTree::Group(group) => first(group.stream()),
                _ => None,
            })
        }
        self.written().and_then(|written| first(written.to_token_stream()))
    }

    /// Whether the written type has a future in it, by the names that one is written with:
    /// `Pin<Box<dyn Future<..>>>`, `impl Future<..>`, `BoxFuture<..>`.
    pub(crate) fn returns_future(&self) -> bool {
        fn has_future(tokens: TokenStream, mut is_trait: bool) -> bool {
            tokens.into_iter().any(|token| match token {
                TokenTree::Ident(word) if word == "dyn" || word == "impl" => {
                    is_trait = true;
                    false
                }
                TokenTree::Ident(word) => {
                    word == "BoxFuture"
                        || word == "LocalBoxFuture"
                        || (is_trait && word == "Future")
                }
                TokenTree::Group(group) => has_future(group.stream(), is_trait),
                _ => false,
            })
        }
        self.written().is_some_and(|written| has_future(written.to_token_stream(), false))
    }

    pub(crate) fn has_word(tokens: TokenStream, word: &str) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == word,
            TokenTree::Group(group) => Self::has_word(group.stream(), word),
            _ => false,
        })
    }

    /// Whether the type that is returned is only good with the body that was written for it.
    pub(crate) fn needs_body(&self) -> bool {
        let is_never = matches!(self.written(), Some(Type::Never(_)));
        is_never || self.nameless().is_some_and(|token| token.to_string() == "impl")
    }

    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some()
    }

    pub(crate) fn has_attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.path().is_ident(name))
    }
}
