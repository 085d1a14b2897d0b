//! Loads behind their callers: nobody waits for the value.

use std::future::Future;
use std::time::{Duration, Instant};

use super::super::options::{Failures, KeepIf, Ttl};
use super::Plan;
use super::load::timed_out;
use crate::cache::{Loading, Renewal};
use crate::flight::within;
use crate::io;
use crate::loader::{Loader, Purpose};
use crate::shape::{Opened, ShapeOf};

/// How long a load in the background that failed keeps others from being tried.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// How long this process does not ask again whether another still loads in the background.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

impl<R, const N: u8, T, I, X> Plan<R, N, T, I, X>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error>,
{
    /// Loads in the background; nobody waits for the value.
    pub(super) async fn load_behind<F: Future<Output = R>>(
        &self,
        mut loading: Box<Loading>,
        body: F,
    ) {
        let started = loading.began();
        loading.led_here();
        let mut behind = Behind { loader: &self.loader, started, loading: Some(loading) };
        let ending = {
            let Some(loading) = &behind.loading else { return };
            let opened = self.outcome(loading, started, body).await;
            let took = started.elapsed();
            let failed = matches!(opened, Opened::Failed(_));
            self.loader.loaded(took, failed);
            self.ending(loading, &opened, took).filter(|_| !failed)
        };
        let Some(loading) = behind.loading.take() else { return };
        match ending {
            Some(ending) => {
                if let Some(end) = self.loader.end(Purpose::Renewal, loading, ending) {
                    end.await;
                }
            }
            None => loading.failed_behind(FAILED_PAUSE),
        }
    }

    /// Loads in the background what is still served, if no other process does.
    pub(super) async fn renew<F: Future<Output = R>>(self, renewal: Renewal, body: F) {
        match self.loader.cache.renew(renewal).await {
            Ok(loading) => self.load_behind(loading, body).await,
            // Until then there is no use in asking again.
            Err(renewing) => {
                io::sleep(BUSY_PAUSE).await;
                drop(renewing);
            }
        }
    }

    /// Runs the body, no longer than a load may take.
    async fn outcome<F: Future<Output = R>>(
        &self,
        loading: &Loading,
        started: Instant,
        body: F,
    ) -> Opened<R::Value, R::Absence, R::Error> {
        let body = within(loading.id(), body);
        let Some((limit, error)) = self.settings().ageing.load_timeout.zip(self.on_timeout) else {
            return body.await.open();
        };
        match io::timeout(Some(limit.saturating_sub(started.elapsed())), body).await {
            Some(result) => result.open(),
            None => Opened::Failed(error(timed_out(limit))),
        }
    }
}

/// A load behind its caller, while its body runs. One that panics has failed like any other.
struct Behind<'a, R: ShapeOf<N>, const N: u8> {
    loader: &'a Loader<R, N>,
    started: Instant,
    loading: Option<Box<Loading>>,
}

impl<R: ShapeOf<N>, const N: u8> Drop for Behind<'_, R, N> {
    fn drop(&mut self) {
        if let Some(loading) = self.loading.take()
            && std::thread::panicking()
        {
            self.loader.loaded(self.started.elapsed(), true);
            loading.failed_behind(FAILED_PAUSE);
        }
    }
}
