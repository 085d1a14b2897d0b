//! What `macro_rules!` passes on. A fragment that it has read (`$ttl:literal`, `$path:path`, `$ty:ty`)
//! comes in a group without delimiters, which looks like nothing that an option can be; and a name in it
//! belongs to where it was written, which need not be where the argument of that name was.

use proc_macro2::{Ident, Span};
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Signature, Type};

/// The expression without groups around it, and around what stands by itself inside.
pub(crate) fn without(mut expr: Expr) -> Expr {
    while let Expr::Group(group) = expr {
        expr = *group.expr;
    }
    Ungroup.visit_expr_mut(&mut expr);
    expr
}

/// As [`without`], for a type.
pub(crate) fn without_in_type(mut ty: Type) -> Type {
    while let Type::Group(group) = ty {
        ty = *group.elem;
    }
    Ungroup.visit_type_mut(&mut ty);
    ty
}

/// As [`without`], for all types of a signature.
pub(crate) fn without_in_signature(mut signature: Signature) -> Signature {
    Ungroup.visit_signature_mut(&mut signature);
    signature
}

/// Takes groups away where that changes nothing: operators beside them would bind otherwise.
struct Ungroup;

impl VisitMut for Ungroup {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        while let Expr::Group(group) = expr
            && stands_by_itself(&group.expr)
        {
            *expr = (*group.expr).clone();
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    fn visit_type_mut(&mut self, ty: &mut Type) {
        while let Type::Group(group) = ty
            && !matches!(&*group.elem, Type::TraitObject(_) | Type::ImplTrait(_) | Type::FnPtr(_))
        {
            *ty = (*group.elem).clone();
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

fn stands_by_itself(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Group(_)
            | Expr::Lit(_)
            | Expr::Path(_)
            | Expr::Field(_)
            | Expr::Call(_)
            | Expr::MethodCall(_)
            | Expr::Array(_)
            | Expr::Tuple(_)
            | Expr::Paren(_)
            | Expr::Macro(_)
    )
}

/// Where `name` was written, and what is meant by it there is what is meant by it at `declared`.
pub(crate) fn meaning(name: &Ident, declared: &Ident) -> Span {
    declared.span().located_at(name.span())
}
