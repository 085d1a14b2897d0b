//! The embedded store against the store's contract. Redis is held to it in the workspace's
//! integration tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{
    Asked, Captured, Hold, Looked, MemoryStore, Preparation, Prepared, Sight, Spot, Value,
};
use crate::clock::Clock;
use crate::entry::{self, Fence, fence_of};
use crate::token::{self, Token};

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

fn memory() -> (MemoryStore, Clock) {
    let clock = Clock::manual();
    (MemoryStore::new(64 << 20, clock.clone()), clock)
}

/// The operations, for an entry without tags.
struct Plain<'a>(&'a MemoryStore);

impl Plain<'_> {
    fn lookup(&self, key: &str, token: &Token) -> Looked {
        self.0.lookup(Asked { key, tags: &[], age: false, large: false }, token).looked
    }

    fn read(&self, key: &str) -> Option<Vec<u8>> {
        match self.0.read(Asked { key, tags: &[], age: false, large: false }).looked {
            Looked::Present(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn commit(&self, key: &str, fence: &Fence, bytes: Vec<u8>, life: Duration) -> bool {
        self.0.commit(&hold(key, fence), Value { bytes, life })
    }

    fn put(&self, key: &str, bytes: Vec<u8>, life: Duration) {
        self.0.put(key, &[], Value { bytes, life });
    }

    fn delete(&self, keys: &[String]) -> u64 {
        self.0.delete(keys, &[])
    }

    fn release(&self, key: &str, fence: &Fence) -> bool {
        self.0.release(&hold(key, fence))
    }

    fn holds(&self, key: &str, fence: &Fence) -> bool {
        self.0.holds(&hold(key, fence))
    }

    fn claim(&self, key: &str, token: &Token) -> bool {
        self.0.claim(key, token)
    }

    fn sweep(&self, pattern: &str) -> u64 {
        self.0.sweep(pattern)
    }
}

fn hold(key: &str, fence: &Fence) -> Hold {
    Hold {
        key: key.to_owned(),
        spot: Spot::Entry { tagged: false },
        fence: fence.clone(),
        tags: [].into(),
        large: false,
    }
}

/// What a value begins with, and then some.
fn value(write_id: u8) -> Vec<u8> {
    let mut bytes = vec![b'V', 1];
    bytes.resize(18, write_id);
    bytes.resize(100, 0);
    bytes
}

fn leased(store: &Plain<'_>, key: &str) -> Token {
    let token = token::fresh();
    assert_eq!(store.lookup(key, &token), Looked::Leased);
    token
}

#[test]
fn a_lookup_takes_the_lease_once() {
    let (memory, _) = memory();
    let store = Plain(&memory);
    let token = leased(&store, "k");
    let present = Looked::Present(entry::lease(&token).to_vec());
    assert_eq!(store.lookup("k", &token::fresh()), present, "another sees the first one's");
    assert!(!store.claim("k", &token::fresh()));
    assert_eq!(store.read("k"), Some(entry::lease(&token).to_vec()));
    assert_eq!(store.read("another"), None, "reading takes no lease");
    assert!(store.claim("another", &token::fresh()));
}

#[test]
fn a_commit_needs_its_lease() {
    let (memory, _) = memory();
    let store = Plain(&memory);
    let token = leased(&store, "k");
    let strange = Fence::lease(&token::fresh());
    assert!(!store.commit("k", &strange, value(1), MINUTE));
    assert!(!store.commit("absent", &strange, value(1), MINUTE));
    assert_eq!(store.read("absent"), None);
    assert!(store.commit("k", &Fence::lease(&token), value(1), MINUTE));
    assert_eq!(store.lookup("k", &token::fresh()), Looked::Present(value(1)));
    assert!(!store.commit("k", &Fence::lease(&token), value(2), MINUTE), "a token is used once");
    assert_eq!(store.read("k"), Some(value(1)));
}

#[test]
fn whatever_removes_or_replaces_a_lease_revokes_it() {
    type Revocation = fn(&Plain<'_>);
    let revocations: [(&str, Revocation); 4] = [
        ("delete", |store| assert_eq!(store.delete(&["k".to_owned()]), 1)),
        ("sweep", |store| assert_eq!(store.sweep("*"), 1)),
        ("put", |store| store.put("k", value(9), MINUTE)),
        ("delete, and a new lease", |store| {
            store.delete(&["k".to_owned()]);
            leased(store, "k");
        }),
    ];
    for (what, revoke) in revocations {
        let (memory, _) = memory();
        let store = Plain(&memory);
        let fence = Fence::lease(&leased(&store, "k"));
        assert!(store.holds("k", &fence), "{what}");
        revoke(&store);
        let after = store.read("k");
        assert!(!store.holds("k", &fence), "{what}");
        assert!(!store.commit("k", &fence, value(1), MINUTE), "{what}");
        assert!(!store.release("k", &fence), "{what}");
        assert_eq!(store.read("k"), after, "{what}: nothing of it is changed");
    }
}

#[test]
fn a_refresh_replaces_exactly_what_it_saw() {
    let (memory, clock) = memory();
    let store = Plain(&memory);
    store.put("k", value(1), MINUTE);
    let fence = fence_of(&value(1));
    assert!(store.commit("k", &fence, value(2), MINUTE));
    assert!(!store.commit("k", &fence, value(3), MINUTE), "the write id is another by now");
    store.put("foreign", b"not ours".to_vec(), MINUTE);
    let fence = fence_of(b"not ours");
    store.put("foreign", b"not ours either".to_vec(), MINUTE);
    assert!(!store.commit("foreign", &fence, value(3), MINUTE), "the length differs");
    let fence = fence_of(&value(2));
    clock.advance(MINUTE);
    assert!(!store.commit("k", &fence, value(3), MINUTE), "expired is gone");
}

#[test]
fn a_release_removes_its_own_lease_alone() {
    let (memory, _) = memory();
    let store = Plain(&memory);
    let token = leased(&store, "k");
    assert!(!store.release("k", &Fence::lease(&token::fresh())));
    assert!(store.release("k", &Fence::lease(&token)));
    assert!(!store.release("k", &Fence::lease(&token)));
    let token = leased(&store, "k");
    assert!(store.commit("k", &Fence::lease(&token), value(1), MINUTE));
    assert!(!store.release("k", &Fence::lease(&token)), "a value is no lease");
    assert_eq!(store.read("k"), Some(value(1)));
}

#[test]
fn values_expire_and_leases_do_not() {
    let (memory, clock) = memory();
    let store = Plain(&memory);
    let fence = Fence::lease(&leased(&store, "slow"));
    store.put("k", value(1), MINUTE);
    clock.advance(MINUTE - MS);
    assert_eq!(store.read("k"), Some(value(1)));
    assert_eq!(store.lookup("k", &token::fresh()), Looked::Present(value(1)));
    clock.advance(MS);
    assert_eq!(store.read("k"), None);
    assert_eq!(store.delete(&["k".to_owned()]), 0, "what has expired is not there to be removed");
    assert_eq!(store.lookup("k", &token::fresh()), Looked::Leased);
    clock.advance(1_000 * MINUTE);
    assert!(store.commit("slow", &fence, value(2), Duration::MAX), "a body may take its time");
    clock.advance(1_000_000 * MINUTE);
    assert_eq!(store.read("slow"), Some(value(2)), "an end past all clocks is none");
}

#[test]
fn deletions_and_sweeps_count_what_was_there() {
    let (memory, clock) = memory();
    let store = Plain(&memory);
    for key in ["a:1", "a:2", "b:1"] {
        store.put(key, value(1), MINUTE);
    }
    store.put("a:old", value(1), MS);
    leased(&store, "a:lease");
    clock.advance(MS);
    assert_eq!(store.sweep("a:*"), 3);
    assert_eq!(store.sweep("a:*"), 0);
    let keys = ["b:1", "b:1", "absent"].map(str::to_owned);
    assert_eq!(store.delete(&keys), 1);
    assert_eq!(store.delete(&[]), 0);
}

/// The store's own count of bytes does not drift, whatever is replaced, removed or has expired:
/// after all that as much fits in as before.
#[test]
fn memory_is_bounded_and_the_least_recently_used_goes_first() {
    const CAPACITY: usize = 1 << 20;
    let clock = Clock::manual();
    let memory = MemoryStore::new(CAPACITY, clock.clone());
    let store = Plain(&memory);
    let fill = || {
        for n in 0..5_000 {
            store.put(&format!("k{n}"), vec![b'V'; 1_000], MINUTE);
            // In use all along.
            assert!(store.read("hot").is_some() || n == 0);
            if n == 0 {
                store.put("hot", value(1), MINUTE);
            }
        }
        let there = (0..5_000).filter(|n| store.read(&format!("k{n}")).is_some()).count();
        assert!(store.read("k0").is_none() && store.read("k4999").is_some());
        assert!(there * 1_000 <= CAPACITY, "{there}");
        assert!(there * 1_000 >= CAPACITY / 2, "{there}");
        there
    };
    let first = fill();
    for round in 0..1_000_u32 {
        let key = format!("churn{}", round % 7);
        store.put(&key, vec![b'V'; 20 * (round as usize % 50)], MS);
        match round % 4 {
            0 => clock.advance(MS),
            1 => drop(store.delete(&[key])),
            2 => drop(store.sweep("churn*")),
            _ => {}
        }
        store.read("hot");
    }
    store.sweep("*");
    assert_eq!(fill(), first);
}

#[test]
fn what_is_too_large_for_the_store_is_not_kept_and_evicts_fences() {
    let memory = MemoryStore::new(16 * 1_000, Clock::manual());
    let store = Plain(&memory);
    store.put("huge", vec![b'V'; 100_000], MINUTE);
    assert_eq!(store.read("huge"), None);
    let fence = Fence::lease(&leased(&store, "k"));
    for n in 0..1_000 {
        store.put(&format!("other{n}"), value(1), MINUTE);
    }
    assert!(!store.holds("k", &fence), "evicted");
    assert!(!store.commit("k", &fence, value(1), MINUTE), "and what is not there cannot be filled");
}

/// Of many that race for a key one holds the lease, and one commit goes through.
#[test]
fn one_of_many_threads_fills_a_key() {
    let (memory, _) = memory();
    let store = Plain(&memory);
    for round in 0..200 {
        let key = format!("k{round}");
        let (leases, commits) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    let token = token::fresh();
                    if store.lookup(&key, &token) == Looked::Leased {
                        leases.fetch_add(1, Ordering::Relaxed);
                    }
                    if store.commit(&key, &Fence::lease(&token), value(1), MINUTE) {
                        commits.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!((leases.into_inner(), commits.into_inner()), (1, 1));
    }
}

/// One value too large for the store must not drive out all the others.
#[test]
fn a_value_that_cannot_fit_takes_nothing_else_with_it() {
    let memory = MemoryStore::new(64 << 10, Clock::manual());
    let store = Plain(&memory);
    for at in 0..20 {
        store.put(&format!("small:{at}"), vec![0; 10], Duration::from_secs(60));
    }
    for at in 0..64 {
        store.put(&format!("large:{at}"), vec![0; 8 << 10], Duration::from_secs(60));
    }
    assert_eq!((store.sweep("small:*"), store.sweep("large:*")), (20, 0));
}

fn tagged(memory: &MemoryStore, tags: &[String], token: &Token) -> Sight {
    memory.lookup(Asked { key: "k", tags, age: true, large: false }, token)
}

fn give(memory: &MemoryStore, tag: &str, version: Token) -> Vec<Token> {
    let absent = vec![(tag.to_owned(), version)];
    memory.prepare(&Preparation { key: "k".to_owned(), tagged: true, seize: None, absent }).versions
}

#[test]
fn a_tag_has_one_version_until_it_is_invalidated() {
    let (memory, clock) = memory();
    let tags = ["a".to_owned(), "b".to_owned()];
    let seen = |memory: &MemoryStore| tagged(memory, &tags, &token::fresh()).versions;
    assert_eq!(seen(&memory), [None, None]);
    let (first, second) = (token::fresh(), token::fresh());
    assert_eq!(give(&memory, "a", first), [first]);
    assert_eq!(give(&memory, "a", second), [first], "whoever was faster");
    assert_eq!(seen(&memory), [Some(first), None]);
    assert_eq!(memory.sweep("*"), 1, "the lease; a tag is no entry");
    assert_eq!(seen(&memory), [Some(first), None]);
    assert_eq!(memory.delete(&[], &tags), 0);
    assert_eq!(seen(&memory), [None, None]);
    assert_eq!(give(&memory, "a", second), [second]);
    clock.advance(1_000 * MINUTE);
    assert_eq!(seen(&memory), [None, None], "one that expired was never valid");
}

#[test]
fn a_commit_needs_the_versions_it_was_begun_under() {
    for (what, invalidate, stored) in [
        ("nothing", &[][..], true),
        ("its tag", &["a".to_owned()][..], false),
        ("another's tag", &["b".to_owned()][..], true),
    ] {
        let (memory, clock) = memory();
        let (token, version) = (token::fresh(), token::fresh());
        tagged(&memory, &["a".to_owned()], &token);
        give(&memory, "a", version);
        memory.delete(&[], invalidate);
        let tags = [Captured { tag: "a".to_owned(), version }].into();
        let hold = Hold { tags, ..hold("k", &Fence::lease(&token)) };
        let life = 2_000 * MINUTE;
        let kept = memory.commit(&hold, Value { bytes: value(1), life });
        assert_eq!(kept, stored, "{what}");
        let sight = tagged(&memory, &["a".to_owned()], &token::fresh());
        assert_eq!(sight.looked == Looked::Present(value(1)), stored, "{what}");
        if stored {
            assert_eq!(sight.remaining, Some(life), "{what}");
            clock.advance(life - MS);
            let sight = tagged(&memory, &["a".to_owned()], &token::fresh());
            assert_eq!(sight.versions, [Some(version)], "a tag outlives its entries");
        }
    }
}

#[test]
fn a_release_tells_whether_a_tag_has_changed() {
    for (invalidate, unchanged) in [(false, true), (true, false)] {
        let (memory, _) = memory();
        let (token, version) = (token::fresh(), token::fresh());
        tagged(&memory, &["a".to_owned()], &token);
        give(&memory, "a", version);
        if invalidate {
            memory.delete(&[], &["a".to_owned()]);
        }
        let tags = [Captured { tag: "a".to_owned(), version }].into();
        let hold = Hold { tags, ..hold("k", &Fence::lease(&token)) };
        assert_eq!(memory.release(&hold), unchanged);
        assert_eq!(Plain(&memory).read("k"), None, "either way it is given up");
    }
}

#[test]
fn what_is_of_no_use_is_seized_by_one() {
    let (memory, _) = memory();
    let store = Plain(&memory);
    store.put("k", value(1), MINUTE);
    let seize = |token: Token| {
        let seize = Some((fence_of(&value(1)), token));
        let absent = vec![("a".to_owned(), token)];
        memory.prepare(&Preparation { key: "k".to_owned(), tagged: true, seize, absent })
    };
    let (first, second) = (token::fresh(), token::fresh());
    assert_eq!(seize(first), Prepared { seized: true, versions: vec![first] });
    assert_eq!(store.read("k"), Some(entry::lease(&first).to_vec()));
    assert_eq!(seize(second), Prepared { seized: false, versions: vec![first] });
    assert!(store.commit("k", &Fence::lease(&first), value(2), MINUTE));
}

#[test]
fn a_lease_beside_leaves_the_entry_in_peace() {
    let (memory, _) = memory();
    let store = Plain(&memory);
    store.put("k", value(1), MINUTE);
    let token = token::fresh();
    assert!(memory.mark("k", &token));
    assert!(!memory.mark("k", &token::fresh()), "one at a time");
    assert_eq!(store.read("k"), Some(value(1)));
    let beside = Hold { spot: Spot::Beside, ..hold("k", &Fence::lease(&token)) };
    assert!(memory.holds(&beside));
    assert!(memory.release(&beside));
    assert!(!memory.release(&beside));
    assert_eq!(store.read("k"), Some(value(1)));
    assert!(memory.mark("k", &token::fresh()));
    assert_eq!(store.delete(&["k".to_owned()]), 1, "and is not counted as an entry");
}
