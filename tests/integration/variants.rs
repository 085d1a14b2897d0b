//! Versions of a program that run side by side, as in each deploy: none displaces what another stored,
//! and an invalidation by one is final for all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, LocalHealth, Source, cache_result, scope, scope_sync};
use cached_tests::{RedisServer, eventually};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::patient::{self, LONG, on_each_store};

/// What the database holds, and how often it was asked.
static VALUE: AtomicU64 = AtomicU64::new(0);
static BODIES: AtomicU64 = AtomicU64::new(0);

fn load() -> u64 {
    BODIES.fetch_add(1, Ordering::SeqCst);
    VALUE.load(Ordering::SeqCst)
}

/// How often that was since it was last asked.
fn bodies() -> u64 {
    BODIES.swap(0, Ordering::SeqCst)
}

/// These tests count in one place, each with others' bodies kept out.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A version of the program: its type has fields of its own.
macro_rules! version {
    ($version:ident { $($field:ident),* }) => {
        mod $version {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub(super) struct Account {
                pub(super) value: u64,
                $($field: u8,)*
            }

            fn loaded() -> Account {
                Account { value: load(), $($field: 0,)* }
            }

            #[cache_result(ttl = 600, name = "variants.plain")]
            pub(super) async fn plain(id: u64) -> Account {
                tokio::task::yield_now().await;
                loaded()
            }

            #[cache_result(ttl = 600, name = "variants.blocking")]
            pub(super) fn blocking(id: u64) -> Account {
                loaded()
            }

            #[cache_result(ttl = 600, name = "variants.tagged", tags = ["account:{id}"])]
            pub(super) async fn tagged(id: u64) -> Account {
                loaded()
            }

            #[cache_result(ttl = 600, name = "variants.ageing", stale_while_revalidate = 600)]
            pub(super) async fn ageing(id: u64) -> Account {
                loaded()
            }

            #[cache_result(ttl = 0.5, name = "variants.stale", stale_while_revalidate = 600)]
            pub(super) async fn stale(id: u64) -> Account {
                loaded()
            }

            #[cache_result(ttl = 1, name = "variants.short")]
            pub(super) async fn short(id: u64) -> Account {
                loaded()
            }
        }
    };
}

version!(first {});
version!(second { limit });
version!(third { limit, currency });
version!(fourth { limit, currency, owner });

#[tokio::test]
async fn two_in_turn_run_a_body_each() {
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            bodies();
            for _ in 0..200 {
                assert_eq!(first::plain(1).await.value, second::plain(1).await.value);
            }
            assert_eq!(bodies(), 2, "plain");
            for _ in 0..200 {
                assert_eq!(first::tagged(1).await.value, second::tagged(1).await.value);
            }
            assert_eq!(bodies(), 2, "with a tag");
            for _ in 0..200 {
                assert_eq!(first::ageing(1).await.value, second::ageing(1).await.value);
            }
            assert_eq!(bodies(), 2, "with a stale window");
        })
        .await;
        let blocking = tokio::task::spawn_blocking(move || {
            scope_sync(cache, || {
                for _ in 0..200 {
                    assert_eq!(first::blocking(1).value, second::blocking(1).value);
                }
            });
        });
        blocking.await.unwrap();
        assert_eq!(bodies(), 2, "sync");
    })
    .await;
}

/// The control: what one string holds for both, as a hand-written cache has it, is displaced each time.
#[tokio::test]
async fn control_one_value_a_key_is_displaced_by_each_call() {
    let server = RedisServer::start();
    let mut loads = 0;
    for call in 0..200 {
        let version = (call % 2).to_string();
        let found = server.text(&["GET", "account"]);
        if found.is_none_or(|found| found != version) {
            loads += 1;
            server.cmd(&["SET", "account", &version, "EX", "600"]);
        }
    }
    assert_eq!(loads, 200);
}

/// Each is loaded once, also where many callers of both come at once, in two processes.
#[tokio::test]
async fn a_stampede_of_two_versions_runs_a_body_each() {
    let _turn = TURN.lock().await;
    let server = RedisServer::start();
    let [old, new] = [patient::cache(&server).await, patient::cache(&server).await];
    for round in 0..20 {
        bodies();
        let calls = (0..40).map(|_| {
            let (old, new) = (old.clone(), new.clone());
            [
                tokio::spawn(scope(old, async move { first::plain(round).await.value })),
                tokio::spawn(scope(new, async move { second::plain(round).await.value })),
            ]
        });
        for call in join_all(calls.flatten()).await {
            call.unwrap();
        }
        assert_eq!(bodies(), 2, "in round {round}");
    }
}

#[tokio::test]
async fn three_stand_side_by_side_and_a_fourth_displaces_the_oldest() {
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        scope(cache, async {
            bodies();
            for _ in 0..10 {
                first::plain(2).await;
                second::plain(2).await;
                third::plain(2).await;
            }
            assert_eq!(bodies(), 3);
            fourth::plain(2).await;
            third::plain(2).await;
            second::plain(2).await;
            assert_eq!(bodies(), 1);
            first::plain(2).await;
            assert_eq!(bodies(), 1, "it was the oldest");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_by_one_is_final_for_both() {
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            for way in 0..5 {
                for _ in 0..2 {
                    first::tagged(3).await;
                    second::tagged(3).await;
                }
                let new = VALUE.fetch_add(1, Ordering::SeqCst) + 1;
                match way {
                    0 => first::tagged::invalidate(3).await.unwrap(),
                    1 => second::tagged::invalidate(3).await.unwrap(),
                    2 => cache.invalidate_tag("account:3").await.map(drop).unwrap(),
                    3 => first::tagged::invalidate_all().await.map(drop).unwrap(),
                    _ => cache.invalidate_key(second::tagged::key(3)).await.map(drop).unwrap(),
                }
                assert_eq!(first::tagged(3).await.value, new, "way {way}");
                assert_eq!(second::tagged(3).await.value, new, "way {way}");
            }
        })
        .await;
    })
    .await;
}

/// One that is under way when the entry is invalidated stores nothing, and keeps nothing of the others.
#[tokio::test]
async fn a_load_beside_anothers_value_is_fenced() {
    #[cache_result(ttl = 600, name = "variants.slow", skip(loading))]
    async fn slow(loading: &tokio::sync::Semaphore, id: u64) -> (u64, u8) {
        let value = load();
        loading.acquire().await.unwrap().forget();
        (value, 0)
    }
    #[cache_result(ttl = 600, name = "variants.slow")]
    async fn quick(id: u64) -> u64 {
        load()
    }
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            let loading = tokio::sync::Semaphore::new(0);
            let old = quick(1).await;
            bodies();
            let late = slow(&loading, 1);
            let invalidating = async {
                eventually(LONG, async || BODIES.load(Ordering::SeqCst) == 1).await;
                let new = VALUE.fetch_add(1, Ordering::SeqCst) + 1;
                quick::invalidate(1).await.unwrap();
                loading.add_permits(10);
                new
            };
            let (late, new) = tokio::join!(late, invalidating);
            assert_eq!(late.0, old, "it began before");
            assert_eq!(quick(1).await, new);
            assert_eq!(slow(&loading, 1).await.0, new);
            assert_eq!(cache.stats().total.writes_refused, 1);
        })
        .await;
    })
    .await;
}

/// A background refresh keeps what the other version has there.
#[tokio::test]
async fn a_refresh_behind_a_stale_value_keeps_the_others() {
    #[cache_result(ttl = 600, name = "variants.stale", stale_while_revalidate = 600)]
    async fn lasting(id: u64) -> u64 {
        load()
    }
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        scope(cache, async {
            bodies();
            let old = lasting(4).await;
            first::stale(4).await;
            // Past its ttl, which only time brings about.
            tokio::time::sleep(Duration::from_millis(700)).await;
            let new = VALUE.fetch_add(1, Ordering::SeqCst) + 1;
            assert_eq!(first::stale(4).await.value, old, "stale, and refreshed behind it");
            eventually(LONG, async || first::stale(4).await.value == new).await;
            assert_eq!(bodies(), 3);
            assert_eq!(lasting(4).await, old, "its own ttl is not over");
            assert_eq!(bodies(), 0);
        })
        .await;
    })
    .await;
}

/// What lives longer goes with what lives shorter, and never the other way round.
#[tokio::test]
async fn none_is_served_past_its_own_end() {
    #[cache_result(ttl = 10, name = "variants.short")]
    async fn longer(id: u64) -> u64 {
        load()
    }
    let _turn = TURN.lock().await;
    let server = RedisServer::start();
    for cache in [patient::cache(&server).await, Cache::memory()] {
        scope(cache, async {
            bodies();
            first::short(5).await;
            longer(5).await;
            assert_eq!(bodies(), 2);
            let new = VALUE.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            assert_eq!(first::short(5).await.value, new);
        })
        .await;
    }
}

/// What is kept in memory goes with the entry, which ends with the first of the versions: from then on
/// nobody would hear of an invalidation.
#[tokio::test]
async fn memory_keeps_nothing_longer_than_the_entry_lives() {
    #[cache_result(ttl = 0.5, name = "variants.near")]
    async fn shorter(id: u64) -> u64 {
        id
    }
    #[cache_result(ttl = 6, name = "variants.near", local)]
    async fn near(id: u64) -> String {
        id.to_string()
    }
    let server = RedisServer::start();
    let cache = patient::builder(&server.url()).coherence_bound(LONG).build().await.unwrap();
    scope(cache.clone(), async {
        near(0).await;
        eventually(LONG, async || cache.health().local == LocalHealth::Coherent).await;
        shorter(1).await;
        near(1).await;
        let kept = async || near::fetch(1).await.source == Source::Local;
        eventually(Duration::from_millis(300), kept).await;
        let left = server.int(&["PTTL", &format!("cache:{}", near::key(1))]);
        assert!(left <= 500, "{left}");
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(near::fetch(1).await.source, Source::Loaded);
    })
    .await;
}

/// The same name by hand with two types.
#[tokio::test]
async fn types_of_one_key_by_hand_stand_side_by_side() {
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        bodies();
        for _ in 0..200 {
            let number = async || Ok::<_, String>(load());
            let text = async || Ok::<_, String>(load().to_string());
            let minute = Duration::from_secs(60);
            let number = cache.get_or_load("k", minute, number).await.unwrap();
            let text = cache.get_or_load("k", minute, text).await.unwrap();
            assert_eq!(number.to_string(), text);
        }
        assert_eq!(bodies(), 2);
    })
    .await;
}

/// A failure beside another version's value is shared as any other, and keeps nobody waiting.
#[tokio::test]
async fn a_failure_beside_anothers_value_is_shared() {
    #[cache_result(ttl = 600, name = "variants.failing")]
    async fn works(id: u64) -> u64 {
        id
    }
    #[cache_result(ttl = 600, name = "variants.failing")]
    async fn fails(id: u64) -> Result<u32, String> {
        load();
        // Until all have joined.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err("on purpose".to_owned())
    }
    let _turn = TURN.lock().await;
    on_each_store(async |cache| {
        scope(cache.clone(), async {
            works(1).await;
            bodies();
            let calls = (0..20).map(|_| tokio::spawn(scope(cache.clone(), fails(1))));
            for call in join_all(calls.collect::<Vec<_>>()).await {
                call.unwrap().unwrap_err();
            }
            let asked = bodies();
            assert!(asked <= 2, "{asked} bodies for 20 callers");
            assert_eq!(works::fetch(1).await.source, Source::Store, "left alone");
        })
        .await;
    })
    .await;
}
