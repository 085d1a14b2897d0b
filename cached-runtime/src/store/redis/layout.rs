//! The names of keys on the server.
//!
//! ```text
//! {namespace}:{key}     an entry
//! {namespace}#r:{key}   a lease beside an entry, while its value may still be served
//! {namespace}#t:{tag}   a tag's version
//! {namespace}#w:{key}   the channel on which those who wait for an entry are woken
//! {namespace}#l         a channel without messages, for the link that tells of changes
//! ```
//!
//! No namespace has a `#` in it, and no pattern of a user's reaches beyond `{namespace}:`, so that
//! bookkeeping is never taken for an entry, nor swept or counted as one.
//!
//! In a cluster, an entry and its tags must be in one slot for one command to see both. What has
//! tags is therefore spread over stripes: `{s07}` stands before the name, 0 to 15 by the key's
//! hash, each stripe with its own copy of each tag's version, and to invalidate a tag is one
//! deletion a stripe. One server needs no stripes and has none in its names.

use crc16::{State, XMODEM};
use redis::{RedisWrite, ToRedisArgs};
use xxhash_rust::xxh3::xxh3_64;

/// How many stripes a cluster's tagged entries are spread over.
pub(super) const CLUSTER_STRIPES: u8 = 16;

/// `{s07}`
const STRIPE_LEN: usize = 5;
/// Into so many slots a cluster's keys are divided.
pub(super) const SLOTS: u16 = 16_384;

/// How a namespace's keys are named.
pub(super) struct Layout {
    namespace: String,
    /// 1 on a single server.
    stripes: u8,
}

#[derive(Clone, Copy)]
enum Kind {
    Entry,
    Beside,
    Tag,
    Waiters,
}

impl Kind {
    /// What stands between the namespace and the key.
    fn mark(self) -> &'static str {
        match self {
            Self::Entry => ":",
            Self::Beside => "#r:",
            Self::Tag => "#t:",
            Self::Waiters => "#w:",
        }
    }
}

/// A key in full, written into a command without a string of its own.
#[derive(Clone, Copy)]
pub(super) struct FullKey<'a> {
    stripe: Option<u8>,
    namespace: &'a str,
    kind: Kind,
    key: &'a str,
}

/// What a name on the server stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    Entry(&'a str),
    Tag(&'a str),
}

impl Layout {
    pub(super) fn new(namespace: &str, stripes: u8) -> Self {
        Self { namespace: namespace.to_owned(), stripes }
    }

    pub(super) fn namespace_len(&self) -> usize {
        self.namespace.len()
    }

    /// An entry's key.
    pub(super) fn entry<'a>(&'a self, key: &'a str, tagged: bool) -> FullKey<'a> {
        self.full(Kind::Entry, key, tagged.then(|| self.stripe(key)).flatten())
    }

    /// Every key under which an entry can stand: whether it has tags is not told by its name.
    pub(super) fn entries<'a>(&'a self, key: &'a str) -> impl Iterator<Item = FullKey<'a>> {
        let striped = self.stripe(key).map(|_| self.entry(key, true));
        std::iter::once(self.entry(key, false)).chain(striped)
    }

    /// The lease beside an entry. Never in one command with it.
    pub(super) fn beside<'a>(&'a self, key: &'a str) -> FullKey<'a> {
        self.full(Kind::Beside, key, None)
    }

    /// A tag's version, as the entry under `key` has it.
    pub(super) fn tag_of<'a>(&'a self, key: &str, tag: &'a str) -> FullKey<'a> {
        self.full(Kind::Tag, tag, self.stripe(key))
    }

    /// All copies of a tag's version.
    pub(super) fn tags<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = FullKey<'a>> {
        let striped = self.is_striped();
        (0..self.stripes).map(move |stripe| self.full(Kind::Tag, tag, striped.then_some(stripe)))
    }

    /// The channel of those who wait for an entry.
    pub(super) fn waiters<'a>(&'a self, key: &'a str) -> FullKey<'a> {
        self.full(Kind::Waiters, key, None)
    }

    /// What the names of entries and of tags begin with, for the link that tells of changes.
    pub(super) fn prefixes(&self) -> Vec<Vec<u8>> {
        let entries = self.full(Kind::Entry, "", None);
        let striped = (0..self.stripes).filter(|_| self.is_striped());
        let striped = striped.map(|stripe| self.full(Kind::Entry, "", Some(stripe)));
        let names = std::iter::once(entries).chain(striped).chain(self.tags(""));
        names.map(FullKey::to_bytes).collect()
    }

    /// The channel that this link subscribes to.
    pub(super) fn quiet_channel(&self) -> String {
        format!("{}#l", self.namespace)
    }

    /// Whose name this is; `None` where it is neither an entry's nor a tag's.
    pub(super) fn named<'a>(&self, full: &'a [u8]) -> Option<Named<'a>> {
        // A key that is no text is none of ours.
        let full = std::str::from_utf8(full).ok()?;
        let rest = if self.is_striped() && full.starts_with("{s") {
            full.get(STRIPE_LEN..)?
        } else {
            full
        };
        let rest = rest.strip_prefix(self.namespace.as_str())?;
        let tag = || rest.strip_prefix(Kind::Tag.mark()).map(Named::Tag);
        rest.strip_prefix(Kind::Entry.mark()).map(Named::Entry).or_else(tag)
    }

    /// The patterns that find every entry whose key matches one.
    pub(super) fn patterns(&self, pattern: &str) -> Vec<Vec<u8>> {
        let plain = self.entry(pattern, false).to_bytes();
        let striped = self.is_striped().then(|| [b"{s[0-9][0-9]}", &plain[..]].concat());
        std::iter::once(plain).chain(striped).collect()
    }

    /// Whether the server is one of a cluster.
    pub(super) fn is_striped(&self) -> bool {
        self.stripes > 1
    }

    /// The channel of those who wait for the entry whose key, or the lease beside it, is this.
    pub(super) fn waiters_of(&self, full: &[u8]) -> Vec<u8> {
        let stripe = if full.starts_with(b"{") { STRIPE_LEN } else { 0 };
        let rest = full.get(stripe + self.namespace.len()..).unwrap_or_default();
        let key = rest.strip_prefix(b":").or_else(|| rest.strip_prefix(b"#r:")).unwrap_or(rest);
        [self.namespace.as_bytes(), b"#w:", key].concat()
    }

    fn full<'a>(&'a self, kind: Kind, key: &'a str, stripe: Option<u8>) -> FullKey<'a> {
        FullKey { stripe, namespace: &self.namespace, kind, key }
    }

    fn stripe(&self, key: &str) -> Option<u8> {
        let stripe = xxh3_64(key.as_bytes()) % u64::from(self.stripes);
        self.is_striped().then(|| u8::try_from(stripe).unwrap_or(0))
    }
}

impl FullKey<'_> {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.write(&mut bytes);
        bytes
    }

    /// In bytes.
    pub(super) fn len(&self) -> usize {
        let stripe = if self.stripe.is_some() { STRIPE_LEN } else { 0 };
        stripe + self.namespace.len() + self.kind.mark().len() + self.key.len()
    }

    /// In which of a cluster's slots it stands: by what is in its first braces, where there is
    /// something (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
    pub(super) fn slot(&self) -> u16 {
        let mut state = State::<XMODEM>::new();
        match (self.stripe, braced(self.key)) {
            (Some(stripe), _) => state.update(format!("s{stripe:02}").as_bytes()),
            (None, Some(braced)) => state.update(braced.as_bytes()),
            (None, None) => {
                for part in [self.namespace, self.kind.mark(), self.key] {
                    state.update(part.as_bytes());
                }
            }
        }
        state.get() % SLOTS
    }

    pub(super) fn write(&self, out: &mut (impl std::io::Write + ?Sized)) {
        // Into memory, which cannot fail.
        if let Some(stripe) = self.stripe {
            let _ = write!(out, "{{s{stripe:02}}}");
        }
        for part in [self.namespace, self.kind.mark(), self.key] {
            let _ = out.write_all(part.as_bytes());
        }
    }
}

/// What is in the first braces. There are none in a namespace, but in keys that were made by hand.
fn braced(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (braced, _) = rest.split_once('}')?;
    (!braced.is_empty()).then_some(braced)
}

impl ToRedisArgs for FullKey<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        self.write(&mut out.writer_for_next_arg());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: FullKey<'_>) -> String {
        String::from_utf8(key.to_bytes()).unwrap()
    }

    #[test]
    fn names_on_one_server_are_plain() {
        let layout = Layout::new("shop", 1);
        assert_eq!(text(layout.entry("f:42", false)), "shop:f:42");
        assert_eq!(text(layout.entry("f:42", true)), "shop:f:42");
        let entries: Vec<_> = layout.entries("f:42").map(text).collect();
        assert_eq!(entries, ["shop:f:42"]);
        assert_eq!(text(layout.beside("f:42")), "shop#r:f:42");
        assert_eq!(text(layout.tag_of("f:42", "users")), "shop#t:users");
        assert_eq!(layout.tags("users").map(text).collect::<Vec<_>>(), ["shop#t:users"]);
        let waiters = layout.waiters("f:42").to_bytes();
        assert_eq!(waiters, b"shop#w:f:42");
        for full in [layout.entry("f:42", false), layout.beside("f:42")] {
            assert_eq!(layout.waiters_of(&full.to_bytes()), waiters);
        }
    }

    /// The first is the specification's own example; the others are what a server says
    /// (`CLUSTER KEYSLOT`).
    #[test]
    fn slots_are_those_of_the_server() {
        let slot = |namespace: &str, key: &str| Layout::new(namespace, 1).entry(key, false).slot();
        let mut state = State::<XMODEM>::new();
        state.update(b"123456789");
        assert_eq!(state.get(), 0x31C3);
        assert_eq!(slot("shop", "f:42"), 189);
        assert_eq!(slot("shop", "{}f:42"), 8_487);
        assert_eq!(slot("shop", "g:{f}{h}"), 3_168);
        let striped = Layout::new("shop", CLUSTER_STRIPES);
        let entry = striped.entry("f:42", true);
        assert_eq!(entry.slot(), striped.tag_of("f:42", "users").slot());
        let seventh = striped.full(Kind::Tag, "users", Some(7));
        assert_eq!(seventh.slot(), 633);
    }

    #[test]
    fn names_are_told_apart() {
        for stripes in [1, CLUSTER_STRIPES] {
            let layout = Layout::new("shop", stripes);
            for tagged in [false, true] {
                let entry = layout.entry("f:{s07}shop#t:1", tagged).to_bytes();
                assert_eq!(layout.named(&entry), Some(Named::Entry("f:{s07}shop#t:1")));
            }
            for tag in layout.tags("users") {
                assert_eq!(layout.named(&tag.to_bytes()), Some(Named::Tag("users")));
            }
            for other in ["shop#r:f:42", "shopping:f", "{s07}other:f", "sho", "{s07", "{s\u{e9}"] {
                assert_eq!(layout.named(other.as_bytes()), None, "{other}");
            }
            let prefixes = layout.prefixes();
            assert_eq!(prefixes.len(), if stripes == 1 { 2 } else { 33 });
            for name in [layout.entry("f", false), layout.entry("f", true), layout.tag_of("f", "t")]
            {
                let name = name.to_bytes();
                assert_eq!(prefixes.iter().filter(|it| name.starts_with(&it[..])).count(), 1);
            }
        }
    }

    #[test]
    fn in_a_cluster_an_entry_and_its_tags_share_a_stripe() {
        let layout = Layout::new("shop", CLUSTER_STRIPES);
        assert_eq!(text(layout.entry("f:42", false)), "shop:f:42");
        let stripe = |text: &str| text[..5].to_owned();
        let mut stripes = std::collections::HashSet::new();
        for id in 0..200 {
            let key = format!("f:{id}");
            let entry = text(layout.entry(&key, true));
            assert_eq!(&entry[5..], format!("shop:{key}"), "{entry}");
            assert_eq!(stripe(&entry), stripe(&text(layout.tag_of(&key, "users"))));
            let entries: Vec<_> = layout.entries(&key).map(text).collect();
            assert_eq!(entries, [format!("shop:{key}"), entry.clone()]);
            let waiters = layout.waiters(&key).to_bytes();
            assert_eq!(layout.waiters_of(entry.as_bytes()), waiters);
            stripes.insert(stripe(&entry));
        }
        assert_eq!(stripes.len(), 16);
        let copies: Vec<_> = layout.tags("users").map(text).collect();
        assert_eq!(copies.len(), 16);
        assert_eq!(copies[0], "{s00}shop#t:users");
        assert!(stripes.iter().all(|stripe| copies.iter().any(|copy| copy.starts_with(stripe))));
    }
}
