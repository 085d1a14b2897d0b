//! Slots that go from one primary to another, while they are used.

use std::time::Instant;

use cached_runtime::{Source, scope};
use cached_tests::RedisCluster;

use super::{Database, cache, hits, name_of_row, name_with_stripe, near, row, tagged, turns_new};

/// Another primary than the one that has this slot.
fn other_than(cluster: &RedisCluster, slot: u16) -> usize {
    (cluster.owner_of(slot) + 1) % 3
}

#[tokio::test]
async fn an_entry_goes_with_its_slot() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    scope(cache(&cluster).await, async {
        row(&db, 1).await;
        let slot = cluster.slot_of(&name_of_row(1));
        cluster.migrate(slot, other_than(&cluster, slot));
        assert_eq!(row::fetch(&db, 1).await.source, Source::Store, "where it is now");
        cluster.reset_stats();
        hits(&db, 1).await;
        assert_eq!(db.new_reads(), 1);
        assert_eq!(cluster.lookups(), 1, "nobody is asked in vain");
        let new = db.write();
        row::invalidate(1).await.unwrap();
        assert_eq!(row(&db, 1).await, new);
        hits(&db, 1).await;
    })
    .await;
}

/// The half of a migration can last: both servers have keys of the slot then.
#[tokio::test]
async fn a_slot_under_way_is_served_by_both() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let cache = cache(&cluster).await;
    scope(cache.clone(), async {
        row(&db, 1).await;
        let (slot, name) = (cluster.slot_of(&name_of_row(1)), name_of_row(1));
        let to = other_than(&cluster, slot);
        cluster.begin_migration(slot, to);
        assert_eq!(row::fetch(&db, 1).await.source, Source::Store, "not moved yet");
        cluster.move_key(&name, to);
        assert_eq!(row::fetch(&db, 1).await.source, Source::Store, "moved");
        assert_eq!(row::peek(1).await.unwrap(), Some(0), "moved");
        // What is missing is the new owner's to keep.
        let new = db.write();
        row::invalidate(1).await.unwrap();
        let fetched = row::fetch(&db, 1).await;
        assert_eq!((fetched.value, fetched.source), (new, Source::Loaded));
        assert_eq!(row::fetch(&db, 1).await.source, Source::Store, "kept by the new owner");
        assert_eq!(cluster.nodes()[to].keys(), std::slice::from_ref(&name));
        row::put(1, &7).await.unwrap();
        assert_eq!(row(&db, 1).await, 7);
        // A sweep finds it wherever it is.
        assert_eq!(cache.invalidate_pattern("*cluster.row:*").await.unwrap(), 1);
        assert_eq!(row::fetch(&db, 1).await.source, Source::Loaded);
        cluster.end_migration(slot, to);
        assert_eq!(row::fetch(&db, 1).await.source, Source::Store);
    })
    .await;
    assert_eq!(cache.stats().total.bypasses, 0);
}

/// Its version is another key, and may be at the other server: then nobody answers for both.
#[tokio::test]
async fn an_entry_parted_from_its_tag_is_never_served_when_it_is_not_valid() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let cache = cache(&cluster).await;
    scope(cache.clone(), async {
        tagged(&db, 1).await;
        let name = name_with_stripe(&cluster, "cluster.tagged:1");
        let slot = cluster.slot_of(&name);
        let to = other_than(&cluster, slot);
        cluster.begin_migration(slot, to);
        for moved in [false, true] {
            if moved {
                cluster.move_key(&name, to);
            }
            let new = db.write();
            cache.invalidate_tag("rows").await.unwrap();
            for _ in 0..3 {
                assert_eq!(tagged(&db, 1).await, new, "moved: {moved}");
            }
        }
        cluster.move_keys(slot, to);
        cluster.end_migration(slot, to);
        let new = db.write();
        cache.invalidate_tag("rows").await.unwrap();
        assert_eq!(tagged(&db, 1).await, new);
        db.new_reads();
        assert_eq!(tagged(&db, 1).await, new);
        assert_eq!(db.new_reads(), 0, "all is well again");
    })
    .await;
}

/// It has no slot, and so no place among those that have, until all of its first has come.
#[tokio::test]
async fn a_sweep_reaches_a_primary_that_gets_its_first_slot() {
    let (cluster, db) = (RedisCluster::start_with_spare(3), Database::default());
    let cache = cache(&cluster).await;
    scope(cache.clone(), async {
        for clear in [false, true] {
            row(&db, 1).await;
            let (slot, name) = (cluster.slot_of(&name_of_row(1)), name_of_row(1));
            if !clear {
                cluster.begin_migration(slot, 3);
            }
            cluster.move_key(&name, 3);
            assert_eq!(cluster.nodes()[3].keys(), std::slice::from_ref(&name));
            let new = db.write();
            let removed = if clear {
                cache.clear().await
            } else {
                cache.invalidate_pattern("*cluster.row:1").await
            };
            assert_eq!(removed.unwrap(), 1, "clear: {clear}");
            assert_eq!(row(&db, 1).await, new, "clear: {clear}");
            row::invalidate(1).await.unwrap();
        }
    })
    .await;
}

/// A body that runs while its entry's slot gets another owner stores there, and is fenced there.
#[tokio::test]
async fn a_fill_is_fenced_across_a_migration() {
    let cluster = RedisCluster::start(3, 0);
    let cache = cache(&cluster).await;
    for revoked in [false, true] {
        let db = super::super::fencing::Database::new();
        let loading = tokio::spawn(scope(cache.clone(), held_up(db.clone(), 1)));
        db.a_read_has_begun().await;
        let slot = cluster.slot_of(&format!("cache:{}", held_up::key(1)));
        cluster.migrate(slot, other_than(&cluster, slot));
        if revoked {
            db.write(2);
            scope(cache.clone(), held_up::invalidate(1)).await.unwrap();
        }
        db.let_all_answer();
        assert_eq!(loading.await.unwrap(), 1);
        let fetched = scope(cache.clone(), held_up::fetch(db.clone(), 1)).await;
        let expected = if revoked { (2, Source::Loaded) } else { (1, Source::Store) };
        assert_eq!((fetched.value, fetched.source), expected);
        scope(cache.clone(), held_up::invalidate(1)).await.unwrap();
    }
}

#[cached_runtime::cache_result(ttl = 60, skip(db))]
async fn held_up(db: std::sync::Arc<super::super::fencing::Database>, id: u64) -> u64 {
    db.read().await
}

#[tokio::test]
async fn what_is_in_memory_is_heard_of_wherever_it_goes() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let (ours, other) = (cache(&cluster).await, cache(&cluster).await);
    scope(ours.clone(), super::local::warm(&db, 1)).await;
    let slot = cluster.slot_of(&name_with_stripe(&cluster, "cluster.near:1"));
    for _ in 0..3 {
        cluster.migrate(slot, other_than(&cluster, slot));
        let new = db.write();
        scope(other.clone(), near::invalidate(1)).await.unwrap();
        let done = Instant::now();
        scope(ours.clone(), async {
            turns_new("an invalidation where it is now", (&db, 1), new, done).await;
            super::local::warm(&db, 1).await;
        })
        .await;
    }
}
