//! The function itself: its body, wrapped in one call into the runtime.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, GenericParam, Type};

use crate::companion;
use crate::function::{Body, Style, mentions};
use crate::model::{Companion, Compress, Key, Length, Model, Ttl};
use crate::template::{Capture, Part};

/// The annotated function and its companion.
pub(crate) fn expand(model: &Model) -> TokenStream {
    let function = function(model);
    let companion = companion::expand(model);
    quote!(#function #companion)
}

fn function(model: &Model) -> TokenStream {
    let function = &model.function;
    let (attributes, visibility) = (&function.attributes, &function.visibility);
    let signature = &function.signature;
    let Body::Block(body) = &function.body else { return function.to_token_stream() };
    let returns = &model.returns;
    let private = private(model);
    let plan = plan(model, &Use::Call);
    let typed = quote!(if false { return #private::returning::<#returns>(); });
    let call = match model.style {
        Style::Sync => quote!(#plan.run_blocking(|| -> #returns #body)),
        Style::Async => quote!(#plan.run(async move { #typed #body }).await),
        Style::Future => quote!(async move {
            #plan.run(async move { #body.await }).await
        }),
        Style::Boxed => {
            let boxed = match &signature.output {
                syn::ReturnType::Type(_, boxed) => boxed.to_token_stream(),
                syn::ReturnType::Default => quote!(_),
            };
            quote!(::std::boxed::Box::pin(async move {
                #plan.run(async move {
                    let body: #boxed = #body;
                    body.await
                }).await
            }))
        }
    };
    quote! {
        #(#attributes)*
        #visibility #signature {
            #call
        }
    }
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
    let mut plan = match &model.ttl {
        Ttl::Literal(duration) => {
            let duration = duration_tokens(*duration);
            quote!(#entry.cached(#duration))
        }
        Ttl::Closure(closure) => quote!(#entry.cached_by(#closure)),
        Ttl::Expr(expr) => {
            let method = Ident::new("cached_for", expr.span());
            quote!(#entry.#method(#expr))
        }
    };
    if let Some(jitter) = model.jitter {
        plan.extend(quote!(.jitter(#jitter)));
    }
    if let Some(keep) = &model.cache_if {
        plan.extend(quote!(.cache_if(#keep)));
    }
    if let Some(ttl) = &model.none_ttl {
        let ttl = length_tokens(ttl);
        let method = Ident::new("none_ttl", model.returns.span());
        plan.extend(quote!(.#method(#ttl)));
    }
    if let Some(ttl) = &model.err_ttl {
        let ttl = length_tokens(ttl);
        let method = Ident::new("err_ttl", model.returns.span());
        plan.extend(quote!(.#method(#ttl, #codec)));
    }
    match &model.compress {
        None => {}
        Some(Compress::Default) => {
            plan.extend(quote!(.compress::<#private::Zstd>(#private::DEFAULT_THRESHOLD)));
        }
        Some(Compress::From(threshold)) => {
            plan.extend(quote!(.compress::<#private::Zstd>(#threshold)));
        }
    }
    plan
}

/// An expression for the entry: function, cache and key.
pub(crate) fn entry(model: &Model, place: &Use) -> TokenStream {
    let private = private(model);
    let returns = &model.returns;
    let entry = Ident::new("entry", Span::mixed_site());
    let (codec, at) = (codec(model), at(model));
    let generics = generics(model);
    let cache = match (place, &model.cache) {
        (Use::Key, _) => quote!(#private::nowhere()),
        (_, Some(cache)) => quote!(#private::named(&#cache)),
        (_, None) => quote!(#private::current()),
    };
    // A missing `Serialize` is reported at the return type.
    let begin = quote_spanned!(returns.span()=> entry);
    let parts = match place {
        Use::Function => TokenStream::new(),
        Use::Call | Use::Verb | Use::Key => key_parts(model, &entry),
    };
    let mutable = (!parts.is_empty()).then(|| quote!(mut));
    quote! {{
        let #mutable #entry = #private::#begin(
            #private::Probe::<#returns>::NEW,
            #private::kind_of!(#returns),
            #codec, #cache, #at, &[#(#generics),*],
        );
        #parts
        #entry
    }}
}

/// The statements that add the key's parts.
fn key_parts(model: &Model, entry: &Ident) -> TokenStream {
    match &model.key {
        Key::Arguments(names) => model
            .params
            .iter()
            .flat_map(|param| {
                let used = param.bindings.iter().filter(|name| names.contains(name));
                used.map(move |name| {
                    let (cfg, span) = (&param.cfg, param.ty.span());
                    let method = if param.is_impl_trait() { "typed_arg" } else { "arg" };
                    let method = Ident::new(method, span);
                    quote_spanned!(span=> #(#cfg)* #entry.#method(&#name);)
                })
            })
            .collect(),
        Key::Template(template) => {
            let parts = template.parts.iter().map(|part| match part {
                Part::Text(text) => quote!(#entry.text(#text);),
                Part::Capture(Capture { root, expr }) => {
                    let param = model.params.iter().find(|p| p.bindings.contains(root));
                    let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
                    let span = param.map_or_else(|| root.span(), |param| param.ty.span());
                    let typed = param.is_some_and(crate::function::Param::is_impl_trait);
                    let method = if typed { "typed_capture" } else { "capture" };
                    let method = Ident::new(method, span);
                    quote_spanned!(span=> #(#cfg)* #entry.#method(&#expr);)
                }
            });
            quote!(#entry.text(":"); #(#parts)*)
        }
    }
}

/// The function's identity: its static, and where it stands.
fn at(model: &Model) -> TokenStream {
    let private = private(model);
    match model.companion {
        Companion::Type => {
            let companion = companion::type_with_generics(model);
            quote!(#companion::__site())
        }
        Companion::Handle => {
            let site = companion::site_of_method(model);
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
            let used = model.params.iter().filter(|p| p.bindings.iter().any(|b| names.contains(b)));
            let types = used.map(|param| param.ty.to_token_stream().to_string());
            types.collect::<Vec<_>>().join(", ")
        }
        Key::Template(template) => {
            let part = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Capture(Capture { expr, .. }) => format!("{{{}}}", expr.to_token_stream()),
            };
            template.parts.iter().map(part).collect()
        }
    }
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
    let choice = match &model.codec {
        Some(codec) => quote!(#private::Named<#codec>),
        None => quote!(#private::CacheDefault),
    };
    quote!(::core::marker::PhantomData::<#choice>)
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
