//! The options of values that grow old, and of loads: each judged by itself, then together.

use std::time::Duration;

use syn::{Expr, ExprLit, ExprUnary, Lit, UnOp};

use crate::errors::Errors;
use crate::function::Style;
use crate::model::{Ageing, Flight, Length};
use crate::names;
use crate::options::Options;
use crate::parse::Value;

impl Options {
    pub(crate) fn ageing(&self, style: Style, errors: &Errors) -> Ageing {
        let ageing = Ageing {
            stale_while_revalidate: self.length("stale_while_revalidate", errors),
            stale_if_error: self.length("stale_if_error", errors),
            refresh_ahead: self.refresh_ahead(errors),
            early_refresh: self.early_refresh(errors),
            soft_timeout: self.length("soft_timeout", errors),
            load_timeout: self.length("load_timeout", errors),
        };
        self.check_timeouts(&ageing, style, errors);
        ageing
    }

    fn refresh_ahead(&self, errors: &Errors) -> Option<f64> {
        let expr = self.value("refresh_ahead", "`refresh_ahead = 0.8`", errors)?;
        let number = number(expr).filter(|&number| number > 0.0 && number < 1.0);
        if number.is_none() {
            errors.at(
                expr,
                "`refresh_ahead` is a part of the ttl: a number above 0 and below 1; with \
                 `refresh_ahead = 0.8` the first call past 80 % of it reloads the value",
            );
        }
        number
    }

    fn early_refresh(&self, errors: &Errors) -> Option<f64> {
        let option = self.given_option("early_refresh")?;
        let Value::Expr(expr) = &option.value else {
            if let Value::Flag = option.value {
                return Some(1.0);
            }
            let message = "`early_refresh` stands alone, or with how eager it is: \
                           `early_refresh = 1.5`";
            errors.at(&option.name, message);
            return None;
        };
        let number = number(expr).filter(|&number| number > 0.0 && number.is_finite());
        if number.is_none() {
            errors.at(
                expr,
                "`early_refresh` is a number above 0 that says how eager it is: 1, as where it \
                 stands alone, fits most; 2 reloads earlier, 0.5 later",
            );
        }
        number
    }

    /// `None` is a mistake that was reported.
    pub(crate) fn single_flight(&self, errors: &Errors) -> Flight {
        let example = "`single_flight = \"process\"`";
        let Some(expr) = self.value("single_flight", example, errors) else {
            return Flight::Fleet;
        };
        let flights = ["fleet", "process", "off"];
        let all = "it is `\"fleet\"` (one load in all processes, the default), `\"process\"` or \
                   `\"off\"`";
        match expr {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => match text.value().as_str() {
                "fleet" => return Flight::Fleet,
                "process" => return Flight::Process,
                "off" => return Flight::Off,
                other => {
                    let near = names::nearest(other, &flights);
                    let near = near.map(|near| format!("; did you mean `\"{near}\"`?"));
                    let near = near.unwrap_or_default();
                    errors.at(text, format!("`single_flight` knows no `{other}`{near}\n{all}"));
                }
            },
            Expr::Lit(ExprLit { lit: Lit::Bool(on), .. }) if !on.value => {
                errors.at(on, format!("write `single_flight = \"off\"`; {all}"));
            }
            other => errors.at(other, format!("`single_flight` is text in quotes: {all}")),
        }
        Flight::Fleet
    }

    pub(crate) fn invalidate_all(&self, errors: &Errors) -> bool {
        let Some(option) = self.given_option("invalidate_all") else { return false };
        if !matches!(option.value, Value::Flag) {
            errors.at(
                &option.name,
                "`invalidate_all` stands alone: it makes the verb of that name one command",
            );
        }
        true
    }

    fn check_timeouts(&self, ageing: &Ageing, style: Style, errors: &Errors) {
        for name in ["soft_timeout", "load_timeout"] {
            if let (Some(given), Style::Sync) = (self.given(name), style) {
                errors.at(
                    given,
                    format!(
                        "`{name}` needs an `async fn`: a blocking body cannot be left; give the \
                         query itself a timeout"
                    ),
                );
            }
        }
        let stale = ["stale_while_revalidate", "stale_if_error"];
        if let Some(soft) = self.given("soft_timeout")
            && stale.iter().all(|name| self.given(name).is_none())
        {
            errors.at(
                soft,
                "`soft_timeout` serves a stale value where the load takes longer, and here there \
                 is never one: add how long one may be served, `stale_while_revalidate = \"5m\"` \
                 or `stale_if_error = \"5m\"`, or write `load_timeout`",
            );
        }
        if let (Some(soft), Some(hard)) =
            (literal(&ageing.soft_timeout), literal(&ageing.load_timeout))
            && soft >= hard
            && let Some(given) = self.given("soft_timeout")
        {
            errors.at(
                given,
                format!(
                    "`soft_timeout` ({soft:?}) must be below `load_timeout` ({hard:?}), which ends \
                     the load"
                ),
            );
        }
    }
}

fn literal(length: &Option<Length>) -> Option<Duration> {
    match length {
        Some(Length::Literal(duration)) => Some(*duration),
        _ => None,
    }
}

/// A number as a literal.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => float.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => number(expr).map(|n| -n),
        _ => None,
    }
}
