//! The function itself: its body, wrapped in one call into the runtime.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, ReturnType, Type};

use crate::batch;
use crate::companion;
use crate::filling::filling;
use crate::function::{Body, Function, Style};
use crate::identity::{Side, generics, site};
use crate::lifetimes;
use crate::local;
use crate::model::{Companion, Model};
use crate::owned;
use crate::plan::plan;
use crate::spans::shown_at;

/// The annotated function and its companion.
pub(crate) fn expand(mut model: Model) -> TokenStream {
    let function = function(&model);
    if model.companion == Companion::Type && model.batch.is_none() {
        lifetimes::bound(&mut model);
    }
    let companion = companion::expand(&model);
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

/// An expression for the entry: function, cache and key.
pub(crate) fn entry(model: &Model, place: &Use) -> TokenStream {
    let private = private(model);
    let returns = &model.returns;
    let entry = Ident::new("entry", Span::mixed_site());
    let (codec, generics) = (codec(model), generics(model));
    let (cache, at) = match (place, &model.local) {
        (Use::Key, _) => (quote!(#private::nowhere()), at(model, place)),
        // What the call began with.
        (Use::Call, Some(_)) => {
            let near = mixed("near");
            (quote!(#near.cache()), quote!(#near.at()))
        }
        _ => (cache(&private, model.cache.as_ref()), at(model, place)),
    };
    if let Some(batch) = &model.batch {
        let common = batch::common(model, batch, place, (codec, cache, at, &generics));
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
    // What is missing is asked for in the function alone, and reported at the return type.
    let begin = match place {
        Use::Call => quote!(required),
        _ => quote!(presumed),
    };
    let ask = if owned::may_share_error(model) { quote!(probe) } else { quote!(unshared) };
    let begun = quote! {
        #private::#begin!(#ask, #returns, #codec, #cache, #at, &[#(#generics),*])
    };
    let begun = shown_at(returns, begun);
    let parts = filling(model, place, &entry);
    let mutable = (!parts.is_empty()).then(|| quote!(mut));
    quote! {{
        let #mutable #entry = #begun;
        #parts
        #entry
    }}
}

/// The function's identity: a static, and where it stands.
pub(crate) fn at(model: &Model, place: &Use) -> TokenStream {
    let private = private(model);
    let side = match (place, model.companion) {
        (Use::Call, _) | (_, Companion::None) => Side::Function,
        (_, Companion::Type) => return quote!(Self::__site()),
        (_, Companion::Handle) => Side::Handle,
    };
    let site = site(model, &side);
    // Beside a function with a type there are no generics of an `impl`.
    let free = (model.companion == Companion::Type).then(|| quote!(free));
    quote!({ #site #private::At::new(&SITE, #private::place!(#free)) })
}

pub(crate) fn codec(model: &Model) -> TokenStream {
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

/// A name that no user's token means.
pub(crate) fn mixed(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
