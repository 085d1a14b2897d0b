//! `batch = ids`: one argument holds several keys, each of which has an entry of its own.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, GenericArgument, Pat, PatIdent, PathArguments, ReceiverKind, Type};

use crate::check::no_argument;
use crate::companion::{Wanted, declared, forced, forwarded, generics_of_verbs};
use crate::docs::Docs;
use crate::errors::Errors;
use crate::expand::{Use, entry, private, rewritten, typed};
use crate::filling::filling;
use crate::function::{Body, Function, Param, Style};
use crate::model::{Batch, Model};
use crate::options::Options;
use crate::plan::plan;
use crate::spans::shown_at;
use crate::template::Template;

/// What cannot be said of several entries at once, or would need a body of its own for each.
const REFUSED: [&str; 7] = [
    "err_ttl",
    "stale_while_revalidate",
    "stale_if_error",
    "refresh_ahead",
    "early_refresh",
    "soft_timeout",
    "load_timeout",
];

const FORMS: &str = "the keys of a `batch` are `&[K]` or `Vec<K>`, written out";

impl Options {
    pub(crate) fn batch(
        &self,
        function: &Function,
        params: &[Param],
        (template, skipped): (Option<&Template>, &[Ident]),
        errors: &Errors,
    ) -> Option<Batch> {
        self.given("batch")?;
        for name in REFUSED {
            if let Some(given) = self.given(name) {
                errors.at(given, format!("`batch` does not go with `{name}`; remove one of them"));
            }
        }
        if let Some(local) = self.given("local") {
            let message = "`local` does not go with `batch` yet: remove one of them; a function of \
                           a single key, under the same `name`, may have `local`, and shares the \
                           entries";
            errors.at(local, message);
        }
        self.check_methods(function, errors);
        let expr =
            self.value("batch", "the argument that holds the keys, `batch = ids`", errors)?;
        let name = match expr {
            Expr::Path(path) => path.path.get_ident(),
            _ => None,
        };
        let Some(name) = name else {
            errors
                .at(expr, "`batch` is the name of the argument that holds the keys: `batch = ids`");
            return None;
        };
        let Some(param) = params.iter().find(|param| param.bindings.contains(name)) else {
            errors.at(name, no_argument(name, function, params));
            return None;
        };
        if skipped.contains(name) {
            let message = "the keys of a `batch` are part of the key; remove this from `skip`";
            errors.at(skipped.iter().find(|skipped| *skipped == name), message);
        } else if let (Some(template), Some(key)) = (template, self.given("key"))
            && !template.captures().any(|capture| capture.root == *name)
        {
            let message = format!(
                "each key of the `batch` has an entry of its own: write `{{{name}}}` into this key, \
                 where it stands for one of them"
            );
            errors.at(key, message);
        }
        if param.name().is_none() || !param.cfg.is_empty() {
            errors.at(&param.pat, format!("write this argument as `{name}: &[K]`, without more"));
            return None;
        }
        if param.is_impl_trait() {
            let message = "name the type of the keys, as `K` in `fn f<K: Serialize>(ids: &[K])`";
            errors.at(&param.ty, message);
            return None;
        }
        let Some(element) = element(&param.ty) else {
            errors.at(&param.ty, FORMS);
            return None;
        };
        Some(Batch { keys: name.clone(), element: element.clone() })
    }

    fn check_methods(&self, function: &Function, errors: &Errors) {
        let Some(receiver) = function.receiver() else {
            if self.given("companion").is_some() && !self.is_false("companion") {
                let message = "a `batch` has no handle: write `companion = false`, and let the \
                               function of a single key, under the same `name`, have one";
                errors.at(self.given("companion"), message);
            }
            return;
        };
        if self.given("companion").is_some() && !self.is_false("companion") {
            let message = "a `batch` has no handle: remove this, and let the method of a single \
                           key, under the same `name`, have one";
            errors.at(self.given("companion"), message);
        }
        let borrowed = match &receiver.kind {
            ReceiverKind::Reference(..) => true,
            ReceiverKind::Typed(_, ty) => matches!(**ty, Type::Reference(_)),
            _ => false,
        };
        if !borrowed {
            errors.at(
                receiver,
                "the body of a `batch` may run again, so it cannot take `self`: take `&self`",
            );
        }
    }
}

/// `K` of `&[K]`, `Vec<K>` or `&Vec<K>`.
fn element(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Slice(slice) => Some(&slice.elem),
            inner => vec_of(inner),
        },
        ty => vec_of(ty),
    }
}

fn vec_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Vec")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(element)) if arguments.args.len() == 1 => Some(element),
        _ => None,
    }
}

/// The function around its body, which is called with the keys that are missing.
pub(crate) fn function(model: &Model, batch: &Batch, body: &Group) -> TokenStream {
    let Function { attributes, visibility, signature, .. } = &model.function;
    let plan = plan(model, &Use::Call);
    let deferred = deferred(model, batch, body);
    let call = match model.style {
        Style::Sync => quote!(#plan.run_blocking(#deferred)),
        _ => quote!(#plan.run(#deferred).await),
    };
    // What the body may change is its own copy.
    let mut signature = signature.clone();
    signature.inputs.iter_mut().for_each(|input| Unchanged.visit_fn_arg_mut(input));
    let function = Function {
        attributes: attributes.clone(),
        visibility: visibility.clone(),
        signature,
        body: Body::Block(body.clone()),
    };
    rewritten(&function, model.style, &call)
}

struct Unchanged;

impl VisitMut for Unchanged {
    fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
        pat.mutability = None;
        visit_mut::visit_pat_ident_mut(self, pat);
    }

    // In patterns alone.
    fn visit_type_mut(&mut self, _: &mut Type) {}
}

/// The body, to be run with any keys and as often as asked.
fn deferred(model: &Model, batch: &Batch, body: &Group) -> TokenStream {
    let (private, returns) = (private(model), &model.returns);
    let keys = Ident::new("keys", Span::mixed_site());
    let (mut others, mut own) = (TokenStream::new(), TokenStream::new());
    for param in &model.params {
        let Param { cfg, pat, ty, .. } = param;
        if param.bindings.contains(&batch.keys) {
            own = match ty {
                Type::Reference(reference) => {
                    let elem = &reference.elem;
                    quote!(let #pat: &#elem = &#keys;)
                }
                _ => quote!(let #pat: #ty = #keys;),
            };
            continue;
        }
        for name in binding_patterns(pat) {
            let PatIdent { mutability, ident, .. } = name;
            let again = shown_at(ty, quote!(#private::again));
            let argument = shown_at(ty, quote!(&#ident));
            let again = quote!(#again(#argument));
            others.extend(quote!(#(#cfg)* let #mutability #ident = #again;));
        }
    }
    match model.style {
        Style::Sync => quote!(move |#keys| -> #returns { #others #own #body }),
        Style::Async => {
            let typed = typed(&private, returns);
            quote!(move |#keys| { #others async move { #typed #own #body } })
        }
        Style::Future | Style::Boxed => {
            quote!(move |#keys| { #others async move { #own #body.await } })
        }
    }
}

/// The names that a pattern binds, with their `mut`.
fn binding_patterns(pat: &Pat) -> Vec<&PatIdent> {
    struct Names<'a>(Vec<&'a PatIdent>);
    impl<'a> Visit<'a> for Names<'a> {
        fn visit_pat_ident(&mut self, pat: &'a PatIdent) {
            self.0.push(pat);
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pat);
    names.0
}

/// An expression for what the entries of all keys have in common, and how keys and maps are used.
pub(crate) fn common(
    model: &Model,
    batch: &Batch,
    place: &Use,
    (codec, cache, at, generics): (TokenStream, TokenStream, TokenStream, &[TokenStream]),
) -> TokenStream {
    let (private, returns, element) = (private(model), &model.returns, &batch.element);
    let begin = match place {
        Use::Call => quote!(batch),
        _ => quote!(presumed_batch!),
    };
    let begin = shown_at(returns, quote!(#private::#begin));
    let phantom = shown_at(element, quote!(::core::marker::PhantomData::<));
    let close = shown_at(element, quote!(>));
    let probe = shown_at(returns, quote!(#private::Probe));
    let new = shown_at(returns, quote!(::NEW));
    let kind = shown_at(returns, quote!(#private::kind_of!));
    let asked = shown_at(returns, quote!((#returns)));
    let arguments = quote! {(
        #phantom #element #close,
        #probe::<#returns>#new,
        #kind #asked,
        #codec, #cache, #at, &[#(#generics),*],
    )};
    // The call as a whole spans the type.
    let last = returns.to_token_stream().into_iter().last();
    let arguments = shown_at(last, arguments);
    quote!(#begin #arguments)
}

/// The keys, and how each is filled into its entry.
pub(crate) fn each(model: &Model, batch: &Batch, place: &Use) -> TokenStream {
    let name = &batch.keys;
    let entry = Ident::new("entry", Span::mixed_site());
    let parts = filling(model, place, &entry);
    quote!(&#name[..], |#entry, #name| { #parts })
}

/// The companion's verbs: what is done with single entries is the single-key function's.
pub(crate) fn verbs(model: &Model, batch: &Batch) -> TokenStream {
    let function = &model.function;
    let (name, visibility) = (&function.signature.ident, &function.visibility);
    let (krate, private, returns) = (&model.krate, private(model), &model.returns);
    let wanted = Wanted::of(model);
    let (lifetimes, bounds) = generics_of_verbs(model);
    let error = quote!(#krate::Error);

    let asyncness = model.is_async().then(|| quote!(async));
    let common = entry(model, &Use::Function);
    let each = each(model, batch, &Use::Entry);
    let (entry_params, cache_params) = (declared(&wanted.entry), declared(&wanted.cache));
    let (invalidate, all) = if model.is_async() {
        (quote!(#common.invalidate_each(#each).await), quote!(#common.invalidate_all().await))
    } else {
        (quote!(#common.invalidate_each_blocking(#each)), quote!(#common.invalidate_all_blocking()))
    };
    let (forwarded, forced_params) = forwarded(model);
    let refresh = forced(model, &forwarded, Some("Refresh"));
    let uncached = forced(model, &forwarded, Some("Uncached"));

    let docs = Docs {
        name: crate::companion::bare(name),
        tagged_beyond_key: false,
        tagged_as_a_whole: model.invalidate_all,
    };
    let (invalidate_docs, refresh_docs) = (docs.invalidate_each(), docs.refresh_each());
    let (uncached_docs, all_docs, stats_docs) =
        (docs.uncached(), docs.invalidate_all(), docs.stats());
    quote! {
        #[doc = #invalidate_docs]
        #visibility #asyncness fn invalidate<#(#lifetimes),*>(#(#entry_params),*)
            -> ::core::result::Result<(), #error> #bounds
        {
            #invalidate
        }

        #[doc = #refresh_docs]
        #visibility #asyncness fn refresh<#(#lifetimes),*>(#(#forced_params),*) -> #returns #bounds {
            #refresh
        }

        #[doc = #uncached_docs]
        #visibility #asyncness fn uncached<#(#lifetimes),*>(#(#forced_params),*) -> #returns #bounds {
            #uncached
        }

        #[doc = #all_docs]
        #visibility #asyncness fn invalidate_all<#(#lifetimes),*>(#(#cache_params),*)
            -> ::core::result::Result<u64, #error> #bounds
        {
            #all
        }

        #[doc = #stats_docs]
        #visibility fn stats<#(#lifetimes),*>(#(#cache_params),*) -> #krate::FunctionStats #bounds {
            #common.stats()
        }

        #[doc(hidden)]
        #visibility fn __target<#(#lifetimes),*>(#(#entry_params),*)
            -> ::std::vec::Vec<#private::Target> #bounds
        {
            #common.targets(#each)
        }
    }
}
