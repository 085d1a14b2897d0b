/// Looks a user up.
#[allow(unused_braces)]
pub async fn get_user(id: u64) -> Result<User, sqlx::Error> {
    ::cached_runtime::__private::made(|| {
            {
                let mut entry = ::cached_runtime::__private::required!(
                    probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                    ::cached_runtime::__private::CacheDefault >,
                    ::cached_runtime::__private::current(), { static SITE :
                    ::cached_runtime::__private::Site =
                    ::cached_runtime::__private::Site::new(::core::option::Option::None,
                    "id: u64", ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function);
                    ::cached_runtime::__private::At::new(& SITE,
                    ::cached_runtime::__private::place!(free)) }, & []
                );
                entry.arg(&id);
                entry
            }
                .cached(::core::time::Duration::new(60u64, 0u32))
        })
        .run(async move {
            if false {
                return ::cached_runtime::__private::returning::<
                    Result<User, sqlx::Error>,
                >();
            }
            { query(id).await }
        })
        .await
}
/**The entries of the cached function `get_user`: `get_user::invalidate(…)`, `peek`, `put`, `refresh`, `uncached`, `fetch`, `key`, `invalidate_all`, `stats`.

Where this type is in the way (a module or type of the same name, or a function in an `impl`), write `companion = false` in `#[cache_result]`.*/
pub struct get_user {
    __companion: ::core::marker::PhantomData<()>,
}
impl get_user {
    #[doc(hidden)]
    pub fn __site() -> ::cached_runtime::__private::At {
        static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
            ::core::option::Option::None,
            "id: u64",
            ::cached_runtime::__private::position!(),
            ::cached_runtime::__private::Side::Companion,
        );
        ::cached_runtime::__private::At::new(
            &SITE,
            ::cached_runtime::__private::place!(free),
        )
    }
    ///The key of `get_user(…)`, relative to the namespace: what `Cache::invalidate_key` takes. Asks for the arguments that the key uses.
    pub fn key(id: u64) -> ::cached_runtime::Key {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::nowhere(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& id),
                );
            entry
        }
            .key()
    }
    /**Removes the entry of `get_user(…)`. After `Ok` no process serves a value whose load began before this call.

# Errors
Where the store could not be told; the entry may then still be served.*/
    pub async fn invalidate(
        id: u64,
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& id),
                );
            entry
        }
            .invalidate()
            .await
    }
    /**What is stored for `get_user(…)`, without running the body.

# Errors
Where the store could not be asked.*/
    pub async fn peek(
        id: u64,
    ) -> ::core::result::Result<
        ::core::option::Option<
            <Result<
                User,
                sqlx::Error,
            > as ::cached_runtime::__private::ShapeOf<
                { ::cached_runtime::__private::shape_of!(Result < User, sqlx::Error >) },
            >>::Value,
        >,
        ::cached_runtime::Error,
    > {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& id),
                );
            entry
        }
            .peek()
            .await
    }
    /**Stores a value as if `get_user(…)` had just returned it; `ttl` and `cache_if` apply.

# Errors
Where the store could not be told, or the value not be encoded.*/
    pub async fn put(
        id: u64,
        value: &<Result<
            User,
            sqlx::Error,
        > as ::cached_runtime::__private::ShapeOf<
            { ::cached_runtime::__private::shape_of!(Result < User, sqlx::Error >) },
        >>::Value,
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& id),
                );
            entry
        }
            .cached(::core::time::Duration::new(60u64, 0u32))
            .put(value)
            .await
    }
    ///Runs the body of `get_user(…)` and stores its value, unless the entry is invalidated meanwhile. Returns what the function returns.
    pub async fn refresh(id: u64) -> Result<User, sqlx::Error> {
        let call = get_user(id);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Refresh,
                call,
            )
            .await
    }
    ///Runs the body of `get_user(…)`; nothing is looked up, stored or counted.
    pub async fn uncached(id: u64) -> Result<User, sqlx::Error> {
        let call = get_user(id);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Uncached,
                call,
            )
            .await
    }
    ///Calls `get_user(…)`, and says where its value came from, and how old it is.
    pub async fn fetch(id: u64) -> ::cached_runtime::Fetched<Result<User, sqlx::Error>> {
        let call = get_user(id);
        ::cached_runtime::__private::fetch(Self::__site().site(), call).await
    }
    /**Removes all entries of `get_user`. How many there were. Walks the whole keyspace (SCAN), which the option `invalidate_all` spares.

# Errors
Where the store could not be told; some may be removed already.*/
    pub async fn invalidate_all() -> ::core::result::Result<
        u64,
        ::cached_runtime::Error,
    > {
        {
            let entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
        }
            .invalidate_all()
            .await
    }
    ///What happened to the calls of `get_user` in this process.
    pub fn stats() -> ::cached_runtime::FunctionStats {
        {
            let entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
        }
            .stats()
    }
    #[doc(hidden)]
    pub fn __target(id: u64) -> ::cached_runtime::__private::Target {
        {
            let mut entry = ::cached_runtime::__private::presumed!(
                probe, Result < User, sqlx::Error >, ::core::marker::PhantomData:: <
                ::cached_runtime::__private::CacheDefault >,
                ::cached_runtime::__private::current(), Self::__site(), & []
            );
            entry
                .add(
                    ::cached_runtime::__private::PartOf::Arg,
                    &::cached_runtime::__private::part!(& id),
                );
            entry
        }
            .target()
    }
}
