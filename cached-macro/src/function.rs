//! The function under the attribute: its signature taken apart, its body left as tokens.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, Pat, PatIdent, PathArguments, Receiver,
    ReturnType, Signature, Token, Type, TypeParamBound, Visibility, token,
};

use crate::groups;

/// A function item whose body is not parsed: a mistake in it is the compiler's to report.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// Before `fn`, behind the visibility: `default` in a specialising impl.
    pub(crate) signature: Signature,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Block(Group),
    /// A declaration in a trait.
    Missing(Token![;]),
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = groups::without_in_signature(input.parse()?);
        let body = if input.peek(Token![;]) {
            Body::Missing(input.parse()?)
        } else if input.peek(token::Brace) {
            match input.parse()? {
                TokenTree::Group(block) => Body::Block(block),
                other => return Err(syn::Error::new_spanned(other, "expected a body")),
            }
        } else {
            return Err(input.error("expected a body"));
        };
        Ok(Self { attributes, visibility, signature, body })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, signature, body } = self;
        let body = match body {
            Body::Block(block) => quote!(#block),
            Body::Missing(semicolon) => quote!(#semicolon),
        };
        tokens.extend(quote!(#(#attributes)* #visibility #signature #body));
    }
}

/// How the function's result comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `fn`.
    Sync,
    /// `async fn`.
    Async,
    /// `fn … -> impl Future<Output = R>`.
    Future,
    /// `fn … -> Pin<Box<dyn Future<Output = R>>>`, as `#[async_trait]` leaves it.
    Boxed,
}

/// A parameter: names that its pattern binds, and under which condition it exists.
pub(crate) struct Param {
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) pat: Pat,
    pub(crate) ty: Type,
    /// What the body can see of it, in order.
    pub(crate) bindings: Vec<Ident>,
}

impl Param {
    /// Its name, where it is no pattern.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match &self.pat {
            Pat::Ident(pat) if pat.subpat.is_none() => Some(&pat.ident),
            _ => None,
        }
    }

    pub(crate) fn is_impl_trait(&self) -> bool {
        contains_impl_trait(&self.ty)
    }
}

impl Function {
    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.signature.receiver()
    }

    /// The `self` of its body.
    pub(crate) fn own_self(&self) -> Option<Ident> {
        self.receiver().map(|receiver| Ident::new("self", receiver.self_token.span))
    }

    pub(crate) fn params(&self) -> Vec<Param> {
        let typed = self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        typed
            .map(|typed| Param {
                cfg: typed.attrs.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect(),
                pat: (*typed.pat).clone(),
                ty: (*typed.ty).clone(),
                bindings: bindings(&typed.pat),
            })
            .collect()
    }

    /// The style, and the type that the body's value has.
    pub(crate) fn style(&self) -> (Style, Type) {
        let ReturnType::Type(_, returned) = &self.signature.output else {
            let style = if self.signature.asyncness.is_some() { Style::Async } else { Style::Sync };
            return (style, syn::parse_quote!(()));
        };
        if self.signature.asyncness.is_some() {
            return (Style::Async, (**returned).clone());
        }
        if let Type::ImplTrait(opaque) = &**returned
            && let Some(output) = opaque.bounds.iter().find_map(future_output)
        {
            return (Style::Future, output);
        }
        match boxed_output(returned) {
            Some(output) => (Style::Boxed, output),
            None => (Style::Sync, (**returned).clone()),
        }
    }

    /// Whether `Self` stands in it, so that it must stand in an `impl` or trait. Where the body
    /// has items of its own the `Self` may be theirs.
    pub(crate) fn mentions_self_type(&self) -> bool {
        let named =
            |tokens: &TokenStream, name| mentions(tokens, &Ident::new(name, Span::call_site()));
        let Body::Block(body) = &self.body else { return false };
        let body = body.stream();
        let items = ["impl", "trait", "struct", "enum", "union"];
        named(&self.signature.to_token_stream(), "Self")
            || (named(&body, "Self") && !items.iter().any(|item| named(&body, item)))
    }

    /// Where the body names something inside of what is called like the function: `name::something`.
    pub(crate) fn own_name_as_path(&self) -> Option<(Ident, Ident)> {
        let Body::Block(body) = &self.body else { return None };
        first_path_from(&self.signature.ident, body.stream())
    }

    /// The names of the type and const parameters, in order.
    pub(crate) fn generics(&self) -> impl Iterator<Item = &GenericParam> {
        let all = self.signature.generics.params.iter();
        all.filter(|param| !matches!(param, GenericParam::Lifetime(_)))
    }
}

/// The names that a pattern binds, whatever their case: leaving one out would leave it out of the
/// key. (`Unit` in `Unit: Unit` binds nothing, and stands in the key as the value it is.)
pub(crate) fn bindings(pat: &Pat) -> Vec<Ident> {
    struct Names(Vec<Ident>);
    impl<'a> Visit<'a> for Names {
        fn visit_pat_ident(&mut self, pat: &'a PatIdent) {
            self.0.push(pat.ident.clone());
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_pat(pat);
    names.0
}

/// `R` of a bound `Future<Output = R>`.
fn future_output(bound: &TypeParamBound) -> Option<Type> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    let last = bound.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    if last.ident != "Future" {
        return None;
    }
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
        _ => None,
    })
}

/// `R` of `Pin<Box<dyn Future<Output = R> + …>>`, or of `BoxFuture<'_, R>`.
fn boxed_output(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let inner = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })?;
    match (last.ident.to_string().as_str(), inner) {
        ("Pin", inner) => boxed_output(inner),
        ("Box", Type::TraitObject(object)) => object.bounds.iter().find_map(future_output),
        ("BoxFuture" | "LocalBoxFuture", inner) => Some(inner.clone()),
        _ => None,
    }
}

pub(crate) fn contains_impl_trait(ty: &Type) -> bool {
    struct Finder(bool);
    impl Visit<'_> for Finder {
        fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}

/// Whether one of the names stands anywhere in the tokens. Text in strings does not count.
pub(crate) fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// The first `name::segment`, where nothing stands in front of the name.
fn first_path_from(name: &Ident, tokens: TokenStream) -> Option<(Ident, Ident)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |token: Option<&TokenTree>, c: char| {
        token.is_some_and(|token| matches!(token, TokenTree::Punct(it) if it.as_char() == c))
    };
    tokens.iter().enumerate().find_map(|(at, token)| match token {
        TokenTree::Group(group) => first_path_from(name, group.stream()),
        TokenTree::Ident(first) if first == name => {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            let is_path = is(tokens.get(at + 1), ':') && is(tokens.get(at + 2), ':');
            match tokens.get(at + 3) {
                Some(TokenTree::Ident(segment))
                    if is_path && !is(before, ':') && !is(before, '.') =>
                {
                    Some((first.clone(), segment.clone()))
                }
                _ => None,
            }
        }
        _ => None,
    })
}

/// `self`, to look for.
pub(crate) fn self_ident() -> Ident {
    Ident::new("self", Span::call_site())
}
