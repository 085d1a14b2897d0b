//! Caches whose deadlines a busy machine does not miss, for tests that are not about deadlines.

use std::time::Duration;

use cached_runtime::{Cache, CacheBuilder};
use cached_tests::RedisServer;

mod cluster;

/// Longer than a machine under load makes anything wait.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Settings to go on with. Nothing is sent that no call asks for: commands are counted.
pub(crate) fn builder(url: &str) -> CacheBuilder {
    let patient = Cache::builder().url(url).idle_check(Duration::ZERO);
    patient.lookup_deadline(LONG).commit_deadline(LONG).invalidate_deadline(LONG)
}

/// A cache on this server.
pub(crate) async fn cache(server: &RedisServer) -> Cache {
    builder(&server.url()).build().await.unwrap()
}

/// Runs a scenario on Redis, on the embedded store, and on a cluster.
pub(crate) async fn on_each_store(scenario: impl AsyncFn(Cache)) {
    on_each_whole_store(&scenario).await;
    let (url, namespace) = cluster::shared();
    scenario(builder(&url).namespace(namespace).build().await.unwrap()).await;
}

/// Runs a scenario where all keys are at one place: on Redis, then on the embedded store.
pub(crate) async fn on_each_whole_store(scenario: impl AsyncFn(Cache)) {
    let server = RedisServer::start();
    scenario(cache(&server).await).await;
    scenario(Cache::memory()).await;
}
