//! Closures over the value inside: what is stored, not all that the function returns.

use quote::ToTokens;
use syn::{Expr, GenericArgument, Pat, PathArguments, Type};

use crate::errors::Errors;

/// Reports a closure that says it takes more than the value inside `Ok`, `Some` and `Arc`.
pub(crate) fn check_closure(option: &str, closure: &Expr, returns: &Type, errors: &Errors) {
    let Expr::Closure(closure) = closure else { return };
    let Some(Pat::Type(input)) = closure.inputs.first() else { return };
    let taken = match &*input.ty {
        Type::Reference(reference) => &*reference.elem,
        taken => taken,
    };
    let text = |ty: &Type| ty.to_token_stream().to_string();
    let mut layer = returns;
    while let Some(inside) = inner(layer) {
        if text(layer) == text(taken) {
            let inside = innermost(inside).to_token_stream().to_string().replace(' ', "");
            let message = format!(
                "`{option}` is asked about the value inside, which is what is stored: `|value|`, or \
                 `|value: &{inside}|`"
            );
            errors.at(&input.ty, message);
            return;
        }
        layer = inside;
    }
}

fn innermost(ty: &Type) -> &Type {
    inner(ty).map_or(ty, innermost)
}

/// `T` of `Result<T, …>`, `Option<T>` and `Arc<T>`, as they are spelled.
fn inner(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if !["Result", "Option", "Arc"].iter().any(|name| last.ident == name) {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inside) => Some(inside),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(closure: &str, returns: &str) -> String {
        let errors = Errors::new();
        let (closure, returns) =
            (syn::parse_str(closure).unwrap(), syn::parse_str(returns).unwrap());
        check_closure("cache_if", &closure, &returns, &errors);
        errors.into_tokens().to_string()
    }

    #[test]
    fn only_what_is_around_the_value_is_refused() {
        for (closure, returns, refused) in [
            ("|v: &Result<User, E>| true", "Result<User, E>", true),
            ("|v: &Option<User>| true", "Result<Option<User>, E>", true),
            ("|v: &Arc<User>| true", "Option<Arc<User>>", true),
            ("|v: &User| true", "Result<User, E>", false),
            ("|v| true", "Result<User, E>", false),
            ("|v: &Vec<User>| true", "Vec<User>", false),
            ("|v: &Option<u8>| true", "Vec<Option<u8>>", false),
        ] {
            let said = messages(closure, returns);
            assert_eq!(said.contains("|value: &User|"), refused, "{closure} of {returns}: {said}");
        }
    }
}
