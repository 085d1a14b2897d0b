//! The attribute's options as written: each with its spans, none judged yet.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Token, Type, parenthesized, token};

use crate::errors::Errors;

/// One option: `name`, `name = value` or `name(…)`.
pub(crate) struct Opt {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// The name alone.
    Flag,
    Expr(Box<Expr>),
    /// After `codec =`.
    Type(Box<Type>),
    /// In parentheses.
    Names(Vec<Ident>),
}

/// Reads all options; a malformed one is reported, and reading goes on behind the next comma.
pub(crate) fn options(attribute: TokenStream, errors: &Errors) -> Vec<Opt> {
    let parser = |input: ParseStream<'_>| {
        let mut options = Vec::new();
        while !input.is_empty() {
            match option(input) {
                Ok(option) => options.push(option),
                Err(error) => {
                    errors.push(error);
                    skip_to_comma(input)?;
                }
            }
            if input.is_empty() {
                break;
            }
            if let Err(error) = input.parse::<Token![,]>() {
                errors.push(syn::Error::new(error.span(), "expected `,` before the next option"));
                skip_to_comma(input)?;
                let _: Option<Token![,]> = input.parse()?;
            }
        }
        Ok(options)
    };
    parser.parse2(attribute).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    })
}

fn option(input: ParseStream<'_>) -> syn::Result<Opt> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected an option such as `ttl = 60`"));
    }
    let name = Ident::parse_any(input)?;
    let value = if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if name == "codec" {
            Value::Type(Box::new(input.parse()?))
        } else {
            Value::Expr(Box::new(input.parse().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    format!("a value must stand behind `{name} =`: {error}"),
                )
            })?))
        }
    } else if input.peek(token::Paren) {
        let inside;
        parenthesized!(inside in input);
        let names = Punctuated::<Name, Token![,]>::parse_terminated(&inside)?;
        Value::Names(names.into_iter().map(|Name(name)| name).collect())
    } else {
        Value::Flag
    };
    Ok(Opt { name, value })
}

/// A name in a list; `self` is one.
struct Name(Ident);

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Ident::peek_any) {
            Ident::parse_any(input).map(Self)
        } else {
            Err(input.error("expected the name of an argument"))
        }
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
