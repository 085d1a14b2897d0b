//! Durations in attributes: `60`, `0.25`, `"250ms"`, `"1h30m"`.

use std::time::Duration;

use syn::{BinOp, Expr, ExprLit, ExprUnary, Lit, UnOp};

const TEN_YEARS: f64 = 10.0 * 365.0 * 24.0 * 60.0 * 60.0;
const HOW: &str = "write seconds (`60`, `0.25`) or text with units ms, s, m, h, d (`\"250ms\"`, \
                   `\"1h30m\"`)";

/// A duration written as a literal: `None` where it is some other expression, an error message
/// where the literal is wrong.
pub(crate) fn literal(expr: &Expr) -> Option<Result<Duration, String>> {
    let seconds = match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) if int.suffix().is_empty() => {
            int.base10_parse::<f64>().map_err(|_| HOW.to_owned())
        }
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) if float.suffix().is_empty() => {
            float.base10_parse::<f64>().map_err(|_| HOW.to_owned())
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text_seconds(&text.value()),
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => {
            let digits = int.base10_digits();
            Err(in_quotes(&format!("{digits}{}", int.suffix()), digits))
        }
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => {
            let digits = float.base10_digits();
            Err(in_quotes(&format!("{digits}{}", float.suffix()), digits))
        }
        Expr::Lit(_) => Err(format!("not a duration: {HOW}")),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(**expr, Expr::Lit(_)) => {
            Err(format!("a duration must not be negative: {HOW}"))
        }
        _ => return arithmetic(expr).map(Err),
    };
    Some(seconds.and_then(checked))
}

/// What to say of `60 * 60`: its type is a number's, and only a literal is read as seconds.
fn arithmetic(expr: &Expr) -> Option<String> {
    let Expr::Binary(_) = expr else { return None };
    let seconds = number(expr)?;
    let literal = if seconds.is_finite() { format!("`{seconds}`, ") } else { String::new() };
    Some(format!(
        "only a literal is a number of seconds here: write {literal}or text with a unit (`\"1h\"`), or an expression of type `Duration`"
    ))
}

/// The value of numbers and operators alone.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => float.base10_parse().ok(),
        Expr::Paren(inside) => number(&inside.expr),
        Expr::Binary(binary) => {
            let (left, right) = (number(&binary.left)?, number(&binary.right)?);
            match binary.op {
                BinOp::Add(_) => Some(left + right),
                BinOp::Sub(_) => Some(left - right),
                BinOp::Mul(_) => Some(left * right),
                BinOp::Div(_) => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}

fn checked(seconds: f64) -> Result<Duration, String> {
    if seconds <= 0.0 {
        return Err(format!(
            "a duration must not be zero: {HOW}; to switch caching off, remove the attribute"
        ));
    }
    if seconds < 0.001 {
        return Err("a duration must be at least 1 ms, in which Redis counts".to_owned());
    }
    if seconds > TEN_YEARS {
        return Err("a duration must be at most ten years (`\"3650d\"`)".to_owned());
    }
    // Whole microseconds, so that 0.1 is exactly a hundred milliseconds.
    Ok(Duration::from_micros((seconds * 1e6).round() as u64))
}

/// For `5m` and `60u64`: what was meant.
fn in_quotes(text: &str, digits: &str) -> String {
    match text_seconds(text) {
        Ok(_) => format!("a duration with a unit is text: `\"{text}\"`"),
        Err(_) => format!("not a duration: write `{digits}` for seconds, or text with a unit"),
    }
}

fn text_seconds(text: &str) -> Result<f64, String> {
    let wrong = |what: &str| format!("`\"{text}\"` is no duration: {what}; {HOW}");
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err(wrong("it must not be negative"));
    }
    if rest.is_empty() {
        return Err(wrong("it is empty"));
    }
    let mut total = 0.0;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let number: f64 =
            number.parse().map_err(|_| wrong("a number must stand before each unit"))?;
        let behind = behind.trim_start();
        let letters = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        parts += 1;
        total += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                "" if parts == 1 && behind.is_empty() => 1.0,
                "" => return Err(wrong("a unit is missing")),
                "us" | "µs" | "ns" => return Err(wrong("the smallest unit is ms")),
                "min" | "mins" | "minute" | "minutes" => {
                    return Err(wrong("minutes are written `m`"));
                }
                "sec" | "secs" | "second" | "seconds" => {
                    return Err(wrong("seconds are written `s`"));
                }
                unit => return Err(wrong(&format!("`{unit}` is no unit"))),
            };
        rest = behind.trim_start();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_str;

    fn read(text: &str) -> Option<Result<Duration, String>> {
        literal(&parse_str(text).unwrap())
    }

    #[test]
    fn durations_in_all_their_forms() {
        for (text, millis) in [
            ("60", 60_000),
            ("0.25", 250),
            ("0.1", 100),
            ("\"250ms\"", 250),
            ("\"5m\"", 300_000),
            ("\"1h30m\"", 5_400_000),
            ("\" 1h 30m 5 s \"", 5_405_000),
            ("\"1.5h\"", 5_400_000),
            ("\"2d\"", 172_800_000),
            ("\"90\"", 90_000),
            ("\"3650d\"", 315_360_000_000),
        ] {
            assert_eq!(read(text), Some(Ok(Duration::from_millis(millis))), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("0", "must not be zero"),
            ("0.0", "must not be zero"),
            ("\"0s\"", "must not be zero"),
            ("-5", "must not be negative"),
            ("\"-5s\"", "must not be negative"),
            ("0.0001", "at least 1 ms"),
            ("99999999999999", "at most ten years"),
            ("\"3651d\"", "at most ten years"),
            ("\"\"", "is empty"),
            ("\"5x\"", "`x` is no unit"),
            ("\"5 min\"", "written `m`"),
            ("\"m5\"", "a number must stand before"),
            ("\"5m 30\"", "a unit is missing"),
            ("\"1.2.3s\"", "a number must stand before"),
            ("true", "not a duration"),
            ("60u64", "write `60`"),
            ("5m", "`\"5m\"`"),
            ("1h30m", "`\"1h30m\"`"),
            ("1.5h", "`\"1.5h\"`"),
        ] {
            let message = read(text).unwrap().unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
        assert_eq!(read("Duration::from_secs(5)"), None);
        assert_eq!(read("TTL"), None);
    }
}
