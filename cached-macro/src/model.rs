//! The model: a function and its options, checked. What is in it can be expanded.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, Path, Type};

use crate::function::{Function, Param, Style};
use crate::template::Template;

pub(crate) struct Model {
    pub(crate) function: Function,
    pub(crate) style: Style,
    /// The type of the body's value.
    pub(crate) returns: Type,
    pub(crate) params: Vec<Param>,
    pub(crate) key: Key,
    pub(crate) name: Option<String>,
    pub(crate) ttl: Ttl,
    pub(crate) jitter: Option<f64>,
    pub(crate) cache_if: Option<Expr>,
    pub(crate) none_ttl: Option<Length>,
    pub(crate) err_ttl: Option<Length>,
    pub(crate) codec: Option<Type>,
    pub(crate) compress: Option<Compress>,
    pub(crate) cache: Option<Expr>,
    pub(crate) companion: Companion,
    pub(crate) krate: Path,
}

/// What the key is made of.
pub(crate) enum Key {
    /// These arguments in order, each a segment.
    Arguments(Vec<Ident>),
    Template(Template),
}

impl Key {
    /// Whether the key uses the binding.
    pub(crate) fn uses(&self, binding: &Ident) -> bool {
        match self {
            Self::Arguments(names) => names.contains(binding),
            Self::Template(template) => template.captures().any(|c| c.root == *binding),
        }
    }
}

pub(crate) enum Ttl {
    Literal(Duration),
    /// A closure from the value.
    Closure(Expr),
    /// A `Duration`, or the path of a function.
    Expr(Expr),
}

/// A duration, the same for all values.
pub(crate) enum Length {
    Literal(Duration),
    Expr(Expr),
}

pub(crate) enum Compress {
    Default,
    From(Expr),
}

/// Which companion is emitted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Companion {
    /// A type of the function's name.
    Type,
    /// A method `name_cache`.
    Handle,
    None,
}

impl Model {
    pub(crate) fn is_async(&self) -> bool {
        self.style != Style::Sync
    }

    /// Tokens of the options that a call evaluates, apart from `cache`.
    pub(crate) fn option_tokens(&self) -> TokenStream {
        use quote::ToTokens;
        let mut tokens = TokenStream::new();
        if let Ttl::Closure(expr) | Ttl::Expr(expr) = &self.ttl {
            tokens.extend(free_tokens(expr));
        }
        for length in [&self.none_ttl, &self.err_ttl].into_iter().flatten() {
            if let Length::Expr(expr) = length {
                expr.to_tokens(&mut tokens);
            }
        }
        if let Some(expr) = &self.cache_if {
            tokens.extend(free_tokens(expr));
        }
        if let Some(Compress::From(expr)) = &self.compress {
            expr.to_tokens(&mut tokens);
        }
        tokens
    }
}

/// A closure's tokens without those that are its own parameter's name.
fn free_tokens(expr: &Expr) -> TokenStream {
    use quote::ToTokens;
    let Expr::Closure(closure) = expr else { return expr.to_token_stream() };
    let own: Vec<TokenStream> = closure.inputs.iter().map(ToTokens::to_token_stream).collect();
    let own: TokenStream = own.into_iter().collect();
    let hidden = |name: &Ident| crate::function::mentions(&own, name);
    without(closure.body.to_token_stream(), &hidden)
}

fn without(tokens: TokenStream, hidden: &dyn Fn(&Ident) -> bool) -> TokenStream {
    use proc_macro2::TokenTree;
    let kept = tokens.into_iter().filter_map(|token| match token {
        TokenTree::Ident(ident) if hidden(&ident) => None,
        TokenTree::Group(group) => {
            let inside = without(group.stream(), hidden);
            Some(TokenTree::Group(proc_macro2::Group::new(group.delimiter(), inside)))
        }
        other => Some(other),
    });
    kept.collect()
}
