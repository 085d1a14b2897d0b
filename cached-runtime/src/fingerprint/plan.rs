//! What the runs of a trace have learnt so far, and what the next one tries.
//!
//! A visitor is used up by one answer, so a wrong answer costs a new run over
//! the whole type. Every run changes at most one answer that failed; what is
//! learnt only ever grows (a candidate is ruled out, a place avoided, a
//! variant done), so the runs come to an end by themselves.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{Error, Fact};

/// Nesting of places beyond which a type is not followed.
const MAX_DEPTH: usize = 32;

/// Upper limit of the places visited in all runs together, against types
/// whose parts multiply.
const MAX_STEPS: usize = 100_000;

/// Where a whole type's description begins.
pub(super) const ROOT: &str = "$";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Something was learnt that another run can use.
    Again,
    /// The type has been built, and there is nothing left to try.
    Complete,
    /// The type cannot be built, and there is nothing left to try.
    GivenUp,
}

/// A leaf that has taken its dummy, and might be why its owner fails.
struct Leaf {
    path: String,
    next: usize,
    count: usize,
}

/// A map that was taken by a type that takes anything. Such a type looks into
/// it afterwards, so its complaints come when the map has been left.
struct Buffer {
    path: String,
    /// Place of the variant the map is tagged with.
    variant: Option<String>,
}

/// The choice of a variant that decides what the fields after it hold.
pub(super) struct Tag {
    /// Name of the enum.
    pub(super) of: &'static str,
    /// Place of the variant.
    pub(super) key: String,
    /// Name of the variant.
    pub(super) variant: &'static str,
}

/// Structs, or variants as `Enum::Variant`, and the fields that they announce.
pub(crate) type Announced = Vec<(String, Vec<&'static str>)>;

#[derive(Default)]
pub(super) struct Plan {
    /// Place → all that was announced there.
    notes: BTreeMap<String, BTreeSet<String>>,
    /// (visitor, announcement) → the name its contents are described under.
    containers: BTreeMap<(&'static str, String), String>,
    /// Contents that cannot be built, to be left out.
    avoid: BTreeSet<String>,
    /// Variants that have been traced with all their contents.
    pub(super) done: BTreeSet<String>,
    /// Visitor → its first dummy not yet refused by itself.
    refused: BTreeMap<(&'static str, &'static str), usize>,
    /// Place → its first dummy not yet refused by what owns it.
    blamed: BTreeMap<String, usize>,
    /// Maps that turned out to have known keys, and those.
    wanted: BTreeMap<String, Vec<&'static str>>,
    /// Identifiers that turned out to be tags, and their variants.
    tags: BTreeMap<String, &'static [&'static str]>,
    /// Structs that are visited as sequences only.
    pub(super) sequences: BTreeSet<String>,
    /// Where the fields of a struct are described → the struct and those that it announces.
    structs: BTreeMap<String, (String, &'static [&'static str])>,
    /// Entries whose name is a second one of a field.
    aliases: BTreeSet<String>,
    /// Some part could not be traced.
    incomplete: bool,
    steps: usize,

    // Of the current run:
    /// A failure has been answered: the rest of the run is of no interest.
    handled: bool,
    /// Something has been learnt.
    progress: bool,
    /// No leaf is to be blamed for the failure under way.
    blameless: bool,
    /// The failure under way is a type met inside itself.
    recursion: bool,
    /// How often an enum was left with variants still to do.
    pub(super) pending: usize,
    last_leaf: Option<Leaf>,
    pub(super) tag: Option<Tag>,
    buffer: Option<Buffer>,
    /// The containers and variants we are in.
    stack: Vec<String>,
    /// The types of the parts we are in.
    parts: Vec<&'static str>,
}

impl Plan {
    /// Lets `body` trace the type once.
    pub(super) fn run(
        &mut self,
        whole: &'static str,
        body: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Outcome {
        self.handled = false;
        self.progress = false;
        self.blameless = false;
        self.recursion = false;
        self.pending = 0;
        self.last_leaf = None;
        self.tag = None;
        self.buffer = None;
        let result = self.frame(ROOT, false, whole, body);
        if self.steps >= MAX_STEPS {
            Outcome::GivenUp
        } else if self.handled || self.progress {
            Outcome::Again
        } else if result.is_ok() {
            Outcome::Complete
        } else {
            Outcome::GivenUp
        }
    }

    /// The notes, in order, as text.
    pub(super) fn into_description(mut self, whole: &'static str, last: Outcome) -> String {
        if last != Outcome::Complete {
            self.untraced(ROOT, whole);
        }
        let mut text = String::new();
        for (path, notes) in &self.notes {
            text.push_str(path);
            text.push(':');
            for note in notes {
                text.push(' ');
                text.push_str(note);
            }
            text.push('\n');
        }
        if self.incomplete {
            text.push_str(whole);
        }
        text
    }

    /// Notes a struct, or a variant that is one, whose fields are described there.
    pub(super) fn structure(
        &mut self,
        path: &str,
        name: impl Into<String>,
        fields: &'static [&'static str],
    ) {
        self.structs.entry(path.to_owned()).or_insert_with(|| (name.into(), fields));
    }

    /// From the next run on, goes without this entry, whose field has another name as well.
    pub(super) fn is_alias(&mut self, entry: &str) {
        self.aliases.insert(entry.to_owned());
        self.leave_out(entry);
    }

    /// The structs that were met, with the fields that they announce; none where the trace did not
    /// come to an end, since an alias may be taken for a field.
    pub(super) fn into_fields(self, last: Outcome) -> Announced {
        if last != Outcome::Complete {
            return Announced::new();
        }
        let Self { structs, aliases, .. } = self;
        let fields = |(path, (name, fields)): (String, (String, &'static [&'static str]))| {
            let is_field = |field: &&&str| !aliases.contains(&format!("{path}.{field}"));
            (name, fields.iter().filter(is_field).copied().collect())
        };
        structs.into_iter().map(fields).collect()
    }

    /// Traces one part of the type, and decides what to change if that fails:
    /// the dummy of the last leaf in it, else, where a part may be left out,
    /// that it is left out from now on.
    pub(super) fn frame<R>(
        &mut self,
        path: &str,
        may_be_left_out: bool,
        part: &'static str,
        body: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let (parts, stack) = (self.parts.len(), self.stack.len());
        let outer = (self.last_leaf.take(), self.buffer.take());
        let result = if parts >= MAX_DEPTH {
            self.blameless = true;
            Err(Error::default())
        } else {
            self.parts.push(part);
            let result = catch_unwind(AssertUnwindSafe(|| body(self)));
            result.unwrap_or_else(|payload| {
                drop_quietly(payload);
                self.blameless = true;
                Err(Error::default())
            })
        };
        self.parts.truncate(parts);
        self.stack.truncate(stack);
        match &result {
            Err(error) => self.failed(path, may_be_left_out, part, error.fact),
            Ok(_) if self.handled => {}
            Ok(_) => {
                if let Some(variant) = self.buffer.take().and_then(|buffer| buffer.variant) {
                    self.set_done(variant);
                }
            }
        }
        self.last_leaf = self.last_leaf.take().or(outer.0);
        self.buffer = outer.1;
        result
    }

    fn failed(
        &mut self,
        path: &str,
        may_be_left_out: bool,
        part: &'static str,
        fact: Option<Fact>,
    ) {
        if self.handled {
            return;
        }
        if let Some(fact) = fact {
            self.note(path, fact.to_note());
        }
        let buffer = self.buffer.take();
        let missing = match fact {
            Some(Fact::Missing(key)) => Some(key),
            _ => None,
        };
        if let (Some(key), Some(buffer)) = (missing, &buffer) {
            self.want(&buffer.path, &[key]);
        }
        let blameless = self.blameless || (missing.is_some() && buffer.is_none());
        let tagged = buffer.and_then(|Buffer { path, variant }| Some((path, variant?)));
        if !self.handled
            && !blameless
            && let Some(leaf) = &self.last_leaf
            && leaf.next < leaf.count
            && tagged.as_ref().is_none_or(|(map, _)| *map != leaf.path)
        {
            self.blamed.insert(leaf.path.clone(), leaf.next);
            self.handled = true;
        }
        if !self.handled
            && let Some((_, variant)) = tagged
        {
            self.leave_out(&variant);
            self.set_done(variant);
        }
        if !self.handled && may_be_left_out {
            self.leave_out(path);
            if !self.recursion {
                self.untraced(path, part);
            }
        }
    }

    /// One step of the trace; an error when there have been too many.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(self.impossible());
        }
        Ok(())
    }

    pub(super) fn note(&mut self, path: &str, note: impl Into<String>) {
        self.notes.entry(path.to_owned()).or_default().insert(note.into());
    }

    /// Notes that serde announces nothing of this part.
    pub(super) fn untraced(&mut self, path: &str, part: &'static str) {
        self.incomplete = true;
        // The names of serde's own buffers change with its version.
        if part.contains("::private::") {
            self.note(path, "untraced");
        } else {
            self.note(path, format!("untraced<{part}>"));
        }
    }

    /// As [`untraced`](Self::untraced), for the part we are in.
    pub(super) fn untraced_here(&mut self, path: &str) {
        let part = self.parts.last().copied().unwrap_or_default();
        self.untraced(path, part);
    }

    /// A failure that another dummy would not mend.
    pub(super) fn impossible(&mut self) -> Error {
        self.blameless = true;
        Error::default()
    }

    pub(super) fn is_avoided(&self, path: &str) -> bool {
        self.avoid.contains(path)
    }

    /// From the next run on, goes without this part.
    pub(super) fn leave_out(&mut self, path: &str) {
        if self.avoid.insert(path.to_owned()) {
            self.handled = true;
        }
    }

    /// Whether this run's failure has been answered. If not, the caller does
    /// so with what it changes next.
    pub(super) fn is_handled(&self) -> bool {
        self.handled
    }

    pub(super) fn set_handled(&mut self) {
        self.handled = true;
    }

    pub(super) fn set_done(&mut self, key: String) {
        if self.done.insert(key) {
            self.progress = true;
        }
    }

    /// Meets a named type at `path`: where its contents are described, and
    /// whether we are inside it already.
    pub(super) fn container(
        &mut self,
        path: &str,
        visitor: &'static str,
        name: &str,
        announced: &str,
    ) -> (String, bool) {
        let known = (visitor, announced.to_owned());
        let id = match self.containers.get(&known) {
            Some(id) => id.clone(),
            None => {
                // Two types may have one name; they are told apart by the
                // order in which they were met, which is always the same.
                let mut id = name.to_owned();
                let mut n = 1;
                while self.containers.values().any(|taken| *taken == id) {
                    n += 1;
                    id = format!("{name}#{n}");
                }
                self.containers.insert(known, id.clone());
                self.note(&id, announced);
                id
            }
        };
        self.note(path, format!("={id}"));
        let recursive = self.is_inside(&id);
        (id, recursive)
    }

    pub(super) fn is_inside(&self, id: &str) -> bool {
        self.stack.iter().any(|outer| outer == id)
    }

    pub(super) fn enter(&mut self, id: &str) {
        self.stack.push(id.to_owned());
    }

    pub(super) fn leave(&mut self) {
        self.stack.pop();
    }

    /// A type inside itself: ends the nearest part that can be left out.
    pub(super) fn recursive(&mut self) -> Error {
        self.recursion = true;
        self.impossible()
    }

    /// Number of the dummy for this leaf.
    pub(super) fn candidate(&self, path: &str, visitor: &'static str, kind: &'static str) -> usize {
        let refused = self.refused.get(&(visitor, kind)).copied().unwrap_or(0);
        let blamed = self.blamed.get(path).copied().unwrap_or(0);
        refused.max(blamed)
    }

    pub(super) fn accepted(&mut self, path: &str, kind: &str, candidate: usize, count: usize) {
        if candidate > 0 {
            self.note(path, format!("{kind}/{candidate}"));
        }
        // What was put into a buffer is looked at after the buffer itself.
        if let (Some(leaf), Some(buffer)) = (&self.last_leaf, &self.buffer)
            && buffer.path == path
            && leaf.path.starts_with(path)
            && leaf.next < leaf.count
        {
            return;
        }
        self.last_leaf = Some(Leaf { path: path.to_owned(), next: candidate + 1, count });
    }

    /// A map has been taken by a type that takes anything.
    pub(super) fn buffered(&mut self, path: &str, variant: Option<String>) {
        self.buffer = Some(Buffer { path: path.to_owned(), variant });
    }

    pub(super) fn refused(
        &mut self,
        visitor: &'static str,
        kind: &'static str,
        candidate: usize,
        count: usize,
    ) {
        if self.handled {
            return;
        }
        if candidate + 1 < count {
            self.refused.insert((visitor, kind), candidate + 1);
            self.handled = true;
        } else {
            self.blameless = true;
        }
    }

    /// The keys a map is known to want.
    pub(super) fn wanted(&self, path: &str) -> Vec<&'static str> {
        self.wanted.get(path).cloned().unwrap_or_default()
    }

    pub(super) fn want(&mut self, path: &str, keys: &[&'static str]) {
        let wanted = self.wanted.entry(path.to_owned()).or_default();
        for key in keys {
            if !wanted.contains(key) {
                wanted.push(key);
                self.handled = true;
            }
        }
    }

    pub(super) fn tag_variants(&self, path: &str) -> Option<&'static [&'static str]> {
        self.tags.get(path).copied()
    }

    pub(super) fn learn_tag(&mut self, path: &str, variants: &'static [&'static str]) {
        self.tags.insert(path.to_owned(), variants);
        self.note(path, format!("tag[{}]", variants.join(",")));
        self.handled = true;
    }
}

/// Forgets a panic's payload, whose own drop might panic again.
fn drop_quietly(payload: Box<dyn Any + Send>) {
    if payload.is::<&str>() || payload.is::<String>() {
        drop(payload);
    } else {
        std::mem::forget(payload);
    }
}
