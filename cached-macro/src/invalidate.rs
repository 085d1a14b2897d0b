//! `#[cache_invalidate(get_user(id), key = "…", pattern = "…")]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Path, ReturnType, Token, Type};

use crate::errors::Errors;
use crate::expand;
use crate::function::{Body, Function, Style, self_ident};
use crate::names;
use crate::template::{Kind, Template};

const OPTIONS: &[&str] = &["key", "pattern", "cache", "crate"];
const HOW: &str = "write calls of cached functions (`get_user(id)`, `self.find(id)`), \
                   `key = \"…\"` or `pattern = \"*get_user*:{id}\"`";

/// What is invalidated, and how.
struct Plan {
    targets: Vec<Target>,
    cache: Option<Expr>,
    krate: Path,
}

enum Target {
    /// An expression that yields the runtime's `Target`.
    Entry(TokenStream),
    Key(Template),
    Pattern(Template),
}

pub(crate) fn expand(attribute: TokenStream, function: &Function, errors: &Errors) -> TokenStream {
    let plan = parse(attribute, errors);
    check(&plan, function, errors);
    let Body::Block(body) = &function.body else { return function.to_token_stream() };
    let (style, returns) = function.style();
    let Plan { targets, cache, krate } = &plan;
    let private = quote!(#krate::__private);
    let invalidation = Ident::new("invalidation", Span::mixed_site());
    let template = Ident::new("template", Span::mixed_site());
    let adds = targets.iter().map(|target| match target {
        Target::Entry(entry) => quote!(#invalidation.entry(#entry);),
        Target::Key(key) => {
            let render = key.render(&template);
            quote!(#invalidation.key(|#template| { #render });)
        }
        Target::Pattern(pattern) => {
            let render = pattern.render(&template);
            quote!(#invalidation.pattern(|#template| { #render });)
        }
    });
    let cache = expand::cache(&private, cache.as_ref());
    let name = function.signature.ident.to_string();
    let prepare = quote! {
        let mut #invalidation = #private::Invalidation::of(#name, #cache);
        #(#adds)*
    };
    let (probe, kind) =
        (quote!(#private::Probe::<#returns>::NEW), quote!(#private::kind_of!(#returns)));
    let deferred = expand::deferred(&private, function, style, &returns, body);
    let call = match style {
        Style::Sync => quote!(#invalidation.after_blocking(#probe, #kind, #deferred)),
        _ => quote!(#invalidation.after(#probe, #kind, #deferred).await),
    };
    expand::rewritten(function, style, &quote!(#prepare #call))
}

fn parse(attribute: TokenStream, errors: &Errors) -> Plan {
    let mut plan =
        Plan { targets: Vec::new(), cache: None, krate: syn::parse_quote!(::cached_runtime) };
    let empty = attribute.is_empty();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            item(input, &mut plan, errors)?;
            if !input.is_empty() {
                let wrong = |error: syn::Error| {
                    syn::Error::new(error.span(), "a `,` must stand before what comes next")
                };
                input.parse::<Token![,]>().map_err(wrong)?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(attribute) {
        errors.push(error);
    } else if empty || (plan.targets.is_empty() && !errors.any()) {
        let message = format!("nothing is invalidated: {HOW}");
        errors.push(syn::Error::new(Span::call_site(), message));
    }
    plan
}

fn item(input: ParseStream<'_>, plan: &mut Plan, errors: &Errors) -> syn::Result<()> {
    let named = input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]);
    if !named {
        let expr: Expr = input.parse()?;
        match target(&expr) {
            Ok(target) => plan.targets.push(Target::Entry(target)),
            Err(message) => errors.at(&expr, message),
        }
        return Ok(());
    }
    let name = Ident::parse_any(input)?;
    input.parse::<Token![=]>()?;
    let value: Expr = input.parse()?;
    match name.to_string().as_str() {
        "key" => {
            let key = template(&name, &value, Kind::StoredKey, errors);
            plan.targets.extend(key.map(Target::Key));
        }
        "pattern" => {
            let pattern = template(&name, &value, Kind::Pattern, errors);
            plan.targets.extend(pattern.map(Target::Pattern));
        }
        "cache" if plan.cache.is_some() => errors.at(&name, "`cache` is given twice; remove one"),
        "cache" => plan.cache = Some(value),
        "crate" => match value {
            Expr::Path(path) => plan.krate = path.path,
            other => errors.at(other, "`crate` must be a path: `crate = my_crate::cached_runtime`"),
        },
        unknown => {
            let near = names::nearest(unknown, OPTIONS);
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            errors.at(&name, format!("unknown option `{unknown}`{near}\n{HOW}"));
        }
    }
    Ok(())
}

fn template(name: &Ident, value: &Expr, kind: Kind, errors: &Errors) -> Option<Template> {
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else {
        let message = format!("`{name}` must be text in quotes: `{name} = \"users:{{id}}\"`");
        errors.at(value, message);
        return None;
    };
    Template::read(text, kind, errors)
}

/// A call of a cached function becomes the entry it would use.
fn target(expr: &Expr) -> Result<TokenStream, String> {
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

fn check(plan: &Plan, function: &Function, errors: &Errors) {
    let params = function.params();
    let known = |name: &Ident| {
        (*name == self_ident() && function.receiver().is_some())
            || params.iter().any(|param| param.bindings.contains(name))
    };
    for target in &plan.targets {
        let (Target::Key(template) | Target::Pattern(template)) = target else { continue };
        for capture in template.captures().filter(|capture| !known(&capture.root)) {
            let names: Vec<String> =
                params.iter().flat_map(|p| &p.bindings).map(ToString::to_string).collect();
            let message = format!(
                "`{}` has no argument `{}`; its arguments are `{}`",
                function.signature.ident,
                capture.root,
                names.join("`, `")
            );
            errors.push(syn::Error::new(capture.root.span(), message));
        }
    }
    if let Body::Missing(semicolon) = &function.body {
        errors.at(semicolon, "there is no body here: put the attribute on the implementations");
    }
    if let Some(constness) = &function.signature.constness {
        errors.at(constness, "a `const fn` cannot invalidate; remove `const`");
    }
    if let ReturnType::Type(_, ty) = &function.signature.output
        && matches!(&**ty, Type::ImplTrait(_))
        && function.style().0 == Style::Sync
    {
        errors.at(ty, "an `impl Trait` that is no future: name the type");
    }
}
