//! Key templates: `"{tenant}:{user.id}"`.

use std::fmt::{self, Display};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, LitStr, Member};

use crate::errors::Errors;
use crate::groups;
use crate::spans::shown_at;

/// A parsed template: text and captures in turn.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone)]
pub(crate) enum Part {
    Text(String),
    Capture(Capture),
}

/// `user.id`: an argument (or `self`) and a way into it.
#[derive(Clone)]
pub(crate) struct Capture {
    pub(crate) root: Ident,
    pub(crate) expr: Expr,
}

/// What a template's text may hold besides captures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Part of a key: no glob characters; two captures need a `:` between them.
    Key,
    /// A tag, which is text: what it makes is what `format!` makes, doubled braces included.
    Tag,
    /// A glob pattern.
    Pattern,
    /// A key as it is stored, escapes included.
    StoredKey,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key | Self::StoredKey => "key",
            Self::Tag => "tag",
            Self::Pattern => "pattern",
        })
    }
}

impl Template {
    /// Parses a template; each mistake is reported at it.
    pub(crate) fn read(literal: &LitStr, kind: Kind, errors: &Errors) -> Option<Self> {
        match Self::parse(literal, kind) {
            Ok(template) => Some(template),
            Err(mistakes) => {
                for mistake in mistakes {
                    errors.at(literal, mistake);
                }
                None
            }
        }
    }

    /// Parses a template; each mistake is a message.
    fn parse(literal: &LitStr, kind: Kind) -> Result<Self, Vec<String>> {
        let text = literal.value();
        let mut parts = Vec::new();
        let mut mistakes = Vec::new();
        let mut pending = String::new();
        let mut refused: Vec<char> = Vec::new();
        let mut braces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' if chars.peek() == Some(&c) => {
                    chars.next();
                    if kind == Kind::Tag {
                        pending.push(c);
                    } else {
                        braces = true;
                    }
                }
                '{' => {
                    let mut inside = String::new();
                    let closed = loop {
                        match chars.next() {
                            Some('}') => break true,
                            Some(c) => inside.push(c),
                            None => break false,
                        }
                    };
                    if !closed {
                        mistakes.push(format!("`{{{inside}` is not closed; write `{{{inside}}}`"));
                        break;
                    }
                    match Capture::parse(&inside, literal.span()) {
                        Ok(capture) => {
                            flush(&mut pending, &mut parts);
                            parts.push(Part::Capture(capture));
                        }
                        Err(mistake) => mistakes.push(mistake),
                    }
                }
                '}' => mistakes.push(format!("a `}}` in this {kind} has no `{{` before it")),
                c if allowed(c, kind) => pending.push(c),
                c if refused.contains(&c) => {}
                c => refused.push(c),
            }
        }
        flush(&mut pending, &mut parts);
        if braces {
            mistakes.push(format!(
                "braces cannot stand in a {kind}, they are written once, around the name of an \
                 argument: `{{id}}`"
            ));
        }
        if !refused.is_empty() {
            let shown: Vec<String> = refused.iter().map(|c| format!("{c:?}")).collect();
            mistakes.push(format!(
                "{} cannot stand in a {kind}; use letters, digits, `-`, `_`, `.`, `@`, `+`, `/`, \
                 and `:` between segments",
                shown.join(", ")
            ));
        }
        if text.is_empty() {
            let message = format!("this {kind} is empty; write one like `\"users:{{id}}\"`");
            mistakes.push(message);
        }
        if kind == Kind::Key {
            mistakes.extend(ambiguous(&parts));
        }
        if mistakes.is_empty() { Ok(Self { parts }) } else { Err(mistakes) }
    }

    pub(crate) fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.parts.iter().filter_map(|part| match part {
            Part::Capture(capture) => Some(capture),
            Part::Text(_) => None,
        })
    }

    pub(crate) fn captures_mut(&mut self) -> impl Iterator<Item = &mut Capture> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Capture(capture) => Some(capture),
            Part::Text(_) => None,
        })
    }

    /// The calls that render it into `target`, as a key or a pattern.
    pub(crate) fn render(&self, target: &Ident) -> TokenStream {
        self.rendered(
            target,
            |Capture { root, expr }| quote_spanned!(root.span()=> #target.capture(&#expr);),
        )
    }

    /// The calls that render it into `target`, as a tag.
    pub(crate) fn render_tag(&self, private: &TokenStream, target: &Ident) -> TokenStream {
        self.rendered(target, |capture| capture.in_tag(private, target, &capture.root, true))
    }

    /// The calls that render it into `target`, with those for captures.
    pub(crate) fn rendered(
        &self,
        target: &Ident,
        mut captured: impl FnMut(&Capture) -> TokenStream,
    ) -> TokenStream {
        let call = |part: &Part| match part {
            Part::Text(text) => quote!(#target.text(#text);),
            Part::Capture(capture) => captured(capture),
        };
        self.parts.iter().map(call).collect()
    }
}

impl Capture {
    fn parse(inside: &str, span: Span) -> Result<Self, String> {
        let example =
            "a capture is the name of an argument, or a field of one: `{id}`, `{user.id}`";
        if inside.trim().is_empty() {
            return Err(format!("`{{}}` names no argument; {example}"));
        }
        if inside.contains(':') {
            return Err(format!("`{{{inside}}}` has a format, which no key needs; {example}"));
        }
        let wrong = || format!("`{{{inside}}}` is no capture; {example}");
        let mut expr: Expr = syn::parse_str(&with_raw_names(inside)).map_err(|_| wrong())?;
        let mut root = root_of(&expr).ok_or_else(wrong)?;
        root.set_span(span);
        respan(&mut expr, span);
        Ok(Self { root, expr })
    }

    /// What it names is this.
    pub(crate) fn means(&mut self, declared: &Ident) {
        let meaning = groups::meaning(&self.root, declared);
        self.root.set_span(meaning);
        root_mut(&mut self.expr, |root| root.set_span(meaning));
    }

    /// The call that adds it to a tag: its type decides how it is shown. What does not compile is
    /// reported at `place`, where that it can be shown is `asked`.
    pub(crate) fn in_tag(
        &self,
        private: &TokenStream,
        target: &Ident,
        place: impl ToTokens,
        asked: bool,
    ) -> TokenStream {
        let expr = &self.expr;
        let presumed = (!asked).then(|| quote!(, Unasked));
        let part = shown_at(place, quote!(#private::tag_part!(#expr #presumed)));
        quote!(#target.part(&#part);)
    }
}

/// `{type}` is the argument `r#type`, `{event.type}` a field.
fn with_raw_names(inside: &str) -> String {
    let raw = |name: &str| {
        let plain = syn::parse_str::<Ident>(name).is_ok() || name == "self";
        let raw = format!("r#{name}");
        let is_keyword = !plain && syn::parse_str::<Ident>(&raw).is_ok();
        if is_keyword { raw } else { name.to_owned() }
    };
    let names: Vec<String> = inside.split('.').map(|name| raw(name.trim())).collect();
    names.join(".")
}

/// The argument that a path of fields begins with.
fn root_of(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident().cloned(),
        Expr::Field(field) => root_of(&field.base),
        _ => None,
    }
}

/// The same, to be changed.
fn root_mut(expr: &mut Expr, change: impl FnOnce(&mut Ident)) {
    match expr {
        Expr::Path(path) => {
            if let Some(segment) = path.path.segments.first_mut() {
                change(&mut segment.ident);
            }
        }
        Expr::Field(field) => root_mut(&mut field.base, change),
        _ => {}
    }
}

/// Text parsed from a literal has spans of its own; errors belong at the literal.
fn respan(expr: &mut Expr, span: Span) {
    match expr {
        Expr::Path(path) => {
            for segment in &mut path.path.segments {
                segment.ident.set_span(span);
            }
        }
        Expr::Field(field) => {
            respan(&mut field.base, span);
            match &mut field.member {
                // Generated, so that the compiler does not propose to replace the literal.
                Member::Named(name) => name.set_span(Span::call_site().located_at(span)),
                Member::Unnamed(index) => index.span = span,
            }
        }
        _ => {}
    }
}

fn flush(pending: &mut String, parts: &mut Vec<Part>) {
    if !pending.is_empty() {
        parts.push(Part::Text(std::mem::take(pending)));
    }
}

fn allowed(c: char, kind: Kind) -> bool {
    kind == Kind::Tag
        || c.is_alphanumeric()
        || matches!(c, '-' | '_' | '.' | '@' | '+' | '/' | ':')
        || (kind != Kind::Key
            && matches!(
                c,
                '*' | '?'
                    | '['
                    | ']'
                    | '^'
                    | '\\'
                    | '%'
                    | '<'
                    | '>'
                    | '('
                    | ')'
                    | ','
                    | '='
                    | '\''
                    | '~'
                    | '&'
            ))
}

/// Two captures with no `:` between them would let different arguments share an entry: `1` and
/// `23`, `12` and `3`.
fn ambiguous(parts: &[Part]) -> Vec<String> {
    let mut open: Option<&Capture> = None;
    let mut mistakes = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) if text.contains(':') => open = None,
            Part::Text(_) => {}
            Part::Capture(capture) => {
                if let Some(before) = open {
                    mistakes.push(format!(
                        "between `{{{}}}` and `{{{}}}` there must be a `:`, else different \
                         arguments could make the same key",
                        shown(before),
                        shown(capture),
                    ));
                }
                open = Some(capture);
            }
        }
    }
    mistakes
}

fn shown(capture: &Capture) -> String {
    let expr = &capture.expr;
    quote!(#expr).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, kind: Kind) -> Result<Template, Vec<String>> {
        Template::parse(&LitStr::new(text, Span::call_site()), kind)
    }

    #[test]
    fn templates_are_text_and_captures() {
        let template = parse("v1:{tenant}:{user.id}:{pair.0}", Kind::Key).ok().unwrap();
        let roots: Vec<String> = template.captures().map(|c| c.root.to_string()).collect();
        assert_eq!(roots, ["tenant", "user", "pair"]);
        assert!(parse("{r#type}", Kind::Key).is_ok());
        assert!(parse("*get_user*:{id}", Kind::Pattern).is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("{a}{b}", "must be a `:`"),
            ("{a}-{b.c}", "`{b.c}`"),
            ("{}", "names no argument"),
            ("{id:?}", "has a format"),
            ("{id + 1}", "is no capture"),
            ("{f(x)}", "is no capture"),
            ("{id", "not closed"),
            ("id}", "has no `{`"),
            ("a b", "' '"),
            ("a*", "'*'"),
            ("", "empty"),
        ] {
            let mistakes = parse(text, Kind::Key).err().unwrap().join("\n");
            assert!(mistakes.contains(part), "{text}: {mistakes}");
        }
    }

    #[test]
    fn a_tag_may_be_what_a_key_may_not() {
        assert!(parse("{tenant}{id}", Kind::Tag).is_ok());
        let text = |text: &str| match parse(text, Kind::Tag).ok().unwrap().parts.remove(0) {
            Part::Text(text) => text,
            Part::Capture(_) => String::new(),
        };
        assert_eq!(text("R&D * / 100 %: {{x}} ß"), "R&D * / 100 %: {x} ß");
        for (text, part) in [("", "empty"), ("{id", "not closed"), ("{}", "names no argument")] {
            let mistakes = parse(text, Kind::Tag).err().unwrap().join("\n");
            assert!(mistakes.contains(part), "{text}: {mistakes}");
        }
    }
}
