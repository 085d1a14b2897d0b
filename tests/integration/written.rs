//! Attributes that a `macro_rules!` writes, with what it was given: each option takes a fragment, and a
//! template finds the argument of its name, whoever wrote either of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, Source, cache_invalidate, cache_result, scope};

static RUNS: AtomicU32 = AtomicU32::new(0);

fn run<T>(value: T) -> T {
    RUNS.fetch_add(1, Ordering::SeqCst);
    value
}

const MINUTE: Duration = Duration::from_secs(60);

fn is_small(value: &u32) -> bool {
    *value < 100
}

/// Each option by a fragment of its own kind.
macro_rules! written {
    (
        $name:ident($id:ident: $id_type:ty) -> $returns:ty, $body:block,
        ttl $ttl:expr, short $short:literal, part $part:literal, name $named:literal,
        key $key:literal, tag $tag:literal, flight $flight:literal, small $small:path,
        cache $cache:expr, codec $codec:ty, threshold $threshold:expr, of $krate:path
    ) => {
        #[cache_result(
            ttl = $ttl,
            name = $named,
            key = $key,
            tags = [$tag, "all"],
            stale_while_revalidate = $short,
            stale_if_error = $ttl,
            refresh_ahead = $part,
            early_refresh = $part,
            soft_timeout = $part,
            load_timeout = $short,
            jitter = $part,
            cache_if = $small,
            none_ttl = $short,
            single_flight = $flight,
            cache = $cache,
            codec = $codec,
            compress = $threshold,
            crate = $krate
        )]
        async fn $name($id: $id_type) -> $returns $body
    };
}

fn own() -> &'static Cache {
    static OWN: std::sync::OnceLock<Cache> = std::sync::OnceLock::new();
    OWN.get_or_init(Cache::memory)
}

written!(
    all_options(id: u32) -> Result<Option<u32>, cached_runtime::Error>, { Ok(run(Some(id + 1))) },
    ttl MINUTE * 2, short "30s", part 0.5, name "written", key "{id}", tag "number:{id}",
    flight "process", small is_small, cache own(), codec cached_runtime::Json, threshold 64 << 10,
    of cached_runtime
);

macro_rules! kept_in_memory {
    ($name:ident, $ttl:literal, $near:literal) => {
        #[cache_result(ttl = $ttl, local = $near)]
        async fn $name(n: u32) -> u32 {
            run(n + 1)
        }
    };
    ($name:ident, $ttl:literal, in $near:expr) => {
        #[cache_result(ttl = $ttl, local(ttl = $near), err_ttl = $near)]
        async fn $name(n: u32) -> Result<u32, String> {
            run(Ok(n + 1))
        }
    };
}

kept_in_memory!(near, 60, "5s");
kept_in_memory!(near_too, "1m", in MINUTE);

macro_rules! in_one_go {
    ($name:ident, $keys:ident: $type:ty, $batch:expr, $skipped:ident, $value:ty) => {
        #[cache_result(ttl = 60, batch = $batch, skip($skipped))]
        async fn $name($keys: $type, $skipped: u32) -> HashMap<u32, $value> {
            run($keys.iter().map(|key| (*key, key + $skipped)).collect())
        }
    };
}

in_one_go!(batch, ids: &[u32], ids, add, u32);

/// The argument is the macro's, the template its user's.
macro_rules! with_template {
    ($name:ident, $key:literal, $tag:literal) => {
        #[cache_result(ttl = 60, key = $key, tags = [$tag])]
        async fn $name(tenant: &str, id: u32) -> u32 {
            run(id + u32::try_from(tenant.len()).unwrap())
        }
    };
}

with_template!(by_template, "{tenant}:{id}", "tenant:{tenant}");

/// The template is the macro's, the argument its user's.
macro_rules! with_argument {
    ($name:ident, $id:ident) => {
        #[cache_result(ttl = 60, key = "number:{id}", tags = ["n:{id}"])]
        fn $name($id: u32) -> u32 {
            run($id + 1)
        }
    };
}

with_argument!(by_argument, id);

struct Repository {
    tenant: &'static str,
}

/// `self` is the macro's or its user's as well.
macro_rules! method {
    ($name:ident, $self:ident, $key:literal, $companion:literal) => {
        impl Repository {
            #[cache_result(ttl = 60, key = $key, tags = ["of:{self.tenant}"], companion = $companion)]
            async fn $name(&$self, id: u32) -> u32 {
                run(id + u32::try_from($self.tenant.len()).unwrap())
            }
        }
    };
}

method!(of_tenant, self, "{self.tenant}:{id}", true);

macro_rules! invalidating {
    ($name:ident, $f:path, $call:expr, $tags:expr, $learned:expr, $closure:expr) => {
        #[cache_invalidate($f(id), $call, tags = $tags, tags = $learned, $closure)]
        async fn $name(id: u32) -> u32 {
            run(id)
        }
    };
}

invalidating!(
    change,
    near,
    by_argument(7),
    ["tenant:a", "tenant:b"],
    |out| ["tenant:c{out}"],
    |out| by_argument(out + 1)
);

macro_rules! invalidating_by {
    ($name:ident, $key:literal, $pattern:literal, $how:literal, $cache:expr, $krate:path) => {
        #[cache_invalidate(key = $key, pattern = $pattern, on_error = $how, cache = $cache, crate = $krate)]
        async fn $name(id: u32) -> Result<u32, cached_runtime::Error> {
            Ok(run(id))
        }
    };
}

invalidating_by!(change_by, "written:{id}", "*nothing*", "fail", own(), cached_runtime);

/// How often a body ran meanwhile.
async fn runs<T>(calls: impl Future<Output = T>) -> (T, u32) {
    let before = RUNS.load(Ordering::SeqCst);
    let value = calls.await;
    (value, RUNS.load(Ordering::SeqCst) - before)
}

/// One test, since all count together.
#[tokio::test]
async fn what_a_macro_writes_is_what_its_user_would_have_written() {
    scope(Cache::memory(), async {
        let twice = async { (all_options(1).await.unwrap(), all_options(1).await.unwrap()) };
        assert_eq!(runs(twice).await, ((Some(2), Some(2)), 1));
        assert_eq!(all_options::key(1).as_str(), "written:1");
        assert_eq!(runs(async { (near(1).await, near(1).await) }).await, ((2, 2), 1));
        let twice = async { (near_too(1).await, near_too(1).await) };
        assert_eq!(runs(twice).await, ((Ok(2), Ok(2)), 1));
        let twice = async { (batch(&[1, 2], 5).await, batch(&[2, 1], 6).await) };
        let both = HashMap::from([(1, 6), (2, 7)]);
        assert_eq!(runs(twice).await, ((both.clone(), both), 1));
        for tenant in ["a", "b", "c7", "d"] {
            let twice = async { (by_template(tenant, 1).await, by_template(tenant, 1).await) };
            assert_eq!(runs(twice).await.1, 1);
        }
        assert!(by_template::key("a", 1).as_str().ends_with(":a:1"));
        let twice = async { (by_argument(7), by_argument(7), by_argument(8)) };
        assert_eq!(runs(twice).await, ((8, 8, 9), 2));
        assert!(by_argument::key(7).as_str().ends_with(":number:7"));
        let it = Repository { tenant: "abc" };
        let twice = async { (it.of_tenant(1).await, it.of_tenant(1).await) };
        assert_eq!(runs(twice).await, ((4, 4), 1));
        assert!(it.of_tenant_cache(1).key().as_str().ends_with(":abc:1"));

        near(7).await;
        assert_eq!(change(7).await, 7);
        assert_eq!(near::fetch(7).await.source, Source::Loaded, "$f:path");
        assert_eq!(by_argument::fetch(7).source, Source::Loaded, "$call:expr");
        assert_eq!(by_argument::fetch(8).source, Source::Loaded, "$closure:expr");
        for (tenant, source) in
            [("a", Source::Loaded), ("c7", Source::Loaded), ("d", Source::Store)]
        {
            assert_eq!(by_template::fetch(tenant, 1).await.source, source, "$tags:expr");
        }
        assert_eq!(change_by(1).await.unwrap(), 1);
        assert_eq!(all_options::peek(1).await.unwrap(), None, "$key:literal");
    })
    .await;
}
