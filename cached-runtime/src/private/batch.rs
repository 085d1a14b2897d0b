//! A call with several keys at once (`batch = ids`): each has an entry of its own, the one that a
//! function of a single key would have, and the body is called with those that are missing.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::entry::{Entry, begin};
use super::forced::{self, Slot, Taken};
use super::options::{KeepIf, NoErrors, Ttl};
use super::plan::Plan;
use super::required::Storable;
use super::ways::{BatchKey, MapOf, ReturnsMap, Ways};
use super::{At, Current, Target};
use crate::cache::{Cache, Loading, not_invalidated};
use crate::coder::Choice;
use crate::equality::Equality;
use crate::error::Error;
use crate::flight::{attended, within_all};
use crate::io;
use crate::key::KeyError;
use crate::loader::{Begun, Ending, Errors, Found, Loader, Purpose, Serving, unusable};
use crate::shape::{Kind, Never, OPTION, Opened, Probe, ShapeOf};
use crate::sharing::Sharer;
use crate::store::{Failure, Value};

/// Whoever leaves several keys gives their leases up one by one. After the first of them this long
/// is spent on the others, that they are loaded together.
const GATHERING: Duration = Duration::from_millis(10);

const WHAT: &str = "the entries are not invalidated";

/// Begins the entries of a batch, as `required!` begins the one of a function that returns an `Option`
/// of the value. All that is asked of the types is asked here.
#[allow(clippy::type_complexity, reason = "named once")]
pub fn batch<R, const N: u8, K, V, C>(
    _: PhantomData<K>,
    _: Probe<R>,
    _: Kind<N>,
    codec: PhantomData<C>,
    cache: Current,
    at: At,
    generics: &[Cow<'static, str>],
) -> (Entry<Option<V>, OPTION>, Ways<R, N, K, V>)
where
    K: BatchKey,
    R: ShapeOf<N>,
    R::Value: MapOf<K, Of = V>,
    V: Storable,
    Kind<N>: ReturnsMap,
    C: Choice,
{
    (begin(Sharer::none(), Equality::unknown(), codec, cache, at, generics), Ways::NEW)
}

impl<V> Entry<Option<V>, OPTION> {
    /// Removes the entries of these keys in one command.
    pub fn invalidate_each<K, F: Fn(&mut Self, &K)>(
        self,
        keys: &[K],
        fill: F,
    ) -> impl Future<Output = Result<(), Error>> + use<V, K, F> {
        let (loader, task) = self.removing(keys, fill);
        let (function, task) = (loader.function, task.map_err(|error| unusable(&error, WHAT)));
        async move {
            let removed = task?.wait().await;
            removed.map(|_| ()).map_err(|failure| not_invalidated(&function.segment, failure))
        }
    }

    /// As [`invalidate_each`](Self::invalidate_each), blocking.
    ///
    /// # Errors
    /// As there.
    pub fn invalidate_each_blocking<K>(
        self,
        keys: &[K],
        fill: impl Fn(&mut Self, &K),
    ) -> Result<(), Error> {
        io::block_on(self.invalidate_each(keys, fill))
    }

    /// The keys and the cache they are in, for `#[cache_invalidate]`.
    pub fn targets<K>(self, keys: &[K], fill: impl Fn(&mut Self, &K)) -> Vec<Target> {
        let blank = self.loader();
        let loaders = keys.iter().map(|key| filled(&blank, key, &fill));
        let target = |loader: Loader<Option<V>, OPTION>| {
            Target::new(Cache::clone(&loader.cache), loader.function, loader.key)
        };
        loaders.map(target).collect()
    }

    #[allow(clippy::type_complexity, reason = "named once")]
    fn removing<K>(
        self,
        keys: &[K],
        fill: impl Fn(&mut Self, &K),
    ) -> (Loader<Option<V>, OPTION>, Result<io::Task<u64>, KeyError>) {
        let blank = self.loader();
        let texts = keys.iter().map(|key| {
            let loader = filled(&blank, key, &fill);
            loader.key.map(|key| key.as_str().to_owned())
        });
        let texts: Result<Vec<String>, KeyError> = texts.collect();
        let task = texts.map(|texts| match texts.is_empty() {
            true => io::Task::Ready(Ok(0)),
            false => blank.cache.removal(texts, Vec::new()),
        });
        (blank, task)
    }
}

/// The entry of one key.
fn filled<V, K>(
    blank: &Loader<Option<V>, OPTION>,
    key: &K,
    fill: &impl Fn(&mut Entry<Option<V>, OPTION>, &K),
) -> Loader<Option<V>, OPTION> {
    let mut entry = Entry::beside(blank);
    fill(&mut entry, key);
    entry.loader()
}

/// A call of a batch, and how its values are kept.
#[must_use]
pub struct Batch<R: ShapeOf<N>, K, V, const N: u8, T, I> {
    /// Each once, in the caller's order.
    keys: Vec<K>,
    entries: Entries<V, T, I>,
    ways: Ways<R, N, K, V>,
}

/// The entries of the keys, in their order. They are apart from these, since they are borrowed while
/// something is awaited: keys need not be fit for that.
struct Entries<V, T, I> {
    plan: Plan<Option<V>, OPTION, T, I, NoErrors<Never>>,
    loaders: Vec<Loader<Option<V>, OPTION>>,
}

/// Where the keys of a call stand, by their places.
#[derive(Default)]
struct Round {
    /// To be loaded by the body.
    loads: Vec<(usize, Box<Loading>)>,
    /// Loaded by others.
    later: Vec<usize>,
}

/// What a run of the body came to.
#[derive(Default)]
struct Ran {
    /// To be stored.
    commits: Vec<(usize, (Box<Loading>, Value))>,
    /// Not to be stored.
    unstored: Vec<usize>,
}

impl<V, T, I> Plan<Option<V>, OPTION, T, I, NoErrors<Never>> {
    /// Of these keys.
    pub fn of<R: ShapeOf<N>, const N: u8, K>(
        self,
        ways: Ways<R, N, K, V>,
        keys: &[K],
        fill: impl Fn(&mut Entry<Option<V>, OPTION>, &K),
    ) -> Batch<R, K, V, N, T, I> {
        let once = (ways.once)(keys).into_iter().map(|at| &keys[at]);
        let entries = once.map(|key| ((ways.copied)(key), filled(&self.loader, key, &fill)));
        let (keys, loaders) = entries.unzip();
        Batch { keys, entries: Entries { plan: self, loaders }, ways }
    }
}

impl<R, K, V, const N: u8, T, I> Batch<R, K, V, N, T, I>
where
    R: ShapeOf<N>,
    T: Ttl<V>,
    I: KeepIf<V>,
{
    /// The call: stored values, and the body's for those keys that have none.
    pub fn run<F, L>(self, body: F) -> impl Future<Output = R>
    where
        F: Fn(Vec<K>) -> L,
        L: Future<Output = R>,
    {
        Box::pin(attended(self.running(body)))
    }

    async fn running<F, L>(self, body: F) -> R
    where
        F: Fn(Vec<K>) -> L,
        L: Future<Output = R>,
    {
        let Self { keys, entries, ways } = self;
        let loader = &entries.plan.loader;
        let mut found: Vec<Option<V>> = keys.iter().map(|_| None).collect();
        let (purpose, mut round) = match forced::take(loader.function.site()) {
            Some(Taken::Uncached) => return body(keys).await,
            Some(Taken::Refresh) => (Purpose::Refresh, Box::pin(entries.refreshing()).await),
            Some(Taken::Fetch(_)) | None => {
                let all = (0..keys.len()).collect();
                (Purpose::Call, Box::pin(entries.glance(all, &mut found)).await)
            }
        };
        loop {
            let Round { mut loads, later } = round;
            if !loads.is_empty() {
                loads.sort_unstable_by_key(|(at, _)| *at);
                let flights = loads.iter().map(|(_, loading)| loading.id()).collect();
                let missing = loads.iter().map(|&(at, _)| (ways.copied)(&keys[at])).collect();
                // The block ends the life of what may be an error before the next await.
                let ran = {
                    let (started, body) = (Instant::now(), body(missing));
                    let opened = Box::pin(within_all(flights, body)).await.open();
                    let took = started.elapsed();
                    loader.loaded(took, matches!(opened, Opened::Failed(_)));
                    if purpose == Purpose::Call {
                        loads.iter().for_each(|(_, load)| loader.missed(load.is_bypass()));
                    }
                    let values = match opened {
                        Opened::Value(map) => {
                            let asked: Vec<&K> = loads.iter().map(|&(at, _)| &keys[at]).collect();
                            (ways.split)(map, &asked)
                        }
                        Opened::Absent(_) => loads.iter().map(|_| None).collect(),
                        Opened::Failed(error) => {
                            // It may be another key's fault, so it is nobody else's.
                            loads.into_iter().for_each(|(_, loading)| loading.failed(None));
                            // These were missing, too.
                            later.iter().for_each(|_| loader.missed(false));
                            return R::close(Opened::Failed(error));
                        }
                    };
                    entries.ran(loads, values, took, &mut found)
                };
                Box::pin(entries.store(purpose, ran)).await;
            }
            if later.is_empty() {
                break;
            }
            round = Box::pin(entries.wait(later, &mut found)).await;
        }
        let pairs = keys.into_iter().zip(found).filter_map(|(key, value)| Some((key, value?)));
        R::close(Opened::Value((ways.joined)(pairs.collect())))
    }

    /// As [`run`](Self::run), blocking.
    pub fn run_blocking<F: Fn(Vec<K>) -> R>(self, body: F) -> R {
        let body = &body;
        io::block_on(self.run(|keys| async move { io::unblocked(|| body(keys)) }))
    }
}

impl<V, T, I> Entries<V, T, I>
where
    T: Ttl<V>,
    I: KeepIf<V>,
{
    /// Looks these keys up in one trip; values go to where they were found.
    async fn glance(&self, places: Vec<usize>, found: &mut [Option<V>]) -> Round {
        let loaders: Vec<_> = places.iter().map(|&at| &self.loaders[at]).collect();
        let begun = Loader::begin_all(&loaders, &self.serving(), no_errors()).await;
        let mut round = Round::default();
        for (at, begun) in places.into_iter().zip(begun) {
            match begun {
                Begun::Hit(value) => found[at] = value,
                Begun::Load(loading) => round.loads.push((at, loading)),
                Begun::Later => round.later.push(at),
            }
        }
        round
    }

    async fn refreshing(&self) -> Round {
        let loaders: Vec<_> = self.loaders.iter().collect();
        let loads = Loader::refreshing_all(&loaders).await;
        Round { loads: loads.into_iter().enumerate().collect(), later: Vec::new() }
    }

    /// Waits for what others load, until one of them leaves it to us: from there on leases are
    /// held, and nobody is waited for longer than it takes to see what else was left.
    async fn wait(&self, places: Vec<usize>, found: &mut [Option<V>]) -> Round {
        let mut left = places;
        let mut loads = Vec::new();
        {
            let serving = self.serving();
            let wait = |&at: &usize| async move {
                (at, self.loaders[at].begin(serving, no_errors()).await)
            };
            let mut waits: FuturesUnordered<_> = left.clone().iter().map(wait).collect();
            let mut until = None;
            loop {
                let limit = until.map(|until: Instant| until.duration_since(Instant::now()));
                let next = io::timeout(limit, waits.next()).await.flatten();
                let Some((at, begun)) = next else { break };
                left.retain(|&other| other != at);
                match begun {
                    Found::Hit(value, ..) => found[at] = value,
                    Found::Load(loading) => {
                        until.get_or_insert_with(|| Instant::now() + GATHERING);
                        loads.push((at, loading));
                    }
                    // Batches have no limit.
                    Found::TimedOut => {}
                }
            }
        }
        if left.is_empty() || loads.is_empty() {
            return Round { loads, later: left };
        }
        // Others may have been left to us by the same end, and nobody has told yet.
        let mut round = self.glance(left, found).await;
        round.loads.extend(loads);
        round
    }

    /// What becomes of the values that the body yielded, each with its load.
    fn ran(
        &self,
        loads: Vec<(usize, Box<Loading>)>,
        values: Vec<Option<V>>,
        took: Duration,
        found: &mut [Option<V>],
    ) -> Ran {
        let mut ran = Ran::default();
        for ((at, loading), value) in loads.into_iter().zip(values) {
            let opened = value.map_or(Opened::Absent(()), Opened::Value);
            match self.plan.ending_of(&self.loaders[at], &loading, &opened, took) {
                Some(Ending::Commit(value)) => ran.commits.push((at, (loading, value))),
                Some(Ending::Ended(shared)) => {
                    loading.ended(shared);
                    ran.unstored.push(at);
                }
                None => loading.ended(None),
            }
            if let Opened::Value(value) = opened {
                found[at] = Some(value);
            }
        }
        ran
    }

    /// Stores the values in one trip.
    async fn store(&self, purpose: Purpose, ran: Ran) {
        let Loader { cache, function, .. } = &self.plan.loader;
        let (places, commits): (Vec<usize>, Vec<_>) = ran.commits.into_iter().unzip();
        let stored = cache.commit_all(function, commits).await;
        if purpose == Purpose::Refresh {
            // What stands there, or another call stored meanwhile, may be older than these values.
            let refused = places.into_iter().zip(stored).filter(|(_, stored)| !stored);
            let outdated = refused.map(|(at, _)| at).chain(ran.unstored);
            let keys = outdated.filter_map(|at| self.loaders[at].key.as_ref().ok());
            let keys: Vec<String> = keys.map(|key| key.as_str().to_owned()).collect();
            if !keys.is_empty()
                && let Err(Failure { fault, .. }) = cache.removal(keys, Vec::new()).wait().await
            {
                cache.counters(function, |counters| counters.fault(fault));
            }
        }
    }

    fn serving(&self) -> Serving<'_> {
        self.plan.serving(&Slot::none(), false)
    }
}

/// A load that another call shares with a batch has no error for it.
fn no_errors<'a>() -> Errors<'a, Never> {
    Errors { cached: None, sharer: Sharer::none() }
}
