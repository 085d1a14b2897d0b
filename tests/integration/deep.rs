//! What a call takes: of its future's size, and of the stack while calls stand inside of each other.

use std::collections::HashMap;
use std::env;
use std::mem::size_of_val;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use cached_runtime::{Cache, cache_result, scope, scope_sync};
use cached_tests::RedisServer;
use serde::{Deserialize, Serialize};

use super::patient;

const URL: &str = "CACHED_TESTS_DEEP_URL";
/// What a thread of tokio's has.
const STACK: usize = 2 << 20;
const LEVELS: u64 = 600;
/// What a call's future may have beyond its body's.
const MORE: usize = 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    depth: u64,
}

#[cache_result(ttl = 60)]
async fn nested(depth: u64) -> u64 {
    if depth == 0 { 0 } else { 1 + Box::pin(nested(depth - 1)).await }
}

#[cache_result(ttl = 60, tags = ["users"], stale_while_revalidate = "1m", stale_if_error = "1h")]
async fn user(name: String, depth: u64) -> Result<User, String> {
    let depth = if depth == 0 { 0 } else { again(name.clone(), depth - 1).await?.depth + 1 };
    Ok(User { name, depth })
}

/// The compiler cannot find out whether a body that goes on behind its caller is `Send` where that
/// hangs on itself.
fn again(name: String, depth: u64) -> Pin<Box<dyn Future<Output = Result<User, String>> + Send>> {
    Box::pin(user(name, depth))
}

#[cache_result(ttl = 60, err_ttl = 5, none_ttl = 5, jitter = 0.1)]
async fn perhaps(depth: u64) -> Result<Option<User>, String> {
    let depth = match depth {
        0 => 0,
        depth => Box::pin(perhaps(depth - 1)).await?.map_or(0, |user| user.depth + 1),
    };
    Ok(Some(User { name: String::new(), depth }))
}

#[cache_result(ttl = 60)]
fn blocking(depth: u64) -> u64 {
    if depth == 0 { 0 } else { 1 + blocking(depth - 1) }
}

/// The process in which a stack that is too small ends no other test.
#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Ok(url) = env::var(URL) else { return };
    let deep = thread::Builder::new().stack_size(STACK).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let cache = runtime.block_on(patient::builder(&url).build()).unwrap();
        runtime.block_on(scope(cache.clone(), async {
            assert_eq!(Box::pin(nested(LEVELS)).await, LEVELS);
            assert_eq!(Box::pin(user("ada".into(), LEVELS)).await.unwrap().depth, LEVELS);
            let perhaps = Box::pin(perhaps(LEVELS)).await.unwrap();
            assert_eq!(perhaps.unwrap().depth, LEVELS);
        }));
        drop(runtime);
        scope_sync(cache, || assert_eq!(blocking(LEVELS), LEVELS));
    });
    deep.unwrap().join().unwrap();
}

/// In a debug build, whose frames are several times as large as a release's.
#[test]
fn six_hundred_calls_stand_inside_of_each_other() {
    let server = RedisServer::start();
    for url in [server.url(), "memory:".to_owned()] {
        let ran = Command::new(env::current_exe().unwrap())
            .args(["--exact", "deep::process", "--ignored", "--nocapture"])
            .env(URL, &url)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{url}: {said}");
        assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "{url}: it ran");
    }
}

macro_rules! bodies {
    ($($name:ident [$($option:tt)*] ($($argument:ident: $type:ty),*) -> $returns:ty $body:block)*) => {
        mod cached {
            use super::*;
            $(#[cache_result($($option)*)] pub(super) async fn $name($($argument: $type),*) -> $returns $body)*
        }
        mod plain {
            use super::*;
            $(pub(super) async fn $name($($argument: $type),*) -> $returns $body)*
        }
    };
}

bodies! {
    small [ttl = 60] (id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }
    large [ttl = 60] (id: u64, text: String) -> Result<User, String> {
        let room = [id; 500];
        tokio::task::yield_now().await;
        Ok(User { name: text, depth: room[7] })
    }
    goes_on [ttl = 60, stale_while_revalidate = "1m"] (id: u64, text: String) -> Result<User, String> {
        let room = [id; 500];
        tokio::task::yield_now().await;
        Ok(User { name: text, depth: room[7] })
    }
    optional [
        ttl = 60, err_ttl = 5, none_ttl = 5, jitter = 0.1, tags = ["{id}"], stale_if_error = 60,
        soft_timeout = 1
    ] (id: u64) -> Result<Option<User>, String> {
        tokio::task::yield_now().await;
        Ok(Some(User { name: String::new(), depth: id }))
    }
    kept [ttl = 60, local] (id: u64) -> Arc<User> {
        tokio::task::yield_now().await;
        Arc::new(User { name: String::new(), depth: id })
    }
}

async fn many_plain(ids: Vec<u64>) -> HashMap<u64, u64> {
    tokio::task::yield_now().await;
    ids.into_iter().map(|id| (id, id)).collect()
}

#[cache_result(ttl = 60, batch = ids)]
async fn many(ids: Vec<u64>) -> HashMap<u64, u64> {
    many_plain(ids).await
}

#[test]
fn a_calls_future_is_little_larger_than_its_body() {
    let text = String::new;
    for (name, cached, plain) in [
        ("small", size_of_val(&cached::small(1)), size_of_val(&plain::small(1))),
        ("large", size_of_val(&cached::large(1, text())), size_of_val(&plain::large(1, text()))),
        (
            "goes_on",
            size_of_val(&cached::goes_on(1, text())),
            size_of_val(&plain::goes_on(1, text())),
        ),
        ("optional", size_of_val(&cached::optional(1)), size_of_val(&plain::optional(1))),
        ("kept", size_of_val(&cached::kept(1)), size_of_val(&plain::kept(1))),
        ("many", size_of_val(&many(vec![])), size_of_val(&many_plain(vec![]))),
        (
            "get_or_load",
            size_of_val(&Cache::memory().get_or_load(
                "key",
                std::time::Duration::from_secs(1),
                async || Ok::<_, String>(1_u64),
            )),
            0,
        ),
    ] {
        assert!(cached <= plain + MORE, "{name}: {cached} bytes, its body {plain}");
    }
}
