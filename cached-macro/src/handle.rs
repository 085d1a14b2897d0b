//! The handle of a method, `find_cache`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;

use crate::companion::{bare, calls, forwarded, generic_names};
use crate::expand::{Use, private};
use crate::filling::apart;
use crate::function::Param;
use crate::model::Model;
use crate::plan::plan;
use crate::spans::shown_at;

pub(crate) fn handle(model: &Model) -> TokenStream {
    let function = &model.function;
    let signature = &function.signature;
    let visibility = &function.visibility;
    let private = private(model);
    let apart = apart(model);
    let name = format_ident!("{}_cache", bare(&signature.ident), span = signature.ident.span());
    let plan = plan(model, &Use::Verb);
    let (forwarded, _) = forwarded(model);
    let (bind, returns) = (Ident::new("call", Span::mixed_site()), &model.returns);
    // Arguments may have any name.
    let planned = Ident::new("plan", Span::mixed_site());
    let ident = &signature.ident;
    let mut arguments = forwarded;
    if let Some(own) = function.own_self() {
        arguments.insert(0, (own, Vec::new()));
    }
    let turbofish = generic_names(model);
    let turbofish = (!turbofish.is_empty()).then(|| quote!(::<#(#turbofish),*>));
    let bind_call = calls(&quote!(Self::#ident #turbofish), &arguments, model.is_async(), &bind);
    // `impl Trait` captures what it must by the rules of this crate's edition, whatever the
    // user's is.
    let mixed = Span::mixed_site();
    let (call, kind) = if model.is_async() {
        (quote_spanned!(mixed=> impl ::core::future::Future<Output = #returns>), quote!(Handle))
    } else {
        (quote_spanned!(mixed=> impl ::core::ops::FnOnce() -> #returns), quote!(BlockingHandle))
    };
    let recipe = quote_spanned!(mixed=> impl #private::Recipe<#returns>);
    let returned: Type = syn::parse_quote!(#private::#kind<#returns, #recipe, #call>);
    let (generics, clause) = (&signature.generics, &signature.generics.where_clause);
    let (parameters, bare_name) = (&generics.params, bare(ident));
    let (inputs, rebound) = handle_inputs(model);
    let docs = format!(
        "The entry of one call of `{bare_name}`: `invalidate`, `peek`, `put`, `refresh`, \
         `uncached`, `fetch`, `key`, `invalidate_all`, `stats`."
    );
    // The macro's name is the cure, see there.
    let wrapped = quote! {
        #private::in_an_impl_of_a_trait_leave_companion_out! {
            [#apart]
            #[doc = #docs]
            [#visibility] fn #name [<#parameters>(#inputs) -> #returned #clause] {
                #rebound
                let #planned = #plan;
                #bind_call
                #private::#kind::new(#planned, #bind)
            }
        }
    };
    shown_at(ident, wrapped)
}

/// A handle's inputs: patterns are replaced by names that can be passed on, and what they bind
/// is bound from a reference.
fn handle_inputs(model: &Model) -> (TokenStream, TokenStream) {
    let receiver = model.function.receiver().map(|receiver| quote!(#receiver,));
    let (names, declared) = forwarded(model);
    let rebound = model.params.iter().zip(&names).filter_map(|(param, (name, _))| {
        let Param { cfg, pat, .. } = param;
        param.name().is_none().then(|| quote!(#(#cfg)* let #pat = &#name;))
    });
    let rebound = rebound.collect();
    (quote!(#receiver #(#declared),*), rebound)
}
