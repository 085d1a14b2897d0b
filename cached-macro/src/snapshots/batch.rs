/// Looks users up.
#[allow(unused_braces)]
pub async fn get_users(
    db: &Pool,
    retries: u8,
    ids: &[u64],
) -> Result<HashMap<u64, User>, sqlx::Error> {
    {
        let (entry, ways) = ::cached_runtime::__private::batch(
            ::core::marker::PhantomData::<u64>,
            ::cached_runtime::__private::Probe::<
                Result<HashMap<u64, User>, sqlx::Error>,
            >::NEW,
            ::cached_runtime::__private::kind_of!(
                Result < HashMap < u64, User >, sqlx::Error >
            ),
            ::core::marker::PhantomData::<::cached_runtime::__private::CacheDefault>,
            ::cached_runtime::__private::current(),
            {
                static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
                    ::core::option::Option::Some("user"),
                    "u64",
                    ::cached_runtime::__private::position!(),
                    ::cached_runtime::__private::Side::Function,
                );
                ::cached_runtime::__private::At::new(
                    &SITE,
                    ::cached_runtime::__private::place!(free),
                )
            },
            &[],
        );
        entry
            .cached(::core::time::Duration::new(60u64, 0u32))
            .of(
                ways,
                &ids[..],
                |entry, ids| {
                    entry.arg(&ids);
                    entry
                        .tag(|tag| {
                            tag.text("user:");
                            tag.part(&::cached_runtime::__private::tag_part!(ids));
                        });
                },
            )
    }
        .run(move |keys| {
            let db = ::cached_runtime::__private::again(&db);
            let mut retries = ::cached_runtime::__private::again(&retries);
            async move {
                if false {
                    return ::cached_runtime::__private::returning::<
                        Result<HashMap<u64, User>, sqlx::Error>,
                    >();
                }
                let ids: &[u64] = &keys;
                { query(db, ids).await }
            }
        })
        .await
}
/**The entries of the cached function `get_users`: `get_users::invalidate(…)`, `refresh`, `uncached`, `invalidate_all`, `stats`.

Where this type is in the way (a module or type of the same name, or a function in an `impl`), write `companion = false` in `#[cache_result]`.*/
pub struct get_users {
    __companion: ::core::marker::PhantomData<()>,
}
impl get_users {
    #[doc(hidden)]
    pub fn __site() -> ::cached_runtime::__private::At {
        static SITE: ::cached_runtime::__private::Site = ::cached_runtime::__private::Site::new(
            ::core::option::Option::Some("user"),
            "u64",
            ::cached_runtime::__private::position!(),
            ::cached_runtime::__private::Side::Companion,
        );
        ::cached_runtime::__private::At::new(
            &SITE,
            ::cached_runtime::__private::place!(free),
        )
    }
    /**Removes the entries of `get_users(…)`, those of all keys in one command. After `Ok` no process serves a value whose load began before this call.

# Errors
Where the store could not be told; the entries may then still be served.*/
    pub async fn invalidate(
        ids: &[u64],
    ) -> ::core::result::Result<(), ::cached_runtime::Error> {
        ::cached_runtime::__private::presumed_batch!(
            ::core::marker::PhantomData:: < u64 >, ::cached_runtime::__private::Probe:: <
            Result < HashMap < u64, User >, sqlx::Error > > ::NEW,
            ::cached_runtime::__private::kind_of!(Result < HashMap < u64, User >,
            sqlx::Error >), ::core::marker::PhantomData:: <
            ::cached_runtime::__private::CacheDefault >,
            ::cached_runtime::__private::current(), Self::__site(), & [],
        )
            .0
            .invalidate_each(
                &ids[..],
                |entry, ids| {
                    entry
                        .add(
                            ::cached_runtime::__private::PartOf::Arg,
                            &::cached_runtime::__private::part!(& ids),
                        );
                },
            )
            .await
    }
    ///Runs the body of `get_users(…)` with all keys and stores its values, but those whose entries are invalidated meanwhile. Returns what the function returns.
    pub async fn refresh(
        db: &Pool,
        retries: u8,
        ids: &[u64],
    ) -> Result<HashMap<u64, User>, sqlx::Error> {
        let call = get_users(db, retries, ids);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Refresh,
                call,
            )
            .await
    }
    ///Runs the body of `get_users(…)`; nothing is looked up, stored or counted.
    pub async fn uncached(
        db: &Pool,
        retries: u8,
        ids: &[u64],
    ) -> Result<HashMap<u64, User>, sqlx::Error> {
        let call = get_users(db, retries, ids);
        ::cached_runtime::__private::force(
                Self::__site().site(),
                ::cached_runtime::__private::Mode::Uncached,
                call,
            )
            .await
    }
    /**Removes all entries of `get_users`. How many there were. Walks the whole keyspace (SCAN), which the option `invalidate_all` spares.

# Errors
Where the store could not be told; some may be removed already.*/
    pub async fn invalidate_all() -> ::core::result::Result<
        u64,
        ::cached_runtime::Error,
    > {
        ::cached_runtime::__private::presumed_batch!(
            ::core::marker::PhantomData:: < u64 >, ::cached_runtime::__private::Probe:: <
            Result < HashMap < u64, User >, sqlx::Error > > ::NEW,
            ::cached_runtime::__private::kind_of!(Result < HashMap < u64, User >,
            sqlx::Error >), ::core::marker::PhantomData:: <
            ::cached_runtime::__private::CacheDefault >,
            ::cached_runtime::__private::current(), Self::__site(), & [],
        )
            .0
            .invalidate_all()
            .await
    }
    ///What happened to the calls of `get_users` in this process.
    pub fn stats() -> ::cached_runtime::FunctionStats {
        ::cached_runtime::__private::presumed_batch!(
            ::core::marker::PhantomData:: < u64 >, ::cached_runtime::__private::Probe:: <
            Result < HashMap < u64, User >, sqlx::Error > > ::NEW,
            ::cached_runtime::__private::kind_of!(Result < HashMap < u64, User >,
            sqlx::Error >), ::core::marker::PhantomData:: <
            ::cached_runtime::__private::CacheDefault >,
            ::cached_runtime::__private::current(), Self::__site(), & [],
        )
            .0
            .stats()
    }
    #[doc(hidden)]
    pub fn __target(
        ids: &[u64],
    ) -> ::std::vec::Vec<::cached_runtime::__private::Target> {
        ::cached_runtime::__private::presumed_batch!(
            ::core::marker::PhantomData:: < u64 >, ::cached_runtime::__private::Probe:: <
            Result < HashMap < u64, User >, sqlx::Error > > ::NEW,
            ::cached_runtime::__private::kind_of!(Result < HashMap < u64, User >,
            sqlx::Error >), ::core::marker::PhantomData:: <
            ::cached_runtime::__private::CacheDefault >,
            ::cached_runtime::__private::current(), Self::__site(), & [],
        )
            .0
            .targets(
                &ids[..],
                |entry, ids| {
                    entry
                        .add(
                            ::cached_runtime::__private::PartOf::Arg,
                            &::cached_runtime::__private::part!(& ids),
                        );
                },
            )
    }
}
