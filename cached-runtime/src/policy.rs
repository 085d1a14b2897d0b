//! How long a value is kept, decided purely: no clock, no I/O, chance passed in.

use std::time::Duration;

/// The longest ttl: ten years. Longer ones are clamped to it.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How [`Cache::get_or_load`](crate::Cache::get_or_load) and [`Cache::set`](crate::Cache::set)
/// keep a value. A [`Duration`] converts into a policy with that ttl and nothing else.
///
/// ```
/// use cached_runtime::Policy;
/// use std::time::Duration;
///
/// let policy = Policy::ttl(Duration::from_secs(300)).jitter(0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use]
pub struct Policy {
    pub(crate) ttl: Duration,
    pub(crate) jitter: f64,
}

impl Policy {
    /// Keeps a value for `ttl`. Zero means that nothing is stored; more than ten years is ten years.
    pub const fn ttl(ttl: Duration) -> Self {
        Self { ttl, jitter: 0.0 }
    }

    /// Shortens each ttl by a random part of up to `fraction` of it, so that entries stored
    /// together don't expire together: `ttl × uniform(1 − fraction, 1]`. Default 0; values
    /// outside `[0, 1)` are clamped into it.
    pub const fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = fraction;
        self
    }
}

impl From<Duration> for Policy {
    fn from(ttl: Duration) -> Self {
        Self::ttl(ttl)
    }
}

/// The ttl to store with: clamped, shortened by the jitter. `None` means: do not store.
///
/// `chance` is uniform in `[0, 1)`. Redis counts in milliseconds, so anything shorter than one
/// is not stored.
pub(crate) fn effective_ttl(ttl: Duration, jitter: f64, chance: f64) -> Option<Duration> {
    let ttl = ttl.min(MAX_TTL);
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0 - f64::EPSILON) } else { 0.0 };
    let ttl = if jitter > 0.0 { ttl.mul_f64(1.0 - jitter * chance.clamp(0.0, 1.0)) } else { ttl };
    let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// The next pause of a reconnecting actor: full jitter over an exponentially growing ceiling
/// (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
pub(crate) fn backoff(attempt: u32, first: Duration, most: Duration, chance: f64) -> Duration {
    let ceiling = first.saturating_mul(1_u32 << attempt.min(16)).min(most);
    ceiling.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn ttl_is_clamped_jittered_and_zero_is_not_stored() {
        for (ttl, jitter, chance, expected) in [
            (MS(60_000), 0.0, 0.5, Some(MS(60_000))),
            (MS(60_000), 0.1, 0.0, Some(MS(60_000))),
            (MS(60_000), 0.1, 0.5, Some(MS(57_000))),
            (MS(60_000), 0.1, 1.0, Some(MS(54_000))),
            (MS(60_000), f64::NAN, 1.0, Some(MS(60_000))),
            (MS(60_000), -3.0, 1.0, Some(MS(60_000))),
            (MS(60_000), 7.0, 0.5, Some(MS(30_000))),
            (MS(60_000), 7.0, 1.0, None),
            (Duration::ZERO, 0.0, 0.0, None),
            (Duration::from_micros(900), 0.0, 0.0, None),
            (Duration::MAX, 0.0, 0.0, Some(MAX_TTL)),
        ] {
            assert_eq!(effective_ttl(ttl, jitter, chance), expected, "{ttl:?} {jitter} {chance}");
        }
    }

    #[test]
    fn backoff_grows_to_its_ceiling_and_never_overflows() {
        let pause = |attempt, chance| backoff(attempt, MS(50), MS(1000), chance);
        assert_eq!(pause(0, 1.0), MS(50));
        assert_eq!(pause(1, 0.5), MS(50));
        assert_eq!(pause(3, 1.0), MS(400));
        assert_eq!(pause(u32::MAX, 1.0), MS(1000));
        assert_eq!(pause(5, 0.0), Duration::ZERO);
    }
}
