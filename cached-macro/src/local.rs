//! `local`: values are kept in this process's memory, too.

use proc_macro2::{Group, Ident, TokenStream};
use quote::quote;
use syn::{Expr, ExprLit, Lit};

use crate::errors::Errors;
use crate::expand::{Use, entry, length_tokens, mixed, planned, run};
use crate::model::{Length, Local, Model};
use crate::names;
use crate::options::Options;
use crate::parse::{self, Parsed, Value};
use crate::spans::shown_at;

const FORMS: &str = "`local` stands alone, or says for how long at most: ";
const TEXT: &str = "`local = \"5s\"`";
const LIST: &str = "`local(ttl = \"5s\")`";

impl Options {
    pub(crate) fn local(&self, errors: &Errors) -> Option<Local> {
        let option = self.given_option("local")?;
        let ttl = match &option.value {
            Value::Flag => None,
            Value::List(list) => listed(&option.name, list.clone(), errors),
            Value::Expr(expr) if is_bool(expr) => {
                errors.at(expr, format!("{FORMS}{TEXT}; leave it out to turn it off"));
                None
            }
            Value::Expr(_) => self.length("local", errors),
            _ => {
                errors.at(&option.name, format!("{FORMS}{TEXT}"));
                None
            }
        };
        Some(Local { ttl })
    }
}

fn is_bool(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }))
}

/// The ttl in `local(ttl = …)`.
fn listed(local: &Ident, list: TokenStream, errors: &Errors) -> Option<Length> {
    if list.is_empty() {
        errors.at(local, format!("{FORMS}{LIST}"));
        return None;
    }
    let Parsed { options, .. } = parse::options(list, errors);
    Options::known(options, &["ttl"], &unknown, errors).length("ttl", errors)
}

fn unknown(name: &str) -> String {
    let near = names::nearest(name, &["ttl"]).map(|near| format!("; did you mean `{near}`?"));
    format!("`local` knows no `{name}`{}\nit takes `ttl` alone: {LIST}", near.unwrap_or_default())
}

/// The call: what is at hand is returned before anything is asked. It is not the arms of a `match`,
/// since what is matched on lives as long as the arms run: across the awaits of the other one, so
/// that with an error that is not `Send` the future would not be either.
pub(crate) fn call(model: &Model, local: &Local, body: &Group) -> TokenStream {
    let (near, found) = (mixed("entry"), mixed("found"));
    let kept = kept(model, local);
    let look = if model.is_async() { quote!(nearby().await) } else { quote!(nearby_blocking()) };
    let call = run(model, body, &planned(model, &Use::Call, quote!(#near)));
    quote! {
        let mut #near = #kept;
        if let ::core::option::Option::Some(#found) = #near.#look {
            return #found;
        }
        #call
    }
}

/// The entry, of values that can stay in memory: what that asks of them is reported at the return
/// type.
fn kept(model: &Model, Local { ttl }: &Local) -> TokenStream {
    let returns = &model.returns;
    let ttl = match ttl.as_ref().map(length_tokens) {
        Some(ttl) => quote!(::core::option::Option::Some(#ttl)),
        None => quote!(::core::option::Option::None),
    };
    let entry = shown_at(returns, entry(model, &Use::Call));
    let (method, ttl) = (shown_at(returns, quote!(local)), shown_at(returns, quote!((#ttl))));
    quote!(#entry.#method #ttl)
}
