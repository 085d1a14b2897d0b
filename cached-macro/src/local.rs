//! `local`: values are kept in this process's memory, too.

use proc_macro2::{Group, Ident, TokenStream};
use quote::quote;
use syn::{Expr, ExprLit, Lit};

use crate::errors::Errors;
use crate::expand::{Use, at as place, cache, entry, mixed, private, run};
use crate::filling::filling;
use crate::identity::generics;
use crate::model::{Length, Local, Model};
use crate::names;
use crate::options::Options;
use crate::parse::{self, Parsed, Value};
use crate::plan::{Lengths, planned};
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

/// The call: what is at hand is returned before anything is asked, and before there is a key. It is
/// not the arms of a `match`, since what is matched on lives as long as the arms run: across the
/// awaits of the other one, so that with an error that is not `Send` the future would not be either.
/// Nor does what the look takes live across an await: it would have to be written into the future.
pub(crate) fn call(model: &Model, local: &Local, body: &Group) -> TokenStream {
    let [at, near, found, kept, plan] = ["at", "near", "found", "entry", "plan"].map(mixed);
    let (private, returns) = (private(model), &model.returns);
    let (place, begin) = (place(model, &Use::Call), begin(model, local));
    let filling = filling(model, &Use::Call, &near);
    let mutable = (!filling.is_empty()).then(|| quote!(mut));
    let turn = model.is_async().then(|| {
        quote! {
            if #private::is_turn() {
                #private::turn().await;
            }
        }
    });
    let entry = shown_at(returns, entry(model, &Use::Call));
    let local = shown_at(returns, quote!(local(&#near)));
    let planned = planned(model, &Use::Call, quote!(#kept));
    let run = run(model, body, &quote!(#plan));
    quote! {
        #turn
        let #plan = {
            let #at = #place;
            let #mutable #near = #begin;
            #filling
            if let ::core::option::Option::Some(#found) = #near.look() {
                return #found;
            }
            let #kept = #entry.#local;
            if let ::core::option::Option::Some(#found) = #kept.nearby() {
                return #found;
            }
            #planned
        };
        #run
    }
}

/// What asks of values whether they can stay in memory: at the return type.
fn begin(model: &Model, Local { ttl }: &Local) -> TokenStream {
    let (private, returns) = (private(model), &model.returns);
    let (cache, generics) = (cache(&private, model.cache.as_ref()), generics(model));
    let at = mixed("at");
    let lengths = Lengths { private: &private, asked: true };
    let ttl = match ttl.as_ref().map(|ttl| lengths.tokens(ttl)) {
        Some(ttl) => quote!(::core::option::Option::Some(#ttl)),
        None => quote!(::core::option::Option::None),
    };
    let [near, probe, kind] = [quote!(near), quote!(Probe), quote!(kind_of)]
        .map(|name| shown_at(returns, quote!(#private::#name)));
    let new = shown_at(returns, quote!(::NEW));
    quote! {
        #near(#probe::<#returns>#new, #kind!(#returns), #ttl, #cache, &#at, &[#(#generics),*])
    }
}
