//! A value that does not come back equal to what it was is not stored, and the log says why; all others
//! are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Cache, Codec, CodecError, Fault, Json, cache_result, scope};
use cached_tests::Logs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::patient::on_each_whole_store;

/// Calls it twice: whether the second was served, and what the log says where it was not.
async fn twice<R, F: Future<Output = R>>(
    cache: &Cache,
    call: impl Fn() -> F,
) -> Result<(), String> {
    let logs = Logs::capture();
    let before = cache.stats().total;
    scope(cache.clone(), async {
        call().await;
        call().await;
    })
    .await;
    let total = cache.stats().total;
    let unequal = |fault: &Fault| *fault == Fault::Unequal;
    let refused: u64 =
        total.errors.iter().filter(|(fault, _)| unequal(fault)).map(|(_, n)| n).sum();
    let refused_before: u64 =
        before.errors.iter().filter(|(fault, _)| unequal(fault)).map(|(_, n)| n).sum();
    if total.hits() == before.hits() + 1 {
        assert_eq!(refused, refused_before);
        return Ok(());
    }
    // The second call may have found the first one's lease, for which it need not wait.
    assert!((1..=2).contains(&(refused - refused_before)), "{total}");
    assert_eq!(total.loads, before.loads + 2, "{total}");
    let lines = logs.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    Err(lines[0].1.clone())
}

macro_rules! returns {
    ($($name:ident: $type:ty = $value:expr;)*) => {$(
        #[cache_result(ttl = 600)]
        pub(crate) async fn $name() -> $type {
            $value
        }
    )*};
}

/// Each type twice: with `PartialEq`, and without.
macro_rules! both {
    ($($item:item)*) => {
        pub(crate) mod comparable {
            use super::*;
            $(#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)] $item)*
        }
        #[allow(dead_code, reason = "what reads them is serde")]
        pub(crate) mod incomparable {
            use super::*;
            $(#[derive(Debug, Clone, Serialize, Deserialize)] $item)*
        }
    };
}

both! {
    pub(crate) struct Login {
        pub(crate) id: u32,
        #[serde(skip_serializing, default)]
        pub(crate) password_hash: String,
    }
    pub(crate) struct Skips {
        pub(crate) id: u32,
        #[serde(skip)]
        pub(crate) secret: String,
    }
    #[serde(default)]
    #[derive(Default)]
    pub(crate) struct Renames {
        pub(crate) id: u32,
        #[serde(rename(serialize = "amount"))]
        pub(crate) total: u32,
    }
    pub(crate) struct Defaults {
        #[serde(default = "seven", skip_serializing_if = "is_zero")]
        pub(crate) count: u32,
    }
    #[serde(untagged)]
    pub(crate) enum Price {
        Cents(i64),
        Points(i64),
    }
    pub(crate) struct Flattens {
        pub(crate) id: u32,
        #[serde(flatten)]
        pub(crate) more: Option<More>,
    }
    pub(crate) struct More {
        #[serde(default)]
        pub(crate) note: Option<String>,
    }
    pub(crate) struct Nested {
        pub(crate) logins: Vec<Option<Login>>,
    }
    pub(crate) enum Event {
        Entered {
            id: u32,
            #[serde(skip_serializing, default)]
            token: String,
        },
    }
    pub(crate) struct Mandatory {
        #[serde(rename(serialize = "name"))]
        pub(crate) title: String,
    }
}

fn seven() -> u32 {
    7
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

macro_rules! unequal {
    ($module:ident) => {
        pub(crate) mod $module {
            use super::super::$module::*;
            use super::*;

            returns! {
                login: Login = Login { id: 1, password_hash: "abc".into() };
                login_found: Option<Login> = Some(Login { id: 1, password_hash: "abc".into() });
                login_tried: Result<Arc<Login>, String> =
                    Ok(Arc::new(Login { id: 1, password_hash: "abc".into() }));
                skips: Skips = Skips { id: 1, secret: "abc".into() };
                renames: Renames = Renames { id: 1, total: 5 };
                defaults: Defaults = Defaults { count: 0 };
                price: Price = Price::Points(5);
                flattens: Flattens = Flattens { id: 1, more: None };
                nested: Nested =
                    Nested { logins: vec![None, Some(Login { id: 1, password_hash: "a".into() })] };
                event: Event = Event::Entered { id: 1, token: "abc".into() };
                mandatory: Mandatory = Mandatory { title: "abc".into() };
            }
        }
    };
}

mod bad {
    use super::*;
    unequal!(comparable);
    unequal!(incomparable);
}

/// The fields that are named, for those where one is; no value is.
#[tokio::test]
async fn what_does_not_come_back_equal_is_not_stored() {
    on_each_whole_store(async |cache| {
        macro_rules! each {
            ($($function:path => $named:expr,)*) => {$(
                let line = twice(&cache, || async { let _ = $function().await; }).await;
                let line = line.expect_err(stringify!($function));
                assert!(line.contains("is not cached"), "{line}");
                assert!(line.contains($named), "{}: {line}", stringify!($function));
                assert!(!line.contains("abc"), "{line}");
            )*};
        }
        use bad::{comparable, incomparable};
        each! {
            comparable::login => "`password_hash`",
            comparable::login_found => "`password_hash`",
            comparable::login_tried => "`password_hash`",
            comparable::skips => "Skips",
            comparable::renames => "`amount`",
            comparable::defaults => "Defaults",
            comparable::price => "Price",
            comparable::flattens => "Flattens",
            comparable::nested => "`password_hash`",
            comparable::event => "`token`",
            comparable::mandatory => "cannot be read back",
            incomparable::login => "`password_hash`",
            incomparable::login_found => "`password_hash`",
            incomparable::login_tried => "`password_hash`",
            incomparable::renames => "`amount`",
            incomparable::defaults => "Defaults",
            incomparable::flattens => "Flattens",
            incomparable::nested => "`password_hash`",
            incomparable::event => "`token`",
            incomparable::mandatory => "cannot be read back",
        }
    })
    .await;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fine {
    #[serde(alias = "old_id", alias = "older_id")]
    id: u64,
    #[serde(rename = "n")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    age: Option<u8>,
    #[serde(skip)]
    memo: (),
    ratio: f64,
}

/// Without `PartialEq`, as many types are.
#[derive(Serialize, Deserialize)]
struct Opaque {
    #[serde(alias = "ids")]
    by_id: HashMap<u64, Vec<Fine>>,
    tags: HashSet<String>,
    kind: Kind,
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum Kind {
    Plain,
    Sized {
        width: u32,
        #[serde(alias = "tall")]
        height: u32,
    },
}

/// Not equal to itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Measured(f64);

fn fine(ratio: f64) -> Fine {
    Fine { id: 7, name: "abc".into(), age: None, memo: (), ratio }
}

fn opaque() -> Opaque {
    Opaque {
        by_id: (0..50).map(|id| (id, vec![fine(1.5); 3])).collect(),
        tags: (0..50).map(|n| n.to_string()).collect(),
        kind: Kind::Sized { width: 1, height: 2 },
        more: BTreeMap::from([("x".to_owned(), serde_json::json!({"y": null}))]),
    }
}

mod good {
    use super::*;

    returns! {
        fine: Fine = super::fine(0.1);
        fine_found: Option<Fine> = Some(super::fine(1e300));
        plain: Vec<Option<Fine>> = vec![None, Some(super::fine(-0.0))];
        kind: Kind = Kind::Plain;
        sized: Kind = Kind::Sized { width: 1, height: 2 };
        set: HashSet<u32> = (0..100).collect();
        ordered: BTreeSet<String> = (0..100).map(|n| n.to_string()).collect();
        map: HashMap<String, HashMap<u32, bool>> =
            (0..9).map(|n| (n.to_string(), HashMap::from([(n, true), (n + 1, false)]))).collect();
        json: serde_json::Value = serde_json::json!({"a": [null, 1.0, {}], "b": "c"});
        tuple: (u8, String, Option<()>) = (1, String::new(), None);
        duration: Duration = Duration::from_millis(1_500);
        done: Result<(), String> = Ok(());
        text: Arc<String> = Arc::new("abc".into());
    }

    #[cache_result(ttl = 600)]
    async fn opaque_inner() -> super::Opaque {
        super::opaque()
    }

    pub(crate) async fn opaque() {
        let _ = opaque_inner().await;
    }

    #[cache_result(ttl = 600, codec = cached_runtime::Postcard)]
    async fn measured_inner() -> super::Measured {
        super::Measured(f64::NAN)
    }

    pub(crate) async fn measured() {
        let _ = measured_inner().await;
    }
}

#[tokio::test]
async fn what_comes_back_as_it_was_is_stored() {
    on_each_whole_store(async |cache| {
        macro_rules! each {
            ($($function:ident)*) => {$(
                let stored = twice(&cache, || async { let _ = good::$function().await; }).await;
                assert_eq!(stored, Ok(()), stringify!($function));
            )*};
        }
        each! {
            fine fine_found plain kind sized set ordered map json tuple duration done text opaque measured
        }
    })
    .await;
}

/// JSON that loses every value after the first few.
struct Lossy;

impl Codec for Lossy {
    const NAME: &'static str = "lossy";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        let text = Json::encode(value)?;
        // A three-digit number loses its last digit.
        Ok(if text.len() == 3 { text[..2].to_vec() } else { text })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        Json::decode(bytes)
    }
}

#[cache_result(ttl = 600, codec = Lossy)]
async fn numbered(n: u32) -> u32 {
    n
}

/// One of a thousand is looked at; after the first that is wrong, each.
#[tokio::test]
async fn one_of_a_thousand_is_checked_and_after_a_wrong_one_each() {
    scope(Cache::memory(), async {
        let stored = async |n: u32| {
            assert_eq!(numbered::uncached(n).await, n);
            numbered(n).await;
            numbered::peek(n).await.unwrap()
        };
        assert_eq!(stored(10).await, Some(10), "checked");
        assert_eq!(stored(123).await, Some(12), "unchecked: the control");
        for n in 1_001..1_999 {
            numbered(n).await;
        }
        assert_eq!(stored(124).await, None, "checked");
        for n in 125..200 {
            assert_eq!(stored(n).await, None, "checked");
        }
        assert_eq!(stored(11).await, Some(11));
        let errors = numbered::stats().errors;
        assert_eq!(errors.into_iter().collect::<Vec<_>>(), [(Fault::Unequal, 76)]);
    })
    .await;
}

/// What is put by hand is checked as well, and whoever puts it is told.
#[tokio::test]
async fn whoever_puts_what_does_not_come_back_is_told() {
    use bad::comparable::login;

    scope(Cache::memory(), async {
        let value = comparable::Login { id: 1, password_hash: "abc".into() };
        let error = login::put(&value).await.unwrap_err();
        assert!(error.to_string().contains("the field `password_hash` of"), "{error}");
        assert_eq!(login::peek().await.unwrap(), None);
        let value = comparable::Login { id: 1, password_hash: String::new() };
        login::put(&value).await.unwrap();
        assert_eq!(login::peek().await.unwrap(), Some(value));
    })
    .await;
}
