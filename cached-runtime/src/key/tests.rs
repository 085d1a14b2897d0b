//! The frozen layout of keys: a golden line for each row of the grammar, and
//! for the errors. What holds for all values is in `properties`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod properties;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap as _, Serializer};

use super::escape::escape_text;
use super::{Key, KeyBuilder, KeyError, function_segment, user_key};

/// The encoding of one argument.
fn enc<T: Serialize + ?Sized>(value: &T) -> String {
    let key = key(value);
    key.as_str().strip_prefix("f:").unwrap().to_owned()
}

fn key<T: Serialize + ?Sized>(value: &T) -> Key {
    let mut builder = KeyBuilder::new("f");
    builder.segment(value);
    builder.finish().unwrap()
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct Id(u64);
#[derive(Serialize)]
struct Name(String);
#[derive(Serialize)]
struct Pair(u8, String);
#[derive(Serialize)]
struct Empty {}
#[derive(Serialize)]
struct Point {
    x: i32,
    #[serde(rename = "y:*")]
    y: Option<&'static str>,
}
#[derive(Serialize)]
enum Shape {
    Dot,
    #[serde(rename = "a b")]
    Odd,
    #[serde(rename = "")]
    Nameless,
    None,
    Some(u8),
    Circle(f64),
    Rect(u8, u8),
    Box {
        w: u8,
        h: u8,
    },
}
#[derive(Serialize)]
#[serde(untagged)]
enum Untyped {
    Null,
    Number(i64),
    Text(&'static str),
    List(Vec<Untyped>),
    Object(BTreeMap<&'static str, Untyped>),
}
struct Bytes(&'static [u8]);
impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        assert!(s.is_human_readable());
        s.serialize_bytes(self.0)
    }
}
struct Shown<'a>(&'a dyn std::fmt::Display);
impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self.0)
    }
}
struct Refuses(&'static str);
impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(self.0))
    }
}

#[test]
fn whole_keys() {
    let mut method =
        KeyBuilder::new(&function_segment("shop::users::Repo::get_user::{{closure}}", "", &[]));
    method.segment(&42_u64);
    assert_eq!(method.finish().unwrap().as_str(), "shop.users.Repo.get_user:42");

    let mut generic =
        KeyBuilder::new(&function_segment("shop::load<_>::here", "", &["shop::User"]));
    generic.segment("alice:bob");
    generic.segment("");
    let generic = generic.finish().unwrap();
    assert_eq!(generic.to_string(), "shop.load<shop.User>:alice%3Abob:''");
    assert_eq!(format!("{generic:?}"), r#"Key("shop.load<shop.User>:alice%3Abob:''")"#);

    let mut implementor =
        KeyBuilder::new(&function_segment("<shop::Repo<u8> as shop::Tr>::t::{{closure}}", "", &[]));
    implementor.segment(&Some(true));
    let text = "<shop.Repo<u8>_as_shop.Tr>.t:true";
    assert_eq!(implementor.finish().unwrap().as_str(), text);

    let mut template = KeyBuilder::new("users");
    template.literal(":by-id:");
    template.capture(&7);
    template.literal("/");
    template.capture("x*");
    assert_eq!(template.finish().unwrap().as_ref(), "users:by-id:7/x%2A");

    assert_eq!(KeyBuilder::new("shop.now").finish().unwrap(), user_key("shop.now"));
    assert_eq!(user_key("any thing:*").as_str(), "any thing:*");
}

#[test]
fn scalars() {
    assert_eq!(enc(&true), "true");
    assert_eq!(enc(&false), "false");
    assert_eq!(enc(&i8::MIN), "-128");
    assert_eq!(enc(&u64::MAX), "18446744073709551615");
    assert_eq!(enc(&i128::MIN), "-170141183460469231731687303715884105728");
    assert_eq!(enc(&u128::MAX), "340282366920938463463374607431768211455");
    assert_eq!(enc(&1.0_f64), "1.0");
    assert_eq!(enc(&0.1_f32), "0.1");
    assert_eq!(enc(&0.0_f64), "0.0");
    assert_eq!(enc(&-0.0_f64), "-0.0");
    assert_eq!(enc(&1e16_f64), "1e16");
    assert_eq!(enc(&1e-7_f64), "1e-7");
    assert_eq!(enc(&f64::NAN), "NaN");
    assert_eq!(enc(&-f64::NAN), "NaN");
    assert_eq!(enc(&f32::NAN), "NaN");
    assert_eq!(enc(&f64::INFINITY), "inf");
    assert_eq!(enc(&f32::NEG_INFINITY), "-inf");
    assert_eq!(enc(&()), "(,)");
    assert_eq!(enc(&Bytes(&[0, 255])), "0x00ff");
    assert_eq!(enc(&Bytes(&[])), "0x");
}

#[test]
fn strings_and_chars() {
    assert_eq!(enc("alice"), "alice");
    assert_eq!(enc("a-b_c.d@e+f/g"), "a-b_c.d@e+f/g");
    assert_eq!(enc("héllo日本"), "héllo日本");
    assert_eq!(enc(""), "''");
    assert_eq!(enc("a b\t\u{a0}\u{3000}"), "a%20b%09%C2%A0%E3%80%80");
    assert_eq!(enc(":%*?[]{}\\^"), "%3A%25%2A%3F%5B%5D%7B%7D%5C%5E");
    assert_eq!(enc("(),='~<>"), "%28%29%2C%3D%27%7E%3C%3E");
    assert_eq!(enc("\0\u{7f}🦀"), "%00%7F%F0%9F%A6%80");
    assert_eq!(enc(&'x'), "x");
    assert_eq!(enc(&':'), "%3A");
    assert_eq!(enc(&Shown(&"a b")), "a%20b");

    let mut escaped = String::from("k=");
    escape_text("a:b", &mut escaped);
    assert_eq!(escaped, "k=a%3Ab");
}

#[test]
fn quotes_only_where_needed() {
    for text in
        ["42", "-1", "1.5", "1e9", "2E-3", "1.0e+7", "true", "false", "None", "NaN", "inf", "-inf"]
    {
        let quoted = format!("'{text}'");
        assert_eq!(enc(text), text);
        assert_eq!(enc(&text), text);
        assert_eq!(enc(&text.to_owned()), text);
        assert_eq!(enc(&Box::new(Cow::Borrowed(text))), text);
        assert_eq!(enc(&Some(text)), quoted);
        assert_eq!(enc(&Name(text.to_owned())), quoted);
        assert_eq!(enc(&Untyped::Text(text)), quoted);
        assert_eq!(enc(&[text]), format!("({quoted})"));
    }
    for text in
        ["1.", ".5", "1e", "e5", "-", "+1", "1.0.0", "0x1f", "True", "none", "1_000", "1e5x"]
    {
        assert_eq!(enc(&Some(text)), text);
    }
    assert_eq!(enc(&'4'), "'4'");
    assert_eq!(enc(&Some("")), "''");
}

/// The encoding of one argument whose type is its value's.
fn typed<T: Serialize + ?Sized>(value: &T) -> String {
    let key = typed_key(value);
    key.as_str().strip_prefix("f:").unwrap().to_owned()
}

fn typed_key<T: Serialize + ?Sized>(value: &T) -> Key {
    let mut builder = KeyBuilder::new("f");
    builder.typed_segment(value);
    builder.finish().unwrap()
}

/// What serde sees alike is one key, and what it sees otherwise another.
#[test]
fn arguments_of_types_of_their_own() {
    #[derive(Serialize)]
    struct Meters(u32);
    #[derive(Serialize)]
    struct Feet(u32);
    #[derive(Serialize)]
    #[serde(transparent)]
    struct Bare(u32);
    #[derive(Serialize)]
    struct Here {
        x: u8,
    }
    #[derive(Serialize)]
    struct There {
        x: u8,
    }
    #[derive(Serialize)]
    enum Paint {
        Dot,
    }

    for (text, expected) in [("ada", "ada"), ("42", "'42'"), ("", "''"), ("None", "'None'")] {
        let same = [
            typed_key(text),
            typed_key(&text),
            typed_key(&text.to_owned()),
            typed_key(&Box::<str>::from(text)),
            typed_key(&Cow::Borrowed(text)),
            typed_key(&Arc::new(text.to_owned()).as_ref()),
            typed_key(&Shown(&text)),
        ];
        assert_eq!(same[0].as_str(), format!("f:{expected}"));
        assert!(same.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
    assert_eq!(
        (typed(&5_i32), typed(&1.0_f64), typed(&true)),
        ("5".into(), "1.0".into(), "true".into())
    );
    assert_eq!(typed_key(&5_u32), typed_key(&Bare(5)));
    assert_eq!(typed_key(&vec![1_u8]), typed_key(&[1_u8][..]));

    let one = HashMap::from([("a", 1_u8), ("b", 2), ("c", 3)]);
    let other: BTreeMap<_, _> = one.iter().map(|(key, value)| (*key, *value)).collect();
    assert_eq!(typed_key(&one), typed_key(&other));

    let different = [
        typed(&5_i8),
        typed(&5_i16),
        typed(&5_i32),
        typed(&5_i64),
        typed(&5_i128),
        typed(&5_u8),
        typed(&5_u16),
        typed(&5_u32),
        typed(&5_u64),
        typed(&5_u128),
        typed("5"),
        typed(&'5'),
        typed(&5.0_f32),
        typed(&5.0_f64),
        typed(&Some(5)),
        typed(&Meters(5)),
        typed(&Feet(5)),
        typed(&Here { x: 5 }),
        typed(&There { x: 5 }),
        typed(&HashMap::from([("x", 5_u8)])),
        typed(&HashMap::from([("x", 5_i8)])),
        typed(&vec![5_u8]),
        typed(&(5_u8,)),
        typed(&(5_i8,)),
        typed(&Bytes(&[5])),
        typed("Dot"),
        typed(&Paint::Dot),
        typed(&Shape::Dot),
        typed(&Unit),
        typed("Unit"),
        typed(&()),
        typed(&None::<u8>),
        typed(&Vec::<u8>::new()),
        typed(&Empty {}),
        typed(&HashMap::<u8, u8>::new()),
        typed(&"x".repeat(97)),
        typed(&vec!["x"; 97]),
    ];
    let texts: HashSet<&String> = different.iter().collect();
    assert_eq!(texts.len(), different.len(), "{different:#?}");

    // Frozen, like all of these.
    assert_eq!(typed(&5_u64), "5~14b06d02");
}

#[test]
fn options() {
    assert_eq!(enc(&None::<u8>), "None");
    assert_eq!(enc(&Some(1)), "1");
    assert_eq!(enc(&Some(None::<u8>)), "Some(None)");
    assert_eq!(enc(&Some(Some(None::<u8>))), "Some(Some(None))");
    assert_eq!(enc(&Some(Some(1))), "1");
    assert_eq!(enc(&Some("Some(")), "Some%28");
    assert_eq!(enc(&Some(Shape::None)), "Some(None)");
    assert_eq!(enc(&Some(Shape::Some(1))), "Some(Some(1))");
    assert_eq!(enc(&vec![None, Some(1)]), "(None,1)");
}

#[test]
fn structs_and_enums() {
    assert_eq!(enc(&Unit), "Unit");
    assert_eq!(enc(&Id(7)), "7");
    assert_eq!(enc(&Pair(1, "a,b".into())), "(1,a%2Cb)");
    assert_eq!(enc(&Point { x: -1, y: Some("1") }), "(x=-1,y%3A%2A='1')");
    assert_eq!(enc(&Empty {}), "()");
    assert_eq!(enc(&Shape::Dot), "Dot");
    assert_eq!(enc(&Shape::Odd), "a%20b");
    assert_eq!(enc(&Shape::Nameless), "''");
    assert_eq!(enc(&Shape::Circle(1.0)), "Circle(1.0)");
    assert_eq!(enc(&Shape::Rect(1, 2)), "Rect(1,2)");
    assert_eq!(enc(&Shape::Box { w: 1, h: 2 }), "Box(w=1,h=2)");
}

#[test]
fn sequences_maps_and_sets() {
    assert_eq!(enc(&(1, "b")), "(1,b)");
    assert_eq!(enc(&[1, 2]), "(1,2)");
    assert_eq!(enc(&vec![1]), "(1)");
    assert_eq!(enc(&Vec::<u8>::new()), "()");
    assert_eq!(enc(&vec![vec![], vec![1, 2]]), "((),(1,2))");
    assert_eq!(enc(&HashMap::from([(10, "x"), (9, "y"), (1, "")])), "(10=x,1='',9=y)");
    assert_eq!(enc(&HashMap::<u8, u8>::new()), "(=)");
    assert_eq!(enc(&HashMap::from([("", "")])), "(''='')");
    assert_eq!(enc(&BTreeMap::from([((1, 2), [3])])), "((1,2)=(3))");

    let set: HashSet<u8> = (0..5).collect();
    assert_eq!(enc(&set), "(0,1,2,3,4)");
    assert_eq!(enc(&Arc::new(set.clone()).as_ref()), "(0,1,2,3,4)");
    assert_eq!(enc(&Some(&set)), "(0,1,2,3,4)");
    assert_eq!(enc(&vec![Box::new(set.clone())]), "((0,1,2,3,4))");
    assert_eq!(enc(&HashMap::from([("s", set)])), "(s=(0,1,2,3,4))");
    assert_eq!(enc(&HashSet::<u8>::new()), "()");
    // The elements of a set that are sequences keep their own order.
    assert_eq!(enc(&HashSet::from([vec![3, 1], vec![2, 9, 0]])), "((2,9,0),(3,1))");
}

#[test]
fn long_values_are_digested() {
    assert_eq!(enc(&"x".repeat(96)), "x".repeat(96));
    let long = enc(&"x".repeat(97));
    assert_eq!(
        long,
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~ad8653372e0352494fc3012741ea13e43090fb2bf37e9522"
    );
    assert_ne!(long, enc(&"x".repeat(98)));
    // 31 bytes, then a character of two: it goes as a whole, raw or escaped.
    let tail = "y".repeat(70);
    for (cut, kept) in [
        (format!("{}é{tail}", "x".repeat(31)), 31),
        (format!("{}é{tail}", "x".repeat(30)), 32),
        (format!("{}:{tail}", "x".repeat(31)), 31),
        (format!("{}:{tail}", "x".repeat(30)), 30),
        (format!("{}:{tail}", "x".repeat(29)), 32),
    ] {
        assert_eq!(enc(&cut).find('~'), Some(kept), "{cut}");
    }
    // Neither the function nor literals are.
    let mut builder = KeyBuilder::new(&"f".repeat(200));
    builder.literal(&"l".repeat(200));
    assert_eq!(builder.finish().unwrap().as_str().len(), 400);
}

#[test]
fn fingerprints_tell_types_apart() {
    let print = |key: Key| key.fingerprint();
    assert_eq!(print(key(&1_u8)), print(key(&1_i64)));
    assert_ne!(print(key(&1_u8)), print(key("1")));
    assert_ne!(print(key("Dot")), print(key(&Shape::Dot)));
    assert_ne!(print(key(&())), print(key(&Vec::<u8>::new())));
    let null = key(&Untyped::Null);
    let list = key(&Untyped::List(vec![]));
    assert_ne!(null.as_str(), list.as_str());
    assert_ne!(null, list);
    assert_ne!(print(key(&(1, 2))), print(key(&vec![1, 2])));
    assert_eq!(enc(&Untyped::Object(BTreeMap::new())), "(=)");
    assert_eq!(enc(&Untyped::Number(1)), "1");

    // The order of a map's entries is in neither text nor fingerprint.
    let one = [("a", Untyped::Number(1)), ("b", Untyped::Text("x"))];
    let two = [("b", Untyped::Text("x")), ("a", Untyped::Number(1))];
    assert_eq!(key(&Ordered(one)), key(&Ordered(two)));

    // Frozen like the text.
    assert_eq!(print(key(&42_u64)), 17_397_616_496_152_077_634);
    assert_eq!(print(key(&Some("a:b"))), 4_233_547_282_702_926_392);
    assert_eq!(print(user_key("f")), 5_539_669_055_444_892_933);
}

struct Ordered([(&'static str, Untyped); 2]);
impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[test]
fn the_first_error_is_kept() {
    let mut builder = KeyBuilder::new("f");
    builder.segment(&1);
    builder.segment(&vec![Refuses("no")]);
    builder.segment(&Refuses("never"));
    let error = builder.finish().unwrap_err();
    assert_eq!(error.to_string(), "no");
    assert_eq!(KeyError::custom("é".repeat(200)).to_string(), "é".repeat(60));
}

#[test]
fn nothing_panics() {
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Err(std::fmt::Error)
        }
    }
    let mut builder = KeyBuilder::new("f");
    builder.segment(&Shown(&Broken));
    assert!(builder.finish().is_err());
    assert_eq!(KeyError::custom(Broken).to_string(), " (cut short)");

    #[derive(Serialize)]
    struct Deep(Option<Box<Deep>>);
    let mut deep = Deep(None);
    for _ in 0..1000 {
        deep = Deep(Some(Box::new(deep)));
    }
    let mut builder = KeyBuilder::new("f");
    builder.segment(&deep);
    assert!(builder.finish().is_err());

    // A map that breaks serde's contract.
    struct Lopsided;
    impl Serialize for Lopsided {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            let mut map = s.serialize_map(None)?;
            map.serialize_value(&1)?;
            map.serialize_key(&2)?;
            map.serialize_key(&3)?;
            map.end()
        }
    }
    let mut builder = KeyBuilder::new("f");
    builder.segment(&Lopsided);
    drop(builder.finish());
}
