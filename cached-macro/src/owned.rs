//! What a function's signature borrows, as far as its tokens tell: whether its body may go on
//! without the caller, and whether its error may be shared.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReceiverKind, Type, WherePredicate};

use crate::function::{Function, Param, Style, mentions, self_ident};
use crate::model::{Companion, Model, Ttl, free_tokens};

/// Whether the body can be handed over to run on its own: nothing that it or its options use is
/// borrowed from the caller.
pub(crate) fn can_outlive(model: &Model) -> bool {
    let function = &model.function;
    let owned = |param: &Param| {
        let ty = param.ty.to_token_stream();
        !borrows(&ty) && (!param.is_impl_trait() || has_static(&ty))
    };
    let unknown = |name: &Ident| hides_generics(model) && looks_like_a_param(function, name);
    owned_receiver(function)
        && model.params.iter().all(owned)
        && !model.params.iter().any(|param| any_ident(&param.ty.to_token_stream(), &unknown))
        && !any_ident(&model.returns.to_token_stream(), &unknown)
        && !borrows(&function.signature.output.to_token_stream())
        && function.signature.generics.lifetimes().next().is_none()
        && type_params(function).all(|name| is_static(function, name))
        && sendable(model)
        && !closures_capture(model)
}

/// Whether the error can be asked for `'static`: the compiler would not choose by a lifetime, but
/// complain of it later. Type parameters of an `impl` cannot be seen, so what looks like one does
/// not count as `'static`.
pub(crate) fn may_share_error(model: &Model) -> bool {
    let returns = model.returns.to_token_stream();
    let error = error_of(&model.returns).to_token_stream();
    let function = &model.function;
    let unknown = |name: &Ident| {
        name == "Self"
            || (hides_generics(model) && looks_like_a_param(function, name))
            || type_params(function).any(|param| param == name && !is_static(function, name))
    };
    !borrows(&returns) && !any_ident(&error, &unknown)
}

/// What stands last between the angles of the outermost type: mostly the error.
fn error_of(returns: &Type) -> TokenStream {
    if let Type::Path(path) = returns
        && let Some(last) = path.path.segments.last()
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(error)) = arguments.args.last()
    {
        return error.to_token_stream();
    }
    returns.to_token_stream()
}

/// Whether it may stand in an `impl`, whose type parameters cannot be seen.
fn hides_generics(model: &Model) -> bool {
    model.companion != Companion::Type
}

/// `T`, `E2`.
fn looks_like_a_param(function: &Function, name: &Ident) -> bool {
    let text = name.to_string();
    let mut chars = text.chars();
    chars.next().is_some_and(char::is_uppercase)
        && chars.all(|c| c.is_ascii_digit())
        && !type_params(function).any(|known| known == name)
}

fn owned_receiver(function: &Function) -> bool {
    let Some(receiver) = function.receiver() else { return true };
    match &receiver.kind {
        ReceiverKind::Value => true,
        ReceiverKind::Typed(_, ty) => {
            let last = match &**ty {
                Type::Path(path) => path.path.segments.last(),
                _ => None,
            };
            last.is_some_and(|last| ["Self", "Arc", "Box"].iter().any(|name| last.ident == name))
        }
        _ => false,
    }
}

/// A future whose type is written out is `Send` where it says so; for others the compiler tells.
fn sendable(model: &Model) -> bool {
    let output = model.function.signature.output.to_token_stream();
    match model.style {
        Style::Sync | Style::Async => true,
        Style::Future | Style::Boxed => {
            any_ident(&output, &|name| name == "Send" || name == "BoxFuture")
        }
    }
}

/// Whether a closure among the options holds an argument; other expressions are values by the time
/// the body runs.
fn closures_capture(model: &Model) -> bool {
    let mut tokens = TokenStream::new();
    if let Ttl::Closure(closure) = &model.ttl {
        tokens.extend(free_tokens(closure));
    }
    if let Some(keep) = &model.cache_if {
        tokens.extend(free_tokens(keep));
    }
    mentions(&tokens, &self_ident())
        || model.params.iter().flat_map(|p| &p.bindings).any(|name| mentions(&tokens, name))
}

fn type_params(function: &Function) -> impl Iterator<Item = &Ident> {
    function.signature.generics.type_params().map(|param| &param.ident)
}

/// Whether a type parameter is bounded by `'static`.
fn is_static(function: &Function, name: &Ident) -> bool {
    let generics = &function.signature.generics;
    let inline = generics.type_params().filter(|param| param.ident == *name);
    let inline = inline.map(|param| param.bounds.to_token_stream());
    let clauses = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let clauses = clauses.filter_map(|predicate| match predicate {
        WherePredicate::Type(predicate)
            if matches!(&predicate.bounded_ty, Type::Path(path) if path.path.is_ident(name)) =>
        {
            Some(predicate.bounds.to_token_stream())
        }
        _ => None,
    });
    inline.chain(clauses).any(|bounds| has_static(&bounds))
}

/// Whether a reference or a lifetime other than `'static` stands in the tokens.
pub(crate) fn borrows(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let borrowed = match &token {
            TokenTree::Punct(mark) if mark.as_char() == '&' => {
                !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'')
            }
            TokenTree::Punct(mark) if mark.as_char() == '\'' => {
                !matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name == "static")
            }
            TokenTree::Group(group) => borrows(&group.stream()),
            _ => false,
        };
        if borrowed {
            return true;
        }
    }
    false
}

/// Whether `'static` stands in the tokens.
fn has_static(tokens: &TokenStream) -> bool {
    any_ident(tokens, &|name| name == "static")
}

fn any_ident(tokens: &TokenStream, is: &dyn Fn(&Ident) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(name) => is(&name),
        TokenTree::Group(group) => any_ident(&group.stream(), is),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn references_and_lifetimes_borrow() {
        for (tokens, expected) in [
            (quote!(u64), false),
            (quote!(&str), true),
            (quote!(&'static str), false),
            (quote!(Vec<&u8>), true),
            (quote!((u8, &[u8])), true),
            (quote!(Cow<'a, str>), true),
            (quote!(Cow<'_, str>), true),
            (quote!(Cow<'static, str>), false),
            (quote!(Box<dyn Error + Send>), false),
        ] {
            assert_eq!(borrows(&tokens), expected, "{tokens}");
        }
    }

    #[test]
    fn the_error_stands_last() {
        for (returns, expected) in [
            ("Result<User, Error>", "Error"),
            ("io::Result<User>", "User"),
            ("Found", "Found"),
            ("Result<T, Self::Error>", "Self :: Error"),
        ] {
            assert_eq!(error_of(&syn::parse_str(returns).unwrap()).to_string(), expected);
        }
    }
}
