//! The function itself: its body, wrapped in one call into the runtime.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Expr, ReturnType, Type};

use crate::batch;
use crate::companion;
use crate::function::{Body, Function, Param, Style};
use crate::handle;
use crate::identity::{generics, site};
use crate::lifetimes;
use crate::local;
use crate::model::{Companion, Key, Model};
use crate::owned;
use crate::plan::plan;
use crate::spans::shown_at;
use crate::template::{Capture, Template};

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
        (Use::Key, _) => (quote!(#private::nowhere()), at(model)),
        // What the call began with.
        (Use::Call, Some(_)) => {
            let near = mixed("near");
            (quote!(#near.cache()), quote!(#near.at()))
        }
        _ => (cache(&private, model.cache.as_ref()), at(model)),
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

/// The statements that fill an entry.
pub(crate) fn filling(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    match place {
        Use::Function => tag_of_function(model, entry),
        Use::Key | Use::Entry => key_parts(model, place, entry),
        Use::Call | Use::Verb => {
            let (key, tags) = (key_parts(model, place, entry), tags(model, place, entry));
            let tag_of_function = tag_of_function(model, entry);
            quote!(#key #tags #tag_of_function)
        }
    }
}

/// The statements that add the key's parts. No chain of calls: where one of them does not compile,
/// the compiler would say so again for each that follows.
fn key_parts(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    match &model.key {
        Key::Arguments(names) => {
            let used = |param: &Param| -> TokenStream {
                let used = param.bindings.iter().filter(|name| names.contains(name));
                used.map(|name| argument(model, place, entry, (param, name))).collect()
            };
            model.params.iter().map(used).collect()
        }
        Key::Template(template) => {
            let parts = template.rendered(entry, |capture| captured(model, place, entry, capture));
            quote!(#entry.text(":"); #parts)
        }
    }
}

/// The statements that add the tags.
fn tags(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    let (tag, private) = (Ident::new("tag", Span::mixed_site()), private(model));
    let add = |template: &Template| {
        let parts = template.rendered(&tag, |capture| {
            let (param, shown) = place_of(capture, model);
            let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
            let call = capture.in_tag(&private, &tag, shown, matches!(place, Use::Call));
            quote!(#(#cfg)* #call)
        });
        quote!(#entry.tag(|#tag| { #parts });)
    };
    model.tags.iter().map(add).collect()
}

fn tag_of_function(model: &Model, entry: &Ident) -> TokenStream {
    if model.invalidate_all { quote!(#entry.tag_function();) } else { TokenStream::new() }
}

fn argument(
    model: &Model,
    place: &Use,
    entry: &Ident,
    (param, name): (&Param, &Ident),
) -> TokenStream {
    let Param { cfg, ty, .. } = param;
    let (method, of) = match param.is_impl_trait() {
        true => (quote!(typed_arg), quote!(TypedArg)),
        false => (quote!(arg), quote!(Arg)),
    };
    let added = added(model, place, entry, (ty, method, of, shown_at(ty, quote!(&#name))));
    quote!(#(#cfg)* #added)
}

/// A part of the key, given to an entry: by `method`, which asks for what is needed, where that is
/// asked; else as what it is a part `of`.
fn added(
    model: &Model,
    place: &Use,
    entry: &Ident,
    (at, method, of, value): (&dyn ToTokens, TokenStream, TokenStream, TokenStream),
) -> TokenStream {
    if let Use::Call = place {
        let method = shown_at(at, method);
        return quote!(#entry.#method(#value););
    }
    let private = private(model);
    quote!(#entry.add(#private::PartOf::#of, &#private::part!(#value));)
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

fn captured(model: &Model, place: &Use, entry: &Ident, capture: &Capture) -> TokenStream {
    let (param, shown) = place_of(capture, model);
    let expr = &capture.expr;
    let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
    let (method, of) = match param.is_some_and(Param::is_impl_trait) {
        true => (quote!(typed_capture), quote!(TypedCapture)),
        false => (quote!(capture), quote!(Capture)),
    };
    let value = match expr {
        Expr::Path(_) => shown_at(&shown, quote!(&#expr)),
        _ => {
            let reference = shown_at(&shown, quote!(&));
            quote!(#reference #expr)
        }
    };
    let added = added(model, place, entry, (&shown, method, of, value));
    quote!(#(#cfg)* #added)
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
