//! The function itself: its body, wrapped in one call into the runtime.

use std::time::Duration;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Expr, GenericParam, ReturnType, Type};

use crate::companion;
use crate::function::{Body, Function, Param, Style, mentions};
use crate::handle;
use crate::model::{Companion, Compress, Key, Length, Model, Ttl};
use crate::spans::shown_at;
use crate::template::{Capture, Part};

/// The annotated function and its companion.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = function(model);
    let companion = companion::expand(model);
    quote!(#function #companion)
}

fn function(model: &Model) -> TokenStream {
    let function = &model.function;
    let Body::Block(body) = &function.body else { return function.to_token_stream() };
    let returns = &model.returns;
    let private = private(model);
    let plan = plan(model, &Use::Call);
    let deferred = deferred(&private, function, model.style, returns, body);
    let call = match model.style {
        Style::Sync => quote!(#plan.run_blocking(#deferred)),
        _ => quote!(#plan.run(#deferred).await),
    };
    rewritten(function, model.style, &call)
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
fn typed(private: &TokenStream, returns: &Type) -> TokenStream {
    let open = shown_at(returns, quote!(return #private::returning::<));
    let close = shown_at(returns, quote!(>()));
    quote!(if false { #open #returns #close; })
}

/// Where a plan or an entry is built: decides which cache and which arguments are at hand.
pub(crate) enum Use {
    /// In the function.
    Call,
    /// In a verb of the companion type.
    Verb,
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
    let private = private(model);
    let entry = entry(model, place);
    let codec = codec(model);
    // What is asked of the return type is reported there, what is asked of a value at the value.
    let returns = &model.returns;
    let mut plan = shown_at(returns, entry);
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
    let (codec, at) = (codec(model), at(model));
    let generics = generics(model);
    let cache = match place {
        Use::Key => quote!(#private::nowhere()),
        Use::Call | Use::Verb | Use::Function => cache(&private, model.cache.as_ref()),
    };
    // A missing `Serialize` is reported at the return type.
    let begin = shown_at(returns, quote!(#private::entry));
    let probe = shown_at(returns, quote!(#private::Probe));
    let new = shown_at(returns, quote!(::NEW));
    let kind = shown_at(returns, quote!(#private::kind_of));
    let parts = match place {
        Use::Function => TokenStream::new(),
        Use::Call | Use::Verb | Use::Key => key_parts(model, &entry),
    };
    let mutable = (!parts.is_empty()).then(|| quote!(mut));
    quote! {{
        let #mutable #entry = #begin(
            #probe::<#returns>#new,
            #kind!(#returns),
            #codec, #cache, #at, &[#(#generics),*],
        );
        #parts
        #entry
    }}
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
            let parts = template.parts.iter().map(|part| match part {
                Part::Text(text) => quote!(#entry.text(#text);),
                Part::Capture(capture) => captured(entry, model, capture),
            });
            quote!(#entry.text(":"); #(#parts)*)
        }
    }
}

fn argument(entry: &Ident, param: &Param, name: &Ident) -> TokenStream {
    let Param { cfg, ty, .. } = param;
    let method = if param.is_impl_trait() { quote!(typed_arg) } else { quote!(arg) };
    let (method, value) = (shown_at(ty, method), shown_at(ty, quote!(&#name)));
    quote!(#(#cfg)* #entry.#method(#value);)
}

fn captured(entry: &Ident, model: &Model, Capture { root, expr }: &Capture) -> TokenStream {
    let param = model.params.iter().find(|p| p.bindings.contains(root));
    let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
    let typed = param.is_some_and(Param::is_impl_trait);
    let method = if typed { quote!(typed_capture) } else { quote!(capture) };
    // A whole argument is its type's business, a field the template's.
    let place = match (param, expr) {
        (Some(param), Expr::Path(_)) => param.ty.to_token_stream(),
        _ => root.to_token_stream(),
    };
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
fn at(model: &Model) -> TokenStream {
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

/// The static that an attribute leaves.
pub(crate) fn site(model: &Model) -> TokenStream {
    let private = private(model);
    let name = match &model.name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let signature = key_signature(model);
    quote!(static SITE: #private::Site = #private::Site::new(#name, #signature);)
}

/// The types that make the key, or its template: part of the fingerprint.
fn key_signature(model: &Model) -> String {
    match &model.key {
        Key::Arguments(names) => {
            // Their names as well, so that `(from, to)` is not `(to, from)`; but functions that
            // share a `name` may call their arguments what they like.
            let used = model.params.iter().filter(|p| p.bindings.iter().any(|b| names.contains(b)));
            let spell = |param: &Param| {
                let ty = spelled(param.ty.to_token_stream());
                if model.name.is_some() {
                    return ty;
                }
                let names = param.bindings.iter().filter(|name| names.contains(name));
                let names: Vec<String> = names.map(ToString::to_string).collect();
                format!("{}: {ty}", names.join(" "))
            };
            used.map(spell).collect::<Vec<_>>().join(", ")
        }
        Key::Template(template) => {
            let part = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Capture(Capture { expr, .. }) => {
                    format!("{{{}}}", spelled(expr.to_token_stream()))
                }
            };
            template.parts.iter().map(part).collect()
        }
    }
}

/// Tokens as text that does not depend on where the compiler puts blanks, which changes with its
/// version: else the program built by the next one would not find its entries.
fn spelled(tokens: TokenStream) -> String {
    let spell = |token| match token {
        TokenTree::Group(group) => {
            let (open, close) = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::None => ("", ""),
            };
            format!("{open}{}{close}", spelled(group.stream()))
        }
        token => token.to_string(),
    };
    let mut text = String::new();
    for word in tokens.into_iter().map(spell) {
        // A blank only where two words would become one.
        let word_like = |c: char| c.is_alphanumeric() || c == '_';
        if text.ends_with(word_like) && word.starts_with(word_like) {
            text.push(' ');
        }
        text.push_str(&word);
    }
    text
}

/// The generic arguments in the function's segment: types by name, constants by value. Those
/// that only types of skipped arguments mention are left out.
fn generics(model: &Model) -> Vec<TokenStream> {
    let private = private(model);
    let counts = |name: &Ident| {
        let mentioned = |ty: &Type| mentions(&ty.to_token_stream(), name);
        let (used, skipped): (Vec<_>, Vec<_>) =
            model.params.iter().partition(|p| p.bindings.iter().any(|b| model.key.uses(b)));
        let in_key = used.iter().any(|param| mentioned(&param.ty)) || mentioned(&model.returns);
        in_key || !skipped.iter().any(|param| mentioned(&param.ty))
    };
    let name = |param: &GenericParam| match param {
        GenericParam::Type(param) if counts(&param.ident) => {
            let ident = &param.ident;
            Some(quote!(#private::Cow::Borrowed(::core::any::type_name::<#ident>())))
        }
        GenericParam::Const(param) if counts(&param.ident) => {
            let ident = &param.ident;
            Some(quote!(#private::const_name(#ident)))
        }
        _ => None,
    };
    model.function.generics().filter_map(name).collect()
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

fn length_tokens(length: &Length) -> TokenStream {
    match length {
        Length::Literal(duration) => duration_tokens(*duration),
        Length::Expr(expr) => as_written(expr),
    }
}

fn as_written(expr: &Expr) -> TokenStream {
    expr.to_token_stream()
}

fn duration_tokens(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
