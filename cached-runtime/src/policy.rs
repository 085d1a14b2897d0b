//! How long a value is kept, how fresh it is and when to look again, decided purely: no clock, no
//! I/O, chance passed in.

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

/// How values that grow old are treated; zero and `None` mean that the option is off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Ageing {
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) refresh_ahead: Option<f64>,
    pub(crate) early_refresh: Option<f64>,
    pub(crate) soft_timeout: Option<Duration>,
    pub(crate) load_timeout: Option<Duration>,
}

impl Ageing {
    /// Values don't grow old: past their ttl they are gone.
    pub(crate) const OFF: Self = Self {
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        refresh_ahead: None,
        early_refresh: None,
        soft_timeout: None,
        load_timeout: None,
    };

    /// How long a value is kept beyond its ttl.
    pub(crate) fn window(&self) -> Duration {
        self.stale_while_revalidate.max(self.stale_if_error).min(MAX_TTL)
    }

    /// Whether the age of what is found makes a difference.
    pub(crate) fn asks_age(&self) -> bool {
        !self.window().is_zero() || self.refresh_ahead.is_some() || self.early_refresh.is_some()
    }
}

/// Whose concurrent loads of one entry are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SingleFlight {
    /// Those of all processes.
    #[default]
    Fleet,
    /// Those of one process.
    Process,
    /// None.
    Off,
}

/// What tells a value's age: how it was stored, and how long it has still to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age {
    pub(crate) ttl: Duration,
    /// How long it is kept beyond that.
    pub(crate) stale: Duration,
    pub(crate) load_time: Duration,
    /// Until the store forgets it.
    pub(crate) remaining: Duration,
}

impl Age {
    /// Since it was stored.
    pub(crate) fn elapsed(&self) -> Duration {
        self.ttl.saturating_add(self.stale).saturating_sub(self.remaining)
    }

    /// Until its ttl ends; `Err` with the time since. What is not kept beyond its ttl is good for as
    /// long as it is there, the last fraction of a millisecond included.
    fn fresh_for(&self) -> Result<Duration, Duration> {
        let left = self.remaining.checked_sub(self.stale);
        left.filter(|left| !left.is_zero() || self.stale.is_zero())
            .ok_or_else(|| self.stale.saturating_sub(self.remaining))
    }
}

/// What may be done with a value that is there, whole and valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Served.
    Fresh,
    /// Served; time to load it anew.
    Due,
    /// Past its ttl: served while it is loaded anew.
    Stale,
    /// Past its ttl: loaded anew, and served only where that fails or takes too long.
    Spare,
    /// Of no use.
    Expired,
}

/// How fresh a value is. `chance` is uniform in `[0, 1)`.
///
/// `early_refresh` is XFetch (Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache
/// Stampede Prevention", VLDB 2015): a value that takes `δ` to load is due once
/// `remaining ≤ −δ·β·ln(chance)`, so that the more readers a value has, the surer one of them
/// loads it shortly before it expires.
pub(crate) fn freshness(age: &Age, ageing: &Ageing, chance: f64) -> Freshness {
    let fresh_for = match age.fresh_for() {
        Ok(fresh_for) => fresh_for,
        Err(past) if past < ageing.stale_while_revalidate => return Freshness::Stale,
        Err(past) if past < ageing.stale_if_error => return Freshness::Spare,
        Err(_) => return Freshness::Expired,
    };
    let ahead = ageing.refresh_ahead.filter(|fraction| fraction.is_finite());
    let ahead = ahead.is_some_and(|fraction| {
        age.ttl.saturating_sub(fresh_for) >= age.ttl.mul_f64(fraction.clamp(0.0, 1.0))
    });
    let early = ageing.early_refresh.is_some_and(|beta| fresh_for <= early_by(age, beta, chance));
    if ahead || early { Freshness::Due } else { Freshness::Fresh }
}

/// For how long a fresh value stays so, and is not yet due: whoever keeps it may serve it that long
/// without a look at the store. `chance` as in [`freshness`], drawn once for the whole span.
pub(crate) fn fresh_for(age: &Age, ageing: &Ageing, chance: f64) -> Option<Duration> {
    let left = age.fresh_for().ok()?;
    let ahead = ageing.refresh_ahead.filter(|fraction| fraction.is_finite());
    // Due when so much of its ttl is left.
    let ahead =
        ahead.map(|fraction| age.ttl.saturating_sub(age.ttl.mul_f64(fraction.clamp(0.0, 1.0))));
    let early = ageing.early_refresh.map(|beta| early_by(age, beta, chance));
    let due = ahead.into_iter().chain(early).max().unwrap_or_default();
    Some(left.saturating_sub(due)).filter(|span| !span.is_zero())
}

/// How long before its end XFetch would have a value loaded anew.
fn early_by(age: &Age, beta: f64, chance: f64) -> Duration {
    let chance = (1.0 - chance).clamp(f64::MIN_POSITIVE, 1.0);
    let seconds = -age.load_time.as_secs_f64() * beta * chance.ln();
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(MAX_TTL)
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

    fn aged(remaining: u64) -> Age {
        Age { ttl: MS(1000), stale: MS(500), load_time: MS(100), remaining: MS(remaining) }
    }

    /// Every cell: each stage of a value's life under each combination of the windows.
    #[test]
    fn freshness_by_age_and_window() {
        use Freshness::{Expired, Fresh, Spare, Stale};
        let windows = |revalidate, on_error| Ageing {
            stale_while_revalidate: MS(revalidate),
            stale_if_error: MS(on_error),
            ..Ageing::default()
        };
        // Just stored, about to expire, at its ttl, 199, 200 and 400 ms past it, and at the end.
        let lives = [1500, 501, 500, 301, 300, 100, 0];
        for (ageing, expected) in [
            (windows(0, 0), [Fresh, Fresh, Expired, Expired, Expired, Expired, Expired]),
            (windows(200, 0), [Fresh, Fresh, Stale, Stale, Expired, Expired, Expired]),
            (windows(500, 0), [Fresh, Fresh, Stale, Stale, Stale, Stale, Expired]),
            (windows(0, 200), [Fresh, Fresh, Spare, Spare, Expired, Expired, Expired]),
            (windows(0, 500), [Fresh, Fresh, Spare, Spare, Spare, Spare, Expired]),
            (windows(200, 500), [Fresh, Fresh, Stale, Stale, Spare, Spare, Expired]),
            (windows(500, 200), [Fresh, Fresh, Stale, Stale, Stale, Stale, Expired]),
        ] {
            for (remaining, expected) in lives.into_iter().zip(expected) {
                // Whether it is time for a refresh changes nothing of what has expired.
                for (ahead, early) in [(None, None), (Some(0.9999), None), (None, Some(1e-9))] {
                    let ageing = Ageing { refresh_ahead: ahead, early_refresh: early, ..ageing };
                    let found = freshness(&aged(remaining), &ageing, 0.5);
                    assert_eq!(found, expected, "{remaining} ms left, {ageing:?}");
                }
            }
        }
    }

    #[test]
    fn a_fresh_value_is_due_past_its_fraction_of_the_ttl() {
        for (fraction, remaining, due) in [
            (0.8, 1500, false),
            (0.8, 701, false),
            (0.8, 700, true),
            (0.8, 501, true),
            (0.0, 1500, true),
            (1.0, 501, false),
            (f64::NAN, 501, false),
        ] {
            let ageing = Ageing { refresh_ahead: Some(fraction), ..Ageing::default() };
            let found = freshness(&aged(remaining), &ageing, 0.5);
            let expected = if due { Freshness::Due } else { Freshness::Fresh };
            assert_eq!(found, expected, "{fraction} {remaining}");
        }
    }

    /// XFetch, with δ = 100 ms: −δ·β·ln(1 − chance).
    #[test]
    fn a_fresh_value_is_due_early_by_chance_and_load_time() {
        for (beta, chance, remaining, due) in [
            (1.0, 0.0, 501, false),
            // ln 2 · 100 ms = 69 ms before its end.
            (1.0, 0.5, 570, false),
            (1.0, 0.5, 569, true),
            // Twice β is twice as early.
            (2.0, 0.5, 638, true),
            (2.0, 0.5, 639, false),
            // 10⁻⁶: 1382 ms.
            (1.0, 1.0 - 1e-6, 1500, true),
            (0.0, 1.0 - 1e-6, 501, false),
        ] {
            let ageing = Ageing { early_refresh: Some(beta), ..Ageing::default() };
            let found = freshness(&aged(remaining), &ageing, chance);
            let expected = if due { Freshness::Due } else { Freshness::Fresh };
            assert_eq!(found, expected, "{beta} {chance} {remaining}");
        }
        let instant = Age { load_time: Duration::ZERO, ..aged(501) };
        let ageing = Ageing { early_refresh: Some(1.0), ..Ageing::default() };
        assert_eq!(freshness(&instant, &ageing, 0.999), Freshness::Fresh, "nothing to gain");
    }

    #[test]
    fn what_is_not_kept_beyond_its_ttl_is_fresh_while_it_is_there() {
        let last = Age { stale: Duration::ZERO, ..aged(0) };
        assert_eq!(freshness(&last, &Ageing::default(), 0.5), Freshness::Fresh);
    }

    #[test]
    fn an_age_is_what_is_gone_of_the_whole_life() {
        assert_eq!(aged(1500).elapsed(), Duration::ZERO);
        assert_eq!(aged(500).elapsed(), MS(1000));
        assert_eq!(aged(0).elapsed(), MS(1500));
        assert_eq!(aged(9999).elapsed(), Duration::ZERO, "never negative");
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
