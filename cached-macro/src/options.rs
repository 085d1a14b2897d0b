//! Each option's value, judged by itself: a mistake is reported at the value.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, Path, Type};

use crate::check::no_argument;
use crate::duration;
use crate::errors::Errors;
use crate::function::{Function, Param, self_ident};
use crate::inside;
use crate::krate;
use crate::model::{Companion, Compress, Length, Ttl};
use crate::names;
use crate::parse::{self, Opt, Parsed, Value};
use crate::template::{Kind, Template};

/// The options by name, each at most once.
pub(crate) struct Options {
    options: Vec<Opt>,
    /// Something was reported that may have been meant as the ttl.
    maybe_ttl: bool,
}

impl Options {
    pub(crate) fn sort(parsed: Parsed, errors: &Errors) -> Self {
        let Parsed { options, incomplete } = parsed;
        let meant = |option: &Opt| names::means_ttl(&option.name.to_string());
        let maybe_ttl = incomplete || options.iter().any(meant);
        let known = Self::known(options, names::OPTIONS, &names::unknown, errors);
        Self { maybe_ttl, ..known }
    }

    /// Those of these names; the others are reported.
    pub(crate) fn known(
        options: Vec<Opt>,
        names: &[&str],
        unknown: &dyn Fn(&str) -> String,
        errors: &Errors,
    ) -> Self {
        let mut kept: Vec<Opt> = Vec::new();
        for option in options {
            let name = option.name.to_string();
            if !names.contains(&name.as_str()) {
                errors.at(&option.name, unknown(&name));
            } else if kept.iter().any(|known| known.name == option.name) {
                errors.at(&option.name, format!("`{name}` is given twice; remove one"));
            } else {
                kept.push(option);
            }
        }
        Self { options: kept, maybe_ttl: false }
    }

    /// The name of an option, where it is given: to point at.
    pub(crate) fn given(&self, name: &str) -> Option<&Ident> {
        self.given_option(name).map(|option| &option.name)
    }

    pub(crate) fn given_option(&self, name: &str) -> Option<&Opt> {
        self.options.iter().find(|option| option.name == name)
    }

    /// The value of an option that has one.
    pub(crate) fn value(&self, name: &str, example: &str, errors: &Errors) -> Option<&Expr> {
        let option = self.given_option(name)?;
        match &option.value {
            Value::Expr(expr) => Some(expr),
            _ => {
                errors.at(&option.name, format!("`{name}` needs a value: {example}"));
                None
            }
        }
    }

    /// Whether the option is given as `name = false`.
    pub(crate) fn is_false(&self, name: &str) -> bool {
        let value = self.given_option(name).map(|option| &option.value);
        let Some(Value::Expr(expr)) = value else { return false };
        matches!(&**expr, Expr::Lit(ExprLit { lit: Lit::Bool(on), .. }) if !on.value)
    }

    pub(crate) fn cache_if(&self, returns: &Type, errors: &Errors) -> Option<Expr> {
        let example = "`cache_if = |value| value.is_complete()`";
        let expr = self.value("cache_if", example, errors)?;
        if let Expr::Lit(_) = expr {
            let message = format!("`cache_if` is a closure, or the path of a function: {example}");
            errors.at(expr, message);
        }
        inside::check_closure("cache_if", expr, returns, errors);
        Some(expr.clone())
    }

    pub(crate) fn cache(&self, errors: &Errors) -> Option<Expr> {
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

    pub(crate) fn ttl(&self, returns: &Type, errors: &Errors) -> Option<Ttl> {
        if self.given("ttl").is_none() && !self.maybe_ttl {
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
            None if matches!(expr, Expr::Closure(_)) => {
                inside::check_closure("ttl", expr, returns, errors);
                Some(Ttl::Closure(expr.clone()))
            }
            None => Some(Ttl::Expr(expr.clone())),
        }
    }

    pub(crate) fn length(&self, name: &str, errors: &Errors) -> Option<Length> {
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

    pub(crate) fn template(&self, errors: &Errors) -> Option<Template> {
        let text = self.text("key", "`key = \"{tenant}:{id}\"`", errors)?;
        Template::read(text, Kind::Key, errors)
    }

    /// The names in `skip(…)`, those that are no argument reported.
    pub(crate) fn skipped(
        &self,
        function: &Function,
        params: &[Param],
        errors: &Errors,
    ) -> Vec<Ident> {
        let Some(option) = self.given_option("skip") else { return Vec::new() };
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

    pub(crate) fn name(&self, errors: &Errors) -> Option<String> {
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

    pub(crate) fn jitter(&self, errors: &Errors) -> Option<f64> {
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

    pub(crate) fn codec(&self, errors: &Errors) -> Option<Type> {
        let option = self.given_option("codec")?;
        match &option.value {
            Value::Type(ty) => Some((**ty).clone()),
            _ => {
                errors.at(&option.name, "`codec` needs a type: `codec = cached_runtime::Json`");
                None
            }
        }
    }

    pub(crate) fn compress(&self, errors: &Errors) -> Option<Compress> {
        let option = self.given_option("compress")?;
        match &option.value {
            Value::Flag => Some(Compress::Default),
            Value::Expr(expr) if is_no_integer(expr) => {
                let message = "`compress` is a number of bytes, from which on it compresses: \
                               `compress = 4096`; alone it chooses one";
                errors.at(expr, message);
                None
            }
            Value::Expr(expr) => Some(Compress::From((**expr).clone())),
            _ => {
                let message = "`compress` stands alone, or with the bytes from which it \
                               compresses: `compress = 4096`";
                errors.at(&option.name, message);
                None
            }
        }
    }

    pub(crate) fn companion(&self, function: &Function, errors: &Errors) -> Companion {
        let Some(option) = self.given_option("companion") else {
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
            } else if let Some((path, segment)) = function.own_name_as_path()
                && !names::VERBS.contains(&segment.to_string().as_str())
            {
                let message = format!(
                    "`{path}::{segment}` is looked for in the type that carries this function's \
                     verbs, which hides a crate or module of its name: write `companion = false`, \
                     or call the function otherwise"
                );
                errors.at(path, message);
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

    pub(crate) fn krate(&self, errors: &Errors) -> Path {
        match self.value("crate", "`crate = my_crate::cached_runtime`", errors) {
            None => krate::default(),
            Some(Expr::Path(path)) => path.path.clone(),
            Some(other) => {
                let message = "`crate` must be a path: `crate = my_crate::cached_runtime`";
                errors.push(syn::Error::new(other.span(), message));
                krate::default()
            }
        }
    }
}

/// A literal that is no whole number.
fn is_no_integer(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(ExprLit { lit, .. }) if !matches!(lit, Lit::Int(_)))
}
