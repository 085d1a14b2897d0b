//! Option names: those there are, those of other libraries, and the nearest to a slip. The verbs' names.

/// The options of `#[cache_result]`, in the order of its documentation.
pub(crate) const OPTIONS: &[&str] = &[
    "ttl",
    "key",
    "skip",
    "name",
    "tags",
    "invalidate_all",
    "local",
    "stale_while_revalidate",
    "stale_if_error",
    "refresh_ahead",
    "early_refresh",
    "soft_timeout",
    "load_timeout",
    "jitter",
    "cache_if",
    "none_ttl",
    "err_ttl",
    "single_flight",
    "batch",
    "codec",
    "compress",
    "cache",
    "companion",
    "crate",
];

/// What a companion type carries.
pub(crate) const VERBS: &[&str] = &[
    "key",
    "invalidate",
    "peek",
    "put",
    "refresh",
    "uncached",
    "fetch",
    "invalidate_all",
    "stats",
];

/// What other libraries call the ttl.
const TTLS: &[&str] = &[
    "time",
    "expire",
    "expires",
    "expiration",
    "expires_in",
    "expire_after",
    "timeout",
    "time_to_live",
    "max_age",
    "duration",
];

/// Whether an unknown option was meant to be `ttl`.
pub(crate) fn means_ttl(name: &str) -> bool {
    TTLS.contains(&name) || nearest(name, OPTIONS) == Some("ttl")
}

/// What to say of an unknown option.
pub(crate) fn unknown(name: &str) -> String {
    let cure = match name {
        name if TTLS.contains(&name) => {
            Some("it is called `ttl` here: `ttl = 60` (seconds) or `ttl = \"5m\"`".to_owned())
        }
        "key_prefix" | "prefix" | "map_prefix" | "cache_name" => Some(
            "it is called `name` here, and most functions need none: `name = \"users\"`".to_owned(),
        ),
        "convert" | "key_expr" => {
            Some("it is called `key` here, and is a template: `key = \"{tenant}:{id}\"`".to_owned())
        }
        "ignore" | "exclude" | "without" | "skip_args" => {
            Some("it is called `skip` here: `skip(db)`".to_owned())
        }
        "condition" | "when" | "unless" | "filter" => Some(
            "it is called `cache_if` here: `cache_if = |value| value.is_complete()`".to_owned(),
        ),
        "serializer" | "format" => Some("it is called `codec` here: `codec = Json`".to_owned()),
        "tag" | "labels" | "groups" | "tagged" => {
            Some("it is called `tags` here, and is a list: `tags = [\"user:{id}\"]`".to_owned())
        }
        "l1" | "in_memory" | "memory" | "near" | "near_cache" | "local_cache" => {
            Some("it is called `local` here: `local`, or `local = \"5s\"`".to_owned())
        }
        "local_ttl" => Some("it is written `local = \"5s\"` here".to_owned()),
        "swr" | "stale" | "stale_ttl" | "max_stale" | "grace_period" | "soft_ttl" => Some(
            "it is called `stale_while_revalidate` here, and counts from the ttl's end: \
             `stale_while_revalidate = \"5m\"`"
                .to_owned(),
        ),
        "grace" | "fail_safe" | "failsafe" | "use_stale" | "fallback" | "error_stale" => Some(
            "it is called `stale_if_error` here, and counts from the ttl's end: \
             `stale_if_error = \"1h\"`"
                .to_owned(),
        ),
        "eager_refresh"
        | "eager_refresh_threshold"
        | "refresh_threshold"
        | "refresh_at"
        | "refresh"
        | "refresh_after" => Some(
            "it is called `refresh_ahead` here, and is a part of the ttl: `refresh_ahead = 0.8`"
                .to_owned(),
        ),
        "beta" | "xfetch" | "early_expiration" | "early_expiry" | "probabilistic" => {
            Some("it is called `early_refresh` here: `early_refresh`, or `= 1.5`".to_owned())
        }
        "lock" | "sync" | "sync_writes" | "sync_lock" | "dedup" | "coalesce" | "singleflight"
        | "stampede" | "synchronize" => Some(
            "it is called `single_flight` here, and is on unless `single_flight = \"off\"`"
                .to_owned(),
        ),
        "batched" | "bulk" | "many" | "multi" | "multi_key" | "mget" => Some(
            "it is called `batch` here, and names the argument that holds the keys: `batch = ids`"
                .to_owned(),
        ),
        "factory_timeout" | "hard_timeout" | "factory_hard_timeout" | "loader_timeout" => {
            Some("it is called `load_timeout` here: `load_timeout = \"2s\"`".to_owned())
        }
        "factory_soft_timeout" => {
            Some("it is called `soft_timeout` here: `soft_timeout = \"200ms\"`".to_owned())
        }
        "map_error" | "option" | "result" => {
            Some("it is not needed: errors and `None` are not cached by themselves".to_owned())
        }
        _ => nearest(name, OPTIONS).map(|near| format!("did you mean `{near}`?")),
    };
    let all = OPTIONS.join("`, `");
    match cure {
        Some(cure) => format!("unknown option `{name}`: {cure}\nthe options are `{all}`"),
        None => format!("unknown option `{name}`\nthe options are `{all}`"),
    }
}

/// The candidate within a third of the name's length in edits.
pub(crate) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let most = (name.chars().count() / 3).max(1);
    let near = candidates.iter().map(|candidate| (distance(name, candidate), *candidate));
    near.filter(|(distance, _)| *distance <= most).min().map(|(_, candidate)| candidate)
}

/// Edit distance with transpositions (optimal string alignment): `tll` is one slip from `ttl`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_name_and_strangers_do_not() {
        for (slip, expected) in [
            ("tll", Some("ttl")),
            ("tt1", Some("ttl")),
            ("skp", Some("skip")),
            ("cacheif", Some("cache_if")),
            ("non_ttl", Some("none_ttl")),
            ("jiter", Some("jitter")),
            ("elephant", None),
            ("x", None),
        ] {
            assert_eq!(nearest(slip, OPTIONS), expected, "{slip}");
        }
    }

    #[test]
    fn names_of_other_libraries_are_translated() {
        for name in ["time", "expire", "expiration", "expires_in", "timeout"] {
            assert!(unknown(name).contains("`ttl`"), "{name}");
        }
        for (name, ours) in [
            ("key_prefix", "name"),
            ("tag", "tags"),
            ("l1", "local"),
            ("near_cache", "local"),
            ("swr", "stale_while_revalidate"),
            ("stale", "stale_while_revalidate"),
            ("grace", "stale_if_error"),
            ("fail_safe", "stale_if_error"),
            ("beta", "early_refresh"),
            ("lock", "single_flight"),
            ("sync_writes", "single_flight"),
            ("bulk", "batch"),
            ("factory_timeout", "load_timeout"),
            ("refresh_threshold", "refresh_ahead"),
        ] {
            let said = unknown(name);
            assert!(said.contains(&format!("it is called `{ours}` here")), "{name}: {said}");
        }
        for option in OPTIONS {
            assert!(unknown(option).contains(&format!("did you mean `{option}`?")), "{option}");
        }
    }
}
