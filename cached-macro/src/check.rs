//! From options as written and a function to a model; everything that is wrong is reported.

use proc_macro2::Ident;
use syn::{Attribute, ReturnType, Safety, Type};

use crate::errors::Errors;
use crate::function::{Body, Function, Param, Style, contains_impl_trait, self_ident};
use crate::model::{Key, Model, Ttl};
use crate::names;
use crate::options::Options;
use crate::parse::Parsed;
use crate::template::{Capture, Template};

/// The model, or `None` where there were mistakes.
pub(crate) fn model(function: Function, parsed: Parsed, errors: &Errors) -> Option<Model> {
    let (style, returns) = function.style();
    let params = function.params();
    check_function(&function, style, &returns, errors);
    let options = Options::sort(parsed, errors);

    let mut template = options.template(errors);
    let skipped = options.skipped(&function, &params, errors);
    check_captures(template.as_mut(), &skipped, &function, &params, errors);
    // What a key that cannot be read would have named is not known.
    let keyed = template.is_some() || options.given("key").is_none();
    if keyed {
        check_receiver(template.as_ref(), &skipped, &function, errors);
    }
    let mut tags = options.tags(errors);
    for capture in tags.iter_mut().flat_map(Template::captures_mut) {
        check_root(capture, &function, &params, errors);
    }
    match &template {
        Some(template) => check_names_argument(template, &skipped, &params, &options, errors),
        None if keyed => check_mutable_arguments(&skipped, &params, errors),
        None => {}
    }

    let key = match template {
        Some(template) => Key::Template(template),
        None => {
            let all = params.iter().flat_map(|param| &param.bindings);
            Key::Arguments(all.filter(|name| !skipped.contains(name)).cloned().collect())
        }
    };
    let ttl = options.ttl(&returns, errors);
    let named = match &key {
        Key::Template(template) => Some(template),
        Key::Arguments(_) => None,
    };
    let batch = options.batch(&function, &params, (named, &skipped), errors);
    let model = Model {
        style,
        key,
        name: options.name(errors),
        tags,
        invalidate_all: options.invalidate_all(errors),
        local: options.local(errors),
        ttl: ttl.unwrap_or(Ttl::Literal(std::time::Duration::MAX)),
        ageing: options.ageing(style, errors),
        single_flight: options.single_flight(errors),
        jitter: options.jitter(errors),
        cache_if: options.cache_if(&returns, errors),
        none_ttl: options.length("none_ttl", errors),
        err_ttl: options.length("err_ttl", errors),
        codec: options.codec(errors),
        compress: options.compress(errors),
        cache: options.cache(errors),
        companion: options.companion(&function, errors),
        krate: options.krate(errors),
        batch,
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
    let is_second = |attribute: &&Attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "cache_result")
    };
    if let Some(second) = function.attributes.iter().find(is_second) {
        let name = &signature.ident;
        let message = format!("`{name}` is cached once already: keep one `#[cache_result(…)]`");
        errors.at(second, message);
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
    template: Option<&mut Template>,
    skipped: &[Ident],
    function: &Function,
    params: &[Param],
    errors: &Errors,
) {
    let Some(template) = template else { return };
    for capture in template.captures_mut() {
        let root = &capture.root;
        if skipped.contains(root) {
            errors.push(syn::Error::new(
                root.span(),
                format!("`{root}` is in `key` and in `skip`: remove it from one of them"),
            ));
        } else {
            check_root(capture, function, params, errors);
        }
    }
}

/// What a template captures must be an argument, or `self`; whoever wrote the template, that is meant.
pub(crate) fn check_root(
    capture: &mut Capture,
    function: &Function,
    params: &[Param],
    errors: &Errors,
) {
    let names: Vec<&Ident> = params.iter().flat_map(|param| &param.bindings).collect();
    check_name(capture, function, &names, errors);
}

/// As [`check_root`], where these names are known. The first of a name is the one.
pub(crate) fn check_name(
    capture: &mut Capture,
    function: &Function,
    names: &[&Ident],
    errors: &Errors,
) {
    let root = &capture.root;
    if *root == self_ident() {
        match function.own_self() {
            Some(declared) => capture.means(&declared),
            None => {
                let message = "this function has no `self`; name one of its arguments";
                errors.push(syn::Error::new(root.span(), message));
            }
        }
    } else if let Some(declared) = names.iter().find(|name| **name == root) {
        capture.means(declared);
    } else {
        errors.push(syn::Error::new(root.span(), no_name(root, function, names)));
    }
}

/// The message for a name that is no argument.
pub(crate) fn no_argument(name: &Ident, function: &Function, params: &[Param]) -> String {
    let names: Vec<&Ident> = params.iter().flat_map(|param| &param.bindings).collect();
    no_name(name, function, &names)
}

/// As [`no_argument`], where these names are known.
pub(crate) fn no_name(name: &Ident, function: &Function, names: &[&Ident]) -> String {
    let function_name = &function.signature.ident;
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
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

/// A template of text alone is one entry for all arguments.
fn check_names_argument(
    template: &Template,
    skipped: &[Ident],
    params: &[Param],
    options: &Options,
    errors: &Errors,
) {
    if template.captures().next().is_some() {
        return;
    }
    let mut left = params.iter().flat_map(|param| &param.bindings).filter(|b| !skipped.contains(b));
    if let (Some(argument), Some(key)) = (left.next(), options.given("key")) {
        errors.at(
            key,
            format!(
                "this key names no argument, so that all calls would share one entry: write \
                 `{{{argument}}}` into it, or `skip({argument})` where the result does not depend \
                 on it (for the first part of the key there is `name`)"
            ),
        );
    }
}

/// What a body writes through `&mut` would not be written when the value comes from the cache.
fn check_mutable_arguments(skipped: &[Ident], params: &[Param], errors: &Errors) {
    for param in params {
        if is_mutable_reference(&param.ty)
            && param.bindings.iter().any(|name| !skipped.contains(name))
        {
            errors.at(
                &param.ty,
                "what the function writes through `&mut` would not be written when the value \
                 comes from the cache: take `&`, or `skip` it where it is only a means, such as \
                 a connection",
            );
        }
    }
}

fn is_mutable_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if reference.mutability.is_some())
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
        syn::ReceiverKind::Typed(_, ty) => is_mutable_reference(ty),
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
