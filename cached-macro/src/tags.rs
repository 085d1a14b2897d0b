//! `tags = ["user:{id}", "users"]`: templates in a list.

use syn::{Expr, ExprLit, Lit};

use crate::errors::Errors;
use crate::options::Options;
use crate::template::{Kind, Template};

/// As many as an entry's envelope has room for.
const MOST: usize = 32;
const EXAMPLE: &str = "`tags = [\"user:{id}\", \"users\"]`";

impl Options {
    pub(crate) fn tags(&self, errors: &Errors) -> Vec<Template> {
        let Some(expr) = self.value("tags", EXAMPLE, errors) else { return Vec::new() };
        if let Expr::Array(array) = expr
            && let Some(more) = array.elems.iter().nth(MOST)
        {
            errors.at(more, format!("an entry has at most {MOST} tags"));
        }
        if let Expr::Closure(_) = expr {
            errors.at(
                expr,
                format!(
                    "the tags of an entry are known before its value is, so they cannot be a \
                     closure; write templates over the arguments: {EXAMPLE}"
                ),
            );
            return Vec::new();
        }
        list(expr, errors)
    }
}

/// The templates in a list, each once.
pub(crate) fn list(expr: &Expr, errors: &Errors) -> Vec<Template> {
    let Expr::Array(array) = expr else {
        errors.at(expr, format!("`tags` is a list of texts: {EXAMPLE}"));
        return Vec::new();
    };
    if array.elems.is_empty() {
        errors.at(array, format!("this list names no tag; write one like {EXAMPLE}, or remove it"));
    }
    let mut texts: Vec<String> = Vec::new();
    let mut templates = Vec::new();
    for element in &array.elems {
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = element else {
            let message = "a tag is text in quotes, with arguments in braces: `\"user:{id}\"`";
            errors.at(element, message);
            continue;
        };
        if texts.contains(&text.value()) {
            errors.at(text, format!("the tag `{}` is given twice; remove one", text.value()));
            continue;
        }
        texts.push(text.value());
        templates.extend(Template::read(text, Kind::Tag, errors));
    }
    templates
}
