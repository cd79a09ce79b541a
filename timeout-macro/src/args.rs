//! What the parentheses say.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitStr, Path, Result, Token, parenthesized, parse_quote, token};

/// `LIMIT, key, key = value, ...`
pub(crate) struct Args {
    pub(crate) limit: Expr,
    /// The keys that are given, for errors that point at one.
    keys: Vec<Ident>,
    pub(crate) grace: Option<Expr>,
    /// In bytes.
    pub(crate) memory: Option<Expr>,
    pub(crate) cpu: Option<Expr>,
    pub(crate) start: Option<LitStr>,
    /// The keyword, for errors that point at it.
    pub(crate) wrap: Option<Ident>,
    pub(crate) panic: Option<Ident>,
    pub(crate) on_timeout: Option<(Ident, Expr)>,
    pub(crate) original: Option<Ident>,
    /// `&mut` arguments whose changes stay in the child.
    pub(crate) local: Vec<Ident>,
    pub(crate) runtime: Path,
}

const KEYS: &str = "`grace = ..`, `start = ..`, `wrap`, `panic`, `on_timeout = ..`, \
                    `original = ..`, `local(..)`, `memory = ..`, `cpu = ..`, \
                    `crate = ..`";

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self { limit: limit(input)?, ..Self::default() };
        while !input.is_empty() {
            comma(input)?;
            if input.is_empty() {
                break;
            }
            let key = key(input)?;
            if args.keys.contains(&key) {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            args.keys.push(key.clone());
            args.value(key, input)?;
        }
        Ok(args)
    }
}

/// What holds where nothing is said; there is no limit then.
impl Default for Args {
    fn default() -> Self {
        Self {
            limit: Expr::PLACEHOLDER,
            keys: Vec::new(),
            grace: None,
            memory: None,
            cpu: None,
            start: None,
            wrap: None,
            panic: None,
            on_timeout: None,
            original: None,
            local: Vec::new(),
            runtime: parse_quote!(::timeout_runtime),
        }
    }
}

impl Args {
    /// The key of this name, if it is given.
    pub(crate) fn key(&self, name: &str) -> Option<&Ident> {
        self.keys.iter().find(|key| *key == name)
    }

    fn value(&mut self, key: Ident, input: ParseStream<'_>) -> Result<()> {
        match key.to_string().as_str() {
            "grace" => self.grace = Some(after_equals(&key, input)?),
            "memory" => self.memory = Some(after_equals(&key, input)?),
            "cpu" => self.cpu = Some(after_equals(&key, input)?),
            "start" => self.start = Some(after_equals(&key, input)?),
            "wrap" => self.wrap = Some(flag(key, input)?),
            "panic" => self.panic = Some(flag(key, input)?),
            "on_timeout" => self.on_timeout = Some((key.clone(), after_equals(&key, input)?)),
            "original" => self.original = Some(after_equals(&key, input)?),
            "local" => self.local = names(&key, input)?,
            "crate" => {
                equals(&key, input)?;
                self.runtime = input.call(Path::parse_mod_style)?;
            }
            _ => {
                let message = format!("unknown key `{key}`; expected one of: {KEYS}");
                return Err(Error::new(key.span(), message));
            }
        }
        Ok(())
    }
}

fn limit(input: ParseStream<'_>) -> Result<Expr> {
    if input.is_empty() {
        return Err(Error::new(
            Span::call_site(),
            "expected a limit: seconds, a `Duration`, or an `Option` of these, \
             as in `#[timeout(2)]`",
        ));
    }
    let begins_with_key = input.peek(Ident::peek_any)
        && (input.peek2(Token![=]) && !input.peek2(Token![==]) || is_flag(input));
    if begins_with_key {
        return Err(input.error("expected the limit first, as in `#[timeout(2, grace = 5)]`"));
    }
    input.parse()
}

/// `wrap` or `panic` where the limit should be. A constant of that name is not to be had.
fn is_flag(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let is_flag = ahead.call(Ident::parse_any).is_ok_and(|word| word == "wrap" || word == "panic");
    is_flag && (ahead.is_empty() || ahead.peek(Token![,]))
}

fn comma(input: ParseStream<'_>) -> Result<()> {
    match input.parse::<Token![,]>() {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(error.span(), "expected `,`")),
    }
}

fn key(input: ParseStream<'_>) -> Result<Ident> {
    input
        .call(Ident::parse_any)
        .map_err(|error| Error::new(error.span(), format!("expected one of: {KEYS}")))
}

fn equals(key: &Ident, input: ParseStream<'_>) -> Result<()> {
    if input.parse::<Token![=]>().is_err() {
        return Err(Error::new(key.span(), format!("`{key}` takes a value: `{key} = ..`")));
    }
    Ok(())
}

fn after_equals<T: Parse>(key: &Ident, input: ParseStream<'_>) -> Result<T> {
    equals(key, input)?;
    if input.is_empty() {
        return Err(Error::new(key.span(), format!("`{key}` takes a value: `{key} = ..`")));
    }
    input.parse()
}

fn flag(key: Ident, input: ParseStream<'_>) -> Result<Ident> {
    if input.peek(Token![=]) {
        return Err(input.error(format!("`{key}` stands alone: it takes no value")));
    }
    Ok(key)
}

/// `(name, ...)`, where `self` is a name too.
fn names(key: &Ident, input: ParseStream<'_>) -> Result<Vec<Ident>> {
    if !input.peek(token::Paren) {
        let message = format!("`{key}` takes the names of arguments: `{key}(file, self)`");
        return Err(Error::new(key.span(), message));
    }
    let names;
    parenthesized!(names in input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&names, Ident::parse_any)?;
    Ok(names.into_iter().collect())
}
