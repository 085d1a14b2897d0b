//! Calls of cached functions, as `#[cache_invalidate]` names them.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

use crate::invalidate::HOW;

/// A call of a cached function becomes the entry it would use.
pub(crate) fn target(expr: &Expr) -> Result<TokenStream, String> {
    match expr {
        Expr::Call(call) => {
            let Expr::Path(path) = &*call.func else { return Err(not_a_call()) };
            let arguments = call.args.iter().map(by_clone);
            let segments = &path.path.segments;
            let before_last = segments.iter().rev().nth(1);
            let of_type = before_last
                .is_some_and(|segment| segment.ident.to_string().starts_with(char::is_uppercase));
            if of_type || path.qself.is_some() {
                // An associated function: its handle.
                let mut path = path.clone();
                if let Some(last) = path.path.segments.last_mut() {
                    last.ident = format_ident!("{}_cache", last.ident);
                }
                return Ok(quote!(#path(#(#arguments),*).target()));
            }
            let target = quote_spanned!(path.span()=> #path::__target);
            let mut tokens = target;
            call.paren_token.surround(&mut tokens, |inside| inside.extend(quote!(#(#arguments),*)));
            Ok(tokens)
        }
        Expr::MethodCall(call) => {
            let arguments = call.args.iter().map(by_clone);
            let (receiver, turbofish) = (&call.receiver, &call.turbofish);
            let method = format_ident!("{}_cache", call.method);
            Ok(quote!(#receiver.#method #turbofish(#(#arguments),*).target()))
        }
        Expr::Path(path) => {
            let path = path.to_token_stream().to_string().replace(' ', "");
            Err(format!("write the call whose entry is meant, with its arguments: `{path}(id)`"))
        }
        _ => Err(not_a_call()),
    }
}

fn not_a_call() -> String {
    format!("this is no call: {HOW}")
}

/// The body may move its arguments, so that the entry gets clones of those named here.
fn by_clone(argument: &Expr) -> TokenStream {
    match argument {
        Expr::Path(_) | Expr::Field(_) => {
            let clone = quote_spanned!(argument.span()=> ::core::clone::Clone::clone);
            quote_spanned!(argument.span()=> #clone(&#argument))
        }
        other => other.to_token_stream(),
    }
}
