//! A return type without generics, of the same shape.
//!
//! The companion's signatures need the shape as a constant, and a constant in a type may mention
//! no generics: each is replaced by something concrete. The outer layers, which make the shape,
//! stay as they are.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, GenericArgument, GenericParam, Generics, Lifetime, Type, parse_quote};

use crate::function::mentions;

pub(crate) fn neutral(ty: &Type, generics: &Generics) -> Type {
    let mut neutral = ty.clone();
    Neutral { generics }.visit_type_mut(&mut neutral);
    neutral
}

struct Neutral<'a> {
    generics: &'a Generics,
}

impl Neutral<'_> {
    fn is_type_param(&self, name: &Ident) -> bool {
        self.generics.type_params().any(|param| param.ident == *name)
    }

    fn const_value(&self, name: &Ident) -> Option<Expr> {
        self.generics.params.iter().find_map(|param| match param {
            GenericParam::Const(param) if param.ident == *name => {
                Some(match param.ty.to_token_stream().to_string().as_str() {
                    "bool" => parse_quote!(false),
                    "char" => parse_quote!('a'),
                    _ => parse_quote!(0),
                })
            }
            _ => None,
        })
    }

    /// Whether the type is a parameter, or something that hangs on one: `T`, `T::Out`,
    /// `<T as Trait>::Out`.
    fn hangs_on_param(&self, ty: &Type) -> bool {
        let Type::Path(path) = ty else { return false };
        let named = |tokens: TokenStream| {
            self.generics.type_params().any(|param| mentions(&tokens, &param.ident))
        };
        let first = path.path.segments.first();
        first.is_some_and(|first| self.is_type_param(&first.ident))
            || path.qself.as_ref().is_some_and(|qself| named(qself.ty.to_token_stream()))
    }
}

impl VisitMut for Neutral<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if self.hangs_on_param(ty) {
            *ty = parse_quote!(());
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }

    fn visit_generic_argument_mut(&mut self, argument: &mut GenericArgument) {
        // `N` alone reads as a type until it is known to be a constant.
        if let GenericArgument::Type(Type::Path(path)) = argument
            && let Some(value) = path.path.get_ident().and_then(|name| self.const_value(name))
        {
            *argument = GenericArgument::Const(parse_quote!({ #value }));
            return;
        }
        visit_mut::visit_generic_argument_mut(self, argument);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if let Expr::Path(path) = expr
            && let Some(value) = path.path.get_ident().and_then(|name| self.const_value(name))
        {
            *expr = value;
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = parse_quote!('static);
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn generics_are_replaced_and_the_shape_stays() {
        let item: syn::Signature =
            syn::parse_str("fn f<'a, T: Trait, const N: usize, const B: bool>()").unwrap();
        for (ty, expected) in [
            ("Result < Option < T > , E >", "Result < Option < () > , E >"),
            ("T", "()"),
            ("Option < T :: Out >", "Option < () >"),
            ("Vec < < T as Trait > :: Out >", "Vec < () >"),
            ("[T ; N]", "[() ; 0]"),
            ("Flags < N , B >", "Flags < { 0 } , { false } >"),
            ("Cow < 'a , str >", "Cow < 'static , str >"),
            ("Result < User , sqlx :: Error >", "Result < User , sqlx :: Error >"),
        ] {
            let neutral = neutral(&syn::parse_str(ty).unwrap(), &item.generics);
            let squeeze = |text: &str| text.replace(' ', "");
            assert_eq!(squeeze(&quote!(#neutral).to_string()), squeeze(expected));
        }
    }
}
