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
    pub(crate) tags: Vec<Template>,
    /// Each entry carries a tag of the function itself.
    pub(crate) invalidate_all: bool,
    pub(crate) local: Option<Local>,
    pub(crate) ttl: Ttl,
    pub(crate) ageing: Ageing,
    pub(crate) single_flight: Flight,
    pub(crate) jitter: Option<f64>,
    pub(crate) cache_if: Option<Expr>,
    pub(crate) none_ttl: Option<Length>,
    pub(crate) err_ttl: Option<Length>,
    pub(crate) codec: Option<Type>,
    pub(crate) compress: Option<Compress>,
    pub(crate) cache: Option<Expr>,
    pub(crate) companion: Companion,
    pub(crate) krate: Path,
    pub(crate) batch: Option<Batch>,
}

/// An argument that holds several keys, each of which has an entry of its own.
pub(crate) struct Batch {
    /// The argument; in templates it stands for one key.
    pub(crate) keys: Ident,
    /// Its elements' type.
    pub(crate) element: Type,
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

/// Values are kept in this process's memory, too.
pub(crate) struct Local {
    /// How long at most.
    pub(crate) ttl: Option<Length>,
}

/// How values that grow old, and loads that take long, are treated.
pub(crate) struct Ageing {
    pub(crate) stale_while_revalidate: Option<Length>,
    pub(crate) stale_if_error: Option<Length>,
    pub(crate) refresh_ahead: Option<f64>,
    pub(crate) early_refresh: Option<f64>,
    pub(crate) soft_timeout: Option<Length>,
    pub(crate) load_timeout: Option<Length>,
}

impl Ageing {
    /// Whether a value may be served while its successor is loaded.
    pub(crate) fn in_background(&self) -> bool {
        self.stale_while_revalidate.is_some()
            || self.refresh_ahead.is_some()
            || self.early_refresh.is_some()
            || self.soft_timeout.is_some()
    }
}

/// Whose loads are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flight {
    Fleet,
    Process,
    Off,
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

    /// Whether a tag uses the binding.
    pub(crate) fn tags_use(&self, binding: &Ident) -> bool {
        self.tags.iter().flat_map(Template::captures).any(|capture| capture.root == *binding)
    }

    /// Tokens of the options that storing a value evaluates, apart from `cache` and `tags`.
    pub(crate) fn option_tokens(&self) -> TokenStream {
        use quote::ToTokens;
        let mut tokens = TokenStream::new();
        if let Ttl::Closure(expr) | Ttl::Expr(expr) = &self.ttl {
            tokens.extend(free_tokens(expr));
        }
        let Ageing { stale_while_revalidate, stale_if_error, .. } = &self.ageing;
        let lengths = [stale_while_revalidate, stale_if_error, &self.none_ttl, &self.err_ttl];
        for length in lengths.into_iter().flatten() {
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
pub(crate) fn free_tokens(expr: &Expr) -> TokenStream {
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
