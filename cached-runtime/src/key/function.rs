//! The first part of a key: which function, for which types.
//!
//! The compiler names an item nested in a function after the function, which
//! holds for methods and trait implementations too, where `module_path!` and
//! the bare identifier would not do. Here such a path is turned into something
//! to read and to search for:
//!
//! | path of the probe | generics | segment |
//! |---|---|---|
//! | `shop::users::get::{{closure}}::here` | | `shop.users.get` |
//! | `shop::load<_>::__site::here` | `shop::User` | `shop.load<shop.User>` |
//! | `shop::Repo::find::{{closure}}` | | `shop.Repo.find` |
//! | `shop::Repo<u8>::find<u16>::{{closure}}` | `u16` | `shop.Repo<u8>.find<u16>` |
//! | `<shop::A as shop::Tr<u8>>::t::{{closure}}` | | `<shop.A_as_shop.Tr<u8>>.t` |
//!
//! The probe is a nested function where the function is known to stand free, and a closure
//! elsewhere: the compiler names a closure with all the generics around it, those of the `impl`
//! included, which an attribute cannot see. The function's own list is taken from `generics`
//! instead, since types of skipped arguments have no place in a key.
//!
//! Lifetimes are left out: compilers differ in whether they name them, and
//! they never tell two results apart. What would disturb a key or a glob
//! pattern is percent-escaped: `[u8; 4]` becomes `%5Bu8;_4%5D`.

use super::escape::percent;

/// The function segment for the probe at `path`.
///
/// * `path` is the `type_name_of_val` of a nested `fn here() {}` or of a closure, directly in
///   the function, in `fn __site` of a type of its name, or in a function of its name and `suffix`;
/// * `generics` are the names of the function's own type arguments and the values of the const
///   ones, in order.
///
/// The result holds no `:`, blank, brace, quote, control or glob character.
pub(crate) fn function_segment(path: &str, suffix: &str, generics: &[&str]) -> String {
    let path = strip_placeholders(&strip_lifetimes(path));
    let mut parts = function_parts(&path);
    if let Some(last) = parts.last_mut() {
        *last = without_own_generics(last);
        *last = last.strip_suffix(suffix).unwrap_or(last);
        *last = last.strip_prefix("r#").unwrap_or(last);
    }

    let mut out = String::with_capacity(path.len());
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        render(part, &mut out);
    }
    list(generics, &mut out);
    out
}

/// The segment of a function with a `name`: the name, and in the list of generics first the
/// owner where one attribute stands for several (a generic `impl`, a provided trait method).
///
/// `here` is the name of a nested function at the same place as the closure `path`: it shows
/// which parts of the path are placeholders.
pub(crate) fn named_segment(name: &str, here: &str, path: &str, generics: &[&str]) -> String {
    let (here, path) = (strip_lifetimes(here), strip_lifetimes(path));
    let shared =
        |owner: &[&str]| owner.iter().any(|part| part.contains('_') && has_placeholder(part));
    let owner_of = |parts: Vec<&str>| parts.split_last().map(|(_, owner)| owner.join("::"));
    let here_parts = function_parts(&here);
    let provided = path.starts_with('<') && !here.starts_with('<');
    let generic = here_parts.split_last().is_some_and(|(_, owner)| shared(owner));
    let owner = if provided || generic { owner_of(function_parts(&path)) } else { None };
    let all: Vec<&str> = owner.as_deref().into_iter().chain(generics.iter().copied()).collect();
    let mut out = name.to_owned();
    list(&all, &mut out);
    out
}

/// Writes `<a,b>`, or nothing.
fn list(generics: &[&str], out: &mut String) {
    for (at, argument) in generics.iter().enumerate() {
        out.push(if at == 0 { '<' } else { ',' });
        render(&strip_lifetimes(argument), out);
    }
    if !generics.is_empty() {
        out.push('>');
    }
}

/// Whether a generic list in the part holds a `_` in place of an argument.
fn has_placeholder(part: &str) -> bool {
    part.match_indices('_').any(|(at, _)| {
        let before = part.get(..at).unwrap_or_default().trim_end();
        let after = part.get(at + 1..).unwrap_or_default();
        before.ends_with(['<', ',', '&', '(', '[']) && after.starts_with(['>', ',', ')', ']', ';'])
    })
}

/// `find<u16>` is `find`; an `<impl …>` or `<A as B>` is no list of the function's.
fn without_own_generics(part: &str) -> &str {
    match part.find('<') {
        Some(at) if at > 0 => part.get(..at).unwrap_or(part),
        _ => part,
    }
}

/// The parts of the path that name the function, without the probe's own.
fn function_parts(path: &str) -> Vec<&str> {
    let mut parts = split_path(path);
    parts.pop_if(|last| *last == "here");
    while parts.pop_if(|last| matches!(*last, "{{closure}}" | "__site")).is_some() {}
    // A function nested in an async block or a closure: the compiler doesn't
    // number closures here, so the part adds nothing.
    parts.retain(|part| *part != "{{closure}}");
    parts
}

/// Splits at the `::` that are not inside brackets of any kind.
fn split_path(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let mut previous = ' ';
    for (at, c) in path.char_indices() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            // The arrow of a function type closes nothing.
            '>' if previous == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && previous == ':' && at > start => {
                parts.push(path.get(start..at - 1).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        previous = c;
    }
    parts.push(path.get(start..).unwrap_or_default());
    parts
}

/// Removes erased lifetimes (`'_`) with the comma or the list that held them.
fn strip_lifetimes(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("'_") {
        let (before, from) = rest.split_at(at);
        let after = from.strip_prefix("'_").unwrap_or_default();
        if let Some(after) = after.strip_prefix('\'') {
            // The character `'_'`, a const argument.
            out.push_str(before);
            out.push_str("'_'");
            rest = after;
            continue;
        }
        match after.strip_prefix('>') {
            // `<'_>` and what is left of `<'_, '_>`.
            Some(after) if before.ends_with('<') || (before.is_empty() && out.ends_with('<')) => {
                out.push_str(before);
                out.pop();
                rest = after;
            }
            _ => {
                out.push_str(before.strip_suffix(" + ").unwrap_or(before));
                rest =
                    after.strip_prefix(", ").or_else(|| after.strip_prefix(' ')).unwrap_or(after);
            }
        }
    }
    out.push_str(rest);
    out
}

/// Removes generic lists of placeholders only, such as `<_>` and `<_, _>`.
fn strip_placeholders(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('<') {
        let (before, list) = rest.split_at(at);
        out.push_str(before);
        let inner = list.strip_prefix('<').unwrap_or_default();
        let after = inner.trim_start_matches(['_', ',', ' ']);
        match after.strip_prefix('>') {
            Some(after) => rest = after,
            None => {
                out.push('<');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Writes part of a type name the way a key may contain it.
fn render(name: &str, out: &mut String) {
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        let rest = chars.as_str();
        match c {
            ':' if rest.starts_with(':') => {
                chars.next();
                out.push('.');
            }
            ',' => {
                out.push(',');
                chars = rest.trim_start().chars();
            }
            '\'' => {
                percent(c, out);
                // Inside a character literal, blanks and commas are the value.
                let mut literal = rest.chars();
                if let (Some(value), Some('\'')) = (literal.next(), literal.next()) {
                    if value.is_alphanumeric() || value == '_' {
                        out.push(value);
                    } else {
                        percent(value, out);
                    }
                    percent('\'', out);
                    chars = literal;
                }
            }
            ':' | '%' | '*' | '?' | '[' | ']' | '^' | '{' | '}' | '\\' | '"' => percent(c, out),
            _ if c.is_control() => percent(c, out),
            _ if c.is_whitespace() => out.push('_'),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{function_segment, named_segment};

    #[test]
    fn golden() {
        let table: &[(&str, &[&str], &str)] = &[
            ("shop::users::get_user::{{closure}}::here", &[], "shop.users.get_user"),
            ("shop::users::get_user<_>::__site::here", &["u8"], "shop.users.get_user<u8>"),
            ("shop::load<_, _>::here", &["shop::User", "4"], "shop.load<shop.User,4>"),
            (
                "shop::load<shop::Db, shop::User>::{{closure}}",
                &["shop::User"],
                "shop.load<shop.User>",
            ),
            ("shop::Repo::find::{{closure}}::{{closure}}", &[], "shop.Repo.find"),
            ("exp::Repo<u8>::find<u16>::{{closure}}", &["u16"], "exp.Repo<u8>.find<u16>"),
            ("<exp::Repo<u8> as exp::Tr>::t::{{closure}}", &[], "<exp.Repo<u8>_as_exp.Tr>.t"),
            ("<exp::A as exp::Tr<u8>>::t::{{closure}}", &[], "<exp.A_as_exp.Tr<u8>>.t"),
            ("exp::main::nested::inner::__site::here", &[], "exp.main.nested.inner"),
            ("exp::main::{{closure}}::inner::{{closure}}::here", &[], "exp.main.inner"),
            ("exp::here::{{closure}}::here", &[], "exp.here"),
            ("exp::m::<impl exp::Repo<_>>::far::here", &[], "exp.m.<impl_exp.Repo>.far"),
            ("a::f<_>::here", &["[u8; 4]"], "a.f<%5Bu8;_4%5D>"),
            (
                "a::f<_>::here",
                &["&str", "(u8, u16)", "*const u8"],
                "a.f<&str,(u8,u16),%2Aconst_u8>",
            ),
            ("a::f<_>::here", &["fn(a::B, u8) -> u8"], "a.f<fn(a.B,u8)_->_u8>"),
            (
                "a::f<_>::here",
                &["a::C<' '>", "a::C<'_'>", "a::C<','>", "a::C<':'>"],
                "a.f<a.C<%27%20%27>,a.C<%27_%27>,a.C<%27%2C%27>,a.C<%27%3A%27>>",
            ),
            ("", &[], ""),
        ];
        for (path, generics, expected) in table {
            assert_eq!(function_segment(path, "", generics), *expected, "{path}");
        }
    }

    #[test]
    fn what_makes_handles_stands_for_its_function() {
        for (path, expected) in [
            ("shop::Repo::find_cache::{{closure}}", "shop.Repo.find"),
            ("exp::Repo<u8>::find_cache<u16>::{{closure}}", "exp.Repo<u8>.find"),
            ("exp::Repo::a_cache_cache::{{closure}}", "exp.Repo.a_cache"),
        ] {
            assert_eq!(function_segment(path, "_cache", &[]), expected, "{path}");
        }
    }

    #[test]
    fn a_name_keeps_apart_what_one_attribute_stands_for() {
        for (here, path, generics, expected) in [
            ("a::f::here", "a::f::{{closure}}", &[][..], "n"),
            ("a::f<_>::here", "a::f<u8>::{{closure}}", &["u8"], "n<u8>"),
            ("a::R::f::here", "a::R::f::{{closure}}", &[], "n"),
            ("a::R<_>::f::here", "a::R<u8>::f::{{closure}}", &[], "n<a.R<u8>>"),
            ("<a::R as a::T>::f::here", "<a::R as a::T>::f::{{closure}}", &[], "n"),
            (
                "<a::R as a::T<_>>::f::here",
                "<a::R as a::T<u8>>::f::{{closure}}",
                &["u16"],
                "n<<a.R_as_a.T<u8>>,u16>",
            ),
            ("a::T::f::here", "<a::R as a::T>::f::{{closure}}", &[], "n<<a.R_as_a.T>>"),
        ] {
            assert_eq!(named_segment("n", here, path, generics), expected, "{path}");
        }
        // A name is a name, whatever the probe's own parts are called.
        for name in ["here", "__site"] {
            assert_eq!(named_segment(name, "a::f::here", "a::f::{{closure}}", &[]), name);
        }
    }

    /// Compilers before and after erased lifetimes were named agree.
    #[test]
    fn lifetimes_are_left_out() {
        let old = function_segment("a::L::f::here", "", &["a::G<u8>", "&str"]);
        let new = function_segment("a::L<'_>::f::here", "", &["a::G<'_, '_, u8>", "&'_ str"]);
        assert_eq!(old, "a.L.f<a.G<u8>,&str>");
        assert_eq!(new, old);
        assert_eq!(function_segment("<a::L<'_, '_> as a::T>::f::here", "", &[]), "<a.L_as_a.T>.f");
    }

    /// The real names, not only what they are believed to be.
    #[test]
    fn what_the_compiler_says() {
        struct Repo<T>(T);
        trait Find<U> {
            fn find(&self) -> String;
            fn provided<const N: usize>(&self) -> String {
                function_segment(std::any::type_name_of_val(&|| ()), "", &[&N.to_string()])
            }
        }
        impl<T, U> Find<U> for Repo<T> {
            fn find(&self) -> String {
                let _ = &self.0;
                function_segment(std::any::type_name_of_val(&|| ()), "", &[])
            }
        }
        let place = format!("{}.what_the_compiler_says", module_path!().replace("::", "."));
        assert_eq!(
            <Repo<u8> as Find<u16>>::find(&Repo(1)),
            format!("<{place}.Repo<u8>_as_{place}.Find<u16>>.find")
        );
        let provided = <Repo<u8> as Find<u16>>::provided::<3>(&Repo(1));
        assert!(provided.contains("Repo<u8>") && provided.contains("Find<u16>"), "{provided}");
        assert!(provided.ends_with("provided<3>"), "{provided}");
    }
}
