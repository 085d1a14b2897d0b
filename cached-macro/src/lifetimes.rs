//! The verbs of a function whose value may borrow, as far as its tokens tell.
//!
//! Whether such a type owns what it holds, lifetimes decide, which method lookup does not see
//! (`presumed` in the runtime). So the verbs say as a bound what the function asks: then they compile
//! where it does not, and that it does not is one error.

use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, Lifetime, ParenthesizedGenericArguments, PathArguments, Type, TypeFnPtr,
    TypeReference, parse_quote,
};

use crate::expand::private;
use crate::model::Model;
use crate::neutral::neutral;
use crate::owned::borrows;

/// Names the lifetimes of the signature, and adds the bound.
pub(crate) fn bound(model: &mut Model) {
    if !may_borrow(&model.returns) {
        return;
    }
    let mut names = Names { name: parse_quote!('__cached), used: false };
    names.visit_type_mut(&mut model.returns);
    model.params.iter_mut().for_each(|param| names.visit_type_mut(&mut param.ty));
    let (private, returns) = (private(model), &model.returns);
    let generics = &mut model.function.signature.generics;
    let shape = neutral(returns, generics);
    if names.used {
        let name = &names.name;
        generics.params.insert(0, parse_quote!(#name));
    }
    generics.make_where_clause().predicates.push(parse_quote! {
        <#returns as #private::ShapeOf<{ #private::shape_of!(#shape) }>>::Data:
            #private::DeserializeOwned
    });
}

/// Whether a reference or a lifetime other than `'static` stands in the value; in a `Result`, the
/// error may borrow.
pub(crate) fn may_borrow(returns: &Type) -> bool {
    if let Type::Path(path) = returns
        && let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result")
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(value)) = arguments.args.first()
    {
        return borrows(&quote::quote!(#value));
    }
    borrows(&quote::quote!(#returns))
}

/// Names the lifetimes that have no name.
struct Names {
    name: Lifetime,
    used: bool,
}

impl VisitMut for Names {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            self.used = true;
            reference.lifetime = Some(self.name.clone());
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            self.used = true;
            *lifetime = self.name.clone();
        }
    }

    // What is elided there is each call's own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {
    }
}
