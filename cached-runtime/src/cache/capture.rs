//! What must be known, and held, before a body starts: the tags' versions, and the lease beside a
//! value that is still served.

use std::sync::Arc;
use std::time::Instant;

use super::Cache;
use super::background::{Lease, Refreshing};
use super::call::Renewal;
use super::loading::{Fill, Loading, Others};
use crate::entry::Fence;
use crate::key::Key;
use crate::store::{Asked, Captured, Failure, Hold, Looked, Preparation, Spot};
use crate::token::{self, Token};

/// What came of asking for the lease beside an entry.
pub(super) enum Marked {
    /// With what others keep there.
    Taken(Lease, Others),
    /// Another has it.
    Busy,
    /// What it was wanted for is no longer there.
    Changed,
}

impl Cache {
    /// Takes the lease beside an entry, for as long as what is held still stands there; what others keep
    /// there is looked at where it is `shared`.
    pub(super) async fn mark(&self, hold: &Hold, shared: bool) -> Result<Marked, Failure> {
        let token = token::fresh();
        if !self.store().mark(&hold.key, &token).wait().await? {
            return Ok(Marked::Busy);
        }
        let (key, fence) = (hold.key.clone(), Fence::lease(&token));
        let lease = Lease::hold(
            self,
            Hold { key, spot: Spot::Beside, fence, tags: Arc::default(), large: false },
        );
        // Whoever had it before may just have stored a new value.
        let tags: Vec<_> = hold.tags.iter().map(|captured| captured.tag.clone()).collect();
        let asked = Asked { key: &hold.key, tags: &tags, age: shared, large: hold.large };
        let at = Instant::now();
        let there = self.store().read(asked).wait().await?;
        match there.looked {
            Looked::Present(bytes) if hold.fence.holds(&bytes) => {
                let remaining = there.remaining.filter(|_| shared);
                let others = remaining.map(|remaining| Others::seen(&bytes, remaining, at));
                Ok(Marked::Taken(lease, others.unwrap_or_default()))
            }
            _ => Ok(Marked::Changed),
        }
    }

    /// A load in place of a value that is still served; its place comes back where another process
    /// loads, or has loaded.
    pub(crate) async fn renew(&self, renewal: Renewal) -> Result<Box<Loading>, Refreshing> {
        let Renewal { hold, shared, renewing } = renewal;
        match self.mark(&hold, shared).await {
            Ok(Marked::Taken(lease, others)) => {
                let fill = Fill::Fenced { hold, lease: Some(lease) };
                let mut loading = Loading::new(self, 0, fill, None);
                loading.renewing = Some(renewing);
                loading.others = others;
                Ok(loading)
            }
            Ok(Marked::Busy | Marked::Changed) | Err(_) => Err(renewing),
        }
    }

    /// The versions of tags, for a value that is stored without a lookup.
    pub(crate) async fn capture(
        &self,
        key: &Key,
        tags: &[String],
    ) -> Result<Arc<[Captured]>, Failure> {
        if tags.is_empty() {
            return Ok(Arc::default());
        }
        let asked = Asked { key: key.as_str(), tags, age: false, large: false };
        let seen = self.store().read(asked).wait().await?;
        self.captured(key, tags, &seen.versions).await
    }

    /// The tags with their versions; those that have none get one.
    pub(super) async fn captured(
        &self,
        key: &Key,
        tags: &[String],
        seen: &[Option<Token>],
    ) -> Result<Arc<[Captured]>, Failure> {
        let absent = absent(tags, seen);
        if absent.is_empty() {
            return Ok(with_versions(tags, seen, Vec::new()));
        }
        let preparation =
            Preparation { key: key.as_str().to_owned(), tagged: true, seize: None, absent };
        let prepared = self.store().prepare(preparation).wait().await?;
        Ok(with_versions(tags, seen, prepared.versions))
    }
}

/// The tags without a version, each with one to be given.
pub(super) fn absent(tags: &[String], seen: &[Option<Token>]) -> Vec<(String, Token)> {
    let seen = seen.iter().copied().chain(std::iter::repeat(None));
    let absent = tags.iter().zip(seen).filter(|(_, version)| version.is_none());
    absent.map(|(tag, _)| (tag.clone(), token::fresh())).collect()
}

/// The tags with their versions: those that the lookup saw, and for the others those given.
pub(super) fn with_versions(
    tags: &[String],
    seen: &[Option<Token>],
    given: Vec<Token>,
) -> Arc<[Captured]> {
    let (seen, mut given) =
        (seen.iter().copied().chain(std::iter::repeat(None)), given.into_iter());
    tags.iter()
        .zip(seen)
        .filter_map(|(tag, seen)| {
            let version = seen.or_else(|| given.next())?;
            Some(Captured { tag: tag.clone(), version })
        })
        .collect()
}
