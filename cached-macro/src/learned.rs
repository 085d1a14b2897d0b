//! What `#[cache_invalidate]` learns from the value: `|out| get_user(out.id)`,
//! `tags = |out| ["user:{out.id}"]`.

use std::collections::BTreeMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::visit::{self, Visit};
use syn::{Expr, ExprClosure, ExprPath, Macro, Pat, ReceiverKind, Type};

use crate::check::check_name;
use crate::errors::Errors;
use crate::function::{Function, Param, bindings, mentions, self_ident};
use crate::invalidate::Target;
use crate::tags;
use crate::target::target;
use crate::template::Template;

/// A closure over the value: what it binds, and what is invalidated then.
pub(crate) struct Learned {
    pat: Pat,
    bindings: Vec<Ident>,
    body: Expr,
    targets: Vec<Target>,
}

impl Learned {
    /// `|out| get_user(out.id)`, or several calls in a list.
    pub(crate) fn entries(
        closure: &ExprClosure,
        function: &Function,
        errors: &Errors,
    ) -> Option<Self> {
        let calls: Vec<&Expr> = match &*closure.body {
            Expr::Array(array) => array.elems.iter().collect(),
            call => vec![call],
        };
        let entry = |call: &Expr| match target(call, function) {
            Ok(target) => Some(Target::Entry(target)),
            Err(message) => {
                errors.at(call, message);
                None
            }
        };
        let targets = calls.into_iter().filter_map(entry).collect();
        Self::of(closure, targets, "|out| get_user(out.id)", errors)
    }

    /// `tags = |out| ["user:{out.id}"]`.
    pub(crate) fn tags(closure: &ExprClosure, errors: &Errors) -> Option<Self> {
        let targets = tags::list(&closure.body, errors).into_iter().map(Target::Tag).collect();
        Self::of(closure, targets, "tags = |out| [\"user:{out.id}\"]", errors)
    }

    fn of(
        closure: &ExprClosure,
        targets: Vec<Target>,
        example: &str,
        errors: &Errors,
    ) -> Option<Self> {
        let mut inputs = closure.inputs.iter();
        let (Some(pat), None) = (inputs.next(), inputs.next()) else {
            let message = format!(
                "this closure takes one thing, the value inside `Ok` and `Some`: `{example}`"
            );
            errors.at(closure, message);
            return None;
        };
        let (pat, body) = (pat.clone(), (*closure.body).clone());
        Some(Self { bindings: bindings(&pat), pat, body, targets })
    }

    /// What is mentioned must be an argument or bound here, and be there after the body.
    pub(crate) fn check(&mut self, function: &Function, params: &[Param], errors: &Errors) {
        let own = self.bindings.iter();
        let names: Vec<&Ident> = own.chain(params.iter().flat_map(|p| &p.bindings)).collect();
        for template in self.targets.iter_mut().filter_map(Target::template_mut) {
            for capture in template.captures_mut() {
                check_name(capture, function, &names, errors);
            }
        }
        let by_reference = function.receiver().is_some_and(|receiver| match &receiver.kind {
            ReceiverKind::Reference(_, _, mutability) => mutability.is_none(),
            ReceiverKind::Typed(_, ty) => {
                matches!(&**ty, Type::Reference(reference) if reference.mutability.is_none())
            }
            _ => false,
        });
        if let Some(receiver) = self.mentioned(&self_ident())
            && function.receiver().is_some()
            && !by_reference
        {
            errors.push(syn::Error::new(
                receiver.span(),
                "the body has `self` for itself, and this runs after it: take `&self`, or name \
                 what is known before the body outside of the closure",
            ));
        }
    }

    /// Where the name is used, if it is: in an expression, or captured by a template.
    fn mentioned(&self, name: &Ident) -> Option<Ident> {
        if self.bindings.contains(name) {
            return None;
        }
        let mut mention = Mention { name, found: None };
        mention.visit_expr(&self.body);
        let captures = self.targets.iter().filter_map(Target::template);
        let mut captures = captures.flat_map(Template::captures);
        mention.found.or_else(|| captures.find(|c| c.root == *name).map(|c| c.root.clone()))
    }

    /// The statements that clone, before the body may move them, the arguments that the closures
    /// use; and one closure for the runtime.
    pub(crate) fn closure(
        private: &TokenStream,
        all: &[Self],
        function: &Function,
    ) -> (TokenStream, TokenStream) {
        if all.is_empty() {
            return (TokenStream::new(), quote!(|_, _| ()));
        }
        let (invalidation, value) = (mixed("invalidation"), mixed("value"));
        let mut kept = BTreeMap::new();
        for param in function.params() {
            for name in param.bindings {
                if let Some(used) = all.iter().find_map(|learned| learned.mentioned(&name)) {
                    kept.insert(name, used);
                }
            }
        }
        let (mut clones, mut rebound) = (TokenStream::new(), TokenStream::new());
        for (name, used) in &kept {
            let clone = quote_spanned!(used.span()=> ::core::clone::Clone::clone);
            let clone = quote_spanned!(used.span()=> #clone(&#used));
            let kept = format_ident!("kept_{}", name, span = Span::mixed_site());
            clones.extend(quote!(let #kept = #clone;));
            rebound.extend(quote!(let #name = #kept;));
        }
        let learn = all.iter().map(|Self { pat, targets, .. }| {
            let adds = targets.iter().map(|target| target.add(private, &invalidation));
            quote!({ let #pat = #value; #(#adds)* })
        });
        let closure = quote!(move |#invalidation, #value| { #rebound #(#learn)* });
        (clones, closure)
    }
}

fn mixed(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Looks for a variable; a field of its name is none.
struct Mention<'a> {
    name: &'a Ident,
    found: Option<Ident>,
}

impl<'a> Visit<'a> for Mention<'_> {
    fn visit_expr_path(&mut self, path: &'a ExprPath) {
        if let Some(name) = path.path.get_ident().filter(|name| *name == self.name) {
            self.found.get_or_insert_with(|| name.clone());
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        if mentions(&call.tokens, self.name) {
            self.found.get_or_insert_with(|| self.name.clone());
        }
    }
}
