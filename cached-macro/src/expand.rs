//! The function itself: its body, wrapped in one call into the runtime.

use std::time::Duration;

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, ReturnType, Type};

use crate::batch;
use crate::companion;
use crate::function::{Body, Function, Param, Style};
use crate::handle;
use crate::identity::{generics, site};
use crate::local;
use crate::model::{Ageing, Companion, Compress, Flight, Key, Length, Model, Ttl};
use crate::owned;
use crate::spans::shown_at;
use crate::template::{Capture, Template};

/// The annotated function and its companion.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = function(model);
    let companion = companion::expand(model);
    quote!(#function #companion)
}

fn function(model: &Model) -> TokenStream {
    let function = &model.function;
    let Body::Block(body) = &function.body else { return function.to_token_stream() };
    if let Some(batch) = &model.batch {
        return batch::function(model, batch, body);
    }
    let call = match &model.local {
        Some(local) => local::call(model, local, body),
        None => run(model, body, &plan(model, &Use::Call)),
    };
    rewritten(function, model.style, &call)
}

/// The plan carried out with the body.
pub(crate) fn run(model: &Model, body: &Group, plan: &TokenStream) -> TokenStream {
    let private = private(model);
    let deferred = deferred(&private, &model.function, model.style, &model.returns, body);
    // What may go on behind a stale value must own what it uses; else its caller waits for it.
    let owned = model.ageing.in_background() && owned::can_outlive(model);
    // In a closure, whose frame is gone when the body runs: what a plan is made of is moved about, and
    // in a debug build each move has a place of its own. It is given away, for what it borrows must not
    // be part of the future: that could be sent to no other thread where an argument is not `Sync`.
    let plan = quote!(#private::made(|| #plan));
    match (model.style, owned) {
        (Style::Sync, false) => quote!(#plan.run_blocking(#deferred)),
        (Style::Sync, true) => quote!(#plan.run_blocking_owned(move #deferred)),
        (_, false) => quote!(#plan.run(#deferred).await),
        (_, true) => quote!(#plan.run_owned(#deferred).await),
    }
}

/// The body for the runtime to run or not: a closure, or a future.
pub(crate) fn deferred(
    private: &TokenStream,
    function: &Function,
    style: Style,
    returns: &Type,
    body: &Group,
) -> TokenStream {
    let output = &function.signature.output;
    match (style, output) {
        (Style::Sync, ReturnType::Default) => quote!(|| #body),
        (Style::Sync, ReturnType::Type(..)) => quote!(|| -> #returns #body),
        (Style::Async, _) => {
            let typed = typed(private, returns);
            quote!(async move { #typed #body })
        }
        (Style::Boxed, ReturnType::Type(_, boxed)) => {
            quote!(async move { let body: #boxed = #body; body.await })
        }
        (Style::Future | Style::Boxed, _) => quote!(async move { #body.await }),
    }
}

/// The function around another body, whose value comes about as the old one's did.
pub(crate) fn rewritten(function: &Function, style: Style, body: &TokenStream) -> TokenStream {
    let Function { attributes, visibility, signature, .. } = function;
    let body = match style {
        Style::Sync | Style::Async => quote!(#body),
        Style::Future => quote!(async move { #body }),
        Style::Boxed => quote!(::std::boxed::Box::pin(async move { #body })),
    };
    quote! {
        #(#attributes)*
        // The body keeps its braces, inside ours.
        #[allow(unused_braces)]
        #visibility #signature {
            #body
        }
    }
}

/// The cache that `cache = …` names, or the one of the call.
pub(crate) fn cache(private: &TokenStream, named: Option<&Expr>) -> TokenStream {
    match named {
        Some(cache) => {
            let reference = shown_at(cache, quote!(&));
            quote!(#private::named(#reference #cache))
        }
        None => quote!(#private::current()),
    }
}

/// The first statement of an `async` block: gives it the type that the function returns.
pub(crate) fn typed(private: &TokenStream, returns: &Type) -> TokenStream {
    let open = shown_at(returns, quote!(return #private::returning::<));
    let close = shown_at(returns, quote!(>()));
    quote!(if false { #open #returns #close; })
}

/// Where a plan or an entry is built: decides which cache and which arguments are at hand.
pub(crate) enum Use {
    /// In the function.
    Call,
    /// In a verb that reads or writes the value.
    Verb,
    /// In a verb to which the value is all the same.
    Entry,
    /// In a verb that knows no arguments.
    Function,
    /// For the key alone: no cache is touched.
    Key,
}

/// The path of the runtime's internals.
pub(crate) fn private(model: &Model) -> TokenStream {
    let krate = &model.krate;
    quote!(#krate::__private)
}

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
    let (private, codec) = (private(model), codec(model));
    // What is asked of the return type is reported there, what is asked of a value at the value.
    let returns = &model.returns;
    let mut plan = entry;
    let mut step = |place: &dyn ToTokens, method: TokenStream, arguments: TokenStream| {
        let (method, arguments) =
            (shown_at(place, method), shown_at(returns, quote!((#arguments))));
        plan.extend(quote!(.#method #arguments));
    };
    match &model.ttl {
        Ttl::Literal(duration) => step(returns, quote!(cached), duration_tokens(*duration)),
        Ttl::Closure(closure) => step(closure, quote!(cached_by), quote!(#closure)),
        Ttl::Expr(expr) if may_be_function(expr, &model.params) => {
            step(expr, quote!(cached_for), quote!(#expr));
        }
        Ttl::Expr(expr) => step(expr, quote!(cached), quote!(#expr)),
    }
    let Ageing { stale_while_revalidate, stale_if_error, .. } = &model.ageing;
    if let Some(window) = stale_while_revalidate {
        step(returns, quote!(stale_while_revalidate), length_tokens(window));
    }
    if let Some(window) = stale_if_error {
        step(returns, quote!(stale_if_error), length_tokens(window));
    }
    if let Use::Call = place {
        for (method, argument) in loading(model) {
            step(returns, method, argument);
        }
    }
    if let Some(jitter) = model.jitter {
        step(returns, quote!(jitter), quote!(#jitter));
    }
    if let Some(keep) = &model.cache_if {
        step(keep, quote!(cache_if), quote!(#keep));
    }
    if let Some(ttl) = &model.none_ttl {
        step(returns, quote!(none_ttl), length_tokens(ttl));
    }
    if let Some(ttl) = &model.err_ttl {
        let ttl = length_tokens(ttl);
        step(returns, quote!(err_ttl), quote!(#ttl, #codec));
    }
    match &model.compress {
        None => {}
        Some(Compress::Default) => {
            let threshold = quote!(#private::DEFAULT_THRESHOLD);
            step(returns, quote!(compress::<#private::Zstd>), threshold);
        }
        Some(Compress::From(threshold)) => {
            step(threshold, quote!(compress::<#private::Zstd>), quote!(#threshold));
        }
    }
    plan
}

/// The options that only a call needs, as methods and their arguments.
fn loading(model: &Model) -> Vec<(TokenStream, TokenStream)> {
    let private = private(model);
    let Ageing { refresh_ahead, early_refresh, soft_timeout, load_timeout, .. } = &model.ageing;
    let number = |number: &f64| quote!(#number);
    let flight = match model.single_flight {
        Flight::Fleet => None,
        Flight::Process => Some(quote!(#private::SingleFlight::Process)),
        Flight::Off => Some(quote!(#private::SingleFlight::Off)),
    };
    let steps = [
        (quote!(refresh_ahead), refresh_ahead.as_ref().map(number)),
        (quote!(early_refresh), early_refresh.as_ref().map(number)),
        (quote!(soft_timeout), soft_timeout.as_ref().map(length_tokens)),
        (quote!(load_timeout), load_timeout.as_ref().map(length_tokens)),
        (quote!(single_flight), flight),
    ];
    let given = steps.into_iter().filter_map(|(method, argument)| Some((method, argument?)));
    given.collect()
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

/// An expression for the entry: function, cache and key.
pub(crate) fn entry(model: &Model, place: &Use) -> TokenStream {
    let private = private(model);
    let returns = &model.returns;
    let entry = Ident::new("entry", Span::mixed_site());
    let (codec, generics) = (codec(model), generics(model));
    let (cache, at) = match (place, &model.local) {
        (Use::Key, _) => (quote!(#private::nowhere()), at(model)),
        // What the call began with.
        (Use::Call, Some(_)) => {
            let near = mixed("near");
            (quote!(#near.cache()), quote!(#near.at()))
        }
        _ => (cache(&private, model.cache.as_ref()), at(model)),
    };
    if let Some(batch) = &model.batch {
        let common = batch::common(model, batch, (codec, cache, at, &generics));
        return match place {
            Use::Function if model.invalidate_all => {
                quote!({ let (mut #entry, _) = #common; #entry.tag_function(); #entry })
            }
            Use::Function => {
                let first = shown_at(returns, quote!(.0));
                quote!(#common #first)
            }
            _ => common,
        };
    }
    // A missing `Serialize` is reported at the return type.
    let begin = shown_at(returns, quote!(#private::entry));
    let probe = shown_at(returns, quote!(#private::Probe));
    let new = shown_at(returns, quote!(::NEW));
    let ask = if owned::may_share_error(model) { quote!(probe) } else { quote!(unshared) };
    let ask = shown_at(returns, quote!(#private::#ask));
    let parts = filling(model, place, &entry);
    let mutable = (!parts.is_empty()).then(|| quote!(mut));
    quote! {{
        let #mutable #entry = #begin(
            #probe::<#returns>#new,
            #ask!(#returns),
            #codec, #cache, #at, &[#(#generics),*],
        );
        #parts
        #entry
    }}
}

/// The statements that fill an entry.
pub(crate) fn filling(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    match place {
        Use::Function => tag_of_function(model, entry),
        Use::Key | Use::Entry => key_parts(model, entry),
        Use::Call | Use::Verb => {
            let (key, tags) = (key_parts(model, entry), tags(model, entry));
            let tag_of_function = tag_of_function(model, entry);
            quote!(#key #tags #tag_of_function)
        }
    }
}

/// The statements that add the key's parts. No chain of calls: where one of them does not compile,
/// the compiler would say so again for each that follows.
fn key_parts(model: &Model, entry: &Ident) -> TokenStream {
    match &model.key {
        Key::Arguments(names) => {
            let used = |param: &Param| -> TokenStream {
                let used = param.bindings.iter().filter(|name| names.contains(name));
                used.map(|name| argument(entry, param, name)).collect()
            };
            model.params.iter().map(used).collect()
        }
        Key::Template(template) => {
            let parts = template.rendered(entry, |capture| captured(entry, model, capture));
            quote!(#entry.text(":"); #parts)
        }
    }
}

/// The statements that add the tags.
fn tags(model: &Model, entry: &Ident) -> TokenStream {
    let (tag, private) = (Ident::new("tag", Span::mixed_site()), private(model));
    let add = |template: &Template| {
        let parts = template.rendered(&tag, |capture| {
            let (param, place) = place_of(capture, model);
            let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
            let call = capture.in_tag(&private, &tag, place);
            quote!(#(#cfg)* #call)
        });
        quote!(#entry.tag(|#tag| { #parts });)
    };
    model.tags.iter().map(add).collect()
}

fn tag_of_function(model: &Model, entry: &Ident) -> TokenStream {
    if model.invalidate_all { quote!(#entry.tag_function();) } else { TokenStream::new() }
}

fn argument(entry: &Ident, param: &Param, name: &Ident) -> TokenStream {
    let Param { cfg, ty, .. } = param;
    let method = if param.is_impl_trait() { quote!(typed_arg) } else { quote!(arg) };
    let (method, value) = (shown_at(ty, method), shown_at(ty, quote!(&#name)));
    quote!(#(#cfg)* #entry.#method(#value);)
}

/// The argument that is captured, and where what is wrong with its type is shown: a whole argument
/// is its type's business, a field the template's.
fn place_of<'m>(
    Capture { root, expr }: &Capture,
    model: &'m Model,
) -> (Option<&'m Param>, TokenStream) {
    let param = model.params.iter().find(|p| p.bindings.contains(root));
    let place = match (param, expr) {
        (Some(param), Expr::Path(_)) => param.ty.to_token_stream(),
        _ => root.to_token_stream(),
    };
    (param, place)
}

fn captured(entry: &Ident, model: &Model, capture: &Capture) -> TokenStream {
    let (param, place) = place_of(capture, model);
    let expr = &capture.expr;
    let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
    let typed = param.is_some_and(Param::is_impl_trait);
    let method = if typed { quote!(typed_capture) } else { quote!(capture) };
    let (method, reference) = (shown_at(&place, method), quote!(&#expr));
    let value = match expr {
        Expr::Path(_) => shown_at(&place, reference),
        _ => {
            let reference = shown_at(&place, quote!(&));
            quote!(#reference #expr)
        }
    };
    quote!(#(#cfg)* #entry.#method(#value);)
}

/// The function's identity: its static, and where it stands.
pub(crate) fn at(model: &Model) -> TokenStream {
    let private = private(model);
    match model.companion {
        Companion::Type => {
            let companion = companion::type_with_generics(model);
            // In angles, so that where there is no such type the compiler says that, and not that a
            // crate may be missing.
            quote!(<#companion>::__site())
        }
        Companion::Handle => {
            let site = handle::site_of_method(model);
            quote!(Self::#site())
        }
        Companion::None => {
            let site = site(model);
            quote!({ #site #private::At::new(&SITE, #private::place!()) })
        }
    }
}

fn codec(model: &Model) -> TokenStream {
    let private = private(model);
    match &model.codec {
        Some(codec) => {
            let phantom = shown_at(codec, quote!(::core::marker::PhantomData));
            let close = shown_at(codec, quote!(>));
            quote!(#phantom::<#private::Named<#codec>#close)
        }
        None => quote!(::core::marker::PhantomData::<#private::CacheDefault>),
    }
}

pub(crate) fn length_tokens(length: &Length) -> TokenStream {
    match length {
        Length::Literal(duration) => duration_tokens(*duration),
        Length::Expr(expr) => as_written(expr),
    }
}

/// A name that no user's token means.
pub(crate) fn mixed(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn as_written(expr: &Expr) -> TokenStream {
    expr.to_token_stream()
}

fn duration_tokens(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
