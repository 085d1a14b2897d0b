//! Tags and keys are text: whichever way an entry is named, with whatever text, that entry is
//! reached and no other.

use std::fmt::Display;

use cached_runtime::{Cache, ErrorKind, cache_invalidate, cache_result, scope};
use serde::{Deserialize, Serialize};

use super::patient::{LONG, on_each_store};

/// Texts of every kind, some of which another way of writing could mistake for each other.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "R&D / West:1",
        "R%26D%20/%20West%3A1",
        "a",
        "A",
        "a ",
        " a",
        "a:b",
        "a%3Ab",
        "",
        "''",
        " ",
        "*",
        "a*",
        "?",
        "[ab]",
        "\\*",
        "%",
        "%2A",
        "{x}",
        "{{x}}",
        "{}",
        "!",
        "!!",
        "~",
        "#t:a",
        "\0",
        "a\nb",
        "\r\n",
        "\u{7f}",
        "ß",
        "é",
        "e\u{301}",
        "🦀",
        "(1,2)",
        "None",
        "42",
        "'42'",
        "team:a",
        "!integration.names.by_text",
        "{s07}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(["x".repeat(10_000), "x".repeat(10_001), "🦀".repeat(100), "y".repeat(257)]);
    texts
}

#[derive(Clone, Serialize, Deserialize)]
struct Team {
    name: String,
}

#[cache_result(ttl = 600, tags = ["team:{name}"], invalidate_all)]
async fn by_text(name: &str) -> String {
    name.to_owned()
}

#[cache_result(ttl = 600, tags = ["team:{team.name}"], local)]
async fn by_field(team: Team) -> String {
    team.name
}

#[cache_result(ttl = 600, tags = ["team:{name}"])]
async fn by_serde<T: Serialize + Into<String>>(name: T) -> String {
    name.into()
}

#[cache_result(ttl = 600, tags = ["team:{name}"])]
fn by_display(name: impl Display + Serialize) -> String {
    name.to_string()
}

#[cache_result(ttl = 600, skip(tenant), tags = ["{name}", "{tenant}: {{all}} of 100 %"])]
async fn alone(name: &str, tenant: &Tenant) -> String {
    format!("{name} {tenant}")
}

/// Shown, and not serialized.
struct Tenant(u8);

impl Display for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no. {}", self.0)
    }
}

#[cache_invalidate(tags = ["team:{name}"])]
async fn by_template(name: &str) {}

#[cache_invalidate(tags = ["team:{team.name}"])]
fn by_template_of_field(team: Team) {}

#[cache_invalidate(tags = |team| ["team:{team.name}"])]
async fn by_closure(name: &str) -> Team {
    Team { name: name.to_owned() }
}

#[cache_invalidate(tags = |found| ["team:{found}"])]
fn by_closure_sync(name: &str) -> Option<String> {
    Some(name.to_owned())
}

const WAYS: usize = 6;

async fn invalidate(way: usize, cache: &Cache, name: &str) {
    let team = || Team { name: name.to_owned() };
    match way {
        0 => cache.invalidate_tag(format!("team:{name}")).await.unwrap(),
        1 => cache.invalidate_tags(["other", &format!("team:{name}")]).await.unwrap(),
        2 => by_template(name).await,
        3 => by_template_of_field(team()),
        4 => drop(by_closure(name).await),
        _ => drop(by_closure_sync(name)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_name_a_tag_reaches_the_same_entries_and_no_others() {
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            let texts = texts();
            let load = async |name: &String| {
                let team = Team { name: name.clone() };
                assert_eq!(by_text(name).await, *name);
                assert_eq!(by_field(team).await, *name);
                assert_eq!(by_serde(name.clone()).await, *name);
                assert_eq!(by_display(name), *name);
            };
            let there = async |name: &String| {
                let team = Team { name: name.clone() };
                [
                    by_text::peek(name).await.unwrap().is_some(),
                    by_field::peek(team).await.unwrap().is_some(),
                    by_serde::peek(name.clone()).await.unwrap().is_some(),
                    by_display::peek(name).unwrap().is_some(),
                ]
            };
            for name in &texts {
                load(name).await;
            }
            for (at, name) in texts.iter().enumerate() {
                // Each text by each way would take a minute.
                for way in [at % WAYS, (at + 1) % WAYS] {
                    invalidate(way, &cache, name).await;
                    assert_eq!(there(name).await, [false; 4], "{name:.40?}, way {way}");
                    load(name).await;
                }
                invalidate((at + 2) % WAYS, &cache, name).await;
                for other in texts.iter().filter(|other| *other != name) {
                    let found = by_text::peek(other).await.unwrap();
                    assert!(found.is_some(), "{name:.40?} took {other:.40?}");
                }
                load(name).await;
            }
        })
        .await;
    })
    .await;
}

/// The text of a function's own tag is text like any other.
#[tokio::test]
async fn a_tag_is_a_whole_text_and_nothing_else() {
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            let (one, two) = (Tenant(1), Tenant(2));
            for name in texts() {
                alone(&name, &one).await;
                cache.invalidate_tag(&name).await.unwrap();
                assert_eq!(alone::peek(&name, &one).await.unwrap(), None, "{name:.40?}");
                alone(&name, &one).await;
            }
            cache.invalidate_tag(format!("{two}: {{all}} of 100 %")).await.unwrap();
            for name in texts() {
                assert!(alone::peek(&name, &one).await.unwrap().is_some(), "{name:.40?}");
            }
            cache.invalidate_tag(format!("{one}: {{all}} of 100 %")).await.unwrap();
            for name in texts() {
                assert_eq!(alone::peek(&name, &one).await.unwrap(), None, "{name:.40?}");
            }
            by_text("a").await;
            cache.invalidate_tag("!integration.names.by_text").await.unwrap();
            assert!(by_text::peek("a").await.unwrap().is_some());
            by_text::invalidate_all().await.unwrap();
            assert_eq!(by_text::peek("a").await.unwrap(), None);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_key_is_what_the_function_displays_and_what_cannot_be_one_is_an_error() {
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            let texts = texts();
            for name in &texts {
                by_text(name).await;
            }
            for name in &texts {
                let key = by_text::key(name);
                let others = async || {
                    for other in texts.iter().filter(|other| *other != name) {
                        assert!(by_text::peek(other).await.unwrap().is_some(), "{other:.40?}");
                    }
                };
                assert_eq!(cache.invalidate_key(&key).await.unwrap(), 1, "{name:.40?}");
                assert_eq!(by_text::peek(name).await.unwrap(), None, "{name:.40?}");
                // It is a key, whether or not there is an entry now.
                assert_eq!(cache.invalidate_key(&key).await.unwrap(), 0, "{name:.40?}");
                others().await;
                // As one might write it.
                let raw = format!("integration.names.by_text:{name}");
                let full = format!("{}:{key}", cache.namespace());
                let shown = match raw == key.as_str() {
                    true => full.clone(),
                    false => raw,
                };
                match cache.invalidate_key(&shown).await {
                    Ok(_) => assert!(
                        [
                            "R%26D%20/%20West%3A1",
                            "a:b",
                            "a%3Ab",
                            "",
                            "''",
                            "%2A",
                            "(1,2)",
                            "'42'",
                            "~",
                            "team:a"
                        ]
                        .contains(&name.as_str()),
                        "{name:.40?}"
                    ),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Key);
                        let how = match key.as_str() {
                            _ if name.contains(':') => "`%3A`",
                            _ if name.len() > 256 => "`by_text::key(…)`",
                            _ if shown == full => "relative to the namespace",
                            key => key,
                        };
                        assert!(error.to_string().contains(how), "{name:.40?}: {error}");
                    }
                }
                // Another's key was written as it is, for one.
                for name in &texts {
                    by_text(name).await;
                }
            }
            // Keys by hand are verbatim.
            for name in texts.iter().filter(|name| !name.is_empty()) {
                cache.set(name, name, LONG).await.unwrap();
            }
            for name in &texts {
                if name.is_empty() {
                    let error = cache.invalidate_key(name).await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Key);
                    continue;
                }
                assert_eq!(cache.get::<String>(name).await.unwrap().as_ref(), Some(name));
                assert_eq!(cache.invalidate_key(name).await.unwrap(), 1, "{name:.40?}");
                assert_eq!(cache.invalidate_key(name).await.unwrap(), 0, "{name:.40?}");
            }
        })
        .await;
    })
    .await;
}

/// The control: a tag that is escaped in one place and not in the other reaches nothing.
#[tokio::test]
async fn an_escaped_tag_is_another() {
    let cache = Cache::memory();
    scope(cache.clone(), async {
        by_text("R&D / West:1").await;
        let key = by_text::key("R&D / West:1");
        let (_, escaped) = key.as_str().split_once(':').unwrap();
        cache.invalidate_tag(format!("team:{escaped}")).await.unwrap();
        assert!(by_text::peek("R&D / West:1").await.unwrap().is_some());
    })
    .await;
}
