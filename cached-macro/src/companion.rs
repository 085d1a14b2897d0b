//! What stands beside the function: a type of its name with the verbs, or for a method a
//! handle.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, GenericParam, TypeParamBound};

use crate::batch;
use crate::docs::Docs;
use crate::expand::{Use, entry, private};
use crate::filling::apart;
use crate::function::{Param, mentions};
use crate::handle::handle;
use crate::identity::{Side, site};
use crate::model::{Companion, Model};
use crate::neutral::neutral;
use crate::plan::plan;
use crate::spans::shown_at;

pub(crate) fn expand(model: &Model) -> TokenStream {
    match model.companion {
        Companion::Type => companion_type(model),
        Companion::Handle => handle(model),
        Companion::None => TokenStream::new(),
    }
}

/// `load::<T, N>`.
pub(crate) fn type_with_generics(model: &Model) -> TokenStream {
    let name = &model.function.signature.ident;
    let arguments = generic_names(model);
    let name = shown_at(name, quote!(#name));
    if arguments.is_empty() { quote!(#name) } else { quote!(#name::<#(#arguments),*>) }
}

pub(crate) fn generic_names(model: &Model) -> Vec<&Ident> {
    model
        .function
        .generics()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect()
}

pub(crate) fn bare(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

/// Which parameters a verb asks for.
pub(crate) struct Wanted<'a> {
    /// Those the key uses.
    key: Vec<&'a Param>,
    /// These, and those the `cache` expression mentions.
    pub(crate) entry: Vec<&'a Param>,
    /// These, and those the tags use.
    peek: Vec<&'a Param>,
    /// These, and those the other options mention.
    put: Vec<&'a Param>,
    /// Those the `cache` expression mentions.
    pub(crate) cache: Vec<&'a Param>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(model: &'a Model) -> Self {
        let cache = model.cache.to_token_stream();
        let options = model.option_tokens();
        let in_key = |p: &&Param| p.bindings.iter().any(|name| model.key.uses(name));
        let in_cache = |p: &&Param| p.bindings.iter().any(|name| mentions(&cache, name));
        let in_tags = |p: &&Param| p.bindings.iter().any(|name| model.tags_use(name));
        let in_options = |p: &&Param| p.bindings.iter().any(|name| mentions(&options, name));
        let all = || model.params.iter();
        Self {
            key: all().filter(in_key).collect(),
            entry: all().filter(|p| in_key(p) || in_cache(p)).collect(),
            peek: all().filter(|p| in_key(p) || in_cache(p) || in_tags(p)).collect(),
            put: all()
                .filter(|p| in_key(p) || in_cache(p) || in_tags(p) || in_options(p))
                .collect(),
            cache: all().filter(in_cache).collect(),
        }
    }
}

fn companion_type(model: &Model) -> TokenStream {
    let function = &model.function;
    let (name, visibility) = (&function.signature.ident, &function.visibility);
    let private = private(model);
    let cfg: Vec<&Attribute> =
        function.attributes.iter().filter(|a| a.path().is_ident("cfg")).collect();
    let generics = function.generics().map(|param| match param {
        GenericParam::Type(param) => {
            let ident = &param.ident;
            quote!(#ident: ?Sized)
        }
        other => {
            let GenericParam::Const(param) = other else { return other.to_token_stream() };
            let (ident, ty) = (&param.ident, &param.ty);
            quote!(const #ident: #ty)
        }
    });
    let generics: Vec<TokenStream> = generics.collect();
    let names = generic_names(model);
    let types = function.generics().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        _ => None,
    });
    let marker = quote!(::core::marker::PhantomData<(#(*const #types,)*)>);
    let (verbs, named) = match &model.batch {
        None => (
            verbs(model),
            "`peek`, `put`, `refresh`, `uncached`, `fetch`, `key`, `invalidate_all`, `stats`",
        ),
        Some(batch) => {
            (batch::verbs(model, batch), "`refresh`, `uncached`, `invalidate_all`, `stats`")
        }
    };
    let (site, apart) = (site(model, &Side::Companion), apart(model));
    let docs = format!(
        "The entries of the cached function `{0}`: `{0}::invalidate(…)`, {named}.\n\n\
         Where this type is in the way (a module or type of the same name, or a function in an \
         `impl`), write `companion = false` in `#[cache_result]`.",
        bare(name)
    );
    // The macro's name is the cure, see there.
    let wrapped = quote! {
        #private::if_this_type_is_in_the_way_write_companion_equals_false! {
            #(#cfg)*
            #[doc = #docs]
            [#visibility] struct #name [#(#generics),*] [#marker]

            impl [#(#generics),*] [#(#names),*] {
                #[doc(hidden)]
                #visibility fn __site() -> #private::At {
                    #site
                    #private::At::new(&SITE, #private::place!(free))
                }

                #apart

                #verbs
            }
        }
    };
    shown_at(name, wrapped)
}

fn verbs(model: &Model) -> TokenStream {
    let function = &model.function;
    let (name, visibility) = (&function.signature.ident, &function.visibility);
    let (krate, private, returns) = (&model.krate, private(model), &model.returns);
    let wanted = Wanted::of(model);
    let (lifetimes, bounds) = generics_of_verbs(model);
    let neutral = neutral(returns, &function.signature.generics);
    let value = quote!(<#returns as #private::ShapeOf<{ #private::shape_of!(#neutral) }>>::Value);
    let error = quote!(#krate::Error);

    let asyncness = model.is_async().then(|| quote!(async));
    let wait = |call: TokenStream, blocking: TokenStream| {
        if model.is_async() { quote!(#call.await) } else { blocking }
    };
    let (key_of, entry_of) = (entry(model, &Use::Key), entry(model, &Use::Entry));
    let read_of = entry(model, &Use::Verb);
    let (plan_of, function_of) = (plan(model, &Use::Verb), entry(model, &Use::Function));
    let (key_params, entry_params) = (declared(&wanted.key), declared(&wanted.entry));
    let (peek_params, put_params) = (declared(&wanted.peek), declared(&wanted.put));
    let cache_params = declared(&wanted.cache);

    let invalidate = wait(quote!(#entry_of.invalidate()), quote!(#entry_of.invalidate_blocking()));
    let peek = wait(quote!(#read_of.peek()), quote!(#read_of.peek_blocking()));
    let put_value = Ident::new("value", Span::mixed_site());
    let put = wait(quote!(#plan_of.put(#put_value)), quote!(#plan_of.put_blocking(#put_value)));
    let all =
        wait(quote!(#function_of.invalidate_all()), quote!(#function_of.invalidate_all_blocking()));
    let (forwarded, forced_params) = forwarded(model);
    let refresh = forced(model, &forwarded, Some("Refresh"));
    let uncached = forced(model, &forwarded, Some("Uncached"));
    let fetch = forced(model, &forwarded, None);

    let docs = Docs {
        name: bare(name),
        tagged_beyond_key: wanted.peek.len() > wanted.entry.len(),
        tagged_as_a_whole: model.invalidate_all,
    };
    let (key_docs, invalidate_docs, peek_docs, put_docs) =
        (docs.key(), docs.invalidate(), docs.peek(), docs.put());
    let (refresh_docs, uncached_docs, fetch_docs) = (docs.refresh(), docs.uncached(), docs.fetch());
    let (all_docs, stats_docs) = (docs.invalidate_all(), docs.stats());
    quote! {
        #[doc = #key_docs]
        #visibility fn key<#(#lifetimes),*>(#(#key_params),*) -> #krate::Key #bounds {
            #key_of.key()
        }

        #[doc = #invalidate_docs]
        #visibility #asyncness fn invalidate<#(#lifetimes),*>(#(#entry_params),*)
            -> ::core::result::Result<(), #error> #bounds
        {
            #invalidate
        }

        #[doc = #peek_docs]
        #visibility #asyncness fn peek<#(#lifetimes),*>(#(#peek_params),*)
            -> ::core::result::Result<::core::option::Option<#value>, #error> #bounds
        {
            #peek
        }

        #[doc = #put_docs]
        #visibility #asyncness fn put<#(#lifetimes),*>(#(#put_params,)* #put_value: &#value)
            -> ::core::result::Result<(), #error> #bounds
        {
            #put
        }

        #[doc = #refresh_docs]
        #visibility #asyncness fn refresh<#(#lifetimes),*>(#(#forced_params),*) -> #returns #bounds {
            #refresh
        }

        #[doc = #uncached_docs]
        #visibility #asyncness fn uncached<#(#lifetimes),*>(#(#forced_params),*) -> #returns #bounds {
            #uncached
        }

        #[doc = #fetch_docs]
        #visibility #asyncness fn fetch<#(#lifetimes),*>(#(#forced_params),*)
            -> #krate::Fetched<#returns> #bounds
        {
            #fetch
        }

        #[doc = #all_docs]
        #visibility #asyncness fn invalidate_all<#(#lifetimes),*>(#(#cache_params),*)
            -> ::core::result::Result<u64, #error> #bounds
        {
            #all
        }

        #[doc = #stats_docs]
        #visibility fn stats<#(#lifetimes),*>(#(#cache_params),*) -> #krate::FunctionStats #bounds {
            #function_of.stats()
        }

        #[doc(hidden)]
        #visibility fn __target<#(#lifetimes),*>(#(#entry_params),*) -> #private::Target #bounds {
            #entry_of.target()
        }
    }
}

/// The lifetimes that each verb declares, and all bounds as a `where` clause: the type itself
/// carries none.
pub(crate) fn generics_of_verbs(model: &Model) -> (Vec<TokenStream>, TokenStream) {
    let generics = &model.function.signature.generics;
    let lifetimes = generics.lifetimes().map(ToTokens::to_token_stream).collect();
    let mut predicates: Vec<TokenStream> = Vec::new();
    for param in generics.type_params() {
        let (ident, bounds) = (&param.ident, &param.bounds);
        let relaxed = bounds.iter().any(|bound| {
            matches!(bound, TypeParamBound::Trait(t) if t.to_token_stream().to_string().starts_with('?'))
        });
        let named =
            bounds.iter().filter(|bound| !bound.to_token_stream().to_string().starts_with('?'));
        let sized = (!relaxed).then(|| quote!(::core::marker::Sized));
        let all: Vec<TokenStream> = named.map(ToTokens::to_token_stream).chain(sized).collect();
        if !all.is_empty() {
            predicates.push(quote!(#ident: #(#all)+*));
        }
    }
    if let Some(clause) = &generics.where_clause {
        predicates.extend(clause.predicates.iter().map(ToTokens::to_token_stream));
    }
    let bounds =
        if predicates.is_empty() { TokenStream::new() } else { quote!(where #(#predicates),*) };
    (lifetimes, bounds)
}

/// Parameters as the function declares them.
pub(crate) fn declared(params: &[&Param]) -> Vec<TokenStream> {
    let declare = |param: &&Param| {
        let Param { cfg, pat, ty, .. } = param;
        quote!(#(#cfg)* #pat: #ty)
    };
    params.iter().map(declare).collect()
}

/// All parameters, under names that can be passed on: those names with their conditions, and
/// the declarations.
pub(crate) fn forwarded(model: &Model) -> (Vec<(Ident, Vec<Attribute>)>, Vec<TokenStream>) {
    let named = model.params.iter().enumerate().map(|(at, param)| {
        let unnamed = || format_ident!("arg{}", at, span = Span::mixed_site());
        let mut name = param.name().cloned().unwrap_or_else(unnamed);
        if model.companion == Companion::Type && name == model.function.signature.ident {
            // Else it would stand for the function, which is called by its name.
            name.set_span(Span::mixed_site().located_at(name.span()));
        }
        let (cfg, ty) = (&param.cfg, &param.ty);
        let declaration = quote!(#(#cfg)* #name: #ty);
        ((name, param.cfg.clone()), declaration)
    });
    named.unzip()
}

/// A call of the function in a mode; without one, it is `fetch`.
pub(crate) fn forced(
    model: &Model,
    arguments: &[(Ident, Vec<Attribute>)],
    mode: Option<&str>,
) -> TokenStream {
    let private = private(model);
    let function = type_with_generics(model);
    let call = Ident::new("call", Span::mixed_site());
    let bind = calls(&quote!(#function), arguments, model.is_async(), &call);
    let (verb, mode) = match mode {
        Some(mode) => {
            let mode = Ident::new(mode, Span::call_site());
            ("force", quote!(#private::Mode::#mode,))
        }
        None => ("fetch", TokenStream::new()),
    };
    let verb =
        if model.is_async() { format_ident!("{verb}") } else { format_ident!("{verb}_sync") };
    let forced = quote!(#private::#verb(Self::__site().site(), #mode #call));
    if model.is_async() { quote!(#bind #forced.await) } else { quote!(#bind #forced) }
}

/// `let call = f(a, b);`, once for each way that `#[cfg]` on arguments can turn out.
pub(crate) fn calls(
    function: &TokenStream,
    arguments: &[(Ident, Vec<Attribute>)],
    now: bool,
    bind: &Ident,
) -> TokenStream {
    let conditional: Vec<usize> =
        (0..arguments.len()).filter(|&at| !arguments[at].1.is_empty()).collect();
    let ways = 1_usize << conditional.len().min(6);
    let one = |way: usize| {
        let present = |at: usize| match conditional.iter().position(|&c| c == at) {
            Some(bit) => way & (1 << bit) != 0,
            None => true,
        };
        let passed = (0..arguments.len()).filter(|&at| present(at)).map(|at| &arguments[at].0);
        let conditions = conditional.iter().map(|&at| {
            let all = arguments[at].1.iter().filter_map(|cfg| cfg.parse_args::<TokenStream>().ok());
            if present(at) { quote!(all(#(#all),*)) } else { quote!(not(all(#(#all),*))) }
        });
        let conditions: Vec<TokenStream> = conditions.collect();
        let cfg = (!conditions.is_empty()).then(|| quote!(#[cfg(all(#(#conditions),*))]));
        let call = quote!(#function(#(#passed),*));
        let call = if now { call } else { quote!(move || #call) };
        quote!(#cfg let #bind = #call;)
    };
    (0..ways).map(one).collect()
}
