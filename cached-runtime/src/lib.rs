//! A function-result cache: one line above a function, and its results come from Redis, or from
//! this process's memory.
//!
//! ```
//! use cached_runtime::cache_result;
//!
//! # #[derive(serde::Serialize, serde::Deserialize, Clone)] struct User { name: String }
//! #[cache_result(ttl = 60)]
//! async fn get_user(id: u64) -> Result<User, std::io::Error> {
//!     // a slow query
//!     # Ok(User { name: format!("user {id}") })
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let user = get_user(42).await?; // runs the body, stores the value
//! let user = get_user(42).await?; // comes from the cache
//! get_user::invalidate(42).await?; // from here on no process serves that value
//! # Ok(()) }
//! ```
//!
//! * [`macro@cache_result`] is the attribute, and lists its options; [`macro@cache_invalidate`]
//!   belongs above functions that write.
//! * [`Cache`] says where the values live. Without one, [`global`] makes it from `CACHE_URL` or
//!   `REDIS_URL`, else it is this process's memory.
//! * Whatever happens to Redis, a cached function answers: at worst with its body's value, after
//!   the [lookup deadline](CacheBuilder::lookup_deadline).
//!
//! # Calls that are set aside
//!
//! Concurrent calls of one entry share one load, which the first of them leads. A call's future may be
//! set aside while it lives: by `select!`, in a stream that buffers, behind a `pin!`. Once it was woken
//! and nobody has polled it for 100 to 150 ms, the others wait for it no longer, and one of them loads in
//! its place; other processes wait for half a second. Polled again, it ends with its own value, which is
//! not stored. A body that is at work, or asleep, keeps its lead however long it takes: `load_timeout`
//! bounds that.
//!
//! # Features
//!
//! | feature | what for |
//! |---|---|
//! | `msgpack` | `codec = MessagePack` |
//! | `postcard` | `codec = Postcard` |
//! | `zstd` | `compress` |
//! | `tls` | `rediss://` URLs, [`Tls`](CacheBuilder::tls) |
#![doc = include_str!("docs/processes.md")]
//!
#![doc = include_str!("docs/limits.md")]
//!
#![doc = include_str!("docs/equality.md")]
//!
#![doc = include_str!("docs/permissions.md")]

mod cache;
mod clock;
mod codec;
mod coder;
mod config;
mod credentials;
mod entry;
mod equality;
mod error;
mod fault;
mod fetched;
mod fingerprint;
mod flight;
mod function;
mod io;
mod key;
mod loader;
mod local;
mod policy;
mod shape;
mod sharing;
mod size;
mod stats;
mod store;
mod tally;
#[cfg(feature = "tls")]
mod tls;
mod token;

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;

pub use cached_macro::{cache_invalidate, cache_result};

pub use crate::cache::{
    Cache, CacheBuilder, Health, HealthState, LocalHealth, Scoped, global, scope, scope_sync,
};
pub use crate::clock::Clock;
#[cfg(feature = "msgpack")]
pub use crate::codec::MessagePack;
#[cfg(feature = "postcard")]
pub use crate::codec::Postcard;
pub use crate::codec::{Codec, CodecError, Json};
pub use crate::credentials::Credentials;
pub use crate::error::{Error, ErrorKind};
pub use crate::fault::Fault;
pub use crate::fetched::{Fetched, Source};
pub use crate::key::Key;
pub use crate::policy::Policy;
pub use crate::stats::{CacheStats, FunctionStats, LocalStats};
#[cfg(feature = "tls")]
pub use crate::tls::Tls;

/// The README's Rust blocks, compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The attributes' examples, which need this crate.
#[cfg(doctest)]
#[doc = include_str!("../../cached-macro/src/cache_result.md")]
struct CacheResult;

/// The attributes' examples, which need this crate.
#[cfg(doctest)]
#[doc = include_str!("../../cached-macro/src/cache_invalidate.md")]
struct CacheInvalidate;
