//! `#[cache_invalidate(get_user(id), tags = ["user:{id}"], |out| get_order(out.order_id))]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, Lit, Path, ReturnType, Token, Type};

use crate::check::check_root;
use crate::errors::Errors;
use crate::expand;
use crate::function::{Body, Function, Style};
use crate::groups;
use crate::krate;
use crate::learned::Learned;
use crate::names;
use crate::spans::shown_at;
use crate::tags;
use crate::target::{Entry, target};
use crate::template::{Kind, Template};

const OPTIONS: &[&str] = &["tags", "key", "pattern", "on_error", "cache", "crate"];
pub(crate) const HOW: &str = "write calls of cached functions (`get_user(id)`, `self.find(id)`), \
                              `tags = [\"user:{id}\"]`, `key = \"…\"` or \
                              `pattern = \"*get_user*:{id}\"`";

/// What is invalidated, and how.
struct Plan {
    targets: Vec<Target>,
    learned: Vec<Learned>,
    cache: Option<Expr>,
    /// Where the function returns an invalidation's error: what says so.
    returned: Option<Lit>,
    krate: Path,
}

pub(crate) enum Target {
    Entry(Entry),
    Key(Template),
    Tag(Template),
    Pattern(Template),
}

impl Target {
    /// The statement that adds it.
    pub(crate) fn add(&self, private: &TokenStream, invalidation: &Ident) -> TokenStream {
        let template = Ident::new("template", Span::mixed_site());
        let (kind, render) = match self {
            Self::Entry(entry) => {
                let entry = entry.tokens(private);
                return quote!(#invalidation.entry(#entry););
            }
            Self::Key(key) => (quote!(key), key.render(&template)),
            Self::Tag(tag) => (quote!(tag), tag.render_tag(private, &template)),
            Self::Pattern(pattern) => (quote!(pattern), pattern.render(&template)),
        };
        quote!(#invalidation.#kind(|#template| { #render });)
    }

    pub(crate) fn template(&self) -> Option<&Template> {
        match self {
            Self::Entry(_) => None,
            Self::Key(template) | Self::Tag(template) | Self::Pattern(template) => Some(template),
        }
    }

    pub(crate) fn template_mut(&mut self) -> Option<&mut Template> {
        match self {
            Self::Entry(_) => None,
            Self::Key(template) | Self::Tag(template) | Self::Pattern(template) => Some(template),
        }
    }
}

pub(crate) fn expand(attribute: TokenStream, function: &Function, errors: &Errors) -> TokenStream {
    let mut plan = parse(attribute, function, errors);
    check(&mut plan, function, errors);
    let Body::Block(body) = &function.body else { return function.to_token_stream() };
    let (style, returns) = function.style();
    let Plan { targets, learned, cache, returned, krate } = &plan;
    let private = quote!(#krate::__private);
    let invalidation = Ident::new("invalidation", Span::mixed_site());
    let adds = targets.iter().map(|target| target.add(&private, &invalidation));
    let cache = expand::cache(&private, cache.as_ref());
    let name = function.signature.ident.to_string();
    let prepare = quote! {
        let mut #invalidation = #private::Invalidation::of(#name, #cache);
        #(#adds)*
    };
    let (probe, kind) =
        (quote!(#private::Probe::<#returns>::NEW), quote!(#private::kind_of!(#returns)));
    let deferred = expand::deferred(&private, function, style, &returns, body);
    let plain = learned.is_empty() && returned.is_none();
    let (clones, learn) = Learned::closure(&private, learned, function);
    let on_error = match returned {
        // That it cannot be returned is said where the type that cannot carry it stands.
        Some(_) => {
            let function = shown_at(&returns, quote!(#private::returned));
            let open = shown_at(&returns, quote!(#private::Probe::<));
            let close = shown_at(&returns, quote!(>::NEW));
            quote!(#function(#open #returns #close, #kind))
        }
        None => quote!(::core::option::Option::None),
    };
    let call = match (style, plain) {
        (Style::Sync, true) => quote!(#invalidation.after_blocking(#probe, #kind, #deferred)),
        (Style::Sync, false) => {
            quote!(#invalidation.after_with_blocking(#probe, #kind, #deferred, #learn, #on_error))
        }
        (_, true) => quote!(#invalidation.after(#probe, #kind, #deferred).await),
        (_, false) => {
            quote!(#invalidation.after_with(#probe, #kind, #deferred, #learn, #on_error).await)
        }
    };
    expand::rewritten(function, style, &quote!(#prepare #clones #call))
}

fn parse(attribute: TokenStream, function: &Function, errors: &Errors) -> Plan {
    let mut plan = Plan {
        targets: Vec::new(),
        learned: Vec::new(),
        cache: None,
        returned: None,
        krate: krate::default(),
    };
    let empty = attribute.is_empty();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            item(input, &mut plan, function, errors)?;
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
    } else if empty || (plan.targets.is_empty() && plan.learned.is_empty() && !errors.any()) {
        let message = format!("nothing is invalidated: {HOW}");
        errors.push(syn::Error::new(Span::call_site(), message));
    }
    plan
}

fn item(
    input: ParseStream<'_>,
    plan: &mut Plan,
    function: &Function,
    errors: &Errors,
) -> syn::Result<()> {
    let named = input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]);
    if !named {
        let expr = groups::without(input.parse()?);
        if let Expr::Closure(closure) = &expr {
            plan.learned.extend(Learned::entries(closure, function, errors));
            return Ok(());
        }
        match target(&expr, function) {
            Ok(target) => plan.targets.push(Target::Entry(target)),
            Err(message) => errors.at(&expr, message),
        }
        return Ok(());
    }
    let name = Ident::parse_any(input)?;
    input.parse::<Token![=]>()?;
    let value = groups::without(input.parse()?);
    match name.to_string().as_str() {
        "key" => {
            let key = template(&name, &value, Kind::StoredKey, errors);
            plan.targets.extend(key.map(Target::Key));
        }
        "tags" => match &value {
            Expr::Closure(closure) => plan.learned.extend(Learned::tags(closure, errors)),
            list => plan.targets.extend(tags::list(list, errors).into_iter().map(Target::Tag)),
        },
        "pattern" => {
            let pattern = template(&name, &value, Kind::Pattern, errors);
            plan.targets.extend(pattern.map(Target::Pattern));
        }
        "on_error" => plan.returned = on_error(&value, errors),
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

/// The value, where it is `"fail"`.
fn on_error(value: &Expr, errors: &Errors) -> Option<Lit> {
    if let Expr::Lit(ExprLit { lit: lit @ Lit::Str(text), .. }) = value {
        match text.value().as_str() {
            "fail" => return Some(lit.clone()),
            "log" => return None,
            _ => {}
        }
    }
    errors.at(
        value,
        "`on_error` is `\"log\"` (the function returns its own result, the default) or \
         `\"fail\"` (it returns the invalidation's error)",
    );
    None
}

fn check(plan: &mut Plan, function: &Function, errors: &Errors) {
    let params = function.params();
    for template in plan.targets.iter_mut().filter_map(Target::template_mut) {
        for capture in template.captures_mut() {
            check_root(capture, function, &params, errors);
        }
    }
    for learned in &mut plan.learned {
        learned.check(function, &params, errors);
    }
    if let (Some(fail), ReturnType::Default) = (&plan.returned, &function.signature.output) {
        errors.at(fail, "this function returns nothing, so it cannot return an error either");
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
