//! Which function it is: what its static, its segment and its fingerprint are made of.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{GenericParam, Type};

use crate::expand::private;
use crate::function::{Param, mentions, self_ident};
use crate::model::{Key, Model};
use crate::template::{Capture, Part};

/// Where one of the statics that an attribute leaves stands. The function has one of its own, for it
/// can name nothing beside it: where that is not allowed, the compiler would say so twice.
pub(crate) enum Side {
    Function,
    Companion,
    Handle,
}

/// A static that an attribute leaves.
pub(crate) fn site(model: &Model, side: &Side) -> TokenStream {
    let private = private(model);
    let side = match side {
        Side::Function => quote!(Function),
        Side::Companion => quote!(Companion),
        Side::Handle => quote!(Handle),
    };
    let name = match &model.name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let signature = key_signature(model);
    quote! {
        static SITE: #private::Site =
            #private::Site::new(#name, #signature, #private::position!(), #private::Side::#side);
    }
}

/// The types that make the key, or its template: part of the fingerprint.
fn key_signature(model: &Model) -> String {
    match &model.key {
        Key::Arguments(names) => {
            // Their names as well, so that `(from, to)` is not `(to, from)`; but functions that
            // share a `name` may call their arguments what they like.
            let used = model.params.iter().filter(|p| p.bindings.iter().any(|b| names.contains(b)));
            let spell = |param: &Param| {
                // Of a batch, one key: it shares its entries with the function of a single one.
                let batch =
                    model.batch.as_ref().filter(|batch| param.bindings.contains(&batch.keys));
                let ty = batch.map_or(&param.ty, |batch| &batch.element);
                if model.name.is_some() {
                    return spelled(owned(ty));
                }
                let ty = spelled(ty.to_token_stream());
                let names = param.bindings.iter().filter(|name| names.contains(name));
                let names: Vec<String> = names.map(ToString::to_string).collect();
                format!("{}: {ty}", names.join(" "))
            };
            used.map(spell).collect::<Vec<_>>().join(", ")
        }
        Key::Template(template) => {
            let part = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Capture(Capture { root, expr }) => {
                    let text = spelled(expr.to_token_stream());
                    // Functions that share a `name` may call their arguments what they like.
                    let path = text.strip_prefix(&root.to_string());
                    let shared = model.name.is_some() && *root != self_ident();
                    format!("{{{}}}", path.filter(|_| shared).unwrap_or(&text))
                }
            };
            template.parts.iter().map(part).collect()
        }
    }
}

/// The type of an argument as functions that share a `name` have it: one may own what another
/// borrows.
fn owned(ty: &Type) -> TokenStream {
    match ty {
        Type::Reference(reference) => owned(&reference.elem),
        Type::Slice(slice) => {
            let element = &slice.elem;
            quote!(Vec<#element>)
        }
        Type::Path(path) if path.path.is_ident("str") => quote!(String),
        ty => ty.to_token_stream(),
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
pub(crate) fn generics(model: &Model) -> Vec<TokenStream> {
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
