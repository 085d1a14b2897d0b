//! The attribute's options as written: each with its spans, none judged yet.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, PathArguments, Token, Type, token};

use crate::errors::Errors;
use crate::groups;

/// One option: `name`, `name = value` or `name(…)`.
pub(crate) struct Opt {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// The name alone.
    Flag,
    /// `name =` with nothing behind.
    Nothing,
    Expr(Box<Expr>),
    /// After `codec =`.
    Type(Box<Type>),
    /// What stands in parentheses.
    List(TokenStream),
}

/// All options.
pub(crate) struct Parsed {
    pub(crate) options: Vec<Opt>,
    /// Something that was no option was left out: what seems to be missing may be that.
    pub(crate) incomplete: bool,
}

/// Reads all options; a malformed one is reported, and reading goes on behind the next comma.
pub(crate) fn options(attribute: TokenStream, errors: &Errors) -> Parsed {
    let mut incomplete = false;
    let parser = |input: ParseStream<'_>| {
        let mut options = Vec::new();
        while !input.is_empty() {
            match option(input) {
                Ok(option) => options.push(option),
                Err(error) => {
                    errors.push(error);
                    incomplete = true;
                    skip_to_comma(input)?;
                }
            }
            if input.is_empty() {
                break;
            }
            if let Err(error) = input.parse::<Token![,]>() {
                errors
                    .push(syn::Error::new(error.span(), "a `,` must stand before the next option"));
                incomplete = true;
                skip_to_comma(input)?;
                let _: Option<Token![,]> = input.parse()?;
            }
        }
        Ok(options)
    };
    let options = parser.parse2(attribute).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    Parsed { options, incomplete }
}

fn option(input: ParseStream<'_>) -> syn::Result<Opt> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error("a value has no name here: options are written `ttl = 60`"));
    }
    let name = Ident::parse_any(input)?;
    if input.peek(Token![:]) && !input.peek(Token![::]) {
        let message = format!("`{name}` takes its value after a `=`: `{name} = …`");
        return Err(input.error(message));
    }
    let value = if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            Value::Nothing
        } else if name == "codec" {
            Value::Type(Box::new(groups::without_in_type(codec(input)?)))
        } else {
            let expr = input.parse().map_err(|error| no_value(&name, &error))?;
            Value::Expr(Box::new(groups::without(expr)))
        }
    } else if input.peek(token::Paren) {
        Value::List(input.parse::<Group>()?.stream())
    } else {
        Value::Flag
    };
    Ok(Opt { name, value })
}

/// The type behind `codec =`.
fn codec(input: ParseStream<'_>) -> syn::Result<Type> {
    let ahead = input.fork();
    let named = ahead.parse::<Type>().is_ok_and(|ty| !is_call(&ty));
    if named && (ahead.is_empty() || ahead.peek(Token![,])) {
        return input.parse();
    }
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        tokens.extend(Some(input.parse::<TokenTree>()?));
    }
    let message = "`codec` is a type, not a value of one: `codec = Json`, `codec = MessagePack`, \
                   `codec = Postcard` (from `cached_runtime`), or a type of yours that implements \
                   `Codec`";
    Err(syn::Error::new_spanned(tokens, message))
}

/// `Json::new()` reads as a type, as `Fn()` does.
fn is_call(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|last| matches!(last.arguments, PathArguments::Parenthesized(_)))
}

fn no_value(name: &Ident, error: &syn::Error) -> syn::Error {
    syn::Error::new(error.span(), format!("this is no value for `{name}`: {error}"))
}

/// The names in a list, `self` among them.
pub(crate) fn names(list: TokenStream) -> syn::Result<Vec<Ident>> {
    let names = Punctuated::<Name, Token![,]>::parse_terminated.parse2(list)?;
    Ok(names.into_iter().map(|Name(name)| name).collect())
}

/// A name in a list; `self` is one.
struct Name(Ident);

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Ident::peek_any) {
            Ident::parse_any(input).map(Self)
        } else {
            Err(input.error("the name of an argument must stand here, as in `skip(db, ctx)`"))
        }
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
