//! Arguments whose type is their value's own (`impl Trait`, `serde_json::Value`): what serde sees
//! alike shares its entry, and nothing displaces anything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::Arc;

use cached_runtime::{Cache, cache_result, scope};
use serde::Serialize;
use serde_json::{Value, json};

use super::patient::on_each_store;

#[cache_result(ttl = 600)]
async fn find(name: impl AsRef<str> + Serialize + Send) -> String {
    name.as_ref().to_uppercase()
}

#[cache_result(ttl = 600, key = "found:{name}")]
async fn found(name: impl AsRef<str> + Serialize + Send) -> String {
    name.as_ref().to_uppercase()
}

#[cache_result(ttl = 600, local)]
async fn find_near(name: impl AsRef<str> + Serialize + Send) -> String {
    name.as_ref().to_uppercase()
}

#[cache_result(ttl = 600)]
async fn shown(value: impl Debug + Serialize + Send) -> String {
    format!("{value:?}")
}

#[cache_result(ttl = 600, local)]
async fn shown_near(value: impl Debug + Serialize + Send) -> String {
    format!("{value:?}")
}

#[cache_result(ttl = 600)]
async fn length(value: impl Display + Serialize + Send) -> usize {
    std::mem::size_of_val(&value)
}

#[cache_result(ttl = 600)]
async fn of_json(value: Value) -> String {
    value.to_string()
}

#[cache_result(ttl = 600, local)]
async fn of_json_near(value: &Value) -> String {
    value.to_string()
}

/// Hits and loads, of all functions.
fn counted(cache: &Cache) -> (u64, u64) {
    let total = cache.stats().total;
    (total.hits(), total.loads)
}

#[tokio::test]
async fn strings_share_their_entry_whoever_owns_them() {
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            for turn in 0..5 {
                assert_eq!(find("ada").await, "ADA");
                assert_eq!(find(String::from("ada")).await, "ADA");
                assert_eq!(find(Cow::Borrowed("ada")).await, "ADA");
                assert_eq!(find(Box::<str>::from("ada")).await, "ADA");
                assert_eq!(found("42").await, "42");
                assert_eq!(found(String::from("42")).await, "42");
                assert_eq!(find_near("ada").await, "ADA");
                assert_eq!(find_near(String::from("ada")).await, "ADA");
                assert_eq!(counted(&cache), (8 * (turn + 1) - 3, 3));
            }
            assert_eq!(find::key("42").as_str(), find::key(String::from("42")).as_str());
            // One invalidation is for all of them.
            find::invalidate(String::from("ada")).await.unwrap();
            assert_eq!(find::peek("ada").await.unwrap(), None);
        })
        .await;
    })
    .await;
}

#[derive(Debug, Serialize)]
struct Meters(u32);
#[derive(Debug, Serialize)]
struct Feet(u32);

#[tokio::test]
async fn what_serde_sees_otherwise_is_another_call() {
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            for turn in 0..3 {
                macro_rules! each {
                    ($($value:expr),* $(,)?) => {{
                        let mut count = 0;
                        $(
                            assert_eq!(shown($value).await, format!("{:?}", $value));
                            assert_eq!(shown_near($value).await, format!("{:?}", $value));
                            count += 2;
                        )*
                        count
                    }};
                }
                let calls = each![
                    "5",
                    5_u8,
                    5_i64,
                    5.0,
                    '5',
                    Meters(5),
                    Feet(5),
                    Some(5),
                    vec![5],
                    (5, 5),
                    (),
                    None::<u8>,
                    Vec::<u8>::new(),
                    BTreeMap::<u8, u8>::new(),
                    true,
                    "true",
                ];
                assert_eq!(counted(&cache), (calls * turn, calls), "each is loaded once");
            }
            assert_eq!((length(1_u8).await, length(1_u64).await), (1, 8));
            assert_eq!((length(1_u8).await, length(1_u64).await), (1, 8));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn no_two_json_values_displace_each_other() {
    let values = [
        json!(null),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!({"a": null}),
        json!({"a": []}),
        json!({"a": {}}),
        json!(""),
        json!("null"),
        json!("None"),
        json!(1),
        json!("1"),
        json!(1.0),
        json!("1.0"),
        json!([1]),
        json!(["1"]),
        json!([1, 2]),
        json!({"1": 2}),
        json!(true),
        json!("true"),
        json!(-0.0),
        json!(0),
        json!([[1], 2]),
        json!([1, [2]]),
        json!("()"),
        json!("(,)"),
        json!("(=)"),
        json!("a b"),
        json!("a%20b"),
    ];
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            let calls = 2 * u64::try_from(values.len()).unwrap();
            for turn in 0..3 {
                for value in &values {
                    assert_eq!(of_json(value.clone()).await, value.to_string());
                    assert_eq!(of_json_near(value).await, value.to_string());
                }
                assert_eq!(counted(&cache), (calls * turn, calls), "turn {turn}");
            }
        })
        .await;
    })
    .await;
    let keys: std::collections::HashSet<_> =
        values.iter().map(|value| of_json::key(value.clone()).as_str().to_owned()).collect();
    assert_eq!(keys.len(), values.len());
    // What is behind a pointer is its content.
    assert_eq!(shown::key(Arc::new(1).as_ref()), shown::key(1));
}
