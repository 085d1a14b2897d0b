//! Giving back what has expired: where nobody asks for an entry any more, nobody finds out that its
//! time is over. A task on the I/O thread does, for as long as there is anything that has an end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Weak};
use std::time::Duration;

use super::{Inner, Shard, lock};
use crate::io;

/// Between two shards, so that none is held for long at a time: all are walked in 4.5 s.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether that task is at work.
#[derive(Default)]
pub(super) struct Expiry(AtomicBool);

impl Expiry {
    /// Something has come that has an end. One relaxed load where the task knows.
    pub(super) fn expect(&self, store: impl FnOnce() -> Weak<Inner>) {
        if !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::AcqRel) {
            match io::handle() {
                Ok(io) => drop(io.spawn(walk(store()))),
                // Without that thread, what has expired goes when it is asked for, or in turn.
                Err(_) => self.0.store(false, Ordering::Release),
            }
        }
    }

    /// It is not, from here on: it ended, or is the parent's of a child process.
    pub(super) fn ended(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Walks until there is nothing left to expire, or the store is gone.
async fn walk(store: Weak<Inner>) {
    let mut at = 0;
    loop {
        io::sleep(PAUSE).await;
        let Some(inner) = store.upgrade() else { return };
        let shards: Vec<&Mutex<Shard>> = inner.all().collect();
        let now = inner.clock.elapsed();
        if let Some(shard) = shards.get(at) {
            lock(shard).expire(now);
        }
        at = (at + 1) % shards.len();
        if at > 0 || shards.iter().any(|shard| lock(shard).soonest.is_some()) {
            continue;
        }
        // Whoever inserts from here on starts another walk, unless this one sees it.
        inner.expiry.ended();
        let more = shards.iter().any(|shard| lock(shard).soonest.is_some());
        if !more || inner.expiry.0.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::MemoryStore;
    use super::*;
    use crate::clock::Clock;
    use crate::store::Value;

    fn kept(memory: &MemoryStore) -> (usize, usize) {
        memory.inner.all().fold((0, 0), |(entries, bytes), shard| {
            let shard = lock(shard);
            (entries + shard.entries.len(), bytes + shard.bytes)
        })
    }

    fn put(memory: &MemoryStore, keys: std::ops::Range<u32>, life: Duration) {
        for key in keys {
            memory.put(&key.to_string(), &[], Value { bytes: vec![0; 100], life });
        }
    }

    fn wait_until(memory: &MemoryStore, entries: usize) {
        let start = Instant::now();
        while kept(memory).0 != entries {
            assert!(start.elapsed() < Duration::from_secs(60), "{:?}", kept(memory));
            // The walk is by the real clock.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nobody asks for them, and their memory comes back all the same: by the cache's clock, and again
    /// after a time with nothing to do.
    #[test]
    fn what_has_expired_goes_though_nobody_asks() {
        let clock = Clock::manual();
        let memory = MemoryStore::new(64 << 20, clock.clone());
        for _ in 0..2 {
            put(&memory, 0..1_000, Duration::from_secs(10));
            put(&memory, 1_000..1_100, Duration::from_secs(100));
            clock.advance(Duration::from_secs(9));
            let before = kept(&memory);
            assert_eq!(before.0, 1_100);
            clock.advance(Duration::from_secs(1));
            wait_until(&memory, 100);
            clock.advance(Duration::from_secs(90));
            wait_until(&memory, 0);
            assert_eq!(kept(&memory).1, 0);
            let start = Instant::now();
            while memory.inner.expiry.0.load(Ordering::Acquire) {
                assert!(start.elapsed() < Duration::from_secs(60), "the walk ends");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
