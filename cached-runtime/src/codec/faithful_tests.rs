//! What each format is said to lose, and where it is said to be.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;

use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{Rules, Unfaithful, check};

const ALL: [Rules; 3] = [Rules::JSON, Rules::MESSAGE_PACK, Rules::POSTCARD];

/// The complaints of JSON, MessagePack and postcard, empty where there is none.
fn complaints<T: Serialize + ?Sized>(value: &T) -> [String; 3] {
    ALL.map(|rules| match check(value, rules) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    })
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct Item {
    price: f64,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Plain,
    Holding(u8),
}

#[derive(Serialize)]
enum Shape {
    Wrapped(f64),
    Pair(u8, f64),
    Named { side: f64 },
}

#[derive(Serialize)]
struct Wrapper<T>(T);

#[derive(Serialize)]
struct Sparse {
    kept: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<u8>,
}

#[test]
fn ordinary_values_pass_everywhere() {
    let value = BTreeMap::from([("a", vec![(1_u8, Some("x"), 'c', -0.0_f64)])]);
    assert_eq!(complaints(&value), ["", "", ""]);
    assert_eq!(complaints("text"), ["", "", ""]);
    assert_eq!(complaints(&None::<Option<u8>>), ["", "", ""]);
    assert_eq!(complaints(&Some(Some(1))), ["", "", ""]);
    assert_eq!(complaints(&()), ["", "", ""]);
    assert_eq!(complaints(&Unit), ["", "", ""]);
    assert_eq!(complaints(&u128::MAX), ["", "", ""]);
}

#[test]
fn floats_are_found_with_their_place() {
    let items = HashMap::from([("items", vec![Item { price: 1.0 }, Item { price: f64::NAN }])]);
    assert_eq!(complaints(&items), ["a float that is not finite at `[][].price`", "", ""]);
    let text = |value: &Shape| complaints(value)[0].clone();
    assert_eq!(text(&Shape::Wrapped(f64::INFINITY)), "a float that is not finite at `Wrapped`");
    assert_eq!(text(&Shape::Pair(0, f64::NAN)), "a float that is not finite at `Pair.1`");
    assert_eq!(
        text(&Shape::Named { side: f64::NAN }),
        "a float that is not finite at `Named.side`"
    );
    assert_eq!(complaints(&f32::NAN)[0], "a float that is not finite");
    assert_eq!(complaints(&(0, f32::NEG_INFINITY))[0], "a float that is not finite at `1`");
}

#[test]
fn options_written_like_none_are_found() {
    let lost = "a `Some` that would come back as `None`";
    let expected = [lost, lost, ""];
    assert_eq!(complaints(&Some(None::<u8>)), expected);
    assert_eq!(complaints(&Some(Some(None::<u8>))), expected);
    assert_eq!(complaints(&Some(())), expected);
    assert_eq!(complaints(&Some(Unit)), expected);
    assert_eq!(complaints(&Some(PhantomData::<u8>)), expected);
    assert_eq!(complaints(&Some(Wrapper(None::<u8>))), expected);
    assert_eq!(complaints(&Wrapper(Some(Wrapper(())))), expected);
    assert_eq!(complaints(&Some(serde_json::Value::Null)), expected);
    let at = format!("{lost} at `[]`");
    assert_eq!(complaints(&[Some(())][..]), [&at, &at, ""]);
    assert_eq!(complaints(&Some([None::<u8>])), ["", "", ""]);
    assert_eq!(complaints(&Some(Kind::Plain)), ["", "", ""]);
}

#[test]
fn keys_that_are_no_texts_are_found() {
    let key = |complaints: [String; 3]| {
        assert_eq!(complaints[1..], ["", ""]);
        complaints[0].clone()
    };
    let no = "a map key that is no string or integer at `[key]`";
    assert_eq!(key(complaints(&BTreeMap::from([((1, 2), 3)]))), no);
    assert_eq!(key(complaints(&BTreeMap::from([(Some(1), 3)]))), no);
    assert_eq!(key(complaints(&BTreeMap::from([((), 3)]))), no);
    assert_eq!(key(complaints(&BTreeMap::from([(Kind::Holding(1), 3)]))), no);
    assert_eq!(key(complaints(&BTreeMap::from([(Kind::Plain, 3)]))), "");
    assert_eq!(key(complaints(&BTreeMap::from([('a', 3)]))), "");
    assert_eq!(key(complaints(&BTreeMap::from([(true, 3)]))), "");
    assert_eq!(key(complaints(&BTreeMap::from([(i128::MIN, 3)]))), "");
}

#[test]
fn skipped_fields_are_found() {
    let name = Some(1);
    assert_eq!(complaints(&Sparse { kept: 1, name }), ["", "", ""]);
    let sparse = Sparse { kept: 1, name: None };
    assert_eq!(complaints(&Wrapper((sparse,))), ["", "", "a field that is left out at `0.name`"]);
}

struct Lengths(Option<usize>);

impl Serialize for Lengths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("one", &One(self.0))?;
        map.end()
    }
}

struct One(Option<usize>);

impl Serialize for One {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(self.0)?;
        seq.serialize_element(&1)?;
        seq.end()
    }
}

#[test]
fn lengths_must_be_said_and_true() {
    let unknown = "a sequence or map that does not say its length beforehand at `[]`";
    let wrong = "a sequence or map that is not as long as it says at `[]`";
    assert_eq!(complaints(&Lengths(Some(1))), ["", "", ""]);
    assert_eq!(complaints(&Lengths(None)), ["", "", unknown]);
    assert_eq!(complaints(&Lengths(Some(2))), [wrong; 3]);
}

#[derive(Serialize)]
struct Deep(Vec<Deep>);

#[test]
fn depth_is_limited() {
    let mut deep = Deep(vec![]);
    for _ in 0..126 {
        deep = Deep(vec![deep]);
    }
    assert_eq!(complaints(&deep), ["", "", ""]);
    let [json, message_pack, postcard] = complaints(&Deep(vec![deep]));
    assert!(json.starts_with("more levels of nesting than can be read back at `[][]"));
    assert_eq!([message_pack, postcard], ["", ""]);
}

#[test]
fn wide_integers_may_be_ruled_out() {
    let rules = Rules { wide_integers: false, ..Rules::JSON };
    assert_eq!(check(&u128::from(u64::MAX), rules), Ok(()));
    assert_eq!(check(&i128::from(i64::MIN), rules), Ok(()));
    assert!(check(&(i128::from(i64::MIN) - 1), rules).is_err());
    assert!(check(&BTreeMap::from([(u128::MAX, 1)]), rules).is_err());
}

#[test]
fn a_form_may_depend_on_the_format() {
    struct Fickle;
    impl Serialize for Fickle {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if serializer.is_human_readable() {
                serializer.serialize_str("text")
            } else {
                serializer.serialize_f64(f64::NAN)
            }
        }
    }
    let map = BTreeMap::from([(1, Fickle)]);
    assert_eq!(complaints(&map), ["", "", ""]);
}

#[test]
fn what_a_serialize_says_is_shortened() {
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("no".to_owned() + &"é".repeat(1000)))
        }
    }
    let text = complaints(&(1, Failing))[0].clone();
    assert!(text.starts_with("its Serialize failed: no"), "{text}");
    assert!(text.ends_with("é… at `1`"), "{text}");
    assert!(text.len() < 300);
    let error = Unfaithful::custom("short");
    assert_eq!(error.to_string(), "its Serialize failed: short");
}
