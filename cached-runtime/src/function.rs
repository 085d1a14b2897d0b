//! Which function a call belongs to: one [`Site`] per attribute, one [`Function`] per
//! instantiation of it.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use crate::entry::Content;
use crate::equality::Checks;
use crate::fingerprint;
use crate::key::{function_segment, named_segment, tag_of_function};
use crate::size::Sizes;

mod registry;

/// What the attribute knows of a function; a `static` in generated code.
///
/// There is one in the function and one in what stands beside it, for neither can name the other's:
/// what an `impl` allows beside a function differs, and is not known to the attribute.
pub struct Site {
    attribute: Attribute,
    side: Side,
    first: OnceLock<Instance>,
    others: RwLock<Vec<Instance>>,
}

/// What both statics of an attribute say of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Attribute {
    name: Option<&'static str>,
    signature: &'static str,
    /// File, line and column.
    position: &'static str,
}

/// An instantiation as one site knows it.
struct Instance {
    path: &'static str,
    generics: Box<[String]>,
    /// Of the values' type.
    data: TypeId,
    function: &'static Function,
}

/// One function with its generic arguments: what entries and statistics are kept by.
///
/// Made at the first call and kept for good, as the code it stands for is.
pub struct Function {
    site: &'static Site,
    /// The first segment of its keys, which is also its name in statistics.
    pub(crate) segment: String,
    /// Of path (or name), signature and value type.
    pub(crate) fingerprint: u64,
    /// Where its counters stand in each cache.
    pub(crate) index: usize,
    /// Another function of this program came out with the same segment, and was first.
    pub(crate) name_taken: bool,
    /// Of values, and of errors.
    checks: [Checks; 2],
    pub(crate) sizes: Sizes,
    /// The last value was refused: it would not come back as it was.
    barren: AtomicBool,
}

/// Where one of an attribute's statics stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// In the function.
    Function,
    /// In the companion type.
    Companion,
    /// In the function that makes handles, which has the function's name and `_cache`.
    Handle,
}

/// Where a function stands, in the compiler's words.
#[derive(Clone, Copy)]
pub struct Place {
    /// `type_name_of_val` of a nested function: generics around it are placeholders.
    pub here: &'static str,
    /// The same, or where the function may be a method the name of a closure, which spells
    /// out the generics around it.
    pub path: &'static str,
}

/// A site and its place: which attribute, and for which instantiation of what is around it.
#[derive(Clone, Copy)]
pub struct At {
    site: &'static Site,
    pub(crate) place: Place,
}

impl At {
    /// Both together.
    #[must_use]
    pub const fn new(site: &'static Site, place: Place) -> Self {
        Self { site, place }
    }

    /// The site.
    #[must_use]
    #[inline]
    pub const fn site(&self) -> &'static Site {
        self.site
    }
}

impl Site {
    /// `signature` holds the types (or the template) that make the key, `position` where the
    /// attribute stands.
    #[must_use]
    pub const fn new(
        name: Option<&'static str>,
        signature: &'static str,
        position: &'static str,
        side: Side,
    ) -> Self {
        let first = OnceLock::new();
        let others = RwLock::new(Vec::new());
        Self { attribute: Attribute { name, signature, position }, side, first, others }
    }

    /// Whether both are statics of one attribute.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.attribute == other.attribute
    }

    /// The instantiation at `place` with these generic arguments,
    /// whose values are of type `D`.
    pub fn function<D: DeserializeOwned>(
        &'static self,
        place: &Place,
        generics: &[Cow<'static, str>],
    ) -> &'static Function {
        let first = self.first.get_or_init(|| self.register::<D>(place, generics));
        if first.is::<D>(place.path, generics) {
            return first.function;
        }
        if let Some(known) = self.known_among_others::<D>(place.path, generics) {
            return known;
        }
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.iter().find(|other| other.is::<D>(place.path, generics)) {
            return known.function;
        }
        let instance = self.register::<D>(place, generics);
        let function = instance.function;
        others.push(instance);
        function
    }

    /// The instantiation at `place`, if it was called before.
    #[inline]
    pub(crate) fn known<D>(
        &'static self,
        place: &Place,
        generics: &[Cow<'static, str>],
    ) -> Option<&'static Function> {
        let first = self.first.get()?;
        if first.is::<D>(place.path, generics) {
            return Some(first.function);
        }
        self.known_among_others::<D>(place.path, generics)
    }

    #[cold]
    fn known_among_others<D>(
        &'static self,
        path: &'static str,
        generics: &[Cow<'static, str>],
    ) -> Option<&'static Function> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let known = others.iter().find(|other| other.is::<D>(path, generics));
        known.map(|known| known.function)
    }

    fn register<D: DeserializeOwned>(
        &'static self,
        place: &Place,
        generics: &[Cow<'static, str>],
    ) -> Instance {
        let names: Vec<&str> = generics.iter().map(AsRef::as_ref).collect();
        let suffix = if self.side == Side::Handle { "_cache" } else { "" };
        let path = function_segment(place.path, suffix, &names);
        let segment = match self.attribute.name {
            Some(name) => named_segment(name, place.here, place.path, &names),
            None => path.clone(),
        };
        let identity = format!("{segment}\n{}", self.attribute.signature);
        let fingerprint =
            xxh3_64(identity.as_bytes()).rotate_left(17) ^ fingerprint::of_type::<D>();
        remember(&segment);
        let function = |name_taken| Function {
            site: self,
            segment: segment.clone(),
            fingerprint,
            index: next_index(),
            name_taken,
            checks: Default::default(),
            sizes: Sizes::default(),
            barren: AtomicBool::new(false),
        };
        let data = typeid::of::<D>();
        let (function, is_new) = registry::find_or_make(self, path, data, &segment, function);
        if is_new && function.name_taken {
            tracing::error!(
                function = segment,
                "two functions of this program come out with the same name; this one is not \
                 cached: give it a name of its own with `name = \"…\"`"
            );
        }
        let generics = names.into_iter().map(ToOwned::to_owned).collect();
        Instance { path: place.path, generics, data, function }
    }
}

/// The first segments of keys of functions that were called.
static SEGMENTS: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());
/// Whether keys by hand were used.
static BY_HAND: AtomicBool = AtomicBool::new(false);

fn remember(segment: &str) {
    SEGMENTS.write().unwrap_or_else(PoisonError::into_inner).insert(segment.to_owned());
}

/// Which function's key this text begins with, and what follows: where it is one that was called
/// in this process.
pub(crate) fn of_key(text: &str) -> Option<(&str, &str)> {
    let segments = SEGMENTS.read().unwrap_or_else(PoisonError::into_inner);
    if segments.contains(text) {
        return Some((text, ""));
    }
    let colons = text.match_indices(':');
    let mut split = colons.map(|(at, _)| (&text[..at], &text[at + 1..]));
    split.find(|(segment, _)| segments.contains(*segment))
}

/// Whether this process used keys by hand, which are spelled as anybody likes.
pub(crate) fn some_are_by_hand() -> bool {
    BY_HAND.load(Ordering::Relaxed)
}

/// A number for a function's counters: small, dense, never given twice.
fn next_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Instance {
    /// Names alone do not do: two types, of two blocks or of two versions of a crate, can have the
    /// same.
    #[inline]
    fn is<D>(&self, path: &'static str, generics: &[Cow<'static, str>]) -> bool {
        // The same literal mostly has the same address; the text decides.
        self.data == typeid::of::<D>()
            && (std::ptr::eq(self.path, path) || self.path == path)
            && self.generics.len() == generics.len()
            && self.generics.iter().zip(generics).all(|(known, asked)| known == asked)
    }
}

impl Function {
    /// Whether nothing is gained by waiting for a value of it: it would not be stored.
    pub(crate) fn is_barren(&self) -> bool {
        self.barren.load(Ordering::Relaxed)
    }

    /// Whether a value could be stored.
    pub(crate) fn bears(&self, stored: bool) {
        if self.is_barren() == stored {
            self.barren.store(!stored, Ordering::Relaxed);
        }
    }

    /// When what it stores is checked; values and errors are of different types.
    pub(crate) fn checks(&self, content: Content) -> &Checks {
        &self.checks[usize::from(content == Content::Failure)]
    }

    #[inline]
    pub(crate) fn site(&self) -> &'static Site {
        self.site
    }

    /// The tag that all entries of a function with `invalidate_all` carry.
    pub(crate) fn tag(&self) -> String {
        tag_of_function(&self.segment)
    }

    /// The owner of entries that were given a key by hand (`get_or_load` and its like): one
    /// per value type.
    pub(crate) fn by_hand<D: DeserializeOwned>() -> &'static Self {
        static SITE: Site = Site::new(Some("get_or_load"), "a key by hand", "", Side::Function);
        BY_HAND.store(true, Ordering::Relaxed);
        let path = std::any::type_name::<D>();
        SITE.function::<D>(&Place { here: path, path }, &[])
    }
}
