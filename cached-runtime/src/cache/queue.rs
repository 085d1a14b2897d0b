//! Invalidations that failed: kept until the store has carried them out. Meanwhile this process
//! does not use what they are about, since nobody knows whether it is still there.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::Inner;
use crate::fault::Fault;
use crate::io::Task;
use crate::policy::backoff;
use crate::store::{Errands, Failure, Store, glob};

/// More than this, and everything is invalidated instead: simple, and always right.
const MOST: usize = 65_536;
/// So do more patterns than this: each call compares its key with each of them.
const MOST_PATTERNS: usize = 128;
/// So many keys, or so many tags, go into one command.
const BATCH: usize = 500;
/// How often a refused command is halved, while the queue is drained once, to find what it was
/// refused for.
const HALVINGS: usize = 64;
/// The pattern that every key matches.
const EVERYTHING: &str = "*";
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is to be removed, relative to the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Key(String),
    Tag(String),
    /// A glob over keys.
    Pattern(String),
}

#[derive(Default)]
pub(crate) struct Queue {
    /// How many items wait: what a cached call asks, most times, is this alone.
    len: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Held by the one who carries items out.
    draining: ArcSwap<tokio::sync::Mutex<()>>,
}

/// Each item once, with the number of its last request: one that is asked for again while it is
/// being carried out must be carried out again.
#[derive(Default)]
struct Waiting {
    keys: HashMap<String, u64>,
    tags: HashMap<String, u64>,
    patterns: HashMap<String, u64>,
    requests: u64,
    /// A task drains the queue.
    attended: bool,
    /// When it last became empty, or ceased to be.
    changed: Option<Instant>,
}

/// Items of one kind, to be carried out together: those of another may be refused where these
/// are not.
#[derive(Debug, PartialEq, Eq)]
struct Batch {
    kind: Kind,
    /// One, if it is a pattern.
    items: Vec<(String, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Tag,
    Pattern,
}

/// What was refused while the queue is drained once, which keeps nothing else from being carried
/// out.
#[derive(Default)]
struct Refused {
    /// The requests.
    requests: HashSet<u64>,
    /// Of what was refused together, the parts that are still to be tried.
    halves: Vec<Batch>,
    halved: usize,
    first: Option<Failure>,
}

impl Queue {
    /// Whether this process must not use an entry for now. One relaxed load while nothing waits.
    pub(crate) fn holds(&self, key: &str, tags: &[String]) -> bool {
        self.len.load(Ordering::Relaxed) > 0 && self.waiting().hold(key, tags)
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// When it last became empty, or ceased to be.
    pub(crate) fn changed(&self) -> Option<Instant> {
        self.waiting().changed
    }

    /// Adds items; says whether a task must be started that drains the queue.
    fn add(&self, items: impl IntoIterator<Item = Item>) -> bool {
        let mut waiting = self.waiting();
        for item in items {
            if waiting.add(item) {
                tracing::warn!(
                    "too many failed invalidations are queued: nothing of this cache is used by \
                     this process until everything is invalidated"
                );
            }
        }
        self.counted(&mut waiting);
        waiting.len() > 0 && !std::mem::replace(&mut waiting.attended, true)
    }

    /// Carries out what waits, until nothing does or the store does not answer. What it refuses
    /// stays in the queue, and is the outcome at the end. Of several who call it, one does it at a
    /// time.
    async fn drain(&self, store: &Store) -> Result<(), Failure> {
        let draining = self.draining.load_full();
        let _alone = draining.lock().await;
        let mut refused = Refused::default();
        while let Some(batch) = self.next_batch(&mut refused) {
            match carry_out(store, &batch).await {
                Ok(()) => {
                    let mut waiting = self.waiting();
                    waiting.done(&batch);
                    self.counted(&mut waiting);
                }
                Err(failure) if is_about_the_command(&failure) => refused.add(batch, failure),
                // What is about another primary may fare better.
                Err(failure) if store.has_parts() => refused.put_aside(&batch, failure),
                Err(failure) => return Err(failure),
            }
        }
        refused.first.map_or(Ok(()), Err)
    }

    fn next_batch(&self, refused: &mut Refused) -> Option<Batch> {
        refused.halves.pop().or_else(|| self.waiting().next_batch(&refused.requests))
    }

    fn counted(&self, waiting: &mut Waiting) {
        let len = waiting.len();
        if (self.len.swap(len, Ordering::Relaxed) == 0) != (len == 0) {
            waiting.changed = Some(Instant::now());
        }
    }

    /// In a child process, where no task of the parent's drains it.
    fn in_child(&self) -> bool {
        self.draining.store(Arc::default());
        let mut waiting = self.waiting();
        waiting.attended = waiting.len() > 0;
        waiting.attended
    }

    /// The task that drains may end: nothing waits any more.
    fn unattended(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.attended = waiting.len() > 0;
        !waiting.attended
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A circuit closes when what is queued has been carried out.
impl Errands for Queue {
    fn run(self: Arc<Self>, store: Store) -> Task<()> {
        Task::pending(async move { self.drain(&store).await })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let lost = self.len();
        if lost > 0 {
            tracing::warn!(
                lost,
                "the cache is dropped with invalidations that were not carried out"
            );
        }
    }
}

async fn carry_out(store: &Store, Batch { kind, items }: &Batch) -> Result<(), Failure> {
    let names = || items.iter().map(|(name, _)| name.clone()).collect();
    match kind {
        Kind::Key => store.delete(names(), Vec::new()).wait().await?,
        Kind::Tag => store.delete(Vec::new(), names()).wait().await?,
        Kind::Pattern => {
            for (pattern, _) in items {
                store.sweep(pattern).wait().await?;
            }
            0
        }
    };
    Ok(())
}

/// Whether another command may fare better: the server answered, and does not refuse all writes.
fn is_about_the_command(failure: &Failure) -> bool {
    matches!(failure.fault, Fault::Forbidden | Fault::Server)
}

impl Refused {
    /// Several that were refused together are tried in halves: one may be what all were refused
    /// for.
    fn add(&mut self, mut batch: Batch, failure: Failure) {
        if batch.items.len() > 1 && self.halved < HALVINGS {
            self.first.get_or_insert(failure);
            self.halved += 1;
            let items = batch.items.split_off(batch.items.len() / 2);
            self.halves.push(Batch { kind: batch.kind, items });
            self.halves.push(batch);
        } else {
            self.put_aside(&batch, failure);
        }
    }

    /// It is not tried again while the queue is drained this once.
    fn put_aside(&mut self, batch: &Batch, failure: Failure) {
        self.first.get_or_insert(failure);
        self.requests.extend(batch.items.iter().map(|(_, request)| request));
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.keys.len() + self.tags.len() + self.patterns.len()
    }

    fn hold(&self, key: &str, tags: &[String]) -> bool {
        self.keys.contains_key(key)
            || tags.iter().any(|tag| self.tags.contains_key(tag))
            || self.patterns.keys().any(|pattern| glob::matches(pattern.as_bytes(), key.as_bytes()))
    }

    /// Says whether there were too many, so that everything waits now.
    fn add(&mut self, item: Item) -> bool {
        self.requests += 1;
        let request = self.requests;
        if let Some(everything) = self.patterns.get_mut(EVERYTHING) {
            *everything = request;
            return false;
        }
        let too_many = self.len() >= MOST
            || matches!(item, Item::Pattern(_)) && self.patterns.len() >= MOST_PATTERNS;
        let everything = too_many || item == Item::Pattern(EVERYTHING.to_owned());
        if everything {
            self.keys.clear();
            self.tags.clear();
            self.patterns.clear();
        }
        match item {
            _ if everything => self.patterns.insert(EVERYTHING.to_owned(), request),
            Item::Key(key) => self.keys.insert(key, request),
            Item::Tag(tag) => self.tags.insert(tag, request),
            Item::Pattern(pattern) => self.patterns.insert(pattern, request),
        };
        too_many
    }

    /// Keys and tags first, which cost little; then one pattern at a time.
    fn next_batch(&self, refused: &HashSet<u64>) -> Option<Batch> {
        let some = |kind, items: &HashMap<String, u64>, most| {
            let items = items.iter().filter(|(_, request)| !refused.contains(request));
            let items: Vec<(String, u64)> =
                items.take(most).map(|(name, &request)| (name.clone(), request)).collect();
            (!items.is_empty()).then_some(Batch { kind, items })
        };
        some(Kind::Key, &self.keys, BATCH)
            .or_else(|| some(Kind::Tag, &self.tags, BATCH))
            .or_else(|| some(Kind::Pattern, &self.patterns, 1))
    }

    fn done(&mut self, batch: &Batch) {
        let items = match batch.kind {
            Kind::Key => &mut self.keys,
            Kind::Tag => &mut self.tags,
            Kind::Pattern => &mut self.patterns,
        };
        for (name, request) in &batch.items {
            if items.get(name) == Some(request) {
                items.remove(name);
            }
        }
    }
}

impl Inner {
    /// Queues items, and sees to it that they are carried out.
    pub(super) fn queue_up(self: &Arc<Self>, items: impl IntoIterator<Item = Item>) {
        if self.queue.add(items) {
            self.attend();
        }
    }

    /// In a child process, which carries out what waits as its parent does: neither knows of the
    /// other.
    pub(super) fn queue_in_child(self: &Arc<Self>) {
        if self.queue.in_child() {
            self.attend();
        }
    }

    fn attend(self: &Arc<Self>) {
        match crate::io::handle() {
            Ok(io) => drop(io.spawn(attend(Arc::downgrade(self)))),
            // Left to the next one who queues something, and to `shutdown`.
            Err(_) => self.queue.waiting().attended = false,
        }
    }

    /// Carries out what waits, for as long as an invalidation may take; says how much is left.
    pub(super) async fn flushed(&self) -> usize {
        let draining = async {
            while self.queue.drain(&self.store).await.is_err() {
                // A refusal comes at once, and may be over in a moment.
                crate::io::sleep(FIRST_PAUSE).await;
            }
        };
        let _ = crate::io::timeout(self.config.invalidate_deadline, draining).await;
        self.queue.len()
    }
}

/// Drains the queue until it is empty. While the circuit is open, whoever probes does that. Ends
/// early with the cache.
async fn attend(cache: Weak<Inner>) {
    let mut attempt = 0;
    loop {
        let pause = backoff(attempt, FIRST_PAUSE, LONGEST_PAUSE, fastrand::f64());
        crate::io::sleep(pause).await;
        attempt = attempt.saturating_add(1);
        let Some(cache) = cache.upgrade() else { return };
        if cache.store.refusal().is_none() {
            // What fails is tried again.
            let _ = cache.queue.drain(&cache.store).await;
        }
        if cache.queue.unattended() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Item {
        Item::Key(name.to_owned())
    }

    fn tag(name: &str) -> Item {
        Item::Tag(name.to_owned())
    }

    fn pattern(glob: &str) -> Item {
        Item::Pattern(glob.to_owned())
    }

    fn queue(items: impl IntoIterator<Item = Item>) -> Queue {
        let queue = Queue::default();
        queue.add(items);
        queue
    }

    fn next(queue: &Queue) -> Option<Batch> {
        queue.next_batch(&mut Refused::default())
    }

    /// Everything that waits is carried out.
    fn empty(queue: &Queue) {
        while let Some(batch) = next(queue) {
            let mut waiting = queue.waiting();
            waiting.done(&batch);
            queue.counted(&mut waiting);
        }
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn holds_what_an_item_is_about_and_nothing_else() {
        for (item, held, free) in [
            (key("f:1"), vec![("f:1", "")], vec![("f:10", ""), ("f", ""), ("g:1", "f:1")]),
            (tag("users"), vec![("f:1", "users"), ("g", "users")], vec![("users", "user")]),
            (pattern("f:*"), vec![("f:1", ""), ("f:", "t")], vec![("f", ""), ("g:f:1", "f:")]),
            (pattern("*"), vec![("f:1", ""), ("", ""), ("g", "t")], vec![]),
        ] {
            let queue = queue([item.clone()]);
            for (expected, cases) in [(true, held), (false, free)] {
                for (key, tag) in cases {
                    assert_eq!(
                        queue.holds(key, &[tag.to_owned()]),
                        expected,
                        "{item:?} {key} {tag}"
                    );
                }
            }
            empty(&queue);
            assert!(!queue.holds("f:1", &["users".to_owned()]), "{item:?}");
        }
    }

    #[test]
    fn each_item_waits_once_and_one_task_is_asked_for() {
        let queue = Queue::default();
        assert!(queue.add([key("a"), key("a"), tag("a")]));
        assert!(!queue.add([pattern("a"), key("a"), pattern("a")]));
        assert_eq!(queue.len(), 3);
        assert!(!queue.unattended());
        empty(&queue);
        assert!(queue.unattended());
        assert!(queue.add([key("a")]));
        empty(&queue);
        // `clear` covers all the others.
        queue.add([key("a"), tag("a"), pattern("*"), key("b")]);
        assert_eq!(queue.len(), 1);
        empty(&queue);
    }

    #[test]
    fn an_item_queued_again_while_it_is_carried_out_is_carried_out_again() {
        for item in [key("a"), tag("a"), pattern("a*"), pattern("*")] {
            let queue = queue([item.clone()]);
            let under_way = next(&queue).unwrap();
            queue.add([item.clone()]);
            queue.waiting().done(&under_way);
            assert!(queue.holds("a", &["a".to_owned()]), "{item:?}");
            empty(&queue);
        }
    }

    /// What comes while everything is being invalidated is covered by doing it again.
    #[test]
    fn an_item_queued_while_everything_is_carried_out_is_not_lost() {
        let queue = queue([pattern("*")]);
        let under_way = next(&queue).unwrap();
        queue.add([key("a")]);
        queue.waiting().done(&under_way);
        assert!(queue.holds("a", &[]));
        empty(&queue);
    }

    #[test]
    fn too_many_items_become_everything() {
        for (make, most) in [(key as fn(&str) -> Item, MOST), (pattern, MOST_PATTERNS)] {
            let queue = queue((0..most).map(|n| make(&n.to_string())));
            assert_eq!(queue.len(), most);
            assert!(!queue.holds("x", &[]));
            queue.add([make("one more")]);
            assert_eq!(queue.len(), 1);
            assert!(queue.holds("x", &[]) && queue.holds("one more", &[]));
            queue.add([make("and another")]);
            assert_eq!(queue.len(), 1);
            empty(&queue);
            assert!(!queue.holds("x", &[]));
        }
    }

    #[test]
    fn a_batch_is_of_bounded_size() {
        let queue = queue((0..3 * BATCH).map(|n| key(&n.to_string())));
        assert_eq!(next(&queue).unwrap().items.len(), BATCH);
        empty(&queue);
    }

    /// Drains a queue whose store refuses these names; what is left, and how often it was asked.
    fn drain(queue: &Queue, refuses: impl Fn(&str) -> bool) -> (Vec<String>, usize) {
        let (mut refused, mut asked) = (Refused::default(), 0);
        while let Some(batch) = queue.next_batch(&mut refused) {
            asked += 1;
            if batch.items.iter().any(|(name, _)| refuses(name)) {
                refused.add(batch, Failure::new(Fault::Forbidden, "no"));
            } else {
                queue.waiting().done(&batch);
            }
        }
        let waiting = queue.waiting();
        assert_eq!(refused.first.is_some(), waiting.len() > 0);
        let left = [&waiting.keys, &waiting.tags, &waiting.patterns].map(HashMap::keys);
        let mut left: Vec<String> = left.into_iter().flatten().cloned().collect();
        left.sort();
        (left, asked)
    }

    #[test]
    fn what_is_refused_keeps_nothing_else_in_the_queue() {
        let keys = (0..3 * BATCH).map(|n| key(&n.to_string()));
        let others = [tag("t"), tag("no tag"), pattern("p*"), pattern("no p*"), key("no key")];
        let queue = queue(keys.chain(others));
        let (left, asked) = drain(&queue, |name| name.starts_with("no"));
        assert_eq!(left, ["no key", "no p*", "no tag"]);
        assert!(asked < 40, "{asked}");
        assert_eq!(drain(&queue, |_| false).0, [""; 0]);
    }

    #[test]
    fn a_server_that_refuses_everything_is_not_asked_for_each() {
        let queue = queue((0..20 * BATCH).map(|n| key(&n.to_string())));
        let (left, asked) = drain(&queue, |_| true);
        assert_eq!(left.len(), 20 * BATCH);
        assert!(asked <= 20 + 2 * HALVINGS, "{asked}");
    }
}
