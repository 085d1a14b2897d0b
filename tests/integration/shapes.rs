//! Every shape of function and return type that the attribute takes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, cache_invalidate, cache_result, scope, scope_sync};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

fn user(id: u64) -> User {
    User { id, name: format!("user {id}") }
}

/// Calls twice in a fresh cache; both must be equal, and the body have run once.
macro_rules! once {
    ($call:expr) => {{
        let cache = Cache::memory();
        scope(cache.clone(), async {
            let first = $call.await;
            let second = $call.await;
            assert_eq!(first, second);
            let stats = cache.stats().total;
            assert_eq!((stats.loads, stats.misses, stats.hits()), (1, 1, 1), "{stats}");
            first
        })
        .await
    }};
}

macro_rules! once_sync {
    ($call:expr) => {{
        let cache = Cache::memory();
        scope_sync(cache.clone(), || {
            let (first, second) = ($call, $call);
            assert_eq!(first, second);
            let stats = cache.stats().total;
            assert_eq!((stats.loads, stats.misses, stats.hits()), (1, 1, 1), "{stats}");
            first
        })
    }};
}

type Fallible<T> = Result<T, std::fmt::Error>;
type Query = Fallible<Option<Arc<User>>>;

mod returns {
    use super::*;
    #[cache_result(ttl = 60)]
    async fn plain(id: u64) -> User {
        user(id)
    }
    #[cache_result(ttl = 60)]
    async fn option(id: u64) -> Option<User> {
        Some(user(id))
    }
    #[cache_result(ttl = 60)]
    async fn result(id: u64) -> Result<User, std::fmt::Error> {
        Ok(user(id))
    }
    #[cache_result(ttl = 60)]
    async fn result_option(id: u64) -> Result<Option<User>, std::fmt::Error> {
        Ok(Some(user(id)))
    }
    #[cache_result(ttl = 60)]
    async fn arc(id: u64) -> Arc<User> {
        Arc::new(user(id))
    }
    #[cache_result(ttl = 60)]
    async fn option_arc(id: u64) -> Option<Arc<User>> {
        Some(Arc::new(user(id)))
    }
    #[cache_result(ttl = 60)]
    async fn aliased(id: u64) -> Query {
        Ok(Some(Arc::new(user(id))))
    }
    #[cache_result(ttl = 60)]
    async fn any_result(id: u64) -> anyhow::Result<User> {
        Ok(user(id))
    }
    #[cache_result(ttl = 60)]
    async fn unit_inside(id: u64) -> Result<(), std::fmt::Error> {
        let _ = id;
        Ok(())
    }
    #[cache_result(ttl = 60)]
    fn sync_alias(id: u64) -> Fallible<User> {
        Ok(user(id))
    }

    #[tokio::test]
    async fn each_is_stored_and_comes_back() {
        assert_eq!(once!(plain(1)), user(1));
        assert_eq!(once!(option(1)), Some(user(1)));
        assert_eq!(once!(result(1)), Ok(user(1)));
        assert_eq!(once!(result_option(1)), Ok(Some(user(1))));
        assert_eq!(once!(arc(1)), Arc::new(user(1)));
        assert_eq!(once!(option_arc(1)), Some(Arc::new(user(1))));
        assert_eq!(once!(aliased(1)), Ok(Some(Arc::new(user(1)))));
        assert_eq!(once!(async { any_result(1).await.unwrap() }), user(1));
        assert_eq!(once!(unit_inside(1)), Ok(()));
        assert_eq!(once_sync!(sync_alias(1)), Ok(user(1)));
    }

    /// `peek` and `put` speak of the innermost value, whatever the alias.
    #[tokio::test]
    async fn peek_and_put_know_the_innermost_type() {
        scope(Cache::memory(), async {
            let value: Arc<User> = Arc::new(user(7));
            aliased::put(7, &value).await.unwrap();
            let found: Option<Arc<User>> = aliased::peek(7).await.unwrap();
            assert_eq!(found, Some(value));
            any_result::put(7, &user(8)).await.unwrap();
            let found: Option<User> = any_result::peek(7).await.unwrap();
            assert_eq!(found, Some(user(8)));
            sync_alias::put(1, &user(3)).unwrap();
            assert_eq!(sync_alias::peek(1).unwrap(), Some(user(3)));
            sync_alias::invalidate(1).unwrap();
            assert_eq!(sync_alias::peek(1).unwrap(), None);
        })
        .await;
    }
}

mod methods {
    use super::*;
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[derive(Clone)]
    struct Repo<T> {
        tenant: String,
        cache: Cache,
        make: fn(u64) -> T,
    }

    impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + PartialEq + 'static> Repo<T> {
        fn new(tenant: &str, make: fn(u64) -> T) -> Self {
            Self { tenant: tenant.to_owned(), cache: Cache::memory(), make }
        }

        #[cache_result(ttl = 60, key = "{self.tenant}:{id}", cache = self.cache, companion)]
        async fn find(&self, id: u64) -> Result<Option<T>, std::fmt::Error> {
            RUNS.fetch_add(1, Ordering::SeqCst);
            Ok(Some((self.make)(id)))
        }

        #[cache_result(ttl = 60, skip(self), cache = self.cache)]
        async fn by_arc(self: Arc<Self>, id: u64) -> T {
            RUNS.fetch_add(1, Ordering::SeqCst);
            (self.make)(id)
        }

        #[cache_result(ttl = 60, skip(self), cache = self.cache)]
        async fn by_value(self, id: u64) -> T {
            RUNS.fetch_add(1, Ordering::SeqCst);
            (self.make)(id)
        }

        #[cache_result(ttl = 60, key = "{self.tenant}:{id}", cache = self.cache, companion)]
        fn find_now(&self, id: u64) -> Arc<T> {
            RUNS.fetch_add(1, Ordering::SeqCst);
            Arc::new((self.make)(id))
        }

        #[cache_result(ttl = 60, companion = false)]
        async fn associated(id: u64) -> u64 {
            RUNS.fetch_add(1, Ordering::SeqCst);
            id + std::mem::size_of::<T>() as u64
        }

        #[cache_result(ttl = 60, companion)]
        async fn with_handle(id: u64) -> u64 {
            RUNS.fetch_add(1, Ordering::SeqCst);
            id
        }

        #[cache_invalidate(self.find(id), self.find_now(id))]
        async fn rename(&mut self, id: u64) -> Result<(), std::fmt::Error> {
            self.tenant.push('!');
            self.tenant.pop();
            Ok(())
        }
    }

    #[tokio::test]
    async fn every_receiver_and_the_handle() {
        let mut repo = Repo::new("a", user);
        assert_eq!(repo.find(1).await, repo.find(1).await);
        assert_eq!(RUNS.swap(0, Ordering::SeqCst), 1);
        {
            let handle = repo.find_cache(1);
            assert!(
                handle.key().as_str().ends_with("methods.Repo<integration.shapes.User>.find:a:1"),
                "{}",
                handle.key()
            );
            let peeked: Option<User> = handle.peek().await.unwrap();
            assert_eq!(peeked, Some(user(1)));
            handle.put(&user(9)).await.unwrap();
        }
        assert_eq!(repo.find(1).await, Ok(Some(user(9))));
        assert_eq!(repo.find_cache(1).refresh().await, Ok(Some(user(1))));
        assert_eq!(repo.find(1).await, Ok(Some(user(1))));
        assert_eq!(repo.find_cache(1).uncached().await, Ok(Some(user(1))));
        assert_eq!(RUNS.swap(0, Ordering::SeqCst), 2);
        assert_eq!(repo.find_now(1), Arc::new(user(1)));
        let peeked: Option<Arc<User>> = repo.find_now_cache(1).peek().unwrap();
        assert_eq!(peeked, Some(Arc::new(user(1))));
        repo.rename(1).await.unwrap();
        assert_eq!(repo.find_cache(1).peek().await.unwrap(), None);
        assert_eq!(repo.find_now_cache(1).peek().unwrap(), None);
        RUNS.store(0, Ordering::SeqCst);
        let shared = Arc::new(repo.clone());
        assert_eq!(shared.clone().by_arc(2).await, shared.by_arc(2).await);
        assert_eq!(repo.clone().by_value(3).await, repo.by_value(3).await);
        assert_eq!(RUNS.swap(0, Ordering::SeqCst), 2);
        scope(Cache::memory(), async {
            assert_eq!(Repo::<User>::associated(1).await, Repo::<User>::associated(1).await);
            assert_ne!(Repo::<User>::associated(1).await, Repo::<u8>::associated(1).await);
            Repo::<u8>::with_handle(4).await;
            assert_eq!(Repo::<u8>::with_handle_cache(4).peek().await.unwrap(), Some(4));
            assert_eq!(Repo::<u16>::with_handle_cache(4).peek().await.unwrap(), None);
        })
        .await;
    }

    static BODIES: AtomicU32 = AtomicU32::new(0);

    trait Find {
        async fn find(&self, id: u64) -> User;
        #[cache_result(ttl = 60, skip(self))]
        async fn provided(&self, id: u64) -> u64 {
            BODIES.fetch_add(1, Ordering::SeqCst);
            id + std::any::type_name::<Self>().len() as u64
        }
    }
    struct A;
    struct LongerName;
    impl Find for A {
        #[cache_result(ttl = 60, skip(self))]
        async fn find(&self, id: u64) -> User {
            user(id)
        }
    }
    impl Find for LongerName {
        #[cache_result(ttl = 60, skip(self))]
        async fn find(&self, id: u64) -> User {
            user(id + 1000)
        }
    }

    #[async_trait::async_trait]
    trait Boxed {
        async fn find(&self, id: u64, name: &str) -> Result<User, std::fmt::Error>;
    }
    #[async_trait::async_trait]
    impl Boxed for A {
        #[cache_result(ttl = 60, skip(self))]
        async fn find(&self, id: u64, name: &str) -> Result<User, std::fmt::Error> {
            BODIES.fetch_add(1, Ordering::SeqCst);
            Ok(User { id, name: name.to_owned() })
        }
    }

    #[tokio::test]
    async fn implementors_have_entries_of_their_own() {
        scope(Cache::memory(), async {
            assert_eq!(Find::find(&A, 1).await, user(1));
            assert_eq!(Find::find(&LongerName, 1).await, user(1001));
            assert_eq!(Find::find(&A, 1).await, user(1));
            assert_ne!(A.provided(1).await, LongerName.provided(1).await);
            let boxed: &(dyn Boxed + Sync) = &A;
            BODIES.store(0, Ordering::SeqCst);
            let first = boxed.find(1, "ada").await.unwrap();
            assert_eq!(boxed.find(1, "ada").await.unwrap(), first);
            assert_ne!(boxed.find(1, "bob").await.unwrap(), first);
            assert_eq!(BODIES.load(Ordering::SeqCst), 2);
        })
        .await;
    }
}

mod arguments {
    use super::*;
    #[cache_result(ttl = 60)]
    async fn patterns((a, b): (u32, u32), User { id, .. }: User, _: u8) -> u64 {
        u64::from(a + b) + id
    }

    #[cache_result(ttl = 60)]
    async fn borrowed<'a>(name: &'a str, all: &[Cow<'a, str>], mut n: u32) -> String {
        n += 1;
        format!("{name} {all:?} {n}")
    }

    #[cache_result(ttl = 60)]
    async fn opaque(name: impl Display + Serialize) -> String {
        format!("{name}")
    }

    #[cache_result(ttl = 60, skip(db))]
    async fn generic<D, T, const N: usize>(db: &D, from: T) -> Vec<T>
    where
        D: Sync,
        T: Serialize + DeserializeOwned + Clone + Send + Sync,
    {
        let _ = db;
        vec![from; N]
    }

    #[cache_result(ttl = 60)]
    async fn conditional(id: u64, #[cfg(any())] never: u64, #[cfg(not(any()))] always: u64) -> u64 {
        id + always
    }

    #[tracing::instrument]
    #[cache_result(ttl = 60)]
    async fn traced_around(id: u64) -> u64 {
        id
    }

    #[cache_result(ttl = 60)]
    #[tracing::instrument(skip(id), fields(asked = id))]
    async fn traced_inside(id: u64) -> Result<u64, std::fmt::Error> {
        Ok(id)
    }

    #[tokio::test]
    async fn other_attributes_stay() {
        assert_eq!(once!(traced_around(1)), 1);
        assert_eq!(once!(traced_inside(1)), Ok(1));
        scope(Cache::memory(), async {
            assert_eq!(traced_around::refresh(2).await, 2);
            assert_eq!(traced_around::peek(2).await.unwrap(), Some(2));
            assert_eq!(traced_inside::uncached(2).await, Ok(2));
        })
        .await;
    }

    /// Documented, and returning a future.
    #[cache_result(ttl = 60)]
    fn returns_future(id: u64) -> impl Future<Output = User> + Send {
        async move { user(id) }
    }

    #[cache_result(ttl = 60)]
    fn returns_box(id: u64) -> Pin<Box<dyn Future<Output = User> + Send>> {
        Box::pin(async move { user(id) })
    }

    #[cache_result(ttl = 60, key = "{user.id}:{pair.0}")]
    async fn fields(user: User, pair: (u8, u8)) -> String {
        user.name + &pair.1.to_string()
    }

    #[cache_result(ttl = Duration::from_secs(limit), skip(limit))]
    async fn by_argument(id: u64, limit: u64) -> u64 {
        id
    }

    #[cache_result(ttl = |user| Duration::from_secs(user.id), cache_if = is_even, jitter = 0.1)]
    async fn by_value(id: u64) -> Option<User> {
        Some(user(id))
    }
    fn is_even(user: &User) -> bool {
        user.id.is_multiple_of(2)
    }

    #[cache_result(ttl = 60)]
    async fn early(id: u64) -> Result<HashMap<String, u64>, Box<dyn std::error::Error>> {
        if id == 0 {
            return Err("zero".into());
        }
        let text = format!("{id}");
        let parsed: u64 = text.parse()?;
        Ok(HashMap::from([(text, parsed)]))
    }

    #[tokio::test]
    async fn all_kinds_of_arguments() {
        let pattern = || patterns((1, 2), user(3), 4);
        assert_eq!(once!(pattern()), 6);
        let all = [Cow::Borrowed("x")];
        once!(borrowed("n", &all, 1));
        once!(opaque("text"));
        once!(opaque(5));
        assert_eq!(once!(generic::<_, _, 3>(&"db", 7_u8)), vec![7, 7, 7]);
        once!(conditional(1, 2));
        once!(returns_future(1));
        once!(returns_box(1));
        once!(fields(user(1), (2, 3)));
        once!(by_argument(1, 60));
        once!(by_value(2));
        once!(async { early(3).await.unwrap() });
    }

    #[tokio::test]
    async fn companions_ask_for_what_they_need() {
        scope(Cache::memory(), async {
            patterns::put((1, 2), user(3), &77).await.unwrap();
            assert_eq!(patterns((1, 2), user(3), 4).await, 77);
            assert_eq!(generic::<&str, u8, 2>::peek(1).await.unwrap(), None);
            generic::<&str, u8, 2>::refresh(&"db", 1).await;
            assert_eq!(generic::<&str, u8, 2>::peek(1).await.unwrap(), Some(vec![1, 1]));
            assert_eq!(generic::<&str, u8, 3>::peek(1).await.unwrap(), None);
            assert_eq!(generic::<String, u8, 2>::peek(1).await.unwrap(), Some(vec![1, 1]));
            opaque::put("x", &"y".to_owned()).await.unwrap();
            assert_eq!(opaque("x").await, "y");
            conditional::refresh(1, 2).await;
            conditional::invalidate(1, 2).await.unwrap();
            fields::invalidate(user(1), (2, 0)).await.unwrap();
            by_argument::put(1, 0, &5).await.unwrap();
            assert_eq!(by_argument::peek(1).await.unwrap(), None, "a ttl of zero is not stored");
            by_value::put(3, &user(3)).await.unwrap();
            assert_eq!(by_value::peek(3).await.unwrap(), None, "`cache_if` applies to `put`");
            returns_box::refresh(1).await;
            assert_eq!(returns_box::uncached(1).await, user(1));
        })
        .await;
    }

    fn assert_send<T: Send>(value: T) -> T {
        value
    }

    #[cache_result(ttl = 60)]
    #[allow(non_snake_case)]
    async fn energy(T: u64, V: u64) -> u64 {
        1000 * T + V
    }

    /// Names decide nothing: an argument in upper case is an argument.
    #[tokio::test]
    async fn arguments_in_upper_case_are_part_of_the_key() {
        scope(Cache::memory(), async {
            assert_eq!((energy(1, 2).await, energy(3, 4).await), (1002, 3004));
            assert!(energy::key(1, 2).as_str().ends_with("energy:1:2"));
        })
        .await;
    }

    /// A user's types may have the names of ours.
    #[tokio::test]
    async fn types_with_names_of_generated_code() {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Probe(u8);
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        struct Second(u8);
        #[cache_result(ttl = 60)]
        async fn probe(id: u8) -> Probe {
            Probe(id)
        }
        #[cache_result(ttl = 60)]
        async fn second(id: u8) -> Result<Option<Second>, Probe> {
            Ok(Some(Second(id)))
        }
        assert_eq!(once!(probe(1)), Probe(1));
        assert_eq!(once!(second(1)), Ok(Some(Second(1))));
    }

    /// Two types of one name are two types.
    #[tokio::test]
    async fn types_of_one_name_do_not_share_entries() {
        #[cache_result(ttl = 60)]
        async fn load<T: Serialize + DeserializeOwned + From<u8> + Send + Sync>(id: u8) -> T {
            T::from(id)
        }
        macro_rules! block_with_a_row {
            ($field:ident) => {{
                #[derive(Debug, Serialize, Deserialize)]
                struct Row {
                    #[serde(default)]
                    $field: u8,
                }
                impl From<u8> for Row {
                    fn from($field: u8) -> Self {
                        Self { $field }
                    }
                }
                load::<Row>(5).await.$field
            }};
        }
        scope(Cache::memory(), async {
            assert_eq!((block_with_a_row!(cents), block_with_a_row!(euros)), (5, 5));
        })
        .await;
    }

    /// The error is not `Send`, the future is: it never holds the error across an await.
    #[tokio::test]
    async fn futures_stay_send() {
        scope(Cache::memory(), async {
            assert_send(early(1)).await.unwrap();
            assert_send(generic::<_, _, 1>(&1, 2)).await;
            assert_send(by_value::put(2, &user(2))).await.unwrap();
        })
        .await;
    }
}
