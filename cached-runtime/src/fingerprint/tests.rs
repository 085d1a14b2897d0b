//! What changes a fingerprint, what does not, and what cannot be traced.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI8, NonZeroU32};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::{describe, of_type};

/// Versions of one type, told apart by their modules, with the name they have
/// in common.
macro_rules! versions {
    ($($version:ident { $($item:item)+ })+) => {$(
        #[allow(dead_code)]
        mod $version {
            use super::*;
            $(#[derive(Deserialize)] $item)+
        }
    )+};
}

versions! {
    v1 {
        pub(super) struct User { id: u32, name: String }
        pub(super) enum Event { Created, Renamed(User), Moved { to: User, from: String } }
    }
    with_default {
        pub(super) struct User { id: u32, name: String, #[serde(default)] age: u8 }
        pub(super) enum Event { Created, Renamed(User), Moved { to: User, from: String } }
    }
    renamed_field {
        pub(super) struct User { id: u32, #[serde(rename = "title")] name: String }
        pub(super) enum Event { Created, Renamed(User), Moved { to: v1::User, from: String } }
    }
    wider_field {
        pub(super) struct User { id: u64, name: String }
        pub(super) enum Event { Created, Renamed(v1::User), Moved { to: User, from: String } }
    }
    optional_field {
        pub(super) struct User { id: u32, name: Option<String> }
        pub(super) enum Event { Created, Renamed(v1::User), Moved { to: v1::User, from: Option<String> } }
    }
    renamed_type {
        pub(super) struct Person { id: u32, name: String }
        pub(super) enum Event { Created, Renamed(v1::User), Moved { to: v1::User, from: String }, Deleted }
    }
    aliased {
        pub(super) struct User { #[serde(alias = "key")] id: u32, name: String }
    }
}

fn differ<A: DeserializeOwned, B: DeserializeOwned>() {
    assert_ne!(of_type::<A>(), of_type::<B>(), "{}\n{}", describe::<A>(), describe::<B>());
}

/// Neither `type_name` nor a part that could not be traced.
fn traced<T: DeserializeOwned>() -> String {
    let text = describe::<T>();
    assert!(!text.contains("untraced"), "{text}");
    assert_eq!(text, describe::<T>());
    text
}

fn untraced<T: DeserializeOwned>() -> String {
    let text = describe::<T>();
    assert!(text.contains("untraced"), "{text}");
    assert!(text.ends_with(std::any::type_name::<T>()), "{text}");
    assert_eq!(text, describe::<T>());
    text
}

#[test]
fn a_description_can_be_read() {
    assert_eq!(
        traced::<Vec<v1::Event>>(),
        "$: seq\n\
         $[]: =Event\n\
         Event: enum Event[Created,Renamed,Moved]\n\
         Event::Created: unit variant\n\
         Event::Moved: struct variant{to,from}\n\
         Event::Moved.from: string\n\
         Event::Moved.to: =User\n\
         Event::Renamed: newtype variant\n\
         Event::Renamed.0: =User\n\
         User: struct User{id,name}\n\
         User.id: u32\n\
         User.name: string\n"
    );
}

#[test]
fn the_description_does_not_know_where_a_type_lives() {
    mod elsewhere {
        #[derive(serde::Deserialize)]
        #[allow(dead_code)]
        pub(super) struct User {
            id: u32,
            name: String,
        }
    }
    assert_eq!(of_type::<v1::User>(), of_type::<elsewhere::User>());
}

#[test]
fn every_change_of_a_struct_shows() {
    differ::<v1::User, with_default::User>();
    differ::<v1::User, renamed_field::User>();
    differ::<v1::User, wider_field::User>();
    differ::<v1::User, optional_field::User>();
    differ::<v1::User, renamed_type::Person>();
    differ::<v1::User, aliased::User>();
    traced::<aliased::User>();
}

#[test]
fn every_change_of_a_part_shows_in_the_whole() {
    type Old = v1::User;
    type New = with_default::User;
    differ::<Vec<Old>, Vec<New>>();
    differ::<Option<Old>, Option<New>>();
    differ::<HashMap<String, Old>, HashMap<String, New>>();
    differ::<BTreeMap<u8, Vec<Option<Old>>>, BTreeMap<u8, Vec<Option<New>>>>();
    differ::<(u8, Old), (u8, New)>();
    differ::<Box<Old>, Box<New>>();
    differ::<[Old; 2], [New; 2]>();
    differ::<Result<u8, Old>, Result<u8, New>>();
    differ::<Result<Old, Old>, Result<Old, New>>();
    differ::<(Old, New), (New, Old)>();
}

#[test]
fn every_variant_is_traced() {
    differ::<v1::Event, with_default::Event>();
    differ::<v1::Event, renamed_field::Event>();
    differ::<v1::Event, wider_field::Event>();
    differ::<v1::Event, optional_field::Event>();
    differ::<v1::Event, renamed_type::Event>();
    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Outer {
        First(v1::Event),
        Second(Option<Vec<v1::Event>>, renamed_type::Event),
    }
    let text = traced::<(Outer, Option<Outer>)>();
    for place in ["Event::Moved.from", "Event#2::Deleted", "Outer::Second.0?[]"] {
        assert!(text.contains(&format!("\n{place}: ")), "{place}\n{text}");
    }
}

#[test]
fn scalars_differ() {
    let all = [
        of_type::<u8>(),
        of_type::<u32>(),
        of_type::<u64>(),
        of_type::<i64>(),
        of_type::<u128>(),
        of_type::<f32>(),
        of_type::<f64>(),
        of_type::<bool>(),
        of_type::<char>(),
        of_type::<String>(),
        of_type::<Option<String>>(),
        of_type::<Vec<String>>(),
        of_type::<()>(),
        of_type::<(u8,)>(),
        of_type::<NonZeroU32>(),
        of_type::<IpAddr>(),
        of_type::<HashMap<String, String>>(),
    ];
    let distinct: std::collections::HashSet<u64> = all.into_iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Node {
    value: NonZeroU32,
    next: Option<Box<Node>>,
    children: Vec<Node>,
    named: HashMap<String, Node>,
    both: Option<(Box<Node>, u8)>,
    kind: Expr,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Expr {
    Sum(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Back(Box<Node>),
    Number(i64),
    Nested { inner: Option<Box<Expr>>, text: char },
}

#[test]
fn recursive_types_come_to_an_end() {
    let text = traced::<Node>();
    for place in [
        "Expr::Sum.1: =Expr",
        "Expr::Back.0: =Node",
        "Expr::Nested.text: char",
        "Node.both?.0: =Node",
        "Node.children[]: =Node",
        "Node.named{value}: =Node",
        "Node.next?: =Node",
    ] {
        assert!(text.contains(&format!("\n{place}\n")), "{place}\n{text}");
    }
    traced::<Expr>();
    traced::<(Expr, Vec<Node>)>();
}

#[test]
fn recursion_without_names_or_end_is_given_up() {
    #[allow(dead_code)]
    struct Nest(Vec<Nest>);
    impl<'de> Deserialize<'de> for Nest {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Vec::deserialize(deserializer).map(Nest)
        }
    }
    assert!(describe::<Nest>().len() < 5000);

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Endless {
        id: u8,
        next: Box<Endless>,
        last: u8,
    }
    let text = untraced::<Endless>();
    assert!(text.contains("Endless.last: u8"), "{text}");
}

#[test]
fn leaves_that_parse_are_traced() {
    traced::<IpAddr>();
    traced::<SocketAddr>();
    traced::<(NonZeroU32, NonZeroI8)>();
    traced::<(Duration, SystemTime)>();
    traced::<PathBuf>();
    traced::<(std::ops::Range<u8>, std::cell::Cell<u8>)>();
    differ::<IpAddr, std::net::Ipv6Addr>();

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Positive {
        #[serde(deserialize_with = "positive")]
        amount: u32,
        after: String,
    }
    fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        match u32::deserialize(deserializer)? {
            0 => Err(D::Error::custom("zero")),
            n => Ok(n),
        }
    }
    let text = traced::<Positive>();
    assert!(text.contains("Positive.after: string"), "{text}");
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
    Named { a: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "type")]
#[allow(dead_code)]
enum Internal {
    Circle { radius: f64 },
    Square { side: f64, name: String },
    Point,
}

#[derive(Deserialize)]
#[serde(tag = "t", content = "c")]
#[allow(dead_code)]
enum Adjacent {
    Circle(f64),
    Shapes(Vec<Adjacent>, v1::Event),
    Square { side: u8 },
    Point,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Flat {
    key: u32,
    #[serde(flatten)]
    user: v1::User,
    #[serde(flatten)]
    rest: HashMap<String, String>,
}

#[test]
fn what_announces_nothing_is_stable() {
    for text in [
        untraced::<serde_json::Value>(),
        untraced::<HashMap<String, serde_json::Value>>(),
        untraced::<Untagged>(),
        untraced::<(Vec<Untagged>, u8)>(),
    ] {
        assert!(!text.is_empty());
    }
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Row {
        extra: serde_json::Value,
        shape: Untagged,
        flat: Flat,
        tagged: Vec<Internal>,
        after: v1::Event,
    }
    let text = untraced::<Row>();
    assert!(text.contains("Row.extra: any untraced<serde_json::value::Value>"), "{text}");
    assert!(text.contains("\nEvent::Moved.to: =User\n"), "{text}");
}

#[test]
fn names_of_tagged_and_flattened_types_are_found() {
    let text = untraced::<Internal>();
    for name in ["tag[Circle,Square,Point]", "missing:radius", "missing:side", "missing:name"] {
        assert!(text.contains(name), "{name}\n{text}");
    }
    let text = untraced::<Flat>();
    for line in ["$.key: u32\n", "\n$.id: any", "\n$.name: any"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let text = untraced::<Adjacent>();
    for line in [
        "Adjacent.c::Circle: f64",
        "Adjacent.c::Shapes.1: =Event",
        "Event::Moved.from: string",
        "Adjacent.c::Square.side: u8",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

struct Never;

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?;
        Err(D::Error::custom("never"))
    }
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        std::panic::panic_any(Box::new(1))
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Around<T> {
    first: T,
    list: Vec<T>,
    #[serde(default = "Option::default")]
    option: Option<T>,
    last: v1::Event,
}

#[test]
fn a_type_that_cannot_be_built_leaves_its_siblings() {
    assert!(untraced::<Never>().starts_with("$: str"));
    assert!(untraced::<Panics>().starts_with("$: untraced<"));
    for text in [untraced::<Around<Never>>(), untraced::<Around<Panics>>()] {
        assert!(text.contains("\nEvent::Moved.to: =User\n"), "{text}");
        assert!(text.contains("struct Around{first,list,option,last}"), "{text}");
    }
}

#[test]
fn types_whose_parts_multiply_come_to_an_end() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Four<T> {
        a: Box<T>,
        b: Box<T>,
        c: Box<T>,
        d: Box<T>,
    }
    type Many = Four<Four<Four<Four<Four<Four<Four<Four<Four<u8>>>>>>>>>;
    assert_eq!(untraced::<Many>(), describe::<Many>());
}

#[test]
fn deep_types_need_little_stack() {
    type Deep<T> = Vec<Option<HashMap<u8, (T,)>>>;
    type Deepest = Deep<Deep<Deep<Deep<Deep<Deep<Deep<Deep<Deep<v1::Event>>>>>>>>>;
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let text = thread.spawn(untraced::<Deepest>).unwrap().join().unwrap();
    assert!(text.len() < 10_000, "{text}");
}
