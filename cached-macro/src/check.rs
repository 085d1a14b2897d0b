//! From options as written and a function to a model; everything that is wrong is reported.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Path, ReturnType, Safety, Type};

use crate::duration;
use crate::errors::Errors;
use crate::function::{Body, Function, Param, Style, contains_impl_trait, self_ident};
use crate::model::{Companion, Compress, Key, Length, Model, Ttl};
use crate::names;
use crate::parse::{self, Opt, Parsed, Value};
use crate::template::{Kind, Template};

/// The model, or `None` where there were mistakes.
pub(crate) fn model(function: Function, parsed: Parsed, errors: &Errors) -> Option<Model> {
    let (style, returns) = function.style();
    let params = function.params();
    check_function(&function, style, &returns, errors);
    let options = Options::sort(parsed, errors);

    let template = options.template(errors);
    let skipped = options.skipped(&function, &params, errors);
    check_captures(template.as_ref(), &skipped, &function, &params, errors);
    check_receiver(template.as_ref(), &skipped, &function, errors);

    let key = match template {
        Some(template) => Key::Template(template),
        None => {
            let all = params.iter().flat_map(|param| &param.bindings);
            Key::Arguments(all.filter(|name| !skipped.contains(name)).cloned().collect())
        }
    };
    let ttl = options.ttl(errors);
    let model = Model {
        style,
        key,
        name: options.name(errors),
        ttl: ttl.unwrap_or(Ttl::Literal(std::time::Duration::MAX)),
        jitter: options.jitter(errors),
        cache_if: options.cache_if(errors),
        none_ttl: options.length("none_ttl", errors),
        err_ttl: options.length("err_ttl", errors),
        codec: options.codec(errors),
        compress: options.compress(errors),
        cache: options.cache(errors),
        companion: options.companion(&function, errors),
        krate: options.krate(errors),
        returns,
        params,
        function,
    };
    (!errors.any()).then_some(model)
}

fn check_function(function: &Function, style: Style, returns: &Type, errors: &Errors) {
    let signature = &function.signature;
    if let Body::Missing(semicolon) = &function.body {
        errors.at(semicolon, "there is no body to cache: put the attribute on the implementations");
    }
    if let Some(constness) = &signature.constness {
        errors.at(
            constness,
            "a `const fn` cannot be cached: it may run at compile time; remove `const`",
        );
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.at(
            unsafety,
            "an `unsafe` function cannot be cached: what its caller vouches for is not looked at \
             when the value comes from the cache; cache a safe function around it",
        );
    }
    if let Some(abi) = &signature.abi {
        errors
            .at(abi, "an `extern` function cannot be cached; cache a plain function that it calls");
    }
    if let ReturnType::Default = signature.output {
        let name = &signature.ident;
        errors.at(
            name,
            format!(
                "`{name}` returns nothing, so there is nothing to cache: return a value, or \
                 `Result<(), E>` to cache that it succeeded"
            ),
        );
    } else if is_unit(returns) {
        errors.at(
            returns,
            "`()` is nothing to cache: return a value, or `Result<(), E>` to cache that it \
             succeeded",
        );
    }
    if let Type::Never(_) = returns {
        errors.at(returns, "this function never returns, so there is nothing to cache");
    }
    if let Some(reference) = reference_in(returns) {
        errors.at(
            reference,
            "a reference cannot be cached, for nothing would own what it points to: return an \
             owned value (`String`, `Vec<T>`, `Arc<T>`, a clone)",
        );
    }
    if style == Style::Sync && contains_impl_trait(returns) {
        errors.at(
            returns,
            "an `impl Trait` has no type that can be stored and read back: name the type, or \
             return `impl Future<Output = T>`",
        );
    } else if contains_impl_trait(returns) {
        errors.at(
            returns,
            "an `impl Trait` has no type that can be stored and read back: name the type",
        );
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// A reference as the return type, or one layer inside it.
fn reference_in(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(_) => Some(ty),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            arguments.args.iter().find_map(|argument| match argument {
                syn::GenericArgument::Type(inner) => match inner {
                    Type::Reference(_) => Some(inner),
                    Type::Path(_) if last.ident == "Result" || last.ident == "Option" => {
                        reference_in(inner)
                    }
                    _ => None,
                },
                _ => None,
            })
        }
        _ => None,
    }
}

fn check_captures(
    template: Option<&Template>,
    skipped: &[Ident],
    function: &Function,
    params: &[Param],
    errors: &Errors,
) {
    let Some(template) = template else { return };
    for capture in template.captures() {
        let root = &capture.root;
        let known = params.iter().any(|param| param.bindings.contains(root));
        if skipped.contains(root) {
            errors.push(syn::Error::new(
                root.span(),
                format!("`{root}` is in `key` and in `skip`: remove it from one of them"),
            ));
        } else if *root == self_ident() {
            if function.receiver().is_none() {
                let message = "this function has no `self`; name one of its arguments";
                errors.push(syn::Error::new(root.span(), message));
            }
        } else if !known {
            errors.push(syn::Error::new(root.span(), no_argument(root, function, params)));
        }
    }
}

/// The message for a name that is no argument.
fn no_argument(name: &Ident, function: &Function, params: &[Param]) -> String {
    let function_name = &function.signature.ident;
    let names: Vec<String> =
        params.iter().flat_map(|param| &param.bindings).map(ToString::to_string).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let text = name.to_string();
    match (names::nearest(&text, &known), known.is_empty()) {
        (Some(near), _) => {
            format!("`{function_name}` has no argument `{name}`; did you mean `{near}`?")
        }
        (None, true) => format!("`{function_name}` has no argument `{name}`; it has none at all"),
        (None, false) => format!(
            "`{function_name}` has no argument `{name}`; its arguments are `{}`",
            known.join("`, `")
        ),
    }
}

fn check_receiver(
    template: Option<&Template>,
    skipped: &[Ident],
    function: &Function,
    errors: &Errors,
) {
    let Some(receiver) = function.receiver() else { return };
    let by_mut_reference = match &receiver.kind {
        syn::ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        syn::ReceiverKind::Typed(_, ty) => {
            matches!(&**ty, Type::Reference(reference) if reference.mutability.is_some())
        }
        _ => false,
    };
    if by_mut_reference {
        errors.at(
            receiver,
            "a method with `&mut self` cannot be cached: what it changes would not be changed \
             when the value comes from the cache; take `&self`, or cache a method that it calls",
        );
        return;
    }
    let name = self_ident();
    let in_key = template.is_some_and(|t| t.captures().any(|c| c.root == name));
    if !in_key && !skipped.contains(&name) {
        errors.at(
            receiver,
            "is `self` part of the key? Say `skip(self)` where the result does not depend on it, \
             or name what it depends on: `key = \"{self.tenant}:{id}\"`",
        );
    }
}

/// The options by name, each at most once.
struct Options {
    options: Vec<Opt>,
    /// Something was reported that may have been meant as the ttl.
    maybe_ttl: bool,
}

impl Options {
    fn sort(parsed: Parsed, errors: &Errors) -> Self {
        let Parsed { options, incomplete: mut maybe_ttl } = parsed;
        let mut kept: Vec<Opt> = Vec::new();
        for option in options {
            let name = option.name.to_string();
            if !names::OPTIONS.contains(&name.as_str()) {
                errors.at(&option.name, names::unknown(&name));
                maybe_ttl |= names::means_ttl(&name);
            } else if kept.iter().any(|known| known.name == option.name) {
                errors.at(&option.name, format!("`{name}` is given twice; remove one"));
            } else {
                kept.push(option);
            }
        }
        Self { options: kept, maybe_ttl }
    }

    fn get(&self, name: &str) -> Option<&Opt> {
        self.options.iter().find(|option| option.name == name)
    }

    /// The value of an option that has one.
    fn value(&self, name: &str, example: &str, errors: &Errors) -> Option<&Expr> {
        let option = self.get(name)?;
        match &option.value {
            Value::Expr(expr) => Some(expr),
            _ => {
                errors.at(&option.name, format!("`{name}` needs a value: {example}"));
                None
            }
        }
    }

    fn cache_if(&self, errors: &Errors) -> Option<Expr> {
        let example = "`cache_if = |value| value.is_complete()`";
        let expr = self.value("cache_if", example, errors)?;
        if let Expr::Lit(_) = expr {
            let message = format!("`cache_if` is a closure, or the path of a function: {example}");
            errors.at(expr, message);
        }
        Some(expr.clone())
    }

    fn cache(&self, errors: &Errors) -> Option<Expr> {
        let expr = self.value("cache", "`cache = self.cache`", errors)?;
        if let Expr::Lit(_) = expr {
            errors.at(
                expr,
                "`cache` is an expression for a `Cache`: `cache = self.cache`; a URL belongs into \
                 `Cache::builder()` or the variable `CACHE_URL`",
            );
        }
        Some(expr.clone())
    }

    fn text(&self, name: &str, example: &str, errors: &Errors) -> Option<&syn::LitStr> {
        match self.value(name, example, errors)? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
            other => {
                errors.at(other, format!("`{name}` must be text in quotes: {example}"));
                None
            }
        }
    }

    fn ttl(&self, errors: &Errors) -> Option<Ttl> {
        if self.get("ttl").is_none() && !self.maybe_ttl {
            errors.push(syn::Error::new(
                Span::call_site(),
                "`ttl` is missing: how long is a value good for? `ttl = 60` (seconds), \
                 `ttl = \"5m\"`",
            ));
        }
        let expr = self.value("ttl", "`ttl = 60` (seconds) or `ttl = \"5m\"`", errors)?;
        match duration::literal(expr) {
            Some(Ok(duration)) => Some(Ttl::Literal(duration)),
            Some(Err(message)) => {
                errors.at(expr, message);
                None
            }
            None if matches!(expr, Expr::Closure(_)) => Some(Ttl::Closure(expr.clone())),
            None => Some(Ttl::Expr(expr.clone())),
        }
    }

    fn length(&self, name: &str, errors: &Errors) -> Option<Length> {
        let expr =
            self.value(name, &format!("`{name} = 5` (seconds) or `{name} = \"5s\"`"), errors)?;
        match duration::literal(expr) {
            Some(Ok(duration)) => Some(Length::Literal(duration)),
            Some(Err(message)) => {
                errors.at(expr, message);
                None
            }
            None if matches!(expr, Expr::Closure(_)) => {
                let message = format!(
                    "`{name}` is one duration for all, not a closure: `{name} = 5` or \
                     `{name} = \"5s\"`"
                );
                errors.at(expr, message);
                None
            }
            None => Some(Length::Expr(expr.clone())),
        }
    }

    fn template(&self, errors: &Errors) -> Option<Template> {
        let text = self.text("key", "`key = \"{tenant}:{id}\"`", errors)?;
        match Template::parse(text, Kind::Key) {
            Ok(template) => Some(template),
            Err(mistakes) => {
                for mistake in mistakes {
                    errors.at(text, mistake);
                }
                None
            }
        }
    }

    /// The names in `skip(…)`, those that are no argument reported.
    fn skipped(&self, function: &Function, params: &[Param], errors: &Errors) -> Vec<Ident> {
        let Some(option) = self.get("skip") else { return Vec::new() };
        let names = match &option.value {
            Value::List(list) => parse::names(list.clone()),
            _ => Ok(Vec::new()),
        };
        let names = match names {
            Ok(names) if !names.is_empty() => names,
            Ok(_) => {
                errors.at(&option.name, "`skip` takes arguments in parentheses: `skip(db, ctx)`");
                return Vec::new();
            }
            Err(error) => {
                errors.push(error);
                return Vec::new();
            }
        };
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                errors.at(name, format!("`{name}` is in `skip` twice; remove one"));
            }
            if *name == self_ident() {
                if function.receiver().is_none() {
                    errors.at(name, "this function has no `self`; remove it from `skip`");
                }
            } else if !params.iter().any(|param| param.bindings.contains(name)) {
                errors.at(name, no_argument(name, function, params));
            }
        }
        names
    }

    fn name(&self, errors: &Errors) -> Option<String> {
        let text = self.text("name", "`name = \"users\"`", errors)?;
        let name = text.value();
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() {
            errors.at(text, "`name` is empty; remove it, and the function's path is its name");
        } else if let Some(c) = name.chars().find(|&c| !allowed(c)) {
            errors.at(
                text,
                format!("{c:?} cannot stand in a name; use letters, digits, `_`, `-`, `.`"),
            );
        }
        Some(name)
    }

    fn jitter(&self, errors: &Errors) -> Option<f64> {
        let expr = self.value("jitter", "`jitter = 0.1`", errors)?;
        let number = match expr {
            Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => float.base10_parse::<f64>().ok(),
            Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse::<f64>().ok(),
            _ => None,
        };
        match number {
            Some(number) if (0.0..1.0).contains(&number) => Some(number),
            _ => {
                errors.at(
                    expr,
                    "`jitter` is the part of the ttl that chance may take away: a number from 0 \
                     up to, but not including, 1; `jitter = 0.1` takes away up to a tenth",
                );
                None
            }
        }
    }

    fn codec(&self, errors: &Errors) -> Option<Type> {
        let option = self.get("codec")?;
        match &option.value {
            Value::Type(ty) => Some((**ty).clone()),
            _ => {
                errors.at(&option.name, "`codec` needs a type: `codec = cached_runtime::Json`");
                None
            }
        }
    }

    fn compress(&self, errors: &Errors) -> Option<Compress> {
        let option = self.get("compress")?;
        match &option.value {
            Value::Flag => Some(Compress::Default),
            Value::Expr(expr) => Some(Compress::From((**expr).clone())),
            _ => {
                let message = "`compress` stands alone, or with the bytes from which it \
                               compresses: `compress = 4096`";
                errors.at(&option.name, message);
                None
            }
        }
    }

    fn companion(&self, function: &Function, errors: &Errors) -> Companion {
        let Some(option) = self.get("companion") else {
            if function.receiver().is_some() {
                return Companion::None;
            }
            if function.mentions_self_type() {
                let name = &function.signature.ident;
                let message = format!(
                    "in an `impl` there can be no type `{name}` for `{name}::invalidate(…)`: write \
                     `companion` for a handle `Self::{name}_cache(…)`, or `companion = false`"
                );
                errors.at(name, message);
            }
            return Companion::Type;
        };
        match &option.value {
            Value::Flag => Companion::Handle,
            Value::Expr(expr) => match &**expr {
                Expr::Lit(ExprLit { lit: Lit::Bool(on), .. }) if on.value => Companion::Handle,
                Expr::Lit(ExprLit { lit: Lit::Bool(_), .. }) => Companion::None,
                other => {
                    errors.at(other, "`companion` stands alone, or is `companion = false`");
                    Companion::None
                }
            },
            _ => {
                errors.at(&option.name, "`companion` stands alone, or is `companion = false`");
                Companion::None
            }
        }
    }

    fn krate(&self, errors: &Errors) -> Path {
        let default = || syn::parse_quote!(::cached_runtime);
        match self.value("crate", "`crate = my_crate::cached_runtime`", errors) {
            None => default(),
            Some(Expr::Path(path)) => path.path.clone(),
            Some(other) => {
                let message = "`crate` must be a path: `crate = my_crate::cached_runtime`";
                errors.push(syn::Error::new(other.span(), message));
                default()
            }
        }
    }
}
