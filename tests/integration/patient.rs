//! Caches whose deadlines a busy machine does not miss, for tests that are not about deadlines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use cached_runtime::{Cache, CacheBuilder};
use cached_tests::{RedisCluster, RedisServer};

/// Longer than a machine under load makes anything wait.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Settings to go on with.
pub(crate) fn builder(url: &str) -> CacheBuilder {
    Cache::builder().url(url).lookup_deadline(LONG).commit_deadline(LONG).invalidate_deadline(LONG)
}

/// A cache on this server.
pub(crate) async fn cache(server: &RedisServer) -> Cache {
    builder(&server.url()).build().await.unwrap()
}

/// A cluster that ends with the last of those who use it at the same time: one takes seconds to
/// start.
fn shared_cluster() -> Arc<RedisCluster> {
    static SHARED: Mutex<Weak<RedisCluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(RedisCluster::start(3, 0));
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

/// Runs a scenario on Redis, on the embedded store, and on a cluster.
pub(crate) async fn on_each_store(scenario: impl AsyncFn(Cache)) {
    let server = RedisServer::start();
    scenario(cache(&server).await).await;
    scenario(Cache::memory()).await;
    let cluster = shared_cluster();
    // Others may be at work there.
    static SCENARIOS: AtomicU64 = AtomicU64::new(0);
    let namespace = format!("cache-{}", SCENARIOS.fetch_add(1, Ordering::Relaxed));
    let on_cluster = builder(&cluster.url()).namespace(namespace);
    scenario(on_cluster.build().await.unwrap()).await;
}
