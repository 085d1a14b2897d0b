//! Calls of cached functions, as `#[cache_invalidate]` names them.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprPath, ReceiverKind};

use crate::expand::mixed;
use crate::function::Function;
use crate::invalidate::HOW;
use crate::spans::shown_at;

/// The entry that a call of a cached function would use.
pub(crate) enum Entry {
    Of(TokenStream),
    /// By a free function: its path, and the arguments.
    OfFunction {
        path: ExprPath,
        arguments: Vec<TokenStream>,
    },
    /// By a method of the writing function's own type, which may have no handle.
    OfOwn {
        handle: Ident,
        arguments: usize,
        target: TokenStream,
    },
}

impl Entry {
    /// An expression that yields the runtime's `Target`, or several.
    pub(crate) fn tokens(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Of(target) => target.clone(),
            // How many arguments it takes is settled before they are given: with one too many, that is
            // all that is said.
            Self::OfFunction { path, arguments } => {
                let (target, any) = (mixed("target"), arguments.iter().map(|_| quote!(_)));
                quote! {{
                    let #target: fn(#(#any),*) -> _ =
                        #private::cache_result_is_missing_above_it_or_what_it_skips_is_given!(#path);
                    #target(#(#arguments),*)
                }}
            }
            Self::OfOwn { handle, arguments, target } => {
                or_no_handle(private, handle, *arguments, target)
            }
        }
    }
}

/// A call of a cached function becomes the entry it would use.
pub(crate) fn target(expr: &Expr, function: &Function) -> Result<Entry, String> {
    match expr {
        Expr::Call(call) => {
            let Expr::Path(path) = &*call.func else { return Err(not_a_call()) };
            let segments = &path.path.segments;
            check_verb(path)?;
            let before_last = segments.iter().rev().nth(1);
            let of_type = before_last
                .is_some_and(|segment| segment.ident.to_string().starts_with(char::is_uppercase));
            if of_type || path.qself.is_some() {
                // An associated function: its handle.
                let arguments = call.args.iter().map(by_clone);
                let mut path = path.clone();
                if let Some(last) = path.path.segments.last_mut() {
                    last.ident = handle_of(&last.ident);
                }
                return Ok(Entry::Of(quote!(#path(#(#arguments),*).target())));
            }
            let arguments = call.args.iter().map(by_clone).collect();
            Ok(Entry::OfFunction { path: path.clone(), arguments })
        }
        Expr::MethodCall(call) => {
            let arguments: Vec<TokenStream> = call.args.iter().map(by_clone).collect();
            let (receiver, turbofish) = (&call.receiver, &call.turbofish);
            let method = handle_of(&call.method);
            let target = quote!(#receiver.#method #turbofish(#(#arguments),*).target());
            Ok(match is_own(receiver, function) && turbofish.is_none() {
                true => Entry::OfOwn { handle: method, arguments: arguments.len(), target },
                false => Entry::Of(target),
            })
        }
        Expr::Path(path) => {
            let path = path.to_token_stream().to_string().replace(' ', "");
            Err(format!("write the call whose entry is meant, with its arguments: `{path}(id)`"))
        }
        _ => Err(not_a_call()),
    }
}

/// `<get_user>::__target` of `get_user`. What the compiler says of the name is then said of what this
/// macro writes, and with the macro's name, which is the cure. In angles it says that this is no type,
/// and not that a crate may be missing.
pub(crate) fn written(path: TokenStream) -> TokenStream {
    let path = as_written_here(path);
    let (open, target) = (shown_at(&path, quote!(<)), shown_at(&path, quote!(>::__target)));
    quote!(#open #path #target)
}

fn as_written_here(tokens: TokenStream) -> TokenStream {
    let respanned = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let inside = as_written_here(group.stream());
            TokenTree::Group(Group::new(group.delimiter(), inside))
        }
        // `$crate` is a crate by its span.
        TokenTree::Ident(name) if name == "$crate" => TokenTree::Ident(name),
        mut token => {
            token.set_span(Span::call_site().located_at(token.span()));
            token
        }
    });
    respanned.collect()
}

/// `find_cache` of `find`.
fn handle_of(method: &Ident) -> Ident {
    format_ident!("{}_cache", method)
}

/// `get_user::invalidate(id)`: the attribute does that itself.
fn check_verb(path: &ExprPath) -> Result<(), String> {
    let mut segments = path.path.segments.iter().rev().map(|segment| &segment.ident);
    let (Some(verb), Some(cached)) = (segments.next(), segments.next()) else { return Ok(()) };
    if verb == "invalidate" {
        return Err(format!("the attribute invalidates by itself: write the call, `{cached}(…)`"));
    }
    if verb == "invalidate_all" {
        return Err(format!(
            "the attribute removes the entries of calls, `{cached}(…)`, and those with a tag: to \
             remove all of `{cached}`, give it `tags = [\"{cached}\"]` and write the same here, or \
             call `{cached}::invalidate_all()` in the body"
        ));
    }
    Ok(())
}

/// Whether it is the `self` of a method that takes `self` or `&self`: then the handle is found where
/// `self` points, or not at all.
fn is_own(receiver: &Expr, function: &Function) -> bool {
    let own = matches!(receiver, Expr::Path(path) if path.path.is_ident("self"));
    let receiver = function.receiver().map(|receiver| &receiver.kind);
    own && matches!(receiver, Some(ReceiverKind::Value | ReceiverKind::Reference(_, _, None)))
}

/// A method without a handle: a trait has one of that name for all types, which comes after a type's
/// own, and says what to do.
fn or_no_handle(
    private: &TokenStream,
    handle: &Ident,
    arguments: usize,
    target: &TokenStream,
) -> TokenStream {
    let generics: Vec<Ident> = (0..arguments).map(|at| format_ident!("A{at}")).collect();
    let (name, this) = (mixed("NoHandle"), mixed("T"));
    quote! {{
        #[allow(nonstandard_style, dead_code, unused)]
        trait #name {
            fn #handle<#(#generics),*>(&self, #(_: #generics),*) -> #private::NoTarget
            where
                Self: #private::HasHandle,
            {
                #private::NoTarget
            }
        }
        impl<#this: ?::core::marker::Sized> #name for #this {}
        #target
    }}
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
