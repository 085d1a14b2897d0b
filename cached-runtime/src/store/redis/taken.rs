//! Leases that nobody looks after: of callers that went away, and of lookups whose answers never
//! came.

use std::sync::Arc;

use super::RedisStore;
use super::link::Live;
use crate::entry::Fence;
use crate::io;
use crate::store::Asked;
use crate::token::Token;

/// A lease that was taken, or may have been. Dropped before its caller [keeps](Self::keep) it,
/// because the caller went away, it is given up.
pub(super) struct Taken {
    store: RedisStore,
    live: Arc<Live>,
    lease: Option<Box<Lease>>,
}

/// The key in full, and what stands there.
pub(super) struct Lease {
    pub(super) key: Vec<u8>,
    pub(super) fence: Fence,
}

impl Taken {
    pub(super) fn new(store: &RedisStore, live: &Arc<Live>, lease: Option<Lease>) -> Self {
        Self { store: store.clone(), live: Arc::clone(live), lease: lease.map(Box::new) }
    }

    /// The caller has it, and looks after it from here on.
    pub(super) fn keep(mut self) {
        self.lease = None;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_up(&self.store, Some(&self.live));
        }
    }
}

impl Lease {
    /// What a lookup takes where there is nothing.
    pub(super) fn of(store: &RedisStore, asked: Asked<'_>, token: &Token) -> Self {
        let key = store.inner.layout.entry(asked.key, !asked.tags.is_empty()).to_bytes();
        Self { key, fence: Fence::lease(token) }
    }

    /// In the background: behind the lookup on its connection, so that it arrives after it; and on
    /// the next connection where that one broke, or does not answer.
    pub(super) fn give_up(self, store: &RedisStore, live: Option<&Arc<Live>>) {
        let (Ok(io), store, live) = (io::handle(), store.clone(), live.cloned()) else { return };
        let Self { key, fence } = self;
        let key = [key];
        io.spawn(async move {
            if let Some(live) = live {
                let release = store.release_behind(&live, &key, &fence);
                if let Some(true) = io::timeout(store.inner.commit_deadline, release).await {
                    return;
                }
            }
            // Where that fails for as long as the lease lives, its end does the same.
            let _ = store.release_at_last(&key, &fence, &[]).await;
        });
    }
}
