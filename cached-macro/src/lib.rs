//! The attributes of `cached-runtime`, which re-exports and documents them; depend on that crate
//! alone.
//!
//! `parse` reads the options as written, `check` turns them and the function into a `model` in
//! which only valid states exist, `expand` and `companion` write that down. Nothing here knows
//! the runtime but the paths that generated code names; so the examples in the documentation
//! cannot be run as tests here.

mod ageing;
mod batch;
mod check;
mod companion;
mod docs;
mod duration;
mod errors;
mod expand;
mod filling;
mod function;
mod groups;
mod handle;
mod identity;
mod inside;
mod invalidate;
mod krate;
mod learned;
mod lifetimes;
mod local;
mod model;
mod names;
mod neutral;
mod options;
mod owned;
mod parse;
mod plan;
#[cfg(test)]
mod snapshots;
mod spans;
mod tags;
mod target;
mod template;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::errors::Errors;
use crate::function::Function;

#[cfg_attr(not(doctest), doc = include_str!("cache_result.md"))]
#[proc_macro_attribute]
pub fn cache_result(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    cache_result_tokens(attribute.into(), &item.into()).into()
}

#[cfg_attr(not(doctest), doc = include_str!("cache_invalidate.md"))]
#[proc_macro_attribute]
pub fn cache_invalidate(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    cache_invalidate_tokens(attribute.into(), &item.into()).into()
}

/// The entry that `#[cache_invalidate]` names by a call of a function, for generated code alone.
#[doc(hidden)]
#[proc_macro]
pub fn cache_result_is_missing_above_it_or_what_it_skips_is_given(
    call: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    target::written(call.into()).into()
}

/// An item, and behind it what the attribute holds: for generated code alone. Where the item may not
/// stand, the compiler does not come to the rest, and says so once.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn with(
    attribute: proc_macro::TokenStream,
    mut item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    item.extend(attribute);
    item
}

fn cache_result_tokens(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let errors = Errors::new();
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => return no_function("cache_result", &error, item),
    };
    let untouched = function.to_token_stream();
    let options = parse::options(attribute, &errors);
    let model = check::model(function, options, &errors);
    let errors = errors.into_tokens();
    match model {
        Some(model) => expand::expand(model),
        // The untouched function first, so that the mistake is all that the user sees.
        None => quote!(#untouched #errors),
    }
}

fn cache_invalidate_tokens(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let errors = Errors::new();
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => return no_function("cache_invalidate", &error, item),
    };
    let expanded = invalidate::expand(attribute, &function, &errors);
    if errors.any() {
        let errors = errors.into_tokens();
        return quote!(#function #errors);
    }
    drop(errors);
    expanded
}

/// The attribute stands above something else, or above a function that does not parse: then the
/// compiler's own error for the item is the better one, and ours names the attribute.
fn no_function(attribute: &str, error: &syn::Error, item: &TokenStream) -> TokenStream {
    let is_function = item.clone().into_iter().any(|token| token.to_string() == "fn");
    let message = if is_function {
        format!("`#[{attribute}]` could not read this function: {error}")
    } else {
        format!("`#[{attribute}]` belongs above a function or method")
    };
    let error = syn::Error::new(error.span(), message).to_compile_error();
    quote!(#item #error)
}
