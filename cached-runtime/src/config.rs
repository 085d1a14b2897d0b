//! The settings of a cache, checked once when it is built.

use std::time::Duration;

use crate::clock::Clock;
use crate::credentials::Provider;
use crate::error::Error;

/// The longest deadline, and the longest lease.
const LONGEST: Duration = Duration::from_secs(3600);

/// Which built-in codec a function without `codec` uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultCodec {
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
    #[cfg(feature = "postcard")]
    Postcard,
}

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) namespace: String,
    pub(crate) lookup_deadline: Duration,
    pub(crate) commit_deadline: Duration,
    pub(crate) invalidate_deadline: Duration,
    pub(crate) lease: Duration,
    /// Twice the lease where none is set.
    pub(crate) wait_max: Option<Duration>,
    pub(crate) in_flight: usize,
    pub(crate) max_value_bytes: usize,
    pub(crate) memory_capacity: usize,
    /// 0: nothing is kept locally.
    pub(crate) local_capacity: usize,
    pub(crate) coherence_bound: Duration,
    /// Zero: idle connections are not checked.
    pub(crate) idle_check: Duration,
    pub(crate) codec: DefaultCodec,
    pub(crate) clock: Clock,
    /// How many replicas must have an invalidation. 0: it is done once the server has it.
    pub(crate) replicas: usize,
    /// For servers that are reached over TLS.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Tls>,
    /// Instead of the URL's login.
    pub(crate) credentials: Option<Provider>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespace: "cache".to_owned(),
            lookup_deadline: Duration::from_millis(100),
            commit_deadline: Duration::from_millis(250),
            invalidate_deadline: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            wait_max: None,
            in_flight: 8192,
            max_value_bytes: 16 << 20,
            memory_capacity: 256 << 20,
            local_capacity: 64 << 20,
            coherence_bound: Duration::from_secs(1),
            idle_check: Duration::from_secs(5),
            codec: DefaultCodec::Json,
            clock: Clock::system(),
            replicas: 0,
            #[cfg(feature = "tls")]
            tls: None,
            credentials: None,
        }
    }
}

impl Config {
    /// How long a call waits for a load elsewhere that shows no sign of life.
    pub(crate) fn wait_max(&self) -> Duration {
        self.wait_max.unwrap_or(self.lease.saturating_mul(2))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        check_namespace(&self.namespace)?;
        for (name, duration) in [
            ("lookup_deadline", self.lookup_deadline),
            ("commit_deadline", self.commit_deadline),
            ("invalidate_deadline", self.invalidate_deadline),
        ] {
            if !(Duration::from_millis(1)..=LONGEST).contains(&duration) {
                return Err(Error::config(format!(
                    "`{name}` is {duration:?}; it must be from 1 ms to an hour"
                )));
            }
        }
        if !(Duration::from_millis(10)..=LONGEST).contains(&self.lease) {
            return Err(Error::config(format!(
                "`lease` is {:?}; it must be from 10 ms to an hour (5 s is the default)",
                self.lease
            )));
        }
        if !(Duration::from_millis(100)..=LONGEST).contains(&self.coherence_bound) {
            return Err(Error::config(format!(
                "`coherence_bound` is {:?}; it must be from 100 ms to an hour (1 s is the default)",
                self.coherence_bound
            )));
        }
        if !self.idle_check.is_zero()
            && !(Duration::from_millis(100)..=LONGEST).contains(&self.idle_check)
        {
            return Err(Error::config(format!(
                "`idle_check` is {:?}; it must be from 100 ms to an hour (5 s is the default), or zero \
                 for none",
                self.idle_check
            )));
        }
        if self.wait_max.is_some_and(|wait_max| wait_max > LONGEST) {
            return Err(Error::config("`wait_max` is longer than an hour"));
        }
        if self.in_flight == 0 {
            return Err(Error::config(
                "`in_flight` is 0; it must be at least 1 (8192 is the default)",
            ));
        }
        Ok(())
    }
}

/// A namespace stands in front of each key; no pattern of one namespace may reach another's keys,
/// hence no glob characters and no colon.
fn check_namespace(namespace: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if namespace.is_empty() {
        return Err(Error::config("the namespace is empty; use letters, digits, `_`, `-` or `.`"));
    }
    match namespace.chars().find(|&c| !allowed(c)) {
        None => Ok(()),
        Some(c) => Err(Error::config(format!(
            "the namespace {namespace:?} has the character {c:?}; use letters, digits, `_`, `-` \
             or `.` only"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_no_character_that_a_pattern_or_a_key_uses() {
        for good in ["shop", "shop-2.eu_west"] {
            assert!(check_namespace(good).is_ok(), "{good}");
        }
        for bad in ["", "a:b", "a*", "a b", "a?", "[a]", "ü", "a{b}"] {
            assert!(check_namespace(bad).is_err(), "{bad}");
        }
    }
}
