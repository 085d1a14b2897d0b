//! The functions that were called: one for both statics of an attribute, and one for a segment.
//!
//! What both statics say of an instantiation is the same. Where a macro writes an attribute twice at
//! one position, in two blocks, two statics of one side say so too: the second is another function.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Attribute, Function, Side, Site};

#[derive(Default)]
struct Registry {
    known: HashMap<Identity, Vec<Known>>,
    /// Whose a segment is: of who asked first. An explicit `name` is shared on purpose and does not ask.
    owners: HashMap<String, Owner>,
}

/// What both statics of an attribute say of one instantiation.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    /// As a segment, its generics included.
    path: String,
    attribute: Attribute,
    data: TypeId,
}

struct Known {
    function: &'static Function,
    statics: Statics,
}

struct Owner {
    attribute: Attribute,
    data: TypeId,
    statics: Statics,
}

/// The addresses of the function's static, and of the one beside it, as far as they have asked.
#[derive(Clone, Copy, Default)]
struct Statics([Option<usize>; 2]);

impl Statics {
    fn of(site: &Site) -> Self {
        let mut statics = Self::default();
        *statics.side(site) = Some(address(site));
        statics
    }

    fn side(&mut self, site: &Site) -> &mut Option<usize> {
        &mut self.0[usize::from(site.side != Side::Function)]
    }

    /// Whether `site` is one of them; one that has not asked yet is.
    fn include(&mut self, site: &Site) -> bool {
        *self.side(site).get_or_insert(address(site)) == address(site)
    }
}

fn address(site: &Site) -> usize {
    std::ptr::from_ref(site).addr()
}

/// The function that `site` stands for, which may be known from the other side; else it is made, given
/// whether its segment is another's. Whether it was made.
pub(super) fn find_or_make(
    site: &'static Site,
    path: String,
    data: TypeId,
    segment: &str,
    make: impl FnOnce(bool) -> Function,
) -> (&'static Function, bool) {
    static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let Registry { known, owners } = registry.get_or_insert_default();
    let attribute = site.attribute;
    let known = known.entry(Identity { path, attribute, data }).or_default();
    for known in known.iter_mut() {
        let unasked = known.statics.side(site);
        if unasked.is_none() {
            *unasked = Some(address(site));
            return (known.function, false);
        }
    }
    let owner = || Owner { attribute, data, statics: Statics::of(site) };
    let name_taken = attribute.name.is_none() && {
        let owner = owners.entry(segment.to_owned()).or_insert_with(owner);
        (owner.attribute, owner.data) != (attribute, data) || !owner.statics.include(site)
    };
    let function: &'static Function = Box::leak(Box::new(make(name_taken)));
    known.push(Known { function, statics: Statics::of(site) });
    (function, true)
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;

    const fn site(position: &'static str, side: Side) -> Site {
        Site::new(None, "id: u64", position, side)
    }

    fn function(site: &'static Site, path: &'static str) -> &'static Function {
        site.function::<u64>(&Place { here: path, path }, &[])
    }

    #[test]
    fn both_statics_of_an_attribute_stand_for_one_function_whoever_asks_first() {
        static CALL: Site = site("a.rs:1:1", Side::Function);
        static VERBS: Site = site("a.rs:1:1", Side::Companion);
        static METHOD: Site = site("a.rs:9:1", Side::Function);
        static HANDLE: Site = site("a.rs:9:1", Side::Handle);
        let verbs = function(&VERBS, "registry::price::__site::here");
        assert!(std::ptr::eq(function(&CALL, "registry::price::{{closure}}::here"), verbs));
        assert_eq!(verbs.segment, "registry.price");
        let method = function(&METHOD, "registry::Shop::find::{{closure}}");
        assert!(std::ptr::eq(function(&HANDLE, "registry::Shop::find_cache::{{closure}}"), method));
        assert!(!method.name_taken && !verbs.name_taken);
        for (one, other) in [(&CALL, &VERBS), (&METHOD, &HANDLE)] {
            assert!(one.is_beside(other) && other.is_beside(one));
        }
        assert!(!CALL.is_beside(&METHOD));
    }

    #[test]
    fn two_functions_that_come_out_alike_are_two_and_the_second_is_refused() {
        static FIRST: Site = site("b.rs:1:1", Side::Function);
        static SECOND: Site = site("b.rs:1:1", Side::Function);
        static ELSEWHERE: Site = site("b.rs:7:1", Side::Function);
        static VERBS: Site = site("b.rs:7:1", Side::Companion);
        let path = "registry::block::here";
        let first = function(&FIRST, path);
        assert!(!first.name_taken);
        for other in [&SECOND, &ELSEWHERE] {
            let other = function(other, path);
            assert!(!std::ptr::eq(first, other) && other.name_taken);
        }
        let verbs = function(&VERBS, "registry::block::__site::here");
        assert!(std::ptr::eq(verbs, function(&ELSEWHERE, path)), "refused as well");
        assert!(std::ptr::eq(first, function(&FIRST, path)), "as it was");
    }
}
