//! The options, given to an entry: how a value is kept, and for a call how it is loaded.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, Pat};

use crate::batch;
use crate::expand::{Use, codec, entry, mixed, private};
use crate::function::Param;
use crate::lifetimes;
use crate::model::{Ageing, Compress, Flight, Length, Model, Ttl};
use crate::spans::shown_at;

/// An expression for the plan: the entry and the options.
pub(crate) fn plan(model: &Model, place: &Use) -> TokenStream {
    let entry = entry(model, place);
    let Some(batch) = &model.batch else {
        return planned(model, place, shown_at(&model.returns, entry));
    };
    let (common, ways) = (mixed("entry"), mixed("ways"));
    let plan = planned(model, place, quote!(#common));
    let each = batch::each(model, batch, place);
    quote!({ let (#common, #ways) = #entry; #plan.of(#ways, #each) })
}

/// The options, given to an entry.
pub(crate) fn planned(model: &Model, place: &Use, entry: TokenStream) -> TokenStream {
    let private = private(model);
    let mut plan = Plan {
        length: Lengths { private: &private, asked: matches!(place, Use::Call) },
        returns: model.returns.to_token_stream(),
        may_borrow: lifetimes::may_borrow(&model.returns),
        tokens: entry,
    };
    plan.ttl(&model.ttl, &model.params);
    let Ageing { stale_while_revalidate, stale_if_error, .. } = &model.ageing;
    plan.window("stale_while_revalidate", stale_while_revalidate.as_ref());
    plan.window("stale_if_error", stale_if_error.as_ref());
    if let Use::Call = place {
        plan.loading(model);
    }
    if let Some(jitter) = model.jitter {
        plan.option(quote!(jitter), &quote!(#jitter));
    }
    if let Some(compress) = &model.compress {
        plan.compress(compress);
    }
    if let Some(keep) = &model.cache_if {
        plan.cache_if(keep);
    }
    // A verb that stores a value knows that it is neither `None` nor an error.
    if let Use::Call = place {
        plan.window("none_ttl", model.none_ttl.as_ref());
        if let Some(ttl) = &model.err_ttl {
            let (ttl, codec) = (plan.length.tokens(ttl), codec(model));
            plan.option(quote!(err_ttl), &quote!(#ttl, #codec));
        }
    }
    plan.tokens
}

/// Whether what is asked of an option's type is asked: in the function alone, so that what is wrong is
/// said once.
pub(crate) struct Lengths<'a> {
    pub(crate) private: &'a TokenStream,
    pub(crate) asked: bool,
}

struct Plan<'a> {
    length: Lengths<'a>,
    returns: TokenStream,
    may_borrow: bool,
    tokens: TokenStream,
}

impl Plan<'_> {
    /// What is asked of the return type is reported there, what is asked of a value at the value.
    fn step(&mut self, place: &dyn ToTokens, method: TokenStream, arguments: &TokenStream) {
        let method = shown_at(place, method);
        let arguments = shown_at(&self.returns, quote!((#arguments)));
        self.tokens.extend(quote!(.#method #arguments));
    }

    /// The first step, where the compiler shows what is wrong with the lifetimes of a value.
    fn begin(&mut self, place: &dyn ToTokens, method: TokenStream, arguments: &TokenStream) {
        if !(self.length.asked && self.may_borrow) {
            return self.step(place, method, arguments);
        }
        let (private, entry) = (self.length.private, &self.tokens);
        // The macro's name is the cure: no trait has a say about lifetimes.
        self.tokens = shown_at(
            &self.returns,
            quote!(#private::return_a_value_that_owns_what_it_points_to!(#entry, #method (#arguments))),
        );
    }

    fn option(&mut self, method: TokenStream, arguments: &TokenStream) {
        self.step(&self.returns.clone(), method, arguments);
    }

    /// The plan with a value whose type is the function's business.
    fn presumed(&mut self, option: &TokenStream, value: &Expr) {
        let (private, plan) = (self.length.private, &self.tokens);
        self.tokens = quote!(#private::taken!(#option #plan, #value));
    }

    fn ttl(&mut self, ttl: &Ttl, params: &[Param]) {
        let asked = self.length.asked;
        match ttl {
            Ttl::Literal(duration) => {
                self.begin(&self.returns.clone(), quote!(cached), &literal(*duration));
            }
            Ttl::Closure(closure) if asked || !is_typed(closure) => {
                self.begin(closure, quote!(cached_by), &quote!(#closure));
            }
            Ttl::Expr(expr) if !may_be_function(expr, params) => {
                self.begin(expr, quote!(cached), &self.length.of(expr));
            }
            Ttl::Expr(expr) if asked => self.begin(expr, quote!(cached_for), &quote!(#expr)),
            Ttl::Closure(ttl) | Ttl::Expr(ttl) => self.presumed(&quote!(ttl), ttl),
        }
    }

    fn window(&mut self, option: &str, length: Option<&Length>) {
        if let Some(length) = length {
            let method = Ident::new(option, proc_macro2::Span::call_site());
            self.option(quote!(#method), &self.length.tokens(length));
        }
    }

    fn compress(&mut self, compress: &Compress) {
        let Lengths { private, asked } = self.length;
        let method = match asked {
            true => quote!(compress::<#private::Zstd>),
            false => quote!(compressed),
        };
        match compress {
            Compress::Default => self.option(method, &quote!(#private::DEFAULT_THRESHOLD)),
            Compress::From(path @ Expr::Path(_)) if !asked => {
                self.step(path, method, &quote!(#private::taken!(usize: #path)));
            }
            Compress::From(threshold) => self.step(threshold, method, &quote!(#threshold)),
        }
    }

    fn cache_if(&mut self, keep: &Expr) {
        if self.length.asked || !is_typed(keep) {
            self.step(keep, quote!(cache_if), &quote!(#keep));
        } else {
            self.presumed(&quote!(cache_if), keep);
        }
    }

    /// The options that only a call needs.
    fn loading(&mut self, model: &Model) {
        let private = self.length.private;
        let Ageing { refresh_ahead, early_refresh, soft_timeout, load_timeout, .. } = &model.ageing;
        if let Some(fraction) = refresh_ahead {
            self.option(quote!(refresh_ahead), &quote!(#fraction));
        }
        if let Some(beta) = early_refresh {
            self.option(quote!(early_refresh), &quote!(#beta));
        }
        self.window("soft_timeout", soft_timeout.as_ref());
        self.window("load_timeout", load_timeout.as_ref());
        match model.single_flight {
            Flight::Fleet => {}
            Flight::Process => {
                self.option(quote!(single_flight), &quote!(#private::SingleFlight::Process));
            }
            Flight::Off => self.option(quote!(single_flight), &quote!(#private::SingleFlight::Off)),
        }
    }
}

impl Lengths<'_> {
    pub(crate) fn tokens(&self, length: &Length) -> TokenStream {
        match length {
            Length::Literal(duration) => literal(*duration),
            Length::Expr(expr) => self.of(expr),
        }
    }

    /// Only of a path is the type asked in our words: others may infer theirs from what is expected.
    fn of(&self, expr: &Expr) -> TokenStream {
        let private = self.private;
        match expr {
            Expr::Path(_) if self.asked => shown_at(expr, quote!(#private::length(#expr))),
            Expr::Path(_) => quote!(#private::taken!(::core::time::Duration: #expr)),
            _ => quote!(#expr),
        }
    }
}

/// Whether a closure says what it takes, so that nothing need be inferred.
fn is_typed(closure: &Expr) -> bool {
    let Expr::Closure(closure) = closure else { return true };
    closure.inputs.iter().all(|input| match input {
        Pat::Type(typed) => !has_hole(typed.ty.to_token_stream()),
        _ => false,
    })
}

/// Whether the type has a part that is to be inferred.
fn has_hole(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(name) => name == "_",
        proc_macro2::TokenTree::Group(group) => has_hole(group.stream()),
        _ => false,
    })
}

/// Whether the `ttl` could be a function of the value. Only a path could, and one that is an
/// argument or shouts like a constant is none: then a wrong type is simply no `Duration`.
fn may_be_function(ttl: &Expr, params: &[Param]) -> bool {
    let Expr::Path(path) = ttl else { return false };
    let argument = |name: &Ident| params.iter().any(|param| param.bindings.contains(name));
    if path.path.get_ident().is_some_and(argument) {
        return false;
    }
    let last = path.path.segments.last().map(|last| last.ident.to_string());
    last.is_some_and(|last| last.contains(char::is_lowercase))
}

fn literal(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
