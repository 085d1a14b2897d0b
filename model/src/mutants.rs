//! The protocol with one rule dropped. Each mutant must break the promise; the run that does
//! tells what the rule is for.

use crate::redis::{Against, Checks};

/// What is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    /// I1: the body starts before the lease is taken.
    BodyBeforeLease,
    /// I1: the tag's version is captured after the body.
    TagAfterBody,
    /// I2: the commit stores whatever the key holds.
    NoFence,
    /// I2: a commit beside another's value does, for that was seen to be valid.
    BesideUnfenced,
    /// I3: a lookup without an answer is sent again with the same token.
    TokenResent,
    /// I4: callers may join after the commit was sent.
    JoinAfterCommit,
    /// I4: joiners take the result whatever the commit said.
    JoinersTakeAnything,
    /// I5: the commit does not compare the tag.
    NoTagCheck,
    /// A tag's versions are counted and not unique: after a deletion they begin again.
    TagVersionsRepeat,
    /// A control: the lease is a key of its own, and the commit asks whether we still have it.
    SeparateLock,
    /// A control: GET, body, SET, as most caches do it.
    Naive,
}

/// All of them, in the order of the invariants.
pub const MUTANTS: [Mutant; 11] = [
    Mutant::BodyBeforeLease,
    Mutant::TagAfterBody,
    Mutant::NoFence,
    Mutant::BesideUnfenced,
    Mutant::TokenResent,
    Mutant::JoinAfterCommit,
    Mutant::JoinersTakeAnything,
    Mutant::NoTagCheck,
    Mutant::TagVersionsRepeat,
    Mutant::SeparateLock,
    Mutant::Naive,
];

impl Mutant {
    /// Its name on the command line: the invariant's, with a letter where two mutants drop it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BodyBeforeLease => "I1a",
            Self::TagAfterBody => "I1b",
            Self::NoFence => "I2a",
            Self::BesideUnfenced => "I2b",
            Self::TokenResent => "I3",
            Self::JoinAfterCommit => "I4a",
            Self::JoinersTakeAnything => "I4b",
            Self::NoTagCheck => "I5",
            Self::TagVersionsRepeat => "counter",
            Self::SeparateLock => "lock",
            Self::Naive => "naive",
        }
    }

    /// What it does differently.
    pub fn about(self) -> &'static str {
        match self {
            Self::BodyBeforeLease => "the body starts before the lease is taken",
            Self::TagAfterBody => "the tag's version is captured after the body",
            Self::NoFence => "the commit does not compare the fence",
            Self::BesideUnfenced => "a commit beside another's value does not compare the fence",
            Self::TokenResent => "a retry sends the same token again",
            Self::JoinAfterCommit => "callers join after the commit was sent",
            Self::JoinersTakeAnything => "joiners take the result whatever the commit said",
            Self::NoTagCheck => "the commit does not compare the tag",
            Self::TagVersionsRepeat => "a tag's versions begin again after its deletion",
            Self::SeparateLock => "the lease is a key beside the entry",
            Self::Naive => "GET, body, SET",
        }
    }

    /// The small configuration in which it fails; without the mutant the promise holds there.
    pub fn config(self) -> &'static str {
        match self {
            Self::BodyBeforeLease | Self::NoFence | Self::SeparateLock | Self::Naive => "keys",
            Self::BesideUnfenced => "owners",
            Self::TagAfterBody | Self::TagVersionsRepeat => "tag",
            Self::TokenResent => "late",
            Self::JoinAfterCommit | Self::JoinersTakeAnything => "joiners",
            Self::NoTagCheck => "tag-joiners",
        }
    }

    /// What a commit compares, which may be beside another's value.
    pub(crate) fn checks(mutant: Option<Self>, beside: bool) -> Checks {
        Checks {
            fence: match mutant {
                Some(Self::BesideUnfenced) if beside => Against::Nothing,
                Some(Self::NoFence | Self::Naive) => Against::Nothing,
                Some(Self::SeparateLock) => Against::Lock,
                _ => Against::Entry,
            },
            tag: mutant != Some(Self::NoTagCheck),
        }
    }
}

/// By [`Mutant::name`].
impl std::str::FromStr for Mutant {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        MUTANTS.into_iter().find(|mutant| mutant.name().eq_ignore_ascii_case(name)).ok_or(())
    }
}
