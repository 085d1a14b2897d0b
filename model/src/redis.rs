//! The server: an entry, its tag, the claim to refresh it, and the commands that the protocol
//! sends. Each function is one command or one script, hence atomic.

use crate::state::{Token, Version};

/// What the server holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Redis {
    /// `K`.
    pub entry: Entry,
    /// `T`: absent, or a unique version.
    pub tag: Option<Token>,
    /// `K:r`: who refreshes. In one mutant, who loads.
    pub claim: Option<Token>,
}

/// What is under `K`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Entry {
    /// Nothing.
    Absent,
    /// `L`: someone loads.
    Lease(Token),
    /// `V`: a value.
    Value(Value),
}

/// A stored value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value {
    /// The write id, which no other write has.
    pub id: Token,
    /// What each owner keeps in it. Redis knows nothing of this: scripts compare the write id.
    pub variants: [Option<Variant>; OWNERS],
}

/// How many versions of the program there are at most, each with payloads of its own.
pub const OWNERS: usize = 2;

/// What one owner keeps in a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Variant {
    /// When the body that made it started; the promise is about it.
    pub version: Version,
    /// The tag version that its body captured.
    pub tag: Option<Token>,
}

/// What a commit must find under `K`, byte for byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fence {
    /// Our lease.
    Lease(Token),
    /// The value that we refresh, by its write id.
    Value(Token),
}

/// The arguments of a commit: the fence, the value to store, and the tag version that the script
/// compares with `T`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Commit {
    /// What must be found.
    pub fence: Fence,
    /// What to store.
    pub value: Value,
    /// What the new body captured.
    pub tag: Option<Token>,
}

/// What the commit script compares: the entry and the tag, but in mutants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checks {
    /// What is compared with the fence.
    pub fence: Against,
    /// Whether the tag is compared with the captured version.
    pub tag: bool,
}

/// What a commit compares its fence with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Against {
    /// `K`, as it must.
    Entry,
    /// A key beside it.
    Lock,
    /// Nothing.
    Nothing,
}

impl Redis {
    /// `SET K L(token) NX GET`: tells what is there, and takes the lease where nothing is.
    pub(crate) fn lookup(&mut self, token: Token) -> Entry {
        let found = self.entry;
        if found == Entry::Absent {
            self.entry = Entry::Lease(token);
        }
        found
    }

    /// `SET T version NX GET`: the version that is there afterwards.
    pub(crate) fn capture(&mut self, version: Token) -> Token {
        *self.tag.get_or_insert(version)
    }

    /// Compare with the value's write id, and set the lease. Whether it did.
    pub(crate) fn seize(&mut self, id: Token, token: Token) -> bool {
        let found = self.holds(Fence::Value(id));
        if found {
            self.entry = Entry::Lease(token);
        }
        found
    }

    /// The commit script. Whether it stored.
    pub(crate) fn commit(&mut self, commit: Commit, checks: Checks) -> bool {
        let Commit { fence, value, tag } = commit;
        let owned = match checks.fence {
            Against::Entry => self.holds(fence),
            Against::Lock => self.claim == Some(fence.token()),
            Against::Nothing => true,
        };
        if !owned {
            return false;
        }
        if checks.tag && self.tag != tag {
            self.entry = Entry::Absent;
            return false;
        }
        self.entry = Entry::Value(value);
        true
    }

    /// Compare with the lease, and delete.
    pub(crate) fn release(&mut self, fence: Fence) {
        if matches!(fence, Fence::Lease(_)) && self.holds(fence) {
            self.entry = Entry::Absent;
        }
    }

    /// `SET K:r token NX PX`: whether it was free.
    pub(crate) fn claim(&mut self, token: Token) -> bool {
        *self.claim.get_or_insert(token) == token
    }

    /// Compare `K:r` with the token, and delete.
    pub(crate) fn unclaim(&mut self, token: Token) {
        self.claim = self.claim.filter(|held| *held != token);
    }

    fn holds(&self, fence: Fence) -> bool {
        match (self.entry, fence) {
            (Entry::Lease(token), Fence::Lease(ours)) => token == ours,
            (Entry::Value(value), Fence::Value(id)) => value.id == id,
            _ => false,
        }
    }

    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        match &mut self.entry {
            Entry::Absent => {}
            Entry::Lease(token) => f(token),
            Entry::Value(value) => value.each_token(f),
        }
        self.tag.iter_mut().for_each(&mut *f);
        self.claim.iter_mut().for_each(f);
    }
}

impl Value {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        f(&mut self.id);
        self.variants.iter_mut().flatten().for_each(|variant| variant.each_token(f));
    }
}

impl Variant {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        self.tag.iter_mut().for_each(f);
    }
}

impl Fence {
    fn token(self) -> Token {
        let (Self::Lease(token) | Self::Value(token)) = self;
        token
    }

    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        let (Self::Lease(token) | Self::Value(token)) = self;
        f(token);
    }
}

impl Commit {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        self.fence.each_token(f);
        self.value.each_token(f);
        self.tag.iter_mut().for_each(f);
    }
}
