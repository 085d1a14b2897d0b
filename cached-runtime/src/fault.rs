//! Why a call was not served from the cache, as a closed list that can be counted.

use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident => $label:literal,)*) => {
        /// Why a call could not be served from the cache, or its value not be stored.
        /// [`FunctionStats::errors`](crate::FunctionStats::errors) counts by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[$doc])* $variant,)*
        }

        impl Fault {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];
            pub(crate) const COUNT: usize = Self::ALL.len();

            /// A short name in `snake_case`, for tables and metric labels.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

faults! {
    /// No connection, or it broke before the answer came.
    Unavailable => "unavailable",
    /// No answer within the deadline.
    Timeout => "timeout",
    /// The store was not asked: it failed too often, and a probe in the background finds out when
    /// it is back.
    CircuitOpen => "circuit_open",
    /// The store was not asked: as many operations as
    /// [`in_flight`](crate::CacheBuilder::in_flight) allows were waiting for it.
    Overload => "overload",
    /// An invalidation of the entry failed and is queued: until it is carried out, this process
    /// does not use the entry.
    Queued => "queued",
    /// The server wants a password, or refuses the one it got; or the function that gives
    /// [credentials](crate::CacheBuilder::credentials) failed.
    Auth => "auth",
    /// The server is out of memory (`OOM`).
    OutOfMemory => "out_of_memory",
    /// The server is a replica, or refuses writes for now (`READONLY`, `MISCONF`, `NOREPLICAS`).
    ReadOnly => "read_only",
    /// The server is loading its data (`LOADING`).
    Loading => "loading",
    /// The server's rules do not allow the command (`NOPERM`).
    Forbidden => "forbidden",
    /// Any other error that the server answered.
    Server => "server",
    /// An answer of a shape that the protocol does not allow.
    Protocol => "protocol",
    /// The key holds something that is no string (`WRONGTYPE`).
    WrongType => "wrong_type",
    /// The key holds bytes that no version of this library wrote, or a truncated or damaged entry.
    Corrupt => "corrupt",
    /// The entry belongs to another function, to another shape of this one's type, to other arguments
    /// that read alike or to other tags, or was written by another codec.
    OtherOwner => "other_owner",
    /// The entry is larger than allowed, or would be once decompressed.
    TooLarge => "too_large",
    /// The payload is whole and of this function, but does not decode.
    Undecodable => "undecodable",
    /// The value cannot be carried by the codec and come back as it was; it was not stored.
    Unencodable => "unencodable",
    /// What the value is encoded to does not decode to an equal one; it was not stored.
    Unequal => "unequal",
    /// An argument's `Serialize` failed, so that there is no key.
    Key => "key",
    /// Two functions came out with the same name; the second one is not cached.
    NameTaken => "name_taken",
    /// The cache could not be set up (a bad `CACHE_URL`, say), or was shut down.
    Off => "off",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
