//! The figures as markdown.

use crate::figure::{Comparison, Figure, Unit};

/// What a reader of the ratios has to know of the peers.
const NOTES: [&str; 7] = [
    "Calls a second are better above 1, everything else below 1; goals are in parentheses. Each ratio is the median of the \
     ratios of 7 alternating rounds, after one that is not counted.",
    "`cached` over Redis has one multiplexed connection and MessagePack; there is no choice of \
     codec. In memory it is `#[cached(max_size, ttl_secs)]`, one lock around the whole cache, and \
     `#[concurrent_cached(max_size, ttl_secs)]`, which is sharded.",
    "hitbox over Redis has one connection manager; its default codec is bincode. Over moka it \
     keeps encoded values, JSON by default, and cannot return an `Arc`.",
    "cachekit is its preset for production, without its in-process layer for hits in Redis. Its \
     client is fred, its values are MessagePack in both layers, and it cannot return an `Arc`.",
    "By hand: `GET` and `serde_json` on a clone of one `MultiplexedConnection` for each task; \
     lookups by `u64` in caches of `Arc<User>`: `quick_cache` without expiry, moka with a time to \
     live.",
    "`#[once]` of `cached` keeps one value whatever the arguments are: not comparable.",
    "CPU is that of all threads of the client, from the kernel's scheduler statistics. Allocations \
     are those of the thread that calls.",
];

/// The table of ratios, on what they were measured, and what they were made of.
pub(crate) fn markdown(figures: &[Figure], machine: &[String]) -> String {
    let mut text =
        String::from("| measured | case | figure | ours / theirs |\n|---|---|---|---|\n");
    for figure in figures.iter().filter(|figure| figure.unit != Unit::Allocations) {
        let ratios: Vec<String> = figure.comparisons().iter().map(ratio).collect();
        if !ratios.is_empty() {
            row(&mut text, figure, &ratios);
        }
    }
    text.push('\n');
    for line in NOTES.into_iter().chain(machine.iter().map(String::as_str)) {
        text.push_str(&format!("- {line}\n"));
    }
    text.push_str("\nMedians of the rounds:\n\n| measured | case | figure | medians |\n");
    text.push_str("|---|---|---|---|\n");
    for figure in figures {
        let medians = figure.medians().map(|(name, median)| {
            let digits = figure.unit.digits();
            format!("{name} {median:.digits$}")
        });
        row(&mut text, figure, &medians.collect::<Vec<_>>());
    }
    text
}

fn row(text: &mut String, Figure { group, case, unit, .. }: &Figure, cells: &[String]) {
    let (unit, cells) = (unit.name(), cells.join("; "));
    text.push_str(&format!("| {group} | {case} | {unit} | {cells} |\n"));
}

fn ratio(comparison: &Comparison<'_>) -> String {
    let (peer, ratio) = (comparison.peer, comparison.ratio);
    let goal = comparison.goal.map(|goal| {
        let mark = if goal.is_met_by(ratio) { "✓" } else { "✗" };
        format!(" ({goal} {mark})")
    });
    format!("{peer} **{}**{}", digits(ratio), goal.unwrap_or_default())
}

/// A ratio with the digits that mean something.
pub(crate) fn digits(ratio: f64) -> String {
    match ratio {
        _ if ratio.is_nan() => "–".to_owned(),
        ..0.1 => format!("{ratio:.3}"),
        ..10.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.1}"),
    }
}
