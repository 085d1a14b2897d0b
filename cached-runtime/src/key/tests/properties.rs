//! What holds for all values: different ones encode differently, and nothing
//! that means something to a store or a pattern gets into a key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;

use super::super::{KeyBuilder, function_segment};
use super::{enc, key};

/// Strings of the parts an encoding is made of, the likeliest to collide.
fn tricky() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "", ":", "%", "%3A", "'", "''", "(", ")", ",", "=", "~", "None", "Some(", "Some", "true",
        "NaN", "inf", "1", "-", ".", "0", "e", "a", "b", " ", "*", "é", "()", "\u{0}", "日",
    ]);
    prop_oneof![
        4 => vec(part, 0..4).prop_map(|parts| parts.concat()),
        1 => any::<String>(),
    ]
}

#[derive(Clone, Debug, PartialEq, Serialize)]
enum Tree {
    None,
    Leaf(String),
    Some(Box<Tree>),
    Pair(Box<Tree>, Option<String>),
    Node { kids: Vec<Tree>, tag: Option<Option<i8>> },
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![Just(Tree::None), tricky().prop_map(Tree::Leaf)];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|t| Tree::Some(Box::new(t))),
            (inner.clone(), prop::option::of(tricky()))
                .prop_map(|(t, s)| Tree::Pair(Box::new(t), s)),
            (vec(inner, 0..3), prop::option::of(prop::option::of(-2_i8..2)))
                .prop_map(|(kids, tag)| Tree::Node { kids, tag }),
        ]
    })
}

/// As an untyped value is: what tells numbers, strings and the rest apart is
/// in the text alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Untyped {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Untyped>),
    Map(BTreeMap<String, Untyped>),
}

fn untyped() -> impl Strategy<Value = Untyped> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Untyped::Bool),
        (-2_i64..12).prop_map(Untyped::Int),
        prop::sample::select(vec![0.0, 1.0, -1.5, 1e20, f64::INFINITY]).prop_map(Untyped::Float),
        tricky().prop_map(Untyped::Text),
        any::<f64>().prop_map(|f| Untyped::Text(format!("{f:?}"))),
        any::<i64>().prop_map(|i| Untyped::Text(i.to_string())),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Untyped::List),
            prop::collection::btree_map(tricky(), inner, 0..3).prop_map(Untyped::Map),
        ]
    })
}

/// Checks every pair: equal values read alike, and no others do.
fn injective<T: Serialize + PartialEq + Debug>(values: &[T]) -> Result<(), TestCaseError> {
    let keys: Vec<_> = values.iter().map(key).collect();
    for (a, left) in values.iter().zip(&keys) {
        clean(left.as_str())?;
        prop_assert_eq!(left.as_str().matches(':').count(), 1);
        for (b, right) in values.iter().zip(&keys) {
            prop_assert_eq!(a == b, left.as_str() == right.as_str(), "{:?} {:?}", a, b);
            prop_assert_eq!(a == b, left == right);
        }
    }
    Ok(())
}

fn clean(text: &str) -> Result<(), TestCaseError> {
    let bad = |c: char| "*?[]{}\\^\"".contains(c) || c.is_whitespace() || c.is_control();
    prop_assert!(!text.contains(bad), "{}", text);
    Ok(())
}

fn shuffled<T: Clone>(items: &[T], rotation: usize) -> Vec<T> {
    let mut items = items.to_vec();
    let middle = rotation % items.len().max(1);
    items.rotate_left(middle);
    items.reverse();
    items
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn strings(values in vec(tricky(), 2..12)) {
        injective(&values)?;
    }

    #[test]
    fn tuples_of_strings(values in vec((tricky(), tricky()), 2..12)) {
        injective(&values)?;
        let text = |(a, b): &(String, String)| {
            let mut builder = KeyBuilder::new("f");
            builder.segment(a);
            builder.segment(b);
            builder.finish().unwrap().to_string()
        };
        for a in &values {
            prop_assert_eq!(text(a).matches(':').count(), 2);
            for b in &values {
                prop_assert_eq!(a == b, text(a) == text(b));
            }
        }
    }

    #[test]
    fn options(values in vec(prop::option::of(prop::option::of(tricky())), 2..12)) {
        injective(&values)?;
    }

    #[test]
    fn options_of_numbers(values in vec(prop::option::of(prop::option::of(0_u8..3)), 2..12)) {
        injective(&values)?;
    }

    #[test]
    fn lists(values in vec(vec(tricky(), 0..4), 2..12)) {
        injective(&values)?;
    }

    #[test]
    fn enums(values in vec(prop::option::of(tree()), 2..10)) {
        injective(&values)?;
    }

    #[test]
    fn untyped_values(values in vec(untyped(), 2..10)) {
        injective(&values)?;
    }

    #[test]
    fn chars(values in vec(any::<char>(), 2..12)) {
        injective(&values)?;
    }

    #[test]
    fn floats(a in any::<u64>(), flip in 0_u32..64) {
        let (x, y) = (f64::from_bits(a), f64::from_bits(a ^ (1 << flip)));
        prop_assume!(!x.is_nan() && !y.is_nan());
        prop_assert_ne!(enc(&x), enc(&y));
        prop_assert_eq!(enc(&x).parse::<f64>().unwrap().to_bits(), a);
    }

    #[test]
    fn order_means_nothing_in_maps_and_sets(
        entries in prop::collection::btree_map(tricky(), untyped(), 0..8),
        rotation in any::<usize>(),
    ) {
        let entries: Vec<_> = entries.into_iter().collect();
        let one: HashMap<_, _> = entries.iter().cloned().collect();
        let other: HashMap<_, _> = shuffled(&entries, rotation).into_iter().collect();
        prop_assert_eq!(key(&one), key(&other));

        let names: Vec<_> = entries.into_iter().map(|(name, _)| Some(vec![name])).collect();
        let one: HashSet<_> = names.iter().cloned().collect();
        let other: HashSet<_> = shuffled(&names, rotation).into_iter().collect();
        prop_assert_eq!(key(&vec![Some(&one)]), key(&vec![Some(&other)]));
    }

    #[test]
    fn sets(values in vec(prop::collection::hash_set(tricky(), 0..4), 2..8)) {
        injective(&values)?;
    }

    #[test]
    fn long_ones_are_short(a in ".{97,200}", b in ".{97,200}") {
        let (x, y) = (enc(&a), enc(&b));
        prop_assert!(x.len() <= 32 + 1 + 48);
        prop_assert_eq!(a == b, x == y);
        clean(&x)?;
        let (head, _) = x.split_once('~').unwrap();
        let bytes = head.as_bytes();
        for (at, _) in head.match_indices('%') {
            prop_assert!(bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)));
        }
    }

    #[test]
    fn function_segments_are_clean(path in ".{0,40}", nested in "[a-z:<>\\[\\]'_, ]{0,20}", arg in any::<String>()) {
        let segment = function_segment(&format!("{path}{nested}"), "", &[&arg]);
        clean(&segment)?;
        prop_assert!(!segment.contains([':', '\'']));
    }
}
