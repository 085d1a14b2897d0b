//! What is asked of the types of a batch, and said where one falls short.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use serde::Serialize;

use crate::shape::{Kind, ShapeOf};

/// The keys of a batch.
#[diagnostic::on_unimplemented(
    message = "the keys of a `batch` are `Clone + Eq + Hash + Serialize`, which `{Self}` is not",
    label = "cannot be a key of a batch",
    note = "`#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize)]`"
)]
pub trait BatchKey: Clone + Eq + Hash + Serialize {}

#[diagnostic::do_not_recommend]
impl<K: Clone + Eq + Hash + Serialize> BatchKey for K {}

/// What a batch returns: values by key.
#[diagnostic::on_unimplemented(
    message = "a `batch` of `{K}` returns a map of them, not `{Self}`",
    label = "not a map whose keys are `{K}`",
    note = "return `HashMap<{K}, V>`, `BTreeMap<{K}, V>` or another collection of `({K}, V)`, as \
            it is or in a `Result`"
)]
pub trait MapOf<K>: IntoIterator<Item = (K, Self::Of)> + FromIterator<(K, Self::Of)> {
    /// The values.
    type Of;
}

#[diagnostic::do_not_recommend]
impl<K, V, M: IntoIterator<Item = (K, V)> + FromIterator<(K, V)>> MapOf<K> for M {
    type Of = V;
}

/// Shapes that a batch can return: its map alone, or in a `Result`.
#[diagnostic::on_unimplemented(
    message = "a `batch` returns a map, as it is or in a `Result`, but in no `Option` or `Arc`",
    label = "not a map, and no `Result` of one",
    note = "a key that the map does not have is one without a value: return an empty map for none"
)]
pub trait ReturnsMap {}

#[diagnostic::do_not_recommend]
impl ReturnsMap for Kind<0> {}
#[diagnostic::do_not_recommend]
impl ReturnsMap for Kind<2> {}

/// Arguments that each run of a body can have.
#[diagnostic::on_unimplemented(
    message = "the body of a `batch` may run again, so each of its arguments is cloned, which \
               `{Self}` cannot be",
    label = "not `Clone`",
    note = "take a reference (`&T`), an `Arc<T>`, or derive `Clone`"
)]
pub trait Again: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> Again for T {}

/// An argument for one more run of the body.
#[must_use]
pub fn again<T: Again>(argument: &T) -> T {
    argument.clone()
}

/// All that is asked of keys and maps, as functions: so it is asked once, where a batch begins.
pub struct Ways<R: ShapeOf<N>, const N: u8, K, V> {
    pub(super) copied: fn(&K) -> K,
    /// The places of the keys, each once.
    pub(super) once: fn(&[K]) -> Vec<usize>,
    /// The values of these keys, in their order.
    pub(super) split: fn(R::Value, &[&K]) -> Vec<Option<V>>,
    pub(super) joined: fn(Vec<(K, V)>) -> R::Value,
}

impl<R, const N: u8, K: BatchKey, V> Ways<R, N, K, V>
where
    R: ShapeOf<N>,
    R::Value: MapOf<K, Of = V>,
{
    pub(super) const NEW: Self = Self {
        copied: K::clone,
        once: |keys| {
            let mut known = HashSet::with_capacity(keys.len());
            (0..keys.len()).filter(|&at| known.insert(&keys[at])).collect()
        },
        split: |map, keys| {
            let mut values: HashMap<K, V> = map.into_iter().collect();
            keys.iter().map(|key| values.remove(*key)).collect()
        },
        joined: |pairs| pairs.into_iter().collect(),
    };
}
