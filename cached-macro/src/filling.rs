//! What is filled into an entry: the parts of its key, and its tags.
//!
//! Templates that name fields are read in a function of their own, which the cached function and all
//! verbs call: so a field that there is not is one mistake.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Expr, ReceiverKind, Type};

use crate::companion::{bare, generic_names, generics_of_verbs};
use crate::expand::{Use, mixed, private};
use crate::function::{Param, self_ident};
use crate::model::{Companion, Key, Model};
use crate::spans::shown_at;
use crate::template::{Capture, Template};

/// The statements that fill an entry.
pub(crate) fn filling(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    let key = || match Apart::of(model, Templates::Key) {
        Some(apart) => apart.call(model, entry),
        None => key_parts(model, place, entry),
    };
    let tags = || match Apart::of(model, Templates::Tags) {
        Some(apart) => apart.call(model, entry),
        None => tags(model, place, entry),
    };
    match place {
        Use::Function => tag_of_function(model, entry),
        Use::Key | Use::Entry => key(),
        Use::Call | Use::Verb => {
            let (key, tags) = (key(), tags());
            let tag_of_function = tag_of_function(model, entry);
            quote!(#key #tags #tag_of_function)
        }
    }
}

/// The statements that add the key's parts. No chain of calls: where one of them does not compile,
/// the compiler would say so again for each that follows.
fn key_parts(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    match &model.key {
        Key::Arguments(names) => {
            let used = |param: &Param| -> TokenStream {
                let used = param.bindings.iter().filter(|name| names.contains(name));
                used.map(|name| argument(model, place, entry, (param, name))).collect()
            };
            model.params.iter().map(used).collect()
        }
        Key::Template(template) => {
            let parts = template.rendered(entry, |capture| captured(model, place, entry, capture));
            quote!(#entry.text(":"); #parts)
        }
    }
}

/// The statements that add the tags.
fn tags(model: &Model, place: &Use, entry: &Ident) -> TokenStream {
    let (tag, private) = (Ident::new("tag", Span::mixed_site()), private(model));
    let add = |template: &Template| {
        let parts = template.rendered(&tag, |capture| {
            let (param, shown) = place_of(capture, model);
            let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
            let call = capture.in_tag(&private, &tag, shown, matches!(place, Use::Call));
            quote!(#(#cfg)* #call)
        });
        quote!(#entry.tag(|#tag| { #parts });)
    };
    model.tags.iter().map(add).collect()
}

fn tag_of_function(model: &Model, entry: &Ident) -> TokenStream {
    if model.invalidate_all { quote!(#entry.tag_function();) } else { TokenStream::new() }
}

fn argument(
    model: &Model,
    place: &Use,
    entry: &Ident,
    (param, name): (&Param, &Ident),
) -> TokenStream {
    let Param { cfg, ty, .. } = param;
    let (method, of) = match param.is_impl_trait() {
        true => (quote!(typed_arg), quote!(TypedArg)),
        false => (quote!(arg), quote!(Arg)),
    };
    let added = added(model, place, entry, (ty, method, of, shown_at(ty, quote!(&#name))));
    quote!(#(#cfg)* #added)
}

/// A part of the key, given to an entry: by `method`, which asks for what is needed, where that is
/// asked; else as what it is a part `of`.
fn added(
    model: &Model,
    place: &Use,
    entry: &Ident,
    (at, method, of, value): (&dyn ToTokens, TokenStream, TokenStream, TokenStream),
) -> TokenStream {
    if let Use::Call = place {
        let method = shown_at(at, method);
        return quote!(#entry.#method(#value););
    }
    let private = private(model);
    quote!(#entry.add(#private::PartOf::#of, &#private::part!(#value));)
}

/// The argument that is captured, and where what is wrong with its type is shown: a whole argument
/// is its type's business, a field the template's.
fn place_of<'m>(
    Capture { root, expr }: &Capture,
    model: &'m Model,
) -> (Option<&'m Param>, TokenStream) {
    let param = model.params.iter().find(|p| p.bindings.contains(root));
    let place = match (param, expr) {
        (Some(param), Expr::Path(_)) => param.ty.to_token_stream(),
        _ => root.to_token_stream(),
    };
    (param, place)
}

fn captured(model: &Model, place: &Use, entry: &Ident, capture: &Capture) -> TokenStream {
    let (param, shown) = place_of(capture, model);
    let expr = &capture.expr;
    let cfg = param.map(|param| &param.cfg[..]).unwrap_or_default();
    let (method, of) = match param.is_some_and(Param::is_impl_trait) {
        true => (quote!(typed_capture), quote!(TypedCapture)),
        false => (quote!(capture), quote!(Capture)),
    };
    let value = match expr {
        Expr::Path(_) => shown_at(&shown, quote!(&#expr)),
        _ => {
            let reference = shown_at(&shown, quote!(&));
            quote!(#reference #expr)
        }
    };
    let added = added(model, place, entry, (&shown, method, of, value));
    quote!(#(#cfg)* #added)
}

fn is_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_none())
}

/// Which templates.
#[derive(Clone, Copy)]
enum Templates {
    Key,
    Tags,
}

/// A function that reads templates with fields.
struct Apart<'a> {
    which: Templates,
    params: Vec<&'a Param>,
    own_self: bool,
}

/// The functions that read templates, beside the verbs or the handle.
pub(crate) fn apart(model: &Model) -> TokenStream {
    let all = [Templates::Key, Templates::Tags].map(|which| Apart::of(model, which));
    all.iter().flatten().map(|apart| apart.declaration(model)).collect()
}

impl<'a> Apart<'a> {
    /// Where there is a field in them, and all that they name can be handed over by its name.
    fn of(model: &'a Model, which: Templates) -> Option<Self> {
        let templates: Vec<&Template> = match (which, &model.key) {
            (Templates::Key, Key::Template(template)) => vec![template],
            (Templates::Key, Key::Arguments(_)) => vec![],
            (Templates::Tags, _) => model.tags.iter().collect(),
        };
        let captures = || templates.iter().flat_map(|template| template.captures());
        let field = captures().any(|capture| matches!(capture.expr, Expr::Field(_)));
        // Where the method may be a trait's, whose impl can have nothing beside it.
        let alone = match model.companion {
            Companion::Type => false,
            Companion::Handle => model.function.visibility.to_token_stream().is_empty(),
            Companion::None => true,
        };
        if !field || model.batch.is_some() || alone {
            return None;
        }
        let named = |param: &&Param| captures().any(|c| param.bindings.contains(&c.root));
        let params: Vec<&Param> = model.params.iter().filter(named).collect();
        let own_self = captures().any(|capture| capture.root == self_ident());
        let plain = params.iter().all(|param| param.name().is_some() && param.cfg.is_empty());
        plain.then_some(Self { which, params, own_self })
    }

    fn name(&self, model: &Model) -> Ident {
        let what = match self.which {
            Templates::Key => "key",
            Templates::Tags => "tags",
        };
        match model.companion {
            Companion::Handle => {
                format_ident!("__{what}_{}", bare(&model.function.signature.ident))
            }
            _ => format_ident!("__{what}"),
        }
    }

    fn declaration(&self, model: &Model) -> TokenStream {
        let (private, name, entry) = (private(model), self.name(model), mixed("entry"));
        let params = self.params.iter().filter_map(|param| {
            let (name, ty) = (param.name()?, &param.ty);
            Some(if is_reference(ty) { quote!(#name: #ty) } else { quote!(#name: &(#ty)) })
        });
        let own = model.function.own_self().filter(|_| self.own_self);
        let receiver = own.map(|own| quote!(&#own,));
        let (parts, target) = match self.which {
            Templates::Key => (key_parts(model, &Use::Call, &entry), quote!(Keyed)),
            Templates::Tags => {
                let tags = tags(model, &Use::Call, &entry);
                (quote!(use #private::TagText as _; #tags), quote!(Tagged))
            }
        };
        let (generics, clause) = match model.companion {
            Companion::Type => {
                let (lifetimes, bounds) = generics_of_verbs(model);
                (quote!(#(#lifetimes),*), bounds)
            }
            _ => {
                let generics = &model.function.signature.generics;
                (generics.params.to_token_stream(), generics.where_clause.to_token_stream())
            }
        };
        quote! {
            #[doc(hidden)]
            #[allow(unused, deprecated, nonstandard_style, unused_parens, clippy::all, clippy::pedantic, clippy::nursery)]
            #[inline]
            fn #name<#generics>(#receiver #entry: &mut impl #private::#target, #(#params),*) #clause {
                #parts
            }
        }
    }

    fn call(&self, model: &Model, entry: &Ident) -> TokenStream {
        let name = self.name(model);
        let function = &model.function.signature.ident;
        let generics = generic_names(model);
        let generics = (!generics.is_empty()).then(|| quote!(::<#(#generics),*>));
        let of = match model.companion {
            Companion::Type => quote!(<#function #generics>::#name),
            _ => quote!(Self::#name #generics),
        };
        let own = model.function.own_self().filter(|_| self.own_self).map(|own| {
            let by_value = model.function.receiver().map(|receiver| &receiver.kind);
            match by_value {
                Some(ReceiverKind::Value) => quote!(&#own,),
                _ => quote!(&*#own,),
            }
        });
        let params = self.params.iter().filter_map(|param| {
            let name = param.name()?;
            Some(if is_reference(&param.ty) { quote!(#name) } else { quote!(&#name) })
        });
        quote!(#of(#own &mut #entry, #(#params),*);)
    }
}
